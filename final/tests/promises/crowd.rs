//! Ten thousand idle clients, a thousand that send in drops, and a hundred that read no answer: those
//! that behave are served, by a server that needs no thread and hardly any memory for the others.

use super::*;
use kvs_test_kit::process::{open_sockets, raise_open_files, resident, threads_called};
use kvs_test_kit::raw::Active;
use rustix::net::sockopt::set_socket_recv_buffer_size;

const THREADS: usize = 2;
const ACTIVE: usize = 16;
/// How often each active client has to be answered before a phase is over.
const ANSWERS: usize = 50;
/// Each in a packet of its own.
const DROPS: usize = 5;
const LARGE: usize = 256 << 10;
/// More than an idle client may cost.
const LEFT: usize = 4 << 10;

/// Connects so many, and returns when the server has taken all of them in.
fn connect(server: &Server, count: usize) -> Vec<TcpStream> {
    let sockets = || open_sockets(server.pid());
    let before = sockets();
    let streams = (0..count).map(|_| TcpStream::connect(server.addr).unwrap()).collect();
    until("all are taken in", || sockets() >= before + count);
    streams
}

/// On one pool after the other: they share the limit of open files.
pub(crate) fn costs_little(run: Run) -> Outcome {
    let (pools, idle) = (["queue", "naive", "rayon"], run.pick(10_000, 10_000));
    let bytes = pools.map(|pool| on_pool(pool, idle as usize, run));
    let idle = pools.len() as u64 * idle;
    let most = bytes.into_iter().max().unwrap_or_default();
    Ok(vec![
        count(pools.len(), "pools", 3),
        count(idle, "idle clients in all, beside slow senders and non-readers", idle),
        count(most, "bytes of memory for an idle connection at most", 0),
    ])
}

/// So many are idle; a tenth as many send in drops, and a hundredth of them read nothing. Returns how much memory
/// an idle one costs.
fn on_pool(pool: &str, idle_clients: usize, run: Run) -> u64 {
    let (dripping_clients, unread_clients) = (idle_clients / 10, idle_clients / 100);
    let (limit, others) = (raise_open_files(), 200);
    let wanted = (idle_clients + dripping_clients + unread_clients + others) as u64;
    assert!(limit >= wanted, "this process may open {limit} files, and {wanted} are wanted");
    let dir = TempDir::new().unwrap();
    // No clock is to run out on a slow machine.
    let options = ["--pool", pool, "--threads", &THREADS.to_string(), "--max-connections", "20000"];
    let times = ["--request-timeout", "600", "--answer-timeout", "600"];
    let server = kvs_server(&[&options[..], &times].concat(), dir.path());
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

    // Nobody else is there yet, so all the growth is theirs.
    let before = resident(pid);
    let mut idle = connect(&server, idle_clients);
    if run.injects("idle clients that leave something behind") {
        idle.iter_mut().for_each(|client| client.write_all(&[b'{'; LEFT]).unwrap());
        let arrived = (idle_clients * LEFT) as u64;
        until("it has arrived", || stat(&mut first, "bytes_buffered") == arrived);
    }
    let growth = resident(pid).saturating_sub(before) / idle_clients as u64;
    assert!(growth < 2048, "{growth} bytes for an idle connection");
    no_more_threads();

    assert_eq!(first.ask(&set("large", &"v".repeat(LARGE))), NOTHING);
    let active = Active::start(server.addr, ACTIVE);
    active.go_on(ANSWERS);
    no_more_threads();
    let mut dripping = connect(&server, dripping_clients);
    let drip = |dripping: &mut Vec<TcpStream>| {
        dripping.iter_mut().for_each(|stream| stream.write_all(b"{").unwrap());
        no_more_threads();
    };
    (0..DROPS).for_each(|_| drip(&mut dripping));
    active.go_on(ANSWERS);
    let mut unread = connect(&server, unread_clients);
    for stream in &mut unread {
        set_socket_recv_buffer_size(&*stream, 64 << 10).unwrap();
        stream.write_all(format!("{GET_LARGE}\n").repeat(20).as_bytes()).unwrap();
        // It has begun to answer.
        stream.peek(&mut [0]).unwrap();
    }
    no_more_threads();
    active.go_on(ANSWERS);
    drip(&mut dripping);
    active.go_on(ANSWERS);
    let connections = idle_clients + dripping_clients + unread_clients + ACTIVE + 1;
    assert_eq!(stat(&mut first, "connections"), connections as u64);
    // All of them are as good as new.
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
    active.go_on(ANSWERS);
    drop(unread);
    active.go_on(ANSWERS);
    no_more_threads();
    active.stop();
    growth
}
