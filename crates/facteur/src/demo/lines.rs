//! What the demo prints: for people, lines to paste; for programs, one object.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::people::Person;
use crate::texts::{self, Text, fill, t};

#[derive(Debug)]
pub struct Shown {
    pub ports: Vec<(&'static str, u16)>,
    pub authority: PathBuf,
    pub data: PathBuf,
    pub kept: bool,
    pub people: Vec<Person>,
}

pub fn json(shown: &Shown) -> Value {
    let ports = shown.ports.iter();
    let ports: Map<String, Value> = ports
        .map(|(name, port)| ((*name).to_owned(), json!(port)))
        .collect();
    json!({
        "ready": true,
        "host": "127.0.0.1",
        "ports": ports,
        "ca": shown.authority,
        "data": shown.data,
        "accounts": shown.people.iter().map(Person::json).collect::<Vec<_>>(),
    })
}

pub fn text(shown: &Shown) -> String {
    let data = if shown.kept {
        texts::DEMO_DATA_KEPT
    } else {
        texts::DEMO_DATA
    };
    let ports: Vec<String> = shown
        .ports
        .iter()
        .map(|(name, port)| format!("{name} {port}"))
        .collect();
    let mut lines = vec![
        t(texts::DEMO_HEAD).to_owned(),
        String::new(),
        labelled(texts::DEMO_PORTS, &ports.join(", ")),
        labelled(texts::DEMO_CA, &shown.authority.display().to_string()),
        labelled(data, &shown.data.display().to_string()),
    ];
    for person in &shown.people {
        let password = format!("{} {}", t(texts::DEMO_PASSWORD), person.password);
        lines.push(format!("  {:<30} {password}", person.address));
    }
    lines.push(String::new());
    lines.push(t(texts::DEMO_TRY).to_owned());
    lines.extend(commands(shown));
    lines.push(String::new());
    if let Some(alice) = shown.people.first() {
        let (imaps, submissions) = (port(shown, "imaps"), port(shown, "submissions"));
        let words = [
            &alice.address as &dyn std::fmt::Display,
            &imaps,
            &submissions,
        ];
        lines.push(fill(texts::DEMO_THUNDERBIRD, &words));
        lines.push(String::new());
    }
    lines.join("\n")
}

fn labelled(label: Text, value: &str) -> String {
    format!("  {:<30} {value}", t(label))
}

fn port(shown: &Shown, name: &str) -> u16 {
    let found = shown.ports.iter().find(|(have, _)| *have == name);
    found.map_or(0, |(_, port)| *port)
}

/// Each after a comment that says what it does.
fn commands(shown: &Shown) -> Vec<String> {
    let [alice, bob, ..] = shown.people.as_slice() else {
        return Vec::new();
    };
    let ca = quoted(&shown.authority.display().to_string());
    let port = |name| port(shown, name);
    let login = format!("-u {}:{}", alice.address, alice.password);
    let commands = [
        (
            texts::DEMO_READ,
            format!(
                "curl --cacert {ca} {login} 'imaps://localhost:{}/INBOX;MAILINDEX=1'",
                port("imaps")
            ),
        ),
        (
            texts::DEMO_LIST,
            format!(
                "curl --cacert {ca} {login} pop3s://localhost:{}/",
                port("pop3s")
            ),
        ),
        (
            texts::DEMO_SEND,
            format!(
                "printf 'From: {from}\\r\\nTo: {to}\\r\\nSubject: Bonjour\\r\\n\\r\\nBonjour !\\r\\n' | curl --cacert {ca} {login} smtps://localhost:{port} --mail-from {from} --mail-rcpt {to} -T -",
                from = alice.address,
                to = bob.address,
                port = port("submissions"),
            ),
        ),
        (
            texts::DEMO_SEND,
            format!(
                "swaks --server localhost --port {port} --tls --auth PLAIN --auth-user {from} --auth-password {password} --from {from} --to {to}",
                port = port("submission"),
                from = alice.address,
                password = alice.password,
                to = bob.address,
            ),
        ),
        (
            texts::DEMO_OPEN,
            format!(
                "mutt -F /dev/null -e 'set certificate_file={} imap_user={} imap_pass={}' -f imaps://localhost:{}/INBOX",
                shown.authority.display(),
                bob.address,
                bob.password,
                port("imaps"),
            ),
        ),
    ];
    let lines = commands
        .into_iter()
        .flat_map(|(what, command)| [format!("  # {}", t(what)), format!("  {command}")]);
    lines.collect()
}

/// For a shell, when there is need.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        let person = |name: &str| Person {
            address: format!("{name}@example.test"),
            password: "secret".to_owned(),
        };
        Shown {
            ports: vec![("smtp", 20_025), ("imaps", 20_993)],
            authority: "/a b/authority.pem".into(),
            data: "/a b".into(),
            kept: true,
            people: vec![person("alice"), person("bob")],
        }
    }

    #[test]
    fn the_object_has_the_agreed_shape() {
        assert_eq!(
            json(&shown()),
            json!({
                "ready": true,
                "host": "127.0.0.1",
                "ports": { "smtp": 20025, "imaps": 20993 },
                "ca": "/a b/authority.pem",
                "data": "/a b",
                "accounts": [
                    { "address": "alice@example.test", "password": "secret" },
                    { "address": "bob@example.test", "password": "secret" },
                ],
            })
        );
    }

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert!(text(&shown()).contains("--cacert '/a b/authority.pem'"));
    }
}
