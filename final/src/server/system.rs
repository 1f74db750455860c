//! What the server asks of the operating system beside readiness, and what it does where it cannot have that
//! (on another system than Linux, or with `--cfg kvs_portable`, so that Linux tests it).

use super::limits::Limits;
use crate::{KvsError, Result};
use rustix::io::Errno;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// An address that is taken, and that no client can connect to yet: so an address that cannot be had is
/// noticed before a store is opened or made, and no client waits while one is. (Elsewhere they wait.)
pub(crate) struct Socket {
    addr: SocketAddr,
    socket: os::Socket,
}

impl Socket {
    /// Takes `addr`; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`KvsError::Listen`] if the address cannot be had.
    pub(crate) fn bind(addr: SocketAddr) -> Result<Socket> {
        let socket = os::bind(addr).map_err(cannot_listen(addr))?;
        Ok(Socket { addr, socket })
    }

    /// Lets clients connect.
    pub(super) fn listen(self, limits: &Limits) -> Result<TcpListener> {
        os::listen(self.socket, limits).map_err(cannot_listen(self.addr))
    }
}

fn cannot_listen(addr: SocketAddr) -> impl FnOnce(io::Error) -> KvsError {
    move |source| KvsError::Listen { addr, source: Arc::new(source) }
}

/// Whether there is no descriptor left, for the process or for all of them.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(all(target_os = "linux", not(kvs_portable)))]
mod os {
    use super::Limits;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
    use std::io;
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    /// How many clients may wait to be accepted. std's 128 overflow in a burst, and a client that is
    /// turned away there tries again only after a second. The system may allow less: `somaxconn`.
    const BACKLOG: i32 = 4096;

    pub(super) type Socket = OwnedFd;

    pub(super) fn bind(addr: SocketAddr) -> io::Result<Socket> {
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        // Also if connections of the last server are not quite over.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &addr)?;
        Ok(socket)
    }

    pub(super) fn listen(socket: Socket, limits: &Limits) -> io::Result<TcpListener> {
        let listener = TcpListener::from(socket);
        // What is set here, accepted sockets have too. An answer is sent whole: to wait for more
        // to send with it would only delay it.
        sockopt::set_tcp_nodelay(&listener, true)?;
        notice_who_vanishes(&listener, limits)?;
        // TCP's urgent byte is a byte like others; else a read would stop before it.
        sockopt::set_socket_oobinline(&listener, true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    }

    /// Has the system notice when nothing comes back any more from the other end of a socket: the answers
    /// to its probes if it is idle, acknowledgements if not.
    fn notice_who_vanishes(socket: &TcpListener, limits: &Limits) -> rustix::io::Result<()> {
        let second = Duration::from_secs(1);
        sockopt::set_socket_keepalive(socket, true)?;
        // The system takes no more than 32,767 s.
        let allowed = |time: Duration| time.clamp(second, 32_000 * second);
        sockopt::set_tcp_keepidle(socket, allowed(limits.keepalive_time / 2))?;
        sockopt::set_tcp_keepintvl(socket, allowed(limits.keepalive_time / 10))?;
        // It ends both, in place of a number of probes. But a client that takes no answers acknowledges
        // none either, and it may for a time.
        let time = limits.keepalive_time.max(limits.answer_time).as_millis();
        sockopt::set_tcp_user_timeout(socket, time.min(i32::MAX as u128) as u32)
    }
}

#[cfg(not(all(target_os = "linux", not(kvs_portable))))]
mod os {
    use super::Limits;
    use std::io;
    use std::net::{SocketAddr, TcpListener};

    pub(super) type Socket = TcpListener;

    pub(super) fn bind(addr: SocketAddr) -> io::Result<Socket> {
        TcpListener::bind(addr)
    }

    pub(super) fn listen(socket: Socket, _: &Limits) -> io::Result<TcpListener> {
        Ok(socket)
    }
}
