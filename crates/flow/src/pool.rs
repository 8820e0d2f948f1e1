//! Buffers for out-of-order payload, under one budget.

/// Capacities that are pooled, in bytes. A larger payload (GRO, jumbograms) gets a buffer of its own size.
const SIZES: [usize; 4] = [256, 2_048, 16_384, 65_536];

/// Free buffers kept for each size.
const KEPT: usize = 64;

/// Lends buffers and counts the bytes that are lent.
#[derive(Debug)]
pub(crate) struct Pool {
    free: [Vec<Vec<u8>>; SIZES.len()],
    lent: usize,
    /// Bytes of free buffers.
    free_bytes: usize,
    budget: usize,
}

impl Pool {
    pub(crate) const fn new(budget: usize) -> Self {
        Self { free: [const { Vec::new() }; SIZES.len()], lent: 0, free_bytes: 0, budget }
    }

    /// A copy of `bytes`, or `None` when that is over the budget.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let capacity = Self::capacity_for(bytes.len());
        if self.lent.saturating_add(capacity) > self.budget {
            return None;
        }
        let recycled = self.shelf(capacity).and_then(Vec::pop);
        match &recycled {
            Some(buffer) => self.free_bytes = self.free_bytes.saturating_sub(buffer.capacity()),
            None if self.lent + self.free_bytes + capacity > self.budget => self.discard(),
            None => {}
        }
        let mut buffer = recycled.unwrap_or_else(|| Vec::with_capacity(capacity));
        buffer.extend_from_slice(bytes);
        self.lent = self.lent.saturating_add(buffer.capacity());
        Some(buffer)
    }

    /// Takes a buffer back.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        self.lent = self.lent.saturating_sub(capacity);
        buffer.clear();
        let fits = self.lent + self.free_bytes + capacity <= self.budget;
        if let Some(shelf) = self.shelf(capacity)
            && shelf.len() < KEPT
            && fits
        {
            shelf.push(buffer);
            self.free_bytes += capacity;
        }
    }

    /// Frees what is free: buffers of one size must not keep those of another from being made.
    fn discard(&mut self) {
        self.free.iter_mut().for_each(Vec::clear);
        self.free_bytes = 0;
    }

    /// What a copy of so many bytes takes.
    pub(crate) fn capacity_for(len: usize) -> usize {
        if len == 0 {
            return 0;
        }
        SIZES.into_iter().find(|size| *size >= len).unwrap_or(len)
    }

    /// Bytes lent.
    pub(crate) const fn lent(&self) -> usize {
        self.lent
    }

    fn shelf(&mut self, capacity: usize) -> Option<&mut Vec<Vec<u8>>> {
        let at = SIZES.iter().position(|size| *size == capacity)?;
        self.free.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_over_budget_and_lends_returned_buffers_again() {
        let mut pool = Pool::new(4_096);
        let first = pool.copy(&[1; 1_460]).unwrap();
        let second = pool.copy(&[2; 1_460]).unwrap();
        assert_eq!(pool.lent(), 4_096);
        assert!(pool.copy(&[3]).is_none());
        let address = first.as_ptr();
        pool.give_back(first);
        let third = pool.copy(&[4; 300]).unwrap();
        assert_eq!((third.as_ptr(), third.as_slice()), (address, &[4; 300][..]));
        pool.give_back(second);
        pool.give_back(third);
        assert_eq!(pool.lent(), 0);
    }
}
