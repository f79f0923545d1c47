//! APPEND: the message's bytes go past the session, RFC 9051 §6.3.12, RFC 3502.

use super::input::{Announced, LineEnd, announced, ends_in_quotes};
use super::{Kind, Reading, Refused, Running, Session, Step};
use crate::command::append::{MessageOptions, message_options};
use crate::command::{Append, MailboxName, Request};
use crate::cursor::{Cursor, Fault};
use crate::limits;
use crate::response::{Code, Reply};
use crate::text;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Incoming {
    tag: Vec<u8>,
    mailbox: MailboxName,
    /// Messages of the command before this one.
    index: usize,
    /// Bytes still to come.
    pub(super) remaining: u64,
    /// literal8: NUL is allowed.
    binary: bool,
    /// NUL came where it may not: nothing more is handed on.
    nul: bool,
}

impl Session {
    /// The message is announced.
    pub(super) fn append_begin(
        &mut self,
        tag: Vec<u8>,
        mailbox: MailboxName,
        options: MessageOptions,
        line: LineEnd,
        literal: Announced,
    ) -> Option<Step> {
        self.counts.commands = self.counts.commands.saturating_add(1);
        if literal.size > self.config.message_bytes_max {
            let reply = Reply::no(text::TOO_BIG).with(Code::TooBig);
            self.refuse_literal(Some(tag), reply, line, literal);
            return None;
        }
        Some(self.announce(tag, mailbox, 0, options, line, literal))
    }

    fn announce(
        &mut self,
        tag: Vec<u8>,
        mailbox: MailboxName,
        index: usize,
        options: MessageOptions,
        line: LineEnd,
        literal: Announced,
    ) -> Step {
        self.input.consume_to(line.next);
        let incoming = Incoming {
            tag: tag.clone(),
            mailbox: mailbox.clone(),
            index,
            remaining: literal.size,
            binary: literal.literal8,
            nul: false,
        };
        let kind = Kind::AppendBegin {
            incoming,
            synchronizing: literal.synchronizing,
        };
        self.running = Some(Running::new(tag, "APPEND", kind));
        Step::Run(Request::AppendBegin(Append {
            mailbox,
            index,
            flags: options.flags,
            date: options.date,
            size: literal.size,
            binary: literal.literal8,
        }))
    }

    /// Message bytes, then the end of the command's line.
    pub(super) fn read_message(&mut self) -> Option<Step> {
        let Reading::Message(incoming) = &mut self.reading else {
            return None;
        };
        if incoming.remaining > 0 {
            let range = self.input.take(incoming.remaining);
            if range.is_empty() {
                return self.need_input();
            }
            incoming.remaining -= range.len() as u64;
            let piece = self.input.bytes().get(range.clone()).unwrap_or_default();
            // RFC 9051 §9: CHAR8 is any byte but NUL.
            if !incoming.binary && memchr::memchr(0, piece).is_some() {
                incoming.nul = true;
            }
            return if incoming.nul {
                None
            } else {
                Some(Step::Body(range))
            };
        }
        let line_bytes_max = self.limits().line_bytes_max;
        match self.input.line_end() {
            Some(line) => self.append_goes_on(line),
            None if self.input.line_bytes() <= line_bytes_max => self.need_input(),
            None => self.append_abort(Fault::Arguments.reply()),
        }
    }

    /// The line after a message: nothing, or the head of the next one.
    fn append_goes_on(&mut self, line: LineEnd) -> Option<Step> {
        let Reading::Message(incoming) = &self.reading else {
            return None;
        };
        if incoming.nul {
            return self.append_abort(Reply::no(text::NUL_IN_MESSAGE));
        }
        let written = self.input.line(line.end);
        if written.is_empty() {
            self.input.consume_to(line.next);
            let tag = self.append_tag()?;
            self.running = Some(Running::new(tag, "APPEND", Kind::Plain));
            return Some(Step::Run(Request::AppendEnd));
        }
        let index = incoming.index + 1;
        let Some((literal, options)) =
            next_message(written, self.utf8()).filter(|_| index < limits::APPEND_MESSAGES_MAX)
        else {
            return self.append_abort(Fault::Arguments.reply());
        };
        if literal.size > self.config.message_bytes_max {
            return self.append_abort(Reply::no(text::TOO_BIG).with(Code::TooBig));
        }
        let mailbox = incoming.mailbox.clone();
        let tag = self.append_tag()?;
        Some(self.announce(tag, mailbox, index, options, line, literal))
    }

    /// The tag of the message that is read; the next thing read is a command.
    fn append_tag(&mut self) -> Option<Vec<u8>> {
        match std::mem::replace(&mut self.reading, Reading::Command) {
            Reading::Message(incoming) => Some(incoming.tag),
            _ => None,
        }
    }

    /// The rest of the line is read, and what it may announce dropped, before the reply.
    fn append_abort(&mut self, reply: Reply) -> Option<Step> {
        let tag = self.append_tag()?;
        self.reading = Reading::Refused(Refused {
            tag: Some(tag.clone()),
            reply,
            literal: 0,
            dropped: 0,
        });
        self.running = Some(Running::new(tag, "APPEND", Kind::AppendAbort));
        Some(Step::Run(Request::AppendAbort))
    }
}

/// RFC 3502: `SP [flags SP] [date SP]` and a literal.
fn next_message(line: &[u8], utf8: bool) -> Option<(Announced, MessageOptions)> {
    let literal = announced(line)?;
    let before = line.get(..literal.header)?;
    if ends_in_quotes(before) {
        return None;
    }
    let options = message_options(&mut Cursor::new(before, utf8)).ok()?;
    Some((literal, options))
}
