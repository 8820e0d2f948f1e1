//! Brotli (RFC 7932), with windows of at most 16 MiB: the larger ones of its extension are refused.

use super::{Caps, Meter, STEP};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use tapwire_protocol::Anomaly;

/// What the state holds besides its window.
const TABLES: usize = 96 << 10;

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Undoes the coding, piece by piece.
pub(crate) struct Brotli {
    state: Box<State>,
    /// Where a step's output goes.
    out: Vec<u8>,
    meter: Meter,
    done: bool,
    failure: Option<Anomaly>,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let state =
            State::new_strict(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
        Self {
            state: Box::new(state),
            out: vec![0; STEP],
            meter: Meter::default(),
            done: false,
            failure: None,
        }
    }

    pub(super) const fn ended(&self) -> bool {
        self.done || self.meter.taken == 0
    }

    pub(super) const fn failure(&self) -> Option<Anomaly> {
        self.failure
    }

    /// The window is made as large as the stream's beginning asks for.
    pub(super) fn held(&self) -> usize {
        TABLES + STEP + usize::try_from(self.state.ringbuffer_size).unwrap_or(0)
    }

    pub(super) fn feed(&mut self, bytes: &[u8], caps: Caps, take: &mut dyn FnMut(&[u8])) {
        let (mut left, mut at) = (bytes.len(), 0);
        self.meter.taken += bytes.len() as u64;
        while !self.done && self.failure.is_none() {
            let (mut room, mut made, mut total) = (self.out.len(), 0, 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut at,
                bytes,
                &mut room,
                &mut made,
                &mut self.out,
                &mut total,
                &mut self.state,
            );
            take(self.out.get(..made).unwrap_or_default());
            if self.meter.is_bomb(made, caps) {
                self.failure = Some(Anomaly::ContentCodingBomb);
            }
            match result {
                BrotliResult::ResultSuccess => self.done = true,
                BrotliResult::NeedsMoreInput => return,
                BrotliResult::NeedsMoreOutput if made > 0 => {}
                _ => self.failure = self.failure.or(Some(Anomaly::InvalidContentCoding)),
            }
        }
    }
}
