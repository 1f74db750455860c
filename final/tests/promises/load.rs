//! Clients that read, write, remove and list a few keys at once, and write down what they saw.

use super::*;
use kvs_final::{Page, Result, Write};
use std::panic::resume_unwind;
use std::sync::atomic::AtomicU32;

/// So few keys there are, so that clients meet.
const KEYS: u32 = 24;
/// The keys below this are never removed, so that from the first write on every read must find a value.
const STEADY: u32 = 8;

/// Something that can be asked, by one thread.
pub(crate) trait Client: Send {
    fn read(&mut self, key: String) -> Result<Option<String>>;
    fn write(&mut self, write: Write) -> Result<()>;
    fn page(&mut self, cursor: Option<String>) -> Result<Page>;
}

/// So many keys a page has at most: more than are written between two pages, or a walk might not end.
const PAGE: usize = 1000;
/// A client lists the keys once in so many operations.
const LISTS: u64 = 500;

/// An engine in this process.
#[derive(Clone)]
pub(crate) struct Direct<E>(pub(crate) E);

impl<E: KvsEngine> Client for Direct<E> {
    fn read(&mut self, key: String) -> Result<Option<String>> {
        self.0.get(key)
    }

    fn write(&mut self, write: Write) -> Result<()> {
        write.apply_to(&self.0)
    }

    fn page(&mut self, cursor: Option<String>) -> Result<Page> {
        self.0.keys(cursor, PAGE)
    }
}

impl Client for KvsClient {
    fn read(&mut self, key: String) -> Result<Option<String>> {
        self.get(key)
    }

    fn write(&mut self, write: Write) -> Result<()> {
        self.submit_write(write)?.wait()
    }

    fn page(&mut self, cursor: Option<String>) -> Result<Page> {
        self.keys(cursor, PAGE)
    }
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

fn number_of(key: u32, found: Option<String>) -> result::Result<u32, String> {
    let Some(text) = found else { return Ok(0) };
    let number = text.split(' ').next().and_then(|number| number.parse().ok());
    let number = number.filter(|number| value(*number) == text);
    number.ok_or_else(|| format!("key {key}: `{text}`, which nobody wrote"))
}

/// What clients saw, and the moment and the error at which the first of them stopped, if there was one.
/// What it had asked then may have happened or not.
type Seen = (Vec<Event>, Option<(u32, KvsError)>);

/// Lets the clients ask so much each, all at once. Each is at the same work for the same seed.
pub(crate) fn run<C: Client>(
    clients: &mut [C],
    operations: u64,
    numbers: &Numbers,
    seed: u64,
) -> result::Result<Seen, String> {
    thread::scope(|scope| {
        let work = clients.iter_mut().enumerate().map(|(client, asked)| {
            let random = StdRng::seed_from_u64(seed << 8 | client as u64);
            scope.spawn(move || work(client as u8, asked, operations, numbers, random))
        });
        let threads: Vec<_> = work.collect();
        let (mut all, mut first) = Seen::default();
        for thread in threads {
            let (events, error) = thread.join().map_err(|_| "a client panicked")??;
            all.extend(events);
            first = first.into_iter().chain(error).min_by_key(|(met, _)| *met);
        }
        Ok((all, first))
    })
}

/// Has something ended under load so many times, and once more to look at what the last end left, and
/// checks that each key is, before and after it, what operations that happen at one moment make of it.
/// `round` returns what is known of the clients' operations. Returns how many were answered, and how many
/// writes were among them.
pub(crate) fn end_again_and_again(
    times: u64,
    mut round: impl FnMut(u64, &Numbers) -> result::Result<Vec<Event>, String>,
) -> result::Result<(u64, u64), String> {
    let (mut checker, mut numbers) = (Checker::default(), Numbers::default());
    let (mut operations, mut writes) = (0, 0);
    for number in 0..=times {
        numbers.begin_stretch();
        let after = |error| format!("after {number} times: {error}");
        let events = round(number, &numbers).map_err(after)?;
        let answered = events.iter().filter(|event| event.end.is_some());
        operations += answered.clone().count() as u64;
        writes += answered.filter(|event| !event.op.is_read()).count() as u64;
        checker.check(events, true).map_err(after)?;
    }
    Ok((operations, writes))
}

/// What came of clients under whom something was ended.
pub(crate) struct Ended<T> {
    /// The moment when one of them had looked at all keys, and the others began.
    pub(crate) begun: u32,
    /// The last moment before the end.
    pub(crate) at: u32,
    /// What the end returned.
    pub(crate) result: T,
    /// What the clients saw before it, and perhaps after it.
    pub(crate) events: Vec<Event>,
}

/// Has a client look at all keys, lets all work for so many moments, and then ends what they ask. Before
/// that none of them may meet an error, and at that each of them has to stop.
pub(crate) fn run_until<C: Client, T: Send>(
    clients: &mut [C],
    numbers: &Numbers,
    seed: u64,
    moments: u32,
    end: impl FnOnce() -> T + Send,
) -> result::Result<Ended<T>, String> {
    let mut events = look(&mut clients[0], numbers)?;
    let begun = numbers.moment();
    // Only lets a wait end that would be in vain: `Relaxed`.
    let all_stopped = AtomicBool::new(false);
    let (at, result, seen) = thread::scope(|scope| {
        let ending = scope.spawn(|| {
            while numbers.moments.load(Ordering::Relaxed) < begun + moments
                && !all_stopped.load(Ordering::Relaxed)
            {
                thread::sleep(Duration::from_micros(100));
            }
            (numbers.moment(), end())
        });
        let seen = run(clients, u64::MAX, numbers, seed);
        all_stopped.store(true, Ordering::Relaxed);
        let (at, result) = ending.join().unwrap_or_else(|panic| resume_unwind(panic));
        (at, result, seen)
    });
    let (later, error) = seen?;
    if let Some((_, error)) = error.filter(|(met, _)| *met < at) {
        return Err(format!("a client got an error before the end: {error}"));
    }
    events.extend(later);
    Ok(Ended { begun, at, result, events })
}

fn work(
    client: u8,
    asked: &mut impl Client,
    operations: u64,
    numbers: &Numbers,
    mut random: StdRng,
) -> result::Result<Seen, String> {
    let mut events = Vec::new();
    // What it has seen or set last.
    let mut last = [0; KEYS as usize];
    for operation in 1..=operations {
        if operation.is_multiple_of(LISTS) {
            match list(client, asked, numbers)? {
                Ok(seen) => events.extend(seen),
                Err(error) => return Ok((events, Some((numbers.moment(), error)))),
            }
        }
        let number = random.random_range(0..KEYS);
        let key = format!("key{number}");
        let kind = random.random_range(0..20);
        let call = numbers.moment();
        let (op, error) = match kind {
            0..=9 => match asked.read(key) {
                Ok(found) => (Op::Found(number_of(number, found)?), None),
                // It saw nothing.
                Err(error) => return Ok((events, Some((numbers.moment(), error)))),
            },
            10..=12 if number >= STEADY => match asked.write(Write::Remove { key }) {
                Ok(()) => (Op::Removed, None),
                Err(KvsError::KeyNotFound) => (Op::Found(0), None),
                Err(error) => (Op::MaybeRemoved, Some(error)),
            },
            13..=15 => {
                let (found, new) = (last[number as usize], numbers.value());
                let expected = (found > 0).then(|| value(found));
                match asked.write(Write::CompareAndSet { key, expected, new: Some(value(new)) }) {
                    Ok(()) => (Op::Swapped(found, new), None),
                    Err(KvsError::Mismatch) => (Op::NotFound(found), None),
                    Err(error) => (Op::MaybeSwapped(found, new), Some(error)),
                }
            }
            16 => {
                // Of two keys; the other one's write is noted here.
                let (other, [new, also]) =
                    ((number + 1) % KEYS, [numbers.value(), numbers.value()]);
                let writes = [(key, new), (format!("key{other}"), also)];
                let writes = writes.map(|(key, number)| (key, Some(value(number))));
                let error = asked.write(Write::Batch(writes.to_vec())).err();
                let end = error.is_none().then(|| numbers.moment());
                events.push(Event { key: other, client, op: Op::Set(also), call, end });
                (Op::Set(new), error)
            }
            _ => {
                let new = numbers.value();
                (Op::Set(new), asked.write(Write::Set { key, value: value(new) }).err())
            }
        };
        last[number as usize] = match op {
            Op::Set(value) | Op::Found(value) | Op::Swapped(_, value) => value,
            _ => 0,
        };
        let now = numbers.moment();
        let end = error.is_none().then_some(now);
        events.push(Event { key: number, client, op, call, end });
        if let Some(error) = error {
            return Ok((events, Some((now, error))));
        }
    }
    Ok((events, None))
}

/// Lists all keys. What is listed was there at some moment of it, and what isn't was not.
fn list(
    client: u8,
    asked: &mut impl Client,
    numbers: &Numbers,
) -> result::Result<Result<Vec<Event>>, String> {
    let call = numbers.moment();
    let (mut listed, mut cursor) = ([false; KEYS as usize], None);
    loop {
        let page = match asked.page(cursor) {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        for key in page.keys {
            let number = key.strip_prefix("key").and_then(|number| number.parse::<usize>().ok());
            let place = number.and_then(|number| listed.get_mut(number));
            *place.ok_or_else(|| format!("`{key}` is listed, which nobody wrote"))? = true;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let end = Some(numbers.moment());
    let op = |is_there| if is_there { Op::NotFound(0) } else { Op::Found(0) };
    let events = (0..).zip(listed).map(|(key, is)| Event { key, client, op: op(is), call, end });
    Ok(Ok(events.collect()))
}

/// Reads all keys.
fn look(asked: &mut impl Client, numbers: &Numbers) -> result::Result<Vec<Event>, String> {
    let look = |key| {
        let call = numbers.moment();
        let found = asked.read(format!("key{key}"));
        let found = found.map_err(|error| format!("key {key}: {error}"));
        let op = Op::Found(number_of(key, found?)?);
        Ok(Event { key, client: 0, op, call, end: Some(numbers.moment()) })
    };
    (0..KEYS).map(look).collect()
}
