//! Who serves which connection: the notes, the event loops, their jobs, the watchdog and the writes under way are
//! the server's own. A turn of a connection, a poller and the acceptor have stand-ins.
//! Around these the files are compiled once more.
#![allow(clippy::duplicate_mod)]
#![allow(dead_code)] // the scenes use a part of each file

mod event_loop;
mod job;
mod loop_group;
mod notes;
mod shared;
mod stats;
mod timeouts;
mod watchdog;
mod writes;

// The stand-ins and the scenes.
#[path = "models/connection.rs"]
mod connection;
#[path = "models/loop_models.rs"]
pub(super) mod loop_models;
#[path = "models/note_models.rs"]
pub(super) mod note_models;
#[path = "models/poller.rs"]
mod poller;

mod limits {
    pub(super) use crate::Limits;
}

mod turn {
    pub(super) use super::connection::Context;
}
