//! Chapter 8. Write `get_many`: the values of many keys in one round trip to the server, in the order of
//! the keys.
//!
//! The idea: a request does not depend on the answer to the one before, so all of them are sent before
//! the first answer is waited for. The client's `submit_get` gives a `Pending` for each; waiting for
//! them in the order of the calls is the order of the answers too, so none has to be kept for long.

use kvs_final::{KvsClient, Result};

/// The value of each key, in the order of the keys; `None` for one that has none.
///
/// # Errors
/// The first error. The answers to the other requests are then passed over, and the connection can
/// be used further if it was the server's word, as with [`KvsClient::get`].
pub(crate) fn get_many(
    client: &mut KvsClient,
    keys: impl IntoIterator<Item = String>,
) -> Result<Vec<Option<String>>> {
    let requests = keys.into_iter().map(|key| client.submit_get(key));
    // Collected, because an iterator is lazy: without this each request would be sent only when the
    // answer to the one before is there.
    let pending = requests.collect::<Result<Vec<_>>>()?;
    pending.into_iter().map(|answer| answer.wait()).collect()
}

mod tests {
    use super::*;
    use kvs_final::Limits;
    use kvs_test_kit::comes_to_an_end;
    use kvs_test_kit::engines::Memory;
    use kvs_test_kit::local::Local;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn the_values_come_in_the_order_of_the_keys() {
        let server = Local::start(Memory::default(), Limits::default());
        let mut client = KvsClient::connect(server.addr).unwrap();
        for number in 0..100 {
            client.set(format!("key {number}"), format!("value {number}")).unwrap();
        }
        // Backwards, every key twice, and some that are not there.
        let numbers = || (0..110).rev().flat_map(|number| [number, number]);
        let values = get_many(&mut client, numbers().map(|number| format!("key {number}")));
        let expected = numbers().map(|number| (number < 100).then(|| format!("value {number}")));
        assert_eq!(values.unwrap(), expected.collect::<Vec<_>>());
        assert_eq!(get_many(&mut client, []).unwrap(), [] as [Option<String>; 0]);
    }

    /// This server answers nothing before it has all requests: a client that waits for an answer
    /// between two of them would wait for ever.
    #[test]
    fn all_requests_are_sent_before_the_first_answer() {
        const KEYS: usize = 100;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let requests: Vec<_> = BufReader::new(&stream).lines().take(KEYS).collect();
            for number in 0..requests.len() {
                writeln!(&stream, "{{\"Ok\":\"{number}\"}}").unwrap();
            }
        });
        comes_to_an_end(move || {
            let mut client = KvsClient::connect(addr).unwrap();
            let keys = || (0..KEYS).map(|number| number.to_string());
            let values = get_many(&mut client, keys()).unwrap();
            assert_eq!(values, keys().map(Some).collect::<Vec<_>>());
        });
        server.join().unwrap();
    }
}
