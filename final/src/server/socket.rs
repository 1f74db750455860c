use super::limits::Limits;
use crate::{KvsError, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// How many clients may wait to be accepted. std's 128 overflow in a burst, and a client that is
/// turned away there tries again only after a second. The system may allow less: `somaxconn`.
const BACKLOG: i32 = 4096;

/// An address that is taken, and that nobody can connect to yet: so an address that cannot be had is
/// noticed before a store is opened or made, and no client waits while one is.
pub(crate) struct Socket {
    addr: SocketAddr,
    socket: OwnedFd,
}

impl Socket {
    /// Takes `addr`; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`KvsError::Listen`] if the address cannot be had.
    pub(crate) fn bind(addr: SocketAddr) -> Result<Socket> {
        let bind = || {
            let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let flags = SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
            // Also if connections of the last server are not quite over.
            sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &addr)?;
            Ok(Socket { addr, socket })
        };
        bind().map_err(cannot_listen(addr))
    }

    /// Lets clients connect.
    pub(super) fn listen(self, limits: &Limits) -> Result<TcpListener> {
        let listener = TcpListener::from(self.socket);
        let listen = || {
            // What is set here, accepted sockets have too. An answer is sent whole: to wait for more
            // to send with it would only delay it.
            sockopt::set_tcp_nodelay(&listener, true)?;
            limits.notice_who_vanishes(&listener)?;
            // TCP's urgent byte is a byte like others; else a read would stop before it.
            sockopt::set_socket_oobinline(&listener, true)?;
            Ok(rustix::net::listen(&listener, BACKLOG)?)
        };
        listen().map_err(cannot_listen(self.addr))?;
        Ok(listener)
    }
}

fn cannot_listen(addr: SocketAddr) -> impl FnOnce(io::Error) -> KvsError {
    move |source| KvsError::Listen { addr, source: Arc::new(source) }
}
