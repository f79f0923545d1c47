//! One large mailbox: what clients ask of it when they open it, read it, change it and search it.

use anyhow::{Context, Result, ensure};

use crate::client::Connection;
use crate::measure::settle;
use crate::peer::Peer;
use crate::table::{Better, Row, push};
use crate::work::{KIB, Load, Random, message, now};

/// What is asked again is asked so often; the median counts.
const TIMES_AGAIN: usize = 7;
/// In one message of all.
const RARE_WORD: &str = "xylograph";

pub fn rows(peer: &Peer, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let mut connection = peer.imap()?;
    let some = 10_000.min(load.messages);
    let first = [
        ("SELECT, cold", "SELECT INBOX".to_owned()),
        ("SELECT, warm", "SELECT INBOX".to_owned()),
        ("FETCH 1:* FLAGS", "FETCH 1:* (UID FLAGS)".to_owned()),
        (
            "FETCH 1:* ENVELOPE, first time",
            "FETCH 1:* (UID ENVELOPE)".to_owned(),
        ),
        (
            "FETCH 1:* ENVELOPE, again",
            "FETCH 1:* (UID ENVELOPE)".to_owned(),
        ),
        (
            "FETCH BODYSTRUCTURE of 10,000, first time",
            format!("FETCH 1:{some} (UID BODYSTRUCTURE)"),
        ),
        (
            "FETCH BODYSTRUCTURE of 10,000, again",
            format!("FETCH 1:{some} (UID BODYSTRUCTURE)"),
        ),
        (
            "FETCH bodies of 10,000",
            format!("FETCH 1:{some} (BODY.PEEK[])"),
        ),
        (
            "STORE +FLAGS.SILENT on all",
            r"STORE 1:* +FLAGS.SILENT (\Flagged)".to_owned(),
        ),
        ("SEARCH UNSEEN", "SEARCH UNSEEN".to_owned()),
    ];
    each_timed(&mut connection, &first, load, rows)?;
    resync(peer, load, rows)?;
    bodies(&mut connection, load, rows)
}

/// On a server that has had time to learn what it wants to of the mailbox.
pub fn search_rows(peer: &Peer, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let mut connection = peer.imap()?;
    let mut rare = message(4 * KIB, 77_000_000);
    rare.extend_from_slice(format!("a {RARE_WORD} of the city\r\n").as_bytes());
    connection.imap_append("INBOX", &rare)?;
    settle(&peer.roots()?);
    connection.imap("SELECT INBOX")?;
    let mut found = 0;
    connection.imap_lines(&format!("SEARCH TEXT {RARE_WORD}"), |line| {
        found += line.split(|byte| *byte == b' ').skip(2).count();
    })?;
    ensure!(found == 1, "{found} messages found for one rare word");
    let searches = [
        ("SEARCH TEXT, rare word", format!("SEARCH TEXT {RARE_WORD}")),
        ("SEARCH TEXT, no match", "SEARCH TEXT zzqqxy".to_owned()),
        (
            "SEARCH SUBJECT, first time",
            "SEARCH SUBJECT \"load 4711\"".to_owned(),
        ),
        (
            "SEARCH SUBJECT, again",
            "SEARCH SUBJECT \"load 1147\"".to_owned(),
        ),
        (
            "SORT by date, first time",
            "SORT (DATE) UTF-8 ALL".to_owned(),
        ),
        ("SORT by date, again", "SORT (DATE) UTF-8 ALL".to_owned()),
        ("SORT by subject", "SORT (SUBJECT) UTF-8 ALL".to_owned()),
        (
            "THREAD=REFERENCES, first time",
            "THREAD REFERENCES UTF-8 ALL".to_owned(),
        ),
        (
            "THREAD=REFERENCES, again",
            "THREAD REFERENCES UTF-8 ALL".to_owned(),
        ),
        ("SEARCH UNSEEN", "SEARCH UNSEEN".to_owned()),
    ];
    each_timed(&mut connection, &searches, load, rows)
}

fn each_timed(
    connection: &mut Connection,
    steps: &[(&str, String)],
    load: Load,
    rows: &mut Vec<Row>,
) -> Result<()> {
    for (name, command) in steps {
        let times = match name.ends_with(", again") {
            true => TIMES_AGAIN,
            false => 1,
        };
        let mut milliseconds = Vec::new();
        for _ in 0..times {
            let start = now();
            connection.imap(command).with_context(|| command.clone())?;
            milliseconds.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        milliseconds.sort_by(f64::total_cmp);
        let name = format!("{name} ({} messages)", load.messages);
        push(rows, &name, milliseconds[times / 2], "ms", Better::Less);
    }
    Ok(())
}

/// RFC 7162 §3.2.5: a client comes back, and ten flags have changed meanwhile.
fn resync(peer: &Peer, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let mut client = peer.imap()?;
    client.imap("ENABLE QRESYNC")?;
    let (mut validity, mut modseq) = (0, 0);
    client.imap_lines("SELECT INBOX", |line| {
        validity = number_after(line, "[UIDVALIDITY ").unwrap_or(validity);
        modseq = number_after(line, "[HIGHESTMODSEQ ").unwrap_or(modseq);
    })?;
    ensure!(modseq > 0, "no HIGHESTMODSEQ");
    client.imap("UNSELECT")?;
    let mut other = peer.imap()?;
    other.imap("SELECT INBOX")?;
    for number in 1..=10 {
        other.imap(&format!(r"STORE {} +FLAGS.SILENT (\Answered)", number * 7))?;
    }
    let start = now();
    client.imap(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))"))?;
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    let name = format!("QRESYNC after 10 changes ({} messages)", load.messages);
    push(rows, &name, milliseconds, "ms", Better::Less);
    Ok(())
}

fn number_after(line: &[u8], start: &str) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let (_, rest) = text.split_once(start)?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn bodies(connection: &mut Connection, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let start = now();
    let bytes = connection.imap("FETCH 1:* (BODY.PEEK[])")?;
    let rate = bytes as f64 / 1e6 / start.elapsed().as_secs_f64();
    push(
        rows,
        "all bodies of the mailbox",
        rate,
        "MB/s",
        Better::More,
    );
    let mut random = Random(1);
    let (mut count, start) = (0_u64, now());
    while start.elapsed() < load.time {
        let number = random.below(u64::from(load.messages)) + 1;
        connection.imap(&format!("FETCH {number} (BODY.PEEK[])"))?;
        count += 1;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    push(
        rows,
        "random bodies, 1 connection",
        rate,
        "/s",
        Better::More,
    );
    Ok(())
}
