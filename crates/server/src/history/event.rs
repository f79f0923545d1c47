//! What happens to a message, as one line of JSON each.

use facteur_store::{BlobId, Timestamp};
use serde::{Deserialize, Serialize};

/// Names a message in its history: of its bytes, so that what was sent twice is told as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    pub fn of(blob: BlobId) -> Key {
        let bytes = blob.0.iter().take(Key::LETTERS / 2);
        Key(bytes.map(|byte| format!("{byte:02x}")).collect())
    }

    /// There was no message yet.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    const LETTERS: usize = 16;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The first field of each line: [`Event::key_of`] looks for it there.
    pub message: Key,
    /// Milliseconds since 1970.
    pub at: i64,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// Taken, and on the disk.
    Accepted {
        /// "smtp", "submission", "lmtp"…
        door: String,
        peer: String,
        from: String,
        message_id: String,
        size: u64,
        recipients: Vec<Way>,
        /// Who stands behind the sender, in the words of a program ([`crate::senders::Told`]); empty:
        /// nobody looked.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        told: String,
    },
    /// Not taken: whoever sends it keeps it, or tells its author.
    Refused {
        door: String,
        peer: String,
        from: String,
        message_id: String,
        recipients: Vec<String>,
        /// The reply.
        why: String,
    },
    /// An attempt to pass it on.
    Tried {
        queue: u64,
        domain: String,
        recipients: Vec<Outcome>,
        /// When it is tried again, in milliseconds since 1970; none: never.
        again: Option<i64>,
        /// The sender is told of it by a report.
        reported: bool,
        /// Nobody is told that it failed: nothing showed that its sender was who it said.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unproven: bool,
    },
}

/// Where a recipient's copy goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// As it was given.
    pub to: String,
    /// The account's address, or the address at another server.
    pub ends: String,
    /// In a mailbox of ours; else in the queue.
    pub here: bool,
    /// Nowhere: the recipient's filter wanted nothing of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discarded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub address: String,
    /// "delivered", "delayed" or "failed".
    pub state: String,
    /// Who said so; empty: we did.
    pub host: String,
    pub reply: String,
}

impl Event {
    pub fn new(message: Key, at: Timestamp, what: What) -> Event {
        Event {
            message,
            at: at.0,
            what,
        }
    }

    /// With its line end.
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// `None`: the line was cut off by a crash, or is of another version.
    pub fn parse(line: &[u8]) -> Option<Event> {
        serde_json::from_slice(line).ok()
    }

    /// The key of a line, without reading the rest.
    pub fn key_of(line: &[u8]) -> Option<&str> {
        let key = line.strip_prefix(br#"{"message":""#)?.get(..Key::LETTERS)?;
        std::str::from_utf8(key).ok()
    }

    /// Everybody whose mail it is.
    pub fn people(&self) -> Vec<&str> {
        match &self.what {
            What::Accepted {
                from, recipients, ..
            } => {
                let ways = recipients.iter();
                let ways = ways.flat_map(|way| [way.to.as_str(), way.ends.as_str()]);
                std::iter::once(from.as_str()).chain(ways).collect()
            }
            What::Refused {
                from, recipients, ..
            } => {
                let recipients = recipients.iter().map(String::as_str);
                std::iter::once(from.as_str()).chain(recipients).collect()
            }
            What::Tried { recipients, .. } => {
                let outcomes = recipients.iter();
                outcomes.map(|outcome| outcome.address.as_str()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let key = Key::of(BlobId([0xab; 32]));
        let what = What::Tried {
            queue: 7,
            domain: "elsewhere.test".to_owned(),
            recipients: vec![Outcome {
                address: "carol@elsewhere.test".to_owned(),
                state: "delayed".to_owned(),
                host: "mx.elsewhere.test".to_owned(),
                reply: "451 4.7.1 \"later\"\n".to_owned(),
            }],
            again: Some(60_000),
            reported: false,
            unproven: false,
        };
        let event = Event::new(key.clone(), Timestamp(5), what);
        let line = event.line();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(Event::key_of(&line), Some(key.as_str()));
        assert_eq!(Event::parse(&line), Some(event));
        let (cut, _) = line.split_at(40);
        assert_eq!(Event::parse(cut), None);
    }
}
