use std::fmt;

/// What a store says about itself. Each number is right by itself; taken while writers are at work,
/// two of them need not belong to the same moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of the records that those keys have.
    pub live_bytes: u64,
    /// Bytes of all other records; compactions drop them by and by.
    pub garbage_bytes: u64,
    /// Files of the log.
    pub segments: u64,
    /// Compactions since the store was opened, each of a few segments.
    pub compactions: u64,
    /// Why no more is written, or why the last compaction failed, if that is so.
    pub last_error: Option<String>,
}

/// A line a number: its name, a space and the value.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { keys, live_bytes, garbage_bytes, segments, compactions, last_error } = self;
        writeln!(f, "keys {keys}")?;
        writeln!(f, "live_bytes {live_bytes}")?;
        writeln!(f, "garbage_bytes {garbage_bytes}")?;
        writeln!(f, "segments {segments}")?;
        writeln!(f, "compactions {compactions}")?;
        match last_error {
            Some(error) => writeln!(f, "last_error {}", error.replace('\n', " ")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_line_also_when_an_error_has_several() {
        let stats = Stats { keys: 7, last_error: Some("disk\nfull".into()), ..Stats::default() };
        let numbers = "keys 7\nlive_bytes 0\ngarbage_bytes 0\nsegments 0\ncompactions 0\n";
        assert_eq!(stats.to_string(), format!("{numbers}last_error disk full\n"));
    }
}
