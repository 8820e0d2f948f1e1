//! How likely words are data: what is known of them and of their place, weighed.
//!
//! The weights are those of a logistic regression on the tuning half of published descriptions: the sum is the logarithm
//! of the odds that words are values of one parameter, as far as that traffic is like other traffic.

use super::compare::Evidence;
use super::judge::Siblings;
use super::node::{Label, Node, NodeId};
use super::words::{self, Standing};
use super::{GET, ITEM_METHODS, POST, Templates};

/// Words of a group that the others are compared with, and others that are.
const COMPARED: usize = 7;

/// What is known of several words below one node, with its weight.
const GROUP_SIGNS: usize = 27;
const GROUP: [f32; GROUP_SIGNS] = [
    -11.769, // bias
    1.764,   // log2 of how many words they are
    -0.774,  // log2 of calls for each word
    4.899,   // share of calls that brought a word never seen again (Good and Turing)
    -0.715,  // share of the calls that the word called most has
    4.544,   // share of its siblings
    4.688,   // answers with the same keys on the same path
    -9.102,  // answers that differ there
    21.177,  // the same paths and methods, whose answers do not tell
    2.813,   // shares: words with digits or escapes
    2.035,   // of three parts and more
    5.144,   // drawn by lot
    -5.814,  // plurals
    -3.801,  // several words written as one
    0.254,   // directly before a parameter
    1.225,   // before words
    1.54,    // called with PUT, PATCH or DELETE
    -0.087,  // not called themselves
    2.163,   // known as values elsewhere
    1.09,    // repeated by an answer
    0.189,   // 0 or 1: below a parameter
    -0.789,  // below the root or a version
    0.86,    // below a plural
    0.714,   // what they are below is read (GET)
    0.273,   // is made (POST)
    -1.52,   // has a parameter already
    -1.115,  // eight words and more
];

/// What is known of one word beside a parameter, with its weight.
const WORD_SIGNS: usize = 24;
const WORD: [f32; WORD_SIGNS] = [
    2.952,  // bias
    3.425,  // answers with the same keys on the same path
    -1.189, // answers that differ there
    9.951,  // the same paths and methods, whose answers do not tell
    -2.022, // log2 of the word's calls
    0.295,  // log2 of the parameter's calls for each of them
    4.858,  // 0 or 1: digits or escapes
    1.182,  // three parts and more
    2.128,  // drawn by lot
    -1.857, // a plural
    -0.415, // several words written as one
    -4.652, // a word for an action or the caller
    -0.464, // known as a value elsewhere
    3.439,  // repeated by an answer
    0.542,  // called with no method that the parameter is not called with
    1.424,  // neither is called
    -1.163, // only the word is called
    -1.097, // only the word stands before a parameter
    -0.321, // only the word stands before words
    0.914,  // below a parameter
    0.78,   // below a plural
    -1.955, // the parameter has words for values
    -1.679, // it has values drawn by lot
    1.563,  // the word is called with PUT, PATCH or DELETE
];

impl Templates {
    /// The odds that words below a node are values of one parameter, as a logarithm.
    pub(super) fn odds(&self, at: NodeId, group: &[NodeId], siblings: &Siblings) -> f32 {
        weigh(&GROUP, &self.group_signs(at, group, siblings))
    }

    /// The odds that a word is one more value of a parameter beside it, as a logarithm.
    pub(super) fn odds_to_join(&self, word: NodeId, parameter: NodeId) -> f32 {
        weigh(&WORD, &self.word_signs(word, parameter))
    }

    fn group_signs(&self, at: NodeId, group: &[NodeId], siblings: &Siblings) -> [f32; GROUP_SIGNS] {
        let place = self.place(at);
        let share = |is: &dyn Fn(NodeId, &Node, &str) -> bool| {
            let count = group.iter().filter(|id| is(**id, self.node(**id), self.word(**id))).count();
            ratio(count, group.len())
        };
        let hits = group.iter().map(|id| self.node(*id).hits as usize).sum::<usize>();
        let most = group.iter().map(|id| self.node(*id).hits as usize).max().unwrap_or_default();
        let once = group.iter().filter(|id| self.node(**id).hits == 1).count();
        let evidence = self.evidence(group);
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

    fn word_signs(&self, word: NodeId, parameter: NodeId) -> [f32; WORD_SIGNS] {
        let evidence = self.compare(word, parameter);
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

    /// What the first word's answers say of the others, on average.
    fn evidence(&self, group: &[NodeId]) -> Evidence {
        let mut sum = Evidence::default();
        let Some((first, others)) = group.split_first() else { return sum };
        let compared = others.len().min(COMPARED - 1);
        for other in others.iter().take(compared) {
            let one = self.compare(*first, *other);
            sum.agree += f32::min(one.agree, 1.0) / count(compared);
            sum.conflict += f32::min(one.conflict, 1.0) / count(compared);
            sum.weak += f32::min(one.weak, 1.0) / count(compared);
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

fn weigh(weights: &[f32], signs: &[f32]) -> f32 {
    weights.iter().zip(signs).map(|(weight, sign)| weight * sign).sum()
}

fn ratio(part: usize, all: usize) -> f32 {
    count(part) / count(all.max(1))
}

fn log(number: usize) -> f32 {
    count(number.max(1)).log2()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of words and calls, of which the order of magnitude is asked"
)]
const fn count(number: usize) -> f32 {
    number as f32
}
