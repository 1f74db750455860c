//! How much a test does.
//!
//! An ordinary run tries each property on a size that takes seconds. Where the variable [`VARIABLE`] is
//! `full`, as the promises set it, the same tests do what they are about in earnest.

/// The variable of the environment.
pub const VARIABLE: &str = "KVS_TEST_SIZE";

/// What it is for the full size.
pub const FULL: &str = "full";

/// One of the two, by the size that was asked for.
pub fn pick<T>(quick: T, full: T) -> T {
    if std::env::var_os(VARIABLE).is_some_and(|size| size == FULL) { full } else { quick }
}
