//! What is kept of a caller and of a session, in few bytes each.

use crate::Principal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tapwire_inspect::{CredentialKind, Token};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// Seconds since 1970, enough until 2106.
pub(super) type Seconds = u32;

/// The second of a time, as near as it can be told.
pub(super) fn second(time: Timestamp) -> Seconds {
    Seconds::try_from((time.nanos() / 1_000_000_000).max(0)).unwrap_or(Seconds::MAX)
}

/// The beginning of that second.
pub(super) fn time(second: Seconds) -> Timestamp {
    Timestamp::from_parts(second.into(), 0)
}

/// A few of something, in the order they came, and whether there were more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Few<T, const N: usize> {
    items: [T; N],
    len: u8,
    more: bool,
}

impl<T: Copy + PartialEq + Default, const N: usize> Few<T, N> {
    pub(super) fn new() -> Self {
        Self { items: [T::default(); N], len: 0, more: false }
    }

    /// Whether it took a place: it was not there, and there was room.
    pub(super) fn add(&mut self, item: T) -> bool {
        if self.iter().any(|known| known == item) {
            return false;
        }
        match self.items.get_mut(usize::from(self.len)) {
            Some(place) => {
                *place = item;
                self.len += 1;
                true
            }
            None => {
                self.more = true;
                false
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.items.iter().take(usize::from(self.len)).copied()
    }

    pub(super) const fn more(&self) -> bool {
        self.more
    }
}

/// Written as what it holds, however much it could.
impl<T: Copy + Serialize, const N: usize> Serialize for Few<T, N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let items = self.items.get(..usize::from(self.len)).unwrap_or_default();
        (items, self.more).serialize(to)
    }
}

impl<'de, T: Copy + PartialEq + Default + Deserialize<'de>, const N: usize> Deserialize<'de> for Few<T, N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (items, more) = <(Vec<T>, bool)>::deserialize(from)?;
        let mut few = Self::new();
        for item in items {
            few.add(item);
        }
        few.more |= more;
        Ok(few)
    }
}

/// A network of clients: 24 bits of an IPv4 address, 48 of an IPv6 address.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Network(u64);

impl Network {
    const V6: u64 = 1 << 63;

    /// The network of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self(u64::from(u32::from(address) >> 8)),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self(Self::V6 | u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
            }
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [_, _, a, b, c, d, e, g] = self.0.to_be_bytes();
        if self.0 & Self::V6 == 0 {
            return write!(f, "{}/24", Ipv4Addr::new(d, e, g, 0));
        }
        let half = |high, low| u16::from_be_bytes([high, low]);
        write!(f, "{}/48", Ipv6Addr::new(half(a, b), half(c, d), half(e, g), 0, 0, 0, 0, 0))
    }
}

macro_rules! agents {
    ($($name:ident $text:literal $(by $mark:literal)*,)+) => {
        /// What kind of program calls, by its User-Agent.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum AgentFamily { $(#[doc = $text] $name,)+ }

        impl AgentFamily {
            /// Every family; a text that has the marks of several is of the first.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As people write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            const fn marks(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($mark,)*],)+ }
            }
        }
    };
}

agents! {
    Bot "bot" by "bot" by "crawler" by "spider",
    Edge "Edge" by "Edg/",
    Chrome "Chrome" by "Chrome/" by "CriOS/",
    Firefox "Firefox" by "Firefox/" by "FxiOS/",
    Safari "Safari" by "Safari/",
    Curl "curl" by "curl/",
    Wget "Wget" by "Wget/",
    Python "Python" by "python" by "Python" by "aiohttp",
    Go "Go" by "Go-http-client" by "Go ",
    Java "Java" by "Java" by "okhttp" by "Apache-HttpClient",
    Node "Node.js" by "node" by "axios" by "undici",
    Postman "Postman" by "Postman",
    Apple "Apple" by "CFNetwork" by "Darwin",
    Other "other",
    Missing "none",
    Scanner "scanner" by "sqlmap" by "Nikto" by "Nmap" by "uclei" by "Fuzz Faster" by "ffuf" by "obuster" by "irbuster" by "irBuster"
        by "oxbuster" by "fuzz/" by "zgrab" by "masscan" by "cunetix" by "etsparker" by "WPScan" by "rachni" by "w3af" by "jaeles"
        by "WhatWeb" by "OpenVAS" by "kiterunner",
}

impl AgentFamily {
    /// The family of a User-Agent.
    pub fn of(text: &[u8]) -> Self {
        if text.is_empty() {
            return Self::Missing;
        }
        let text = text.get(..256).unwrap_or(text);
        let has = |mark: &&str| memchr::memmem::find(text, mark.as_bytes()).is_some();
        Self::ALL.iter().copied().find(|family| family.marks().iter().any(has)).unwrap_or(Self::Other)
    }
}

/// Where calls came from: networks, fingerprints of TLS, kinds of programs.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(super) struct Places {
    pub(super) networks: Few<Network, 3>,
    /// Hashes of JA4.
    pub(super) fingerprints: Few<u32, 2>,
    /// A bit for each family.
    agents: u16,
}

/// One call's place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) network: Network,
    pub(super) fingerprint: Option<u32>,
    pub(super) agent: AgentFamily,
}

impl Place {
    pub(super) const fn told(&self) -> super::From {
        let fingerprint = match self.fingerprint {
            Some(fingerprint) => fingerprint,
            None => 0,
        };
        super::From { network: self.network, fingerprint, agent: self.agent as u8 }
    }
}

impl Places {
    pub(super) fn new() -> Self {
        Self { networks: Few::new(), fingerprints: Few::new(), agents: 0 }
    }

    /// Whether the network is a new one of those that are kept.
    pub(super) fn add(&mut self, place: &Place) -> bool {
        if let Some(fingerprint) = place.fingerprint {
            self.fingerprints.add(fingerprint);
        }
        self.agents |= 1 << place.agent as u16;
        self.networks.add(place.network)
    }

    /// What of a place is new here; nothing is where nothing is known.
    pub(super) fn strange(&self, place: &Place) -> super::Strange {
        if self.agents == 0 {
            return super::Strange::default();
        }
        let known = |fingerprint| self.fingerprints.iter().any(|known| known == fingerprint);
        super::Strange {
            network: !self.networks.more() && !self.networks.iter().any(|known| known == place.network),
            fingerprint: !self.fingerprints.more() && place.fingerprint.is_some_and(|one| !known(one)),
            agent: self.agents & (1 << place.agent as u16) == 0,
        }
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = AgentFamily> + '_ {
        AgentFamily::ALL.iter().copied().filter(|family| self.agents & (1 << *family as u16) != 0)
    }
}

/// First and last time, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Span {
    pub(super) first: Seconds,
    pub(super) last: Seconds,
    pub(super) calls: u32,
}

impl Span {
    /// Nothing yet.
    pub(super) const NEW: Self = Self { first: 0, last: 0, calls: 0 };

    /// Captures may step back in time, so first and last are the extremes.
    pub(super) fn add(&mut self, at: Seconds) {
        self.first = if self.calls == 0 { at } else { self.first.min(at) };
        self.last = self.last.max(at);
        self.calls = self.calls.saturating_add(1);
    }

    /// First and last time and how often, if ever.
    pub(super) fn used(&self) -> Option<(Timestamp, Timestamp, u32)> {
        (self.calls > 0).then(|| (time(self.first), time(self.last), self.calls))
    }
}

/// A caller.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(super) struct Known {
    pub(super) kind: crate::PrincipalKind,
    pub(super) span: Span,
    pub(super) places: Places,
    /// Indices of services.
    pub(super) services: Few<u16, 4>,
    /// A bit for each kind of credential, and one for a certificate.
    pub(super) credentials: u8,
    /// What it may do, as last seen: an index, 0 for nothing.
    pub(super) grants: u16,
}

/// The bit of a certificate, behind those of credentials.
pub(super) const CERTIFICATE: u8 = 7;

/// The bit of a kind of credential.
pub(super) const fn bit(kind: CredentialKind) -> u8 {
    1 << kind as u8
}

/// A credential that stands for a session: a cookie, an access or refresh token.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(super) struct Session {
    pub(super) kind: Option<tapwire_inspect::IssuedKind>,
    pub(super) span: Span,
    pub(super) places: Places,
    /// Whose it is, where that is known.
    pub(super) owner: Option<Principal>,
    /// By which login name it was got.
    pub(super) login: Option<Token>,
    /// The first credential of its chain.
    pub(super) root: Option<Token>,
    /// What it was got with: a refresh token, or the cookie before it.
    pub(super) parent: Option<Token>,
    pub(super) issued_in: Option<Uid>,
    pub(super) issued: Seconds,
    /// When it ends by itself; 0: nobody said so.
    pub(super) expires: Seconds,
    /// When its session was ended; the earliest time: it was not. Calls follow on it within milliseconds.
    pub(super) ended: Timestamp,
    /// When another took its place, likewise.
    pub(super) superseded: Timestamp,
    /// How often its chain was renewed before it.
    pub(super) renewals: u16,
    pub(super) grants: u16,
}

/// How long a credential is remembered after its end and its last use: who comes with it later is told as somebody with an
/// unknown one, or by what a JWT says itself.
const REMEMBERED: Seconds = 86_400;

impl Session {
    /// Whether it ended by itself long ago, and nobody has used it since.
    pub(super) fn is_over(&self, now: Seconds) -> bool {
        let last = self.span.last.max(self.issued).max(self.expires);
        self.expires != 0 && last.saturating_add(REMEMBERED) < now
    }

    pub(super) fn new() -> Self {
        Self {
            kind: None,
            span: Span::NEW,
            places: Places::new(),
            owner: None,
            login: None,
            root: None,
            parent: None,
            issued_in: None,
            issued: 0,
            expires: 0,
            ended: Timestamp::MIN,
            superseded: Timestamp::MIN,
            renewals: 0,
            grants: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_user_agents() {
        for (text, family) in [
            ("", AgentFamily::Missing),
            ("curl/7.88.1", AgentFamily::Curl),
            (
                "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
                AgentFamily::Chrome,
            ),
            ("Mozilla/5.0 AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", AgentFamily::Edge),
            (
                "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15",
                AgentFamily::Safari,
            ),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", AgentFamily::Bot),
            ("python-requests/2.32", AgentFamily::Python),
            ("sqlmap/1.7.2#stable (https://sqlmap.org)", AgentFamily::Scanner),
            ("Mozilla/5.0 (compatible; Nmap Scripting Engine)", AgentFamily::Scanner),
            ("my own client", AgentFamily::Other),
        ] {
            assert_eq!(AgentFamily::of(text.as_bytes()), family, "{text}");
        }
    }

    #[test]
    fn networks_are_told_as_prefixes() {
        let shown = |address: &str| Network::of(address.parse().unwrap()).to_string();
        assert_eq!(shown("10.77.3.9"), "10.77.3.0/24");
        assert_eq!(shown("2001:db8:7:1::5"), "2001:db8:7::/48");
        assert_eq!(Network::of("10.0.0.1".parse().unwrap()), Network::of("10.0.0.200".parse().unwrap()));
    }

    #[test]
    fn a_caller_takes_few_bytes() {
        // A million of them, with their keys, are 104 MB; docs/principals.md says so.
        assert!(size_of::<Known>() <= 80, "{}", size_of::<Known>());
        assert!(size_of::<Session>() <= 192, "{}", size_of::<Session>());
    }

    #[test]
    fn few_says_when_there_were_more() {
        let mut few = Few::<u16, 2>::new();
        assert_eq!([1, 2, 1].map(|item| few.add(item)), [true, true, false]);
        assert!(!few.more());
        few.add(3);
        assert!(few.more());
        assert_eq!(few.iter().collect::<Vec<_>>(), [1, 2]);
    }
}
