//! What a person reads of a case: the same text as Markdown and as HTML.

use super::derive::Found;
use super::manifest::Manifest;
use crate::markdown::escaped as marked;
use serde_json::Value;
use std::fmt::Write;

/// A piece of the report.
enum Block {
    Heading(String),
    Text(String),
    List(Vec<String>),
    Table(Vec<&'static str>, Vec<Vec<String>>),
    Code(String),
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;\
    background:#fff}h1,h2{line-height:1.25}table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;\
    vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #d0d7de;overflow-wrap:break-word}pre{background:#f6f8fa;\
    padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{background:#0d1117;\
    color:#e6edf3}th,td{border-color:#30363d}pre{background:#161b22}}";

/// The report of an incident.
pub(super) struct Report {
    title: String,
    blocks: Vec<Block>,
}

impl Report {
    /// Of an incident and how its case came to be; `replay` derives it by hand.
    pub(super) fn of(found: &Found, manifest: &Manifest, replay: &str) -> Self {
        let about = About(&found.event);
        let title = format!("Incident {}: {}", short(&found.uid), about.title());
        let mut blocks = vec![Block::Text(about.text("/message")), Block::Table(vec!["", ""], about.facts())];
        blocks.extend(about.section(
            "What happened",
            &["Time", "Detector", "Outcome", "Why", "Exchange"],
            about.timeline(),
        ));
        blocks.extend(about.section(
            "What it was about",
            &["Endpoint", "Service", "Data"],
            about.endpoints(),
        ));
        let steps = about.texts("/unmapped/next_steps");
        if !steps.is_empty() {
            blocks.extend([Block::Heading("What to do".into()), Block::List(steps)]);
        }
        blocks.extend(Self::provenance(manifest, replay));
        Self { title, blocks }
    }

    fn provenance(manifest: &Manifest, replay: &str) -> Vec<Block> {
        let exported = &manifest.exported;
        let sum =
            |name: &str| manifest.files.get(name).map_or("a folder", |sum| sum.sha256.as_str()).to_owned();
        let inputs = manifest
            .inputs
            .iter()
            .map(|input| vec![input.was.clone(), input.name.clone(), sum(&input.name)])
            .collect();
        vec![
            Block::Heading("Where this comes from".into()),
            Block::Text(format!(
                "Exported by {} (user {}) at {} with tapwire {}. The incident comes out of the captures below, read with \
                 the configuration and the rules that are in this case. Texts here are redacted; packets are as they were \
                 captured.",
                exported.by, exported.user_id, exported.time, manifest.tapwire
            )),
            Block::Table(vec!["File", "In this case", "SHA-256"], inputs),
            Block::Heading("How to check it".into()),
            Block::Text(format!(
                "With the public key {}, given to you on another way; the second command does by hand what the first one \
                 does, in a folder with the files of this case.",
                manifest.public_key
            )),
            Block::Code(format!("tapwire case verify CASE --key {}\n{replay}", manifest.public_key)),
        ]
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# {}\n", marked(&self.title));
        for block in &self.blocks {
            text.push('\n');
            match block {
                Block::Heading(heading) => text.push_str(&format!("## {}\n", marked(heading))),
                Block::Text(said) => text.push_str(&format!("{}\n", marked(said))),
                Block::List(items) => {
                    items.iter().for_each(|item| text.push_str(&format!("- {}\n", marked(item))))
                }
                Block::Code(code) => code.lines().for_each(|line| text.push_str(&format!("    {line}\n"))),
                Block::Table(heads, rows) => {
                    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
                    text.push_str(&row(heads.iter().map(|head| marked(head)).collect()));
                    text.push_str(&row(heads.iter().map(|_| "---".to_owned()).collect()));
                    rows.iter().for_each(|cells| {
                        text.push_str(&row(cells.iter().map(|cell| marked(cell)).collect()))
                    });
                }
            }
        }
        text
    }

    pub(super) fn html(&self) -> String {
        let mut text = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'\"><title>{0}</title><style>{STYLE}</style></head><body><h1>{0}</h1>\n",
            escaped(&self.title)
        );
        for block in &self.blocks {
            match block {
                Block::Heading(heading) => _ = writeln!(text, "<h2>{}</h2>", escaped(heading)),
                Block::Text(said) => _ = writeln!(text, "<p>{}</p>", escaped(said)),
                Block::Code(code) => _ = writeln!(text, "<pre>{}</pre>", escaped(code)),
                Block::List(items) => {
                    let items: String =
                        items.iter().map(|item| format!("<li>{}</li>", escaped(item))).collect();
                    _ = writeln!(text, "<ul>{items}</ul>");
                }
                Block::Table(heads, rows) => _ = writeln!(text, "{}", html_table(heads, rows)),
            }
        }
        text.push_str("</body></html>\n");
        text
    }
}

fn html_table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |tag: &str, cells: Vec<String>| -> String {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect();
        format!("<tr>{cells}</tr>")
    };
    let has_heads = heads.iter().any(|head| !head.is_empty());
    let head =
        if has_heads { cells("th", heads.iter().map(|head| escaped(head)).collect()) } else { String::new() };
    let rows: String =
        rows.iter().map(|row| cells("td", row.iter().map(|cell| escaped(cell)).collect())).collect();
    format!("<table>{head}{rows}</table>")
}

/// The incident's event.
struct About<'a>(&'a Value);

impl About<'_> {
    fn text(&self, at: &str) -> String {
        text_of(self.0.pointer(at))
    }

    fn texts(&self, at: &str) -> Vec<String> {
        let texts = self.0.pointer(at).and_then(Value::as_array).into_iter().flatten();
        texts.map(|text| text_of(Some(text))).collect()
    }

    fn title(&self) -> String {
        self.text("/finding_info_list/0/title")
    }

    fn facts(&self) -> Vec<Vec<String>> {
        let callers =
            self.0.pointer("/unmapped/actor/callers").and_then(Value::as_array).into_iter().flatten();
        let callers: Vec<String> = callers.map(|caller| text_of(caller.get("token"))).collect();
        let addresses = self.texts("/unmapped/actor/addresses");
        let facts = [
            ("Severity", self.text("/severity")),
            ("Outcome", self.text("/unmapped/outcome")),
            ("Service", self.text("/unmapped/service")),
            ("Callers", callers.join(", ")),
            ("Addresses", addresses.join(", ")),
            ("From", time_of(self.0.get("start_time"))),
            ("Until", time_of(self.0.get("end_time"))),
            ("Findings", self.text("/unmapped/findings")),
            ("Uid", self.text("/unmapped/incident")),
        ];
        facts
            .into_iter()
            .filter(|(_, fact)| !fact.is_empty())
            .map(|(name, fact)| vec![name.into(), fact])
            .collect()
    }

    fn timeline(&self) -> Vec<Vec<String>> {
        let moments = self.0.pointer("/unmapped/timeline").and_then(Value::as_array).into_iter().flatten();
        let row = |moment: &Value| {
            let text = |name: &str| text_of(moment.get(name));
            let exchange = text("exchange");
            vec![
                time_of(moment.get("time")),
                text("detector"),
                text("outcome"),
                text("reason"),
                short(&exchange).into(),
            ]
        };
        moments.map(row).collect()
    }

    fn endpoints(&self) -> Vec<Vec<String>> {
        let endpoints = self.0.pointer("/unmapped/endpoints").and_then(Value::as_array).into_iter().flatten();
        let row = |endpoint: &Value| {
            let text = |name: &str| text_of(endpoint.get(name));
            let classes = endpoint.get("data_classes").and_then(Value::as_array).into_iter().flatten();
            let classes: Vec<String> = classes.map(|class| text_of(Some(class))).collect();
            vec![format!("{} {}", text("method"), text("template")), text("service"), classes.join(", ")]
        };
        endpoints.map(row).collect()
    }

    fn section(&self, heading: &str, heads: &[&'static str], rows: Vec<Vec<String>>) -> Vec<Block> {
        if rows.is_empty() {
            return Vec::new();
        }
        vec![Block::Heading(heading.into()), Block::Table(heads.to_vec(), rows)]
    }
}

fn text_of(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn time_of(value: Option<&Value>) -> String {
    let ms = value.and_then(Value::as_i64);
    ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|time| time.to_string())
        .unwrap_or_default()
}

/// The digits that people type.
fn short(uid: &str) -> &str {
    uid.get(..12).unwrap_or(uid)
}

/// Text that came from traffic is never markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_traffic_is_no_markup() {
        let odd = "<script>alert(1)</script> | [a](javascript:b) `c`\n# d";
        let report = Report {
            title: odd.into(),
            blocks: vec![
                Block::Heading(odd.into()),
                Block::Text(odd.into()),
                Block::List(vec![odd.into()]),
                Block::Table(vec!["", ""], vec![vec![odd.into(), odd.into()]]),
                Block::Code(odd.into()),
            ],
        };
        assert!(!report.html().contains("<script>"));
        let markdown = report.markdown();
        let plain = markdown.lines().filter(|line| !line.starts_with("    ")).collect::<String>();
        assert!(!plain.contains("<script>") && !plain.contains("[a]("), "{plain}");
        assert_eq!(markdown.lines().filter(|line| line.starts_with('|')).count(), 3, "{markdown}");
    }
}
