use super::clients::{CLIENTS, Clients, KeptConnections, key, value};
use super::load::{Exchange, ask, connect, host};
use super::servers::{self, Server};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::net::SocketAddr;
use std::sync::Arc;

/// What each client asks.
#[derive(Clone, Copy)]
enum Work {
    Write,
    Read,
}

impl Work {
    /// What the client with this number sends, and the answer that it has to get.
    fn exchange(self, number: usize) -> Exchange {
        let (key, value) = (key(number), value());
        let (request, answer) = match self {
            Work::Write => {
                let set = format!("{{\"Set\":{{\"key\":\"{key}\",\"value\":\"{value}\"}}}}\n");
                (set, "{\"Ok\":null}\n".to_owned())
            }
            Work::Read => {
                let get = format!("{{\"Get\":{{\"key\":\"{key}\"}}}}\n");
                (get, format!("{{\"Ok\":\"{value}\"}}\n"))
            }
        };
        Exchange { request: request.into(), answer: answer.into() }
    }

    /// Those of all clients.
    fn exchanges(self) -> Arc<[Exchange]> {
        (0..CLIENTS).map(|number| self.exchange(number)).collect()
    }
}

/// A client's one request, over a connection of its own.
fn connect_and_ask(number: usize, addr: SocketAddr, exchange: &Exchange) {
    let mut connection = connect(host(number), addr).unwrap();
    ask(&mut connection, exchange, &mut Vec::new()).unwrap();
}

fn bench(c: &mut Criterion, name: &str, work: Work, start: impl Fn(u32) -> Server) {
    let clients = Clients::start();
    let mut group = c.benchmark_group(name);
    // No throughput: Criterion would take it for the input, and draw nothing against the threads.
    group.sample_size(20);
    let (fill, exchanges) = (Work::Write.exchanges(), work.exchanges());
    for threads in servers::threads() {
        let server = start(threads);
        let addr = server.addr;
        // Every key is there, so that each write is an overwrite, and each read finds something.
        let fill = Arc::clone(&fill);
        clients.each(move |number| connect_and_ask(number, addr, &fill[number]));
        group.bench_with_input(BenchmarkId::new("connects", threads), &addr, |b, &addr| {
            b.iter(|| {
                let exchanges = Arc::clone(&exchanges);
                clients.each(move |number| connect_and_ask(number, addr, &exchanges[number]));
            });
        });
        if cfg!(stage = "final") {
            let connections = KeptConnections::open(addr);
            group.bench_with_input(BenchmarkId::new("keeps", threads), &connections, |b, kept| {
                b.iter(|| {
                    let (kept, exchanges) = (kept.clone(), Arc::clone(&exchanges));
                    clients.each(move |number| {
                        ask(&mut kept.of(number), &exchanges[number], &mut Vec::new()).unwrap();
                    });
                });
            });
        }
    }
    group.finish();
}

pub fn null(c: &mut Criterion) {
    let clients = Clients::start();
    let mut group = c.benchmark_group("null");
    group.throughput(Throughput::Elements(CLIENTS as u64)).sample_size(20);
    group.bench_function("clients", |b| b.iter(|| clients.each(|_| {})));
    group.finish();
}

pub fn kvstore(c: &mut Criterion) {
    bench(c, "write_queued_kvstore", Work::Write, servers::queue);
    bench(c, "read_queued_kvstore", Work::Read, servers::queue);
}

#[cfg(from_stage = "5")]
pub fn rayon_and_sled(c: &mut Criterion) {
    bench(c, "write_queued_rayon", Work::Write, servers::rayon);
    bench(c, "read_queued_rayon", Work::Read, servers::rayon);
    bench(c, "write_queued_sled", Work::Write, servers::sled);
    bench(c, "read_queued_sled", Work::Read, servers::sled);
}

#[cfg(not(from_stage = "5"))]
pub fn rayon_and_sled(_: &mut Criterion) {
    println!("this stage has neither rayon's pool nor sled: no *_rayon and no *_sled");
}
