//! How the requests of a few clients overlap in each stage: the strips that are drawn in
//! `benches/figures/timeline.svg`.
//!
//! Every stage is asked the same by the same [`script`]. Its engine, its locks and its pool are the
//! real ones; only the disk is played, and a [`clock`] that counts the disk's time takes the trace.
//! So the trace of the same code is always the same, and this test can compare it, tick by tick, with
//! the one that is kept. It needs a debug build, for the sync points, which no other build has.
//!
//! `cargo test --test timeline -- --nocapture` prints strips and counts; with `--features stage-N` only
//! those of stage N. `KVS_TIMELINE=keep cargo test --test timeline each_stage` keeps what it finds.

#![allow(clippy::unwrap_used)]
#![cfg(all(debug_assertions, target_os = "linux"))]

mod clock;
mod figure;
mod record;
mod script;
mod slow_disk;
mod stages;
mod strips;

use record::{Record, Trace};
use script::TICKS;
use stages::{STAGES, run_with_a_lock_around_it};
use std::env;
use strips::{Counts, Strip};

/// For each stage the largest number of gets that its engine is busy with at once; the gets that end
/// while a set is under way, and while a compaction is; the sets that end while a compaction is.
const EXPECTED: [(&str, [usize; 4]); 8] = [
    ("1", [1, 0, 0, 0]),
    ("2", [1, 0, 0, 0]),
    ("3", [1, 0, 0, 0]),
    ("4", [1, 0, 0, 0]),
    ("5", [1, 0, 0, 0]),
    ("6", [3, 0, 0, 0]),
    ("7", [2, 5, 1, 0]),
    ("final", [2, 5, 2, 3]),
];

/// The stage that the feature picks; `final` stands for all.
const PICKED: &str = env!("KVS_STAGE");

#[test]
fn each_stage_overlaps_requests_as_its_strips_show() {
    let picked = STAGES.into_iter().filter(|(stage, ..)| [stage, "final"].contains(&PICKED));
    let found: Vec<Trace> = picked.map(Trace::take).collect();
    found.iter().for_each(|trace| println!("{trace}"));
    print_table(&found);
    for trace in &found {
        let (_, expected) = EXPECTED.iter().find(|(stage, _)| *stage == trace.stage).unwrap();
        assert_eq!(counts_that_matter(&trace.counts), *expected, "{trace}");
    }
    if PICKED == "final" && env::var("KVS_TIMELINE").is_ok_and(|what| what == "keep") {
        Record::of(found.clone()).keep();
    }
    let kept = Record::read();
    assert_eq!(kept.ticks, TICKS);
    for trace in &found {
        let kept = kept.stages.iter().find(|kept| kept.stage == trace.stage).unwrap();
        assert!(kept == trace, "not as it was kept:\n{kept}\nbut\n{trace}\n{AGAIN}");
    }
}

/// What to do where record, figure and code are not of one piece.
const AGAIN: &str = "if the code is right, KVS_TIMELINE=keep cargo test --test timeline each_stage\n\
                     makes record and figure anew";

fn counts_that_matter(counts: &Counts) -> [usize; 4] {
    let Counts { gets_at_once, gets_beside_a_set, .. } = *counts;
    let Counts { gets_beside_compaction, sets_beside_compaction, .. } = *counts;
    [gets_at_once, gets_beside_a_set, gets_beside_compaction, sets_beside_compaction]
}

fn print_table(traces: &[Trace]) {
    println!(
        "| stage | gets at once | gets ended beside a set | gets ended beside a compaction \
         | sets ended beside a compaction | longest get, ticks | last answer, tick |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for trace in traces {
        print!("| {} |", trace.title());
        counts_that_matter(&trace.counts).iter().for_each(|count| print!(" {count} |"));
        println!(" {} | {} |", trace.counts.longest_get, trace.counts.last_answer);
    }
}

#[test]
fn the_figure_shows_the_record() {
    let kept = Record::read();
    assert_eq!(
        kept.stages.iter().map(|trace| &*trace.stage).collect::<Vec<_>>(),
        STAGES.map(|s| s.0)
    );
    for trace in &kept.stages {
        assert_eq!(trace.counts, Counts::of(&trace.strips), "{trace}");
    }
    let drawn = record::kept_figure();
    assert!(
        drawn == figure::draw(&kept.stages),
        "the figure is not drawn from the record\n{AGAIN}"
    );
}

#[test]
fn a_planted_change_of_the_record_changes_the_figure() {
    let mut kept = Record::read();
    let before = figure::draw(&kept.stages);
    let strip = &mut kept.stages[5].strips[1].ticks;
    *strip = strip.replacen('=', ".", 1);
    assert_ne!(figure::draw(&kept.stages), before);
}

#[test]
fn a_planted_lock_shows_in_the_counts() {
    let counts = Counts::of(&run_with_a_lock_around_it());
    assert_eq!(counts_that_matter(&counts), [1, 0, 0, 0]);
}

fn strips(text: &[(&str, &str)]) -> Vec<Strip> {
    let strip =
        |(name, ticks): &(&str, &str)| Strip { name: (*name).into(), ticks: (*ticks).into() };
    text.iter().map(strip).collect()
}

#[test]
fn what_ends_as_the_other_begins_was_not_beside_it() {
    let counts = Counts::of(&strips(&[
        ("get", "q==#"),
        ("get", "...==#"),
        ("get", ".......==#"),
        ("set", "....#===cc"),
        ("set", "  ........#=="),
    ]));
    assert_eq!(counts_that_matter(&counts), [2, 1, 0, 0]);
    assert_eq!((counts.longest_get, counts.last_answer), (10, 13));
}

#[test]
fn a_compaction_is_under_way_while_it_waits() {
    let traced = [("get", " ==#"), ("set", "  #=="), ("compactor", "cc...cc")];
    assert_eq!(counts_that_matter(&Counts::of(&strips(&traced))), [1, 1, 1, 1]);
}
