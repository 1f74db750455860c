//! What clients see when the server's process runs out of something.

use crate::{KVS, limited};
use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{KvStore, KvStoreOptions, KvsClient, KvsEngine, Limits, Result};
use kvs_test_kit::engines::{Gate, Memory, gated, reads};
use kvs_test_kit::environment::is_injected;
use kvs_test_kit::local::{Local, stat};
use kvs_test_kit::raw::{GET, NOTHING};
use kvs_test_kit::{Raw, Server, until};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// More than the sockets take.
const LARGE: usize = 64 << 20;

fn is_refused(client: &mut Raw, message: &str) {
    let answer = client.try_ask(GET);
    assert!(answer.starts_with(r#"{"Err":""#) && answer.contains(message), "{answer}");
    assert_eq!(client.line(), "", "it is closed");
}

#[test]
fn out_of_descriptors_a_new_client_is_told_so_and_the_others_are_served() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&mut limited("-n 40", "server"), dir.path()).unwrap();
    let mut clients = Vec::new();
    let message = loop {
        let mut client = server.connect();
        match client.try_ask(GET) {
            answer if answer == NOTHING => clients.push(client),
            answer => break answer,
        }
    };
    assert_eq!(message, r#"{"Err":"the server is out of file descriptors; try again later"}"#);
    let room = clients.len();
    println!("{room} connections with 40 descriptors");
    assert!((10..40).contains(&room));
    for _ in 0..3 {
        for _ in 0..10 {
            is_refused(&mut server.connect(), "out of file descriptors");
        }
        for client in &mut clients {
            assert_eq!(client.ask(GET), NOTHING);
        }
        clients.truncate(room - 5);
        until("five have left", || stat(&mut clients[0], "connections") == room as u64 - 5);
        // As many are served again, from the first one on.
        for _ in 0..5 {
            let mut client = server.connect();
            assert_eq!(client.ask(GET), NOTHING);
            clients.push(client);
        }
    }
}

/// As many segments as a server of some size writes, and a soft limit below that number.
#[test]
fn a_store_of_more_segments_than_open_files_is_opened_if_the_system_allows_more() {
    let dir = TempDir::new().unwrap();
    let options = KvStoreOptions::new().segment_bytes(100).background(false);
    let store = options.open(dir.path()).unwrap();
    for number in 0..40 {
        store.set(format!("key{number}"), "v".repeat(100)).unwrap();
    }
    drop(store);
    let opens = |limit, command| limited(limit, command).arg(dir.path()).output().unwrap();
    for command in ["check", "dump"] {
        assert!(opens("-Sn 30", command).status.success());
        let refused = opens("-n 30", command);
        assert_eq!(refused.status.code(), Some(1));
        let message = String::from_utf8(refused.stderr).unwrap();
        let expected = "40 segments are open at a time, and the limit of open files is 30";
        assert!(message.contains(expected), "{message}");
    }
    let server = Server::start(&mut limited("-Sn 30", "server"), dir.path()).unwrap();
    assert_eq!(stat(&mut server.connect(), "keys"), 40);
    assert_eq!(server.terminate().0.code(), Some(0));
}

/// `EFBIG`, with a signal that ends who doesn't take it.
#[test]
fn at_the_limit_of_a_file_s_length_writes_are_refused_and_resume_with_a_higher_one() {
    for level in ["always", "os"] {
        let dir = TempDir::new().unwrap();
        let mut command = Command::new("prlimit");
        command.args(["--fsize=300000:", KVS, "server", "--durability", level]);
        let server = Server::start(&mut command, dir.path()).unwrap();
        let mut client = KvsClient::connect(server.addr).unwrap();
        let mut set = |key: &str| client.set(key.to_owned(), "v".repeat(100_000));
        assert_eq!((set("a").is_ok(), set("b").is_ok()), (true, true));
        for _ in 0..3 {
            let refused = set("c").unwrap_err().to_string();
            assert!(refused.contains("File too large"), "{refused}");
        }
        let pid = Pid::from_raw(server.pid().cast_signed());
        let none = Rlimit { current: None, maximum: None };
        prlimit(pid, Resource::Fsize, none).unwrap();
        set("d").unwrap();
        assert_eq!(server.terminate().0.code(), Some(0));
        let store = KvStore::open(dir.path()).unwrap();
        let found = ["a", "b", "c", "d"].map(|key| store.get(key.to_owned()).unwrap().is_some());
        assert_eq!(found, [true, true, false, true]);
    }
}

/// A pool that drops jobs when it has as many as it was told, as the naive one does without threads.
struct Moody {
    pool: SharedQueueThreadPool,
    most: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Moody {
    /// A server with 64 MiB under the key `large`, and a way to tell its pool.
    fn serve() -> (Local, impl Fn(usize)) {
        let pool = Moody::new(2).unwrap();
        let (most, running) = (Arc::clone(&pool.most), Arc::clone(&pool.running));
        let engine = Memory::default();
        engine.set("large".to_owned(), "v".repeat(LARGE)).unwrap();
        let server = Local::start_on(pool, engine, Limits::default());
        let tell = move |jobs| {
            // A job that runs would go on with whatever comes.
            until("the last job has ended", || running.load(Ordering::SeqCst) == 0);
            most.store(jobs, Ordering::SeqCst);
        };
        (server, tell)
    }
}

impl ThreadPool for Moody {
    fn new(threads: u32) -> Result<Self> {
        let most = Arc::new(AtomicUsize::new(threads as usize));
        let (running, refused) = Default::default();
        Ok(Moody { pool: ThreadPool::new(threads)?, most, running, refused })
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        // Only the server's own thread comes here.
        if self.running.load(Ordering::SeqCst) == self.most.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let running = Arc::clone(&self.running);
        running.fetch_add(1, Ordering::SeqCst);
        self.pool.spawn(move || {
            job();
            running.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

#[test]
fn out_of_threads_the_client_is_told_so_and_later_ones_are_served() {
    let (server, have_threads) = Moody::serve();
    // One that asks nothing is not concerned.
    let mut silent = server.connect();
    for _ in 0..3 {
        have_threads(0);
        for _ in 0..10 {
            is_refused(&mut server.connect(), "no thread for the request; try again later");
        }
        have_threads(2);
        assert_eq!(server.connect().ask(GET), NOTHING);
    }
    assert_eq!(silent.ask(GET), NOTHING);
}

#[test]
fn without_a_second_thread_requests_wait_for_the_first() {
    let (engine, gate) = gated();
    let pool = Moody::new(1).unwrap();
    let refused = Arc::clone(&pool.refused);
    let server = Local::start_on(pool, engine, Limits::default());
    let mut clients: Vec<Raw> = (0..3).map(|_| server.connect()).collect();
    clients[0].send_line(GET);
    gate.wait_for(1);
    for client in &mut clients[1..] {
        client.send_line(GET);
    }
    until("the pool has refused some jobs", || refused.load(Ordering::SeqCst) >= 3);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.line(), r#"{"Ok":"k"}"#);
    }
}

/// An answer of which the client has a part already is not mixed with words about threads.
#[test]
fn out_of_threads_a_connection_with_half_an_answer_is_closed_without_a_word() {
    let (server, have_threads) = Moody::serve();
    let mut client = server.connect();
    client.send(GET.replace("\"k\"", "\"large\"") + "\n");
    // Its first bytes are there, and nobody has to look for more.
    client.wait_for_more();
    have_threads(0);
    let answer = client.line();
    assert!(answer.len() < LARGE, "it was to be cut off");
    assert_eq!(answer.trim_end_matches('v'), r#"{"Ok":""#);
}

/// On one thread, with the others' requests in the same queue.
fn a_panic_closes_its_connection_and_no_other<P: ThreadPool + Send + 'static>() {
    let (gate, served) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
    let (passed, counted) = (gate.clone(), Arc::clone(&served));
    let engine = reads(move |key| {
        passed.pass();
        let panics = key == "panic" || is_injected("a panic that takes others along");
        assert!(!panics, "the panic that the test asked for");
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    });
    let limits = Limits { jobs: 1, ..Limits::default() };
    let server = Local::start_on(P::new(1).unwrap(), engine, limits);
    let mut clients: Vec<Raw> = (0..30).map(|_| server.connect()).collect();
    let panics = |number: usize| number % 3 == 2;
    for (number, client) in clients.iter_mut().enumerate() {
        // What it asked before the panic is lost with it: the answers would have gone together.
        let unlucky =
            if panics(number) { GET.replace("\"k\"", "\"panic\"") + "\n" } else { String::new() };
        client.send(format!("{GET}\n{unlucky}{GET}\n"));
    }
    gate.wait_for(1);
    gate.open();
    for (number, client) in clients.iter_mut().enumerate() {
        let expected = if panics(number) { ["", ""] } else { [NOTHING, NOTHING] };
        assert_eq!([client.line(), client.line()], expected, "client {number}");
    }
    assert_eq!(served.load(Ordering::SeqCst), 20 * 2 + 10);
    assert_eq!(stat(&mut clients[0], "connections"), 20);
    assert_eq!(stat(&mut clients[0], "jobs"), 1, "those that panicked are not counted");
}

on_each_pool!(a_panic_closes_its_connection_and_no_other);
