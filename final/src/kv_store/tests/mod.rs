//! What the store promises, tried against the simulated disk. Deep versions of these tests run with
//! the environment variable `KVS_DEEP` set to how many times as much shall be tried.

mod batch;
mod crash;
mod damage;
mod due;
mod faults;
mod later;
mod mapped;
mod oracle;
mod replay;
mod workload;

/// How many times the usual work is to be done.
fn depth() -> usize {
    std::env::var("KVS_DEEP").ok().and_then(|depth| depth.parse().ok()).unwrap_or(1)
}
