//! What holds of a store, whatever it is asked and however often it is closed, killed or cut off.

use super::{Reached, note};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

const KEYS: u8 = 5;

/// How the store is opened: the first byte says it.
fn open(choice: u8, disk: &SimulatedDisk) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(Durability::Always).background(false);
    let options = options.segment_bytes(if choice & 1 == 0 { 200 } else { 100_000 });
    options.disk(disk.clone()).open("/store")
}

/// How the store is opened, and then a byte for each thing to do: with the store, to the process, to the
/// power.
pub(super) fn generate(random: &mut StdRng) -> Vec<u8> {
    let mut input = vec![0; random.random_range(1..80)];
    random.fill(&mut input[..]);
    input
}

/// The fault: a disk whose syncs do nothing.
pub(super) fn hold(input: &[u8], lies: bool, reached: &mut Reached) {
    let mut disk = SimulatedDisk::new();
    disk.set_lying(lies);
    let Some((&choice, steps)) = input.split_first() else {
        return;
    };
    let open =
        |disk: &SimulatedDisk| open(choice, disk).expect("whatever was acknowledged is whole");
    let mut store = open(&disk);
    let mut model: BTreeMap<String, String> = BTreeMap::new();
    for (number, step) in steps.iter().take(200).enumerate() {
        let key = format!("key{}", step % KEYS);
        let segments = store.stats().segments.min(4);
        let done = match step / KEYS {
            0..=20 => {
                let padding = " is too long to be kept in the index".repeat((step & 1).into());
                let value = format!("{number}{padding}");
                store.set(key.clone(), value.clone()).unwrap();
                model.insert(key, value).map_or("a new key", |_| "an overwrite")
            }
            21..=33 => match (store.remove(key.clone()), model.remove(&key)) {
                (Ok(()), Some(_)) => "a removal",
                (Err(KvsError::KeyNotFound), None) => "a removal of what is not there",
                other => panic!("{other:?}"),
            },
            34..=41 => {
                store.compact().unwrap();
                "a compaction"
            }
            42..=44 => {
                drop(store);
                store = open(&disk);
                "a close"
            }
            45..=47 => {
                disk = disk.after_kill(disk.changes());
                store = open(&disk);
                "a kill"
            }
            _ => {
                disk = disk
                    .after_power_loss(disk.changes(), &mut StdRng::seed_from_u64(number as u64));
                store = open(&disk);
                "a power loss"
            }
        };
        note(reached, format!("{done} with {segments} segments"));
        for number in 0..KEYS {
            let key = format!("key{number}");
            assert_eq!(store.get(key.clone()).unwrap(), model.get(&key).cloned());
        }
        assert_eq!(store.stats().keys, model.len() as u64);
    }
}
