//! Mail on its way through: taken durably, handed to a sink that plays many destinations. From the
//! first MAIL to the last arrival: who has to log in has done so before.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::client::Connection;
use crate::measure::{Meter, memory_bytes};
use crate::names;
use crate::peer::{PASSWORD, Peer, SENDERS, address};
use crate::table::{Better, Row, push};
use crate::work::{KIB, Load, Start, message, now};

/// Where the sink listens, on each address of 127.9.0.0/16.
pub const SINK_PORT: u16 = 32_925;
/// A destination that takes connections and never says a word.
const MUTE: Ipv4Addr = Ipv4Addr::new(127, 9, 255, 1);
const SESSIONS: u64 = 32;
const PATIENCE: Duration = Duration::from_secs(600);

/// Of `dN.relay.test` and `mute.relay.test`.
pub fn address_of(label: &str) -> Option<Ipv4Addr> {
    let number = label.strip_prefix('d').and_then(|rest| rest.parse().ok());
    match label {
        "mute" => Some(MUTE),
        _ => number.map(destination),
    }
}

/// `dN.relay.test` is at 127.9.(N / 200).(N % 200 + 1).
pub fn destination(number: u64) -> Ipv4Addr {
    let [high, low] = [number / 200, number % 200 + 1].map(|part| part as u8);
    Ipv4Addr::new(127, 9, high, low)
}

/// What arrived at the sink, apart from what went to nobody.
fn arrived() -> &'static AtomicU64 {
    static ARRIVED: AtomicU64 = AtomicU64::new(0);
    &ARRIVED
}

/// The sink and the names of its destinations, for as long as this program runs.
fn sink() -> Result<()> {
    static STARTED: OnceLock<bool> = OnceLock::new();
    let started = STARTED.get_or_init(|| start().is_ok());
    ensure!(*started, "the sink can't be started");
    names::serve()
}

fn start() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, SINK_PORT))?;
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let session = thread::Builder::new().stack_size(128 * KIB);
            let _ = session.spawn(move || serve(socket));
        }
    });
    Ok(())
}

fn serve(socket: TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    if socket.local_addr()?.ip() == MUTE {
        thread::sleep(PATIENCE);
        return Ok(());
    }
    let mut output = socket.try_clone()?;
    let mut input = BufReader::with_capacity(16 * KIB, socket);
    output.write_all(b"220 sink.test ESMTP\r\n")?;
    let (mut line, mut replies) = (Vec::new(), Vec::new());
    let mut in_body = false;
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let reply: &[u8] = if in_body {
            if line != b".\r\n" {
                continue;
            }
            in_body = false;
            arrived().fetch_add(1, Ordering::Relaxed);
            b"250 2.0.0 taken\r\n"
        } else if line.starts_with(b"EHLO") {
            b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        } else if line.starts_with(b"DATA") {
            in_body = true;
            b"354 go\r\n"
        } else if line.starts_with(b"QUIT") {
            replies.extend_from_slice(b"221 bye\r\n");
            return output.write_all(&replies);
        } else {
            b"250 2.1.0 OK\r\n"
        };
        replies.extend_from_slice(reply);
        // RFC 2920 §3.2: in one go what answers commands that came in one go.
        if input.buffer().is_empty() {
            output.write_all(&replies)?;
            replies.clear();
        }
    }
}

/// How mail for elsewhere is handed over.
#[derive(Clone, Copy)]
enum Way {
    /// By people who log in.
    People,
    /// By this machine, to what [`Peer::alias`] gave.
    Aliases,
}

/// A session that is ready for its first MAIL.
fn open(peer: &Peer, way: Way, worker: u64) -> Result<Connection> {
    let port = match way {
        Way::People => peer.relay,
        Way::Aliases => peer.smtp,
    };
    let mut connection = Connection::open(port, None)?;
    connection.smtp_hello()?;
    if matches!(way, Way::People) && peer.relay_needs_login {
        connection.smtp_login(&person(worker), PASSWORD)?;
    }
    Ok(connection)
}

/// Whose session it is.
fn person(worker: u64) -> String {
    address(worker as usize % SENDERS)
}

/// Hands over its share of the messages.
fn session(
    mut connection: Connection,
    way: Way,
    worker: u64,
    numbers: std::ops::Range<u64>,
    to: &(dyn Fn(u64) -> String + Sync),
) -> Result<()> {
    for number in numbers {
        let mut data = message(4 * KIB, 20_000_000 + number);
        data.extend_from_slice(b".\r\n");
        match way {
            Way::People => connection.smtp_message_from(&person(worker), &to(number), &data)?,
            Way::Aliases => connection.smtp_message(&to(number), &data)?,
        }
    }
    Ok(())
}

/// Messages a second until `expected` have arrived, and CPU seconds for a thousand.
fn relay(
    peer: &Peer,
    way: Way,
    messages: u64,
    expected: u64,
    to: &(dyn Fn(u64) -> String + Sync),
) -> Result<(f64, f64)> {
    let before = arrived().load(Ordering::Relaxed);
    let sessions = (0..SESSIONS).map(|worker| Ok((worker, open(peer, way, worker)?)));
    let sessions = sessions.collect::<Result<Vec<_>>>()?;
    let meter = Meter::start(peer.roots()?)?;
    let start = now();
    let share = messages / SESSIONS;
    thread::scope(|scope| {
        let workers: Vec<_> = sessions
            .into_iter()
            .map(|(worker, connection)| {
                let rest = messages % SESSIONS;
                let end = (worker + 1) * share + rest;
                let from = if worker == 0 { 0 } else { end - share };
                scope.spawn(move || session(connection, way, worker, from..end, to))
            })
            .collect();
        for worker in workers {
            worker
                .join()
                .unwrap_or_else(|_| anyhow::bail!("a session failed"))?;
        }
        anyhow::Ok(())
    })?;
    while arrived().load(Ordering::Relaxed) < before + expected {
        ensure!(start.elapsed() < PATIENCE, "the mail does not arrive");
        thread::sleep(Duration::from_millis(5));
    }
    let seconds = start.elapsed().as_secs_f64();
    let used = meter.stop()?;
    Ok((
        expected as f64 / seconds,
        used.cpu_seconds * 1000.0 / messages as f64,
    ))
}

pub fn rows(peer: &Peer, _: Load, rows: &mut Vec<Row>) -> Result<()> {
    const MESSAGES: u64 = 10_000;
    sink()?;
    let to = |number: u64| format!("r{number}@d{}.relay.test", number % 100);
    let (rate, cpu) = relay(peer, Way::People, MESSAGES, MESSAGES, &to)?;
    let name = "relay 10,000 of 4 KiB to 100 destinations";
    push(rows, name, rate, "/s", Better::More);
    push(rows, "  CPU seconds per 1,000", cpu, "s", Better::Less);
    Ok(())
}

/// A destination that never answers, among a thousand that do: best of three, in turn.
pub fn dead_rows(peer: &Peer, _: Load, rows: &mut Vec<Row>) -> Result<()> {
    const MESSAGES: u64 = 10_000;
    sink()?;
    let alias = |name: &str, host: &str| {
        let made = peer.alias(name, &[format!("r@{host}.relay.test")])?;
        anyhow::Ok(made.into_iter().next().unwrap_or_default())
    };
    let all = (0..1000).map(|number| alias(&format!("to{number}"), &format!("d{number}")));
    let all = all.collect::<Result<Vec<_>>>()?;
    let mute = alias("mute", "mute")?;
    let good = |number: u64| all[number as usize % 1000].clone();
    let with_one = |number: u64| match number % 1000 {
        500 => mute.clone(),
        _ => good(number),
    };
    let (mut without, mut with) = (0.0_f64, 0.0_f64);
    for _ in 0..3 {
        without = without.max(relay(peer, Way::Aliases, MESSAGES, MESSAGES, &good)?.0);
        let expected = MESSAGES - MESSAGES / 1000;
        with = with.max(relay(peer, Way::Aliases, MESSAGES, expected, &with_one)?.0);
    }
    let name = "relay to 1,000 destinations";
    push(rows, name, without, "/s", Better::More);
    push(
        rows,
        "  one of them never answers",
        with,
        "/s",
        Better::More,
    );
    Ok(())
}

/// A million waiting entries: a thousand messages to a thousand destinations that can't be found.
pub fn queued_rows(start: Start<'_>, rows: &mut Vec<Row>) -> Result<()> {
    const RECIPIENTS: u64 = 1000;
    const MESSAGES: u64 = 1000;
    /// As many targets as an alias has at most.
    const AN_ALIAS: usize = 500;
    let peer = start(false)?;
    let lost = |one| format!("r@lost{one}.relay.invalid");
    let mut to = Vec::new();
    for first in (0..RECIPIENTS).step_by(AN_ALIAS) {
        let targets: Vec<_> = (first..first + AN_ALIAS as u64).map(lost).collect();
        to.extend(peer.alias(&format!("lost{first}"), &targets)?);
    }
    let mut connection = Connection::open(peer.smtp, None)?;
    connection.smtp_hello()?;
    for number in 0..MESSAGES {
        let mut data = message(4 * KIB, 30_000_000 + number);
        data.extend_from_slice(b".\r\n");
        connection.smtp_message_to_many("bench@elsewhere.test", to.iter().cloned(), &data)?;
    }
    drop(connection);
    peer.stop()?;
    let peer = start(false)?;
    let seconds = peer.start_seconds;
    thread::sleep(Duration::from_secs(10));
    let memory = memory_bytes(&peer.roots()?) as f64 / 1_048_576.0;
    let name = "start with 1,000,000 queued";
    push(rows, name, seconds * 1000.0, "ms", Better::Less);
    push(
        rows,
        "  memory, ten seconds later",
        memory,
        "MiB",
        Better::Less,
    );
    peer.stop()
}
