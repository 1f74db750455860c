//! The server on a disk whose sync fails once.

use super::promise::{Outcome, Run, count, for_each, sums};
use super::server::{kvs_server, under_strace};
use kvs_final::{KvsClient, Result};
use kvs_test_kit::expected::Expected;
use kvs_test_kit::until;
use tempfile::TempDir;

/// One sync of a server fails, and those after it would not. Returns how many writes were refused, and
/// how much was read.
fn fail_a_sync(
    level: &str,
    at: u64,
    take_for_done: bool,
) -> std::result::Result<(u64, u64), String> {
    let dir = TempDir::new().unwrap();
    let inject = format!("inject=fdatasync:error=EIO:when={at}");
    let strace = ["-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject];
    let server = under_strace(&strace, &["--durability", level], dir.path())?;
    let mut client = KvsClient::connect(server.addr).unwrap();
    let (mut expected, mut writes) = (Expected::default(), 0);
    let mut set = |client: &mut KvsClient| -> Result<()> {
        writes += 1;
        expected.write(client, &format!("k{}", writes % 7), Some(writes.to_string()))
    };
    // Each write is synced, or those of some milliseconds are; on a busy disk it may take seconds.
    until(&format!("at level {level} sync {at} fails, and a write"), || set(&mut client).is_err());
    for _ in 0..50 {
        match set(&mut client) {
            Err(error) if error.to_string().contains("no more writes until") => {}
            other => return Err(format!("after a sync that failed: {other:?}")),
        }
    }
    let read = expected.check(|key| client.get(key))?;
    drop(client);
    server.terminate();
    if take_for_done {
        expected.take_all_for_done();
    }
    let server = kvs_server(&["--durability", "always"], dir.path());
    let mut client = KvsClient::connect(server.addr).unwrap();
    let read_later = expected.check(|key| client.get(key))?;
    client.set("k0".to_owned(), "resumed".to_owned()).map_err(|error| error.to_string())?;
    Ok((50, read + read_later))
}

pub(crate) fn stops_writes(run: Run) -> Outcome {
    let take_for_done = run.injects("a refused write taken for done");
    let syncs = run.pick(20, 200);
    let mut servers = Vec::new();
    for level in ["always", "interval=5"] {
        // The first ones are those of the start, which is refused then.
        servers.extend(for_each(10..10 + syncs, |at| fail_a_sync(level, at, take_for_done))?);
    }
    let (count_of_servers, (refused, read)) = (servers.len(), sums(servers));
    Ok(vec![
        count(count_of_servers, "servers whose sync failed once", 2 * syncs),
        count(refused, "writes refused after it", 100 * syncs),
        count(read, "reads meanwhile and after", 25 * syncs),
    ])
}
