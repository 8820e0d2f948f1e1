//! The language from the outside.

use super::*;
use proptest::prelude::*;
use std::borrow::Cow;

struct Names;

const NAMES: &[(&str, Kind)] = &[
    ("status", Kind::Int),
    ("method", Kind::Text),
    ("path", Kind::Text),
    ("service", Kind::Text),
    ("client", Kind::Ip),
    ("latency", Kind::Duration),
    ("length", Kind::Size),
    ("late", Kind::Bool),
    ("anomalies", Kind::List),
    ("time", Kind::Time),
];

impl FieldNames for Names {
    fn find(&self, name: &str) -> Option<(FieldId, Kind)> {
        let at = NAMES.iter().position(|(known, _)| *known == name)?;
        Some((FieldId(u16::try_from(at).ok()?), NAMES[at].1))
    }

    fn names(&self) -> Vec<&str> {
        NAMES.iter().map(|(name, _)| *name).collect()
    }
}

fn value(FieldId(at): FieldId) -> Value<'static> {
    match NAMES[usize::from(at)].0 {
        "status" => Value::Int(503),
        "method" => Value::text(b"POST"),
        "path" => Value::text(b"/admin/users\xff"),
        "client" => Value::Ip("10.1.2.3".parse().unwrap()),
        "latency" => Value::Int(12_000_000),
        "length" => Value::Int(3_000),
        "late" => Value::Bool(false),
        "anomalies" => Value::List(vec![Cow::Borrowed(b"bare-lf"), Cow::Borrowed(b"obs-fold")]),
        "time" => Value::Int(1_767_268_800_000_000_000),
        _ => Value::Unknown,
    }
}

fn holds(text: &str) -> bool {
    parse(text, &Names).unwrap_or_else(|error| panic!("{}", error.pointed(text))).matches(&value)
}

#[test]
fn what_holds() {
    for text in [
        "status >= 500",
        "status >= 500 and (method == \"POST\" or path ~ \"^/nothing\")",
        "method == POST",
        "not method == GET",
        "method in ['GET', 'POST']",
        "method not in [GET, PUT]",
        "status in [500, 503]",
        "path starts_with /admin and path contains users",
        "path ~ '^/admin/[a-z]+'",
        "path !~ '(?i)ADMINS'",
        "client in 10.0.0.0/8",
        "client == 10.1.2.3",
        "client not in [192.168.0.0/16, fe80::/10]",
        "latency > 10ms and latency < 0.1s",
        "length < 3K",
        "not late",
        "late == false",
        "anomalies",
        "anomalies == obs-fold",
        "anomalies contains bare-lf",
        "anomalies ~ '^bare'",
        "anomalies != bare-cr",
        "time >= 2026-01-01T12:00:00Z and time < \"2026-01-02\"",
        "NOT status < 500 AND method",
    ] {
        assert!(holds(text), "{text}");
    }
}

#[test]
fn what_does_not_hold() {
    for text in [
        "status < 500",
        "late",
        "path ends_with users",
        "client in 11.0.0.0/8",
        "method == post",
        "status in []",
    ] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn a_comparison_with_the_unknown_holds_neither_way() {
    for text in [
        "service == a",
        "service != a",
        "not service == a",
        "not service in [a]",
        "service ~ a",
        "status == 1 or service == a",
    ] {
        assert!(!holds(text), "{text}");
    }
    assert!(holds("not service"), "whether it is known is known");
    assert!(holds("service == a or status == 503"));
    assert!(holds("not (service == a and status == 1)"));
}

#[test]
fn and_binds_tighter_than_or() {
    assert!(holds("status == 503 or status == 1 and status == 2"));
    assert!(!holds("(status == 503 or status == 1) and status == 2"));
}

#[test]
fn errors_say_where_and_what_was_meant() {
    let error = |text: &str| parse(text, &Names).unwrap_err().pointed(text);
    assert_eq!(
        error("status >= 500 and metod == GET"),
        "status >= 500 and metod == GET\n                  ^ no field is named 'metod'; did you mean 'method'?"
    );
    assert_eq!(
        error("status = 500"),
        "status = 500\n       ^ this character means nothing here; did you mean '=='?"
    );
    assert_eq!(error("status == abc"), "status == abc\n          ^ expected a whole number");
    assert_eq!(
        error("latency > 10"),
        "latency > 10\n          ^ expected a duration with its unit, such as 10ms"
    );
    assert_eq!(error("path < a"), "path < a\n     ^ '<' does not fit a field that holds a text");
    assert_eq!(error("(status"), "(status\n       ^ expected ')'");
    assert_eq!(
        error("status == 1 status"),
        "status == 1 status\n            ^ expected 'and', 'or' or the end"
    );
    assert_eq!(error("method == \"GET"), "method == \"GET\n          ^ this quote is never closed");
    assert_eq!(error("path ~ '('"), "path ~ '('\n       ^ this is no regular expression: unclosed group");
    assert_eq!(error(""), "\n^ expected a field");
}

#[test]
fn limits_hold() {
    assert!(parse(&"(".repeat(10_000), &Names).unwrap_err().message.starts_with("nested deeper"));
    assert!(parse(&"not ".repeat(3_000), &Names).unwrap_err().message.starts_with("nested deeper"));
    assert!(parse(&"x".repeat(100_000), &Names).unwrap_err().message.starts_with("an expression is at most"));
    assert_eq!(parse("path ~ '(a{1000}){1000}'", &Names).unwrap_err().message, "this pattern is too large");
    let list = format!("status in [{}1]", "1,".repeat(2_000));
    assert!(parse(&list, &Names).unwrap_err().message.starts_with("a list has at most"));
}

#[test]
fn backslashes_of_patterns_need_no_doubling() {
    assert!(holds(r#"path ~ "^/\w+/""#));
    assert!(holds(r"path ~ '^/\w+/'"));
}

proptest! {
    #[test]
    fn any_text_is_an_expression_or_an_error_in_it(text in "\\PC{0,60}") {
        if let Err(error) = parse(&text, &Names) {
            prop_assert!(text.is_char_boundary(error.offset));
            prop_assert!(error.pointed(&text).lines().count() >= 1);
        }
    }

    #[test]
    fn words_of_the_language_never_panic(words in prop::collection::vec(
        prop::sample::select(vec!["status", "and", "or", "not", "(", ")", "[", "]", ",", "==", "~", "in", "5", "'a'", "10ms", "client", "10.0.0.0/8", "contains"]),
        0..20,
    )) {
        if let Ok(expression) = parse(&words.join(" "), &Names) {
            expression.matches(&value);
        }
    }
}
