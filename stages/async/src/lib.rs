//! Stage 7 once more, with a server on tokio. The engine, the protocol and the client are stage 7's.

mod server;

pub use lock_free::{EngineKind, KvStore, KvsClient, KvsEngine, KvsError, Result, protocol};
pub use server::KvsServer;

/// The programs.
pub mod cli {
    use crate::{EngineKind, KvStore, KvsError, KvsServer};
    pub use kvs_common::cli::client;
    use kvs_common::cli::{announce, run};
    use kvs_common::options::{ServerOptions, parse};
    use kvs_common::signals;
    use std::num::NonZeroUsize;
    use std::process::ExitCode;
    use structopt::StructOpt;
    use tokio::runtime::Builder;
    use tokio::sync::oneshot;

    #[derive(Debug, StructOpt)]
    #[structopt(name = "kvs-server", about = "A key/value server")]
    struct Options {
        #[structopt(flatten)]
        server: ServerOptions,
        /// Threads that run tasks, at least 1; by default one for each logical core
        #[structopt(long, value_name = "N")]
        threads: Option<NonZeroUsize>,
        /// Calls the engine on other threads, which may block
        #[structopt(long)]
        spawn_blocking: bool,
    }

    /// The server program.
    pub fn server() -> ExitCode {
        run(|| {
            let options: Options = parse();
            let (addr, dir) = (options.server.addr(), options.server.dir());
            let kind = EngineKind::choose(options.server.engine, dir)?;
            if kind != EngineKind::Kvs {
                return Err(KvsError::Engine(format!("there is no `{kind}` here").into()).into());
            }
            let engine = KvStore::open(dir)?;
            let threads = options.threads.map_or_else(num_cpus::get, NonZeroUsize::get);
            let runtime =
                Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
            runtime.block_on(async {
                let server = KvsServer::bind(addr, engine, options.spawn_blocking).await?;
                let (stop, stopped) = oneshot::channel::<()>();
                signals::on_terminate(move || drop(stop))?;
                announce(kind, server.local_addr()?);
                // Nothing is ever sent: it ends when `stop` is dropped.
                server.run(async { drop(stopped.await) }).await;
                log::info!("stopped");
                Ok(())
            })
        })
    }
}
