//! Regular expressions with bounded size, in linear time.

use regex_automata::{meta, util::syntax};

/// Largest compiled pattern and largest cache of it, in bytes.
const LARGEST: usize = 1 << 20;

/// A regular expression over bytes.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(meta::Regex);

impl Pattern {
    /// Compiles a pattern, or says in one line why it is none.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let limits = meta::Config::new()
            .nfa_size_limit(Some(LARGEST))
            .onepass_size_limit(Some(LARGEST))
            .hybrid_cache_capacity(LARGEST)
            .utf8_empty(false);
        let syntax = syntax::Config::new().utf8(false).nest_limit(64);
        let built = meta::Regex::builder().configure(limits).syntax(syntax).build(pattern);
        built.map(Self).map_err(|error| match error.size_limit() {
            Some(_) => "this pattern is too large".to_owned(),
            None => format!("this is no regular expression: {}", reason(&error)),
        })
    }

    /// Whether it matches anywhere in the text.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

/// The innermost cause; the outer ones only repeat the pattern.
fn reason(error: &meta::BuildError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
