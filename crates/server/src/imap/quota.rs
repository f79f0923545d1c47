//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): a root is an account. One's own has the empty
//! name, that of a group its place in the shared namespace.

use facteur_imap::command::{MailboxName, SetQuota};
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
    let root = mailbox.quota_root(link.store())?;
    let roots: Vec<&str> = root.iter().map(|(root, _)| root.as_str()).collect();
    link.session.respond(&Untagged::QuotaRoot {
        mailbox: name.as_str(),
        roots: &roots,
    });
    if let Some((root, account)) = &root {
        respond(link, root, account);
    }
    done(text::GETQUOTAROOT_DONE)
}

/// RFC 9208 §4.1.3: a list without a resource takes its limit away.
pub(super) async fn set<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: SetQuota,
) -> Handled {
    let store = link.store().clone();
    let Some(account) = user.door.quota_root(&store, &request.root)? else {
        let reply = Reply::no(text::NO_SUCH_QUOTA_ROOT).with(Code::NonExistent);
        return Err(reply.into());
    };
    let mut bytes = None;
    for (name, limit) in &request.limits {
        if name != "STORAGE" {
            return Err(Reply::no(text::QUOTA_STORAGE_ONLY)
                .with(Code::Cannot)
                .into());
        }
        bytes = Some(limit.saturating_mul(UNIT_BYTES));
    }
    user.door.set_quota(&store, &account, bytes).await?;
    if let Some(account) = user.door.quota_root(&store, &request.root)? {
        respond(link, &request.root, &account);
    }
    done(text::SETQUOTA_DONE)
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
