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

#[derive(Clone)]
struct Played<G, S> {
    get: G,
    set: S,
}

impl<G, S> KvsEngine for Played<G, S>
where
    G: Fn(String) -> Result<Option<String>> + Clone + Send + 'static,
    S: Fn(String, String) -> Result<()> + Clone + Send + 'static,
{
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
pub fn played<G, S>(get: G, set: S) -> impl KvsEngine
where
    G: Fn(String) -> Result<Option<String>> + Clone + Send + 'static,
    S: Fn(String, String) -> Result<()> + Clone + Send + 'static,
{
    Played { get, set }
}

/// An engine that reads as the test says. A write does nothing.
pub fn reads<G>(get: G) -> impl KvsEngine
where
    G: Fn(String) -> Result<Option<String>> + Clone + Send + 'static,
{
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

type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// An engine whose writes are done when the test says so. The value is there from then on.
#[derive(Clone, Default)]
pub struct Deferred {
    memory: Memory,
    /// With whom to tell.
    begun: Arc<Mutex<Vec<(Write, Done)>>>,
}

impl Deferred {
    /// How many writes wait.
    pub fn waiting(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    /// Does the write of this key. It fails if its value says so.
    pub fn finish(&self, key: &str) {
        let mut begun = self.begun.lock().unwrap();
        let at = begun
            .iter()
            .position(|(write, _)| write.changes().any(|change| change.0 == key))
            .unwrap();
        let write = begun.remove(at);
        drop(begun);
        self.end(write);
    }

    /// Does one of the writes that wait, if there is one.
    pub fn finish_any(&self, random: &mut impl RngExt) {
        let mut begun = self.begun.lock().unwrap();
        if !begun.is_empty() {
            let at = random.random_range(0..begun.len());
            let write = begun.swap_remove(at);
            drop(begun);
            self.end(write);
        }
    }

    fn end(&self, (write, done): (Write, Done)) {
        let fails = write.changes().find_map(|(_, value)| value?.strip_prefix("fails: "));
        done(match fails {
            Some(message) => Err(KvsError::Server(message.to_owned())),
            None => write.apply_to(&self.memory),
        });
    }
}

impl KvsEngine for Deferred {
    fn set(&self, _key: String, _value: String) -> Result<()> {
        unreachable!("the server does not wait")
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.memory.get(key)
    }

    fn remove(&self, _key: String) -> Result<()> {
        unreachable!("the test does not ask for it")
    }

    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        let boxed = writes.into_iter().map(|(write, done)| (write, Box::new(done) as Done));
        self.begun.lock().unwrap().extend(boxed);
    }
}
