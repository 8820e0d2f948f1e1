//! Outputs of the configuration.

use crate::failure::Failure;
use crate::sense::load_key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use tapwire_event::{Generation, Profile, Seal, Treatment};
use tapwire_inspect::classes::ClassId;
use tapwire_store::Day;
use tapwire_wire::Timestamp;

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

/// `[redact.profile.NAME]`: what an output gets in the place of texts that do not leave as they are: drop, mask, tokenise,
/// encrypt or keep.
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
    /// What `encrypt` encrypts to: an X25519 public key, 64 hexadecimal digits.
    pub(crate) public_key: Option<String>,
    /// Whether its tokens are made with a key of its own, so that nobody can compare them with those of other outputs.
    pub(crate) own_tokens: bool,
    /// Keys that take over from a day on; they need `own_tokens`.
    pub(crate) key: Vec<NextKey>,
}

/// `[[redact.profile.NAME.key]]`: with what an output's tokens are made from a day on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NextKey {
    /// Its number, from 2: tokens begin with `tok2:`.
    generation: u32,
    /// First day of packets, in UTC: `2027-01-01`.
    from: String,
    /// Where the key stands: 32 bytes or 64 hexadecimal digits.
    file: PathBuf,
}

impl RedactProfile {
    /// What it encrypts with; `None` where it encrypts nothing. Every run has a secret of its own, which nobody keeps.
    pub(crate) fn seal(&self, name: &str) -> Result<Option<Seal>, Failure> {
        let Some(given) = &self.public_key else { return Ok(None) };
        let mut secret = [0; 32];
        let random = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut secret));
        random.map_err(|e| {
            Failure::new(format!("redact.profile.{name}: no random bytes from /dev/urandom: {e}"))
        })?;
        let seal = digits(given).and_then(|recipient| Seal::new(recipient, secret));
        seal.map(Some).ok_or_else(|| no_public_key(name))
    }

    /// Whether what is to be encrypted can be.
    fn check_public_key(&self, name: &str, profile: &Profile) -> Result<(), Failure> {
        match &self.public_key {
            Some(given) => {
                let recipient = digits(given).and_then(|recipient| Seal::new(recipient, [1; 32]));
                recipient.map(|_| ()).ok_or_else(|| no_public_key(name))
            }
            None if profile.encrypts() => Err(Failure::new(format!(
                "redact.profile.{name}: encrypt needs a public_key; docs/outputs.md says how to make one"
            ))),
            None => Ok(()),
        }
    }

    /// The keys that follow that of the profile, by their days; files are not read.
    fn next_keys(&self, name: &str) -> Result<Vec<(&NextKey, Day)>, Failure> {
        let told = |what: String| Err(Failure::new(format!("redact.profile.{name}.key: {what}")));
        if !self.key.is_empty() && !self.own_tokens {
            return told("keys that take over are the profile's own: set own_tokens = true".into());
        }
        let mut keys: Vec<(&NextKey, Day)> = Vec::new();
        for next in &self.key {
            let Ok(day) = next.from.parse::<Day>() else {
                return told(format!("from = \"{}\": give a day, as 2027-01-01", next.from.escape_debug()));
            };
            let last = keys.last().map_or((1, None), |(last, day)| (last.generation, Some(*day)));
            if next.generation <= last.0 || last.1.is_some_and(|last| last >= day) {
                return told(
                    "generations begin with 2, and each has a greater number and a later day".into(),
                );
            }
            keys.push((next, day));
        }
        Ok(keys)
    }

    /// The same with the keys themselves.
    pub(crate) fn generations(&self, name: &str) -> Result<Vec<Generation>, Failure> {
        let keys = self.next_keys(name)?.into_iter();
        keys.map(|(next, day)| {
            let from = Timestamp::from_nanos(day.start_ms().saturating_mul(1_000_000));
            Ok(Generation { number: next.generation, from, key: load_key(Some(&next.file), None)? })
        })
        .collect()
    }

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
        self.next_keys(name)?;
        let profile = Profile {
            credentials: of("credentials", self.credentials.as_deref())?,
            identities: of("identities", self.identities.as_deref())?,
            values: of("values", self.values.as_deref())?,
            classes,
            own_tokens: self.own_tokens,
        };
        self.check_public_key(name, &profile)?;
        Ok(profile)
    }
}

fn no_public_key(name: &str) -> Failure {
    Failure::new(format!(
        "redact.profile.{name}.public_key: no X25519 public key; give its 32 bytes as 64 hexadecimal digits"
    ))
}

/// 32 bytes from 64 hexadecimal digits.
fn digits(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let text = text.trim();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}
