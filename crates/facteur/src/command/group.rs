//! `facteur group …`

use hyper::Method;
use serde_json::{Value, json};

use super::{flag, items, list, number, quota_bytes, table_or, text};
use crate::arguments::{Group, GroupMember};
use crate::client::{Client, segment};
use crate::language::language_code;
use crate::output::{Failure, Outcome, Output, safe, size, table};
use crate::texts::{self, Text, fill, t};

/// Reading is not enough to send in a group's name.
const READER: &str = "read";

pub async fn run(client: &Client, command: Group) -> Outcome {
    match command {
        Group::Add {
            address,
            name,
            quota,
            language,
            members,
            send_as,
        } => {
            let body = json!({
                "address": address,
                "display_name": name.unwrap_or_default(),
                "quota_bytes": quota.as_deref().map(quota_bytes).transpose()?,
                "language": language.as_deref().unwrap_or(language_code()),
                "members": members
                    .iter()
                    .map(|member| new_member(member, send_as))
                    .collect::<Result<Vec<_>, _>>()?,
            });
            let added = client
                .call(Method::POST, "/v1/groups", Some(body), &address)
                .await?;
            let sentence = fill(
                texts::GROUP_ADDED,
                &[&text(&added, "address"), &members_of(&added)],
            );
            Ok(Output::new(added, sentence))
        }
        Group::List => all(client).await,
        Group::Show { address } => {
            let group = client
                .call(Method::GET, &path(&address, ""), None, &address)
                .await?;
            let shown = card(&group);
            Ok(Output::new(group, shown))
        }
        Group::Remove { address, erase } => {
            let (query, done) = if erase {
                ("?erase=true", texts::GROUP_ERASED)
            } else {
                ("", texts::GROUP_REMOVED)
            };
            change(client, Method::DELETE, &address, query, None, done).await
        }
        Group::Restore { address } => {
            let done = texts::GROUP_RESTORED;
            change(client, Method::POST, &address, "/restore", None, done).await
        }
        Group::Quota { address, quota } => {
            let bytes = quota.as_deref().map(quota_bytes).transpose()?;
            let body = Some(json!({ "quota_bytes": bytes }));
            let done = texts::GROUP_QUOTA_SET;
            change(client, Method::PATCH, &address, "", body, done).await
        }
        Group::Posting { address, who } => {
            if !["anybody", "domain", "members"].contains(&who.as_str()) {
                let sentence = fill(texts::BAD_POSTING, &[&safe(&who)]);
                return Err(Failure::new("bad_posting", sentence));
            }
            let body = json!({ "posting": who });
            let rest = path(&address, "");
            let group = client
                .call(Method::PATCH, &rest, Some(body), &address)
                .await?;
            let sentence = fill(
                texts::GROUP_POSTING_SET,
                &[&text(&group, "address"), &posting(&group)],
            );
            Ok(Output::new(group, sentence))
        }
        Group::Member(command) => member(client, command).await,
    }
}

async fn member(client: &Client, command: GroupMember) -> Outcome {
    match command {
        GroupMember::Set {
            address,
            member,
            send_as,
        } => {
            let (who, role) = parts(&member)?;
            let rest = format!("/members/{}", segment(who));
            let body = json!({ "role": role, "send_as": send_as });
            let done = texts::GROUP_MEMBERS;
            change(client, Method::PUT, &address, &rest, Some(body), done).await
        }
        GroupMember::Remove { address, member } => {
            let rest = format!("/members/{}", segment(&member));
            let done = texts::GROUP_MEMBERS;
            change(client, Method::DELETE, &address, &rest, None, done).await
        }
    }
}

/// `alice:write`; the address may hold anything but the last colon.
fn parts(member: &str) -> Result<(&str, &str), Failure> {
    let parts = member.rsplit_once(':');
    let parts =
        parts.filter(|(who, role)| !who.is_empty() && ["read", "write", "manage"].contains(role));
    parts.ok_or_else(|| Failure::new("bad_member", fill(texts::BAD_MEMBER, &[&member])))
}

fn new_member(member: &str, send_as: bool) -> Result<Value, Failure> {
    let (who, role) = parts(member)?;
    let send_as = send_as && role != READER;
    Ok(json!({ "address": who, "role": role, "send_as": send_as }))
}

async fn change(
    client: &Client,
    method: Method,
    address: &str,
    rest: &str,
    body: Option<Value>,
    done: Text,
) -> Outcome {
    let group = client
        .call(method, &path(address, rest), body, address)
        .await?;
    let sentence = fill(done, &[&text(&group, "address"), &members_of(&group)]);
    Ok(Output::new(group, sentence))
}

async fn all(client: &Client) -> Outcome {
    let groups = client.call(Method::GET, "/v1/groups", None, "").await?;
    let head = [
        t(texts::COLUMN_ADDRESS),
        t(texts::COLUMN_NAME),
        t(texts::COLUMN_MEMBERS),
        t(texts::COLUMN_MESSAGES),
        t(texts::COLUMN_SIZE),
        t(texts::COLUMN_STATE),
    ];
    let rows: Vec<Vec<String>> = items(&groups)
        .iter()
        .map(|group| {
            vec![
                text(group, "address"),
                text(group, "display_name"),
                list(group, "members").len().to_string(),
                number(group, "messages").to_string(),
                size(number(group, "used_bytes")),
                state(group).to_owned(),
            ]
        })
        .collect();
    let shown = table_or(texts::GROUP_NONE, &head, &rows);
    Ok(Output::new(groups, shown))
}

fn path(address: &str, rest: &str) -> String {
    format!("/v1/groups/{}{rest}", segment(address))
}

fn state(group: &Value) -> &'static str {
    match group.get("removed").is_some_and(|at| !at.is_null()) {
        true => t(texts::STATE_REMOVED),
        false => t(texts::STATE_ACTIVE),
    }
}

/// Who may write to it, in words.
fn posting(group: &Value) -> &'static str {
    match group.get("posting").and_then(Value::as_str) {
        Some("domain") => t(texts::POSTING_DOMAIN),
        Some("members") => t(texts::POSTING_MEMBERS),
        _ => t(texts::POSTING_ANYBODY),
    }
}

/// Everybody with what they may do, in one line.
fn members_of(group: &Value) -> String {
    let members: Vec<String> = list(group, "members").iter().map(member_of).collect();
    match members.is_empty() {
        true => t(texts::GROUP_NOBODY).to_owned(),
        false => members.join(", "),
    }
}

fn member_of(member: &Value) -> String {
    let role = match member.get("role").and_then(Value::as_str) {
        Some("write") => t(texts::ROLE_WRITE),
        Some("manage") => t(texts::ROLE_MANAGE),
        _ => t(texts::ROLE_READ),
    };
    let address = safe(&text(member, "address"));
    match flag(member, "send_as") {
        true => format!("{address} ({role}, {})", t(texts::ROLE_SEND_AS)),
        false => format!("{address} ({role})"),
    }
}

fn card(group: &Value) -> String {
    let quota = group.get("quota_bytes").and_then(Value::as_u64);
    let mut lines = vec![
        (t(texts::COLUMN_ADDRESS), text(group, "address")),
        (t(texts::COLUMN_NAME), text(group, "display_name")),
        (t(texts::COLUMN_STATE), state(group).to_owned()),
        (
            t(texts::COLUMN_MESSAGES),
            number(group, "messages").to_string(),
        ),
        (t(texts::COLUMN_SIZE), size(number(group, "used_bytes"))),
        (
            t(texts::COLUMN_QUOTA),
            quota.map_or_else(|| "-".to_owned(), size),
        ),
    ];
    lines.push((t(texts::COLUMN_POSTING), posting(group).to_owned()));
    for member in list(group, "members") {
        lines.push((t(texts::COLUMN_MEMBER), member_of(member)));
    }
    for grant in list(group, "grants") {
        let (mailbox, to) = (text(grant, "mailbox"), text(grant, "to"));
        let shown = format!(
            "{}: {} ({})",
            safe(&mailbox),
            safe(&to),
            text(grant, "rights")
        );
        lines.push((t(texts::COLUMN_GRANT), shown));
    }
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    table(&[t(texts::COLUMN_GROUP), ""], &rows)
}
