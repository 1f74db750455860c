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

/// The stand-ins and the scenes, in `models/`.
mod models {
    use super::*;

    pub(super) mod connection;
    pub(crate) mod loop_models;
    pub(crate) mod note_models;
    pub(super) mod poller;
}

use models::{connection, poller};
pub(super) use models::{loop_models, note_models};

mod limits {
    pub(super) use crate::Limits;
}

mod turn {
    pub(super) use super::connection::Context;
}
