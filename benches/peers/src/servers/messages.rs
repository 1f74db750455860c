//! What clients say to servers, and what must come back, byte for byte.

use crate::data::{Key, Random};
use crate::load::Exchange;

/// How many keys there are.
pub(crate) const KEYS: u64 = 1000;

/// The language of a server.
#[derive(Clone, Copy)]
pub(super) enum Protocol {
    Kvs,
    Redis,
    Memcached,
    /// `Kvs`, spoken to somebody who repeats it.
    Echo,
}

impl Exchange {
    fn add(&mut self, (request, answer): (String, String)) {
        self.request.extend(request.as_bytes());
        self.answer.extend(answer.as_bytes());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Set,
}

impl Protocol {
    /// A set of every key, in order, one at a time.
    pub(super) fn preload(self) -> Vec<Exchange> {
        (0..KEYS).map(|number| self.exchange(Kind::Set, [number].into_iter())).collect()
    }

    /// As many exchanges as there are keys, each with so many requests of random keys.
    pub(super) fn exchanges(self, kind: Kind, depth: usize) -> Vec<Exchange> {
        let mut random = Random::new(1);
        let mut keys = || (0..depth).map(|_| random.below(KEYS)).collect::<Vec<_>>();
        (0..KEYS).map(|_| self.exchange(kind, keys().into_iter())).collect()
    }

    fn exchange(self, kind: Kind, numbers: impl Iterator<Item = u64>) -> Exchange {
        let mut exchange = Exchange::default();
        for number in numbers {
            // Its value: 16 bytes as well, and no other key's.
            let (key, value) = (Key::new(number), Key::new(KEYS + number));
            exchange.add(match kind {
                Kind::Get => self.get(key.as_str(), value.as_str()),
                Kind::Set => self.set(key.as_str(), value.as_str()),
            });
        }
        exchange
    }

    fn get(self, key: &str, value: &str) -> (String, String) {
        let (key_len, value_len) = (key.len(), value.len());
        match self {
            Protocol::Kvs => (
                format!("{{\"Get\":{{\"key\":\"{key}\"}}}}\n"),
                format!("{{\"Ok\":\"{value}\"}}\n"),
            ),
            Protocol::Redis => (
                format!("*2\r\n$3\r\nGET\r\n${key_len}\r\n{key}\r\n"),
                format!("${value_len}\r\n{value}\r\n"),
            ),
            Protocol::Memcached => (
                format!("get {key}\r\n"),
                format!("VALUE {key} 0 {value_len}\r\n{value}\r\nEND\r\n"),
            ),
            Protocol::Echo => repeated(Protocol::Kvs.get(key, value).0),
        }
    }

    fn set(self, key: &str, value: &str) -> (String, String) {
        let (key_len, value_len) = (key.len(), value.len());
        match self {
            Protocol::Kvs => (
                format!("{{\"Set\":{{\"key\":\"{key}\",\"value\":\"{value}\"}}}}\n"),
                "{\"Ok\":null}\n".to_owned(),
            ),
            Protocol::Redis => (
                format!("*3\r\n$3\r\nSET\r\n${key_len}\r\n{key}\r\n${value_len}\r\n{value}\r\n"),
                "+OK\r\n".to_owned(),
            ),
            Protocol::Memcached => {
                (format!("set {key} 0 0 {value_len}\r\n{value}\r\n"), "STORED\r\n".to_owned())
            }
            Protocol::Echo => repeated(Protocol::Kvs.set(key, value).0),
        }
    }
}

fn repeated(message: String) -> (String, String) {
    (message.clone(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_an_answer_of_its_own() {
        for protocol in [Protocol::Kvs, Protocol::Redis, Protocol::Memcached, Protocol::Echo] {
            let get = |number| protocol.exchange(Kind::Get, [number].into_iter()).answer;
            let answers: std::collections::HashSet<_> = (0..KEYS).map(get).collect();
            assert_eq!(answers.len() as u64, KEYS);
        }
    }

    #[test]
    fn a_deep_exchange_is_its_requests_in_a_row() {
        let parts = [3, 7].map(|n| Protocol::Kvs.exchange(Kind::Get, [n].into_iter()));
        let whole = Protocol::Kvs.exchange(Kind::Get, [3, 7].into_iter());
        let [first, second] = parts;
        assert_eq!(whole.request, [first.request, second.request].concat());
        assert_eq!(whole.answer, [first.answer, second.answer].concat());
        let depth = 16;
        for exchange in Protocol::Kvs.exchanges(Kind::Get, depth) {
            assert_eq!(exchange.request.iter().filter(|&&byte| byte == b'\n').count(), depth);
        }
    }
}
