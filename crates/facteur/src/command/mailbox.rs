//! `facteur mailbox …`

use hyper::Method;
use serde_json::{Value, json};

use super::{flag, items, list as list_of, moment, number, text};
use crate::arguments::Mailbox;
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, size, table};
use crate::texts::{self, fill, t};

pub async fn run(client: &Client, command: Mailbox) -> Outcome {
    match command {
        Mailbox::List { address } => {
            let path = path(&address, "mailboxes");
            let mailboxes = client.call(Method::GET, &path, None, &address).await?;
            let shown = overview(&mailboxes);
            Ok(Output::new(mailboxes, shown))
        }
        Mailbox::Deleted { address, mailbox } => {
            let query = mailbox.map(|name| format!("?mailbox={}", segment(&name)));
            let path = format!("{}{}", path(&address, "deleted"), query.unwrap_or_default());
            let deleted = client.call(Method::GET, &path, None, &address).await?;
            let shown = deleted_text(&deleted);
            Ok(Output::new(deleted, shown))
        }
        Mailbox::Restore {
            address,
            mailbox,
            uids,
        } => {
            let body = Some(json!({ "mailbox": mailbox, "uids": uids }));
            let path = path(&address, "deleted/restore");
            let restored = client.call(Method::POST, &path, body, &mailbox).await?;
            let done = match text(&restored, "restored").as_str() {
                "mailbox" => texts::MAILBOX_RESTORED,
                _ => texts::MESSAGES_RESTORED,
            };
            let place = text(&restored, "mailbox");
            let sentence = fill(done, &[&place, &number(&restored, "messages")]);
            Ok(Output::new(restored, sentence))
        }
    }
}

fn path(address: &str, rest: &str) -> String {
    format!("/v1/accounts/{}/{rest}", segment(address))
}

fn overview(mailboxes: &Value) -> String {
    let head = [
        t(texts::COLUMN_MAILBOX),
        t(texts::COLUMN_MESSAGES),
        t(texts::COLUMN_UNSEEN),
        t(texts::COLUMN_SIZE),
    ];
    let rows: Vec<Vec<String>> = items(mailboxes)
        .iter()
        .map(|mailbox| {
            vec![
                text(mailbox, "name"),
                number(mailbox, "messages").to_string(),
                number(mailbox, "unseen").to_string(),
                size(number(mailbox, "size")),
            ]
        })
        .collect();
    table(&head, &rows)
}

fn deleted_text(deleted: &Value) -> String {
    let mailboxes = list_of(deleted, "mailboxes");
    let messages = list_of(deleted, "messages");
    let mut shown = String::new();
    if !mailboxes.is_empty() {
        let head = [
            t(texts::COLUMN_MAILBOX_DELETED),
            t(texts::COLUMN_MESSAGES),
            t(texts::COLUMN_DELETED),
        ];
        let rows: Vec<Vec<String>> = mailboxes
            .iter()
            .map(|mailbox| {
                vec![
                    text(mailbox, "name"),
                    number(mailbox, "messages").to_string(),
                    moment(mailbox, "deleted"),
                ]
            })
            .collect();
        shown.push_str(&table(&head, &rows));
    }
    if !messages.is_empty() {
        if !shown.is_empty() {
            shown.push('\n');
        }
        shown.push_str(&message_table(messages));
    }
    if flag(deleted, "more") {
        shown.push_str(t(texts::DELETED_MORE));
    }
    if shown.is_empty() {
        t(texts::DELETED_NONE).clone_into(&mut shown);
    }
    shown
}

fn message_table(messages: &[Value]) -> String {
    let head = [
        t(texts::COLUMN_MAILBOX),
        t(texts::COLUMN_UID),
        t(texts::COLUMN_SUBJECT),
        t(texts::COLUMN_SIZE),
        t(texts::COLUMN_DELETED),
    ];
    let rows: Vec<Vec<String>> = messages
        .iter()
        .map(|message| {
            vec![
                text(message, "mailbox"),
                number(message, "uid").to_string(),
                text(message, "subject").chars().take(60).collect(),
                size(number(message, "size")),
                moment(message, "deleted"),
            ]
        })
        .collect();
    table(&head, &rows)
}
