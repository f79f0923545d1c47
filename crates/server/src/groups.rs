//! Groups: accounts that nobody logs in to, and whose members reach them from their own.
//!
//! A member's rights are those in the group's whole tree (RFC 4314's letters, and send-as).

use facteur_store::{
    Account, AccountId, AccountKind, Error, Grantee, MailboxId, Place, Rights, RightsEdit, Store,
};

/// Where the mailboxes of groups and of other people are found.
pub const SHARED: &str = "Shared/";
pub const OTHERS: &str = "Users/";
/// RFC 4314 §2: everybody with an account here.
pub const ANYONE: &str = "anyone";
/// An address may hold the separator of levels, a level may not.
pub const NOT_A_SEPARATOR: char = '\u{2215}';

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read, and know what oneself has read.
    Read,
    /// All that one may do at home.
    Write,
    /// Also say who may do what, and how much room there is.
    Manage,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Read, Role::Write, Role::Manage];

    pub fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Write => "write",
            Role::Manage => "manage",
        }
    }

    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    pub fn rights(self) -> Rights {
        match self {
            Role::Read => Rights::LOOKUP.and(Rights::READ).and(Rights::SEEN),
            Role::Write => Rights::ALL.without(Rights::ADMINISTER),
            Role::Manage => Rights::ALL,
        }
    }

    /// The largest role of which all rights are there.
    fn of(rights: Rights) -> Role {
        let mut roles = Role::ALL.into_iter().rev();
        roles
            .find(|role| rights.contains(role.rights()))
            .unwrap_or(Role::Read)
    }
}

/// Who may write to a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Posting {
    #[default]
    Anybody,
    /// Who has an account in the group's domain, and is known to be that person.
    Domain,
    Members,
}

/// An annotation of the group's account, which no mail program reaches: nobody logs in to it.
const POSTING: &str = "/shared/vendor/facteur/posting";

impl Posting {
    pub const ALL: [Posting; 3] = [Posting::Anybody, Posting::Domain, Posting::Members];

    pub fn name(self) -> &'static str {
        match self {
            Posting::Anybody => "anybody",
            Posting::Domain => "domain",
            Posting::Members => "members",
        }
    }

    pub fn from_name(name: &str) -> Option<Posting> {
        Posting::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

pub fn posting(store: &Store, group: AccountId) -> Result<Posting, Error> {
    let entries = store.metadata(group, None)?;
    let rule = entries.iter().find(|(name, _)| name == POSTING);
    let rule = rule.and_then(|(_, value)| Posting::from_name(std::str::from_utf8(value).ok()?));
    Ok(rule.unwrap_or_default())
}

pub async fn set_posting(store: &Store, group: AccountId, rule: Posting) -> Result<(), Error> {
    let value = match rule {
        Posting::Anybody => None,
        Posting::Domain | Posting::Members => Some(rule.name().as_bytes().to_vec()),
    };
    let edit = vec![(POSTING.to_owned(), value)];
    store.set_metadata(group, None, edit).await
}

/// Whether the account takes mail from that person; `None`: we don't know who it is.
pub fn takes_mail_from(
    store: &Store,
    account: AccountId,
    sender: Option<AccountId>,
) -> Result<bool, Error> {
    let Some(account) = store.account(account)? else {
        return Ok(true);
    };
    if account.kind != AccountKind::Group {
        return Ok(true);
    }
    let Some(sender) = sender else {
        return Ok(posting(store, account.id)? == Posting::Anybody);
    };
    match posting(store, account.id)? {
        Posting::Anybody => Ok(true),
        _ if sender == account.id => Ok(true),
        Posting::Members => {
            let members = members(store, account.id)?;
            Ok(members.iter().any(|member| member.account == sender))
        }
        Posting::Domain => {
            let domain = |address: &str| address.rsplit_once('@').map(|(_, d)| d.to_owned());
            let sender = store.account(sender)?;
            let sender = sender.and_then(|sender| domain(&sender.address));
            Ok(sender.is_some() && sender == domain(&account.address))
        }
    }
}

/// Somebody in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub account: AccountId,
    pub role: Role,
    pub send_as: bool,
}

pub fn members(store: &Store, group: AccountId) -> Result<Vec<Member>, Error> {
    let grants = store.grants(group)?.into_iter();
    Ok(grants
        .filter(|grant| grant.mailbox.is_none())
        .filter_map(|grant| match grant.grantee {
            Grantee::Anyone => None,
            Grantee::Account(account) => Some(Member {
                account,
                role: Role::of(grant.rights),
                send_as: grant.rights.contains(Rights::SEND_AS),
            }),
        })
        .collect())
}

/// Makes somebody a member, or another kind of one. Who is new is subscribed to the group's
/// mailboxes: many programs show only those. Another role is all that a member has from then on:
/// what a manager gave away in single mailboxes goes.
pub async fn set_member(store: &Store, group: &Account, member: Member) -> Result<(), Error> {
    let before = members(store, group.id)?;
    let before = before.iter().find(|old| old.account == member.account);
    if before.is_none() {
        let prefix = prefix(group);
        for mailbox in store.mailboxes(group.id)? {
            let name = format!("{prefix}{}", mailbox.name);
            match store.subscribe_name(member.account, &name).await {
                // What can't be subscribed to is there all the same.
                Ok(()) | Err(Error::Exists | Error::TooManyMailboxes) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let mut rights = member.role.rights();
    if member.send_as {
        rights = rights.and(Rights::SEND_AS);
    }
    if before.is_some_and(|old| old.role != member.role) {
        return store.replace_rights(group.id, member.account, rights).await;
    }
    let grantee = Grantee::Account(member.account);
    store
        .edit_rights(group.id, None, grantee, RightsEdit::Set, rights)
        .await
}

/// Takes every right in the group's mailboxes away. False: nobody was one.
pub async fn remove_member(
    store: &Store,
    group: &Account,
    member: AccountId,
) -> Result<bool, Error> {
    let before = members(store, group.id)?;
    if !before.iter().any(|old| old.account == member) {
        return Ok(false);
    }
    store.replace_rights(group.id, member, Rights::NONE).await?;
    let prefix = prefix(group);
    for name in store.subscriptions_without_mailbox(member)? {
        if name.starts_with(&prefix) {
            store.unsubscribe_name(member, &name).await?;
        }
    }
    Ok(true)
}

/// Whether somebody may send from the addresses of an account.
pub fn may_send_as(store: &Store, who: AccountId, account: AccountId) -> Result<bool, Error> {
    if who == account {
        return Ok(true);
    }
    let is_group = |account: Account| {
        account.kind == AccountKind::Group && account.removed.is_none() && !account.disabled
    };
    if !store.account(account)?.is_some_and(is_group) {
        return Ok(false);
    }
    let members = members(store, account)?;
    Ok(members
        .iter()
        .any(|member| member.account == who && member.send_as))
}

/// What stands in front of the names of another account's mailboxes.
pub fn prefix(account: &Account) -> String {
    let root = match account.kind {
        AccountKind::Group => SHARED,
        AccountKind::Person => OTHERS,
    };
    let label: String = account
        .address
        .chars()
        .map(|c| if c == '/' { NOT_A_SEPARATOR } else { c })
        .collect();
    format!("{root}{label}/")
}

/// The place that stands for an account's whole tree.
pub(crate) fn tree(account: AccountId, viewer: AccountId) -> Place {
    Place {
        account,
        mailbox: MailboxId(0),
        viewer,
    }
}
