//! Printing of untagged responses, RFC 9051 §7.2 to §7.5, RFC 3501 §7.2 to §7.4.

use super::token::{self, flags, mailbox, number, number32, numbers, string, word};
use super::{
    FlagsChanged, ListData, MetadataData, QuotaData, QuotaResource, Reply, SelectData, StatusData,
    StatusValue, Untagged, code, fetch, search,
};
use crate::command::mailboxes::SPECIAL_USES;
use crate::command::{Numbering, SpecialUse};
use crate::flag::SYSTEM_FLAGS;
use crate::set::Numbers;
use crate::structure::{self, StringForm};
use crate::text::Language;
use crate::{command::SearchReturn, text};

/// What the client and the running command make of the same meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect<'a> {
    pub(crate) rev2: bool,
    /// Mailbox names are UTF-8: IMAP4rev2 or UTF8=ACCEPT.
    pub(crate) utf8: bool,
    pub(crate) language: Language,
    pub(crate) condstore: bool,
    pub(crate) qresync: bool,
    /// RFC 9586: messages have no sequence numbers.
    pub(crate) uid_only: bool,
    /// NOTIFY was used.
    pub(crate) notifies: bool,
    pub(crate) numbering: Numbering,
    pub(crate) tag: &'a [u8],
    /// RETURN of the SEARCH that runs.
    pub(crate) search_return: Option<SearchReturn>,
    pub(crate) capabilities: &'a str,
}

pub(crate) fn untagged(untagged: &Untagged<'_>, dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    let utf8 = dialect.utf8;
    match untagged {
        Untagged::FlagsChanged(change) => flags_changed(change, dialect, out),
        Untagged::Reply(reply) => star_reply(reply, dialect, out),
        Untagged::List(data) => list("LIST", data, dialect, out),
        Untagged::Lsub(data) => list("LSUB", data, dialect, out),
        Untagged::Status(data) => status(data, utf8, out),
        Untagged::Selected(data) => selected(data, dialect, out),
        Untagged::Flags {
            keywords,
            permanent,
        } => {
            flags_line(keywords, out);
            code::permanent_flags(keywords, *permanent, dialect.language, out);
        }
        Untagged::Search(data) => search::search(data, dialect, out),
        Untagged::Thread(forest) => search::thread(forest, out),
        Untagged::SearchUpdate(data) => search::update(data, out),
        Untagged::Batches(ranges) => search::batches(ranges, dialect, out),
        Untagged::Exists(count) => numbered(*count, "EXISTS", out),
        Untagged::Expunge(sequence) => numbered(*sequence, "EXPUNGE", out),
        Untagged::Vanished { earlier, uids } => vanished(*earlier, uids, out),
        Untagged::Namespace { others, shared } => namespace(others, shared, out),
        Untagged::Acl {
            mailbox: name,
            entries,
        } => of_mailbox("ACL", name, utf8, out, |out| {
            for (identifier, rights) in *entries {
                named_rights(identifier, &rights.letters(), out);
            }
        }),
        Untagged::ListRights {
            mailbox: name,
            identifier,
            required,
            optional,
        } => of_mailbox("LISTRIGHTS", name, utf8, out, |out| {
            named_rights(identifier, &required.letters(), out);
            for letter in optional.letters() {
                out.extend_from_slice(&[b' ', letter]);
            }
        }),
        Untagged::MyRights {
            mailbox: name,
            rights,
        } => of_mailbox("MYRIGHTS", name, utf8, out, |out| {
            out.push(b' ');
            token::astring(&rights.letters(), out);
        }),
        Untagged::Id(fields) => code::id(fields, out),
        Untagged::Metadata(data) => metadata(data, utf8, out),
        Untagged::MetadataChanged {
            mailbox: name,
            entries,
        } => of_mailbox("METADATA", name, utf8, out, |out| {
            for entry in *entries {
                out.push(b' ');
                token::astring(entry.as_bytes(), out);
            }
        }),
        Untagged::Quota(data) => quota(data, out),
        Untagged::QuotaRoot {
            mailbox: name,
            roots,
        } => of_mailbox("QUOTAROOT", name, utf8, out, |out| {
            for root in *roots {
                out.push(b' ');
                string(root.as_bytes(), out);
            }
        }),
    }
}

/// A line about one mailbox: the response's name, the mailbox's, the rest.
fn of_mailbox(
    response: &str,
    name: &str,
    utf8: bool,
    out: &mut Vec<u8>,
    rest: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(response.as_bytes());
    out.push(b' ');
    mailbox(name, utf8, out);
    rest(out);
    out.extend_from_slice(b"\r\n");
}

fn namespace(others: &str, shared: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* NAMESPACE ((\"\" \"/\")) ");
    for (prefix, end) in [(others, &b" "[..]), (shared, b"\r\n")] {
        out.extend_from_slice(b"((");
        string(prefix.as_bytes(), out);
        out.extend_from_slice(b" \"/\"))");
        out.extend_from_slice(end);
    }
}

fn named_rights(identifier: &str, letters: &[u8], out: &mut Vec<u8>) {
    out.push(b' ');
    token::astring(identifier.as_bytes(), out);
    out.push(b' ');
    token::astring(letters, out);
}

fn star_reply(reply: &Reply, dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* ");
    let Dialect {
        capabilities,
        tag,
        language,
        ..
    } = *dialect;
    code::reply(reply, capabilities, tag, language, out);
}

fn numbered(count: u32, name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* ");
    number32(count, out);
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn vanished(earlier: bool, uids: &Numbers, out: &mut Vec<u8>) {
    if uids.is_empty() {
        return;
    }
    out.extend_from_slice(if earlier {
        b"* VANISHED (EARLIER) "
    } else {
        b"* VANISHED "
    });
    numbers(uids, out);
    out.extend_from_slice(b"\r\n");
}

fn special_use_name(special_use: SpecialUse) -> &'static str {
    SPECIAL_USES
        .iter()
        .find(|(other, _)| *other == special_use)
        .map_or("", |(_, name)| name)
}

fn list(name: &str, data: &ListData<'_>, dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(name.as_bytes());
    if data.root {
        out.extend_from_slice(b" (\\Noselect) \"/\" \"\"\r\n");
        return;
    }
    out.extend_from_slice(b" (");
    let mut separator = false;
    // RFC 5258 §3: \NonExistent implies \Noselect, which is what older clients understand.
    if data.no_select || data.non_existent {
        word("\\Noselect", &mut separator, out);
    }
    if data.non_existent {
        word("\\NonExistent", &mut separator, out);
    }
    if data.no_inferiors {
        word("\\Noinferiors", &mut separator, out);
    }
    match data.has_children {
        Some(true) => word("\\HasChildren", &mut separator, out),
        Some(false) => word("\\HasNoChildren", &mut separator, out),
        None => {}
    }
    if data.subscribed {
        word("\\Subscribed", &mut separator, out);
    }
    for special_use in data.special_use {
        word(special_use_name(*special_use), &mut separator, out);
    }
    out.extend_from_slice(b") \"/\" ");
    mailbox(data.name, dialect.utf8, out);
    list_extended(data, dialect, out);
    out.extend_from_slice(b"\r\n");
}

/// RFC 5258 §6 `mbox-list-extended`.
fn list_extended(data: &ListData<'_>, dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    // RFC 5465 §5.4: who asks for news of names knows it too.
    let old_name = data.old_name.filter(|_| dialect.rev2 || dialect.notifies);
    if !data.child_subscribed && old_name.is_none() {
        return;
    }
    out.extend_from_slice(b" (");
    let mut separator = false;
    if data.child_subscribed {
        word("\"CHILDINFO\" (\"SUBSCRIBED\")", &mut separator, out);
    }
    if let Some(old_name) = old_name {
        word("\"OLDNAME\" (", &mut separator, out);
        mailbox(old_name, dialect.utf8, out);
        out.push(b')');
    }
    out.push(b')');
}

fn status(data: &StatusData<'_>, utf8: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* STATUS ");
    mailbox(data.mailbox, utf8, out);
    out.extend_from_slice(b" (");
    let mut separator = false;
    for value in data.values {
        let mut item = |name: &str, value: u64| {
            word(name, &mut separator, out);
            out.push(b' ');
            number(value, out);
        };
        match value {
            StatusValue::Messages(count) => item("MESSAGES", u64::from(*count)),
            StatusValue::Recent(count) => item("RECENT", u64::from(*count)),
            StatusValue::UidNext(uid) => item("UIDNEXT", u64::from(*uid)),
            StatusValue::UidValidity(value) => item("UIDVALIDITY", u64::from(*value)),
            StatusValue::Unseen(count) => item("UNSEEN", u64::from(*count)),
            StatusValue::Deleted(count) => item("DELETED", u64::from(*count)),
            StatusValue::Size(size) => item("SIZE", *size),
            StatusValue::HighestModSeq(modseq) => item("HIGHESTMODSEQ", *modseq),
            StatusValue::DeletedStorage(units) => item("DELETED-STORAGE", *units),
            StatusValue::AppendLimit(Some(size)) => item("APPENDLIMIT", *size),
            StatusValue::AppendLimit(None) => word("APPENDLIMIT NIL", &mut separator, out),
            StatusValue::MailboxId(id) => {
                word("MAILBOXID (", &mut separator, out);
                out.extend_from_slice(id.as_bytes());
                out.push(b')');
            }
        }
    }
    out.extend_from_slice(b")\r\n");
}

fn flags_line(keywords: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(b"* FLAGS (");
    let mut separator = false;
    for (_, name) in SYSTEM_FLAGS {
        word(name, &mut separator, out);
    }
    for name in keywords {
        word(name, &mut separator, out);
    }
    out.extend_from_slice(b")\r\n");
}

/// RFC 9051 §6.3.2; RECENT and UNSEEN are of IMAP4rev1 (RFC 3501 §6.3.1), LIST of IMAP4rev2.
fn selected(data: &SelectData<'_>, dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    use super::Code;
    flags_line(data.keywords, out);
    code::permanent_flags(data.keywords, data.permanent, dialect.language, out);
    numbered(data.exists, "EXISTS", out);
    let mut say = |code, text| star_reply(&Reply::ok(text).with(code), dialect, out);
    if let Some(sequence) = data
        .first_unseen
        .filter(|_| !dialect.rev2 && !dialect.uid_only)
    {
        say(Code::Unseen(sequence), text::UNSEEN);
    }
    say(Code::UidValidity(data.uid_validity), text::UIDVALIDITY);
    say(Code::UidNext(data.uid_next), text::UIDNEXT);
    say(
        Code::HighestModSeq(data.highest_modseq),
        text::HIGHESTMODSEQ,
    );
    say(Code::MailboxId(data.mailbox_id.to_owned()), text::MAILBOXID);
    if dialect.rev2 {
        let mailbox = ListData {
            name: data.mailbox,
            special_use: data.special_use,
            ..ListData::default()
        };
        list("LIST", &mailbox, dialect, out);
    } else {
        numbered(0, "RECENT", out);
    }
}

/// RFC 5464 §4.4.1. A value is text in quotes where it can be, and may hold anything.
fn metadata(data: &MetadataData<'_>, utf8: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* METADATA ");
    mailbox(data.mailbox, utf8, out);
    out.extend_from_slice(b" (");
    let mut separator = false;
    for (name, value) in data.entries {
        word("", &mut separator, out);
        token::astring(name.as_bytes(), out);
        out.push(b' ');
        match value {
            None => out.extend_from_slice(b"NIL"),
            Some(value) if value.contains(&0) => {
                token::literal_header(value.len() as u64, true, out);
                out.extend_from_slice(value);
            }
            Some(value) => {
                let form = if utf8 {
                    StringForm::Utf8
                } else {
                    StringForm::Ascii
                };
                structure::string(out, value, form);
            }
        }
    }
    out.extend_from_slice(b")\r\n");
}

fn quota(data: &QuotaData<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* QUOTA ");
    string(data.root.as_bytes(), out);
    out.extend_from_slice(b" (");
    let mut separator = false;
    for resource in data.resources {
        let (name, used, limit) = match resource {
            QuotaResource::Storage { used, limit } => ("STORAGE", used, limit),
            QuotaResource::Message { used, limit } => ("MESSAGE", used, limit),
        };
        word(name, &mut separator, out);
        for value in [used, limit] {
            out.push(b' ');
            number(*value, out);
        }
    }
    out.extend_from_slice(b")\r\n");
}

/// UID under QRESYNC (RFC 7162 §3.2.4), with NOTIFY (RFC 5465 §5.1) and after UID commands (RFC 9051 §6.4.9); MODSEQ under
/// CONDSTORE (RFC 7162 §3.1.4).
fn flags_changed(change: &FlagsChanged<'_>, dialect: &Dialect<'_>, out: &mut Vec<u8>) {
    if change.silent && !dialect.condstore {
        return;
    }
    fetch::open(change.sequence, change.uid, dialect.uid_only, out);
    let mut separator = false;
    let says_uid = dialect.qresync || dialect.notifies || dialect.numbering == Numbering::Uid;
    if says_uid && !dialect.uid_only {
        word("UID ", &mut separator, out);
        number32(change.uid, out);
    }
    if dialect.condstore {
        word("MODSEQ (", &mut separator, out);
        number(change.modseq, out);
        out.push(b')');
    }
    if !change.silent {
        word("FLAGS ", &mut separator, out);
        flags(&change.flags, out);
    }
    out.extend_from_slice(b")\r\n");
}
