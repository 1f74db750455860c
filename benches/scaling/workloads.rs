//! What is measured, and with how many threads.

use kvs_bench_stages::Stage;

/// A workload: what threads do to an engine, or clients to a server.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// In the record.
    pub(crate) name: &'static str,
    /// How many of 100 operations are sets.
    pub(crate) sets: u64,
    /// What one more thread does, which is not measured.
    pub(crate) beside: Beside,
    pub(crate) by: By,
    /// How long the values are.
    pub(crate) value_bytes: usize,
    /// Where the stores are: in memory, or in the directory for temporary files. What isn't measured as the
    /// others are is for the goals, and only of stage 7 and `final`.
    pub(crate) on_disk: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    Nobody,
    /// It sets as fast as it can.
    Writer,
    /// It lets the store compact for half of the time.
    Compactor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Threads that call the engine.
    Threads,
    /// As many clients as the server has threads, sixteen requests at once.
    ///
    /// A stage's thread serves a connection until it ends: any more clients would wait for ever. And with
    /// one request at a time, client and server would sleep in turns, and most of each figure would be
    /// the time that a processor takes to wake up.
    Clients,
    /// Sixteen clients, which keep all threads busy, each time over a new connection.
    Connections,
}

const fn work(name: &'static str, sets: u64, by: By) -> Work {
    Work { name, sets, beside: Beside::Nobody, by, value_bytes: 1024, on_disk: false }
}

impl Work {
    /// All, in the order in which they are measured.
    pub(crate) const ALL: [Work; 12] = [
        work("read", 0, By::Threads),
        work("write", 100, By::Threads),
        work("mixed", 5, By::Threads),
        Work { beside: Beside::Writer, ..work("beside-writer", 0, By::Threads) },
        Work { beside: Beside::Compactor, ..work("compacting", 0, By::Threads) },
        work("server-get", 0, By::Clients),
        work("server-set", 100, By::Clients),
        work("server-mixed", 5, By::Clients),
        work("server-connect", 0, By::Connections),
        Work { value_bytes: 16, ..work("write16", 100, By::Threads) },
        Work { on_disk: true, ..work("write-disk", 100, By::Threads) },
        Work { value_bytes: 16, on_disk: true, ..work("write16-disk", 100, By::Threads) },
    ];

    /// How many requests a client sends before it waits for their answers.
    pub(crate) fn in_flight(self) -> usize {
        if self.by == By::Clients { 16 } else { 1 }
    }

    /// Whether only the goals of `final` ask for it, and no figure shows it.
    pub(crate) fn is_for_goals(self) -> bool {
        self.on_disk || self.value_bytes != 1024
    }

    /// The numbers of threads with which a stage is measured: 1, 2, 4, … to 8 or twice the cores.
    pub(crate) fn threads(self, stage: Stage, cores: u32) -> Vec<u32> {
        let is_served = self.by != By::Threads;
        match stage {
            stage if self.is_for_goals() && stage < Stage::LockFree => vec![],
            // It is no server for threads, and its engine is in one hand.
            Stage::NaivePool if is_served || self.beside != Beside::Nobody => vec![],
            Stage::NaivePool => vec![1],
            Stage::SharedEngine if is_served => vec![],
            // It has as many threads as the machine has cores.
            Stage::SharedQueue if is_served => vec![cores],
            // The naive pool has a thread for each client: with one that reconnects, the number
            // means nothing to it, and it is the same server at each.
            _ => (0..).map(|n| 1 << n).take_while(|&n| n <= (2 * cores).max(8)).collect(),
        }
    }
}
