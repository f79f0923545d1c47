//! The body: DATA, BDAT, and passing over what is refused.
//!
//! Bytes of a body are handed to the driver or dropped; none is ever looked at as a command.

use super::{Chunk, Pending, Session, State, Then};
use crate::data::{BodyFault, Piece, TextCheck};
use crate::limits;
use crate::parameters::Body;
use crate::reply::{self, Reply};
use crate::server::{CloseReason, Envelope, Outcome, Request, Role, Step};

impl Session {
    pub(super) fn data(&mut self) -> Option<Step> {
        let binary = |e: &Envelope| e.parameters.body == Body::BinaryMime;
        if self.envelope().is_some_and(binary) {
            self.error(reply::BINARY_NEEDS_BDAT);
            return None;
        }
        self.pending = Some(Pending::Data);
        Some(Step::Run(Request::BodyStart))
    }

    pub(super) fn data_step(&mut self) -> Option<Step> {
        let State::Data(decoder) = &mut self.state else {
            return None;
        };
        let buffered = self.input.get(self.consumed..).unwrap_or_default();
        let piece = decoder.next(buffered);
        let fault = decoder.fault();
        match piece {
            Piece::More => Some(self.read()),
            Piece::Body { skip, len } => {
                let start = self.consumed + skip;
                self.consumed = start + len;
                self.body_piece(start, len, fault)
            }
            Piece::End { len } => {
                self.consumed += len;
                self.state = State::Command;
                self.body_end(fault)
            }
        }
    }

    /// A piece of the body: to the driver, or dropped when the message is refused already.
    fn body_piece(&mut self, start: usize, len: usize, fault: Option<BodyFault>) -> Option<Step> {
        let bytes = u64::try_from(len).unwrap_or(u64::MAX);
        let max = self.config.message_bytes_max;
        let transaction = self.transaction.as_mut()?;
        transaction.body_bytes = transaction.body_bytes.saturating_add(bytes);
        let refused = match fault {
            Some(fault) => Some(fault.reply()),
            None if transaction.body_bytes > max => Some(reply::TOO_BIG),
            None => None,
        };
        let Some(reply) = refused else {
            return Some(Step::Body(start..start + len));
        };
        self.dropped = self.dropped.saturating_add(bytes);
        if self.dropped > limits::DROPPED_BYTES_MAX {
            self.close(CloseReason::RefusedBody, reply);
        }
        None
    }

    pub(super) fn body_end(&mut self, fault: Option<BodyFault>) -> Option<Step> {
        let max = self.config.message_bytes_max;
        let transaction = self.transaction.as_ref();
        let refused = match fault {
            Some(fault) => Some(fault.reply()),
            None if transaction.is_some_and(|t| t.body_bytes > max) => Some(reply::TOO_BIG),
            None => None,
        };
        let Some(reply) = refused else {
            // Not earlier: how much of a bad body passes before it is found out is chance.
            if transaction.is_some_and(|t| t.body_bytes > 0) {
                self.idle_commands = 0;
            }
            self.pending = Some(Pending::BodyEnd);
            return Some(Step::Run(Request::BodyEnd));
        };
        self.errors += 1;
        let recipients = transaction.map_or(0, |t| t.envelope.recipients.len());
        self.abort(Then::BodyReply(reply, recipients))
    }

    /// RFC 2033 §4.2: in LMTP one reply for each recipient that was taken.
    pub(super) fn body_reply(&mut self, reply: Reply, recipients: usize) {
        let count = match self.config.role {
            Role::Lmtp => recipients,
            Role::Mx | Role::Submission => 1,
        };
        for place in 0..count {
            self.explained(place, reply);
        }
        self.explanations.clear();
    }

    /// The reply to a recipient, with the reason that his filter gave.
    fn explained(&mut self, place: usize, reply: Reply) {
        let lines = match self.explanations.get(&place) {
            Some(lines) if reply == reply::FILTERED => lines.clone(),
            _ => return self.reply(reply),
        };
        for (number, line) in lines.iter().enumerate() {
            let mark = if number + 1 < lines.len() { '-' } else { ' ' };
            let line = format!("{}{mark}{} {line}\r\n", reply.code, reply.enhanced);
            self.output.extend_from_slice(line.as_bytes());
        }
    }

    pub(super) fn body_ended(&mut self, outcome: Outcome) {
        let transaction = self.transaction.take();
        let recipients = transaction.map_or(0, |t| t.envelope.recipients.len());
        match outcome {
            Outcome::Ok => {
                self.idle_commands = 0;
                self.body_reply(reply::ACCEPTED, recipients);
            }
            Outcome::Refused(refusal) => self.body_reply(refusal.reply(), recipients),
            Outcome::Recipients(results)
                if self.config.role == Role::Lmtp && results.len() == recipients =>
            {
                self.idle_commands = 0;
                for (place, result) in results.into_iter().enumerate() {
                    let reply = match result {
                        Ok(()) => reply::ACCEPTED,
                        Err(refusal) => refusal.reply(),
                    };
                    self.explained(place, reply);
                }
                self.explanations.clear();
            }
            _ => self.close(CloseReason::Internal, reply::INTERNAL),
        }
    }

    /// RFC 3030 §2. The bytes of a chunk that is refused are passed over, then the reply is sent.
    pub(super) fn bdat(&mut self, size: u64, last: bool) -> Option<Step> {
        let max = self.config.message_bytes_max;
        let chunk = Chunk {
            size,
            left: size,
            last,
            refused: None,
        };
        self.dropped = 0;
        let refused = match &self.transaction {
            _ if self.hello.is_none() => Some(reply::HELLO_FIRST),
            None => Some(reply::MAIL_FIRST),
            Some(t) if t.envelope.recipients.is_empty() => Some(reply::NO_RECIPIENTS),
            Some(t) if t.body_bytes.saturating_add(size) > max => Some(reply::TOO_BIG),
            Some(t) if t.chunks.is_some() => None,
            Some(_) => {
                self.pending = Some(Pending::Chunk(chunk));
                return Some(Step::Run(Request::BodyStart));
            }
        };
        match refused {
            Some(reply) => self.drop_chunk(chunk, reply),
            None => self.state = State::Chunk(chunk),
        }
        None
    }

    pub(super) fn drop_chunk(&mut self, chunk: Chunk, reply: Reply) {
        if chunk.left > limits::DROPPED_BYTES_MAX {
            return self.close(CloseReason::RefusedBody, reply);
        }
        self.state = State::Chunk(Chunk {
            refused: Some(reply),
            ..chunk
        });
    }

    pub(super) fn chunk_step(&mut self, mut chunk: Chunk) -> Option<Step> {
        if chunk.left == 0 {
            self.state = State::Command;
            return self.chunk_end(chunk);
        }
        let start = self.consumed;
        let buffered = self.buffered().len();
        let left = usize::try_from(chunk.left).unwrap_or(usize::MAX);
        let len = buffered.min(left);
        if len == 0 {
            return Some(self.read());
        }
        chunk.left -= u64::try_from(len).unwrap_or(u64::MAX);
        self.consumed += len;
        self.state = State::Chunk(chunk);
        if chunk.refused.is_some() {
            return None;
        }
        let bytes = self.input.get(start..start + len).unwrap_or_default();
        let transaction = self.transaction.as_mut()?;
        let check = transaction.chunks.get_or_insert_default();
        if transaction.envelope.parameters.body != Body::BinaryMime {
            check.push(bytes);
        }
        let fault = check.fault();
        self.body_piece(start, len, fault)
    }

    fn chunk_end(&mut self, chunk: Chunk) -> Option<Step> {
        if let Some(reply) = chunk.refused {
            self.errors += 1;
            // RFC 3030 §2: the whole transaction fails with one of its chunks.
            return self.abort(Then::Reply(reply));
        }
        let check = self.transaction.as_ref().and_then(|t| t.chunks.as_ref());
        let fault = if chunk.last {
            check.and_then(TextCheck::finish)
        } else {
            check.and_then(TextCheck::fault)
        };
        match fault {
            _ if chunk.last => self.body_end(fault),
            Some(fault) => {
                self.errors += 1;
                self.abort(Then::Reply(fault.reply()))
            }
            None => {
                if chunk.size > 0 {
                    self.idle_commands = 0;
                }
                self.reply(reply::CHUNK_OK);
                None
            }
        }
    }
}
