//! Milters: programs beside the server that are told of each step of a message's way in.
//!
//! A connection is opened at a session's first MAIL and lives as long as the session. A milter that
//! fails has no say on that message; at the next one it is connected to anew, a few times.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use facteur_milter::limits::CHUNK_BYTES;
use facteur_milter::{Answer, Asked, Change, Command, Family, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::config::ListenAddress;
use crate::context::{Context, SessionId};
use crate::limits;
use crate::net::Socket;

type Macros<'a> = &'a [(&'a str, &'a str)];

/// All of one SMTP session, in the order of the settings.
#[derive(Debug)]
pub struct Milters {
    list: Vec<Milter>,
    header: Header,
    noted: Noted,
}

/// What they think of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// It is not to be delivered as good mail: who says so, and why. For people.
    pub warnings: Vec<String>,
    /// Take it later.
    pub later: bool,
    /// Fields to put in front of it, each with its CRLF.
    pub fields: String,
}

/// The header of a message on its way to the milters.
#[derive(Debug, Default)]
struct Header {
    /// Until the empty line; then what the next chunk of the body has so far.
    buffer: Vec<u8>,
    is_over: bool,
}

struct Milter {
    address: ListenAddress,
    state: State,
    /// In this session.
    failures: u32,
}

enum State {
    /// Not asked yet.
    New,
    Open(Box<Open>),
    /// It wants no more of this client.
    Content,
    /// It wants nothing of this client: for good?
    Refuses(bool),
    /// It failed.
    Gone,
}

struct Open {
    // In a lock that nobody contends, so that sessions can be shared between threads.
    socket: Mutex<Box<dyn Socket>>,
    session: Session,
    /// It has had its say on this message.
    done: bool,
    in_message: bool,
    /// What it may still be waited for on this message.
    patience: Duration,
}

impl fmt::Debug for Milter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Milter")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The session that is told of.
#[derive(Clone, Debug)]
pub struct Told {
    pub id: SessionId,
    pub client: Family,
    /// With brackets, when it has no name.
    pub client_name: String,
    pub hello: String,
    pub hostname: String,
}

impl Milters {
    /// `None`: there are none.
    pub fn new(addresses: &[ListenAddress]) -> Option<Milters> {
        let list = addresses.iter().map(|address| Milter {
            address: address.clone(),
            state: State::New,
            failures: 0,
        });
        let list: Vec<Milter> = list.collect();
        (!list.is_empty()).then_some(Milters {
            list,
            header: Header::default(),
            noted: Noted::default(),
        })
    }

    /// A new message; `Some`: one of them refuses it, for good or for now.
    pub async fn mail(
        &mut self,
        ctx: &Arc<Context>,
        told: &Told,
        path: &str,
        macros: Macros<'_>,
    ) -> Option<bool> {
        self.header = Header::default();
        self.noted = Noted::default();
        for milter in &mut self.list {
            if let Some(permanent) = milter.open(ctx, told).await {
                return Some(permanent);
            }
            let command = Command::Mail {
                path,
                arguments: &[],
            };
            let answer = milter.ask(told.id, &command, macros).await;
            if let Some(permanent) = self.noted.take(milter, &answer, true) {
                return Some(permanent);
            }
        }
        None
    }

    pub async fn recipient(
        &mut self,
        id: SessionId,
        path: &str,
        macros: Macros<'_>,
    ) -> Option<bool> {
        for milter in &mut self.list {
            let command = Command::Recipient {
                path,
                arguments: &[],
            };
            let answer = milter.ask(id, &command, macros).await;
            if let Some(permanent) = self.noted.take(milter, &answer, true) {
                return Some(permanent);
            }
        }
        None
    }

    pub async fn data(&mut self, id: SessionId, macros: Macros<'_>) {
        self.say(id, &Command::Data, macros).await;
    }

    /// Bytes of the message, as they are kept.
    pub async fn write(&mut self, id: SessionId, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.is_asked() {
            let room = CHUNK_BYTES.saturating_sub(self.header.buffer.len()).max(1);
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.header.buffer.extend_from_slice(now);
            rest = later;
            if !self.header.is_over {
                self.end_header(id).await;
            }
            if self.header.buffer.len() >= CHUNK_BYTES {
                if !self.header.is_over {
                    self.leave();
                }
                self.chunk(id).await;
            }
        }
    }

    /// The message is whole: what is to be done with it. `macros`: of the end.
    pub async fn end(&mut self, id: SessionId, macros: Macros<'_>) -> Noted {
        if self.is_asked() && !self.header.is_over {
            // A header without a body.
            self.header.buffer.extend_from_slice(b"\r\n");
            self.end_header(id).await;
        }
        self.chunk(id).await;
        self.say(id, &Command::EndOfMessage, macros).await;
        for milter in &mut self.list {
            if let State::Open(open) = &mut milter.state {
                open.in_message = false;
            }
        }
        std::mem::take(&mut self.noted)
    }

    /// The message ends before its end.
    pub fn abort(&mut self) {
        self.header = Header::default();
        self.noted = Noted::default();
        for milter in &mut self.list {
            if let State::Open(open) = &mut milter.state
                && std::mem::take(&mut open.in_message)
            {
                open.session.abort();
            }
        }
    }

    fn is_asked(&self) -> bool {
        self.list.iter().any(Milter::is_asked)
    }

    /// Nobody looks at a message whose header has no end: that is said, or it would be a way around them.
    fn leave(&mut self) {
        for milter in &mut self.list {
            if let State::Open(open) = &mut milter.state
                && !open.done
            {
                open.done = true;
                open.in_message = false;
                open.session.abort();
                let name = milter.name();
                let warning = format!("the header is too large for {name}");
                self.noted.warnings.push(warning);
            }
        }
    }

    async fn end_header(&mut self, id: SessionId) {
        let buffer = &self.header.buffer;
        let length = match memchr::memmem::find(buffer, b"\r\n\r\n") {
            _ if buffer.starts_with(b"\r\n") => 0,
            Some(at) => at + 2,
            None => return,
        };
        let header: Vec<u8> = self.header.buffer.drain(..length).collect();
        // The empty line between.
        self.header.buffer.drain(..2);
        self.header.is_over = true;
        for (name, value) in fields(&header) {
            let name = String::from_utf8_lossy(name);
            let command = Command::Header { name: &name, value };
            self.say(id, &command, &[]).await;
        }
        self.say(id, &Command::EndOfHeader, &[]).await;
    }

    async fn chunk(&mut self, id: SessionId) {
        let buffer = std::mem::take(&mut self.header.buffer);
        if !buffer.is_empty() {
            self.say(id, &Command::Body(&buffer), &[]).await;
        }
    }

    /// To all who still have a say on this message.
    async fn say(&mut self, id: SessionId, command: &Command<'_>, macros: Macros<'_>) {
        for milter in &mut self.list {
            let answer = milter.ask(id, command, macros).await;
            self.noted.take(milter, &answer, false);
            for change in milter.changes() {
                self.noted.change(milter, change);
            }
        }
    }
}

impl Noted {
    /// `Some`: who asks is refused. `in_envelope`: the content is not there yet, so it is no
    /// opinion on it.
    fn take(&mut self, milter: &Milter, answer: &Answer, in_envelope: bool) -> Option<bool> {
        let name = milter.name();
        match (answer.refusal(), answer) {
            (Some(permanent), _) if in_envelope => return Some(permanent),
            (Some(false), _) => self.later = true,
            (Some(true), Answer::Reply { text, .. }) => {
                self.warnings.push(format!("{name} refuses it: {text}"));
            }
            (Some(true), _) => self.warnings.push(format!("{name} refuses it")),
            (None, Answer::Discard) => self.warnings.push(format!("{name} throws it away")),
            (None, _) => {}
        }
        None
    }

    fn change(&mut self, milter: &Milter, change: Change) {
        match change {
            // A field of ours is ours alone.
            Change::Add { name, .. } | Change::Insert { name, .. } if is_ours(&name) => {}
            Change::Add { name, value } | Change::Insert { name, value, .. } => {
                let field = format!("{name}: {}\r\n", value.trim_start_matches(' '));
                self.fields.push_str(&field);
            }
            Change::Quarantine(reason) => {
                let name = milter.name();
                self.warnings
                    .push(format!("{name} sets it apart: {reason}"));
            }
        }
    }
}

/// What only we write.
fn is_ours(name: &str) -> bool {
    [
        "Return-Path",
        "Delivered-To",
        "Received",
        "Facteur-Sender",
        "X-Facteur-Verdict",
    ]
    .iter()
    .any(|own| own.eq_ignore_ascii_case(name))
}

impl Milter {
    fn name(&self) -> String {
        match &self.address {
            ListenAddress::Tcp(address) => format!("the milter at {address}"),
            ListenAddress::Unix(path) => format!("the milter at {}", path.display()),
        }
    }

    fn is_asked(&self) -> bool {
        matches!(&self.state, State::Open(open) if !open.done)
    }

    fn fail(&mut self, id: SessionId, why: impl fmt::Display) {
        tracing::warn!(
            session = %id,
            milter = self.name(),
            %why,
            "a milter fails: mail goes on without it"
        );
        self.state = State::Gone;
        self.failures = self.failures.saturating_add(1);
    }

    /// For the next message; connects the first time, and after a failure. `Some`: the client is refused.
    async fn open(&mut self, ctx: &Arc<Context>, told: &Told) -> Option<bool> {
        if let State::Open(open) = &mut self.state {
            open.done = false;
            open.patience = limits::MILTER_MESSAGE;
        }
        match self.state {
            State::New => {}
            State::Gone if self.failures < limits::MILTER_FAILURES_MAX => {}
            State::Refuses(permanent) => return Some(permanent),
            State::Open(_) | State::Content | State::Gone => return None,
        }
        let connecting = async {
            match &self.address {
                ListenAddress::Tcp(address) => ctx.net.connect(*address, None).await,
                ListenAddress::Unix(path) => ctx.net.connect_unix(path).await,
            }
        };
        let socket = match timeout(limits::MILTER_CONNECT, connecting).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => {
                self.fail(told.id, error);
                return None;
            }
            Err(_) => {
                self.fail(told.id, "it can't be reached in time");
                return None;
            }
        };
        self.state = State::Open(Box::new(Open {
            socket: Mutex::new(socket),
            session: Session::new(),
            done: false,
            in_message: false,
            patience: limits::MILTER_MESSAGE,
        }));
        self.answer(told.id, limits::MILTER_ANSWER).await;
        let connect = Command::Connect {
            name: &told.client_name,
            from: told.client,
        };
        let macros = [
            ("j", told.hostname.as_str()),
            ("v", concat!("Facteur ", env!("CARGO_PKG_VERSION"))),
            ("{daemon_name}", told.hostname.as_str()),
        ];
        for (command, macros) in [(connect, &macros[..]), (Command::Hello(&told.hello), &[])] {
            let answer = self.ask(told.id, &command, macros).await;
            if let Some(permanent) = answer.refusal() {
                self.state = State::Refuses(permanent);
                return Some(permanent);
            }
            if answer == Answer::Accept {
                self.state = State::Content;
            }
        }
        None
    }

    /// `Continue` from one that has no say.
    async fn ask(&mut self, id: SessionId, command: &Command<'_>, macros: Macros<'_>) -> Answer {
        let State::Open(open) = &mut self.state else {
            return Answer::Continue;
        };
        if open.done {
            return Answer::Continue;
        }
        open.in_message |= matches!(command, Command::Mail { .. });
        let asked = open.session.say(command, macros);
        let patience = match command {
            Command::EndOfMessage => limits::MILTER_END,
            _ => limits::MILTER_ANSWER,
        };
        if asked == Asked::Nothing {
            // Sent with the next step that is answered; the end always is. A body is not gathered.
            if matches!(command, Command::Body(_)) {
                self.send(id).await;
            }
            return Answer::Continue;
        }
        let answer = self.answer(id, patience).await;
        if let State::Open(open) = &mut self.state {
            // Of a recipient that is refused there are others.
            let of_recipient = matches!(command, Command::Recipient { .. });
            let last = answer == Answer::Accept
                || answer == Answer::Discard
                || (answer.refusal().is_some() && !of_recipient);
            open.done |= last;
            open.in_message &= !last || matches!(command, Command::EndOfMessage);
        }
        answer
    }

    /// Sends what waits and hears the answer.
    async fn answer(&mut self, id: SessionId, patience: Duration) -> Answer {
        let State::Open(open) = &mut self.state else {
            return Answer::Continue;
        };
        let heard = open.wait(patience, async |open| open.hear().await).await;
        heard.unwrap_or_else(|why| {
            self.fail(id, why);
            Answer::Continue
        })
    }

    /// Sends what waits.
    async fn send(&mut self, id: SessionId) {
        let State::Open(open) = &mut self.state else {
            return;
        };
        let waiting = open.wait(limits::MILTER_ANSWER, async |open| open.send().await);
        if let Err(why) = waiting.await {
            self.fail(id, why);
        }
    }

    fn changes(&mut self) -> Vec<Change> {
        match &mut self.state {
            State::Open(open) => open.session.take_changes(),
            _ => Vec::new(),
        }
    }
}

impl Open {
    /// One that takes its time at every step does not hold up a message for ever.
    async fn wait<T>(
        &mut self,
        longest: Duration,
        step: impl AsyncFnOnce(&mut Open) -> Result<T, String>,
    ) -> Result<T, String> {
        let begin = Instant::now();
        let done = timeout(longest.min(self.patience), step(self)).await;
        self.patience = self.patience.saturating_sub(begin.elapsed());
        done.unwrap_or_else(|_| Err("it does not answer in time".to_owned()))
    }

    fn socket(&mut self) -> &mut Box<dyn Socket> {
        let socket = self.socket.get_mut();
        socket.unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&mut self) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
        let output = self.session.take_output();
        let socket = self.socket();
        socket.write_all(&output).await.map_err(failed)?;
        socket.flush().await.map_err(failed)
    }

    async fn hear(&mut self) -> Result<Answer, String> {
        self.send().await?;
        loop {
            match self.session.answer() {
                Ok(Some(Answer::Progress)) => continue,
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(broken) => return Err(broken.to_string()),
            }
            let mut space = vec![0; limits::MILTER_READ_BYTES];
            let read = self.socket().read(&mut space).await;
            let count = read.map_err(|error| error.to_string())?;
            if count == 0 {
                return Err("it closed the connection".to_owned());
            }
            self.session.feed(space.get(..count).unwrap_or_default());
        }
    }
}

/// Name and value of each field; the value from behind the colon, without its last CRLF.
fn fields(header: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut ends: Vec<usize> = memchr::memmem::find_iter(header, b"\r\n")
        .map(|at| at + 2)
        .filter(|at| !matches!(header.get(*at), Some(b' ' | b'\t')))
        .collect();
    ends.dedup();
    let mut start = 0;
    let mut found = Vec::new();
    for end in ends {
        let field = header.get(start..end).unwrap_or_default();
        start = end;
        let field = field.strip_suffix(b"\r\n").unwrap_or(field);
        let Some(colon) = memchr::memchr(b':', field) else {
            continue;
        };
        let (name, value) = field.split_at(colon);
        found.push((name.trim_ascii_end(), value.get(1..).unwrap_or_default()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_header() {
        let header = b"From: a@b.test\r\nSubject: one\r\n two\r\nnonsense\r\nX :\r\n";
        let expected: [(&[u8], &[u8]); 3] = [
            (b"From", b" a@b.test"),
            (b"Subject", b" one\r\n two"),
            (b"X", b""),
        ];
        assert_eq!(fields(header), expected);
        assert!(fields(b"").is_empty());
    }

    const ID: SessionId = SessionId(1);

    /// Past the negotiation, and our end of its connection.
    async fn agreed(steps: u32) -> (Milter, tokio::io::DuplexStream) {
        let (ours, mut its) = tokio::io::duplex(1 << 20);
        let mut milter = Milter {
            address: ListenAddress::Unix("/run/x.sock".into()),
            state: State::Open(Box::new(Open {
                socket: Mutex::new(Box::new(ours)),
                session: Session::new(),
                done: false,
                in_message: true,
                patience: limits::MILTER_MESSAGE,
            })),
            failures: 0,
        };
        let words = [6, 0, steps].map(u32::to_be_bytes);
        let packet = [&b"\0\0\0\x0dO"[..], words.as_flattened()].concat();
        its.write_all(&packet).await.unwrap();
        milter.answer(ID, limits::MILTER_ANSWER).await;
        let mut offer = [0; 17];
        its.read_exact(&mut offer).await.unwrap();
        (milter, its)
    }

    #[tokio::test]
    async fn a_body_that_is_not_answered_is_not_gathered() {
        let (mut milter, mut its) = agreed(0x8_0000).await;
        milter.ask(ID, &Command::Body(b"text"), &[]).await;
        assert!(milter.is_asked());
        drop(milter);
        let mut heard = Vec::new();
        its.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"\0\0\0\x05Btext");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_milter_has_so_long_for_a_message() {
        let (mut milter, mut its) = agreed(0).await;
        let begin = Instant::now();
        tokio::spawn(async move {
            let mut space = [0; 64];
            while its.read(&mut space).await.is_ok_and(|count| count > 0) {
                tokio::time::sleep(limits::MILTER_ANSWER * 3 / 4).await;
                its.write_all(b"\0\0\0\x01c").await.unwrap();
            }
        });
        let field = Command::Header {
            name: "X",
            value: b"y",
        };
        for _ in 0..20 {
            milter.ask(ID, &field, &[]).await;
        }
        assert!(matches!(milter.state, State::Gone));
        assert_eq!(begin.elapsed(), limits::MILTER_MESSAGE);
    }

    #[tokio::test]
    async fn a_header_too_large_is_no_way_around() {
        let (milter, _its) = agreed(0).await;
        let mut milters = Milters {
            list: vec![milter],
            header: Header::default(),
            noted: Noted::default(),
        };
        let field = b"X: a\r\n".repeat(CHUNK_BYTES / 6 + 1);
        milters.write(ID, &field).await;
        assert!(!milters.is_asked());
        let noted = milters.end(ID, &[]).await;
        assert_eq!(
            noted.warnings,
            ["the header is too large for the milter at /run/x.sock"]
        );
        // The next message is looked at.
        assert!(matches!(&milters.list[0].state, State::Open(_)));
    }
}
