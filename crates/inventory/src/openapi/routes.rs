//! Which described template a path is: concrete segments go before those with parameters (OpenAPI 3.1.0, 4.8.8.1).

use super::pattern::{self, Segment};
use std::collections::BTreeMap;

/// Described templates by segment.
#[derive(Debug, Default)]
pub(super) struct Routes {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    words: BTreeMap<Box<str>, u32>,
    /// What is most specific stands first.
    mixed: Vec<(Segment, u32)>,
    any: Option<u32>,
    /// Templates that end here.
    ends: Vec<u32>,
}

impl Routes {
    /// Adds a template by its number.
    pub(super) fn add(&mut self, segments: &[Segment], number: u32) {
        let mut at = self.root();
        for segment in segments {
            at = self.child(at, segment);
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.ends.push(number);
        }
    }

    /// Goes through the templates that a path is, most specific first, until one is taken.
    pub(super) fn find(&self, path: &[&str], taken: &mut dyn FnMut(u32) -> bool) {
        if !self.nodes.is_empty() {
            self.walk(0, path, taken);
        }
    }

    /// Paths have at most 32 segments, which bounds the depth; each node is visited at most once.
    fn walk(&self, at: u32, path: &[&str], taken: &mut dyn FnMut(u32) -> bool) -> bool {
        let Some(node) = self.nodes.get(at as usize) else { return false };
        let Some((segment, rest)) = path.split_first() else {
            return node.ends.iter().any(|number| taken(*number));
        };
        let word = node.words.get(*segment).copied();
        let mixed = node.mixed.iter().filter_map(|(mixed, child)| match mixed {
            Segment::Mixed(literals) => pattern::fits(literals, segment).then_some(*child),
            Segment::Word(_) | Segment::Any => None,
        });
        word.into_iter().chain(mixed).chain(node.any).any(|child| self.walk(child, rest, taken))
    }

    fn root(&mut self) -> u32 {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        0
    }

    fn child(&mut self, at: u32, segment: &Segment) -> u32 {
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(at as usize) else { return at };
        let known = match segment {
            Segment::Word(word) => *node.words.entry(word.clone()).or_insert(next),
            Segment::Any => *node.any.get_or_insert(next),
            Segment::Mixed(_) => match node.mixed.iter().find(|(known, _)| known == segment) {
                Some((_, child)) => *child,
                None => {
                    let weight = segment.weight();
                    let place = node.mixed.partition_point(|(known, _)| known.weight() >= weight);
                    node.mixed.insert(place, (segment.clone(), next));
                    next
                }
            },
        };
        if known == next {
            self.nodes.push(Node::default());
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(templates: &[&str]) -> Routes {
        let mut routes = Routes::default();
        for (number, template) in templates.iter().enumerate() {
            routes.add(&pattern::read("", template).unwrap().1, u32::try_from(number).unwrap());
        }
        routes
    }

    #[test]
    fn concrete_goes_before_templated_and_dead_ends_are_left() {
        let templates = [
            "/pets/{petId}",
            "/pets/mine",
            "/pets/{name}.json",
            "/{kind}/mine/toys",
            "/pets/{petId}/toys/{toyId}",
        ];
        let routes = routes(&templates);
        let found = |path: &str| {
            let segments: Vec<&str> = path.split('/').skip(1).collect();
            let mut found = None;
            routes.find(&segments, &mut |number| {
                found = Some(templates[number as usize]);
                true
            });
            found
        };
        assert_eq!(found("/pets/7"), Some("/pets/{petId}"));
        assert_eq!(found("/pets/mine"), Some("/pets/mine"));
        assert_eq!(found("/pets/rex.json"), Some("/pets/{name}.json"));
        assert_eq!(found("/cats/mine/toys"), Some("/{kind}/mine/toys"));
        // `pets` leads nowhere here, though it is concrete.
        assert_eq!(found("/pets/mine/toys"), Some("/{kind}/mine/toys"));
        assert_eq!(found("/pets/mine/toys/1"), Some("/pets/{petId}/toys/{toyId}"));
        assert_eq!(found("/pets"), None);
        assert_eq!(found("/pets/7/x"), None);
    }
}
