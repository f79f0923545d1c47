//! A message of a program, handed to an SMTP session in this process: the same door as everybody's,
//! with what is to be remembered of it in the same commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use facteur_smtp::Recipient;
use facteur_smtp::parameters::encode_xtext;
use facteur_smtp::server::Envelope;
use facteur_store::{
    Error, NewQueueEntry, NewSent, QueueRecipient, Sent, SentId, SentRecipient, SentState, Store,
    Taken, Timestamp,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

use super::Mandate;
use crate::context::{Context, Peer};
use crate::limits::{SUBMIT_PIPE_BYTES, SUBMIT_REPLY_BYTES_MAX};
use crate::smtp::{self, Target};

/// What the session writes down with the message.
#[derive(Debug)]
pub struct Tracking {
    pub id: SentId,
    pub program: String,
    pub message_id: String,
    /// Hashes of the program's name for the request, and of the request.
    pub key: Option<[u8; 16]>,
    pub request: [u8; 16],
    /// Recipients that are not tried.
    skipped: Mutex<Vec<SentRecipient>>,
    taken: Mutex<Option<Taken>>,
}

/// Why nothing was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not an address that the program may use.
    Sender,
    /// None of these is one that mail can be sent to.
    Recipients(Vec<SentRecipient>),
    /// It is asked to wait.
    TooMuch,
    /// The message as it is: the reply that a mail program would get.
    Message(String),
    /// Later.
    Temporary,
}

impl Tracking {
    pub fn new(id: SentId, program: &str, message_id: &str) -> Tracking {
        Tracking {
            id,
            program: program.to_owned(),
            message_id: message_id.to_owned(),
            key: None,
            request: [0; 16],
            skipped: Mutex::default(),
            taken: Mutex::default(),
        }
    }

    pub fn skip(&self, recipient: SentRecipient) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.push(recipient);
    }

    fn skipped(&self) -> Vec<SentRecipient> {
        let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.clone()
    }

    /// `targets`: of each recipient of the envelope; `reports`: places of those that do not get it
    /// after all, with what they are told. `queue`: the entries as they are committed.
    pub(crate) fn new_sent(
        &self,
        envelope: Option<&Envelope>,
        targets: &[Vec<Target>],
        reports: &[(usize, &'static str)],
        queue: &[NewQueueEntry],
        now: Timestamp,
    ) -> NewSent {
        let given = envelope.map_or(&[][..], |envelope| &envelope.recipients);
        let mut recipients = Vec::new();
        for (place, ((recipient, _), targets)) in given.iter().zip(targets).enumerate() {
            let address = match recipient {
                Recipient::Address(address) => address.to_string(),
                Recipient::Postmaster => "postmaster".to_owned(),
            };
            let report = reports.iter().find(|report| report.0 == place);
            let remote = |target: &Target| matches!(target, Target::Remote { .. });
            let (state, told) = match report {
                Some((_, told)) if targets.is_empty() => (SentState::Bounced, *told),
                _ if targets.iter().any(remote) => (SentState::Queued, ""),
                _ => (SentState::Delivered, "delivered into the mailbox"),
            };
            recipients.push(SentRecipient {
                address,
                state,
                told: told.to_owned(),
                at: now,
            });
        }
        let known = Places::new(&recipients);
        let places = queue.iter().map(|entry| {
            let entry = entry.recipients.iter();
            entry.map(|to| known.of(to)).collect()
        });
        let places = places.collect();
        recipients.extend(self.skipped());
        NewSent {
            sent: Sent {
                id: self.id,
                program: self.program.clone(),
                from: envelope
                    .and_then(|envelope| envelope.reverse_path.as_ref())
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                message_id: self.message_id.clone(),
                key: self.key,
                recipients,
            },
            request: self.request,
            places,
        }
    }

    pub(crate) fn taken(&self, taken: Taken) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
    }

    /// Nobody is left to send it to: it is remembered all the same.
    pub async fn keep_alone(&self, store: &Store, now: Timestamp) -> Result<Taken, Error> {
        let new = self.new_sent(None, &[], &[], &[], now);
        store.deliver_sent(Vec::new(), Vec::new(), new).await
    }
}

/// Where the program's recipients are found again in the queue's entries.
struct Places(HashMap<String, u32>);

impl Places {
    fn new(recipients: &[SentRecipient]) -> Places {
        let mut places = HashMap::new();
        for (place, recipient) in (0..).zip(recipients) {
            let name = match recipient.address.is_ascii() {
                true => format!("rfc822;{}", encode_xtext(recipient.address.as_bytes())),
                false => recipient.address.clone(),
            };
            places.entry(name).or_insert(place);
        }
        Places(places)
    }

    /// RFC 3461 §5.2.1: an entry's recipient carries the address that was given, when that is ASCII.
    /// What a filter sends on carries none: that is nobody's that the program wrote to, whoever else
    /// it wrote to.
    fn of(&self, to: &QueueRecipient) -> Option<u32> {
        let name = match &to.original {
            Some(original) => original,
            None if !to.address.is_ascii() => &to.address,
            None => return None,
        };
        self.0.get(name).copied()
    }
}

/// Recipients that are refused for good are noted; one that is to be tried later makes all of it
/// wait. `message` has any line ends.
pub async fn submit(
    ctx: &Arc<Context>,
    peer: Peer,
    mandate: Mandate,
    tracking: Arc<Tracking>,
    from: &str,
    recipients: &[String],
    message: &[u8],
) -> Result<Taken, Refused> {
    let peer = Peer {
        session: ctx.next_session(),
        ..peer
    };
    let (client, server) = tokio::io::duplex(SUBMIT_PIPE_BYTES);
    let session = smtp::serve_program(
        server,
        peer,
        Arc::clone(ctx),
        mandate,
        Arc::clone(&tracking),
    );
    let session = tokio::spawn(session);
    let mut talk = Talk {
        stream: BufReader::new(client),
    };
    let said = talk.send(ctx, &tracking, from, recipients, message).await;
    // It ends when it sees the end of its input; what it has taken it commits.
    drop(talk);
    let _ = session.await;
    said?;
    let taken = tracking
        .taken
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    taken.ok_or(Refused::Temporary)
}

struct Talk {
    stream: BufReader<DuplexStream>,
}

impl Talk {
    async fn send(
        &mut self,
        ctx: &Context,
        tracking: &Tracking,
        from: &str,
        recipients: &[String],
        message: &[u8],
    ) -> Result<(), Refused> {
        self.reply().await?;
        self.say("EHLO localhost").await?;
        let ascii = from.is_ascii() && recipients.iter().all(|to| to.is_ascii());
        let utf8 = if ascii { "" } else { " SMTPUTF8" };
        let mail = self.say(&format!("MAIL FROM:<{from}>{utf8}")).await?;
        if mail.starts_with("553 5.7.1") {
            return Err(Refused::Sender);
        }
        checked(mail)?;
        let mut refused = Vec::new();
        for recipient in recipients {
            let reply = self.say(&format!("RCPT TO:<{recipient}>")).await?;
            if reply.starts_with('5') {
                refused.push(SentRecipient {
                    address: recipient.clone(),
                    state: SentState::Bounced,
                    told: reply,
                    at: ctx.clock.now(),
                });
                continue;
            }
            checked(reply)?;
        }
        if refused.len() == recipients.len() {
            return Err(Refused::Recipients(refused));
        }
        for recipient in refused {
            tracking.skip(recipient);
        }
        checked(self.say("DATA").await?)?;
        self.body(message).await?;
        let end = self.say(".").await?;
        if end.starts_with("553 5.7.1") {
            return Err(Refused::Sender);
        }
        checked(end)?;
        // It is taken, whatever becomes of the farewell.
        let _ = self.say("QUIT").await;
        Ok(())
    }

    /// RFC 5321 §4.5.2, every end of a line as CRLF.
    async fn body(&mut self, message: &[u8]) -> Result<(), Refused> {
        let mut out = Vec::with_capacity(SUBMIT_PIPE_BYTES);
        let mut rest = message;
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\r', b'\n', rest);
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            let behind = rest.get(line.len()..).unwrap_or_default();
            let ended = match behind {
                [b'\r', b'\n', ..] => 2,
                [] => 0,
                _ => 1,
            };
            rest = behind.get(ended..).unwrap_or_default();
            if line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
            if out.len() >= SUBMIT_PIPE_BYTES / 2 {
                self.write(&out).await?;
                out.clear();
            }
        }
        self.write(&out).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let written = self.stream.get_mut().write_all(bytes).await;
        written.map_err(|_| Refused::Temporary)
    }

    async fn say(&mut self, line: &str) -> Result<String, Refused> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// The last line of it.
    async fn reply(&mut self) -> Result<String, Refused> {
        loop {
            let mut line = String::new();
            let mut limited = (&mut self.stream).take(SUBMIT_REPLY_BYTES_MAX);
            let read = limited.read_line(&mut line).await;
            if !read.is_ok_and(|count| count > 0) {
                return Err(Refused::Temporary);
            }
            if line.get(3..4) != Some("-") {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

fn checked(reply: String) -> Result<(), Refused> {
    match reply.as_bytes().first() {
        Some(b'2' | b'3') => Ok(()),
        Some(b'5') => Err(Refused::Message(reply)),
        _ if reply.contains(" 4.7.") => Err(Refused::TooMuch),
        _ => Err(Refused::Temporary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_store::RecipientState;

    #[test]
    fn only_what_the_program_wrote_to_is_its_own() {
        let recipient = |address: &str| SentRecipient {
            address: address.to_owned(),
            state: SentState::Queued,
            told: String::new(),
            at: Timestamp(0),
        };
        let recipients = ["ann@a.test", "b+c@b.test", "zoé@c.test"].map(recipient);
        let places = Places::new(&recipients);
        for (address, original, place) in [
            ("ann@a.test", Some("rfc822;ann@a.test"), Some(0)),
            // By way of an alias.
            ("elsewhere@d.test", Some("rfc822;b+2Bc@b.test"), Some(1)),
            ("zoé@c.test", None, Some(2)),
            // A filter of Bob's sends it on to Ann.
            ("ann@a.test", None, None),
            ("eve@a.test", Some("rfc822;eve@a.test"), None),
        ] {
            let to = QueueRecipient {
                address: address.to_owned(),
                original: original.map(str::to_owned),
                notify: None,
                state: RecipientState::Pending,
            };
            assert_eq!(places.of(&to), place, "{address}");
        }
    }
}
