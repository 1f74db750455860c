/// What a store says about itself. Each number is right by itself; taken while writers are at work,
/// two of them need not belong to the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of the log that the next compaction will drop.
    pub garbage_bytes: u64,
    /// Compactions since the store was opened.
    pub compactions: u64,
}
