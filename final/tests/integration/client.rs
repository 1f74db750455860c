//! The client, against a real server and against servers that misbehave.

use crate::sessions::converses;
use crate::*;
use kvs_final::KvsClientOptions;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;

/// A server, and a client of it.
fn start() -> (Local, KvsClient) {
    let server = Local::start(Memory::default(), Limits::default());
    let client = KvsClient::connect(server.addr).unwrap();
    (server, client)
}

/// A server that treats its one client as `behave` says, and a client of it with these options.
fn misbehaving<T: Send + 'static>(
    options: KvsClientOptions,
    behave: impl FnOnce(BufReader<TcpStream>) -> T + Send + 'static,
) -> (KvsClient, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || behave(BufReader::new(listener.accept().unwrap().0)));
    (options.connect(addr).unwrap(), server)
}

/// For what ends by a timeout.
const SHORT: Duration = Duration::from_millis(100);

fn patience(time: Duration) -> KvsClientOptions {
    KvsClientOptions::new().read_timeout(time).write_timeout(time)
}

/// Answers the first line with these bytes, and then waits until the client has gone.
fn answers(bytes: &'static [u8]) -> impl FnOnce(BufReader<TcpStream>) + Send + 'static {
    move |mut client| {
        client.read_line(&mut String::new()).unwrap();
        client.get_mut().write_all(bytes).unwrap();
        // An error if it went with bytes unread.
        let _ = client.read_to_end(&mut Vec::new());
    }
}

fn get(client: &mut KvsClient) -> Result<Option<String>> {
    client.get("key".to_owned())
}

/// The connection is given up: nothing is asked any more, and the server sees the end.
fn is_given_up<T>(mut client: KvsClient, server: JoinHandle<T>, after: &str) -> T {
    for result in [
        get(&mut client).map(drop),
        client.set("key".to_owned(), "value".to_owned()),
        client.submit_remove("key".to_owned()).map(drop),
        client.stats().map(drop),
        client.flush(),
    ] {
        match result {
            Err(KvsError::GivenUp { reason }) => assert!(reason.contains(after), "{reason}"),
            other => panic!("{other:?} after {after}"),
        }
    }
    server.join().unwrap()
}

#[test]
fn answers_can_be_waited_for_in_any_order() {
    let (_server, mut client) = start();
    let set = |n: usize| client.submit_set(format!("key{n}"), format!("value{n}")).unwrap();
    let sets: Vec<_> = (0..100).map(set).collect();
    let first = client.submit_get("key0".to_owned()).unwrap();
    let removed = client.submit_remove("key0".to_owned()).unwrap();
    let again = client.submit_remove("key0".to_owned()).unwrap();
    let gone = client.submit_get("key0".to_owned()).unwrap();
    let last = client.submit_get("key99".to_owned()).unwrap();
    assert_eq!(last.wait().unwrap().unwrap(), "value99");
    assert_eq!(gone.wait().unwrap(), None);
    assert!(matches!(again.wait(), Err(KvsError::KeyNotFound)));
    removed.wait().unwrap();
    for set in sets.into_iter().rev() {
        set.wait().unwrap();
    }
    assert_eq!(first.wait().unwrap().unwrap(), "value0");
}

#[test]
fn a_pending_answer_outlives_its_client_and_goes_to_other_threads() {
    let (_server, mut client) = start();
    client.set("key".to_owned(), "value".to_owned()).unwrap();
    let reads: Vec<_> = (0..100).map(|_| client.submit_get("key".to_owned()).unwrap()).collect();
    drop(client);
    thread::scope(|scope| {
        for read in reads {
            scope.spawn(|| assert_eq!(read.wait().unwrap().unwrap(), "value"));
        }
    });
}

#[test]
fn requests_are_sent_by_flush_too() {
    let (server, mut one) = start();
    let mut other = KvsClient::connect(server.addr).unwrap();
    let set = one.submit_set("key".to_owned(), "value".to_owned()).unwrap();
    one.flush().unwrap();
    while get(&mut other).unwrap().is_none() {}
    set.wait().unwrap();
}

/// Each request and each answer is more than the sockets hold.
#[test]
fn requests_under_way_may_be_long() {
    let (_server, mut client) = start();
    let value = |n: usize| n.to_string().repeat(8 << 20);
    let mut reads = Vec::new();
    for n in 0..4 {
        drop(client.submit_set("key".to_owned(), value(n)).unwrap());
        reads.push(client.submit_get("key".to_owned()).unwrap());
    }
    for (n, read) in reads.into_iter().enumerate().rev() {
        assert!(read.wait().unwrap().unwrap() == value(n), "{n}");
    }
}

#[test]
fn an_error_in_the_servers_words_is_an_answer_like_any_other() {
    let (_server, mut client) = start();
    let refused = client.submit_set("k".repeat(17 << 20), "value".to_owned()).unwrap();
    let set = client.submit_set("key".to_owned(), "value".to_owned()).unwrap();
    assert!(matches!(refused.wait(), Err(KvsError::Server(message)) if message.contains("longer")));
    set.wait().unwrap();
    assert_eq!(get(&mut client).unwrap().unwrap(), "value");
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (server, _) = start();
    let addrs = [nobody, server.addr];
    assert_eq!(get(&mut KvsClient::connect(&addrs[..]).unwrap()).unwrap(), None);
    let name = format!("localhost:{}", server.addr.port());
    assert_eq!(get(&mut KvsClient::connect(&*name).unwrap()).unwrap(), None);
    assert!(KvsClient::connect(nobody).is_err());
    let none: &[SocketAddr] = &[];
    let message = KvsClient::connect(none).map(drop).unwrap_err().to_string();
    assert!(message.contains("no address"), "{message}");
}

#[test]
fn the_longest_and_the_shortest_patience_are_taken_as_they_can_be() {
    let (server, _) = start();
    let for_ever = patience(Duration::MAX).connect_timeout(Duration::MAX);
    assert_eq!(get(&mut for_ever.connect(server.addr).unwrap()).unwrap(), None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = patience(Duration::ZERO).connect(listener.local_addr().unwrap()).unwrap();
    let message = get(&mut client).unwrap_err().to_string();
    assert_eq!(message, "the server gave no answer within 1ms");
}

#[test]
fn a_server_that_gives_no_answer_or_half_of_one_is_given_up() {
    for (bytes, message) in [
        (&b""[..], "the server gave no answer within 100ms"),
        (
            b"{\"Ok\":\"val",
            "the server gave nothing more, after 10 bytes of an answer, within 100ms",
        ),
    ] {
        let (mut client, server) = misbehaving(patience(SHORT), answers(bytes));
        let pending = client.submit_get("other".to_owned()).unwrap();
        let late = client.submit_get("late".to_owned()).unwrap();
        assert_eq!(pending.wait().unwrap_err().to_string(), message);
        assert!(matches!(late.wait(), Err(KvsError::GivenUp { .. })));
        is_given_up(client, server, message);
    }
}

/// The timeout is for the next byte, not for an answer.
#[test]
fn an_answer_may_be_slow_as_long_as_it_comes() {
    let (mut client, server) = misbehaving(patience(Duration::from_secs(1)), |mut client| {
        client.read_line(&mut String::new()).unwrap();
        for byte in b"{\"Ok\":\"value\"}\n" {
            thread::sleep(Duration::from_millis(100));
            client.get_mut().write_all(&[*byte]).unwrap();
        }
    });
    assert_eq!(get(&mut client).unwrap().unwrap(), "value");
    server.join().unwrap();
}

/// Such a server gets nothing more, not even where there is time.
#[test]
fn what_is_no_answer_to_what_was_asked_ends_the_connection() {
    let no_protocol = "the answer is none of a kvs server";
    for (bytes, reason) in [
        (&b"HTTP/1.1 200 OK\n"[..], no_protocol),
        (b"\n", no_protocol),
        (b"{\"Ok\":7}\n", no_protocol),
        (b"{\"Ok\":null}x\n", no_protocol),
        (b"{\"Maybe\":null}\n", no_protocol),
        (b"{\"Ok\":\"\0\"}\n", no_protocol),
        (b"{\"Ok\":\"\xff\"}\n", no_protocol),
        (b"[[[[[[[[[[", "closed"),
        (b"{\"Ok\":\"val", "closed"),
        (b"{\"Ok\":null}\n{\"Ok\":\"1\"}\n", "more than it was asked"),
    ] {
        let (mut client, server) = misbehaving(patience(WATCHDOG), move |mut client| {
            client.read_line(&mut String::new()).unwrap();
            client.get_mut().write_all(bytes).unwrap();
            client.get_mut().shutdown(Shutdown::Write).unwrap();
            client.read_to_end(&mut Vec::new()).unwrap()
        });
        // An answer that is one comes before what is too much.
        let error = get(&mut client).and_then(|_| get(&mut client)).unwrap_err();
        assert!(matches!(error, KvsError::Protocol(_) | KvsError::Closed), "{error}");
        assert_eq!(is_given_up(client, server, reason), 0, "{bytes:?}");
    }
    let (mut client, server) = misbehaving(patience(WATCHDOG), answers(b"{\"Ok\":\"value\"}\n"));
    let set = client.set("key".to_owned(), "value".to_owned());
    assert!(matches!(set, Err(KvsError::Protocol(_))));
    is_given_up(client, server, "nobody asked for");
}

#[test]
fn answers_that_came_before_the_server_went_are_taken() {
    let (mut client, server) = misbehaving(patience(WATCHDOG), |mut client| {
        client.read_line(&mut String::new()).unwrap();
        client.get_mut().write_all(b"{\"Ok\":\"1\"}\n{\"Err\":\"enough\"}\n").unwrap();
    });
    let pending: Vec<_> = (0..3).map(|_| client.submit_get("key".to_owned()).unwrap()).collect();
    let results: Vec<_> = pending.into_iter().map(|pending| pending.wait()).collect();
    assert!(matches!(&results[0], Ok(Some(value)) if value == "1"));
    assert!(matches!(&results[1], Err(KvsError::Server(message)) if message == "enough"));
    // Closed, or reset since not all that was sent had been read.
    assert!(results[2].is_err());
    is_given_up(client, server, "");
}

#[test]
fn an_answer_that_is_too_long_costs_none_behind_it() {
    let options = patience(WATCHDOG).max_answer(100);
    let (mut client, server) = misbehaving(options, |mut client| {
        for length in [91, 92, 1 << 20, 91] {
            client.read_line(&mut String::new()).unwrap();
            let answer = format!("{{\"Ok\":\"{}\"}}\n", "v".repeat(length - 1));
            client.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        // An answer without end is too long as well.
        client.read_line(&mut String::new()).unwrap();
        while client.get_mut().write_all(&[b'a'; 1 << 16]).is_ok() {}
    });
    let gets: Vec<_> = (0..5).map(|_| client.submit_get("key".to_owned()).unwrap()).collect();
    for (n, get) in gets.into_iter().enumerate() {
        match get.wait() {
            Ok(value) => assert!([0, 3].contains(&n) && value.unwrap().len() == 90, "{n}"),
            Err(KvsError::AnswerTooLong { limit: 100 }) => assert!([1, 2, 4].contains(&n), "{n}"),
            Err(error) => panic!("{error} of {n}"),
        }
    }
    drop(client);
    server.join().unwrap();
}

/// As JSON a control character takes six bytes.
#[test]
fn what_a_server_may_store_can_be_read() {
    let limits = Limits { request_bytes: 100 << 20, value_bytes: 60 << 20, ..Limits::default() };
    let server = Local::start(Memory::default(), limits);
    let mut client = KvsClient::connect(server.addr).unwrap();
    for value in ["v".repeat(17 << 20), "\u{1}".repeat(3 << 20)] {
        client.set("key".to_owned(), value.clone()).unwrap();
        let (long, other) =
            (client.submit_get("key".to_owned()), client.submit_get("k".to_owned()));
        assert!(long.unwrap().wait().unwrap().unwrap() == value);
        assert_eq!(other.unwrap().wait().unwrap(), None);
    }
}

#[test]
fn a_server_that_takes_no_request_is_given_up() {
    let (done, wait) = mpsc::channel::<()>();
    // It keeps the connection, and neither reads nor writes.
    let (mut client, server) =
        misbehaving(patience(SHORT), move |_client| wait.recv().unwrap_err());
    let message = client.set("key".to_owned(), "v".repeat(64 << 20)).unwrap_err().to_string();
    assert_eq!(message, "the server took nothing of a request within 100ms");
    drop(done);
    is_given_up(client, server, "took nothing");
}

#[test]
fn compare_and_set_batch_len_and_keys_are_answered_or_refused_by_name() {
    fn answers(engine: impl KvsEngine, conversation: &str) {
        let server = Local::start(engine, Limits { key_bytes: 7, ..Limits::default() });
        converses(&mut server.connect(), conversation);
    }
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let all = "Compare-and-set, batches, counts and lists";
    answers(KvStore::open(dirs[0].path()).unwrap(), all);
    answers(SledKvsEngine::open(dirs[1].path()).unwrap(), all);
    answers(Memory::default(), "An engine that has none of it");
}

#[test]
fn pages_of_keys_have_every_key_once_if_nothing_is_written() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    fn pages(engine: impl KvsEngine) {
        let server = Local::start(engine, Limits::default());
        let mut client = KvsClient::connect(server.addr).unwrap();
        let expected: Vec<String> = (0..100).map(|number| format!("key{number:02}")).collect();
        let write = |key: &String| (key.clone(), Some("v".repeat(100_000)));
        for keys in expected.chunks(50) {
            client.write_batch(keys.iter().map(write).collect()).unwrap();
        }
        for limit in [0, 1, 7] {
            let (mut keys, mut cursor, mut pages) = (Vec::new(), None, 0);
            while pages == 0 || cursor.is_some() {
                let page = client.keys(cursor, limit).unwrap();
                assert!(page.keys.len() <= limit.max(1) && pages < 1_000);
                (pages, cursor) = (pages + 1, page.cursor);
                keys.extend(page.keys);
            }
            keys.sort_unstable();
            assert!(keys == expected && pages >= 15, "{pages} pages, {keys:?}");
        }
        assert_eq!(client.len().unwrap(), 100);
    }
    pages(KvStore::open(dirs[0].path()).unwrap());
    pages(SledKvsEngine::open(dirs[1].path()).unwrap());
}
