//! A queue that is nearly always empty or one long, and costs no memory of its own then.

use std::collections::VecDeque;

/// Room that an empty queue keeps: connections live long, and one burst on each must not stay.
const KEPT: usize = 8;

/// First in, first out. The first element lies inline; only pipelining ever allocates.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<T> Queue<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Bytes on the heap, without what the elements themselves keep there.
    pub(crate) fn held(&self) -> usize {
        self.rest.capacity() * size_of::<T>()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        self.rest.back_mut().or(self.first.as_mut())
    }

    pub(crate) fn push_back(&mut self, element: T) {
        match self.first {
            None => self.first = Some(element),
            Some(_) => self.rest.push_back(element),
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        self.first = self.rest.pop_front();
        if self.rest.is_empty() && self.rest.capacity() > KEPT {
            self.rest = VecDeque::new();
        }
        first
    }

    /// Takes the element at `index` out of the order.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        match index.checked_sub(1) {
            None => self.pop_front(),
            Some(index) => self.rest.remove(index),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(1) {
            None => self.first.as_ref(),
            Some(index) => self.rest.get(index),
        }
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.rest.get_mut(index),
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_queue_keeps_little_room() {
        let mut queue = Queue::default();
        (0..100).for_each(|number| queue.push_back(number));
        while queue.pop_front().is_some() {}
        assert!(queue.rest.capacity() <= KEPT);
    }

    #[test]
    fn it_keeps_the_order_across_its_two_parts() {
        let mut queue = Queue::default();
        (0..5).for_each(|number| queue.push_back(number));
        assert_eq!(queue.remove(2), Some(2));
        assert_eq!(queue.remove(0), Some(0));
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(queue.pop_front(), Some(1));
        assert_eq!((queue.front(), queue.len(), queue.get(1), queue.get(2)), (Some(&3), 2, Some(&4), None));
        assert_eq!(queue.back_mut(), Some(&mut 4));
        assert_eq!([queue.pop_front(), queue.pop_front(), queue.pop_front()], [Some(3), Some(4), None]);
        assert!(queue.is_empty());
    }
}
