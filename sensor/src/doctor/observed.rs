//! A source whose packets are looked at before they are sensed, and the filter that would keep some of them away.

use super::look::{Look, Wrapping, as_packet, bare};
use std::collections::BTreeMap;
use tapwire_capture::{Filter, Pressure, Progress, Source, SourceError, SourceNames, SourceStats, Status};
use tapwire_wire::{Config, LinkType, Packet};

/// A source under observation.
pub(crate) struct Observed<'a> {
    source: &'a mut dyn Source,
    gate: Option<Gate>,
    /// What its packets showed; of captures, only those that the filter lets through.
    pub(crate) look: Look,
}

/// The filter of captures, applied here so that what it refuses is seen too.
struct Gate {
    filter: Filter,
    refused: Refused,
    error: Option<SourceError>,
}

/// What a filter keeps away although it asks for it.
pub(crate) struct Refused {
    look: Look,
    /// Packets that the filter does not match.
    pub(crate) packets: u64,
    /// Of those, segments that it would match without what they are wrapped in.
    pub(crate) hidden: BTreeMap<Wrapping, u64>,
}

impl<'a> Observed<'a> {
    /// `filter` is for sources that do not filter themselves.
    pub(crate) fn new(
        source: &'a mut dyn Source,
        filter: Option<&str>,
        wire: &Config,
    ) -> Result<Self, SourceError> {
        let gate = filter.map(|text| Gate::new(text, wire)).transpose()?;
        Ok(Self { source, gate, look: Look::new(wire) })
    }

    /// What was seen, and what the filter kept away.
    pub(crate) fn finish(mut self) -> (Look, Option<Refused>) {
        self.look.finish();
        (self.look, self.gate.map(|gate| gate.refused))
    }
}

impl Gate {
    fn new(text: &str, wire: &Config) -> Result<Self, SourceError> {
        let filter = Filter::new(text, LinkType::ETHERNET)?;
        Ok(Self { filter, refused: Refused::new(wire), error: None })
    }

    fn passes(&mut self, packet: &Packet<'_>) -> bool {
        match self.filter.accepts(packet) {
            Ok(true) => true,
            Ok(false) => {
                self.refused.packet(packet, &mut self.filter);
                false
            }
            Err(error) => {
                self.refused.packets += 1;
                self.error = Some(error);
                false
            }
        }
    }
}

impl Refused {
    pub(crate) fn new(wire: &Config) -> Self {
        Self { look: Look::new(wire), packets: 0, hidden: BTreeMap::new() }
    }

    /// Takes a packet that `filter` does not match.
    pub(crate) fn packet(&mut self, packet: &Packet<'_>, filter: &mut Filter) {
        self.packets += 1;
        let Some((segment, wrapping)) = self.look.unwrap(packet) else { return };
        let frame = bare(&segment);
        if filter.accepts(&as_packet(&frame, &segment)).unwrap_or(false) {
            *self.hidden.entry(wrapping).or_default() += 1;
        }
    }
}

impl Source for Observed<'_> {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        self.dispatch_bursts(&mut |packets| packets.iter().for_each(|packet| deliver(*packet)))
    }

    fn dispatch_bursts(&mut self, deliver: &mut dyn FnMut(&[Packet<'_>])) -> Result<Status, SourceError> {
        let Self { source, gate, look } = self;
        let status = source.dispatch_bursts(&mut |packets| {
            let Some(gate) = gate else {
                packets.iter().for_each(|packet| look.packet(packet));
                return deliver(packets);
            };
            for packet in packets {
                if gate.passes(packet) {
                    look.packet(packet);
                    deliver(std::slice::from_ref(packet));
                }
            }
        });
        match gate.as_mut().and_then(|gate| gate.error.take()) {
            Some(error) => Err(error),
            None => status,
        }
    }

    fn stats(&self) -> SourceStats {
        let stats = self.source.stats();
        let filtered = self.gate.as_ref().map_or(0, |gate| gate.refused.packets);
        SourceStats {
            delivered: stats.delivered.saturating_sub(filtered),
            filtered: stats.filtered + filtered,
            ..stats
        }
    }

    fn names(&self) -> SourceNames {
        self.source.names()
    }

    fn pressure(&self) -> Pressure {
        self.source.pressure()
    }

    fn progress(&self) -> Option<Progress> {
        self.source.progress()
    }
}
