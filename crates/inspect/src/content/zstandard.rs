//! Zstandard (RFC 8878), with windows of at most 8 MiB as RFC 9659 has it for content codings.

use super::{Caps, Meter, STEP};
use tapwire_protocol::Anomaly;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

const MAX_WINDOW_LOG: u32 = 23;

/// Undoes the coding, piece by piece. Reusable through [`Zstandard::restart`].
pub(crate) struct Zstandard {
    context: DCtx<'static>,
    /// Where a step's output goes.
    out: Vec<u8>,
    meter: Meter,
    /// Between two frames.
    between: bool,
    failure: Option<Anomaly>,
}

impl Zstandard {
    pub(super) fn new() -> Self {
        let mut context = DCtx::create();
        let bounded = context.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)).is_ok();
        Self {
            context,
            out: vec![0; STEP],
            meter: Meter::default(),
            between: true,
            failure: (!bounded).then_some(Anomaly::InvalidContentCoding),
        }
    }

    /// Begins another body with the memory of the last; `None` where that cannot be.
    pub(super) fn restart(mut self) -> Option<Self> {
        self.context.reset(ResetDirective::SessionOnly).ok()?;
        (self.meter, self.between, self.failure) = (Meter::default(), true, None);
        Some(self)
    }

    pub(super) const fn ended(&self) -> bool {
        self.between
    }

    pub(super) const fn failure(&self) -> Option<Anomaly> {
        self.failure
    }

    pub(super) fn held(&self) -> usize {
        STEP + self.context.sizeof()
    }

    pub(super) fn feed(&mut self, bytes: &[u8], caps: Caps, take: &mut dyn FnMut(&[u8])) {
        let mut input = InBuffer::around(bytes);
        self.meter.taken += bytes.len() as u64;
        while self.failure.is_none() {
            let before = input.pos();
            let mut output = OutBuffer::around(self.out.as_mut_slice());
            let result = self.context.decompress_stream(&mut output, &mut input);
            let made = output.pos();
            let used = input.pos() - before;
            take(self.out.get(..made).unwrap_or_default());
            if self.meter.is_bomb(made, caps) {
                self.failure = Some(Anomaly::ContentCodingBomb);
            }
            match result {
                Ok(hint) if used > 0 || made > 0 => self.between = hint == 0,
                Ok(_) if input.pos() == bytes.len() => return,
                _ => self.failure = self.failure.or(Some(Anomaly::InvalidContentCoding)),
            }
            // A full step may have left output behind even when the input is used up.
            if input.pos() == bytes.len() && made < STEP {
                return;
            }
        }
    }
}
