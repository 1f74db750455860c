//! How the requests of a few clients overlap in each stage: the strips that are drawn in
//! `benches/figures/timeline.svg`, and for each step in `timeline-N.svg`, before it and after it.
//!
//! Every stage is asked the same by the same [`script`]. Its engine, its locks and its pool are the
//! real ones; only the disk is played, and a [`clock`] that counts the disk's time takes the trace. So
//! the trace of the same code is always the same. It needs a debug build, for the sync points, which no
//! other build has.
//!
//! `cargo test --test timeline -- --nocapture` prints the strips; with `--features stage-N` only those
//! of stage N. `KVS_TIMELINE=draw cargo test --test timeline each_stage` draws the figure anew.

#![allow(clippy::unwrap_used)]
#![cfg(all(debug_assertions, target_os = "linux"))]

mod clock;
mod figure;
mod script;
mod stages;
mod strips;

use stages::{STAGES, install_sync_points, run};
use std::path::Path;
use std::{env, fs};
use strips::Trace;

/// The stage that the feature picks; `final` stands for all.
const PICKED: &str = env!("KVS_STAGE");

#[test]
fn each_stage_overlaps_requests_as_the_text_says() {
    install_sync_points();
    let mut traces = Vec::new();
    for stage in STAGES {
        if [stage.number, "final"].contains(&PICKED) {
            let trace = Trace { stage, strips: run(stage.serve) };
            println!("{trace}");
            traces.push(trace);
        }
    }
    if PICKED != "final" {
        return;
    }
    // One with all that the steps lead to, one with where they begin and end, and one for each step.
    let ends = [traces[0].clone(), traces[8].clone()];
    let steps = (1..8).map(|number| (format!("-{number}"), &traces[number - 1..=number]));
    for (name, traces) in steps.chain([("".into(), &traces[1..]), ("-final".into(), &ends[..])]) {
        let file = format!("benches/figures/timeline{name}.svg");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let figure = figure::draw(traces);
        if env::var("KVS_TIMELINE").is_ok_and(|what| what == "draw") {
            fs::write(&file, &figure).unwrap();
        }
        let is_drawn = fs::read_to_string(&file).is_ok_and(|drawn| drawn == figure);
        assert!(is_drawn, "KVS_TIMELINE=draw cargo test --test timeline each_stage draws it anew");
    }
}
