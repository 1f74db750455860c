//! Who has little to ask does not wait for those who keep threads busy.

use kvs_final::Limits;
use kvs_test_kit::engines::{Gate, gated, played};
use kvs_test_kit::local::{Local, stat};
use kvs_test_kit::requests::GET;
use kvs_test_kit::{Raw, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How many jobs have to begin one after the other. A server that notices only once a second that it
/// has a thread to spare needs longer than the watchdog waits.
const JOBS: u64 = 80;

#[test]
fn a_thread_that_is_free_is_found_although_the_other_one_is_held_up() {
    let (engine, gate) = gated();
    let server = Local::start(engine, Limits { jobs: 2, ..Limits::default() });
    let mut held_up = server.connect();
    held_up.send_line(GET);
    gate.wait_for(1);
    let mut client = server.connect();
    let begun = stat(&mut client, "jobs_started");
    until("the free thread has got so many jobs", || {
        // Meanwhile the job that has answered finds nothing to do and ends.
        thread::sleep(Duration::from_millis(20));
        stat(&mut client, "jobs_started") >= begun + JOBS
    });
    assert_eq!(gate.waiting(), 1, "the other one is still held up");
    gate.open();
    assert_eq!(held_up.line(), r#"{"Ok":"k"}"#);
}

/// How many writes a flood has, which arrive together.
const FLOOD: usize = 600;

#[test]
fn reads_do_not_wait_for_the_end_of_a_flood_of_slow_writes_on_each_thread() {
    let (gate, done) = (Gate::default(), Arc::<[AtomicUsize; 2]>::default());
    let (passed, counted) = (gate.clone(), Arc::clone(&done));
    // It is slow, and the first ones wait at a gate.
    let set = move |key: String, _| {
        passed.pass();
        thread::sleep(Duration::from_millis(1));
        counted[key.parse::<usize>().unwrap()].fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    // It tells how many were done for the key that has most.
    let get = move |_| {
        let done = done.iter().map(|done| done.load(Ordering::SeqCst));
        Ok(done.max().map(|most| most.to_string()))
    };
    let engine = played(get, set);
    let server = Local::start(engine, Limits { jobs: 2, ..Limits::default() });
    let mut floods: Vec<Raw> = (0..2).map(|_| server.connect()).collect();
    for (number, flood) in floods.iter_mut().enumerate() {
        let set = format!("{{\"Set\":{{\"key\":\"{number}\",\"value\":\"v\"}}}}\n");
        flood.send(set.repeat(FLOOD));
    }
    gate.wait_for(2);
    let mut reader = server.connect();
    reader.send_line(GET);
    gate.open();
    reader.line();
    // The first may have been found by a look that comes but once.
    let answer = (0..3).map(|_| reader.ask(GET)).last().unwrap();
    let most = answer.strip_prefix(r#"{"Ok":""#).unwrap().strip_suffix(r#""}"#).unwrap();
    let most: usize = most.parse().unwrap();
    println!("2 floods of {FLOOD} writes on 2 threads; four reads came before write {}", most + 1);
    assert!(most < FLOOD, "one of them has waited for a whole flood");
    for flood in &mut floods {
        assert!((0..FLOOD).all(|_| flood.line() == r#"{"Ok":null}"#));
    }
}
