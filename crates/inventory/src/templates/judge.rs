//! Which words below a node are data: those behind which the same thing stands.

use super::compare::Evidence;
use super::node::{Label, NodeId, bit};
use super::words::{self, Standing};
use super::{Change, Templates};
use tapwire_inspect::SegmentKind;

/// Siblings that are compared with each other; of more, those that came first.
const MAX_COMPARED: usize = 48;
/// How many linked words are data.
const LINKED: usize = 3;
/// Without answers that tell: so many words, calls, and share of calls that bring a word never seen (Good and Turing).
const UNTOLD_WORDS: usize = 8;
const UNTOLD_HITS: u32 = 24;
const NOVELTY: f32 = 0.08;

impl Templates {
    /// Judges the words on the way to a node, from the root down.
    pub(crate) fn judge_way(&mut self, at: NodeId, changes: &mut Vec<Change>) {
        let mut way = vec![at];
        let mut next = at;
        while self.node(next).label != Label::Root && way.len() < 64 {
            next = self.node(next).parent;
            way.push(next);
        }
        for id in way.into_iter().rev() {
            let node = self.node(id);
            if node.hits >= node.look && self.judge(id, changes) {
                // Nodes below may be gone.
                return;
            }
        }
    }

    /// Judges the words of every node at and below one.
    pub(crate) fn judge_below(&mut self, at: NodeId, changes: &mut Vec<Change>) {
        self.judge(at, changes);
        let node = self.node(at);
        let children: Vec<NodeId> = node.words.iter().chain(&node.parameters).copied().collect();
        for child in children {
            if self.node(child).parent == at && child != at {
                self.judge_below(child, changes);
            }
        }
    }

    /// Judges the words of one node. Returns whether some of them became a parameter.
    fn judge(&mut self, at: NodeId, changes: &mut Vec<Change>) -> bool {
        let node = self.node_mut(at);
        node.look = node.hits.saturating_add(node.hits / 3).saturating_add(1);
        let opened = node.parameters.clone();
        let opened = opened.iter().any(|parameter| self.node(*parameter).is_open());
        let words = self.node(at).words.len();
        if words == 0 || !opened && words < LINKED - 1 {
            return false;
        }
        let mut endings: Vec<&str> =
            self.node(at).words.iter().map(|word| self.node(*word).ending()).collect();
        endings.sort_unstable();
        endings.dedup();
        let endings: Vec<String> = endings.into_iter().map(str::to_owned).collect();
        let mut merged = false;
        for ending in endings {
            let data = self.data(at, &ending);
            if !data.is_empty() {
                self.merge_words(at, &data, changes);
                merged = true;
            }
        }
        merged
    }

    /// The words of a node with that ending that are data.
    fn data(&self, at: NodeId, ending: &str) -> Vec<NodeId> {
        let free = |word: &&NodeId| {
            let word = self.node(**word);
            word.standing != Standing::Fixed && word.ending() == ending
        };
        let words: Vec<NodeId> =
            self.node(at).words.iter().filter(free).take(MAX_COMPARED).copied().collect();
        let parameter = self.parameter(at, ending);
        if let Some(open) = parameter.filter(|parameter| self.node(*parameter).is_open()) {
            return words.into_iter().filter(|word| self.joins(*word, open)).collect();
        }
        let free: Vec<NodeId> =
            words.into_iter().filter(|word| self.node(*word).standing == Standing::Free).collect();
        let drawn = |id: NodeId| self.node(id).kinds & bit(SegmentKind::Identifier) != 0;
        let mut data: Vec<NodeId> = match parameter.filter(|parameter| drawn(*parameter)) {
            Some(drawn) => free
                .iter()
                .copied()
                .filter(|word| self.is_opaque(*word) && self.joins(*word, drawn))
                .collect(),
            None => Vec::new(),
        };
        if !data.is_empty() {
            return data;
        }
        for group in self.groups(&free) {
            if group.len() >= LINKED && !self.is_vocabulary(&group, true) {
                data.extend(group);
            }
        }
        if data.is_empty() { self.untold(free) } else { data }
    }

    /// Whether a word is one more value of a parameter that has words for values.
    fn joins(&self, word: NodeId, open: NodeId) -> bool {
        let evidence = self.compare(word, open);
        let node = self.node(word);
        match node.standing {
            Standing::Free if self.is_api_like(word) => evidence.agree > 1.2 * evidence.conflict,
            Standing::Free => evidence.agree + evidence.weak + 0.45 > evidence.conflict,
            Standing::Reserved => {
                evidence.agree >= 0.45 && evidence.conflict == 0.0 && self.has_same_traffic(word, open)
            }
            Standing::Fixed => false,
        }
    }

    /// Whether a reserved word's methods and status mix are those of the parameter.
    fn has_same_traffic(&self, word: NodeId, open: NodeId) -> bool {
        let (word, open) = (self.node(word), self.node(open));
        word.slots.len() == open.slots.len()
            && word.slots.iter().all(|slot| {
                let other = open.slot(slot.method, slot.operation);
                other.is_some_and(|other| other.answers.classes() == slot.answers.classes())
            })
    }

    /// Groups of words that are linked with each other.
    fn groups(&self, words: &[NodeId]) -> Vec<Vec<NodeId>> {
        let mut groups: Vec<Vec<NodeId>> = Vec::new();
        for word in words {
            let linked = |group: &Vec<NodeId>| self.links(*word, group);
            match groups.iter_mut().find(|group| linked(group)) {
                Some(group) => group.push(*word),
                None => groups.push(vec![*word]),
            }
        }
        groups
    }

    /// Whether a word is linked with a group: with most of its first members.
    fn links(&self, word: NodeId, group: &[NodeId]) -> bool {
        let compared = group.iter().take(5);
        let linked = compared.clone().filter(|member| self.is_linked(word, **member)).count();
        linked * 2 > compared.len()
    }

    fn is_linked(&self, one: NodeId, other: NodeId) -> bool {
        let evidence = self.compare(one, other);
        let weak = if self.is_value_like(one) && self.is_value_like(other) { 1.0 } else { 0.2 };
        evidence.agree + f32::min(weak * evidence.weak, 0.5) - 1.5 * evidence.conflict >= Evidence::LINK
    }

    /// Whether words that look alike behind are words of the API all the same: resources and verbs, each of them called often.
    fn is_vocabulary(&self, group: &[NodeId], told: bool) -> bool {
        let api_like = group.iter().filter(|id| self.is_api_like(**id)).count();
        let value_like = group.iter().filter(|id| self.is_value_like(**id)).count();
        let hits: u32 = group.iter().map(|id| self.node(*id).hits).sum();
        let once = group.iter().filter(|id| self.node(**id).hits == 1).count();
        let words = u32::try_from(group.len()).unwrap_or(u32::MAX);
        let novelty = ratio(once, hits);
        let often = |times: u32| hits >= words.saturating_mul(times);
        let brings_new = novelty >= 0.3 && hits >= 8
            || novelty >= 0.04 && often(6)
            || told && words >= 10 && novelty >= 0.12 && often(2)
            || told && words >= 8 && self.is_told_well(group);
        let api_like = api_like * 2 >= group.len();
        let brings_many = novelty >= 0.3 && hits >= 60;
        api_like && !brings_many || value_like * 2 < group.len() && !brings_new
    }

    /// Whether the first words of a group have at least four keys in common, and nothing against it.
    fn is_told_well(&self, group: &[NodeId]) -> bool {
        let Some((first, others)) = group.split_first() else { return false };
        others.iter().take(6).all(|other| {
            let evidence = self.compare(*first, *other);
            evidence.agree >= 0.9 && evidence.conflict == 0.0
        })
    }

    fn is_api_like(&self, word: NodeId) -> bool {
        matches!(&self.node(word).label, Label::Word(text) if words::is_api_like(text))
    }

    fn is_opaque(&self, word: NodeId) -> bool {
        matches!(&self.node(word).label, Label::Word(text) if words::is_opaque(text))
    }

    fn is_value_like(&self, word: NodeId) -> bool {
        matches!(&self.node(word).label, Label::Word(text) if words::is_value_like(text))
    }

    /// Words that are data by their number alone.
    fn untold(&self, words: Vec<NodeId>) -> Vec<NodeId> {
        let hits: u32 = words.iter().map(|word| self.node(*word).hits).sum();
        let once = words.iter().filter(|word| self.node(**word).hits == 1).count();
        let value_like = words.iter().filter(|word| self.is_value_like(**word)).count();
        // Digits and several parts speak for data, too.
        let enough = if value_like * 4 >= words.len() * 3 { UNTOLD_HITS / 2 } else { UNTOLD_HITS };
        if words.len() < UNTOLD_WORDS
            || hits < enough
            || ratio(once, hits) < NOVELTY
            || self.is_vocabulary(&words, false)
        {
            return Vec::new();
        }
        let data: Vec<NodeId> = words.iter().copied().filter(|word| self.is_untold(*word, &words)).collect();
        if data.len() >= UNTOLD_WORDS { data } else { Vec::new() }
    }

    /// Whether nothing tells a word from most of its siblings.
    fn is_untold(&self, word: NodeId, siblings: &[NodeId]) -> bool {
        let others = siblings.iter().filter(|other| **other != word).take(9);
        let against = others.clone().filter(|other| self.compare(word, **other).conflict > 0.0).count();
        against * 2 < others.count()
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of calls")]
fn ratio(count: usize, all: u32) -> f32 {
    count as f32 / all.max(1) as f32
}
