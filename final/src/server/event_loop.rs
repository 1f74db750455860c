//! An event loop, as its thread and the others see it: the connections that belong to it, which of them have
//! something to do, and the writes of a round.
//!
//! ```text
//!            ┌──────────────────────────────────────────────────────────────┐
//!            ▼                                                              │
//!   wait: the poller says which     next: each that is      Round: their writes go to the
//!   connections are readable   ──▶  ready has a turn   ──▶  store together, then each of
//!   (asleep)                                                them ends its turn
//! ```
//!
//! Everything here is the thread's own, under a lock that no other takes on the way of a request. Other threads come
//! seldom: the acceptor with a new connection, a thread that ends a write which the engine did not end at once, and
//! the watchdog. That looks at a loop every other millisecond while the loop is awake: if the loop has not moved
//! meanwhile it is *stalled*, held up by a slow disk or an engine that blocks, and the watchdog gives what it
//! has not begun to another loop ([`EventLoop::hand_over`]). What it has begun is safe: a connection
//! has one turn at a time, whichever thread gives it (`notes.rs`).

use super::poller::{Event, Poller};
use crate::sync::{Instant, Mutex, MutexGuard, fault};
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long a round may take before the loop looks at its other connections; an engine may do its writes one
/// by one.
const MAX_ROUND: Duration = Duration::from_millis(1);

/// What a loop serves.
pub(super) trait Served: Sized {
    /// A turn that waits for its writes, which it gives one by one.
    type Paused: Iterator;

    /// Leaves a note of what has happened. Returns whether the caller has to queue it.
    fn notice(&self, event: Event) -> bool;
}

pub(super) struct EventLoop<C: Served> {
    poller: Poller,
    /// The watchdog waits in it.
    watchdog: Arc<Poller>,
    /// All open connections that belong to it, by token; locked for as long as it takes to look up one
    /// batch of events, to add or to remove one, or to walk over them once a second.
    ///
    /// A token is used again after its connection was closed, so an event may reach the next one that
    /// has it. That costs one read in vain: an event says no more than that it may be worth a look.
    open: Mutex<Slab<Arc<C>>>,
    /// Held for a push or a pop, never while a connection is served.
    work: Mutex<Work<C>>,
}

struct Work<C: Served> {
    /// Have something to do.
    ready: VecDeque<Arc<C>>,
    /// Have read, and wait for their writes to be done.
    round: VecDeque<C::Paused>,
    thread: Thread,
    /// How often the thread has moved on: woken up or begun a turn.
    beats: u64,
    /// Whether the watchdog looks every so often. If not, the thread tells it when it wakes up.
    is_watched: bool,
    /// Whether the watchdog has found it stalled. The thread tells the watchdog when it takes the next connection or
    /// goes to sleep: it can help others then.
    is_stalled: bool,
    /// There is nothing more to come.
    ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    /// It has none: the pool had none for it, or it has ended.
    None,
    /// It was given to the pool and has not begun.
    Queued,
    Asleep,
    Awake,
}

impl Thread {
    /// Whether the loop serves its connections.
    pub(super) fn runs(self) -> bool {
        matches!(self, Thread::Asleep | Thread::Awake)
    }
}

/// What the watchdog sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pulse {
    /// No thread serves it.
    #[default]
    Absent,
    /// It sleeps, did so the last time, and calls when it wakes up.
    Idle,
    Live,
    /// It has not moved since the last look.
    Stalled,
}

impl<C: Served> EventLoop<C> {
    pub(super) fn new(watchdog: &Arc<Poller>) -> io::Result<EventLoop<C>> {
        Ok(EventLoop {
            poller: Poller::new()?,
            watchdog: Arc::clone(watchdog),
            open: Mutex::default(),
            work: Mutex::new(Work {
                ready: VecDeque::new(),
                round: VecDeque::new(),
                thread: Thread::None,
                beats: 0,
                is_watched: false,
                is_stalled: false,
                ends: false,
            }),
        })
    }

    fn work(&self) -> MutexGuard<'_, Work<C>> {
        // Nothing that can panic runs under this lock but an allocation.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Slab<Arc<C>>> {
        // As above.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- its own thread ------------------------------------------------------------------------

    /// Queues what is ready, and waits for it if there is nothing else to do. Returns false when the loop shall
    /// end.
    pub(super) fn wait(&self) -> io::Result<bool> {
        let timeout = {
            let mut work = self.work();
            if work.ends && !work.has_some() {
                return Ok(false);
            }
            let sleeps = !work.has_some() || fault!("a loop sleeps without a look at its queue");
            work.thread = if sleeps { Thread::Asleep } else { Thread::Awake };
            if sleeps && std::mem::take(&mut work.is_stalled) {
                self.watchdog.wake();
            }
            if sleeps { None } else { Some(Duration::ZERO) }
        };
        let noticed = self.notice(|happened| self.poller.wait(timeout, happened));
        let mut work = self.work();
        work.thread = Thread::Awake;
        work.goes_on(&self.watchdog);
        work.ready.extend(noticed?.0);
        Ok(true)
    }

    /// The next connection that has something to do.
    pub(super) fn next(&self) -> Option<Arc<C>> {
        let mut work = self.work();
        work.goes_on(&self.watchdog);
        work.ready.pop_front()
    }

    /// The turn has come to its writes.
    pub(super) fn pause(&self, paused: C::Paused) {
        self.work().round.push_back(paused);
    }

    /// The writes that wait, for the engine.
    pub(super) fn round(&self) -> Round<'_, C> {
        Round { event_loop: self, current: None, done: Vec::new(), began: Instant::now() }
    }

    /// The thread begins, or ends.
    pub(super) fn set_thread(&self, thread: Thread) {
        self.work().thread = thread;
        self.watchdog.wake();
    }

    // ---- any thread ----------------------------------------------------------------------------

    /// Queues a connection that has something to do.
    pub(super) fn push(&self, connection: Arc<C>) {
        self.queue([connection], []);
    }

    /// Queues connections, and turns that wait for their writes. Wakes the thread if it wouldn't find them.
    fn queue(
        &self,
        ready: impl IntoIterator<Item = Arc<C>>,
        round: impl IntoIterator<Item = C::Paused>,
    ) {
        let wake = {
            let mut work = self.work();
            // If it had some, it was woken for the first of them.
            let had_none = !work.has_some();
            work.ready.extend(ready);
            work.round.extend(round);
            had_none && work.has_some() && (work.thread == Thread::Asleep || work.is_stalled)
        };
        if wake && !fault!("a connection is queued and its thread is not woken") {
            self.poller.wake();
        }
    }

    /// Adds a connection. What it is made of is told its token, and has to be watched by then.
    pub(super) fn admit(
        &self,
        connection: impl FnOnce(&Poller, usize) -> io::Result<C>,
    ) -> io::Result<()> {
        // The lock keeps the thread, which may see its first event at once, from looking it up too early.
        let mut open = self.open();
        let place = open.vacant_entry();
        let connection = connection(&self.poller, place.key())?;
        place.insert(Arc::new(connection));
        Ok(())
    }

    /// Forgets a connection. It is closed when its last user lets go: a write may be under way.
    pub(super) fn forget(&self, token: usize) {
        self.open().try_remove(token);
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open().len()
    }

    /// All that are open, at this moment.
    pub(super) fn all(&self) -> Vec<Arc<C>> {
        self.open().iter().map(|(_, connection)| Arc::clone(connection)).collect()
    }

    /// Its thread, and how many connections wait for it.
    pub(super) fn state(&self) -> (Thread, usize) {
        let work = self.work();
        (work.thread, work.ready.len())
    }

    /// Leaves notes of what `wait` reports. Returns whom to queue, and whether there may be more.
    fn notice(
        &self,
        wait: impl FnOnce(&mut dyn FnMut(Event)) -> io::Result<bool>,
    ) -> io::Result<(Vec<Arc<C>>, bool)> {
        let (mut open, mut noticed) = (None, Vec::new());
        let more = wait(&mut |event| {
            let open = open.get_or_insert_with(|| self.open());
            noticed.extend(open.get(event.token).filter(|open| open.notice(event)).map(Arc::clone));
        })?;
        Ok((noticed, more))
    }

    // ---- the watchdog --------------------------------------------------------------------------

    /// Looks at the thread, whose number of beats was `seen` the last time.
    pub(super) fn pulse(&self, seen: &mut u64) -> Pulse {
        let mut work = self.work();
        let has_moved = std::mem::replace(seen, work.beats) != work.beats;
        match work.thread {
            Thread::None | Thread::Queued => Pulse::Absent,
            Thread::Asleep if !has_moved => {
                work.is_watched = false;
                Pulse::Idle
            }
            Thread::Awake if !has_moved => {
                work.is_stalled = true;
                Pulse::Stalled
            }
            Thread::Asleep | Thread::Awake => Pulse::Live,
        }
    }

    /// Gives what a stalled loop has not begun to another one.
    pub(super) fn hand_over(&self, other: &EventLoop<C>) -> io::Result<()> {
        let mut more = true;
        while more {
            let (noticed, full) = self.notice(|happened| self.poller.look(happened))?;
            let mut work = self.work();
            work.ready.extend(noticed);
            if !work.is_stalled {
                // It went on meanwhile. If it went to sleep, what woke it may have been taken by the look.
                let wake = work.thread == Thread::Asleep;
                drop(work);
                if wake {
                    self.poller.wake();
                }
                return Ok(());
            }
            let (ready, round) = (std::mem::take(&mut work.ready), std::mem::take(&mut work.round));
            drop(work);
            fault!("what a stalled loop had is given to no other", return Ok(()));
            other.queue(ready, round);
            more = full;
        }
        Ok(())
    }

    /// What it waits in.
    pub(super) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Has the thread end when there is nothing left to do. The watchdog says so again and again, and wakes it once:
    /// of a stalled loop it follows the poller, and would wake itself.
    pub(super) fn end(&self) {
        let is_told = std::mem::replace(&mut self.work().ends, true);
        if !is_told {
            self.poller.wake();
        }
    }
}

impl<C: Served> Work<C> {
    fn has_some(&self) -> bool {
        !self.ready.is_empty() || !self.round.is_empty()
    }

    /// For the thread: it moves on. Tells the watchdog, if that looks no more or took it for stalled.
    fn goes_on(&mut self, watchdog: &Poller) {
        self.beats += 1;
        fault!("a loop that wakes up calls no watchdog", return);
        if !std::mem::replace(&mut self.is_watched, true) | std::mem::take(&mut self.is_stalled) {
            watchdog.wake();
        }
    }
}

/// Writes on their way to the engine, which takes as many as it does at once. A turn is taken out only when
/// its first write is: if the engine blocks, the others can be given to another loop.
pub(super) struct Round<'a, C: Served> {
    event_loop: &'a EventLoop<C>,
    current: Option<C::Paused>,
    done: Vec<C::Paused>,
    began: Instant,
}

impl<C: Served> Iterator for Round<'_, C> {
    type Item = <C::Paused as Iterator>::Item;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(current) = &mut self.current {
                if self.began.elapsed() > MAX_ROUND {
                    return None;
                }
                if let Some(write) = current.next() {
                    return Some(write);
                }
                self.done.extend(self.current.take());
            }
            self.current = Some(self.event_loop.work().round.pop_front()?);
        }
    }
}

impl<C: Served> Round<'_, C> {
    /// Whether no writes wait.
    pub(super) fn is_empty(&self) -> bool {
        self.event_loop.work().round.is_empty()
    }

    /// The turns whose writes the engine has; that of a write in which it panicked is one of them. What
    /// there was no time for stays with the loop.
    pub(super) fn end(mut self, panicked: bool) -> Vec<C::Paused> {
        match self.current.take() {
            Some(current) if !panicked => self.event_loop.work().round.push_front(current),
            current => self.done.extend(current),
        }
        self.done
    }
}
