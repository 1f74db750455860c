//! A server in a program of one's own, until the end of the input: `cargo run -p final --example server -- DIR`

use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{KvStore, KvsClient, KvsServer, Result};
use std::{env, io, thread};

fn main() -> Result<()> {
    let store = KvStore::open(env::args().nth(1).unwrap_or("served".to_owned()))?;
    // The program uses the store as well, without a connection.
    let same = store.clone();
    let server =
        KvsServer::bind(([127, 0, 0, 1], 0).into(), store, SharedQueueThreadPool::new(2)?)?;
    let (addr, handle) = (server.local_addr()?, server.handle());
    let running = thread::spawn(|| server.run());

    KvsClient::connect(addr)?.set("animal".to_owned(), "crab".to_owned())?;
    println!("on {addr}, with {} keys", same.stats().keys);
    io::copy(&mut io::stdin(), &mut io::sink())?;

    // What has arrived is answered first.
    handle.shutdown();
    running.join().unwrap_or(Ok(()))
}
