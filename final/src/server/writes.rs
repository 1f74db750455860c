//! What the engine has of a connection: the requests under way, whose answers may come in any order and from any
//! thread, and are taken in the order of the requests.

use crate::sync::fault;
use crate::{KvsError, Result, Write};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

/// The writes of a connection that were begun and not answered yet, in the order of their requests; and its
/// gets, where the engine's wait ([`KvsEngine::GETS_WAIT`](crate::KvsEngine::GETS_WAIT)).
///
/// They may be done in any order; their answers wait for those before them.
#[derive(Default)]
pub(super) struct Writes {
    /// The number of the oldest one.
    first: u64,
    /// The size of each, from the oldest on, and what came of it; none while it is under way.
    results: VecDeque<(usize, Option<Outcome>)>,
    /// The sizes together.
    bytes: usize,
    /// How long the last value was that a get has found. The next one counts as so long until it is there.
    expected: u32,
    /// Bytes that were found beyond those that were expected, since [`Writes::take_arrived`].
    arrived: usize,
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

    /// Begins a get; returns its number.
    pub(super) fn begin_get(&mut self, key: usize) -> u64 {
        self.begin(key + self.expected as usize)
    }

    /// How many bytes more get `number` has found than were expected.
    pub(super) fn excess(&self, number: u64, result: &Outcome) -> usize {
        let slot = number.checked_sub(self.first).and_then(|at| self.results.get(at as usize));
        slot.map_or(0, |(bytes, _)| found(result).saturating_sub(*bytes))
    }

    /// Write number `number` is done. Returns whether the connection is to be woken.
    pub(super) fn finish(&mut self, number: u64, result: Outcome) -> bool {
        let slot = number.checked_sub(self.first).and_then(|at| self.results.get_mut(at as usize));
        if let Some((bytes, slot)) = slot {
            // What the engine was given is its own; what it has found is here.
            let found = found(&result);
            self.arrived += found.saturating_sub(*bytes);
            self.bytes -= std::mem::replace(bytes, found);
            self.bytes += found;
            if found > 0 {
                self.expected = u32::try_from(found).unwrap_or(u32::MAX);
            }
            *slot = Some(result);
        }
        fault!("a write that is done wakes no connection", return false);
        self.wanted && self.oldest_is_done() && std::mem::take(&mut self.wanted)
    }

    /// Takes the result of the oldest one, if it is done.
    pub(super) fn take(&mut self) -> Option<Outcome> {
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

    /// How many bytes have been found since the last call, beyond those that were expected.
    pub(super) fn take_arrived(&mut self) -> usize {
        std::mem::take(&mut self.arrived)
    }

    /// How many have no answer yet, and the bytes of their keys and values, with those that were found.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.results.len(), self.bytes)
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

/// What came of a write, or the value that a get has found.
pub(super) type Outcome = Result<Option<String>>;

/// How many bytes a get has found.
fn found(result: &Outcome) -> usize {
    result.as_ref().map_or(0, |value| value.as_ref().map_or(0, String::len))
}

/// A connection, as the engine's threads see it: it is told what came of its writes.
pub(super) trait Writer: Send + Sync + 'static {
    /// Its write of this number has come to this.
    fn finish_write(self: &Arc<Self>, number: u64, result: Outcome);
    /// A write of it has panicked: it ends without another answer.
    fn abort(self: &Arc<Self>);
}

/// Waits for a write. Its writer is told what came of it, also if the engine drops it without a word.
pub(super) struct Waiter<W: Writer> {
    writer: Arc<W>,
    number: u64,
    is_done: bool,
}

impl<W: Writer> Waiter<W> {
    pub(super) fn new(writer: &Arc<W>, number: u64) -> Waiter<W> {
        Waiter { writer: Arc::clone(writer), number, is_done: false }
    }

    pub(super) fn finish(mut self, result: Outcome) {
        self.is_done = true;
        self.writer.finish_write(self.number, result);
    }

    /// A write as a round of an engine takes it, with whom to call when it is done.
    pub(super) fn told(
        (write, waiter): (Write, Waiter<W>),
    ) -> (Write, impl FnOnce(Result<()>) + Send + 'static) {
        (write, move |result| waiter.finish(result.map(|()| None)))
    }
}

impl<W: Writer> Drop for Waiter<W> {
    fn drop(&mut self) {
        if self.is_done {
        } else if thread::panicking() {
            self.writer.abort();
        } else {
            let silent = "the engine did not say what came of the request";
            self.writer.finish_write(self.number, Err(KvsError::Server(silent.to_owned())));
        }
    }
}
