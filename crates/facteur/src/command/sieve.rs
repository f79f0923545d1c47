//! `facteur sieve …`

use std::io::Read;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::{flag, items, number, table_or, text};
use crate::arguments::Sieve;
use crate::client::{Client, segment};
use crate::language::language_code;
use crate::output::{Failure, Outcome, Output, size};
use crate::texts::{self, fill, t};

/// Bytes of a file that are read; more is refused by the server's limit anyway.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub async fn run(client: &Client, command: Sieve) -> Outcome {
    match command {
        Sieve::List { address } => {
            let path = path(&address, "scripts");
            let scripts = client.call(Method::GET, &path, None, &address).await?;
            let shown = overview(&scripts);
            Ok(Output::new(scripts, shown))
        }
        Sieve::Show { address, name } => {
            let path = script_path(&address, &name);
            let script = client.call(Method::GET, &path, None, &name).await?;
            let shown = script.get("script").and_then(Value::as_str);
            let shown = shown.unwrap_or_default().trim_end().to_owned();
            Ok(Output::new(script, shown))
        }
        Sieve::Put {
            address,
            name,
            file,
            activate,
        } => {
            let script = read(&file)?;
            checked(client, &script, &file).await?;
            let body = Some(json!({ "script": script, "activate": activate }));
            let path = script_path(&address, &name);
            let put = client.call(Method::PUT, &path, body, &name).await?;
            let done = if flag(&put, "active") {
                texts::SCRIPT_PUT_ACTIVE
            } else {
                texts::SCRIPT_PUT
            };
            let sentence = fill(done, &[&text(&put, "name")]);
            Ok(Output::new(put, sentence))
        }
        Sieve::Activate { address, name } => {
            let body = Some(json!({ "name": name }));
            let path = path(&address, "active-script");
            let subject = name.clone().unwrap_or_else(|| address.clone());
            let active = client.call(Method::PUT, &path, body, &subject).await?;
            let sentence = match &name {
                Some(_) => fill(texts::SCRIPT_ACTIVE, &[&text(&active, "active")]),
                None => t(texts::SCRIPT_NONE_ACTIVE).to_owned(),
            };
            Ok(Output::new(active, sentence))
        }
        Sieve::Remove { address, name } => {
            let path = script_path(&address, &name);
            let gone = client.call(Method::DELETE, &path, None, &name).await?;
            let sentence = fill(texts::SCRIPT_REMOVED, &[&text(&gone, "name")]);
            Ok(Output::new(gone, sentence))
        }
        Sieve::Check { file } => {
            let script = read(&file)?;
            let answer = checked(client, &script, &file).await?;
            let sentence = fill(texts::SCRIPT_VALID, &[&file.display()]);
            Ok(Output::new(answer, sentence))
        }
    }
}

fn path(address: &str, rest: &str) -> String {
    format!("/v1/accounts/{}/{rest}", segment(address))
}

fn script_path(address: &str, name: &str) -> String {
    format!("{}/{}", path(address, "scripts"), segment(name))
}

/// A file, or standard input for "-".
fn read(file: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        let stdin = std::io::stdin().lock();
        stdin.take(FILE_BYTES_MAX).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
    };
    let unreadable = || fill(texts::SCRIPT_UNREADABLE, &[&file.display()]);
    read.map_err(|error| Failure::new("unreadable", unreadable()).because(error))?;
    String::from_utf8(bytes)
        .map_err(|error| Failure::new("unreadable", unreadable()).because(error))
}

/// Fails with the line and the reason in the user's language.
async fn checked(client: &Client, script: &str, file: &Path) -> Result<Value, Failure> {
    let body = Some(json!({ "script": script }));
    let subject = file.display().to_string();
    let answer = client
        .call(Method::POST, "/v1/sieve/check", body, &subject)
        .await?;
    if flag(&answer, "valid") {
        return Ok(answer);
    }
    let reason = match language_code() {
        "fr" => text(&answer, "french"),
        _ => text(&answer, "english"),
    };
    let sentence = fill(texts::SCRIPT_BAD, &[&subject, &reason]);
    Err(Failure::new("bad_script", sentence))
}

fn overview(scripts: &Value) -> String {
    let head = [
        t(texts::COLUMN_SCRIPT),
        t(texts::COLUMN_SIZE),
        t(texts::COLUMN_ACTIVE),
    ];
    let rows: Vec<Vec<String>> = items(scripts)
        .iter()
        .map(|script| {
            let active = if flag(script, "active") { "*" } else { "" };
            vec![
                text(script, "name"),
                size(number(script, "size")),
                active.to_owned(),
            ]
        })
        .collect();
    table_or(texts::SCRIPT_NONE, &head, &rows)
}
