//! A server that works without rest, for clients that stay and for others that come and go: what it
//! takes from the machine does not grow.

use super::*;
use kvs_test_kit::process::{open_files, resident, threads};
use rustix::net::sockopt::set_socket_linger;
use std::thread::ScopedJoinHandle;

/// So many clients stay, and one looks at the stats.
const CLIENTS: u32 = 8;
/// So many keys has each of them.
const KEYS: usize = 500;
/// So many threads have clients that come and go.
const VISITORS: usize = 2;
/// So many of those there may be at a time; one more is refused.
const ROOM: u32 = 4;
const SAMPLES: u32 = 40;
/// So many keys of 4 KiB are left in the server's memory between two samples, where that is the fault.
const LEAKS: u32 = 1024;

/// What a server has of the machine, and what it has done.
#[derive(Debug)]
struct Usage {
    memory: u64,
    files: u64,
    threads: u64,
    /// How many requests the clients have sent so far.
    requests: u64,
}

impl Usage {
    fn of(server: &Server, client: &mut KvsClient) -> Result<Usage, String> {
        let stats = client.stats().map_err(|error| error.to_string())?;
        let stat = |name: &str| {
            let value = stats.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
            value.ok_or_else(|| format!("no {name}"))
        };
        Ok(Usage {
            memory: resident(server.pid()),
            files: open_files(server.pid()) as u64,
            threads: threads(server.pid()) as u64,
            requests: stat("requests ")?,
        })
    }
}

fn most(samples: &[Usage], part: fn(&Usage) -> u64) -> u64 {
    samples.iter().map(part).max().unwrap_or_default()
}

fn least(samples: &[Usage], part: fn(&Usage) -> u64) -> u64 {
    samples.iter().map(part).min().unwrap_or_default()
}

/// What there is more of later than there was before, beside what comes and goes.
fn grown(before: &[Usage], later: &[Usage]) -> Option<&'static str> {
    let (memory, threads) = (|usage: &Usage| usage.memory, |usage: &Usage| usage.threads);
    // Because clients come and go.
    let files = |samples| least(samples, |usage| usage.files);
    let grown = [
        ("memory", most(later, memory) > most(before, memory) / 5 * 6 + (4 << 20)),
        ("files", files(later) > files(before) + 4),
        ("threads", most(later, threads) > most(before, threads)),
    ];
    grown.iter().find_map(|(what, more)| more.then_some(*what))
}

/// How many clients were served, refused as one too many, told that they sent no request, and gone in
/// the middle.
type Visits = [u64; 4];

/// Which of these a client is that has sent a line and read this one.
fn outcome(answer: &str) -> Result<usize, String> {
    match answer {
        NOTHING => Ok(0),
        _ if answer.contains("too many connections") => Ok(1),
        // Who asks before it reads may be cut off before it reads.
        "" => Ok(1),
        _ if answer.contains("not a message of the protocol") => Ok(2),
        _ => Err(format!("a client that comes and goes gets {answer}")),
    }
}

/// The length in bytes of a value that a client asks for and does not wait for: more than a new connection
/// takes at once.
const LARGE: usize = 256 << 10;

/// A client that comes, does one of five things, and goes.
fn visit(addr: SocketAddr, kind: u32, request: &str) -> Result<usize, String> {
    let mut client = Raw::connect(addr);
    let mut stream = client.stream().try_clone().unwrap();
    // What is sent may find the connection closed.
    match kind {
        0 => return outcome(&client.try_ask(request)),
        1 => return outcome(&client.try_ask("no request")),
        2 => {}
        3 => drop(stream.write_all(&request.as_bytes()[..request.len() / 2])),
        // It is gone with a reset when the first bytes of its answer come.
        _ => {
            let _ = stream.write_all(format!("{GET_LARGE}\n").as_bytes());
            let _ = stream.peek(&mut [0]);
            set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
        }
    }
    Ok(3)
}

/// Clients that come and go one after the other: alone, and now and then a crowd of so many at once, for
/// which there is no room.
fn come_and_go(addr: SocketAddr, crowd: u32, done: &AtomicBool) -> Result<Visits, String> {
    let (mut random, mut visits) = (StdRng::seed_from_u64(0), Visits::default());
    let request = set("visit", "v");
    while !done.load(Ordering::Relaxed) {
        visits[visit(addr, random.random_range(0..5), &request)?] += 1;
        if crowd > 0 && random.random_range(0..20) == 0 {
            let mut crowd: Vec<Raw> = (0..crowd).map(|_| Raw::connect(addr)).collect();
            let answers: Vec<_> = crowd.iter_mut().map(|client| client.try_ask(&request)).collect();
            for answer in &answers {
                visits[outcome(answer)?] += 1;
            }
            // When it is done, those that stay make room.
            if answers.iter().all(|answer| answer == NOTHING) && !done.load(Ordering::Relaxed) {
                return Err(format!("{} at once are one too many, and are served", crowd.len()));
            }
        }
    }
    Ok(visits)
}

/// A client that stays and asks without rest, each answer compared with what it has written under keys
/// of its own.
fn ask_without_rest(addr: SocketAddr, number: u32, done: &AtomicBool) -> Result<(), String> {
    let mut client = KvsClient::connect(addr).map_err(|error| error.to_string())?;
    let mut random = StdRng::seed_from_u64(number.into());
    let mut expected = Expected::default();
    while !done.load(Ordering::Relaxed) {
        let key = format!("{number}-{}", random.random_range(0..KEYS));
        let failed = |error: KvsError| format!("{key}: {error}");
        let found = client.get(key.clone()).map_err(failed)?;
        if !expected.allows(&key, &found) {
            return Err(format!("{key} is not what was written"));
        }
        let removes = found.is_some() && random.random_ratio(1, 5);
        let (first, len) = (random.random_range(0..10), random.random_range(0..2_000));
        let value = (!removes).then(|| format!("{first}{}", "v".repeat(len)));
        expected.write(&mut client, &key, value).map_err(failed)?;
    }
    Ok(())
}

pub(crate) fn without_growth(run: Run) -> Outcome {
    let dir = TempDir::new().unwrap();
    // Something opens a connection now and then and forgets it.
    let leaks_connections = run.injects("connections that leak");
    let leaks_memory = run.injects("keys of 4 KiB that leak");
    // What is forgotten takes none of the others' room. Then there is no crowd: how many of it are
    // there at the moment of a sample would hide what is forgotten.
    let (seconds, room, crowd) = match run.fault {
        "" => (run.pick(60, 1_800), ROOM, ROOM + 1),
        _ => (8, ROOM + SAMPLES, 0),
    };
    let limit = (CLIENTS + 1 + room).to_string();
    let server = kvs_server(&["--threads", "2", "--max-connections", &limit], dir.path());
    let mut watch = KvsClient::connect(server.addr).unwrap();
    watch.set("large".to_owned(), "v".repeat(LARGE)).unwrap();
    let (done, addr) = (AtomicBool::new(false), server.addr);
    let all = format!("\nconnections {}\n", CLIENTS + 1);
    let (samples, visits) = thread::scope(|scope| {
        let done = &done;
        let staying: Vec<_> =
            (0..CLIENTS).map(|n| scope.spawn(move || ask_without_rest(addr, n, done))).collect();
        let have_come = || {
            watch.stats().unwrap().contains(&all)
                || staying.iter().any(|client| client.is_finished())
        };
        until("the clients that stay are there", have_come);
        let visit = |_| scope.spawn(move || come_and_go(addr, crowd, done));
        let visitors: Vec<_> = (0..VISITORS).map(visit).collect();
        let (start, mut leaked) = (Instant::now(), Vec::new());
        let sample = |number| {
            let at = start + Duration::from_secs(seconds) * number / SAMPLES;
            until("it is time for a sample", || {
                visitors.iter().any(ScopedJoinHandle::is_finished) || Instant::now() >= at
            });
            if leaks_memory {
                let key = |n| (format!("{number}-{n:04096}"), Some("v".to_owned()));
                watch.write_batch((0..LEAKS).map(key).collect()).unwrap();
            }
            if leaks_connections {
                leaked.push(TcpStream::connect(addr).unwrap());
            }
            Usage::of(&server, &mut watch)
        };
        let samples = (1..=SAMPLES).map(sample).collect::<Result<Vec<Usage>, String>>();
        done.store(true, Ordering::Relaxed);
        // One that stays and fails makes room too: what it says comes first.
        staying.into_iter().try_for_each(|client| client.join().unwrap())?;
        let mut visits = Visits::default();
        for visitor in visitors {
            let of_this = visitor.join().unwrap()?;
            visits.iter_mut().zip(of_this).for_each(|(all, of_this)| *all += of_this);
        }
        Ok::<_, String>((samples?, visits))
    })?;
    drop(server);
    // The first quarter is for warming up.
    let quarter = samples.len() / 4;
    let (before, later) = (&samples[quarter..2 * quarter], &samples[3 * quarter..]);
    if let Some(what) = grown(before, later) {
        return Err(format!("more {what}: before {before:?}, later {later:?}"));
    }
    let [served, refused, mistaken, broken_off] = visits;
    let mebibytes = |samples, part| most(samples, part) >> 20;
    Ok(vec![
        count(seconds, "seconds", 1),
        count(most(later, |usage| usage.requests), "requests", 1_600 * seconds),
        count(served, "clients that come, are served and go", 16 * seconds),
        count(refused, "refused as one too many", 16 * seconds),
        count(mistaken, "with no request", 16 * seconds),
        count(broken_off, "that are gone in the middle", 16 * seconds),
        count(mebibytes(before, |usage| usage.memory), "MiB of memory in the second quarter", 1),
        count(mebibytes(later, |usage| usage.memory), "MiB in the last", 1),
    ])
}
