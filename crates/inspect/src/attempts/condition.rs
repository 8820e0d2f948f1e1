//! Conditions of literals: `7=7` holds whatever a database knows, and `7=8` never does. Two answers that differ by that
//! alone prove that it was evaluated.

/// Comparisons of one value that are looked at.
const MOST: usize = 8;

/// Whether all comparisons of literals in a value, in its normal form, hold; `None` where it has none.
pub(super) fn truth(text: &[u8]) -> Option<bool> {
    let mut all = None;
    for (at, byte) in text.iter().enumerate().filter(|(_, byte)| **byte == b'=').take(MOST) {
        let (left, right) = (text.get(..at)?, text.get(at + usize::from(*byte == b'=')..)?);
        let negated = left.last().is_some_and(|last| matches!(last, b'!' | b'<' | b'>'));
        let left = if negated { left.get(..left.len() - 1)? } else { left };
        let (Some(left), Some(right)) = (behind(left), ahead(right)) else { continue };
        all = Some(all.unwrap_or(true) && (left == right) != negated);
    }
    all
}

/// The literal at the end of a text: digits, or what stands in quotes.
fn behind(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_end();
    let quote = *text.last()?;
    if matches!(quote, b'\'' | b'"') {
        let inner = text.get(..text.len() - 1)?;
        return inner.get(inner.iter().rposition(|byte| *byte == quote)? + 1..);
    }
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let literal = text.get(text.len() - digits..)?;
    let apart = text
        .get(..text.len() - digits)?
        .last()
        .is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    (digits > 0 && apart).then_some(literal)
}

/// The literal at the beginning of a text; the last quote may be the server's.
fn ahead(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let quote = *text.first()?;
    if matches!(quote, b'\'' | b'"') {
        let inner = text.get(1..)?;
        return Some(
            inner
                .iter()
                .position(|byte| *byte == quote)
                .map_or(inner, |end| inner.get(..end).unwrap_or(inner)),
        );
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| text.get(..digits)).flatten()
}

#[cfg(test)]
mod tests {
    use super::truth;

    #[test]
    fn literals_are_compared_and_names_are_not() {
        for (text, expected) in [
            ("' or '1'='1", Some(true)),
            ("lamp' and 7=7 and 'a'='a", Some(true)),
            ("lamp' and 8=1 and 'a'='a", Some(false)),
            ("1 or 1!=2", Some(true)),
            ("x' or name='jane", None),
            ("a=1; b=2", None),
            ("' or 1=1--", Some(true)),
        ] {
            assert_eq!(truth(text.as_bytes()), expected, "{text}");
        }
    }
}
