//! Every IMAP command is tried in a mailbox of somebody else, without rights and with few
//! (`transcripts/imap/refused-*.txt`); a new command that is not fails here. What has no right there
//! must look as if nothing were there.

use std::path::{Path, PathBuf};

/// Commands that name no mailbox and need none.
const ELSEWHERE: [&str; 13] = [
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "ID",
    "STARTTLS",
    "AUTHENTICATE",
    "LOGIN",
    "LANGUAGE",
    "ENABLE",
    "UNAUTHENTICATE",
    "IDLE",
    "COMPRESS",
    "NAMESPACE",
];

fn transcript(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/imap");
    std::fs::read_to_string(path.join(name)).unwrap()
}

/// Bob's commands without their tags, each with what was answered, without the tag too.
fn dialogue(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut tag = String::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("C[bob]: ") {
            let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
            let is_tag = word.len() == 2 && word.ends_with(|c: char| c.is_ascii_digit());
            if is_tag || word == "a" {
                tag = format!("{word} ");
                found.push((rest.to_owned(), Vec::new()));
            }
        } else if let (Some(answer), Some(last)) = (line.strip_prefix("S[bob]: "), found.last_mut())
        {
            let answer = answer.strip_prefix(tag.as_str()).unwrap_or(answer);
            last.1.push(answer.to_owned());
        }
    }
    found
}

#[test]
fn every_command_is_tried_without_rights() {
    for name in [
        "refused-none.txt",
        "refused-l.txt",
        "refused-lr.txt",
        "refused-lrs.txt",
    ] {
        let dialogue = dialogue(&transcript(name));
        for command in facteur_imap::command::names() {
            let is_it = |(line, _): &(String, Vec<String>)| {
                line.split_whitespace().any(|word| word == command)
            };
            let tried = dialogue.iter().any(is_it);
            assert!(
                tried || ELSEWHERE.contains(&command),
                "{name}: {command} is not tried in a mailbox of somebody else"
            );
        }
    }
}

#[test]
fn without_rights_nothing_is_there() {
    let dialogue = dialogue(&transcript("refused-none.txt"));
    let mut compared = 0;
    for (line, answers) in &dialogue {
        if !line.contains("Absent") {
            continue;
        }
        let there = line.replace("Absent", "Plans");
        let (_, other) = dialogue.iter().find(|(other, _)| *other == there).unwrap();
        let as_absent: Vec<String> = other.iter().map(|a| a.replace("Plans", "Absent")).collect();
        assert_eq!(answers, &as_absent, "{line}");
        compared += 1;
    }
    assert!(compared > 25, "only {compared} commands");
}
