//! Group commit alone: `commit.rs` is `final`'s, the writer behind it a stand-in.

mod models;

from_final! {
    "kv_store/": commit;
}

mod options {
    pub(super) use crate::store::Durability;
}

/// Stands for `final/src/kv_store/writer.rs`: a log in memory. A removal answers that there is no such
/// key, and a write of the key `panic` panics.
mod writer {
    use super::options::Durability;
    use crate::play::WANTED;
    use crate::{KvsError, Result};
    use loom::cell::Cell;
    use std::sync::{Mutex, MutexGuard};

    pub(super) struct Op {
        pub(super) key: String,
        pub(super) value: Option<String>,
        pub(super) result: Result<()>,
    }

    impl Op {
        pub(super) fn new(key: String, value: Option<String>) -> Op {
            Op { key, value, result: Ok(()) }
        }
    }

    pub(super) struct Options {
        pub(super) durability: Durability,
    }

    pub(super) struct Writer {
        pub(super) options: Options,
        /// How many writes it has. Nothing protects it but that one thread at a time leads: loom ends
        /// the model when two accesses are not in an order. The lock is for the compiler; loom does
        /// not see it, and it is never waited for.
        written: Mutex<Cell<usize>>,
    }

    impl Writer {
        pub(super) fn new(durability: Durability) -> Writer {
            Writer { options: Options { durability }, written: Mutex::new(Cell::new(0)) }
        }

        pub(super) fn commit(&self, ops: &mut [Op]) {
            for op in ops {
                if op.key == "panic" {
                    std::panic::panic_any(WANTED);
                }
                match op.value {
                    Some(_) => {
                        let written = self.written();
                        written.set(written.get() + 1);
                    }
                    None => op.result = Err(KvsError::KeyNotFound),
                }
            }
        }

        pub(super) fn written(&self) -> MutexGuard<'_, Cell<usize>> {
            self.written
                .try_lock()
                .unwrap_or_else(|_| unreachable!("nothing in here switches threads"))
        }
    }
}

pub(crate) use models::MODELS;
