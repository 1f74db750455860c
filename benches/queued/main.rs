//! The six benches of the course's challenge: a server whose pool has N threads, and a thousand
//! clients with one request each.
//!
//! | bench | pool | engine |
//! |---|---|---|
//! | `write_queued_kvstore`, `read_queued_kvstore` | `SharedQueueThreadPool` | `KvStore` |
//! | `write_queued_rayon`, `read_queued_rayon` | `RayonThreadPool` | `KvStore` |
//! | `write_queued_sled`, `read_queued_sled` | `RayonThreadPool` | `SledKvsEngine` |
//!
//! The parameter is the number of threads in the server's pool. Each bench is a Criterion group with
//! up to two functions. `connects`: each request opens a connection of its own, as the course's
//! client does. `keeps`: each client has a connection from before the measurement on. That works only
//! for a server whose connections cost no thread; the stages serve a connection until it ends, so with
//! more clients than threads the rest would wait for ever.
//!
//! At most 128 clients are under way at a time, in `null` too: so many as the stages' listeners can
//! hold. See `clients.rs`. Each has an address of its own: a port stays taken for a while after its
//! connection, and with one address for all, an iteration would soon be a search for free ports.
//!
//! The keys and the value are the same in every iteration, and every answer is checked. Server,
//! store, clients and, for reads, the keys are there before the clock runs. `null` is the same with
//! clients that do nothing: that much of each figure is the harness's own.
//!
//! `KVS_RECORD=keep cargo bench --features stage-5 --bench queued -- --quick` adds a round to the
//! record, which is of one stage. Criterion compares with the run before, also with another stage's.

#[cfg(from_stage = "4")]
mod challenge;
#[cfg(from_stage = "4")]
mod clients;
#[cfg(from_stage = "4")]
mod servers;

#[cfg(from_stage = "4")]
criterion::criterion_group!(
    benches,
    challenge::null,
    challenge::kvstore,
    challenge::rayon_and_sled
);

#[cfg(from_stage = "4")]
fn main() -> kvs_bench_kit::Outcome<()> {
    let new = || {
        let settings = [
            ("stage", env!("KVS_STAGE").into()),
            ("clients", clients::CLIENTS.into()),
            ("at_once", clients::AT_ONCE.into()),
        ];
        let record = kvs_bench_kit::Record::new(&std::env::temp_dir(), settings)?;
        Ok(record.units(kvs_bench_kit::Unit::Second, &["seconds"]))
    };
    kvs_bench_kit::criterion::keep_if_asked("queued", new, || {
        benches();
        criterion::Criterion::default().configure_from_args().final_summary();
        Default::default()
    })
}

#[cfg(not(from_stage = "4"))]
fn main() {
    println!("this stage's server has no pool with a queue: none of the six benches");
}
