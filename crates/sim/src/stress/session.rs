//! One connection: sends commands, reads responses, keeps the picture of the selected mailbox and
//! refuses what no server may say.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::deflate::Deflated;
use super::ledger::{Key, Ledger};
use super::picture::{Flags, Picture, Snapshot};
use super::response::{self, Code, Response, Status, Value};

/// Any connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
pub type BoxStream = Box<dyn Stream>;

/// A server that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// Lines of the dialogue that are kept for a report.
const LOG_LINES_MAX: usize = 4_000;

/// Why a session ends.
#[derive(Debug)]
pub enum Broken {
    /// The connection is gone.
    Closed,
    /// The server is wrong.
    Fault(String),
}

impl From<String> for Broken {
    fn from(what: String) -> Self {
        Broken::Fault(what)
    }
}

/// What NOTIFY says of the selected mailbox (RFC 5465 §6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notifying {
    #[default]
    Off,
    Delayed,
    Immediate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Add,
    Remove,
    Replace,
}

impl Edit {
    pub fn apply(self, have: &Flags, flags: &Flags) -> Flags {
        match self {
            Edit::Add => have | flags,
            Edit::Remove => have - flags,
            Edit::Replace => flags.clone(),
        }
    }
}

/// Messages meant by a command.
#[derive(Clone, Debug)]
pub enum Target {
    Numbers(BTreeSet<u32>),
    Uids(BTreeSet<u32>),
}

/// A STORE whose outcome nobody tells.
#[derive(Clone, Debug)]
pub struct Silent {
    pub edit: Edit,
    pub flags: Flags,
    pub target: Target,
}

#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Without tag and last CRLF.
    pub text: Vec<u8>,
    /// FETCH, STORE, SEARCH and their like by numbers: no EXPUNGE meanwhile.
    pub by_number: bool,
    pub silent: Option<Silent>,
    /// SELECT and EXAMINE.
    pub opens: Option<Opening>,
}

#[derive(Clone, Debug, Default)]
pub struct Opening {
    pub name: String,
    pub at: u64,
    pub remembered: Option<Snapshot>,
}

impl Command {
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Command {
            text: text.into(),
            ..Command::default()
        }
    }

    pub fn by_number(mut self, by_number: bool) -> Self {
        self.by_number = by_number;
        self
    }

    /// RFC 7162 §3.1: a CONDSTORE enabling command.
    pub(super) fn enables_condstore(&self) -> bool {
        let line = self.text.split(|byte| *byte == b'\r').next();
        let line = String::from_utf8_lossy(line.unwrap_or_default());
        line.contains("MODSEQ") || line.contains("CHANGEDSINCE")
    }

    pub(super) fn word(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        let mut words = text.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        match first.eq_ignore_ascii_case("UID") {
            true => words.next().unwrap_or_default().to_ascii_uppercase(),
            false => first.to_ascii_uppercase(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Fetched {
    /// 0 when by uid.
    pub number: u32,
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
    pub modseq: Option<u64>,
    pub bodies: Vec<Vec<u8>>,
}

/// All that came for one command.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: Status,
    pub code: Option<Code>,
    pub codes: Vec<Code>,
    pub data: Vec<(String, Vec<Value>)>,
    pub fetched: Vec<Fetched>,
}

impl Answer {
    pub fn ok(&self) -> bool {
        self.status == Status::Ok
    }

    pub fn code(&self, name: &str) -> Option<&Code> {
        let codes = self.code.iter().chain(&self.codes);
        codes.into_iter().find(|code| code.name == name)
    }

    pub fn data(&self, name: &'static str) -> impl Iterator<Item = &[Value]> {
        let named = self.data.iter().filter(move |(have, _)| have == name);
        named.map(|(_, values)| values.as_slice())
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Enabled {
    pub condstore: bool,
    pub qresync: bool,
    pub uid_only: bool,
}

pub struct Session {
    pub(super) stream: Option<BoxStream>,
    pub(super) input: Vec<u8>,
    pub log: VecDeque<String>,
    pub(super) commands: u64,
    pub owner: String,
    pub ledger: Arc<Mutex<Ledger>>,
    pub enabled: Enabled,
    pub notifying: Notifying,
    pub picture: Option<Picture>,
    pub(super) waiting: VecDeque<(String, Command)>,
    pub(super) idle: bool,
    /// Since the last tagged response (RFC 7162 §6).
    pub(super) modseq_fetched: u64,
    pub(super) modseq_told: Option<u64>,
    pub(super) answer: Answer,
}

pub(super) fn no_answer() -> Answer {
    Answer {
        status: Status::Bad,
        code: None,
        codes: Vec::new(),
        data: Vec::new(),
        fetched: Vec::new(),
    }
}

impl Session {
    pub fn new(stream: BoxStream, owner: &str, ledger: Arc<Mutex<Ledger>>) -> Self {
        Session {
            stream: Some(stream),
            input: Vec::new(),
            log: VecDeque::new(),
            commands: 0,
            owner: owner.to_owned(),
            ledger,
            enabled: Enabled::default(),
            notifying: Notifying::Off,
            picture: None,
            waiting: VecDeque::new(),
            idle: false,
            modseq_fetched: 0,
            modseq_told: None,
            answer: no_answer(),
        }
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn key(&self, uid_validity: u32) -> Key {
        Key {
            owner: self.owner.clone(),
            uid_validity,
        }
    }

    /// Of the selected mailbox.
    pub fn selected_key(&self) -> Option<Key> {
        let picture = self.picture.as_ref()?;
        Some(self.key(picture.uid_validity))
    }

    fn note(&mut self, mark: &str, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n').take(12) {
            let line = String::from_utf8_lossy(&line[..line.len().min(300)]);
            let line = line.trim_end();
            if !line.is_empty() {
                self.log.push_back(format!("{mark} {line}"));
            }
        }
        while self.log.len() > LOG_LINES_MAX {
            self.log.pop_front();
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.note("C:", bytes);
        let stream = self.stream.as_mut().ok_or(Broken::Closed)?;
        let all = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        // What the server says while it closes is still there to be read.
        match tokio::time::timeout(PATIENCE, all).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Broken::Fault("the server does not read".to_owned())),
        }
    }

    /// One whole response with its literals.
    async fn response(&mut self) -> Result<Response, Broken> {
        // Up to here it is whole lines and literals.
        let mut end = 0;
        loop {
            let rest = self.input.get(end..).unwrap_or_default();
            let Some(line) = rest.iter().position(|byte| *byte == b'\n') else {
                self.read().await?;
                continue;
            };
            let line_end = end + line + 1;
            if let Some(size) = response::announced(&self.input[end..line_end]) {
                end = line_end + size;
                continue;
            }
            let bytes: Vec<u8> = self.input.drain(..line_end).collect();
            self.note("S:", &bytes);
            return response::parse(&bytes).map_err(Broken::Fault);
        }
    }

    async fn read(&mut self) -> Result<(), Broken> {
        let mut space = vec![0; 16 << 10];
        let stream = self.stream.as_mut().ok_or(Broken::Closed)?;
        match tokio::time::timeout(PATIENCE, stream.read(&mut space)).await {
            Err(_) => Err(Broken::Fault("the server is silent".to_owned())),
            Ok(Err(_) | Ok(0)) => Err(Broken::Closed),
            Ok(Ok(count)) => {
                self.input.extend_from_slice(&space[..count]);
                Ok(())
            }
        }
    }

    /// The greeting.
    pub async fn greeting(&mut self) -> Result<(), Broken> {
        match self.response().await? {
            Response::Status {
                status: Status::Ok, ..
            } => Ok(()),
            other => Err(Broken::Fault(format!("greeting {other:?}"))),
        }
    }

    /// One command and its answer.
    pub async fn run(&mut self, command: Command) -> Result<Answer, Broken> {
        let mut answers = self.run_all(vec![command]).await?;
        answers.pop().ok_or(Broken::Closed)
    }

    /// Commands sent together, and their answers in order.
    pub async fn run_all(&mut self, commands: Vec<Command>) -> Result<Vec<Answer>, Broken> {
        let count = commands.len();
        let bytes = self.prepare(commands);
        self.before().await?;
        self.write(&bytes).await?;
        let mut answers = Vec::with_capacity(count);
        while answers.len() < count {
            let response = self.response().await?;
            if let Some(answer) = self.take(response)? {
                answers.push(answer);
            }
        }
        Ok(answers)
    }

    fn prepare(&mut self, commands: Vec<Command>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for command in commands {
            self.commands += 1;
            let tag = format!("t{}", self.commands);
            bytes.extend_from_slice(tag.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(&command.text);
            bytes.extend_from_slice(b"\r\n");
            self.waiting.push_back((tag, command));
        }
        bytes
    }

    /// Takes what came while nothing was asked; RFC 9051 §7.5.1 allows no EXPUNGE then.
    async fn before(&mut self) -> Result<(), Broken> {
        let waiting = std::mem::take(&mut self.waiting);
        while self.available() {
            let response = self.response().await?;
            self.take(response)?;
        }
        // It belongs to no command.
        self.answer = no_answer();
        self.waiting = waiting;
        Ok(())
    }

    /// More than nothing waits to be read; nobody waits for it.
    fn available(&mut self) -> bool {
        if !self.input.is_empty() {
            return true;
        }
        let Some(stream) = self.stream.as_mut() else {
            return false;
        };
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        let mut task = Context::from_waker(std::task::Waker::noop());
        match Pin::new(stream).poll_read(&mut task, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.input.extend_from_slice(buffer.filled());
                !self.input.is_empty()
            }
            _ => false,
        }
    }

    /// Sends and does not wait: the connection is to be dropped. `cut`: only so many bytes.
    pub async fn abandon(&mut self, commands: Vec<Command>, cut: Option<usize>) {
        let bytes = self.prepare(commands);
        let end = cut.unwrap_or(bytes.len()).min(bytes.len());
        let _ = self.write(&bytes[..end]).await;
        self.stream = None;
    }

    /// A command with one message in a synchronizing literal.
    pub async fn run_literal(&mut self, command: Command, rest: &[u8]) -> Result<Answer, Broken> {
        let bytes = self.prepare(vec![command]);
        self.before().await?;
        self.write(&bytes).await?;
        loop {
            let response = self.response().await?;
            if response == Response::Continue {
                break;
            }
            if let Some(answer) = self.take(response)? {
                return Ok(answer);
            }
        }
        self.write(rest).await?;
        self.finish().await
    }

    async fn finish(&mut self) -> Result<Answer, Broken> {
        loop {
            let response = self.response().await?;
            if let Some(answer) = self.take(response)? {
                return Ok(answer);
            }
        }
    }

    pub fn is_idle(&self) -> bool {
        self.idle
    }

    pub async fn idle(&mut self) -> Result<(), Broken> {
        let bytes = self.prepare(vec![Command::new("IDLE")]);
        self.before().await?;
        self.write(&bytes).await?;
        loop {
            match self.response().await? {
                Response::Continue => break,
                other => {
                    self.take(other)?;
                }
            }
        }
        self.idle = true;
        Ok(())
    }

    pub async fn done(&mut self) -> Result<Answer, Broken> {
        self.write(b"DONE\r\n").await?;
        let answer = self.finish().await;
        self.idle = false;
        answer
    }

    /// COMPRESS DEFLATE was answered.
    pub fn compress(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.stream = Some(Box::new(Deflated::new(stream)));
        }
    }
}
