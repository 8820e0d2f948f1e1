//! What does not arrive at all: nothing, one direction, what a filter keeps away.

use super::ailment::{Ailment, Case, Harm, Symptom, percent};
use super::look::{Servers, Wrapping};
use crate::size::{count, counted, most, share};
use std::collections::BTreeMap;
use tapwire_capture::Pressure;
use tapwire_wire::Endpoint;

pub(super) const AILMENTS: &[Ailment] = &[
    Ailment {
        name: "no-packets",
        title: "Nothing arrives",
        harm: Harm::Blind,
        means: "there is nothing to sense",
        remedy: "check that the mirror session is up and points here, that the cable is in the port you name, that the \
                 interface is up (ip link), and that the filter is not too narrow",
        told: "no packet at all",
        judge: no_packets,
    },
    Ailment {
        name: "only-groups",
        title: "Only broadcast and multicast arrive",
        harm: Harm::Blind,
        means: "this port gets what a switch sends to every port, and nothing of other hosts: no mirror session feeds it",
        remedy: "set up the mirror session (SPAN) on the switch, with this port as its destination; on virtual switches \
                 and clouds, promiscuous mode or a mirror target has to be allowed as well",
        told: "no TCP, and 9 in 10 frames go to group addresses",
        judge: only_groups,
    },
    Ailment {
        name: "no-tcp",
        title: "No TCP arrives",
        harm: Harm::Blind,
        means: "APIs travel over TCP (HTTP/3 over UDP, which is not read), so there is nothing to sense",
        remedy: "mirror the ports of the API servers or of their load balancer; `tapwire doctor --json` lists what the \
                 packets are",
        told: "packets, and no TCP segment among them",
        judge: no_tcp,
    },
    Ailment {
        name: "filter-hides",
        title: "The filter does not match what is tagged or tunnelled",
        harm: Harm::Blind,
        means: "a filter looks at fixed places in a packet, and a tag or a tunnel moves what it looks for: such packets \
                never get here",
        remedy: "leave the filter out: what is not TCP is skipped at little cost",
        told: "a filter was given, and it refuses wrapped segments that it would match unwrapped: all of one kind of \
               wrapping, or 1 % of what it matches",
        judge: filter_hides,
    },
    Ailment {
        name: "one-direction",
        title: "Only one direction arrives",
        harm: Harm::Blind,
        means: "requests without responses say what was tried and not what came of it; responses alone do not say what \
                was asked",
        remedy: "mirror both directions (rx and tx) of the port; of a tap, listen on both of its ports: tapwire run -i \
                 PORT1 -i PORT2",
        told: "of most connections that carry payload no packet of the other side was seen",
        judge: one_direction,
    },
    Ailment {
        name: "split-directions",
        title: "Requests and responses take different ways",
        harm: Harm::Blind,
        means: "some connections are seen from the client only and others from the server only: routing is asymmetric, or \
                the members of a bonded link are mirrored in part",
        remedy: "mirror both ways, or all members of the link, and give this sensor all of these ports: tapwire run -i \
                 PORT1 -i PORT2",
        told: "of 20 % of connections one side is missing, and in 1 of 5 of those it is the other side",
        judge: split_directions,
    },
    Ailment {
        name: "one-direction-of-some",
        title: "Of some servers only one direction arrives",
        harm: Harm::Loses,
        means: "their exchanges have one half only",
        remedy: "look how these servers are attached: a second port, a return path of their own or a bypass that is not \
                 mirrored",
        told: "of 5 % of connections, and of 3 at least, no packet of one side was seen",
        judge: one_direction_of_some,
    },
    Ailment {
        name: "half-open",
        title: "Most connections are attempts that nobody answers",
        harm: Harm::Costs,
        means: "a scan or a SYN flood passes here. It takes a little memory of its own and no place from real connections",
        remedy: "find who sends it; where it is a scanner of your own, keep it away with -f 'not host ADDRESS'",
        told: "half of the connections, and 100 at least, show nothing but SYN and RST",
        judge: half_open,
    },
];

fn no_packets(case: &Case<'_>) -> Option<Symptom> {
    if case.report.wire.packets > 0 {
        return None;
    }
    let refused = case.refused.map_or(0, |refused| refused.packets);
    let figure = match refused {
        0 => "0 packets were captured".to_owned(),
        refused => format!("0 packets are left: the filter refused all {}", count(refused)),
    };
    let remedy = match (refused, case.pressure) {
        (0, Pressure::Shed) => None,
        (0, Pressure::Block) => Some(NOTHING_RECORDED.to_owned()),
        _ => Some("leave the filter out, or make it match what is to be seen".to_owned()),
    };
    Some(Symptom { figure, remedy })
}

/// What to do about a capture without packets: the mirror is not at hand, but how it was recorded can be told.
const NOTHING_RECORDED: &str = "record again, and look at the mirror with `tapwire doctor -i IFACE` first: was it up, was this the \
                                port that it points to, and did the recorder's filter let anything through";

fn are_only_groups(case: &Case<'_>) -> bool {
    let sizes = &case.look.sizes;
    case.report.wire.segments == 0 && percent(90, sizes.to_groups, sizes.packets)
}

fn only_groups(case: &Case<'_>) -> Option<Symptom> {
    let sizes = &case.look.sizes;
    are_only_groups(case).then(|| {
        format!(
            "{} of {} packets go to group addresses, none is TCP",
            count(sizes.to_groups),
            count(sizes.packets)
        )
        .into()
    })
}

fn no_tcp(case: &Case<'_>) -> Option<Symptom> {
    let wire = &case.report.wire;
    (wire.packets > 0 && wire.segments == 0 && !are_only_groups(case)).then(|| {
        let mut kinds: Vec<_> = wire.skipped.iter().collect();
        kinds.sort_by_key(|(_, packets)| std::cmp::Reverse(**packets));
        let kinds: Vec<String> = kinds
            .iter()
            .take(3)
            .map(|((layer, _), packets)| format!("{layer} {}", count(**packets)))
            .collect();
        format!("0 of {} is TCP: {}", counted(wire.packets, "packet"), kinds.join(", ")).into()
    })
}

fn filter_hides(case: &Case<'_>) -> Option<Symptom> {
    let (filter, refused) = (case.filter?, case.refused?);
    let passed = |wrapping: &Wrapping| case.look.wrapped.get(wrapping).copied().unwrap_or(0);
    // Live, what is refused is judged outside of the kernel, which sees a frame without its outer tag: only what never got
    // through was refused.
    let live = case.pressure == Pressure::Shed;
    let hidden: BTreeMap<Wrapping, u64> = refused
        .hidden
        .iter()
        .filter(|(wrapping, hidden)| {
            passed(wrapping) == 0 || (!live && percent(1, **hidden, passed(wrapping)))
        })
        .map(|(wrapping, hidden)| (*wrapping, *hidden))
        .collect();
    let all: u64 = hidden.values().sum();
    let kinds: Vec<&str> = hidden.keys().map(|wrapping| wrapping.name()).collect();
    if all == 0 {
        return None;
    }
    let only_tags = hidden.keys().all(|wrapping| !matches!(wrapping, Wrapping::Tunnel(_)));
    Some(Symptom {
        figure: format!(
            "'{filter}' refused {} that it would match without {}; it let {} through",
            counted(all, "segment"),
            kinds.join(", "),
            counted(case.report.wire.segments, "segment"),
        ),
        remedy: only_tags.then(|| {
            format!("match both: -f '({filter}) or (vlan and ({filter}))', with a further vlan for a second tag; or leave the filter out")
        }),
    })
}

/// Connections of which only one side was seen, and all that carried payload.
fn sides(case: &Case<'_>) -> (u64, u64, u64) {
    let connections = &case.look.connections;
    (connections.only_clients, connections.only_servers, connections.spoke)
}

fn are_split(case: &Case<'_>) -> bool {
    let (clients, servers, all) = sides(case);
    percent(20, clients + servers, all) && percent(20, clients.min(servers), clients + servers)
}

/// Whether most connections lack a side, so that what is missing is no loss.
pub(super) fn is_one_sided(case: &Case<'_>) -> bool {
    let (clients, servers, all) = sides(case);
    most(clients + servers, all) || are_split(case)
}

fn one_direction(case: &Case<'_>) -> Option<Symptom> {
    let (clients, servers, all) = sides(case);
    (most(clients + servers, all) && !are_split(case)).then(|| {
        let which = if clients >= servers { "clients" } else { "servers" };
        format!(
            "{} of {} are seen from their {which} only{}",
            count(clients + servers),
            counted(all, "connection"),
            with_servers(case)
        )
        .into()
    })
}

fn split_directions(case: &Case<'_>) -> Option<Symptom> {
    let (clients, servers, all) = sides(case);
    are_split(case).then(|| {
        format!(
            "of {}, {} are seen from their clients only and {} from their servers only{}",
            counted(all, "connection"),
            count(clients),
            count(servers),
            with_servers(case)
        )
        .into()
    })
}

fn one_direction_of_some(case: &Case<'_>) -> Option<Symptom> {
    let (clients, servers, all) = sides(case);
    let lacking = clients + servers;
    (lacking >= 3 && percent(5, lacking, all) && !is_one_sided(case)).then(|| {
        format!(
            "{} of {} ({}) are seen from one side only{}",
            count(lacking),
            counted(all, "connection"),
            share(lacking, all),
            with_servers(case)
        )
        .into()
    })
}

/// The servers with the most such connections.
fn with_servers(case: &Case<'_>) -> String {
    let lacking = |servers: &Servers| servers.only_clients + servers.only_servers;
    let mut servers: Vec<(&Endpoint, &Servers)> =
        case.look.connections.servers.iter().filter(|(_, servers)| lacking(servers) > 0).collect();
    servers.sort_by_key(|(_, servers)| std::cmp::Reverse(lacking(servers)));
    let shown: Vec<String> = servers
        .iter()
        .take(3)
        .map(|(end, servers)| {
            format!("{} ({} of {})", address(end), count(lacking(servers)), count(servers.connections))
        })
        .collect();
    let more = servers.len().saturating_sub(shown.len());
    let and = if more > 0 { format!(" and {}", counted(more as u64, "more server")) } else { String::new() };
    if shown.is_empty() { String::new() } else { format!("; with {}{and}", shown.join(", ")) }
}

fn address(end: &Endpoint) -> String {
    std::net::SocketAddr::new(end.ip(), end.port).to_string()
}

fn half_open(case: &Case<'_>) -> Option<Symptom> {
    let connections = &case.look.connections;
    let attempts = connections.only_syn;
    (attempts >= 100 && percent(50, attempts, connections.seen)).then(|| {
        format!(
            "{} of {} ({}) show nothing but SYN and RST",
            count(attempts),
            counted(connections.seen, "connection"),
            share(attempts, connections.seen)
        )
        .into()
    })
}
