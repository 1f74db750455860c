//! What clients see when the server's process runs out of something.

use crate::*;
use kvs_final::Write;
use std::{error, fmt, io};

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
    assert!((10..40).contains(&room), "{room} connections with 40 descriptors");
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

/// A pool that drops jobs when it has as many as it was told, as the naive one does without threads.
struct Moody {
    pool: SharedQueueThreadPool,
    most: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl ThreadPool for Moody {
    fn new(threads: u32) -> Result<Self> {
        let most = Arc::new(AtomicUsize::new(threads as usize));
        let (running, refused) = Default::default();
        Ok(Moody { pool: ThreadPool::new(1)?, most, running, refused })
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
    let pool = Moody::new(0).unwrap();
    let most = Arc::clone(&pool.most);
    // The server asks for a thread again with each sweep, eight times a second.
    let limits = Limits { request_time: Duration::from_secs(1), ..Limits::default() };
    let server = Local::start_on(pool, Memory::default(), limits);
    for _ in 0..10 {
        is_refused(&mut server.connect(), "no thread for the request; try again later");
    }
    most.store(1, Ordering::SeqCst);
    until("one is served", || server.connect().try_ask(GET) == NOTHING);
    assert_eq!(server.connect().ask(GET), NOTHING);
}

#[test]
fn without_a_second_thread_requests_wait_for_the_first() {
    let (engine, gate) = gated();
    let pool = Moody::new(1).unwrap();
    let refused = Arc::clone(&pool.refused);
    let limits = Limits { jobs: 2, request_time: Duration::from_secs(1), ..Limits::default() };
    let server = Local::start_on(pool, engine, limits);
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

/// Panics in a read or a write of the key `panic`, on a thread of its own that is to tell what came of the
/// key `callback`, and when the error is put into words that came of the key `error`.
#[derive(Clone, Default)]
struct Panics {
    gate: Gate,
    served: Arc<AtomicUsize>,
}

const PANIC: &str = "the panic that the test asked for";

#[derive(Debug)]
struct WordlessError;

impl fmt::Display for WordlessError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("{PANIC}");
    }
}

impl error::Error for WordlessError {}

impl KvsEngine for Panics {
    fn set(&self, key: String, _value: String) -> Result<()> {
        if key == "error" {
            return Err(io::Error::other(WordlessError).into());
        }
        self.get(key).map(drop)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.gate.pass();
        assert!(key != "panic" && !is_injected("a panic that takes others along"), "{PANIC}");
        self.served.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }

    fn remove(&self, _key: String) -> Result<()> {
        unreachable!()
    }

    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        for (write, done) in writes {
            if write.changes().any(|(key, _)| key == "callback") {
                thread::spawn(move || {
                    let _done = done;
                    panic!("{PANIC}");
                });
            } else {
                done(write.apply_to(self));
            }
        }
    }
}

/// On one thread, with the others' requests in the same round.
fn a_panic_closes_its_connection_and_no_other<P: ThreadPool + Send + 'static>() {
    let engine = Panics::default();
    let (gate, served) = (engine.gate.clone(), Arc::clone(&engine.served));
    let limits = Limits { jobs: 1, ..Limits::default() };
    let server = Local::start_on(P::new(1).unwrap(), engine, limits);
    // What a client asked before the panic is lost with it: the answers would have gone together.
    let [good, callback, error] = ["k", "callback", "error"].map(|key| set(key, "v"));
    let [in_get, in_set] = [get("panic"), set("panic", "v")];
    let packets = [
        [GET, &good, ""],
        [GET, &in_get, GET],
        [&good, GET, ""],
        [GET, &in_set, GET],
        [&good, &good, ""],
        [GET, &good, &in_set],
        [&callback, "", ""],
        [GET, &error, ""],
    ];
    let kinds = packets.len();
    let mut clients: Vec<Raw> = (0..5 * kinds).map(|_| server.connect()).collect();
    for (client, packet) in clients.iter_mut().zip(packets.iter().cycle()) {
        let lines = packet.iter().filter(|line| !line.is_empty());
        client.send(lines.map(|line| format!("{line}\n")).collect::<String>());
    }
    gate.wait_for(1);
    gate.open();
    let panics = |number: usize| number % kinds % 2 == 1 || number % kinds == kinds - 2;
    for (number, client) in clients.iter_mut().enumerate() {
        let expected = if panics(number) { ["", ""] } else { [NOTHING, NOTHING] };
        assert_eq!([client.line(), client.line()], expected, "client {number}");
    }
    // Two of each that is served, and what came before the panics.
    assert_eq!(served.load(Ordering::SeqCst), 5 * (3 * 2 + 1 + 1 + 2 + 1));
    until("they are closed", || stat(&mut clients[0], "connections") == 5 * 3);
    assert_eq!(stat(&mut clients[0], "jobs"), 1, "it goes on");
}

on_each_pool!(a_panic_closes_its_connection_and_no_other);
