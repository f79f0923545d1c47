//! Identifiers of mailboxes, messages and threads, RFC 8474.
//!
//! A letter in front keeps the kinds apart and away from what could be read as a number (§8.1).
//! Unique on the whole server, so that mailboxes of others may be shown beside one's own.

use facteur_store::{AccountId, MailboxId, Message};

/// Bytes of the hash that an EMAILID shows.
const EMAIL_ID_BYTES: usize = 16;

pub(crate) fn mailbox_id(account: AccountId, mailbox: MailboxId) -> String {
    format!("F{:x}-{:x}", account.0, mailbox.0)
}

/// §5.1: the same for copies, which have prefix, body and thread in common; different for the
/// same body delivered twice, whose Received fields differ.
///
/// `threads`: whether the reader may know which thread it is in.
pub(super) fn email_id<B: AsRef<[u8]>>(message: &Message<B>, threads: bool) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&message.blob.0);
    if threads {
        hasher.update(&message.thread.0.to_be_bytes());
    }
    hasher.update(message.prefix.as_ref());
    let hash = hasher.finalize();
    let mut id = String::from("M");
    for byte in hash.as_bytes().iter().take(EMAIL_ID_BYTES) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

/// §5.2: given once, when the message came.
pub(super) fn thread_id<B>(account: AccountId, message: &Message<B>) -> String {
    format!("T{:x}-{:x}", account.0, message.thread.0)
}
