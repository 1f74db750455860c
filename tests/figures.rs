//! Are the records of the benches of the code that is there, and the figures those of the records?
//!
//! The benches in `benches/` that draw have their drawing compiled in here.
#![allow(clippy::unwrap_used)]
#![allow(dead_code)] // the benches use more of these files

#[path = "../benches/scaling/draw.rs"]
mod draw;
#[path = "../benches/support/insert.rs"]
mod insert;
#[path = "../benches/support/record.rs"]
mod record;
#[path = "../benches/scaling/sample.rs"]
mod sample;
#[path = "../benches/support/samples.rs"]
mod samples;
#[path = "../benches/scaling/stage.rs"]
mod stage;
#[path = "../benches/support/style.rs"]
mod style;
#[path = "../benches/scaling/table.rs"]
mod table;
#[path = "../benches/scaling/workloads.rs"]
mod workloads;

use record::Outcome;
use sample::Scaling;
use stage::Stage;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use workloads::Work;

/// Files by their names.
type Files = BTreeMap<String, String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scaling() -> Scaling {
    Scaling::read(&root().join(sample::RECORD)).unwrap()
}

/// The figures that are kept and whose names begin so.
fn kept(prefix: &str) -> Files {
    let files = fs::read_dir(root().join(draw::FIGURES)).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    files.filter(|(name, _)| name.starts_with(prefix)).collect()
}

/// The names of those that are there and not drawn, drawn and not there, or drawn otherwise.
fn differing(kept: &Files, drawn: &Files) -> Vec<String> {
    let names = kept.keys().chain(drawn.keys()).filter(|&name| kept.get(name) != drawn.get(name));
    let names: std::collections::BTreeSet<_> = names.cloned().collect();
    names.into_iter().collect()
}

#[test]
fn the_figures_of_scaling_are_those_of_its_record() {
    let drawn: Files = draw::figures(&scaling()).unwrap().into_iter().collect();
    let differing = differing(&kept("scaling-"), &drawn);
    assert!(
        differing.is_empty(),
        "{differing:?} of {} are not what the record draws; draw them again:\n\
         rm {}/scaling-*.svg; cargo bench --features all-stages --bench scaling -- --draw",
        draw::FIGURES,
        draw::FIGURES,
    );
    assert_eq!(drawn.len(), 2 * 19);
}

#[test]
fn the_tables_of_scaling_are_those_of_its_record() {
    let text = fs::read_to_string(root().join(table::TEXT)).unwrap();
    let made = insert::insert(&text, table::BEGIN, &table::summary(&scaling())).unwrap();
    assert!(
        text == made,
        "the tables in {} are not those of the record; put them there again:\n\
         cargo bench --features all-stages --bench scaling -- --draw",
        table::TEXT,
    );
}

/// A sentence of the text, and whether a record bears it out: with its median of a workload's figure
/// on a stage with so many threads.
type Claim = (&'static str, fn(&dyn Fn(Work, Stage, u32, &str) -> f64, u32, u32) -> bool);

const LOCKED: [Stage; 4] =
    [Stage::SharedEngine, Stage::ThreadedServer, Stage::SharedQueue, Stage::Rayon];
const FREE: [Stage; 2] = [Stage::LockFree, Stage::Final];

/// What `benches/README.md` says of the figures, in words. `n` is the number of cores, and `most`
/// that of the most threads.
const CLAIMS: [Claim; 12] = [
    ("With one lock around all, two threads read less than one does.", |of, _, _| {
        LOCKED.iter().all(|&s| of(Work::Read, s, 2, "rate") < of(Work::Read, s, 1, "rate"))
    }),
    ("Each finds the lock taken, sleeps and is woken: the table has the waits.", |of, n, _| {
        LOCKED.iter().all(|&s| of(Work::Read, s, n, "waits") > 0.01)
    }),
    ("or has none (7, `final`) reads more with a second core.", |of, _, _| {
        let more = |s| of(Work::Read, s, 2, "rate") > 1.2 * of(Work::Read, s, 1, "rate");
        more(Stage::RwLock) && FREE.into_iter().all(more)
    }),
    ("stage 6 gains little from the second core, stage 7 and `final` still do.", |of, _, _| {
        let gain = |s| of(Work::Mixed, s, 2, "rate") / of(Work::Mixed, s, 1, "rate");
        gain(Stage::RwLock) < 1.2 && FREE.into_iter().all(|s| gain(s) > 1.2)
    }),
    (
        "when there are more threads than cores, stage 6 has the longest waits of all",
        |of, _, most| {
            let p99 = |s| of(Work::Mixed, s, most, "p99");
            LOCKED.into_iter().chain(FREE).all(|s| p99(Stage::RwLock) > 5.0 * p99(s))
        },
    ),
    ("no stage sets more with two threads than with one.", |of, _, _| {
        let rate = |s, threads| of(Work::Write, s, threads, "rate");
        Stage::ALL[1..].iter().all(|&s| rate(s, 2) < rate(s, 1))
    }),
    ("One reader beside a busy writer gets least where it needs the writer's lock.", |of, _, _| {
        let rate = |s| of(Work::BesideWriter, s, 1, "rate");
        Stage::ALL[1..6].iter().all(|&s| FREE.into_iter().all(|free| rate(free) > 1.5 * rate(s)))
    }),
    ("but its writer hardly gets the lock any more.", |of, _, most| {
        let sets = |s| of(Work::BesideWriter, s, most, "sets");
        LOCKED.into_iter().chain(FREE).all(|s| sets(s) > 5.0 * sets(Stage::RwLock))
    }),
    ("a reader waits for the whole compaction; in stage 7 and `final` it does not.", |of, _, _| {
        let longest = |s| of(Work::Compacting, s, 1, "longest");
        Stage::ALL[1..6].iter().all(|&s| FREE.into_iter().all(|f| longest(s) > 5.0 * longest(f)))
    }),
    ("with so few of them its line is flat, and the stages' thread", |of, _, most| {
        let rate = |s, threads| of(Work::ServerGet, s, threads, "rate");
        rate(Stage::Final, most) < 1.3 * rate(Stage::Final, 2)
            && rate(Stage::LockFree, most) > rate(Stage::Final, most)
    }),
    ("Where all write, `final` is ahead with two clients and more", |of, _, most| {
        let rate = |s, threads| of(Work::ServerSet, s, threads, "rate");
        let others = [Stage::ThreadedServer, Stage::Rayon, Stage::RwLock, Stage::LockFree];
        let is_ahead = |n| others.iter().all(|&s| rate(Stage::Final, n) > 1.2 * rate(s, n));
        [2, 4, most].into_iter().all(is_ahead)
    }),
    (
        "costs several times the CPU of a pool when a connection lives for one request.",
        |of, n, _| {
            let cpu = |s| of(Work::ServerConnect, s, n, "cpu");
            cpu(Stage::ThreadedServer) > 2.0 * cpu(Stage::SharedQueue)
        },
    ),
];

/// The claims that a text does not make, or that a record does not bear out.
fn unfounded(text: &str, record: &Scaling) -> Vec<&'static str> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let most = *sample::threads(&record.samples).last().unwrap();
    let of = |work, stage, threads, figure: &str| {
        sample::median(&record.samples, work, stage, threads, figure).unwrap()
    };
    let cores = record.conditions.machine.cores as u32;
    let is_founded = |(said, holds): &&Claim| text.contains(said) && holds(&of, cores, most);
    CLAIMS.iter().filter(|claim| !is_founded(claim)).map(|claim| claim.0).collect()
}

#[test]
fn what_the_text_says_of_scaling_is_what_was_measured() {
    let text = fs::read_to_string(root().join(table::TEXT)).unwrap();
    assert_eq!(unfounded(&text, &scaling()), Vec::<&str>::new());
}

#[test]
fn a_planted_claim_is_caught() {
    let text = fs::read_to_string(root().join(table::TEXT)).unwrap();
    let mut record = scaling();
    assert_eq!(unfounded(&text.replace("no stage sets", "every stage sets"), &record).len(), 1);
    // What if one lock had been no hindrance?
    for sample in record.samples.iter_mut().filter(|s| s.work == Work::Read && s.threads == 2) {
        *sample.figures.get_mut("rate").unwrap() *= 2.0;
    }
    assert_eq!(unfounded(&text, &record), [CLAIMS[0].0]);
}

#[test]
fn a_planted_change_of_the_record_is_caught() {
    let mut record = scaling();
    let is_planted =
        |sample: &&mut sample::Sample| (sample.work, sample.stage) == (Work::Read, Stage::Final);
    for sample in record.samples.iter_mut().filter(is_planted) {
        *sample.figures.get_mut("rate").unwrap() *= 2.0;
    }
    let (good, bad) = (draw::figures(&scaling()).unwrap(), draw::figures(&record).unwrap());
    assert_eq!(
        differing(&good.into_iter().collect(), &bad.into_iter().collect()),
        ["scaling-read-rate-dark.svg", "scaling-read-rate-light.svg"]
    );
    assert!(table::summary(&scaling()) != table::summary(&record));
}

#[test]
fn a_planted_figure_is_caught() {
    let good: Files = draw::figures(&scaling()).unwrap().into_iter().collect();
    let mut kept = good.clone();
    kept.insert("scaling-old-light.svg".to_owned(), String::new());
    assert_eq!(differing(&kept, &good), ["scaling-old-light.svg"]);
    kept.remove("scaling-old-light.svg");
    *kept.get_mut("scaling-read-rate-dark.svg").unwrap() += " ";
    kept.remove("scaling-read-rate-light.svg");
    let both = ["scaling-read-rate-dark.svg", "scaling-read-rate-light.svg"];
    assert_eq!(differing(&kept, &good), both);
}
