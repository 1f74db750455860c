//! How a server that waits in `accept`, and workers that wait in `read`, are told to stop.

use std::collections::HashMap;
use std::net::{self, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, thread, time::Duration};

/// How long a connection may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// What a server, its handles and its connections share.
pub(crate) struct Shutdown {
    addr: SocketAddr,
    /// Set once, never cleared. `SeqCst`, with the lock of `open` between: a connection registers
    /// before it looks, the shutdown sets the flag before it closes what is registered. So either
    /// the connection sees the flag or the shutdown sees the connection.
    begun: AtomicBool,
    /// Only its own value matters, so `Relaxed`.
    next_id: AtomicU64,
    /// The connections that are not closed yet, queued or served. Locked for a look at the map,
    /// never while anything waits.
    open: Mutex<HashMap<u64, Arc<TcpStream>>>,
    /// Told when the last one has closed.
    all_closed: Condvar,
}

impl Shutdown {
    pub(super) fn new(addr: SocketAddr) -> Shutdown {
        Shutdown {
            addr,
            begun: AtomicBool::new(false),
            next_id: AtomicU64::new(0),
            open: Mutex::default(),
            all_closed: Condvar::new(),
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Counts a connection as open until the result is dropped, with the job that owns it, whether
    /// the job was run or not.
    pub(super) fn register(self: &Arc<Self>, stream: TcpStream) -> OpenConnection {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(stream);
        self.open().insert(id, Arc::clone(&stream));
        OpenConnection { id, stream, shutdown: Arc::clone(self) }
    }

    /// Waits until no connection is served any more. Those that take longer than [`GRACE`] are cut
    /// off: a client that takes no answer, or does not stop sending, must not keep the server.
    pub(super) fn wait(&self) {
        let is_open = |open: &mut HashMap<_, _>| !open.is_empty();
        let wait = self.all_closed.wait_timeout_while(self.open(), GRACE, is_open);
        let (open, _) = wait.unwrap_or_else(PoisonError::into_inner);
        for stream in open.values() {
            let _ = stream.shutdown(net::Shutdown::Both);
        }
        let wait = self.all_closed.wait_while(open, is_open);
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<TcpStream>>> {
        // Nothing that can panic runs under this lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open as long as this value lives.
pub(crate) struct OpenConnection {
    id: u64,
    stream: Arc<TcpStream>,
    shutdown: Arc<Shutdown>,
}

impl OpenConnection {
    pub(super) fn stream(&self) -> Arc<TcpStream> {
        Arc::clone(&self.stream)
    }

    pub(super) fn shutdown_has_begun(&self) -> bool {
        self.shutdown.has_begun()
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.shutdown.open();
        open.remove(&self.id);
        if open.is_empty() {
            self.shutdown.all_closed.notify_all();
        }
    }
}

/// Stops a server. Clones stop the same server.
#[derive(Clone)]
pub struct ServerHandle(Arc<Shutdown>);

impl ServerHandle {
    pub(super) fn new(shutdown: &Arc<Shutdown>) -> ServerHandle {
        ServerHandle(Arc::clone(shutdown))
    }

    /// Tells the server to stop; its `run` returns when it has. Does not wait for that.
    pub fn shutdown(&self) {
        if self.0.begun.swap(true, Ordering::SeqCst) {
            return;
        }
        for stream in self.0.open().values() {
            // The reading side only: a worker that waits for a request sees the end of the stream,
            // one that is at work can still send its answer.
            let _ = stream.shutdown(net::Shutdown::Read);
        }
        // `accept` wakes up for a connection. If none can be made, because there is no descriptor
        // left, the connections that were just closed free some.
        for _ in 0..100 {
            match TcpStream::connect_timeout(&self.0.addr, Duration::from_secs(1)) {
                Ok(_) => return,
                // The listener is closed.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return,
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}
