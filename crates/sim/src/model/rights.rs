//! Rights of others, and what each of them has seen.

use std::collections::BTreeSet;

use facteur_store::{
    AccountId, Error, Flags, Grant, Grantee, MailboxId, Place, RecordChange, Rights, RightsEdit,
    SystemFlags, Timestamp, Uid,
};

use super::{AccountState, Model};

/// The account's whole tree.
const TREE: MailboxId = MailboxId(0);

impl Model {
    pub fn edit_rights(
        &mut self,
        account: AccountId,
        grant: Grant,
        edit: RightsEdit,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transact(|model| {
            let state = model.state(account)?;
            if let Some(mailbox) = grant.mailbox {
                state.mailbox(mailbox)?;
            }
            if grant.grantee == Grantee::Account(account) {
                return Err(Error::InUse);
            }
            if let Grantee::Account(grantee) = grant.grantee {
                model.state(grantee)?;
            }
            let mailbox = grant.mailbox.unwrap_or(TREE);
            let state = model.state_mut(account)?;
            let key = (mailbox, grant.grantee);
            let old = state.rights.get(&key).copied().unwrap_or_default();
            let new = edit.apply(old, grant.rights);
            if new == old {
                return Ok(());
            }
            state.rights.insert(key, new);
            state.rights.retain(|_, rights| !rights.is_empty());
            let mut entry = state.begin();
            entry.record(mailbox, RecordChange::Updated);
            state.end(entry, now);
            if let Grantee::Account(grantee) = grant.grantee {
                let state = model.state_mut(grantee)?;
                let mut entry = state.begin();
                entry.record(TREE, RecordChange::Updated);
                state.end(entry, now);
            }
            Ok(())
        })
    }

    pub fn replace_rights(
        &mut self,
        account: AccountId,
        grantee: AccountId,
        in_tree: Rights,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transact(|model| {
            model.state(account)?;
            if grantee == account {
                return Err(Error::InUse);
            }
            model.state(grantee)?;
            let who = Grantee::Account(grantee);
            let state = model.state_mut(account)?;
            state.rights.retain(|(_, other), _| *other != who);
            if !in_tree.is_empty() {
                state.rights.insert((TREE, who), in_tree);
            }
            for id in [account, grantee] {
                let state = model.state_mut(id)?;
                let mut entry = state.begin();
                entry.record(TREE, RecordChange::Updated);
                state.end(entry, now);
            }
            Ok(())
        })
    }

    pub fn rights(&self, place: Place) -> Rights {
        if place.is_own() {
            return Rights::ALL;
        }
        let Some(owner) = self.accounts.get(&place.account) else {
            return Rights::NONE;
        };
        if owner.record.removed.is_some() {
            return Rights::NONE;
        }
        let given = owner.rights.iter().filter(|((mailbox, grantee), _)| {
            (*mailbox == TREE || *mailbox == place.mailbox)
                && (*grantee == Grantee::Anyone || *grantee == Grantee::Account(place.viewer))
        });
        given
            .fold(Rights::NONE, |all, (_, rights)| all.and(*rights))
            .without(Rights::SEND_AS)
    }

    /// Who shares something with this account or with anyone.
    pub fn shares(&self, viewer: AccountId) -> Vec<AccountId> {
        let mut owners = Vec::new();
        for (id, state) in &self.accounts {
            let mut grantees = state.rights.keys().map(|(_, grantee)| *grantee);
            let given = grantees
                .any(|grantee| grantee == Grantee::Anyone || grantee == Grantee::Account(viewer));
            if given && *id != viewer && state.record.removed.is_none() {
                owners.push(*id);
            }
        }
        owners
    }

    /// Everybody who was named in the rights of an account that is gone.
    pub(super) fn tell_members(
        &mut self,
        gone: &AccountState,
        now: Timestamp,
    ) -> Result<(), Error> {
        let named: BTreeSet<Grantee> = gone.rights.keys().map(|(_, grantee)| *grantee).collect();
        for grantee in named {
            if let Grantee::Account(grantee) = grantee {
                let state = self.state_mut(grantee)?;
                let mut entry = state.begin();
                entry.record(TREE, RecordChange::Updated);
                state.end(entry, now);
            }
        }
        Ok(())
    }

    /// The account is gone.
    pub(super) fn forget_member(&mut self, gone: AccountId) {
        for state in self.accounts.values_mut() {
            let given = Grantee::Account(gone);
            state.rights.retain(|(_, grantee), _| *grantee != given);
            state.seen.retain(|(_, member), _| *member != gone);
        }
    }
}

impl AccountState {
    pub fn grants(&self) -> Vec<Grant> {
        let rows = self.rights.iter();
        rows.map(|((mailbox, grantee), rights)| Grant {
            mailbox: (*mailbox != TREE).then_some(*mailbox),
            grantee: *grantee,
            rights: *rights,
        })
        .collect()
    }

    pub(super) fn inherit(&mut self, parent: MailboxId, child: MailboxId) {
        let rows: Vec<(Grantee, Rights)> = self
            .rights
            .iter()
            .filter(|((mailbox, _), _)| *mailbox == parent)
            .map(|((_, grantee), rights)| (*grantee, *rights))
            .collect();
        for (grantee, rights) in rows {
            self.rights.insert((child, grantee), rights);
        }
    }

    fn has_seen(&self, place: Place, uid: Uid) -> bool {
        let seen = self.seen.get(&(place.mailbox, place.viewer));
        seen.is_some_and(|seen| seen.contains(&uid))
    }

    /// Flags as the viewer sees them.
    pub fn shown(&self, place: Place, uid: Uid, flags: Flags) -> Flags {
        if place.is_own() {
            return flags;
        }
        let rest = flags.system.0 & !SystemFlags::SEEN.0;
        let seen = match self.has_seen(place, uid) {
            true => SystemFlags::SEEN.0,
            false => 0,
        };
        Flags {
            system: SystemFlags(rest | seen),
            ..flags
        }
    }

    /// Flags for the row, and the viewer's \Seen where that is kept.
    pub(super) fn kept(
        &mut self,
        place: Place,
        uid: Uid,
        shown: Flags,
        owner: SystemFlags,
    ) -> Flags {
        if place.is_own() {
            return shown;
        }
        let seen = self.seen.entry((place.mailbox, place.viewer)).or_default();
        match shown.system.contains(SystemFlags::SEEN) {
            true => seen.insert(uid),
            false => seen.remove(&uid),
        };
        let rest = shown.system.0 & !SystemFlags::SEEN.0;
        Flags {
            system: SystemFlags(rest | owner.0 & SystemFlags::SEEN.0),
            ..shown
        }
    }

    /// Other members keep what they have seen of messages that moved.
    pub(super) fn carry(
        &mut self,
        from: MailboxId,
        to: MailboxId,
        pairs: &[(Uid, Uid)],
        but: AccountId,
    ) {
        let members: Vec<AccountId> = self
            .seen
            .keys()
            .filter(|(mailbox, member)| *mailbox == from && *member != but)
            .map(|(_, member)| *member)
            .collect();
        for member in members {
            for (before, after) in pairs {
                let had = self.seen[&(from, member)].contains(before);
                if had {
                    self.seen.entry((to, member)).or_default().insert(*after);
                }
            }
        }
    }
}
