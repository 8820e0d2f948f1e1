//! What a call's addresses say: whether it came from outside, and which way it took.

use crate::context::{Context, Zone};
use crate::principals::Caller;
use std::net::IpAddr;
use tapwire_inspect::{Mark, Marks, Observation};

/// Whether an address can be reached over the Internet: none of those that are kept for private use, links and machines
/// (IANA's registries of special-purpose addresses).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified();
            !(local || shared || v4.is_multicast() || v4.is_broadcast())
        }
        IpAddr::V6(v6) => {
            let local = v6.is_unique_local() || v6.is_unicast_link_local();
            !(local || v6.is_loopback() || v6.is_unspecified() || v6.is_multicast())
        }
    }
}

/// Whether an address is outside: named as public, or public and named as nothing else.
fn is_outside(context: &Context, address: IpAddr) -> bool {
    match context.zone(address) {
        Some(zone) => zone == Zone::Public,
        None => is_public(address),
    }
}

/// What the addresses of a call add to its marks.
pub(crate) fn mark(marks: &mut Marks, observation: &Observation, caller: Option<&Caller>, context: &Context) {
    if !marks.contains(Mark::Called) {
        return;
    }
    let flow = &observation.exchange.flow;
    let (peer, server) = (flow.client().ip(), flow.server().ip());
    let client = caller.and_then(|caller| caller.address).map_or(peer, |address| address.ip);
    let outside = is_outside(context, client);
    let in_clear = marks.contains(Mark::ClearText);
    marks.set(Mark::PublicClients, outside);
    marks.set(Mark::PublicClearText, in_clear && is_outside(context, peer) && !context.is_proxy(peer));
    marks.set(Mark::Egress, !outside && is_outside(context, server));
    let around = context.is_through_gateway(flow) == Some(false);
    marks.set(Mark::AroundGateway, around && is_outside(context, peer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_is_what_the_internet_reaches() {
        for (address, public) in [
            ("10.0.0.1", false),
            ("172.16.9.9", false),
            ("192.168.1.1", false),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("198.51.100.7", true),
            ("::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("2001:db8::1", true),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
