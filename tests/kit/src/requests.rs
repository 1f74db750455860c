//! Requests and answers as they are on the wire, without their newlines.

/// Asks for the key `k`.
pub const GET: &str = r#"{"Get":{"key":"k"}}"#;

/// Sets the key `k` to `v`.
pub const SET: &str = r#"{"Set":{"key":"k","value":"v"}}"#;

/// Asks for the key `large`, whose value is long.
pub const GET_LARGE: &str = r#"{"Get":{"key":"large"}}"#;

/// The answer to [`GET`] after [`SET`].
pub const FOUND: &str = r#"{"Ok":"v"}"#;

/// The answer to a write that is done, and to a read of a key that is not there.
pub const NOTHING: &str = r#"{"Ok":null}"#;

/// Asks for a key.
pub fn get(key: &str) -> String {
    format!(r#"{{"Get":{{"key":"{key}"}}}}"#)
}

/// Sets a key to a value.
pub fn set(key: &str, value: &str) -> String {
    format!(r#"{{"Set":{{"key":"{key}","value":"{value}"}}}}"#)
}

/// Removes a key.
pub fn remove(key: &str) -> String {
    format!(r#"{{"Remove":{{"key":"{key}"}}}}"#)
}

/// The answer to a read that finds this value.
pub fn found(value: &str) -> String {
    format!(r#"{{"Ok":"{value}"}}"#)
}
