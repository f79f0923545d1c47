//! APPEND: the message's bytes go past the session, RFC 9051 §6.3.12.

use super::input::{Announced, LineEnd};
use super::{Kind, Reading, Refused, Running, Session, Step};
use crate::command::append::MessageOptions;
use crate::command::{Append, MailboxName, Request};
use crate::cursor::Fault;
use crate::response::{Code, Reply};
use crate::text;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Incoming {
    tag: Vec<u8>,
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
        self.input.consume_to(line.next);
        let incoming = Incoming {
            tag: tag.clone(),
            remaining: literal.size,
            binary: literal.literal8,
            nul: false,
        };
        let kind = Kind::AppendBegin {
            incoming,
            synchronizing: literal.synchronizing,
        };
        self.running = Some(Running::new(tag, "APPEND", kind));
        Some(Step::Run(Request::AppendBegin(Append {
            mailbox,
            index: 0,
            flags: options.flags,
            date: options.date,
            size: literal.size,
            binary: literal.literal8,
        })))
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
        let rest = match self.input.line_end() {
            Some(line) => self.input.line(line.end).len(),
            None if self.input.line_bytes() <= line_bytes_max => return self.need_input(),
            None => self.input.line_bytes(),
        };
        self.append_end(rest)
    }

    /// `rest`: bytes that stand between the message and its line's end; there may be none.
    fn append_end(&mut self, rest: usize) -> Option<Step> {
        let Reading::Message(incoming) = std::mem::replace(&mut self.reading, Reading::Command)
        else {
            return None;
        };
        let refusal = if rest > 0 {
            Some(Fault::Arguments.reply())
        } else if incoming.nul {
            Some(Reply::no(text::NUL_IN_MESSAGE))
        } else {
            None
        };
        let (kind, request) = match refusal {
            None => {
                if let Some(line) = self.input.line_end() {
                    self.input.consume_to(line.next);
                }
                (Kind::Plain, Request::AppendEnd)
            }
            Some(reply) => {
                // The rest of the line is read, and what it may announce dropped, before the reply.
                self.reading = Reading::Refused(Refused {
                    tag: Some(incoming.tag.clone()),
                    reply,
                    literal: 0,
                    dropped: 0,
                });
                (Kind::AppendAbort, Request::AppendAbort)
            }
        };
        self.running = Some(Running::new(incoming.tag, "APPEND", kind));
        Some(Step::Run(request))
    }
}
