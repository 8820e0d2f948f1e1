use super::*;
use crate::transcript::exchange;
use tapwire_flow::StreamOffset;
use tapwire_protocol::{Knock, Unseen};
use tapwire_wire::{FlowKey, SeqNumber, SourceId};

const SERVER: [u8; 4] = [10, 0, 0, 80];

fn knocking() -> Knocking {
    Knocking::new(Keyed::new([3; 16]), 1_000_000)
}

fn end(client: [u8; 4], server: [u8; 4], port: u16, answer: KnockAnswer, second: i64) -> ConnectionEnd {
    let (key, side) = FlowKey::new(Endpoint::v4(client, 40_000), Endpoint::v4(server, port));
    let mut flow = exchange(1, b"GET / HTTP/1.1\r\n\r\n", b"").flow;
    (flow.key, flow.client) = (key, side);
    let at = StreamOffset::first(SeqNumber(7));
    ConnectionEnd {
        flow,
        unseen: Unseen::default(),
        time: Timestamp::from_parts(1_000_000 + second, 0),
        knock: Some(Knock { answer, at }),
        source: SourceId::default(),
    }
}

/// What is told last of a client that knocks at these ports of one server, one a second.
fn tried(
    knocking: &mut Knocking,
    ports: impl IntoIterator<Item = u16>,
    answer: KnockAnswer,
) -> Option<Knocks> {
    let all = (0..).zip(ports).map(|(second, port)| end([10, 9, 9, 9], SERVER, port, answer, second));
    all.filter_map(|end| knocking.hear(&end)).last()
}

fn ports(knocks: Option<Knocks>) -> (u32, u32) {
    match knocks {
        Some(Knocks::Scan { closed, open, .. }) => (closed.ports, open.ports),
        other => panic!("{other:?}"),
    }
}

#[test]
fn closed_ports_count_once_each_and_open_ones_beside_them() {
    let mut knocking = knocking();
    assert_eq!(tried(&mut knocking, [22, 80, 443], KnockAnswer::Accepted), None);
    let silent = tried(&mut knocking, (1_000..1_020).chain(1_000..1_020), KnockAnswer::None);
    assert_eq!(ports(silent), (20, 3));
    let refused = tried(&mut knocking, 1_010..1_040, KnockAnswer::Refused);
    assert_eq!(ports(refused), (40, 3));
}

#[test]
fn what_answered_a_client_before_is_not_tried_out() {
    let mut knocking = knocking();
    tried(&mut knocking, 30_000..30_040, KnockAnswer::Accepted);
    assert_eq!(tried(&mut knocking, 30_000..30_040, KnockAnswer::None), None, "its health checks fail");
    let client = end([10, 9, 9, 9], SERVER, 1, KnockAnswer::None, 0);
    (500..520).for_each(|port| {
        let server = Endpoint::v4(SERVER, port);
        knocking.spoke(client.flow.client().ip(), &server, client.time);
    });
    assert_eq!(tried(&mut knocking, 500..520, KnockAnswer::Refused), None, "and so do its calls");
    assert_eq!(ports(tried(&mut knocking, 600..620, KnockAnswer::Refused)), (20, 60));
}

#[test]
fn a_client_that_tries_a_dead_server_again_tries_one_port() {
    let again = std::iter::repeat_n(8080, 5_000);
    assert_eq!(tried(&mut knocking(), again, KnockAnswer::Refused), None);
}

#[test]
fn who_was_quiet_for_long_begins_anew() {
    let mut knocking = knocking();
    assert_eq!(ports(tried(&mut knocking, 1_000..1_020, KnockAnswer::None)), (20, 0));
    let late = end([10, 9, 9, 9], SERVER, 2_000, KnockAnswer::None, QUIET + 100);
    assert_eq!(knocking.hear(&late), None);
}

fn spoofed(number: u32) -> [u8; 4] {
    number.wrapping_mul(2_654_435_761).to_be_bytes()
}

#[test]
fn a_flood_is_told_of_its_server_and_of_no_address() {
    let mut knocking = knocking();
    let flood = (0..100_000).map(|number| {
        let second = i64::from(number / 5_000);
        end(spoofed(number), SERVER, 443, KnockAnswer::Abandoned, second)
    });
    let told: Vec<Knocks> = flood.filter_map(|end| knocking.hear(&end)).collect();
    let counts: Vec<u64> = told
        .iter()
        .map(|knocks| match knocks {
            Knocks::Flood { handshakes, .. } => *handshakes,
            Knocks::Scan { .. } => panic!("{knocks:?}"),
        })
        .collect();
    assert_eq!(counts, [512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536]);
    assert!(knocking.clients.len() <= 512, "addresses of a flood are nobody's");
}

#[test]
fn addresses_that_nobody_answers_take_bounded_room_and_who_scans_stays() {
    let mut knocking = knocking();
    let mut scan = 0..2_000;
    for number in 0..200_000 {
        knocking.hear(&end(spoofed(number), SERVER, 443, KnockAnswer::None, 0));
        if number % 100 == 0
            && let Some(port) = scan.next()
        {
            knocking.hear(&end([10, 9, 9, 9], SERVER, port, KnockAnswer::None, 0));
        }
    }
    assert!(knocking.clients.len() <= MOST && knocking.forgotten() > 150_000);
    assert_eq!(ports(knocking.hear(&end([10, 9, 9, 9], SERVER, 2_020, KnockAnswer::None, 0))), (2_001, 0));
}

#[test]
fn clients_of_a_checkpoint_go_on() {
    let (mut before, mut after) = (knocking(), knocking());
    tried(&mut before, [80], KnockAnswer::Accepted);
    tried(&mut before, 1_000..1_012, KnockAnswer::Refused);
    let mut piece = Vec::new();
    assert_eq!(before.save(0, &mut piece), None);
    assert_eq!(after.load(&piece), Ok(0));
    assert_eq!(after.clients, before.clients);
    assert_eq!(ports(tried(&mut after, [1_012], KnockAnswer::Refused)), (13, 1));
}
