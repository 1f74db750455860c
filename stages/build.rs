//! Turns the feature that picks a stage into two `cfg`s, so that the choice is made in one place:
//! `stage = "N"` for the stage that was picked, and `from_stage = "M"` for every stage up to it.
//! `#[cfg(from_stage = "4")]` reads "from stage 4 on". `final` comes after all stages. The same name
//! stands in the environment variable `KVS_STAGE` while the tests are compiled.

/// `async` is stage 7 with a server that has a task for each connection, as stage 3 has a thread: what
/// holds from stage 3 on holds for it, and what is about pools doesn't.
const STAGES: [&str; 10] = ["0", "1", "2", "3", "async", "4", "5", "6", "7", "final"];

fn main() {
    let names = STAGES.map(|stage| format!("{stage:?}")).join(", ");
    println!("cargo::rustc-check-cfg=cfg(stage, values({names}))");
    println!("cargo::rustc-check-cfg=cfg(from_stage, values({names}))");
    // Nothing beside the features changes what it says, and this file is not where the benches' is.
    println!("cargo::rerun-if-changed=Cargo.toml");

    let feature = |stage: &str| format!("CARGO_FEATURE_STAGE_{}", stage.to_uppercase());
    let is_picked = |stage: &&str| std::env::var_os(feature(stage)).is_some();
    let picked = STAGES.into_iter().rfind(is_picked).unwrap_or("final");
    println!("cargo::rustc-env=KVS_STAGE={picked}");
    println!("cargo::rustc-cfg=stage={picked:?}");
    for stage in STAGES {
        println!("cargo::rustc-cfg=from_stage={stage:?}");
        if stage == picked {
            break;
        }
    }
}
