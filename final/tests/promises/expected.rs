//! What a store may hold after writes of one client, some of which failed or got no answer.

use kvs_final::{KvsClient, Result};
use std::collections::BTreeMap;

/// For each key its last acknowledged value, none if it was removed, and those of writes since that
/// got no answer or an error: they may have happened.
#[derive(Default)]
pub(crate) struct Expected {
    keys: BTreeMap<String, Vec<Option<String>>>,
    pub(crate) acknowledged: u64,
}

impl Expected {
    /// Writes a value, or removes what is there.
    pub(crate) fn write(
        &mut self,
        client: &mut KvsClient,
        key: String,
        value: Option<String>,
    ) -> Result<()> {
        let values = self.keys.entry(key.clone()).or_insert_with(|| vec![None]);
        let result = match value.clone() {
            Some(value) => client.set(key, value),
            None => client.remove(key),
        };
        if result.is_ok() {
            values.clear();
            self.acknowledged += 1;
        }
        values.push(value);
        result
    }

    /// An injected fault: each write is taken for acknowledged.
    pub(crate) fn take_all_for_done(&mut self) {
        for values in self.keys.values_mut() {
            values.drain(..values.len() - 1);
        }
    }

    /// Compares what is there with it. Returns how many keys it looked at.
    pub(crate) fn check(
        &self,
        mut get: impl FnMut(String) -> Result<Option<String>>,
    ) -> std::result::Result<u64, String> {
        let short = |value: &Option<String>| -> Option<String> {
            value.as_ref().map(|text| text.chars().take(40).collect())
        };
        for (key, values) in &self.keys {
            let found = get(key.clone()).map_err(|error| format!("get {key}: {error}"))?;
            if !values.contains(&found) {
                let values: Vec<_> = values.iter().map(short).collect();
                return Err(format!("{key} is {:?}, not one of {values:?}", short(&found)));
            }
        }
        Ok(self.keys.len() as u64)
    }
}
