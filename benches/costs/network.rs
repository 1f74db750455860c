//! A connection over the loopback, a request over it, and the text that the request is.

use crate::measure::{Cost, Figures, Variant, repeat, timed};
use kvs_common::protocol::{Request, encode};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

pub(crate) fn costs() -> Vec<Cost> {
    let network =
        |name, work: fn(u64) -> Figures| Variant::new(name, 2, move |budget| repeat(budget, work));
    vec![
        Cost {
            name: "loopback",
            operation: "a client meets a server that answers a line with a line",
            variants: vec![
                network("connect-and-close", |times| connections(times, false)),
                network("request", requests),
                network("connect-request-close", |times| connections(times, true)),
            ],
        },
        Cost {
            name: "json",
            operation: "a `Set` with a key and a value of 16 letters each becomes a line, or the \
                        line a `Set`",
            variants: vec![
                Variant::repeated("encode", |times| {
                    let (request, line) = set();
                    for _ in 0..times {
                        assert_eq!(encode(black_box(&request)).unwrap().len(), line.len());
                    }
                }),
                Variant::repeated("decode", |times| {
                    let (request, line) = set();
                    for _ in 0..times {
                        let decoded: Request = serde_json::from_slice(black_box(&line)).unwrap();
                        assert_eq!(decoded, request);
                    }
                }),
            ],
        },
    ]
}

fn set() -> (Request, Vec<u8>) {
    let request = Request::Set { key: "k".repeat(16), value: "v".repeat(16) };
    let line = encode(&request).unwrap();
    (request, line)
}

const ANSWER: &[u8] = b"{\"Ok\":\"vvvvvvvvvvvvvvvv\"}\n";

/// Runs `client` beside a server that takes so many connections, one after the other. It answers
/// every line, or closes at once.
fn beside_server(
    connections: u64,
    answers: bool,
    operations: u64,
    client: impl FnOnce(SocketAddr),
) -> Figures {
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
        timed(operations, || client(addr))
    })
}

fn answer(stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut lines, mut writer) = (BufReader::new(&stream), &stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        writer.write_all(ANSWER).unwrap();
        line.clear();
    }
}

/// A connection for each operation. The client waits for the server's side of it: one that ran
/// ahead would measure how many connections can queue up.
fn connections(times: u64, request: bool) -> Figures {
    beside_server(times, request, times, |addr| {
        for _ in 0..times {
            let mut stream = TcpStream::connect(addr).unwrap();
            if request {
                stream.set_nodelay(true).unwrap();
                ask(&mut BufReader::new(&stream), &set().1);
            } else {
                assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
            }
        }
    })
}

fn requests(times: u64) -> Figures {
    beside_server(1, true, times, |addr| {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut lines, request) = (BufReader::new(&stream), set().1);
        (0..times).for_each(|_| ask(&mut lines, &request));
    })
}

fn ask(lines: &mut BufReader<&TcpStream>, request: &[u8]) {
    lines.get_mut().write_all(request).unwrap();
    let mut answer = Vec::new();
    lines.read_until(b'\n', &mut answer).unwrap();
    assert_eq!(answer, ANSWER);
}
