//! Who serves which connection: the notes, the schedule, the jobs, the writes under way and what the
//! threads of a server share are `final`'s. A connection and epoll have stand-ins.

mod connection;
mod notes_models;
mod poller;
mod schedule_models;

from_final! {
    "server/": close, counters, job, limits, notes, schedule, shared, table, writes;
}

use crate::play::Model;

pub(crate) const MODELS: &[&[Model]] = &[notes_models::MODELS, schedule_models::MODELS];
