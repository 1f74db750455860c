//! Who serves which connection: the notes, the event loops, their jobs, the watchdog and the writes under way are
//! the server's own. A turn of a connection, a poller and the acceptor have stand-ins.
//! Around these the files are compiled once more.
#![allow(clippy::duplicate_mod)]
#![allow(dead_code)] // the scenes use a part of each file

mod connection;
pub(super) mod loop_models;
pub(super) mod note_models;
mod poller;

#[path = "../../server/event_loop.rs"]
mod event_loop;
#[path = "../../server/job.rs"]
mod job;
#[path = "../../server/loop_group.rs"]
mod loop_group;
#[path = "../../server/notes.rs"]
mod notes;
#[path = "../../server/shared.rs"]
mod shared;
#[path = "../../server/stats.rs"]
mod stats;
#[path = "../../server/timeouts.rs"]
mod timeouts;
#[path = "../../server/watchdog.rs"]
mod watchdog;
#[path = "../../server/writes.rs"]
mod writes;

mod limits {
    pub(super) use crate::Limits;
}

mod turn {
    pub(super) use super::connection::Context;
}
