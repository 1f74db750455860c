//! What a store may hold after writes one after the other, some of which failed or got no answer.

use kvs_final::{KvsClient, Result};
use std::collections::BTreeMap;

/// For each key its last acknowledged value, none if it was removed, and those of writes since that
/// got no answer or an error: they may have happened.
#[derive(Default)]
pub struct Expected {
    keys: BTreeMap<String, Vec<Option<String>>>,
    /// How many writes were acknowledged.
    pub acknowledged: u64,
}

impl Expected {
    /// Notes a write, or without a value a removal, and whether it was acknowledged.
    pub fn note(&mut self, key: &str, value: Option<String>, acknowledged: bool) {
        let values = self.keys.entry(key.to_owned()).or_insert_with(|| vec![None]);
        if acknowledged {
            values.clear();
            self.acknowledged += 1;
        }
        values.push(value);
    }

    /// Writes a value, or removes what is there, and notes it.
    ///
    /// # Errors
    /// What the client says.
    pub fn write(
        &mut self,
        client: &mut KvsClient,
        key: &str,
        value: Option<String>,
    ) -> Result<()> {
        let result = match value.clone() {
            Some(value) => client.set(key.to_owned(), value),
            None => client.remove(key.to_owned()),
        };
        self.note(key, value, result.is_ok());
        result
    }

    /// Takes each write for acknowledged: a fault to inject.
    pub fn take_all_for_done(&mut self) {
        for values in self.keys.values_mut() {
            values.drain(..values.len() - 1);
        }
    }

    /// Whether this may be found.
    pub fn allows(&self, key: &str, found: &Option<String>) -> bool {
        self.keys.get(key).map_or(found.is_none(), |values| values.contains(found))
    }

    /// Compares what is there with it. Returns how many keys it looked at.
    ///
    /// # Errors
    /// Which key cannot be read, or is what it may not be.
    pub fn check(
        &self,
        mut get: impl FnMut(String) -> Result<Option<String>>,
    ) -> std::result::Result<u64, String> {
        let short = |value: &Option<String>| -> Option<String> {
            value.as_ref().map(|text| text.chars().take(40).collect())
        };
        for (key, values) in &self.keys {
            let found = get(key.clone()).map_err(|error| format!("get {key}: {error}"))?;
            if !self.allows(key, &found) {
                let values: Vec<_> = values.iter().map(short).collect();
                return Err(format!("{key} is {:?}, not one of {values:?}", short(&found)));
            }
        }
        Ok(self.keys.len() as u64)
    }
}
