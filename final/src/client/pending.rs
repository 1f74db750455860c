use super::connection::Connection;
use super::pipeline::{Slot, lock};
use crate::Result;
use std::sync::{Arc, Mutex};

/// A request whose answer nobody has waited for yet.
///
/// They can be waited on in any order, in other threads too, and after their client is gone.
/// An answer that comes before somebody waits for it is kept in memory. One that is dropped wants
/// no answer; its request is executed like the others, if it was sent: requests are gathered, and
/// sent when somebody waits, when they are many, or by [`flush`](super::KvsClient::flush).
#[must_use = "without `wait` nobody knows whether it was done"]
pub struct Pending<T> {
    connection: Arc<Mutex<Connection>>,
    slot: Arc<Slot>,
    meaning: fn(Option<String>) -> Result<T>,
}

impl<T> Pending<T> {
    pub(super) fn new(
        connection: Arc<Mutex<Connection>>,
        slot: Arc<Slot>,
        meaning: fn(Option<String>) -> Result<T>,
    ) -> Pending<T> {
        Pending { connection, slot, meaning }
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// What the server says to the request; or that the connection was lost, and then nobody knows
    /// whether the request was executed.
    pub fn wait(self) -> Result<T> {
        let mut connection = lock(&self.connection);
        let value = connection.answer(&self.slot)?;
        (self.meaning)(value).map_err(|error| connection.give_up(error))
    }
}
