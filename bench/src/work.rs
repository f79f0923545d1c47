//! The work that both servers get, and the table of what it took.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::client::Connection;
use crate::measure::{Meter, memory_bytes};
use crate::peer::{Peer, USER};
use crate::table::{Better, Row, push};
use crate::{inbound, mailbox, mixed, raw, relay, waiting};

#[derive(Clone, Copy)]
pub struct Load {
    /// How long each timed load sends.
    pub time: Duration,
    /// Size of the large mailbox.
    pub messages: u32,
}

pub type Start<'a> = &'a dyn Fn(bool) -> Result<Peer>;

pub const KIB: usize = 1024;

/// One part of the work, on a running server.
type Part = fn(&Peer, Load, &mut Vec<Row>) -> Result<()>;

const PARTS: [(&str, Part); 10] = [
    ("mailbox", mailbox::rows),
    ("search", mailbox::search_rows),
    ("pop3", pop3_rows),
    ("delivery", delivery_rows),
    ("append", append_rows),
    ("login", login_rows),
    ("mixed", mixed::rows),
    ("relay", relay::rows),
    ("dead", relay::dead_rows),
    ("inbound", inbound::rows),
];

/// Parts that need no large mailbox.
const WITHOUT_MAILBOX: [&str; 3] = ["relay", "dead", "inbound"];

/// Everything, or one part of it, on a fresh server.
pub fn measure(start: Start<'_>, load: Load, part: Option<&str>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let wanted = |name: &str| part.is_none_or(|part| part == name);
    if wanted("start") {
        start_rows(start, &mut rows)?;
    }
    if wanted("idle") {
        // Before there is mail: no work behind the scenes and no page of a mailbox counts here.
        let peer = start(false)?;
        waiting::idle_rows(&peer, &mut rows)?;
        peer.stop()?;
    }
    if wanted("wake") {
        let peer = start(false)?;
        waiting::wake_rows(&peer, &mut rows)?;
        peer.stop()?;
    }
    if part == Some("queued") {
        relay::queued_rows(start, &mut rows)?;
    }
    if !PARTS.iter().any(|(name, _)| wanted(name)) {
        return Ok(rows);
    }
    // The large mailbox is made without flushes where the server allows it, then all is measured
    // with its durable defaults.
    if part.is_none_or(|part| !WITHOUT_MAILBOX.contains(&part)) {
        let peer = start(true)?;
        fill(&peer, load.messages)?;
        peer.stop()?;
    }
    for (name, measure) in PARTS {
        if wanted(name) {
            // Each on a server that has just started: no part's memory hides another's.
            let peer = start(false)?;
            measure(&peer, load, &mut rows)?;
            peer.stop()?;
        }
    }
    Ok(rows)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> Instant {
    Instant::now()
}

fn start_rows(start: Start<'_>, rows: &mut Vec<Row>) -> Result<()> {
    start(false)?.stop()?;
    let peer = start(false)?;
    push(
        rows,
        "start to listening",
        peer.start_seconds * 1000.0,
        "ms",
        Better::Less,
    );
    let memory = memory_bytes(&peer.roots()?);
    push(
        rows,
        "memory, empty server",
        memory as f64 / 1048576.0,
        "MiB",
        Better::Less,
    );
    peer.stop()
}

const LINE_LETTERS: usize = 72;
const POOL_LINES: usize = 1 << 16;

/// Lines of pseudo-random words, made once: the load generator should cost little beside the servers.
fn pool() -> &'static [u8] {
    static POOL: OnceLock<Vec<u8>> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut letter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match state % 7 {
                0 => b' ',
                _ => b'a' + ((state >> 8) % 26) as u8,
            }
        };
        let mut lines = Vec::with_capacity(POOL_LINES * (LINE_LETTERS + 2));
        for _ in 0..POOL_LINES {
            lines.extend((0..LINE_LETTERS).map(|_| letter()));
            lines.extend_from_slice(b"\r\n");
        }
        lines
    })
}

/// A message like no other, of text that compresses to about two thirds.
pub fn message(size: usize, seed: u64) -> Vec<u8> {
    let mut text = format!(
        "From: Bench <bench@elsewhere.test>\r\nTo: <{USER}>\r\nSubject: load {seed}\r\n\
         Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{seed}.{size}@elsewhere.test>\r\n\r\n"
    )
    .into_bytes();
    let line = LINE_LETTERS + 2;
    let lines = size.saturating_sub(text.len()) / line;
    let first = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % (POOL_LINES - lines);
    text.extend_from_slice(&pool()[first * line..(first + lines) * line]);
    text
}

/// Runs `session` in threads until the time is over; gives how often it was done and in what time.
pub fn timed(
    sessions: usize,
    time: Duration,
    session: impl Fn(usize, &dyn Fn() -> bool) -> Result<u64> + Sync,
) -> Result<(u64, Instant)> {
    let start = now();
    let total = AtomicU64::new(0);
    let failed = thread::scope(|scope| {
        let workers: Vec<_> = (0..sessions)
            .map(|number| {
                let (session, total) = (&session, &total);
                scope.spawn(move || -> Result<()> {
                    let count = session(number, &|| start.elapsed() < time)?;
                    total.fetch_add(count, Ordering::Relaxed);
                    Ok(())
                })
            })
            .collect();
        workers
            .into_iter()
            .filter_map(|worker| match worker.join() {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error),
                Err(_) => Some(anyhow!("a session failed")),
            })
            .next()
    });
    match failed {
        Some(error) => Err(error),
        None => Ok((total.into_inner(), start)),
    }
}

fn delivery_rows(peer: &Peer, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let seeds = AtomicU64::new(1_000_000);
    for (size, label) in [(4 * KIB, "4 KiB"), (100 * KIB, "100 KiB")] {
        for sessions in [1, 16, 64] {
            let mut watcher = peer.imap()?;
            let before = watcher.imap_message_count("INBOX")?;
            let meter = Meter::start(peer.roots()?)?;
            let (sent, start) = timed(sessions, load.time, |_, go_on| {
                let mut connection = Connection::open(peer.smtp, None)?;
                connection.smtp_hello()?;
                let mut count = 0;
                while go_on() {
                    let mut data = message(size, seeds.fetch_add(1, Ordering::Relaxed));
                    data.extend_from_slice(b".\r\n");
                    connection.smtp_message(USER, &data)?;
                    count += 1;
                }
                Ok(count)
            })?;
            while watcher.imap_message_count("INBOX")? < before + sent {
                thread::sleep(Duration::from_millis(10));
            }
            let seconds = start.elapsed().as_secs_f64();
            let used = meter.stop()?;
            let name = format!("SMTP delivery {label}, {sessions} sessions");
            push(rows, &name, sent as f64 / seconds, "/s", Better::More);
            let cpu = used.cpu_seconds * 1000.0 / sent as f64;
            push(
                rows,
                &format!("  CPU seconds per 1,000 ({label}, {sessions})"),
                cpu,
                "s",
                Better::Less,
            );
            let bytes = used.device_bytes as f64 / (sent as f64 * size as f64);
            push(
                rows,
                &format!("  device bytes per byte ({label}, {sessions})"),
                bytes,
                "",
                Better::Less,
            );
            push(
                rows,
                &format!("  flushes per message ({label}, {sessions})"),
                used.flushes as f64 / sent as f64,
                "",
                Better::Less,
            );
        }
    }
    Ok(())
}

fn append_rows(peer: &Peer, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let seeds = AtomicU64::new(5_000_000);
    for sessions in [1, 16] {
        let (sent, start) = timed(sessions, load.time, |_, go_on| {
            let mut connection = peer.imap()?;
            let mut count = 0;
            while go_on() {
                let data = message(4 * KIB, seeds.fetch_add(1, Ordering::Relaxed));
                connection.imap_append("Drafts", &data)?;
                count += 1;
            }
            Ok(count)
        })?;
        let rate = sent as f64 / start.elapsed().as_secs_f64();
        push(
            rows,
            &format!("IMAP APPEND 4 KiB, {sessions} connections"),
            rate,
            "/s",
            Better::More,
        );
    }
    Ok(())
}

/// A server that needs longer for a large mailbox is not measured with it.
const FILL_TIME_MAX: Duration = Duration::from_secs(20 * 60);

/// Fills INBOX on a few connections, several APPENDs on the way at once.
fn fill(peer: &Peer, messages: u32) -> Result<()> {
    const CONNECTIONS: u32 = 8;
    const WINDOW: u32 = 16;
    let mut first = peer.imap()?;
    // Dovecot makes mailboxes on demand only.
    let _ = first.imap("CREATE Drafts");
    let each = messages / CONNECTIONS;
    let start = now();
    timed(CONNECTIONS as usize, Duration::ZERO, |number, _| {
        let mut connection = peer.imap()?;
        for index in 0..each {
            ensure!(
                start.elapsed() < FILL_TIME_MAX,
                "{index} of {each} messages in each of {CONNECTIONS} connections within {FILL_TIME_MAX:?}"
            );
            let seed = u64::from(index) * u64::from(CONNECTIONS) + number as u64;
            connection.imap_append_start("INBOX", &message(4 * KIB, seed))?;
            if index % WINDOW == WINDOW - 1 || index == each - 1 {
                connection.imap_append_wait()?;
            }
        }
        Ok(u64::from(each))
    })?;
    Ok(())
}

fn pop3_rows(peer: &Peer, _load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let start = now();
    let mut connection = Connection::open(peer.pop3, None)?;
    connection.pop3_status()?;
    connection.pop3(&format!("USER {USER}"))?;
    connection.pop3(&format!("PASS {}", peer.password))?;
    connection.pop3("UIDL")?;
    connection.pop3_lines()?;
    push(
        rows,
        "POP3 login and UIDL",
        start.elapsed().as_secs_f64() * 1000.0,
        "ms",
        Better::Less,
    );
    let start = now();
    const DOWNLOADS: u32 = 2_000;
    for number in 1..=DOWNLOADS {
        connection.pop3(&format!("RETR {number}"))?;
        connection.pop3_lines()?;
    }
    let rate = f64::from(DOWNLOADS) / start.elapsed().as_secs_f64();
    push(rows, "POP3 RETR 4 KiB", rate, "/s", Better::More);
    connection.pop3("QUIT")
}

fn login_rows(peer: &Peer, load: Load, rows: &mut Vec<Row>) -> Result<()> {
    let (count, start) = timed(8, load.time, |_, go_on| {
        let mut count = 0;
        while go_on() {
            let mut connection = Connection::open(peer.imaps, Some(&peer.tls))?;
            connection.imap_login(USER, &peer.password)?;
            connection.imap("LOGOUT")?;
            count += 1;
        }
        Ok(count)
    })?;
    let rate = count as f64 / start.elapsed().as_secs_f64();
    push(
        rows,
        "logins over TLS, same password",
        rate,
        "/s",
        Better::More,
    );
    Ok(())
}

/// Raw appends of 4 KiB with group flush, by number of threads.
pub fn raw_rows(directory: &Path, time: Duration) -> Result<Vec<(String, f64)>> {
    [
        (1, 4 * KIB, "4 KiB"),
        (16, 4 * KIB, "4 KiB"),
        (64, 4 * KIB, "4 KiB"),
        (1, 100 * KIB, "100 KiB"),
        (64, 100 * KIB, "100 KiB"),
    ]
    .into_iter()
    .map(|(threads, size, label)| {
        let rate = raw::appends_per_second(directory, threads, size, time)?;
        Ok((format!("raw journal {label}, {threads} writers"), rate))
    })
    .collect()
}

/// Numbers that are the same at every run (a linear congruential generator).
pub struct Random(pub u64);

impl Random {
    /// From 0 to `bound`, without it.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
