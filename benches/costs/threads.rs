//! What a thread costs: to start it, to have it, and to hand something over to it.

use crate::measure::{Cost, Figures, Variant, repeat, timed};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;

pub(crate) fn costs() -> Vec<Cost> {
    let start = Variant::repeated("spawn-and-join", |times| {
        for number in 0..times {
            assert_eq!(thread::spawn(move || number).join().unwrap(), number);
        }
    });
    let idle = Variant::new("idle", IDLE, |_| memory());
    let mut variants = Vec::new();
    let cores = cores();
    if let [one, ..] = cores[..] {
        variants.push(hand_over("park-one-core", park, [one; 2]));
        variants.push(hand_over("condvar-one-core", condvar, [one; 2]));
    }
    if let [one, other, ..] = cores[..] {
        variants.push(hand_over("park-two-cores", park, [one, other]));
        variants.push(hand_over("condvar-two-cores", condvar, [one, other]));
        variants.push(hand_over("spin-two-cores", spin, [one, other]));
    }
    vec![
        Cost {
            name: "thread",
            operation: "a thread is started, and waited for",
            variants: vec![start],
        },
        Cost { name: "thread-memory", operation: "a thread that waits", variants: vec![idle] },
        Cost {
            name: "hand-over",
            operation: "a token goes from one thread to another, which waited for it",
            variants,
        },
    ]
}

const IDLE: usize = 1000;

/// The bytes that a thread adds to the process, and to the kernel.
fn memory() -> Figures {
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
        let added =
            |(name, bytes): (&String, &f64)| (name.clone(), (bytes - before[name]) / IDLE as f64);
        after.iter().map(added).collect()
    })
}

/// What this process has, and the stacks that the kernel has for all threads of the machine.
fn bytes() -> Figures {
    let lines = [
        ("virtual_bytes", "/proc/self/status", "VmSize:"),
        ("resident_bytes", "/proc/self/status", "VmRSS:"),
        ("page_table_bytes", "/proc/self/status", "VmPTE:"),
        ("kernel_stack_bytes", "/proc/meminfo", "KernelStack:"),
    ];
    let read = |(name, file, line): (&str, &str, &str)| {
        let text = fs::read_to_string(file).unwrap();
        let rest = text.lines().find_map(|l| l.strip_prefix(line)).unwrap();
        let kib: f64 = rest.trim().trim_end_matches(" kB").parse().unwrap();
        (name.to_owned(), kib * 1024.0)
    };
    lines.map(read).into()
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

fn hand_over(name: &'static str, play: Player, cores: [usize; 2]) -> Variant {
    let rounds = move |times| {
        let token = Token::default();
        let moves = 2 * times;
        let figures = thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::channel::<thread::Thread>();
            let token = &token;
            let first = scope.spawn(move || {
                pin(cores[0]);
                let other = receive.recv().unwrap();
                timed(moves, || play(token, 0, times, &other))
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
        assert_eq!(token.moves.load(Ordering::Acquire) + locked, moves);
        figures
    };
    Variant::new(name, 2, move |budget: Duration| repeat(budget, rounds))
}

/// The cores that this process may run on.
fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).collect()
}

/// Keeps the calling thread on one core.
fn pin(core: usize) {
    let mut only = CpuSet::new();
    only.set(core).unwrap();
    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
}
