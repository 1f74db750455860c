//! The clocks of a connection: who is busy is never late, and neither is who has to wait for the
//! server; and who has little to ask does not wait for those who keep threads busy.

use crate::{kvs_server, new_kvs_server};
use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{KvsEngine, Limits};
use kvs_test_kit::clients::Flood;
use kvs_test_kit::engines::{Deferred, Gate, Memory, gated, played, reads};
use kvs_test_kit::local::{Local, nobody_listens, stat};
use kvs_test_kit::process::cpu_time;
use kvs_test_kit::raw::{GET, NOTHING, found, get, set};
use kvs_test_kit::{Raw, Server, until};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SET: &str = r#"{"Set":{"key":"a","value":"1"}}"#;
/// For a limit of time that a test waits for, and that a client on a busy machine stays within.
const BEARABLE: Duration = Duration::from_secs(1);
/// Others, one after the other, show how time passes: each begins what its limit is for and is late.
fn outlives_three(flood: &Flood, server: &Local, begin: impl Fn() -> Raw) {
    let mut witness = server.connect();
    for late in 1..=3 {
        let client = begin();
        until("it is late", || {
            flood.gets(10);
            stat(&mut witness, "connections_timed_out") == late
        });
        drop(client);
    }
}

#[test]
fn who_takes_large_answers_all_the_time_is_served_for_ever() {
    let value = "v".repeat(100_000);
    let limits = Limits { answer_time: BEARABLE, ..Limits::default() };
    let read = value.clone();
    // Slower than its readers: they are never behind.
    let engine = reads(move |_| {
        thread::sleep(Duration::from_millis(2));
        Ok(Some(read.clone()))
    });
    let server = Local::start(engine, limits);
    let get = format!("{GET}\n");
    // More answers than sockets take.
    let silent = || send(server.connect(), &get.repeat(500));
    // At first it takes nothing, which starts its clock.
    let client = silent();
    let mut witness = server.connect();
    until("an answer waits", || stat(&mut witness, "bytes_buffered") > 0);
    let flood = Flood::start(client, &get, &format!(r#"{{"Ok":"{value}"}}"#));
    outlives_three(&flood, &server, silent);
    flood.stop();
}

/// The second is so large that the server reads many times before there is a whole request.
#[test]
fn who_sends_requests_all_the_time_is_served_for_ever() {
    for set in [SET, &set("a", &"v".repeat(200_000))] {
        let limits = Limits { request_time: BEARABLE, ..Limits::default() };
        let server = Local::start(Memory::default(), limits);
        let (head, tail) = set.split_at(10);
        let half = || send(server.connect(), head);
        // At first it sends a half, which starts its clock.
        let client = half();
        let mut witness = server.connect();
        until("it has arrived", || stat(&mut witness, "bytes_buffered") == head.len() as u64);
        let flood = Flood::start(client, &format!("{tail}\n{head}"), NOTHING);
        outlives_three(&flood, &server, half);
        flood.stop();
    }
}

#[test]
fn who_waits_for_a_write_is_not_idle() {
    let engine = Deferred::default();
    let limits = Limits { idle_time: Some(BEARABLE), ..Limits::default() };
    let server = Local::start(engine.clone(), limits);
    let mut client = server.connect();
    client.send_line(SET);
    until("the write is under way", || engine.waiting() == 1);
    for _ in 0..2 {
        assert_eq!(server.connect().line(), "", "another one is idle for too long");
    }
    engine.finish("a");
    assert_eq!(client.line(), NOTHING);
}

const LARGE: usize = 8 << 20;

/// Ask for `k`, which is more than a socket holds, read nothing, and know that it comes.
fn ask<const N: usize>(clients: [Raw; N], times: usize) -> [Raw; N] {
    let gets = format!("{GET}\n").repeat(times);
    let clients = clients.map(|client| send(client, &gets));
    for client in &clients {
        client.wait_for_more();
    }
    clients
}

fn send(mut client: Raw, part: &str) -> Raw {
    client.send(part);
    client
}

#[test]
fn a_large_answer_or_request_that_goes_on_may_take_longer_than_its_timeout() {
    let time = 2 * BEARABLE;
    let limits = Limits { answer_time: time, request_time: time, ..Limits::default() };
    let engine = Memory::default();
    let [value, request] = ["v".repeat(2 * LARGE), set("k", &"w".repeat(LARGE))];
    engine.set("k".to_owned(), value.clone()).unwrap();
    let server = Local::start(engine, limits);
    let mut witness = server.connect();
    let (reader, mut sender) = (server.connect(), server.connect());
    // A socket with much room tells of it only when much of it was taken.
    set_socket_recv_buffer_size(reader.stream(), 256 << 10).unwrap();
    let [mut reader] = ask([reader], 1);
    let (mut piece, mut pieces) = (vec![0; 256 << 10], request.as_bytes().chunks(64 << 10));
    let mut taken = 0;
    let _others =
        [format!("{GET}\n"), GET[..10].to_owned()].map(|begin| send(server.connect(), &begin));
    until("two that do not go on are late", || {
        if taken < value.len() - piece.len() {
            reader.stream().read_exact(&mut piece).unwrap();
            sender.send(pieces.next().unwrap());
            taken += piece.len();
        }
        thread::sleep(time / 20);
        stat(&mut witness, "connections_timed_out") == 2
    });
    assert_eq!(reader.line().len(), found(&value).len() - taken);
    pieces.for_each(|piece| sender.send(piece));
    assert_eq!(sender.ask(""), NOTHING);
}

/// A socket that is full takes more a moment later, also if the client reads nothing.
#[test]
fn who_takes_no_answer_is_late_when_its_time_is_over_and_not_much_later() {
    let limits =
        Limits { answer_time: BEARABLE, request_time: BEARABLE / 4 * 7, ..Limits::default() };
    let server = Local::start(reads(|_| Ok(Some("v".repeat(100_000)))), limits);
    let mut witness = server.connect();
    let _silent = ask([server.connect()], 100);
    until("an answer waits", || stat(&mut witness, "bytes_buffered") > 0);
    let end = send(server.connect(), &GET[..10]).line();
    assert!(end.contains("took longer"), "{end}");
    assert_eq!(stat(&mut witness, "connections_timed_out"), 2, "the one before it is gone already");
}

/// Stops a server, after SIGTERM perhaps, until another one has had enough of its client. Then those of
/// its own clients that read and write meanwhile, as far as that goes, are served.
fn is_stopped_and_blames_nobody(timeout: &str, terminates: bool) {
    let options = ["--answer-timeout", timeout, "--request-timeout", timeout];
    let dirs = [(); 2].map(|()| TempDir::new().unwrap());
    let [server, other] = dirs.each_ref().map(|dir| kvs_server(&options, dir));
    let request = set("k", &"v".repeat(LARGE)) + "\n";
    let begin = |server: &Server| {
        assert_eq!(server.connect().ask(request.trim_end()), NOTHING);
        let readers = ask([(); 4].map(|()| server.connect()), 1);
        let sender = send(server.connect(), &request[..1000]);
        if terminates {
            server.signal("-TERM");
            nobody_listens(server.addr);
        }
        (sender, readers)
    };
    let (mut sender, readers) = begin(&server);
    server.signal("-STOP");
    let readers = readers.map(|mut reader| thread::spawn(move || reader.line().len()));
    let rest = request[1000..].trim_end().to_owned();
    // After SIGTERM only what has arrived is read.
    let sender = thread::spawn(move || terminates || sender.try_ask(&rest) == NOTHING);
    let (mut late, unread) = begin(&other);
    let end = late.line();
    assert!(terminates || end.contains("took longer"), "{end}");
    if terminates {
        other.end();
    }
    drop(unread);
    server.signal("-CONT");
    let lengths = readers.map(|reader| reader.join().unwrap());
    assert_eq!(lengths, [found(&"v".repeat(LARGE)).len(); 4]);
    assert!(sender.join().unwrap());
}

#[test]
fn a_server_that_was_stopped_blames_nobody_also_while_it_ends() {
    thread::scope(|scope| {
        scope.spawn(|| is_stopped_and_blames_nobody("5", false));
        scope.spawn(|| is_stopped_and_blames_nobody("600", true));
    });
}

/// A thread that looked again and again would take most of a processor.
#[test]
fn a_server_that_has_nothing_to_do_sleeps() {
    let (server, _dir) = new_kvs_server(&["--request-timeout", "1"]);
    let mut half = server.connect();
    half.send(&GET[..10]);
    let (began, before) = (Instant::now(), cpu_time(server.pid()));
    assert!(before > Duration::ZERO, "the system does not tell");
    let end = half.line();
    let taken = cpu_time(server.pid()).saturating_sub(before);
    let share = taken.div_duration_f64(began.elapsed());
    assert!(end.contains("took longer"), "{end}");
    assert!(share < 0.03, "while it waited for one client it took {share} of a processor");
}

/// While the only thread is held up, a client that has sent `head` sends `tail`, and then its time
/// ends: that of a client of another server does, which has sent no more than `head`.
fn a_late_pool_does_not_make_the_client_late(limits: Limits, head: &str, tail: &str) {
    let limits = Limits { jobs: 1, ..limits };
    let (engine, gate) = gated();
    let pool = SharedQueueThreadPool::new(1).unwrap();
    let server = Local::start_on(pool, engine, limits.clone());
    let mut client = server.connect();
    assert_eq!(client.ask(SET), NOTHING);
    client.send(head);
    let mut witness = server.connect();
    until("it has arrived", || stat(&mut witness, "bytes_buffered") == head.len() as u64);
    let mut busy = server.connect();
    busy.send_line(GET);
    gate.wait_for(1);
    client.send(tail);

    let other = Local::start(Memory::default(), limits);
    let mut late = other.connect();
    late.send(head);
    let end = late.line();
    assert!(end.is_empty() || end.contains("took longer"), "{end}");
    gate.open();
    assert_eq!(client.line(), NOTHING);
    assert_eq!(busy.line(), r#"{"Ok":"k"}"#);
}

#[test]
fn who_has_asked_in_time_is_answered_by_a_late_pool() {
    let limits = Limits { idle_time: Some(BEARABLE), ..Limits::default() };
    a_late_pool_does_not_make_the_client_late(limits, "", &format!("{SET}\n"));
    let limits = Limits { request_time: BEARABLE, ..Limits::default() };
    let (head, tail) = SET.split_at(10);
    a_late_pool_does_not_make_the_client_late(limits, head, &format!("{tail}\n"));
}

/// Half of them belong to the loop that is held up, and so does one that was there before, with a write
/// that is not done and a request half-way.
fn who_shares_a_loop_with_a_held_up_request_is_served_by_another<P: ThreadPool + Send + 'static>() {
    let (gate, passed) = (Gate::default(), Gate::default());
    let gates = [gate.clone(), passed.clone()];
    passed.open();
    let engine = reads(move |key| {
        gates[usize::from(key != "held")].pass();
        Ok(Some(key))
    });
    let limits = Limits { jobs: 2, ..Limits::default() };
    let server = Local::start_on(P::new(2).unwrap(), engine, limits);
    let mut clients: Vec<Raw> = (0..10).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(SET), NOTHING);
        client.send(&GET[..10]);
    }
    let mut held_up = server.connect();
    held_up.send_line(&get("held"));
    gate.wait_for(1);
    // Again and again, so that one that was served once is not lost later.
    for _ in 0..3 {
        clients.extend((0..10).map(|_| send(server.connect(), &GET[..10])));
        for client in &mut clients {
            assert_eq!(client.ask(&GET[10..]), found("k"));
            client.send(format!("{SET}\n{}", &GET[..10]));
            assert_eq!(client.line(), NOTHING);
        }
    }
    assert_eq!(gate.waiting(), 1, "the other one is still held up");
    gate.open();
    assert_eq!(held_up.line(), found("held"));
    for client in &mut clients {
        assert_eq!(client.ask(&GET[10..]), found("k"));
    }
}

on_each_pool!(who_shares_a_loop_with_a_held_up_request_is_served_by_another);

/// How many writes a flood has, which arrive together.
const FLOOD: usize = 600;

#[test]
fn reads_do_not_wait_for_the_end_of_a_flood_of_slow_writes_on_each_thread() {
    let (gate, done) = (Gate::default(), Arc::<[AtomicUsize; 2]>::default());
    let (passed, counted) = (gate.clone(), Arc::clone(&done));
    // It is slow, and the first ones wait at a gate.
    let slow = move |key: String, _| {
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
    let engine = played(get, slow);
    let server = Local::start(engine, Limits { jobs: 2, ..Limits::default() });
    let mut floods: Vec<Raw> = (0..2).map(|_| server.connect()).collect();
    for (number, flood) in floods.iter_mut().enumerate() {
        flood.send((set(&number.to_string(), "v") + "\n").repeat(FLOOD));
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
