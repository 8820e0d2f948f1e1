//! How likely words are data: what is known of them and of their place, weighed.
//!
//! The weights are those of a logistic regression on the tuning half of published descriptions: the sum is the logarithm
//! of the odds that words are values of one parameter, as far as that traffic is like other traffic.

use super::compare::Evidence;
use super::judge::Siblings;
use super::node::{Label, Node, NodeId};
use super::words::{self, Standing};
use super::{GET, ITEM_METHODS, POST, Templates};

/// Pairs of words that are compared to know a group; of large ones up to twice as many.
const PAIRS: usize = 6;

/// What is known of several words below one node, with its weight.
const GROUP_SIGNS: usize = 27;
const GROUP: [f32; GROUP_SIGNS] = [
    -0.03,  // bias
    0.297,  // log2 of how many words they are
    -0.456, // log2 of calls for each word
    2.431,  // share of calls that brought a word never seen again (Good and Turing)
    -4.984, // share of the calls that the word called most has
    0.122,  // share of its siblings
    1.308,  // answers with the same keys on the same path
    -6.377, // answers that differ there
    6.162,  // the same paths and methods, whose answers do not tell
    1.456,  // shares: words with digits or escapes
    1.16,   // of three parts and more
    4.639,  // drawn by lot
    -3.16,  // plurals
    -3.022, // several words written as one
    -2.396, // directly before a parameter
    -1.539, // before words
    0.318,  // called with PUT, PATCH or DELETE
    0.655,  // not called themselves
    1.878,  // known as values elsewhere
    3.961,  // repeated by an answer
    -0.269, // 0 or 1: below a parameter
    -1.815, // below the root or a version
    0.653,  // below a plural
    0.0,    // what they are below is read (GET)
    0.085,  // is made (POST)
    -0.62,  // has a parameter already
    -0.535, // eight words and more
];

/// What is known of one word beside a parameter, with its weight.
const WORD_SIGNS: usize = 24;
const WORD: [f32; WORD_SIGNS] = [
    0.804,  // bias
    1.094,  // answers with the same keys on the same path
    -3.764, // answers that differ there
    6.961,  // the same paths and methods, whose answers do not tell
    -0.954, // log2 of the word's calls
    0.26,   // log2 of the parameter's calls for each of them
    2.531,  // 0 or 1: digits or escapes
    -0.906, // three parts and more
    2.813,  // drawn by lot
    -1.57,  // a plural
    -0.501, // several words written as one
    -0.607, // a word for an action or the caller
    0.412,  // known as a value elsewhere
    2.827,  // repeated by an answer
    -1.69,  // called with no method that the parameter is not called with
    0.733,  // neither is called
    -1.284, // only the word is called
    -2.187, // only the word stands before a parameter
    -0.178, // only the word stands before words
    1.967,  // below a parameter
    1.591,  // below a plural
    -0.878, // the parameter has words for values
    -2.275, // it has values drawn by lot
    1.273,  // the word is called with PUT, PATCH or DELETE
];

impl Templates {
    /// The odds that words below a node are values of one parameter, as a logarithm.
    pub(super) fn odds(&self, at: NodeId, group: &[NodeId], siblings: &Siblings) -> f32 {
        let evidence = self.evidence(group);
        weigh(&GROUP, &self.group_signs(at, group, siblings, evidence))
            + self.looks_of_group(at, group, siblings, evidence)
    }

    /// The odds that a word is one more value of a parameter beside it, as a logarithm.
    pub(super) fn odds_to_join(&self, word: NodeId, parameter: NodeId) -> f32 {
        let evidence = self.compare(word, parameter);
        weigh(&WORD, &self.word_signs(word, parameter, evidence))
            + self.looks_of_word(word, parameter, evidence)
    }

    fn group_signs(
        &self,
        at: NodeId,
        group: &[NodeId],
        siblings: &Siblings,
        evidence: Evidence,
    ) -> [f32; GROUP_SIGNS] {
        let place = self.place(at);
        let share = |is: &dyn Fn(NodeId, &Node, &str) -> bool| {
            let count = group.iter().filter(|id| is(**id, self.node(**id), self.word(**id))).count();
            ratio(count, group.len())
        };
        let hits = group.iter().map(|id| self.node(*id).hits as usize).sum::<usize>();
        let most = group.iter().map(|id| self.node(*id).hits as usize).max().unwrap_or_default();
        let once = group.iter().filter(|id| self.node(**id).hits == 1).count();
        [
            1.0,
            log(group.len() * siblings.all / siblings.compared.len().max(1)),
            log(hits) - log(group.len()),
            ratio(once, hits),
            ratio(most, hits),
            ratio(group.len(), siblings.compared.len()),
            f32::min(evidence.agree, 1.0),
            f32::min(evidence.conflict, 1.0),
            f32::min(evidence.weak, 1.0),
            share(&|_, _, word| words::has_digits(word)),
            share(&|_, _, word| words::has_parts(word)),
            share(&|_, _, word| words::is_opaque(word)),
            share(&|_, _, word| words::is_plural(word)),
            share(&|_, _, word| words::is_camel(word)),
            share(&|_, node, _| !node.parameters.is_empty()),
            share(&|_, node, _| !node.words.is_empty()),
            share(&|_, node, _| node.slots.iter().any(|slot| ITEM_METHODS.contains(&slot.method))),
            share(&|_, node, _| node.slots.is_empty()),
            share(&|_, _, word| self.is_known_value(at, word)),
            share(&|_, node, _| node.echoed),
            place.below_parameter,
            place.below_root,
            place.below_plural,
            place.is_read,
            place.is_made,
            place.has_typed,
            f32::from(u8::from(group.len() >= 8)),
        ]
    }

    fn word_signs(&self, word: NodeId, parameter: NodeId, evidence: Evidence) -> [f32; WORD_SIGNS] {
        let (node, other) = (self.node(word), self.node(parameter));
        let text = self.word(word);
        let place = self.place(node.parent);
        let sign = |is: bool| f32::from(u8::from(is));
        let same = |slot: &super::Slot| other.slot(slot.method, slot.operation).is_some();
        [
            1.0,
            f32::min(evidence.agree, 1.5),
            f32::min(evidence.conflict, 1.5),
            f32::min(evidence.weak, 1.0),
            log(node.hits as usize),
            log(other.hits as usize) - log(node.hits as usize),
            sign(words::has_digits(text)),
            sign(words::has_parts(text)),
            sign(words::is_opaque(text)),
            sign(words::is_plural(text)),
            sign(words::is_camel(text)),
            sign(node.standing == Standing::Reserved),
            sign(self.is_known_value(node.parent, text)),
            sign(node.echoed),
            sign(!node.slots.is_empty() && node.slots.iter().all(same)),
            sign(node.slots.is_empty() && other.slots.is_empty()),
            sign(!node.slots.is_empty() && other.slots.is_empty()),
            sign(!node.parameters.is_empty() && other.parameters.is_empty()),
            sign(!node.words.is_empty() && other.words.is_empty()),
            place.below_parameter,
            place.below_plural,
            sign(other.is_open()),
            sign(other.is_drawn()),
            sign(node.slots.iter().any(|slot| ITEM_METHODS.contains(&slot.method))),
        ]
    }

    /// What the answers of some pairs of words say, spread over all of them, on average.
    pub(super) fn evidence(&self, group: &[NodeId]) -> Evidence {
        let mut sum = Evidence::default();
        let step = (group.len() / PAIRS / 2).max(1) * 2;
        let pairs = group.len().div_ceil(step);
        for at in (0..group.len()).step_by(step) {
            let (Some(one), Some(other)) = (group.get(at), group.get(at + 1).or(group.first())) else {
                continue;
            };
            let one = self.compare(*one, *other);
            sum.agree += f32::min(one.agree, 1.0) / count(pairs);
            sum.conflict += f32::min(one.conflict, 1.0) / count(pairs);
            sum.weak += f32::min(one.weak, 1.0) / count(pairs);
            sum.both += one.both / count(pairs);
            sum.one += one.one / count(pairs);
        }
        sum
    }

    fn place(&self, at: NodeId) -> Place {
        let node = self.node(at);
        let sign = |is: bool| f32::from(u8::from(is));
        let (parameter, root, plural) = match &node.label {
            Label::Root => (false, true, false),
            Label::Word(word) => (false, node.standing == Standing::Fixed, words::is_plural(word)),
            Label::Parameter(..) => (true, false, false),
        };
        let called = |method: u16| sign(node.slots.iter().any(|slot| slot.method == method));
        Place {
            below_parameter: sign(parameter),
            below_root: sign(root),
            below_plural: sign(plural),
            is_read: called(GET),
            is_made: called(POST),
            has_typed: sign(!node.parameters.is_empty()),
        }
    }

    pub(super) fn word(&self, id: NodeId) -> &str {
        match &self.node(id).label {
            Label::Word(text) => text,
            Label::Root | Label::Parameter(..) => "",
        }
    }
}

/// What is known of the node above words: signs, 0 or 1.
struct Place {
    below_parameter: f32,
    below_root: f32,
    below_plural: f32,
    is_read: f32,
    is_made: f32,
    has_typed: f32,
}

pub(super) fn weigh(weights: &[f32], signs: &[f32]) -> f32 {
    weights.iter().zip(signs).map(|(weight, sign)| weight * sign).sum()
}

pub(super) fn ratio(part: usize, all: usize) -> f32 {
    count(part) / count(all.max(1))
}

pub(super) fn log(number: usize) -> f32 {
    count(number.max(1)).log2()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of words and calls, of which the order of magnitude is asked"
)]
const fn count(number: usize) -> f32 {
    number as f32
}
