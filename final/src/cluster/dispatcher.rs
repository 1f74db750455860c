use super::nodes::{Failure, Line, Node, Nodes};
use super::request::{Refusal, Reply, Request};
use super::{Counters, RedisClusterOptions, error, survey};
use crate::Result;
use redis::Value;
use redis::cluster_routing::Slot;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::runtime;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

/// How many requests are taken from the inbox at a time, and wait in a slot's lane for one reply.
const AT_ONCE: usize = 1024;
/// How long a request that was refused rests: twice as long each time, up to the second of these.
const REST: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];

/// What the handles send to the thread.
pub(super) enum Message {
    Request(Request),
    /// To be asked of the nodes, beside the requests.
    Ask(Box<dyn FnOnce(Rc<Nodes>) -> Asking + Send>),
}

type Asking = Pin<Box<dyn Future<Output = ()>>>;

/// The thread: one runtime, on which everything below is tasks. Says whether the cluster can be used, then
/// takes messages until no handle is left, and ends when all are answered.
pub(super) fn run(
    seeds: &[String],
    options: &RedisClusterOptions,
    counters: Arc<Counters>,
    mut inbox: UnboundedReceiver<Message>,
    opened: &mpsc::Sender<Result<String>>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(opened.send(Err(error.into()))),
    };
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let (dispatcher, promise) = match Dispatcher::open(seeds, options, counters).await {
            Ok(open) => open,
            Err(error) => return drop(opened.send(Err(error))),
        };
        // It waits.
        let _ = opened.send(Ok(promise));
        let mut messages = Vec::new();
        while inbox.recv_many(&mut messages, AT_ONCE).await > 0 {
            dispatcher.begin(messages.drain(..));
        }
    });
    runtime.block_on(tasks);
}

/// Requests on their way, in *lanes*: one for each hash slot that has any.
///
/// A lane lets through what is first in it, as far as no two of these are for one key that one of them changes,
/// and what comes next when all of those are answered: also those that a node has refused and that
/// are asked for again, which otherwise could be overtaken.
struct Dispatcher {
    nodes: Rc<Nodes>,
    lanes: RefCell<HashMap<Slot, Lane>>,
    /// Whether a write waits for a replica.
    confirmed: bool,
    timeout: Duration,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Lane {
    /// How many were let through and have no answer.
    under_way: usize,
    waiting: VecDeque<Sent>,
}

/// A request on its way.
pub(super) struct Sent {
    request: Request,
    slot: Slot,
    /// When it fails, if no node does it.
    deadline: Instant,
    /// How often a node has refused it, and why it did the last time.
    refused: u32,
    why: String,
    /// The node to ask, in place of the slot's.
    ask: Option<Rc<Node>>,
}

impl Dispatcher {
    async fn open(
        seeds: &[String],
        options: &RedisClusterOptions,
        counters: Arc<Counters>,
    ) -> Result<(Rc<Dispatcher>, String)> {
        let timeout = options.timeout;
        let nodes = Rc::new(Nodes::find(seeds, timeout / 5, Arc::clone(&counters)).await?);
        let survey::Survey { confirmed, promise } = survey::ask(&nodes, options.durability).await?;
        let lanes = RefCell::default();
        Ok((Rc::new(Dispatcher { nodes, lanes, confirmed, timeout, counters }), promise))
    }

    fn begin(self: &Rc<Self>, messages: impl Iterator<Item = Message>) {
        let deadline = Instant::now() + self.timeout;
        let mut free = Vec::new();
        for message in messages {
            let request = match message {
                Message::Request(request) => request,
                Message::Ask(ask) => {
                    spawn_local(ask(Rc::clone(&self.nodes)));
                    continue;
                }
            };
            match request.slot() {
                Ok(slot) => {
                    let why = "it waited for those before it".to_owned();
                    let sent = Sent { request, slot, deadline, refused: 0, why, ask: None };
                    self.lanes.borrow_mut().entry(slot).or_default().waiting.push_back(sent);
                    free.extend(self.let_through(slot));
                }
                Err(error) => request.fail(error),
            }
        }
        self.send(free);
    }

    /// The next ones of a lane, if none is under way. A lane that is empty goes.
    fn let_through(&self, slot: Slot) -> Vec<Sent> {
        let mut lanes = self.lanes.borrow_mut();
        let Some(lane) = lanes.get_mut(&slot).filter(|lane| lane.under_way == 0) else {
            return Vec::new();
        };
        let mut through: Vec<Sent> = Vec::new();
        while let Some(next) = lane.waiting.pop_front() {
            let conflicts = |before: &Sent| before.request.conflicts_with(&next.request);
            if through.len() == AT_ONCE || through.iter().any(conflicts) {
                lane.waiting.push_front(next);
                break;
            }
            through.push(next);
        }
        lane.under_way = through.len();
        if through.is_empty() {
            lanes.remove(&slot);
        }
        through
    }

    /// Sends each to its node: all that go to one node as one pipeline.
    fn send(self: &Rc<Self>, all: Vec<Sent>) {
        let mut pipelines: Vec<(Rc<Node>, Line, Vec<Sent>)> = Vec::new();
        let mut failed = Vec::new();
        for sent in all {
            if sent.deadline < Instant::now() {
                let Sent { request, slot, why, .. } = sent;
                request.fail(error(format!("not done within {:?}: {why}", self.timeout)));
                failed.push(slot);
                continue;
            }
            let Some(node) = sent.ask.clone().or_else(|| self.nodes.of(sent.slot)) else {
                self.nodes.refresh();
                self.again(sent, "no node has the slot of the key".to_owned());
                continue;
            };
            let is_confirmed = self.confirmed && sent.request.is_write();
            let line = if is_confirmed { Line::Confirmed } else { Line::Prompt };
            let is_same =
                |(of, on, _): &&mut (Rc<Node>, Line, _)| Rc::ptr_eq(of, &node) && *on == line;
            match pipelines.iter_mut().find(is_same) {
                Some((_, _, pipeline)) => pipeline.push(sent),
                None => pipelines.push((node, line, vec![sent])),
            }
        }
        for (node, line, pipeline) in pipelines {
            if line == Line::Prompt {
                spawn_local(Rc::clone(self).flight(node, line, pipeline));
                continue;
            }
            node.waiting.borrow_mut().extend(pipeline);
            if !node.is_confirming.replace(true) {
                spawn_local(Rc::clone(self).confirm(node));
            }
        }
        self.answered(failed);
    }

    /// Sends the writes that wait, as one pipeline with one `WAIT`, until there are none: the writes that come
    /// meanwhile share the next one.
    async fn confirm(self: Rc<Self>, node: Rc<Node>) {
        while let all = node.waiting.take()
            && !all.is_empty()
        {
            Rc::clone(&self).flight(Rc::clone(&node), Line::Confirmed, all).await;
        }
        node.is_confirming.set(false);
    }

    /// A pipeline's way to a node and back.
    async fn flight(self: Rc<Self>, node: Rc<Node>, line: Line, all: Vec<Sent>) {
        let mut commands = redis::pipe();
        for sent in &all {
            if sent.ask.is_some() {
                commands.cmd("ASKING");
            }
            sent.request.add_to(&mut commands);
        }
        if line == Line::Confirmed {
            // Less than the node has to answer, so that it does.
            let time = self.timeout / 10;
            commands.cmd("WAIT").arg(1).arg(time.as_millis().max(1) as u64);
        }
        let replies = self.nodes.ask(&node, line, &commands).await;
        let mut replies = match replies {
            Ok(replies) => replies.into_iter(),
            Err(failure) => return self.failed(all, &failure),
        };
        let kept = match line {
            Line::Prompt => Ok(()),
            Line::Confirmed => match replies.next_back() {
                Some(Value::Int(1..)) => Ok(()),
                other => Err(error(format!(
                    "{node} has the write, and no replica has confirmed it ({other:?}): it is not \
                     known whether it survives the node"
                ))),
            },
        };
        let mut answered = Vec::new();
        for mut sent in all {
            if sent.ask.take().is_some() {
                replies.next();
            }
            let reply = replies.next().unwrap_or(Value::Nil);
            match sent.request.take(reply, &kept) {
                Reply::Answered => {
                    self.counters.unknown.fetch_add(kept.is_err().into(), Ordering::Relaxed);
                    answered.push(sent.slot);
                }
                Reply::Refused { request, why } => {
                    sent.request = request;
                    self.refused(sent, why);
                }
            }
        }
        self.answered(answered);
    }

    /// There was no reply. What may have been done is not done again, unless it changes nothing.
    fn failed(self: &Rc<Self>, all: Vec<Sent>, failure: &Failure) {
        self.nodes.refresh();
        let mut answered = Vec::new();
        for mut sent in all {
            sent.ask = None;
            match failure {
                Failure::Unanswered(why) if sent.request.is_write() => {
                    self.counters.unknown.fetch_add(1, Ordering::Relaxed);
                    let message = format!("no answer ({why}): the write may have been done or not");
                    sent.request.fail(error(message));
                    answered.push(sent.slot);
                }
                Failure::NotSent(why) | Failure::Unanswered(why) => self.again(sent, why.clone()),
            }
        }
        self.answered(answered);
    }

    /// A node has not done it, and says why.
    fn refused(self: &Rc<Self>, mut sent: Sent, why: Refusal) {
        let why = match why {
            Refusal::Moved(host, port) => {
                self.nodes.refresh();
                if let Ok(node) = self.nodes.node(&host, port) {
                    self.nodes.moved(sent.slot, node);
                }
                format!("its slot has moved to {host}:{port}")
            }
            Refusal::Ask(host, port) => {
                sent.ask = self.nodes.node(&host, port).ok();
                format!("its slot is moving to {host}:{port}")
            }
            Refusal::NotNow(why) => {
                self.nodes.refresh();
                why
            }
        };
        self.again(sent, why);
    }

    /// Sends it again, after a rest unless this is the first time.
    fn again(self: &Rc<Self>, mut sent: Sent, why: String) {
        self.counters.again.fetch_add(1, Ordering::Relaxed);
        let rest = match sent.refused {
            0 => Duration::ZERO,
            many => (REST[0] * 2u32.pow(many.min(8))).min(REST[1]),
        };
        sent.refused += 1;
        sent.why = why;
        let dispatcher = Rc::clone(self);
        spawn_local(async move {
            sleep(rest).await;
            dispatcher.send(vec![sent]);
        });
    }

    /// So many of these slots' requests have their answers.
    fn answered(self: &Rc<Self>, slots: Vec<Slot>) {
        if slots.is_empty() {
            return;
        }
        let mut free = Vec::new();
        for slot in slots {
            if let Some(lane) = self.lanes.borrow_mut().get_mut(&slot) {
                lane.under_way -= 1;
            }
            free.extend(self.let_through(slot));
        }
        self.send(free);
    }
}
