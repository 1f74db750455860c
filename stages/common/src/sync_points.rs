//! Sync points: the moments at which a test may hold a thread that is inside an engine.
//!
//! A test that wants to know whether readers share a lock has to stop one of them while it holds
//! the lock. So the log calls `reach` at each [`Point`], and a test `install`s what happens
//! there. Only a debug build with the feature `testing` has them; elsewhere `reach` is empty.

/// Where an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// It is about to read a record.
    Fetch,
    /// It has read a record and decodes it.
    Read,
    /// It is about to write a record.
    Append,
}

#[cfg(feature = "testing")]
type Hook = Box<dyn Fn(Point) + Send + Sync>;

// Written once, before the threads that a test observes start; `OnceLock` orders the rest.
#[cfg(feature = "testing")]
static HOOK: std::sync::OnceLock<Hook> = std::sync::OnceLock::new();

/// Calls `hook` at every [`Point`] from now on, on the thread that got there. Once a process.
/// Returns whether it will be called.
#[cfg(feature = "testing")]
pub fn install(hook: impl Fn(Point) + Send + Sync + 'static) -> bool {
    cfg!(debug_assertions) && HOOK.set(Box::new(hook)).is_ok()
}

/// Says that the calling thread is at `point`.
#[inline]
pub(crate) fn reach(point: Point) {
    #[cfg(all(feature = "testing", debug_assertions))]
    if let Some(hook) = HOOK.get() {
        hook(point);
    }
    #[cfg(not(all(feature = "testing", debug_assertions)))]
    let _ = point;
}
