//! The thread of an event loop: gives each ready connection its turn, their writes to the engine, and waits.

use super::connection::Connection;
use super::event_loop::Thread;
use super::loop_group::LoopGroup;
use super::turn::Context;
use super::writes::Waiter;
use crate::KvsEngine;
use crate::panic::catch_panic;
use crate::sync::{Instant, thread};
use std::sync::Arc;
use std::time::Duration;

/// After this time a loop looks for ready connections although others still wait.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long a thread leaves it when the system can't tell it what is ready.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// What the pool is given: it runs an event loop until the server ends.
pub(super) struct Job<E: KvsEngine> {
    group: Arc<LoopGroup>,
    /// Which loop.
    number: usize,
    /// None once it runs. The engine is let go before the job counts as ended: when no job is left,
    /// it has no other owner than the server.
    engine: Option<E>,
}

impl<E: KvsEngine> Job<E> {
    pub(super) fn new(group: &Arc<LoopGroup>, number: usize, engine: E) -> Job<E> {
        group.loops[number].set_thread(Thread::Queued);
        Job { group: Arc::clone(group), number, engine: Some(engine) }
    }

    pub(super) fn run(mut self) {
        let Some(engine) = self.engine.take() else {
            return;
        };
        let group = &*self.group;
        let event_loop = &*group.loops[self.number];
        event_loop.set_thread(Thread::Awake);
        let stats = || group.stats_text();
        let counters = &group.shared.counters[self.number];
        let mut context = Context::new(&engine, event_loop, counters, &stats);
        let mut looked = Instant::now();
        loop {
            while let Some(connection) = event_loop.next() {
                let now = Instant::now();
                catch_panic(|| {
                    if let Some(paused) = connection.turn(&mut context, now) {
                        event_loop.pause(paused);
                    }
                });
                if now.duration_since(looked) > LOOK_EVERY {
                    break;
                }
            }
            do_round(&mut context);
            match event_loop.wait() {
                Ok(true) => looked = Instant::now(),
                Ok(false) => break,
                Err(error) => {
                    group.shared.warn_of_poller(&error);
                    thread::sleep(PAUSE);
                }
            }
        }
    }
}

/// Gives the writes that wait to the engine, together, and ends the turns that they are of.
fn do_round<E: KvsEngine>(context: &mut Context<'_, E>) {
    let (mut round, mut panicked) = (context.event_loop.round(), true);
    if round.is_empty() {
        return;
    }
    catch_panic(|| {
        context.engine.round(round.by_ref().map(Waiter::told));
        panicked = false;
    });
    for paused in round.end(panicked) {
        catch_panic(|| Connection::finish(paused, context));
    }
}

impl<E: KvsEngine> Drop for Job<E> {
    fn drop(&mut self) {
        // Before the end is told.
        drop(self.engine.take());
        self.group.loops[self.number].set_thread(Thread::None);
    }
}
