//! Ten thousand idle clients, a thousand that send in drops, and a hundred that read no answer: those
//! that behave are served, by a server that needs no thread and hardly any memory for the others.

use crate::kvs_server;
use kvs_test_kit::clients::Active;
use kvs_test_kit::environment::{is_injected, pick};
use kvs_test_kit::local::stat;
use kvs_test_kit::process::{open_sockets, raise_open_files, resident, threads_called};
use kvs_test_kit::raw::{FOUND, GET, GET_LARGE, NOTHING, SET, set};
use kvs_test_kit::{Raw, Server, until};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::io::Write;
use std::net::TcpStream;
use tempfile::TempDir;

const THREADS: usize = 2;
const ACTIVE: usize = 16;
/// How often each active client has to be answered before a phase is over.
const ANSWERS: usize = 50;
/// Each in a packet of its own.
const DROPS: usize = 5;
const LARGE: usize = 256 << 10;
/// More than an idle client may cost.
const LEFT: usize = 4 << 10;

/// How many clients of each kind there are.
struct Crowd {
    idle: usize,
    dripping: usize,
    unread: usize,
}

impl Crowd {
    fn new() -> Crowd {
        let crowd =
            Crowd { idle: pick(1_000, 10_000), dripping: pick(100, 1_000), unread: pick(20, 100) };
        let (limit, others) = (raise_open_files(), 200);
        let wanted = (crowd.idle + crowd.dripping + crowd.unread + others) as u64;
        assert!(limit >= wanted, "this process may open {limit} files, and {wanted} are wanted");
        crowd
    }
}

/// Does something; each client is answered on when it is done.
fn go_on_during<T>(active: &Active, phase: &str, something: impl FnOnce() -> T) -> T {
    let before = active.counts();
    let result = something();
    active.go_on(ANSWERS);
    let counts = before.into_iter().zip(active.counts());
    let counts: Vec<usize> = counts.map(|(before, now)| now - before).collect();
    let (total, least) = (counts.iter().sum::<usize>(), counts.iter().min().unwrap());
    println!("  {phase}: {total} answers to the active clients, at least {least} to each");
    result
}

/// Connects so many, and returns when the server has taken all of them in.
fn connect(server: &Server, count: usize) -> Vec<TcpStream> {
    let sockets = || open_sockets(server.pid());
    let before = sockets();
    let streams = (0..count).map(|_| TcpStream::connect(server.addr).unwrap()).collect();
    until("all are taken in", || sockets() >= before + count);
    streams
}

/// One pool after the other: they share the limit of open files.
#[test]
fn a_crowd_costs_little_on_each_pool() {
    ["queue", "naive", "rayon"].into_iter().for_each(a_crowd_costs_little);
}

fn a_crowd_costs_little(pool: &str) {
    let crowd = Crowd::new();
    let dir = TempDir::new().unwrap();
    // No clock is to run out on a slow machine.
    let options = ["--pool", pool, "--threads", &THREADS.to_string(), "--max-connections", "20000"];
    let times = ["--request-timeout", "600", "--answer-timeout", "600"];
    let server = kvs_server(&[&options[..], &times].concat(), &dir);
    let pid = server.pid();
    let mut first = server.connect();
    assert_eq!(first.ask(SET), NOTHING);
    let prefix = format!("kvs-{pool}");
    let mut others = 0;
    until("the pool is at rest", || {
        let (of_pool, rest) = threads_called(pid, &prefix);
        others = rest;
        of_pool == THREADS
    });
    let most = others + THREADS;
    let no_more_threads = || {
        let (of_pool, rest) = threads_called(pid, &prefix);
        assert!(of_pool + rest <= most, "{of_pool} threads of the pool and {rest} others");
    };
    println!("{pool}: {THREADS} threads in the pool, {others} others");

    // Nobody else is there yet, so all the growth is theirs.
    let before = resident(pid);
    let mut idle = connect(&server, crowd.idle);
    if is_injected("idle clients that leave something behind") {
        idle.iter_mut().for_each(|client| client.write_all(&[b'{'; LEFT]).unwrap());
        let arrived = (crowd.idle * LEFT) as u64;
        until("it has arrived", || stat(&mut first, "bytes_buffered") == arrived);
    }
    let growth = resident(pid).saturating_sub(before) / crowd.idle as u64;
    println!("  {} idle connections: {growth} bytes of memory each", crowd.idle);
    assert!(growth < 2048, "{growth} bytes for an idle connection");
    no_more_threads();

    assert_eq!(first.ask(&set("large", &"v".repeat(LARGE))), NOTHING);
    let active = Active::start(server.addr, ACTIVE);
    go_on_during(&active, "idle ones", || ());
    no_more_threads();
    let mut dripping = go_on_during(&active, "dripping ones", || {
        let mut dripping = connect(&server, crowd.dripping);
        for _ in 0..DROPS {
            for stream in &mut dripping {
                stream.write_all(b"{").unwrap();
            }
            no_more_threads();
        }
        dripping
    });
    let unread = go_on_during(&active, "those that read nothing", || {
        let mut unread = connect(&server, crowd.unread);
        for stream in &mut unread {
            set_socket_recv_buffer_size(&*stream, 64 << 10).unwrap();
            stream.write_all(format!("{GET_LARGE}\n").repeat(20).as_bytes()).unwrap();
            // It has begun to answer.
            stream.peek(&mut [0]).unwrap();
        }
        no_more_threads();
        unread
    });
    go_on_during(&active, "all of them, and drops again", || {
        for stream in &mut dripping {
            stream.write_all(b"{").unwrap();
        }
        no_more_threads();
    });
    let crowded = first.ask(r#"{"Stats":{}}"#);
    let connections = crowd.idle + crowd.dripping + crowd.unread + ACTIVE + 1;
    assert!(crowded.contains(&format!("\\nconnections {connections}\\n")), "{crowded}");
    // All of them are as good as new.
    go_on_during(&active, "the idle ones and the dripping ones ask, all at once", || {
        for (streams, request, expected) in
            [(&mut idle, GET, FOUND), (&mut dripping, "", r#"{"Err":"not a message"#)]
        {
            for stream in &mut *streams {
                stream.write_all(format!("{request}\n").as_bytes()).unwrap();
            }
            for stream in streams.drain(..) {
                let answer = Raw::from(stream).line();
                assert!(answer.starts_with(expected), "{answer}");
            }
        }
    });
    drop(unread);
    go_on_during(&active, "alone again", || ());
    no_more_threads();
    active.stop();
}
