//! A document of members in the order they were added, as JSON or YAML.

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// `true` or `false`.
    Truth(bool),
    /// A whole number.
    Count(u64),
    /// Another number, as it is written.
    Number(String),
    /// Text.
    Text(String),
    /// Elements.
    List(Vec<Document>),
    /// Members, in this order.
    Map(Vec<(String, Document)>),
}

impl From<&str> for Document {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Document {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Document {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for Document {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

impl From<Vec<Document>> for Document {
    fn from(items: Vec<Document>) -> Self {
        Self::List(items)
    }
}

impl Document {
    /// An object without members.
    pub(crate) const fn map() -> Self {
        Self::Map(Vec::new())
    }

    /// With one more member.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Document>) -> Self {
        self.put(key, value);
        self
    }

    /// Adds a member.
    pub(crate) fn put(&mut self, key: &str, value: impl Into<Document>) {
        if let Self::Map(members) = self {
            members.push((key.to_owned(), value.into()));
        }
    }

    /// Whether it has a member of that name.
    pub(crate) fn has(&self, key: &str) -> bool {
        matches!(self, Self::Map(members) if members.iter().any(|(known, _)| known == key))
    }

    /// Whether it has neither elements nor members.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Map(members) => members.is_empty(),
            _ => false,
        }
    }

    /// As JSON, indented by two.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out, 0);
        out.push('\n');
        out
    }

    /// As YAML 1.2; texts that could be taken for something else are in quotes.
    pub fn yaml(&self) -> String {
        let mut out = String::new();
        self.write_yaml(&mut out, 0);
        out
    }

    fn write_json(&self, out: &mut String, depth: usize) {
        match self {
            Self::List(items) if !items.is_empty() => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    line(out, at > 0, depth + 1);
                    item.write_json(out, depth + 1);
                }
                line(out, false, depth);
                out.push(']');
            }
            Self::Map(members) if !members.is_empty() => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    line(out, at > 0, depth + 1);
                    quote(key, out);
                    out.push_str(": ");
                    value.write_json(out, depth + 1);
                }
                line(out, false, depth);
                out.push('}');
            }
            scalar => scalar.write_scalar(out),
        }
    }

    fn write_yaml(&self, out: &mut String, depth: usize) {
        match self {
            Self::List(items) => {
                for item in items {
                    out.push_str(&"  ".repeat(depth));
                    out.push('-');
                    item.write_below(out, depth);
                }
            }
            Self::Map(members) => {
                for (key, value) in members {
                    out.push_str(&"  ".repeat(depth));
                    if is_plain(key) {
                        out.push_str(key)
                    } else {
                        quote(key, out)
                    }
                    out.push(':');
                    value.write_below(out, depth);
                }
            }
            scalar => {
                scalar.write_scalar(out);
                out.push('\n');
            }
        }
    }

    /// Behind a dash or a key: what has parts begins a line below, one level deeper.
    fn write_below(&self, out: &mut String, depth: usize) {
        if matches!(self, Self::List(_) | Self::Map(_)) && !self.is_empty() {
            out.push('\n');
            self.write_yaml(out, depth + 1);
        } else {
            out.push(' ');
            self.write_scalar(out);
            out.push('\n');
        }
    }

    fn write_scalar(&self, out: &mut String) {
        match self {
            Self::Truth(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Count(count) => out.push_str(&count.to_string()),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => quote(text, out),
            Self::List(_) => out.push_str("[]"),
            Self::Map(_) => out.push_str("{}"),
        }
    }
}

fn line(out: &mut String, comma: bool, depth: usize) {
    out.push_str(if comma { ",\n" } else { "\n" });
    out.push_str(&"  ".repeat(depth));
}

/// A string of JSON, which is one of YAML, too.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // YAML wants the C1 controls and the separators escaped, too (5.1).
            hidden if hidden.is_control() || matches!(hidden, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(hidden)));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// Whether a key needs no quotes: a path, a name, but no number and no word of YAML's own.
fn is_plain(key: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c))
        && !words.contains(&key.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document::map()
            .with("openapi", "3.1.0")
            .with("/a/{id}", Document::map().with("get", Document::map()))
            .with(
                "list",
                vec![Document::Count(1), Document::map().with("x", "a: \"b\"\n\u{85}").with("y", true)],
            )
            .with("200", Document::List(Vec::new()))
            .with("no", Document::Number("1.5".into()))
    }

    #[test]
    fn json_is_json_in_the_order_of_its_members() {
        let text = document().json();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["list"][1]["x"], "a: \"b\"\n\u{85}");
        assert!(text.find("openapi") < text.find("/a/{id}") && text.find("/a/{id}") < text.find("list"));
    }

    #[test]
    fn yaml_says_the_same() {
        assert_eq!(
            document().yaml(),
            "openapi: \"3.1.0\"\n\"/a/{id}\":\n  get: {}\nlist:\n  - 1\n  -\n    x: \"a: \\\"b\\\"\\n\\u0085\"\n    \"y\": true\n\
             \"200\": []\n\"no\": 1.5\n"
        );
    }
}
