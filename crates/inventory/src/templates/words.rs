//! What a word of a path says by itself.

/// Words that stand where identifiers stand and mean the caller or an action; they stay where their traffic is another's, as
/// formats do (`/export/pdf`).
const RESERVED: &[&str] = &[
    "all",
    "autocomplete",
    "availability",
    "available",
    "batch",
    "browse",
    "bulk",
    "check",
    "config",
    "count",
    "counts",
    "create",
    "current",
    "default",
    "delete",
    "download",
    "export",
    "exports",
    "filter",
    "find",
    "health",
    "history",
    "import",
    "imports",
    "info",
    "latest",
    "list",
    "login",
    "logout",
    "lookup",
    "me",
    "metadata",
    "mine",
    "my",
    "new",
    "query",
    "recent",
    "refresh",
    "register",
    "reset",
    "schema",
    "search",
    "self",
    "settings",
    "stats",
    "status",
    "suggest",
    "summary",
    "token",
    "upload",
    "validate",
    "verify",
    "version",
    "whoami",
];

/// Words that no identifier is: they name the caller.
const CALLER: &[&str] = &["current", "me", "mine", "my", "self", "whoami"];

/// Ends of file names that stand behind identifiers.
const EXTENSIONS: &[&str] = &[
    "atom", "bin", "bmp", "css", "csv", "docx", "gif", "gz", "htm", "html", "ico", "ics", "jpeg", "jpg",
    "js", "json", "jsonp", "log", "map", "md", "mp3", "mp4", "pdf", "php", "png", "rss", "svg", "tar", "tsv",
    "txt", "wav", "webp", "xls", "xlsx", "xml", "yaml", "yml", "zip",
];

/// How much a word is one of the API's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Standing {
    /// It may be data.
    Free,
    /// It stays where its traffic is another's.
    Reserved,
    /// It stays.
    Fixed,
}

/// Whether a segment of a path is a word that an API has of its own, such as `me`, `export` or `v2`, and no value.
pub fn is_own_word(segment: &str) -> bool {
    standing(segment) != Standing::Free
}

/// The standing of a word.
pub(crate) fn standing(word: &str) -> Standing {
    let lower = word.to_ascii_lowercase();
    let plain = stem(&lower).0;
    match () {
        () if CALLER.contains(&plain) || version_like(plain) && !is_opaque(word) => Standing::Fixed,
        () if RESERVED.contains(&plain) || EXTENSIONS.contains(&plain) => Standing::Reserved,
        () => Standing::Free,
    }
}

/// `v1beta2`, `v1management`, `v2.0-preview`: a version that says more.
fn version_like(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('v') else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let behind = rest.get(digits..).unwrap_or_default();
    (1..=2).contains(&digits) && behind.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.')
        || (1..=2).contains(&digits) && (behind.starts_with("alpha") || behind.starts_with("beta"))
}

/// Whether a word looks like a value: digits, escapes, or several parts.
pub(crate) fn is_value_like(word: &str) -> bool {
    has_parts(word) || is_opaque(word) || has_digits(word)
}

/// Whether there are digits or escapes in it.
pub(crate) fn has_digits(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'%')
}

/// Whether it is three words and more.
pub(crate) fn has_parts(word: &str) -> bool {
    word.bytes().filter(|byte| matches!(byte, b'-' | b'_' | b'.')).count() >= 2
}

/// Whether it is a plural, as resources have for names.
pub(crate) fn is_plural(word: &str) -> bool {
    let word = stem(word).0;
    word.len() > 3 && word.ends_with('s') && !word.ends_with("ss")
}

/// Whether it is several words written as one.
pub(crate) fn is_camel(word: &str) -> bool {
    let turns = |two: &[u8]| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase());
    stem(word).0.as_bytes().windows(2).any(turns)
}

/// Pairs of letters that words of paths have: for each first letter, the second ones as bits. From the words of the
/// tuning half of published descriptions: the most common pairs that make up 97.5 % of all.
const COMMON_PAIRS: [u32; 26] = [
    0x17e_b96e, 0x116_4911, 0x11e_4d95, 0x036_dd53, 0x1ff_f9ff, 0x11e_4931, 0x016_69d1, 0x014_4115,
    0x22e_f87f, 0x000_4010, 0x014_0111, 0x11c_491d, 0x014_d113, 0x13e_fd7d, 0x17e_ff6f, 0x01e_e99d,
    0x010_0000, 0x13e_f57d, 0x13c_fdb5, 0x17e_c995, 0x00e_f95f, 0x000_c111, 0x004_6111, 0x008_8010,
    0x004_b010, 0x000_0011,
];

/// Whether a word looks drawn by lot: two pairs of letters and more, and a quarter of all, are such as words do not have.
/// Of 2,172 words of paths 0.6 % look so, of eight random letters 94 %.
pub(crate) fn is_opaque(word: &str) -> bool {
    let (mut pairs, mut rare) = (0, 0);
    for two in word.as_bytes().windows(2) {
        let &[first, second] = two else { continue };
        if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() {
            let next_word = first.is_ascii_lowercase() && second.is_ascii_uppercase();
            pairs += 1;
            rare += u32::from(!next_word && !is_common(first, second));
        }
    }
    rare >= 2 && rare * 4 >= pairs && word.is_ascii()
}

fn is_common(first: u8, second: u8) -> bool {
    let letter = |byte: u8| byte.to_ascii_lowercase().wrapping_sub(b'a');
    COMMON_PAIRS.get(usize::from(letter(first))).is_some_and(|row| row & 1 << letter(second) != 0)
}

/// A segment without what stands behind an identifier: a file extension, or the verb of a custom method (`42:cancel`).
pub(crate) fn stem(segment: &str) -> (&str, &str) {
    let split = |at: usize| (segment.get(..at).unwrap_or(segment), segment.get(at..).unwrap_or_default());
    if let Some(at) = segment.find(':').filter(|at| *at > 0) {
        let verb = segment.get(at + 1..).unwrap_or_default();
        if !verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return split(at);
        }
    }
    if let Some(at) = segment.rfind('.').filter(|at| *at > 0) {
        let ending = segment.get(at + 1..).unwrap_or_default();
        if ending.len() <= 5 && EXTENSIONS.contains(&ending.to_ascii_lowercase().as_str()) {
            return split(at);
        }
    }
    (segment, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_api_are_told_from_what_may_be_a_value() {
        for own in ["me", "Export", "export.csv", "search:run", "v2", "pdf"] {
            assert!(is_own_word(own), "{own}");
        }
        for free in ["ann", "vera", "oslo", "bob.json", "42"] {
            assert!(!is_own_word(free), "{free}");
        }
    }
}
