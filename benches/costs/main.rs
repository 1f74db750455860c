//! The small costs of concurrent programs, all measured in one run on one machine: a thread, a job in a
//! pool, a hand-over, a channel, a lock, a concurrent map, a file.
//!
//! ```console
//! $ cargo bench --bench costs -- --quick
//! $ cargo bench --bench costs -- "lock|map"   # only the costs with one of these words in the name
//! $ KVS_RECORD=keep cargo bench --bench costs
//! ```
//!
//! Criterion does each thing many times and says how long one takes. The last command also adds a round
//! to the record, `benches/results/costs.json`: Criterion's estimates, and beside them what Criterion
//! doesn't measure: the context switches an operation, of all threads of the process (voluntary ones of
//! a thread that has to wait, involuntary ones of a thread whose core is given to another), look-ups that
//! found nothing, and the memory of threads.
//!
//! With several threads the time is that from one operation to the next, whichever thread does it: on
//! two cores, two threads that do not disturb each other take half the time of one. What the threads did
//! is checked: no sum, no look-up and no answer may be wrong.

mod channels;
mod files;
mod locks;
mod maps;
mod measure;
mod pools;
mod threads;

use criterion::Criterion;
use kvs_bench_kit::criterion::keep_if_asked;
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::{Outcome, Record, Unit};
use measure::Costs;
use std::time::Duration;

/// How long each is measured.
const TIME: Duration = Duration::from_millis(300);

fn main() -> Outcome<()> {
    let new = || {
        let settings = [("seconds", TIME.as_secs_f64().into())];
        let bytes = ["kernel-stack-bytes", "page-table-bytes", "resident-bytes", "virtual-bytes"];
        let record = Record::new(&std::env::temp_dir(), settings)?;
        Ok(record.units(Unit::Second, &["seconds"]).units(Unit::Byte, &bytes))
    };
    keep_if_asked("costs", new, measure, |found, estimates, record| {
        for (of, mut figures) in found {
            figures.insert("seconds".to_owned(), estimates.seconds(&of)?);
            record.add(of, figures);
        }
        record.add(format!("thread-memory/idle/{}", threads::IDLE), threads::memory());
        Ok(())
    })
}

fn measure() -> Vec<(String, Figures)> {
    let criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(TIME)
        .without_plots()
        .configure_from_args();
    let mut costs = Costs { criterion, found: Vec::new() };
    threads::costs(&mut costs);
    pools::costs(&mut costs);
    channels::costs(&mut costs);
    locks::costs(&mut costs);
    maps::costs(&mut costs);
    files::costs(&mut costs);
    costs.criterion.final_summary();
    costs.found
}
