use crate::sync::OnceLock;
use crate::{KvsError, Result};

/// Why a store writes no more, once that is so. Set at most once, for good.
pub(crate) struct Stopped(OnceLock<String>);

impl Stopped {
    pub(crate) fn new() -> Stopped {
        Stopped(OnceLock::new())
    }

    /// Ends all writing, for good. A sync that failed is not tried again: the operating system may
    /// have dropped the bytes and would report success.
    pub(crate) fn stop(&self, reason: String) -> KvsError {
        let mut is_first = false;
        let reason = self.0.get_or_init(|| {
            is_first = true;
            reason
        });
        let stopped = KvsError::Stopped { reason: reason.clone() };
        if is_first {
            // Only now: whoever takes log lines may take his time.
            log::error!("{stopped}");
        }
        stopped
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.reason() {
            None => Ok(()),
            Some(reason) => Err(KvsError::Stopped { reason: reason.clone() }),
        }
    }

    pub(crate) fn reason(&self) -> Option<&String> {
        self.0.get()
    }
}
