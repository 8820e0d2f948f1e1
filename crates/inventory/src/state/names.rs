//! Names that the program has for good: written as text, read back as the program's own. One that it does not know any more
//! becomes [`UNKNOWN`], which is left out when all is read.

use tapwire_inspect::{PAYLOADS, STYLES};
use tapwire_protocol::PROTOCOLS;

/// Stands for a name that this program does not have.
pub(crate) const UNKNOWN: &str = "?";

/// Styles that go by two names, by the second.
const SECOND_NAMES: [&str; 2] = ["grpc-web", "xml-rpc"];

fn protocol(name: &str) -> &'static str {
    let wire = PROTOCOLS.iter().map(|protocol| protocol.name);
    let payload = PAYLOADS.iter().map(|format| format.name);
    let mut all = wire.chain(STYLES.iter().map(|style| style.name)).chain(payload).chain(SECOND_NAMES);
    all.find(|known| *known == name).unwrap_or(UNKNOWN)
}

fn payload(name: &str) -> &'static str {
    PAYLOADS.iter().map(|format| format.name).find(|known| *known == name).unwrap_or(UNKNOWN)
}

/// The names of protocols.
pub(crate) mod protocols {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(names: &[&str], to: S) -> Result<S::Ok, S::Error> {
        names.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<&'static str>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        Ok(names.iter().map(|name| super::protocol(name)).collect())
    }
}

/// The name of a payload's format.
pub(crate) mod format {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(name: &Option<&str>, to: S) -> Result<S::Ok, S::Error> {
        name.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'static str>, D::Error> {
        let name = Option::<String>::deserialize(from)?;
        Ok(name.map(|name| super::payload(&name)))
    }
}
