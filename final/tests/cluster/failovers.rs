//! Primaries that end, and what their replicas have then.

use crate::load::{Load, Seen};
use crate::{get, open, set};
use kvs_final::{Durability, RedisClusterEngine};
use kvs_test_kit::environment::pick;
use kvs_test_kit::redis::{Cluster, HASTY, NO_LOG, SYNCED};
use kvs_test_kit::until;

/// Waits until a replica is a primary, and the slot of a key is served.
fn is_promoted(cluster: &Cluster, replica: usize, engine: &RedisClusterEngine, key: &str) {
    until("the replica is promoted", || cluster.is_primary(replica));
    until("its slots are served", || get(engine, key).is_ok());
}

/// Kills primaries under load, one after the other, and lets their replicas take over. Returns how many
/// writes were acknowledged, how many of these were lost, and how many keys weren't linearizable: first of the
/// failovers to a replica that its primary had sent nothing since they were synchronized, then of all others.
fn failovers(
    cluster: &mut Cluster,
    durability: Option<Durability>,
    times: usize,
) -> [[usize; 4]; 2] {
    let engine = open(cluster, durability).unwrap();
    let (mut sums, mut before) = ([[0; 4]; 2], Seen::default());
    for time in 0..times {
        let (primary, replica) = cluster.pair_of(&time.to_string());
        let offset = cluster.offset(replica);
        let mut has_stream = false;
        let mut seen = Load::run(format!("{durability:?}-{time}"), &engine, |load| {
            load.wait_for_answers(500);
            has_stream = cluster.offset(replica) > offset;
            cluster.kill(primary);
            is_promoted(cluster, replica, &engine, &time.to_string());
            if durability.is_some() {
                let alone = set(&engine, &time.to_string(), "").unwrap_err().to_string();
                assert!(alone.contains("no replica has confirmed"), "{alone}");
            }
            cluster.run(primary);
            until("its writes are kept", || set(&engine, &time.to_string(), "").is_ok());
            load.wait_for_answers(500);
        });
        for error in &seen.errors {
            assert!(error.contains("engine: "), "{error}");
        }
        // Also of what the round before was answered at its end.
        let acknowledged = seen.acknowledged.len();
        let lost = seen.lost(&engine) + before.lost(&engine);
        let of_round = [1, acknowledged, lost, seen.violations().len()];
        let sum = &mut sums[usize::from(has_stream)];
        *sum = std::array::from_fn(|index| sum[index] + of_round[index]);
        before = seen;
        cluster.settle();
    }
    sums
}

#[test]
fn after_the_end_of_a_primary_under_load_its_replica_serves_what_was_acknowledged_but_for_some() {
    let Some(mut cluster) = Cluster::start(1, NO_LOG, HASTY) else { return };
    for (log, durability) in [(NO_LOG, None), (SYNCED, Some(Durability::Always))] {
        cluster.set_log(log);
        let of_all = failovers(&mut cluster, durability, pick(1, 50));
        for (what, of) in ["was sent nothing since its sync", "was sent writes"].iter().zip(of_all)
        {
            let [times, acknowledged, lost, violations] = of;
            println!(
                "{durability:?}: {times} failovers to a replica that {what}: {acknowledged} acknowledged \
                 sets of keys of their own, {lost} of them lost; {violations} of {} shared keys not \
                 linearizable",
                16 * times
            );
            assert!(acknowledged >= 100 * times && lost * 4 <= acknowledged, "{of:?}");
            assert!(durability.is_none() || [lost, violations] == [0, 0], "{of:?}");
        }
    }
}

/// So many bytes don't fit into the buffers of a connection over loopback.
const MORE_THAN_BUFFERS: usize = 40 << 20;

#[test]
fn a_failover_to_a_replica_that_was_behind_loses_what_was_acknowledged_and_a_write_that_waits_is_none()
 {
    let Some(mut cluster) = Cluster::start(1, NO_LOG, HASTY) else { return };
    for (log, durability) in [(NO_LOG, None), (SYNCED, Some(Durability::Always))] {
        cluster.set_log(log);
        let engine = open(&cluster, durability).unwrap();
        let (primary, replica) = cluster.pair_of("{t}");
        cluster.signal(replica, "-STOP");
        let promise = open(&cluster, None).unwrap().promise().to_owned();
        assert!(promise.contains("isn't known"), "what a silent node does: {promise}");
        let (last, value) = (&*format!("{{t}}{durability:?}"), "x".repeat(64 << 10));
        if durability.is_some() {
            let message = set(&engine, last, &value).unwrap_err().to_string();
            assert!(message.contains("no replica has confirmed"), "{message}");
        } else {
            for number in 0..MORE_THAN_BUFFERS / value.len() {
                set(&engine, &format!("{{t}}{number}"), &value).unwrap();
            }
            set(&engine, last, &value).unwrap();
        }
        assert!(get(&engine, last).unwrap().is_some());
        cluster.kill(primary);
        cluster.signal(replica, "-CONT");
        is_promoted(&cluster, replica, &engine, last);
        if durability.is_none() {
            assert_eq!(get(&engine, last).unwrap(), None, "what was acknowledged is gone");
        }
        cluster.run(primary);
        cluster.settle();
    }
}
