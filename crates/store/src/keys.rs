//! Keys of the index: big-endian, so that their order is the order of what they name, and all
//! that belongs to one account is one range.

use crate::{
    AccountId, BlobId, CallPlace, ForwardId, Grantee, MailboxId, ModSeq, QueueId, SentId,
    Timestamp, Uid,
};

/// Journal position applied; not part of the journal's own redo.
pub const POSITION: &[u8] = b"!position";
/// Counters that do not belong to an account.
pub const GLOBAL: &[u8] = b"G";
/// What makes our marks ours.
pub const SECRET: &[u8] = b"S";

const ACCOUNT: u8 = b'a';
const BLOB: u8 = b'b';
const DOMAIN: u8 = b'd';
const ADDRESS: u8 = b'e';
/// A program that may send.
const PROGRAM: u8 = b'p';
const QUEUE: u8 = b'q';
const SHARE: u8 = b's';
/// A web call that waits, by when it is due.
const CALL: u8 = b'h';
/// A request of a program, by its key.
const REQUEST: u8 = b'i';
/// A message of a program.
const SENT: u8 = b'm';
/// What became of a recipient of it since it was sent.
const FATE: u8 = b'o';
/// The message of a program that a queue entry is.
const FOLLOWED: u8 = b'n';
/// An address that is not tried for programs.
const SUPPRESSED: u8 = b'y';
/// Mail that goes on to an address outside, and whether its owner agreed.
const FORWARD: u8 = b'f';
/// The MTA-STS policy of another domain.
const STS: u8 = b't';
/// A report that was sent to another domain.
const REPORTED: u8 = b'r';
/// What falls due, as the first format had it: all destinations in one row of time.
const DUE: u8 = b'u';
/// What falls due, by destination.
const WAITING: u8 = b'w';
/// With what a domain signs.
const SIGNING: u8 = b'k';
const ERASING: u8 = b'x';

/// The families of rows inside one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Profile = 1,
    State = 2,
    Mailbox = 3,
    Name = 4,
    DeletedMailbox = 5,
    Row = 6,
    Record = 7,
    Log = 8,
    Tombstone = 9,
    Thread = 10,
    Metadata = 11,
    Subscription = 12,
    Right = 13,
    Seen = 14,
    /// By name; the one without a name says which is active.
    Script = 15,
    Memory = 16,
    /// A change of the flags of many messages; in the journal alone.
    Sweep = 17,
}

/// What a key names, for those who walk over all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    Position,
    Global,
    Account(AccountId, Family, &'a [u8]),
    Blob(BlobId),
    Domain(&'a [u8]),
    Address(&'a [u8]),
    Queue(QueueId),
    Due(Timestamp, QueueId),
    Sts(&'a [u8]),
    /// Day, kind and domain.
    Reported(u32, u8, &'a [u8]),
    Secret,
    Program(&'a [u8]),
    /// Domain and selector.
    Signing(&'a [u8], &'a [u8]),
    Sent(SentId),
    /// And the recipient's place in it.
    Fate(SentId, u32),
    Followed(QueueId),
    Request([u8; 16]),
    Call(CallPlace),
    Suppressed(&'a [u8]),
    Forward(ForwardId),
    /// Destination, and the place among what waits for it.
    Waiting(&'a [u8], Spot),
    Erasing(AccountId),
    /// Grantee and owner.
    Share(Grantee, AccountId),
}

/// A place among what waits for one destination: what goes first sorts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// 0 is the most urgent.
    pub class: u8,
    /// Milliseconds since 1970.
    pub due: u64,
    pub id: QueueId,
}

impl Spot {
    pub fn due(self) -> Timestamp {
        Timestamp(i64::try_from(self.due).unwrap_or(i64::MAX))
    }
}

/// Every row of an account, or of a family of it: first key and the one after the last.
pub type Span = (Vec<u8>, Vec<u8>);

fn family_of(byte: u8) -> Option<Family> {
    use Family::*;
    [
        Profile,
        State,
        Mailbox,
        Name,
        DeletedMailbox,
        Row,
        Record,
        Log,
        Tombstone,
        Thread,
        Metadata,
        Subscription,
        Right,
        Seen,
        Script,
        Memory,
        Sweep,
    ]
    .into_iter()
    .find(|family| *family as u8 == byte)
}

fn in_account(account: AccountId, family: Family, rest: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(20);
    key.push(ACCOUNT);
    key.extend_from_slice(&account.0.to_be_bytes());
    key.push(family as u8);
    for part in rest {
        key.extend_from_slice(part);
    }
    key
}

fn tagged(tag: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + rest.len());
    key.push(tag);
    key.extend_from_slice(rest);
    key
}

pub fn profile(account: AccountId) -> Vec<u8> {
    in_account(account, Family::Profile, &[])
}

pub fn state(account: AccountId) -> Vec<u8> {
    in_account(account, Family::State, &[])
}

pub fn mailbox(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    in_account(account, Family::Mailbox, &[&mailbox.0.to_be_bytes()])
}

pub fn name(account: AccountId, name: &str) -> Vec<u8> {
    in_account(account, Family::Name, &[name.as_bytes()])
}

pub fn deleted_mailbox(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    in_account(account, Family::DeletedMailbox, &[&mailbox.0.to_be_bytes()])
}

/// A key of a family whose rows are named by mailbox and uid: Row, Record, Tombstone.
pub fn message(account: AccountId, family: Family, mailbox: MailboxId, uid: Uid) -> Vec<u8> {
    in_account(
        account,
        family,
        &[&mailbox.0.to_be_bytes(), &uid.0.to_be_bytes()],
    )
}

/// A change of flags of many messages of a mailbox.
pub fn sweep(account: AccountId, mailbox: MailboxId, modseq: ModSeq) -> Vec<u8> {
    let (mailbox, modseq) = (mailbox.0.to_be_bytes(), modseq.0.to_be_bytes());
    in_account(account, Family::Sweep, &[&mailbox, &modseq])
}

pub fn parse_sweep(key: &[u8]) -> Option<(AccountId, MailboxId, ModSeq)> {
    let Name::Account(account, Family::Sweep, rest) = parse(key)? else {
        return None;
    };
    let (mailbox, rest) = rest.split_at_checked(4)?;
    let mailbox = MailboxId(u32::from_be_bytes(number(mailbox)?));
    Some((account, mailbox, modseq(rest)?))
}

pub fn log(account: AccountId, modseq: ModSeq) -> Vec<u8> {
    in_account(account, Family::Log, &[&modseq.0.to_be_bytes()])
}

pub fn thread(account: AccountId, key: u64) -> Vec<u8> {
    in_account(account, Family::Thread, &[&key.to_be_bytes()])
}

/// A name that is subscribed to and has no mailbox.
pub fn subscription(account: AccountId, name: &str) -> Vec<u8> {
    in_account(account, Family::Subscription, &[name.as_bytes()])
}

/// An annotation of a mailbox; mailbox 0 is the account itself.
pub fn metadata(account: AccountId, mailbox: MailboxId, entry: &str) -> Vec<u8> {
    let mailbox = mailbox.0.to_be_bytes();
    in_account(account, Family::Metadata, &[&mailbox, entry.as_bytes()])
}

/// A filter script; the name is not empty.
pub fn script(account: AccountId, name: &str) -> Vec<u8> {
    in_account(account, Family::Script, &[name.as_bytes()])
}

/// Where the name of the active script is.
pub fn active_script(account: AccountId) -> Vec<u8> {
    in_account(account, Family::Script, &[])
}

/// Something that runs of scripts remember, by its hash.
pub fn memory(account: AccountId, key: [u8; 16]) -> Vec<u8> {
    in_account(account, Family::Memory, &[&key])
}

/// Rights of somebody in a mailbox; mailbox 0 is the whole tree.
pub fn right(account: AccountId, mailbox: MailboxId, grantee: Grantee) -> Vec<u8> {
    let mailbox = mailbox.0.to_be_bytes();
    let grantee = grantee_number(grantee).to_be_bytes();
    in_account(account, Family::Right, &[&mailbox, &grantee])
}

/// What a member has seen of a mailbox: a page of bits.
pub fn seen(account: AccountId, mailbox: MailboxId, member: AccountId, page: u32) -> Vec<u8> {
    let (mailbox, member) = (mailbox.0.to_be_bytes(), member.0.to_be_bytes());
    let rest = [&mailbox[..], &member[..], &page.to_be_bytes()[..]];
    in_account(account, Family::Seen, &rest)
}

/// All pages of a member in one mailbox.
pub fn all_seen(account: AccountId, mailbox: MailboxId, member: AccountId) -> Span {
    let (mailbox, member) = (mailbox.0.to_be_bytes(), member.0.to_be_bytes());
    all_with(in_account(account, Family::Seen, &[&mailbox, &member]))
}

/// That an owner shares something with somebody, or keeps what somebody has seen.
pub fn share(grantee: Grantee, owner: AccountId) -> Vec<u8> {
    let mut key = tagged(SHARE, &grantee_number(grantee).to_be_bytes());
    key.extend_from_slice(&owner.0.to_be_bytes());
    key
}

pub fn shares_with(grantee: Grantee) -> Span {
    all_with(tagged(SHARE, &grantee_number(grantee).to_be_bytes()))
}

pub fn all_shares() -> Span {
    all_with(vec![SHARE])
}

/// No account has the number 0.
fn grantee_number(grantee: Grantee) -> u32 {
    match grantee {
        Grantee::Anyone => 0,
        Grantee::Account(account) => account.0,
    }
}

fn grantee_of(bytes: &[u8]) -> Option<Grantee> {
    Some(match u32::from_be_bytes(number(bytes)?) {
        0 => Grantee::Anyone,
        account => Grantee::Account(AccountId(account)),
    })
}

pub fn blob(blob: BlobId) -> Vec<u8> {
    tagged(BLOB, &blob.0)
}

pub fn domain(name: &str) -> Vec<u8> {
    tagged(DOMAIN, name.as_bytes())
}

pub fn address(address: &str) -> Vec<u8> {
    tagged(ADDRESS, address.as_bytes())
}

pub fn queue(id: QueueId) -> Vec<u8> {
    tagged(QUEUE, &id.0.to_be_bytes())
}

pub fn due(due: Timestamp, id: QueueId) -> Vec<u8> {
    // Times before 1970 do not order; the queue has none.
    let millis = u64::try_from(due.0).unwrap_or(0);
    let mut key = tagged(DUE, &millis.to_be_bytes());
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

pub fn program(name: &str) -> Vec<u8> {
    tagged(PROGRAM, name.as_bytes())
}

pub fn sent(id: SentId) -> Vec<u8> {
    tagged(SENT, &id.0)
}

pub fn all_sent() -> Span {
    all_with(vec![SENT])
}

pub fn fate(id: SentId, place: u32) -> Vec<u8> {
    let mut key = tagged(FATE, &id.0);
    key.extend_from_slice(&place.to_be_bytes());
    key
}

pub fn fates(id: SentId) -> Span {
    all_with(tagged(FATE, &id.0))
}

pub fn followed(entry: QueueId) -> Vec<u8> {
    tagged(FOLLOWED, &entry.0.to_be_bytes())
}

pub fn request(key: [u8; 16]) -> Vec<u8> {
    tagged(REQUEST, &key)
}

pub fn call(place: CallPlace) -> Vec<u8> {
    let mut key = tagged(CALL, &place.due.to_be_bytes());
    key.extend_from_slice(&place.sent.0);
    key.extend_from_slice(&place.recipient.to_be_bytes());
    key.push(place.state);
    key
}

pub fn all_calls() -> Span {
    all_with(vec![CALL])
}

/// `address` in lower case.
pub fn suppressed(address: &str) -> Vec<u8> {
    tagged(SUPPRESSED, address.as_bytes())
}

pub fn all_suppressed() -> Span {
    all_with(vec![SUPPRESSED])
}

pub fn forward(id: ForwardId) -> Vec<u8> {
    tagged(FORWARD, &id.0)
}

pub fn all_forwards() -> Span {
    all_with(vec![FORWARD])
}

pub fn all_programs() -> Span {
    all_with(vec![PROGRAM])
}

/// The MTA-STS policy of another domain.
pub fn sts(domain: &str) -> Vec<u8> {
    tagged(STS, domain.as_bytes())
}

pub fn reported(day: u32, kind: u8, domain: &str) -> Vec<u8> {
    let mut key = tagged(REPORTED, &day.to_be_bytes());
    key.push(kind);
    key.extend_from_slice(domain.as_bytes());
    key
}

/// Of the days before this one.
pub fn reported_before(day: u32) -> Span {
    (vec![REPORTED], tagged(REPORTED, &day.to_be_bytes()))
}

/// A key of a domain's, by its selector. `domain` has no NUL.
pub fn signing(domain: &str, selector: &str) -> Vec<u8> {
    let mut key = signing_start(domain);
    key.extend_from_slice(selector.as_bytes());
    key
}

/// All keys of a domain.
pub fn all_signing(domain: &str) -> Span {
    all_with(signing_start(domain))
}

fn signing_start(domain: &str) -> Vec<u8> {
    let mut key = tagged(SIGNING, domain.as_bytes());
    key.push(0);
    key
}

/// `destination` has no NUL.
pub fn waiting(destination: &str, spot: Spot) -> Vec<u8> {
    let mut key = destination_start(destination);
    key.push(spot.class);
    key.extend_from_slice(&spot.due.to_be_bytes());
    key.extend_from_slice(&spot.id.0.to_be_bytes());
    key
}

fn destination_start(destination: &str) -> Vec<u8> {
    let mut key = tagged(WAITING, destination.as_bytes());
    key.push(0);
    key
}

/// What waits for a destination from `spot` on.
pub fn waiting_from(destination: &str, spot: Spot) -> Span {
    let end = after(&destination_start(destination));
    (waiting(destination, spot), end)
}

/// What waits for the destinations after this one.
pub fn waiting_after(destination: Option<&str>) -> Span {
    let (first, end) = all_with(vec![WAITING]);
    match destination {
        Some(destination) => (after(&destination_start(destination)), end),
        None => (first, end),
    }
}

/// An account of which rows are still to be removed.
pub fn erasing(account: AccountId) -> Vec<u8> {
    tagged(ERASING, &account.0.to_be_bytes())
}

/// The first key after every key that begins with `prefix`.
pub fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}

pub fn all_with(prefix: Vec<u8>) -> Span {
    let end = after(&prefix);
    (prefix, end)
}

pub fn whole_account(account: AccountId) -> Span {
    all_with(tagged(ACCOUNT, &account.0.to_be_bytes()))
}

pub fn whole_family(account: AccountId, family: Family) -> Span {
    all_with(in_account(account, family, &[]))
}

/// All rows of a family in one mailbox.
pub fn whole_mailbox(account: AccountId, family: Family, mailbox: MailboxId) -> Span {
    all_with(in_account(account, family, &[&mailbox.0.to_be_bytes()]))
}

pub fn all_accounts() -> Span {
    all_with(vec![ACCOUNT])
}

pub fn all_blobs() -> Span {
    all_with(vec![BLOB])
}

pub fn all_domains() -> Span {
    all_with(vec![DOMAIN])
}

pub fn all_addresses() -> Span {
    all_with(vec![ADDRESS])
}

pub fn all_queue() -> Span {
    all_with(vec![QUEUE])
}

pub fn all_due() -> Span {
    all_with(vec![DUE])
}

pub fn all_erasing() -> Span {
    all_with(vec![ERASING])
}

fn number<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// Mailbox and uid of a key in Row, Record or Tombstone; `rest` as in [`Name::Account`].
pub fn mailbox_and_uid(rest: &[u8]) -> Option<(MailboxId, Uid)> {
    let (mailbox, uid) = rest.split_at_checked(4)?;
    Some((
        MailboxId(u32::from_be_bytes(number(mailbox)?)),
        Uid(u32::from_be_bytes(number(uid)?)),
    ))
}

/// The mailbox of a key in Mailbox or DeletedMailbox.
pub fn mailbox_id(rest: &[u8]) -> Option<MailboxId> {
    Some(MailboxId(u32::from_be_bytes(number(rest)?)))
}

/// Mailbox and entry name of a key in Metadata.
pub fn mailbox_and_entry(rest: &[u8]) -> Option<(MailboxId, &str)> {
    let (mailbox, entry) = rest.split_at_checked(4)?;
    let mailbox = MailboxId(u32::from_be_bytes(number(mailbox)?));
    Some((mailbox, std::str::from_utf8(entry).ok()?))
}

/// Mailbox and grantee of a key in Right.
pub fn mailbox_and_grantee(rest: &[u8]) -> Option<(MailboxId, Grantee)> {
    let (mailbox, grantee) = rest.split_at_checked(4)?;
    let mailbox = MailboxId(u32::from_be_bytes(number(mailbox)?));
    Some((mailbox, grantee_of(grantee)?))
}

/// Mailbox, member and page of a key in Seen.
pub fn mailbox_member_page(rest: &[u8]) -> Option<(MailboxId, AccountId, u32)> {
    let (mailbox, rest) = rest.split_at_checked(4)?;
    let (member, page) = rest.split_at_checked(4)?;
    Some((
        MailboxId(u32::from_be_bytes(number(mailbox)?)),
        AccountId(u32::from_be_bytes(number(member)?)),
        u32::from_be_bytes(number(page)?),
    ))
}

/// The modseq of a key in Log.
pub fn modseq(rest: &[u8]) -> Option<ModSeq> {
    Some(ModSeq(u64::from_be_bytes(number(rest)?)))
}

/// Takes a key apart; `None` when nothing has such a key.
pub fn parse(key: &[u8]) -> Option<Name<'_>> {
    if key == POSITION {
        return Some(Name::Position);
    }
    if key == GLOBAL {
        return Some(Name::Global);
    }
    if key == SECRET {
        return Some(Name::Secret);
    }
    let (tag, rest) = key.split_first()?;
    Some(match *tag {
        ACCOUNT => {
            let (account, rest) = rest.split_at_checked(4)?;
            let (family, rest) = rest.split_first()?;
            let account = AccountId(u32::from_be_bytes(number(account)?));
            Name::Account(account, family_of(*family)?, rest)
        }
        BLOB => Name::Blob(BlobId(number(rest)?)),
        DOMAIN => Name::Domain(rest),
        ADDRESS => Name::Address(rest),
        QUEUE => Name::Queue(QueueId(u64::from_be_bytes(number(rest)?))),
        DUE => {
            let (due, id) = rest.split_at_checked(8)?;
            let due = i64::try_from(u64::from_be_bytes(number(due)?)).ok()?;
            Name::Due(Timestamp(due), QueueId(u64::from_be_bytes(number(id)?)))
        }
        STS => Name::Sts(rest),
        REPORTED => {
            let (day, rest) = rest.split_at_checked(4)?;
            let (kind, domain) = rest.split_first()?;
            Name::Reported(u32::from_be_bytes(number(day)?), *kind, domain)
        }
        PROGRAM => Name::Program(rest),
        SIGNING => {
            let at = rest.iter().position(|byte| *byte == 0)?;
            let (domain, selector) = rest.split_at_checked(at)?;
            Name::Signing(domain, selector.get(1..)?)
        }
        SENT => Name::Sent(SentId(number(rest)?)),
        FATE => {
            let (id, place) = rest.split_at_checked(16)?;
            Name::Fate(SentId(number(id)?), u32::from_be_bytes(number(place)?))
        }
        FOLLOWED => Name::Followed(QueueId(u64::from_be_bytes(number(rest)?))),
        REQUEST => Name::Request(number(rest)?),
        CALL => {
            let (due, rest) = rest.split_at_checked(8)?;
            let (sent, rest) = rest.split_at_checked(16)?;
            let (recipient, rest) = rest.split_at_checked(4)?;
            let [state] = number(rest)?;
            Name::Call(CallPlace {
                due: u64::from_be_bytes(number(due)?),
                sent: SentId(number(sent)?),
                recipient: u32::from_be_bytes(number(recipient)?),
                state,
            })
        }
        SUPPRESSED => Name::Suppressed(rest),
        FORWARD => Name::Forward(ForwardId(number(rest)?)),
        WAITING => {
            let at = rest.iter().position(|byte| *byte == 0)?;
            let (destination, spot) = rest.split_at_checked(at)?;
            let (class, spot) = spot.get(1..)?.split_first()?;
            let (due, id) = spot.split_at_checked(8)?;
            let spot = Spot {
                class: *class,
                due: u64::from_be_bytes(number(due)?),
                id: QueueId(u64::from_be_bytes(number(id)?)),
            };
            Name::Waiting(destination, spot)
        }
        ERASING => Name::Erasing(AccountId(u32::from_be_bytes(number(rest)?))),
        SHARE => {
            let (grantee, owner) = rest.split_at_checked(4)?;
            let owner = AccountId(u32::from_be_bytes(number(owner)?));
            Name::Share(grantee_of(grantee)?, owner)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back() {
        let account = AccountId(7);
        let key = message(account, Family::Row, MailboxId(3), Uid(258));
        let Some(Name::Account(found, Family::Row, rest)) = parse(&key) else {
            panic!("not a row");
        };
        assert_eq!(found, account);
        assert_eq!(mailbox_and_uid(rest), Some((MailboxId(3), Uid(258))));
        assert_eq!(
            parse(&due(Timestamp(5), QueueId(9))),
            Some(Name::Due(Timestamp(5), QueueId(9)))
        );
        let spot = Spot {
            class: 9,
            due: 5,
            id: QueueId(256),
        };
        assert_eq!(
            parse(&waiting("far.test", spot)),
            Some(Name::Waiting(b"far.test", spot))
        );
        assert_eq!(
            parse(&signing("a.test", "one")),
            Some(Name::Signing(b"a.test", b"one"))
        );
        let (first, end) = all_signing("a.test");
        assert!(first < signing("a.test", "one") && end <= signing("a.tests", ""));
        let (first, end) = waiting_from("far.test", Spot::default());
        let next = waiting("far.test.x", Spot::default());
        assert!(first < waiting("far.test", spot) && waiting("far.test", spot) < end);
        assert!(end <= next && waiting_after(Some("far.test")).0 <= next);
        let id = SentId([0xff; 16]);
        assert_eq!(parse(&fate(id, 7)), Some(Name::Fate(id, 7)));
        let (first, end) = fates(id);
        assert!(first < fate(id, 0) && fate(id, u32::MAX) < end);
        assert_eq!(parse(POSITION), Some(Name::Position));
        assert_eq!(parse(SECRET), Some(Name::Secret));
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn a_span_ends_before_the_next() {
        let (first, end) = whole_account(AccountId(255));
        assert!(first < end);
        assert!(end <= profile(AccountId(256)));
        assert!(log(AccountId(255), ModSeq(u64::MAX)) < end);
        assert_eq!(after(&[1, 255]), [2]);
    }
}
