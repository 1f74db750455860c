//! The rows of the tables, and what `final` is to reach in each.

use crate::engines::Engine;
use crate::workloads::Work;

pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Row],
}

/// One figure of one workload.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) work: Work,
    pub(crate) figure: &'static str,
    pub(crate) better: Better,
    pub(crate) goal: Option<Goal>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
    /// Not compared.
    Neither,
}

impl Better {
    /// The best of these, where there is such a thing.
    pub(crate) fn best<T>(&self, all: impl Iterator<Item = (T, f64)>) -> Option<(T, f64)> {
        match self {
            Better::More => all.max_by(|a, b| a.1.total_cmp(&b.1)),
            Better::Less => all.min_by(|a, b| a.1.total_cmp(&b.1)),
            Better::Neither => None,
        }
    }
}

pub(crate) enum Goal {
    /// So many times what that engine does.
    Times(f64, Engine),
    /// So many times what the best peer does.
    TimesBest(f64),
    /// So many times what the best of those peers does that lose nothing when they are killed.
    TimesBestThatKeeps(f64),
    /// No more than this.
    AtMost(f64),
    /// No more than so many times another figure of ours.
    AtMostTimes(f64, &'static str),
}

const fn more(title: &'static str, work: Work, figure: &'static str, goal: Option<Goal>) -> Row {
    Row { title, work, figure, better: Better::More, goal }
}

const fn less(title: &'static str, work: Work, figure: &'static str, goal: Option<Goal>) -> Row {
    Row { title, work, figure, better: Better::Less, goal }
}

const fn neither(title: &'static str, work: Work, figure: &'static str) -> Row {
    Row { title, work, figure, better: Better::Neither, goal: None }
}

use Engine::{Lmdb, Raw};
use Goal::{AtMost, AtMostTimes, Times, TimesBest, TimesBestThatKeeps};
use Work::{Get1k, Get16, Latency, Load, Mixed, Readers, Synced};

pub(crate) const TABLES: [Table; 4] = [
    Table {
        title: "Nothing synced: thousands of operations a second",
        rows: &[
            more("load, 16 B, 1 thread", Load, "load", Some(TimesBestThatKeeps(2.0))),
            more("get, 16 B, 1 thread", Get16, "1 threads", Some(Times(1.5, Lmdb))),
            more("get, 16 B, 4 threads", Get16, "4 threads", Some(Times(1.5, Lmdb))),
            more("get, 1 KiB, 1 thread", Get1k, "1 threads", Some(Times(1.3, Lmdb))),
            more("get, 1 KiB, 4 threads", Get1k, "4 threads", Some(Times(1.3, Lmdb))),
            more("95 % get, 5 % set, 4 threads", Mixed, "5 % set, 4 threads", Some(TimesBest(1.5))),
            more("50 % get, 50 % set, 2 threads", Mixed, "50 % set, 2 threads", None),
            more(
                "50 % get, 50 % set, 4 threads",
                Mixed,
                "50 % set, 4 threads",
                Some(TimesBest(1.3)),
            ),
            more("gets of 4 threads beside a writer", Readers, "gets", Some(Times(1.5, Lmdb))),
            more("sets of that writer", Readers, "sets", None),
        ],
    },
    Table {
        title: "Every write synced: thousands of sets a second",
        rows: &[
            more("set, 1 thread", Synced, "1 threads", Some(Times(0.9, Raw))),
            more("set, 8 threads", Synced, "8 threads", Some(Times(0.9, Raw))),
            more("set, 64 threads", Synced, "64 threads", Some(Times(0.9, Raw))),
        ],
    },
    Table {
        title: "After `kill -9` at the end of the load",
        rows: &[
            less("open, ms", Load, "open", Some(AtMost(250.0))),
            neither("acknowledged keys that are lost", Load, "lost"),
            less("disk, bytes a key", Load, "disk", None),
            less("memory once open, bytes a key", Load, "private, opened", Some(AtMost(116.0))),
            less("memory once all was read", Load, "private, read", None),
            neither("pages of files mapped then", Load, "mapped, read"),
        ],
    },
    Table {
        title: "99th percentile of a get, µs",
        rows: &[
            less("1 thread", Latency, "1 threads, quiet", None),
            less(
                "1 thread, while the store compacts",
                Latency,
                "1 threads, compacting",
                Some(AtMostTimes(2.0, "1 threads, quiet")),
            ),
            less("4 threads", Latency, "4 threads, quiet", None),
            less(
                "4 threads, while the store compacts",
                Latency,
                "4 threads, compacting",
                Some(AtMostTimes(2.0, "4 threads, quiet")),
            ),
        ],
    },
];
