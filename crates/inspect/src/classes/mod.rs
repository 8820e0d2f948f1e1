//! Data classes: what kind of sensitive data a value is.
//!
//! A value is looked at alone, with the names around it. Its score, of 100, is what its class's pattern and check digits give, more
//! when a name in its neighbourhood says so, less when the name says that it is something else:
//!
//! | evidence | points |
//! |---|---|
//! | pattern and check that random text passes less than once in 1,000 tries | 90 |
//! | a layout that little else has, without such a check | 72 |
//! | check digits that random numbers pass more often | 45 |
//! | a plausible value | 32 |
//! | its own name says so; what holds it, or the word before it, says so | +40; +25 |
//! | a name of other numbers: orders, times, hashes, versions | −20 |
//!
//! From 70 on it is reported. What passes its check digits with less is a [candidate](Hit::is_candidate): a [`Column`] of many such values is judged by [`Column::tags`].
//!
//! To add a class: its file here, and its line in [`DATA_CLASSES`].

mod asia;
mod australia;
mod bank;
mod brazil;
mod card;
mod check;
mod column;
mod crypto;
mod device;
mod europe;
mod form;
mod found;
mod health;
mod hits;
mod india;
mod keys;
mod look;
mod nordic;
mod person;
mod place;
mod said;
mod scan;
mod secret;
mod settings;
mod united;
mod words;

pub use column::Column;
pub use found::Found;
pub use hits::{Hit, Hits, REPORTED};
pub use look::{Classes, Clues};
pub(crate) use look::{Lead, Seen, Taking};
pub(crate) use said::Said;
pub use settings::{BadClass, Settings, UserClass};

use form::{Forms, Value};

/// A kind of sensitive data, as `tapwire list data-classes` and `tapwire explain` print it.
#[derive(Debug)]
pub struct DataClass {
    /// The name in events.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// How it is told, in a sentence or two.
    pub summary: &'static str,
    /// Which sort of data.
    pub kind: ClassKind,
    /// The country that gives it, as ISO 3166 has it in lower case; `None`: no single one.
    pub region: Option<&'static str>,
    /// How much its check alone proves.
    pub strength: Strength,
    /// How bad it is when others see it.
    pub sensitivity: Sensitivity,
    /// Names that say so, as words in lower case.
    pub keys: &'static [&'static str],
    /// A name and a value that are of this class.
    pub example: (&'static str, &'static str),
    /// A value that nearly is, and is not, whatever its name.
    pub twin: &'static str,
    /// Which values are asked at all.
    pub(crate) gate: Gate,
    /// What a value proves; `None` when it is none.
    pub(crate) check: fn(&Value<'_>) -> Option<Evidence>,
}

impl DataClass {
    /// Whether nobody may keep it once a payment is authorized, masked or hashed (PCI DSS 4.0, 3.3.1).
    pub fn is_never_kept(&self) -> bool {
        matches!(self.name, "cvv" | "card-pin" | "card-track")
    }
}

/// Sorts of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClassKind {
    /// Money: cards, accounts, banks.
    Financial,
    /// Numbers by which a state knows people and firms.
    NationalId,
    /// Health and its trade.
    Health,
    /// Who and where somebody is.
    Personal,
    /// What belongs to a device or vehicle, and so mostly to one person.
    Device,
    /// Addresses of crypto currencies.
    Crypto,
    /// What opens something.
    Secret,
    /// A class of the configuration.
    Own,
}

impl ClassKind {
    /// As lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Financial => "financial",
            Self::NationalId => "national id",
            Self::Health => "health",
            Self::Personal => "personal",
            Self::Device => "device",
            Self::Crypto => "crypto",
            Self::Secret => "secret",
            Self::Own => "own",
        }
    }
}

/// How much a class's check alone proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strength {
    /// Random text passes less than once in 1,000 tries, so that a value counts under any name.
    Certain,
    /// Random numbers pass more often: a value counts by its name or by its column.
    Checked,
    /// Nothing in the value proves it: it counts by its name only.
    Named,
}

impl Strength {
    /// As lists say it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Certain => "under any name",
            Self::Checked => "by its name, or where 80 % of 20 values and more pass",
            Self::Named => "by its name only",
        }
    }
}

/// How bad it is when others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sensitivity {
    /// Says little alone.
    Low,
    /// Names a person.
    Medium,
    /// Does harm: money, health, identity.
    High,
    /// Opens something, or must never be kept.
    Critical,
}

impl Sensitivity {
    /// As lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What a value proves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// A plausible value.
    Shape,
    /// Check digits that random numbers pass more often than once in 1,000 tries.
    Checked,
    /// A layout that little else has.
    Layout,
    /// Pattern and check that random text does not pass.
    Sure,
}

/// Which values a class is asked about: by form, length in bytes, first byte, and whether it is a number. It is cheap, and keeps the rest from being asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    forms: Forms,
    least: usize,
    most: usize,
    first: &'static [u8],
    texts_only: bool,
}

impl Gate {
    /// Of these forms, with so many bytes.
    const fn new(forms: Forms, least: usize, most: usize) -> Self {
        Self { forms, least, most, first: b"", texts_only: false }
    }

    /// That is no number of JSON.
    const fn texts(self) -> Self {
        Self { texts_only: true, ..self }
    }

    /// That begins with one of these bytes.
    const fn first(self, first: &'static [u8]) -> Self {
        Self { first, ..self }
    }
}

/// A class by its place in [`DATA_CLASSES`]; those of the configuration follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub(crate) u8);

impl ClassId {
    /// The first class of the registry.
    pub const FIRST: Self = Self(0);

    /// The class of that name in [`DATA_CLASSES`].
    pub fn of(name: &str) -> Option<Self> {
        let at = DATA_CLASSES.iter().position(|class| class.name == name)?;
        Some(Self(u8::try_from(at).ok()?))
    }

    /// Its number, as fields have it.
    pub const fn get(self) -> u16 {
        self.0 as u16
    }

    /// The class of that number.
    pub fn from_number(number: u16) -> Option<Self> {
        u8::try_from(number).ok().map(Self)
    }

    /// The class, unless it is one of the configuration.
    pub fn builtin(self) -> Option<&'static DataClass> {
        DATA_CLASSES.get(usize::from(self.0))
    }
}

/// Every data class, in the order of lists.
pub static DATA_CLASSES: &[DataClass] = &[
    card::CARD,
    card::CVV,
    card::PIN,
    card::TRACK,
    bank::IBAN,
    bank::BIC,
    bank::ABA,
    united::SSN,
    united::ITIN,
    united::EIN,
    united::NHS,
    united::NINO,
    united::CANADIAN_SIN,
    health::NPI,
    health::DEA,
    health::MBI,
    health::MRN,
    health::ICD_10,
    health::NDC,
    health::FHIR,
    health::HL7,
    device::VIN,
    device::IMEI,
    device::MAC,
    device::IP,
    india::AADHAAR,
    india::PAN,
    india::GSTIN,
    australia::TFN,
    australia::ABN,
    australia::MEDICARE,
    brazil::CPF,
    brazil::CNPJ,
    europe::SPANISH_NIF,
    europe::CODICE_FISCALE,
    europe::NIR,
    europe::STEUER_ID,
    europe::BSN,
    europe::PESEL,
    nordic::PERSONNUMMER,
    nordic::HETU,
    nordic::FODSELSNUMMER,
    nordic::CPR,
    asia::SOUTH_AFRICAN_ID,
    asia::RRN,
    asia::KIMLIK,
    asia::NRIC,
    person::EMAIL,
    person::PHONE,
    person::NAME,
    person::BIRTH_DATE,
    place::ADDRESS,
    place::GEO,
    crypto::BITCOIN,
    crypto::ETHEREUM,
    secret::PRIVATE_KEY,
    secret::JWT,
    secret::BASIC,
    secret::PASSWORD,
    secret::GENERIC,
    keys::AWS,
    keys::GITHUB,
    keys::GITHUB_FINE,
    keys::GITLAB,
    keys::GOOGLE,
    keys::GOOGLE_OAUTH,
    keys::SLACK,
    keys::STRIPE,
    keys::SENDGRID,
    keys::MAILGUN,
    keys::TWILIO,
    keys::PYPI,
    keys::ANTHROPIC,
    keys::OPENAI,
    keys::HUGGING_FACE,
    keys::DIGITALOCEAN,
    keys::SHOPIFY,
    keys::SQUARE,
    keys::DATABRICKS,
    keys::VAULT,
    keys::LINEAR,
    keys::NOTION,
    keys::ATLASSIAN,
    keys::GRAFANA,
    keys::NEW_RELIC,
    keys::SENTRY,
    keys::DOPPLER,
    keys::POSTMAN,
    keys::DROPBOX,
    keys::DOCKER,
    keys::RUBYGEMS,
    keys::SUPABASE,
    keys::PLANETSCALE,
    keys::FIGMA,
    keys::AGE,
    keys::ALIBABA,
    keys::RAZORPAY,
    keys::NETLIFY,
    keys::FLY,
    keys::HEROKU,
    keys::PULUMI,
    keys::SLACK_HOOK,
    keys::DISCORD_HOOK,
    keys::AZURE,
    keys::NPM,
    keys::TELEGRAM,
];

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
