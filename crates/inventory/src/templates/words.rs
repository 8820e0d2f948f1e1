//! What a word of a path says by itself.

/// Words that stand where identifiers stand and mean the caller or an action; they stay where their traffic is another's.
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

/// The standing of a word.
pub(crate) fn standing(word: &str) -> Standing {
    let lower = word.to_ascii_lowercase();
    let plain = stem(&lower).0;
    match () {
        () if CALLER.contains(&plain) || version_like(plain) => Standing::Fixed,
        () if RESERVED.contains(&plain) => Standing::Reserved,
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
    let parts = word.bytes().filter(|byte| matches!(byte, b'-' | b'_' | b'.')).count();
    parts >= 2 || is_opaque(word) || word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'%')
}

/// Whether a word looks drawn by lot: capitals among small letters, or consonants in a row as no language has them.
pub(crate) fn is_opaque(word: &str) -> bool {
    let bytes = word.as_bytes();
    let turns = |two: &&[u8]| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase());
    let (mut run, mut longest) = (0, 0);
    for byte in bytes {
        let breaks =
            matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u' | b'-' | b'_' | b'.');
        run = if breaks { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    bytes.len() >= 8
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && (bytes.windows(2).filter(turns).count() >= 3 && longest >= 4 || longest >= 6)
}

/// Whether a word looks like one of the API's own: a plural, or several words written as one.
pub(crate) fn is_api_like(word: &str) -> bool {
    let word = stem(word).0;
    let inner_capital = word
        .as_bytes()
        .windows(2)
        .any(|two| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
    !is_value_like(word) && (inner_capital || plural) || RESERVED.contains(&word)
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
