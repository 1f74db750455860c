use super::shared::Shared;
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long to wait when the system has no descriptor or no memory for a connection.
const PATIENCE: Duration = Duration::from_millis(20);

/// Takes connections in until the server stops.
///
/// It has a thread of its own because the poller's is asleep while jobs look for ready
/// connections, and a job should not be kept by a burst of new ones.
pub(super) fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut reserve = open_reserve();
    loop {
        // The system call itself, for the flag: one call less for each connection.
        let accepted =
            rustix::net::accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC);
        if shared.is_stopping() {
            return;
        }
        match accepted {
            Ok(descriptor) => {
                if let Err(error) = shared.admit(TcpStream::from(descriptor)) {
                    log::warn!("a connection cannot be watched: {error}");
                }
            }
            Err(Errno::MFILE | Errno::NFILE) if reserve.is_some() => {
                // There is one descriptor after all, to say so.
                log::warn!("out of file descriptors: a connection is refused");
                drop(reserve.take());
                if let Ok(descriptor) = rustix::net::accept_with(listener, SocketFlags::NONBLOCK) {
                    let stream = TcpStream::from(descriptor);
                    shared
                        .refuse(&stream, "the server is out of file descriptors; try again later");
                }
                reserve = open_reserve();
            }
            // The client has given up already.
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            Err(error) => {
                log::warn!("cannot accept: {error}");
                thread::sleep(PATIENCE);
                reserve = reserve.or_else(open_reserve);
            }
        }
    }
}

/// A descriptor that is kept for the moment when there is no other.
fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}
