//! Clients that read, write and remove a few keys at once, and write down what they saw.

use super::history::{Event, Op};
use fastrand::Rng;
use kvs_final::{KvsClient, KvsEngine, KvsError, Result};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Something that can be asked, by one thread.
pub(crate) trait Client: Send {
    fn set(&mut self, key: String, value: String) -> Result<()>;
    fn get(&mut self, key: String) -> Result<Option<String>>;
    fn remove(&mut self, key: String) -> Result<()>;
}

/// An engine in this process.
#[derive(Clone)]
pub(crate) struct Direct<E>(pub(crate) E);

impl<E: KvsEngine> Client for Direct<E> {
    fn set(&mut self, key: String, value: String) -> Result<()> {
        self.0.set(key, value)
    }

    fn get(&mut self, key: String) -> Result<Option<String>> {
        self.0.get(key)
    }

    fn remove(&mut self, key: String) -> Result<()> {
        self.0.remove(key)
    }
}

impl Client for KvsClient {
    fn set(&mut self, key: String, value: String) -> Result<()> {
        KvsClient::set(self, key, value)
    }

    fn get(&mut self, key: String) -> Result<Option<String>> {
        KvsClient::get(self, key)
    }

    fn remove(&mut self, key: String) -> Result<()> {
        KvsClient::remove(self, key)
    }
}

/// What the clients do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How many keys there are.
    pub(crate) keys: u32,
    /// The keys below this are never removed, so that from the first write on every read must find a
    /// value.
    pub(crate) steady: u32,
    /// Whether each client has as many keys of its own.
    pub(crate) apart: bool,
    /// How much each client asks.
    pub(crate) operations: usize,
}

/// Numbers for moments and for values, each given once.
#[derive(Default)]
pub(crate) struct Numbers {
    /// `AcqRel`: the operation between two of a client's moments is not moved out of them. That
    /// all moments are in one order, one counter suffices for.
    moments: AtomicU32,
    /// Only that they differ matters: `Relaxed`.
    values: AtomicU32,
}

impl Numbers {
    pub(crate) fn moment(&self) -> u32 {
        self.moments.fetch_add(1, Ordering::AcqRel)
    }

    fn value(&self) -> u32 {
        1 + self.values.fetch_add(1, Ordering::Relaxed)
    }

    /// How many moments there were.
    pub(crate) fn moments(&self) -> u32 {
        self.moments.load(Ordering::Relaxed)
    }

    /// Moments may be used again once all that has happened so far was checked.
    pub(crate) fn begin_stretch(&mut self) {
        *self.moments.get_mut() = 0;
    }
}

/// Every third value is longer than what the index keeps.
fn value(number: u32) -> String {
    let padding =
        if number.is_multiple_of(3) { " is longer than what the index keeps" } else { "" };
    format!("{number}{padding}")
}

fn number_of(text: &str) -> Option<u32> {
    let number = text.split(' ').next()?.parse().ok()?;
    (value(number) == text).then_some(number)
}

fn key(number: u32) -> String {
    format!("key{number}")
}

/// What a client saw, and the moment and the error at which it stopped, if there was one. What it had
/// asked then may have happened or not.
pub(crate) type Seen = (Vec<Event>, Option<(u32, KvsError)>);

/// Lets the clients do their share, all at once. Each is at the same work for the same seed.
pub(crate) fn run<C: Client>(
    clients: &mut [C],
    load: Load,
    numbers: &Numbers,
    seed: u64,
) -> std::result::Result<Vec<Seen>, String> {
    thread::scope(|scope| {
        let work = clients.iter_mut().enumerate().map(|(client, asked)| {
            let random = Rng::with_seed(seed << 8 | client as u64);
            scope.spawn(move || work(client as u8, asked, load, numbers, random))
        });
        let threads: Vec<_> = work.collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|seen| seen.unwrap_or_else(|_| Err("a client panicked".to_owned()))).collect()
    })
}

/// What came of clients under whom something was ended.
pub(crate) struct Ended<T> {
    /// The last moment before the end.
    pub(crate) at: u32,
    /// What the end said.
    pub(crate) said: T,
    /// What the clients saw before it, and perhaps after it.
    pub(crate) events: Vec<Event>,
}

/// Lets the clients work until so many moments have passed, and then ends what they ask. Before that
/// none of them may meet an error, and at that each of them has to stop.
pub(crate) fn run_until<C: Client, T: Send>(
    clients: &mut [C],
    load: Load,
    numbers: &Numbers,
    seed: u64,
    moments: u32,
    end: impl FnOnce() -> T + Send,
) -> std::result::Result<Ended<T>, String> {
    // Only lets a wait end that would be in vain: `Relaxed`.
    let all_stopped = AtomicBool::new(false);
    let (at, said, seen) = thread::scope(|scope| {
        let ending = scope.spawn(|| {
            while numbers.moments() < moments && !all_stopped.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_micros(100));
            }
            (numbers.moment(), end())
        });
        let seen = run(clients, load, numbers, seed);
        all_stopped.store(true, Ordering::Relaxed);
        ending
            .join()
            .map(|(at, said)| (at, said, seen))
            .unwrap_or_else(|panic| resume_unwind(panic))
    });
    let mut events = Vec::new();
    for (of_client, error) in seen? {
        if let Some((_, error)) = error.filter(|(met, _)| *met < at) {
            return Err(format!("a client got an error before the end: {error}"));
        }
        events.extend(of_client);
    }
    Ok(Ended { at, said, events })
}

fn work(
    client: u8,
    asked: &mut impl Client,
    load: Load,
    numbers: &Numbers,
    mut random: Rng,
) -> std::result::Result<Seen, String> {
    let mut events = Vec::with_capacity(load.operations.min(1 << 16));
    for _ in 0..load.operations {
        let own = if load.apart { u32::from(client) * load.keys } else { 0 };
        let number = own + random.u32(0..load.keys);
        let key = key(number);
        let kind = random.u8(0..20);
        let call = numbers.moment();
        let event = |op, end| Event { key: number, client, op, call, end };
        let (op, error) = match kind {
            0..=9 => match asked.get(key) {
                Ok(None) => (Op::Found(0), None),
                Ok(Some(text)) => match number_of(&text) {
                    Some(value) => (Op::Found(value), None),
                    None => return Err(format!("key {number}: `{text}`, which nobody wrote")),
                },
                // It saw nothing.
                Err(error) => return Ok((events, Some((numbers.moment(), error)))),
            },
            10..=13 if number - own >= load.steady => match asked.remove(key) {
                Ok(()) => (Op::Removed, None),
                Err(KvsError::KeyNotFound) => (Op::Found(0), None),
                Err(error) => (Op::MaybeRemoved, Some(error)),
            },
            _ => {
                let new = numbers.value();
                (Op::Set(new), asked.set(key, value(new)).err())
            }
        };
        let now = numbers.moment();
        if let Some(error) = error {
            events.push(event(op, None));
            return Ok((events, Some((now, error))));
        }
        events.push(event(op, Some(now)));
    }
    Ok((events, None))
}

/// Reads all keys.
pub(crate) fn look(
    asked: &mut impl Client,
    keys: u32,
    numbers: &Numbers,
) -> std::result::Result<Vec<Event>, String> {
    let look = |number| {
        let call = numbers.moment();
        let found = asked.get(key(number)).map_err(|error| format!("key {number}: {error}"))?;
        let value = found.map_or(Ok(0), |text| {
            number_of(&text).ok_or_else(|| format!("key {number}: `{text}`, which nobody wrote"))
        })?;
        let end = Some(numbers.moment());
        Ok(Event { key: number, client: 0, op: Op::Found(value), call, end })
    };
    (0..keys).map(look).collect()
}

/// Puts together what clients saw that met no error.
pub(crate) fn all_went_well(seen: Vec<Seen>) -> std::result::Result<Vec<Event>, String> {
    let mut all = Vec::with_capacity(seen.iter().map(|(events, _)| events.len()).sum());
    for (events, error) in seen {
        if let Some((_, error)) = error {
            return Err(format!("a client got the error: {error}"));
        }
        all.extend(events);
    }
    Ok(all)
}
