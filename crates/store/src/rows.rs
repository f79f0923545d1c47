//! Values of the index. Each begins with its format version; a change of format takes a new
//! version that reads the old one.

use std::sync::Arc;

use crate::codec::{Reader, Writer};
use crate::journal::Position;
use crate::*;

const VERSION: u8 = 1;

/// What rarely changes of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub address: String,
    pub display_name: String,
    pub disabled: bool,
    pub removed: Option<Timestamp>,
    pub credentials: Credentials,
    pub quota_bytes: Option<u64>,
    pub language: String,
    pub kind: AccountKind,
}

impl Profile {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::version(match self.kind {
            AccountKind::Person => VERSION,
            AccountKind::Group => GROUP_VERSION,
        });
        w.str(&self.address).str(&self.display_name);
        w.bool(self.disabled);
        w.option(self.removed, |w, at| w.i64(at.0));
        w.str(&self.credentials.argon2);
        w.option(self.credentials.scram_sha256.as_ref(), |w, scram| {
            w.bytes(&scram.salt).u32(scram.iterations);
            w.fixed(&scram.stored_key).fixed(&scram.server_key)
        });
        w.option(self.quota_bytes, Writer::u64);
        w.str(&self.language);
        w.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let kind = match bytes.first() {
            Some(&GROUP_VERSION) => AccountKind::Group,
            _ => AccountKind::Person,
        };
        let version = match kind {
            AccountKind::Person => VERSION,
            AccountKind::Group => GROUP_VERSION,
        };
        let mut r = Reader::version(bytes, "account", version)?;
        let profile = Profile {
            address: r.string()?,
            display_name: r.string()?,
            disabled: r.bool()?,
            removed: r.option(|r| Ok(Timestamp(r.i64()?)))?,
            credentials: Credentials {
                argon2: r.string()?,
                scram_sha256: r.option(|r| {
                    Ok(Scram {
                        salt: r.bytes()?.to_vec(),
                        iterations: r.u32()?,
                        stored_key: r.array()?,
                        server_key: r.array()?,
                    })
                })?,
            },
            quota_bytes: r.option(Reader::u64)?,
            language: r.string()?,
            kind,
        };
        r.end()?;
        Ok(profile)
    }
}

/// A group's profile: a person's, and the mark.
const GROUP_VERSION: u8 = 2;

/// What changes with every transaction of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub highest_modseq: ModSeq,
    /// Entries of the change log up to here are gone.
    pub log_floor: ModSeq,
    pub used_bytes: u64,
    pub messages: u64,
    pub last_mailbox: u32,
    pub last_uid_validity: u32,
    pub last_thread: u64,
    pub mailboxes: u32,
}

impl State {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.u64(self.highest_modseq.0).u64(self.log_floor.0);
        w.u64(self.used_bytes).u64(self.messages);
        w.u32(self.last_mailbox).u32(self.last_uid_validity);
        w.u64(self.last_thread).u32(self.mailboxes);
        w.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut r = Reader::version(bytes, "account state", VERSION)?;
        let state = State {
            highest_modseq: ModSeq(r.u64()?),
            log_floor: ModSeq(r.u64()?),
            used_bytes: r.u64()?,
            messages: r.u64()?,
            last_mailbox: r.u32()?,
            last_uid_validity: r.u32()?,
            last_thread: r.u64()?,
            mailboxes: r.u32()?,
        };
        r.end()?;
        Ok(state)
    }
}

fn special_use_byte(special_use: SpecialUse) -> u8 {
    match special_use {
        SpecialUse::Archive => 1,
        SpecialUse::Drafts => 2,
        SpecialUse::Junk => 3,
        SpecialUse::Sent => 4,
        SpecialUse::Trash => 5,
    }
}

fn special_use(r: &Reader<'_>, byte: u8) -> Result<SpecialUse, Error> {
    Ok(match byte {
        1 => SpecialUse::Archive,
        2 => SpecialUse::Drafts,
        3 => SpecialUse::Junk,
        4 => SpecialUse::Sent,
        5 => SpecialUse::Trash,
        _ => return Err(r.damaged("unknown special use")),
    })
}

/// A mailbox record; its id is in the key.
pub fn encode_mailbox(mailbox: &Mailbox) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    put_mailbox(&mut w, mailbox);
    w.0
}

fn put_mailbox(w: &mut Writer, mailbox: &Mailbox) {
    w.str(&mailbox.name).u32(mailbox.uid_validity);
    w.u32(mailbox.uid_next.0);
    w.u8(mailbox.special_use.map_or(0, special_use_byte));
    w.bool(mailbox.subscribed);
    w.u32(mailbox.messages).u32(mailbox.unseen);
    w.u32(mailbox.deleted).u64(mailbox.size);
    w.u64(mailbox.highest_modseq.0);
    w.u64(mailbox.keywords.len() as u64);
    for keyword in mailbox.keywords.iter() {
        w.str(keyword);
    }
}

fn take_mailbox(r: &mut Reader<'_>, id: MailboxId) -> Result<Mailbox, Error> {
    Ok(Mailbox {
        id,
        name: r.string()?,
        uid_validity: r.u32()?,
        uid_next: Uid(r.u32()?),
        special_use: match r.u8()? {
            0 => None,
            byte => Some(special_use(r, byte)?),
        },
        subscribed: r.bool()?,
        messages: r.u32()?,
        unseen: r.u32()?,
        deleted: r.u32()?,
        size: r.u64()?,
        highest_modseq: ModSeq(r.u64()?),
        keywords: r.list(Reader::string)?.into(),
    })
}

pub fn decode_mailbox(bytes: &[u8], id: MailboxId) -> Result<Mailbox, Error> {
    let mut r = Reader::version(bytes, "mailbox", VERSION)?;
    let mailbox = take_mailbox(&mut r, id)?;
    r.end()?;
    Ok(mailbox)
}

/// A deleted mailbox as it was; its rows stay where they are until retention ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buried {
    pub mailbox: Mailbox,
    pub modseq: ModSeq,
    pub at: Timestamp,
}

impl Buried {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.u64(self.modseq.0).i64(self.at.0);
        put_mailbox(&mut w, &self.mailbox);
        w.0
    }

    pub fn decode(bytes: &[u8], id: MailboxId) -> Result<Self, Error> {
        let mut r = Reader::version(bytes, "deleted mailbox", VERSION)?;
        let buried = Buried {
            modseq: ModSeq(r.u64()?),
            at: Timestamp(r.i64()?),
            mailbox: take_mailbox(&mut r, id)?,
        };
        r.end()?;
        Ok(buried)
    }
}

fn put_row(w: &mut Writer, row: &Row) {
    w.u8(row.flags.system.0).u128(row.flags.keywords);
    w.u64(row.modseq.0).u64(row.size).i64(row.internal_date);
}

fn take_row(r: &mut Reader<'_>, uid: Uid) -> Result<Row, Error> {
    Ok(Row {
        uid,
        flags: Flags {
            system: SystemFlags(r.u8()?),
            keywords: r.u128()?,
        },
        modseq: ModSeq(r.u64()?),
        size: r.u64()?,
        internal_date: r.i64()?,
    })
}

pub fn encode_row(row: &Row) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    put_row(&mut w, row);
    w.0
}

/// In the place of what `out` holds.
pub fn encode_row_into(row: &Row, out: &mut Vec<u8>) {
    out.clear();
    let mut w = Writer(std::mem::take(out));
    put_row(w.u8(VERSION), row);
    *out = w.0;
}

pub fn decode_row(bytes: &[u8], uid: Uid) -> Result<Row, Error> {
    let mut r = Reader::version(bytes, "message row", VERSION)?;
    let row = take_row(&mut r, uid)?;
    r.end()?;
    Ok(row)
}

/// What is kept of an expunged message beside its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grave {
    pub row: Row,
    pub modseq: ModSeq,
    pub at: Timestamp,
}

impl Grave {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.u64(self.modseq.0).i64(self.at.0);
        put_row(&mut w, &self.row);
        w.0
    }

    pub fn decode(bytes: &[u8], uid: Uid) -> Result<Self, Error> {
        let mut r = Reader::version(bytes, "tombstone", VERSION)?;
        let grave = Grave {
            modseq: ModSeq(r.u64()?),
            at: Timestamp(r.i64()?),
            row: take_row(&mut r, uid)?,
        };
        r.end()?;
        Ok(grave)
    }
}

/// What never changes of a message in its mailbox. `B` as in [`Message`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<B = Arc<[u8]>> {
    pub save_date: i64,
    pub blob: BlobId,
    pub body_size: u64,
    pub thread: ThreadId,
    pub prefix: B,
    pub facts: B,
}

impl Record {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.i64(self.save_date).fixed(&self.blob.0);
        w.u64(self.body_size).u64(self.thread.0);
        w.bytes(&self.prefix).bytes(&self.facts);
        w.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let record = Record::read(bytes)?;
        Ok(Record {
            save_date: record.save_date,
            blob: record.blob,
            body_size: record.body_size,
            thread: record.thread,
            prefix: record.prefix.into(),
            facts: record.facts.into(),
        })
    }
}

impl<'a> Record<&'a [u8]> {
    /// The same without a copy.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut r = Reader::version(bytes, "message record", VERSION)?;
        let record = Record {
            save_date: r.i64()?,
            blob: BlobId(r.array()?),
            body_size: r.u64()?,
            thread: ThreadId(r.u64()?),
            prefix: r.bytes()?,
            facts: r.bytes()?,
        };
        r.end()?;
        Ok(record)
    }
}

impl<B> Record<B> {
    pub fn message(self, row: Row) -> Message<B> {
        Message {
            row,
            save_date: self.save_date,
            blob: self.blob,
            prefix: self.prefix,
            body_size: self.body_size,
            facts: self.facts,
            thread: self.thread,
        }
    }
}

/// A piece of a body in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub position: Position,
    /// Bytes of the record's payload.
    pub stored: u32,
}

/// Where a body is and how many messages and queue entries have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub references: u64,
    pub size: u64,
    /// Every chunk but the last holds `CHUNK_BYTES_MAX` of the body.
    pub chunks: Vec<Chunk>,
}

impl Blob {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.u64(self.references).u64(self.size);
        w.u64(self.chunks.len() as u64);
        let mut last = 0;
        for chunk in &self.chunks {
            w.i64((chunk.position.0 as i64).wrapping_sub(last));
            w.u32(chunk.stored);
            last = chunk.position.0 as i64;
        }
        w.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut r = Reader::version(bytes, "blob", VERSION)?;
        let (references, size) = (r.u64()?, r.u64()?);
        let mut last = 0i64;
        let chunks = r.list(|r| {
            last = last.wrapping_add(r.i64()?);
            Ok(Chunk {
                position: Position(last as u64),
                stored: r.u32()?,
            })
        })?;
        r.end()?;
        Ok(Blob {
            references,
            size,
            chunks,
        })
    }
}

/// Counters that belong to no account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Global {
    pub last_account: u32,
    pub last_queue: u64,
    /// Accounts erased whose bytes are still in the journal.
    pub erased: u64,
}

impl Global {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.u32(self.last_account).u64(self.last_queue);
        w.u64(self.erased);
        w.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut r = Reader::version(bytes, "counters", VERSION)?;
        let global = Global {
            last_account: r.u32()?,
            last_queue: r.u64()?,
            erased: r.u64()?,
        };
        r.end()?;
        Ok(global)
    }
}

pub fn encode_domain(domain: &Domain) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.option(domain.catch_all, |w, account| w.u32(account.0));
    w.i64(domain.created.0);
    w.0
}

pub fn decode_domain(bytes: &[u8], name: String) -> Result<Domain, Error> {
    let mut r = Reader::version(bytes, "domain", VERSION)?;
    let domain = Domain {
        name,
        catch_all: r.option(|r| Ok(AccountId(r.u32()?)))?,
        created: Timestamp(r.i64()?),
    };
    r.end()?;
    Ok(domain)
}

pub fn encode_target(target: &AddressTarget) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    match target {
        AddressTarget::Account(account) => w.u8(1).u32(account.0),
        AddressTarget::Alias(addresses) => {
            w.u8(2).u64(addresses.len() as u64);
            addresses.iter().fold(&mut w, |w, a| w.str(a))
        }
    };
    w.0
}

pub fn decode_target(bytes: &[u8]) -> Result<AddressTarget, Error> {
    let mut r = Reader::version(bytes, "address", VERSION)?;
    let target = match r.u8()? {
        1 => AddressTarget::Account(AccountId(r.u32()?)),
        2 => AddressTarget::Alias(r.list(Reader::string)?),
        _ => return Err(r.damaged("unknown target")),
    };
    r.end()?;
    Ok(target)
}

pub fn put_uids(w: &mut Writer, set: &UidSet) {
    w.u64(set.ranges().len() as u64);
    let mut last = 0;
    for (first, end) in set.ranges() {
        w.u32(first - last).u32(end - first);
        last = *end;
    }
}

pub fn take_uids(r: &mut Reader<'_>) -> Result<UidSet, Error> {
    let mut last = 0u32;
    let ranges = r.list(|r| {
        let (skip, len) = (r.u32()?, r.u32()?);
        let first = last.checked_add(skip);
        let end = first.and_then(|first| first.checked_add(len));
        match (first, end) {
            (Some(first), Some(end)) => {
                last = end;
                Ok((first, end))
            }
            _ => Err(r.damaged("uid is too large")),
        }
    })?;
    Ok(UidSet::from_ranges(ranges))
}

fn record_change_byte(change: Option<RecordChange>) -> u8 {
    match change {
        None => 0,
        Some(RecordChange::Created) => 1,
        Some(RecordChange::Updated) => 2,
        Some(RecordChange::Destroyed) => 3,
    }
}

/// An entry of the change log; its modseq is in the key.
pub fn encode_change(change: &Change) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.i64(change.at.0).u64(change.mailboxes.len() as u64);
    for mailbox in &change.mailboxes {
        w.u32(mailbox.mailbox.0);
        w.u8(record_change_byte(mailbox.record));
        put_uids(&mut w, &mailbox.added);
        put_uids(&mut w, &mailbox.updated);
        put_uids(&mut w, &mailbox.expunged);
    }
    w.0
}

pub fn decode_change(bytes: &[u8], modseq: ModSeq) -> Result<Change, Error> {
    let mut r = Reader::version(bytes, "change log entry", VERSION)?;
    let change = Change {
        modseq,
        at: Timestamp(r.i64()?),
        mailboxes: r.list(|r| {
            Ok(MailboxChange {
                mailbox: MailboxId(r.u32()?),
                record: match r.u8()? {
                    0 => None,
                    1 => Some(RecordChange::Created),
                    2 => Some(RecordChange::Updated),
                    3 => Some(RecordChange::Destroyed),
                    _ => return Err(r.damaged("unknown change")),
                },
                added: take_uids(r)?,
                updated: take_uids(r)?,
                expunged: take_uids(r)?,
            })
        })?,
    };
    r.end()?;
    Ok(change)
}

/// A subscription without a mailbox: its name is in the key.
pub fn encode_subscription() -> Vec<u8> {
    Writer::version(VERSION).0
}

pub fn decode_subscription(bytes: &[u8]) -> Result<(), Error> {
    Reader::version(bytes, "subscription", VERSION)?.end()
}

/// The value of an annotation.
pub fn encode_metadata(value: &[u8]) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.bytes(value);
    w.0
}

pub fn decode_metadata(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut r = Reader::version(bytes, "annotation", VERSION)?;
    let value = r.bytes()?.to_vec();
    r.end()?;
    Ok(value)
}

/// The text of a script, or the name of the active one.
pub fn encode_script(text: &str) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.str(text);
    w.0
}

pub fn decode_script(bytes: &[u8]) -> Result<String, Error> {
    let mut r = Reader::version(bytes, "script", VERSION)?;
    let text = r.string()?;
    r.end()?;
    Ok(text)
}

/// Until when something is remembered.
pub fn encode_memory(until: Timestamp) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.i64(until.0);
    w.0
}

pub fn decode_memory(bytes: &[u8]) -> Result<Timestamp, Error> {
    let mut r = Reader::version(bytes, "memory", VERSION)?;
    let until = Timestamp(r.i64()?);
    r.end()?;
    Ok(until)
}

pub fn encode_thread(thread: ThreadId) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.u64(thread.0);
    w.0
}

pub fn decode_thread(bytes: &[u8]) -> Result<ThreadId, Error> {
    let mut r = Reader::version(bytes, "thread", VERSION)?;
    let thread = ThreadId(r.u64()?);
    r.end()?;
    Ok(thread)
}

pub fn encode_mailbox_id(id: MailboxId) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.u32(id.0);
    w.0
}

pub fn decode_mailbox_id(bytes: &[u8]) -> Result<MailboxId, Error> {
    let mut r = Reader::version(bytes, "mailbox name", VERSION)?;
    let id = MailboxId(r.u32()?);
    r.end()?;
    Ok(id)
}

fn put_recipient(w: &mut Writer, recipient: &QueueRecipient) {
    w.str(&recipient.address);
    w.option(recipient.original.as_deref(), Writer::str);
    w.option(recipient.notify, |w, notify| {
        w.bool(notify.success)
            .bool(notify.failure)
            .bool(notify.delay)
    });
    match &recipient.state {
        RecipientState::Pending => w.u8(0),
        RecipientState::Delivered { reply } => w.u8(1).str(reply),
        RecipientState::Failed { reply } => w.u8(2).str(reply),
    };
}

fn take_recipient(r: &mut Reader<'_>) -> Result<QueueRecipient, Error> {
    Ok(QueueRecipient {
        address: r.string()?,
        original: r.option(Reader::string)?,
        notify: r.option(|r| {
            Ok(Notify {
                success: r.bool()?,
                failure: r.bool()?,
                delay: r.bool()?,
            })
        })?,
        state: match r.u8()? {
            0 => RecipientState::Pending,
            1 => RecipientState::Delivered { reply: r.string()? },
            2 => RecipientState::Failed { reply: r.string()? },
            _ => return Err(r.damaged("unknown recipient state")),
        },
    })
}

/// Since the second format a queue entry has wishes and a reason, since the third it knows what sent
/// it on, since the fourth its group and the report that it owes.
const QUEUE_VERSION: u8 = 4;

fn put_wishes(w: &mut Writer, wishes: &Wishes) {
    w.u8(wishes.priority.to_be_bytes()[0]);
    w.option(wishes.deliver_by, |w, by| {
        w.i64(by.at.0).bool(by.or_return).bool(by.trace)
    });
    w.u8(match wishes.tls {
        TlsWish::AsPolicy => 0,
        TlsWish::Required => 1,
        TlsWish::Optional => 2,
    });
}

fn take_wishes(r: &mut Reader<'_>) -> Result<Wishes, Error> {
    Ok(Wishes {
        priority: i8::from_be_bytes([r.u8()?]),
        deliver_by: r.option(|r| {
            Ok(DeliverBy {
                at: Timestamp(r.i64()?),
                or_return: r.bool()?,
                trace: r.bool()?,
            })
        })?,
        tls: match r.u8()? {
            0 => TlsWish::AsPolicy,
            1 => TlsWish::Required,
            2 => TlsWish::Optional,
            _ => return Err(r.damaged("unknown wish about TLS")),
        },
        forward: None,
    })
}

/// Their numbers are durable.
const REASONS: [WaitReason; 10] = [
    WaitReason::NotTried,
    WaitReason::Asked,
    WaitReason::Answered,
    WaitReason::Unreachable,
    WaitReason::Dns,
    WaitReason::Unproven,
    WaitReason::TlsDemanded,
    WaitReason::Here,
    WaitReason::Unconfirmed,
    WaitReason::Reporting,
];

fn put_reason(w: &mut Writer, reason: WaitReason) {
    let at = REASONS.iter().position(|have| *have == reason);
    w.u8(at.and_then(|at| u8::try_from(at).ok()).unwrap_or_default());
}

fn take_reason(r: &mut Reader<'_>) -> Result<WaitReason, Error> {
    let number = r.u8()?;
    let reason = REASONS.get(usize::from(number)).copied();
    reason.ok_or_else(|| r.damaged("unknown reason to wait"))
}

/// An entry of the first format is listed by time alone.
pub fn is_first_queue_format(value: &[u8]) -> bool {
    value.first() == Some(&VERSION)
}

/// As the first format had it, for the test of its conversion.
#[cfg(test)]
pub fn encode_queue_first(entry: &QueueEntry) -> Vec<u8> {
    let mut value = encode_queue(entry);
    let mut w = Writer::default();
    put_late_fields(&mut w, entry);
    value.truncate(value.len() - w.0.len());
    value[0] = VERSION;
    value
}

/// A queue entry; its id is in the key.
pub fn encode_queue(entry: &QueueEntry) -> Vec<u8> {
    let mut w = Writer::version(QUEUE_VERSION);
    w.str(&entry.domain).str(&entry.reverse_path);
    w.u64(entry.recipients.len() as u64);
    for recipient in &entry.recipients {
        put_recipient(&mut w, recipient);
    }
    w.fixed(&entry.blob.0).bytes(&entry.prefix);
    w.u64(entry.body_size);
    w.bool(entry.body_8bit).bool(entry.body_binary);
    w.bool(entry.smtputf8).bool(entry.return_headers_only);
    w.option(entry.envelope_id.as_deref(), Writer::str);
    w.str(&entry.language);
    w.i64(entry.created.0).i64(entry.due.0).i64(entry.expires.0);
    w.bool(entry.held).u32(entry.attempts);
    w.str(&entry.last_outcome).bool(entry.delay_notified);
    put_late_fields(&mut w, entry);
    w.0
}

/// What came with later formats, in their order.
fn put_late_fields(w: &mut Writer, entry: &QueueEntry) {
    put_wishes(w, &entry.wishes);
    put_reason(w, entry.reason);
    w.option(entry.wishes.forward.as_ref(), |w, id| w.fixed(&id.0));
    w.u64(entry.group.first.0).u32(entry.group.count);
    w.option(entry.owing.as_ref(), put_owing);
}

/// Their numbers are durable.
const ACTIONS: [ReportAction; 4] = [
    ReportAction::Failed,
    ReportAction::Delayed,
    ReportAction::Delivered,
    ReportAction::Relayed,
];

fn put_owing<'a>(w: &'a mut Writer, owing: &Owing) -> &'a mut Writer {
    w.i64(owing.since.0).i64(owing.retry.0);
    w.u64(owing.lines.len() as u64);
    for line in &owing.lines {
        let action = ACTIONS.iter().position(|have| *have == line.action);
        let action = action.and_then(|at| u8::try_from(at).ok());
        w.str(&line.address);
        w.option(line.original.as_deref(), Writer::str);
        w.u8(action.unwrap_or_default());
        w.str(&line.status).str(&line.text).str(&line.host);
    }
    w
}

fn take_owing(r: &mut Reader<'_>) -> Result<Owing, Error> {
    let (since, retry) = (Timestamp(r.i64()?), Timestamp(r.i64()?));
    let lines = r.list(|r| {
        Ok(OwedLine {
            address: r.string()?,
            original: r.option(Reader::string)?,
            action: {
                let action = ACTIONS.get(usize::from(r.u8()?)).copied();
                action.ok_or_else(|| r.damaged("unknown action"))?
            },
            status: r.string()?,
            text: r.string()?,
            host: r.string()?,
        })
    })?;
    Ok(Owing {
        since,
        retry,
        lines,
    })
}

pub fn decode_queue(bytes: &[u8], id: QueueId) -> Result<QueueEntry, Error> {
    let version = bytes.first().copied().unwrap_or(QUEUE_VERSION);
    let version = version.clamp(VERSION, QUEUE_VERSION);
    let mut r = Reader::version(bytes, "queue entry", version)?;
    let mut entry = QueueEntry {
        id,
        domain: r.string()?,
        reverse_path: r.string()?,
        recipients: r.list(take_recipient)?,
        blob: BlobId(r.array()?),
        prefix: r.bytes()?.into(),
        body_size: r.u64()?,
        body_8bit: r.bool()?,
        body_binary: r.bool()?,
        smtputf8: r.bool()?,
        return_headers_only: r.bool()?,
        envelope_id: r.option(Reader::string)?,
        language: r.string()?,
        created: Timestamp(r.i64()?),
        due: Timestamp(r.i64()?),
        expires: Timestamp(r.i64()?),
        held: r.bool()?,
        attempts: r.u32()?,
        last_outcome: r.string()?,
        delay_notified: r.bool()?,
        wishes: Wishes::default(),
        reason: WaitReason::default(),
        group: QueueGroup {
            first: id,
            count: 1,
        },
        owing: None,
    };
    if version > VERSION {
        entry.wishes = take_wishes(&mut r)?;
        entry.reason = take_reason(&mut r)?;
    }
    if version > 2 {
        let id = r.option(Reader::array)?;
        entry.wishes.forward = id.map(ForwardId);
    }
    if version > 3 {
        entry.group = QueueGroup {
            first: QueueId(r.u64()?),
            count: r.u32()?,
        };
        entry.owing = r.option(take_owing)?;
    }
    r.end()?;
    Ok(entry)
}

const FORWARD_STATES: [ForwardState; 4] = [
    ForwardState::Asked,
    ForwardState::Confirmed,
    ForwardState::Stopped,
    ForwardState::Gone,
];

/// The id is in the key.
pub fn encode_forward(forward: &Forward) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    match &forward.source {
        ForwardSource::Alias(address) => w.u8(0).str(address),
        ForwardSource::Account(account) => w.u8(1).u32(account.0),
    };
    w.str(&forward.target);
    w.u8(match forward.state {
        ForwardState::Asked => 0,
        ForwardState::Confirmed => 1,
        ForwardState::Stopped => 2,
        ForwardState::Gone => 3,
    });
    w.i64(forward.at.0).u32(forward.failures);
    w.0
}

pub fn decode_forward(bytes: &[u8], id: ForwardId) -> Result<Forward, Error> {
    let mut r = Reader::version(bytes, "mail that goes on", VERSION)?;
    let source = match r.u8()? {
        0 => ForwardSource::Alias(r.string()?),
        1 => ForwardSource::Account(AccountId(r.u32()?)),
        _ => return Err(r.damaged("unknown source")),
    };
    let target = r.string()?;
    let state = FORWARD_STATES.get(usize::from(r.u8()?)).copied();
    let forward = Forward {
        id,
        source,
        target,
        state: state.ok_or_else(|| r.damaged("unknown state"))?,
        at: Timestamp(r.i64()?),
        failures: r.u32()?,
    };
    r.end()?;
    Ok(forward)
}

pub fn encode_sts(policy: &StsPolicy) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.str(&policy.id).i64(policy.fetched.0).str(&policy.text);
    w.0
}

pub fn decode_sts(bytes: &[u8]) -> Result<StsPolicy, Error> {
    let mut r = Reader::version(bytes, "MTA-STS policy", VERSION)?;
    let policy = StsPolicy {
        id: r.string()?,
        fetched: Timestamp(r.i64()?),
        text: r.string()?,
    };
    r.end()?;
    Ok(policy)
}

/// All of it is in the key.
pub fn encode_reported() -> Vec<u8> {
    Writer::version(VERSION).0
}

pub fn decode_reported(bytes: &[u8]) -> Result<(), Error> {
    Reader::version(bytes, "sent report", VERSION)?.end()
}

/// The name is in the key.
pub fn encode_program(program: &Program) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.u64(program.from.len() as u64);
    for from in &program.from {
        w.str(from);
    }
    w.option(program.user.as_ref(), |w, user| w.str(user));
    w.option(program.token.as_ref(), |w, token| w.fixed(token));
    w.option(program.hook.as_ref(), |w, hook| {
        w.str(&hook.url).bytes(&hook.secret).bool(hook.private)
    });
    w.i64(program.created.0);
    w.0
}

pub fn decode_program(bytes: &[u8], name: String) -> Result<Program, Error> {
    let mut r = Reader::version(bytes, "program", VERSION)?;
    let count = r.u64()?;
    let mut from = Vec::new();
    for _ in 0..count {
        from.push(r.string()?);
    }
    let program = Program {
        name,
        from,
        user: r.option(Reader::string)?,
        token: r.option(Reader::array)?,
        hook: r.option(|r| {
            Ok(Hook {
                url: r.string()?,
                secret: r.bytes()?.to_vec(),
                private: r.bool()?,
            })
        })?,
        created: Timestamp(r.i64()?),
    };
    r.end()?;
    Ok(program)
}

pub fn encode_signing(key: &SigningKey) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.u8(match key.algorithm {
        KeyAlgorithm::Rsa => 1,
        KeyAlgorithm::Ed25519 => 2,
    });
    w.bytes(&key.private.0).bytes(&key.public);
    w.i64(key.made.0);
    for at in [key.seen, key.used, key.retired, key.told] {
        w.option(at, |w, at| w.i64(at.0));
    }
    w.0
}

pub fn decode_signing(bytes: &[u8], domain: &[u8], selector: &[u8]) -> Result<SigningKey, Error> {
    let mut r = Reader::version(bytes, "signing key", VERSION)?;
    let algorithm = match r.u8()? {
        1 => KeyAlgorithm::Rsa,
        2 => KeyAlgorithm::Ed25519,
        _ => return Err(r.damaged("unknown algorithm")),
    };
    let at = |r: &mut Reader<'_>| r.option(|r| Ok(Timestamp(r.i64()?)));
    let key = SigningKey {
        domain: String::from_utf8_lossy(domain).into_owned(),
        selector: String::from_utf8_lossy(selector).into_owned(),
        algorithm,
        private: PrivateKey(r.bytes()?.to_vec()),
        public: r.bytes()?.to_vec(),
        made: Timestamp(r.i64()?),
        seen: at(&mut r)?,
        used: at(&mut r)?,
        retired: at(&mut r)?,
        told: at(&mut r)?,
    };
    r.end()?;
    Ok(key)
}

const SENT_STATES: [SentState; 7] = [
    SentState::Queued,
    SentState::Deferred,
    SentState::Delivered,
    SentState::Bounced,
    SentState::Suppressed,
    SentState::BouncedLater,
    SentState::Complained,
];

pub fn sent_state(state: SentState) -> u8 {
    match state {
        SentState::Queued => 0,
        SentState::Deferred => 1,
        SentState::Delivered => 2,
        SentState::Bounced => 3,
        SentState::Suppressed => 4,
        SentState::BouncedLater => 5,
        SentState::Complained => 6,
    }
}

fn write_sent_recipient(w: &mut Writer, recipient: &SentRecipient) {
    w.str(&recipient.address).u8(sent_state(recipient.state));
    w.str(&recipient.told).i64(recipient.at.0);
}

fn read_sent_recipient(r: &mut Reader<'_>) -> Result<SentRecipient, Error> {
    Ok(SentRecipient {
        address: r.string()?,
        state: {
            let state = usize::from(r.u8()?);
            let known = SENT_STATES.get(state).copied();
            known.ok_or_else(|| r.damaged("unknown state"))?
        },
        told: r.string()?,
        at: Timestamp(r.i64()?),
    })
}

/// Since the second format it is known under which address the program sent it.
const SENT_VERSION: u8 = 2;

/// The id is in the key.
pub fn encode_sent(sent: &Sent) -> Vec<u8> {
    let mut w = Writer::version(SENT_VERSION);
    w.str(&sent.program).str(&sent.from).str(&sent.message_id);
    w.option(sent.key.as_ref(), |w, key| w.fixed(key));
    w.u64(sent.recipients.len() as u64);
    for recipient in &sent.recipients {
        write_sent_recipient(&mut w, recipient);
    }
    w.0
}

/// Message and place are in the key.
pub fn encode_fate(recipient: &SentRecipient) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    write_sent_recipient(&mut w, recipient);
    w.0
}

pub fn decode_fate(bytes: &[u8]) -> Result<SentRecipient, Error> {
    let mut r = Reader::version(bytes, "fate of a program's message", VERSION)?;
    let recipient = read_sent_recipient(&mut r)?;
    r.end()?;
    Ok(recipient)
}

pub fn decode_sent(bytes: &[u8], id: SentId) -> Result<Sent, Error> {
    let first = bytes.first() == Some(&VERSION);
    let version = if first { VERSION } else { SENT_VERSION };
    let mut r = Reader::version(bytes, "message of a program", version)?;
    let program = r.string()?;
    let from = if first { String::new() } else { r.string()? };
    let message_id = r.string()?;
    let key = r.option(Reader::array)?;
    let mut recipients = Vec::new();
    for _ in 0..r.u64()? {
        recipients.push(read_sent_recipient(&mut r)?);
    }
    r.end()?;
    Ok(Sent {
        id,
        program,
        from,
        message_id,
        key,
        recipients,
    })
}

pub fn encode_followed(followed: &Followed) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.fixed(&followed.id.0);
    w.u64(followed.places.len() as u64);
    for place in &followed.places {
        w.option(*place, Writer::u32);
    }
    w.0
}

pub fn decode_followed(bytes: &[u8]) -> Result<Followed, Error> {
    let mut r = Reader::version(bytes, "followed queue entry", VERSION)?;
    let id = SentId(r.array()?);
    let mut places = Vec::new();
    for _ in 0..r.u64()? {
        places.push(r.option(Reader::u32)?);
    }
    r.end()?;
    Ok(Followed { id, places })
}

pub fn encode_request(id: SentId, request: [u8; 16]) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.fixed(&id.0).fixed(&request);
    w.0
}

pub fn decode_request(bytes: &[u8]) -> Result<(SentId, [u8; 16]), Error> {
    let mut r = Reader::version(bytes, "request of a program", VERSION)?;
    let request = (SentId(r.array()?), r.array()?);
    r.end()?;
    Ok(request)
}

/// The place is in the key.
pub fn encode_call(call: &Call) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.str(&call.program).str(&call.message_id);
    write_sent_recipient(&mut w, &call.recipient);
    w.u32(call.attempts);
    w.0
}

pub fn decode_call(bytes: &[u8], place: CallPlace) -> Result<Call, Error> {
    let mut r = Reader::version(bytes, "web call", VERSION)?;
    let call = Call {
        place,
        program: r.string()?,
        message_id: r.string()?,
        recipient: read_sent_recipient(&mut r)?,
        attempts: r.u32()?,
    };
    r.end()?;
    Ok(call)
}

/// The address is in the key.
pub fn encode_suppressed(suppressed: &Suppressed) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.str(&suppressed.told).i64(suppressed.at.0);
    w.0
}

pub fn decode_suppressed(bytes: &[u8], address: String) -> Result<Suppressed, Error> {
    let mut r = Reader::version(bytes, "suppressed address", VERSION)?;
    let suppressed = Suppressed {
        address,
        told: r.string()?,
        at: Timestamp(r.i64()?),
    };
    r.end()?;
    Ok(suppressed)
}

pub fn encode_secret(secret: &[u8; 32]) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.fixed(secret);
    w.0
}

pub fn decode_secret(bytes: &[u8]) -> Result<[u8; 32], Error> {
    let mut r = Reader::version(bytes, "secret", VERSION)?;
    let secret = r.array()?;
    r.end()?;
    Ok(secret)
}

pub fn encode_rights(rights: Rights) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.u32(u32::from(rights.0));
    w.0
}

pub fn decode_rights(bytes: &[u8]) -> Result<Rights, Error> {
    let mut r = Reader::version(bytes, "rights", VERSION)?;
    let rights = match u16::try_from(r.u32()?) {
        Ok(rights) => Rights(rights),
        Err(_) => return Err(r.damaged("unknown right")),
    };
    r.end()?;
    Ok(rights)
}

/// `has_rights`: else the owner only keeps what the member has seen.
pub fn encode_share(has_rights: bool) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.bool(has_rights);
    w.0
}

pub fn decode_share(bytes: &[u8]) -> Result<bool, Error> {
    let mut r = Reader::version(bytes, "share", VERSION)?;
    let has_rights = r.bool()?;
    r.end()?;
    Ok(has_rights)
}

/// Physical redo: the edits of a transaction, in the order of their keys.
pub fn encode_redo<'a>(edits: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> Vec<u8> {
    let mut w = Writer::default();
    for (key, value) in edits {
        w.bytes(key);
        w.option(value, Writer::bytes);
    }
    w.0
}

/// Calls `each` with every edit.
pub fn decode_redo<'a>(
    redo: &'a [u8],
    mut each: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut r = Reader::new(redo, "journal transaction");
    while !r.is_empty() {
        let key = r.bytes()?;
        let value = r.option(Reader::bytes)?;
        each(key, value)?;
    }
    Ok(())
}
