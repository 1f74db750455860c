//! What of the estimates goes into the record.

use crate::clients::{AT_ONCE, CLIENTS};
use crate::servers;
use kvs_bench_kit::criterion::keep_if_asked;
use kvs_bench_kit::tables::QUEUED;
use kvs_bench_kit::{Outcome, Record, Unit};

/// Measures. If the environment asks for it, the estimates become a round of the record.
///
/// # Errors
/// If the record was taken under other conditions, or not everything was measured.
pub fn if_asked(measure: impl FnOnce()) -> Outcome<()> {
    let new = || {
        let settings = [("clients", CLIENTS.into()), ("at_once", AT_ONCE.into())];
        Ok(Record::new(&std::env::temp_dir(), settings)?.units(Unit::Second, &["seconds"]))
    };
    keep_if_asked("queued", new, measure, |(), estimates, record| {
        let mut add = |of: String, estimated: String| -> Outcome<()> {
            let seconds = estimates.seconds(&estimated)?;
            record.add(of, [("seconds".to_owned(), seconds)].into());
            Ok(())
        };
        add("null/0/none".to_owned(), "null/clients".to_owned())?;
        for bench in QUEUED {
            let name = bench.replace('_', "-");
            for threads in servers::threads() {
                add(format!("{name}/{threads}/each"), format!("{bench}/connects/{threads}"))?;
                add(format!("{name}/{threads}/kept"), format!("{bench}/keeps/{threads}"))?;
            }
        }
        Ok(())
    })
}
