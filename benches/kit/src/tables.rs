//! The tables of the texts, in Markdown: which figures of which record they show, and how.

use crate::record::{Record, Rounds};
use std::collections::BTreeSet;

/// What is measured side by side, and what the charts call it.
pub(crate) const STAGES: [(&str, &str); 8] = [
    ("stage-1", "1 naive pool"),
    ("stage-2", "2 shared engine"),
    ("stage-3", "3 threaded server"),
    ("stage-4", "4 shared queue"),
    ("stage-5", "5 any pool"),
    ("stage-6", "6 RwLock"),
    ("stage-7", "7 lock-free"),
    ("final", "final"),
];

/// A table with a row for each of `rows` that has a cell.
pub(crate) fn grid<S: AsRef<str>, T>(
    title: &str,
    rows: &[&str],
    columns: &[(S, T)],
    cell: impl Fn(&str, &T) -> Option<String>,
) -> Option<String> {
    let titles = columns.iter().map(|(title, _)| title.as_ref());
    let titles: Vec<&str> = std::iter::once(title).chain(titles).collect();
    let row = |row: &&str| {
        let cells: Vec<_> = columns.iter().map(|(_, column)| cell(row, column)).collect();
        let is_empty = cells.iter().all(Option::is_none);
        let cells = cells.into_iter().map(Option::unwrap_or_default);
        (!is_empty).then(|| std::iter::once((*row).to_owned()).chain(cells).collect())
    };
    table(&titles, rows.iter().filter_map(row))
}

/// The numbers at a place in what the samples are of.
pub(crate) fn numbers_at(record: &Record, place: usize) -> BTreeSet<u32> {
    let numbers = record.samples.iter().map(|sample| sample.of.split('/').nth(place)?.parse().ok());
    numbers.flatten().collect()
}

/// A line that says what was measured on, and then tables.
pub(crate) fn below(head: String, tables: impl IntoIterator<Item = Option<String>>) -> String {
    let tables = tables.into_iter().flatten();
    std::iter::once(head + "\n").chain(tables).collect::<Vec<_>>().join("\n")
}

/// The system calls and switches of an operation.
pub fn counts(record: &Record) -> String {
    const WORKS: [(&str, &str); 3] =
        [("a get", "read"), ("a set", "write"), ("an operation, 95 gets to 5 sets", "mixed")];
    const COUNTED: [(&str, &str); 5] = [
        ("threads", "threads"),
        ("system calls", "calls"),
        ("of `futex`", "futex"),
        ("context switches", "context-switches"),
        ("moves to another core", "cpu-migrations"),
    ];
    let stages = STAGES.map(|(stage, _)| stage);
    let cell = |work: &str, stage: &str, tool: &str, event: &str| {
        let counts = record.rounds_of(&format!("{work}/{stage}/{tool}"), event)?;
        Some(if event == "threads" { counts.median().to_string() } else { with_spread(&counts) })
    };
    let counted = WORKS.map(|(title, work)| {
        grid(title, &stages, &COUNTED, |stage, event| cell(work, stage, "perf", event))
    });
    // The names of the system calls. Those that are not seen in a hundred operations are left out.
    let calls = |stage: &str, work: &str| {
        let of = format!("{work}/{stage}/strace");
        let samples = record.samples.iter().filter(|sample| sample.of == of);
        let names: BTreeSet<&String> = samples.flat_map(|sample| sample.figures.keys()).collect();
        let names = names.into_iter().filter(|name| !["calls", "threads"].contains(&name.as_str()));
        let calls = names.filter_map(|name| {
            let counts = record.rounds_of(&of, name)?;
            (counts.median() >= 0.01).then(|| format!("{} `{name}`", with_spread(&counts)))
        });
        let calls: Vec<String> = calls.collect();
        (!calls.is_empty()).then(|| calls.join(", "))
    };
    let columns: Vec<_> = std::iter::once(("threads", "threads")).chain(WORKS).collect();
    let named = grid("as `strace` sees it", &stages, &columns, |stage, work| match *work {
        "threads" => cell("read", stage, "strace", "threads"),
        work => calls(stage, work),
    });
    let head = format!("{}; rounds: {}.", record.source(), record.rounds());
    below(head, counted.into_iter().chain([named]))
}

/// What a get touches in memory; its atomic accesses in each stage, and in `final` by their place.
pub fn touched(record: &Record) -> String {
    const COUNTED: [(&str, &str); 5] = [
        ("atomic read-modify-writes", "atomic"),
        ("of them on shared words", "atomic-shared"),
        ("other stores to these", "stores-shared"),
        ("other loads of these", "loads-shared"),
        ("accesses to shared cache lines", "lines-shared"),
    ];
    let count = |of: &str, figure: &str| Some(number(record.rounds_of(of, figure)?.median()));
    let stages = STAGES.map(|(stage, _)| stage);
    let flights = numbers_at(record, 1);
    let all = flights.iter().map(|n| {
        let title = format!("a get, {n} in flight");
        grid(&title, &stages, &COUNTED, |stage, figure| count(&format!("{stage}/{n}/all"), figure))
    });
    let of_final = record.samples.iter().filter_map(|sample| sample.of.strip_prefix("final/"));
    let places: BTreeSet<&str> = of_final.filter_map(|of| Some(of.split_once('/')?.1)).collect();
    let places: Vec<&str> = places.into_iter().filter(|place| *place != "all").collect();
    let columns = flights.iter().map(|n| (format!("{n} in flight"), n)).collect::<Vec<_>>();
    let title = "`final`: atomic read-modify-writes a get, in";
    let by_place =
        grid(title, &places, &columns, |place, n| count(&format!("final/{n}/{place}"), "atomic"));
    let bytes = record.conditions.number("value_bytes");
    let head = format!("{}; values of {bytes} bytes.", record.source());
    below(head, all.chain([by_place]))
}

/// Milliseconds an iteration of the six benches of the challenge, by the number of threads.
pub fn queued(record: &Record) -> String {
    const BENCHES: [&str; 6] = [
        "write_queued_kvstore",
        "read_queued_kvstore",
        "write_queued_rayon",
        "read_queued_rayon",
        "write_queued_sled",
        "read_queued_sled",
    ];
    let time = |of: &str| Some(with_spread(&record.shown(of, "seconds")?));
    let threads = numbers_at(record, 2).into_iter().map(|n| (n.to_string(), n));
    let title = "ms an iteration; threads of the pool";
    let table = grid(title, &BENCHES, &threads.collect::<Vec<_>>(), |bench, n| {
        time(&format!("{bench}/{}/{n}", server(record)))
    });
    let null = time("null/clients").unwrap_or_default();
    let (server, source, rounds) = (server(record), record.source(), record.rounds());
    let server = server.replace('-', " ");
    let head = format!("On {server}; {source}; rounds: {rounds}; `null`: {null} ms an iteration.");
    below(head, [table])
}

/// Whose server the six were measured on, as it is in their names.
pub(crate) fn server(record: &Record) -> String {
    let stage = record.conditions.settings.get("stage").and_then(|stage| stage.as_str());
    stage.filter(|stage| *stage != "final").map_or("final".to_owned(), |n| format!("stage-{n}"))
}

/// The workloads of `scaling`: name, title in the charts, and what counts threads there.
pub(crate) const SCALING: [(&str, &str, &str); 9] = [
    ("read", "Gets", "threads"),
    ("write", "Sets", "threads"),
    ("mixed", "95 % gets, 5 % sets", "threads"),
    ("beside-writer", "Gets beside a thread that does nothing but set", "threads that get"),
    ("compacting", "Gets while the store compacts for half of the time", "threads that get"),
    ("server-get", "Gets, 16 at once from each client", SERVED),
    ("server-set", "Sets, 16 at once from each client", SERVED),
    ("server-mixed", "95 % gets, 5 % sets, 16 at once from each client", SERVED),
    (
        "server-connect",
        "Gets of 16 clients, each over a new connection",
        "threads of the server's pool",
    ),
];
const SERVED: &str = "threads of the server's pool, and clients";

/// How many times as long as the others a workload of `scaling` is measured.
///
/// A stage stops for a compaction after every 10,000 sets. Where somebody does nothing but set, the
/// time is over in one more often than not, and what was done is a whole number of those. Beside a
/// compactor the time has to hold several compactions, or one more or less would decide.
pub fn times_as_long(work: &str) -> f64 {
    match work {
        "compacting" => 3.0,
        "server-set" => 4.0,
        work if work.contains("write") => 4.0,
        _ => 1.0,
    }
}

/// How many seconds a workload of `scaling` was measured.
pub(crate) fn seconds(record: &Record, work: &str) -> f64 {
    (1000.0 * record.conditions.number("seconds") * times_as_long(work)).round() / 1000.0
}

/// The stages with as many threads as there are cores, or a few more.
pub fn scaling(record: &Record) -> String {
    let (stages, cores) = (STAGES.map(|(stage, _)| stage), record.conditions.machine.cores as u32);
    // The numbers of threads double, and that of the cores may lie between two of them.
    let cores =
        numbers_at(record, 2).range(..=cores.next_power_of_two()).max().copied().unwrap_or(1);
    let rounds = |stage: &str, work: &str, threads, figure| {
        record.shown(&format!("{work}/{stage}/{threads}"), figure)
    };
    let works = SCALING.map(|(work, ..)| (work, work));
    // The workloads in which more threads do more of the same, and nothing else changes.
    let alone = &works[..3];
    let rate = |stage: &str, work: &&str| Some(with_spread(&rounds(stage, work, cores, "rate")?));
    let times = |stage: &str, work: &&str| {
        let rate = |threads| Some(rounds(stage, work, threads, "rate")?.median());
        Some(number(rate(cores)? / rate(1)?))
    };
    let waits =
        |stage: &str, work: &&str| Some(number(rounds(stage, work, cores, "waits")?.median()));
    let conditions = &record.conditions;
    let head = format!(
        "{}; {} keys, values of {} bytes, {} s a measurement ({} s where one thread does nothing \
         but set, {} s where one compacts).",
        record.source(),
        thousands(conditions.number("keys") as u64),
        thousands(conditions.number("value_bytes") as u64),
        seconds(record, "read"),
        seconds(record, "write"),
        seconds(record, "compacting"),
    );
    let rates = format!("Thousands of operations a second, {cores} threads");
    below(
        head,
        [
            grid(&rates, &stages, &works, rate),
            grid("Times as many as with one thread", &stages, alone, times),
            grid(&format!("Waits an operation, {cores} threads"), &stages, &works, waits),
        ],
    )
}

/// A table: the title of each column, and the cells of each row. The first column is text, the others
/// are numbers. None, if there are no rows.
///
/// By hand, because the libraries for tables draw them for a terminal: what they can do that this can't
/// is to make columns as wide as their cells.
pub fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Option<String> {
    let line = |cells: String| format!("| {cells} |\n");
    let rows: String = rows.into_iter().map(|cells| line(cells.join(" | "))).collect();
    let rule = format!("|---|{}\n", "--:|".repeat(titles.len() - 1));
    (!rows.is_empty()).then(|| line(titles.join(" | ")) + &rule + &rows)
}

/// The median, with least and most if they look different.
pub fn with_spread(rounds: &Rounds) -> String {
    let (least, most) = (number(rounds.least()), number(rounds.most()));
    let median = number(rounds.median());
    if least == most { median } else { format!("{median} ({least}–{most})") }
}

/// With about three digits.
pub fn number(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1000.0 => thousands(figure.round() as u64),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        size if size >= 0.001 => format!("{figure:.3}"),
        _ => format!("{figure:.5}"),
    }
}

/// A whole number, with commas between its thousands.
pub fn thousands(number: u64) -> String {
    let (head, tail) = (number / 1000, number % 1000);
    if head == 0 { tail.to_string() } else { format!("{},{tail:03}", thousands(head)) }
}
