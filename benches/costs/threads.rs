//! What a thread costs: to start it, to have it, and to hand something over to it.

use crate::measure::{Costs, Group, timed};
use kvs_bench_kit::record::Figures;
use procfs::{Current, Meminfo, process::Process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Condvar, Mutex};
use std::thread;

pub(crate) fn costs(costs: &mut Costs) {
    // A thread is started, and waited for.
    costs.group("thread").bench_one("spawn-and-join", || thread::spawn(|| ()).join().unwrap());

    // A token goes from one thread to another, which waited for it.
    let mut group = costs.group("hand-over");
    let cores = cores();
    if let [one, ..] = cores[..] {
        hand_over(&mut group, "park-one-core", park, [one; 2]);
        hand_over(&mut group, "condvar-one-core", condvar, [one; 2]);
    }
    if let [one, other, ..] = cores[..] {
        hand_over(&mut group, "park-two-cores", park, [one, other]);
        hand_over(&mut group, "condvar-two-cores", condvar, [one, other]);
        hand_over(&mut group, "spin-two-cores", spin, [one, other]);
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

/// Takes the token to and fro as often as it is told, as player 0 or player 1.
type Player = fn(&Token, player: u64, times: u64, other: &thread::Thread);

/// The token is with player 0 when the number is even, else with player 1.
///
/// The atomic number tells the other player that what was done before is done, so it is stored with
/// `Release` and loaded with `Acquire`, as in a program that hands data over.
#[derive(Default)]
struct Token {
    moves: AtomicU64,
    locked_moves: Mutex<u64>,
    moved: Condvar,
}

fn park(token: &Token, player: u64, times: u64, other: &thread::Thread) {
    for number in (player..2 * times).step_by(2) {
        while token.moves.load(Ordering::Acquire) != number {
            thread::park();
        }
        token.moves.store(number + 1, Ordering::Release);
        other.unpark();
    }
}

fn condvar(token: &Token, player: u64, times: u64, _: &thread::Thread) {
    for number in (player..2 * times).step_by(2) {
        let moves = token.locked_moves.lock().unwrap();
        *token.moved.wait_while(moves, |moves| *moves != number).unwrap() += 1;
        token.moved.notify_one();
    }
}

fn spin(token: &Token, player: u64, times: u64, _: &thread::Thread) {
    for number in (player..2 * times).step_by(2) {
        while token.moves.load(Ordering::Acquire) != number {
            std::hint::spin_loop();
        }
        token.moves.store(number + 1, Ordering::Release);
    }
}

fn hand_over(group: &mut Group<'_>, name: &str, play: Player, cores: [usize; 2]) {
    group.bench(name, 2, |moves| {
        let token = Token::default();
        // To and fro, so that it ends where it began.
        let times = moves.div_ceil(2);
        let mut run = thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::channel::<thread::Thread>();
            let token = &token;
            let first = scope.spawn(move || {
                pin(cores[0]);
                let other = receive.recv().unwrap();
                timed(|| play(token, 0, times, &other))
            });
            let other = first.thread().clone();
            scope.spawn(move || {
                pin(cores[1]);
                send.send(thread::current()).unwrap();
                play(token, 1, times, &other);
            });
            first.join().unwrap()
        });
        let locked = *token.locked_moves.lock().unwrap();
        assert_eq!(token.moves.load(Ordering::Acquire) + locked, 2 * times);
        // One move more than was asked for, if that was an odd number.
        run.time = run.time.mul_f64(moves as f64 / (2 * times) as f64);
        run
    });
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
