//! What an answer says of an attempt. Nothing that the request said itself proves anything: answers that refuse a value
//! often repeat it.

use super::{AttemptKind, Evidence, words};
use crate::content::{Caps, Codings, Decoder};
use crate::percent;
use memchr::memmem::find;
use tapwire_protocol::{Exchange, Message};

/// Bytes at the beginning of an answer that are searched.
pub(crate) const SEARCHED: usize = 16 << 10;
/// Bytes of a request's content in which words are looked up that an answer has. Of a longer one, what the answer has may
/// stand in the rest.
const ASKED: usize = 64 << 10;

/// An answer as it can be searched.
pub(crate) struct Answer<'a> {
    request: Option<&'a Message>,
    message: Option<&'a Message>,
    caps: Caps,
    /// The beginning of its content, where parts of its body went ahead.
    begin: &'a [u8],
    /// Its text, decoded, or the beginning of it; made when it is asked for.
    text: Option<Vec<u8>>,
    asked: Option<Asked>,
    /// Nanoseconds until it came.
    latency: Option<u64>,
}

impl<'a> Answer<'a> {
    /// That of an exchange; `begin` is that of a body of which parts went ahead.
    pub(crate) fn new(exchange: &'a Exchange, begin: &'a [u8], caps: Caps) -> Self {
        Self {
            request: exchange.request.as_deref(),
            message: exchange.response.as_deref(),
            caps,
            begin,
            text: None,
            asked: None,
            latency: exchange.latency(),
        }
    }

    fn is_page(&self) -> bool {
        let kind = self.message.and_then(|message| message.head.header(b"content-type"));
        kind.is_some_and(|kind| find(&kind.bytes().to_ascii_lowercase(), b"html").is_some())
    }

    /// The beginning of its content.
    pub(super) fn text(&mut self) -> &[u8] {
        let (message, begin, caps) = (self.message, self.begin, self.caps);
        self.text.get_or_insert_with(|| text(message, begin, caps))
    }

    /// Whether there is more of it than is searched.
    pub(super) fn is_longer(&mut self) -> bool {
        let coded = self.message.is_some_and(|message| message.body.len > SEARCHED as u64);
        coded || self.text().len() >= SEARCHED
    }

    /// Whether it has one of these words, and the request has not.
    fn has_of_its_own(&mut self, words: &[&[u8]], value: &[u8]) -> bool {
        self.text();
        let text = self.text.as_deref().unwrap_or_default();
        let mut found = words.iter().filter(|word| find(text, word).is_some()).peekable();
        if found.peek().is_none() {
            return false;
        }
        let (request, caps) = (self.request, self.caps);
        let asked = self.asked.get_or_insert_with(|| asked(request, caps));
        let said = |word: &[u8]| find(&asked.text, word).is_some() || find(value, word).is_some();
        found.any(|word| !said(&word.to_ascii_lowercase()))
    }

    /// What it says of a value, in its normal form and as it was sent.
    pub(super) fn of(&mut self, kind: AttemptKind, value: &[u8], raw: &[u8]) -> Evidence {
        let proofs = words::proofs(kind);
        if proofs.iter().any(|words| self.has_of_its_own(words, value)) || self.shows_user(kind, value) {
            return if self.is_asked_whole() { Evidence::Shown } else { Evidence::Error };
        }
        let computed = if kind == AttemptKind::Template { self.computed(value) } else { Evidence::None };
        if computed != Evidence::None {
            return computed;
        }
        if kind == AttemptKind::Line && self.message.is_some_and(|message| has_field(message, value)) {
            return Evidence::Shown;
        }
        let waited = |seconds: u64| self.latency.is_some_and(|nanos| nanos / 950_000_000 >= seconds);
        if asked_delay(kind, value).is_some_and(waited) {
            return Evidence::Delayed;
        }
        if kind == AttemptKind::Script && self.is_page() && raw.len() >= 8 && find(self.text(), raw).is_some()
        {
            return Evidence::Reflected;
        }
        if self.has_of_its_own(words::errors(kind), value) { Evidence::Error } else { Evidence::None }
    }

    /// Whether all that the request says was looked at.
    fn is_asked_whole(&mut self) -> bool {
        let (request, caps) = (self.request, self.caps);
        self.asked.get_or_insert_with(|| asked(request, caps)).whole
    }

    /// `uid=33(www-data)`, as `id` says it.
    fn shows_user(&mut self, kind: AttemptKind, value: &[u8]) -> bool {
        use AttemptKind::{Code, Command, Object, Template};
        if !matches!(kind, Command | Code | Object | Template) || find(value, b"uid=").is_some() {
            return false;
        }
        let text = self.text();
        let is_user = |at: usize| {
            let rest = text.get(at + 4..).unwrap_or_default();
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits > 0 && rest.get(digits) == Some(&b'(')
        };
        memchr::memmem::find_iter(text, b"uid=").any(is_user)
    }

    /// Whether what a template asks to compute stands in the answer: a whole number that the request does not name. Few
    /// digits stand in many answers by chance.
    fn computed(&mut self, value: &[u8]) -> Evidence {
        let Some(product) = product(value) else { return Evidence::None };
        let (request, caps) = (self.request, self.caps);
        let asked = self.asked.get_or_insert_with(|| asked(request, caps));
        if !asked.whole || find(&asked.text, product.as_bytes()).is_some() {
            return Evidence::None;
        }
        let text = self.text();
        let stands = |at: usize| {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let after = text.get(at + product.len());
            let (apart, alone) = (
                |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'.',
                |byte: &u8| matches!(byte, b'"' | b'>' | b'<' | b' ' | b'\n'),
            );
            match product.len() {
                5.. => before.is_none_or(apart) && after.is_none_or(apart),
                _ => before.is_none_or(alone) && after.is_none_or(alone),
            }
        };
        match memchr::memmem::find_iter(text, product.as_bytes()).any(stands) {
            true if product.len() >= 5 => Evidence::Shown,
            true => Evidence::Reflected,
            false => Evidence::None,
        }
    }
}

/// The beginning of a body, without its content coding.
pub(crate) fn text(message: Option<&Message>, begin: &[u8], caps: Caps) -> Vec<u8> {
    let Some(message) = message else { return Vec::new() };
    if message.body.parts {
        return begin.to_vec();
    }
    decoded(message, caps, SEARCHED).0
}

/// At most so much of a body that is there, without its content coding, and whether that is all of it.
fn decoded(message: &Message, caps: Caps, most: usize) -> (Vec<u8>, bool) {
    let coding = message.head.header(b"content-encoding").map(|value| value.bytes()).unwrap_or_default();
    let (mut text, mut whole) = (Vec::new(), !message.body.parts);
    let Codings::Known(codings) = Codings::parse(coding) else { return (text, message.body.len == 0) };
    Decoder::new(codings, &mut Vec::new()).feed(&message.body.bytes, caps, &mut |content| {
        let room = most.saturating_sub(text.len()).min(content.len());
        whole &= room == content.len();
        text.extend_from_slice(content.get(..room).unwrap_or_default());
    });
    (text, whole && message.body.bytes.len() as u64 >= message.body.len)
}

/// What a request says.
struct Asked {
    /// Its escapes and content coding undone, in lower case.
    text: Vec<u8>,
    /// Whether that is all it says.
    whole: bool,
}

fn asked(request: Option<&Message>, caps: Caps) -> Asked {
    let Some(request) = request else { return Asked { text: Vec::new(), whole: false } };
    let (body, whole) = decoded(request, caps, ASKED);
    let mut text = percent::decode(&request.head.text, ASKED);
    text.push(0);
    text.extend(percent::decode(&body, ASKED));
    // As forms, JSON and XML write it: whatever the server reads it as, it may say it again.
    text.push(0);
    percent::decode_form(&request.head.text, text.len() + ASKED, &mut text);
    text.push(0);
    percent::decode_form(&body, text.len() + ASKED, &mut text);
    text.push(0);
    text.extend(unescaped(&body));
    text.make_ascii_lowercase();
    Asked { text, whole }
}

/// A body with the escapes of JSON (RFC 8259, 7) and the references of XML undone.
fn unescaped(body: &[u8]) -> Vec<u8> {
    if memchr::memchr2(b'\\', b'&', body).is_none() {
        return Vec::new();
    }
    let mut text = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        let undone = match byte {
            b'\\' => escape(tail),
            b'&' => reference(tail),
            _ => None,
        };
        let (letter, len) = undone.unwrap_or((char::from(byte), 0));
        match undone {
            Some(_) => text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            None => text.push(byte),
        }
        rest = tail.get(len..).unwrap_or_default();
    }
    text
}

/// What stands behind a backslash, and how long that is.
fn escape(tail: &[u8]) -> Option<(char, usize)> {
    let plain = |letter| Some((letter, 1));
    match tail.first()? {
        b'n' => plain('\n'),
        b'r' => plain('\r'),
        b't' => plain('\t'),
        b'u' => {
            let digits = std::str::from_utf8(tail.get(1..5)?).ok()?;
            Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 5))
        }
        byte @ (b'"' | b'\\' | b'/') => plain(char::from(*byte)),
        _ => None,
    }
}

/// What stands behind an ampersand, up to its semicolon, and how long that is.
fn reference(tail: &[u8]) -> Option<(char, usize)> {
    let end = tail.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(tail.get(..end)?).ok()?;
    let letter = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let hexadecimal = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
            char::from_u32(hexadecimal.unwrap_or_else(|| number.parse()).ok()?)?
        }
    };
    Some((letter, end + 1))
}

/// Whether an answer has the header field that a value would begin: what stands in the head has broken out.
fn has_field(message: &Message, value: &[u8]) -> bool {
    let mut lines = value.split(|byte| matches!(byte, b'\r' | b'\n')).skip(1);
    lines.any(|line| {
        let Some(colon) = memchr::memchr(b':', line) else { return false };
        let (name, content) = line.split_at_checked(colon).unwrap_or_default();
        let content = content.get(1..).unwrap_or_default().trim_ascii();
        let same = |told: &[u8]| told.to_ascii_lowercase().starts_with(content);
        !content.is_empty()
            && message.head.headers().any(|(known, told)| {
                known.bytes().eq_ignore_ascii_case(name.trim_ascii()) && same(told.bytes())
            })
    })
}

/// Seconds that a value asks a server to wait.
fn asked_delay(kind: AttemptKind, value: &[u8]) -> Option<u64> {
    if !matches!(kind, AttemptKind::Sql | AttemptKind::Command | AttemptKind::Code | AttemptKind::NoSql) {
        return None;
    }
    let at = find(value, b"sleep").map(|at| at + 5).or_else(|| find(value, b"delay").map(|at| at + 5))?;
    let rest = value.get(at..at + 24.min(value.len() - at))?;
    let digits: Vec<u64> = rest
        .split(|byte| !byte.is_ascii_digit())
        .filter_map(|part| std::str::from_utf8(part).ok()?.parse().ok())
        .collect();
    // `0:0:5` is five seconds.
    digits.into_iter().find(|seconds| (2..=120).contains(seconds))
}

/// What a template's product is, as text; a text times a number is that text so often.
fn product(value: &[u8]) -> Option<String> {
    let star = memchr::memchr(b'*', value)?;
    let (left, right) = value.split_at_checked(star)?;
    let digits = |byte: &&u8| byte.is_ascii_digit();
    let left: Vec<u8> =
        left.iter().rev().skip_while(|byte| **byte == b' ').take_while(digits).copied().collect();
    let left: String = left.iter().rev().map(|byte| char::from(*byte)).collect();
    let right = right.get(1..)?.trim_ascii_start();
    let quoted = right.first().is_some_and(|byte| matches!(byte, b'\'' | b'"'));
    let right = if quoted { right.get(1..)? } else { right };
    let right: String = right.iter().take_while(digits).map(|byte| char::from(*byte)).collect();
    if left.is_empty() || right.is_empty() || left.len() > 7 || right.len() > 7 {
        return None;
    }
    let one: u64 = left.parse().ok()?;
    if quoted {
        return (2..=12).contains(&one).then(|| right.repeat(usize::try_from(one).unwrap_or(1)));
    }
    let product = one.checked_mul(right.parse().ok()?)?;
    (product > 9 && product.to_string() != left && product.to_string() != right).then(|| product.to_string())
}
