//! What looks at the promises, looked at first: what the history checker must accept, and what not.

use super::history::Op::{Found, MaybeRemoved, MaybeSwapped, NotFound, Removed, Set, Swapped};
use super::*;
use std::iter;

pub(crate) const CHECKS: [(&str, fn()); 6] = [
    ("an-unnoticed-fault-fails", promise::an_unnoticed_fault_fails),
    ("what-can-have-been-is-accepted", what_can_have_been_is_accepted),
    ("what-cannot-have-been-is-not", what_cannot_have_been_is_not),
    ("a-crash-decides-for-what-is-under-way", a_crash_decides_for_what_is_under_way),
    ("a-later-stretch-goes-on", a_later_stretch_goes_on_where_the_one_before_ended),
    ("only-bugs-are-noticed", linearizable::only_bugs_are_noticed),
];

/// Operations of one key as `(client, op, call, end)`; an end of 0 is none.
type Operations = Vec<(u8, Op, u32, u32)>;

/// Checks one stretch after the other, with a crash at the end of each if there are crashes.
fn check<const N: usize>(stretches: [Operations; N], crashes: bool) -> Result<(), String> {
    let event = |(client, op, call, end)| {
        let end = (end > 0).then_some(end);
        Event { key: 0, client, op, call, end }
    };
    let mut checker = Checker::default();
    let mut check =
        |events: Operations| checker.check(events.into_iter().map(event).collect(), crashes);
    stretches.into_iter().try_for_each(&mut check)
}

fn what_can_have_been_is_accepted() {
    let possible = [
        // One after the other.
        vec![(0, Set(1), 1, 2), (1, Found(1), 3, 4), (0, Removed, 5, 6), (1, Found(0), 7, 8)],
        // A read beside two writes finds any of three.
        vec![(0, Set(1), 1, 2), (0, Set(2), 3, 9), (1, Set(3), 4, 8), (2, Found(1), 5, 6)],
        vec![(0, Set(1), 1, 2), (0, Set(2), 3, 9), (1, Set(3), 4, 8), (2, Found(2), 5, 6)],
        vec![(0, Set(1), 1, 2), (0, Set(2), 3, 9), (1, Set(3), 4, 8), (2, Found(3), 5, 6)],
        // Two removals beside one write, that both find something.
        vec![(0, Set(1), 1, 2), (1, Removed, 3, 9), (2, Removed, 4, 8), (0, Set(2), 5, 7)],
        // The order of the calls is not the order in which it happened.
        vec![(0, Set(1), 1, 9), (1, Set(2), 2, 3), (1, Found(2), 4, 5), (1, Found(1), 6, 7)],
        // Of two that compare and set at once, one finds what the other has set, or what was there.
        vec![(0, Set(1), 1, 2), (1, Swapped(1, 2), 3, 9), (2, Swapped(2, 3), 4, 8)],
        vec![(0, Set(1), 1, 2), (1, Swapped(1, 2), 3, 9), (2, NotFound(1), 4, 8)],
        vec![(0, Set(1), 1, 2), (1, Swapped(1, 2), 3, 9), (2, NotFound(2), 4, 8)],
    ];
    possible.into_iter().for_each(|events| check([events], false).unwrap());
}

fn what_cannot_have_been_is_not() {
    let impossible = [
        // A value before it was written, and one that nobody wrote.
        vec![(0, Found(1), 1, 2), (0, Set(1), 3, 4)],
        vec![(0, Found(7), 1, 2)],
        // A value that was overwritten; one that was removed.
        vec![(0, Set(1), 1, 2), (0, Set(2), 3, 4), (1, Found(1), 5, 6)],
        vec![(0, Set(1), 1, 2), (0, Removed, 3, 4), (1, Found(1), 5, 6)],
        // Nothing where there is always something, whatever is under way.
        vec![(0, Set(1), 1, 2), (0, Set(2), 3, 9), (1, Found(0), 4, 5)],
        // A removal of nothing, and two of one value.
        vec![(0, Removed, 1, 2)],
        vec![(0, Set(1), 1, 2), (1, Removed, 3, 6), (2, Removed, 4, 5)],
        // A value that was found to be another, one that was replaced and never there, and a lost update.
        vec![(0, Set(1), 1, 2), (1, NotFound(1), 3, 4)],
        vec![(0, Set(1), 1, 2), (1, Swapped(2, 3), 3, 4)],
        vec![(0, Set(1), 1, 2), (1, Swapped(1, 2), 3, 6), (2, Swapped(1, 3), 4, 5)],
        // Two readers that see two writes in different orders.
        vec![
            (0, Set(1), 1, 20),
            (1, Set(2), 2, 19),
            (2, Found(1), 3, 4),
            (3, Found(2), 5, 6),
            (2, Found(1), 7, 8),
        ],
    ];
    for events in impossible {
        assert!(check([events.clone()], false).is_err(), "{events:?}");
    }
}

fn a_crash_decides_for_what_is_under_way() {
    for found in [0, 1, 2] {
        let perhaps = || vec![(0, Set(1), 1, 0), (1, Set(2), 2, 0)];
        check([perhaps(), vec![(0, Found(found), 4, 5)]], true).unwrap();
        // And it stays decided.
        let twice = vec![(0, Found(found), 4, 5), (0, Found((found + 1) % 3), 6, 7)];
        check([perhaps(), twice], true).unwrap_err();
    }
    for found in [0, 1] {
        let perhaps = vec![(0, Set(1), 1, 2), (1, MaybeRemoved, 3, 0)];
        check([perhaps, vec![(0, Found(found), 5, 6)]], true).unwrap();
    }
    for (found, is_possible) in [(1, true), (2, true), (3, true), (4, false)] {
        let perhaps = vec![(0, Set(1), 1, 2), (1, Set(2), 3, 0), (2, MaybeSwapped(2, 3), 4, 0)];
        let found = check([perhaps, vec![(0, Found(found), 5, 6)]], true);
        assert_eq!(found.is_ok(), is_possible, "{found:?}");
    }
    check([vec![(0, Set(1), 1, 2)], vec![(0, Found(0), 4, 5)]], true).unwrap_err();
    // Of those that nobody heard of, any number may have been under way.
    let unheard = (2..200).map(|number| (UNHEARD, Set(number), number, 0));
    let before: Operations = iter::once((0, Set(1), 0, 1)).chain(unheard).collect();
    for (found, is_possible) in [(1, true), (2, true), (199, true), (0, false), (200, false)] {
        let found = check([before.clone(), vec![(0, Found(found), 1, 2)]], true);
        assert_eq!(found.is_ok(), is_possible, "{found:?}");
    }
}

fn a_later_stretch_goes_on_where_the_one_before_ended() {
    let (set, found) = (vec![(0, Set(1), 1, 2)], |value| vec![(0, Found(value), 1, 2)]);
    check([set.clone(), found(1)], false).unwrap();
    check([set, found(0)], false).unwrap_err();
}
