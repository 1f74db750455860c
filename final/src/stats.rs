/// What a store says about itself. Each number is right by itself; taken while writers are at work,
/// two of them need not belong to the same moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of the records that those keys have.
    pub live_bytes: u64,
    /// Bytes of the log that the next compaction will drop.
    pub stale_bytes: u64,
    /// Files of the log.
    pub segments: u64,
    /// Compactions since the store was opened.
    pub compactions: u64,
    /// Why no more is written, or why the last compaction failed, if that is so.
    pub last_error: Option<String>,
}
