//! Text of other protocols with requests in it, as a web page on the same machine can send it, or as it
//! comes to the wrong port: none of the requests is executed.

use crate::sessions::converses;
use crate::*;
use kvs_test_kit::raw::FOUND;

/// What somebody wants the server to execute.
const SMUGGLED: &str =
    "{\"Set\":{\"key\":\"k\",\"value\":\"theirs\"}}\n{\"Remove\":{\"key\":\"k\"}}\n";
const ENDS: &str = "; the connection is closed\"}";
/// A page's `fetch` with `mode: "no-cors"`, what comes before the body.
const PAGE: &str = "POST / HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nConnection: keep-alive\r\n\
    Content-Length: 70\r\nOrigin: http://example.com\r\nContent-Type: text/plain;charset=UTF-8\r\n\r\n";
/// What other protocols send before a text that somebody else has chosen.
const BEGINNINGS: [&str; 11] = [
    PAGE,
    "POST\n",
    "\r\nGET / HTTP/1.1\r\n\r\n",
    "EHLO example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n",
    "set k 0 0 70\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$70\r\n",
    "USER anonymous\r\nPASS ",
    "\u{16}\u{3}\u{1}\0\u{fa}\u{1}\0\0\u{f6}\u{3}\u{3}\n",
    "\n",
    "[\n",
    "{\"Get\":{\"key\":\"k\"}\n",
];
/// What ends a connection also where it comes later.
const LATER: [&str; 4] = [PAGE, "Host: 127.0.0.1\r\n", "hOST:\n", "DELETE /k HTTP/1.1\r\n"];

/// Sends a text, at once or in single bytes, and then what is smuggled; after `before`, the answers to
/// which are read.
fn is_closed(server: &Local, before: &[&str], text: &str, piece: usize) {
    let mut client = server.connect();
    let passes = is_injected("a server that passes over what is no message");
    for request in before.iter().chain(passes.then_some(&GET)) {
        assert_eq!(client.ask(request), FOUND);
    }
    let mut sender = client.stream().try_clone().unwrap();
    for bytes in [text, SMUGGLED].concat().as_bytes().chunks(piece) {
        // The server may have closed it already.
        let _ = sender.write_all(bytes);
    }
    let answer = client.line();
    let is_error = answer.starts_with(r#"{"Err":"not a message of the protocol: "#);
    assert!(is_error && answer.ends_with(ENDS), "{text:?} gets {answer}");
    assert_eq!(client.line(), "", "after {text:?} it is closed");
    assert_eq!(server.connect().ask(GET), FOUND, "what came with {text:?} was executed");
}

fn text_of_another_protocol_ends_its_connection<P: ThreadPool + Send + 'static>() {
    let engine = Memory::default();
    engine.set("k".to_owned(), "v".to_owned()).unwrap();
    let limits = Limits { request_bytes: 1000, ..Limits::default() };
    let server = Local::start_on(P::new(2).unwrap(), engine, limits);
    let long = [PAGE, &"x".repeat(1000), "\n"].concat().replace("\r\n", " ");
    for piece in [usize::MAX, 1] {
        for text in BEGINNINGS.into_iter().chain([&*long]) {
            is_closed(&server, &[], text, piece);
        }
        for text in LATER.into_iter().chain([&*long]) {
            is_closed(&server, &[GET, GET], text, piece);
        }
    }
    // Other text later is an error and no more.
    let mut client = server.connect();
    assert_eq!(client.ask(GET), FOUND);
    for text in ["EHLO example.com", "", &"x".repeat(1000), " POST", "[]"] {
        let answer = client.ask(text);
        assert!(answer.starts_with(r#"{"Err":"#) && !answer.ends_with(ENDS), "{text}: {answer}");
        assert_eq!(client.ask(GET), FOUND);
    }
}

on_each_pool!(text_of_another_protocol_ends_its_connection);

#[test]
fn a_message_is_an_object_and_nothing_that_only_reads_like_one() {
    let engine = Memory::default();
    engine.set("k".to_owned(), "v".to_owned()).unwrap();
    let server = Local::start(engine, Limits::default());
    let title = "A message is an object, and nothing that only reads like one";
    converses(&mut server.connect(), title);
    for line in [r#" { "Get" : { "key" : "k" } } "#, r#"{"\u0047et":{"ke\u0079":"k"}}"#, GET] {
        assert_eq!(Raw::connect(server.addr).ask(line), FOUND);
    }
}
