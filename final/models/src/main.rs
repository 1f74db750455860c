//! Models of `final`: small scenes of two or three threads, played in every order that the threads can
//! come in, and with every value that a weakly ordered load may return.
//!
//! The code is `final`'s own; see `from_final`. What loom cannot look into has a stand-in:
//!
//! | stands for | what it is | where |
//! |---|---|---|
//! | `std::sync`, `std::thread`, the clock | loom's types; the clock stands still | `sync.rs` |
//! | papaya's map | a map behind a lock, each operation one step | `map.rs` |
//! | crossbeam's channel | a queue behind a lock | `channel.rs` |
//! | files | `SimulatedDisk`, which is `final`'s own | `store/` |
//! | the writer, for group commit alone | a log in memory that fails when told | `group_commit/` |
//! | sockets and epoll, and what a turn of a connection does | counters behind locks | `server/` |
//!
//! `cargo run` plays each model, and then each once more for every fault that is planted in the code
//! (`faults.rs`), and demands that the fault is found. `cargo run -- NAME` plays one model,
//! `cargo run -- NAME FAULT` shows how it finds a fault.

/// Makes modules of files of `final`. They are copies, made by the build, in which `faults.rs` may
/// plant its faults; without one the text is the same.
macro_rules! from_final {
    ($($folder:literal: $($name:ident),+;)+) => {
        $($(
            #[allow(dead_code, unused_imports, clippy::all)]
            mod $name {
                include!(concat!(env!("OUT_DIR"), "/final/", $folder, stringify!($name), ".rs"));
            }
        )+)+
    };
}

mod channel;
mod faults;
mod group_commit;
mod map;
mod play;
mod pool;
mod server;
mod store;
mod sync;

from_final! {
    "": data_dir, engine, engine_kind, error, panic, sync_points;
}

#[allow(dead_code, unused_imports, clippy::all)]
mod disk {
    include!(concat!(env!("OUT_DIR"), "/final/disk/mod.rs"));
}

#[allow(dead_code, unused_imports, clippy::all)]
mod thread_pool {
    include!(concat!(env!("OUT_DIR"), "/final/thread_pool/mod.rs"));
}

/// What `final` has from the protocol for the default of a limit that the models do not reach.
mod protocol {
    pub(crate) const MAX_LINE: usize = usize::MAX;
}

// The names under which `final` finds its own items and its two crates that have a stand-in.
extern crate self as crossbeam;
extern crate self as papaya;
pub(crate) use engine::KvsEngine;
pub(crate) use engine_kind::EngineKind;
pub(crate) use error::{KvsError, Result};
pub(crate) use map::{Compute, Guard, HashMap, Operation};

use play::Model;

/// The models, in the order of the table.
fn models() -> impl Iterator<Item = &'static Model> {
    let parts = [&[store::MODELS, group_commit::MODELS, pool::MODELS], server::MODELS];
    parts.into_iter().flatten().copied().flatten()
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let model = |name: &str| models().find(|model| model.name == name);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => play::all(models()),
        [name] if let Some(model) = model(name) => model.play(),
        [name, fault] if let Some(model) = model(name) => model.play_with(fault),
        _ => {
            eprintln!("kvs-models [MODEL [FAULT]]; the models are:");
            models().for_each(|model| eprintln!("{}", model.name));
            std::process::ExitCode::FAILURE
        }
    }
}
