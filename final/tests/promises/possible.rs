//! What a store may hold for a client that asked one thing after the other.

use kvs_final::Result;
use std::collections::BTreeMap;

/// For each key its last acknowledged value, none if it was removed, and those of writes since that
/// got no answer or an error: they may have happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Possible {
    keys: BTreeMap<String, Vec<Option<String>>>,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
}

impl Possible {
    /// Notes a write, or with `None` a removal of a key that is there.
    pub(crate) fn note<T>(&mut self, key: &str, value: Option<String>, result: &Result<T>) {
        let values = self.keys.entry(key.to_owned()).or_insert_with(|| vec![None]);
        if result.is_ok() {
            values.clear();
            self.acknowledged += 1;
        } else {
            self.refused += 1;
        }
        values.push(value);
    }

    /// A mistake to be noticed: whatever was asked was done.
    pub(crate) fn all_done(mut self) -> Possible {
        for values in self.keys.values_mut() {
            values.drain(..values.len() - 1);
        }
        self
    }

    /// Compares what is there with it. Returns how many keys it looked at.
    pub(crate) fn check(
        &self,
        mut get: impl FnMut(String) -> Result<Option<String>>,
    ) -> std::result::Result<u64, String> {
        for (key, values) in &self.keys {
            let found = get(key.clone()).map_err(|error| format!("get {key}: {error}"))?;
            if !values.contains(&found) {
                let short = |value: &Option<String>| {
                    value.as_ref().map(|text| text.chars().take(40).collect::<String>())
                };
                let values: Vec<_> = values.iter().map(short).collect();
                return Err(format!("{key} is {:?}, not one of {values:?}", short(&found)));
            }
        }
        Ok(self.keys.len() as u64)
    }
}
