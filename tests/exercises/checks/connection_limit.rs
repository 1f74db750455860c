//! What `connection_limit` must do.

use crate::connection_limit::{Limit, serve_at_most};
use crate::stage_3::{KvsEngine, Result};
use kvs_test_kit::Raw;
use kvs_test_kit::raw::{GET, found};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[test]
fn never_more_are_inside_than_the_limit_says() {
    let limit = Limit::new(3);
    let inside = AtomicUsize::new(0);
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let Some(permit) = limit.admit() else { continue };
                    // Counted apart from the limit, and before the permit goes.
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < 3, "one too many");
                    admitted.fetch_add(1, Ordering::SeqCst);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert!(admitted.into_inner() > 0);
    let all: Vec<_> = (0..3).map(|_| limit.admit().expect("all places are free")).collect();
    assert!(limit.admit().is_none());
    drop(all);
}

#[test]
fn a_panic_gives_the_place_back() {
    let limit = Limit::new(1);
    for _ in 0..10 {
        let permit = limit.admit().expect("the place is free");
        let unlucky = thread::spawn(move || {
            let _permit = permit;
            panic!("the connection's job");
        });
        assert!(unlucky.join().is_err());
    }
}

/// Panics for a key called so.
#[derive(Clone)]
struct Panicking;

impl KvsEngine for Panicking {
    fn set(&self, _key: String, _value: String) -> Result<()> {
        Ok(())
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        assert!(key != "panic", "the panic that the test asked for");
        Ok(Some(key))
    }

    fn remove(&self, _key: String) -> Result<()> {
        Ok(())
    }
}

/// Tries again until it is admitted: the server may still be at the end of another connection.
fn connect_and_ask(addr: SocketAddr) -> Raw {
    loop {
        let mut client = Raw::connect(addr);
        // One that is turned away does not find the server reading.
        if client.try_ask(GET) == found("k") {
            return client;
        }
    }
}

#[test]
fn a_client_too_many_is_told_so_and_comes_in_when_another_one_has_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let limit = Limit::new(2);
    thread::spawn(move || serve_at_most(&limit, &listener, &Panicking));
    let mut clients = vec![connect_and_ask(addr), connect_and_ask(addr)];
    for _ in 0..5 {
        let words = r#"{"Err":"too many connections; try again later"}"#;
        assert_eq!(Raw::connect(addr).line(), words);
    }
    clients.pop();
    clients.push(connect_and_ask(addr));
    // Gone by a panic is gone as well.
    assert_eq!(clients[0].ask(&GET.replace("\"k\"", "\"panic\"")), "");
    clients.push(connect_and_ask(addr));
    assert_eq!(clients[1].ask(GET), found("k"), "the other one was not disturbed");
}
