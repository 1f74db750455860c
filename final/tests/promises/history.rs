//! Whether what clients saw of a key could have been seen if every operation had happened at one
//! moment between its call and its return: linearizability, after Herlihy and Wing (1990).
//!
//! Operations on different keys do not concern each other, so each key is checked by itself. The
//! checker goes through calls and returns in their order and keeps all states that the key may be in,
//! each with the operations under way that have happened already (the just-in-time linearization of
//! Lowe, 2017). It decides late: an operation happens no sooner than somebody's answer needs it to
//! have happened. A read changes nothing, so it happens at the first moment at which its answer is
//! right. What multiplies the states is therefore only writes under way at the same time, of which
//! there are at most as many as clients; the length of the history adds no factor.

use std::collections::{HashMap, HashSet};

/// What was asked, and what came of it. Each set has a value of its own, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// The key was given this value.
    Set(u32),
    /// The key had this value, and was taken away.
    Removed,
    /// It was to be taken away, and nobody knows whether it was there.
    MaybeRemoved,
    /// It was found to have this value; 0 if it had none, which a removal may also have found.
    Found(u32),
    /// It had the first value, and was given the second.
    Swapped(u32, u32),
    /// If it had the first value it was to be given the second, and nobody knows whether it had.
    MaybeSwapped(u32, u32),
    /// It was found to have another value than this.
    NotFound(u32),
}

/// The state of a key that has no value.
const ABSENT: u32 = 0;

impl Op {
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Op::Found(_) | Op::NotFound(_))
    }

    /// Whether it is a read whose answer is right in this state.
    fn is_right(self, state: u32) -> bool {
        self.is_read() && self.after(state).is_some()
    }

    /// What the key is after it, if it can happen.
    fn after(self, state: u32) -> Option<u32> {
        match self {
            Op::Set(value) => Some(value),
            Op::Removed => (state != ABSENT).then_some(ABSENT),
            Op::MaybeRemoved => Some(ABSENT),
            Op::Found(value) => (state == value).then_some(state),
            Op::NotFound(value) => (state != value).then_some(state),
            Op::Swapped(expected, new) => (state == expected).then_some(new),
            Op::MaybeSwapped(expected, new) => Some(if state == expected { new } else { state }),
        }
    }
}

/// The client of writes that never returned, and that began when nobody else was heard any more: of
/// these there may be any number.
pub(crate) const UNHEARD: u8 = u8::MAX;

/// An operation of a client on a key. Moments are numbers that no two events share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) key: u32,
    /// Below 64, or [`UNHEARD`]. A client waits for each operation's end before it begins another.
    pub(crate) client: u8,
    pub(crate) op: Op,
    pub(crate) call: u32,
    /// None if it never returned: it happened before the crash that came next, or never. A removal
    /// is then one of which nobody knows whether there was anything.
    pub(crate) end: Option<u32>,
}

/// One possibility of what has happened so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Configuration {
    state: u32,
    /// The clients whose operation under way has happened, a bit each.
    done: u64,
}

/// What each key may be, after all that was checked so far, with the end of its history. At first no key has a value.
#[derive(Default)]
pub(crate) struct Checker(HashMap<u32, (Vec<Configuration>, Vec<Event>)>);

impl Checker {
    /// Checks a stretch of history at whose beginning nothing is under way. At its end nothing is either,
    /// or there is a crash, and all operations under way end unanswered. Says which operation no order of
    /// moments explains, what the key may have been, and which operations came before it.
    pub(crate) fn check(&mut self, mut events: Vec<Event>, crashes: bool) -> Result<(), String> {
        events.sort_unstable_by_key(|event| (event.key, event.call));
        for events in events.chunk_by(|one, other| one.key == other.key) {
            let start = || (vec![Configuration { state: ABSENT, done: 0 }], Vec::new());
            let (configurations, before) = self.0.entry(events[0].key).or_insert_with(start);
            check_key(configurations, events)
                .map_err(|error| format!("{error}; in the stretch before, {before:#?}"))?;
            if crashes {
                crash(configurations, events);
            }
            *before = events[events.len().saturating_sub(20)..].to_vec();
        }
        Ok(())
    }
}

fn check_key(configurations: &mut Vec<Configuration>, events: &[Event]) -> Result<(), String> {
    let heard = events.iter().filter(|event| event.client != UNHEARD);
    let calls = heard.clone().map(|event| (event.call, event));
    let returns = heard.filter_map(|event| Some((event.end?, event)));
    let mut moments: Vec<(u32, &Event)> = calls.chain(returns).collect();
    moments.sort_unstable_by_key(|(at, _)| *at);

    let mut pending: [Option<Op>; 64] = [None; 64];
    for (at, event) in moments {
        let (client, bit) = (usize::from(event.client), 1 << event.client);
        if at == event.call {
            pending[client] = Some(event.op);
            for one in configurations.iter_mut().filter(|one| event.op.is_right(one.state)) {
                one.done |= bit;
            }
        } else {
            let before = std::mem::take(configurations);
            *configurations = reach(&before, &pending, bit);
            configurations.iter_mut().for_each(|one| one.done &= !bit);
            pending[client] = None;
            if configurations.is_empty() {
                let states: Vec<u32> = before.iter().map(|one| one.state).collect();
                let last = events.partition_point(|event| event.call < at);
                let last = &events[last.saturating_sub(12)..last];
                return Err(format!(
                    "{event:?} cannot be: the key may have been one of {states:?}, after {last:#?}"
                ));
            }
        }
        configurations.sort_unstable();
        configurations.dedup();
    }
    Ok(())
}

/// Each write that was under way may have been the last one to happen.
fn crash(configurations: &mut Vec<Configuration>, events: &[Event]) {
    let mut states: Vec<u32> = configurations.iter().map(|one| one.state).collect();
    for one in &*configurations {
        let is_open = |event: &&Event| {
            let has_happened = event.client != UNHEARD && one.done & (1 << event.client) != 0;
            event.end.is_none() && !has_happened
        };
        let after = |event: &Event| match event.op {
            // Another one under way may have given it what was expected.
            Op::MaybeSwapped(_, new) => Some(new),
            op => op.after(one.state),
        };
        states.extend(events.iter().filter(is_open).filter_map(after));
    }
    states.sort_unstable();
    states.dedup();
    *configurations = states.into_iter().map(|state| Configuration { state, done: 0 }).collect();
}

/// All that can be when writes under way have happened, in any order, until the operation of the
/// client with this bit has.
fn reach(from: &[Configuration], pending: &[Option<Op>; 64], bit: u64) -> Vec<Configuration> {
    let is_end = |one: &Configuration| one.done & bit != 0;
    if from.iter().all(is_end) {
        return from.to_vec();
    }
    let mut seen: HashSet<Configuration> = from.iter().copied().collect();
    let mut open = from.to_vec();
    while let Some(one) = open.pop() {
        if is_end(&one) {
            continue;
        }
        for (client, op) in pending.iter().enumerate() {
            let is_next = |op: &Op| !op.is_read() && one.done & (1 << client) == 0;
            if let Some(state) = op.filter(is_next).and_then(|op| op.after(one.state)) {
                let done = one.done | 1 << client | readers_of(state, pending);
                let next = Configuration { state, done };
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    seen.into_iter().filter(is_end).collect()
}

/// Those under way whose answer is right in this state.
fn readers_of(state: u32, pending: &[Option<Op>; 64]) -> u64 {
    let is_right = |op: &Option<Op>| op.is_some_and(|op| op.is_right(state));
    let reads = pending.iter().enumerate().filter(|(_, op)| is_right(op));
    reads.map(|(client, _)| 1 << client).sum()
}
