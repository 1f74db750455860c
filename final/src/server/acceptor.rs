//! Takes connections in, gives each to an event loop, and refuses those that there is no place for.

use super::connection::Connection;
use super::event_loop::Thread;
use super::loop_group::LoopGroup;
use super::poller::Event;
use crate::os::is_out_of_descriptors;
use mio::net::{TcpListener, TcpStream};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

/// So long it waits for loops that the pool has been given, so that the first clients are spread over all of them. A
/// pool with fewer threads never begins some, and there the first clients wait as long.
const START: Duration = Duration::from_millis(20);
/// How long to wait when the system has no descriptor or no memory for a connection.
const RETRY_DELAY: Duration = Duration::from_millis(20);
/// So many are taken in before the server's thread looks after something else.
const BURST: usize = 64;
const LISTENER: usize = usize::MAX - 1;

/// Takes connections in, and gives each to the event loop that has the fewest.
///
/// Seastar does the same; memcached takes one loop after the other, which leaves them unequal when
/// clients leave. With a listener for each loop the system would choose, and often the loop that
/// went to sleep last (Envoy has an option against that). A connection stays where it is, but for what a stalled
/// loop cannot do.
pub(super) struct Acceptor {
    listener: TcpListener,
    /// A descriptor that is kept for the moment when there is no other.
    reserve: Option<File>,
    /// There may be connections to take in.
    is_ready: bool,
    /// Until when it waits for loops that haven't begun; for the first one as long as it takes. None if it doesn't.
    starting: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(listener: net::TcpListener, group: &LoopGroup) -> io::Result<Acceptor> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        group.poller.watch(&mut listener, LISTENER)?;
        Ok(Acceptor {
            listener,
            reserve: open_reserve(),
            is_ready: true,
            starting: Some(Instant::now() + START),
        })
    }

    pub(super) fn notice(&mut self, event: Event) {
        self.is_ready |= event.token == LISTENER;
    }

    /// Takes some in. Returns how long to wait before the next, if they are not to be waited for.
    pub(super) fn accept(&mut self, group: &LoopGroup) -> Option<Duration> {
        if let Some(until) = self.starting {
            let states = || group.loops.iter().map(|each| each.state().0);
            let left = until.saturating_duration_since(Instant::now());
            let is_patient = !left.is_zero() || !states().any(Thread::runs);
            if is_patient && states().any(|thread| thread == Thread::Queued) {
                // A loop that begins wakes this thread.
                return Some(left).filter(|left| !left.is_zero());
            }
            self.starting = None;
        }
        if !self.is_ready {
            return None;
        }
        for _ in 0..BURST {
            match self.listener.accept() {
                Ok((stream, peer)) => admit(group, stream, peer),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_ready = false;
                    return None;
                }
                // The client has given up already.
                Err(error) if is_passing(&error) => {}
                Err(error) if is_out_of_descriptors(&error) && self.reserve.is_some() => {
                    self.refuse_one(group);
                    if !self.is_ready {
                        return None;
                    }
                }
                Err(error) => {
                    group.shared.warnings.trouble.warn(format_args!("cannot accept one: {error}"));
                    self.reserve = self.reserve.take().or_else(open_reserve);
                    return Some(RETRY_DELAY);
                }
            }
        }
        Some(Duration::ZERO)
    }

    /// There is one descriptor after all, to say that there is none. Without one the system doesn't tell whether there
    /// is a client to accept, so there may be none.
    fn refuse_one(&mut self, group: &LoopGroup) {
        drop(self.reserve.take());
        let accepted = self.listener.accept();
        self.reserve = open_reserve();
        match (accepted, &self.reserve) {
            // Meanwhile others have left.
            (Ok((stream, peer)), Some(_)) => admit(group, stream, peer),
            (Ok((stream, peer)), None) => {
                let why = "the server is out of file descriptors; try again later";
                refuse(group, &stream, peer, why);
                drop(stream);
                self.reserve = open_reserve();
            }
            (Err(error), _) => self.is_ready = error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

/// Takes a new connection in, unless there are too many.
fn admit(group: &LoopGroup, mut stream: TcpStream, peer: SocketAddr) {
    let open: Vec<usize> = group.loops.iter().map(|each| each.len()).collect();
    if open.iter().sum::<usize>() >= group.shared.limits.connections {
        return refuse(group, &stream, peer, "too many connections; try again later");
    }
    let loops = group.loops.iter().enumerate().filter(|(_, each)| each.state().0.runs());
    let Some((number, home)) = loops.min_by_key(|(number, _)| open[*number]) else {
        let why = "the server has no thread for the request; try again later";
        return refuse(group, &stream, peer, why);
    };
    group.accepted.add(1);
    let admitted = home.admit(|poller, token| {
        poller.watch(&mut stream, token)?;
        Ok(Connection::new(&group.shared, (home, number), stream, token))
    });
    if let Err(error) = admitted {
        group.shared.warnings.trouble.warn(format_args!("cannot watch one: {error}"));
    }
}

/// Says why a connection is closed that was never served. It is dropped by the caller.
fn refuse(group: &LoopGroup, mut stream: &TcpStream, peer: SocketAddr, why: &str) {
    group.refused.add(1);
    group.shared.warnings.refused.warn(format_args!("{why}; from {peer}"));
    // A new socket has room for a line. If not, it was nothing but a courtesy.
    let _ = stream.write(format!("{{\"Err\":\"{why}\"}}\n").as_bytes());
}

fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Limits;
    use std::net::TcpStream;

    /// How many connections each of two loops has, of two that come while the first loop runs only.
    fn spread(patience: Duration, begin: impl FnOnce(&mut Acceptor, &LoopGroup)) -> [usize; 2] {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let group = LoopGroup::new(Limits { jobs: 2, ..Limits::default() }).unwrap();
        group.loops.iter().for_each(|each| each.set_thread(Thread::Queued));
        let mut acceptor = Acceptor::new(listener, &group).unwrap();
        acceptor.starting = Some(Instant::now() + patience);
        let _clients = [TcpStream::connect(addr).unwrap(), TcpStream::connect(addr).unwrap()];
        group.loops[0].set_thread(Thread::Awake);
        begin(&mut acceptor, &group);
        while group.connections() < 2 {
            acceptor.is_ready = true;
            acceptor.accept(&group);
        }
        [group.loops[0].len(), group.loops[1].len()]
    }

    #[test]
    fn the_first_clients_wait_for_a_loop_that_will_begin_and_not_for_ever() {
        let hour = Duration::from_secs(3600);
        let waits = |acceptor: &mut Acceptor, group: &LoopGroup| {
            assert!(acceptor.accept(group).unwrap() > Duration::ZERO);
            assert_eq!(group.connections(), 0);
            group.loops[1].set_thread(Thread::Asleep);
        };
        assert_eq!(spread(hour, waits), [1, 1]);
        assert_eq!(spread(Duration::ZERO, |_, _| ()), [2, 0]);
    }
}
