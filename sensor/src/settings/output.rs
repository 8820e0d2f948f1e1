//! Outputs of the configuration.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tapwire_event::{Profile, Treatment};
use tapwire_inspect::classes::ClassId;

/// `[[output]]`: a destination with a filter, a format and a redaction of its own. They are outputs of `run`, and of `replay`
/// where `--config` names the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Output {
    /// Its name, which its spool has, too: a–z, 0–9 and `-`.
    pub(crate) name: String,
    /// Where events go: a path or a URL, as `--events` takes them.
    pub(crate) to: String,
    /// As `--format`; by default ocsf.
    pub(crate) format: Option<String>,
    /// As `--only`; by default everything, and incidents alone to a webhook.
    pub(crate) only: Vec<String>,
    /// As `--where`.
    #[serde(rename = "where")]
    pub(crate) filter: Option<String>,
    /// As `--detail`; by default full.
    pub(crate) detail: Option<String>,
    /// As `--class`; by default api.
    pub(crate) class: Option<String>,
    /// As `--fields`.
    pub(crate) fields: Option<String>,
    /// Name of the redaction profile, `[redact.profile.NAME]`; by default what `[redact]` says.
    pub(crate) redact: Option<String>,
    /// Its own `[output.sink]` instead of `[sink]`: credentials, patience, the spool's size.
    pub(crate) sink: Option<tapwire_sink::Config>,
}

/// `[redact.profile.NAME]`: what an output gets in the place of texts that do not leave as they are: drop, mask, tokenise or
/// keep.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RedactProfile {
    /// Passwords, keys, cookies, what a name calls secret; by default tokenise.
    pub(crate) credentials: Option<String>,
    /// What a name says is a person; by default tokenise.
    pub(crate) identities: Option<String>,
    /// Everything else that could be a value; by default tokenise.
    pub(crate) values: Option<String>,
    /// Data classes by name; they go before the three above.
    pub(crate) classes: BTreeMap<String, String>,
    /// Whether its tokens are made with a key of its own, so that nobody can compare them with those of other outputs.
    pub(crate) own_tokens: bool,
}

impl RedactProfile {
    /// The profile, checked.
    pub(crate) fn profile(&self, name: &str) -> Result<Profile, Failure> {
        let of = |key: &str, given: Option<&str>| {
            given.map_or(Ok(Treatment::default()), |given| {
                Treatment::parse(given).ok_or_else(|| {
                    let known: Vec<&str> = Treatment::ALL.iter().map(|(known, _)| *known).collect();
                    let known = known.join(", ");
                    Failure::new(format!(
                        "redact.profile.{name}.{key}: no treatment '{given}'; there are {known}"
                    ))
                })
            })
        };
        let mut classes = Vec::new();
        for (class, treatment) in &self.classes {
            if ClassId::of(class).is_none() {
                return Err(Failure::new(format!(
                    "redact.profile.{name}.classes: no data class '{class}'; `tapwire list data-classes` has them all"
                )));
            }
            classes.push((class.clone(), of(&format!("classes.{class}"), Some(treatment))?));
        }
        Ok(Profile {
            credentials: of("credentials", self.credentials.as_deref())?,
            identities: of("identities", self.identities.as_deref())?,
            values: of("values", self.values.as_deref())?,
            classes,
            own_tokens: self.own_tokens,
        })
    }
}
