//! Which segments a step of the compactor takes.
//!
//! What is garbage need not be copied, with one exception. A *removal* is garbage from the start, for no entry
//! points to it. But as long as an earlier segment has a record of its key, the key would be back at the next
//! open without it. So a removal is *blocked* while some earlier segment has dead records, and is dropped
//! as soon as none has.
//!
//! Copies go behind all sealed segments. So nothing ever comes before a removal that was not before it
//! already, and a segment that blocks it and is rewritten blocks it no more, whatever becomes of its
//! records: each removal is dropped after at most as many steps as there are segments before it.
//!
//! A segment that can't be read stays, and what is in it still blocks removals. It's deleted once nothing in it is
//! needed, unread as any other. Until then its garbage and the removals that it blocks are *stuck*: no step reclaims
//! them, so none is due for them, and no writer waits for that.

use std::cmp::Reverse;
use std::collections::HashSet;

/// A sealed segment as a step finds it, in bytes of records.
pub(crate) struct Candidate {
    pub(crate) number: u64,
    /// Of records that are the newest of their keys.
    pub(crate) live: u64,
    /// Of values that were overwritten or removed.
    pub(crate) dead: u64,
    pub(crate) removals: u64,
    pub(crate) is_unreadable: bool,
}

/// What a step is for.
pub(crate) enum Goal {
    /// Less garbage.
    Space,
    /// Fewer segments.
    Merge,
    /// To rewrite what is worth it of these segments.
    All(HashSet<u64>),
}

impl Candidate {
    /// What has to be copied at most.
    fn kept(&self) -> u64 {
        self.live + self.removals
    }

    fn is_small(&self, room: u64) -> bool {
        self.kept() <= room / 2
    }
}

/// The numbers of the segments to take from `all`, which are in the log's order; a copy has `room` for so many bytes. Also
/// how many bytes of garbage are stuck.
///
/// Those without anything to copy come first, and alone: they are deleted unread. Else it is as many as it
/// takes to fill a copy, and one at least, so a step needs space for two or three segments.
pub(crate) fn choose(all: &[Candidate], goal: &Goal, room: u64) -> (HashSet<u64>, u64) {
    let (mut unread, mut blocked, mut is_dirty) = (HashSet::new(), 0, false);
    let (mut stuck, mut is_stuck) = (0, false);
    // Each with what would be reclaimed if it were taken alone.
    let mut gains = Vec::new();
    for candidate in all {
        let Candidate { number, live, dead, removals, is_unreadable } = *candidate;
        let held_up = if is_dirty { removals } else { 0 };
        if live == 0 && held_up == 0 {
            unread.insert(number);
            continue;
        }
        is_dirty |= dead > 0;
        if is_unreadable {
            is_stuck |= dead > 0;
            stuck += dead + removals;
            continue;
        }
        if is_stuck {
            stuck += held_up;
        } else {
            blocked += held_up;
        }
        gains.push((candidate, dead + removals - held_up));
    }
    if !unread.is_empty() {
        return (unread, stuck);
    }
    let reclaimable: u64 = gains.iter().map(|(_, gain)| gain).sum();
    let small = gains.iter().filter(|(candidate, _)| candidate.is_small(room)).count();
    match goal {
        Goal::All(numbers) => gains.retain(|(candidate, gain)| {
            numbers.contains(&candidate.number) && (*gain > 0 || candidate.is_small(room))
        }),
        // Two small ones make one. So long as there are two, each such step leaves fewer segments.
        Goal::Merge if small > 1 => {
            gains.retain(|(candidate, _)| candidate.is_small(room));
            gains.sort_by_key(|(candidate, _)| candidate.kept());
        }
        // The first in the log: their own removals aren't blocked, and those behind them are so no more.
        _ if blocked > reclaimable => gains.retain(|(candidate, _)| candidate.dead > 0),
        _ => {
            gains.retain(|(_, gain)| *gain > 0);
            let share = |gain: u64, candidate: &Candidate| {
                u128::from(gain << 20) / u128::from(candidate.kept() + candidate.dead)
            };
            gains.sort_by_key(|(candidate, gain)| Reverse(share(*gain, candidate)));
        }
    }
    let mut copied = 0;
    let taken = gains.iter().take_while(|(candidate, _)| {
        let is_taken = copied < room;
        copied += candidate.kept();
        is_taken
    });
    (taken.map(|(candidate, _)| candidate.number).collect(), stuck)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_what_reclaims_most_for_what_it_copies() {
        let chosen = |goal: &Goal, all: &[(u64, u64, u64)]| {
            let candidate = |(number, &(live, dead, removals)): (u64, &(u64, u64, u64))| {
                Candidate { number, live, dead, removals, is_unreadable: false }
            };
            let all: Vec<_> = (1..).zip(all).map(candidate).collect();
            let mut chosen: Vec<u64> = choose(&all, goal, 100).0.into_iter().collect();
            chosen.sort_unstable();
            chosen
        };
        let space = |all: &[_]| chosen(&Goal::Space, all);
        assert_eq!(space(&[(90, 1, 0), (0, 100, 0), (40, 60, 0), (0, 50, 0)]), [2, 4], "unread");
        assert_eq!(space(&[(0, 0, 90), (90, 1, 0), (0, 30, 70)]), [1], "nothing is before it");
        assert_eq!(space(&[(60, 40, 0), (90, 10, 0), (50, 50, 0)]), [1, 3], "the worst");
        assert_eq!(space(&[(99, 0, 0), (0, 50, 50)]), [2], "what is before it is clean");
        // Worth most, but for the removals.
        assert_eq!(space(&[(99, 1, 0), (80, 20, 0), (1, 0, 99)]), [1, 2], "what blocks them");
        assert_eq!(space(&[(99, 9, 0), (9, 90, 9)]), [1, 2], "removals are copied");
        let merge = |all: &[_]| chosen(&Goal::Merge, all);
        assert_eq!(merge(&[(50, 0, 0), (51, 0, 0), (20, 0, 0), (40, 9, 0)]), [1, 3, 4]);
        assert_eq!(merge(&[(30, 0, 0), (60, 40, 0), (70, 0, 0)]), [2], "there is but one small");
        let all = Goal::All(HashSet::from([1, 2, 3, 4]));
        let segments = [(99, 0, 0), (90, 10, 0), (30, 0, 0), (90, 10, 0), (9, 90, 0)];
        assert_eq!(chosen(&all, &segments), [2, 3]);
        assert_eq!(chosen(&all, &[(99, 0, 0), (60, 0, 40), (0, 0, 0)]), [3]);
    }

    #[test]
    fn a_segment_that_cannot_be_read_is_passed_over_and_blocks_removals_until_nothing_in_it_is_needed()
     {
        for (unreadable, expected, stuck) in [
            ((40, 50, 10), 3, 60 + 70),
            ((40, 0, 10), 2, 10),
            // It needn't be read.
            ((0, 90, 10), 1, 0),
        ] {
            let segments = [unreadable, (20, 0, 70), (70, 30, 0)];
            let candidate = |(number, (live, dead, removals))| Candidate {
                number,
                live,
                dead,
                removals,
                is_unreadable: number == 1,
            };
            let all: Vec<_> = (1..).zip(segments).map(candidate).collect();
            assert_eq!(choose(&all, &Goal::Space, 20), (HashSet::from([expected]), stuck));
        }
    }
}
