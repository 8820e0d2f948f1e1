//! Facts about bytes, from the parsers: a closed list with one name each.

use std::ops::{BitOr, BitOrAssign};

macro_rules! anomalies {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A fact about the bytes of an exchange that a careful reader would want to know.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Anomaly { $($(#[doc = $doc])+ $variant,)+ }

        impl Anomaly {
            /// Every anomaly, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The kebab-case name used in events.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, for `tapwire explain`.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+),)+ }
            }
        }
    };
}

anomalies! {
    /// Content-Length together with Transfer-Encoding: two readings of where the message ends.
    LengthWithTransferEncoding = "content-length-with-transfer-encoding",
    /// More than one Content-Length.
    DuplicateContentLength = "duplicate-content-length",
    /// Content-Length values that differ.
    ConflictingContentLength = "conflicting-content-length",
    /// A Content-Length that is not a plain decimal number.
    InvalidContentLength = "invalid-content-length",
    /// More than one Transfer-Encoding field.
    DuplicateTransferEncoding = "duplicate-transfer-encoding",
    /// A Transfer-Encoding whose last coding is not chunked.
    TransferEncodingNotChunked = "transfer-encoding-not-chunked",
    /// A Transfer-Encoding written so that two servers may read it differently.
    ObfuscatedTransferEncoding = "obfuscated-transfer-encoding",
    /// Transfer-Encoding in an HTTP/1.0 message.
    TransferEncodingInHttp10 = "transfer-encoding-in-http10",
    /// A line of the head or of a chunk ends in LF without CR.
    BareLf = "bare-lf",
    /// A CR that is not followed by LF.
    BareCr = "bare-cr",
    /// A NUL byte in the head.
    NulInHead = "nul-in-head",
    /// Another control or non-ASCII byte where none may be.
    InvalidByteInHead = "invalid-byte-in-head",
    /// White space between a field name and its colon.
    SpaceBeforeColon = "space-before-colon",
    /// A field name that is empty or has bytes that no token may have.
    InvalidFieldName = "invalid-field-name",
    /// A head line without a colon.
    MissingColon = "missing-colon",
    /// A field value continued on the next line.
    ObsFold = "obs-fold",
    /// White space before the first field.
    LeadingWhitespace = "leading-whitespace",
    /// Empty lines before the start line.
    LeadingEmptyLines = "leading-empty-lines",
    /// The request target has spaces in it.
    TargetWithSpaces = "target-with-spaces",
    /// The request target has bytes that no URI may have.
    InvalidTarget = "invalid-target",
    /// The start line separates its parts by other than one space.
    UnusualSpacing = "unusual-spacing",
    /// A method with bytes that no token may have.
    InvalidMethod = "invalid-method",
    /// A version that is neither HTTP/1.0 nor HTTP/1.1.
    UnknownVersion = "unknown-version",
    /// A request line without version: HTTP/0.9.
    Http09 = "http09",
    /// A status code that is not three digits from 100 to 599.
    InvalidStatus = "invalid-status",
    /// No Host in an HTTP/1.1 request.
    MissingHost = "missing-host",
    /// More than one Host.
    DuplicateHost = "duplicate-host",
    /// A chunk size that is not plain hexadecimal, or does not fit 64 bits.
    InvalidChunkSize = "invalid-chunk-size",
    /// A chunk's data is not followed by a line end.
    ChunkWithoutLineEnd = "chunk-without-line-end",
    /// A chunk extension.
    ChunkExtension = "chunk-extension",
    /// Chunk extensions longer than the sensor keeps.
    OversizedChunkExtension = "oversized-chunk-extension",
    /// A trailer field that must not be one: framing, routing or authentication.
    ForbiddenTrailer = "forbidden-trailer",
    /// A body length stated where no body may be: 1xx, 204, or Transfer-Encoding in such an answer.
    BodyWhereNoneMayBe = "body-where-none-may-be",
    /// A head longer than the sensor keeps, or with more fields.
    OversizedHead = "oversized-head",
    /// A response that began before its request had ended.
    EarlyResponse = "early-response",
    /// Requests sent without waiting for answers.
    Pipelined = "pipelined",
    /// A response with no request open.
    UnsolicitedResponse = "unsolicited-response",
    /// Bytes after a message that are no HTTP.
    TrailingGarbage = "trailing-garbage",
    /// The body ended before its stated length.
    ShortBody = "short-body",
    /// The same range of the stream came twice with different bytes.
    OverlapConflict = "overlap-conflict",
    /// IP fragments overlapped with different bytes.
    FragmentConflict = "fragment-conflict",
    /// A reset outside the receive window was ignored.
    ResetOutOfWindow = "reset-out-of-window",
    /// A segment with a wrong checksum was ignored.
    BadChecksum = "bad-checksum",
    /// A reset was ignored by its receiver: the connection went on. Somebody on the path may have forged it.
    ResetIgnored = "reset-ignored",
    /// A reset came with a TTL clearly other than that of its sender's segments: somebody on the path may have sent it.
    ResetWithOtherTtl = "reset-with-other-ttl",
    /// Bytes that conflict, or were never acknowledged, came with a TTL clearly other than that of their sender.
    TtlOutlier = "ttl-outlier",
    /// Bytes that the sensor read and their receiver never acknowledged, although it went on.
    NeverAcknowledged = "never-acknowledged",
    /// A head that came in many segments of a few bytes.
    TinySegments = "tiny-segments",
    /// A SYN with payload, which its receiver may have taken or not.
    DataInSyn = "data-in-syn",
    /// Payload far outside the receive window was ignored.
    DataOutOfWindow = "data-out-of-window",
    /// Payload after a FIN of its sender: the FIN or the payload may be forged.
    DataAfterFin = "data-after-fin",
    /// Urgent data, which some hosts take out of the stream.
    UrgentData = "urgent-data",
    /// More requests without answers than the sensor keeps: which answer belongs to which is lost.
    TooManyOutstanding = "too-many-outstanding",
    /// A PROXY protocol header that could not be read.
    InvalidProxyHeader = "invalid-proxy-header",
    /// More than one PROXY protocol header: the first names the client, and others are ignored.
    DuplicateProxyHeader = "duplicate-proxy-header",
    /// The content coding could not be decoded.
    InvalidContentCoding = "invalid-content-coding",
    /// Decoding the content would have passed the cap on bytes or ratio.
    ContentCodingBomb = "content-coding-bomb",
    /// More content codings than the sensor undoes.
    TooManyContentCodings = "too-many-content-codings",
    /// A content coding that the sensor does not undo, such as compress: the payload is not read.
    UnknownContentCoding = "unknown-content-coding",
    /// A body that is not what its Content-Type says.
    InvalidPayload = "invalid-payload",
    /// XML with a document type: what it may bring in is not followed.
    XmlDoctype = "xml-doctype",
    /// XML whose document type declares an entity, which some parsers expand or fetch.
    XmlEntity = "xml-entity",
    /// `SOAPAction` names another operation than the first element of the SOAP body: servers that go by one and
    /// gateways that go by the other see two different calls.
    SoapActionMismatch = "soap-action-mismatch",
    /// An Upgrade or CONNECT left HTTP: what follows is counted, not read, unless it is HTTP in clear text.
    Tunnel = "tunnel",
    /// Many streams were opened and reset by the client at once (CVE-2023-44487).
    RapidReset = "rapid-reset",
    /// A header block in more CONTINUATION frames than the sensor reads (CVE-2024-27316).
    ContinuationFlood = "continuation-flood",
    /// More streams open at once than the peer allows, or than the sensor keeps.
    TooManyStreams = "too-many-streams",
    /// A frame whose length or stream its type does not allow, or with the reserved bit set.
    InvalidFrame = "invalid-frame",
    /// A frame longer than its receiver allows.
    OversizedFrame = "oversized-frame",
    /// A frame where none of its type may be, such as one between the parts of a header block.
    MisplacedFrame = "misplaced-frame",
    /// Padding that does not fit its frame.
    InvalidPadding = "invalid-padding",
    /// Frames of a stream whose sender had ended it.
    DataOnClosedStream = "data-on-closed-stream",
    /// A stream identifier that was used before, or that its sender may not use.
    InvalidStreamId = "invalid-stream-id",
    /// A pseudo-header field that is unknown, stands behind other fields or in trailers, or belongs to the other direction.
    InvalidPseudoHeader = "invalid-pseudo-header",
    /// A pseudo-header field that every such message has is missing.
    MissingPseudoHeader = "missing-pseudo-header",
    /// A pseudo-header field that came twice.
    DuplicatePseudoHeader = "duplicate-pseudo-header",
    /// A field name with upper-case letters, which HTTP/2 does not allow.
    UppercaseFieldName = "uppercase-field-name",
    /// A field about an HTTP/1 connection in an HTTP/2 message.
    ConnectionSpecificField = "connection-specific-field",
    /// Transfer-Encoding in an HTTP/2 message: behind a server that speaks HTTP/1 onwards, another reading of where the
    /// message ends.
    TransferEncodingInHttp2 = "transfer-encoding-in-http2",
    /// A Content-Length that is not the length of the body: behind a server that speaks HTTP/1 onwards, another reading of
    /// where the message ends.
    ContentLengthMismatch = "content-length-mismatch",
    /// CR or LF within a field, the method or the target: behind a server that speaks HTTP/1 onwards, another field.
    LineBreakInField = "line-break-in-field",
    /// `:authority` and Host differ.
    ConflictingHost = "conflicting-host",
    /// A header block that breaks a rule of HPACK.
    InvalidHeaderBlock = "invalid-header-block",
    /// A header block that stands for far more bytes than it has.
    HpackBomb = "hpack-bomb",
    /// Fields that refer to earlier ones that the sensor did not see: they are unknown.
    UnknownFields = "unknown-fields",
    /// The header block, or part of it, was not captured.
    LostHeaderBlock = "lost-header-block",
    /// The stream was reset.
    StreamReset = "stream-reset",
    /// The server sent the response without being asked, and the request it stands for.
    ServerPush = "server-push",
    /// A WebSocket handshake whose request has no key of 16 bytes.
    WebsocketKeyMissing = "websocket-key-missing",
    /// A WebSocket handshake whose answer does not fit the request's key: who answered has not read the request.
    WebsocketAcceptMismatch = "websocket-accept-mismatch",
    /// A frame of the client without mask: a client that does not mask can be made to write what proxies take for HTTP.
    WebsocketUnmaskedFrame = "websocket-unmasked-frame",
    /// A frame of the server with a mask, which no server may send.
    WebsocketMaskedFrame = "websocket-masked-frame",
    /// Reserved bits of a frame are set, and no extension was agreed on that gives them a meaning.
    WebsocketReservedBits = "websocket-reserved-bits",
    /// A frame of a kind that RFC 6455 does not know.
    WebsocketUnknownOpcode = "websocket-unknown-opcode",
    /// A frame whose length is written in more bytes than it needs, or in a way that no length may have.
    WebsocketInvalidLength = "websocket-invalid-length",
    /// A control frame with more than 125 bytes.
    WebsocketOversizedControl = "websocket-oversized-control",
    /// A control frame in several parts.
    WebsocketFragmentedControl = "websocket-fragmented-control",
    /// A continuation of no message, or a new message before the last one ended.
    WebsocketInvalidFragment = "websocket-invalid-fragment",
    /// A close frame with a code that none may have, or of one byte.
    WebsocketInvalidCloseCode = "websocket-invalid-close-code",
    /// A text message or a reason to close that is no UTF-8.
    WebsocketInvalidUtf8 = "websocket-invalid-utf8",
    /// Frames behind a close frame of the same sender.
    WebsocketDataAfterClose = "websocket-data-after-close",
    /// Keys of the TLS connection were expected and did not come in time, or not those of one direction: what is missing was
    /// not decrypted.
    TlsNoKeys = "tls-no-keys",
    /// The keys that were given do not open the TLS connection, or not all of its records: what is missing was not decrypted.
    TlsWrongKeys = "tls-wrong-keys",
}

/// A set of anomalies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Anomalies(u128);

const _: () = assert!(Anomaly::ALL.len() <= 128, "the set has 128 bits");

impl Anomalies {
    /// Adds one.
    pub fn insert(&mut self, anomaly: Anomaly) {
        self.0 |= 1 << anomaly as u8;
    }

    /// Takes one out.
    pub fn remove(&mut self, anomaly: Anomaly) {
        self.0 &= !(1 << anomaly as u8);
    }

    /// Whether it is in the set.
    pub const fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & (1 << anomaly as u8) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL.iter().copied().filter(move |anomaly| self.contains(*anomaly))
    }
}

impl BitOr for Anomalies {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Anomalies {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl FromIterator<Anomaly> for Anomalies {
    fn from_iter<I: IntoIterator<Item = Anomaly>>(anomalies: I) -> Self {
        let mut set = Self::default();
        anomalies.into_iter().for_each(|anomaly| set.insert(anomaly));
        set
    }
}
