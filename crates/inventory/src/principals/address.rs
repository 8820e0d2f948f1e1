//! The client's address, believed from trusted proxies only: what a stranger says of itself is a claim.

use crate::context::Context;
use std::net::{IpAddr, SocketAddr};
use tapwire_protocol::{Exchange, FlowStamp, Head};

/// Proxies in front of one another that are followed.
const MAX_HOPS: usize = 32;

/// Who said what the client's address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AddressSource {
    /// The packets.
    #[default]
    Wire,
    /// A PROXY protocol header.
    ProxyProtocol,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `X-Real-IP`.
    XRealIp,
}

impl AddressSource {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::ProxyProtocol => "proxy-protocol",
            Self::Forwarded => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
            Self::XRealIp => "x-real-ip",
        }
    }
}

/// The client's address, and who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The address.
    pub ip: IpAddr,
    /// Its port, where that is known.
    pub port: Option<u16>,
    /// Who said so.
    pub source: AddressSource,
    /// What was said by somebody who is not trusted.
    pub claimed: Option<IpAddr>,
}

/// What of a request's head tells about its client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ClientHeaders<'a> {
    pub(super) user_agent: &'a [u8],
    head: Option<&'a Head>,
    forwarded: bool,
    x_forwarded_for: bool,
    x_real_ip: Option<&'a [u8]>,
}

impl<'a> ClientHeaders<'a> {
    /// Looks through the fields once.
    pub(super) fn of(head: &'a Head) -> Self {
        let mut found = Self { head: Some(head), ..Self::default() };
        let end = head.trailers_from.unwrap_or(head.fields.len());
        for field in head.fields.iter().take(end) {
            let (Some(name), Some(value)) = (field.name, field.value) else { continue };
            let is = |known| head.slice(name).is(known);
            let value = || head.slice(value).bytes();
            match name.len() {
                9 if is(b"forwarded") => found.forwarded = true,
                9 if is(b"x-real-ip") => found.x_real_ip = Some(value()),
                10 if found.user_agent.is_empty() && is(b"user-agent") => found.user_agent = value(),
                15 if is(b"x-forwarded-for") => found.x_forwarded_for = true,
                _ => {}
            }
        }
        found
    }

    /// The hops of a header, the nearest first. Lines of one name are one list (RFC 9110, 5.3).
    fn hops(&self, name: &'static [u8], read: fn(&[u8]) -> Option<SocketAddr>) -> Vec<Option<SocketAddr>> {
        let Some(head) = self.head else { return Vec::new() };
        let lines = fields(head).filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let mut lines: Vec<&[u8]> = lines.map(|(_, value)| value).collect();
        lines.reverse();
        let hops = lines.into_iter().flat_map(|line| line.rsplit(|byte| *byte == b','));
        hops.take(MAX_HOPS).map(|hop| read(hop.trim_ascii())).collect()
    }

    /// What the headers say, and which did. Two that do not agree say nothing: a proxy writes one of them, and a stranger may
    /// have written the other.
    fn said(&self) -> Option<(AddressSource, Vec<Option<SocketAddr>>)> {
        let standard = self.forwarded.then(|| self.hops(b"forwarded", forwarded_for));
        let usual = self.x_forwarded_for.then(|| self.hops(b"x-forwarded-for", node));
        let nearest = |hops: &Vec<Option<SocketAddr>>| hops.first().copied().flatten().map(|hop| hop.ip());
        match (standard, usual) {
            (Some(standard), Some(usual)) if nearest(&standard) != nearest(&usual) => None,
            (Some(hops), _) => Some((AddressSource::Forwarded, hops)),
            (None, Some(hops)) => Some((AddressSource::XForwardedFor, hops)),
            (None, None) => Some((AddressSource::XRealIp, vec![node(self.x_real_ip?.trim_ascii())])),
        }
    }
}

fn fields(head: &Head) -> impl Iterator<Item = (&[u8], &[u8])> {
    let end = head.trailers_from.unwrap_or(head.fields.len());
    let fields = head.fields.iter().take(end);
    fields.filter_map(|field| Some((head.slice(field.name?).bytes(), head.slice(field.value?).bytes())))
}

/// The client of an exchange: as far along the chain as every speaker is a trusted proxy.
pub(super) fn client(exchange: &Exchange, headers: &ClientHeaders<'_>, context: &Context) -> ClientAddress {
    let mut client = on_connection(&exchange.flow, context);
    if !headers.forwarded && !headers.x_forwarded_for && headers.x_real_ip.is_none() {
        return client;
    }
    let Some((source, hops)) = headers.said() else { return client };
    if !context.is_proxy(client.ip) {
        client.claimed = hops.iter().rev().find_map(|hop| *hop).map(|hop| hop.ip());
        return client;
    }
    // A hop that cannot be read ends the chain: who spoke last is the client.
    for hop in hops.into_iter().map_while(|hop| hop) {
        let port = Some(hop.port()).filter(|port| *port > 0);
        client = ClientAddress { ip: hop.ip(), port, source, claimed: None };
        if !context.is_proxy(client.ip) {
            break;
        }
    }
    client
}

/// The client by the packets, or by a PROXY header where its sender may say so: where no proxy is named, any.
fn on_connection(flow: &FlowStamp, context: &Context) -> ClientAddress {
    let peer = flow.client();
    let wire =
        ClientAddress { ip: peer.ip(), port: Some(peer.port), source: AddressSource::Wire, claimed: None };
    let Some(named) = flow.proxy.as_ref().and_then(|proxy| proxy.client) else { return wire };
    if context.has_proxies() && !context.is_proxy(wire.ip) {
        return ClientAddress { claimed: Some(named.ip()), ..wire };
    }
    ClientAddress { ip: named.ip(), port: Some(named.port), source: AddressSource::ProxyProtocol, ..wire }
}

/// The `for` of a forwarded-element (RFC 7239, 4).
fn forwarded_for(element: &[u8]) -> Option<SocketAddr> {
    element.split(|byte| *byte == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let value =
            pair.get(4..).filter(|_| pair.get(..4).is_some_and(|key| key.eq_ignore_ascii_case(b"for=")))?;
        node(value.trim_ascii())
    })
}

/// A node (RFC 7239, 6): an address with its port or without, quoted or not. Port 0 stands for none.
fn node(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches('"');
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    bare.and_then(|text| text.parse().ok()).map(|ip| SocketAddr::new(ip, 0)).or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Reading;
    use crate::transcript::exchange;
    use tapwire_inspect::TokenKey;
    use tapwire_protocol::ProxyHeader;
    use tapwire_wire::Endpoint;

    /// The client of a request from 10.0.0.7, with these proxies.
    fn client_of(proxies: &str, headers: &str, proxy: Option<[u8; 4]>) -> ClientAddress {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let mut exchange = exchange(1, request.replace('\n', "\r\n").replace("\r\r", "\r").as_bytes(), b"");
        exchange.flow.proxy = proxy.map(|ip| ProxyHeader {
            version: 1,
            client: Some(Endpoint::v4(ip, 777)),
            destination: None,
        });
        let mut reading = Reading::new(TokenKey::new([7; 32]));
        proxies
            .split(' ')
            .filter(|one| !one.is_empty())
            .for_each(|one| reading.add("networks", "proxies", one).unwrap());
        let head = exchange.request_head().unwrap();
        client(&exchange, &ClientHeaders::of(head), &reading.finish())
    }

    #[track_caller]
    fn is(client: ClientAddress, ip: &str, source: AddressSource, claimed: Option<&str>) {
        let wanted = (ip.parse().unwrap(), source, claimed.map(|ip| ip.parse().unwrap()));
        assert_eq!((client.ip, client.source, client.claimed), wanted);
    }

    use AddressSource::{Forwarded, ProxyProtocol, Wire, XForwardedFor, XRealIp};

    #[test]
    fn a_strangers_word_is_a_claim() {
        let of = |headers: &str| client_of("", headers, None);
        is(of("X-Forwarded-For: 1.1.1.1, 2.2.2.2\n"), "10.0.0.7", Wire, Some("1.1.1.1"));
        is(of("Forwarded: for=\"[2001:db8::1]:80\"\n"), "10.0.0.7", Wire, Some("2001:db8::1"));
        is(of("X-Real-IP: 1.1.1.1\n"), "10.0.0.7", Wire, Some("1.1.1.1"));
        is(of("Accept: a\n"), "10.0.0.7", Wire, None);
    }

    #[test]
    fn the_chain_is_read_from_the_right_over_trusted_proxies() {
        let of = |headers: &str| client_of("10.0.0.0/24 192.0.2.1", headers, None);
        is(of("X-Forwarded-For: 6.6.6.6, 1.1.1.1\n"), "1.1.1.1", XForwardedFor, None);
        is(of("X-Forwarded-For: 6.6.6.6, 1.1.1.1, 192.0.2.1\n"), "1.1.1.1", XForwardedFor, None);
        is(
            of("X-Forwarded-For: 6.6.6.6\nX-Forwarded-For: 1.1.1.1:4711, 192.0.2.1\n"),
            "1.1.1.1",
            XForwardedFor,
            None,
        );
        assert_eq!(of("X-Forwarded-For: 1.1.1.1:4711\n").port, Some(4711));
        is(of("X-Forwarded-For: 192.0.2.1\n"), "192.0.2.1", XForwardedFor, None);
        is(of("X-Forwarded-For: 6.6.6.6, unknown, 192.0.2.1\n"), "192.0.2.1", XForwardedFor, None);
        is(of("Forwarded: for=6.6.6.6, for=1.1.1.1;proto=https;by=192.0.2.1\n"), "1.1.1.1", Forwarded, None);
        is(of("forwarded: For=\"[2001:db8::5]\", for=192.0.2.1\n"), "2001:db8::5", Forwarded, None);
        is(of("X-Real-IP: 1.1.1.1\n"), "1.1.1.1", XRealIp, None);
    }

    #[test]
    fn two_headers_that_do_not_agree_are_not_believed() {
        let of = |headers: &str| client_of("10.0.0.0/24", headers, None);
        is(of("X-Forwarded-For: 1.1.1.1\nForwarded: for=6.6.6.6\n"), "10.0.0.7", Wire, None);
        is(of("X-Forwarded-For: 1.1.1.1\nForwarded: for=1.1.1.1\n"), "1.1.1.1", Forwarded, None);
    }

    #[test]
    fn a_proxy_header_counts_from_named_proxies_or_where_none_is_named() {
        is(client_of("", "", Some([9, 9, 9, 9])), "9.9.9.9", ProxyProtocol, None);
        is(client_of("10.0.0.7", "", Some([9, 9, 9, 9])), "9.9.9.9", ProxyProtocol, None);
        is(client_of("172.16.0.0/12", "", Some([9, 9, 9, 9])), "10.0.0.7", Wire, Some("9.9.9.9"));
        let both = client_of("10.0.0.7 9.9.9.9", "X-Forwarded-For: 6.6.6.6, 1.1.1.1\n", Some([9, 9, 9, 9]));
        is(both, "1.1.1.1", XForwardedFor, None);
    }
}
