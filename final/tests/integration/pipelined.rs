//! Many requests under way on one connection: the order of their answers, and who waits for whom.

use crate::*;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

/// Random requests for a few keys that begin with `prefix`, and how each answer begins.
fn requests(prefix: &str, count: usize, random: &mut StdRng) -> (String, Vec<String>) {
    let mut state: HashMap<String, String> = HashMap::new();
    let mut packet = String::new();
    let mut answers = Vec::new();
    for number in 0..count {
        let key = format!("{prefix}{}", random.random_range(0..5));
        let (request, answer) = match random.random_range(0..10) {
            0..3 => (get(&key), state.get(&key).map_or(NOTHING.to_owned(), |value| found(value))),
            3..7 => {
                let value = number.to_string();
                let request = set(&key, &value);
                state.insert(key, value);
                (request, NOTHING.to_owned())
            }
            7..9 => {
                let answer = match state.remove(&key) {
                    Some(_) => NOTHING.to_owned(),
                    None => r#"{"Err":"Key not found"}"#.to_owned(),
                };
                (remove(&key), answer)
            }
            _ => ("nonsense".to_owned(), r#"{"Err":"not a message"#.to_owned()),
        };
        packet += &(request + "\n");
        answers.push(answer);
    }
    (packet, answers)
}

/// At the level at which each write waits for a sync, and for an engine of which all is done late.
#[test]
fn requests_of_all_kinds_in_one_packet_are_answered_as_if_one_by_one() {
    let dir = TempDir::new().unwrap();
    let store = KvStoreOptions::new().durability(Durability::Always).open(dir.path()).unwrap();
    answers_as_if_one_by_one(store, thread::yield_now);
    let (distant, mut random) = (Distant::default(), StdRng::seed_from_u64(0));
    answers_as_if_one_by_one(distant.clone(), || distant.finish_any(&mut random));
}

/// Several connections at once, on two threads.
fn answers_as_if_one_by_one(engine: impl KvsEngine, mut meanwhile: impl FnMut()) {
    let server = Local::start(engine, Limits::default());
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for number in 0..4 {
            let mut client = server.connect();
            clients.push(scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(number);
                assert_eq!(client.ask(GET), NOTHING);
                let (packet, answers) = requests(&format!("{number}-"), 3000, &mut random);
                client.send(packet);
                for (number, expected) in answers.into_iter().enumerate() {
                    let answer = client.line();
                    assert!(answer.starts_with(&expected), "{number}: {answer}, not {expected}");
                }
            }));
        }
        while !clients.iter().all(|client| client.is_finished()) {
            meanwhile();
        }
    });
}

fn waiting_writers_stop_nobody_else<P: ThreadPool + Send + 'static>() {
    const THREADS: u32 = 2;
    let engine = Deferred::default();
    let limits = Limits { jobs: THREADS as usize, ..Limits::default() };
    let server = Local::start_on(P::new(THREADS).unwrap(), engine.clone(), limits);
    let mut writers: Vec<Raw> = (0..THREADS).map(|_| server.connect()).collect();
    for (number, writer) in writers.iter_mut().enumerate() {
        let key = |name: &str| format!("{number}{name}");
        let failing = format!("fails: {}", key("b"));
        let requests = [
            get(&key("a")),
            set(&key("a"), "1"),
            set(&key("b"), &failing),
            set(&key("c"), "3"),
            get(&key("c")),
            "nonsense".to_owned(),
            set(&key("d"), "4"),
            get(&key("a")),
        ];
        writer.send_line(&requests.join("\n"));
    }
    until("three writes of each wait", || engine.waiting() == 3 * THREADS as usize);
    let mut readers: Vec<Raw> = (0..4).map(|_| server.connect()).collect();
    let mut reads_are_answered = |answer: &str| {
        for _ in 0..50 {
            for reader in &mut readers {
                assert_eq!(reader.ask(&get("0c")), answer);
            }
        }
    };
    reads_are_answered(NOTHING);
    for (number, writer) in writers.iter_mut().enumerate() {
        assert_eq!(writer.line(), NOTHING, "what came before the writes waits for none");
        // The last one first; the first one holds back the answers.
        engine.finish(&format!("{number}c"));
        engine.finish(&format!("{number}b"));
    }
    reads_are_answered(&found("3"));
    for (number, writer) in writers.iter_mut().enumerate() {
        assert!(!writer.has_answer());
        engine.finish(&format!("{number}a"));
        assert_eq!(writer.line(), NOTHING);
        assert_eq!(writer.line(), format!(r#"{{"Err":"{number}b"}}"#));
        assert_eq!(writer.line(), NOTHING);
        assert_eq!(writer.line(), found("3"), "it sees the writes before it");
        assert!(writer.line().contains("not a message"));
        until("the last one waits", || engine.waiting() == THREADS as usize - number);
        engine.finish(&format!("{number}d"));
        assert_eq!(writer.line(), NOTHING);
        assert_eq!(writer.line(), found("1"));
    }
}

on_each_pool!(waiting_writers_stop_nobody_else);

/// Of an engine whose gets wait.
fn waiting_readers_stop_nobody_else<P: ThreadPool + Send + 'static>() {
    let engine = Distant::default();
    let limits = Limits { jobs: 2, ..Limits::default() };
    let server = Local::start_on(P::new(2).unwrap(), engine.clone(), limits);
    let mut readers = ["0", "1"].map(|number| (server.connect(), number));
    for (reader, key) in &mut readers {
        let requests = [&get(key), &set(key, "1"), &get(key), &get("other"), "nonsense"];
        reader.send_line(&requests.join("\n"));
    }
    until("all before the nonsense are under way", || engine.waiting() == 2 * 4);
    let mut others: Vec<Raw> = (0..4).map(|_| server.connect()).collect();
    for _ in 0..50 {
        others.iter_mut().for_each(|other| assert!(stat(other, "connections") > 2));
    }
    (0..2).for_each(|_| engine.finish("other"));
    for (reader, key) in &mut readers {
        assert!(!reader.has_answer());
        (0..3).for_each(|_| engine.finish(key));
        let found = found("1");
        for answer in [NOTHING, NOTHING, &found, NOTHING] {
            assert_eq!(reader.line(), answer);
        }
        assert!(reader.line().contains("not a message"));
    }
}

on_each_pool!(waiting_readers_stop_nobody_else);

/// More writes than the server lets one connection have under way, done by two threads in any order
/// while more arrive.
#[test]
fn writes_that_are_done_in_any_order_are_answered_in_theirs() {
    let engine = Deferred::default();
    let server = Local::start(engine.clone(), Limits::default());
    let all_answered = AtomicBool::new(false);
    let (connections, count) = (8, 5000);
    thread::scope(|scope| {
        for seed in 0..2 {
            let (engine, all_answered) = (&engine, &all_answered);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed);
                while !all_answered.load(Ordering::Relaxed) {
                    engine.finish_any(&mut random);
                }
            });
        }
        let clients: Vec<_> = (0..connections)
            .map(|connection| {
                let mut client = server.connect();
                scope.spawn(move || {
                    let write = |number| set(&connection.to_string(), &format!("fails: {number}"));
                    client.send_line(&(0..count).map(write).collect::<Vec<_>>().join("\n"));
                    let expected = |number| format!(r#"{{"Err":"{number}"}}"#);
                    (0..count).all(|number| client.line() == expected(number))
                })
            })
            .collect();
        let in_order: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        all_answered.store(true, Ordering::Relaxed);
        assert!(in_order.into_iter().all(|in_order| in_order.unwrap()));
    });
}

/// The answers to two writes, done only now, and then this error, once.
fn the_last_error_comes_after(engine: &Deferred, client: &mut Raw, message: &str) {
    assert_eq!(engine.waiting(), 2);
    assert!(!client.has_answer());
    engine.finish("b");
    engine.finish("a");
    assert_eq!([client.line(), client.line()], [NOTHING; 2]);
    let error = client.line();
    assert!(error.starts_with(r#"{"Err":""#) && error.contains(message), "{error}");
    assert_eq!(client.line(), "", "it is closed");
}

#[test]
fn a_request_that_is_late_is_told_so_after_the_answers_to_the_writes_before_it() {
    let engine = Deferred::default();
    let limits = Limits { request_time: Duration::from_millis(100), ..Limits::default() };
    let server = Local::start(engine.clone(), limits);
    let (mut client, mut other) = (server.connect(), server.connect());
    client.send([&set("a", "1"), &*set("b", "2"), "{\"half"].join("\n"));
    until("it is late", || stat(&mut other, "connections_timed_out") == 1);
    the_last_error_comes_after(&engine, &mut client, "took longer than 0.1 s to arrive");
    assert_eq!(stat(&mut other, "connections_timed_out"), 1);
}

#[test]
fn a_request_without_memory_is_told_so_after_the_answers_to_the_writes_before_it() {
    let engine = Deferred::default();
    let limits = Limits { buffered_bytes: 100_000, ..Limits::default() };
    let server = Local::start(engine.clone(), limits);
    let (mut client, mut other) = (server.connect(), server.connect());
    client.send([set("a", "1"), set("b", "2"), "x".repeat(150_000)].join("\n"));
    until("so much has arrived", || stat(&mut other, "bytes_in") > 100_000);
    let kept = 2 * "a1".len() as u64;
    until("it is thrown away", || stat(&mut other, "bytes_buffered") == kept);
    the_last_error_comes_after(&engine, &mut client, "no memory for the request");
}
