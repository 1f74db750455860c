use super::clients::{CLIENTS, Clients, KeptConnections, key, value};
use super::servers::{self, Server};
use criterion::{BenchmarkId, Criterion, Throughput};
use kvs::KvsClient;
use std::net::SocketAddr;

/// What each client asks.
#[derive(Clone, Copy)]
enum Work {
    Write,
    Read,
}

impl Work {
    fn ask(self, client: &mut KvsClient, number: usize) {
        match self {
            Work::Write => client.set(key(number), value()).unwrap(),
            Work::Read => assert_eq!(client.get(key(number)).unwrap(), Some(value())),
        }
    }

    fn connect_and_ask(self, addr: SocketAddr, number: usize) {
        self.ask(&mut KvsClient::connect(addr).unwrap(), number);
    }
}

fn bench(c: &mut Criterion, name: &str, work: Work, start: impl Fn(u32) -> Server) {
    let clients = Clients::start();
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(CLIENTS as u64)).sample_size(20);
    for threads in servers::threads() {
        let server = start(threads);
        let addr = server.addr;
        // Every key is there, so that each write is an overwrite, and each read finds something.
        clients.each(move |number| Work::Write.connect_and_ask(addr, number));
        group.bench_with_input(BenchmarkId::new("connects", threads), &addr, |b, &addr| {
            b.iter(|| clients.each(move |number| work.connect_and_ask(addr, number)));
        });
        if cfg!(stage = "final") {
            let connections = KeptConnections::open(addr);
            group.bench_with_input(BenchmarkId::new("keeps", threads), &connections, |b, kept| {
                b.iter(|| {
                    let kept = kept.clone();
                    clients.each(move |number| work.ask(&mut kept.of(number), number));
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
