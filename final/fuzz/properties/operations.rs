//! What holds of a store, whatever it is asked and however often it is closed, killed or cut off.

use kvs_final::disk::SimulatedDisk;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;

const KEYS: u8 = 5;

/// How the store is opened: the first byte says it.
fn open(choice: u8, disk: &SimulatedDisk) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(Durability::Always).background(false);
    let options = options.segment_bytes(if choice & 1 == 0 { 200 } else { 100_000 });
    options.disk(disk.clone()).open("/store")
}

/// Each byte after the first is something to do: with the store, to the process, to the power.
pub(crate) fn hold(input: &[u8]) {
    hold_on(SimulatedDisk::new(), input);
}

/// The same on a disk whose syncs do nothing, which a store cannot be safe on.
#[allow(dead_code)] // the fuzzer has no use for it
pub(crate) fn hold_on_a_disk_that_lies(input: &[u8]) {
    let disk = SimulatedDisk::new();
    disk.set_lying(true);
    hold_on(disk, input);
}

fn hold_on(mut disk: SimulatedDisk, input: &[u8]) {
    let Some((&choice, steps)) = input.split_first() else {
        return;
    };
    let open =
        |disk: &SimulatedDisk| open(choice, disk).expect("whatever was acknowledged is whole");
    let mut store = open(&disk);
    let mut model: BTreeMap<String, String> = BTreeMap::new();
    for (number, step) in steps.iter().take(200).enumerate() {
        let key = format!("key{}", step % KEYS);
        match step / KEYS {
            0..=20 => {
                let padding = " is too long to be kept in the index".repeat((step & 1).into());
                let value = format!("{number}{padding}");
                store.set(key.clone(), value.clone()).expect("the disk is good");
                model.insert(key, value);
            }
            21..=33 => match (store.remove(key.clone()), model.remove(&key)) {
                (Ok(()), Some(_)) | (Err(KvsError::KeyNotFound), None) => {}
                other => panic!("{other:?}"),
            },
            34..=41 => store.compact().expect("the disk is good"),
            42..=44 => {
                drop(store);
                store = open(&disk);
            }
            45..=47 => {
                disk = disk.after_kill(disk.changes());
                store = open(&disk);
            }
            _ => {
                disk = disk
                    .after_power_loss(disk.changes(), &mut StdRng::seed_from_u64(number as u64));
                store = open(&disk);
            }
        }
        for number in 0..KEYS {
            let key = format!("key{number}");
            assert_eq!(store.get(key.clone()).expect("the disk is good"), model.get(&key).cloned());
        }
        assert_eq!(store.stats().keys, model.len() as u64);
    }
}
