//! What Linux has and other systems may lack, each with what is done without it. With `--cfg kvs_portable` Linux does
//! without it, too, so that the fallbacks are tested: this code hasn't been run on another system.
//!
//! (What a poller does that needs no Linux but a file descriptor is in `server/poller.rs`.)

pub(crate) use system::{SEND, allocate, path_of, session, sleep_exactly, sync_file_system};

use crate::{KvsError, Result};
use rustix::io::Errno;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// An address that is taken, and that no client can connect to yet: so an address that cannot be had is
/// noticed before a store is opened or made, and no client waits while one is. (Elsewhere they wait.)
pub(crate) struct Socket {
    addr: SocketAddr,
    socket: system::Socket,
}

impl Socket {
    /// Takes `addr`; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`KvsError::Listen`] if the address cannot be had.
    pub(crate) fn bind(addr: SocketAddr) -> Result<Socket> {
        let socket = system::bind(addr).map_err(cannot_listen(addr))?;
        Ok(Socket { addr, socket })
    }

    /// Lets clients connect. One whose machine is gone is noticed after `keepalive`, and not before it has had
    /// `answer_time` to take an answer. (Elsewhere when the system notices.)
    pub(crate) fn listen(self, keepalive: Duration, answer_time: Duration) -> Result<TcpListener> {
        system::listen(self.socket, keepalive, answer_time).map_err(cannot_listen(self.addr))
    }
}

fn cannot_listen(addr: SocketAddr) -> impl FnOnce(io::Error) -> KvsError {
    move |source| KvsError::Listen { addr, source: Arc::new(source) }
}

/// Whether there is no descriptor left, for the process or for all of them.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(all(target_os = "linux", not(kvs_portable)))]
mod system {
    use rustix::fs::{AtFlags, FallocateFlags, StatxFlags, fallocate, statx, syncfs};
    use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};
    use std::fs::{self, File};
    use std::io;
    use std::net::{SocketAddr, TcpListener};
    use std::num::NonZeroU64;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    /// How many clients may wait to be accepted. std's 128 overflow in a burst, and a client that is
    /// turned away there tries again only after a second. The system may allow less: `somaxconn`.
    const BACKLOG: i32 = 4096;
    /// The kernel changes it each time that it starts.
    const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
    /// `STATX_MNT_ID_UNIQUE`, since Linux 6.8. The other number of a mount goes to a later one when it is free.
    const MOUNT_ID: StatxFlags = StatxFlags::from_bits_retain(0x4000);

    /// A client sends without waiting, and gets no signal if the server is gone. (Elsewhere the standard library sees
    /// to that.)
    pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

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

    pub(super) fn listen(
        socket: Socket,
        keepalive: Duration,
        answer_time: Duration,
    ) -> io::Result<TcpListener> {
        let listener = TcpListener::from(socket);
        // What is set here, accepted sockets have too. An answer is sent whole: to wait for more
        // to send with it would only delay it.
        sockopt::set_tcp_nodelay(&listener, true)?;
        // The system notices when nothing comes back any more from the other end: the answers to its probes if
        // the socket is idle, acknowledgements if not.
        sockopt::set_socket_keepalive(&listener, true)?;
        let second = Duration::from_secs(1);
        // The system takes no more than 32,767 s.
        let allowed = |time: Duration| time.clamp(second, 32_000 * second);
        sockopt::set_tcp_keepidle(&listener, allowed(keepalive / 2))?;
        sockopt::set_tcp_keepintvl(&listener, allowed(keepalive / 10))?;
        // It ends both, in place of a number of probes. But a client that takes no answers acknowledges
        // none either, and it may for a time.
        let time = keepalive.max(answer_time).as_millis();
        sockopt::set_tcp_user_timeout(&listener, time.min(i32::MAX as u128) as u32)?;
        // TCP's urgent byte is a byte like others; else a read would stop before it.
        sockopt::set_socket_oobinline(&listener, true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    }

    /// What changes when the machine starts anew or the directory's file system is mounted anew; none if that
    /// isn't known, as if either had happened.
    pub(crate) fn session(dir: &File) -> Option<String> {
        let boot = fs::read_to_string(BOOT_ID).ok()?;
        let mount = statx(dir, "", AtFlags::EMPTY_PATH, MOUNT_ID).ok()?;
        let is_unique = mount.stx_mask & MOUNT_ID.bits() != 0;
        is_unique.then_some(format!("{} {}", boot.split_whitespace().next()?, mount.stx_mnt_id))
    }

    /// A path that leads to this very directory, which was opened at `_path`, wherever it is moved to. (Elsewhere
    /// it leads to what has its name.)
    pub(crate) fn path_of(dir: &File, _path: &Path) -> PathBuf {
        format!("/proc/self/fd/{}", dir.as_raw_fd()).into()
    }

    /// Reserves space for a file, and extends it to `len`. (Elsewhere it does nothing.)
    pub(crate) fn allocate(file: &File, len: u64) -> io::Result<()> {
        Ok(fallocate(file, FallocateFlags::empty(), 0, len)?)
    }

    /// Makes all files durable that are on the file system of `dir`. (Elsewhere asks for all file systems, and
    /// where the system only begins it then, that isn't noticed.)
    pub(crate) fn sync_file_system(dir: &File) -> io::Result<()> {
        Ok(syncfs(dir)?)
    }

    /// From here on this thread and those that it starts wake up when they want to, and not up to 50 µs later together
    /// with others. (Elsewhere it does nothing.)
    pub(crate) fn sleep_exactly() {
        // Where it's refused they wake up later.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    }
}

#[cfg(not(all(target_os = "linux", not(kvs_portable))))]
mod system {
    use rustix::net::SendFlags;
    use std::fs::File;
    use std::io;
    use std::net::{SocketAddr, TcpListener};
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT;

    pub(super) type Socket = TcpListener;

    pub(super) fn bind(addr: SocketAddr) -> io::Result<Socket> {
        TcpListener::bind(addr)
    }

    pub(super) fn listen(socket: Socket, _: Duration, _: Duration) -> io::Result<TcpListener> {
        Ok(socket)
    }

    pub(crate) fn session(_: &File) -> Option<String> {
        None
    }

    pub(crate) fn path_of(_: &File, path: &Path) -> PathBuf {
        path.to_owned()
    }

    pub(crate) fn allocate(_: &File, _: u64) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn sync_file_system(_: &File) -> io::Result<()> {
        rustix::fs::sync();
        Ok(())
    }

    pub(crate) fn sleep_exactly() {}
}
