//! What a command line names, among what there is.

use crate::Outcome;

/// Those of `all` that are named, or all if none is.
///
/// # Errors
/// If there is no such name; says which there are.
pub(crate) fn chosen<T: Copy>(
    what: &str,
    names: Vec<String>,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Outcome<Vec<T>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let find = |wanted: String| {
        let known = || all.iter().map(|&one| name(one)).collect::<Vec<_>>().join(", ");
        let found = all.iter().copied().find(|&one| name(one) == wanted);
        found.ok_or_else(|| format!("`{wanted}` is no {what}; there are {}", known()).into())
    };
    names.into_iter().map(find).collect()
}
