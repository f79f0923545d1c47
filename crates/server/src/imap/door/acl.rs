//! Who has which rights in a mailbox (RFC 4314 §3), and who is meant by an identifier.

use facteur_imap::response::Code;
use facteur_imap::{Reply, text};
use facteur_store::{AccountKind, AddressTarget, Grantee, Rights, RightsEdit, Store};

use super::Door;
use super::handle::Handle;
use crate::groups::ANYONE;
use crate::imap::error::Failure;

/// Somebody who is named in a command.
#[derive(Clone, Copy, Debug)]
pub(in crate::imap) struct Identifier {
    grantee: Grantee,
    /// Removed, and not erased yet: he may only lose what he has.
    removed: bool,
}

impl Door {
    /// An address of an account here, or "anyone"; a name without a domain is one in one's own.
    ///
    /// # Errors
    /// Refused in words: negative rights, and names that nobody has.
    pub(in crate::imap) fn identifier(
        &self,
        store: &Store,
        written: &str,
    ) -> Result<Identifier, Failure> {
        if written == ANYONE {
            return Ok(Identifier {
                grantee: Grantee::Anyone,
                removed: false,
            });
        }
        // RFC 4314 §2: a name with "-" in front takes rights away.
        if written.starts_with('-') {
            return Err(Reply::no(text::NO_NEGATIVE_RIGHTS)
                .with(Code::Cannot)
                .into());
        }
        let mut address = written.to_lowercase();
        if !address.contains('@')
            && let Some(own) = store.account(self.account)?
            && let Some((_, domain)) = own.address.rsplit_once('@')
        {
            address = format!("{address}@{domain}");
        }
        let Some(AddressTarget::Account(id)) = store.address(&address)? else {
            return Err(nobody());
        };
        // Only by the address that answers show: who is behind another is nobody's business.
        let is_person = |account: &facteur_store::Account| {
            account.kind == AccountKind::Person && account.address == address
        };
        match store.account(id)?.filter(is_person) {
            Some(account) => Ok(Identifier {
                grantee: Grantee::Account(id),
                removed: account.removed.is_some(),
            }),
            None => Err(nobody()),
        }
    }
}

fn nobody() -> Failure {
    Reply::no(text::NO_SUCH_PERSON)
        .with(Code::NonExistent)
        .into()
}

impl Handle {
    /// Everybody who has rights in it, the owner first, under the names that identify them.
    pub(in crate::imap) fn acl(&self, store: &Store) -> Result<Vec<(String, Rights)>, Failure> {
        self.require(Rights::ADMINISTER)?;
        let mut entries = Vec::new();
        entries
            .extend(name(store, Grantee::Account(self.place.account))?.map(|n| (n, Rights::ALL)));
        let mut given: Vec<(Grantee, Rights)> = Vec::new();
        for grant in store.grants(self.place.account)? {
            if grant.mailbox.is_some_and(|id| id != self.place.mailbox) {
                continue;
            }
            let rights = grant.rights.without(Rights::SEND_AS);
            match given.iter_mut().find(|(other, _)| *other == grant.grantee) {
                Some((_, all)) => *all = all.and(rights),
                None => given.push((grant.grantee, rights)),
            }
        }
        for (grantee, rights) in given {
            entries.extend(name(store, grantee)?.map(|name| (name, rights)));
        }
        Ok(entries)
    }

    pub(in crate::imap) async fn edit_rights(
        &self,
        store: &Store,
        who: Identifier,
        edit: RightsEdit,
        rights: Rights,
    ) -> Result<(), Failure> {
        self.require(Rights::ADMINISTER)?;
        if self.is_owner(who) {
            return Err(Reply::no(text::OWNER_KEEPS_RIGHTS)
                .with(Code::Cannot)
                .into());
        }
        let (account, mailbox) = (self.place.account, Some(self.place.mailbox));
        let in_tree = self.in_tree(store, who)?;
        let old = store.granted(account, mailbox, who.grantee)?.and(in_tree);
        let new = edit.apply(old, rights);
        if who.removed && (old.is_empty() || !old.contains(new)) {
            return Err(nobody());
        }
        if !new.contains(in_tree) {
            return Err(Reply::no(text::MEMBERS_KEEP_RIGHTS)
                .with(Code::Cannot)
                .into());
        }
        Ok(store
            .edit_rights(account, mailbox, who.grantee, edit, rights)
            .await?)
    }

    /// What somebody has for certain, and what may be given to him.
    pub(in crate::imap) fn grantable(
        &self,
        store: &Store,
        who: Identifier,
    ) -> Result<(Rights, Rights), Failure> {
        self.require(Rights::ADMINISTER)?;
        if who.removed {
            return Err(nobody());
        }
        let certain = match self.is_owner(who) {
            true => Rights::ALL,
            false => self.in_tree(store, who)?,
        };
        Ok((certain, Rights::ALL.without(certain)))
    }

    /// What somebody has in every mailbox of the account, as the members of a group have: it can't
    /// be taken away in one.
    fn in_tree(&self, store: &Store, who: Identifier) -> Result<Rights, Failure> {
        let rights = store.granted(self.place.account, None, who.grantee)?;
        Ok(rights.without(Rights::SEND_AS))
    }

    fn is_owner(&self, who: Identifier) -> bool {
        who.grantee == Grantee::Account(self.place.account)
    }
}

/// `None`: erased meanwhile.
fn name(store: &Store, grantee: Grantee) -> Result<Option<String>, Failure> {
    Ok(match grantee {
        Grantee::Anyone => Some(ANYONE.to_owned()),
        Grantee::Account(id) => store.account(id)?.map(|account| account.address),
    })
}
