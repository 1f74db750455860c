//! Chapter 3. A server that gives every connection a thread has no limit. Write a guard that admits at
//! most N connections at a time and whose drop lets the next one in, also after a panic; a client that
//! is not admitted is told so. One atomic counter has to do.
//!
//! The idea: to look at the counter and to change it must be one step, or two clients see the last
//! place both. `fetch_update` is a compare-and-swap in a loop: it changes the value that it has looked
//! at, or it looks again.
//!
//! `Relaxed` suffices. That the number is never above N follows from the steps on the one counter,
//! which have one order whatever the ordering is called. More would be needed if a connection read what
//! an earlier one has written because the counter says that it has gone; nothing is handed over here.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use threaded_server::protocol::{Connection, Request};
use threaded_server::thread_pool::{NaiveThreadPool, ThreadPool};
use threaded_server::{KvsEngine, Result};

/// How many may be inside, and how many are.
pub(crate) struct Limit {
    most: usize,
    inside: AtomicUsize,
}

impl Limit {
    pub(crate) fn new(most: usize) -> Arc<Limit> {
        Arc::new(Limit { most, inside: AtomicUsize::new(0) })
    }

    /// Takes a place, if there is one. It is free again when the permit is dropped.
    pub(crate) fn admit(self: &Arc<Limit>) -> Option<Permit> {
        let one_more = |inside| (inside < self.most).then_some(inside + 1);
        self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Permit(Arc::clone(self)))
    }
}

/// A place.
pub(crate) struct Permit(Arc<Limit>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The server of the chapter, with a limit.
pub(crate) fn serve_at_most(
    limit: &Arc<Limit>,
    listener: &TcpListener,
    engine: &impl KvsEngine,
) -> Result<()> {
    let pool = NaiveThreadPool::new(1)?;
    loop {
        let (mut stream, _) = listener.accept()?;
        let Some(permit) = limit.admit() else {
            // A client that does not wait for it is not to end the server. One that has sent a request
            // already sees a reset, perhaps, instead of the words: nobody has read the request.
            let _ = stream.write_all(b"{\"Err\":\"too many connections; try again later\"}\n");
            continue;
        };
        let engine = engine.clone();
        pool.spawn(move || {
            // Owned by the job: it goes with the job, however that ends, and if it never begins.
            let _permit = permit;
            if let Err(error) = serve(&engine, stream) {
                eprintln!("connection lost: {error}");
            }
        });
    }
}

fn serve(engine: &impl KvsEngine, stream: std::net::TcpStream) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.next_request()? {
        connection.answer(request.and_then(|request| match request {
            Request::Get { key } => engine.get(key),
            Request::Set { key, value } => engine.set(key, value).map(|()| None),
            Request::Remove { key } => engine.remove(key).map(|()| None),
        }))?;
    }
    Ok(())
}

mod tests {
    use super::*;
    use kvs_test_kit::Raw;
    use std::net::SocketAddr;
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

    const GET: &str = r#"{"Get":{"key":"k"}}"#;

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
            let _ = client.stream().write_all(format!("{GET}\n").as_bytes());
            if client.line() == r#"{"Ok":"k"}"# {
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
        assert_eq!(clients[1].ask(GET), r#"{"Ok":"k"}"#, "the other one was not disturbed");
    }
}
