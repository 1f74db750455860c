//! The real server, killed at every system call that it makes for a script, and under load again and
//! again on the same directory; and told to stop under load.

use super::*;
use kvs_test_kit::files::content;
use kvs_test_kit::sigterm::sigterm_under_load;
use std::os::unix::process::ExitStatusExt;

/// The system calls that do something with files and sockets. Those of the others that are between
/// two of these change nothing that the next open could see.
const CALLS: &str = "trace=%file,%desc,%network";

const SERVER: [&str; 4] = ["--durability", "always", "--threads", "2"];

/// What is asked: a key and its new value, or none to remove it.
type Script = Vec<(String, Option<String>)>;

/// Small and long writes, removals of what is there, and so much garbage that a compaction follows.
fn script(seed: u64) -> Script {
    let mut random = StdRng::seed_from_u64(seed);
    let mut there = BTreeSet::new();
    let step = |number: usize| {
        if (16..27).contains(&number) {
            let value = format!("{number}{}", "v".repeat(900 << 10));
            return (format!("large{}", number % 2), Some(value));
        }
        let key = format!("k{}", random.random_range(0..3));
        if random.random_range(0..4) == 0 && there.remove(&key) {
            return (key, None);
        }
        there.insert(key.clone());
        (key, Some(number.to_string()))
    };
    (0..43).map(step).collect()
}

/// Asks until the end of the script or of the server, and then for a compaction.
fn ask(server: &Server, script: &Script, expected: &mut Expected) -> Result<(), KvsError> {
    let mut client = KvsClient::connect(server.addr)?;
    for (key, value) in script.clone() {
        expected.write(&mut client, &key, value)?;
    }
    let mut stats = client.stats();
    until("a compaction ends", || {
        stats = client.stats();
        !matches!(&stats, Ok(stats) if stats.contains("compactions 0\n"))
    });
    stats.map(drop)
}

/// What was asked of a server, and whether it was killed. If it was not, it answered everything, and
/// stopped in good order when it was told to.
fn play(server: Server, script: &Script) -> Result<(Expected, bool), String> {
    let mut expected = Expected::default();
    let asked = ask(&server, script, &mut expected);
    let (status, log) = if asked.is_ok() { server.terminate() } else { server.end() };
    match (status.signal(), asked) {
        (Some(KILL), _) => Ok((expected, true)),
        (None, Ok(())) if status.success() => Ok((expected, false)),
        (_, asked) => Err(format!("it ended with {status}: {asked:?}, {log}")),
    }
}

/// Each call, as often as the thread makes it that makes it most often.
fn calls(script: &Script) -> Result<Vec<(String, usize)>, String> {
    let (place, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = place.path().join("calls");
    let strace = ["-e", CALLS, "-o", log.to_str().unwrap()];
    play(under_strace(&strace, &SERVER, dir.path())?, script)?;
    let mut by_thread: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in String::from_utf8_lossy(&fs::read(&log).unwrap()).lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            *by_thread.entry((call.to_owned(), thread.to_owned())).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((call, _), times) in by_thread {
        let most = most.entry(call).or_default();
        *most = times.max(*most);
    }
    let each = |(call, times): (String, usize)| (1..=times).map(move |at| (call.clone(), at));
    Ok(most.into_iter().flat_map(each).collect())
}

/// Runs the script, kills the server when one of its threads makes this call for the `at`-th time, and
/// looks at what is there. Returns how many servers were killed there, and how many writes were
/// acknowledged.
fn kill_at(
    script: &Script,
    call: &str,
    at: usize,
    take_for_done: bool,
) -> Result<(u64, u64), String> {
    let dir = TempDir::new().unwrap();
    let inject = format!("inject={call}:signal=KILL:when={at}");
    let strace = ["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"];
    let (mut expected, was_killed) = match under_strace(&strace, &SERVER, dir.path()) {
        Ok(server) => play(server, script)?,
        // It died before it listened, so nothing was promised.
        Err(log) if log.ends_with("signal: 9 (SIGKILL)\n") => (Expected::default(), true),
        Err(log) => return Err(log),
    };
    if take_for_done {
        expected.take_all_for_done();
    }
    for _ in 0..2 {
        let store = KvStore::open(dir.path()).map_err(|error| error.to_string())?;
        expected.check(|key| store.get(key))?;
    }
    Ok((u64::from(was_killed), expected.acknowledged))
}

pub(crate) fn at_every_call(run: Run) -> Outcome {
    let take_for_done = run.injects("an unanswered write taken for done");
    let mut ends = Vec::new();
    for seed in run.seeds(1, 10) {
        let script = script(seed);
        let calls = calls(&script)?;
        ends.extend(for_each(0..calls.len() as u64, |number| {
            let (call, at) = &calls[number as usize];
            let end = kill_at(&script, call, *at, take_for_done);
            end.map_err(|error| format!("script {seed}, killed at {call} {at}: {error}"))
        })?);
    }
    let (kills, acknowledged) = sums(ends);
    Ok(vec![
        // The threads do not make quite as many calls each time.
        count(kills, "kills, each at another system call", run.pick(300, 3_000)),
        count(acknowledged, "acknowledged writes", run.pick(1_000, 10_000)),
    ])
}

const CLIENTS: usize = 8;

/// Starts a server with these options, and kills it under load. Returns what the clients saw.
fn kill(options: &[&str], dir: &Path, numbers: &Numbers, seed: u64) -> Result<Vec<Event>, String> {
    let mut server = kvs_server(options, dir);
    let connect = |_| KvsClient::connect(server.addr).unwrap();
    let mut clients: Vec<KvsClient> = (0..CLIENTS).map(connect).collect();
    let moments = StdRng::seed_from_u64(seed).random_range(0..4_000);
    let kill = || {
        server.kill();
        server.child.wait().unwrap()
    };
    let ended = load::run_until(&mut clients, numbers, seed, moments, kill)?;
    match ended.result.signal() {
        Some(KILL) => Ok(ended.events),
        _ => Err(format!("it had ended before, with {}", ended.result)),
    }
}

pub(crate) fn under_load(run: Run) -> Outcome {
    let dir = TempDir::new().unwrap();
    let kills = run.pick(100, 2_000);
    let (operations, acknowledged) = load::end_again_and_again(kills, |round, numbers| {
        let before = content(dir.path());
        let level = ["always", "interval", "os"][round as usize % 3];
        let pool = ["naive", "queue", "rayon"][round as usize / 3 % 3];
        let mut options = vec!["--durability", level, "--pool", pool, "--threads", "4"];
        if run.injects("a server that refuses what it should take") {
            // Every third value; so the clients stop before they are stopped.
            options.extend(["--max-value", "20"]);
        }
        let events = kill(&options, dir.path(), numbers, run.seed << 32 | round)?;
        if run.injects("a disk that forgets") && round % 5 == 4 {
            content(dir.path()).keys().for_each(|path| fs::remove_file(path).unwrap());
            before.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        }
        Ok(events)
    })?;
    Ok(vec![
        count(kills, "kills, each followed by an open", kills),
        count(operations, "answered operations of 8 clients", 200 * kills),
        count(acknowledged, "acknowledged writes among them", 50 * kills),
    ])
}

/// Told to stop instead.
pub(crate) fn sigterm(run: Run) -> Outcome {
    // So many more requests of each client are taken for acknowledged.
    let more = match run.fault {
        "a request that was never sent, taken for done" => 1_000_000,
        "an answer that came, taken for lost" => -10,
        _ => 0,
    };
    let rounds = run.pick(100, 2_000);
    let acknowledged = sigterm_under_load(KVS, rounds as usize, more);
    Ok(vec![
        count(rounds, "rounds of SIGTERM", rounds),
        count(acknowledged, "acknowledged writes", 100 * rounds),
    ])
}
