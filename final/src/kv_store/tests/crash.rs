//! A crash at every operation that changes the disk, and another one during the recovery from it.

use super::workload::{Model, Step, files, holds, open, open_os, run, run_with, script};
use crate::disk::{CrashRng, SimulatedDisk};
use crate::{KvStore, Result};

/// What was on the disk, and what had been promised, at each step of a run.
struct History {
    disk: SimulatedDisk,
    /// For each step how many changes the disk had seen when it was acknowledged, what the store
    /// held from then on, and whether all of it was synced.
    acknowledged: Vec<(usize, Model, bool)>,
}

/// Runs a script on a disk. At level `always` each step is synced, at `os` some are.
fn history(
    disk: SimulatedDisk,
    seed: u64,
    open: fn(&SimulatedDisk) -> Result<KvStore>,
    always: bool,
) -> History {
    let mut store = Some(open(&disk).unwrap());
    let mut model = Model::new();
    let mut acknowledged = vec![(disk.changes(), model.clone(), true)];
    for step in script(seed, 120) {
        run_with(&step, &mut store, || open(&disk)).unwrap();
        step.apply_to(&mut model);
        let synced = always || matches!(step, Step::Compact | Step::Reopen);
        acknowledged.push((disk.changes(), model.clone(), synced));
    }
    drop(store);
    acknowledged.push((disk.changes(), model, true));
    History { disk, acknowledged }
}

impl History {
    /// What the store may hold after a crash at `changes`: what it held after a step that was not
    /// followed by a synced one, up to the write that was under way.
    fn allowed(&self, changes: usize) -> Vec<&Model> {
        let done = self.acknowledged.partition_point(|(at, _, _)| *at <= changes);
        let synced = self.acknowledged[..done].iter().rposition(|(_, _, synced)| *synced);
        let nothing = synced.is_none().then_some(const { &Model::new() });
        let end = self.acknowledged.len().min(done + 1);
        let models = self.acknowledged[synced.unwrap_or(0)..end].iter().map(|(_, model, _)| model);
        nothing.into_iter().chain(models).collect()
    }

    /// Opens the store after a crash and looks at it; writes to it; ends the process again, then the
    /// power too, and looks whether all of that is still there.
    fn check(
        &self,
        image: &SimulatedDisk,
        changes: usize,
        random: &mut CrashRng,
    ) -> std::result::Result<(), String> {
        let allowed = self.allowed(changes);
        let open = |disk: &SimulatedDisk| open(disk).map_err(|error| error.to_string());
        let store = open(image)?;
        holds(&store, &allowed)?;
        let sizes = (files(image) as u64, store.stats().segments + 1);
        if sizes.0 > sizes.1 {
            return Err(format!("{} files, expected {}", sizes.0, sizes.1));
        }
        let step = Step::Set("key0".into(), "after the crash".into());
        let mut expected: Vec<Model> = allowed.into_iter().cloned().collect();
        expected.iter_mut().for_each(|model| step.apply_to(model));
        run(&step, &mut Some(store.clone()), image).map_err(|error| error.to_string())?;
        let later = image.after_power_cut(image.changes(), random);
        drop(store);
        for image in [image, &later] {
            let expected: Vec<&Model> = expected.iter().collect();
            holds(&open(image)?, &expected).map_err(|error| format!("after one more: {error}"))?;
        }
        Ok(())
    }

    /// Crashes everywhere: a kill, and `cuts` power cuts, at each change. Returns how many images
    /// there were, and how many of them came from a crash during a recovery.
    fn crash_everywhere(
        &self,
        cuts: usize,
        random: &mut CrashRng,
    ) -> std::result::Result<(usize, usize), String> {
        let (mut images, mut again) = (0, 0);
        for changes in 0..=self.disk.changes() {
            let what = |error| format!("crash at change {changes}: {error}");
            self.check(&self.disk.after_kill(changes), changes, random).map_err(what)?;
            for cut in 0..cuts {
                let image = self.disk.after_power_cut(changes, random);
                if cut == 0 {
                    again += self.crash_again(&image, changes, random).map_err(what)?;
                }
                self.check(&image, changes, random).map_err(what)?;
            }
            images += 1 + cuts;
        }
        Ok((images, again))
    }

    /// Crashes at every operation of the recovery. Returns how often.
    fn crash_again(
        &self,
        image: &SimulatedDisk,
        changes: usize,
        random: &mut CrashRng,
    ) -> std::result::Result<usize, String> {
        let recovered = image.snapshot();
        drop(open(&recovered).map_err(|error| error.to_string())?);
        for at in 0..recovered.changes() {
            let twice = recovered.after_power_cut(at, random);
            self.check(&twice, changes, random)
                .map_err(|error| format!("and again at {at} of its recovery: {error}"))?;
        }
        Ok(recovered.changes())
    }
}

/// Crashes everywhere in a script of this seed at level `always`. Returns how many images there were
/// after a crash, and how many after a second one, during the recovery from the first.
pub(crate) fn at_level_always(seed: u64) -> std::result::Result<(usize, usize), String> {
    let history = history(SimulatedDisk::new(), seed, open, true);
    history.crash_everywhere(15, &mut CrashRng(seed))
}

/// The same at level `os`, where some steps are synced.
pub(crate) fn at_level_os(seed: u64) -> std::result::Result<(usize, usize), String> {
    let history = history(SimulatedDisk::new(), seed, open_os, false);
    history.crash_everywhere(10, &mut CrashRng(seed))
}

/// The same at level `always`, on a disk that says of each sync that it is done, and does nothing.
pub(crate) fn on_a_disk_that_lies(seed: u64) -> std::result::Result<(usize, usize), String> {
    let disk = SimulatedDisk::new();
    disk.set_lying(true);
    history(disk, seed, open, true).crash_everywhere(3, &mut CrashRng(seed))
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let (mut images, mut again) = (0, 0);
    for seed in 0..3 {
        let counts = at_level_always(seed).unwrap_or_else(|error| panic!("seed {seed}, {error}"));
        (images, again) = (images + counts.0, again + counts.1);
    }
    println!("{images} images after a crash, {again} after a crash during the recovery");
    assert!(images >= 20_000 && again >= 1_000, "{images} images, {again} during recovery");
}

#[test]
fn without_syncs_a_power_cut_takes_the_last_writes_and_nothing_from_between() {
    let mut images = 0;
    for seed in 0..2 {
        images += at_level_os(seed).unwrap_or_else(|error| panic!("seed {seed}, {error}")).0;
    }
    println!("{images} images after a crash at level os");
}

/// The checker itself: on a disk whose syncs do nothing, a loss must be noticed.
#[test]
fn a_planted_disk_that_lies_about_syncs_is_caught() {
    assert!(on_a_disk_that_lies(0).is_err());
}

/// And what was acknowledged must be there even if nothing was lost on the disk.
#[test]
fn a_planted_promise_that_is_not_kept_is_caught() {
    let mut history = history(SimulatedDisk::new(), 0, open, true);
    for (_, model, _) in &mut history.acknowledged {
        model.insert("key0".into(), "never written".into());
    }
    assert!(history.crash_everywhere(1, &mut CrashRng(0)).is_err());
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
