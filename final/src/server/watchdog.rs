//! What the server's own thread does beside taking connections in: it starts the event loops, helps those that
//! are stalled, sweeps the connections for deadlines, and sees to the end.

use super::event_loop::{Pulse, Thread};
use super::loop_group::LoopGroup;
use crate::sync::Instant;
use std::time::Duration;

/// How often the loops are looked at while one of them is awake.
const TICK: Duration = Duration::from_millis(2);
/// How long connections may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// How often connections are looked over while the server stops.
const LAST_SWEEP_INTERVAL: Duration = Duration::from_millis(10);
/// A sweep that is late by less than this counts as on time.
const TOLERANCE: Duration = Duration::from_millis(50);

pub(super) struct Watchdog<'a> {
    group: &'a LoopGroup,
    seen: Vec<Seen>,
    next_look: Instant,
    last_sweep: Instant,
    next_sweep: Instant,
    /// How long the server has run, without the time in which it was suspended.
    awake: Duration,
    /// When the connections that are left are aborted, by that clock.
    end: Option<Duration>,
}

/// What the last look at a loop has shown.
#[derive(Clone, Default)]
struct Seen {
    /// How often it had moved.
    beats: u64,
    pulse: Pulse,
    /// Whether its poller is followed.
    is_followed: bool,
}

impl Watchdog<'_> {
    pub(super) fn new(group: &LoopGroup) -> Watchdog<'_> {
        let (now, seen) = (Instant::now(), vec![Seen::default(); group.loops.len()]);
        let (awake, end) = (Duration::ZERO, None);
        Watchdog { group, seen, next_look: now, last_sweep: now, next_sweep: now, awake, end }
    }

    /// Does what is due. Returns how long it can wait for the next call, or none when the server
    /// has stopped.
    pub(super) fn tick(&mut self, start: impl Fn(usize)) -> Option<Duration> {
        let group = self.group;
        let now = Instant::now();
        if group.shared.is_stopping() && self.end.is_none() {
            group.loops.iter().flat_map(|each| each.all()).for_each(|open| open.wake(true));
            (self.end, self.next_sweep) = (Some(self.awake + GRACE), now);
        }
        if now >= self.next_sweep {
            self.sweep(now);
            if self.end.is_none() {
                // At first all; later those that the pool had no thread for.
                let absent = |number: &usize| group.loops[*number].state().0 == Thread::None;
                (0..group.loops.len()).filter(absent).for_each(start);
            }
        }
        if self.end.is_some() && group.connections() == 0 {
            group.loops.iter().for_each(|each| each.end());
            if group.loops.iter().all(|each| each.state().0 == Thread::None) {
                return None;
            }
        }
        let next = self.next_sweep - now;
        Some(self.help(now).map_or(next, |look| look.min(next)))
    }

    /// Gives what stalled loops have to do to one that is not. Returns how long to wait until the next look, if
    /// there has to be one.
    fn help(&mut self, now: Instant) -> Option<Duration> {
        let LoopGroup { loops, poller, shared, .. } = self.group;
        // In a model no time passes.
        let is_due = now >= self.next_look || cfg!(loom);
        if is_due {
            self.next_look = now + TICK;
            for (each, Seen { beats, pulse, .. }) in loops.iter().zip(&mut self.seen) {
                *pulse = each.pulse(beats);
            }
        }
        let is = |at: usize, pulse| self.seen[at].pulse == pulse;
        let can_help = |at: &usize| is(*at, Pulse::Idle) || is(*at, Pulse::Live);
        let burden = |at: &usize| (is(*at, Pulse::Live), loops[*at].state().1);
        let is_stalled = self.seen.iter().any(|seen| seen.pulse == Pulse::Stalled);
        let helpers = (0..if is_stalled { loops.len() } else { 0 }).filter(can_help);
        let helper = helpers.min_by_key(burden);
        // What called before a look is due has told its loop that it is watched, and doesn't call again.
        let mut again = !is_due || self.seen.iter().any(|seen| seen.pulse == Pulse::Live);
        for (stalled, seen) in loops.iter().zip(&mut self.seen) {
            match helper {
                Some(helper) if seen.pulse == Pulse::Stalled => {
                    seen.is_followed = seen.is_followed || poller.follow(stalled.poller());
                    again |= !seen.is_followed;
                    if let Err(error) = stalled.hand_over(&loops[helper]) {
                        shared.warn_of_poller(&error);
                    }
                }
                _ if seen.is_followed => {
                    poller.unfollow(stalled.poller());
                    seen.is_followed = false;
                }
                _ => {}
            }
        }
        again.then(|| self.next_look - now)
    }

    fn sweep(&mut self, now: Instant) {
        let shared = &self.group.shared;
        let interval = match self.end {
            Some(_) => LAST_SWEEP_INTERVAL,
            None => shared.limits.sweep_interval(),
        };
        // One that is much too late does not count for more than two: the process was stopped.
        let longest = (2 * interval).max(TOLERANCE);
        self.awake += now.duration_since(self.last_sweep).min(longest);
        shared.set_clock(self.awake);
        shared.flush_warnings();
        let abort_all = self.end.is_some_and(|end| self.awake >= end);
        let clock = shared.time().now;
        for connection in self.group.loops.iter().flat_map(|each| each.all()) {
            if abort_all {
                connection.abort();
            } else if connection.wants_look(clock) {
                connection.wake(false);
            }
        }
        (self.last_sweep, self.next_sweep) = (now, now + interval);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn time_in_which_the_server_was_stopped_makes_no_client_late() {
        let group = LoopGroup::new(Limits::default()).unwrap();
        let mut watchdog = Watchdog::new(&group);
        let interval = group.shared.limits.sweep_interval();
        for (passed, counted) in [(interval, interval), (3600 * interval, 3 * interval)] {
            watchdog.sweep(watchdog.last_sweep + passed);
            assert_eq!(watchdog.awake, counted);
        }
    }

    #[test]
    fn a_loop_that_wakes_up_before_a_look_is_due_is_looked_at_when_it_is() {
        let group = LoopGroup::new(Limits { jobs: 2, ..Limits::default() }).unwrap();
        let (mut watchdog, now) = (Watchdog::new(&group), Instant::now());
        group.loops.iter().for_each(|each| each.set_thread(Thread::Asleep));
        watchdog.help(now);
        assert_eq!(watchdog.help(now + TICK), None, "all sleep");
        group.loops[0].set_thread(Thread::Awake);
        assert_eq!(watchdog.help(now + TICK * 3 / 2), Some(TICK / 2));
    }

    #[test]
    fn a_loop_that_goes_to_sleep_after_a_stall_can_help_at_once() {
        let group = LoopGroup::new(Limits { jobs: 2, ..Limits::default() }).unwrap();
        let (mut watchdog, now) = (Watchdog::new(&group), Instant::now());
        group.loops.iter().for_each(|each| each.set_thread(Thread::Awake));
        group.poller.wait(Some(Duration::ZERO), |_| {}).unwrap();
        for look in 0..2 {
            watchdog.help(now + look * TICK);
        }
        assert!(watchdog.seen.iter().all(|seen| seen.pulse == Pulse::Stalled));
        std::thread::scope(|scope| {
            scope.spawn(|| group.loops[0].wait().unwrap());
            let (began, long) = (Instant::now(), Duration::from_secs(60));
            group.poller.wait(Some(long), |_| {}).unwrap();
            let is_told = began.elapsed() < long;
            group.loops[0].poller().wake();
            assert!(is_told, "it sleeps, and the other one waits for the next sweep");
        });
    }
}
