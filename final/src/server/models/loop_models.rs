//! Event loops, their connections and the watchdog. There is no clock: all that is served is served because
//! some thread was woken for it, or because the watchdog looked while a loop was awake.

use super::connection::{Connection, Kind};
use super::job::Job;
use super::loop_group::LoopGroup;
use super::watchdog::Watchdog;
use crate::models::model::Model;
use crate::panic::catch_panic;
use crate::sync::{Condvar, Mutex};
use crate::{KvsEngine, Limits, Result, Write};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn models() -> Vec<Model> {
    vec![
        Model::new("a request and the end of its write", one_client).max_preemptions(2),
        Model::new("a turn panics", || turn_panics(Kind::Panics)).max_preemptions(2),
        Model::new("the end of a turn panics", || turn_panics(Kind::PanicsLater))
            .max_preemptions(2),
        Model::new("a loop is held up, and another one helps", held_up).max_preemptions(1),
        Model::new("a loop goes on while another one helps", goes_on).max_preemptions(1),
    ]
}

type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// Writes are done at once, or when a client says so.
#[derive(Clone, Default)]
struct Engine {
    defers: bool,
    begun: Arc<(Mutex<Vec<Done>>, Condvar)>,
}

impl Engine {
    /// Ends a write, as soon as there is one.
    fn finish_write(&self) {
        let (begun, changed) = &*self.begun;
        let none = |begun: &mut Vec<_>| begun.is_empty();
        let done = changed.wait_while(begun.lock().unwrap(), none).unwrap().remove(0);
        done(Ok(()));
    }
}

impl KvsEngine for Engine {
    fn set(&self, _: String, _: String) -> Result<()> {
        unreachable!()
    }

    fn get(&self, _: String) -> Result<Option<String>> {
        unreachable!()
    }

    fn remove(&self, _: String) -> Result<()> {
        unreachable!()
    }

    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        for (_, done) in writes {
            if self.defers {
                self.begun.0.lock().unwrap().push(Box::new(done));
                self.begun.1.notify_one();
            } else {
                done(Ok(()));
            }
        }
    }
}

/// Plays a server of so many loops, which runs on this thread, with connections to the first loop, and a
/// client on a thread of its own. What `KvsServer::run` does, without new connections.
fn play<const N: usize>(
    jobs: usize,
    kinds: [Kind; N],
    defers: bool,
    client: impl FnOnce(&Engine, [&Arc<Connection>; N]) + Send + 'static,
) {
    let group = Arc::new(LoopGroup::new(Limits { jobs, ..Limits::default() }).unwrap());
    let engine = Engine { defers, ..Engine::default() };
    let home = &group.loops[0];
    let connections = kinds.map(|kind| {
        home.admit(|_, token| Ok(Connection::new(kind, token, home))).unwrap();
        home.all().pop().unwrap()
    });
    let client = thread::spawn({
        let (group, engine) = (Arc::clone(&group), engine.clone());
        move || {
            client(&engine, connections.each_ref());
            connections.iter().for_each(|connection| connection.hang_up());
            group.begin_stop();
        }
    });
    let jobs = std::cell::RefCell::new(Vec::new());
    let start = |number| {
        let job = Job::new(&group, number, engine.clone());
        jobs.borrow_mut().push(thread::spawn(|| catch_panic(|| job.run())));
    };
    let mut watchdog = Watchdog::new(&group);
    while let Some(timeout) = watchdog.tick(start) {
        // A tick of the watchdog is a matter of milliseconds, a sweep is not.
        let is_tick = timeout < Duration::from_millis(10);
        if is_tick {
            thread::yield_now();
        }
        group.poller.wait(is_tick.then_some(Duration::ZERO), |_| {}).unwrap();
    }
    client.join().unwrap();
    jobs.into_inner().into_iter().for_each(|job| job.join().unwrap());
    assert_eq!(group.connections(), 0, "connections that are left");
}

/// A client sends a request. Its write ends on another thread than the one that began it, and then
/// the client gets its answer.
fn one_client() {
    play(1, [Kind::Writes], true, |engine, [connection]| {
        connection.send();
        engine.finish_write();
        connection.answers.wait_for(1);
    });
}

/// A panic closes the connection whose request it was, also one that comes after the writes, of which the loop has
/// two turns. The others are served.
fn turn_panics(panics: Kind) {
    play(1, [panics, Kind::Writes], false, |_, [panics, serves]| {
        panics.send();
        serves.send();
        serves.answers.wait_for(1);
    });
}

/// A request is held up until another client of the same loop has its answer.
fn held_up() {
    play(2, [Kind::Blocks, Kind::Writes], false, |_, [blocks, serves]| {
        blocks.send();
        serves.send();
        serves.answers.wait_for(1);
        blocks.release.add();
        blocks.answers.wait_for(1);
    });
}

/// The watchdog may take a loop for stalled that was only late.
fn goes_on() {
    play(2, [Kind::Writes], false, |_, [connection]| {
        connection.send();
        connection.answers.wait_for(1);
    });
}
