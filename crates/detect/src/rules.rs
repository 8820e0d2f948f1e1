//! What users' rules bring into detection: what a finding says of its rule, and what judges calls by rules.

use crate::Finding;
use std::any::Any;
use tapwire_inspect::TokenKey;
use tapwire_inventory::Call;
use tapwire_inventory::state::{Restored, Unfit, behind_preface, preface};

/// What the finding of a user's rule says of it: the operator's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleInfo {
    /// The rule's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: Option<String>,
    /// Its tags, as written.
    pub tags: Vec<String>,
    /// Techniques of MITRE ATT&CK among them, such as `T1190.001`.
    pub techniques: Vec<String>,
    /// When it is wrong, as its author says.
    pub false_positives: Vec<String>,
}

/// The name that findings of rules have in the place of a detector's.
pub const RULE: &str = "rule";

/// What became of calls and groups so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleCounters {
    /// Rules that calls are judged by, correlations with them.
    pub rules: u64,
    /// Calls judged.
    pub judged: u64,
    /// Findings raised.
    pub findings: u64,
    /// Groups that correlations keep.
    pub groups: u64,
    /// Groups that made room for others before their time was over.
    pub evicted_groups: u64,
    /// Texts longer than what is looked at.
    pub cut_texts: u64,
    /// Groups of a run before whose rules are gone or reckon otherwise.
    pub groups_left_out: u64,
}

/// The format of a checkpoint's pieces.
const FORMAT: u32 = 1;
/// Bytes of a checkpoint: as much as all groups at their limit take.
const MOST_BYTES: usize = 64 << 20;

/// Pieces of a checkpoint, made as they are asked for: of groups as they were when it began.
pub type RulePieces = Box<dyn Iterator<Item = Vec<u8>> + Send>;

/// What correlations held when a run before ended, as its checkpoint has it, for the rules that go on with it.
#[derive(Debug, Default)]
pub struct HeldGroups {
    pieces: Vec<Vec<u8>>,
    bytes: usize,
    begun: bool,
    left_out: u64,
}

impl HeldGroups {
    /// What a checkpoint's first piece begins with.
    pub fn preface(key: &TokenKey) -> [u8; 8] {
        preface(FORMAT, key)
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// It is of another version or key, or none.
    pub fn take(&mut self, piece: &[u8], key: &TokenKey) -> Result<(), Unfit> {
        let piece = match std::mem::replace(&mut self.begun, true) {
            true => piece,
            false => behind_preface(piece, FORMAT, key)?,
        };
        self.bytes += piece.len();
        match self.bytes > MOST_BYTES {
            true => self.left_out += 1,
            false => self.pieces.push(piece.to_owned()),
        }
        Ok(())
    }

    /// What was taken.
    ///
    /// # Errors
    /// No piece was a checkpoint's first.
    pub fn finish(self) -> Result<(Self, Restored), Unfit> {
        let restored = Restored { left_out: self.left_out, ..Restored::default() };
        self.begun.then_some((self, restored)).ok_or(Unfit::Unreadable)
    }

    /// The pieces in their order, the first without its preface.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Vec::as_slice)
    }
}

/// Judges calls by users' rules, after the detectors.
pub trait CallRules: Send + std::fmt::Debug {
    /// Judges a call; `out` holds what detectors found in it, and takes what rules find.
    fn judge(&mut self, call: &Call, out: &mut Vec<Finding>);

    /// What became of calls so far.
    fn counters(&self) -> RuleCounters;

    /// What correlations hold, for the rules that take over when they were read again.
    fn hand_over(&mut self) -> Option<Box<dyn Any + Send>> {
        None
    }

    /// Goes on with what the rules before held, as far as they are the same.
    fn take_over(&mut self, _held: Box<dyn Any + Send>, _before: RuleCounters) {}

    /// The key under which texts of traffic are kept, before the first call: groups are told apart by keyed hashes.
    fn set_key(&mut self, _key: &TokenKey) {}

    /// What correlations hold now, as pieces of a checkpoint.
    fn pieces(&self, key: &TokenKey) -> RulePieces {
        Box::new(std::iter::once(HeldGroups::preface(key).to_vec()))
    }

    /// Goes on with what a run before held, as far as the rules are the same.
    fn restore(&mut self, _held: &HeldGroups) {}
}
