//! Groups: one address with its own mailboxes, reached by its members from their own accounts.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use facteur_imap::acl::Rights;
use facteur_store::{Account, AccountEdit, AccountKind, Credentials, Grantee, NewAccount, Store};
use serde::{Deserialize, Serialize};

use super::accounts::{find_account, known_language, must_be_local};
use super::error::{ApiError, Code};
use super::extract::{Json, Path, Query, Removal, present};
use super::limits::GROUP_MEMBERS_MAX;
use super::names::normalise_address;
use super::{Answer, State, blocking, rfc3339};
use crate::Context;
use crate::groups::{self, ANYONE, Member, Posting, Role};

#[derive(Serialize)]
struct GroupView {
    address: String,
    display_name: String,
    /// When it was removed; it is erased after the retention time.
    removed: Option<String>,
    quota_bytes: Option<u64>,
    used_bytes: u64,
    messages: u64,
    /// Who may write to it: "anybody", "domain" or "members".
    posting: &'static str,
    members: Vec<MemberView>,
    /// What a manager gave in single mailboxes to who is no member.
    grants: Vec<GrantView>,
}

#[derive(Serialize)]
struct GrantView {
    mailbox: String,
    /// An address, or "anyone".
    to: String,
    /// The letters of RFC 4314.
    rights: String,
}

#[derive(Serialize)]
struct MemberView {
    address: String,
    role: &'static str,
    send_as: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    address: String,
    #[serde(default)]
    display_name: String,
    quota_bytes: Option<u64>,
    language: Option<String>,
    #[serde(default)]
    members: Vec<NewMember>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// Without a domain: in the group's.
    address: String,
    role: String,
    #[serde(default)]
    send_as: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Membership {
    role: String,
    #[serde(default)]
    send_as: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    display_name: Option<String>,
    /// Absent: as it is. `null`: no quota.
    #[serde(default, deserialize_with = "present")]
    quota_bytes: Option<Option<u64>>,
    posting: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/groups", get(list).post(add))
        .route("/v1/groups/{address}", get(show).patch(edit).delete(remove))
        .route("/v1/groups/{address}/restore", post(restore))
        .route(
            "/v1/groups/{address}/members/{member}",
            put(set_member).delete(remove_member),
        )
}

async fn list(context: State) -> Answer<Vec<GroupView>> {
    let context = Arc::clone(&context);
    let groups = blocking(move || {
        let accounts = context.store.accounts()?.into_iter();
        accounts
            .filter(|account| account.kind == AccountKind::Group)
            .map(|group| view(&context.store, group))
            .collect()
    });
    Ok(axum::Json(groups.await?))
}

async fn add(context: State, Json(new): Json<New>) -> Answer<GroupView> {
    let address = normalise_address(&new.address)
        .ok_or_else(|| ApiError::new(Code::BadAddress).because(&new.address))?;
    must_be_local(&context.store, &address)?;
    let language = match new.language {
        Some(language) => known_language(language)?,
        None => context.config.language.clone(),
    };
    if new.members.len() > GROUP_MEMBERS_MAX {
        return Err(ApiError::new(Code::BadRequest)
            .because(format!("a group has at most {GROUP_MEMBERS_MAX} members")));
    }
    // All of them are looked up before anything is made.
    let members: Vec<Member> = new
        .members
        .iter()
        .map(|member| {
            let who = person(&context.store, &address, &member.address)?;
            membership(&who, &member.role, member.send_as)
        })
        .collect::<Result<_, _>>()?;
    let group = NewAccount {
        address: address.clone(),
        display_name: new.display_name,
        credentials: Credentials::default(),
        quota_bytes: new.quota_bytes,
        language,
    };
    context.store.create_group(group).await?;
    let group = find(&context.store, &address)?;
    for member in members {
        groups::set_member(&context.store, &group, member).await?;
    }
    tracing::info!(address, "group added");
    one(&context, &address)
}

async fn show(context: State, Path(address): Path<String>) -> Answer<GroupView> {
    let group = find(&context.store, &address)?;
    one(&context, &group.address)
}

async fn edit(
    context: State,
    Path(address): Path<String>,
    Json(edit): Json<Edit>,
) -> Answer<GroupView> {
    let group = find(&context.store, &address)?;
    let posting = edit.posting.as_deref().map(|name| {
        Posting::from_name(name).ok_or_else(|| {
            let rules = "posting is \"anybody\", \"domain\" or \"members\"";
            ApiError::new(Code::BadRequest).because(rules)
        })
    });
    let posting = posting.transpose()?;
    let edit = AccountEdit {
        display_name: edit.display_name,
        quota_bytes: edit.quota_bytes,
        ..AccountEdit::default()
    };
    context.store.edit_account(group.id, edit).await?;
    if let Some(rule) = posting {
        groups::set_posting(&context.store, group.id, rule).await?;
        tracing::info!(
            address = group.address,
            posting = rule.name(),
            "group edited"
        );
    }
    one(&context, &group.address)
}

async fn remove(
    context: State,
    Path(address): Path<String>,
    Query(removal): Query<Removal>,
) -> Answer<GroupView> {
    let group = find(&context.store, &address)?;
    if removal.erase {
        let gone = view(&context.store, group.clone())?;
        context.store.erase_account(group.id).await?;
        let derived = Arc::clone(&context);
        blocking(move || {
            derived.catalog.forget(group.id)?;
            derived.strangers.forget(group.id);
            Ok(derived.junk.forget(group.id)?)
        })
        .await?;
        tracing::info!(address = group.address, "group erased");
        return Ok(axum::Json(gone));
    }
    set_removed(&context, &group, true).await?;
    tracing::info!(address = group.address, "group removed");
    one(&context, &group.address)
}

async fn restore(context: State, Path(address): Path<String>) -> Answer<GroupView> {
    let group = find(&context.store, &address)?;
    set_removed(&context, &group, false).await?;
    tracing::info!(address = group.address, "group brought back");
    one(&context, &group.address)
}

async fn set_removed(context: &Context, group: &Account, removed: bool) -> Result<(), ApiError> {
    let edit = AccountEdit {
        removed: Some(removed),
        ..AccountEdit::default()
    };
    Ok(context.store.edit_account(group.id, edit).await?)
}

async fn set_member(
    context: State,
    Path((address, who)): Path<(String, String)>,
    Json(new): Json<Membership>,
) -> Answer<GroupView> {
    let group = find(&context.store, &address)?;
    let who = person(&context.store, &group.address, &who)?;
    let before = groups::members(&context.store, group.id)?;
    let is_new = !before.iter().any(|member| member.account == who.id);
    if is_new && before.len() >= GROUP_MEMBERS_MAX {
        return Err(ApiError::new(Code::OverLimit)
            .because(format!("a group has at most {GROUP_MEMBERS_MAX} members")));
    }
    let member = membership(&who, &new.role, new.send_as)?;
    groups::set_member(&context.store, &group, member).await?;
    tracing::info!(
        address = group.address,
        member = who.address,
        role = new.role,
        "member set"
    );
    one(&context, &group.address)
}

async fn remove_member(
    context: State,
    Path((address, who)): Path<(String, String)>,
) -> Answer<GroupView> {
    let group = find(&context.store, &address)?;
    let who = person(&context.store, &group.address, &who)?;
    if !groups::remove_member(&context.store, &group, who.id).await? {
        return Err(ApiError::new(Code::NoSuchMember));
    }
    tracing::info!(
        address = group.address,
        member = who.address,
        "member removed"
    );
    one(&context, &group.address)
}

fn find(store: &Store, address: &str) -> Result<Account, ApiError> {
    let address = normalise_address(address)
        .ok_or_else(|| ApiError::new(Code::BadAddress).because(address))?;
    let found = find_account(store, &address).map_err(|error| match error.code() {
        Code::NoSuchAccount => ApiError::new(Code::NoSuchGroup),
        _ => error,
    })?;
    match found.kind {
        AccountKind::Group => Ok(found),
        AccountKind::Person => Err(ApiError::new(Code::NoSuchGroup)),
    }
}

/// A person by an address of theirs; without a domain, in that of the group.
fn person(store: &Store, group: &str, written: &str) -> Result<Account, ApiError> {
    let domain = group.rsplit_once('@').map_or("", |(_, domain)| domain);
    let whole = match written.contains('@') {
        true => written.to_owned(),
        false => format!("{written}@{domain}"),
    };
    let address = normalise_address(&whole)
        .ok_or_else(|| ApiError::new(Code::BadAddress).because(written))?;
    let found = find_account(store, &address);
    match found {
        Ok(account) if account.kind == AccountKind::Person => Ok(account),
        Ok(_) => Err(ApiError::new(Code::NoSuchAccount).because(address)),
        Err(error) => Err(error.because(address)),
    }
}

fn membership(who: &Account, role: &str, send_as: bool) -> Result<Member, ApiError> {
    let role = Role::from_name(role).ok_or_else(|| {
        ApiError::new(Code::BadRequest).because("a role is \"read\", \"write\" or \"manage\"")
    })?;
    Ok(Member {
        account: who.id,
        role,
        send_as,
    })
}

fn one(context: &Context, address: &str) -> Answer<GroupView> {
    let group = find(&context.store, address)?;
    Ok(axum::Json(view(&context.store, group)?))
}

fn view(store: &Store, group: Account) -> Result<GroupView, ApiError> {
    let mut members = Vec::new();
    let all = groups::members(store, group.id)?;
    let posting = groups::posting(store, group.id)?.name();
    let grants = grants(store, &group, &all)?;
    for member in all {
        if let Some(account) = store.account(member.account)? {
            members.push(MemberView {
                address: account.address,
                role: member.role.name(),
                send_as: member.send_as,
            });
        }
    }
    Ok(GroupView {
        address: group.address,
        display_name: group.display_name,
        removed: group.removed.map(rfc3339),
        quota_bytes: group.quota_bytes,
        used_bytes: group.used_bytes,
        messages: group.messages,
        posting,
        members,
        grants,
    })
}

fn grants(store: &Store, group: &Account, members: &[Member]) -> Result<Vec<GrantView>, ApiError> {
    let mut found = Vec::new();
    for grant in store.grants(group.id)? {
        let Some(mailbox) = grant.mailbox else {
            continue;
        };
        let to = match grant.grantee {
            Grantee::Anyone => Some(ANYONE.to_owned()),
            Grantee::Account(id) if members.iter().any(|member| member.account == id) => None,
            Grantee::Account(id) => store.account(id)?.map(|account| account.address),
        };
        let (Some(to), Some(mailbox)) = (to, store.mailbox(group.id, mailbox)?) else {
            continue;
        };
        found.push(GrantView {
            mailbox: mailbox.name,
            to,
            rights: String::from_utf8_lossy(&Rights(grant.rights.0).plain()).into_owned(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use facteur_sim::{SimDisk, VirtualClock};
    use facteur_store::{
        AccountId, Credentials, Grantee, NewAccount, Options, Rights, RightsEdit, Store,
    };

    use super::view;
    use crate::groups::{self, Member, Role};

    fn new(address: &str) -> NewAccount {
        NewAccount {
            address: address.to_owned(),
            display_name: String::new(),
            credentials: Credentials::default(),
            quota_bytes: None,
            language: "en".to_owned(),
        }
    }

    async fn give(store: &Store, group: AccountId, to: Grantee, rights: Rights) {
        let sent = store.mailbox_by_name(group, "Sent").unwrap().unwrap();
        let set = RightsEdit::Set;
        let given = store.edit_rights(group, Some(sent.id), to, set, rights);
        given.await.unwrap();
    }

    #[tokio::test]
    async fn what_managers_gave_to_others_is_shown() {
        let disk = Arc::new(SimDisk::new(1));
        let clock = Arc::new(VirtualClock::new(1));
        let (store, _) = Store::open(disk, clock, Options::default()).unwrap();
        store.create_domain("example.test").await.unwrap();
        let group = store.create_group(new("sales@example.test")).await.unwrap();
        let alice = store.create_account(new("alice@example.test")).await;
        let bob = store.create_account(new("bob@example.test")).await.unwrap();
        let alice = alice.unwrap();
        let sales = store.account(group).unwrap().unwrap();
        let member = Member {
            account: alice,
            role: Role::Read,
            send_as: false,
        };
        groups::set_member(&store, &sales, member).await.unwrap();
        let to_alice = Grantee::Account(alice);
        give(&store, group, to_alice, Rights::INSERT).await;
        let reads = Rights::LOOKUP.and(Rights::READ);
        give(&store, group, Grantee::Account(bob), reads).await;
        give(&store, group, Grantee::Anyone, Rights::LOOKUP).await;
        let shown = serde_json::to_value(view(&store, sales).unwrap()).unwrap();
        let grants = serde_json::json!([
            { "mailbox": "Sent", "to": "anyone", "rights": "l" },
            { "mailbox": "Sent", "to": "bob@example.test", "rights": "lr" },
        ]);
        assert_eq!(shown["grants"], grants);
    }
}
