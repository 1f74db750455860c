use std::fmt;
use std::str::FromStr;

/// The engines that can own a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Our own, `KvStore`.
    Kvs,
    /// The embedded database sled.
    Sled,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Kvs => "kvs",
            EngineKind::Sled => "sled",
        })
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "kvs" => Ok(EngineKind::Kvs),
            "sled" => Ok(EngineKind::Sled),
            other => Err(format!("`{other}` is no engine; there are `kvs` and `sled`")),
        }
    }
}
