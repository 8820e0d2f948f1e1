//! What becomes of texts that do not leave as they are, by what they are: a profile for each output.

use super::Redactor;
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
    /// Encrypted to the output's public key; dropped where it has none.
    Encrypt,
    /// The text.
    Keep,
}

impl Treatment {
    /// Every treatment by its name.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("drop", Self::Drop),
        ("mask", Self::Mask),
        ("tokenise", Self::Tokenise),
        ("encrypt", Self::Encrypt),
        ("keep", Self::Keep),
    ];

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

impl Profile {
    /// Whether some text is to be encrypted.
    pub fn encrypts(&self) -> bool {
        let classes = self.classes.iter().map(|(_, treatment)| *treatment);
        let named = [self.credentials, self.identities, self.values];
        named.into_iter().chain(classes).any(|treatment| treatment == Treatment::Encrypt)
    }
}

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
            Treatment::Tokenise => self.write_token_of(domain, text, out),
            Treatment::Drop => Self::drop_value(out),
            Treatment::Mask => mask(text, out),
            Treatment::Encrypt => self.write_sealed(text, out),
            Treatment::Keep => self.write_what_may_be_kept(text, out),
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
        for code in ["data={%22cvv%22:%22123%22}", "data={\"cvv\": \"123\"}", "q=cvv=123", "x=a%26pin%3D123"]
        {
            let told = query(all(Treatment::Keep), code);
            assert!(!told.contains("123") && told.contains("dropped:"), "{told}");
        }
        let told = query(all(Treatment::Keep), "q=my%20card%204111-1111-1111-1111%20is");
        assert_eq!(told, "q=my card 4111-11xx-xxxx-1111 is");
    }
}
