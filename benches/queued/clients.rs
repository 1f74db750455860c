//! A thousand clients, of which so many are under way at a time as a stage's listener can hold.

use kvs::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_bench_kit::load::connect;
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, Thread};

/// How many clients there are, each with one request an iteration.
pub const CLIENTS: usize = 1000;

/// How many clients are under way at a time. The stages listen with the standard library's backlog of
/// 128 connections. A connection that finds it full is lost, and the client's system tries again only
/// after a second, then after two more, and so on: with a thousand at once an iteration lasted
/// minutes. A client that is answered was accepted, so as many as the backlog holds never
/// overflow it. It is also far more than a pool of a few threads can serve at a time: the pool's queue
/// is never empty, and is all the same never longer than this.
pub const AT_ONCE: usize = 128;

/// A thousand threads, started once: to start them would cost more than their requests.
pub struct Clients(Arc<SharedQueueThreadPool>);

impl Clients {
    pub fn start() -> Clients {
        Clients(Arc::new(SharedQueueThreadPool::new(CLIENTS as u32).unwrap()))
    }

    /// Lets every client do `work` with its number; returns when all have.
    ///
    /// The last one says so, and only the last one. If each sent a message, the thread that waits
    /// would wake up to a thousand times an iteration and take the processor from a client each
    /// time; a counter costs one atomic subtraction a client.
    pub fn each(&self, work: impl Fn(usize) + Send + Sync + 'static) {
        let iteration = Arc::new(Iteration {
            work,
            next: AtomicUsize::new(0),
            left: AtomicUsize::new(CLIENTS),
            failed: AtomicBool::new(false),
            waiting: thread::current(),
        });
        for _ in 0..AT_ONCE {
            start_next(&self.0, &iteration);
        }
        while iteration.left.load(Ordering::Acquire) > 0 {
            thread::park();
        }
        assert!(!iteration.failed.load(Ordering::Relaxed), "a client has failed, see above");
    }
}

struct Iteration<W> {
    work: W,
    /// The number of the next client to start. Only its own value matters, so `Relaxed`.
    next: AtomicUsize,
    /// Clients that are not done. `AcqRel`, so that who sees zero sees what all of them did.
    left: AtomicUsize,
    /// Written before `left`, which orders it.
    failed: AtomicBool,
    waiting: Thread,
}

/// Wakes the thread of the next client, if all have not been started. A client that is done starts
/// the next one: were all started at once, and waited for their turn, each would wake up twice.
fn start_next<W: Fn(usize) + Send + Sync + 'static>(
    pool: &Arc<SharedQueueThreadPool>,
    iteration: &Arc<Iteration<W>>,
) {
    let number = iteration.next.fetch_add(1, Ordering::Relaxed);
    if number >= CLIENTS {
        return;
    }
    let (own_pool, iteration) = (Arc::clone(pool), Arc::clone(iteration));
    pool.spawn(move || {
        // One that panics is counted, too: the bench fails then, and does not hang.
        if catch_unwind(AssertUnwindSafe(|| (iteration.work)(number))).is_err() {
            iteration.failed.store(true, Ordering::Relaxed);
        }
        start_next(&own_pool, &iteration);
        // Before it counts: who waits for the end finds that no client holds the pool.
        drop(own_pool);
        if iteration.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            iteration.waiting.unpark();
        }
    });
}

/// A connection for each client.
#[derive(Clone)]
pub struct KeptConnections(Arc<Vec<Mutex<TcpStream>>>);

impl KeptConnections {
    pub fn open(addr: SocketAddr) -> KeptConnections {
        let connect = |number| Mutex::new(connect(number, addr).unwrap());
        KeptConnections(Arc::new((0..CLIENTS).map(connect).collect()))
    }

    /// The connection of a client, which is alone in using it.
    pub fn of(&self, number: usize) -> MutexGuard<'_, TcpStream> {
        self.0[number].lock().unwrap()
    }
}
