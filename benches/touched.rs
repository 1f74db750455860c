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
use kvs_bench_kit::options::{Amount, Options, in_memory};
use kvs_bench_kit::record::{Figures, output};
use kvs_bench_kit::{Outcome, Record, tables};
use kvs_bench_stages::Stage;
use kvs_bench_stages::process::{self, Process, SERVE, Task};
use procfs::process::{MMPermissions, MMapPath};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tempfile::NamedTempFile;

const VALUE_BYTES: usize = 256;
const CLIENTS: usize = 2;
/// Exchanges of each client that aren't counted.
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
    let exchanges = match options.amount {
        Amount::Test => 1,
        Amount::Quick => 2,
        Amount::Full => 4,
    };
    let settings = [("exchanges", exchanges.into()), ("value_bytes", VALUE_BYTES.into())];
    let mut record = options.continued(Record::new(&in_memory(), settings)?)?;
    let stages = Stage::picked(cfg!(feature = "all-stages"), env!("KVS_STAGE"));
    // The others serve one client at a time.
    let stages = stages.filter(|(stage, _)| *stage >= Stage::ThreadedServer);
    let stages: Vec<_> =
        stages.filter(|(_, name)| options.wants(&format!("touched/{name}"))).collect();
    if stages.is_empty() {
        return Ok(());
    }
    for program in ["valgrind", "addr2line"] {
        if !cfg!(target_arch = "x86_64") || output(program, &["--version"]).is_err() {
            println!("nothing is counted: there is no {program} here, or no x86-64");
            return Ok(());
        }
    }
    check_known()?;
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
            let task = Task { stage, threads: CLIENTS as u32, dir: dir.path().to_path_buf() };
            let task = serde_json::to_string(&task)?;
            let counts = count(&[SERVE, &task], &exchange, exchanges, in_flight as f64)?;
            for (place, figures) in counts {
                record.add(format!("{name}/{in_flight}/{place}"), figures);
            }
        }
    }
    if let Some(path) = &options.json {
        record.write(path)?;
    }
    print!("{}", tables::touched(&record));
    Ok(())
}

// ---- a server whose accesses are known -------------------------------------------------------------

const KNOWN: &str = "known";

/// What a request does here: it adds to a number of its connection's twice and to one of all three times, and
/// stores another one of all, and loads it.
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
                (0..2).for_each(|_| _ = black_box(&own).fetch_add(1, Ordering::Relaxed));
                (0..3).for_each(|_| _ = black_box(&ADDED).fetch_add(1, Ordering::Relaxed));
                black_box(&STORED).store(7, Ordering::Relaxed);
                black_box(black_box(&STORED).load(Ordering::Relaxed));
                let _ = connection.write_all(b"done\n");
            }
        });
    }
    Ok(())
}

fn check_known() -> Outcome<()> {
    let exchange = Exchange { request: b"ask\n".into(), answer: b"done\n".into() };
    let counts = count(&[KNOWN], &exchange, 2, 1.0)?;
    let known = [
        ("benches/touched.rs", "atomic", 5.0),
        ("benches/touched.rs", "atomic-shared", 3.0),
        (ALL, "atomic-shared", 3.0),
        (ALL, "stores-shared", 1.0),
        (ALL, "loads-shared", 1.0),
    ];
    let found =
        |(place, figure, count)| counts.get(place)?.get(figure).filter(|found| **found == count);
    match known.into_iter().find(|known| found(*known).is_none()) {
        Some(known) => Err(format!("{known:?} isn't in {counts:?}").into()),
        None => Ok(()),
    }
}

// ---- what lackey writes down ------------------------------------------------------------------------

/// All places together.
const ALL: &str = "all";

/// Lets two clients in turn ask this program, run as a server. Returns the [`figures`].
fn count(
    args: &[&str],
    exchange: &Exchange,
    exchanges: usize,
    in_flight: f64,
) -> Outcome<BTreeMap<String, Figures>> {
    let log = NamedTempFile::new_in(in_memory())?;
    let log_file = format!("--log-file={}", log.path().display());
    let lackey = ["--tool=lackey", "--trace-mem=yes", "--trace-sched=yes", "--trace-syscalls=yes"];
    let valgrind = [&["valgrind", log_file.as_str()], &lackey[..]].concat();
    for _ in 0..TRIES {
        let server = Process::start(&valgrind, args)?;
        let clients = (0..CLIENTS).map(|client| connect(client, server.addr));
        let mut clients = clients.collect::<Outcome<Vec<_>>>()?;
        for _ in 0..WARM_UP + exchanges {
            for client in &mut clients {
                exchange.ask(client, &mut Vec::new())?;
            }
        }
        let code = Code::of(server.id())?;
        drop(server);
        let requests = (CLIENTS * exchanges) as f64 * in_flight;
        match threads(BufReader::new(File::open(&log)?), exchanges)? {
            Some(threads) => return figures(&threads, &code, requests),
            None => eprintln!("a thread has answered the other one's client; once more"),
        }
    }
    Err("no client has one thread for itself".into())
}

/// An instruction that loads, stores or, as the trace has it, modifies.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Access {
    instruction: u64,
    kind: u8,
    address: u64,
    len: u64,
}

impl Access {
    fn writes(self) -> bool {
        self.kind != b'L'
    }

    /// The numbers of the blocks of that size that it touches.
    fn blocks(self, size: u64) -> impl Iterator<Item = u64> {
        self.address / size..=(self.address + self.len - 1) / size
    }
}

/// What a thread does from one answer to the next, or in several such times.
#[derive(Default)]
struct Turn {
    instructions: u64,
    accesses: HashMap<Access, u64>,
}

/// What each thread did from the last answer of the warm-up to its last. None, if one has answered for the other.
fn threads(log: impl BufRead, exchanges: usize) -> Outcome<Option<Vec<Turn>>> {
    let mut threads: HashMap<String, Vec<Turn>> = HashMap::new();
    let (mut running, mut instruction) = (String::new(), 0);
    for line in log.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let between = |from, to| Some(line.split_once(from)?.1.split_once(to)?.0);
        match (line.as_bytes(), line.get(3..).and_then(|rest| rest.split_once(','))) {
            ([b'I' | b' ', kind @ (b' ' | b'L' | b'S' | b'M'), ..], Some((address, len))) => {
                let (address, len) = (u64::from_str_radix(address, 16)?, len.parse()?);
                let is_instruction = *kind == b' ';
                if is_instruction {
                    instruction = address;
                }
                // What a thread does before its first answer belongs to the start.
                if let Some(turn) = threads.get_mut(&running).and_then(|turns| turns.last_mut()) {
                    turn.instructions += u64::from(is_instruction);
                    if !is_instruction {
                        let access = Access { instruction, kind: *kind, address, len };
                        *turn.accesses.entry(access).or_default() += 1;
                    }
                }
            }
            _ if line.contains("acquired lock") => {
                running = between("SCHED[", "]").ok_or("a thread has no number")?.to_owned();
            }
            _ if line.contains("sys_sendto") => {
                let thread = between(",", "]").ok_or("a thread has no number")?;
                threads.entry(thread.to_owned()).or_default().push(Turn::default());
            }
            _ => {}
        }
    }
    let is_regular = |turns: &Vec<Turn>| turns.len().is_multiple_of(WARM_UP + exchanges);
    if threads.len() != CLIENTS || !threads.values().all(is_regular) {
        return Ok(None);
    }
    let counted = |turns: Vec<Turn>| {
        let number = turns.len() / (WARM_UP + exchanges) * exchanges;
        // What comes after the last answer isn't complete.
        let turns = turns.into_iter().rev().skip(1).take(number);
        turns.fold(Turn::default(), |mut sum, turn| {
            sum.instructions += turn.instructions;
            turn.accesses
                .into_iter()
                .for_each(|(access, count)| *sum.accesses.entry(access).or_default() += count);
            sum
        })
    };
    Ok(Some(threads.into_values().map(counted).collect()))
}

/// The blocks of memory of that size that several threads touch, and one of them writes; by their numbers.
fn shared(threads: &[Turn], size: u64) -> HashSet<u64> {
    // By how many they are touched, and whether they are written.
    let mut blocks: HashMap<u64, (usize, bool)> = HashMap::new();
    for thread in threads {
        let mut own = HashMap::new();
        for access in thread.accesses.keys() {
            access.blocks(size).for_each(|block| *own.entry(block).or_default() |= access.writes());
        }
        for (block, written) in own {
            let (threads, any) = blocks.entry(block).or_default();
            (*threads, *any) = (*threads + 1, *any || written);
        }
    }
    let shared = blocks.into_iter().filter(|(_, (threads, written))| *threads > 1 && *written);
    shared.map(|(block, _)| block).collect()
}

/// What a request touched: all, and the atomic accesses by their place in the source.
fn figures(threads: &[Turn], code: &Code, requests: f64) -> Outcome<BTreeMap<String, Figures>> {
    let (words, lines) = (shared(threads, 8), shared(threads, 64));
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let mut add = |place: &str, figure: &str, count: u64| {
        let figures = figures.entry(place.to_owned()).or_default();
        *figures.entry(figure.to_owned()).or_default() += count as f64 / requests;
    };
    let mut places = HashMap::new();
    for thread in threads {
        add(ALL, "instructions", thread.instructions);
        for (access, &count) in &thread.accesses {
            let of_both = |of: &HashSet<u64>, size| {
                if access.blocks(size).any(|block| of.contains(&block)) { count } else { 0 }
            };
            let (of_words, is_atomic) = (of_both(&words, 8), code.is_atomic(access.instruction)?);
            // The trace has a load beside the modification.
            if is_atomic && access.writes() {
                let place = match places.entry(access.instruction) {
                    Entry::Occupied(place) => place.into_mut(),
                    Entry::Vacant(place) => place.insert(code.place(access.instruction)?),
                };
                for place in [ALL, place] {
                    add(place, "atomic", count);
                    add(place, "atomic-shared", of_words);
                }
            } else if !is_atomic {
                add(ALL, if access.writes() { "stores-shared" } else { "loads-shared" }, of_words);
            }
            add(ALL, "lines-shared", of_both(&lines, 64));
        }
    }
    Ok(figures)
}

// ---- the instructions -------------------------------------------------------------------------------

/// The programs and libraries that a process consists of.
struct Code(Vec<Image>);

struct Image {
    addresses: (u64, u64),
    /// Where these are in the file, and where the file would begin.
    offset: u64,
    base: u64,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Code {
    fn of(process: u32) -> Outcome<Code> {
        let maps = procfs::process::Process::new(process.try_into()?)?.maps()?;
        let (mut images, mut base) = (Vec::new(), 0);
        for map in maps {
            let MMapPath::Path(path) = map.pathname else { continue };
            if map.offset == 0 {
                base = map.address.0;
            }
            if map.perms.contains(MMPermissions::EXECUTE) {
                let bytes = fs::read(&path)?;
                let (addresses, offset) = (map.address, map.offset);
                images.push(Image { addresses, offset, base, path, bytes });
            }
        }
        Ok(Code(images))
    }

    fn image(&self, instruction: u64) -> Outcome<&Image> {
        let has = |image: &&Image| (image.addresses.0..image.addresses.1).contains(&instruction);
        Ok(self.0.iter().find(has).ok_or("an instruction is in no file")?)
    }

    /// Whether an instruction that accesses memory does so atomically.
    fn is_atomic(&self, instruction: u64) -> Outcome<bool> {
        let image = self.image(instruction)?;
        let at = (instruction - image.addresses.0 + image.offset) as usize;
        let is_prefix =
            |byte: &&u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf2 | 0xf3);
        let mut bytes = image.bytes[at..].iter().skip_while(is_prefix);
        Ok(match bytes.next() {
            Some(0xf0 | 0x86 | 0x87) => true,
            Some(0x40..=0x4f) => matches!(bytes.next(), Some(0x86 | 0x87)),
            _ => false,
        })
    }

    /// Whose an instruction is: the innermost source file that isn't the standard library's; of a library its name.
    fn place(&self, instruction: u64) -> Outcome<String> {
        const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/");
        let Image { base, path, .. } = self.image(instruction)?;
        let at = format!("{:x}", instruction - base);
        let frames = output("addr2line", &["-i", "-e", path.to_str().unwrap_or_default(), &at])?;
        let mut files = frames.lines().filter_map(|frame| Some(frame.split_once(':')?.0));
        let Some(file) = files.find(|file| !file.contains("/library/")) else {
            return Ok("std".to_owned());
        };
        let library = file
            .split_once("/registry/src/")
            .and_then(|(_, rest)| rest.split('/').nth(1)?.rsplit_once('-'));
        let (own, name) =
            (file.strip_prefix(ROOT.trim_end_matches("benches/")), Path::new(file).file_name());
        Ok(match (library, own, name) {
            (Some((library, _)), ..) => library.to_owned(),
            (_, Some(own), _) => own.to_owned(),
            _ if file == "??" => file.to_owned(),
            (_, _, name) => [path.file_name(), name]
                .map(Option::unwrap_or_default)
                .map(|n| n.display().to_string())
                .join(": "),
        })
    }
}
