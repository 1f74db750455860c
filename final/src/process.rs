//! After a `fork` the child has what its parent has opened, and none of its threads: whoever holds a
//! lock there never lets go of it, and what is written is written twice.

use crate::{KvsError, Result};
use std::process;

/// The process that opened something.
#[derive(Debug)]
pub(crate) struct Opener(u32);

impl Opener {
    pub(crate) fn this_process() -> Opener {
        Opener(process::id())
    }

    /// Fails in a child. Comes before any lock.
    pub(crate) fn check(&self) -> Result<()> {
        if process::id() == self.0 { Ok(()) } else { Err(KvsError::Forked) }
    }
}
