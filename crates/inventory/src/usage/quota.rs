//! Whether calls keep within the limits that answers advertise, and whether these are enforced.

use super::limits::digits;
use tapwire_wire::Timestamp;

/// Callers of an endpoint that are known to have used up their quota: of more, the first to begin anew is forgotten.
const MAX_SPENT: usize = 4;
/// A larger number of seconds is a date: some say when a window ends in seconds since 1970.
const EPOCH: u64 = 1_000_000_000;
/// And a still larger one is a date in milliseconds.
const MILLISECONDS: u64 = 100_000_000_000;
/// Windows of one answer that are told apart.
const MAX_WINDOWS: usize = 4;

/// How the calls of an endpoint stand to the limits that it advertises.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Adherence {
    /// Answers that advertise a limit, or refuse for one (429).
    pub limited: u64,
    /// Of these, 429.
    pub refused: u64,
    /// Of these, answered otherwise though an answer before had said that nothing is left, and its window had not ended.
    pub beyond: u64,
    spent: Vec<Spent>,
}

/// A caller that has nothing left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Spent {
    caller: u64,
    /// Packet time at which its window ends, in seconds.
    until: i64,
}

/// What the head of one answer says of a limit.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// A limit is named.
    pub(super) limit: bool,
    /// What is left of each window that is named.
    windows: Vec<Window>,
    /// Seconds to wait after a refusal.
    wait: Option<u64>,
    /// The length of the window, where the limit's own name or field says it.
    pub(super) window: Option<u64>,
}

/// One of the windows that an answer tells of.
#[derive(Debug, Default)]
struct Window {
    /// A hash of its name; 0: it has none.
    name: u64,
    remaining: Option<u64>,
    /// Seconds until it ends, or the date.
    reset: Option<u64>,
}

impl Said {
    /// Reads a header field that may say what is left, or until when; `name` in small letters.
    pub(super) fn read(&mut self, name: &[u8], value: &[u8]) {
        let name = name.strip_prefix(b"x-").unwrap_or(name);
        let rest = name.strip_prefix(b"ratelimit-").or_else(|| name.strip_prefix(b"rate-limit-"));
        let Some(rest) = rest else { return };
        if let Some(window) = rest.strip_prefix(b"remaining") {
            self.tell(window, digits(value), None);
        } else if let Some(window) = rest.strip_prefix(b"reset") {
            self.tell(window, None, digits(value));
        }
    }

    /// Reads the members of the field `RateLimit`, in its forms: `"day";r=9;t=60`, one member for each window, and
    /// `remaining=9, reset=60`.
    pub(super) fn members(&mut self, value: &[u8]) {
        for member in value.split(|byte| *byte == b',') {
            let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).peekable();
            let window = parts.next_if(|part| !part.contains(&b'=')).unwrap_or_default();
            for part in parts {
                let named = |names: [&[u8]; 2]| names.iter().find_map(|name| part.strip_prefix(*name));
                if let Some(left) = named([b"remaining=", b"r="]) {
                    self.tell(window, digits(left), None);
                } else if let Some(reset) = named([b"reset=", b"t="]) {
                    self.tell(window, None, digits(reset));
                }
            }
        }
        self.limit = true;
    }

    /// Until when it says so: Retry-After of a refusal.
    pub(super) fn wait(&mut self, seconds: Option<u64>) {
        self.wait = self.wait.max(seconds);
    }

    /// Takes in what is said of a window: the smallest rest, and the latest end.
    fn tell(&mut self, window: &[u8], left: Option<u64>, reset: Option<u64>) {
        self.limit |= left.is_some();
        let name = window.iter().fold(0, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_add(1).wrapping_mul(0x0100_0000_01b3)
        });
        let at = self.windows.iter().position(|known| known.name == name).unwrap_or_else(|| {
            if self.windows.len() < MAX_WINDOWS {
                self.windows.push(Window { name, ..Window::default() });
            }
            self.windows.len() - 1
        });
        if let Some(known) = self.windows.get_mut(at) {
            known.remaining =
                known.remaining.map_or(left, |known| Some(left.map_or(known, |left| left.min(known))));
            known.reset = known.reset.max(reset);
        }
    }

    /// The smallest rest that is named.
    pub(super) fn left_over(&self) -> Option<u64> {
        self.windows.iter().filter_map(|window| window.remaining).min()
    }

    /// Packet time at which the window ends of which least is left.
    pub(super) fn until(&self, now: i64) -> Option<i64> {
        let least = self.left_over();
        let ends = |window: &&Window| window.remaining == least || window.remaining.is_none();
        let reset = self.windows.iter().filter(ends).filter_map(|window| window.reset).max();
        let seconds = match reset.max(self.wait).or(self.window)? {
            date @ MILLISECONDS.. => date / 1_000,
            seconds => seconds,
        };
        let seconds = i64::try_from(seconds).ok()?;
        Some(if seconds.unsigned_abs() > EPOCH { seconds } else { now.saturating_add(seconds) })
    }
}

impl Adherence {
    /// Answers of calls that kept within their limit.
    pub const fn within(&self) -> u64 {
        self.limited.saturating_sub(self.refused).saturating_sub(self.beyond)
    }

    /// Learns from what an answer said.
    pub(super) fn note(&mut self, said: &Said, status: Option<u16>, caller: u64, time: Timestamp) {
        let refused = status == Some(429);
        if !said.limit && !refused {
            return;
        }
        let now = time.nanos().div_euclid(1_000_000_000);
        self.spent.retain(|spent| spent.until > now);
        self.limited = self.limited.saturating_add(1);
        if refused {
            self.refused = self.refused.saturating_add(1);
        } else if said.left_over() == Some(0) {
            let known = self.spent.iter().any(|spent| spent.caller == caller);
            self.beyond = self.beyond.saturating_add(known.into());
        }
        if refused || said.left_over() == Some(0) {
            self.spend(caller, said.until(now));
        } else {
            self.spent.retain(|spent| spent.caller != caller);
        }
    }

    fn spend(&mut self, caller: u64, until: Option<i64>) {
        let Some(until) = until.filter(|_| self.spent.iter().all(|spent| spent.caller != caller)) else {
            return;
        };
        if self.spent.len() >= MAX_SPENT {
            let first = self.spent.iter().enumerate().min_by_key(|(_, spent)| spent.until);
            if let Some(at) = first.map(|(at, _)| at) {
                self.spent.swap_remove(at);
            }
        }
        self.spent.push(Spent { caller, until });
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.limited = self.limited.saturating_add(other.limited);
        self.refused = self.refused.saturating_add(other.refused);
        self.beyond = self.beyond.saturating_add(other.beyond);
    }
}

#[cfg(test)]
mod tests {
    use super::super::RateLimits;
    use crate::transcript::exchange;
    use tapwire_wire::Timestamp;

    /// Answers, each with its second, caller, status and fields; what was within, refused and beyond.
    fn kept(answers: &[(i64, u64, u16, &str)]) -> (u64, u64, u64) {
        let mut limits = RateLimits::default();
        for (second, caller, status, fields) in answers {
            let response = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{fields}\r\n\r\n");
            let exchange = exchange(1, b"GET / HTTP/1.1\r\n\r\n", response.as_bytes());
            limits.add(exchange.response_head().unwrap(), *caller, Timestamp::from_parts(*second, 0));
        }
        let adherence = &limits.adherence;
        (adherence.within(), adherence.refused, adherence.beyond)
    }

    const SOME: &str = "X-RateLimit-Limit: 3\r\nX-RateLimit-Remaining: 1\r\nX-RateLimit-Reset: 60";
    const NONE: &str = "X-RateLimit-Limit: 3\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 60";

    #[test]
    fn last_call_of_a_quota_is_within_it_and_the_next_one_is_not() {
        assert_eq!(kept(&[(0, 1, 200, SOME), (1, 1, 200, NONE)]), (2, 0, 0));
        assert_eq!(kept(&[(0, 1, 200, NONE), (1, 1, 200, NONE), (2, 1, 200, NONE)]), (1, 0, 2));
        assert_eq!(kept(&[(0, 1, 200, NONE), (1, 1, 429, NONE), (2, 1, 429, "Retry-After: 9")]), (1, 2, 0));
    }

    #[test]
    fn another_window_and_another_caller_begin_anew() {
        assert_eq!(kept(&[(0, 1, 200, NONE), (60, 1, 200, NONE), (61, 2, 200, NONE)]), (3, 0, 0));
        assert_eq!(kept(&[(0, 1, 200, NONE), (1, 1, 200, SOME), (2, 1, 200, NONE)]), (3, 0, 0));
        let date = "X-RateLimit-Limit: 3\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1700000060";
        assert_eq!(kept(&[(1_700_000_000, 1, 200, date), (1_700_000_059, 1, 200, date)]), (1, 0, 1));
        assert_eq!(kept(&[(1_700_000_000, 1, 200, date), (1_700_000_061, 1, 200, date)]), (2, 0, 0));
    }

    #[test]
    fn a_rest_ends_with_its_own_window() {
        let two = "RateLimit: \"burst\";r=0;t=10, \"day\";r=900;t=80000";
        assert_eq!(kept(&[(0, 1, 200, two), (11, 1, 200, two)]), (2, 0, 0));
        assert_eq!(kept(&[(0, 1, 200, two), (9, 1, 200, two)]), (1, 0, 1));
        let fields = "X-RateLimit-Remaining-Minute: 0\r\nX-RateLimit-Reset-Minute: 60\r\n\
            X-RateLimit-Remaining-Day: 9\r\nX-RateLimit-Reset-Day: 80000";
        assert_eq!(kept(&[(0, 1, 200, fields), (61, 1, 200, fields)]), (2, 0, 0));
        let milliseconds =
            "X-RateLimit-Limit: 1\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1700000060000";
        assert_eq!(
            kept(&[(1_700_000_000, 1, 200, milliseconds), (1_700_000_061, 1, 200, milliseconds)]),
            (2, 0, 0)
        );
    }

    #[test]
    fn every_form_of_the_draft_says_what_is_left() {
        for fields in [
            "RateLimit: limit=3, remaining=0, reset=60",
            "RateLimit-Policy: \"a\";q=3;w=60\r\nRateLimit: \"a\";r=0;t=60",
            "RateLimit-Limit: 3\r\nRateLimit-Remaining: 0\r\nRateLimit-Reset: 60",
            "X-RateLimit-Limit-Minute: 3\r\nX-RateLimit-Remaining-Minute: 0",
        ] {
            assert_eq!(kept(&[(0, 1, 200, fields), (9, 1, 200, fields)]), (1, 0, 1), "{fields}");
        }
        assert_eq!(kept(&[(0, 1, 200, "X-Request-Id: 0"), (1, 1, 200, "Retry-After: 5")]), (0, 0, 0));
    }

    #[test]
    fn callers_with_nothing_left_are_bounded() {
        let many: Vec<(i64, u64, u16, &str)> = (0..50).map(|caller| (0, caller, 200, NONE)).collect();
        assert_eq!(kept(&many), (50, 0, 0));
    }
}
