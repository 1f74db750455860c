//! A connection over the loopback, a request over it, and the text that the request is.

use crate::measure::{Costs, Run, timed};
use kvs_bench_kit::load::Exchange;
use kvs_common::protocol::{Request, encode};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

pub(crate) fn costs(costs: &mut Costs) {
    // A client meets a server that answers a line with a line.
    let mut group = costs.group("loopback");
    group.bench("connect-and-close", 2, |times| connections(times, false));
    group.bench("request", 2, requests);
    group.bench("connect-request-close", 2, |times| connections(times, true));
    drop(group);

    // A `Set` with a key and a value of 16 letters each becomes a line, or the line a `Set`.
    let mut group = costs.group("json");
    let request = Request::Set { key: "k".repeat(16), value: "v".repeat(16) };
    let line = encode(&request).unwrap();
    group.bench_one("encode", || {
        assert_eq!(encode(black_box(&request)).unwrap().len(), line.len());
    });
    group.bench_one("decode", || {
        assert_eq!(serde_json::from_slice::<Request>(black_box(&line)).unwrap(), request);
    });
}

fn exchange() -> Exchange {
    let mut exchange = Exchange::default();
    exchange.get(&"k".repeat(16), &"v".repeat(16));
    exchange
}

/// Runs `client` beside a server that takes so many connections, one after the other. It answers
/// every line, or closes at once.
fn beside_server(connections: u64, answers: bool, client: impl FnOnce(SocketAddr)) -> Run {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..connections {
                let (stream, _) = listener.accept().unwrap();
                if answers {
                    answer(stream);
                }
            }
        });
        timed(|| client(addr))
    })
}

fn answer(stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut lines, mut writer, answer) = (BufReader::new(&stream), &stream, exchange().answer);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        writer.write_all(&answer).unwrap();
        line.clear();
    }
}

/// A connection for each operation. The client waits for the server's side of it: one that ran
/// ahead would measure how many connections can queue up.
fn connections(times: u64, request: bool) -> Run {
    let (exchange, mut buffer) = (exchange(), Vec::new());
    beside_server(times, request, |addr| {
        for _ in 0..times {
            let mut stream = TcpStream::connect(addr).unwrap();
            if request {
                stream.set_nodelay(true).unwrap();
                exchange.ask(&mut stream, &mut buffer).unwrap();
            } else {
                assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
            }
        }
    })
}

fn requests(times: u64) -> Run {
    let (exchange, mut buffer) = (exchange(), Vec::new());
    beside_server(1, true, |addr| {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        (0..times).for_each(|_| exchange.ask(&mut stream, &mut buffer).unwrap());
    })
}
