//! One exchange, with what was found in it.

use super::Level;
use serde_json::Value;

/// One exchange, as `tapwire show` tells it. Of a finding's uid only the findings are there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exchange {
    /// Its id.
    pub uid: String,
    /// When.
    pub time: String,
    /// What was called.
    pub method: String,
    /// See `method`: the template, or the path where there is none.
    pub place: String,
    /// How it was answered; empty where that was not seen.
    pub status: String,
    /// Of which stream it is a message, in words; empty of others.
    pub carried: String,
    /// The exchange that began that stream.
    pub carrier: String,
    /// The endpoint's id; empty where it has none.
    pub endpoint: String,
    /// The caller's token; empty where nobody is named.
    pub principal: String,
    /// What is known of it, under headings.
    pub parts: Vec<Part>,
    /// What was found in it.
    pub findings: Vec<Told>,
    /// The events themselves, as `tapwire show --json` writes them.
    pub events: Vec<Value>,
}

/// What stands below a heading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The heading.
    pub title: String,
    /// Names with what there is to say.
    pub rows: Vec<(String, String)>,
    /// Headers of a message: names and values.
    pub headers: Vec<(String, String)>,
    /// A sentence in place of all that; may be empty.
    pub said: String,
}

/// A finding about an exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub uid: String,
    /// Its incident; empty where it has none.
    pub incident: String,
    /// What it is.
    pub title: String,
    /// How bad.
    pub level: Level,
    /// Whether it worked.
    pub outcome: String,
    /// Why, in a sentence.
    pub reason: String,
    /// What to do.
    pub steps: Vec<String>,
    /// The exchanges that show it.
    pub exchanges: Vec<String>,
}
