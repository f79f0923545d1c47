//! Strangers' mail with all that is asked about it: SPF, a signature of RSA-2048, DMARC, and a
//! classifier that has been taught. What counts is the server's processor time for a message.
//!
//! The server trusts loopback, so the load comes from addresses that are set up on the loopback
//! device for as long as it lasts (RFC 2544's 198.18.0.0/15); that takes root.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Result, anyhow, ensure};
use facteur_senders::Tap;
use facteur_senders::dkim::{self, Algorithm, SigningKey};

use crate::client::Connection;
use crate::measure::{Meter, settle};
use crate::names;
use crate::peer::{ACCOUNTS, Guard, Peer, address};
use crate::table::{Better, Row, push};
use crate::work::{KIB, Load, message, now};

const MESSAGES: u32 = 4_000;
const SESSIONS: u8 = 16;
const DOMAINS: u32 = 200;
/// Of each kind: an account teaches everybody 200 a day.
const LESSONS: u64 = 100;
const SELECTOR: &str = "bench";
const NETWORK: &str = "198.18.0.1/15";

pub fn rows(peer: &Peer, _: Load, rows: &mut Vec<Row>) -> Result<()> {
    if !peer.checks_senders() {
        return Ok(());
    }
    let key = publish()?;
    names::serve()?;
    teach(peer)?;
    let strangers = Strangers::new()?;
    let messages: Vec<_> = (0..MESSAGES).map(|number| signed(number, &key)).collect();
    let messages = messages.into_iter().collect::<Result<Vec<_>>>()?;

    let connections = (0..SESSIONS).map(|number| stranger(peer, number));
    let connections = connections.collect::<Result<Vec<_>>>()?;

    let meter = Meter::start(peer.roots()?)?;
    let start = now();
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        let (messages, next) = (&messages, &next);
        let workers: Vec<_> = connections
            .into_iter()
            .map(|connection| scope.spawn(move || session(connection, messages, next)))
            .collect();
        for worker in workers {
            let done = worker.join();
            done.unwrap_or_else(|_| Err(anyhow!("a session failed")))?;
        }
        anyhow::Ok(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let used = meter.stop()?;
    drop(strangers);
    was_checked(peer)?;
    let count = f64::from(MESSAGES);
    let name = "SMTP from strangers 4 KiB, all checks, 16 sessions";
    push(rows, name, count / seconds, "/s", Better::More);
    let cpu = used.cpu_seconds * 1000.0 / count;
    push(
        rows,
        "  CPU for a message (all checks)",
        cpu,
        "ms",
        Better::Less,
    );
    Ok(())
}

fn domain(number: u32) -> String {
    format!("d{}.sent.test", number % DOMAINS)
}

/// All domains sign with one key; making one takes longer than using it.
fn publish() -> Result<SigningKey> {
    let key = SigningKey::generate(Algorithm::RsaSha256)?;
    let key = SigningKey::read(Algorithm::RsaSha256, &key)?;
    let record = dkim::record(Algorithm::RsaSha256, &key.public()?);
    for number in 0..DOMAINS {
        let domain = domain(number);
        names::publish(format!("{SELECTOR}._domainkey.{domain}"), record.clone());
        names::publish(format!("_dmarc.{domain}"), "v=DMARC1; p=reject".to_owned());
        names::publish(domain, "v=spf1 ip4:198.18.0.0/15 -all".to_owned());
    }
    Ok(key)
}

/// Mail that somebody kept, and mail that somebody called junk.
fn teach(peer: &Peer) -> Result<()> {
    let mut connection = peer.imap()?;
    for number in 0..LESSONS {
        for (mailbox, flag, seed) in [
            ("Junk", "", number),
            ("INBOX", "\\Flagged", LESSONS + number),
        ] {
            let text = message(4 * KIB, 40_000_000 + seed);
            connection.imap_append(&format!("{mailbox} ({flag})"), &text)?;
        }
    }
    drop(connection);
    settle(&peer.roots()?);
    Ok(())
}

/// The addresses are this machine's until this value goes, also when this program is killed.
struct Strangers {
    _guard: Guard,
}

impl Strangers {
    fn new() -> Result<Self> {
        let guard = Guard::new(&format!("ip address del {NETWORK} dev lo"))?;
        let taken = Strangers { _guard: guard };
        ensure!(addresses("add")?, "addresses for strangers take root");
        Ok(taken)
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let _ = addresses("del");
    }
}

fn addresses(what: &str) -> Result<bool> {
    let mut command = Command::new("ip");
    command.args(["address", what, NETWORK, "dev", "lo"]);
    Ok(command.status()?.success())
}

fn signed(number: u32, key: &SigningKey) -> Result<Vec<u8>> {
    let domain = domain(number);
    let text = message(4 * KIB, 50_000_000 + u64::from(number));
    let rest = text.iter().position(|byte| *byte == b'\n');
    let rest = text.get(rest.map_or(0, |at| at + 1)..).unwrap_or_default();
    let text = [format!("From: News <news@{domain}>\r\n").as_bytes(), rest].concat();
    let mut tap = Tap::for_signing();
    tap.push(&text);
    let field = dkim::sign(&tap.finish(), key, &domain, SELECTOR, 1_795_000_000)?;
    Ok([field.as_bytes(), &text, b".\r\n"].concat())
}

/// From an address of its own. The greeting is waited for here: strangers get theirs late.
fn stranger(peer: &Peer, number: u8) -> Result<Connection> {
    let mut connection = Connection::open_from(Ipv4Addr::new(198, 19, number, 1), peer.smtp)?;
    connection.smtp_hello()?;
    Ok(connection)
}

/// Takes messages until there are none.
fn session(mut connection: Connection, messages: &[Vec<u8>], next: &AtomicU32) -> Result<()> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(data) = messages.get(number as usize) else {
            return Ok(());
        };
        let from = format!("news@{}", domain(number));
        let to = address(number as usize % ACCOUNTS);
        connection.smtp_message_of(&from, &to, data)?;
    }
}

/// The messages say what was found out about them, wherever they went.
fn was_checked(peer: &Peer) -> Result<()> {
    let mut connection = peer.imap_of(0)?;
    let all = MESSAGES as usize / ACCOUNTS;
    for (field, word, least) in [
        ("Authentication-Results", "spf=pass", all),
        ("Authentication-Results", "dkim=pass", all),
        ("Authentication-Results", "dmarc=pass", all),
        // The classifier has no opinion on a few.
        ("X-Facteur-Verdict", " words ", all / 2),
    ] {
        let mut found = 0;
        for mailbox in ["INBOX", "Junk"] {
            connection.imap(&format!("SELECT {mailbox}"))?;
            let search = format!("SEARCH HEADER {field} \"{word}\"");
            connection.imap_lines(&search, |line| {
                if line.starts_with(b"* SEARCH") {
                    found += line.split(|byte| *byte == b' ').skip(2).count();
                }
            })?;
        }
        ensure!(found >= least, "{word}: {found} of {least}");
    }
    Ok(())
}
