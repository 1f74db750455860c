//! What a thread costs: to start it, to have it, and to hand something over to it.

use criterion::{BenchmarkId, Criterion};
use kvs_bench_kit::record::Figures;
use procfs::{Current, Meminfo, process::Process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

pub(crate) fn costs(criterion: &mut Criterion) {
    // A thread is started, and waited for.
    let mut group = criterion.benchmark_group("thread");
    group.bench_function(BenchmarkId::new("spawn-and-join", 1), |b| {
        b.iter(|| thread::spawn(|| ()).join().unwrap());
    });
    drop(group);

    // A token goes from one thread to another, which waited for it.
    let mut group = criterion.benchmark_group("hand-over");
    let cores = cores();
    for (name, second) in [("park-one-core", 0), ("park-two-cores", 1)] {
        if let (Some(&one), Some(&other)) = (cores.first(), cores.get(second)) {
            group.bench_function(BenchmarkId::new(name, 2), |b| {
                b.iter_custom(|moves| hand_over(moves, [one, other]));
            });
        }
    }
}

/// How many idle threads there are while their memory is measured.
pub(crate) const IDLE: usize = 1000;

/// The bytes that a thread that waits adds to the process, and to the kernel. Criterion measures no
/// memory.
pub(crate) fn memory() -> Figures {
    let started = Barrier::new(IDLE + 1);
    let end = Barrier::new(IDLE + 1);
    thread::scope(|scope| {
        let before = bytes();
        for _ in 0..IDLE {
            scope.spawn(|| {
                started.wait();
                end.wait();
            });
        }
        started.wait();
        let after = bytes();
        end.wait();
        let added = |((name, before), (_, after)): ((&str, u64), (_, u64))| {
            (name.to_owned(), (after as f64 - before as f64) / IDLE as f64)
        };
        before.into_iter().zip(after).map(added).collect()
    })
}

/// What this process has, and the stacks that the kernel has for all threads of the machine.
fn bytes() -> [(&'static str, u64); 4] {
    let status = Process::myself().and_then(|process| process.status()).unwrap();
    let stacks = Meminfo::current().unwrap().kernel_stack;
    [
        ("virtual-bytes", status.vmsize.unwrap() * 1024),
        ("resident-bytes", status.vmrss.unwrap() * 1024),
        ("page-table-bytes", status.vmpte.unwrap() * 1024),
        ("kernel-stack-bytes", stacks.unwrap()),
    ]
}

/// Takes a token to and fro as often as it is told, as player 0 or player 1. It is with player 0 when the
/// number of its moves is even, else with player 1.
///
/// The atomic number tells the other player that what was done before is done, so it is stored with
/// `Release` and loaded with `Acquire`, as in a program that hands data over.
fn play(moves: &AtomicU64, player: u64, times: u64, other: &Thread) {
    for number in (player..2 * times).step_by(2) {
        while moves.load(Ordering::Acquire) != number {
            thread::park();
        }
        moves.store(number + 1, Ordering::Release);
        other.unpark();
    }
}

/// The time that so many moves take, between threads on these cores.
fn hand_over(moves: u64, cores: [usize; 2]) -> Duration {
    let token = &AtomicU64::new(0);
    // To and fro, so that it ends where it began: one move more than asked for, if that is an odd number.
    let times = moves.div_ceil(2);
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<Thread>();
        let first = scope.spawn(move || {
            pin(cores[0]);
            let other = receive.recv().unwrap();
            let start = Instant::now();
            play(token, 0, times, &other);
            start.elapsed()
        });
        let other = first.thread().clone();
        scope.spawn(move || {
            pin(cores[1]);
            send.send(thread::current()).unwrap();
            play(token, 1, times, &other);
        });
        first.join().unwrap().mul_f64(moves as f64 / (2 * times) as f64)
    })
}

/// The cores that this process may run on.
fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect()
}

/// Keeps the calling thread on one core.
fn pin(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).unwrap();
}
