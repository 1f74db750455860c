//! Random scripts, answer by answer against a `BTreeMap`.

use kvs_final::disk::SimulatedDisk;
use kvs_final::{KvsEngine, KvsError};
use kvs_test_kit::simulated::workload::{Model, Step, holds, open, run, script};

#[test]
fn a_store_answers_as_a_map_does_whatever_is_mixed_in() {
    let mut steps = 0;
    for seed in 0..40 {
        let disk = SimulatedDisk::new();
        let mut store = Some(open(&disk).unwrap());
        let mut model = Model::new();
        for step in script(seed, 300) {
            if let (Step::Remove(key), Some(store)) = (&step, &store) {
                let found = store.get(key.clone()).unwrap();
                assert_eq!(found.as_ref(), model.get(key), "seed {seed}");
                if found.is_none() {
                    let missing = store.remove(key.clone());
                    assert!(matches!(missing, Err(KvsError::KeyNotFound)), "seed {seed}");
                }
            }
            run(&step, &mut store, &disk).unwrap();
            step.apply_to(&mut model);
            holds(store.as_ref().unwrap(), &[&model])
                .unwrap_or_else(|error| panic!("seed {seed}, {step:?}: {error}"));
            steps += 1;
        }
    }
    println!("{steps} steps, each with all answers compared");
}
