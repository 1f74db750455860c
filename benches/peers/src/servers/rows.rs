//! The rows of the servers' tables, and what `final` is to reach in each.

use super::Server;
use super::workloads::Work;
use crate::rows::Better;

pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) rows: &'static [Row],
}

/// One figure of one workload.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) work: Work,
    pub(super) figure: &'static str,
    pub(super) better: Better,
    pub(super) goal: Option<Goal>,
}

pub(super) enum Goal {
    /// As good as that server.
    As(Server),
    /// No more than this.
    AtMost(f64),
}

const fn cpu(title: &'static str, work: Work, goal: Option<Goal>) -> Row {
    Row { title, work, figure: "cpu", better: Better::Less, goal }
}

const fn rate(title: &'static str, work: Work, goal: Option<Goal>) -> Row {
    Row { title, work, figure: "rate", better: Better::More, goal }
}

const fn less(title: &'static str, work: Work, figure: &'static str, goal: Option<Goal>) -> Row {
    Row { title, work, figure, better: Better::Less, goal }
}

use Goal::{As, AtMost};
use Server::{Memcached, Redis};
use Work::{
    Calls, Connect16, Connect64, Get16, Get64, Get256, Get1000, Idle, Pipeline16, Pipeline64, Set,
};

pub(super) const TABLES: [Table; 5] = [
    Table {
        title: "The server's CPU, µs a request",
        rows: &[
            cpu("GET, 16 clients", Get16, Some(As(Redis))),
            cpu("GET, 64 clients", Get64, Some(As(Redis))),
            cpu("GET, 256 clients", Get256, Some(As(Redis))),
            cpu("GET, 1000 clients", Get1000, Some(As(Redis))),
            cpu("GET, 16 clients, 16 in flight each", Pipeline16, Some(AtMost(1.0))),
            cpu("GET, 16 clients, 64 in flight each", Pipeline64, None),
            cpu("GET, a connection each, 16 clients", Connect16, Some(As(Redis))),
            cpu("GET, a connection each, 64 clients", Connect64, Some(As(Redis))),
            cpu("SET, 16 clients", Set, None),
        ],
    },
    Table {
        title: "Thousands of requests a second",
        rows: &[
            rate("GET, 16 clients", Get16, Some(As(Memcached))),
            rate("GET, 64 clients", Get64, Some(As(Memcached))),
            rate("GET, 256 clients", Get256, Some(As(Memcached))),
            rate("GET, 1000 clients", Get1000, Some(As(Memcached))),
            rate("GET, 16 clients, 16 in flight each", Pipeline16, None),
            rate("GET, 16 clients, 64 in flight each", Pipeline64, None),
            rate("GET, a connection each, 16 clients", Connect16, None),
            rate("GET, a connection each, 64 clients", Connect64, None),
            rate("SET, 16 clients", Set, None),
        ],
    },
    Table {
        title: "16 active clients beside idle ones",
        rows: &[
            Row {
                title: "idle connections",
                work: Idle,
                figure: "idle",
                better: Better::Neither,
                goal: None,
            },
            less("CPU without them, µs a request", Idle, "cpu, without", None),
            less("CPU with them", Idle, "cpu", None),
            less("with : without", Idle, "with : without", Some(AtMost(1.05))),
            Row {
                title: "thousands of requests a second without them",
                work: Idle,
                figure: "rate, without",
                better: Better::More,
                goal: None,
            },
            rate("with them", Idle, None),
            less("without : with", Idle, "without : with", Some(AtMost(1.05))),
        ],
    },
    Table {
        title: "From a GET to its answer, as the client sees it, µs",
        rows: &[
            less("16 clients, median", Get16, "p50", None),
            less("16 clients, 99 %", Get16, "p99", None),
            less("16 clients, 99.9 %", Get16, "p999", None),
            less("64 clients, median", Get64, "p50", None),
            less("64 clients, 99 %", Get64, "p99", None),
            less("64 clients, 99.9 %", Get64, "p999", None),
            less("256 clients, median", Get256, "p50", None),
            less("256 clients, 99 %", Get256, "p99", None),
            less("256 clients, 99.9 %", Get256, "p999", None),
            less("1000 clients, median", Get1000, "p50", None),
            less("1000 clients, 99 %", Get1000, "p99", None),
            less("1000 clients, 99.9 %", Get1000, "p999", None),
        ],
    },
    Table {
        title: "Counts a request",
        rows: &[
            less("context switches, GET, 16 clients", Get16, "switches", None),
            less("context switches, GET, 64 clients", Get64, "switches", None),
            less("context switches, GET, 256 clients", Get256, "switches", None),
            less("context switches, GET, 1000 clients", Get1000, "switches", None),
            less("context switches, 16 in flight each", Pipeline16, "switches", None),
            less("context switches, a connection each", Connect16, "switches", None),
            less("system calls, GET, 16 clients", Calls, "calls", None),
        ],
    },
];
