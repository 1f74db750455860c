use super::connection::Scratch;
use super::poller::Events;
use super::shared::Shared;
use crate::KvsEngine;
use crate::sync::{Instant, fault};
use std::sync::Arc;
use std::time::Duration;

/// How long a job that has nothing to do waits for something before it ends: so long that under load
/// jobs hardly ever end. Meanwhile the poller looks after it every few milliseconds.
const LINGER: Duration = Duration::from_millis(10);
/// After this time a job looks for ready connections although others still wait.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What the pool is given: it serves connections until there is nothing to do.
pub(super) struct Job<E: KvsEngine> {
    shared: Arc<Shared>,
    /// None once it runs. The engine is let go before the job counts as ended: when no job is left,
    /// it has no other owner than the server.
    engine: Option<E>,
}

impl<E: KvsEngine> Job<E> {
    pub(super) fn new(shared: &Arc<Shared>, engine: E) -> Job<E> {
        Job { shared: Arc::clone(shared), engine: Some(engine) }
    }

    pub(super) fn run(mut self) {
        let Some(engine) = self.engine.take() else {
            return;
        };
        let (shared, schedule) = (&*self.shared, &self.shared.schedule);
        let (mut events, mut scratch) = (Events::new(), Scratch::new());
        let mut looked = Instant::now();
        loop {
            while let Some(connection) = schedule.next() {
                let now = Instant::now();
                connection.turn(&engine, &mut scratch, now);
                if now.duration_since(looked) > LOOK_EVERY {
                    looked = now;
                    schedule.look(|| shared.poll(&mut events, Duration::ZERO));
                }
            }
            schedule.look(|| shared.poll(&mut events, LINGER));
            if !schedule.has_ready() {
                break;
            }
        }
    }
}

impl<E: KvsEngine> Drop for Job<E> {
    fn drop(&mut self) {
        let schedule = &self.shared.schedule;
        if let Some(engine) = self.engine.take() {
            drop(engine);
            schedule.note_refusal();
            // The pool has no thread for it. If no other job is left to serve them, those who wait
            // are better told than kept waiting.
            while schedule.depth().0 == 1
                && let Some(connection) = schedule.next()
            {
                connection.refuse("the server has no thread for the request; try again later");
            }
        }
        if std::thread::panicking() && fault!("a job that panics counts for ever") {
            return;
        }
        schedule.end_job();
    }
}
