//! What arrives and cannot be read here: encrypted, of another protocol, or in a tunnel that cannot be unwrapped.

use super::ailment::{Ailment, Case, Harm, Symptom, notable, percent};
use crate::size::{bytes, count, counted, share};
use std::collections::BTreeSet;
use tapwire_protocol::Kind;

pub(super) const AILMENTS: &[Ailment] = &[
    Ailment {
        name: "tls",
        title: "Traffic is encrypted",
        harm: Harm::Unread,
        means: "of TLS only names and sizes can be told, not what is asked and answered",
        remedy: "mirror where the traffic is in clear: behind the load balancer or gateway that ends TLS, between gateway \
                 and service, or from a decrypting packet broker",
        told: "1 % of the payload",
        judge: tls,
    },
    Ailment {
        name: "quic",
        title: "QUIC passes, which carries HTTP/3",
        harm: Harm::Unread,
        means: "it is always encrypted, and is not read",
        remedy: "mirror behind the proxy that ends QUIC; or let clients fall back to TCP by closing its UDP port there",
        told: "1 % of the bytes are UDP of port 443, or of a port where a QUIC connection began",
        judge: quic,
    },
    Ailment {
        name: "encapsulated",
        title: "Packets are wrapped in what cannot be unwrapped",
        harm: Harm::Unread,
        means: "what is inside is not seen, and looks like loss where it belongs to a connection that is",
        remedy: "have the packet broker or the mirror remove the encapsulation, or mirror outside of it; what encrypts (ESP, \
                 MACsec) has to end first",
        told: "1 in 1,000 packets",
        judge: encapsulated,
    },
    Ailment {
        name: "not-http",
        title: "Most traffic is neither HTTP nor TLS",
        harm: Harm::Costs,
        means: "databases, queues, shells and the like are counted and not read",
        remedy: "keep them away with a filter, such as -f 'not port 5432', or mirror fewer ports",
        told: "half of the payload",
        judge: not_http,
    },
    Ailment {
        name: "proxied",
        title: "Connections name their clients in a PROXY header",
        harm: Harm::Harmless,
        means: "a load balancer is in front: events name the client of that header",
        remedy: "nothing to do",
        told: "any connection",
        judge: proxied,
    },
];

fn payload(case: &Case<'_>, kind: Kind) -> u64 {
    case.report.protocol.flow_bytes.get(kind as usize).copied().unwrap_or(0)
}

fn all_payload(case: &Case<'_>) -> u64 {
    case.report.protocol.flow_bytes.iter().sum()
}

fn tls(case: &Case<'_>) -> Option<Symptom> {
    let (tls, all) = (payload(case, Kind::Tls), all_payload(case));
    percent(1, tls, all).then(|| Symptom {
        figure: format!(
            "{} of the payload is TLS ({} of {}){}",
            share(tls, all),
            bytes(tls),
            bytes(all),
            names(case)
        ),
        remedy: Some(format!(
            "mirror behind the load balancer or gateway that ends TLS, between gateway and service, or from a decrypting \
             packet broker: the {} that is not read here could be read there",
            share(tls, all)
        )),
    })
}

/// The servers that clients ask for.
fn names(case: &Case<'_>) -> String {
    let look = case.look;
    let names = look.names.by_bytes(&look.connections.named_bytes);
    let shown: Vec<String> =
        names.iter().take(5).map(|(name, part)| format!("{name} ({})", bytes(*part))).collect();
    let more = names.len().saturating_sub(shown.len());
    match (shown.is_empty(), more) {
        (true, _) if look.names.unnamed > 0 => "; clients name no server".to_owned(),
        (true, _) => "; its handshakes were not captured".to_owned(),
        (false, 0) => format!("; clients ask for {}", shown.join(", ")),
        (false, more) => {
            format!("; clients ask for {} and {}", shown.join(", "), counted(more as u64, "more server"))
        }
    }
}

fn quic(case: &Case<'_>) -> Option<Symptom> {
    let sizes = &case.look.sizes;
    percent(1, sizes.quic_bytes, sizes.wire_bytes).then(|| {
        format!(
            "{} of the bytes, in {} of UDP port {}",
            share(sizes.quic_bytes, sizes.wire_bytes),
            counted(sizes.quic_packets, "packet"),
            ports(&case.look.quic_ports)
        )
        .into()
    })
}

fn ports(ports: &BTreeSet<u16>) -> String {
    let shown: Vec<String> = ports.iter().take(5).map(u16::to_string).collect();
    let more = if ports.len() > shown.len() { " and others" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Packets within something that cannot be unwrapped.
pub(super) fn wrapped(case: &Case<'_>) -> u64 {
    layers(case).iter().map(|(_, packets)| packets).sum()
}

fn layers<'a>(case: &Case<'a>) -> Vec<(&'a str, u64)> {
    let reasons = ["encapsulated", "too-deep", "too-many-tunnels"];
    let skipped = case.report.wire.skipped.iter().filter(|((_, reason), _)| reasons.contains(reason));
    let mut layers: Vec<_> = skipped.map(|((layer, _), packets)| (*layer, *packets)).collect();
    layers.sort_by_key(|(_, packets)| std::cmp::Reverse(*packets));
    layers
}

fn encapsulated(case: &Case<'_>) -> Option<Symptom> {
    let (inside, all) = (wrapped(case), case.report.wire.packets);
    notable(inside, all).then(|| {
        let layers: Vec<String> = layers(case)
            .iter()
            .map(|(layer, packets)| format!("{} in {layer}", share(*packets, all)))
            .collect();
        format!("{} of {}: {}", count(inside), counted(all, "packet"), layers.join(", ")).into()
    })
}

fn not_http(case: &Case<'_>) -> Option<Symptom> {
    let all = all_payload(case);
    let mut others: Vec<(u64, &str)> = Kind::ALL
        .into_iter()
        .filter(|kind| !kind.is_read() && *kind != Kind::Tls)
        .map(|kind| (payload(case, kind), kind.name()))
        .filter(|(bytes, _)| *bytes > 0)
        .collect();
    others.sort_unstable_by(|a, b| b.cmp(a));
    let other: u64 = others.iter().map(|(bytes, _)| bytes).sum();
    let named: Vec<&str> = others.iter().map(|(_, name)| *name).take(3).collect();
    // A capture that begins in the middle of every connection cannot say what they are.
    let judged = case.report.flow.flows_without_syn < case.report.flow.flows_opened;
    (judged && percent(50, other, all)).then(|| {
        let (share, other, all) = (share(other, all), bytes(other), bytes(all));
        format!("{share} of the payload ({other} of {all}): {}", named.join(", ")).into()
    })
}

fn proxied(case: &Case<'_>) -> Option<Symptom> {
    let connections = &case.look.connections;
    (connections.proxied > 0).then(|| {
        format!(
            "{} of {} begin with one",
            count(connections.proxied),
            counted(connections.spoke, "connection")
        )
        .into()
    })
}
