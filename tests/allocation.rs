//! The data path does not allocate for a packet: in-order traffic of open connections goes from bytes to exchanges in
//! the buffers that earlier exchanges left.
//!
//! A counting allocator watches this binary. Each test prints what it counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tapwire_flow::FlowTable;
use tapwire_protocol::{BodyPart, Config, Connection, Exchange, ExchangeSink, Message, Protocols};
use tapwire_testkit::http2::Translation;
use tapwire_testkit::{Capture, Conversation, OwnedPacket, Turn, shop_turns};
use tapwire_wire::{Decoded, Endpoint, TcpFlags, decode};

const CONNECTIONS: u16 = 4;
/// Different exchanges of a connection; a connection repeats them, so that the second half asks nothing new of a buffer.
const DIFFERENT: u64 = 40;
const REPEATS: usize = 8;

/// The system's allocator, counting what a thread asks it for.
struct Counting;

thread_local! {
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends may still free and allocate when its counter is gone; nobody reads it then.
    let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
}

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of the allocation, and
// a constant thread-local needs none of its own.
#[allow(unsafe_code, reason = "the trait of allocators is unsafe by nature; this one only counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about memory, layout and size is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise that this allocator gave the memory is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts exchanges and gives their messages back, as the pipeline does once an exchange is analysed.
#[derive(Default)]
struct Recycling {
    #[allow(
        clippy::vec_box,
        reason = "messages travel in boxes: unboxing one to keep it would be an allocation"
    )]
    used: Vec<Box<Message>>,
    exchanges: u64,
    body_bytes: u64,
}

impl ExchangeSink for Recycling {
    fn exchange(&mut self, exchange: Exchange) {
        self.exchanges += 1;
        for message in [exchange.request, exchange.response].into_iter().flatten() {
            self.body_bytes += message.body.bytes.len() as u64;
            self.used.push(message);
        }
    }

    fn body_part(&mut self, _: BodyPart) {}

    fn spare(&mut self) -> Option<Box<Message>> {
        self.used.pop()
    }
}

/// Keep-alive connections side by side, all of them open until the end.
fn keep_alive(spoken: fn(Vec<Turn>) -> Vec<Turn>) -> Capture {
    let connection = |index: u16| {
        let turns: Vec<Turn> = std::iter::repeat_n(shop_turns(DIFFERENT, 7), REPEATS).flatten().collect();
        let turns = spoken(turns);
        let script = Conversation::new(turns, index.into());
        Conversation { client: Endpoint::v4([10, 0, 0, 1], 40_000 + index), ..script }.play()
    };
    (0..CONNECTIONS).map(connection).fold(Capture::default(), Capture::merged).numbered()
}

/// The same messages in HTTP/2.
fn in_http2(turns: Vec<Turn>) -> Vec<Turn> {
    let mut translation = Translation::new(7);
    let said = turns.into_iter().map(|turn| translation.exchange(&turn.request, &turn.response));
    said.map(|(request, response)| Turn { request, response }).collect()
}

/// The first packet of a connection's end: from there on the table gives buffers up.
fn first_end(packets: &[OwnedPacket]) -> usize {
    let ends =
        |packet: &OwnedPacket| packet.segment().is_some_and(|segment| segment.flags.has(TcpFlags::FIN));
    packets.iter().position(ends).expect("connections end")
}

struct Path {
    table: FlowTable<Connection>,
    protocols: Protocols<Recycling>,
}

impl Path {
    fn new(body_bytes: usize) -> Self {
        let config = Config { body_bytes, ..Config::default() };
        let table = FlowTable::new(tapwire_flow::Config::default());
        Self { table, protocols: Protocols::new(config, Recycling::default()) }
    }

    /// Requests to the allocator while the packets pass.
    fn feed(&mut self, packets: &[OwnedPacket]) -> u64 {
        let before = REQUESTS.get();
        for packet in packets {
            if let Decoded::Segment(segment) = decode(&packet.packet()) {
                self.table.handle(&segment, &mut self.protocols);
            }
        }
        REQUESTS.get() - before
    }
}

/// Feeds a capture of open connections; the second half must be free.
fn steady(body_bytes: usize, spoken: fn(Vec<Turn>) -> Vec<Turn>) {
    let capture = keep_alive(spoken);
    let packets = &capture.packets[..first_end(&capture.packets)];
    let (first, second) = packets.split_at(packets.len() / 2);
    let mut path = Path::new(body_bytes);
    let warming = path.feed(first);
    let before = path.protocols.sink().exchanges;
    let requests = path.feed(second);
    let sink = path.protocols.sink();
    println!(
        "bodies of {body_bytes}: {warming} allocations in {} packets that warm up, {requests} in the next {} packets \
         with {} exchanges",
        first.len(),
        second.len(),
        sink.exchanges - before
    );
    assert!(sink.exchanges - before > 500, "the second half has work to do: {}", sink.exchanges - before);
    assert_eq!(sink.body_bytes > 0, body_bytes > 0);
    assert_eq!(requests, 0);
}

#[test]
fn heads_alone_pass_without_an_allocation() {
    steady(0, |turns| turns);
}

#[test]
fn bodies_pass_without_an_allocation() {
    steady(64 << 10, |turns| turns);
}

#[test]
fn http2_passes_without_an_allocation() {
    steady(0, in_http2);
    steady(64 << 10, in_http2);
}

#[test]
fn the_allocator_counts() {
    let before = REQUESTS.get();
    let mut held = std::hint::black_box(vec![0_u8; 16]);
    held.reserve(1 << 20);
    assert_eq!(REQUESTS.get() - before, 2);
}
