//! Who serves which connection: the notes, the schedule, the jobs, the writes under way and what the
//! threads of a server share are the server's own. A connection and epoll have stand-ins.
//! Around these the files are compiled once more.
#![allow(clippy::duplicate_mod)]
#![allow(dead_code)] // the scenes use a part of each file

mod connection;
pub(super) mod note_models;
mod poller;
pub(super) mod schedule_models;

#[path = "../../server/close.rs"]
mod close;
#[path = "../../server/counters.rs"]
mod counters;
#[path = "../../server/job.rs"]
mod job;
#[path = "../../server/notes.rs"]
mod notes;
#[path = "../../server/schedule.rs"]
mod schedule;
#[path = "../../server/shared.rs"]
mod shared;
#[path = "../../server/table.rs"]
mod table;
#[path = "../../server/writes.rs"]
mod writes;

mod limits {
    pub(super) use crate::Limits;
}
