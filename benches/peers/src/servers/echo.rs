//! The limit: a server that does nothing but read and write, in one thread.

use crate::Outcome;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::{read, write};
use rustix::net::{SocketFlags, accept_with, listen};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};

/// Stands for the listening socket, where other events have the number of a connection.
const LISTENER: u64 = u64::MAX;

/// Sends back whatever comes. Does not return unless something fails.
pub(crate) fn serve(addr: SocketAddr) -> Outcome<()> {
    let listener = TcpListener::bind(addr)?;
    // std's backlog of 128 is too short for a thousand clients at once.
    listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let watch = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&watch, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;

    // By the number of their descriptor, which is small and free again when it is closed.
    let mut connections: Vec<Option<OwnedFd>> = Vec::new();
    let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        events.clear();
        epoll::wait(&watch, spare_capacity(&mut events), None)?;
        for event in &events {
            // The fields of an event are packed: it takes a copy to look at them.
            let data = event.data;
            if data.u64() == LISTENER {
                while let Ok(connection) = accept_with(&listener, SocketFlags::NONBLOCK) {
                    let number = connection.as_raw_fd() as usize;
                    let data = epoll::EventData::new_u64(number as u64);
                    epoll::add(&watch, &connection, data, epoll::EventFlags::IN)?;
                    connections.resize_with(connections.len().max(number + 1), || None);
                    connections[number] = Some(connection);
                }
            } else if let Some(connection) = &mut connections[data.u64() as usize] {
                let len = read(&*connection, &mut buffer).unwrap_or(0);
                let sent = len > 0 && write(&*connection, &buffer[..len]) == Ok(len);
                if !sent {
                    connections[data.u64() as usize] = None;
                }
            }
        }
    }
}
