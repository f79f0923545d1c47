//! `facteur account …`

use hyper::Method;
use serde_json::{Value, json};

use super::{flag, items, number, quota_bytes, table_or, text, texts_of};
use crate::arguments::Account;
use crate::client::{Client, segment};
use crate::language::language_code;
use crate::output::{Outcome, Output, size, table};
use crate::password;
use crate::texts::{self, Text, fill, t};

pub async fn run(client: &Client, command: Account) -> Outcome {
    match command {
        Account::Add {
            address,
            name,
            quota,
            language,
            password,
        } => {
            let body = json!({
                "address": address,
                "display_name": name.unwrap_or_default(),
                "password": password::read(password)?,
                "quota_bytes": quota.as_deref().map(quota_bytes).transpose()?,
                "language": language.as_deref().unwrap_or(language_code()),
            });
            let added = client
                .call(Method::POST, "/v1/accounts", Some(body), &address)
                .await?;
            let sentence = told(texts::ACCOUNT_ADDED, &added);
            Ok(Output::new(added, sentence))
        }
        Account::List => list(client).await,
        Account::Show { address } => {
            let account = client
                .call(Method::GET, &path(&address, ""), None, &address)
                .await?;
            let shown = card(&account);
            Ok(Output::new(account, shown))
        }
        Account::Release { address } => {
            let released = client
                .call(Method::POST, &path(&address, "/release"), None, &address)
                .await?;
            let count = number(&released, "released");
            let who = text(&released, "address");
            let sentence = fill(texts::ACCOUNT_RELEASED, &[&who, &count]);
            Ok(Output::new(released, sentence))
        }
        Account::Passwd { address, password } => {
            let body = json!({ "password": password::read(password)? });
            let path = path(&address, "/password");
            let account = client
                .call(Method::PUT, &path, Some(body), &address)
                .await?;
            let sentence = told(texts::ACCOUNT_PASSWD, &account);
            Ok(Output::new(account, sentence))
        }
        Account::Disable { address } => {
            let body = Some(json!({ "disabled": true }));
            change(
                client,
                Method::PATCH,
                &address,
                "",
                body,
                texts::ACCOUNT_DISABLED,
            )
            .await
        }
        Account::Enable { address } => {
            let body = Some(json!({ "disabled": false }));
            change(
                client,
                Method::PATCH,
                &address,
                "",
                body,
                texts::ACCOUNT_ENABLED,
            )
            .await
        }
        Account::Remove { address, erase } => {
            let (query, done) = if erase {
                ("?erase=true", texts::ACCOUNT_ERASED)
            } else {
                ("", texts::ACCOUNT_REMOVED)
            };
            change(client, Method::DELETE, &address, query, None, done).await
        }
        Account::Restore { address } => {
            let done = texts::ACCOUNT_RESTORED;
            change(client, Method::POST, &address, "/restore", None, done).await
        }
    }
}

async fn change(
    client: &Client,
    method: Method,
    address: &str,
    rest: &str,
    body: Option<Value>,
    done: Text,
) -> Outcome {
    let account = client
        .call(method, &path(address, rest), body, address)
        .await?;
    let sentence = fill(done, &[&text(&account, "address")]);
    Ok(Output::new(account, sentence))
}

async fn list(client: &Client) -> Outcome {
    let accounts = client.call(Method::GET, "/v1/accounts", None, "").await?;
    let head = [
        t(texts::COLUMN_ADDRESS),
        t(texts::COLUMN_NAME),
        t(texts::COLUMN_MESSAGES),
        t(texts::COLUMN_SIZE),
        t(texts::COLUMN_STATE),
    ];
    let rows: Vec<Vec<String>> = items(&accounts)
        .iter()
        .map(|account| {
            vec![
                text(account, "address"),
                text(account, "display_name"),
                number(account, "messages").to_string(),
                size(number(account, "used_bytes")),
                state(account).to_owned(),
            ]
        })
        .collect();
    let shown = table_or(texts::ACCOUNT_NONE, &head, &rows);
    Ok(Output::new(accounts, shown))
}

fn path(address: &str, rest: &str) -> String {
    format!("/v1/accounts/{}{rest}", segment(address))
}

fn state(account: &Value) -> &'static str {
    if account
        .get("removed")
        .is_some_and(|removed| !removed.is_null())
    {
        t(texts::STATE_REMOVED)
    } else if flag(account, "disabled") {
        t(texts::STATE_DISABLED)
    } else {
        t(texts::STATE_ACTIVE)
    }
}

/// The sentence, and the password when it was generated: the only time it is shown.
fn told(done: Text, account: &Value) -> String {
    let sentence = fill(done, &[&text(account, "address")]);
    match account.get("password").and_then(Value::as_str) {
        Some(password) => format!("{sentence}\n{}", fill(texts::PASSWORD_ONCE, &[&password])),
        None => sentence,
    }
}

fn card(account: &Value) -> String {
    let quota = account.get("quota_bytes").and_then(Value::as_u64);
    let lines = [
        (texts::COLUMN_ADDRESS, text(account, "address")),
        (texts::COLUMN_NAME, text(account, "display_name")),
        (texts::COLUMN_ALSO, texts_of(account, "also")),
        (texts::COLUMN_STATE, state(account).to_owned()),
        (
            texts::COLUMN_CLIENT_FAULTS,
            texts_of(account, "client_faults"),
        ),
        (texts::COLUMN_LANGUAGE, text(account, "language")),
        (
            texts::COLUMN_MESSAGES,
            number(account, "messages").to_string(),
        ),
        (texts::COLUMN_SIZE, size(number(account, "used_bytes"))),
        (
            texts::COLUMN_QUOTA,
            quota.map_or_else(|| "-".to_owned(), size),
        ),
    ];
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|(name, value)| vec![t(name).to_owned(), value])
        .collect();
    table(&[t(texts::COLUMN_ACCOUNT), ""], &rows)
}
