//! A server that is told to stop while its clients have many requests under way.

use crate::process::with_signals;
use crate::raw::{GET_LARGE, NOTHING, set};
use crate::server::in_memory;
use crate::{Server, WATCHDOG};
use kvs_final::{KvStore, KvsEngine};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread;
use tempfile::TempDir;

const POOLS: [&str; 3] = ["naive", "queue", "rayon"];
const LEVELS: [&str; 3] = ["always", "interval=5", "os"];

/// The program `kvs` as a server with these options and a large value of so many bytes.
pub fn with_large_value(kvs: &str, length: usize, options: &[&str], dir: &TempDir) -> Server {
    let mut command = with_signals(kvs);
    command.args(["server", "--threads", "2"]).args(options);
    let server = Server::start(&mut command, dir.path()).unwrap();
    assert_eq!(server.connect().ask(&set("large", &"v".repeat(length))), NOTHING);
    server
}

/// Which of the requests of a loader ask for the large value.
fn asks_for_large(number: usize) -> bool {
    number % 50 == 49
}

/// Sends writes, and reads now and then, and reads all answers until the server closes the connection.
/// Returns how many came.
fn load(stream: TcpStream, name: usize, progress: &Sender<usize>) -> usize {
    let mut sender = stream.try_clone().unwrap();
    let packet = |start: usize| -> String {
        let request = |number| match asks_for_large(number) {
            true => GET_LARGE.to_owned(),
            false => set(&format!("{name}-{number}"), &number.to_string()),
        };
        (start..start + 100).map(|number| request(number) + "\n").collect()
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut starts = (0..).step_by(100);
            while sender.write_all(packet(starts.next().unwrap()).as_bytes()).is_ok() {}
        });
        let mut answers = BufReader::new(&stream);
        let mut answer = Vec::new();
        let mut count = 0;
        while answers.read_until(b'\n', &mut answer).unwrap() > 0 {
            assert!(answer.ends_with(b"\n"), "{name}: answer {count} is cut off");
            if !asks_for_large(count) {
                assert_eq!(answer, b"{\"Ok\":null}\n", "{name}: answer {count}");
            }
            answer.clear();
            count += 1;
            let _ = progress.send(name);
        }
        stream.shutdown(Shutdown::Both).unwrap();
        count
    })
}

/// Each client has many requests under way, and each answer that it gets is whole and true. Pools and
/// levels of durability take turns. What was acknowledged must be there, and nothing else: that would
/// have been executed, and its answer lost. So many more of each client, or fewer, are taken for
/// acknowledged: none, but to see that this is looked at. Returns how many were.
pub fn sigterm_under_load(kvs: &str, rounds: usize, more: isize) -> usize {
    let mut acknowledged = 0;
    for round in 0..rounds {
        let dir = in_memory();
        let (pool, level) = (POOLS[round % 3], LEVELS[round / 3 % 3]);
        let options = ["--pool", pool, "--durability", level];
        let server = with_large_value(kvs, 100_000, &options, &dir);
        let (progress, steps) = mpsc::channel();
        let loaders: Vec<_> = (0..4)
            .map(|name| {
                let (stream, progress) = (TcpStream::connect(server.addr), progress.clone());
                thread::spawn(move || load(stream.unwrap(), name, &progress))
            })
            .collect();
        // A different moment each round, and each has an answer: a connection that the server has not
        // taken yet is reset when it ends.
        let mut answers = [0; 4];
        while answers.contains(&0) || answers.iter().sum::<usize>() < 500 + round % 50 * 77 {
            answers[steps.recv_timeout(WATCHDOG).unwrap()] += 1;
        }
        let (status, log) = server.terminate();
        assert_eq!(status.code(), Some(0), "round {round}, {pool}, {level}: {log}");
        let counts: Vec<usize> = loaders.into_iter().map(|load| load.join().unwrap()).collect();
        let store = KvStore::open(dir.path()).unwrap();
        for (name, count) in counts.into_iter().enumerate() {
            let message = |number| format!("round {round}, {pool}, {level}: {name}-{number}");
            let find = |number| store.get(format!("{name}-{number}")).unwrap();
            let end = count.saturating_add_signed(more);
            for number in (0..end).filter(|number| !asks_for_large(*number)) {
                let written = Some(number.to_string());
                assert_eq!(find(number), written, "{} was acknowledged", message(number));
                acknowledged += 1;
            }
            let next = (end..).find(|number| !asks_for_large(*number)).unwrap();
            assert_eq!(find(next), None, "{} has no answer", message(next));
        }
    }
    acknowledged
}
