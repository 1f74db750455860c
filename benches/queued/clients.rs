use kvs::KvsClient;
use kvs::thread_pool::{SharedQueueThreadPool, ThreadPool};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, Thread};

/// How many clients there are, each with one request an iteration.
pub const CLIENTS: usize = 1000;

/// The key of a client. All have the same length.
pub fn key(number: usize) -> String {
    format!("key{number:06}")
}

/// The value, the same for all keys.
pub fn value() -> String {
    "0123456789abcdef".to_owned()
}

/// A thousand threads, started once: to start them would cost more than their requests.
pub struct Clients(SharedQueueThreadPool);

impl Clients {
    pub fn start() -> Clients {
        Clients(SharedQueueThreadPool::new(CLIENTS as u32).unwrap())
    }

    /// Lets every client do `work` with its number; returns when all have.
    ///
    /// The last one says so, and only the last one. If each sent a message, the thread that waits
    /// would wake up to a thousand times an iteration and take the processor from a client each
    /// time; a counter costs one atomic subtraction a client.
    pub fn each(&self, work: impl Fn(usize) + Send + Sync + 'static) {
        let (left, failed) = (AtomicUsize::new(CLIENTS), AtomicBool::new(false));
        let iteration = Arc::new(Iteration { left, failed, waiting: thread::current() });
        let work = Arc::new(work);
        for number in 0..CLIENTS {
            let (iteration, work) = (Done(Arc::clone(&iteration)), Arc::clone(&work));
            self.0.spawn(move || {
                work(number);
                drop(iteration);
            });
        }
        while iteration.left.load(Ordering::Acquire) > 0 {
            thread::park();
        }
        assert!(!iteration.failed.load(Ordering::Relaxed), "a client has failed, see above");
    }
}

struct Iteration {
    /// Clients that are not done. `AcqRel`, so that who sees zero sees what all of them did.
    left: AtomicUsize,
    /// Written before `left`, which orders it.
    failed: AtomicBool,
    waiting: Thread,
}

/// Counts a client as done, also when it panics: the bench fails then, and does not hang.
struct Done(Arc<Iteration>);

impl Drop for Done {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.failed.store(true, Ordering::Relaxed);
        }
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waiting.unpark();
        }
    }
}

/// A connection for each client.
#[derive(Clone)]
pub struct KeptConnections(Arc<Vec<Mutex<KvsClient>>>);

impl KeptConnections {
    pub fn open(addr: SocketAddr) -> KeptConnections {
        let connect = |_| Mutex::new(KvsClient::connect(addr).unwrap());
        KeptConnections(Arc::new((0..CLIENTS).map(connect).collect()))
    }

    /// The connection of a client, which is alone in using it.
    pub fn of(&self, number: usize) -> MutexGuard<'_, KvsClient> {
        self.0[number].lock().unwrap()
    }
}
