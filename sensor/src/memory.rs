//! How `--memory` is shared out: the one list, which `docs/ARCHITECTURE.md` shows.

/// What is no share of anybody: code, threads' stacks, caches of fixed size, and what the allocator keeps for a second of what
/// was given back to it.
const OWN: usize = 48 << 20;

/// The bound for which the usual limits of what is learned are meant; with less, they shrink alike.
const USUAL: usize = 1 << 30;

/// So many parts of so many, up to a number of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    parts: usize,
    of: usize,
    most: usize,
}

impl Share {
    const fn new(parts: usize, of: usize) -> Self {
        Self { parts, of, most: usize::MAX }
    }

    /// In bytes.
    pub(crate) const fn bytes(self, memory: usize) -> usize {
        let bytes = memory / self.of * self.parts;
        if bytes < self.most { bytes } else { self.most }
    }
}

/// Of what senses: flow records, and the heads and bodies of messages that are still open.
pub(crate) const FLOW: Share = Share::new(35, 100);
/// Of what senses: bytes that came before those that stand before them.
pub(crate) const OUT_OF_ORDER: Share = Share::new(10, 100);
/// Of what senses: what is on its way between threads.
pub(crate) const IN_FLIGHT: Share = Share { most: 32 << 20, ..Share::new(10, 100) };
/// Of `FLOW`: records of TLS that wait for their key.
pub(crate) const WAITING_FOR_KEYS: Share = Share::new(1, 8);
/// Of the whole: rows of tables, and as much again for putting files together.
#[cfg(feature = "lake")]
pub(crate) const ROWS: Share = Share::new(3, 100);
/// Of the whole: batches that wait for the tables.
#[cfg(feature = "lake")]
pub(crate) const WAITING_FOR_TABLES: Share = Share::new(1, 100);
/// Of the whole, in a collector: batches of sensors that are checked or wait, and which events came before.
#[cfg(feature = "lake")]
pub(crate) const COLLECTED: Share = Share::new(1, 2);
/// Of the whole, in a collector: rows of tables.
#[cfg(feature = "lake")]
pub(crate) const COLLECTED_ROWS: Share = Share::new(1, 8);

/// What those who sense share.
pub(crate) const fn sensing(memory: usize) -> usize {
    memory.saturating_sub(OWN)
}

/// Which part of the usual limits what is learned, and what detectors know, may have: a numerator and its denominator.
pub(crate) const fn part_of_usual(memory: usize) -> (usize, usize) {
    let sensing = sensing(memory);
    ((if sensing < USUAL { sensing } else { USUAL }) >> 10, USUAL >> 10)
}

#[cfg(all(test, feature = "lake"))]
mod tests {
    use super::*;

    /// As the document has them.
    const SHOWN: [(&str, Share); 8] = [
        ("flow records, and the heads and bodies of open messages (`flow`, `protocol`) | 35 %", FLOW),
        ("bytes that came before those that stand before them (`flow`) | 10 %", OUT_OF_ORDER),
        ("what is on its way between threads (`pipeline`) | 10 %, 32 MiB at most", IN_FLIGHT),
        ("records of TLS that wait for their key (`protocol`) | 12.5 % of those 35", WAITING_FOR_KEYS),
        (
            "rows of tables (`lake`), and as much again while small files are put together | 3 % of the whole",
            ROWS,
        ),
        ("batches that wait for the tables (`sensor`) | 1 % of the whole", WAITING_FOR_TABLES),
        (
            "in a collector: batches of sensors, and which events came before (`collect`) | 50 % of the whole",
            COLLECTED,
        ),
        ("in a collector: rows of tables (`lake`) | 12.5 % of the whole", COLLECTED_ROWS),
    ];

    #[test]
    fn the_document_has_these_shares() {
        let document = include_str!("../../docs/ARCHITECTURE.md");
        for (row, share) in SHOWN {
            assert!(document.contains(&format!("\n| {row} |\n")), "docs/ARCHITECTURE.md has no row: {row}");
            let (_, told) = row.rsplit_once("| ").unwrap();
            let permille = share.parts * 1_000 / share.of;
            let percent = match permille % 10 {
                0 => format!("{} %", permille / 10),
                tenth => format!("{}.{tenth} %", permille / 10),
            };
            assert!(told.starts_with(&percent), "{row}: {percent}");
        }
    }

    #[test]
    fn shares_of_those_who_sense_leave_room_for_what_is_learned() {
        for memory in [64 << 20, 256 << 20, 1 << 30, 16 << 30] {
            let sensing = sensing(memory);
            let taken: usize =
                [FLOW, OUT_OF_ORDER, IN_FLIGHT].into_iter().map(|share| share.bytes(sensing)).sum();
            assert!(taken <= sensing / 20 * 11, "{taken} of {memory}");
            assert!(IN_FLIGHT.bytes(sensing) <= 32 << 20);
            let (part, whole) = part_of_usual(memory);
            assert!(part <= whole && part > 0, "{part} of {whole}");
        }
        assert_eq!(part_of_usual(16 << 30), (1 << 20, 1 << 20));
    }
}
