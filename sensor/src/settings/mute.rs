//! `[[mute]]`: findings that are not told for a while.

use super::Settings;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use tapwire_detect::{DETECTORS, RULE};
use tapwire_event::FindingFields;
use tapwire_expr::FieldNames;
use tapwire_pipeline::Mute;
use tapwire_wire::Timestamp;

/// A mute, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserMute {
    /// Which findings: an expression over `detector`, `severity`, `outcome`, `confidence`, `reason` and the fields of the
    /// exchange.
    #[serde(rename = "where")]
    pub(crate) filter: String,
    /// Until when: `2027-01-31`, the beginning of that day in UTC, or RFC 3339.
    pub(crate) until: toml::Value,
    /// Why.
    pub(crate) why: String,
}

impl UserMute {
    fn read(&self) -> Result<Mute, String> {
        let expr = tapwire_expr::parse(&self.filter, &FindingFields)
            .map_err(|error| format!("where: {}", error.pointed(&self.filter)))?;
        let until = match &self.until {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let nanos = tapwire_expr::time(&until)
            .ok_or_else(|| format!("until: '{until}' is no date; write it like 2027-01-31"))?;
        if self.why.trim().is_empty() {
            return Err("why: say why; who reads it in a year will ask".to_owned());
        }
        Ok(Mute {
            text: self.filter.clone(),
            expr,
            until: Timestamp::from_nanos(nanos),
            why: self.why.clone(),
        })
    }
}

impl Settings {
    /// Findings that are not told.
    pub(crate) fn mutes(&self) -> Result<Vec<Mute>, Failure> {
        let read = |(one, number): (&UserMute, usize)| {
            one.read().map_err(|what| Failure::new(format!("configuration: mute {number}: {what}")))
        };
        self.mute.iter().zip(1..).map(read).collect()
    }

    /// What mutes nothing, though it is written well: a line each.
    pub(crate) fn doubtful_mutes(&self, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        let read = self.mute.iter().zip(1..).filter_map(|(one, number)| one.read().ok().zip(Some(number)));
        for (mute, number) in read {
            if mute.until <= now {
                let until = crate::summary::rfc3339(mute.until);
                let until = until.get(..10).unwrap_or(&until);
                lines.push(format!("mute {number}: is over since {until}, and mutes nothing; give a later until, or take it out"));
            }
            let known: Vec<&str> = DETECTORS.iter().map(|known| known.name).collect();
            let named = FindingFields
                .find("detector")
                .map(|(field, _)| mute.expr.texts_of(field))
                .unwrap_or_default();
            for name in named.into_iter().filter(|name| !known.contains(name) && *name != RULE) {
                let hint = match tapwire_expr::nearest(name, &known) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => "`tapwire list detectors` names them".to_owned(),
                };
                lines.push(format!("mute {number}: there is no detector '{name}'; {hint}"));
            }
        }
        lines
    }
}
