//! Keys of the catalogue, and the row that lists a mailbox's segments.

use facteur_store::{AccountId, DerivedView, Error, MailboxId};

use super::columns::{put, take};

pub type Span = (Vec<u8>, Vec<u8>);

const DIRECTORY: u8 = 0;
const COLUMN: u8 = 1;
const POSTINGS: u8 = 2;
const TERMS: u8 = 3;

/// Which segments a mailbox has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Uids up to this one are covered.
    pub up_to: u32,
    pub next_segment: u32,
    /// By ascending uids.
    pub segments: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub segment: u32,
    pub messages: u32,
    /// Groups and terms of all its messages: what it takes to hold it.
    pub weight: u32,
    /// Some message in it has doubts.
    pub doubts: bool,
}

impl Directory {
    pub fn load(
        view: &DerivedView,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<Directory>, Error> {
        let value = view.get(&directory(account, mailbox))?;
        // A row that makes no sense is none.
        Ok(value.and_then(|value| Directory::decode(&value)))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(u64::from(self.up_to), &mut out);
        put(u64::from(self.next_segment), &mut out);
        for entry in &self.segments {
            put(u64::from(entry.segment), &mut out);
            put(u64::from(entry.messages), &mut out);
            put(u64::from(entry.weight), &mut out);
            put(u64::from(entry.doubts), &mut out);
        }
        out
    }

    fn decode(mut bytes: &[u8]) -> Option<Directory> {
        let mut number = || take(&mut bytes).and_then(|number| u32::try_from(number).ok());
        let mut directory = Directory {
            up_to: number()?,
            next_segment: number()?,
            segments: Vec::new(),
        };
        while let Some(segment) = number() {
            directory.segments.push(Entry {
                segment,
                messages: number()?,
                weight: number()?,
                doubts: number()? != 0,
            });
        }
        Some(directory)
    }

    pub fn messages(&self) -> u64 {
        let messages = self.segments.iter().map(|entry| u64::from(entry.messages));
        messages.sum()
    }
}

fn key(account: AccountId, mailbox: MailboxId, kind: u8, rest: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(20);
    key.extend_from_slice(&account.0.to_be_bytes());
    key.extend_from_slice(&mailbox.0.to_be_bytes());
    key.push(kind);
    for part in rest {
        key.extend_from_slice(part);
    }
    key
}

pub fn directory(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    key(account, mailbox, DIRECTORY, &[])
}

pub fn column(account: AccountId, mailbox: MailboxId, segment: u32, column: u8) -> Vec<u8> {
    let segment = segment.to_be_bytes();
    key(account, mailbox, COLUMN, &[&segment, &[column]])
}

/// A block of postings is named by its last group, so that the first key not below a group is
/// that of the block that would have it.
pub fn postings(account: AccountId, mailbox: MailboxId, segment: u32, last: u32) -> Vec<u8> {
    let (segment, last) = (segment.to_be_bytes(), last.to_be_bytes());
    key(account, mailbox, POSTINGS, &[&segment, &last])
}

pub fn all_postings(account: AccountId, mailbox: MailboxId, segment: u32) -> Span {
    let end = postings(account, mailbox, segment, u32::MAX);
    (postings(account, mailbox, segment, 0), end)
}

/// A block of terms is named by its last one.
pub fn terms(account: AccountId, mailbox: MailboxId, segment: u32, last: &[u8]) -> Vec<u8> {
    key(account, mailbox, TERMS, &[&segment.to_be_bytes(), last])
}

/// Blocks that may have terms from `first` on. No byte of UTF-8 is 255.
pub fn terms_from(account: AccountId, mailbox: MailboxId, segment: u32, first: &str) -> Span {
    let end = terms(account, mailbox, segment, &[u8::MAX]);
    (terms(account, mailbox, segment, first.as_bytes()), end)
}

/// Everything of a segment.
pub fn segment(account: AccountId, mailbox: MailboxId, segment: u32) -> [Span; 3] {
    let columns = (
        column(account, mailbox, segment, 0),
        column(account, mailbox, segment, u8::MAX),
    );
    [
        columns,
        all_postings(account, mailbox, segment),
        terms_from(account, mailbox, segment, ""),
    ]
}

/// Everything of a mailbox.
pub fn mailbox(account: AccountId, mailbox: MailboxId) -> Span {
    let end = key(account, mailbox, u8::MAX, &[]);
    (key(account, mailbox, 0, &[]), end)
}

/// Everything.
pub fn everything() -> Span {
    (account(AccountId(0)).0, account(AccountId(u32::MAX)).1)
}

/// Everything of an account.
pub fn account(account: AccountId) -> Span {
    mailbox_range(account, 0, u32::MAX)
}

fn mailbox_range(account: AccountId, first: u32, last: u32) -> Span {
    let end = key(account, MailboxId(last), u8::MAX, &[]);
    (key(account, MailboxId(first), 0, &[]), end)
}

/// Everything after an account.
pub fn after_account(account: AccountId) -> Option<Span> {
    let next = AccountId(account.0.checked_add(1)?);
    Some((self::account(next).0, everything().1))
}

/// The account of a key.
pub fn account_of(key: &[u8]) -> Option<AccountId> {
    let (bytes, _) = key.split_first_chunk::<4>()?;
    Some(AccountId(u32::from_be_bytes(*bytes)))
}

/// The mailbox of a key.
pub fn mailbox_of(key: &[u8]) -> Option<MailboxId> {
    let bytes = key.get(4..8)?.try_into().ok()?;
    Some(MailboxId(u32::from_be_bytes(bytes)))
}

/// Everything of an account after a mailbox.
pub fn after(account: AccountId, mailbox: MailboxId) -> Option<Span> {
    let first = mailbox.0.checked_add(1)?;
    Some(mailbox_range(account, first, u32::MAX))
}
