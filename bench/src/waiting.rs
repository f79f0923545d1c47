//! Connections in IDLE: what each takes, and how soon it hears of news.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::client::Connection;
use crate::measure::memory_bytes;
use crate::peer::{Peer, USER};
use crate::table::{Better, Row, push};
use crate::work::{KIB, message, now};

pub fn idle_rows(peer: &Peer, rows: &mut Vec<Row>) -> Result<()> {
    /// What the first ones take serves all: the login's hash, room that the allocator keeps.
    const FIRST: usize = 100;
    let connections = peer.many_connections();
    let mut connection = peer.imap()?;
    let _ = connection.imap("CREATE Idle");
    for seed in 0..10 {
        connection.imap_append("Idle", &message(4 * KIB, 9_000_000 + seed))?;
    }
    let mut idle = idle_connections(peer, FIRST, true)?;
    let before = settled_memory_bytes(&peer.roots()?);
    idle.extend(idle_connections(peer, connections - FIRST, true)?);
    let added = settled_memory_bytes(&peer.roots()?).saturating_sub(before);
    let each = added as f64 / (connections - FIRST) as f64 / 1024.0;
    push(
        rows,
        "memory per idle TLS connection",
        each,
        "KiB",
        Better::Less,
    );
    Ok(())
}

/// From the sending of an APPEND to the EXISTS that others get: the commit is in it.
pub fn wake_rows(peer: &Peer, rows: &mut Vec<Row>) -> Result<()> {
    const ROUNDS: u64 = 200;
    const LAST_ROUNDS: u64 = 5;
    let mut actor = peer.imap()?;
    let _ = actor.imap("CREATE Idle");
    let mut seeds = 10_000_000..;
    let mut watchers = idle_connections(peer, 1, false)?;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        took.push(wake(&mut actor, &mut watchers, seeds.next().unwrap_or(0))?);
    }
    push(
        rows,
        "IDLE: one watcher hears of an APPEND",
        median(took),
        "ms",
        Better::Less,
    );
    let many = peer.many_connections();
    watchers.extend(idle_connections(peer, many - 1, false)?);
    let mut took = Vec::new();
    for _ in 0..LAST_ROUNDS {
        took.push(wake(&mut actor, &mut watchers, seeds.next().unwrap_or(0))?);
    }
    let name = "IDLE: the last of many watchers hears of it";
    push(rows, name, median(took), "ms", Better::Less);
    Ok(())
}

fn wake(actor: &mut Connection, watchers: &mut [Connection], seed: u64) -> Result<Duration> {
    let start = now();
    actor.imap_append_start("Idle", &message(4 * KIB, seed))?;
    for watcher in watchers {
        while !watcher.read_line()?.ends_with(b" EXISTS\r\n") {}
    }
    let took = start.elapsed();
    actor.imap_append_wait()?;
    Ok(took)
}

fn median(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    let middle = took.get(took.len() / 2);
    middle.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

fn idle_connections(peer: &Peer, count: usize, tls: bool) -> Result<Vec<Connection>> {
    let open = || {
        let mut connection = match tls {
            true => Connection::open(peer.imaps, Some(&peer.tls))?,
            false => Connection::open(peer.imap, None)?,
        };
        connection.imap_login(USER, &peer.password)?;
        connection.imap("SELECT Idle")?;
        connection.send(b"idle IDLE\r\n")?;
        connection.read_line()?;
        Ok(connection)
    };
    (0..count).map(|_| open()).collect()
}

/// Once the allocator has given back what it will; half a minute at most.
fn settled_memory_bytes(roots: &[u32]) -> u64 {
    let mut last = memory_bytes(roots);
    for _ in 0..15 {
        thread::sleep(Duration::from_secs(2));
        let now = memory_bytes(roots);
        if now.abs_diff(last) < last / 200 {
            return now;
        }
        last = now;
    }
    last
}
