//! The demo as a process: what it prints, that its ports answer, that commands reach it, that it stops
//! in order and leaves what it should.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use super::running::{Demo, free_offset};
use super::support::{ENGLISH, run};

fn greeting(port: u16) -> String {
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

/// The tests of the demo share ports: one at a time, in one test.
#[test]
fn the_demo_shows_everything_and_stops_in_order() {
    let offset = free_offset(40_000);
    temporary(offset);
    kept(offset);
}

fn temporary(offset: u16) {
    let mut demo = Demo::start(offset, &["--json"]);
    let ready: Value = serde_json::from_str(&demo.line()).unwrap();
    let keys: Vec<&String> = ready.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["accounts", "ca", "data", "host", "ports", "ready"]);
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["host"], "127.0.0.1");
    for (name, standard) in [
        ("smtp", 25),
        ("submission", 587),
        ("submissions", 465),
        ("imap", 143),
        ("imaps", 993),
        ("pop3", 110),
        ("pop3s", 995),
        ("sieve", 4190),
        ("https", 443),
    ] {
        assert_eq!(ready["ports"][name], offset + standard, "{name}");
    }
    assert_eq!(ready["accounts"][0]["address"], "alice@example.test");
    assert_eq!(ready["accounts"][1]["address"], "bob@example.test");
    for (standard, start) in [(25, "220 "), (587, "220 "), (143, "* OK"), (110, "+OK")] {
        let line = greeting(offset + standard);
        assert!(line.starts_with(start), "{standard}: {line}");
    }
    let data = ready["data"].as_str().unwrap().to_owned();
    let authority = std::fs::read_to_string(ready["ca"].as_str().unwrap()).unwrap();
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"));
    commands_reach_it(&data);
    assert_eq!(demo.stop(Signal::TERM), "");
    assert!(!Path::new(&data).exists());
}

fn commands_reach_it(data: &str) {
    let ask = |arguments: &[&str]| run(ENGLISH, &[arguments, &["--json", "--data", data]].concat());
    let status = ask(&["status"]).json();
    assert_eq!(status["hostname"], "mail.example.test");
    assert!(status["sessions"].as_u64().unwrap() >= 4, "{status}");
    let alice = ask(&["account", "show", "alice@example.test"]).json();
    assert_eq!(alice["messages"], 5);
    let carol = ask(&["account", "add", "carol@example.test"]).json();
    assert_eq!(carol["address"], "carol@example.test");
    let missing = ask(&["account", "show", "dave@example.test"]).error();
    assert_eq!(missing["error"], "no_such_account");
    let busy = ask(&["store", "verify"]).error();
    assert_eq!(busy["error"], "data_busy");
    assert_eq!(raw_request(data, "GET /v1/nothing HTTP/1.1"), 404);
    assert_eq!(raw_request(data, "BREW /v1/accounts HTTP/1.1"), 404);
    assert_eq!(raw_request(data, "GET /v1/accounts HTTP/1.1"), 200);
}

/// The status of one bare HTTP request on the admin socket.
fn raw_request(data: &str, line: &str) -> u16 {
    let socket = Path::new(data).join("admin.sock");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    write!(
        stream,
        "{line}\r\nHost: facteur\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn kept(offset: u16) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let options = ["--json", "--empty", "--data", data];
    let mut demo = Demo::start(offset, &options);
    let first: Value = serde_json::from_str(&demo.line()).unwrap();
    assert_eq!(first["data"], data);
    let status = run(ENGLISH, &["account", "list", "--json", "--data", data]).json();
    assert_eq!(status[0]["messages"], 0);
    demo.stop(Signal::INT);
    let report = run(ENGLISH, &["store", "verify", "--json", "--data", data]).json();
    assert_eq!(report["clean"], true, "{report}");

    // The same passwords and the same authority the next time; for people this time.
    let mut demo = Demo::start(offset, &["--data", data]);
    let mut text = String::new();
    loop {
        let line = demo.line();
        assert_ne!(line, "", "{text}");
        if line == "ready\n" {
            break;
        }
        text.push_str(&line);
    }
    for account in first["accounts"].as_array().unwrap() {
        assert!(
            text.contains(account["password"].as_str().unwrap()),
            "{text}"
        );
    }
    for word in [
        "curl",
        "swaks",
        "mutt",
        "Thunderbird",
        first["ca"].as_str().unwrap(),
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let taken = run(
        ENGLISH,
        &["demo", "--json", "--port-offset", &offset.to_string()],
    );
    assert_eq!(taken.error()["error"], "listen");
    demo.stop(Signal::TERM);
}
