//! The life of a finding of posture: what is remembered of it from look to look.

use super::sweep::SHOWN;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tapwire_inventory::PostureTimes;

/// Findings whose life is remembered; further ones are counted, and not told.
pub(crate) const MAX_CASES: usize = 20_000;

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Endpoints do it.
    Open,
    /// Somebody takes responsibility for it, until a day.
    Accepted,
    /// It was not seen in the last calls, which are too few to be sure.
    Fixed,
    /// It was not seen in so many calls that it counts as gone.
    Verified,
    /// It was gone and is back.
    Regressed,
}

impl Stage {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Fixed => "fixed",
            Self::Verified => "verified",
            Self::Regressed => "regressed",
        }
    }

    /// Whether somebody should do something.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Open | Self::Regressed)
    }
}

/// What is remembered of one policy and service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) stage: Stage,
    /// Whether it was gone once.
    pub(crate) was_gone: bool,
    /// Packet time at which it was first told, in nanoseconds.
    pub(crate) opened: i64,
    /// How long the first call that showed it was past when it was first open, in milliseconds; `None` before that.
    pub(crate) waited: Option<u64>,
    /// Packet time since which it stands, in nanoseconds; `None` while it does not.
    pub(crate) since: Option<i64>,
    /// How often its absence was verified.
    pub(crate) remedied: u32,
    /// How long it stood before that, all times together, in milliseconds.
    pub(crate) stood: u64,
    /// Events told of it.
    pub(crate) told: u32,
    /// Endpoints that the last of them was about.
    pub(crate) endpoints: Vec<u64>,
    /// How many there were.
    pub(crate) total: u64,
    /// Their calls when it seemed fixed.
    pub(crate) calls_at: u64,
    /// How often it seemed fixed and was not.
    pub(crate) returns: u8,
}

impl Case {
    pub(crate) const fn new(now: i64) -> Self {
        Self {
            stage: Stage::Open,
            was_gone: false,
            opened: now,
            waited: None,
            since: None,
            remedied: 0,
            stood: 0,
            told: 0,
            endpoints: Vec::new(),
            total: 0,
            calls_at: 0,
            returns: 0,
        }
    }

    /// As it can have been: what is read may have been written by anybody.
    pub(super) fn checked(mut self) -> Self {
        self.endpoints.truncate(SHOWN);
        self
    }

    fn times(&self) -> PostureTimes {
        PostureTimes {
            waited: self.waited.unwrap_or(0),
            detected: self.waited.is_some().into(),
            stood: self.stood,
            remedied: self.remedied.into(),
        }
    }

    /// How many calls without it make it seem fixed: each time that was wrong, twice as many.
    pub(crate) fn patience(&self, verified_after: u32) -> u32 {
        const LEAST: u32 = 10;
        (LEAST << self.returns.min(8)).min(verified_after)
    }
}

/// All findings of posture, by policy and service: what is to be kept from one run to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cases {
    of: BTreeMap<Box<str>, BTreeMap<Box<str>, Case>>,
}

impl Cases {
    pub(crate) fn get(&self, policy: &str, service: &str) -> Option<&Case> {
        self.of.get(policy)?.get(service)
    }

    /// The case, made where there is room.
    pub(crate) fn open(&mut self, policy: &str, service: &str, now: i64) -> Option<&mut Case> {
        if self.get(policy, service).is_none() && self.len() >= MAX_CASES {
            return None;
        }
        let cases = self.of.entry(policy.into()).or_default();
        Some(cases.entry(service.into()).or_insert_with(|| Case::new(now)))
    }

    /// Services with a case of that policy.
    pub(crate) fn services_of(&self, policy: &str) -> Vec<Box<str>> {
        self.of.get(policy).map(|cases| cases.keys().cloned().collect()).unwrap_or_default()
    }

    /// Every case with its policy and service, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &Case)> {
        self.of.iter().flat_map(|(policy, cases)| {
            cases.iter().map(move |(service, case)| (&**policy, &**service, case))
        })
    }

    /// How long the findings of a service took.
    pub fn times(&self, service: &str) -> PostureTimes {
        self.of.values().filter_map(|cases| cases.get(service)).map(Case::times).sum()
    }

    /// Services with a case.
    pub fn services(&self) -> BTreeSet<&str> {
        self.iter().map(|(_, service, _)| service).collect()
    }

    /// Remembers a case as it was.
    pub(super) fn put(&mut self, policy: Box<str>, service: Box<str>, case: Case) {
        self.of.entry(policy).or_default().insert(service, case);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.of.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}
