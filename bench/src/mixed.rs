//! Many clients at once, each with a bit of everything.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;

use crate::peer::{ACCOUNTS, Peer};
use crate::table::{Better, Row, push};
use crate::work::{KIB, Load, Random, message, now, timed};

const CLIENTS: usize = 50;
const MESSAGES: u64 = 500;

pub fn rows(peer: &Peer, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    for number in 0..ACCOUNTS {
        let mut connection = peer.imap_of(number)?;
        let _ = connection.imap("CREATE Drafts");
        for seed in 0..MESSAGES {
            connection.imap_append_start("INBOX", &message(4 * KIB, seed))?;
            connection.imap_append_wait()?;
        }
    }
    let took: Mutex<Vec<Duration>> = Mutex::default();
    let (count, start) = timed(
        CLIENTS,
        load.time.max(Duration::from_secs(5)),
        |client, go_on| {
            let mut connection = peer.imap_of(client % ACCOUNTS)?;
            connection.imap("SELECT INBOX")?;
            let mut random = Random(client as u64 + 1);
            let mut mine = Vec::new();
            while go_on() {
                let (uid, kind) = (random.below(MESSAGES) + 1, random.below(100));
                let start = now();
                match kind {
                    0..30 => {
                        connection.imap(&format!("UID FETCH {uid}:{} (FLAGS ENVELOPE)", uid + 9))
                    }
                    30..50 => connection.imap(&format!("UID FETCH {uid} (BODY.PEEK[])")),
                    50..65 => connection.imap(&format!(r"UID STORE {uid} +FLAGS (\Seen)")),
                    65..70 => connection.imap(&format!(r"UID STORE {uid} -FLAGS (\Seen)")),
                    70..78 => {
                        let seed = 100_000_000 * (client as u64 + 1) + mine.len() as u64;
                        connection
                            .imap_append("INBOX", &message(4 * KIB, seed))
                            .map(|()| 0)
                    }
                    78..88 => connection.imap("NOOP"),
                    88..92 => connection.imap("UID SEARCH UNSEEN"),
                    92..95 => connection.imap(&format!("UID COPY {uid} Drafts")),
                    _ => connection.imap("STATUS Drafts (MESSAGES UNSEEN)"),
                }?;
                mine.push(start.elapsed());
            }
            let count = mine.len() as u64;
            if let Ok(mut took) = took.lock() {
                took.extend(mine);
            }
            Ok(count)
        },
    )?;
    let rate = count as f64 / start.elapsed().as_secs_f64();
    let name = format!("mixed load, {CLIENTS} clients on {ACCOUNTS} accounts");
    push(rows, &name, rate, "/s", Better::More);
    let mut took = took.into_inner().unwrap_or_default();
    took.sort_unstable();
    for (name, share) in [("median", 500), ("99th percentile", 990)] {
        let at = took.get(took.len() * share / 1000);
        let milliseconds = at.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        push(
            rows,
            &format!("  {name} of its answers"),
            milliseconds,
            "ms",
            Better::Less,
        );
    }
    Ok(())
}
