use std::fmt;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
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

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    None,
    Request,
    Answer,
    Idle,
    Drain,
}
