use super::shared::Shared;
use crate::sync::thread;
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait when the system has no descriptor or no memory for a connection.
const RETRY_DELAY: Duration = Duration::from_millis(20);
const OUT_OF_DESCRIPTORS: &str = "the server is out of file descriptors; try again later";

/// Takes connections in until the server stops.
///
/// It has a thread of its own because the poller's is asleep while jobs look for ready
/// connections, and a job should not be kept by a burst of new ones.
pub(super) fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut reserve = open_reserve();
    loop {
        let accepted = accept_one(listener);
        if shared.is_stopping() {
            return;
        }
        match accepted {
            Ok((stream, peer)) => admit(shared, stream, peer),
            Err(Errno::MFILE | Errno::NFILE) if reserve.is_some() => {
                // There is one descriptor after all, to say so.
                drop(reserve.take());
                let accepted = accept_one(listener);
                reserve = open_reserve();
                match (accepted, &reserve) {
                    // While it waited for a connection, others have left.
                    (Ok((stream, peer)), Some(_)) => admit(shared, stream, peer),
                    (Ok((stream, peer)), None) => {
                        shared.refuse(&stream, peer, OUT_OF_DESCRIPTORS);
                        drop(stream);
                        reserve = open_reserve();
                    }
                    (Err(_), _) => {}
                }
            }
            // The client has given up already.
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            Err(error) => {
                shared.warnings.trouble.warn(format_args!("cannot accept one: {error}"));
                thread::sleep(RETRY_DELAY);
                reserve = reserve.or_else(open_reserve);
            }
        }
    }
}

fn accept_one(listener: &TcpListener) -> Result<(TcpStream, Option<SocketAddr>), Errno> {
    // The system call itself, for the flag: one call less for each connection.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (stream, peer) = rustix::net::acceptfrom_with(listener, flags)?;
    Ok((stream.into(), peer.and_then(|addr| addr.try_into().ok())))
}

fn admit(shared: &Arc<Shared>, stream: TcpStream, peer: Option<SocketAddr>) {
    if let Err(error) = shared.admit(stream, peer) {
        shared.warnings.trouble.warn(format_args!("cannot watch one: {error}"));
    }
}

/// A descriptor that is kept for the moment when there is no other.
fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}
