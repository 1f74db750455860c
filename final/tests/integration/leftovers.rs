//! What thousands of connections leave in a server that were not there for long: nothing.

use crate::kvs_server;
use kvs_test_kit::local::stat;
use kvs_test_kit::process::{open_files, resident, threads};
use kvs_test_kit::requests::set;
use kvs_test_kit::size::pick;
use kvs_test_kit::until;
use kvs_test_kit::visits::{LARGE, Visit, ask, connect};
use std::net::SocketAddr;
use std::thread;
use tempfile::TempDir;

const GET: &str = "{\"Get\":{\"key\":\"k\"}}\n";
const NOTHING: &str = "{\"Ok\":null}\n";
const THREADS: usize = 4;
/// After so many connections the server is looked at for the first time, and then after so many times
/// as many.
const ROUNDS: usize = 4;

/// The server has no more of anything after many connections than after a few. `come` makes one.
/// There is room for so many at a time, and one of them is taken.
fn leave_nothing(room: &str, come: impl Fn(SocketAddr, usize) + Sync) {
    let dir = TempDir::new().unwrap();
    // No clock may have to close what a client has closed.
    let server = kvs_server(&["--max-connections", room, "--request-timeout", "600"], &dir);
    let (addr, pid) = (server.addr, server.pid());
    let mut client = server.connect();
    let large = format!(r#"{{"Set":{{"key":"large","value":"{}"}}}}"#, "v".repeat(LARGE));
    assert_eq!(client.ask(&large) + "\n", NOTHING);
    let files = open_files(pid);
    let mut usage_after = |connections: usize| {
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (come, mine) = (&come, (number..connections).step_by(THREADS));
                scope.spawn(move || mine.for_each(|number| come(addr, number)));
            }
        });
        // All that came before it have been taken in, or refused, when this one is.
        ask(&mut connect(addr), GET);
        until("they are forgotten", || stat(&mut client, "connections") == 1);
        until("their descriptors are closed", || open_files(pid) == files);
        (threads(pid), resident(pid))
    };
    let connections = pick(200, 2_000);
    let before = usage_after(connections);
    let after = usage_after(ROUNDS * connections);
    println!("threads, bytes of memory: {before:?}, and {after:?} after many more");
    assert_eq!(after.0, before.0, "threads");
    // Half a KiB for a connection, where there are many: the allocator does not give back all at once.
    let most = before.1 + pick(2 << 20, 4 << 20);
    assert!(after.1 < most, "{} bytes of memory, once {}", after.1, before.1);
}

#[test]
fn connections_that_are_served_leave_nothing_behind() {
    leave_nothing("1000", |addr, number| {
        let (visit, answer) = match number % 2 {
            0 => (Visit::Asks, NOTHING),
            _ => (Visit::Errs, "{\"Err\":\"not a message of the protocol: "),
        };
        let said = visit.run(addr, GET);
        assert!(said.starts_with(answer), "{said}");
    });
}

#[test]
fn connections_that_break_off_leave_nothing_behind() {
    let visits = [Visit::IsSilent, Visit::AsksByHalf, Visit::Vanishes];
    leave_nothing("1000", |addr, number| {
        visits[number % visits.len()].run(addr, GET);
    });
}

#[test]
fn connections_refused_as_one_too_many_leave_nothing_behind() {
    leave_nothing("1", |addr, number| {
        // Who asks before it reads may be cut off before it reads.
        let asks = number % 2 == 1;
        let said = ask(&mut connect(addr), if asks { GET } else { "" });
        assert!(said.contains("too many connections") || (asks && said.is_empty()), "{said}");
    });
}

#[test]
fn a_burst_of_large_requests_leaves_no_memory_behind() {
    const MOST: u64 = 48 << 20;
    let dir = TempDir::new().unwrap();
    let server = kvs_server(&["--threads", "2"], &dir);
    let mut client = server.connect();
    assert_eq!(client.ask(GET.trim_end()) + "\n", NOTHING);
    let before = resident(server.pid());
    let value = "v".repeat(12 << 20);
    thread::scope(|scope| {
        for number in 0..8 {
            let mut client = server.connect();
            let large = set(&number.to_string(), &value);
            scope
                .spawn(move || (0..3).for_each(|_| assert_eq!(client.ask(&large) + "\n", NOTHING)));
        }
    });
    until("they are gone", || stat(&mut client, "connections") == 1);
    let left = || resident(server.pid()).saturating_sub(before);
    until("their memory is given back", || left() < MOST);
    println!("24 requests of 12 MiB leave {} KiB of memory behind", left() >> 10);
}
