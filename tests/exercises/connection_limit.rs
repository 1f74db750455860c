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
