//! Whether a field is of a class, from all of its values.

use super::{ClassId, Strength};

/// Reported hits after which a field is tagged, and the messages that they must come from.
const ENOUGH_HITS: u64 = 3;
const ENOUGH_MESSAGES: u64 = 2;
/// Values after which a column is judged, and the hundredths of them that must pass.
const ENOUGH_VALUES: u64 = 20;
const MOST_VALUES: u64 = 80;

/// One class in one field, over all messages seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Column {
    /// Texts and numbers that the field had.
    pub values: u64,
    /// Of these, those that passed the class's check, reported or not.
    pub passed: u64,
    /// Of these, those that count by themselves.
    pub reported: u64,
    /// Messages with one that passed.
    pub messages: u64,
}

impl Column {
    /// Whether the field is of the class: after three reported values from two messages, or where four of five of twenty values and more
    /// pass the check of a class for which one value alone proves too little.
    pub fn tags(&self, class: ClassId) -> bool {
        let checked = class.builtin().is_some_and(|class| class.strength == Strength::Checked);
        let most = self.passed.saturating_mul(100) >= self.values.saturating_mul(MOST_VALUES);
        let by_column = checked && self.values >= ENOUGH_VALUES && most;
        self.messages >= ENOUGH_MESSAGES && (self.reported >= ENOUGH_HITS || by_column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(name: &str, values: u64, passed: u64, reported: u64, messages: u64) -> bool {
        Column { values, passed, reported, messages }.tags(ClassId::of(name).expect("a class"))
    }

    #[test]
    fn a_field_is_tagged_after_three_hits_from_two_messages() {
        assert!(!tags("email", 3, 3, 3, 1));
        assert!(tags("email", 3, 3, 3, 2));
        assert!(!tags("email", 3, 2, 2, 2));
    }

    #[test]
    fn check_digits_count_by_their_column() {
        assert!(tags("uk-nhs", 20, 16, 0, 5));
        assert!(!tags("uk-nhs", 21, 16, 0, 5), "four of five");
        assert!(!tags("email", 20, 20, 0, 5), "what needs no column has none");
        assert!(!tags("uk-nhs", 19, 19, 0, 5), "too few to say");
    }
}
