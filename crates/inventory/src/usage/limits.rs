//! Rate limits that answers advertise: the `RateLimit` header fields of the IETF draft in its present form and in older ones,
//! the `X-RateLimit` fields that came before it, and `Retry-After` (RFC 9110, 10.2.3).

use super::quota::{Adherence, Said};
use tapwire_protocol::Head;
use tapwire_wire::Timestamp;

/// Limits that are kept of one endpoint: plans differ, and a caller may have several windows.
const MAX_LIMITS: usize = 4;

/// Which header field advertises a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum LimitField {
    /// `RateLimit-Policy`: quota and window of each policy.
    Policy,
    /// `RateLimit`, where it names the limit itself (draft 7).
    RateLimit,
    /// `RateLimit-Limit` (draft 6 and before).
    Limit,
    /// `X-RateLimit-Limit`, and its forms for a window or a unit.
    XLimit,
}

impl LimitField {
    /// As the header is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "RateLimit-Policy",
            Self::RateLimit => "RateLimit",
            Self::Limit => "RateLimit-Limit",
            Self::XLimit => "X-RateLimit-Limit",
        }
    }
}

/// A limit that answers advertise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RateLimit {
    /// Which header field says it.
    pub field: LimitField,
    /// How much is allowed, mostly calls.
    pub quota: u64,
    /// In how many seconds, where that is said.
    pub window: Option<u64>,
    /// Answers that said so.
    pub answers: u64,
}

/// What answers of one endpoint say of limits.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct RateLimits {
    all: Vec<RateLimit>,
    /// Answers that advertised a limit for which there was no room.
    pub beyond: u64,
    /// Answers 429 and 503 that said when to come again.
    pub retries: u64,
    /// The longest that they told to wait, in seconds; 0 where they named a date.
    pub longest_wait: u64,
    /// How calls stand to them.
    pub adherence: Adherence,
}

impl RateLimits {
    /// The limits, each once, in the order they came; at most four.
    pub fn iter(&self) -> impl Iterator<Item = &RateLimit> {
        self.all.iter()
    }

    /// Learns from the head of an answer to a caller, by the hash of its token.
    pub(crate) fn add(&mut self, head: &Head, caller: u64, time: Timestamp) {
        let said = said(head, |told, value| match told {
            Told::Limit(field, window) => self.read(field, window, value),
            Told::Wait(seconds) => {
                self.retries = self.retries.saturating_add(1);
                self.longest_wait = self.longest_wait.max(seconds.unwrap_or(0));
            }
        });
        self.adherence.note(&said, head.status, caller, time);
    }

    fn read(&mut self, field: LimitField, window: Option<u64>, value: &[u8]) {
        // Of a list the first is what counts now; a policy lists all that there are.
        let listed = if field == LimitField::Policy { MAX_LIMITS } else { 1 };
        if field == LimitField::RateLimit {
            let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            if let Some(quota) = members.clone().find_map(|member| digits(member.strip_prefix(b"limit=")?)) {
                self.note(field, quota, window, 1);
            }
            return;
        }
        for item in value.split(|byte| *byte == b',').take(listed) {
            let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let own = parts.next().and_then(digits);
            let parameter = |name: &[u8]| parts.clone().find_map(|part| digits(part.strip_prefix(name)?));
            let (quota, own_window) = (own.or_else(|| parameter(b"q=")), parameter(b"w="));
            if let Some(quota) = quota {
                self.note(field, quota, own_window.or(window), 1);
            }
        }
    }

    fn note(&mut self, field: LimitField, quota: u64, window: Option<u64>, answers: u64) {
        let same =
            |known: &&mut RateLimit| (known.field, known.quota, known.window) == (field, quota, window);
        if let Some(known) = self.all.iter_mut().find(same) {
            known.answers = known.answers.saturating_add(answers);
        } else if self.all.len() < MAX_LIMITS {
            self.all.push(RateLimit { field, quota, window, answers });
        } else {
            self.beyond = self.beyond.saturating_add(answers);
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        other.all.iter().for_each(|one| self.note(one.field, one.quota, one.window, one.answers));
        self.beyond = self.beyond.saturating_add(other.beyond);
        self.retries = self.retries.saturating_add(other.retries);
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.adherence.absorb(&other.adherence);
    }
}

/// What one header field tells of limits.
enum Told {
    Limit(LimitField, Option<u64>),
    /// Seconds, where it names no date.
    Wait(Option<u64>),
}

/// What the head of an answer says of a limit; `tell` hears each field with its value.
fn said(head: &Head, mut tell: impl FnMut(Told, &[u8])) -> Said {
    let mut said = Said::default();
    let names = head.fields.iter().filter_map(|field| Some((head.slice(field.name?).bytes(), field.value?)));
    for (name, value) in names {
        // Of the usual dozen of fields none passes this.
        let begins: &[&[u8]] = match name.first() {
            Some(b'x' | b'X') => &[b"x-rate"],
            Some(b'r' | b'R') => &[b"ratelimit", b"retry-after"],
            _ => continue,
        };
        let is = |begin: &&[u8]| name.get(..begin.len()).is_some_and(|name| name.eq_ignore_ascii_case(begin));
        if name.len() > 32 || !begins.iter().any(is) {
            continue;
        }
        let (name, value) = (name.to_ascii_lowercase(), head.slice(value).bytes());
        if let Some((field, window)) = told_by(&name) {
            (said.limit, said.window) = (true, said.window.max(window));
            if field == LimitField::RateLimit {
                said.members(value);
            }
            tell(Told::Limit(field, window), value);
        } else if name == b"retry-after" && matches!(head.status, Some(429 | 503)) {
            said.wait(digits(value));
            tell(Told::Wait(digits(value)), value);
        } else {
            said.read(&name, value);
        }
    }
    said
}

/// What an answer says is left of its caller's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Nothing: the limit is used up, or the call was refused for it (429).
    pub nothing: bool,
    /// Second of packet time at which the window ends, where that is said.
    pub until: Option<i64>,
    /// The smallest limit that it names.
    pub limit: Option<u64>,
}

impl Left {
    /// What an answer at that time says; `None` where it says nothing of a limit.
    pub fn said(head: &Head, time: Timestamp) -> Option<Self> {
        let mut limit: Option<u64> = None;
        let said = said(head, |told, value| {
            if let (Told::Limit(LimitField::Limit | LimitField::XLimit, _), Some(told)) =
                (told, digits(value))
            {
                limit = Some(limit.map_or(told, |known| known.min(told)));
            }
        });
        let (left, refused) = (said.left_over(), head.status == Some(429));
        let until = said.until(time.nanos().div_euclid(1_000_000_000));
        (refused || left.is_some()).then_some(Self { nothing: refused || left == Some(0), until, limit })
    }
}

/// Which header field that is, by its name in small letters, and the window that the name says.
fn told_by(name: &[u8]) -> Option<(LimitField, Option<u64>)> {
    match name {
        b"ratelimit-policy" => Some((LimitField::Policy, None)),
        b"ratelimit" => Some((LimitField::RateLimit, None)),
        b"ratelimit-limit" => Some((LimitField::Limit, None)),
        lower => {
            let rest = lower
                .strip_prefix(b"x-ratelimit-limit")
                .or_else(|| lower.strip_prefix(b"x-rate-limit-limit"))?;
            let window = match rest {
                b"-second" => Some(1),
                b"-minute" => Some(60),
                b"-hour" => Some(3_600),
                b"-day" => Some(86_400),
                _ => None,
            };
            Some((LimitField::XLimit, window))
        }
    }
}

/// A number that stands alone, with at most 18 digits.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let fits = (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fits.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::exchange;

    fn limits(answers: &[&str]) -> RateLimits {
        let mut limits = RateLimits::default();
        for (number, fields) in (1..).zip(answers) {
            let status = if fields.contains("Retry") { 429 } else { 200 };
            let response = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{fields}\r\n\r\n");
            let exchange = exchange(number, b"GET / HTTP/1.1\r\n\r\n", response.as_bytes());
            limits.add(exchange.response_head().unwrap(), 1, Timestamp::from_parts(0, 0));
        }
        limits
    }

    fn told(answers: &[&str]) -> Vec<(&'static str, u64, Option<u64>, u64)> {
        limits(answers).iter().map(|one| (one.field.name(), one.quota, one.window, one.answers)).collect()
    }

    #[test]
    fn the_draft_in_its_forms() {
        let policy = "RateLimit-Policy: \"burst\";q=100;w=60, \"daily\";q=1000;w=86400\r\nRateLimit: \"burst\";r=50;t=30";
        assert_eq!(
            told(&[policy, policy]),
            [("RateLimit-Policy", 100, Some(60), 2), ("RateLimit-Policy", 1000, Some(86_400), 2)]
        );
        assert_eq!(told(&["RateLimit: limit=10, remaining=9, reset=4"]), [("RateLimit", 10, None, 1)]);
        assert_eq!(told(&["ratelimit-limit: 10, 10;w=1, 50;w=60"]), [("RateLimit-Limit", 10, None, 1)]);
        assert_eq!(told(&["RateLimit-Policy: 10;w=1"]), [("RateLimit-Policy", 10, Some(1), 1)]);
    }

    #[test]
    fn fields_that_came_before_it() {
        assert_eq!(
            told(&["X-RateLimit-Limit: 5000\r\nX-RateLimit-Remaining: 1"]),
            [("X-RateLimit-Limit", 5000, None, 1)]
        );
        assert_eq!(told(&["X-RateLimit-Limit-Minute: 20"]), [("X-RateLimit-Limit", 20, Some(60), 1)]);
        assert!(
            told(&["X-RateLimit-Limit: many", "X-RateLimit-Limit: 99999999999999999999", "X-Request-Id: 7"])
                .is_empty()
        );
    }

    #[test]
    fn waits_are_those_of_refusals_and_limits_are_bounded() {
        let waits =
            limits(&["Retry-After: 30", "Retry-After: 120", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"]);
        assert_eq!((waits.retries, waits.longest_wait), (3, 120));
        let many: Vec<String> = (0..9).map(|quota| format!("X-RateLimit-Limit: {quota}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let many = limits(&many);
        assert_eq!((many.iter().count(), many.beyond), (4, 5));
    }
}
