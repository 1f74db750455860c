//! What a get touches: how many atomic read-modify-writes it takes, and which of its memory the gets of another
//! thread touch, too.
//!
//! ```console
//! $ cargo bench --features all-stages --bench touched             # a minute or two
//! $ cargo bench --features all-stages --bench touched -- final    # of that stage only
//! $ cargo bench --features all-stages --bench touched -- --full --json benches/results/touched.json
//! ```
//!
//! Two clients in turn ask a server of two threads, which has a connection on each. It runs under `valgrind`, whose
//! tool `lackey` writes down every instruction and every access to memory, and between them which thread runs and
//! what it asks of the system. A get is all that a thread does from one answer to the next; of several in flight, a
//! part of that.
//!
//! A word of eight bytes is *shared* if the gets of both threads touch it and one of them writes it; a cache line, of
//! 64 bytes, likewise. An instruction that writes and has the prefix `lock`, or is an `xchg`, is an atomic
//! read-modify-write, be it ours, a library's or the allocator's. Atomic loads, and stores but for those that are
//! sequentially consistent, are ordinary instructions of this processor. What the kernel does isn't seen. Other
//! programs on the machine hardly matter: nothing here is a time.
//!
//! First a server is counted whose accesses are known. If others are found, nothing is recorded.

use kvs_bench_kit::data::{Key, Values};
use kvs_bench_kit::load::{Exchange, connect};
use kvs_bench_kit::options::{Options, in_memory};
use kvs_bench_kit::record::{Figures, output};
use kvs_bench_kit::{Outcome, Record, tables};
use kvs_bench_stages::Stage;
use kvs_bench_stages::process::{self, Process, SERVE, Task};
use procfs::process::{MMPermissions, MMapPath, MemoryMap};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use tempfile::NamedTempFile;

const VALUE_BYTES: usize = 256;
/// Of each client, and those before them that aren't counted.
const EXCHANGES: usize = 4;
const WARM_UP: usize = 2;
/// Everything takes a hundred times as long here. So the watchdog of `final` finds each loop stalled all the time; if it
/// does when there's something for the other one to do, that's another way than most requests go.
const TRIES: usize = 20;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [serve, task] if serve == SERVE => process::serve(task),
        [known] if known == KNOWN => serve_known(),
        _ => run(&Options::parse(args)?),
    }
}

fn run(options: &Options) -> Outcome<()> {
    let settings = [("exchanges", EXCHANGES.into()), ("value_bytes", VALUE_BYTES.into())];
    let mut record = options.continued(Record::new(&in_memory(), settings)?)?;
    let stages = Stage::picked(cfg!(feature = "all-stages"), env!("KVS_STAGE"));
    // The others serve one client at a time.
    let is_wanted = |(stage, name): &(Stage, &str)| {
        *stage >= Stage::ThreadedServer && options.wants(&format!("touched/{name}"))
    };
    let stages: Vec<_> = stages.filter(is_wanted).collect();
    let is_there = |program: &&str| output(program, &["--version"]).is_ok();
    if cfg!(debug_assertions) {
        println!("nothing is counted: a debug build calls what a release build has in place");
        return Ok(());
    }
    if !cfg!(target_arch = "x86_64") || !["valgrind", "addr2line"].iter().all(is_there) {
        println!("nothing is counted: there is no valgrind, no addr2line or no x86-64 here");
        return Ok(());
    }
    if !stages.is_empty() {
        check_known()?;
    }
    for (stage, name) in stages {
        for in_flight in [1, 8] {
            eprintln!("{name}, {in_flight} in flight");
            let dir = tempfile::tempdir_in(in_memory())?;
            let (mut store, mut exchange) = (stage.open(dir.path())?, Exchange::default());
            for number in 0..in_flight {
                let (key, value) = (Key::new(number), Values::new(VALUE_BYTES).make(number, 0));
                exchange.get(key.as_str(), &value);
                store.set(key.as_str().to_owned(), value)?;
            }
            drop(store);
            let task = Task { stage, threads: 2, dir: dir.path().to_path_buf() };
            let task = serde_json::to_string(&task)?;
            for (place, figures) in count(&[SERVE, &task], &exchange, in_flight as f64)? {
                record.add(format!("{name}/{in_flight}/{place}"), figures);
            }
        }
    }
    options.keep(&record)?;
    if !options.is_list {
        print!("{}", tables::touched(&record));
    }
    Ok(())
}

// ---- a server whose accesses are known -------------------------------------------------------------

const KNOWN: &str = "known";

/// For each request it adds twice to a number of the connection's and three times to one of all, and stores another
/// one of all, and loads it.
fn serve_known() -> Outcome<()> {
    static ADDED: AtomicU64 = AtomicU64::new(0);
    static STORED: AtomicU64 = AtomicU64::new(0);
    process::end_with_input();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for connection in listener.incoming() {
        let mut connection = connection?;
        thread::spawn(move || {
            let own = AtomicU64::new(0);
            while connection.read_exact(&mut [0; 4]).is_ok() {
                for number in [&own, &own, &ADDED, &ADDED, &ADDED] {
                    black_box(number).fetch_add(1, Relaxed);
                }
                black_box(&STORED).store(7, Relaxed);
                black_box(black_box(&STORED).load(Relaxed));
                let _ = connection.write_all(b"done\n");
            }
        });
    }
    Ok(())
}

fn check_known() -> Outcome<()> {
    let exchange = Exchange { request: b"ask\n".into(), answer: b"done\n".into() };
    let counts = count(&[KNOWN], &exchange, 1.0)?;
    let known = [
        ("benches/touched.rs", "atomic", 5.0),
        ("benches/touched.rs", "atomic-shared", 3.0),
        (ALL, "atomic-shared", 3.0),
        (ALL, "stores-shared", 1.0),
        (ALL, "loads-shared", 1.0),
    ];
    let is_found =
        |(place, figure, count)| counts.get(place)?.get(figure).map(|found| *found == count);
    match known.into_iter().find(|known| is_found(*known) != Some(true)) {
        Some(known) => Err(format!("{known:?} isn't in {counts:?}").into()),
        None => Ok(()),
    }
}

// ---- what lackey writes down ------------------------------------------------------------------------

/// All places together.
const ALL: &str = "all";

/// Lets two clients in turn ask this program, run as a server. Returns the [`figures`].
fn count(args: &[&str], exchange: &Exchange, in_flight: f64) -> Outcome<BTreeMap<String, Figures>> {
    let log = NamedTempFile::new_in(in_memory())?;
    let log_file = format!("--log-file={}", log.path().display());
    let lackey = ["--tool=lackey", "--trace-mem=yes", "--trace-sched=yes", "--trace-syscalls=yes"];
    let valgrind = [&["valgrind", log_file.as_str()], &lackey[..]].concat();
    for _ in 0..TRIES {
        let server = Process::start(&valgrind, args)?;
        let mut clients = [connect(0, server.addr)?, connect(1, server.addr)?];
        for _ in 0..WARM_UP + EXCHANGES {
            clients.iter_mut().try_for_each(|client| exchange.ask(client, &mut Vec::new()))?;
        }
        let code = Code::of(server.id())?;
        drop(server);
        match threads(BufReader::new(File::open(&log)?))? {
            Some(threads) => return figures(&threads, &code, (2 * EXCHANGES) as f64 * in_flight),
            None => eprintln!("a thread has answered the other one's client; once more"),
        }
    }
    Err("no client has one thread for itself".into())
}

/// What an instruction does with memory.
#[derive(PartialEq, Eq, Hash)]
struct Access {
    instruction: u64,
    writes: bool,
    address: u64,
    len: u64,
}

impl Access {
    /// The numbers of the blocks of that size that it touches.
    fn blocks(&self, size: u64) -> impl Iterator<Item = u64> + use<> {
        self.address / size..=(self.address + self.len - 1) / size
    }
}

/// How often each was done.
type Accesses = HashMap<Access, u64>;

/// What each of the two threads did from the last answer of the warm-up to its last. None, if one has answered for
/// the other.
fn threads(log: impl BufRead) -> Outcome<Option<[Accesses; 2]>> {
    // From each answer to the next.
    let mut threads: HashMap<String, Vec<Accesses>> = HashMap::new();
    let (mut running, mut instruction) = (String::new(), 0);
    for line in log.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let between = |from, to| Some(line.split_once(from)?.1.split_once(to)?.0);
        match (line.as_bytes(), line.get(3..).and_then(|rest| rest.split_once(','))) {
            ([b'I' | b' ', kind @ (b' ' | b'L' | b'S' | b'M'), ..], Some((address, len))) => {
                let (address, len) = (u64::from_str_radix(address, 16)?, len.parse()?);
                if *kind == b' ' {
                    instruction = address;
                } else if let Some(accesses) =
                    threads.get_mut(&running).and_then(|all| all.last_mut())
                {
                    let access = Access { instruction, writes: *kind != b'L', address, len };
                    *accesses.entry(access).or_default() += 1;
                }
            }
            _ if line.contains("acquired lock") => {
                running = between("SCHED[", "]").ok_or("a thread has no number")?.to_owned();
            }
            _ if line.contains("sys_sendto") => {
                let thread = between(",", "]").ok_or("a thread has no number")?;
                threads.entry(thread.to_owned()).or_default().push(Accesses::new());
            }
            _ => {}
        }
    }
    if threads.values().any(|all| !all.len().is_multiple_of(WARM_UP + EXCHANGES)) {
        return Ok(None);
    }
    let counted = threads.into_values().map(|all| {
        let (mut sum, number) = (Accesses::new(), all.len() / (WARM_UP + EXCHANGES) * EXCHANGES);
        // What comes after the last answer isn't complete.
        for (access, count) in all.into_iter().rev().skip(1).take(number).flatten() {
            *sum.entry(access).or_default() += count;
        }
        sum
    });
    Ok(counted.collect::<Vec<_>>().try_into().ok())
}

/// The blocks of memory of that size that one thread writes and the other one touches; by their numbers.
fn shared(threads: &[Accesses; 2], size: u64) -> HashSet<u64> {
    let blocks = |accesses: &Accesses, reads: bool| -> HashSet<u64> {
        let all = accesses.keys().filter(|access| access.writes || reads);
        all.flat_map(|access| access.blocks(size)).collect()
    };
    let [[writes, touches], [other_writes, other_touches]] =
        threads.each_ref().map(|accesses| [blocks(accesses, false), blocks(accesses, true)]);
    &(&writes & &other_touches) | &(&other_writes & &touches)
}

/// What a request touched: all, and the atomic accesses by their place in the source.
fn figures(
    threads: &[Accesses; 2],
    code: &Code,
    requests: f64,
) -> Outcome<BTreeMap<String, Figures>> {
    let (words, lines) = (shared(threads, 8), shared(threads, 64));
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let mut add = |place: &str, figure: &str, count: u64| {
        let figures = figures.entry(place.to_owned()).or_default();
        *figures.entry(figure.to_owned()).or_default() += count as f64 / requests;
    };
    let mut places = HashMap::new();
    for (access, &count) in threads.iter().flatten() {
        let of = |shared: &HashSet<u64>, size| {
            if access.blocks(size).any(|block| shared.contains(&block)) { count } else { 0 }
        };
        let (instruction, of_words) = (access.instruction, of(&words, 8));
        add(ALL, "lines-shared", of(&lines, 64));
        match (code.is_atomic(instruction)?, access.writes) {
            (true, true) => {
                let place = places.entry(instruction).or_insert_with(|| code.place(instruction));
                for place in [ALL, place] {
                    add(place, "atomic", count);
                    add(place, "atomic-shared", of_words);
                }
            }
            // The trace has one beside the modification.
            (true, false) => {}
            (false, true) => add(ALL, "stores-shared", of_words),
            (false, false) => add(ALL, "loads-shared", of_words),
        }
    }
    Ok(figures)
}

// ---- the instructions -------------------------------------------------------------------------------

/// The programs and libraries that a process consists of: what is mapped, where the file's beginning is, and its bytes.
struct Code(Vec<(MemoryMap, u64, Vec<u8>)>);

impl Code {
    fn of(process: u32) -> Outcome<Code> {
        let (mut code, mut base) = (Vec::new(), 0);
        for map in procfs::process::Process::new(process.try_into()?)?.maps()? {
            if map.offset == 0 {
                base = map.address.0;
            }
            if let MMapPath::Path(path) = &map.pathname
                && map.perms.contains(MMPermissions::EXECUTE)
            {
                let bytes = fs::read(path)?;
                code.push((map, base, bytes));
            }
        }
        Ok(Code(code))
    }

    fn file(&self, instruction: u64) -> Option<&(MemoryMap, u64, Vec<u8>)> {
        self.0.iter().find(|(map, ..)| (map.address.0..map.address.1).contains(&instruction))
    }

    /// Whether an instruction that accesses memory does so atomically.
    fn is_atomic(&self, instruction: u64) -> Outcome<bool> {
        let (map, _, bytes) = self.file(instruction).ok_or("an instruction is in no file")?;
        let at = (instruction - map.address.0 + map.offset) as usize;
        let is_prefix =
            |byte: &&u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf2 | 0xf3);
        let mut bytes = bytes[at..].iter().skip_while(is_prefix);
        Ok(match bytes.next() {
            Some(0xf0 | 0x86 | 0x87) => true,
            Some(0x40..=0x4f) => matches!(bytes.next(), Some(0x86 | 0x87)),
            _ => false,
        })
    }

    /// Whose an instruction is: the innermost source file that isn't the standard library's; of a library its name.
    fn place(&self, instruction: u64) -> String {
        let frames = self.file(instruction).and_then(|(map, base, _)| {
            let MMapPath::Path(path) = &map.pathname else { return None };
            let at = format!("{:x}", instruction - base);
            output("addr2line", &["-i", "-e", path.to_str()?, &at]).ok()
        });
        let frames = frames.unwrap_or_default();
        let mut files = frames.lines().filter_map(|frame| Some(frame.split_once(':')?.0));
        let file = files.find(|file| !file.contains("/library/")).unwrap_or("std");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let own = root.and_then(|root| Path::new(file).strip_prefix(root).ok()?.to_str());
        let library = file
            .split_once("/registry/src/")
            .and_then(|(_, rest)| Some(rest.split('/').nth(1)?.rsplit_once('-')?.0));
        own.or(library).or(file.rsplit('/').next()).unwrap_or_default().to_owned()
    }
}
