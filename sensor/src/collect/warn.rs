//! Tokens that end soon, as lines and as events of the collector.

use super::enrol::state;
use super::now_ms;
use std::collections::BTreeMap;
use tapwire_collect::{Roll, Standing};
use tapwire_event::{Options, Redactor, Renderer, SensorCode, SensorReport};
use tapwire_inspect::TokenKey;
use tapwire_protocol::Anomalies;
use tapwire_wire::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// Warns of each token once a day.
pub(super) struct Warner {
    renderer: Renderer,
    told: BTreeMap<String, i64>,
    sequence: u64,
}

impl Warner {
    pub(super) fn new(key: TokenKey) -> Self {
        let options = Options { version: env!("CARGO_PKG_VERSION").into(), ..Options::default() };
        let renderer = Renderer::new(options, Redactor::new(key, tapwire_event::Fidelity::Default));
        // The numbers go on from run to run.
        Self { renderer, told: BTreeMap::new(), sequence: now_ms().unsigned_abs() }
    }

    /// The events that are due, each with the line that says the same.
    pub(super) fn due(&mut self, roll: &Roll) -> Vec<(String, String)> {
        let now = now_ms();
        let ending = roll
            .iter(now)
            .filter(|(_, standing, _)| matches!(standing, Standing::Ends(_) | Standing::Expired));
        let due: Vec<_> = ending
            .filter(|(place, ..)| self.told.get(&place.name).is_none_or(|told| now - told >= DAY_MS))
            .collect();
        let told = due.into_iter().map(|(place, standing, until)| {
            let line =
                format!("sensor {}: {}", place.name, state(standing, until).replace("NAME", &place.name));
            self.told.insert(place.name, now);
            let event = self.event(now, &line);
            (line, event)
        });
        told.collect::<Vec<_>>()
    }

    fn event(&mut self, now_ms: i64, message: &str) -> String {
        self.sequence += 1;
        let report = SensorReport {
            code: SensorCode::TokenEnds,
            time: Timestamp::from_nanos(now_ms.saturating_mul(1_000_000)),
            message: message.to_owned(),
            service: None,
            anomalies: Anomalies::default(),
            told: Vec::new(),
            counters: Vec::new(),
        };
        let mut out = Vec::new();
        self.renderer.sensor(&report, self.sequence, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_collect::Place;

    #[test]
    fn a_token_is_warned_of_once_a_day() {
        let mut roll = Roll::default();
        let mut add = |name: &str, days| {
            let place = Place { name: name.into(), site: None, tenant: None };
            roll.enrol(place, days, false, now_ms()).map_err(|_| ()).unwrap();
        };
        add("soon", 5);
        add("later", 365);
        let mut warner = Warner::new(TokenKey::new([0; 32]));
        let due = warner.due(&roll);
        assert_eq!(due.len(), 1);
        assert!(due[0].0.contains("tapwire sensor add soon --renew"), "{}", due[0].0);
        assert!(due[0].1.contains("\"event_code\":\"sensor.token-ends\""), "{}", due[0].1);
        assert!(warner.due(&roll).is_empty());
    }
}
