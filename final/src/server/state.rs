//! What a connection is in, and what it does next: a function of what has happened, without a socket.
//!
//! ```text
//!              the client has ended its side, or the server stops;
//!              a request is late, finds no memory or is foreign
//!   accepted  ┌────────┐                  ┌────────┐  all is answered, to a   ┌──────────┐
//!  ──────────▶│  Open  │─────────────────▶│ Ending │─────────────────────────▶│ Draining │
//!             └────────┘                  └────────┘  client that is there    └──────────┘
//!              │ idle for too long,        │ all is answered, and              │ the client ends its
//!              │ or takes no answers       │ the client has ended its side     │ side, or a second is over
//!              ▼                           ▼                                   ▼
//!             closed                      closed                              closed
//! ```
//!
//! *Open* reads and executes. *Ending* reads no more and answers what has arrived. *Draining* has sent all, with
//! the end of the stream behind it, and throws away what the client still sends: if the
//! socket were closed now, the client's machine would throw away the answers.
//!
//! A turn (`turn.rs`) asks [`State::wants_read`], says what it has [`State::received`], asks for a
//! [`State::verdict`] when what has arrived is executed, and what is [`State::next`] at its end.

use super::io::Received;
use super::timeouts::{Clock, Deadline, Timer};
use std::fmt;
use std::time::Duration;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    Aborted,
    Done,
    Foreign,
    Lost,
    Panic,
    Refused,
    Stopping,
    TimedOut(Timer),
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Close::Aborted => "a panic in the engine, or the server had no more time for it",
            Close::Done => "the client is done",
            Close::Foreign => "it speaks another protocol",
            Close::Lost => "the client is gone",
            Close::Panic => "a panic in its request",
            Close::Refused => "it was refused",
            Close::Stopping => "the server stops",
            Close::TimedOut(Timer::Request) => "its request took too long to arrive",
            Close::TimedOut(Timer::Answer) => "it took too long to accept an answer",
            Close::TimedOut(_) => "it was idle for too long",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Ending(Close),
    Draining(Close),
}

/// What a turn has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// So many bytes were received.
    pub(super) received: usize,
    /// A request was executed.
    pub(super) executed: bool,
    /// An answer was sent, or what was left of one.
    pub(super) answered: bool,
    /// The server stops, so it was the last one to read.
    pub(super) is_last: bool,
}

/// How things are at the end of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Left {
    /// There are answers that the client has not taken.
    pub(super) unsent: bool,
    /// There are writes that have no answer.
    pub(super) waiting: bool,
    /// The first of them is done.
    pub(super) is_done: bool,
    /// A part of a request has arrived.
    pub(super) partial: bool,
}

/// What is to be said before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    GoOn,
    /// Close it at once.
    Close(Close),
    /// It is given up; the last answer is this error.
    GiveUp(Close),
}

/// What comes after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Whatever happens.
    Wait,
    /// Another turn, when the others have had theirs.
    Again,
    /// The same, once the client is told that nothing more comes.
    EndStream,
    Close(Close),
}

#[derive(Debug)]
pub(super) struct State {
    phase: Phase,
    /// The socket may have bytes to read.
    readable: bool,
    /// A short read does not mean that nothing is left: the end of the stream is.
    hung_up: bool,
    /// Whether whole requests have arrived that wait for something else.
    held_back: bool,
    deadline: Deadline,
}

impl State {
    pub(super) fn new(clock: Clock<'_>) -> State {
        let (phase, deadline) = (Phase::Open, Deadline::new());
        let mut state =
            State { phase, readable: false, hung_up: false, held_back: false, deadline };
        if clock.limits.idle_time.is_some() {
            state.deadline.arm(Timer::Idle, true, clock);
        }
        state
    }

    /// A turn begins, for which these notes were left.
    pub(super) fn begin(&mut self, readable: bool, hung_up: bool, clock: Clock<'_>) {
        // One more look before the client is blamed: perhaps it was the server that came late.
        self.readable |= readable || self.deadline.is_due(clock);
        self.hung_up |= hung_up;
    }

    /// When a sweep has to wake it. A socket tells of room only when there is much of it.
    pub(super) fn look_at(&self, clock: Clock<'_>) -> u64 {
        match self.deadline.is_for(Timer::Answer) {
            true => clock.after(Duration::ZERO),
            false => self.deadline.at(),
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
    }

    /// Whether to read. Once the server stops it reads what has arrived, once: a client that goes on sending would
    /// keep it from its end.
    pub(super) fn wants_read(&self, stopping: bool) -> bool {
        self.phase == Phase::Open && !self.held_back && (self.readable || stopping)
    }

    pub(super) fn received(&mut self, received: Received) {
        self.readable = match received {
            // Less than there was room for: the socket is empty, and whatever comes next is a new event.
            // The end of the stream is not, if its event was seen already.
            Received::Bytes(_, is_full) => is_full || self.hung_up,
            Received::Interrupted => true,
            Received::Nothing | Received::End => false,
        };
        // An event of the connection that had the token before: after one of its own there is something to read.
        self.hung_up &= received != Received::Nothing;
        if received == Received::End && self.phase == Phase::Open {
            self.phase = Phase::Ending(Close::Done);
        }
    }

    /// Whether requests are left that have to wait.
    pub(super) fn set_held_back(&mut self, held_back: bool) {
        self.held_back = held_back;
    }

    /// So many bytes of a request have come, or of answers have gone.
    pub(super) fn progress(&mut self, bytes: usize, clock: Clock<'_>) {
        self.deadline.progress(bytes, clock);
    }

    /// What is left of the answers was not taken this time either.
    pub(super) fn is_stuck(&self, clock: Clock<'_>) -> Next {
        match self.deadline.is_due(clock) {
            true => Next::Close(Close::TimedOut(Timer::Answer)),
            false => Next::Wait,
        }
    }

    /// It ends with an error in place of what is left of its requests.
    pub(super) fn give_up(&mut self, why: Close) {
        self.phase = Phase::Ending(why);
        self.held_back = false;
    }

    /// What is to be said when what has arrived is executed; `no_memory` is for the rest.
    pub(super) fn verdict(&mut self, turn: Turn, no_memory: bool, clock: Clock<'_>) -> Verdict {
        if self.phase != Phase::Open {
            return Verdict::GoOn;
        }
        let is_due = |timer| self.deadline.is_for(timer) && self.deadline.is_due(clock);
        if is_due(Timer::Idle) && turn.received == 0 {
            return Verdict::Close(Close::TimedOut(Timer::Idle));
        }
        if is_due(Timer::Request) && !turn.executed {
            return Verdict::GiveUp(Close::TimedOut(Timer::Request));
        }
        if no_memory {
            return Verdict::GiveUp(Close::Refused);
        }
        if turn.is_last {
            self.phase = Phase::Ending(Close::Stopping);
        }
        Verdict::GoOn
    }

    /// What comes after a turn in which everything was done that could be done.
    pub(super) fn next(&mut self, turn: Turn, left: Left, clock: Clock<'_>) -> Next {
        if left.unsent {
            // What was kept before was taken, so the clock starts again.
            self.deadline.arm(Timer::Answer, true, clock);
            return Next::Wait;
        }
        if left.is_done {
            return Next::Again;
        }
        if left.waiting && (self.held_back || self.phase != Phase::Open) {
            self.deadline.arm(Timer::None, false, clock);
            return Next::Wait;
        }
        if self.held_back || (self.phase == Phase::Open && self.readable) {
            // Only a request that is arriving keeps its time.
            if turn.executed || !self.deadline.is_for(Timer::Request) {
                self.deadline.arm(Timer::None, false, clock);
            }
            return Next::Again;
        }
        if let Phase::Ending(why) = self.phase {
            // At the end of the server also earlier answers may still be on their way.
            if why == Close::Done || !(turn.answered || why == Close::Stopping) {
                return Next::Close(why);
            }
            self.phase = Phase::Draining(why);
            self.deadline.arm(Timer::Drain, true, clock);
            return Next::EndStream;
        }
        match clock.limits.idle_time {
            _ if left.partial => self.deadline.arm(Timer::Request, turn.executed, clock),
            Some(_) if !left.waiting => self.deadline.arm(Timer::Idle, true, clock),
            _ => self.deadline.arm(Timer::None, false, clock),
        }
        Next::Wait
    }

    /// What comes after a turn that has thrown away what it received.
    pub(super) fn drained(&mut self, received: Received, clock: Clock<'_>) -> Next {
        let Phase::Draining(why) = self.phase else {
            return Next::Again;
        };
        if received.bytes() > 0 && why == Close::Stopping {
            // Who still sends has not seen the end yet. It has as long as the server gives all of them.
            self.deadline.arm(Timer::None, false, clock);
        }
        match received {
            Received::End => Next::Close(why),
            _ if self.deadline.is_due(clock) => Next::Close(why),
            Received::Bytes(..) => Next::Again,
            Received::Nothing | Received::Interrupted => Next::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    /// As the scripts say.
    #[test]
    fn what_comes_after_a_turn_follows_from_what_has_happened() {
        let scripts = r"Turns of a connection, and what comes after each: `state.rs` plays them. What happens in a turn:

- `look`: it has nothing to read; `read`: a request; `part` of a request; `large`: 100 KB of one; `full`: as much as
  there is room for; `end` of the stream; `hung-up`: so the poller says; `took`: the client takes 100 KB of the answers;
- how many seconds after the connection came;
- how things are then: `held-back`, `waiting`, `done`, `unsent`, `stuck`, `partial`, `foreign`, `no-memory`, `stops`.

With an `idle-limit` a connection may be idle for nine seconds.

read → wait | read → wait | 9999 look → wait
full → again | look → wait
hung-up look → wait | read → wait
read held-back → again | read held-back → again
read waiting held-back → wait | look waiting done held-back → again | look → wait
read waiting → wait | read waiting → wait | look → wait
read → wait | end → the client is done
end waiting → wait | look → the client is done
part → wait | 20 look partial → wait | 40 look partial → end the stream
part → wait | 40 read → wait
part → wait | 20 read partial → wait | 40 look partial → wait
part → wait | 20 large partial → wait | 40 large partial → wait | 60 look partial → wait | 80 look partial → end the stream
idle-limit read → wait | 15 read → wait
idle-limit read → wait | 15 look → it was idle for too long
idle-limit read → wait | 5 read → wait | 14 look → wait
idle-limit read waiting → wait | 15 look waiting → wait
read unsent → wait | 40 look stuck → it took too long to accept an answer
read unsent → wait | 20 read unsent → wait | 40 look stuck → wait
read unsent → wait | 20 look took stuck → wait | 40 look took stuck → wait | 80 look stuck → it took too long to accept an answer
read foreign → end the stream | read → again | 9 read → it speaks another protocol
part no-memory → end the stream | end → it was refused
read → wait | look stops → end the stream | 9 look → the server stops
look stops → end the stream | 9 read → again | 9 look → wait | end → the server stops
".lines().filter(|line| line.contains(" → "));
        assert!(scripts.clone().count() > 20);
        for script in scripts {
            let idle_time = script.starts_with("idle-limit").then_some(Duration::from_secs(9));
            let limits = Limits { idle_time, ..Limits::default() };
            let mut state = State::new(Clock { now: 0, limits: &limits });
            for turn in script.split(" | ") {
                let (happens, expected) = turn.split_once(" → ").unwrap();
                let next = match play(&mut state, happens, &limits) {
                    Next::Wait => "wait".to_owned(),
                    Next::Again => "again".to_owned(),
                    Next::EndStream => "end the stream".to_owned(),
                    Next::Close(why) => why.to_string(),
                };
                assert_eq!(next, expected, "after `{happens}` in `{script}`");
            }
        }
    }

    /// A socket that is full takes more a moment later, and tells of room only when there is much of it.
    #[test]
    fn while_an_answer_waits_each_sweep_has_a_look_at_it() {
        let limits = Limits::default();
        let clock = Clock { now: 0, limits: &limits };
        let mut state = State::new(clock);
        play(&mut state, "read unsent", &limits);
        assert_eq!(state.look_at(clock), clock.after(Duration::ZERO));
    }

    /// What a turn does with the state, in its order.
    fn play(state: &mut State, happens: &str, limits: &Limits) -> Next {
        let has = |word| happens.split(' ').any(|other| other == word);
        let seconds = happens.split(' ').find_map(|word| word.parse::<u64>().ok());
        let clock = Clock { now: seconds.unwrap_or(0) * 1000, limits };
        let received = match () {
            () if has("end") => Received::End,
            () if has("look") => Received::Nothing,
            () => Received::Bytes(if has("large") { 100_000 } else { 100 }, has("full")),
        };
        state.begin(!has("look") || has("hung-up"), has("hung-up"), clock);
        if state.is_draining() {
            state.received(received);
            return state.drained(received, clock);
        }
        if has("took") {
            state.progress(100_000, clock);
        }
        if has("stuck") {
            return state.is_stuck(clock);
        }
        let reads = state.wants_read(has("stops"));
        if reads {
            state.received(received);
        }
        state.set_held_back(has("held-back"));
        if has("foreign") {
            state.give_up(Close::Foreign);
        }
        let executed = has("read");
        let (received, is_last) = (received.bytes(), reads && has("stops"));
        let mut turn = Turn { received, executed, answered: executed, is_last };
        state.progress(turn.received, clock);
        match state.verdict(turn, has("no-memory"), clock) {
            Verdict::Close(why) => return Next::Close(why),
            Verdict::GiveUp(why) => {
                state.give_up(why);
                turn.answered = true;
            }
            Verdict::GoOn => {}
        }
        let (unsent, waiting, is_done) = (has("unsent"), has("waiting"), has("done"));
        let partial = has("part") || has("partial");
        state.next(turn, Left { unsent, waiting, is_done, partial }, clock)
    }
}
