//! `kill -9` of the real binary under load, several times on one data directory: every message that
//! got 250 is in each recipient's INBOX once and byte for byte, no other one is there twice, and
//! the store verifies clean.

#[path = "cli/running.rs"]
#[expect(dead_code, reason = "shared with the tests of the command line")]
mod running;
#[path = "cli/support.rs"]
#[expect(dead_code, reason = "shared with the tests of the command line")]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use serde_json::Value;
use support::{ENGLISH, facteur, run};

/// After how many acknowledged messages each round is cut.
const ROUNDS: [usize; 6] = [1, 60, 150, 7, 250, 100];
const SENDERS: usize = 8;
const ADDRESSES: [&str; 2] = ["alice@example.test", "bob@example.test"];
const ANSWER_SECONDS_MAX: u64 = 60;

/// The demo on a directory that stays; killed when it is dropped.
struct Server {
    child: Child,
    ready: Value,
}

impl Server {
    fn start(offset: u16, data: &str) -> Server {
        let offset = offset.to_string();
        let mut child = facteur()
            .args(["demo", "--json", "--empty", "--insecure-plaintext"])
            .args(["--port-offset", &offset, "--data", data])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_default();
        Server { child, ready }
    }

    fn port(&self, name: &str) -> u16 {
        let port = self.ready["ports"][name].as_u64();
        port.and_then(|port| port.try_into().ok())
            .unwrap_or_else(|| panic!("not ready: {}", self.ready))
    }

    fn password(&self, address: &str) -> String {
        let accounts = self.ready["accounts"].as_array().unwrap();
        let own = accounts
            .iter()
            .find(|account| account["address"] == address)
            .unwrap();
        own["password"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL: nothing is flushed, nothing is said.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// The last line of a reply (RFC 5321 §4.2.1).
fn reply(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    loop {
        let line = line(stream)?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}

fn say(stream: &mut BufReader<TcpStream>, text: &str) -> io::Result<String> {
    stream.get_mut().write_all(text.as_bytes())?;
    reply(stream)
}

/// Which message: round, sender, number. Everything else about it follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Probe(usize, usize, usize);

impl Probe {
    fn name(self) -> String {
        format!("{}-{}-{}", self.0, self.1, self.2)
    }

    fn recipients(self) -> &'static [&'static str] {
        match (self.1 + self.2) % 3 {
            0 => &ADDRESSES,
            1 => &ADDRESSES[..1],
            _ => &ADDRESSES[1..],
        }
    }

    /// Some small, some of several journal records.
    fn message(self) -> String {
        let name = self.name();
        let lines = if self.2 % 10 == 9 {
            4000
        } else {
            20 + self.2 % 60
        };
        let mut text = format!(
            "From: probe@sender.example\r\nTo: all@example.test\r\nSubject: {name}\r\n\
             X-Probe: {name}\r\n\r\n"
        );
        for number in 0..lines {
            text.push_str(&format!("{name} line {number} \u{e9}t\u{e9}\r\n"));
        }
        text
    }
}

/// Sends one message after the other until the server is gone; tells each that got its 250.
fn send(port: u16, round: usize, sender: usize, acknowledged: &Sender<Probe>) -> io::Result<()> {
    let mut stream = connect(port)?;
    reply(&mut stream)?;
    say(&mut stream, "EHLO sender.example\r\n")?;
    for number in 0.. {
        let probe = Probe(round, sender, number);
        expect(
            say(&mut stream, "MAIL FROM:<probe@sender.example>\r\n")?,
            "250",
        );
        for recipient in probe.recipients() {
            expect(
                say(&mut stream, &format!("RCPT TO:<{recipient}>\r\n"))?,
                "250",
            );
        }
        expect(say(&mut stream, "DATA\r\n")?, "354");
        expect(
            say(&mut stream, &format!("{}.\r\n", probe.message()))?,
            "250",
        );
        if acknowledged.send(probe).is_err() {
            break;
        }
    }
    Ok(())
}

fn expect(answer: String, code: &str) {
    assert!(answer.starts_with(code), "{answer}");
}

/// Load until enough is acknowledged, then SIGKILL in the middle of it.
fn round(server: Server, round: usize, acknowledged: &mut BTreeSet<Probe>) {
    let port = server.port("smtp");
    let (told, news) = mpsc::channel();
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let told = told.clone();
            // An error is the kill.
            scope.spawn(move || send(port, round, sender, &told));
        }
        drop(told);
        for _ in 0..ROUNDS[round] {
            let wait = Duration::from_secs(ANSWER_SECONDS_MAX);
            acknowledged.insert(news.recv_timeout(wait).unwrap());
        }
        drop(server);
        acknowledged.extend(news.iter());
    });
}

/// All messages of an INBOX by IMAP, whole (RFC 9051 §7.5.2).
fn fetch(server: &Server, address: &str) -> Vec<String> {
    let mut stream = connect(server.port("imap")).unwrap();
    line(&mut stream).unwrap();
    let password = server.password(address);
    let commands = format!(
        "a LOGIN {address} \"{password}\"\r\nb EXAMINE INBOX\r\nc UID FETCH 1:* BODY.PEEK[]\r\n"
    );
    stream.get_mut().write_all(commands.as_bytes()).unwrap();
    let mut messages = Vec::new();
    loop {
        let line = line(&mut stream).unwrap();
        if let Some(rest) = line.strip_prefix("c ") {
            assert!(rest.starts_with("OK"), "{line}");
            return messages;
        }
        assert!(
            !line.starts_with("a NO") && !line.starts_with("b NO"),
            "{line}"
        );
        let size = line
            .trim_end()
            .strip_suffix('}')
            .and_then(|line| line.rsplit_once('{'));
        if let Some((_, size)) = size {
            let mut bytes = vec![0; size.parse().unwrap()];
            stream.read_exact(&mut bytes).unwrap();
            messages.push(String::from_utf8(bytes).unwrap());
        }
    }
}

fn probe_of(message: &str) -> Probe {
    let name = message
        .lines()
        .find_map(|line| line.strip_prefix("X-Probe: "))
        .unwrap();
    let numbers: Vec<usize> = name
        .split('-')
        .map(|number| number.parse().unwrap())
        .collect();
    Probe(numbers[0], numbers[1], numbers[2])
}

fn check(server: &Server, acknowledged: &BTreeSet<Probe>) {
    for address in ADDRESSES {
        let mut found: BTreeMap<Probe, usize> = BTreeMap::new();
        for message in fetch(server, address) {
            let probe = probe_of(&message);
            assert!(
                message.ends_with(&probe.message()),
                "{probe:?} came back changed: {message}"
            );
            assert!(
                probe.recipients().contains(&address),
                "{probe:?} is not for {address}"
            );
            *found.entry(probe).or_default() += 1;
        }
        for (probe, times) in &found {
            assert_eq!(*times, 1, "{probe:?} is there {times} times");
        }
        let own = acknowledged
            .iter()
            .filter(|probe| probe.recipients().contains(&address));
        let lost: Vec<&Probe> = own.filter(|probe| !found.contains_key(probe)).collect();
        assert!(
            lost.is_empty(),
            "acknowledged and lost for {address}: {lost:?}"
        );
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let offset = running::free_offset(47_000);
    let mut acknowledged = BTreeSet::new();
    for number in 0..ROUNDS.len() {
        let server = Server::start(offset, data);
        check(&server, &acknowledged);
        round(server, number, &mut acknowledged);
    }
    check(&Server::start(offset, data), &acknowledged);
    let report = run(ENGLISH, &["store", "verify", "--json", "--data", data]).json();
    assert_eq!(report["clean"], true, "{report}");
    assert!(acknowledged.len() >= ROUNDS.iter().sum());
}
