//! One mail transaction from the client's side: which commands go in which group, and which reply
//! belongs to which recipient.

use std::collections::VecDeque;

use super::{
    Answer, Extensions, LocalError, Mail, MailRecipient, RecipientReport, Report, Verdict,
};
use crate::limits;
use crate::parameters::{Body, Notify, Ret};
use crate::reply_parser::PeerReply;

/// What a reply that is to come answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Mail,
    /// Index of the recipient.
    Rcpt(usize),
    Data,
    /// The end of the body; in LMTP for this recipient alone.
    Body(Option<usize>),
}

#[derive(Debug)]
enum RecipientState {
    Unknown,
    /// RCPT was taken; the body decides.
    Taken,
    Done(RecipientReport),
}

#[derive(Debug)]
pub(super) struct Transaction {
    mail: Mail,
    recipients: Vec<RecipientState>,
    unsent: VecDeque<Command>,
    awaited: VecDeque<Command>,
    pub(super) chunking: bool,
    dsn: bool,
}

impl Transaction {
    /// Checks what the server must be able to do.
    ///
    /// # Errors
    /// What is in the way, for all recipients, before anything is sent.
    pub(super) fn new(mail: Mail, extensions: &Extensions) -> Result<Transaction, Report> {
        let ascii = |r: &MailRecipient| r.address.is_ascii();
        let needs_utf8 = mail.smtputf8
            || !mail.recipients.iter().all(ascii)
            || !mail.reverse_path.as_ref().is_none_or(|p| p.is_ascii());
        let limit = extensions.size.flatten().unwrap_or(u64::MAX);
        let binary = mail.body == Body::BinaryMime;
        let error = if needs_utf8 && !extensions.smtputf8 {
            Some(LocalError::NoSmtpUtf8)
        } else if binary && !(extensions.binary_mime && extensions.chunking) {
            Some(LocalError::NoBinaryMime)
        } else if mail.size > limit {
            Some(LocalError::TooBig)
        } else {
            None
        };
        if let Some(error) = error {
            let report = RecipientReport {
                verdict: Verdict::Permanent,
                answer: Answer::Local(error),
            };
            return Err(Report {
                recipients: vec![report; mail.recipients.len()],
                dsn: false,
            });
        }
        let rcpts = (0..mail.recipients.len()).map(Command::Rcpt);
        let mut unsent: VecDeque<Command> = std::iter::once(Command::Mail).chain(rcpts).collect();
        if !binary {
            unsent.push_back(Command::Data);
        }
        Ok(Transaction {
            recipients: mail
                .recipients
                .iter()
                .map(|_| RecipientState::Unknown)
                .collect(),
            mail,
            unsent,
            awaited: VecDeque::new(),
            chunking: binary,
            dsn: extensions.dsn,
        })
    }

    /// Writes the next group of commands, or one command where there is no pipelining.
    pub(super) fn send(&mut self, extensions: &Extensions, out: &mut Vec<u8>) {
        if !self.awaited.is_empty() {
            return;
        }
        let mut group = 0;
        while let Some(command) = self.unsent.pop_front() {
            // Without pipelining it is known by now whether DATA makes sense.
            if command == Command::Data && !extensions.pipelining && !self.any_taken() {
                break;
            }
            let line = self.line(command, extensions);
            group += line.len();
            out.extend_from_slice(line.as_bytes());
            self.awaited.push_back(command);
            if !extensions.pipelining || group >= limits::PIPELINE_BYTES_MAX {
                break;
            }
        }
    }

    fn line(&self, command: Command, extensions: &Extensions) -> String {
        match command {
            Command::Mail => self.mail_line(extensions),
            Command::Rcpt(index) => match self.mail.recipients.get(index) {
                Some(recipient) => rcpt_line(recipient, extensions),
                None => String::new(),
            },
            Command::Data => "DATA\r\n".to_owned(),
            Command::Body(_) => String::new(),
        }
    }

    fn mail_line(&self, extensions: &Extensions) -> String {
        let mail = &self.mail;
        let mut line = match &mail.reverse_path {
            Some(address) => format!("MAIL FROM:<{address}>"),
            None => "MAIL FROM:<>".to_owned(),
        };
        if extensions.size.is_some() {
            line.push_str(&format!(" SIZE={}", mail.size));
        }
        match mail.body {
            Body::EightBitMime if extensions.eight_bit_mime => line.push_str(" BODY=8BITMIME"),
            // RFC 6152 §3 would have it converted or sent back. Servers that don't know the
            // extension take eight bits all the same, and a bounce serves nobody.
            Body::EightBitMime | Body::SevenBit => {}
            Body::BinaryMime => line.push_str(" BODY=BINARYMIME"),
        }
        if mail.smtputf8 && extensions.smtputf8 {
            line.push_str(" SMTPUTF8");
        }
        if extensions.dsn {
            match mail.ret {
                Some(Ret::Full) => line.push_str(" RET=FULL"),
                Some(Ret::Headers) => line.push_str(" RET=HDRS"),
                None => {}
            }
            if let Some(id) = &mail.envelope_id {
                line.push_str(&format!(" ENVID={id}"));
            }
        }
        let wishes = &mail.wishes;
        if let Some(by) = wishes
            .deliver_by
            .filter(|_| extensions.deliver_by.is_some())
        {
            let mode = if by.or_return { "R" } else { "N" };
            let trace = if by.trace { "T" } else { "" };
            // Nine digits, whatever the wish (RFC 2852 §4).
            let seconds = by.seconds.clamp(-999_999_999, 999_999_999);
            line.push_str(&format!(" BY={seconds};{mode}{trace}"));
        }
        if let Some(priority) = wishes.priority.filter(|_| extensions.priority) {
            line.push_str(&format!(" MT-PRIORITY={priority}"));
        }
        if wishes.require_tls && extensions.require_tls {
            line.push_str(" REQUIRETLS");
        }
        line.push_str("\r\n");
        line
    }

    pub(super) fn size(&self) -> u64 {
        self.mail.size
    }

    pub(super) fn awaited(&self) -> Option<Command> {
        self.awaited.front().copied()
    }

    pub(super) fn is_all_sent(&self) -> bool {
        self.unsent.is_empty() && self.awaited.is_empty()
    }

    pub(super) fn any_taken(&self) -> bool {
        self.recipients
            .iter()
            .any(|r| matches!(r, RecipientState::Taken))
    }

    /// Takes a reply for what is awaited first. True: 354, the body can go.
    pub(super) fn reply(&mut self, reply: PeerReply) -> bool {
        let ok = reply.is_ok();
        match self.awaited.pop_front() {
            Some(Command::Mail) if !ok => {
                // RCPT and DATA of the same group will be refused too; this is the reason.
                self.unsent.clear();
                self.settle(|_| true, &reply);
            }
            Some(Command::Mail) | None => {}
            Some(Command::Rcpt(index)) => match self.recipients.get_mut(index) {
                Some(state @ RecipientState::Unknown) if ok => *state = RecipientState::Taken,
                Some(state @ RecipientState::Unknown) => {
                    *state = RecipientState::Done(report(reply));
                }
                _ => {}
            },
            Some(Command::Data) if reply.class() == 3 => return true,
            Some(Command::Data | Command::Body(None)) => {
                self.settle(|state| matches!(state, RecipientState::Taken), &reply);
            }
            Some(Command::Body(Some(index))) => {
                if let Some(state @ RecipientState::Taken) = self.recipients.get_mut(index) {
                    *state = RecipientState::Done(report(reply));
                }
            }
        }
        false
    }

    /// The body is written: wait for one reply, or in LMTP for one a recipient.
    pub(super) fn body_written(&mut self, lmtp: bool) {
        if !lmtp {
            self.awaited.push_back(Command::Body(None));
            return;
        }
        for (index, state) in self.recipients.iter().enumerate() {
            if matches!(state, RecipientState::Taken) {
                self.awaited.push_back(Command::Body(Some(index)));
            }
        }
    }

    fn settle(&mut self, which: impl Fn(&RecipientState) -> bool, reply: &PeerReply) {
        for state in &mut self.recipients {
            if !matches!(state, RecipientState::Done(_)) && which(state) {
                *state = RecipientState::Done(report(reply.clone()));
            }
        }
    }

    /// Ends it: what is not known by now is temporary, for this reason.
    pub(super) fn finish(self, verdict: Verdict, answer: &Answer) -> Report {
        let recipients = self.recipients.into_iter().map(|state| match state {
            RecipientState::Done(report) => report,
            RecipientState::Unknown | RecipientState::Taken => RecipientReport {
                verdict,
                answer: answer.clone(),
            },
        });
        Report {
            recipients: recipients.collect(),
            dsn: self.dsn,
        }
    }
}

fn rcpt_line(recipient: &MailRecipient, extensions: &Extensions) -> String {
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if extensions.dsn {
        if let Some(notify) = recipient.notify {
            line.push_str(" NOTIFY=");
            line.push_str(&notify_value(notify));
        }
        if let Some(original) = &recipient.original {
            line.push_str(" ORCPT=");
            line.push_str(original);
        }
    }
    line.push_str("\r\n");
    line
}

fn notify_value(notify: Notify) -> String {
    let words = [
        (notify.success, "SUCCESS"),
        (notify.failure, "FAILURE"),
        (notify.delay, "DELAY"),
    ];
    let words: Vec<&str> = words.iter().filter(|w| w.0).map(|w| w.1).collect();
    if words.is_empty() {
        "NEVER".to_owned()
    } else {
        words.join(",")
    }
}

fn report(reply: PeerReply) -> RecipientReport {
    RecipientReport {
        verdict: match reply.class() {
            2 => Verdict::Delivered,
            5 => Verdict::Permanent,
            // A reply out of place (354 to the body) decides nothing.
            _ => Verdict::Temporary,
        },
        answer: Answer::Reply(reply),
    }
}
