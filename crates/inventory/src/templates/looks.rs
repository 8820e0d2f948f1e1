//! What the looks of words say of their odds, and how much of what stands behind one stands behind others. The weights are
//! of the same regression as those of [`super::odds`].

use super::Templates;
use super::compare::Evidence;
use super::judge::Siblings;
use super::node::NodeId;
use super::odds::{log, ratio, weigh};
use super::words::{self, Look};

/// What their looks say, and how much of what stands behind one stands behind others.
const GROUP_LOOKS: usize = 12;
const LOOKS_OF_GROUP: [f32; GROUP_LOOKS] = [
    0.921,  // 0 or 1: two words only
    2.412,  // log2 of the paths and methods behind both of two words
    0.664,  // their share of those behind either
    0.447,  // shares: lower case letters only
    0.08,   // several parts
    2.367,  // capitals only
    -0.852, // capitalised
    0.291,  // words that look as most do
    -1.405, // siblings beside them that look so
    1.076,  // 0 or 1: below a word that says by what (`byName`)
    -1.304, // share of paths behind both, times the logarithm of their number
    -2.254, // share: nothing follows them
];

/// What its look says beside those of words that the parameter took, and how much stands behind both.
const WORD_LOOKS: usize = 14;
const LOOKS_OF_WORD: [f32; WORD_LOOKS] = [
    1.305,  // share of the parameter's words that look so
    -0.655, // 0 or 1: none of three and more does
    0.074,  // log2 of how many words the parameter took
    -1.088, // share of them that an answer repeated, where one was read and did not repeat this one
    1.997,  // 0 or 1: drawn by lot, as values of the parameter are
    0.917,  // log2 of the paths and methods behind both
    1.971,  // their share of those behind either
    -1.606, // 0 or 1: lower case letters only
    0.196,  // several parts
    3.392,  // capitals only
    -1.679, // capitalised
    0.547,  // lower case letters, and no word of the parameter looks so
    0.952,  // called once
    1.16,   // below a word that says by what (`byName`)
];

/// Words that a parameter took from which one tells what its values look like.
const TOLD: usize = 3;

impl Templates {
    /// What looks add to the odds that words below a node are values of one parameter.
    pub(super) fn looks_of_group(
        &self,
        at: NodeId,
        group: &[NodeId],
        siblings: &Siblings,
        evidence: Evidence,
    ) -> f32 {
        let looks: Vec<Look> = group.iter().map(|id| Look::of(self.word(*id))).collect();
        let share = |is: &[Look]| ratio(looks.iter().filter(|look| is.contains(look)).count(), looks.len());
        let (common, most) = common_look(&looks);
        let leaf = |id: &&NodeId| self.node(**id).words.is_empty() && self.node(**id).parameters.is_empty();
        let both = (1.0 + evidence.both.floor()).log2();
        let signs: [f32; GROUP_LOOKS] = [
            sign(group.len() == 2),
            both,
            evidence.overlap(),
            share(&[Look::Plain]),
            share(&[Look::Kebab, Look::Snake, Look::Parts]),
            share(&[Look::Capitals]),
            share(&[Look::Capitalised]),
            ratio(most, group.len()),
            self.others_alike(group, siblings, common),
            sign(words::is_by(self.word(at))),
            evidence.overlap() * both,
            ratio(group.iter().filter(leaf).count(), group.len()),
        ];
        weigh(&LOOKS_OF_GROUP, &signs)
    }

    /// What looks add to the odds that a word is one more value of a parameter beside it.
    pub(super) fn looks_of_word(&self, word: NodeId, parameter: NodeId, evidence: Evidence) -> f32 {
        let (node, other) = (self.node(word), self.node(parameter));
        let (text, taken) = (self.word(word), &other.taken);
        let look = Look::of(text);
        let is_unlike = taken.all() >= TOLD && taken.like(text) == 0;
        let is_read = node.slots.iter().any(|slot| slot.answers.is_read());
        let signs: [f32; WORD_LOOKS] = [
            ratio(taken.like(text), taken.all()),
            sign(is_unlike),
            log(1 + taken.all()),
            ratio(taken.echoed(), taken.all()) * sign(!node.echoed && is_read),
            sign(words::is_opaque(text) && other.is_drawn()),
            (1.0 + evidence.both).log2(),
            evidence.overlap(),
            sign(look == Look::Plain),
            sign(matches!(look, Look::Kebab | Look::Snake | Look::Parts)),
            sign(look == Look::Capitals),
            sign(look == Look::Capitalised),
            sign(is_unlike && look == Look::Plain),
            sign(node.hits == 1),
            sign(words::is_by(self.word(node.parent))),
        ];
        weigh(&LOOKS_OF_WORD, &signs)
    }

    /// How many of the siblings of some words have the look that most of these have.
    fn others_alike(&self, group: &[NodeId], siblings: &Siblings, common: Option<Look>) -> f32 {
        let others = siblings.compared.iter().filter(|id| !group.contains(id));
        let like = others.clone().filter(|id| Some(Look::of(self.word(**id))) == common).count();
        ratio(like, others.count())
    }
}

/// The look that most have, and how many have it.
fn common_look(looks: &[Look]) -> (Option<Look>, usize) {
    let count = |look: Look| looks.iter().filter(|other| **other == look).count();
    let most = looks.iter().copied().max_by_key(|look| (count(*look), *look as usize));
    (most, most.map_or(0, count))
}

fn sign(is: bool) -> f32 {
    f32::from(u8::from(is))
}
