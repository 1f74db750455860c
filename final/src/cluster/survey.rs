//! What is asked of all nodes.

use super::error;
use super::nodes::{Node, Nodes};
use super::request::unexpected;
use crate::{Durability, KvsError, Page, Result};
use redis::{FromRedisValue, Value, from_redis_value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Keys in one reply to `SCAN`.
const SCANNED: usize = 1000;

/// Asks all nodes what they do, and compares that with what a write has to survive. Returns whether a replica
/// is to confirm each write, and in words what it survives.
pub(super) async fn promise(nodes: &Nodes, asked: Option<Durability>) -> Result<(bool, String)> {
    let shards = nodes.shards();
    let mut all = BTreeSet::new();
    for (primary, replicas) in &shards {
        for node in [primary].into_iter().chain(replicas) {
            all.insert(logging(nodes, node).await);
        }
    }
    let (does, node) = all.pop_first().ok_or_else(|| error("the cluster has no node"))?;
    let is_given = match asked {
        None => true,
        // At every level of ours an acknowledged write is there after the end of the process: `everysec` is none.
        Some(Durability::Os) => does >= WRITES,
        Some(Durability::Always | Durability::Interval(_)) => does == SYNCS,
    };
    if !is_given {
        let asked = asked.unwrap_or_default();
        return Err(error(format!("the cluster doesn't give the durability `{asked}`: {node}")));
    }
    let has_replicas = !shards.iter().any(|(_, replicas)| replicas.is_empty());
    let is_confirmed = asked == Some(Durability::Always) && has_replicas;
    let failover = match (has_replicas, is_confirmed) {
        (true, true) => "a failover to the replica that has confirmed it, not to another one",
        (true, false) => "a failover takes what the replica doesn't have yet",
        (false, _) => {
            "some primaries have no replica, so there what they have is gone as long as they are"
        }
    };
    Ok((is_confirmed, format!("a write survives the end of this server; {node}; {failover}")))
}

/// What a node does before it answers, at least: it hands its log to the operating system, or syncs it.
const WRITES: u8 = 3;
const SYNCS: u8 = 4;

/// What a node does before it answers, and in words what its end takes. Less is less.
async fn logging(nodes: &Nodes, node: &Node) -> (u8, String) {
    let unknown = |why| (0, format!("it isn't known what the end of a node takes ({why})"));
    let mut found = [const { String::new() }; 2];
    // Together only from Redis 7 on.
    for (found, name) in found.iter_mut().zip(["appendonly", "appendfsync"]) {
        match ask_for::<Vec<String>>(nodes, node, &["CONFIG", "GET", name]).await {
            Ok(pair) => *found = pair.into_iter().nth(1).unwrap_or_default(),
            Err(why) => return unknown(why.to_string()),
        }
    }
    let (does, words) = match found.each_ref().map(String::as_str) {
        ["no", _] => (1, "the end of a node takes what no replica has (appendonly no)"),
        // It doesn't wait for the sync that it makes each second, nor always for the write.
        ["yes", "everysec"] => {
            (2, "the end of a node may take its last two seconds (appendfsync everysec)")
        }
        ["yes", "no"] => {
            (WRITES, "the end of a node's process, but no power loss (appendfsync no)")
        }
        ["yes", "always"] => (SYNCS, "the end and the power loss of a node (appendfsync always)"),
        _ => return unknown(format!("{node} doesn't say whether it has a log")),
    };
    (does, words.to_owned())
}

/// How many keys the primaries have, one after the other.
pub(super) async fn len(nodes: &Nodes) -> Result<u64> {
    nodes.look().await?;
    let mut len = 0;
    for (node, _) in nodes.shards() {
        len += ask_for::<u64>(nodes, &node, &["DBSIZE"]).await?;
    }
    Ok(len)
}

/// Where a walk over the keys is: its cursor.
#[derive(Serialize, Deserialize)]
struct Walk {
    /// Of which cluster: see [`fingerprint`].
    cluster: u64,
    /// The number of the primary, and its own cursor.
    primary: usize,
    scan: u64,
    /// Keys that it returned beyond what was asked for.
    rest: Vec<String>,
}

pub(super) async fn keys(nodes: &Nodes, cursor: Option<String>, limit: usize) -> Result<Page> {
    let limit = limit.max(1);
    let mut walk: Walk = match cursor {
        Some(cursor) => serde_json::from_str(&cursor).map_err(|_| KvsError::Cursor { cursor })?,
        None => {
            nodes.look().await?;
            let cluster = fingerprint(nodes).await?;
            Walk { cluster, primary: 0, scan: 0, rest: Vec::new() }
        }
    };
    let shards = nodes.shards();
    if let (true, Some((node, _))) = (walk.rest.is_empty(), shards.get(walk.primary)) {
        let [scan, count] = [walk.scan, limit.min(SCANNED) as u64].map(|number| number.to_string());
        let scan = ["SCAN", &scan, "COUNT", &count, "TYPE", "string"];
        let (next, found) = ask_for::<(u64, Vec<Vec<u8>>)>(nodes, node, &scan).await?;
        walk.scan = next;
        // What is no UTF-8 is no key that we could have given.
        walk.rest = found.into_iter().filter_map(|key| String::from_utf8(key).ok()).collect();
        if walk.scan == 0 {
            walk.primary += 1;
        }
        if fingerprint(nodes).await? != walk.cluster {
            return Err(error(
                "the cluster has changed since the walk over its keys began; begin again",
            ));
        }
    }
    let rest = walk.rest.split_off(walk.rest.len().min(limit));
    let keys = std::mem::replace(&mut walk.rest, rest);
    let is_last = walk.rest.is_empty() && walk.primary >= shards.len();
    let cursor = serde_json::to_string(&walk).map_err(|e| error(e.to_string()))?;
    Ok(Page { keys, cursor: Some(cursor).filter(|_| !is_last) })
}

/// Stands for the processes of all primaries, and for which slots each of them has. If it is the same
/// before and after, no key has changed its node, and all cursors are good.
async fn fingerprint(nodes: &Nodes) -> Result<u64> {
    let changing = || error("the cluster is changing; its keys cannot be listed meanwhile");
    let (mut hasher, mut slots) = (DefaultHasher::new(), 0);
    for (node, _) in nodes.shards() {
        let info = ask_for::<String>(nodes, &node, &["INFO", "server"]).await?;
        let all = ask_for::<String>(nodes, &node, &["CLUSTER", "NODES"]).await?;
        let process = info.lines().find(|line| line.starts_with("run_id:"));
        let own = all.lines().find(|line| line.contains("myself,master"));
        let (process, own) = process.zip(own).ok_or_else(changing)?;
        process.hash(&mut hasher);
        // Its name, address, flags and so on; then the epoch of its slots, the state of the link, and the slots.
        for (number, field) in own.split(' ').enumerate().skip(6).filter(|(number, _)| *number != 7)
        {
            field.hash(&mut hasher);
            if number > 7 {
                let (start, end) = field.split_once('-').unwrap_or((field, field));
                // One that is on its way is `[slot->-node]`.
                let [start, end] = [start, end].map(|slot| slot.parse::<u32>());
                slots += end.map_err(|_| changing())? + 1 - start.map_err(|_| changing())?;
            }
        }
    }
    if slots == 16384 { Ok(hasher.finish()) } else { Err(changing()) }
}

/// What a node replies to a command.
async fn ask_for<T: FromRedisValue>(nodes: &Nodes, node: &Node, command: &[&str]) -> Result<T> {
    let mut commands = redis::pipe();
    commands.cmd(command[0]).arg(&command[1..]);
    let replies = nodes.ask(node, &node.prompt, &commands).await;
    match replies.map_err(|failure| error(failure.why))?.pop().unwrap_or(Value::Nil) {
        refused @ Value::ServerError(_) => Err(error(format!("{node}: {}", unexpected(&refused)))),
        reply => from_redis_value(reply).map_err(|why| error(why.to_string())),
    }
}
