//! Segments of described templates.

use crate::template;

/// One segment of a described template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// As paths have it.
    Word(Box<str>),
    /// A parameter, and nothing else.
    Any,
    /// Text with parameters in it, such as `{orderId}.json`: what stands before, between and behind them.
    Mixed(Vec<Box<str>>),
}

impl Segment {
    /// Reads a segment as a description writes it.
    fn read(text: &str) -> Self {
        let mut literals = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((_, behind)) = behind.split_once('}') else { break };
            literals.push(word(before));
            rest = behind;
        }
        if literals.is_empty() {
            return Self::Word(word(text));
        }
        literals.push(word(rest));
        if literals.iter().all(|literal| literal.is_empty()) { Self::Any } else { Self::Mixed(literals) }
    }

    /// Characters that have to be there: the more, the more specific.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Word(text) => text.len(),
            Self::Any => 0,
            Self::Mixed(literals) => literals.iter().map(|literal| literal.len()).sum(),
        }
    }
}

fn word(text: &str) -> Box<str> {
    template::word(text.as_bytes()).into()
}

/// Whether a segment of a path is text with something in place of each parameter.
pub(super) fn fits(literals: &[Box<str>], segment: &str) -> bool {
    let (Some((first, others)), Some(last)) = (literals.split_first(), literals.last()) else { return false };
    let Some(mut rest) = segment.strip_prefix(&**first) else { return false };
    for literal in others.iter().take(others.len().saturating_sub(1)) {
        // A parameter has one character at least.
        let Some(at) = rest.get(1..).and_then(|tail| tail.find(&**literal)) else { return false };
        rest = rest.get(1 + at + literal.len()..).unwrap_or_default();
    }
    rest.len() > last.len() && rest.ends_with(&**last)
}

/// A described template: its text as endpoints have it, and its segments. `None` where paths as long are not looked at.
pub(super) fn read(base: &str, path: &str) -> Option<(String, Vec<Segment>)> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut text = String::new();
    let mut segments = Vec::new();
    for part in base.split('/').chain(path.split('/')).filter(|part| !part.is_empty()) {
        text.push('/');
        let segment = Segment::read(part);
        match &segment {
            Segment::Word(word) => text.push_str(word),
            Segment::Any | Segment::Mixed(_) => text.push_str(&shown(part)),
        }
        segments.push(segment);
    }
    if text.is_empty() {
        text.push('/');
    }
    (segments.len() < 32).then_some((text, segments))
}

/// A segment with parameters as templates show it: names are kept, but for what no name has.
fn shown(part: &str) -> String {
    let mut out = String::new();
    let mut rest = part;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, behind)) = behind.split_once('}') else { break };
        let name: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.$".contains(*c)).collect();
        out.push_str(&template::word(before.as_bytes()));
        out.push_str(&format!("{{{}}}", if name.is_empty() { "id" } else { &name }));
        rest = behind;
    }
    out.push_str(&template::word(rest.as_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read_with_their_base() {
        let text = |base, path| read(base, path).unwrap().0;
        assert_eq!(text("/v1", "/orders/{order_id}/"), "/v1/orders/{order_id}");
        assert_eq!(text("", "/"), "/");
        assert_eq!(text("", "/caf\u{e9}/{a b}.json?x=1"), "/caf%C3%A9/{ab}.json");
        assert_eq!(text("", "/Products({id})"), "/Products({id})");
        assert!(read("", &"/a".repeat(32)).is_none());
    }

    #[test]
    fn mixed_segments_want_something_in_place_of_each_parameter() {
        let fits = |template, segment| match Segment::read(template) {
            Segment::Mixed(literals) => fits(&literals, segment),
            other => panic!("{other:?}"),
        };
        assert!(fits("{id}.json", "7.json") && !fits("{id}.json", ".json") && !fits("{id}.json", "7.xml"));
        assert!(
            fits("{a}-{b}", "x-y")
                && fits("{a}-{b}", "x-y-z")
                && !fits("{a}-{b}", "x-")
                && !fits("{a}-{b}", "-y")
        );
        assert!(fits("Products({id})", "Products(7)") && !fits("Products({id})", "Products()"));
        assert!(fits("{id}:cancel", "7:cancel") && !fits("v{n}", "w1"));
    }
}
