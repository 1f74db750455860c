//! The store by itself, called from one thread: what a `set` and a `get` cost in the stage that the
//! feature picks.
// Stage 1 changes its store through `&mut`, the others do not.
#![cfg_attr(from_stage = "2", allow(unused_mut))]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kvs::{KvStore, KvsEngine};
use kvs_bench_kit::data::random;
use rand::RngExt;
use tempfile::TempDir;

const KEYS: usize = 1000;

fn key(number: usize) -> String {
    format!("key{number:04}")
}

fn engine(c: &mut Criterion) {
    let dir = TempDir::new().unwrap();
    let mut store = KvStore::open(dir.path()).unwrap();
    for number in 0..KEYS {
        store.set(key(number), format!("value{number:04}")).unwrap();
    }

    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(1));
    // The same keys in the same order in every run.
    let mut order = random(16);
    group.bench_function(concat!("get, stage ", env!("KVS_STAGE")), |b| {
        b.iter(|| {
            let number = order.random_range(0..KEYS);
            assert_eq!(store.get(key(number)).unwrap(), Some(format!("value{number:04}")));
        });
    });
    group.bench_function(concat!("set, stage ", env!("KVS_STAGE")), |b| {
        b.iter(|| {
            let number = order.random_range(0..KEYS);
            store.set(key(number), format!("value{number:04}")).unwrap();
        });
    });
    group.finish();
    assert_eq!(store.stats().keys, KEYS as u64);
}

criterion_group!(benches, engine);
criterion_main!(benches);
