use super::event_loop::Thread;
use super::shared::Shared;
use super::turn::{Connection, Context};
use super::writes::Waiter;
use crate::KvsEngine;
use crate::panic::catch_panic;
use crate::sync::Instant;
use std::sync::Arc;
use std::time::Duration;

/// After this time a loop looks for ready connections although others still wait.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What the pool is given: it runs an event loop until the server ends.
pub(super) struct Job<E: KvsEngine> {
    shared: Arc<Shared>,
    /// Which loop.
    number: usize,
    /// None once it runs. The engine is let go before the job counts as ended: when no job is left,
    /// it has no other owner than the server.
    engine: Option<E>,
}

impl<E: KvsEngine> Job<E> {
    pub(super) fn new(shared: &Arc<Shared>, number: usize, engine: E) -> Job<E> {
        shared.loops[number].set_thread(Thread::Queued);
        Job { shared: Arc::clone(shared), number, engine: Some(engine) }
    }

    pub(super) fn run(mut self) {
        let Some(engine) = self.engine.take() else {
            return;
        };
        let shared = &*self.shared;
        let home = &*shared.loops[self.number];
        home.set_thread(Thread::Awake);
        let stats = || shared.stats_text();
        let counters = &shared.common.counters[self.number];
        let mut context = Context::new(&engine, home, counters, &stats);
        let mut looked = Instant::now();
        loop {
            while let Some(connection) = home.next() {
                let now = Instant::now();
                catch_panic(|| {
                    if let Some(paused) = connection.turn(&mut context, now) {
                        home.pause(paused);
                    }
                });
                if now.duration_since(looked) > LOOK_EVERY {
                    break;
                }
            }
            do_round(&mut context);
            match home.wait() {
                Ok(true) => looked = Instant::now(),
                Ok(false) => break,
                trouble => shared.common.note_trouble(trouble),
            }
        }
    }
}

/// Gives the writes that wait to the engine, together, and ends the turns that they are of.
fn do_round<E: KvsEngine>(context: &mut Context<'_, E>) {
    let (mut round, mut panicked) = (context.home.round(), true);
    if round.is_empty() {
        return;
    }
    catch_panic(|| {
        context.engine.round(round.by_ref().map(Waiter::told));
        panicked = false;
    });
    for paused in round.end(panicked) {
        Connection::finish(paused, context);
    }
}

impl<E: KvsEngine> Drop for Job<E> {
    fn drop(&mut self) {
        // Before the end is told.
        drop(self.engine.take());
        self.shared.loops[self.number].set_thread(Thread::None);
    }
}
