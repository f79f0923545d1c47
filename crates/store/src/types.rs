//! What the store keeps, in mail terms. Every number that crosses a boundary has its own type.

use std::sync::Arc;

use crate::clock::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// Unique within its account, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub u32);

/// RFC 9051 §2.3.1.1. Unique within its mailbox, ascending, never reused, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u32);

/// RFC 7162. Per account: every change takes the next one. 0 is "before every change".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModSeq(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u64);

#[derive(Default, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u64);

/// BLAKE3 of the body's bytes as they were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 32]);

/// System flags as bits, RFC 9051 §2.3.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SystemFlags(pub u8);

impl SystemFlags {
    pub const SEEN: SystemFlags = SystemFlags(1);
    pub const ANSWERED: SystemFlags = SystemFlags(2);
    pub const FLAGGED: SystemFlags = SystemFlags(4);
    pub const DELETED: SystemFlags = SystemFlags(8);
    pub const DRAFT: SystemFlags = SystemFlags(16);

    pub fn contains(self, other: SystemFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Flags of one message as the mailbox's own bits: bit N of `keywords` is entry N of
/// [`Mailbox::keywords`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    pub system: SystemFlags,
    pub keywords: u128,
}

/// Flags by name, for input: the store finds or makes the keyword's bit (at most 128 a mailbox,
/// then [`crate::Error::TooManyKeywords`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagNames {
    pub system: SystemFlags,
    pub keywords: Vec<String>,
}

/// One row of the compact message index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub uid: Uid,
    pub flags: Flags,
    pub modseq: ModSeq,
    /// Logical size in bytes: prefix and body.
    pub size: u64,
    /// Seconds since 1970, UTC.
    pub internal_date: i64,
}

/// All that is kept for one message. `B`: how its bytes are held; borrowed while many are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<B = Arc<[u8]>> {
    pub row: Row,
    /// When it came into this mailbox (RFC 8514), seconds since 1970.
    pub save_date: i64,
    pub blob: BlobId,
    /// Bytes in front of the body that belong to this copy alone: Return-Path, Delivered-To, Received.
    pub prefix: B,
    pub body_size: u64,
    /// `facteur_message::Facts::encode`; its offsets count from the body's first byte.
    pub facts: B,
    pub thread: ThreadId,
}

impl Message<&[u8]> {
    pub fn to_owned(&self) -> Message {
        Message {
            row: self.row,
            save_date: self.save_date,
            blob: self.blob,
            prefix: self.prefix.into(),
            body_size: self.body_size,
            facts: self.facts.into(),
            thread: self.thread,
        }
    }
}

/// RFC 6154.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialUse {
    Archive,
    Drafts,
    Junk,
    Sent,
    Trash,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub id: MailboxId,
    /// Full name in UTF-8, levels separated by '/'. INBOX is always "INBOX".
    pub name: String,
    pub uid_validity: u32,
    pub uid_next: Uid,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    pub messages: u32,
    pub unseen: u32,
    pub deleted: u32,
    /// Sum of the rows' sizes.
    pub size: u64,
    /// Last modseq that touched a message of this mailbox (RFC 7162 HIGHESTMODSEQ).
    pub highest_modseq: ModSeq,
    /// Names of the keyword bits, in the order of the bits, as first spelt. Never shrinks.
    pub keywords: Arc<[String]>,
}

/// Who an account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountKind {
    #[default]
    Person,
    /// Nobody logs in to it; its members reach it from their own accounts.
    Group,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// The primary address, `local@domain`, normalised (lower case, A-labels decoded).
    pub address: String,
    pub display_name: String,
    pub disabled: bool,
    /// When removed: erased after the retention time.
    pub removed: Option<Timestamp>,
    pub credentials: Credentials,
    pub quota_bytes: Option<u64>,
    pub used_bytes: u64,
    pub messages: u64,
    /// "en" or "fr": the language of what the server writes to this person.
    pub language: String,
    pub kind: AccountKind,
    pub highest_modseq: ModSeq,
}

/// What is kept of a password. Opaque to the store; the server makes and checks both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// PHC string of argon2id; empty: no password login.
    pub argon2: String,
    pub scram_sha256: Option<Scram>,
}

/// RFC 5803 stored keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scram {
    pub salt: Vec<u8>,
    pub iterations: u32,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub name: String,
    /// Where mail to unknown local parts goes.
    pub catch_all: Option<AccountId>,
    pub created: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    Rsa,
    Ed25519,
}

/// A private key, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(pub Vec<u8>);

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// With what a domain signs its mail, will sign, or has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// As in [`Domain::name`].
    pub domain: String,
    pub selector: String,
    pub algorithm: KeyAlgorithm,
    /// PKCS #8 (RFC 5958).
    pub private: PrivateKey,
    /// As it is published: of RSA a SubjectPublicKeyInfo, of Ed25519 the bare key.
    pub public: Vec<u8>,
    pub made: Timestamp,
    /// Since when its record has been seen in DNS.
    pub seen: Option<Timestamp>,
    /// Since when it signs.
    pub used: Option<Timestamp>,
    /// Since when it signs no more.
    pub retired: Option<Timestamp>,
    /// When somebody was last told what to publish for it.
    pub told: Option<Timestamp>,
}

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressTarget {
    /// The account's own address or one more of its addresses.
    Account(AccountId),
    /// An alias: other addresses, local or remote, all of them.
    Alias(Vec<String>),
}

/// One copy of a message to make.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub prefix: Vec<u8>,
    pub flags: FlagNames,
    /// Seconds since 1970; `None`: now.
    pub internal_date: Option<i64>,
}

/// What goes with a body, whoever gets it.
#[derive(Clone, Debug)]
pub struct NewBody {
    pub body: crate::Body,
    /// `facteur_message::Facts::encode`.
    pub facts: Vec<u8>,
    /// Hashes of Message-ID, In-Reply-To and References, own id first, for threading.
    pub thread_keys: Vec<u64>,
    /// Hash of the base subject, for threading.
    pub subject_key: u64,
}

/// One local recipient of a delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub account: AccountId,
    /// Full mailbox name; a missing mailbox falls back to INBOX.
    pub mailbox: String,
    pub message: NewMessage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub mailbox: MailboxId,
    pub uid_validity: u32,
    pub uid: Uid,
    pub modseq: ModSeq,
}

/// Result of a copy or move: source and destination uids, pairwise, source ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub uid_validity: u32,
    pub uids: Vec<(Uid, Uid)>,
    pub modseq: ModSeq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagEdit {
    Add,
    Remove,
    Replace,
}

/// Result of `edit_flags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Uids whose flags changed (an edit that changes nothing takes no modseq).
    pub changed: UidSet,
    /// Uids left alone because their modseq is above `unchanged_since`.
    pub refused: UidSet,
    /// The modseq given to the changed ones, when any.
    pub modseq: ModSeq,
}

/// A set of uids as sorted, disjoint, inclusive ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// Takes ranges in any order, overlapping or not.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<(u32, u32)> = ranges
            .into_iter()
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        sorted.sort_unstable();
        let mut set = UidSet::default();
        for (first, last) in sorted {
            set.push_range(first, last);
        }
        set
    }

    /// Ascending uids, or at least not below the last one pushed.
    pub fn push(&mut self, uid: Uid) {
        self.push_range(uid.0, uid.0);
    }

    fn push_range(&mut self, first: u32, last: u32) {
        match self.ranges.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            _ => self.ranges.push((first, last)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many uids the ranges span.
    pub fn span(&self) -> u64 {
        self.ranges.iter().map(|(a, b)| u64::from(b - a) + 1).sum()
    }

    pub fn contains(&self, uid: Uid) -> bool {
        self.ranges
            .binary_search_by(|(first, last)| {
                if uid.0 < *first {
                    std::cmp::Ordering::Greater
                } else if uid.0 > *last {
                    std::cmp::Ordering::Less
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
    }

    /// Sorted, disjoint, inclusive.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Every uid of every range; bound the set first when it comes from a peer.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|(a, b)| (*a..=*b).map(Uid))
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        UidSet::from_ranges(uids.into_iter().map(|uid| (uid.0, uid.0)))
    }
}

/// What one transaction changed in one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxChange {
    pub mailbox: MailboxId,
    pub record: Option<RecordChange>,
    pub added: UidSet,
    pub updated: UidSet,
    pub expunged: UidSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordChange {
    Created,
    /// Renamed, subscribed, special use, new keyword.
    Updated,
    Destroyed,
}

/// One entry of an account's change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub modseq: ModSeq,
    pub at: Timestamp,
    pub mailboxes: Vec<MailboxChange>,
}

/// Something deleted that can still be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    pub message: Message,
    pub mailbox: MailboxId,
    pub mailbox_name: String,
    pub expunged: ModSeq,
    pub at: Timestamp,
}

/// A mailbox that was deleted and can still be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedMailbox {
    pub id: MailboxId,
    pub name: String,
    pub messages: u32,
    pub at: Timestamp,
}

/// RFC 3461 NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientState {
    /// To be tried at the entry's due time.
    Pending,
    Delivered {
        reply: String,
    },
    Failed {
        reply: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecipient {
    pub address: String,
    /// RFC 3461 ORCPT as given, xtext.
    pub original: Option<String>,
    /// `None`: the default (failure, delay).
    pub notify: Option<Notify>,
    pub state: RecipientState,
}

impl QueueRecipient {
    /// One of whom nothing special was asked.
    pub fn pending(address: impl Into<String>) -> Self {
        QueueRecipient {
            address: address.into(),
            original: None,
            notify: None,
            state: RecipientState::Pending,
        }
    }
}

/// What the way out has to heed beside the envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// RFC 6710 §4: -9 to 9, higher goes first.
    pub priority: i8,
    pub deliver_by: Option<DeliverBy>,
    pub tls: TlsWish,
    /// It goes on to somebody outside who is asked first.
    pub forward: Option<ForwardId>,
}

/// RFC 2852.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverBy {
    pub at: Timestamp,
    /// By-mode R: goes back when it is late; else N: the sender is told, and it goes on.
    pub or_return: bool,
    /// By-trace: hosts that can't do it are told of.
    pub trace: bool,
}

/// RFC 8689.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsWish {
    /// As the destination's policy has it.
    #[default]
    AsPolicy,
    /// REQUIRETLS: never without a proven host, at each hop.
    Required,
    /// `TLS-Required: No`: arriving matters more than who reads along.
    Optional,
}

/// Why an entry waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitReason {
    /// Its turn has not come.
    #[default]
    NotTried,
    /// The sender asked for a later time (RFC 4865).
    Asked,
    /// The other host said "later".
    Answered,
    /// No host answers.
    Unreachable,
    /// The DNS gives no answer.
    Dns,
    /// The other host can't be proven by what its domain publishes (RFC 7672, RFC 8461).
    Unproven,
    /// The sender demands TLS all the way (RFC 8689).
    TlsDemanded,
    /// Something here.
    Here,
    /// Who it goes on to has not agreed yet.
    Unconfirmed,
    /// It is settled; its report waits for those of the message's other entries.
    Reporting,
}

/// Names what goes on from one source to one address; nobody guesses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardId(pub [u8; 16]);

/// Who sends mail on to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardSource {
    /// An alias, `local@domain`.
    Alias(String),
    /// A filter of this account.
    Account(AccountId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardState {
    /// The owner of the address was asked.
    Asked,
    /// The owner said yes, or the administrator did for him.
    Confirmed,
    /// The owner wants no more.
    Stopped,
    /// Hosts said several times that there is no such address.
    Gone,
}

/// Mail that goes on to an address outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub id: ForwardId,
    pub source: ForwardSource,
    /// Normalised.
    pub target: String,
    pub state: ForwardState,
    /// When it came into this state.
    pub at: Timestamp,
    /// How often a host said that there is no such address, in a row.
    pub failures: u32,
}

/// An MTA-STS policy as it was fetched (RFC 8461).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsPolicy {
    /// As the domain's TXT record had it.
    pub id: String,
    pub fetched: Timestamp,
    /// The policy itself.
    pub text: String,
}

/// A program that may send mail, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub name: String,
    /// `local@domain`, or `@domain` for every address of it. The first one is used where none is said.
    pub from: Vec<String>,
    /// Processes of this user of the machine are the program.
    pub user: Option<String>,
    /// A hash of what it proves itself with elsewhere.
    pub token: Option<[u8; 32]>,
    /// Who is told what became of its mail.
    pub hook: Option<Hook>,
    pub created: Timestamp,
}

/// Where a program is told of its mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub url: String,
    /// What the calls are signed with.
    pub secret: Vec<u8>,
    /// It may lead to addresses of this machine and of private networks.
    pub private: bool,
}

/// One message to one destination domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    pub id: QueueId,
    /// Destination domain (A-label).
    pub domain: String,
    /// Empty: the null reverse-path.
    pub reverse_path: String,
    pub recipients: Vec<QueueRecipient>,
    pub blob: BlobId,
    pub prefix: Arc<[u8]>,
    pub body_size: u64,
    pub body_8bit: bool,
    pub body_binary: bool,
    pub smtputf8: bool,
    /// RFC 3461 RET=HDRS asked for.
    pub return_headers_only: bool,
    pub envelope_id: Option<String>,
    /// "en" or "fr", for the DSN.
    pub language: String,
    pub created: Timestamp,
    pub due: Timestamp,
    pub expires: Timestamp,
    pub held: bool,
    pub attempts: u32,
    /// In words, for `queue show`.
    pub last_outcome: String,
    pub delay_notified: bool,
    pub wishes: Wishes,
    pub reason: WaitReason,
    /// The entries that were made of the same message.
    pub group: QueueGroup,
    /// What the sender is to be told, together with what becomes of the others.
    pub owing: Option<Owing>,
}

impl QueueEntry {
    /// Its hosts are tried then, whatever its report waits for.
    pub fn tried_at(mut self, at: Timestamp) -> Self {
        self.due = at;
        if let Some(owing) = &mut self.owing {
            owing.retry = at;
        }
        self
    }
}

/// The entries of one message: so many from the first on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueGroup {
    pub first: QueueId,
    pub count: u32,
}

/// What became of a recipient, as a report says it (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportAction {
    Failed,
    Delayed,
    Delivered,
    /// Handed to a host that does not do DSN.
    Relayed,
}

/// One recipient of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedLine {
    pub address: String,
    /// RFC 3461 ORCPT as given, xtext.
    pub original: Option<String>,
    pub action: ReportAction,
    /// RFC 3463.
    pub status: String,
    pub text: String,
    /// The host that said it; empty: this one.
    pub host: String,
}

/// A report that waits for the message's other entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owing {
    /// When the first of it happened.
    pub since: Timestamp,
    /// When the entry is tried again, where something is left to try.
    pub retry: Timestamp,
    pub lines: Vec<OwedLine>,
}

/// A queue entry to make; id and created are given by the store.
#[derive(Clone, Debug, Default)]
pub struct NewQueueEntry {
    pub domain: String,
    pub reverse_path: String,
    pub recipients: Vec<QueueRecipient>,
    pub prefix: Vec<u8>,
    pub body_8bit: bool,
    pub body_binary: bool,
    pub smtputf8: bool,
    pub return_headers_only: bool,
    pub envelope_id: Option<String>,
    pub language: String,
    pub due: Timestamp,
    pub expires: Timestamp,
    pub wishes: Wishes,
}

/// What a delivery made, in the order asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub local: Vec<(AccountId, Appended)>,
    pub queued: Vec<QueueId>,
}
