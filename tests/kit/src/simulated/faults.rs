//! Every error at every place, once and for ever.

use crate::expected::Expected;
use crate::simulated::workload::{KEYS, Step, key, open, run, script};
use kvs_final::disk::{Fault, SimulatedDisk};
use kvs_final::{KvsEngine, Result, Write};
use std::io::ErrorKind;
use std::slice;

/// Notes the writes of a step. If one of a round failed, each of the others may have.
pub(super) fn note(step: &Step, acknowledged: bool, expected: &mut Expected) {
    let writes = match step {
        Step::Write(write) => slice::from_ref(write),
        Step::Round(writes) => writes,
        _ => &[],
    };
    for (key, value) in writes.iter().flat_map(Write::changes) {
        expected.note(key, value.map(str::to_owned), acknowledged);
    }
}

/// Runs the script with a fault and checks every answer, taking for done what `is_done` takes for it.
/// Returns whether the fault was met.
fn run_with(fault: Fault, steps: &[Step], is_done: fn(&Result<()>) -> bool) -> bool {
    let disk = SimulatedDisk::new();
    disk.set_fault(Some(fault));
    let mut expected = Expected::default();
    let mut store = open(&disk).ok();
    for step in steps {
        // With a store that did not open, the step is only another attempt to open it.
        let is_open = store.is_some();
        let result = run(step, &mut store, &disk);
        if is_open {
            note(step, is_done(&result), &mut expected);
        }
        if let Some(store) = &store {
            for number in 0..KEYS {
                // A read may fail, but not lie.
                if let Ok(found) = store.get(key(number)) {
                    assert!(expected.allows(&key(number), &found), "{fault:?}: {found:?}");
                }
            }
        }
    }
    drop(store);
    let met = disk.operations() > fault.at;
    disk.set_fault(None);
    let store = open(&disk).unwrap();
    let checked = expected.check(|key| store.get(key));
    checked.unwrap_or_else(|error| panic!("{fault:?}, after it was opened again: {error}"));
    met
}

/// Every kind of error at every place of a script of this seed and so many steps. Panics at an answer that is wrong.
/// Returns how many runs there were.
pub fn everywhere(seed: u64, steps: usize, is_done: fn(&Result<()>) -> bool) -> usize {
    let steps = script(seed, steps);
    let mut runs = 0;
    for error in [ErrorKind::Other, ErrorKind::StorageFull] {
        for (forever, short_write) in [(false, false), (false, true), (true, false), (true, true)] {
            let fault = |at| Fault { at, forever, error, short_write };
            runs += (0..).take_while(|at| run_with(fault(*at), &steps, is_done)).count();
        }
    }
    runs
}
