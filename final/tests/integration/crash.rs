//! A crash at every operation that changes the disk, and another one during the recovery from it.

use kvs_final::disk::SimulatedDisk;
use kvs_test_kit::simulated::workload::{Step, open, run, script};
use kvs_test_kit::simulated::{crash, directory};
use kvs_test_kit::size::pick;

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let (mut images, mut again) = (0, 0);
    for seed in 0..pick(1, 2) {
        let counts = crash::at_level_always(seed, pick(3, 15));
        let counts = counts.unwrap_or_else(|error| panic!("seed {seed}, {error}"));
        (images, again) = (images + counts.0, again + counts.1);
    }
    println!("{images} images after a crash, {again} after a crash during the recovery");
    let (least, least_again) = pick((1_000, 300), (10_000, 1_000));
    assert!(images >= least && again >= least_again, "{images} images, {again} during recovery");
}

#[test]
fn below_level_always_a_power_loss_takes_the_last_writes_and_nothing_from_between() {
    let mut images = 0;
    for seed in 0..2 {
        let counts = crash::below_level_always(seed, pick(1, 10));
        images += counts.unwrap_or_else(|error| panic!("seed {seed}, {error}")).0;
    }
    println!("{images} images after a crash at levels interval and os");
}

#[test]
fn a_directory_that_is_moved_deleted_or_replaced_at_any_operation_hurts_nobody_elses_data() {
    for seed in 0..pick(1, 10) {
        println!("{} runs", directory::everywhere(seed, pick(25, 60)).unwrap());
    }
}

/// The checker itself: on a disk whose syncs do nothing, a loss must be noticed.
#[test]
fn a_disk_that_lies_about_syncs_is_noticed() {
    assert!(crash::on_a_disk_that_lies(0).is_err());
}

/// And what was acknowledged must be there even if nothing was lost on the disk.
#[test]
fn a_promise_that_is_not_kept_is_noticed() {
    assert!(crash::with_a_promise_that_is_not_kept(0).is_err());
}

#[test]
fn the_script_has_rotations_and_compactions() {
    let disk = SimulatedDisk::new();
    let mut store = Some(open(&disk).unwrap());
    let (mut compactions, mut rotations) = (0, 0);
    for step in script(0, 120) {
        let before = store.as_ref().unwrap().stats().segments;
        run(&step, &mut store, &disk).unwrap();
        match step {
            Step::Compact => compactions += 1,
            Step::Reopen => {}
            _ => rotations += store.as_ref().unwrap().stats().segments - before,
        }
    }
    assert!(compactions >= 2 && rotations >= 6, "{compactions}, {rotations}");
}
