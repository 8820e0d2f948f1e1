//! The head of a message: start line and fields, as ranges into its own text.

/// Text that came from traffic. It has no `Display`, and its `Debug` shows a length: it leaves the process only
/// through `event`'s redaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Untrusted<'a>(&'a [u8]);

impl<'a> Untrusted<'a> {
    /// Marks bytes as coming from traffic.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, for parsing, matching, hashing and redaction; never for logs.
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether the text equals `other` but for ASCII case.
    pub const fn is(self, other: &[u8]) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl std::fmt::Debug for Untrusted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// Where a piece of text stands within its head's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Range {
    /// Bytes in it.
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether no byte is in it.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A header field. `None` is *unknown* (HTTP/2 after a lost header block), never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The field name as sent.
    pub name: Option<Range>,
    /// The field value without the white space around it.
    pub value: Option<Range>,
}

/// The protocol version a message states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// HTTP/0.9: a request line without version, an answer without head.
    Http09,
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2.
    Http2,
    /// Anything else; the anomalies say so.
    Other,
}

impl Version {
    /// As OCSF's `http_request.version` and logs spell it: `1.1`.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Http09 => "0.9",
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
            Self::Other => "unknown",
        }
    }
}

/// A request's or response's head. Ranges point into `text`, which for HTTP/1 is the raw head as captured.
#[derive(Clone, Default)]
pub struct Head {
    /// The raw head; ranges below point into it.
    pub text: Vec<u8>,
    /// Fields in the order sent; trailers are appended behind `trailers_from`.
    pub fields: Vec<Field>,
    /// Index of the first trailer field in `fields`, when trailers came.
    pub trailers_from: Option<usize>,
    /// The stated version.
    pub version: Version,
    /// A request's method.
    pub method: Option<Range>,
    /// A request's target as sent: origin, absolute, authority or asterisk form.
    pub target: Option<Range>,
    /// A response's status code.
    pub status: Option<u16>,
}

impl Head {
    /// Empties the head and keeps its buffers.
    pub fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.trailers_from = None;
        self.version = Version::default();
        self.method = None;
        self.target = None;
        self.status = None;
    }

    /// The text of a range; empty when the range is not within the text.
    pub fn slice(&self, range: Range) -> Untrusted<'_> {
        Untrusted::new(self.text.get(range.start as usize..range.end as usize).unwrap_or_default())
    }

    /// The method, when this is a request whose line was seen.
    pub fn method(&self) -> Option<Untrusted<'_>> {
        self.method.map(|range| self.slice(range))
    }

    /// The request target as sent.
    pub fn target(&self) -> Option<Untrusted<'_>> {
        self.target.map(|range| self.slice(range))
    }

    /// Every header field whose name and value are known, without trailers.
    pub fn headers(&self) -> impl Iterator<Item = (Untrusted<'_>, Untrusted<'_>)> {
        let end = self.trailers_from.unwrap_or(self.fields.len());
        self.fields
            .iter()
            .take(end)
            .filter_map(|field| Some((self.slice(field.name?), self.slice(field.value?))))
    }

    /// The first header field of that name, compared without case.
    pub fn header(&self, name: &[u8]) -> Option<Untrusted<'_>> {
        self.values(name).next()
    }

    /// The values of every header field of that name, compared without case.
    pub fn values(&self, name: &[u8]) -> impl Iterator<Item = Untrusted<'_>> {
        let end = self.trailers_from.unwrap_or(self.fields.len());
        // Most names differ in length: those are not even looked at.
        let named = |field: &&Field| {
            field.name.is_some_and(|range| range.len() == name.len() && self.slice(range).is(name))
        };
        self.fields.iter().take(end).filter(named).filter_map(|field| Some(self.slice(field.value?)))
    }
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head")
            .field("bytes", &self.text.len())
            .field("fields", &self.fields.len())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
