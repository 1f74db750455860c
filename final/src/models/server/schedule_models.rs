//! The poller, its jobs and its connections. There is no clock: all that is served is served because
//! somebody was woken for it.

use super::connection::Connection;
use super::job::Job;
use super::limits::Limits;
use super::poller::Events;
use super::schedule::Duty;
use super::shared::Shared;
use crate::models::model::Model;
use crate::panic::catch_panic;
use crate::{KvsEngine, Result};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn models() -> Vec<Model> {
    vec![
        Model::new("a request and the end of its write", one_client)
            .max_preemptions(3)
            .finds("a turn ends without a look at the notes", "deadlock")
            .finds("the last job tells nobody that it ends", "deadlock")
            .finds("who queues a connection rings no bell", "deadlock")
            .finds("a write that is done wakes nobody", "deadlock")
            .finds("a turn leaves without a look at its writes", "deadlock"),
        Model::new("two clients, one job", two_clients)
            .max_preemptions(2)
            .finds("the last job tells nobody that it ends", "deadlock"),
        Model::new("a turn panics", turn_panics)
            .max_preemptions(2)
            .finds("a job that panics counts for ever", "deadlock"),
    ]
}

/// The writes of a model are not done by the job that begins them.
#[derive(Clone)]
struct NoEngine;

impl KvsEngine for NoEngine {
    fn set(&self, _: String, _: String) -> Result<()> {
        unreachable!()
    }

    fn get(&self, _: String) -> Result<Option<String>> {
        unreachable!()
    }

    fn remove(&self, _: String) -> Result<()> {
        unreachable!()
    }
}

/// What `KvsServer::run` does, until the model ends; deadlines and the server's own end are not
/// modelled. A job has a thread of its own.
fn run(shared: &Arc<Shared>) {
    let mut events = Events::new();
    let mut jobs: Vec<JoinHandle<()>> = Vec::new();
    while !shared.poller.has_ended() {
        let start = match shared.schedule.wait(Duration::MAX) {
            Duty::None => false,
            Duty::Start => true,
            Duty::Look => {
                shared.poll(&mut events, Duration::MAX);
                shared.schedule.begin_job()
            }
        };
        if start {
            let job = Job::new(shared, NoEngine);
            jobs.push(thread::spawn(|| catch_panic(|| job.run())));
        }
    }
    for job in jobs {
        job.join().unwrap();
    }
    assert_eq!(shared.schedule.depth(), (0, 0), "jobs and connections that are left");
}

fn server(jobs: usize) -> Arc<Shared> {
    Arc::new(Shared::new(Limits { jobs, ..Limits::default() }).unwrap())
}

fn end(shared: &Shared) {
    shared.poller.end();
    shared.schedule.ring();
}

/// A client sends a request. Its write ends on another thread than the one that began it, and then
/// the client gets its answer.
fn one_client() {
    let shared = server(1);
    let connection = Connection::open(&shared, false);
    let client = thread::spawn({
        let shared = Arc::clone(&shared);
        move || {
            connection.send();
            connection.finish_write();
            connection.take_answers(1);
            end(&shared);
        }
    });
    run(&shared);
    client.join().unwrap();
}

/// The same for two clients, whose requests come at once.
fn two_clients() {
    let shared = server(1);
    let connections = [Connection::open(&shared, false), Connection::open(&shared, false)];
    let clients = thread::spawn({
        let shared = Arc::clone(&shared);
        move || {
            connections.iter().for_each(|connection| connection.send());
            connections.iter().for_each(|connection| connection.finish_write());
            connections.iter().for_each(|connection| connection.take_answers(1));
            end(&shared);
        }
    });
    run(&shared);
    clients.join().unwrap();
}

/// A panic closes the connection whose request it was, and ends its job. The others are served.
fn turn_panics() {
    let shared = server(1);
    let [panics, serves] = [true, false].map(|panics| Connection::open(&shared, panics));
    let client = thread::spawn({
        let (shared, panics) = (Arc::clone(&shared), Arc::clone(&panics));
        move || {
            panics.send();
            serves.send();
            serves.finish_write();
            serves.take_answers(1);
            end(&shared);
        }
    });
    run(&shared);
    client.join().unwrap();
    assert!(!panics.is_open());
}
