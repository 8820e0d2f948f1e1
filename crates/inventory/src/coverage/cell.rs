//! What one service's traffic of one hour shows of how well it was seen.

use super::sample::{Hidden, Place, Sample};
use tapwire_protocol::{Anomaly, Answer, Exchange, Pairing, Seen, Unseen};

/// Dark places that are kept until the hour is over; when there are more, they are looked into at once.
const MAX_PLACES: usize = 256;

/// The counts of one service and hour; all of them can be added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cell {
    /// Both heads seen, and proven to belong together.
    pub(super) certain: f64,
    /// Both heads seen, not proven to belong together.
    pub(super) uncertain: f64,
    /// One head seen.
    pub(super) halves: f64,
    /// Exchanges of which a message has a hole.
    pub(super) traces: f64,
    /// Exchanges that followed the one before, or the connection's beginning, with nothing between.
    pub(super) clean: f64,
    /// Connections whose first exchange was in this hour.
    pub(super) connections: f64,
    /// The variance of what was given to this service or hour although it may be another's.
    pub(super) chance: f64,
    /// Where whole exchanges may hide.
    places: Vec<Place>,
    /// Of places that were looked into.
    hidden: Hidden,
}

impl Cell {
    /// Takes what an exchange says by itself; `first` says that it is the first of its connection.
    pub(super) fn exchange(&mut self, exchange: &Exchange, first: bool) {
        let unseen = &exchange.unseen;
        match (&exchange.request, &exchange.response) {
            (Some(_), Some(_)) if exchange.pairing == Pairing::Certain => self.certain += 1.0,
            (Some(_), Some(_)) => self.uncertain += 1.0,
            // A server that speaks unasked (408 on an idle connection) shows all there is.
            (None, _) if exchange.anomalies.contains(Anomaly::UnsolicitedResponse) => self.certain += 1.0,
            (None, _) => self.halves += 1.0,
            // What became of the answer is told by what follows.
            (Some(_), None) => {}
        }
        let mut messages = [&exchange.request, &exchange.response].into_iter().flatten();
        self.traces += f64::from(u8::from(messages.any(|message| message.seen == Seen::Truncated)));
        self.connections += f64::from(u8::from(first));
        if unseen.client == 0 || unseen.server == 0 {
            self.clean += f64::from(u8::from(!(first && exchange.flow.joined_late)));
        }
    }

    /// Takes so many certain pairs, each following the one before.
    pub(super) fn plain(&mut self, count: u32) {
        self.certain += f64::from(count);
        self.clean += f64::from(count);
    }

    /// Takes what became of the answer to a request of this hour.
    pub(super) fn answer(&mut self, answer: Option<Answer>) {
        match answer {
            Some(Answer::Lost) => self.halves += 1.0,
            Some(Answer::Never) => self.certain += 1.0,
            None => {}
        }
    }

    /// Takes what lies before an exchange or behind the last one. `elsewhere` says that it may belong to the hour before.
    pub(super) fn dark(&mut self, unseen: &Unseen, elsewhere: bool, sample: Option<&Sample>) {
        if unseen.client == 0 || unseen.server == 0 {
            return;
        }
        let place = Place::new(unseen);
        self.chance += if elsewhere { 0.25 * place.least() } else { 0.0 };
        self.places.push(place);
        if self.places.len() >= MAX_PLACES {
            self.settle(sample);
        }
    }

    /// Looks into the places that were kept.
    pub(super) fn settle(&mut self, sample: Option<&Sample>) {
        let places = std::mem::take(&mut self.places);
        let hidden =
            sample.map_or_else(|| Sample::default().look_into(&places), |sample| sample.look_into(&places));
        self.hidden.merge(&hidden);
    }

    /// What lies in the places that were looked into.
    pub(super) const fn hidden(&self) -> &Hidden {
        &self.hidden
    }

    /// Adds `share` of a cell of which it is not known whose it is.
    pub(super) fn take_share(&mut self, other: &Self, share: f64) {
        self.add(other, share);
        self.chance += other.reported() * share * (1.0 - share);
        self.places.extend(other.places.iter().map(|place| place.shared(share)));
    }

    /// Adds a cell of another hour.
    pub(super) fn merge(&mut self, other: &Self) {
        self.add(other, 1.0);
        self.hidden.merge(&other.hidden);
    }

    fn add(&mut self, other: &Self, share: f64) {
        self.certain += other.certain * share;
        self.uncertain += other.uncertain * share;
        self.halves += other.halves * share;
        self.traces += other.traces * share;
        self.clean += other.clean * share;
        self.connections += other.connections * share;
        self.chance += other.chance * share;
    }

    /// Exchanges of which anything was reported.
    pub(super) const fn reported(&self) -> f64 {
        self.certain + self.uncertain + self.halves
    }
}
