//! Alice and Bob. Made once for a data directory: their passwords stay in a file beside the store, since
//! the demo must be able to show them again. A real server never keeps a password.

use std::path::Path;
use std::sync::Arc;

use facteur_server::admin::generate_password;
use facteur_server::auth::make_credentials;
use facteur_store::{AccountEdit, AddressTarget, Credentials, Error, NewAccount, Store};
use serde_json::{Value, json};

use crate::certificate::write_file;
use crate::language::language_code;
use crate::output::Failure;
use crate::texts::{self, t};

use super::messages;

const DOMAIN: &str = "example.test";
const NAMES: [(&str, &str); 2] = [
    ("alice@example.test", "Alice Martin"),
    ("bob@example.test", "Bob Durand"),
];
const PASSWORD_FILE: &str = "demo.json";

#[derive(Clone, Debug)]
pub struct Person {
    pub address: String,
    pub password: String,
}

/// Makes whoever is missing, with `samples` in their mailboxes.
pub async fn ready(store: &Store, data: &Path, samples: bool) -> Result<Vec<Person>, Failure> {
    let failure = |error: Error| Failure::new("demo", t(texts::DEMO_FAILED)).because(error);
    match store.create_domain(DOMAIN).await {
        Ok(()) | Err(Error::Exists) => {}
        Err(error) => return Err(failure(error)),
    }
    let file = data.join(PASSWORD_FILE);
    let known = read(&file);
    let mut people = Vec::new();
    let mut new = Vec::new();
    for (address, display_name) in NAMES {
        let kept = known.iter().find(|person| person.address == address);
        let person = kept.cloned().unwrap_or_else(|| Person {
            address: address.to_owned(),
            password: generate_password(store.clock().as_ref()),
        });
        match store.address(address).map_err(failure)? {
            Some(AddressTarget::Account(id)) if kept.is_none() => {
                let credentials = Some(credentials(store, &person.password).await?);
                let edit = AccountEdit {
                    credentials,
                    ..AccountEdit::default()
                };
                store.edit_account(id, edit).await.map_err(failure)?;
            }
            Some(_) => {}
            None => {
                let account = NewAccount {
                    address: address.to_owned(),
                    display_name: display_name.to_owned(),
                    credentials: credentials(store, &person.password).await?,
                    quota_bytes: None,
                    language: language_code().to_owned(),
                };
                new.push((
                    address,
                    store.create_account(account).await.map_err(failure)?,
                ));
            }
        }
        people.push(person);
    }
    write_file(&file, &text(&people), 0o600)?;
    if samples {
        messages::deliver(store, &new).await.map_err(failure)?;
    }
    Ok(people)
}

async fn credentials(store: &Store, password: &str) -> Result<Credentials, Failure> {
    let clock = Arc::clone(store.clock());
    let password = password.to_owned();
    let made = tokio::task::spawn_blocking(move || make_credentials(clock.as_ref(), &password));
    made.await
        .map_err(|error| Failure::new("demo", t(texts::DEMO_FAILED)).because(error))
}

/// Nothing when the file is missing or not ours.
fn read(file: &Path) -> Vec<Person> {
    let text = std::fs::read(file).unwrap_or_default();
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let list = value.as_array().into_iter().flatten();
    let person = |entry: &Value| {
        Some(Person {
            address: entry.get("address")?.as_str()?.to_owned(),
            password: entry.get("password")?.as_str()?.to_owned(),
        })
    };
    list.filter_map(person).collect()
}

fn text(people: &[Person]) -> String {
    let list = people.iter().map(Person::json).collect();
    Value::Array(list).to_string()
}

impl Person {
    pub fn json(&self) -> Value {
        json!({ "address": self.address, "password": self.password })
    }
}
