//! How many exchanges hide in a dark place, by drawing again from the exchanges that were seen.

use super::estimate::Total;
use tapwire_protocol::{Exchange, Framing, Message, Unseen};

/// Exchanges that are kept of a service: the latest.
const KEPT: usize = 256;

/// Draws for each dark place.
const DRAWS: usize = 48;

/// Exchanges that are drawn for one dark place at most; a larger one is counted by its mean size.
const LONGEST_DRAW: u32 = 512;

/// How near a draw must come to the bytes of a place, as the standard deviation of the logarithm of their ratio: in a
/// direction where only unknown messages lie, and where the rest of a known one may lie too.
const NEAR: f64 = 0.12;
const NEAR_A_REST: f64 = 1.0;

/// What the length of losses is taken for before any was seen: so many places of this mean length.
const USUAL_PLACES: f64 = 2.0;
const USUAL_LENGTH: f64 = 1.5;

/// How far the sizes in a place may be from those of the service, as a share of what is beyond the least: places are not
/// drawn at random from the traffic (one client, one endpoint, one moment).
const SIZE_ERROR: f64 = 0.15;

/// The shortest request and response of HTTP/1: start line and an empty one.
const SHORTEST: [f64; 2] = [18.0, 17.0];

/// How much shorter than the shortest message so far another one may be.
const SHORTER: f64 = 0.9;

/// A place of a connection where bytes of both directions belong to no known message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Bytes of client and server.
    bytes: [f64; 2],
    /// Reported requests and responses that lie there too, whole or with their rest.
    known: [u8; 2],
    /// How much of it belongs to this service.
    weight: f64,
}

impl Place {
    #[allow(clippy::cast_precision_loss, reason = "bytes of a hole are far below 2^52")]
    pub(super) const fn new(unseen: &Unseen) -> Self {
        Self {
            bytes: [unseen.client as f64, unseen.server as f64],
            known: [unseen.requests, unseen.responses],
            weight: 1.0,
        }
    }

    /// The same place, of which so much belongs to a service.
    pub(super) const fn shared(self, share: f64) -> Self {
        Self { weight: self.weight * share, ..self }
    }

    /// Whole exchanges that must lie there: one where a direction holds only unknown messages.
    pub(super) const fn least(&self) -> f64 {
        let [requests, responses] = self.known;
        if requests == 0 || responses == 0 { 1.0 } else { 0.0 }
    }
}

/// Whole exchanges that lie in dark places.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Hidden {
    /// Dark places.
    pub(super) places: f64,
    /// At least so many exchanges.
    pub(super) least: f64,
    /// At most so many, by the shortest messages of the service.
    pub(super) most: f64,
    /// The estimate.
    pub(super) total: Total,
    /// What the estimate has beyond the least.
    beyond: f64,
}

impl Hidden {
    pub(super) fn merge(&mut self, other: &Self) {
        self.places += other.places;
        self.least += other.least;
        self.most += other.most;
        self.total = self.total.plus(other.total);
        self.beyond += other.beyond;
    }

    /// The estimate with the error that all places share.
    pub(super) fn exchanges(&self) -> Total {
        let shared = SIZE_ERROR * self.beyond;
        Total { variance: self.total.variance + shared * shared, ..self.total }
    }
}

/// Sizes of the latest exchanges of a service.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Bytes of request and response.
    sizes: Vec<[f64; 2]>,
    next: usize,
    shortest: [f64; 2],
}

impl Sample {
    /// Learns from an exchange of which both heads were seen.
    pub(super) fn learn(&mut self, exchange: &Exchange) {
        let (Some(request), Some(response)) = (&exchange.request, &exchange.response) else { return };
        let sizes = [size(request), size(response)];
        let first = self.sizes.is_empty();
        for (shortest, size) in self.shortest.iter_mut().zip(sizes) {
            *shortest = if first { size } else { shortest.min(size) };
        }
        match self.sizes.get_mut(self.next) {
            Some(oldest) => *oldest = sizes,
            None => self.sizes.push(sizes),
        }
        self.next = (self.next + 1) % KEPT;
    }

    /// What lies in these places.
    ///
    /// The lengths of losses follow a geometric distribution, whose mean is that of the answer: it is found in a few turns.
    pub(super) fn look_into(&self, places: &[Place]) -> Hidden {
        let mut hidden = Hidden::default();
        let mut longer = 0.5;
        for _ in 0..3 {
            hidden = Hidden::default();
            places.iter().for_each(|place| hidden.merge(&self.look(place, longer)));
            let length = (hidden.total.value + USUAL_PLACES * USUAL_LENGTH) / (hidden.places + USUAL_PLACES);
            let length = length.max(1.0);
            longer = (1.0 - 1.0 / length).clamp(0.02, 0.98);
        }
        hidden
    }

    /// What lies in one place, where a loss goes on to one more exchange with probability `longer`.
    fn look(&self, place: &Place, longer: f64) -> Hidden {
        let (least, most) = (place.least(), self.room(place));
        let total = if most <= least {
            Total { value: least, variance: 0.0 }
        } else {
            self.draw(place, longer, most).unwrap_or_else(|| self.by_mean(place, least, most))
        };
        let weight = place.weight;
        Hidden {
            places: weight,
            least: least * weight,
            most: most * weight,
            total: Total { value: total.value * weight, variance: total.variance * weight },
            beyond: (total.value - least) * weight,
        }
    }

    /// Whole exchanges that a place has room for.
    fn room(&self, place: &Place) -> f64 {
        let mut room = f64::INFINITY;
        for (((bytes, known), shortest), floor) in
            place.bytes.iter().zip(place.known).zip(self.shortest).zip(SHORTEST)
        {
            let shortest = (shortest * SHORTER).max(floor);
            room = room.min((bytes / shortest).floor() - f64::from(known));
        }
        room.max(place.least())
    }

    /// The mean and the variance of the number of exchanges, each number weighted by how often that many exchanges that
    /// were seen add up to about the bytes of the place. `None` when no draw comes near.
    fn draw(&self, place: &Place, longer: f64, most: f64) -> Option<Total> {
        let (mut weights, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for draw in 0..DRAWS {
            let mut path = Path::new(self, draw, place.known);
            let mut prior = 1.0;
            let mut number = 0.0;
            for _ in 0..LONGEST_DRAW {
                if number >= place.least() {
                    let weight = prior * path.nearness(place);
                    weights += weight;
                    sum += weight * number;
                    squares += weight * number * number;
                }
                if number >= most || path.is_beyond(place) {
                    break;
                }
                path.step(self);
                number += 1.0;
                prior *= longer;
            }
        }
        if weights < 1e-12 {
            return None;
        }
        let mean = sum / weights;
        Some(Total { value: mean, variance: (squares / weights - mean * mean).max(0.0) })
    }

    /// The number of exchanges by their mean size, where drawing tells nothing: too few were seen, or too many are missing.
    fn by_mean(&self, place: &Place, least: f64, most: f64) -> Total {
        let count = self.sizes.len().max(1) as f64;
        let mut value = most;
        for (side, bytes) in place.bytes.iter().enumerate() {
            let mean = self.sizes.iter().filter_map(|sizes| sizes.get(side)).sum::<f64>() / count;
            if mean > 0.0 {
                value = value.min(bytes / mean);
            }
        }
        let value = value.clamp(least, most);
        Total { value, variance: value * value / 4.0 }
    }
}

/// Sums of exchanges drawn one after the other.
struct Path {
    sums: [f64; 2],
    state: u64,
}

impl Path {
    /// With the known messages of a place drawn already.
    fn new(sample: &Sample, draw: usize, known: [u8; 2]) -> Self {
        let mut path = Self { sums: [0.0; 2], state: (draw as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) };
        for side in 0..2 {
            for _ in 0..known.get(side).copied().unwrap_or(0) {
                let drawn = path.next(sample);
                if let (Some(sum), Some(size)) = (path.sums.get_mut(side), drawn.get(side)) {
                    *sum += size;
                }
            }
        }
        path
    }

    /// Steele and Vigna's multiplier for a linear congruential generator: the same draws in every run.
    #[allow(clippy::cast_possible_truncation, reason = "an index below KEPT")]
    fn next(&mut self, sample: &Sample) -> [f64; 2] {
        self.state = self.state.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        let index = (self.state >> 33) as usize % sample.sizes.len().max(1);
        sample.sizes.get(index).copied().unwrap_or_default()
    }

    fn step(&mut self, sample: &Sample) {
        let drawn = self.next(sample);
        self.sums.iter_mut().zip(drawn).for_each(|(sum, size)| *sum += size);
    }

    fn nearness(&self, place: &Place) -> f64 {
        let mut distance = 0.0;
        for ((sum, bytes), known) in self.sums.iter().zip(place.bytes).zip(place.known) {
            let near = if known == 0 { NEAR } else { NEAR_A_REST };
            let ratio = (sum.max(1.0) / bytes).ln() / near;
            distance += ratio * ratio;
        }
        (-distance / 2.0).exp()
    }

    /// Whether both sums are so far beyond the place that no step leads back.
    fn is_beyond(&self, place: &Place) -> bool {
        self.sums.iter().zip(place.bytes).any(|(sum, bytes)| *sum > bytes * 20.0)
    }
}

/// Bytes of a message. A stated length counts also where bytes are missing: long messages are hit more often.
#[allow(clippy::cast_precision_loss, reason = "sizes of messages are far below 2^52")]
fn size(message: &Message) -> f64 {
    let body = match message.body.framing {
        Framing::Length(stated) => stated,
        _ => message.body.len,
    };
    message.head.text.len() as f64 + body as f64
}
