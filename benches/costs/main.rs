//! The small costs of concurrent programs, all measured in one run on one machine: a thread, a job in a
//! pool, a hand-over, a channel, a lock, a concurrent map, an append to a file.
//!
//! ```console
//! $ cargo bench --bench costs -- --quick
//! $ cargo bench --bench costs -- "lock|map"   # only the costs with one of these words in the name
//! $ KVS_RECORD=keep cargo bench --bench costs
//! ```
//!
//! Criterion does each thing many times and says how long one takes. Beside that the memory of threads is
//! measured, and how many look-ups find nothing. The last command also adds a round to the record,
//! `benches/results/costs.json`.
//!
//! With several threads the time is that from one operation to the next, whichever thread does it: on
//! two cores, two threads that do not disturb each other take half the time of one. What the threads did
//! is checked: no sum, no length of a file and no number in a lock may be wrong.

mod pools;
mod shared;
mod threads;

use criterion::{BenchmarkId, Criterion};
use kvs_bench_kit::criterion::keep_if_asked;
use kvs_bench_kit::options::Options;
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::{Outcome, Record, Unit};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long each is measured.
const TIME: Duration = Duration::from_millis(300);

fn main() -> Outcome<()> {
    let new = || {
        let settings = [("seconds", TIME.as_secs_f64().into())];
        let bytes = ["kernel-stack-bytes", "page-table-bytes", "resident-bytes", "virtual-bytes"];
        let record = Record::new(&std::env::temp_dir(), settings)?;
        Ok(record.units(Unit::Second, &["seconds"]).units(Unit::Byte, &bytes))
    };
    keep_if_asked("costs", new, measure)
}

/// Measures, and returns what Criterion doesn't say.
fn measure() -> BTreeMap<String, Figures> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(TIME)
        .without_plots()
        .configure_from_args();
    threads::costs(&mut criterion);
    pools::costs(&mut criterion);
    shared::locks(&mut criterion);
    appends(&mut criterion);
    let mut others = shared::maps(&mut criterion);
    criterion.final_summary();
    let memory = format!("thread-memory/idle/{}", threads::IDLE);
    // Criterion has taken the options; here it's only about the names.
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) if options.wants(&memory) => {
            others.insert(memory, threads::memory());
        }
        Ok(_) => {}
        Err(error) => eprintln!("{memory} is left out: {error}"),
    }
    for (of, figures) in &others {
        println!("{of}: {figures:?}");
    }
    others
}

/// 100 bytes are appended to a file that was empty: handed to the system, or synced too.
fn appends(criterion: &mut Criterion) {
    const RECORD: [u8; 100] = [b'x'; 100];
    let mut group = criterion.benchmark_group("file");
    for (name, is_synced) in [("append", false), ("append-and-sync", true)] {
        group.bench_function(BenchmarkId::new(name, 1), |b| {
            b.iter_custom(|times| {
                let mut file = tempfile::tempfile().unwrap();
                let start = Instant::now();
                for _ in 0..times {
                    file.write_all(&RECORD).unwrap();
                    if is_synced {
                        file.sync_data().unwrap();
                    }
                }
                let time = start.elapsed();
                assert_eq!(file.metadata().unwrap().len(), times * RECORD.len() as u64);
                time
            });
        });
    }
}
