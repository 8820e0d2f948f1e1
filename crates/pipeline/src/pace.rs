//! How long an exchange takes in the stages behind the protocol parsers. Few are timed, so that looking at the clock costs
//! nothing beside them; it is this machine's clock, and what others do on it counts as well.

use std::time::Instant;

/// One exchange of so many is timed.
const ONE_OF: u64 = 64;

/// A stage that is timed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What an exchange says by itself.
    Inspection,
    /// Where it belongs, who calls, and what is learned of both.
    Inventory,
    /// What is wrong with it.
    Detection,
    /// Events, policies and counters.
    Reporting,
}

impl Stage {
    /// Every stage, in the order an exchange takes.
    pub const ALL: [Self; 4] = [Self::Inspection, Self::Inventory, Self::Detection, Self::Reporting];

    /// As the summary names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inspection => "inspection",
            Self::Inventory => "inventory",
            Self::Detection => "detection",
            Self::Reporting => "reporting",
        }
    }
}

/// Exchanges that were timed, and how long they took in each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    stages: [(u64, u64); 4],
}

/// The exchange that is on its way; `None` where it is not timed.
pub(crate) struct Lap(Option<Instant>);

impl Lap {
    /// Begins with an exchange by its number.
    pub(crate) fn begin(number: u64) -> Self {
        Self(number.is_multiple_of(ONE_OF).then(Instant::now))
    }
}

impl Pace {
    /// The exchange has left a stage.
    pub(crate) fn leave(&mut self, stage: Stage, lap: &mut Lap) {
        let Some(begun) = &mut lap.0 else { return };
        let now = Instant::now();
        if let Some((timed, nanos)) = self.stages.get_mut(stage as usize) {
            *timed += 1;
            *nanos += u64::try_from(now.duration_since(*begun).as_nanos()).unwrap_or(0);
        }
        *begun = now;
    }

    /// Adds what another thread timed.
    pub(crate) fn add(&mut self, other: &Self) {
        for ((timed, nanos), more) in self.stages.iter_mut().zip(other.stages) {
            *timed += more.0;
            *nanos += more.1;
        }
    }

    /// Nanoseconds that an exchange takes in a stage on average; `None` where none was timed.
    pub fn nanos(&self, stage: Stage) -> Option<u64> {
        let (timed, nanos) = *self.stages.get(stage as usize)?;
        nanos.checked_div(timed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_is_timed_and_threads_are_put_together() {
        let (mut one, mut other) = (Pace::default(), Pace::default());
        for number in 1..=640 {
            let mut lap = Lap::begin(number);
            one.leave(Stage::Inspection, &mut lap);
            other.leave(Stage::Detection, &mut lap);
        }
        one.add(&other);
        let timed: Vec<u64> = one.stages.iter().map(|(timed, _)| *timed).collect();
        assert_eq!(timed, [10, 0, 10, 0]);
        assert!(one.nanos(Stage::Detection).is_some() && one.nanos(Stage::Inventory).is_none());
    }
}
