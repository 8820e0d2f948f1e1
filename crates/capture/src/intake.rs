//! What stands between capture files and the pipeline: the filter, the counters, and what files carry beside packets.

use tapwire_wire::{LinkType, Packet, Timestamp};

use crate::filter::Filter;
use crate::format::MAX_WAITING_SECRETS;
use crate::reader::{CaptureReader, Stop};
use crate::{FileInterface, Secrets, SourceError, SourceStats};

/// The filter and counters of all files of a source.
pub(crate) struct Intake {
    filter: Option<Filter>,
    stats: SourceStats,
    secrets: Vec<Secrets>,
    /// Memory that they take.
    held: usize,
}

impl Intake {
    /// `filter` has tcpdump's syntax.
    pub(crate) fn new(filter: Option<&str>) -> Result<Self, SourceError> {
        let filter = filter.map(|text| Filter::new(text, LinkType::ETHERNET)).transpose()?;
        Ok(Self { filter, stats: SourceStats::default(), secrets: Vec::new(), held: 0 })
    }

    /// Reads packets until one is later than `until`, and at most `left`, which is counted down.
    pub(crate) fn read<D: FnMut(&[Packet<'_>], &FileInterface)>(
        &mut self,
        reader: &mut CaptureReader,
        until: Timestamp,
        left: &mut usize,
        deliver: &mut D,
    ) -> Result<Stop, SourceError> {
        if reader.has_secrets() {
            // Met while the file was looked into.
            self.take_along(reader);
            return Ok(Stop::Batch);
        }
        let Self { filter, stats, .. } = self;
        let mut refused = None;
        let stop = reader.run(until, *left, |packets, interface| {
            *left -= packets.len();
            stats.received += packets.len() as u64;
            let mut accept = |packets: &[Packet<'_>]| {
                stats.delivered += packets.len() as u64;
                stats.bytes += packets.iter().map(|packet| packet.data.len() as u64).sum::<u64>();
                deliver(packets, interface);
            };
            let Some(filter) = filter else { return accept(packets) };
            let mut filtered = 0;
            for packet in packets {
                match filter.accepts(packet) {
                    Ok(true) => accept(std::slice::from_ref(packet)),
                    Ok(false) => filtered += 1,
                    Err(error) => {
                        filtered += 1;
                        refused = Some(error);
                    }
                }
            }
            stats.filtered += filtered;
        });
        self.take_along(reader);
        let stop = stop?;
        refused.map_or(Ok(stop), Err)
    }

    /// Takes what the file says beside packets.
    fn take_along(&mut self, reader: &mut CaptureReader) {
        let losses = reader.take_losses();
        self.stats.dropped_kernel = self.stats.dropped_kernel.saturating_add(losses.kernel);
        self.stats.dropped_interface = self.stats.dropped_interface.saturating_add(losses.interface);
        let (secrets, dropped) = reader.take_secrets();
        self.stats.secrets_dropped += dropped;
        for secrets in secrets {
            self.keep(secrets);
        }
    }

    fn keep(&mut self, secrets: Secrets) {
        let bytes = secrets.data.len() as u64;
        if self.held + secrets.cost() > MAX_WAITING_SECRETS {
            self.stats.secrets_dropped += bytes;
            return;
        }
        self.stats.secrets += bytes;
        self.held += secrets.cost();
        self.secrets.push(secrets);
    }

    pub(crate) const fn stats(&self) -> SourceStats {
        self.stats
    }

    pub(crate) fn take_secrets(&mut self) -> Vec<Secrets> {
        self.held = 0;
        std::mem::take(&mut self.secrets)
    }
}
