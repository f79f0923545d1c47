//! Runs wire dialogues written in text files against a server: the main form of protocol test.
//!
//! ```text
//! # RFC 1939 §5: DELE is undone by RSET.
//! connect pop3
//! S: +OK {*}
//! C: USER alice@example.test
//! S: +OK
//! C: PASS {=password}
//! S: +OK {*}
//! C: UIDL 1
//! S: +OK 1 {unique}
//! C: DELE 1
//! S: +OK
//! C: RSET
//! S: +OK
//! C: UIDL 1
//! S: +OK 1 {=unique}
//! C: QUIT
//! S: +OK {*}
//! S: <closed>
//! ```
//!
//! # Lines
//!
//! The first line is a comment that cites an RFC (`RFC` and a number); without it the run fails.
//! Empty lines and lines that begin with `#` are passed over.
//!
//! | line | meaning |
//! |---|---|
//! | `connect PORT`, `connect NAME PORT` | opens a connection; what PORT means is the [`World`]'s. The unnamed one belongs to `C:` and `S:`, a named one to `C[NAME]:` and `S[NAME]:` |
//! | `C: text` | sends text and CRLF |
//! | `C raw: "abc\r\n\x00"` | sends exactly these bytes (`\r \n \t \0 \\ \" \xNN`) |
//! | `C repeat: 100000 "a"` | sends the bytes so many times |
//! | `C <<END` … `END` | sends each line between with CRLF |
//! | `S: text` | the next line of the server, without its CRLF |
//! | `S raw: "…"` | the next bytes of the server |
//! | `S <<END` … `END` | each line between, as `S:` |
//! | `S: <closed>` | the server closes the connection, with nothing more to say |
//! | `eof`, `eof[NAME]` | the client says no more, but still reads |
//! | `close`, `close[NAME]` | the client drops the connection |
//! | `starttls`, `starttls[NAME]` | the client does the TLS handshake ([`World::start_tls`]) |
//! | `compress`, `plain`, with `[NAME]` | the client begins to compress, or ends it ([`World::compress`]) |
//! | `advance 30m` | [`World::advance`]: a number and `ms`, `s`, `m`, `h` or `d` |
//! | `log: text` | waits until a log line contains the text ([`World::next_log`]) |
//! | `do text` | whatever the world makes of it ([`World::act`]), such as delivering a message |
//!
//! In expected lines `{*}` stands for anything, `{name}` for one token without a space, which it
//! keeps: `{=name}` puts it into later lines of client and server. Names begin with a letter, so
//! IMAP literals (`{42}`) are plain text. [`World::variables`] gives names from outside.
//!
//! # Running
//!
//! [`check`] panics with the place, what was expected and what came. With `UPDATE_EXPECT=1` in the
//! environment the server's lines are rewritten instead; lines whose wildcards still match stay as
//! they are. A run waits for the server's bytes and never sleeps; one generous limit of real time
//! for the whole file ends a run that hangs. While a file runs, tokio's paused clock does not move
//! by itself, only by `advance`. The order of lines is exact; bytes that nobody expected are an
//! error at the next `S:` of their connection or at the end of the file.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

mod connection;
mod pattern;
mod script;
mod update;

use connection::Connection;
use script::{Action, Expect, Item};

/// Real time after which a file that hangs is given up.
const FILE_SECONDS_MAX: u64 = 120;

/// What a transcript runs against.
pub trait World {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// A new connection to the listener that the transcript calls `port`.
    fn connect(&self, port: &str) -> impl Future<Output = io::Result<Self::Stream>>;

    /// Lets time pass: the virtual clock, and tokio's when it is paused.
    fn advance(&self, by: Duration) -> impl Future<Output = ()>;

    /// The client's side of the TLS handshake.
    fn start_tls(&self, stream: Self::Stream) -> impl Future<Output = io::Result<Self::Stream>> {
        drop(stream);
        async { Err(io::Error::other("this world has no TLS")) }
    }

    /// The client compresses from here on, or does not any more.
    fn compress(
        &self,
        stream: Self::Stream,
        on: bool,
    ) -> impl Future<Output = io::Result<Self::Stream>> {
        drop((stream, on));
        async { Err(io::Error::other("this world does not compress")) }
    }

    /// The next line of the server's log; waits for it. `None`: there is no log.
    fn next_log(&self) -> impl Future<Output = Option<String>> {
        async { None }
    }

    /// The `do` line. An error fails the run.
    fn act(&self, text: &str) -> impl Future<Output = Result<(), String>> {
        let text = text.to_owned();
        async move { Err(format!("this world cannot do: {text}")) }
    }

    /// Names that the transcript may use as `{=name}` from the start.
    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// How the client's bytes reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunking {
    /// As they are written.
    Whole,
    /// One by one: any split of the input must give the same output.
    ByteByByte,
}

/// Where a run failed and why; its text is for a person.
#[derive(Debug)]
pub struct Failure {
    pub path: PathBuf,
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

impl std::error::Error for Failure {}

/// The `*.txt` files of a directory, sorted; fails when there is none, so that a wrong path does
/// not pass as success.
pub fn files(directory: impl AsRef<Path>) -> Vec<PathBuf> {
    let directory = directory.as_ref();
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    found.sort();
    assert!(
        !found.is_empty(),
        "no transcripts in {}",
        directory.display()
    );
    found
}

/// Runs one file and panics when it fails. Rewrites it with `UPDATE_EXPECT=1`.
pub async fn check<W: World>(world: &W, path: impl AsRef<Path>) {
    check_chunked(world, path, Chunking::Whole).await;
}

/// As [`check`], with the client's bytes cut up.
pub async fn check_chunked<W: World>(world: &W, path: impl AsRef<Path>, chunking: Chunking) {
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    if let Err(failure) = run(world, path.as_ref(), chunking, update).await {
        panic!("{failure}");
    }
}

/// Runs one file; `update` rewrites the server's lines in it.
pub async fn run<W: World>(
    world: &W,
    path: &Path,
    chunking: Chunking,
    update: bool,
) -> Result<(), Failure> {
    let fail = |line, what| Failure {
        path: path.to_owned(),
        line,
        what,
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(0, error.to_string()))?;
    let line = AtomicUsize::new(0);
    let outcome = run_text(world, &text, chunking, update, &line).await;
    let new = outcome.map_err(|what| fail(line.load(Ordering::Relaxed), what))?;
    if update && new != text {
        std::fs::write(path, new).map_err(|error| fail(0, error.to_string()))?;
    }
    Ok(())
}

/// Runs a transcript given as text; gives it back, with the server's lines rewritten when `update`.
async fn run_text<W: World>(
    world: &W,
    text: &str,
    chunking: Chunking,
    update: bool,
    line: &AtomicUsize,
) -> Result<String, String> {
    let items = script::parse(text).map_err(|(at, what)| {
        line.store(at, Ordering::Relaxed);
        what
    })?;
    let mut run = Run {
        world,
        chunking,
        variables: world.variables().into_iter().collect(),
        connections: BTreeMap::new(),
        line,
    };
    // A blocking task that runs keeps tokio's paused clock from moving by itself.
    let (guard, ended) = mpsc::channel::<()>();
    let limit = tokio::task::spawn_blocking(move || {
        let _ = ended.recv_timeout(Duration::from_secs(FILE_SECONDS_MAX));
    });
    let all = async {
        if update {
            update::run(&mut run, text, &items).await
        } else {
            run.items(&items).await.map(|()| text.to_owned())
        }
    };
    let outcome = tokio::select! {
        outcome = all => outcome,
        _ = limit => Err(format!("nothing more came within {FILE_SECONDS_MAX} s; waiting for this line")),
    };
    drop(guard);
    outcome
}

struct Run<'a, W: World> {
    world: &'a W,
    chunking: Chunking,
    variables: BTreeMap<String, String>,
    connections: BTreeMap<String, Connection<W::Stream>>,
    line: &'a AtomicUsize,
}

impl<W: World> Run<'_, W> {
    async fn items(&mut self, items: &[Item]) -> Result<(), String> {
        for item in items {
            self.line.store(item.line, Ordering::Relaxed);
            match &item.action {
                Action::Expect { connection, expect } => self.expect(connection, expect).await?,
                action => self.act(action).await?,
            }
        }
        for (name, connection) in &mut self.connections {
            connection.read_available().await;
            if !connection.buffer.is_empty() {
                let rest = script::quote(&connection.buffer);
                return Err(format!("connection {name:?}: nobody expected {rest}"));
            }
        }
        Ok(())
    }

    async fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Connect { connection, port } => {
                let stream = self.world.connect(port).await;
                let stream = stream.map_err(|error| format!("connect {port}: {error}"))?;
                self.connections
                    .insert(connection.clone(), Connection::new(stream));
            }
            Action::Send { connection, bytes } => {
                let bytes = pattern::substitute(bytes, &self.variables)?;
                let chunking = self.chunking;
                self.connection(connection)?.send(&bytes, chunking).await;
            }
            Action::Repeat {
                connection,
                times,
                bytes,
            } => {
                let bytes = bytes.repeat(*times);
                self.connection(connection)?
                    .send(&bytes, Chunking::Whole)
                    .await;
            }
            Action::Eof { connection } => self.connection(connection)?.shut_down().await,
            Action::Close { connection } => {
                self.connection(connection)?;
                self.connections.remove(connection);
            }
            Action::StartTls { connection } => self.start_tls(connection).await?,
            Action::Compress { connection, on } => self.compress(connection, *on).await?,
            Action::Advance { by } => self.world.advance(*by).await,
            Action::Log { text } => self.log(text).await?,
            Action::Do { text } => {
                let text = pattern::substitute(text.as_bytes(), &self.variables)?;
                self.world.act(&String::from_utf8_lossy(&text)).await?;
            }
            Action::Expect { connection, expect } => self.expect(connection, expect).await?,
        }
        Ok(())
    }

    async fn expect(&mut self, name: &str, expect: &Expect) -> Result<(), String> {
        let variables = &mut self.variables;
        let connection = self.connections.get_mut(name);
        let connection = connection.ok_or_else(|| not_connected(name))?;
        loop {
            match connection.matches(expect, variables)? {
                Some(true) => return Ok(()),
                Some(false) => return Err(connection.mismatch(expect, variables)),
                None => connection.read().await,
            }
        }
    }

    async fn start_tls(&mut self, name: &str) -> Result<(), String> {
        let connection = self
            .connections
            .remove(name)
            .ok_or_else(|| not_connected(name))?;
        if !connection.buffer.is_empty() {
            let rest = script::quote(&connection.buffer);
            return Err(format!("plaintext before the handshake: {rest}"));
        }
        let stream = self.world.start_tls(connection.into_stream()).await;
        let stream = stream.map_err(|error| format!("starttls: {error}"))?;
        self.connections
            .insert(name.to_owned(), Connection::new(stream));
        Ok(())
    }

    async fn compress(&mut self, name: &str, on: bool) -> Result<(), String> {
        let connection = self.connections.remove(name);
        let connection = connection.ok_or_else(|| not_connected(name))?;
        let stream = self.world.compress(connection.into_stream(), on).await;
        let stream = stream.map_err(|error| format!("compress: {error}"))?;
        self.connections
            .insert(name.to_owned(), Connection::new(stream));
        Ok(())
    }

    async fn log(&mut self, text: &str) -> Result<(), String> {
        while let Some(line) = self.world.next_log().await {
            if line.contains(text) {
                return Ok(());
            }
        }
        Err(format!("the log never said {text:?}"))
    }

    fn connection(&mut self, name: &str) -> Result<&mut Connection<W::Stream>, String> {
        self.connections
            .get_mut(name)
            .ok_or_else(|| not_connected(name))
    }
}

fn not_connected(name: &str) -> String {
    if name.is_empty() {
        "not connected: `connect PORT` first".to_owned()
    } else {
        format!("not connected: `connect {name} PORT` first")
    }
}

#[cfg(test)]
mod tests;
