//! What a milter says.

use crate::limits::TEXT_CHARS_MAX;
use crate::packet::{Packet, texts};
use crate::session::Broken;

/// The opinion on a step, or on the whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Continue,
    /// Go on and ask no more about this message (after `Connect` and `Hello`: this client).
    Accept,
    Reject,
    TempFail,
    /// Say that it was taken, and keep it from everybody.
    Discard,
    /// No more of the body is wanted.
    Skip,
    /// In place of `Reject` or `TempFail`, with words of its own.
    Reply {
        permanent: bool,
        text: String,
    },
    /// It works on it: wait anew.
    Progress,
}

impl Answer {
    /// Of a client, a recipient or a message that the milter does not want: `Some(true)` for good.
    pub fn refusal(&self) -> Option<bool> {
        match self {
            Answer::Reject => Some(true),
            Answer::TempFail => Some(false),
            Answer::Reply { permanent, .. } => Some(*permanent),
            Answer::Continue
            | Answer::Accept
            | Answer::Discard
            | Answer::Skip
            | Answer::Progress => None,
        }
    }
}

/// What is to be changed when the message is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// At the end of the header.
    Add { name: String, value: String },
    /// At a place; 0 is the first.
    Insert {
        index: u32,
        name: String,
        value: String,
    },
    /// Set apart: why.
    Quarantine(String),
}

/// A packet, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Answer(Answer),
    Change(Change),
    /// Actions and steps of the negotiation.
    Agreed {
        version: u32,
        steps: u32,
    },
    /// It goes away.
    Leaves,
}

pub(crate) fn read(packet: &Packet) -> Result<Said, Broken> {
    let bytes = packet.bytes.as_slice();
    Ok(match packet.letter {
        b'c' => Said::Answer(Answer::Continue),
        b'a' => Said::Answer(Answer::Accept),
        b'r' => Said::Answer(Answer::Reject),
        b't' => Said::Answer(Answer::TempFail),
        b'd' => Said::Answer(Answer::Discard),
        b's' => Said::Answer(Answer::Skip),
        b'p' => Said::Answer(Answer::Progress),
        b'y' => Said::Answer(reply(bytes)?),
        b'h' => {
            let (name, value) = field(bytes)?;
            Said::Change(Change::Add { name, value })
        }
        b'i' => {
            let (index, rest) = number(bytes)?;
            let (name, value) = field(rest)?;
            Said::Change(Change::Insert { index, name, value })
        }
        b'q' => {
            let reason = texts(bytes).next().ok_or(Broken::Malformed)?;
            Said::Change(Change::Quarantine(plain(reason)))
        }
        b'O' => {
            let (version, rest) = number(bytes)?;
            let (_actions, rest) = number(rest)?;
            // What follows are the macros that it wants; ours are the same for everybody.
            let (steps, _) = number(rest)?;
            Said::Agreed { version, steps }
        }
        b'4' | b'f' => Said::Leaves,
        // Other bodies, recipients and senders, and changes of what the message has, were not offered.
        other => return Err(Broken::Letter(other)),
    })
}

/// `550 5.7.1 text`: three digits decide.
fn reply(bytes: &[u8]) -> Result<Answer, Broken> {
    let text = texts(bytes).next().ok_or(Broken::Malformed)?;
    let code = text.get(..3).ok_or(Broken::Malformed)?;
    if !code.iter().all(u8::is_ascii_digit) {
        return Err(Broken::Malformed);
    }
    let permanent = match code.first() {
        Some(b'5') => true,
        Some(b'4') => false,
        _ => return Err(Broken::Malformed),
    };
    let text = plain(text);
    Ok(Answer::Reply { permanent, text })
}

fn number(bytes: &[u8]) -> Result<(u32, &[u8]), Broken> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Broken::Malformed)?;
    Ok((u32::from_be_bytes(*number), rest))
}

/// Name and value; the name is one that a header may have (RFC 5322 §2.2).
fn field(bytes: &[u8]) -> Result<(String, String), Broken> {
    let mut parts = texts(bytes);
    let (name, value) = (parts.next(), parts.next());
    let (Some(name), Some(value)) = (name, value) else {
        return Err(Broken::Malformed);
    };
    let printable = |byte: &u8| (b'!'..=b'~').contains(byte) && *byte != b':';
    if name.is_empty() || !name.iter().all(printable) {
        return Err(Broken::Malformed);
    }
    let name = String::from_utf8_lossy(name).into_owned();
    Ok((name, folded(value)))
}

/// A value as a header has it: lines end with CRLF and go on with white space, whatever was sent.
fn folded(value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    let mut lines = value.split('\n').map(|line| line.replace(['\r', '\0'], ""));
    let mut text = lines.next().unwrap_or_default();
    for line in lines {
        if line.trim().is_empty() {
            continue;
        }
        text.push_str("\r\n");
        if !line.starts_with([' ', '\t']) {
            text.push('\t');
        }
        text.push_str(&line);
    }
    text
}

/// One line for a log.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let safe = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    safe.take(TEXT_CHARS_MAX).collect()
}
