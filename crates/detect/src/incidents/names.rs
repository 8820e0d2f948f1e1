//! Names of registries, as checkpoints have them.

/// The name of a detector. One that is no more has a name that says so.
pub(super) mod detector {
    use crate::{DETECTORS, RULE};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(name: &&'static str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(name)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<&'static str, D::Error> {
        let name = String::deserialize(from)?;
        let mut known = DETECTORS.iter().map(|info| info.name).chain([RULE]);
        Ok(known.find(|known| *known == name).unwrap_or("of-another-version"))
    }
}

/// Names of lists in files. One that is no more is left out.
pub(super) mod lists {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tapwire_inventory::context::List;

    #[allow(clippy::ptr_arg, reason = "serde gives the field as it is")]
    pub(crate) fn serialize<S: Serializer>(names: &Vec<&'static str>, to: S) -> Result<S::Ok, S::Error> {
        names.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<&'static str>, D::Error> {
        let names: Vec<String> = Vec::deserialize(from)?;
        let known = |name: &String| List::ALL.iter().map(|list| list.name()).find(|known| known == name);
        Ok(names.iter().filter_map(known).collect())
    }
}
