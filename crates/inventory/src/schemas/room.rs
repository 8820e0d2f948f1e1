//! How many bytes all learned schemas may take.

/// The bytes of all schemas together, and what was left out for want of them.
#[derive(Debug)]
pub(crate) struct Room {
    limit: usize,
    used: usize,
    left_out: u64,
}

impl Room {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, used: 0, left_out: 0 }
    }

    /// Takes so many bytes, where they are there; else something is left out.
    pub(crate) const fn take(&mut self, bytes: usize) -> bool {
        let fits = self.used + bytes <= self.limit;
        if fits {
            self.used += bytes;
        } else {
            self.leave_out(1);
        }
        fits
    }

    /// Counts what is there already and grew or shrank: the different texts of a field are bounded by themselves.
    pub(crate) const fn grew(&mut self, bytes: isize) {
        self.used = self.used.saturating_add_signed(bytes);
    }

    /// Gives bytes back.
    pub(crate) const fn give(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Fields and schemas that were left out.
    pub(crate) const fn leave_out(&mut self, count: u64) {
        self.left_out = self.left_out.saturating_add(count);
    }

    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    pub(crate) const fn left_out(&self) -> u64 {
        self.left_out
    }
}
