//! One operation as data: run it on the store, then on the model.

use facteur_sim::model::{Given, Model};
use facteur_store::{
    AccountEdit, AccountId, AddressTarget, Appended, Copied, Credentials, Delivered, Delivery,
    Edited, Error, FlagEdit, FlagNames, FlagScope, Grant, Mailbox, MailboxEdit, MailboxId, ModSeq,
    NewAccount, NewMessage, NewQueueEntry, Place, QueueEntry, QueueFilter, QueueId, Rights,
    RightsEdit, ScriptEdit, SpecialUse, Store, Timestamp, UidSet,
};

use super::BodySpec;

#[expect(
    clippy::large_enum_variant,
    reason = "few at a time, and only in tests"
)]
#[derive(Clone, Debug)]
pub enum Op {
    CreateDomain(String),
    RemoveDomain(String),
    SetCatchAll(String, Option<AccountId>),
    SetAddress(String, AddressTarget),
    RemoveAddress(String),
    CreateAccount(String, Option<u64>),
    EditAccount(AccountId, AccountEdit),
    EraseAccount(AccountId),
    CreateMailbox(AccountId, String, Option<SpecialUse>),
    RenameMailbox(AccountId, MailboxId, String),
    EditMailbox(AccountId, MailboxId, MailboxEdit),
    DeleteMailbox(AccountId, MailboxId),
    RestoreMailbox(AccountId, MailboxId),
    Deliver(
        BodySpec,
        Vec<(AccountId, String, NewMessage)>,
        Vec<NewQueueEntry>,
    ),
    Append(Place, Vec<(BodySpec, NewMessage)>),
    Copy(Place, UidSet, Place, FlagScope),
    Move(Place, UidSet, Place, FlagScope),
    EditRights(AccountId, Grant, RightsEdit),
    ReplaceRights(AccountId, AccountId, Rights),
    EditScript(AccountId, ScriptEdit),
    EditFlags(
        Place,
        UidSet,
        (FlagEdit, FlagScope),
        FlagNames,
        Option<ModSeq>,
    ),
    Expunge(AccountId, MailboxId, Option<UidSet>, bool),
    Restore(AccountId, MailboxId, UidSet),
    QueueUpdate(QueueId, Option<QueueEntry>, Option<Report>),
}

/// A DSN: its body and its local recipients and queue entries.
pub type Report = (
    BodySpec,
    Vec<(AccountId, String, NewMessage)>,
    Vec<NewQueueEntry>,
);

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done,
    Account(AccountId),
    Mailbox(MailboxId),
    Name(String),
    Delivered(Delivered),
    Appended(Vec<Appended>),
    Copied(Copied),
    Edited(Edited),
    Expunged(UidSet, ModSeq),
}

fn new_account(address: &str, quota_bytes: Option<u64>) -> NewAccount {
    NewAccount {
        address: address.to_owned(),
        display_name: format!("Name of {address}"),
        credentials: Credentials::default(),
        quota_bytes,
        language: "fr".to_owned(),
    }
}

fn deliveries(local: &[(AccountId, String, NewMessage)]) -> Vec<Delivery> {
    let one = |(account, mailbox, message): &(AccountId, String, NewMessage)| Delivery {
        account: *account,
        mailbox: mailbox.clone(),
        message: message.clone(),
    };
    local.iter().map(one).collect()
}

impl Op {
    pub async fn on_store(&self, store: &Store) -> Result<Outcome, Error> {
        match self.clone() {
            Op::CreateDomain(name) => store.create_domain(&name).await.map(done),
            Op::RemoveDomain(name) => store.remove_domain(&name).await.map(done),
            Op::SetCatchAll(name, account) => store.set_catch_all(&name, account).await.map(done),
            Op::SetAddress(address, target) => store.set_address(&address, target).await.map(done),
            Op::RemoveAddress(address) => store.remove_address(&address).await.map(done),
            Op::CreateAccount(address, quota) => store
                .create_account(new_account(&address, quota))
                .await
                .map(Outcome::Account),
            Op::EditAccount(account, edit) => store.edit_account(account, edit).await.map(done),
            Op::EraseAccount(account) => store.erase_account(account).await.map(done),
            Op::CreateMailbox(account, name, special) => store
                .create_mailbox(account, &name, special)
                .await
                .map(Outcome::Mailbox),
            Op::RenameMailbox(account, mailbox, name) => store
                .rename_mailbox(account, mailbox, &name)
                .await
                .map(done),
            Op::EditMailbox(account, mailbox, edit) => {
                store.edit_mailbox(account, mailbox, edit).await.map(done)
            }
            Op::DeleteMailbox(account, mailbox) => {
                store.delete_mailbox(account, mailbox).await.map(done)
            }
            Op::RestoreMailbox(account, mailbox) => store
                .restore_mailbox(account, mailbox)
                .await
                .map(Outcome::Name),
            Op::Deliver(body, local, queue) => {
                let body = body.to_store(store).await?;
                store
                    .deliver(body, deliveries(&local), queue)
                    .await
                    .map(Outcome::Delivered)
            }
            Op::Append(place, messages) => {
                let mut new = Vec::new();
                for (body, message) in messages {
                    new.push((body.to_store(store).await?, message));
                }
                store.append_in(place, new).await.map(Outcome::Appended)
            }
            Op::Copy(from, uids, to, scope) => {
                let copied = store.copy_in(from, uids, to, scope).await;
                copied.map(Outcome::Copied)
            }
            Op::Move(from, uids, to, scope) => {
                let moved = store.move_in(from, uids, to, scope).await;
                moved.map(Outcome::Copied)
            }
            Op::EditRights(account, grant, edit) => store
                .edit_rights(account, grant.mailbox, grant.grantee, edit, grant.rights)
                .await
                .map(done),
            Op::ReplaceRights(account, grantee, rights) => store
                .replace_rights(account, grantee, rights)
                .await
                .map(done),
            Op::EditScript(account, edit) => store.edit_script(account, edit).await.map(done),
            Op::EditFlags(place, uids, edit, names, since) => {
                let edited = store.edit_flags_in(place, uids, edit, names, since).await;
                edited.map(Outcome::Edited)
            }
            Op::Expunge(account, mailbox, uids, only_deleted) => {
                let gone = store.expunge(account, mailbox, uids, only_deleted).await;
                gone.map(|(uids, modseq)| Outcome::Expunged(uids, modseq))
            }
            Op::Restore(account, mailbox, uids) => store
                .restore(account, mailbox, uids)
                .await
                .map(Outcome::Appended),
            Op::QueueUpdate(id, entry, report) => {
                let mut reports = Vec::new();
                if let Some((body, local, queue)) = report {
                    reports.push((body.to_store(store).await?, deliveries(&local), queue));
                }
                store.queue_update(id, entry, reports).await.map(done)
            }
        }
    }

    /// What the store chose when it ran the operation, looked up there afterwards.
    pub fn adopt(&self, store: &Store, model: &Model) -> Result<Adopted, Error> {
        let mut adopted = Adopted::default();
        match self {
            Op::CreateAccount(address, _) => {
                let all = store.accounts()?;
                let own = all.iter().find(|account| account.address == *address);
                adopted.account = own.map(|account| account.id);
                if let Some(id) = adopted.account {
                    adopted.mailboxes = store.mailboxes(id)?;
                }
            }
            Op::CreateMailbox(account, ..)
            | Op::RenameMailbox(account, ..)
            | Op::RestoreMailbox(account, ..)
                if model.accounts.contains_key(account) =>
            {
                adopted.mailboxes = store.mailboxes(*account)?;
            }
            Op::Deliver(_, _, queue) | Op::QueueUpdate(_, _, Some((_, _, queue))) => {
                adopted.queue = queue_ids(store, model, queue)?;
            }
            _ => {}
        }
        Ok(adopted)
    }

    pub fn on_model(
        &self,
        model: &mut Model,
        adopted: &Adopted,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let given = || -> Given {
            let all = adopted.mailboxes.iter();
            all.map(|m| (m.name.clone(), (m.id, m.uid_validity)))
                .collect()
        };
        match self {
            Op::CreateDomain(name) => model.create_domain(name, now).map(done),
            Op::RemoveDomain(name) => model.remove_domain(name).map(done),
            Op::SetCatchAll(name, account) => model.set_catch_all(name, *account).map(done),
            Op::SetAddress(address, target) => model.set_address(address, target.clone()).map(done),
            Op::RemoveAddress(address) => model.remove_address(address).map(done),
            Op::CreateAccount(address, quota) => {
                if model.addresses.contains_key(address) {
                    return Err(Error::Exists);
                }
                let id = adopted.account.ok_or(Error::NoSuchAccount)?;
                let new = new_account(address, *quota);
                let made = model.create_account(&new, id, &adopted.mailboxes, now);
                made.map(|()| Outcome::Account(id))
            }
            Op::EditAccount(account, edit) => model.edit_account(*account, edit, now).map(done),
            Op::EraseAccount(account) => model.erase_account(*account, now).map(done),
            Op::CreateMailbox(account, name, special) => {
                let made = model.create_mailbox(*account, name, *special, &given(), now);
                made.map(Outcome::Mailbox)
            }
            Op::RenameMailbox(account, mailbox, name) => model
                .rename_mailbox(*account, *mailbox, name, &given(), now)
                .map(done),
            Op::EditMailbox(account, mailbox, edit) => {
                model.edit_mailbox(*account, *mailbox, edit, now).map(done)
            }
            Op::DeleteMailbox(account, mailbox) => {
                model.delete_mailbox(*account, *mailbox, now).map(done)
            }
            Op::RestoreMailbox(account, mailbox) => {
                let found = adopted.mailboxes.iter().find(|found| found.id == *mailbox);
                let name = found.map(|found| found.name.clone()).unwrap_or_default();
                let back = model.restore_mailbox(*account, *mailbox, &name, &given(), now);
                back.map(|()| Outcome::Name(name))
            }
            Op::Deliver(body, local, queue) => {
                let done = model.deliver(&body.to_model(), local, queue, &adopted.queue, now);
                done.map(Outcome::Delivered)
            }
            Op::Append(place, messages) => {
                let new: Vec<_> = messages
                    .iter()
                    .map(|(body, new)| (body.to_model(), new.clone()))
                    .collect();
                model.append(*place, &new, now).map(Outcome::Appended)
            }
            Op::Copy(from, uids, to, scope) => model
                .copy(*from, uids, *to, *scope, now)
                .map(Outcome::Copied),
            Op::Move(from, uids, to, scope) => model
                .move_messages(*from, uids, *to, *scope, now)
                .map(Outcome::Copied),
            Op::EditRights(account, grant, edit) => {
                model.edit_rights(*account, *grant, *edit, now).map(done)
            }
            Op::ReplaceRights(account, grantee, rights) => model
                .replace_rights(*account, *grantee, *rights, now)
                .map(done),
            Op::EditScript(account, edit) => model.edit_script(*account, edit.clone()).map(done),
            Op::EditFlags(place, uids, edit, names, since) => {
                let edited = model.edit_flags(*place, uids, *edit, names, *since, now);
                edited.map(Outcome::Edited)
            }
            Op::Expunge(account, mailbox, uids, only_deleted) => {
                let gone = model.expunge(*account, *mailbox, uids.as_ref(), *only_deleted, now);
                gone.map(|(uids, modseq)| Outcome::Expunged(uids, modseq))
            }
            Op::Restore(account, mailbox, uids) => model
                .restore(*account, *mailbox, uids, now)
                .map(Outcome::Appended),
            Op::QueueUpdate(id, entry, report) => {
                let mut reports = Vec::new();
                if let Some((body, local, queue)) = report {
                    let ids = adopted.queue.clone();
                    reports.push((body.to_model(), local.clone(), queue.clone(), ids));
                }
                model
                    .queue_update(*id, entry.as_ref(), &reports, now)
                    .map(done)
            }
        }
    }
}

/// What the store was free to choose.
#[derive(Clone, Debug, Default)]
pub struct Adopted {
    account: Option<AccountId>,
    mailboxes: Vec<Mailbox>,
    queue: Vec<QueueId>,
}

fn done((): ()) -> Outcome {
    Outcome::Done
}

/// Every new queue entry has a domain of its own, so its id can be looked up.
fn queue_ids(store: &Store, model: &Model, new: &[NewQueueEntry]) -> Result<Vec<QueueId>, Error> {
    let mut ids = Vec::new();
    for new in new {
        let filter = QueueFilter {
            domain: Some(new.domain.clone()),
            held: None,
        };
        let found = store.queue_list(&filter, None, 10)?;
        assert!(
            found.len() <= 1,
            "one entry, {} times: {found:?}",
            found.len()
        );
        let found = found.first().map(|entry| entry.id);
        ids.extend(found.filter(|id| !model.queue.contains_key(id)));
    }
    Ok(ids)
}
