//! What is measured, and with how many threads.

use kvs_bench_stages::Stage;

/// A workload: what threads do to an engine, or clients to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Threads get.
    Read,
    /// Threads set.
    Write,
    /// Threads get 95 times of 100, and set.
    Mixed,
    /// Threads get, and one more sets as fast as it can.
    BesideWriter,
    /// Threads get, and one more lets the store compact for half of the time.
    Compacting,
    /// As many clients as the server has threads get, sixteen at once.
    ServerGet,
    /// They set.
    ServerSet,
    /// They get 95 times of 100, and set.
    ServerMixed,
    /// Sixteen clients get, each time over a new connection.
    ServerConnect,
}

impl Work {
    /// All, in the order in which they are measured, and their names in the record.
    pub(crate) const ALL: [(Work, &str); 9] = [
        (Work::Read, "read"),
        (Work::Write, "write"),
        (Work::Mixed, "mixed"),
        (Work::BesideWriter, "beside-writer"),
        (Work::Compacting, "compacting"),
        (Work::ServerGet, "server-get"),
        (Work::ServerSet, "server-set"),
        (Work::ServerMixed, "server-mixed"),
        (Work::ServerConnect, "server-connect"),
    ];

    /// Whether a server is measured, and not an engine by itself.
    pub(crate) fn is_served(self) -> bool {
        use Work::{ServerConnect, ServerGet, ServerMixed, ServerSet};
        matches!(self, ServerGet | ServerSet | ServerMixed | ServerConnect)
    }

    /// How many of 100 operations are sets.
    pub(crate) fn sets(self) -> u64 {
        match self {
            Work::Write | Work::ServerSet => 100,
            Work::Mixed | Work::ServerMixed => 5,
            _ => 0,
        }
    }

    /// How many times as long as the others it is measured.
    ///
    /// A stage stops for a compaction after every 10,000 sets. Where somebody does nothing but set, the
    /// time is over in one more often than not, and what was done is a whole number of those.
    pub(crate) fn longer(self) -> f64 {
        match self {
            Work::Write | Work::BesideWriter | Work::ServerSet => 4.0,
            _ => 1.0,
        }
    }

    /// How many clients a server of so many threads has.
    ///
    /// A stage's thread serves a connection until it ends, so where clients keep their connections
    /// there are as many as threads: any more would wait for ever. Where they do not, there are
    /// enough to keep all threads busy.
    pub(crate) fn clients(self, threads: u32) -> usize {
        if self == Work::ServerConnect { 16 } else { threads as usize }
    }

    /// How many requests a client sends at once, before it waits for their answers.
    ///
    /// With one at a time, client and server would sleep in turns, and most of each figure would be
    /// the time that a processor takes to wake up.
    pub(crate) fn in_flight(self) -> usize {
        if self == Work::ServerConnect { 1 } else { 16 }
    }

    /// The numbers of threads with which a stage is measured: 1, 2, 4, … to 8 or twice the cores.
    pub(crate) fn threads(self, stage: Stage, cores: u32) -> Vec<u32> {
        let alone = matches!(self, Work::Read | Work::Write | Work::Mixed);
        match stage {
            // It is no server for threads, and its engine is in one hand.
            Stage::NaivePool if alone => vec![1],
            Stage::NaivePool => vec![],
            Stage::SharedEngine if self.is_served() => vec![],
            // It has as many threads as the machine has cores.
            Stage::SharedQueue if self.is_served() => vec![cores],
            // The naive pool has a thread for each client: with one that reconnects, the number
            // means nothing to it, and it is the same server at each.
            _ => (0..).map(|n| 1 << n).take_while(|&n| n <= (2 * cores).max(8)).collect(),
        }
    }
}
