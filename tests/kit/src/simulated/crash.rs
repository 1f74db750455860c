//! A crash at every operation that changes the disk, and another one during the recovery from it.

use crate::simulated::workload::{
    self, AS_LONG, COMPACT_AT, DIR, Model, Step, files, holds, key, open_os, options, run,
    run_with, script, set,
};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{Durability, KvStore, KvsError, Write, check};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::path::Path;
use std::time::Duration;

/// What was on the disk, and what had been promised, at each step of a run.
struct History {
    disk: SimulatedDisk,
    writes: Vec<Moment>,
}

/// A step of a run; of a round one of its writes.
struct Moment {
    /// How many changes the disk had seen when it began, and when it was acknowledged.
    began: usize,
    acknowledged: usize,
    /// What the store held from then on.
    model: Model,
    /// Whether all of it was synced.
    synced: bool,
}

impl History {
    fn push(&mut self, began: usize, model: &Model, synced: bool) {
        let (acknowledged, model) = (self.disk.changes(), model.clone());
        self.writes.push(Moment { began, acknowledged, model, synced });
    }
}

/// A run, and what is wrong in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At level `always`, with threads of the store's own, so that there are batches, and with nothing but
    /// hints to write for the one that compacts.
    Always,
    /// At level `interval`, or `os`, where some steps are synced. What the threads of the store's own would
    /// do, the script does.
    BelowAlways,
    /// `Always`, and a value is expected which was never written.
    NeverWritten,
    /// `Always`, and the writes of a batch are done one after the other. What is expected of it does not change.
    SplitBatches,
    /// `Always`, on a disk that says of each sync that it is done, and does nothing.
    LyingDisk,
}

/// Runs a script. At level `always` each step is synced, at the others some are.
fn history(kind: Kind, seed: u64) -> History {
    let disk = SimulatedDisk::new();
    disk.set_lying(kind == Kind::LyingDisk);
    let options = match kind {
        Kind::BelowAlways if seed.is_multiple_of(2) => {
            options(&disk).durability(Durability::Interval(Duration::from_millis(1)))
        }
        Kind::BelowAlways => options(&disk).durability(Durability::Os),
        _ => options(&disk).compact_at(u64::MAX).spare_segments(u32::MAX).background(true),
    };
    let below = kind == Kind::BelowAlways;
    let options = if below { options.compact_at(COMPACT_AT) } else { options };
    let open = || options.clone().open(DIR);
    let mut store = Some(open().unwrap());
    let mut model = Model::new();
    let mut history = History { disk: disk.clone(), writes: Vec::new() };
    history.push(0, &model, true);
    for step in script(seed, 120) {
        let began = disk.changes();
        let steps = match &step {
            Step::Write(write @ Write::Batch(_)) if kind == Kind::SplitBatches => {
                let batch = |(key, value): (&str, Option<&str>)| {
                    let change = (key.to_owned(), value.map(str::to_owned));
                    Step::Write(Write::Batch(vec![change]))
                };
                write.changes().map(batch).collect()
            }
            step => vec![step.clone()],
        };
        steps.iter().try_for_each(|step| run_with(step, &mut store, open)).unwrap();
        if let Step::Round(writes) = &step {
            for write in writes {
                Step::Write(write.clone()).apply_to(&mut model);
                history.push(began, &model, false);
            }
        }
        step.apply_to(&mut model);
        holds(store.as_ref().unwrap(), &[&model]).unwrap();
        let synced = !below || matches!(step, Step::Compact | Step::Sync | Step::Reopen);
        history.push(began, &model, synced);
    }
    let began = disk.changes();
    drop(store);
    history.push(began, &model, true);
    history
}

impl History {
    /// What the store may hold after a crash at `changes`: what it held after a write that was not
    /// followed by a synced one, up to those that were under way.
    fn allowed(&self, changes: usize) -> Vec<&Model> {
        let done = self.writes.partition_point(|write| write.acknowledged <= changes);
        let synced = self.writes[..done].iter().rposition(|write| write.synced);
        let nothing = synced.is_none().then_some(const { &Model::new() });
        let end = self.writes.partition_point(|write| write.began <= changes);
        let models = self.writes[synced.unwrap_or(0)..end].iter().map(|write| &write.model);
        nothing.into_iter().chain(models).collect()
    }

    /// Opens the store after a crash and looks at it; cuts the power, which may take nothing that was
    /// seen. Instead of that writes to it; ends the process again, then the power too, and looks
    /// whether all of that is still there.
    fn check(
        &self,
        image: &SimulatedDisk,
        changes: usize,
        random: &mut StdRng,
    ) -> Result<(), String> {
        let allowed = self.allowed(changes);
        let checked = check(image, Path::new(DIR));
        let store = open(image)?;
        let seen = holds(&store, &allowed)?;
        // Before the first manifest there is nothing to check.
        if let Some(error) = checked.err().filter(|_| changes >= self.writes[0].acknowledged) {
            return Err(format!("check refuses it: {error}"));
        }
        let cut = image.after_power_loss(image.changes(), random);
        holds(&open(&cut)?, &[&seen]).map_err(|error| format!("seen, and then gone: {error}"))?;
        let sizes = (files(image) as u64, store.stats().segments + 1);
        if sizes.0 > sizes.1 {
            return Err(format!("{} files, expected {}", sizes.0, sizes.1));
        }
        // In the place of what is lost, so that what was behind it is not to be found any more.
        let step = set(key(0), AS_LONG);
        let mut expected = seen;
        step.apply_to(&mut expected);
        run(&step, &mut Some(store.clone()), image).map_err(said)?;
        let later = image.after_power_loss(image.changes(), random);
        drop(store);
        for image in [image, &later] {
            holds(&open(image)?, &[&expected])
                .map_err(|error| format!("after one more: {error}"))?;
        }
        Ok(())
    }

    /// Opens the store after a power loss and looks at it; writes some more that is not durable, and cuts the
    /// power again. What was seen is there, and perhaps what was written since: nothing that the first
    /// cut took comes back.
    fn check_twice(
        &self,
        image: &SimulatedDisk,
        changes: usize,
        random: &mut StdRng,
    ) -> Result<(), String> {
        let store = open_os(image).map_err(said)?;
        let mut models = vec![holds(&store, &self.allowed(changes))?];
        for step in [set(key(1), AS_LONG), set(key(2), "")] {
            let mut next = models[models.len() - 1].clone();
            step.apply_to(&mut next);
            models.push(next);
            run(&step, &mut Some(store.clone()), image).map_err(said)?;
        }
        let cut = image.after_power_loss(image.changes(), random);
        let models: Vec<&Model> = models.iter().collect();
        let held = holds(&open(&cut)?, &models);
        held.map(|_| ()).map_err(|error| format!("after two power losses: {error}"))
    }

    /// Crashes everywhere: a kill, and `cuts` power losses, at each change. Returns how many images
    /// there were, and how many of them came from a crash during a recovery.
    fn crash_everywhere(&self, cuts: usize, random: &mut StdRng) -> Result<(usize, usize), String> {
        let (mut images, mut again) = (0, 0);
        for changes in 0..=self.disk.changes() {
            let what = |error| format!("crash at change {changes}: {error}");
            self.check(&self.disk.after_kill(changes), changes, random).map_err(what)?;
            for cut in 0..cuts {
                let image = self.disk.after_power_loss(changes, random);
                if cut == 0 {
                    again += self.crash_again(&image, changes, random).map_err(what)?;
                }
                self.check_twice(&image.snapshot(), changes, random).map_err(what)?;
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
        random: &mut StdRng,
    ) -> Result<usize, String> {
        let recovered = image.snapshot();
        drop(open(&recovered)?);
        for at in 0..recovered.changes() {
            let twice = recovered.after_power_loss(at, random);
            let what = |error| format!("and again at {at} of its recovery: {error}");
            self.check_twice(&twice.snapshot(), changes, random).map_err(what)?;
            self.check(&twice, changes, random).map_err(what)?;
        }
        Ok(recovered.changes())
    }
}

/// Crashes everywhere in a script of this seed: a kill, and so many power losses, at each change. Returns how
/// many images there were after a crash, and how many after a second one, during the recovery from the first.
///
/// # Errors
/// The place of the crash, and what was wrong with the store after it.
pub fn everywhere(kind: Kind, seed: u64, losses: usize) -> Result<(usize, usize), String> {
    let mut history = history(kind, seed);
    for write in history.writes.iter_mut().filter(|_| kind == Kind::NeverWritten) {
        write.model.insert("key0".into(), "never written".into());
    }
    history.crash_everywhere(losses, &mut StdRng::seed_from_u64(seed))
}

fn open(disk: &SimulatedDisk) -> Result<KvStore, String> {
    workload::open(disk).map_err(said)
}

fn said(error: KvsError) -> String {
    error.to_string()
}
