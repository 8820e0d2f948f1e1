//! Fields, their kinds and their values.

use std::borrow::Cow;
use std::net::IpAddr;

/// A field, by its place in the list of whoever knows the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

/// What a field holds, which decides the literals it can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A moment in nanoseconds since the Unix epoch; literals are quoted RFC 3339, `"2026-01-01"` at least.
    Time,
    /// A time span in nanoseconds; literals carry a unit: `10ms`, `1.5s`.
    Duration,
    /// A number of bytes; literals may carry a unit of 1,024: `3K`, `1M`.
    Size,
    /// Bytes of text.
    Text,
    /// An IP address; literals may be networks.
    Ip,
    /// Several texts; a comparison holds when it holds for one of them.
    List,
}

impl Kind {
    /// As messages and lists of fields call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "number",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Text => "text",
            Self::Ip => "address",
            Self::List => "list of texts",
        }
    }
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value<'a> {
    /// Not known: not seen, not captured, not stated.
    #[default]
    Unknown,
    /// A truth value.
    Bool(bool),
    /// A number; nanoseconds for durations, bytes for sizes.
    Int(i64),
    /// Text, of any bytes.
    Text(Cow<'a, [u8]>),
    /// An address.
    Ip(IpAddr),
    /// Several texts.
    List(Vec<Cow<'a, [u8]>>),
}

impl<'a> Value<'a> {
    /// Borrowed text.
    pub const fn text(bytes: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(bytes))
    }

    /// A count as a number, saturating.
    pub fn count(count: u64) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Option<Self>> for Value<'_> {
    fn from(value: Option<Self>) -> Self {
        value.unwrap_or_default()
    }
}

/// Knows the names that may stand in an expression.
pub trait FieldNames {
    /// The field of that name and what it holds.
    fn find(&self, name: &str) -> Option<(FieldId, Kind)>;

    /// Every name, for the hint that follows a wrong one.
    fn names(&self) -> Vec<&str>;
}
