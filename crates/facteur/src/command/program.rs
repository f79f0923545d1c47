//! `facteur program …`

use hyper::Method;
use serde_json::json;

use super::{items, text, texts_of};
use crate::arguments::Program;
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, table};
use crate::texts::{self, fill, t};

pub async fn run(client: &Client, command: Program) -> Outcome {
    match command {
        Program::Add {
            name,
            from,
            user,
            hook,
            hook_private,
        } => {
            let body = json!({
                "name": name,
                "from": from,
                "user": user,
                "hook": hook,
                "hook_private": hook_private,
            });
            let added = client
                .call(Method::POST, "/v1/programs", Some(body), &name)
                .await?;
            let from = texts_of(&added, "from");
            let of = |field: &str| text(&added, field);
            let mut sentence = match of("token").as_str() {
                "" => fill(texts::PROGRAM_ADDED_USER, &[&of("user"), &from]),
                token => fill(texts::PROGRAM_ADDED_TOKEN, &[&of("name"), &from, &token]),
            };
            if !of("hook").is_empty() {
                let words = [&of("hook") as &dyn std::fmt::Display, &of("hook_secret")];
                sentence.push('\n');
                sentence.push_str(&fill(texts::PROGRAM_ADDED_HOOK, &words));
            }
            Ok(Output::new(added, sentence))
        }
        Program::List => list(client).await,
        Program::Remove { name } => {
            let path = format!("/v1/programs/{}", segment(&name));
            let gone = client.call(Method::DELETE, &path, None, &name).await?;
            let sentence = fill(texts::PROGRAM_REMOVED, &[&text(&gone, "name")]);
            Ok(Output::new(gone, sentence))
        }
    }
}

async fn list(client: &Client) -> Outcome {
    let programs = client.call(Method::GET, "/v1/programs", None, "").await?;
    let rows: Vec<Vec<String>> = items(&programs)
        .iter()
        .map(|program| {
            vec![
                text(program, "name"),
                texts_of(program, "from"),
                text(program, "user"),
                text(program, "hook"),
            ]
        })
        .collect();
    let shown = if rows.is_empty() {
        t(texts::PROGRAM_NONE).to_owned()
    } else {
        let head = [
            texts::COLUMN_PROGRAM,
            texts::COLUMN_SENDS_AS,
            texts::COLUMN_USER,
            texts::COLUMN_HOOK,
        ];
        table(&head.map(t), &rows)
    };
    Ok(Output::new(programs, shown))
}
