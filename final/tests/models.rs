//! Plays the models of `final/src/models`:
//!
//! RUSTFLAGS="--cfg loom" cargo test --release -p final --test models --target-dir target/loom
//!
//! After `--` may stand the name of a model, and of a fault that it shall find.

use std::process::ExitCode;

#[cfg(loom)]
fn main() -> ExitCode {
    kvs_final::models::main()
}

#[cfg(not(loom))]
fn main() -> ExitCode {
    eprintln!("the models are built with RUSTFLAGS=\"--cfg loom\"");
    ExitCode::FAILURE
}
