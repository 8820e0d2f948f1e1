//! What becomes of texts that do not leave as they are, by what they are: a profile for each output.

use super::{Redactor, write_token};
use tapwire_inspect::Domain;
use tapwire_inspect::classes::{ClassId, Clues};

/// What an output gets in the place of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Treatment {
    /// That there was one.
    Drop,
    /// Its shape: `x` for letters, `9` for digits, marks as they are.
    Mask,
    /// Its keyed token.
    #[default]
    Tokenise,
    /// The text.
    Keep,
}

impl Treatment {
    /// Every treatment by its name.
    pub const ALL: &'static [(&'static str, Self)] =
        &[("drop", Self::Drop), ("mask", Self::Mask), ("tokenise", Self::Tokenise), ("keep", Self::Keep)];

    /// The treatment of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, treatment)| *treatment)
    }
}

/// How an output's texts are treated. By default each becomes a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Passwords, keys, cookies, what a name calls secret.
    pub credentials: Treatment,
    /// What a name says is a person.
    pub identities: Treatment,
    /// Everything else that could be a value.
    pub values: Treatment,
    /// Of these classes of data, whatever their name says: class and treatment, the first that fits counts.
    pub classes: Vec<(String, Treatment)>,
    /// Whether its tokens are its own: no receiver of another output can compare them.
    pub own_tokens: bool,
}

/// Digits of a card's number that may stay in clear: the first six and the last four (PCI DSS 3.4.1).
const CARD_HEAD: usize = 6;
const CARD_TAIL: usize = 4;

impl Redactor {
    /// Treats texts as `profile` says. Where its tokens are its own, the key must be its own, too.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Writes what leaves in the place of a text; nothing for nothing.
    pub(super) fn replace(&mut self, domain: Domain, text: &[u8], out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match self.treatment(domain, text) {
            Treatment::Tokenise => write_token(self.tokens.token(domain, text), out),
            Treatment::Drop => Self::drop_value(out),
            Treatment::Mask => mask(text, out),
            Treatment::Keep => keep(text, out),
        }
    }

    fn treatment(&mut self, domain: Domain, text: &[u8]) -> Treatment {
        let classes = std::mem::take(&mut self.profile.classes);
        let by_class =
            classes.iter().find(|(class, _)| self.is(text, class)).map(|(_, treatment)| *treatment);
        self.profile.classes = classes;
        by_class.unwrap_or(match domain {
            Domain::Credential => self.profile.credentials,
            Domain::Identity => self.profile.identities,
            _ => self.profile.values,
        })
    }

    /// Whether a text is of that class by its form and check digits.
    fn is(&mut self, text: &[u8], class: &str) -> bool {
        let Some(wanted) = ClassId::of(class) else { return false };
        let hits = self.names.classes().look(&Clues::default(), false, text, text.len() as u64);
        hits.reported().any(|hit| hit.class == wanted)
    }
}

/// The shape of a text.
fn mask(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.iter().map(|byte| match byte {
        b'0'..=b'9' => b'9',
        b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => b'x',
        mark => *mark,
    }));
}

/// The text, but in no mode more of a card's number than what may be shown: whatever could be one, named so or not.
fn keep(text: &[u8], out: &mut Vec<u8>) {
    let is_apart = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'+');
    if text.iter().all(is_apart) && could_be_card(text) {
        return truncate(text, out);
    }
    for run in text.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        if could_be_card(run) { truncate(run, out) } else { out.extend_from_slice(run) }
    }
}

/// 12 to 19 digits with the check digit of ISO/IEC 7812 (Luhn).
fn could_be_card(text: &[u8]) -> bool {
    let (mut count, mut sum) = (0_usize, 0_u32);
    for digit in text.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')) {
        let doubled = if count % 2 == 1 { digit * 2 } else { digit };
        sum += if doubled > 9 { doubled - 9 } else { doubled };
        count += 1;
    }
    (12..=19).contains(&count) && sum.is_multiple_of(10)
}

/// A card's number without the digits in its middle.
fn truncate(text: &[u8], out: &mut Vec<u8>) {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let mut place = 0;
    for byte in text {
        let hidden = byte.is_ascii_digit() && {
            place += 1;
            place > CARD_HEAD && place + CARD_TAIL <= digits
        };
        out.push(if hidden { b'x' } else { *byte });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Fidelity;
    use tapwire_inspect::TokenKey;
    use tapwire_protocol::Untrusted;

    const CARD: &str = "4111111111111111";

    fn query(profile: Profile, text: &str) -> String {
        let mut redactor = Redactor::new(TokenKey::new([7; 32]), Fidelity::Default).profile(profile);
        let mut scratch = Vec::new();
        let redacted = redactor.query(Untrusted::new(text.as_bytes()), &mut scratch);
        String::from_utf8(redacted.bytes().to_vec()).unwrap()
    }

    fn all(treatment: Treatment) -> Profile {
        Profile { credentials: treatment, identities: treatment, values: treatment, ..Profile::default() }
    }

    #[test]
    fn each_treatment_does_what_its_name_says() {
        let text = "email=alice@example.com&token=s3cr3tABC";
        assert!(query(Profile::default(), text).starts_with("email=tok:"));
        assert_eq!(query(all(Treatment::Drop), text), "email=dropped:&token=dropped:");
        assert_eq!(query(all(Treatment::Mask), text), "email=xxxxx@xxxxxxx.xxx&token=x9xx9xxxx");
        assert_eq!(query(all(Treatment::Keep), text), text);
    }

    #[test]
    fn a_class_goes_before_what_the_name_says() {
        let classes = vec![("card".to_owned(), Treatment::Drop)];
        let profile = Profile { classes, ..all(Treatment::Mask) };
        assert_eq!(query(profile, &format!("q={CARD}&email=a@b.de")), "q=dropped:&email=x@x.xx");
    }

    #[test]
    fn pci_dss_holds_in_every_mode() {
        for (_, treatment) in Treatment::ALL {
            let told = query(all(*treatment), &format!("q={CARD}&cvv=123&token={CARD}"));
            assert!(!told.contains(CARD) && !told.contains("123&"), "{told}");
            assert!(told.contains("cvv=dropped:"), "{told}");
        }
        assert_eq!(query(all(Treatment::Keep), &format!("q={CARD}")), "q=411111xxxxxx1111");
        let kept = |text: &str| {
            let mut out = Vec::new();
            keep(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(kept("4539 5787 6362 1486"), "4539 57xx xxxx 1486");
        assert_eq!(kept("pan:4539578763621486;"), "pan:453957xxxxxx1486;");
        assert_eq!(kept("4539578763621487 is no card"), "4539578763621487 is no card");
    }
}
