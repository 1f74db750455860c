//! Every error at every place, once and for ever.

use crate::simulated::workload::{KEYS, Model, Step, key, open, run, script};
use kvs_final::disk::{Fault, SimulatedDisk};
use kvs_final::{KvStore, KvsEngine, Result};
use std::io::ErrorKind;

/// What a store may hold after steps that failed: each key its last acknowledged value, or that of
/// a write that failed since.
struct Possible {
    acknowledged: Model,
    /// Failed writes since the last acknowledged one, per key; `None` is a removal.
    failed: Vec<(String, Option<String>)>,
}

impl Possible {
    fn note(&mut self, step: &Step, succeeded: bool) {
        let (key, value) = match step {
            Step::Set(key, value) => (key, Some(value.clone())),
            Step::Remove(key) => (key, None),
            // If one of them failed, each of the others may have.
            Step::Batch(steps) => return steps.iter().for_each(|step| self.note(step, succeeded)),
            Step::Sync | Step::Compact | Step::CompactIfDue | Step::Reopen => return,
        };
        if succeeded {
            self.failed.retain(|(failed, _)| failed != key);
            step.apply_to(&mut self.acknowledged);
        } else {
            self.failed.push((key.clone(), value));
        }
    }

    fn allows(&self, key: &str, found: &Option<String>) -> bool {
        self.acknowledged.get(key) == found.as_ref()
            || self.failed.iter().any(|(failed, value)| failed == key && value == found)
    }

    fn check(&self, store: &KvStore, when: &str) {
        for number in 0..KEYS {
            let found = store.get(key(number)).unwrap();
            assert!(self.allows(&key(number), &found), "{when}: {} is {found:?}", key(number));
        }
    }
}

/// Runs the script with a fault and checks every answer, taking for done what `is_done` takes for it.
/// Returns whether the fault was met.
fn run_with(fault: Fault, steps: &[Step], is_done: fn(&Result<()>) -> bool) -> bool {
    let disk = SimulatedDisk::new();
    disk.set_fault(Some(fault));
    let mut possible = Possible { acknowledged: Model::new(), failed: Vec::new() };
    let mut store = open(&disk).ok();
    for step in steps {
        // With a store that did not open, the step is only another attempt to open it.
        let is_open = store.is_some();
        let result = run(step, &mut store, &disk);
        if is_open {
            possible.note(step, is_done(&result));
        }
        if let Some(store) = &store {
            for number in 0..KEYS {
                // A read may fail, but not lie.
                if let Ok(found) = store.get(key(number)) {
                    assert!(possible.allows(&key(number), &found), "{fault:?}: {found:?}");
                }
            }
        }
    }
    drop(store);
    let met = disk.operations() > fault.at;
    disk.set_fault(None);
    possible.check(&open(&disk).unwrap(), &format!("{fault:?}, after it was opened again"));
    met
}

/// Every kind of error at every place of a script of this seed. Panics at an answer that is wrong.
/// Returns how many runs there were.
pub fn everywhere(seed: u64, is_done: fn(&Result<()>) -> bool) -> usize {
    let steps = script(seed, 190);
    let mut runs = 0;
    for error in [ErrorKind::Other, ErrorKind::StorageFull] {
        for (forever, short_write) in [(false, false), (false, true), (true, false), (true, true)] {
            let fault = |at| Fault { at, forever, error, short_write };
            runs += (0..).take_while(|at| run_with(fault(*at), &steps, is_done)).count();
        }
    }
    runs
}
