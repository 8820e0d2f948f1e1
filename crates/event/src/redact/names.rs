//! Names that say what their value is: of query parameters, headers, cookies and path segments.

/// Longest name that is read; a longer one is no name.
const LONGEST: usize = 64;

/// A name in lower case without separators, so that `X-Api-Key`, `api_key` and `apiKey` are one.
struct Folded {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Folded {
    fn new(name: &[u8]) -> Self {
        let mut folded = Self { bytes: [0; LONGEST], len: 0 };
        let letters = name.iter().filter(|b| b.is_ascii_alphanumeric());
        for (slot, byte) in folded.bytes.iter_mut().zip(letters) {
            *slot = byte.to_ascii_lowercase();
            folded.len += 1;
        }
        folded
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Whether one of the parts that make a value a secret begins here.
fn secret_part_begins(rest: &[u8]) -> bool {
    let parts: &[&[u8]] = match rest.first() {
        Some(b'a') => &[b"apikey", b"accesskey", b"authkey", b"authorization", b"assertion"],
        Some(b'b') => &[b"bearer"],
        Some(b'c') => &[b"credential", b"cookie", b"cardnumber", b"creditcard"],
        Some(b'i') => &[b"iban"],
        Some(b'j') => &[b"jwt"],
        Some(b'm') => &[b"magiclink"],
        Some(b'o') => &[b"onetime"],
        Some(b'p') => &[b"password", b"passwd", b"passphrase", b"passcode", b"privatekey"],
        Some(b's') => &[b"secret", b"session", b"signature", b"subscriptionkey", b"samlre"],
        Some(b't') => &[b"token"],
        Some(b'v') => &[b"verificationcode"],
        _ => &[],
    };
    parts.iter().any(|part| rest.starts_with(part))
}

/// What proves that a card is at hand, wherever it stands in a name: PCI DSS 3.3.1 forbids to keep it, masked or hashed.
const NEVER_KEPT: &[&[u8]] =
    &[b"cvv", b"cvc", b"cardcode", b"securitycode", b"verificationvalue", b"track1", b"track2", b"trackdata"];

/// The same as whole names.
const NEVER_KEPT_WHOLE: &[&[u8]] = &[b"csc", b"cvn", b"pin", b"cardpin", b"pinblock"];

/// These names as a whole make the value a secret.
const SECRET_WHOLE: &[&[u8]] = &[
    b"pwd",
    b"pass",
    b"pw",
    b"key",
    b"auth",
    b"oauth",
    b"sid",
    b"sig",
    b"hmac",
    b"code",
    b"otp",
    b"totp",
    b"mfa",
    b"ssn",
    b"card",
    b"pan",
    b"nonce",
    b"state",
    b"ticket",
    b"hash",
    b"invite",
    b"reset",
    b"jsessionid",
    b"phpsessid",
];

/// These names as a whole make the value say who somebody is.
const IDENTITY_WHOLE: &[&[u8]] = &[
    b"user",
    b"username",
    b"login",
    b"loginhint",
    b"email",
    b"mail",
    b"emailaddress",
    b"name",
    b"firstname",
    b"lastname",
    b"fullname",
    b"surname",
    b"givenname",
    b"familyname",
    b"phone",
    b"phonenumber",
    b"mobile",
    b"msisdn",
    b"tel",
    b"address",
    b"street",
    b"dob",
    b"birthdate",
    b"dateofbirth",
    b"birthday",
    b"owner",
    b"account",
    b"accountnumber",
    b"customer",
    b"passport",
    b"passportnumber",
    b"nationalid",
    b"nationalidnumber",
    b"personalid",
    b"personalnumber",
    b"identitynumber",
    b"idnumber",
    b"citizenid",
    b"socialsecuritynumber",
    b"taxid",
    b"taxnumber",
    b"nino",
    b"nhsnumber",
    b"lat",
    b"lon",
    b"lng",
    b"latitude",
    b"longitude",
    b"ip",
];

/// Whether a value of that name must be kept by nobody, in no form.
pub(super) fn is_never_kept(name: &[u8]) -> bool {
    let folded = Folded::new(name);
    let name = folded.bytes();
    let within = |part: &&[u8]| name.windows(part.len()).any(|window| window == *part);
    NEVER_KEPT_WHOLE.contains(&name) || NEVER_KEPT.iter().any(within)
}

/// Whether a value of that name is a secret.
pub(super) fn is_secret(name: &[u8]) -> bool {
    let folded = Folded::new(name);
    let name = folded.bytes();
    let tails = (0..name.len()).filter_map(|at| name.get(at..));
    SECRET_WHOLE.contains(&name) || name.len() == LONGEST || tails.into_iter().any(secret_part_begins)
}

/// Whether a value of that name says who somebody is.
pub(super) fn is_identity(name: &[u8]) -> bool {
    IDENTITY_WHOLE.contains(&Folded::new(name).bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        for name in [
            "access_token",
            "X-Api-Key",
            "apiKey",
            "PASSWORD",
            "new-password",
            "sig",
            "X-Amz-Signature",
            "code",
        ] {
            assert!(is_secret(name.as_bytes()), "{name}");
        }
        for name in ["page", "author", "keyword", "design", "decode", "limit", "passenger", "codec"] {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_proves_that_a_card_is_at_hand_is_never_kept() {
        for name in
            ["cvv2", "cardCvc", "CSC", "cvn", "security_code", "cardVerificationValue", "track2", "pin"]
        {
            assert!(is_never_kept(name.as_bytes()), "{name}");
        }
        for name in ["country_code", "tracking", "pinned", "verification", "pincode", "spin"] {
            assert!(!is_never_kept(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_name_too_long_to_read_is_taken_for_a_secret() {
        assert!(is_secret(&[b'a'; 100]));
    }
}
