//! The six benches, and the one whose clients do nothing.

use crate::clients::{CLIENTS, Clients, KeptConnections};
use crate::servers::{self, Server};
use criterion::{BenchmarkId, Criterion, Throughput};
use kvs_bench_kit::load::{Exchange, allow_open_files, connect};
use std::cell::LazyCell;
use std::net::SocketAddr;
use std::sync::Arc;

/// What each client asks.
#[derive(Clone, Copy)]
enum Work {
    Write,
    Read,
}

impl Work {
    /// What each client sends, and the answer that it has to get. All keys have the same length, and
    /// all have the same value.
    fn exchanges(self) -> Arc<[Exchange]> {
        let exchange = |number: usize| {
            let (key, value) = (format!("key{number:06}"), "0123456789abcdef");
            let mut exchange = Exchange::default();
            match self {
                Work::Write => exchange.set(&key, value),
                Work::Read => exchange.get(&key, value),
            }
            exchange
        };
        (0..CLIENTS).map(exchange).collect()
    }
}

/// A client's one request, over a connection of its own.
fn connect_and_ask(number: usize, addr: SocketAddr, exchange: &Exchange) {
    let mut connection = connect(number, addr).unwrap();
    exchange.ask(&mut connection, &mut Vec::new()).unwrap();
}

fn bench(c: &mut Criterion, name: &str, work: Work, start: impl Fn(u32) -> Server) {
    // A filter may leave out what needs them.
    let clients = LazyCell::new(Clients::start);
    let mut group = c.benchmark_group(name);
    // No throughput: Criterion would take it for the input, and draw nothing against the threads.
    group.sample_size(20);
    let (fill, exchanges) = (Work::Write.exchanges(), work.exchanges());
    for threads in servers::threads() {
        let server = LazyCell::new(|| {
            let server = start(threads);
            let (fill, addr) = (Arc::clone(&fill), server.addr);
            // Every key is there, so that each write is an overwrite, and each read finds something.
            clients.each(move |number| connect_and_ask(number, addr, &fill[number]));
            server
        });
        group.bench_with_input(BenchmarkId::new("connects", threads), &server, |b, server| {
            let addr = server.addr;
            b.iter(|| {
                let exchanges = Arc::clone(&exchanges);
                clients.each(move |number| connect_and_ask(number, addr, &exchanges[number]));
            });
        });
        if cfg!(stage = "final") {
            // Both ends of each are open in this process.
            if let Err(missing) = allow_open_files(2 * CLIENTS as u64 + 100) {
                println!("{name}/keeps is left out: {missing}");
                continue;
            }
            let connections = LazyCell::new(|| KeptConnections::open(server.addr));
            group.bench_with_input(BenchmarkId::new("keeps", threads), &connections, |b, kept| {
                b.iter(|| {
                    let (kept, exchanges) = (KeptConnections::clone(kept), Arc::clone(&exchanges));
                    clients.each(move |number| {
                        exchanges[number].ask(&mut kept.of(number), &mut Vec::new()).unwrap();
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
