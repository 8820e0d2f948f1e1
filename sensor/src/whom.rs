//! Callers, and what has a uid, as people name them: copied from what events, `tapwire callers` and `tapwire blast-radius` print.

/// Fewer digits would match too much.
pub(crate) const MIN_DIGITS: usize = 6;
/// A token has no more.
const MAX_DIGITS: usize = 32;
/// What a caller is known by, as it is printed before the tilde.
const KINDS: [&str; 6] = ["user", "cert", "key", "token", "session", "net"];

/// Whether a text can be the beginning of a uid, as far as its digits go.
pub(crate) fn is_beginning(text: &str) -> bool {
    text.len() >= MIN_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The beginning of a caller's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// What the caller is known by, where that was given.
    pub(crate) kind: Option<&'static str>,
    /// Hexadecimal digits in lower case.
    pub(crate) digits: String,
}

impl Named {
    /// Of `user~0123456789abcdef`, `tok:0123456789abcdef` or the digits alone; otherwise what to write.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        let (kind, digits) = match (text.split_once('~'), text.split_once(':')) {
            (Some((kind, digits)), _) => (KINDS.into_iter().find(|known| *known == kind), digits),
            (None, Some(("tok", digits))) => (None, digits),
            (None, _) => (None, text),
        };
        let known = kind.is_some() || !text.contains('~');
        let digits = digits.to_ascii_lowercase();
        let fits = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len());
        if known && fits && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self { kind, digits });
        }
        Err(format!(
            "give {MIN_DIGITS} to {MAX_DIGITS} hexadecimal digits of a caller's token, as user~… or tok:… or alone: \
             `tapwire callers` has them"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_named_as_they_are_printed() {
        let named = |kind, digits: &str| Ok(Named { kind, digits: digits.to_owned() });
        assert_eq!(Named::of("user~80c165d5246c9cd9"), named(Some("user"), "80c165d5246c9cd9"));
        assert_eq!(Named::of("tok:80C165D5"), named(None, "80c165d5"));
        assert_eq!(Named::of("80c165"), named(None, "80c165"));
        let long = "0".repeat(33);
        for wrong in
            ["", "tok:", "user~", "80c16", "who~80c165d5", "tik:80c165d5", "user~80c165d5x", " 80c165", &long]
        {
            assert!(Named::of(wrong).is_err(), "{wrong}");
        }
    }
}
