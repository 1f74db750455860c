//! The clock that the trace is taken by.
//!
//! The engines, their locks and their pools are the real ones. Only the disk is played: a thread that
//! comes to a sync point is held there for so many ticks. A tick passes when nobody can do anything before
//! the next one: when every thread of the process sleeps. Then the clock releases the thread whose
//! time has come, or lets the next client ask, one at a time, and waits for all to sleep again. So the
//! order of events does not depend on the machine.
//!
//! What takes ticks without being held takes them asleep, in the engine: it waits there, for a lock or
//! for somebody else's write.

use crate::script::{Action, REQUESTS, Request, TICKS};
use crate::strips::{Phase, Strip};
use kvs_test_kit::wait::settle_others;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

/// The strip behind those of the requests: a thread of the store's own that compacts.
pub const COMPACTOR: usize = REQUESTS.len();

/// How often in a row all threads have to be found asleep. Who releases a lock or wakes a thread is
/// awake itself until the other one is, so two looks that find the same would do.
const LOOKS: usize = 5;

thread_local! {
    /// The strips of what this thread works on: a request, a batch of them, a compaction.
    static STRIPS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// See above.
#[derive(Default)]
pub struct Clock {
    state: Mutex<State>,
    /// Told when a thread is released.
    released: Condvar,
}

#[derive(Default)]
struct State {
    now: u32,
    /// Until when threads are held, each with the strip it works for.
    held: BTreeSet<(u32, usize)>,
    /// For each strip what began when.
    changes: [Vec<(u32, Phase)>; COMPACTOR + 1],
}

impl State {
    fn enter(&mut self, strip: usize, phase: Phase) {
        self.changes[strip].push((self.now, phase));
    }

    fn is_in(&self, strip: usize, phase: Phase) -> bool {
        self.changes[strip].last().is_some_and(|(_, last)| *last == phase)
    }

    fn waiting_sets(&self) -> Vec<usize> {
        let is_set = |number: &usize| matches!(REQUESTS[*number].action, Action::Set(_));
        (0..COMPACTOR).filter(is_set).filter(|set| self.is_in(*set, Phase::Waiting)).collect()
    }
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The clients ask, by `ask`, what the script says. Returns the trace when all is done.
    pub fn run(&self, ask: impl Fn(usize)) -> Vec<Strip> {
        // Dropped when all is done and not before: a pool waits for its jobs, and they for this clock.
        let ask = ManuallyDrop::new(ask);
        let mut clients = REQUESTS.iter().enumerate().peekable();
        loop {
            settle_others(LOOKS);
            let mut state = self.state();
            let wake = state.held.first().copied();
            match (wake, clients.peek().copied()) {
                (Some(first), next) if next.is_none_or(|(_, next)| first.0 <= next.at) => {
                    state.now = first.0;
                    state.held.remove(&first);
                    self.released.notify_all();
                }
                (_, Some((number, request))) => {
                    state.now = request.at;
                    state.enter(number, Phase::Queued);
                    drop(state);
                    ask(number);
                    clients.next();
                }
                (_, None) => break,
            }
        }
        let state = self.state();
        let strips: Vec<Strip> = (0..=COMPACTOR)
            .filter(|strip| !state.changes[*strip].is_empty())
            .map(|strip| {
                let name = REQUESTS.get(strip).map_or("compactor", |request| request.name);
                Strip::new(name, &state.changes[strip], state.now)
            })
            .collect();
        let all_done = (0..COMPACTOR).all(|strip| state.is_in(strip, Phase::Done));
        assert!(all_done, "all sleep and not all is done: {strips:#?}");
        drop(state);
        drop(ManuallyDrop::into_inner(ask));
        strips
    }

    /// Serves a request on this thread, from its start to its end.
    pub fn serve(&self, number: usize, request: impl FnOnce()) {
        self.begin(number, request);
        self.end(number);
    }

    /// Serves a request on this thread, which another one may end.
    pub fn begin(&self, number: usize, request: impl FnOnce()) {
        // Whoever was woken by the one before gets what it waited for; a mutex would let this thread
        // overtake it, or not, as it happens.
        drop(self.wait_until_released(self.state(), 0, number));
        self.state().enter(number, Phase::Waiting);
        STRIPS.replace(vec![number]);
        request();
        STRIPS.take();
    }

    /// The request has its answer.
    pub fn end(&self, number: usize) {
        self.state().enter(number, Phase::Done);
    }

    /// The engine is at work on a record, on this thread.
    pub fn work(&self) {
        self.hold(|_| (Phase::Working, TICKS.work));
    }

    /// The engine is about to write, on this thread, the records of all sets that wait.
    pub fn lead(&self) {
        STRIPS.replace(self.state().waiting_sets());
        self.work();
    }

    /// The engine reads a record, on this thread. If that is for a set, then in a compaction.
    pub fn read(&self) {
        self.hold(|strip| match REQUESTS.get(strip) {
            Some(Request { action: Action::Get, disk, .. }) => (Phase::Disk, *disk),
            _ => (Phase::Compacting, TICKS.copy),
        });
    }

    /// The engine writes a record, on this thread.
    pub fn write(&self) {
        self.hold(|strip| match REQUESTS.get(strip) {
            Some(request) => (Phase::Disk, request.disk),
            None => (Phase::Compacting, TICKS.copy),
        });
    }

    /// The engine syncs, on this thread. That takes no tick, but all others go first: so it does not
    /// matter how long the real disk takes.
    pub fn sync(&self) {
        self.hold(|strip| (if strip == COMPACTOR { Phase::Compacting } else { Phase::Disk }, 0));
    }

    /// Holds the calling thread for as long as `phase` says, if the trace knows it.
    fn hold(&self, phase: impl Fn(usize) -> (Phase, u32)) {
        let strips = match thread::current().name() {
            Some("kvs-compactor") => vec![COMPACTOR],
            _ => STRIPS.with_borrow(Clone::clone),
        };
        let Some(first) = strips.first() else {
            return;
        };
        let (phase, ticks) = phase(*first);
        let mut state = self.state();
        for strip in &strips {
            state.enter(*strip, phase);
        }
        let mut state = self.wait_until_released(state, ticks, *first);
        if strips == [COMPACTOR] {
            // Nobody waits for its end. It goes on at once, or has something else to wait for.
            state.enter(COMPACTOR, Phase::Waiting);
        }
    }

    fn wait_until_released<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        ticks: u32,
        strip: usize,
    ) -> MutexGuard<'a, State> {
        let until = (state.now + ticks, strip);
        state.held.insert(until);
        self.released.wait_while(state, |state| state.held.contains(&until)).unwrap()
    }
}
