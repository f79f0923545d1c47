//! APPEND and REPLACE: the message's bytes go past the session, RFC 9051 §6.3.12, RFC 3502,
//! RFC 4469, RFC 8508.

use std::collections::VecDeque;

use super::input::{Announced, LineEnd, announced, ends_in_quotes};
use super::{Kind, Reading, Refused, Running, Session, Step};
use crate::command::append::{At, Item, MessageOptions, Target, items, messages};
use crate::command::{Append, Request};
use crate::cursor::{Cursor, Fault};
use crate::limits;
use crate::response::{Code, Reply};
use crate::text;

/// Messages on their way.
#[derive(Debug)]
pub(super) struct Incoming {
    tag: Vec<u8>,
    name: &'static str,
    target: Target,
    /// Messages of the command that have begun.
    begun: usize,
    /// What the lines so far ask for and is not done.
    items: VecDeque<Item>,
    /// The literal at the end of the last line, until its bytes are read.
    literal: Option<Announced>,
    /// Bytes of it still to come.
    remaining: u64,
    /// literal8: NUL is allowed.
    binary: bool,
    /// The literal stands in parentheses of its own, RFC 6855 §4.
    utf8: bool,
    catenated: bool,
    /// NUL came where it may not: nothing more is handed on.
    nul: bool,
}

impl Incoming {
    pub(super) fn new(
        tag: Vec<u8>,
        name: &'static str,
        target: Target,
        items: Vec<Item>,
        literal: Option<Announced>,
    ) -> Self {
        Incoming {
            tag,
            name,
            target,
            begun: 0,
            items: items.into(),
            literal,
            remaining: 0,
            binary: false,
            utf8: false,
            catenated: false,
            nul: false,
        }
    }

    /// Where the next line goes on, after a literal.
    fn resume(&self, cursor: &mut Cursor<'_>) -> Result<At, Fault> {
        if self.utf8 {
            cursor.expect(b')')?;
        }
        Ok(match self.catenated {
            true => At::PartEnd,
            false => At::MessageEnd,
        })
    }
}

impl Session {
    /// A message, or the first part of one, is announced.
    pub(super) fn append_begin(
        &mut self,
        incoming: Incoming,
        line: LineEnd,
        literal: Announced,
    ) -> Option<Step> {
        self.counts.commands = self.counts.commands.saturating_add(1);
        if literal.size > self.config.message_bytes_max {
            let reply = Reply::no(text::TOO_BIG).with(Code::TooBig);
            self.refuse_literal(Some(incoming.tag), reply, line, literal);
            return None;
        }
        self.input.consume_to(line.next);
        self.reading = Reading::Message(incoming);
        None
    }

    /// One item, message bytes, or the next line.
    pub(super) fn read_message(&mut self) -> Option<Step> {
        let Reading::Message(incoming) = &mut self.reading else {
            return None;
        };
        if incoming.remaining > 0 {
            return self.read_message_bytes();
        }
        if let Some(item) = incoming.items.pop_front() {
            return self.append_item(item);
        }
        let limits = *self.limits();
        match self.input.line_end() {
            Some(line) if self.input.line(line.end).len() <= limits.line_bytes_max => {
                self.append_goes_on(line)
            }
            None if self.input.line_bytes() <= limits.line_bytes_max => self.need_input(),
            _ => self.append_abort(Fault::Arguments.reply()),
        }
    }

    fn read_message_bytes(&mut self) -> Option<Step> {
        let Reading::Message(incoming) = &mut self.reading else {
            return None;
        };
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
        if incoming.nul {
            None
        } else {
            Some(Step::Body(range))
        }
    }

    fn append_item(&mut self, item: Item) -> Option<Step> {
        let Reading::Message(mut incoming) = std::mem::replace(&mut self.reading, Reading::Command)
        else {
            return None;
        };
        let request = match item {
            Item::Message { options, catenated } => {
                incoming.catenated = catenated;
                begin(&mut incoming, options)
            }
            Item::Url(url) => Request::AppendUrl(url),
            Item::Literal { utf8 } => {
                if let Some(literal) = incoming.literal.take() {
                    incoming.remaining = literal.size;
                    incoming.binary = literal.literal8;
                    incoming.utf8 = utf8;
                    if literal.synchronizing {
                        self.go_ahead(text::CONTINUE);
                    }
                }
                self.reading = Reading::Message(incoming);
                return None;
            }
            Item::End => {
                self.running = Some(Running::new(incoming.tag, incoming.name, Kind::Plain));
                return Some(Step::Run(Request::AppendEnd));
            }
        };
        let (tag, name) = (incoming.tag.clone(), incoming.name);
        let kind = Kind::AppendPart(Box::new(incoming));
        self.running = Some(Running::new(tag, name, kind));
        Some(Step::Run(request))
    }

    /// A request of the command was refused: what is announced already is read and dropped.
    pub(super) fn append_refused(&mut self, incoming: Incoming, reply: Reply) {
        match incoming.literal {
            Some(literal) if !literal.synchronizing => {
                self.reading = Reading::Refused(Refused {
                    tag: Some(incoming.tag),
                    reply,
                    literal: literal.size,
                    dropped: 0,
                });
            }
            _ => self.tagged(&incoming.tag, &reply),
        }
    }

    /// The line after a literal: the end, further parts, or the head of the next message.
    fn append_goes_on(&mut self, line: LineEnd) -> Option<Step> {
        let limits = *self.limits();
        let Reading::Message(incoming) = &self.reading else {
            return None;
        };
        if incoming.nul {
            return self.append_abort(Reply::no(text::NUL_IN_MESSAGE));
        }
        let written = self.input.line(line.end);
        let literal = announced(written);
        let before = written.get(..literal.map_or(written.len(), |literal| literal.header));
        if literal.is_some() && ends_in_quotes(before.unwrap_or_default()) {
            return self.append_abort(Fault::Arguments.reply());
        }
        // From the head on: a URL may have come as a literal.
        let whole = self.input.command(line.end);
        let end = whole.len() - written.len() + before.unwrap_or_default().len();
        let mut cursor = Cursor::new(whole.get(..end).unwrap_or_default(), self.utf8());
        let parsed = match incoming.resume(&mut cursor) {
            Ok(at) => items(&mut cursor, at, literal.is_some()),
            Err(fault) => Err(fault),
        };
        match (parsed, literal) {
            (Ok(Some(items)), literal) => {
                let more = messages(&items);
                if more > 0 && incoming.target.replaced.is_some() {
                    return self.append_abort(Fault::Arguments.reply());
                }
                if incoming.begun + more > limits::APPEND_MESSAGES_MAX as usize {
                    let limit = Code::MessageLimit(limits::APPEND_MESSAGES_MAX);
                    return self.append_abort(Reply::no(text::APPEND_TOO_MANY).with(limit));
                }
                if literal.is_some_and(|literal| literal.size > self.config.message_bytes_max) {
                    return self.append_abort(Reply::no(text::TOO_BIG).with(Code::TooBig));
                }
                self.input.consume_to(line.next);
                if let Reading::Message(incoming) = &mut self.reading {
                    incoming.items = items.into();
                    incoming.literal = literal;
                }
                None
            }
            // A URL comes as a literal.
            (Ok(None), Some(literal))
                if !literal.literal8
                    && literal.size <= limits.literal_bytes_max as u64
                    && whole.len() < limits.command_bytes_max =>
            {
                let size = usize::try_from(literal.size).unwrap_or(usize::MAX);
                self.input.go_on_after(line.next, size);
                if literal.synchronizing {
                    self.go_ahead(text::CONTINUE);
                }
                None
            }
            (Ok(None), _) => self.append_abort(Reply::no(text::LITERAL_TOO_BIG).with(Code::Limit)),
            (Err(fault), _) => self.append_abort(fault.reply()),
        }
    }

    /// The rest of the line is read, and what it may announce dropped, before the reply.
    fn append_abort(&mut self, reply: Reply) -> Option<Step> {
        let Reading::Message(incoming) = std::mem::replace(&mut self.reading, Reading::Command)
        else {
            return None;
        };
        self.reading = Reading::Refused(Refused {
            tag: Some(incoming.tag.clone()),
            reply,
            literal: 0,
            dropped: 0,
        });
        self.running = Some(Running::new(incoming.tag, incoming.name, Kind::AppendAbort));
        Some(Step::Run(Request::AppendAbort))
    }
}

fn begin(incoming: &mut Incoming, options: MessageOptions) -> Request {
    let literal = incoming.literal.filter(|_| !incoming.catenated);
    let request = Append {
        mailbox: incoming.target.mailbox.clone(),
        index: incoming.begun,
        replaced: incoming.target.replaced,
        flags: options.flags,
        date: options.date,
        size: literal.map(|literal| literal.size),
        binary: literal.is_none_or(|literal| literal.literal8),
    };
    incoming.begun += 1;
    Request::AppendBegin(request)
}
