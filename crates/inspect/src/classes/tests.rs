//! What holds for every class, and what the files of classes use.

use super::*;
use proptest::prelude::*;

/// The classes reported of a text under a path of names, `parent.key`.
pub(super) fn looked(classes: &Classes, path: &str, text: &str) -> Vec<String> {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    let clues = classes.clues(parent.as_bytes(), key.as_bytes());
    let hits = classes.look(&clues, false, text.as_bytes(), text.len() as u64);
    hits.reported().map(|hit| classes.name(hit.class).to_owned()).collect()
}

pub(super) fn found(path: &str, text: &str) -> Vec<String> {
    looked(&Classes::default(), path, text)
}

pub(super) fn found_with_crypto(path: &str, text: &str) -> Vec<String> {
    looked(&every_class(), path, text)
}

pub(super) fn every_class() -> Classes {
    Classes::new(&Settings { crypto_addresses: true, ..Settings::default() }).expect("good settings")
}

#[test]
fn every_class_is_found_by_its_example_and_not_by_its_twin() {
    let classes = every_class();
    for class in DATA_CLASSES {
        let (key, value) = class.example;
        assert!(
            looked(&classes, key, value).contains(&class.name.to_owned()),
            "{}: {:?}",
            class.name,
            looked(&classes, key, value)
        );
        assert!(
            !looked(&classes, key, class.twin).contains(&class.name.to_owned()),
            "{}: its twin",
            class.name
        );
        for phrase in class.keys {
            let said = looked(&classes, phrase, class.twin);
            assert!(!said.contains(&class.name.to_owned()), "{}: its twin under '{phrase}'", class.name);
        }
    }
}

#[test]
fn a_name_alone_finds_nothing() {
    let classes = every_class();
    for class in DATA_CLASSES {
        for phrase in class.keys {
            for text in ["", "17", "true", "n/a", "see the attached file", "-"] {
                assert_eq!(
                    looked(&classes, phrase, text).iter().filter(|name| *name == class.name).count(),
                    0,
                    "{} {phrase} {text}",
                    class.name
                );
            }
        }
    }
}

#[test]
fn strength_is_what_it_says() {
    let classes = every_class();
    for class in DATA_CLASSES {
        let (_, value) = class.example;
        let hits = classes.look(&Clues::default(), false, value.as_bytes(), value.len() as u64);
        let of_class =
            hits.list().iter().find(|hit| hit.class.builtin().is_some_and(|found| found.name == class.name));
        match class.strength {
            Strength::Certain => {}
            Strength::Checked => assert!(of_class.is_some(), "{}: counts in columns", class.name),
            Strength::Named => assert!(of_class.is_none(), "{}: counts by its name only", class.name),
        }
    }
}

#[test]
fn the_registry_is_well_made() {
    assert!(DATA_CLASSES.len() <= look::MOST_CLASSES);
    for (at, class) in DATA_CLASSES.iter().enumerate() {
        let plain =
            class.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(plain && !class.summary.ends_with('.') && !class.title.is_empty(), "{}", class.name);
        assert!(DATA_CLASSES.iter().skip(at + 1).all(|other| other.name != class.name), "{}", class.name);
        assert_eq!(
            ClassId::of(class.name).and_then(ClassId::builtin).map(|found| found.name),
            Some(class.name)
        );
        if let Some(region) = class.region {
            assert!(class.name.starts_with(region) || class.name.starts_with("uk-"), "{}", class.name);
        }
    }
}

/// The rule of one in 1,000: what counts under any name is not what random text of the same layout is.
#[test]
fn random_text_of_the_same_layout_is_seldom_a_certain_class() {
    let classes = every_class();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let checked = [
        "iban",
        "it-codice-fiscale",
        "in-gstin",
        "fi-hetu",
        "br-cpf",
        "br-cnpj",
        "fr-nir",
        "bitcoin-address",
        "github-token",
    ];
    for class in DATA_CLASSES.iter().filter(|class| checked.contains(&class.name)) {
        let (_, value) = class.example;
        let plain = !value.bytes().any(|byte| byte.is_ascii_alphabetic());
        let tries = 20_000;
        let mut passed = 0;
        for _ in 0..tries {
            let text: Vec<u8> = value
                .bytes()
                .enumerate()
                .map(|(at, byte)| match byte {
                    // A prefix that names the class is no check.
                    _ if at < 4 && class.kind == ClassKind::Secret => byte,
                    b'0'..=b'9' if plain => b'0' + u8::try_from(random(10)).unwrap(),
                    byte if byte.is_ascii_alphanumeric() => *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        .get(usize::try_from(random(36)).unwrap())
                        .unwrap(),
                    _ => byte,
                })
                .collect();
            let hits = classes.look(&Clues::default(), false, &text, text.len() as u64);
            passed += usize::from(
                hits.reported().any(|hit| hit.class.builtin().is_some_and(|found| found.name == class.name)),
            );
        }
        // Their layout is what little else has.
        let limit = if class.strength == Strength::Checked { tries / 50 } else { tries / 1000 };
        assert!(passed <= limit, "{}: {passed} of {tries}", class.name);
    }
}

#[test]
fn things_in_sentences_are_found() {
    for (text, expected) in [
        ("Please charge card 4539578763621486 today", "card"),
        ("paid with 4539 5787 6362 1486, thanks", "card"),
        ("write to jane.doe@example.com.", "email"),
        ("call me at +49 30 901820 tomorrow", "phone"),
        ("IBAN: DE89 3704 0044 0532 0130 00 (Berlin)", "iban"),
        ("my ssn is 536-22-8471", "us-ssn"),
        ("the form says ssn:536-22-8471", "us-ssn"),
        ("key=AKIAQ3ZXT7NBHJ5WLK2P used", "aws-access-key"),
        ("user <jane@example.com> logged in from 203.0.113.77", "email"),
        ("the key is -----BEGIN RSA PRIVATE KEY----- abc", "private-key"),
    ] {
        let found = found("message", text);
        assert!(found.iter().any(|name| name == expected), "{text}: {found:?}");
    }
    for text in [
        "order 4539578763621486 was shipped on 2026-01-02",
        "tracking 1Z 999 AA1 01 2345 6784 and 9400 1000 0000 0000 0000 00",
        "version 10.0.19041.200 released",
        "the meeting is at 10:30, room 4.17, extension 4711",
    ] {
        assert_eq!(found("message", text), [""; 0], "{text}");
    }
}

#[test]
fn a_beginning_of_a_long_text_is_searched_too() {
    let classes = Classes::default();
    let text = b"contact jane.doe@example.com for more";
    let hits = classes.look(&Clues::default(), false, text, 100_000);
    assert_eq!(hits.reported().count(), 1);
}

proptest! {
    #[test]
    fn nothing_that_traffic_sends_stops_it(text in prop::collection::vec(any::<u8>(), 0..300), key in prop::collection::vec(any::<u8>(), 0..80)) {
        let classes = every_class();
        let clues = classes.clues(&key, &key);
        for len in [text.len() as u64, 10_000] {
            let hits = classes.look(&clues, false, &text, len);
            prop_assert!(hits.list().len() <= 4);
        }
    }

    #[test]
    fn what_is_not_looked_at_is_nothing(
        prose in "(item|card|ssn|pin|call|MSH|a{14}|password)?[ :]?[0-9A-Za-z@+,.:/ -]{0,30}",
        example in 0..DATA_CLASSES.len(),
        name in 0..DATA_CLASSES.len(),
        is_number in any::<bool>(),
    ) {
        let classes = every_class();
        let clues = classes.clues(b"x", DATA_CLASSES[name].keys.first().copied().unwrap_or("y").as_bytes());
        let taking = classes.taking(clues);
        for text in [prose.as_str(), DATA_CLASSES[example].example.1, DATA_CLASSES[example].twin] {
            let (text, len) = (text.as_bytes(), text.len() as u64);
            let seen = Seen { text, made: crate::made::Made::of(text), is_number, len };
            let hits = classes.look(&clues, is_number, text, len);
            let lead = classes.lead(&mut Said::default(), format!("{} 1", prose.split(' ').next().unwrap_or("")).as_bytes());
            for lead in [None, Some(&lead)] {
                prop_assert!(classes.may_take(&taking, &seen, lead) || hits.list().is_empty(), "{:?}", hits);
            }
        }
    }

    #[test]
    fn values_that_look_like_numbers_do_not_stop_it(text in "[0-9A-Z@:./+ -]{0,80}") {
        let classes = every_class();
        let clues = classes.clues(b"card", b"iban");
        classes.look(&clues, true, text.as_bytes(), text.len() as u64);
    }
}
