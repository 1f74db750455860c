use super::connection::Scratch;
use super::poller::Events;
use super::shared::Shared;
use crate::KvsEngine;
use std::sync::Arc;
use std::time::Duration;

/// How long a job that has nothing to do waits for something before it ends.
const LINGER: Duration = Duration::from_millis(1);
/// After how many turns a job looks for ready connections although others still wait.
const TURNS: u32 = 64;

/// What the pool is given: it serves connections until there is nothing to do.
pub(super) struct Job<E: KvsEngine> {
    shared: Arc<Shared>,
    /// None once it was let go, which has to come before the job counts as ended: when no job is
    /// left, the engine has no other owner than the server.
    engine: Option<E>,
    was_run: bool,
}

impl<E: KvsEngine> Job<E> {
    pub(super) fn new(shared: &Arc<Shared>, engine: E) -> Job<E> {
        Job { shared: Arc::clone(shared), engine: Some(engine), was_run: false }
    }

    pub(super) fn run(mut self) {
        self.was_run = true;
        let Some(engine) = self.engine.take() else {
            return;
        };
        let (shared, schedule) = (&*self.shared, &self.shared.schedule);
        let (mut events, mut scratch) = (Events::new(), Scratch::new());
        let mut turns = 0;
        loop {
            while let Some(connection) = schedule.next() {
                connection.turn(&engine, &mut scratch);
                turns += 1;
                if turns == TURNS {
                    turns = 0;
                    schedule.note_look();
                    shared.poll(&mut events, Duration::ZERO);
                }
            }
            schedule.note_look();
            shared.poll(&mut events, LINGER);
            if !schedule.has_ready() {
                break;
            }
        }
    }
}

impl<E: KvsEngine> Drop for Job<E> {
    fn drop(&mut self) {
        self.engine = None;
        if !self.was_run {
            // The pool has no thread for it. Those who wait are better told than kept waiting.
            while let Some(connection) = self.shared.schedule.next() {
                connection.refuse("the server has no thread for the request; try again later");
            }
        }
        self.shared.schedule.end_job();
    }
}
