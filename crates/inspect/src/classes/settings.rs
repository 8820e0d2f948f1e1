//! What the configuration says of data classes.

use super::look::MOST_CLASSES;
use super::{ClassKind, DATA_CLASSES, DataClass, Evidence, form::Value};
use regex_automata::meta::Regex;

/// Classes of the configuration at most.
const MOST_OWN: usize = 64;
/// Names of one of them.
const MOST_KEYS: usize = 32;
/// Bytes that the compiled pattern of one of them may take.
const PATTERN_BYTES: usize = 1 << 20;

/// Which classes are looked for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Countries whose national numbers are looked for, as ISO 3166 has them in lower case, such as `["de", "fr"]`; `"*"`: all of them.
    pub regions: Vec<String>,
    /// Whether addresses of crypto currencies are looked for.
    pub crypto_addresses: bool,
    /// Classes of one's own.
    pub data_class: Vec<UserClass>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { regions: vec!["*".into()], crypto_addresses: false, data_class: Vec::new() }
    }
}

/// A class of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserClass {
    /// Its name in events: lower-case letters, digits and dashes.
    pub name: String,
    /// A regular expression that the whole value matches.
    pub pattern: String,
    /// A built-in class, such as `card`, whose check the value has to pass too.
    #[serde(default)]
    pub validator: Option<String>,
    /// Names under which alone it counts, as words: `member number`. None: under any name.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Values that must match.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Values that must not.
    #[serde(default)]
    pub counter_examples: Vec<String>,
}

/// What is wrong with the configuration of data classes, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadClass(String);

impl std::fmt::Display for BadClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadClass {}

impl Settings {
    /// Whether a class is looked for.
    pub(super) fn wants(&self, class: &DataClass) -> bool {
        let here = |region: &str| self.regions.iter().any(|wanted| wanted == "*" || wanted == region);
        class.region.is_none_or(here) && (class.kind != ClassKind::Crypto || self.crypto_addresses)
    }

    /// Whether each region is one that a class is of.
    pub(super) fn check_regions(&self) -> Result<(), BadClass> {
        let mut known: Vec<&str> = DATA_CLASSES.iter().filter_map(|class| class.region).collect();
        known.sort_unstable();
        known.dedup();
        match self.regions.iter().find(|region| *region != "*" && !known.contains(&region.as_str())) {
            None => Ok(()),
            Some(region) => Err(BadClass(format!(
                "regions: no data class is of '{region}'; known are * and {}",
                known.join(", ")
            ))),
        }
    }
}

/// A class of the configuration, ready for use.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) name: String,
    pub(super) keys: Vec<String>,
    pattern: Regex,
    validator: Option<fn(&Value<'_>) -> Option<Evidence>>,
}

impl Own {
    pub(super) fn all(classes: &[UserClass]) -> Result<Vec<Self>, BadClass> {
        if classes.len() > MOST_OWN {
            return Err(BadClass(format!(
                "data_class: {} classes, of which there may be {MOST_OWN}",
                classes.len()
            )));
        }
        classes
            .iter()
            .enumerate()
            .map(|(at, class)| Self::new(class, classes.get(..at).unwrap_or_default()))
            .collect()
    }

    fn new(class: &UserClass, before: &[UserClass]) -> Result<Self, BadClass> {
        let bad = |what: String| BadClass(format!("data_class '{}': {what}", class.name));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if class.name.is_empty() || class.name.len() > 40 || !class.name.bytes().all(plain) {
            return Err(bad("a name has 1 to 40 lower-case letters, digits and dashes".into()));
        }
        let taken = DATA_CLASSES.iter().any(|known| known.name == class.name)
            || before.iter().any(|known| known.name == class.name);
        if taken {
            return Err(bad("another class has this name; take a name of your own".into()));
        }
        if class.keys.len() > MOST_KEYS {
            return Err(bad(format!(
                "keys: {} of them, of which there may be {MOST_KEYS}",
                class.keys.len()
            )));
        }
        let own = Self {
            name: class.name.clone(),
            keys: class.keys.clone(),
            pattern: pattern(&class.pattern).map_err(|why| bad(format!("pattern: {why}")))?,
            validator: class.validator.as_deref().map(validator).transpose().map_err(bad)?,
        };
        own.hold(class).map_err(bad)?;
        Ok(own)
    }

    /// Whether the examples match, and the counter-examples do not.
    fn hold(&self, class: &UserClass) -> Result<(), String> {
        let missed = class.examples.iter().find(|text| !self.is(text.as_bytes()));
        let wrong = class.counter_examples.iter().find(|text| self.is(text.as_bytes()));
        match (missed, wrong) {
            (Some(text), _) => Err(format!(
                "the example '{text}' does not match; the whole value has to match, and to pass the validator"
            )),
            (_, Some(text)) => Err(format!("the counter-example '{text}' matches")),
            _ => Ok(()),
        }
    }

    /// Whether a value is of the class.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        let valid = |check: fn(&Value<'_>) -> Option<Evidence>| check(&Value::new(text)).is_some();
        self.pattern.is_match(text) && self.validator.is_none_or(valid)
    }
}

/// Anchored on both sides.
fn pattern(pattern: &str) -> Result<Regex, String> {
    let limits = Regex::config()
        .nfa_size_limit(Some(PATTERN_BYTES))
        .onepass_size_limit(Some(PATTERN_BYTES))
        .hybrid_cache_capacity(PATTERN_BYTES);
    let built = Regex::builder().configure(limits).build(&format!("^(?:{pattern})$"));
    built.map_err(|error| {
        let why = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
        why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
    })
}

fn validator(name: &str) -> Result<fn(&Value<'_>) -> Option<Evidence>, String> {
    match DATA_CLASSES.iter().find(|class| class.name == name) {
        Some(class) => Ok(class.check),
        None => Err(format!("validator: no data class is named '{name}'; see tapwire list data-classes")),
    }
}

const _: () = assert!(MOST_CLASSES + MOST_OWN <= 256, "a class's number is a byte");

#[cfg(test)]
mod tests {
    use super::super::{Classes, tests::looked};
    use super::*;

    fn member() -> UserClass {
        UserClass {
            name: "member-number".into(),
            pattern: "M[0-9]{6}".into(),
            keys: vec!["member number".into()],
            examples: vec!["M123456".into()],
            counter_examples: vec!["M12345".into(), "xM123456".into()],
            ..UserClass::default()
        }
    }

    fn settings(class: UserClass) -> Settings {
        Settings { data_class: vec![class], ..Settings::default() }
    }

    #[test]
    fn own_classes_count_under_their_names() {
        let classes = Classes::new(&settings(member())).expect("a good class");
        assert_eq!(looked(&classes, "memberNumber", "M123456"), ["member-number"]);
        assert_eq!(looked(&classes, "id", "M123456"), [""; 0]);
        let free = UserClass { keys: Vec::new(), ..member() };
        let classes = Classes::new(&settings(free)).expect("a good class");
        assert_eq!(looked(&classes, "id", "M123456"), ["member-number"]);
    }

    #[test]
    fn validators_of_others_serve() {
        let loyal = UserClass {
            name: "loyalty-card".into(),
            pattern: "4[0-9]{15}".into(),
            validator: Some("card".into()),
            examples: vec!["4539578763621486".into()],
            counter_examples: vec!["4539578763621487".into()],
            ..UserClass::default()
        };
        assert!(Classes::new(&settings(loyal)).is_ok());
    }

    #[test]
    fn what_is_wrong_is_one_line() {
        let said = |class| Classes::new(&settings(class)).expect_err("a bad class").to_string();
        for (class, expected) in [
            (UserClass { pattern: "(".into(), ..member() }, "data_class 'member-number': pattern: "),
            (
                UserClass { examples: vec!["M1".into()], ..member() },
                "data_class 'member-number': the example 'M1' does not match",
            ),
            (
                UserClass { counter_examples: vec!["M123456".into()], ..member() },
                "data_class 'member-number': the counter-example 'M123456' matches",
            ),
            (UserClass { name: "card".into(), ..member() }, "data_class 'card': another class has this name"),
            (UserClass { name: "Member".into(), ..member() }, "data_class 'Member': a name has 1 to 40"),
            (
                UserClass { validator: Some("cards".into()), ..member() },
                "data_class 'member-number': validator: no data class is named 'cards'",
            ),
        ] {
            let said = said(class);
            assert!(said.starts_with(expected) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn regions_turn_national_numbers_off() {
        let only = |region: &str| Settings { regions: vec![region.into()], ..Settings::default() };
        let french = Classes::new(&only("fr")).expect("a region");
        assert_eq!(looked(&french, "nir", "185057800608491"), ["fr-nir"]);
        assert_eq!(looked(&french, "hetu", "131052-308T"), [""; 0]);
        assert_eq!(looked(&french, "x", "jane@example.com"), ["email"]);
        let said = Classes::new(&only("xx")).expect_err("no region").to_string();
        assert!(said.starts_with("regions: no data class is of 'xx'; known are * and au, br"), "{said}");
    }
}
