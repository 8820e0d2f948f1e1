//! What became of every fragment.

/// What a fragment's way ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FragmentFate {
    /// It became part of a complete datagram.
    Completed,
    /// The rest of its datagram did not come in time.
    Expired,
    /// Its datagram made room for a younger one.
    Evicted,
    /// The same bytes had come before.
    Duplicate,
    /// It only said other things than the fragments before it, or reached beyond the datagram's end.
    Conflicting,
    /// It reached beyond 64 KiB.
    Oversized,
    /// It was empty, or had an odd length and was not the last.
    Malformed,
}

impl FragmentFate {
    /// Every fate, in the order of [`FragmentCounters::fates`].
    pub const ALL: [Self; 7] = [
        Self::Completed,
        Self::Expired,
        Self::Evicted,
        Self::Duplicate,
        Self::Conflicting,
        Self::Oversized,
        Self::Malformed,
    ];

    /// A short name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Duplicate => "duplicate",
            Self::Conflicting => "conflicting",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
        }
    }
}

/// Counts since the decoder was made: fragments = held + Σ fates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FragmentCounters {
    /// Fragments seen.
    pub fragments: u64,
    /// Fragments that wait now.
    pub held: u64,
    fates: [u64; FragmentFate::ALL.len()],
    /// Datagrams completed.
    pub datagrams: u64,
    /// Datagrams whose fragments overlapped with different bytes, or disagreed about the end.
    pub conflicts: u64,
    /// Bytes of buffers now.
    pub memory: u64,
}

impl FragmentCounters {
    /// Adds what another decoder counted.
    pub fn merge(&mut self, other: &Self) {
        let Self { fragments, held, fates, datagrams, conflicts, memory } = other;
        self.fragments += fragments;
        self.held += held;
        self.fates.iter_mut().zip(fates).for_each(|(sum, count)| *sum += count);
        self.datagrams += datagrams;
        self.conflicts += conflicts;
        self.memory += memory;
    }

    /// How many fragments ended so.
    pub fn fate(&self, fate: FragmentFate) -> u64 {
        self.fates.get(fate as usize).copied().unwrap_or(0)
    }

    /// Every fate with its count.
    pub fn fates(&self) -> impl Iterator<Item = (FragmentFate, u64)> {
        FragmentFate::ALL.into_iter().zip(self.fates)
    }

    /// Whether nothing was lost silently.
    pub fn conserved(&self) -> bool {
        self.fragments == self.held + self.fates.iter().sum::<u64>()
    }

    pub(crate) fn add(&mut self, fate: FragmentFate, fragments: u64) {
        if let Some(count) = self.fates.get_mut(fate as usize) {
            *count += fragments;
        }
    }

    /// Fragments that were held are no longer.
    pub(crate) fn release(&mut self, fate: FragmentFate, fragments: u64) {
        self.held = self.held.saturating_sub(fragments);
        self.add(fate, fragments);
    }
}
