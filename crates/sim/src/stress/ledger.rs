//! What all clients together know to be true: which uid is which message, what was acknowledged,
//! and what somebody may have taken away.
//!
//! A message may go only if a client asked, before, for what may take it away. It must be there
//! when its acknowledgement came before the mailbox was opened. Its flags at one modseq are the
//! same for everybody.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::picture::Flags;

/// An account's mailbox of one UIDVALIDITY.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub owner: String,
    pub uid_validity: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Fact {
    pub token: Option<String>,
    /// When its existence was acknowledged.
    pub acknowledged: Option<u64>,
    /// Somebody asked for what takes it away.
    pub doomed: bool,
    /// At the last modseqs.
    pub flags: BTreeMap<u64, Flags>,
}

/// States of a message, and modseqs of a mailbox, that are kept.
const KEPT_MAX: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    pub id: String,
    pub facts: BTreeMap<u32, Fact>,
    /// Uids, and when somebody was told that they are gone.
    pub gone: BTreeMap<u32, u64>,
    /// The highest modseqs, and when somebody was told of them first.
    modseqs: BTreeMap<u64, u64>,
}

/// A message given to the server by delivery.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub owner: String,
    pub token: String,
}

#[derive(Debug, Default)]
pub struct Ledger {
    time: u64,
    pub mailboxes: HashMap<Key, Mailbox>,
    /// Everything that was ever sent.
    pub sent: BTreeSet<String>,
    /// Messages that ever were to carry \Deleted, in whatever mailbox.
    pub doomed: BTreeSet<String>,
    /// Messages that somebody took away from a mailbox, or meant to.
    pub taken: BTreeSet<String>,
    pub delivered: Vec<Delivered>,
}

impl Ledger {
    /// A moment after all that happened.
    pub fn now(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    pub fn mailbox(&mut self, key: &Key) -> &mut Mailbox {
        self.mailboxes.entry(key.clone()).or_default()
    }

    pub fn fact(&mut self, key: &Key, uid: u32) -> &mut Fact {
        self.mailbox(key).facts.entry(uid).or_default()
    }

    /// RFC 8474 §4: one mailbox, one id, one UIDVALIDITY.
    pub fn identify(&mut self, key: &Key, id: &str) -> Result<(), String> {
        let mailbox = self.mailbox(key);
        if mailbox.id.is_empty() {
            mailbox.id = id.to_owned();
        }
        match mailbox.id == id {
            true => Ok(()),
            false => Err(format!("{key:?} was {} and is {id}", mailbox.id)),
        }
    }

    /// APPENDUID and COPYUID.
    pub fn acknowledge(&mut self, key: &Key, uid: u32, token: Option<&str>) -> Result<(), String> {
        let now = self.now();
        if self.mailbox(key).gone.contains_key(&uid) {
            // Another client was quicker.
            return Ok(());
        }
        self.fact(key, uid).acknowledged = Some(now);
        match token {
            Some(token) => self.name(key, uid, token),
            None => Ok(()),
        }
    }

    /// Somebody saw which message a uid is.
    pub fn name(&mut self, key: &Key, uid: u32, token: &str) -> Result<(), String> {
        if !self.sent.contains(token) {
            return Err(format!("{token} was never sent"));
        }
        if self.mailbox(key).gone.contains_key(&uid) {
            return Ok(());
        }
        let fact = self.fact(key, uid);
        let known = fact.token.get_or_insert_with(|| token.to_owned());
        match known == token {
            true => Ok(()),
            false => Err(format!("uid {uid} is {token} and was {known}")),
        }
    }

    pub fn token(&self, key: &Key, uid: u32) -> Option<&str> {
        let fact = self.mailboxes.get(key)?.facts.get(&uid)?;
        fact.token.as_deref()
    }

    /// To be said before the command that may take them away is sent.
    pub fn doom(&mut self, key: &Key, uids: impl IntoIterator<Item = u32>, by_flag: bool) {
        for uid in uids {
            if self.mailbox(key).gone.contains_key(&uid) {
                continue;
            }
            let fact = self.fact(key, uid);
            fact.doomed = true;
            let Some(token) = fact.token.clone() else {
                continue;
            };
            self.taken.insert(token.clone());
            if by_flag {
                self.doomed.insert(token);
            }
        }
    }

    /// May the message of a uid be taken away, or its copy carry \\Deleted?
    pub fn is_doomed(&self, key: &Key, uid: u32) -> bool {
        let mailbox = self.mailboxes.get(key);
        let fact = mailbox.and_then(|mailbox| mailbox.facts.get(&uid));
        fact.is_none_or(|fact| self.may_go(fact))
    }

    fn may_go(&self, fact: &Fact) -> bool {
        let token = fact.token.as_ref();
        fact.doomed || token.is_none_or(|token| self.doomed.contains(token))
    }

    /// A client is told that the message is gone.
    pub fn gone(&mut self, key: &Key, uid: u32) -> Result<(), String> {
        let now = self.now();
        let mailbox = self.mailbox(key);
        if mailbox.gone.contains_key(&uid) {
            return Ok(());
        }
        mailbox.gone.insert(uid, now);
        let fact = mailbox.facts.remove(&uid).unwrap_or_default();
        match self.may_go(&fact) {
            true => Ok(()),
            false => Err(format!("uid {uid} went and nobody took it: {fact:?}")),
        }
    }

    /// The flags of a message as they are at a modseq.
    pub fn flags(&mut self, key: &Key, uid: u32, modseq: u64, flags: &Flags) -> Result<(), String> {
        let now = self.now();
        let mailbox = self.mailbox(key);
        mailbox.modseqs.entry(modseq).or_insert(now);
        if mailbox.modseqs.len() > KEPT_MAX {
            mailbox.modseqs.pop_first();
        }
        if mailbox.gone.contains_key(&uid) {
            return Ok(());
        }
        let fact = self.fact(key, uid);
        let known = fact.flags.entry(modseq).or_insert_with(|| flags.clone());
        if known != flags {
            return Err(format!(
                "uid {uid} at modseq {modseq} has {flags:?} and had {known:?}"
            ));
        }
        if fact.flags.len() > KEPT_MAX {
            fact.flags.pop_first();
        }
        if flags.contains("\\deleted") {
            self.doom(key, [uid], true);
        }
        Ok(())
    }

    /// UIDNEXT and HIGHESTMODSEQ, asked for at `asked`, have what was known before.
    pub fn numbers(
        &self,
        key: &Key,
        asked: u64,
        uid_next: Option<u64>,
        modseq: Option<u64>,
    ) -> Result<(), String> {
        let Some(mailbox) = self.mailboxes.get(key) else {
            return Ok(());
        };
        let before = |fact: &Fact| fact.acknowledged.is_some_and(|time| time < asked);
        let last = mailbox.facts.iter().rev().find(|(_, fact)| before(fact));
        if let (Some(next), Some((last, _))) = (uid_next, last)
            && next <= u64::from(*last)
        {
            return Err(format!("UIDNEXT {next} with uid {last} in {key:?}"));
        }
        let last = mailbox.modseqs.iter().rev().find(|(_, at)| **at < asked);
        if let (Some(highest), Some((last, _))) = (modseq, last)
            && highest < *last
        {
            return Err(format!("HIGHESTMODSEQ {highest} after {last} in {key:?}"));
        }
        Ok(())
    }

    /// A mailbox opened at `opened` shows exactly `uids`.
    pub fn opened(&mut self, key: &Key, opened: u64, uids: &[u32]) -> Result<(), String> {
        let Some(mailbox) = self.mailboxes.get(key) else {
            return Ok(());
        };
        for uid in uids {
            if mailbox.gone.get(uid).is_some_and(|gone| *gone < opened) {
                return Err(format!("uid {uid} came back"));
            }
        }
        let there: BTreeSet<u32> = uids.iter().copied().collect();
        for (uid, fact) in &mailbox.facts {
            let before = fact.acknowledged.is_some_and(|time| time < opened);
            if before && !there.contains(uid) && !self.may_go(fact) {
                return Err(format!("uid {uid} is lost: {fact:?}"));
            }
        }
        Ok(())
    }
}

/// The whole text of a message: everything follows from its token.
pub fn text(token: &str) -> Vec<u8> {
    let hash = token.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let lines = match hash % 97 {
        // Larger than a chunk of the store.
        0 => 2000,
        n => n % 40,
    };
    let day = hash % 27 + 1;
    let mut text = format!(
        "From: {} <sender@elsewhere.test>\r\nTo: all@example.test\r\nSubject: {token}\r\n\
         Date: {day} Nov 2026 10:00:00 +0000\r\nMessage-ID: <{token}@elsewhere.test>\r\n\r\n",
        ["Ann", "Ben", "Cleo"][(hash % 3) as usize]
    );
    for line in 0..lines {
        text.push_str(&format!("{token} line {line} of {lines}\r\n"));
    }
    text.into_bytes()
}

/// The token of a message that came back, if its bytes are whole; the server may have put fields
/// before them.
pub fn recognize(bytes: &[u8]) -> Result<String, String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned();
    let subject = head
        .lines()
        .find_map(|line| line.strip_prefix("Subject: "))
        .ok_or("a message without subject")?;
    match bytes.ends_with(&text(subject)) {
        true => Ok(subject.to_owned()),
        false => Err(format!("{subject} came back changed: {head}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            owner: "a".to_owned(),
            uid_validity: 1,
        }
    }

    #[test]
    fn loss_and_return_are_seen() {
        let mut ledger = Ledger::default();
        ledger.sent.insert("t".to_owned());
        ledger.acknowledge(&key(), 1, Some("t")).unwrap();
        let now = ledger.now();
        assert!(ledger.opened(&key(), now, &[1]).is_ok());
        assert!(ledger.opened(&key(), now, &[]).is_err());
        assert!(ledger.opened(&key(), 0, &[]).is_ok());
        assert!(ledger.gone(&key(), 1).is_err());
        ledger.doom(&key(), [1], false);
        assert!(ledger.gone(&key(), 1).is_ok());
        let now = ledger.now();
        assert!(ledger.opened(&key(), now, &[]).is_ok());
        assert!(ledger.opened(&key(), now, &[1]).is_err());
    }

    #[test]
    fn a_uid_is_one_message_and_a_modseq_one_state() {
        let mut ledger = Ledger::default();
        assert!(ledger.name(&key(), 1, "t").is_err());
        ledger.sent.extend(["t".to_owned(), "u".to_owned()]);
        assert!(ledger.name(&key(), 1, "t").is_ok());
        assert!(ledger.name(&key(), 1, "u").is_err());
        let seen = Flags::from(["\\seen".to_owned()]);
        assert!(ledger.flags(&key(), 1, 5, &seen).is_ok());
        assert!(ledger.flags(&key(), 1, 5, &Flags::new()).is_err());
        assert!(ledger.identify(&key(), "F1").is_ok());
        assert!(ledger.identify(&key(), "F2").is_err());
    }

    #[test]
    fn messages_are_recognized() {
        let bytes = text("t1x2");
        assert_eq!(recognize(&bytes), Ok("t1x2".to_owned()));
        assert!(recognize(&bytes[..bytes.len() - 3]).is_err() || bytes.len() < 260);
        let delivered = [b"Received: x\r\n".as_slice(), &bytes].concat();
        assert_eq!(recognize(&delivered), Ok("t1x2".to_owned()));
    }
}
