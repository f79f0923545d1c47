//! What the session says that it can, by phase: RFC 9051 §6.1.1, §7.2.2.

use super::{Config, Phase};
use crate::limits;

/// Mechanisms that show the password to whoever listens.
const PLAINTEXT_MECHANISMS: [&str; 2] = ["PLAIN", "LOGIN"];

const BEFORE_LOGIN: [&str; 7] = [
    "IMAP4rev1",
    "IMAP4rev2",
    "LITERAL-",
    "SASL-IR",
    "ID",
    "ENABLE",
    "LANGUAGE",
];

/// RFC 7888 §5 allows one of LITERAL+ and LITERAL-: the small one before login, the other after.
const AFTER_LOGIN: &[&str] = &[
    "IMAP4rev1",
    "IMAP4rev2",
    "LITERAL+",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "UIDPLUS",
    "UNSELECT",
    "MOVE",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "ESEARCH",
    "SEARCHRES",
    "STATUS=SIZE",
    "CONDSTORE",
    "QRESYNC",
    "BINARY",
    "MULTIAPPEND",
    "WITHIN",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTASET",
    "ACL",
    "RIGHTS=texk",
    "LIST-MYRIGHTS",
    "LANGUAGE",
    "PREVIEW",
    "UNAUTHENTICATE",
    "UTF8=ACCEPT",
    "CATENATE",
    "COMPRESS=DEFLATE",
    "LIST-METADATA",
    "METADATA",
    "NOTIFY",
    "REPLACE",
    "UIDONLY",
    "URL-PARTIAL",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "I18NLEVEL=1",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "PARTIAL",
    "MULTISEARCH",
    "SAVEDATE",
    "OBJECTID",
    "INPROGRESS",
    "FILTERS",
    "UIDBATCHES",
    "SEARCH=FUZZY",
];

/// Without TLS and leave to go without, passwords are refused.
pub(super) fn login_allowed(config: &Config, tls: bool) -> bool {
    tls || config.plaintext_login
}

/// The mechanisms offered now.
pub(super) fn mechanisms(config: &Config, tls: bool) -> impl Iterator<Item = &String> {
    let offered = if tls {
        &config.mechanisms_tls
    } else {
        &config.mechanisms_plain
    };
    let allowed = login_allowed(config, tls);
    offered
        .iter()
        .filter(move |name| allowed || !PLAINTEXT_MECHANISMS.contains(&name.as_str()))
}

/// The list after the word CAPABILITY, without what is hidden from this client.
pub(super) fn list(config: &Config, tls: bool, phase: Phase, hidden: &[&str]) -> String {
    if phase >= Phase::Authenticated {
        let shown = AFTER_LOGIN.iter().filter(|name| !hidden.contains(*name));
        let shown: Vec<&str> = shown.copied().collect();
        // RFC 7889 §3: the same limit for every mailbox.
        return format!(
            "{} APPENDLIMIT={} MESSAGELIMIT={}",
            shown.join(" "),
            config.message_bytes_max,
            limits::MESSAGE_LIMIT
        );
    }
    let mut list = BEFORE_LOGIN.join(" ");
    if config.starttls && !tls {
        list.push_str(" STARTTLS");
    }
    if !login_allowed(config, tls) {
        list.push_str(" LOGINDISABLED");
    }
    for mechanism in mechanisms(config, tls) {
        list.push_str(" AUTH=");
        list.push_str(mechanism);
    }
    list
}
