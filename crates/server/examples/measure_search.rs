//! How long SEARCH, SORT and THREAD take: `cargo run --release -p facteur-server --example
//! measure_search -- DIRECTORY [MESSAGES]`. DIRECTORY is to be empty, or of an earlier run.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program to measure with, run by hand"
)]

use std::sync::Arc;
use std::time::Instant;

use facteur_server::intake::Intake;
use facteur_server::{Config, Context, Peer, PeerAddress, Role, auth, imap};
use facteur_store::{
    AccountId, Clock, Delivery, FlagNames, NewAccount, NewMessage, Options, RealDisk, Store,
    SystemClock,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const WORDS: [&str; 16] = [
    "meeting", "invoice", "report", "schedule", "project", "review", "budget", "contract",
    "delivery", "summary", "customer", "release", "planning", "question", "holiday", "travel",
];

fn word(seed: u64) -> &'static str {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    WORDS[(mixed % 16) as usize]
}

fn message(number: u64) -> String {
    let mut text = format!(
        "From: Person {0} <p{0}@example.test>\r\nTo: alice@example.test\r\nSubject: {1} {2} {3}\r\n\
         Date: Thu, {4} Jan 2026 {5:02}:{6:02}:00 +0000\r\nMessage-ID: <{number}@example.test>\r\n",
        number % 500,
        if number.is_multiple_of(3) { "" } else { "Re:" },
        word(number / 3),
        number / 3,
        1 + number % 28,
        number % 24,
        number % 60,
    );
    if !number.is_multiple_of(3) {
        let parent = number - 1;
        text.push_str(&format!("References: <{parent}@example.test>\r\n"));
    }
    text.push_str("\r\n");
    for line in 0..40 {
        for at in 0..10 {
            text.push_str(word(number * 1000 + line * 10 + at));
            text.push(' ');
        }
        text.push_str(&format!("{}\r\n", number * 37 + line));
    }
    if number == 54_321 {
        text.push_str("zyxwvut\r\n");
    }
    text
}

async fn fill(store: &Store, account: AccountId, messages: u64) {
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..messages {
        let store = store.clone();
        waiting.spawn(async move {
            let text = message(number);
            let (body, _) = Intake::whole(&store, text.as_bytes()).await.unwrap();
            let message = NewMessage {
                prefix: Vec::new(),
                flags: FlagNames::default(),
                internal_date: None,
            };
            let mailbox = "INBOX".to_owned();
            let delivery = Delivery {
                account,
                mailbox,
                message,
            };
            store
                .deliver(body, vec![delivery], Vec::new())
                .await
                .unwrap();
        });
        if waiting.len() >= 256 {
            waiting.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(done) = waiting.join_next().await {
        done.unwrap();
    }
}

async fn command(stream: &mut DuplexStream, line: &str) -> (f64, usize) {
    let started = Instant::now();
    stream
        .write_all(format!("t {line}\r\n").as_bytes())
        .await
        .unwrap();
    let mut said = Vec::new();
    loop {
        let mut piece = vec![0; 64 << 10];
        let len = stream.read(&mut piece).await.unwrap();
        assert!(len > 0, "closed");
        said.extend_from_slice(&piece[..len]);
        let tail = &said[said.len().saturating_sub(2000)..];
        if tail.ends_with(b"\r\n")
            && (said.starts_with(b"t ") || tail.windows(4).any(|bytes| bytes == b"\r\nt "))
        {
            return (started.elapsed().as_secs_f64() * 1000.0, said.len());
        }
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().expect("a directory");
    let messages = arguments
        .next()
        .map_or(100_000, |count| count.parse().unwrap());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let disk = RealDisk::open(std::path::Path::new(&directory)).unwrap();
    let (store, _) = Store::open(disk, Arc::clone(&clock), Options::default()).unwrap();
    if store.accounts().unwrap().is_empty() {
        store.create_domain("example.test").await.unwrap();
        let new = NewAccount {
            address: "alice@example.test".to_owned(),
            display_name: String::new(),
            credentials: auth::make_credentials(&*clock, "password"),
            quota_bytes: None,
            language: "en".to_owned(),
        };
        let account = store.create_account(new).await.unwrap();
        let started = Instant::now();
        fill(&store, account, messages).await;
        println!("delivered in {:.1} s", started.elapsed().as_secs_f64());
    }
    let mut config = Config::new("mail.example.test");
    config.allow_insecure_plaintext = true;
    let ctx = Context::new(config, store.clone()).unwrap();
    let lines = [
        "SELECT INBOX",
        "SORT (DATE) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "SORT (SUBJECT) UTF-8 ALL",
        "SORT (ARRIVAL) UTF-8 ALL",
        "SEARCH TEXT zyxwvut",
        "SEARCH BODY zyxwvut",
        "SEARCH TEXT 54321",
        "SEARCH SUBJECT holiday",
        "SEARCH SUBJECT 18107",
        "SEARCH FROM p123",
        "SEARCH SENTSINCE 20-Jan-2026",
        "SEARCH UNSEEN",
    ];
    for round in ["read", "first", "again", "again"] {
        if round == "first" {
            let started = Instant::now();
            ctx.catalog.catch_up().unwrap();
            println!("taken in: {:.1} s", started.elapsed().as_secs_f64());
        }
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let address = PeerAddress::Tcp("127.0.0.1:1".parse().unwrap());
        let peer = Peer::new(ctx.next_session(), Role::Imap, address);
        tokio::spawn(imap::serve(server, peer, Arc::clone(&ctx)));
        command(&mut client, "LOGIN alice@example.test password").await;
        for line in lines {
            let (milliseconds, bytes) = command(&mut client, line).await;
            println!("{round:6} {milliseconds:9.2} ms {bytes:8} bytes  {line}");
        }
    }
    store.close().await.unwrap();
}
