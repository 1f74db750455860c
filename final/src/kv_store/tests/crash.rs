//! A crash at every operation that changes the disk, and another one during the recovery from it.

use super::depth;
use super::workload::{Model, Step, files, holds, open, run, script};
use crate::disk::{CrashRng, SimulatedDisk};

/// What was on the disk, and what had been promised, at each step of a run.
struct History {
    disk: SimulatedDisk,
    /// For each step how many changes the disk had seen when it was acknowledged, and what the
    /// store held from then on.
    acknowledged: Vec<(usize, Model)>,
}

fn history(seed: u64) -> History {
    let disk = SimulatedDisk::new();
    let mut store = Some(open(&disk).unwrap());
    let mut model = Model::new();
    let mut acknowledged = vec![(disk.changes(), model.clone())];
    for step in script(seed, 120) {
        run(&step, &mut store, &disk).unwrap();
        step.apply_to(&mut model);
        acknowledged.push((disk.changes(), model.clone()));
    }
    drop(store);
    acknowledged.push((disk.changes(), model));
    History { disk, acknowledged }
}

impl History {
    /// What the store may hold after a crash at `changes`: what was acknowledged by then, with or
    /// without the write that was under way.
    fn allowed(&self, changes: usize) -> Vec<&Model> {
        let done = self.acknowledged.partition_point(|(at, _)| *at <= changes);
        let nothing = const { &Model::new() };
        let before = if done == 0 { nothing } else { &self.acknowledged[done - 1].1 };
        let after = self.acknowledged.get(done).map_or(before, |(_, model)| model);
        vec![before, after]
    }

    /// Opens the store after a crash and looks at it, writes to it, and opens it once more.
    fn check(&self, image: &SimulatedDisk, changes: usize, what: &str) {
        let allowed = self.allowed(changes);
        let fail = |error: String| panic!("crash at change {changes}, {what}: {error}");
        let store = open(image).unwrap_or_else(|error| panic!("at {changes}, {what}: {error}"));
        holds(&store, &allowed).unwrap_or_else(fail);
        let step = Step::Set("key0".into(), "after the crash".into());
        let mut expected: Vec<Model> = allowed.into_iter().cloned().collect();
        run(&step, &mut Some(store), image).unwrap();
        for model in &mut expected {
            step.apply_to(model);
        }
        let store = open(image).unwrap();
        holds(&store, &expected.iter().collect::<Vec<_>>()).unwrap_or_else(fail);
        let sizes = (files(image), store.stats().segments as usize);
        assert_eq!(sizes.0, sizes.1 + 1, "a manifest, the segments, and nothing else");
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let (mut images, mut again) = (0, 0);
    for seed in 0..3 * depth() as u64 {
        let history = history(seed);
        let mut random = CrashRng(seed);
        for changes in 0..=history.disk.changes() {
            history.check(&history.disk.after_crash(changes, None), changes, "nothing lost");
            images += 1;
            for variant in 0..15 {
                let image = history.disk.after_crash(changes, Some(&mut random));
                if variant == 0 {
                    again += crash_again(&history, &image, changes, &mut random);
                }
                history.check(&image, changes, &format!("seed {seed}, variant {variant}"));
                images += 1;
            }
        }
    }
    println!("{images} images after a crash, {again} after a crash during the recovery");
    assert!(images >= 20_000 && again >= 1_000, "{images} images, {again} during recovery");
}

/// Crashes at every operation of the recovery. Returns how often.
fn crash_again(
    history: &History,
    image: &SimulatedDisk,
    changes: usize,
    random: &mut CrashRng,
) -> usize {
    let recovered = image.snapshot();
    drop(open(&recovered).unwrap());
    for at in 0..recovered.changes() {
        let twice = recovered.after_crash(at, Some(random));
        history.check(&twice, changes, &format!("and again at {at} of its recovery"));
    }
    recovered.changes()
}

/// The checker itself: a disk that forgets what it had promised to keep must be noticed.
#[test]
fn a_planted_lost_sync_is_caught() {
    let history = history(0);
    let last = history.disk.changes();
    // The state of an earlier time is held against what was acknowledged by the end.
    let image = history.disk.after_crash(last / 2, None);
    let store = open(&image).unwrap();
    assert!(holds(&store, &history.allowed(last)).is_err());
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
