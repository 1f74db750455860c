//! Every stage speaks the same protocol: the clients of all stages and of `final`, each against the
//! server of the stage that the feature picks.

use kvs_test_kit::Server;
use std::process::Command;
use tempfile::TempDir;

macro_rules! talk_with_client_of {
    ($library:ident, $server:expr) => {{
        let name = stringify!($library).to_owned();
        let mut client = $library::KvsClient::connect($server.addr).unwrap();
        assert_eq!(client.get(name.clone()).unwrap(), None);
        client.set(name.clone(), "one line\nand \u{1f980}".to_owned()).unwrap();
        assert_eq!(client.get(name.clone()).unwrap().unwrap(), "one line\nand \u{1f980}");
        client.remove(name.clone()).unwrap();
        let missing = client.remove(name);
        assert!(matches!(missing, Err($library::KvsError::KeyNotFound)));
    }};
}

#[test]
fn the_client_of_any_stage_talks_to_the_server_of_this_one() {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvs-server"));
    let server = Server::start(&mut command, dir.path()).unwrap();
    talk_with_client_of!(start, server);
    talk_with_client_of!(naive_pool, server);
    talk_with_client_of!(shared_engine, server);
    talk_with_client_of!(threaded_server, server);
    talk_with_client_of!(shared_queue, server);
    talk_with_client_of!(rayon_pool, server);
    talk_with_client_of!(rwlock, server);
    talk_with_client_of!(lock_free, server);
    talk_with_client_of!(kvs_final, server);
}
