//! Engines of the tests' own.

use crate::WATCHDOG;
use kvs_final::{KvsEngine, KvsError, Result, Write};
use rand::RngExt;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};

/// Keys and values in memory, for tests of what is not the engine's business.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<String, String>>>);

impl KvsEngine for Memory {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.0.lock().unwrap().insert(key, value);
        Ok(())
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        Ok(self.0.lock().unwrap().get(&key).cloned())
    }

    fn remove(&self, key: String) -> Result<()> {
        self.0.lock().unwrap().remove(&key).map(drop).ok_or(KvsError::KeyNotFound)
    }
}

/// Where threads wait until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// Waits here.
    pub fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.waiting += 1;
        changed.notify_all();
        let mut state = changed.wait_while(state, |state| !state.open).unwrap();
        state.waiting -= 1;
    }

    /// Lets all pass, from now on.
    pub fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }

    /// How many wait right now.
    pub fn waiting(&self) -> usize {
        self.0.0.lock().unwrap().waiting
    }

    /// Returns when so many wait.
    pub fn wait_for(&self, count: usize) {
        let (state, changed) = &*self.0;
        let too_few = |state: &mut GateState| state.waiting < count;
        let wait = changed.wait_timeout_while(state.lock().unwrap(), WATCHDOG, too_few).unwrap();
        assert!(!wait.1.timed_out(), "{} wait at the gate, not {count}", wait.0.waiting);
    }
}

type Get = dyn Fn(String) -> Result<Option<String>> + Send + Sync;
type Set = dyn Fn(String, String) -> Result<()> + Send + Sync;

#[derive(Clone)]
struct Played {
    get: Arc<Get>,
    set: Arc<Set>,
}

impl KvsEngine for Played {
    fn set(&self, key: String, value: String) -> Result<()> {
        (self.set)(key, value)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        (self.get)(key)
    }

    fn remove(&self, _key: String) -> Result<()> {
        Ok(())
    }
}

/// An engine that reads and writes as the test says. A removal does nothing.
pub fn played(
    get: impl Fn(String) -> Result<Option<String>> + Send + Sync + 'static,
    set: impl Fn(String, String) -> Result<()> + Send + Sync + 'static,
) -> impl KvsEngine {
    Played { get: Arc::new(get), set: Arc::new(set) }
}

/// An engine that reads as the test says. A write does nothing.
pub fn reads(
    get: impl Fn(String) -> Result<Option<String>> + Send + Sync + 'static,
) -> impl KvsEngine {
    played(get, |_, _| Ok(()))
}

/// An engine whose reads wait at the gate, and find the key as its value.
pub fn gated() -> (impl KvsEngine, Gate) {
    let gate = Gate::default();
    let passed = gate.clone();
    let get = move |key| {
        passed.pass();
        Ok(Some(key))
    };
    (reads(get), gate)
}

/// An engine whose writes are done when the test says so. The value is there from then on.
pub type Deferred = Late<false>;

/// An engine whose gets wait, too, as for another machine. What is for one key is done in its order.
pub type Distant = Late<true>;

/// A key whose gets don't wait.
pub const AT_ONCE: &str = "at once";

/// One of these.
#[derive(Clone, Default)]
pub struct Late<const GETS: bool> {
    memory: Memory,
    /// Each with its key.
    begun: Arc<Mutex<Vec<(String, Job)>>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl<const GETS: bool> Late<GETS> {
    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    /// Does the first request of this key. A write fails if its value says so.
    pub fn finish(&self, key: &str) {
        let mut begun = self.begun.lock().unwrap();
        let at = begun.iter().position(|(other, _)| other == key).unwrap();
        let (_, job) = begun.remove(at);
        drop(begun);
        job();
    }

    /// Does one of the requests that wait, if there is one.
    pub fn finish_any(&self, random: &mut impl RngExt) {
        let mut begun = self.begun.lock().unwrap();
        if !begun.is_empty() {
            let at = random.random_range(0..begun.len());
            let (_, job) = if GETS {
                let first = begun.iter().position(|(other, _)| *other == begun[at].0);
                begun.remove(first.unwrap_or(at))
            } else {
                begun.swap_remove(at)
            };
            drop(begun);
            job();
        }
    }

    fn begin(&self, key: String, job: impl FnOnce(&Memory) + Send + 'static) {
        let memory = self.memory.clone();
        self.begun.lock().unwrap().push((key, Box::new(move || job(&memory))));
    }
}

impl<const GETS: bool> KvsEngine for Late<GETS> {
    const GETS_WAIT: bool = GETS;

    fn set(&self, _key: String, _value: String) -> Result<()> {
        unreachable!("the server does not wait")
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        assert!(!GETS, "the server does not wait");
        self.memory.get(key)
    }

    fn remove(&self, _key: String) -> Result<()> {
        unreachable!("the server does not wait")
    }

    fn get_then(&self, key: String, done: impl FnOnce(Result<Option<String>>) + Send + 'static) {
        match key.as_str() {
            AT_ONCE => done(self.memory.get(key)),
            _ => self.begin(key.clone(), |memory| done(memory.get(key))),
        }
    }

    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        for (write, done) in writes {
            let (key, value) = write.changes().next().unwrap();
            let fails = value.and_then(|value| value.strip_prefix("fails: ")).map(str::to_owned);
            self.begin(key.to_owned(), |memory| {
                done(match fails {
                    Some(message) => Err(KvsError::Server(message)),
                    None => write.apply_to(memory),
                });
            });
        }
    }
}
