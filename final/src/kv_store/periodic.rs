use crossbeam::channel::{RecvTimeoutError, Sender, bounded};
use std::convert::Infallible;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread that does something every so often, until this is dropped.
pub(super) struct Periodic {
    /// Nothing is ever sent; it is dropped to end the thread.
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Periodic {
    /// Calls `work` whenever `time` has passed, for as long as it returns true.
    pub(super) fn start(
        name: &str,
        time: Duration,
        mut work: impl FnMut() -> bool + Send + 'static,
    ) -> io::Result<Periodic> {
        let (stop, stopped) = bounded(0);
        let run = move || {
            while stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout) && work() {}
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Periodic { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // An error is a panic of the thread, which its hook has reported.
            let _ = thread.join();
        }
    }
}
