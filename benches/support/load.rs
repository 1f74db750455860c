//! The clients: each a thread with a connection, which sends and waits for the answer.

use crate::Outcome;
use crate::data::Random;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, bind, socket_with};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

/// After this long without an answer there will be none.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thousand threads with little to remember.
const STACK: usize = 256 << 10;

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Requests that are sent at once, and their answers.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

/// What clients do.
pub(crate) struct Load<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) exchanges: &'a [Exchange],
    pub(crate) clients: usize,
    /// Whether an exchange has a connection of its own.
    pub(crate) reconnect: bool,
}

/// What clients saw, one or all of them.
#[derive(Default)]
pub(crate) struct Seen {
    /// How long each exchange took that ended in the time of the measurement, in nanoseconds; with
    /// the opening of its connection if it had its own.
    pub(crate) latencies: Vec<u32>,
    /// All exchanges, also those before and after.
    pub(crate) exchanges: u64,
}

/// What all clients saw, and what somebody else saw of the server when the measurement began and
/// when it ended.
pub(crate) struct Measured<T> {
    pub(crate) seen: Seen,
    pub(crate) seconds: f64,
    pub(crate) before: T,
    pub(crate) after: T,
}

impl Load<'_> {
    /// Lets the clients work until the time is over, after a quarter of it for warming up.
    ///
    /// # Errors
    /// If an answer is not the one that belongs to its request, or does not come.
    pub(crate) fn measure<T>(
        &self,
        seconds: f64,
        look: impl Fn() -> Outcome<T>,
    ) -> Outcome<Measured<T>> {
        let open = (0..self.clients).map(|number| connect(host(number), self.addr));
        let open = open.collect::<Outcome<Vec<_>>>()?;
        // Which part of the measurement it is. It guards no data, so the order of accesses does not
        // matter.
        let phase = AtomicU8::new(WARMING_UP);
        let phase = &phase;
        // Whether there was an answer while it was measured; guards no data either.
        let answered = AtomicBool::new(false);
        let answered = &answered;
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (number, connection) in open.into_iter().enumerate() {
                let client = move || self.client(number, connection, phase, answered);
                let thread = Builder::new().stack_size(STACK).spawn_scoped(scope, client);
                // Those that run already must not run for ever.
                threads.push(thread.inspect_err(|_| phase.store(OVER, Ordering::Relaxed))?);
            }
            sleep(Duration::from_secs_f64(seconds / 4.0));
            let before = look();
            let start = Instant::now();
            phase.store(MEASURING, Ordering::Relaxed);
            sleep(Duration::from_secs_f64(seconds));
            // A short time on a busy machine may see no answer: then it lasts until one comes, or
            // all clients have failed.
            while !answered.load(Ordering::Relaxed) && !threads.iter().all(|t| t.is_finished()) {
                sleep(Duration::from_millis(1));
            }
            phase.store(OVER, Ordering::Relaxed);
            let seconds = start.elapsed().as_secs_f64();
            let after = look();

            let mut seen = Seen::default();
            for thread in threads {
                let client = thread.join().map_err(|_| "a client panicked")??;
                seen.latencies.extend(client.latencies);
                seen.exchanges += client.exchanges;
            }
            seen.latencies.sort_unstable();
            Ok(Measured { seen, seconds, before: before?, after: after? })
        })
    }

    fn client(
        &self,
        number: usize,
        connection: TcpStream,
        phase: &AtomicU8,
        answered: &AtomicBool,
    ) -> Outcome<Seen> {
        let mut random = Random::new(number as u64);
        let mut buffer = Vec::new();
        let mut open = Some(connection);
        let mut seen = Seen::default();
        loop {
            let exchange = &self.exchanges[random.below(self.exchanges.len() as u64) as usize];
            let start = Instant::now();
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => connect(host(number), self.addr)?,
            };
            ask(&mut connection, exchange, &mut buffer)?;
            let time = start.elapsed().as_nanos();
            if !self.reconnect {
                open = Some(connection);
            }
            seen.exchanges += 1;
            match phase.load(Ordering::Relaxed) {
                WARMING_UP => {}
                MEASURING => {
                    if seen.latencies.is_empty() {
                        answered.store(true, Ordering::Relaxed);
                    }
                    seen.latencies.push(u32::try_from(time).unwrap_or(u32::MAX));
                }
                _ => return Ok(seen),
            }
        }
    }
}

/// Where a client lives; the whole of 127.0.0.0/8 is this machine. A port stays taken for a while
/// after its connection: if all clients had one address, those that open a connection for each
/// request would soon spend their time on the search for a free one.
pub(crate) fn host(client: usize) -> Ipv4Addr {
    let [.., high, low] = client.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// A connection that sends at once and does not wait for ever.
pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr) -> Outcome<TcpStream> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::from((from, 0)))?;
    net::connect(&socket, &to).map_err(|e| format!("connect: {e}"))?;
    let connection = TcpStream::from(socket);
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// Sends what the exchange says, and sees that the right answer comes.
pub(crate) fn ask(
    connection: &mut TcpStream,
    exchange: &Exchange,
    buffer: &mut Vec<u8>,
) -> Outcome<()> {
    buffer.resize(exchange.answer.len(), 0);
    connection.write_all(&exchange.request)?;
    connection.read_exact(buffer).map_err(|e| format!("no answer: {e}"))?;
    if *buffer == exchange.answer {
        return Ok(());
    }
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Err(format!("`{}` instead of `{}`", text(buffer), text(&exchange.answer)).into())
}

#[cfg(test)]
#[allow(unused)] // a bench without a harness is built with `test`, and has no tests
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::spawn;

    /// What one client finds whose server answers the first request so, and then hangs up.
    fn measure(answer: &'static [u8]) -> Outcome<Measured<()>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            connection.read_exact(&mut [0; 3]).unwrap();
            connection.write_all(answer).unwrap();
        });
        let exchanges = [Exchange { request: b"ask".into(), answer: b"right".into() }];
        let load = Load { addr, exchanges: &exchanges, clients: 1, reconnect: false };
        let measured = load.measure(0.001, || Ok(()));
        server.join().unwrap();
        measured
    }

    #[test]
    fn a_wrong_answer_fails_the_measurement() {
        let error = measure(b"wrong").err().unwrap().to_string();
        assert_eq!(error, "`wrong` instead of `right`");
    }

    #[test]
    fn a_missing_answer_fails_the_measurement() {
        assert!(measure(b"rig").err().unwrap().to_string().starts_with("no answer"));
    }
}
