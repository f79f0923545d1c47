//! GETQUOTA and GETQUOTAROOT (RFC 9208): one root, the account, whose name is empty.

use facteur_imap::command::MailboxName;
use facteur_imap::response::{Code, QuotaData, QuotaResource};
use facteur_imap::{Reply, Untagged, text};
use facteur_store::Account;

use super::link::Link;
use super::{Handled, User, done};
use crate::drive::Stream;

const UNIT_BYTES: u64 = 1024;

pub(super) fn quota<S: Stream>(link: &mut Link<S>, user: &mut User, root: &str) -> Handled {
    let Some(account) = user.door.quota_root(link.store(), root)? else {
        let reply = Reply::no(text::NO_SUCH_QUOTA_ROOT).with(Code::NonExistent);
        return Err(reply.into());
    };
    respond(link, root, &account);
    done(text::GETQUOTA_DONE)
}

pub(super) fn quota_root<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    name: &MailboxName,
) -> Handled {
    let mailbox = user.door.open(link.store(), name.as_str())?;
    let (root, account) = mailbox.quota_root(link.store())?;
    link.session.respond(&Untagged::QuotaRoot {
        mailbox: name.as_str(),
        roots: &[&root],
    });
    respond(link, &root, &account);
    done(text::GETQUOTAROOT_DONE)
}

/// Without a limit, no resource is listed (RFC 9208 §4.2.1).
fn respond<S: Stream>(link: &mut Link<S>, root: &str, account: &Account) {
    let storage = account.quota_bytes.map(|limit| QuotaResource::Storage {
        used: account.used_bytes.div_ceil(UNIT_BYTES),
        limit: limit / UNIT_BYTES,
    });
    link.session.respond(&Untagged::Quota(&QuotaData {
        root,
        resources: storage.as_slice(),
    }));
}
