//! No race: all that the standard library has to put threads in order, with many of them at it.

use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, OnceLock, RwLock, mpsc};
use std::thread;
use std::time::Duration;

static ONCE: LazyLock<Vec<u64>> = LazyLock::new(|| vec![1, 2, 3]);
const THREADS: u64 = 8;
const ROUNDS: u64 = 5_000;

#[test]
fn whatever_the_standard_library_offers_puts_threads_in_order() {
    let (count, changed) = (Mutex::new(0), Condvar::new());
    let list = RwLock::new(Vec::new());
    let barrier = Barrier::new(THREADS as usize);
    let shared = Arc::new((count, changed, list, barrier));
    let (sender, receiver) = mpsc::channel();
    let threads = (0..THREADS).map(|thread| {
        let (shared, sender) = (Arc::clone(&shared), sender.clone());
        thread::spawn(move || work(thread, &shared, &sender))
    });
    let threads: Vec<_> = threads.collect();
    drop(sender);
    assert_eq!(receiver.iter().filter(|text| text == "a text").count() as u64, THREADS * ROUNDS);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(shared);

    let mut numbers = [0; THREADS as usize];
    thread::scope(|scope| {
        numbers.iter_mut().for_each(|number| drop(scope.spawn(|| *number += 1)));
    });
    assert_eq!(numbers, [1; THREADS as usize]);
}

#[test]
fn what_was_put_somewhere_once_is_seen_whole() {
    for _ in 0..ROUNDS / 5 {
        let words = OnceLock::new();
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                loop {
                    if let Some(words) = words.get() {
                        break String::clone(words);
                    }
                }
            });
            // Made before, and not within the call.
            let text = format!("{} words", ONCE.len());
            words.get_or_init(|| text);
            assert_eq!(reader.join().unwrap(), "3 words");
        });
    }
}

type Shared = (Mutex<u64>, Condvar, RwLock<Vec<u64>>, Barrier);

fn work(thread: u64, shared: &Shared, sender: &mpsc::Sender<String>) {
    let (count, changed, list, barrier) = shared;
    barrier.wait();
    for round in 0..ROUNDS {
        *count.lock().unwrap() += 1;
        changed.notify_all();
        match (round + thread) % 4 {
            0 => list.write().unwrap().push(round),
            1 => assert!(list.read().unwrap().len() < 100_000),
            2 => drop(changed.wait_timeout(count.lock().unwrap(), Duration::from_nanos(1))),
            _ => assert_eq!(ONCE.len(), 3),
        }
        sender.send("a text".to_owned()).unwrap();
    }
    // Those that wait go on one after the other; each counts, and the last is past all.
    let mut guard = count.lock().unwrap();
    *guard += 1;
    changed.notify_all();
    while *guard < THREADS * (ROUNDS + 1) {
        guard = changed.wait(guard).unwrap();
    }
}
