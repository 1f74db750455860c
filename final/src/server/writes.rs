use crate::Result;
use crate::sync::fault;
use std::collections::VecDeque;

/// The writes of a connection that were begun and not answered yet, in the order of their requests.
///
/// They may be done in any order; their answers wait for those before them.
#[derive(Default)]
pub(super) struct Writes {
    /// The number of the oldest one.
    first: u64,
    /// The size of each, from the oldest on, and what came of it; none while it is under way.
    results: VecDeque<(usize, Option<Result<()>>)>,
    /// The sizes together.
    bytes: usize,
    /// Whether the connection wants to be woken when the oldest one is done.
    wanted: bool,
}

impl Writes {
    /// Begins one whose key and value have so many bytes; returns its number.
    pub(super) fn begin(&mut self, bytes: usize) -> u64 {
        self.bytes += bytes;
        self.results.push_back((bytes, None));
        self.first + self.results.len() as u64 - 1
    }

    /// Write number `number` is done. Returns whether the connection is to be woken.
    pub(super) fn finish(&mut self, number: u64, result: Result<()>) -> bool {
        let slot = number.checked_sub(self.first).and_then(|at| self.results.get_mut(at as usize));
        if let Some((_, slot)) = slot {
            *slot = Some(result);
        }
        fault!("a write that is done wakes nobody", return false);
        self.wanted && self.oldest_is_done() && std::mem::take(&mut self.wanted)
    }

    /// Takes the result of the oldest one, if it is done.
    pub(super) fn take(&mut self) -> Option<Result<()>> {
        let (bytes, result) = self.results.front_mut()?;
        let result = result.take()?;
        self.bytes -= *bytes;
        self.results.pop_front();
        self.first += 1;
        if self.results.is_empty() {
            // An idle connection keeps no memory.
            self.results = VecDeque::new();
        }
        Some(result)
    }

    /// Bytes of the keys and values of those that have no answer yet.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many have no answer yet.
    pub(super) fn len(&self) -> usize {
        self.results.len()
    }

    /// The connection leaves; it will be woken for the next result. Returns whether one is there
    /// already, so that it must not leave.
    pub(super) fn want(&mut self) -> bool {
        self.wanted = !self.results.is_empty() && !self.oldest_is_done();
        fault!("a turn leaves without a look at its writes", return false);
        self.oldest_is_done()
    }

    fn oldest_is_done(&self) -> bool {
        self.results.front().is_some_and(|(_, result)| result.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KvsError;

    #[test]
    fn results_come_out_in_the_order_of_the_requests() {
        let mut writes = Writes::default();
        let numbers = [writes.begin(1), writes.begin(1), writes.begin(1)];
        assert!(writes.take().is_none());
        writes.finish(numbers[1], Err(KvsError::KeyNotFound));
        assert!(writes.take().is_none(), "the first one is under way");
        writes.finish(numbers[0], Ok(()));
        assert!(writes.take().is_some_and(|result| result.is_ok()));
        assert!(writes.take().is_some_and(|result| result.is_err()));
        assert!(writes.take().is_none());
        let fourth = writes.begin(1);
        writes.finish(fourth, Ok(()));
        writes.finish(numbers[2], Ok(()));
        assert_eq!([writes.take().is_some(), writes.take().is_some()], [true; 2]);
        assert_eq!((writes.len(), writes.bytes()), (0, 0));
    }

    #[test]
    fn a_connection_is_woken_once_and_only_for_its_oldest_write() {
        let mut writes = Writes::default();
        let numbers = [1; 4].map(|bytes| writes.begin(bytes));
        assert!(!writes.finish(numbers[1], Ok(())), "it is still there, nobody has to wake it");
        assert!(!writes.want());
        assert!(!writes.finish(numbers[2], Ok(())), "the oldest one is not done");
        assert!(writes.finish(numbers[0], Ok(())));
        assert!(!writes.finish(numbers[3], Ok(())), "it is woken already");
        assert!(writes.want(), "it must not leave");
        let later = writes.begin(1);
        assert!(!writes.finish(later, Ok(())), "it was woken before");
    }
}
