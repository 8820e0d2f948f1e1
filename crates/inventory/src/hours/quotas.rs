//! Quotas: what callers may do within an hour, as it is declared, and what would be a good limit.

use super::cell::Cell;
use super::group::Group;
use super::spread::{Spread, begin};
use crate::Call;

/// Whom a declared quota is for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub enum Whom {
    /// Every caller with a name.
    Everybody,
    /// Callers with that role or scope: a plan.
    Role(String),
    /// One caller, by the first hexadecimal digits of its token, in lower case.
    Principal(String),
}

/// A quota that is declared: each caller that it is for may call each endpoint that it is for so often.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Declared {
    /// As it is called.
    pub name: String,
    /// Whom it is for.
    pub whom: Whom,
    /// The service it is for; `None`: all.
    pub service: Option<String>,
    /// The path template it is for; `None`: all.
    pub endpoint: Option<String>,
    /// Calls of a caller at an endpoint within an hour of the clock.
    pub calls_an_hour: u64,
}

impl Declared {
    fn is_for(&self, call: &Call) -> bool {
        let service = self.service.as_deref();
        let is_there = service.is_none_or(|name| call.service.as_deref() == Some(name))
            && self.endpoint.as_deref().is_none_or(|template| call.template.as_deref() == Some(template));
        is_there
            && match &self.whom {
                Whom::Everybody => true,
                Whom::Role(word) => call.caller.grants.as_ref().is_some_and(|grants| {
                    grants.roles.iter().chain(&grants.scopes).any(|known| known.as_str() == word)
                }),
                Whom::Principal(digits) => call.principal.is_some_and(|principal| {
                    let hex: String = principal.token.0.iter().map(|byte| format!("{byte:02x}")).collect();
                    hex.starts_with(digits)
                }),
            }
    }
}

/// The first declared quota that is for a call, from 1; 0 for none. Asked once an hour of a caller.
pub(super) fn of(declared: &[Declared], call: &Call) -> u8 {
    let at = declared.iter().position(|quota| quota.is_for(call));
    at.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or(0)
}

/// Hours of the clock whose calls are kept.
const HOURS: usize = 168;

/// Hours under a declared quota.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct QuotaUse {
    /// Hours of callers at endpoints.
    pub hours: u64,
    /// Calls in them.
    pub calls: u64,
    /// The most calls in one of them.
    pub most: u64,
    /// Hours with more calls than the quota, and the calls beyond it.
    pub exceeded: (u64, u64),
    /// Of these hours, those in which nothing was refused (429): the quota is not enforced.
    pub unenforced: u64,
    /// Calls by the hour of the clock since 1970, the last 168 that had calls.
    pub by_hour: Vec<(u32, u64)>,
}

impl QuotaUse {
    pub(super) fn add(&mut self, quota: &Declared, cell: &Cell) {
        let (limit, calls) = (quota.calls_an_hour, u64::from(cell.calls));
        self.hours = self.hours.saturating_add(1);
        self.calls = self.calls.saturating_add(calls);
        self.most = self.most.max(calls);
        if calls > limit {
            self.exceeded.0 = self.exceeded.0.saturating_add(1);
            self.exceeded.1 = self.exceeded.1.saturating_add(calls - limit);
            self.unenforced = self.unenforced.saturating_add((!cell.throttled).into());
        }
        match self.by_hour.binary_search_by_key(&cell.hour, |(hour, _)| *hour) {
            Ok(at) => {
                self.by_hour.get_mut(at).into_iter().for_each(|(_, sum)| *sum = sum.saturating_add(calls))
            }
            Err(at) => self.by_hour.insert(at, (cell.hour, calls)),
        }
        if self.by_hour.len() > HOURS {
            self.by_hour.remove(0);
        }
    }
}

impl QuotaUse {
    /// As it was, with its hours in order and no more of them than are kept.
    pub(super) fn restored(mut self) -> Self {
        self.by_hour.sort_unstable_by_key(|(hour, _)| *hour);
        self.by_hour.dedup_by_key(|(hour, _)| *hour);
        let more = self.by_hour.len().saturating_sub(HOURS);
        self.by_hour.drain(..more);
        self
    }
}

/// A limit that would hit hardly anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggested {
    /// Calls of one caller within an hour.
    pub calls: u64,
    /// Calls of the last seven days that it would have refused, of callers whose hours are not unusual.
    pub hit: u64,
    /// Of how many hours of callers that follows.
    pub hours: u32,
    /// 99 of 100 of them had no more.
    pub p99: u64,
    /// The most that one had, to the end of its bin.
    pub most: u64,
    /// Hours that were unusual: they count for nothing here.
    pub unusual: u32,
}

/// What a limit is made from.
#[derive(Default)]
pub(super) struct Suggesting {
    week: Spread,
    unusual: u32,
}

impl Suggesting {
    pub(super) fn add(&mut self, group: &Group) {
        group.week(&mut self.week);
        self.unusual = self.unusual.saturating_add(group.odd_hours);
    }

    pub(super) fn suggested(&self) -> Option<Suggested> {
        let bin = self.week.limit()?;
        Some(Suggested {
            calls: begin(bin).max(1),
            hit: self.week.above(bin),
            hours: self.week.count,
            p99: self.week.p99(),
            most: self.week.largest(),
            unusual: self.unusual,
        })
    }
}
