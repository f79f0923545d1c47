//! From bytes to commands: lines, literals, refusals, SASL answers, DONE.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::append::Incoming;
use super::input::{Announced, LineEnd, announced, ends_in_quotes};
use super::{CloseReason, Deviation, Kind, Phase, Reading, Refused, Running, Session, Step, reply};
use crate::command::{self, Numbering, Request, Row};
use crate::cursor::Fault;
use crate::limits::METADATA_VALUE_BYTES_MAX;
use crate::response::{Code, Reply};
use crate::text;

/// First byte of a TLS record of type handshake, RFC 8446 §5.1; no tag begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

impl Session {
    /// One turn; `None`: take another.
    pub(super) fn read(&mut self) -> Option<Step> {
        match &mut self.reading {
            Reading::Command => self.read_command(),
            Reading::Refused(_) => self.read_refused(),
            Reading::Message(_) => self.read_message(),
            Reading::Sasl { .. } => self.read_sasl(),
            Reading::Idle { .. } => self.read_done(),
            Reading::Handshake if self.input.is_empty() => Some(Step::Read),
            Reading::Handshake => {
                self.close_with(text::BYE_STARTTLS, CloseReason::BytesAfterStartTls);
                None
            }
        }
    }

    pub(super) fn need_input(&mut self) -> Option<Step> {
        self.input.shrink();
        Some(Step::Read)
    }

    fn read_command(&mut self) -> Option<Step> {
        if self.counts.commands == 0
            && self.phase == Phase::NotAuthenticated
            && self.input.first() == Some(TLS_HANDSHAKE)
        {
            // Whoever speaks TLS here would not understand a BYE.
            self.close_silently(CloseReason::TlsHello);
            return None;
        }
        let line_bytes_max = self.limits().line_bytes_max;
        let Some(line) = self.input.line_end() else {
            // A CR may be the last byte that came.
            if self.input.line_bytes() > line_bytes_max + 1 {
                self.refuse_line();
                return None;
            }
            return self.need_input();
        };
        let written = self.input.line(line.end);
        if written.len() > line_bytes_max {
            self.refuse_line();
            return None;
        }
        match announced(written) {
            Some(literal) => {
                let before = written.get(..literal.header).unwrap_or_default();
                match (ends_in_quotes(before), literal.synchronizing) {
                    (true, true) => self.command(line),
                    (true, false) => {
                        let tag = self.tag(line.end);
                        let reply = Fault::Arguments.reply();
                        self.refuse_literal(tag, reply, line, literal);
                        None
                    }
                    (false, _) => self.literal(line, literal),
                }
            }
            None => self.command(line),
        }
    }

    /// RFC 9586 §3: a command that means sequence numbers; EXPUNGE means none.
    fn needs_uids(&self, row: &Row, numbering: Numbering) -> bool {
        let by_number = row.uid && numbering == Numbering::Sequence;
        self.enabled.uid_only && by_number && !matches!(row.name, "EXPUNGE" | "FETCH")
    }

    /// FETCH by number is answered, against RFC 9586 §3, and ends UIDONLY: who fetches so counts
    /// messages after all.
    fn end_uid_only(&mut self, row: &Row, numbering: Numbering) {
        let by_number = row.name == "FETCH" && numbering == Numbering::Sequence;
        if by_number && self.enabled.uid_only {
            self.enabled.uid_only = false;
            self.deviation = Some(Deviation::NumbersUnderUidOnly);
        }
    }

    /// The tag of a command that is not whole.
    fn tag(&self, end: usize) -> Option<Vec<u8>> {
        let named = command::name(self.input.command(end), self.utf8());
        named.tag.map(<[u8]>::to_vec)
    }

    /// The line is longer than it may be: it is read to its end and never parsed.
    fn refuse_line(&mut self) {
        let tag = self.tag(self.input.bytes().len());
        let reply = Reply::bad(text::BAD_LINE).with(Code::Limit);
        if !self.count_bad() {
            return;
        }
        let start = self.input.bytes().len() - self.input.line_bytes();
        self.input.consume_to(start);
        self.reading = Reading::Refused(Refused {
            tag,
            reply,
            literal: 0,
            dropped: 0,
        });
    }

    /// A literal is announced: take it, or refuse the command.
    fn literal(&mut self, line: LineEnd, literal: Announced) -> Option<Step> {
        let head_end = self.input.line_start() + literal.header;
        let command = self.input.command(line.end);
        let before = command.get(..head_end).unwrap_or_default();
        let named = command::name(before, self.utf8());
        let tag = named.tag.map(<[u8]>::to_vec);
        let (row, numbering) = match named.row {
            Ok(row) => row,
            Err(fault) => {
                self.refuse_bad(tag, fault.reply(), line, literal);
                return None;
            }
        };
        if let Some(reply) = reply::illegal(row.legal, self.phase) {
            self.refuse_bad(tag, reply, line, literal);
            return None;
        }
        if self.needs_uids(row, numbering) {
            self.refuse_bad(tag, reply::uid_required(), line, literal);
            return None;
        }
        if let Some(numbering) = appends(row, numbering) {
            match command::append::head(&mut named.arguments.clone(), numbering, true) {
                Ok(None) => {}
                Ok(Some((target, items))) => {
                    let tag = tag.unwrap_or_default();
                    if row.writes && self.read_only {
                        let reply = Reply::no(text::READ_ONLY);
                        self.refuse_literal(Some(tag), reply, line, literal);
                        return None;
                    }
                    let incoming = Incoming::new(tag, row.name, target, items, Some(literal));
                    return self.append_begin(incoming, line, literal);
                }
                Err(fault) => {
                    self.refuse_bad(tag, fault.reply(), line, literal);
                    return None;
                }
            }
        }
        // RFC 5464 §5: a value may be one.
        if literal.literal8 && row.name != "SETMETADATA" {
            self.refuse_bad(tag, Reply::bad(text::BAD_LITERAL), line, literal);
            return None;
        }
        let limits = self.limits();
        let room = limits
            .command_bytes_max
            .saturating_sub(command.len())
            .min(limits.literal_bytes_max);
        match usize::try_from(literal.size) {
            Ok(size) if size <= room => {
                self.input.go_on_after(line.next, size);
                if literal.synchronizing {
                    self.go_ahead(text::CONTINUE);
                }
            }
            _ => {
                let reply = match row.name {
                    // RFC 5464 §4.3.
                    "SETMETADATA" => Reply::no(text::METADATA_TOO_BIG)
                        .with(Code::MetadataMaxSize(METADATA_VALUE_BYTES_MAX as u64)),
                    _ => Reply::no(text::LITERAL_TOO_BIG).with(Code::Limit),
                };
                self.refuse_bad(tag, reply, line, literal);
            }
        }
        None
    }

    fn refuse_bad(
        &mut self,
        tag: Option<Vec<u8>>,
        reply: Reply,
        line: LineEnd,
        literal: Announced,
    ) {
        if self.count_bad() {
            self.refuse_literal(tag, reply, line, literal);
        }
    }

    /// RFC 9051 §4.3: a synchronizing literal never comes once the command is answered; the bytes
    /// of the other kind do, and are dropped.
    pub(super) fn refuse_literal(
        &mut self,
        tag: Option<Vec<u8>>,
        reply: Reply,
        line: LineEnd,
        literal: Announced,
    ) {
        self.input.consume_to(line.next);
        if literal.synchronizing {
            self.reading = Reading::Command;
            self.refuse(tag.as_deref(), &reply);
            return;
        }
        self.reading = Reading::Refused(Refused {
            tag,
            reply,
            literal: literal.size,
            dropped: 0,
        });
    }

    /// The reply to a command that never ran.
    fn refuse(&mut self, tag: Option<&[u8]>, reply: &Reply) {
        match tag {
            Some(tag) => self.tagged(tag, reply),
            None => self.say(reply),
        }
    }

    /// False: it was one too many, and the session is closing.
    pub(super) fn count_bad(&mut self) -> bool {
        self.counts.bad_commands += 1;
        let within = self.counts.bad_commands <= self.limits().bad_commands_max;
        if !within {
            self.close_with(text::BYE_BAD_COMMANDS, CloseReason::BadCommands);
        }
        within
    }

    fn read_refused(&mut self) -> Option<Step> {
        let skip_bytes_max = self.limits().skip_bytes_max;
        let Reading::Refused(refused) = &mut self.reading else {
            return None;
        };
        if refused.dropped.saturating_add(refused.literal) > skip_bytes_max {
            self.close_with(text::BYE_LITERAL, CloseReason::LiteralTooBig);
            return None;
        }
        let taken = self.input.take(refused.literal).len() as u64;
        refused.literal -= taken;
        refused.dropped += taken;
        if refused.literal > 0 {
            return self.need_input();
        }
        let Some(line) = self.input.line_end() else {
            refused.dropped += self.input.drop_unfinished() as u64;
            if refused.dropped > skip_bytes_max {
                self.close_with(text::BYE_LINE, CloseReason::LineTooLong);
                return None;
            }
            return self.need_input();
        };
        // Counted as if it had come in pieces; so a chain of empty literals has an end too.
        refused.dropped += self.input.line(line.next).len() as u64;
        if refused.dropped > skip_bytes_max {
            self.close_with(text::BYE_LINE, CloseReason::LineTooLong);
            return None;
        }
        let again = announced(self.input.line(line.end)).filter(|literal| !literal.synchronizing);
        self.input.consume_to(line.next);
        if let Some(literal) = again {
            refused.literal = literal.size;
            return None;
        }
        if let Reading::Refused(refused) = std::mem::replace(&mut self.reading, Reading::Command) {
            self.refuse(refused.tag.as_deref(), &refused.reply);
        }
        None
    }

    /// A whole command.
    fn command(&mut self, line: LineEnd) -> Option<Step> {
        let bytes = self.input.command(line.end);
        if self.phase == Phase::NotAuthenticated && is_http(bytes) {
            self.close_with(text::BYE_NOT_IMAP, CloseReason::Http);
            return None;
        }
        let named = command::name(bytes, self.utf8());
        let tag = named.tag.map(<[u8]>::to_vec);
        let row = named.row;
        let parsed = match row {
            Ok((row, _)) => match reply::illegal(row.legal, self.phase) {
                Some(reply) => Err(reply),
                None => named.parse().map_err(Fault::reply),
            },
            Err(fault) => Err(fault.reply()),
        };
        let parsed = match row {
            Ok((row, numbering)) if parsed.is_ok() && self.needs_uids(row, numbering) => {
                Err(reply::uid_required())
            }
            Ok((row, numbering)) if parsed.is_ok() => {
                self.end_uid_only(row, numbering);
                parsed
            }
            _ => parsed,
        };
        self.input.consume_to(line.next);
        self.counts.commands = self.counts.commands.saturating_add(1);
        if self.counts.commands > self.limits().commands_max {
            self.close_with(text::BYE_TOO_MANY_COMMANDS, CloseReason::TooManyCommands);
            return None;
        }
        match (parsed, row, tag) {
            (Ok(command), Ok((row, numbering)), Some(tag)) => {
                self.run(tag, row, numbering, command)
            }
            (Err(reply), _, tag) => {
                if self.count_bad() {
                    self.refuse(tag.as_deref(), &reply);
                }
                None
            }
            _ => {
                self.fault();
                None
            }
        }
    }

    /// RFC 9051 §6.2.2: base64, or `*` to give up.
    fn read_sasl(&mut self) -> Option<Step> {
        let line = self.bare_line()?;
        let Ok((end, next)) = line else {
            return self.need_input();
        };
        let written = self.input.line(end);
        let answer = if written == b"*" {
            Err(text::AUTH_CANCELLED)
        } else {
            STANDARD.decode(written).map_err(|_| text::BAD_BASE64)
        };
        self.input.consume_to(next);
        let Reading::Sasl { tag } = std::mem::replace(&mut self.reading, Reading::Command) else {
            return None;
        };
        match answer {
            Ok(response) => {
                self.running = Some(Running::new(tag, "AUTHENTICATE", Kind::Sasl));
                Some(Step::Run(Request::AuthResponse(response)))
            }
            Err(text) => {
                if self.count_bad() {
                    self.tagged(&tag, &Reply::bad(text));
                }
                None
            }
        }
    }

    fn read_done(&mut self) -> Option<Step> {
        let line = self.bare_line()?;
        let Ok((end, next)) = line else {
            return self.need_input();
        };
        let line = self.input.line(end);
        let done = line.eq_ignore_ascii_case(b"DONE");
        // A command in place of DONE, against RFC 9051 §6.3.13, ends IDLE and is read after it.
        let command = !done && command::name(line, self.utf8()).row.is_ok();
        if command {
            self.deviation = Some(Deviation::CommandInIdle);
        } else {
            self.input.consume_to(next);
        }
        let Reading::Idle { tag } = std::mem::replace(&mut self.reading, Reading::Command) else {
            return None;
        };
        if done || command {
            self.running = Some(Running::new(tag, "IDLE", Kind::Plain));
            return Some(Step::Run(Request::IdleDone));
        }
        if self.count_bad() {
            self.tagged(&tag, &Reply::bad(text::BAD_DONE));
        }
        None
    }

    /// A line that holds no literal: where it ends and the next begins, `Err` when it is not whole,
    /// `None` when it is too long (and the session closes: no command is here to be answered).
    fn bare_line(&mut self) -> Option<Result<(usize, usize), ()>> {
        let line_bytes_max = self.limits().line_bytes_max;
        let line = self.input.line_end();
        let too_long = match line {
            Some(line) => self.input.line(line.end).len() > line_bytes_max,
            None => self.input.line_bytes() > line_bytes_max + 1,
        };
        if too_long {
            self.close_with(text::BYE_LINE, CloseReason::LineTooLong);
            return None;
        }
        Some(line.map(|line| (line.end, line.next)).ok_or(()))
    }

    pub(super) fn challenge(&mut self, challenge: &[u8]) {
        let encoded = STANDARD.encode(challenge);
        let out = self.output.bytes();
        out.extend_from_slice(b"+ ");
        out.extend_from_slice(encoded.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl Running {
    pub(super) fn new(tag: Vec<u8>, name: &'static str, kind: Kind) -> Self {
        Running {
            tag,
            name,
            numbering: Numbering::Sequence,
            holds_expunges: false,
            search_return: None,
            condstore_began: false,
            kind,
        }
    }
}

/// A command whose literal may be a message; inside, how REPLACE counts.
fn appends(row: &Row, numbering: Numbering) -> Option<Option<Numbering>> {
    match row.name {
        "APPEND" => Some(None),
        "REPLACE" => Some(Some(numbering)),
        _ => None,
    }
}

/// A browser or a scanner: `GET / HTTP/1.1`.
fn is_http(line: &[u8]) -> bool {
    [b" HTTP/1.0".as_slice(), b" HTTP/1.1", b" HTTP/2.0"]
        .iter()
        .any(|version| line.ends_with(version))
}
