//! Least-recently-active order of the flows, one queue for each timeout.

const SECOND: i64 = 1_000_000_000;

/// No node.
const NONE: u32 = u32::MAX;

/// A flow is moved to the back of its queue at most this often: nanoseconds of packet time. Bursts then cost one
/// comparison a packet, and a timeout is exact to this much.
const MOVE_EVERY: i64 = 1_000_000_000;

/// Which timeout a flow waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A tombstone after a reset.
    AfterReset,
    /// A tombstone after both FINs.
    AfterFin,
    /// Neither payload nor a finished handshake.
    Syn,
    /// Both FINs are known, but not reached or not acknowledged.
    Closing,
    /// Nothing is open, and what only a busy connection needs was given back.
    Resting,
    /// Nothing is open.
    Idle,
    /// An exchange is open.
    Open,
    /// Silence is normal.
    LongLived,
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::AfterReset,
        Self::AfterFin,
        Self::Syn,
        Self::Closing,
        Self::Resting,
        Self::Idle,
        Self::Open,
        Self::LongLived,
    ];

    /// Nanoseconds by which a flow of this class counts as active later than it was, when the least active one has to
    /// go. What is over goes first; what is open goes only after having been silent for longer than all that is idle,
    /// so that silent connections cannot drive out busy ones by keeping a request open.
    pub(crate) const fn handicap(self) -> i64 {
        match self {
            Self::AfterReset | Self::AfterFin => -7_200 * SECOND,
            Self::Syn => -3_600 * SECOND,
            Self::Closing => -1_800 * SECOND,
            Self::Resting | Self::Idle => 0,
            Self::Open => 60 * SECOND,
            Self::LongLived => 300 * SECOND,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Node {
    before: u32,
    after: u32,
    class: Option<Class>,
    /// When it was moved last, in nanoseconds of the table's time.
    moved: i64,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    front: u32,
    back: u32,
    len: usize,
}

/// Doubly linked queues over slots. Their nodes lie apart from the records, four to a cache line or so, since moving
/// one touches two neighbours.
#[derive(Debug)]
pub(crate) struct Queues {
    nodes: Vec<Node>,
    ends: [Ends; Class::ALL.len()],
}

impl Queues {
    /// Bytes a slot.
    pub(crate) const NODE: usize = size_of::<Node>();

    pub(crate) const fn new() -> Self {
        Self { nodes: Vec::new(), ends: [Ends { front: NONE, back: NONE, len: 0 }; Class::ALL.len()] }
    }

    /// The flow in `slot` was active at `now` and waits in `class`.
    pub(crate) fn touch(&mut self, slot: u32, class: Class, now: i64) {
        if let Some(node) = self.node(slot)
            && node.class == Some(class)
            && now.saturating_sub(node.moved) < MOVE_EVERY
        {
            return;
        }
        self.remove(slot);
        self.push(slot, class, now);
    }

    /// Takes the flow out of its queue.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(Node { before, after, class: Some(class), .. }) = self.node(slot).copied() else { return };
        let ends = self.ends_mut(class);
        ends.len = ends.len.saturating_sub(1);
        if before == NONE {
            ends.front = after;
        }
        if after == NONE {
            ends.back = before;
        }
        self.update(before, |node| node.after = after);
        self.update(after, |node| node.before = before);
        self.update(slot, |node| node.class = None);
    }

    /// The least recently active flow of a class.
    pub(crate) fn front(&self, class: Class) -> Option<u32> {
        Some(self.ends(class).front).filter(|front| *front != NONE)
    }

    /// The one after it.
    pub(crate) fn after(&self, slot: u32) -> Option<u32> {
        self.node(slot).map(|node| node.after).filter(|after| *after != NONE)
    }

    pub(crate) fn len(&self, class: Class) -> usize {
        self.ends(class).len
    }

    fn push(&mut self, slot: u32, class: Class, now: i64) {
        let at = slot as usize;
        let blank = Node { before: NONE, after: NONE, class: None, moved: now };
        if self.nodes.len() <= at {
            self.nodes.resize(at + 1, blank);
        }
        let ends = self.ends_mut(class);
        let before = ends.back;
        ends.back = slot;
        ends.len += 1;
        if before == NONE {
            ends.front = slot;
        }
        self.update(before, |node| node.after = slot);
        self.update(slot, |node| *node = Node { before, class: Some(class), ..blank });
    }

    fn node(&self, slot: u32) -> Option<&Node> {
        self.nodes.get(slot as usize)
    }

    fn update(&mut self, slot: u32, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(slot as usize) {
            change(node);
        }
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one element a variant")]
    const fn ends(&self, class: Class) -> &Ends {
        &self.ends[class as usize]
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one element a variant")]
    const fn ends_mut(&mut self, class: Class) -> &mut Ends {
        &mut self.ends[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_the_flow_that_was_moved_longest_ago() {
        let mut queues = Queues::new();
        for slot in 0..3 {
            queues.touch(slot, Class::Idle, i64::from(slot));
        }
        queues.touch(0, Class::Idle, MOVE_EVERY);
        assert_eq!(queues.front(Class::Idle), Some(1));
        queues.touch(1, Class::Open, 4);
        assert_eq!(queues.front(Class::Idle), Some(2));
        assert_eq!(queues.after(2), Some(0));
        queues.remove(2);
        assert_eq!(queues.front(Class::Idle), Some(0));
        assert_eq!((queues.len(Class::Idle), queues.len(Class::Open)), (1, 1));
    }

    #[test]
    fn a_burst_does_not_move_the_flow() {
        let mut queues = Queues::new();
        queues.touch(0, Class::Idle, 0);
        queues.touch(1, Class::Idle, 0);
        queues.touch(0, Class::Idle, MOVE_EVERY - 1);
        assert_eq!(queues.front(Class::Idle), Some(0));
    }
}
