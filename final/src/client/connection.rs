use super::pipeline::{Answer, Pipeline, Slot, lock};
use crate::{KvsError, Result};

/// A pipeline to the server, until the first error on it. Then it is closed, for good: the next answer
/// could be that of another request. What is left is the reason.
pub(super) struct Connection(std::result::Result<Pipeline, String>);

impl Connection {
    pub(super) fn new(pipeline: Pipeline) -> Connection {
        Connection(Ok(pipeline))
    }

    /// Waits for the answer that belongs into `slot`, and takes it out.
    pub(super) fn answer(&mut self, slot: &Slot) -> Answer {
        loop {
            if let Some(answer) = lock(slot).take() {
                return answer;
            }
            if let Err(error) = self.with(Pipeline::next_answer) {
                // It may have come before the connection was lost.
                return lock(slot).take().unwrap_or(Err(error));
            }
        }
    }

    /// From now on every call fails.
    pub(super) fn give_up(&mut self, error: KvsError) -> KvsError {
        self.0 = Err(error.to_string());
        error
    }

    /// Does something with the pipeline.
    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut Pipeline) -> Result<T>) -> Result<T> {
        match &mut self.0 {
            Ok(pipeline) => work(pipeline).map_err(|error| self.give_up(error)),
            Err(reason) => Err(KvsError::GivenUp { reason: reason.clone() }),
        }
    }
}
