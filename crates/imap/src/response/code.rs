//! Printing of response codes, RFC 9051 §7.1 and the extensions.

use super::token::{number, number32, numbers, runs, string};
use super::{Code, Condition, Permanent, Reply};
use crate::command::search::CHARSETS;
use crate::text::{Language, Text};

/// RFC 5465 §8 `event-name`, those that are known.
const EVENTS: [&str; 7] = [
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
];

impl Condition {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Condition::Ok => "OK",
            Condition::No => "NO",
            Condition::Bad => "BAD",
        }
    }
}

/// `OK [code] text` and the line's end. `capabilities` is what [`Code::Capability`] prints, `tag`
/// that of the running command.
pub(crate) fn reply(
    reply: &Reply,
    capabilities: &str,
    tag: &[u8],
    language: Language,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(reply.condition.name().as_bytes());
    out.push(b' ');
    if let Some(code) = &reply.code
        && !says_nothing(code)
    {
        out.push(b'[');
        print(code, capabilities, tag, out);
        out.extend_from_slice(b"] ");
    }
    out.extend_from_slice(reply.text.in_language(language).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Sets are never empty in the grammar: nothing was copied, so there is no code.
fn says_nothing(code: &Code) -> bool {
    match code {
        Code::CopyUid { uids, .. } => uids.is_empty(),
        Code::BadUrl(url) => url.is_empty(),
        Code::AppendUid { uids, .. } | Code::Modified(uids) => uids.is_empty(),
        _ => false,
    }
}

fn print(code: &Code, capabilities: &str, tag: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name(code).as_bytes());
    match code {
        Code::BadCharset => {
            out.extend_from_slice(b" (");
            out.extend_from_slice(CHARSETS.join(" ").as_bytes());
            out.push(b')');
        }
        Code::BadEvent => {
            out.extend_from_slice(b" (");
            out.extend_from_slice(EVENTS.join(" ").as_bytes());
            out.push(b')');
        }
        Code::BadUrl(url) => {
            out.push(b' ');
            let legal = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b']' | b'\\');
            out.extend(url.bytes().filter(legal));
        }
        Code::Capability => {
            out.push(b' ');
            out.extend_from_slice(capabilities.as_bytes());
        }
        Code::AppendUid { uid_validity, uids } => {
            out.push(b' ');
            number32(*uid_validity, out);
            out.push(b' ');
            numbers(uids, out);
        }
        Code::CopyUid { uid_validity, uids } => {
            out.push(b' ');
            number32(*uid_validity, out);
            out.push(b' ');
            runs(uids.iter().map(|pair| pair.0), out);
            out.push(b' ');
            runs(uids.iter().map(|pair| pair.1), out);
        }
        Code::HighestModSeq(modseq) => {
            out.push(b' ');
            number(*modseq, out);
        }
        Code::InProgress { done, goal } => {
            out.extend_from_slice(b" (");
            string(tag, out);
            out.push(b' ');
            number32(*done, out);
            out.push(b' ');
            number32(*goal, out);
            out.push(b')');
        }
        Code::NoUpdate => {
            out.push(b' ');
            string(tag, out);
        }
        Code::UndefinedFilter(name) => {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        }
        Code::MailboxId(id) => {
            out.extend_from_slice(b" (");
            out.extend_from_slice(id.as_bytes());
            out.push(b')');
        }
        Code::MetadataLongEntries(size) | Code::MetadataMaxSize(size) => {
            out.push(b' ');
            number(*size, out);
        }
        Code::Modified(uids) => {
            out.push(b' ');
            numbers(uids, out);
        }
        Code::MessageLimit(value)
        | Code::UidNext(value)
        | Code::UidValidity(value)
        | Code::Unseen(value) => {
            out.push(b' ');
            number32(*value, out);
        }
        _ => {}
    }
}

fn name(code: &Code) -> &'static str {
    match code {
        Code::Alert => "ALERT",
        Code::AlreadyExists => "ALREADYEXISTS",
        Code::AppendUid { .. } => "APPENDUID",
        Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
        Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
        Code::BadCharset => "BADCHARSET",
        Code::BadEvent => "BADEVENT",
        Code::BadUrl(_) => "BADURL",
        Code::Cannot => "CANNOT",
        Code::Capability => "CAPABILITY",
        Code::ClientBug => "CLIENTBUG",
        Code::Closed => "CLOSED",
        Code::CompressionActive => "COMPRESSIONACTIVE",
        Code::ContactAdmin => "CONTACTADMIN",
        Code::CopyUid { .. } => "COPYUID",
        Code::Corruption => "CORRUPTION",
        Code::Expired => "EXPIRED",
        Code::ExpungeIssued => "EXPUNGEISSUED",
        Code::HasChildren => "HASCHILDREN",
        Code::HighestModSeq(_) => "HIGHESTMODSEQ",
        Code::InProgress { .. } => "INPROGRESS",
        Code::InUse => "INUSE",
        Code::Limit => "LIMIT",
        Code::MailboxId(_) => "MAILBOXID",
        Code::MessageLimit(_) => "MESSAGELIMIT",
        Code::MetadataLongEntries(_) => "METADATA LONGENTRIES",
        Code::MetadataMaxSize(_) => "METADATA MAXSIZE",
        Code::MetadataTooMany => "METADATA TOOMANY",
        Code::Modified(_) => "MODIFIED",
        Code::NoModSeq => "NOMODSEQ",
        Code::NonExistent => "NONEXISTENT",
        Code::NoPerm => "NOPERM",
        Code::NotificationOverflow => "NOTIFICATIONOVERFLOW",
        Code::NotSaved => "NOTSAVED",
        Code::NoUpdate => "NOUPDATE",
        Code::OverQuota => "OVERQUOTA",
        Code::Parse => "PARSE",
        Code::PrivacyRequired => "PRIVACYREQUIRED",
        Code::ReadOnly => "READ-ONLY",
        Code::ReadWrite => "READ-WRITE",
        Code::ServerBug => "SERVERBUG",
        Code::TooBig => "TOOBIG",
        Code::TooFew => "TOOFEW",
        Code::TooMany => "TOOMANY",
        Code::TryCreate => "TRYCREATE",
        Code::UidNext(_) => "UIDNEXT",
        Code::UidRequired => "UIDREQUIRED",
        Code::UidNotSticky => "UIDNOTSTICKY",
        Code::UidValidity(_) => "UIDVALIDITY",
        Code::Unavailable => "UNAVAILABLE",
        Code::UnknownCte => "UNKNOWN-CTE",
        Code::UndefinedFilter(_) => "UNDEFINED-FILTER",
        Code::Unseen(_) => "UNSEEN",
        Code::UseAttr => "USEATTR",
    }
}

/// `BYE text`.
pub(crate) fn bye(text: Text, language: Language, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* BYE ");
    out.extend_from_slice(text.in_language(language).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// PERMANENTFLAGS stands apart: its list is the mailbox's.
pub(crate) fn permanent_flags(
    keywords: &[String],
    permanent: Permanent,
    language: Language,
    out: &mut Vec<u8>,
) {
    use crate::flag::SYSTEM_FLAGS;
    use crate::text;
    out.extend_from_slice(b"* OK [PERMANENTFLAGS (");
    let mut separator = false;
    for (flag, name) in SYSTEM_FLAGS {
        if permanent.system.contains(flag) {
            super::token::word(name, &mut separator, out);
        }
    }
    if permanent.keywords {
        for name in keywords {
            super::token::word(name, &mut separator, out);
        }
        super::token::word("\\*", &mut separator, out);
    }
    out.extend_from_slice(b")] ");
    let text = if permanent == Permanent::NONE {
        text::READ_ONLY_FLAGS
    } else {
        text::PERMANENTFLAGS
    };
    out.extend_from_slice(text.in_language(language).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `("name" "value" …)` or NIL.
pub(crate) fn id(fields: &[(&str, &str)], out: &mut Vec<u8>) {
    out.extend_from_slice(b"* ID ");
    if fields.is_empty() {
        out.extend_from_slice(b"NIL\r\n");
        return;
    }
    let mut open = b'(';
    for (name, value) in fields {
        out.push(open);
        open = b' ';
        string(name.as_bytes(), out);
        out.push(b' ');
        string(value.as_bytes(), out);
    }
    out.extend_from_slice(b")\r\n");
}
