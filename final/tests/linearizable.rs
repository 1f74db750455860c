//! The checker of histories, and what it must find.
#![allow(clippy::unwrap_used)] // helpers of tests are tests
#![allow(dead_code)] // the other half is used by `promises`

#[path = "promises/history.rs"]
mod history;
#[path = "promises/linearizable.rs"]
mod linearizable;
#[path = "promises/load.rs"]
mod load;
#[path = "promises/row.rs"]
mod row;
#[path = "promises/small.rs"]
mod small;
mod support {
    pub(crate) mod local;
    #[path = "../../../tests/support/server.rs"]
    #[allow(unreachable_pub)]
    pub(crate) mod server;
}

use history::Op::{Found, MaybeRemoved, Removed, Set};
use history::{Checker, Event, Op, Violation};
use row::Stop;
use small::Bug;

#[test]
fn each_planted_bug_is_noticed_and_without_one_nothing_is() {
    let operations = linearizable::small(None, 400_000, 0).unwrap();
    println!("{operations} operations on the small engine, nothing to find");
    for bug in Bug::ALL {
        match linearizable::small(Some(bug), linearizable::SOON, 0) {
            Err(Stop::Failed { error, .. }) => println!("{bug:?}: {error}"),
            other => panic!("{bug:?} was not noticed: {other:?}"),
        }
    }
}

/// Operations of one key as `(client, op, call, end)`; an end of 0 is none.
fn check(events: &[(u8, Op, u32, u32)], crashes: &[u32]) -> Result<(), Violation> {
    let event = |&(client, op, call, end): &(u8, Op, u32, u32)| Event {
        key: 0,
        client,
        op,
        call,
        end: (end > 0).then_some(end),
    };
    Checker::default().check(events.iter().map(event).collect(), crashes)
}

#[test]
fn what_can_have_been_is_accepted() {
    // One after the other.
    check(&[(0, Set(1), 1, 2), (1, Found(1), 3, 4), (0, Removed, 5, 6), (1, Found(0), 7, 8)], &[])
        .unwrap();
    // A read beside two writes finds any of three.
    for found in [1, 2, 3] {
        let writes = [(0, Set(1), 1, 2), (0, Set(2), 3, 9), (1, Set(3), 4, 8)];
        check(&[&writes[..], &[(2, Found(found), 5, 6)]].concat(), &[]).unwrap();
    }
    // Two removals beside one write, that both find something.
    let events = [(0, Set(1), 1, 2), (1, Removed, 3, 9), (2, Removed, 4, 8), (0, Set(2), 5, 7)];
    check(&events, &[]).unwrap();
    // The order of the calls is not the order in which it happened.
    check(&[(0, Set(1), 1, 9), (1, Set(2), 2, 3), (1, Found(2), 4, 5), (1, Found(1), 6, 7)], &[])
        .unwrap();
}

#[test]
fn what_cannot_have_been_is_not() {
    let impossible: [&[(u8, Op, u32, u32)]; 8] = [
        // A value before it was written, and one that nobody wrote.
        &[(0, Found(1), 1, 2), (0, Set(1), 3, 4)],
        &[(0, Found(7), 1, 2)],
        // A value that was overwritten; one that was removed.
        &[(0, Set(1), 1, 2), (0, Set(2), 3, 4), (1, Found(1), 5, 6)],
        &[(0, Set(1), 1, 2), (0, Removed, 3, 4), (1, Found(1), 5, 6)],
        // Nothing where there is always something, whatever is under way.
        &[(0, Set(1), 1, 2), (0, Set(2), 3, 9), (1, Found(0), 4, 5)],
        // A removal of nothing, and two of one value.
        &[(0, Removed, 1, 2)],
        &[(0, Set(1), 1, 2), (1, Removed, 3, 6), (2, Removed, 4, 5)],
        // Two readers that see two writes in different orders.
        &[
            (0, Set(1), 1, 20),
            (1, Set(2), 2, 19),
            (2, Found(1), 3, 4),
            (3, Found(2), 5, 6),
            (2, Found(1), 7, 8),
        ],
    ];
    for events in impossible {
        check(events, &[]).expect_err(&format!("{events:?}"));
    }
}

#[test]
fn a_crash_decides_for_what_is_under_way() {
    for found in [0, 1, 2] {
        let perhaps = [(0, Set(1), 1, 0), (1, Set(2), 2, 0)];
        check(&[&perhaps[..], &[(0, Found(found), 4, 5)]].concat(), &[3]).unwrap();
        // And it stays decided.
        let twice = [(0, Found(found), 4, 5), (0, Found((found + 1) % 3), 6, 7)];
        check(&[&perhaps[..], &twice].concat(), &[3]).unwrap_err();
    }
    for found in [0, 1] {
        let perhaps = [(0, Set(1), 1, 2), (1, MaybeRemoved, 3, 0)];
        check(&[&perhaps[..], &[(0, Found(found), 5, 6)]].concat(), &[4]).unwrap();
    }
    check(&[(0, Set(1), 1, 2), (0, Found(0), 4, 5)], &[3]).unwrap_err();
}

#[test]
fn a_later_stretch_goes_on_where_the_one_before_ended() {
    let event = |op, call, end| Event { key: 0, client: 0, op, call, end: Some(end) };
    let mut checker = Checker::default();
    checker.check(vec![event(Set(1), 1, 2)], &[]).unwrap();
    checker.check(vec![event(Found(1), 1, 2)], &[]).unwrap();
    checker.check(vec![event(Found(0), 1, 2)], &[]).unwrap_err();
}
