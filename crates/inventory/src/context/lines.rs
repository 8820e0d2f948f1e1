//! The form of `[networks]` and `[lists]`: sections with keys and lists of texts, as TOML writes them. It is read line by
//! line, so that a broken one costs only itself.

use super::Trouble;

/// One value with where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) line: usize,
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// Every value of a text, in order; what cannot be read goes to `troubles`.
pub(super) fn entries<'a>(text: &'a str, troubles: &mut Vec<Trouble>) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    let (mut section, mut open) = ("", None);
    for (line, text) in (1..).zip(text.lines()) {
        let text = without_comment(text).trim();
        let (key, rest) = match (open, text) {
            (_, "") => continue,
            // A section begins, even where the list before was never closed.
            (_, name) if name.starts_with('[') && name.ends_with(']') && !name.contains(['"', '\'', ',']) => {
                open = None;
                section = name.trim_start_matches('[').trim_end_matches(']').trim();
                continue;
            }
            (Some(key), rest) => (key, rest),
            (None, _) => match text.split_once('=') {
                Some((key, rest)) => (key.trim(), rest.trim()),
                None => {
                    troubles.push(Trouble::new(line, "write it as key = [\"value\", …]".into()));
                    continue;
                }
            },
        };
        let begins = open.is_none() && rest.starts_with('[');
        let values = rest.strip_prefix('[').filter(|_| begins).unwrap_or(rest);
        let (values, closes) = match values.strip_suffix(']') {
            Some(values) => (values, true),
            None => (values, false),
        };
        for value in values.split(',').map(str::trim).filter(|value| !value.is_empty()) {
            match unquoted(value) {
                Some(value) => entries.push(Entry { line, section, key, value }),
                None => troubles.push(Trouble::new(line, format!("the quotes of {value} do not match"))),
            }
        }
        let goes_on = (open.is_some() || begins) && !closes;
        open = goes_on.then_some(key);
    }
    entries
}

/// Without what stands behind a `#` outside quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => return line.get(..at).unwrap_or(line),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    line
}

fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.strip_suffix(quote);
        }
    }
    (!value.contains(['"', '\''])).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, section, key and value.
    type Row<'a> = (usize, &'a str, &'a str, &'a str);

    fn read(text: &str) -> (Vec<Row<'_>>, Vec<usize>) {
        let mut troubles = Vec::new();
        let entries = entries(text, &mut troubles);
        let entries = entries.iter().map(|e| (e.line, e.section, e.key, e.value)).collect();
        (entries, troubles.iter().map(|trouble| trouble.line).collect())
    }

    #[test]
    fn lists_on_one_line_and_on_many() {
        let text = "# ours\n[networks]\ninternal = [\"10.0.0.0/8\", '192.168.0.0/16'] # offices\nproxies = [\n  \"10.0.0.1\",\n\n  \"10.0.0.2\"\n]\n[ lists ]\nusers = alice\n";
        let (entries, troubles) = read(text);
        assert_eq!(
            entries,
            [
                (3, "networks", "internal", "10.0.0.0/8"),
                (3, "networks", "internal", "192.168.0.0/16"),
                (5, "networks", "proxies", "10.0.0.1"),
                (7, "networks", "proxies", "10.0.0.2"),
                (10, "lists", "users", "alice"),
            ]
        );
        assert!(troubles.is_empty());
    }

    #[test]
    fn a_broken_line_costs_only_itself() {
        let (entries, troubles) =
            read("[networks]\nwhat is this\ninternal = [\"10.0.0.0/8\", \"oops]\npartner = [\"1.2.3.4\"]\n");
        assert_eq!(
            entries,
            [(3, "networks", "internal", "10.0.0.0/8"), (4, "networks", "partner", "1.2.3.4")]
        );
        assert_eq!(troubles, [2, 3]);
        let (entries, _) = read("[a]\nb = [\"1\",\n[c]\nd = \"2\"\n");
        assert_eq!(entries, [(2, "a", "b", "1"), (4, "c", "d", "2")]);
    }
}
