//! What commands do to real mail: deleted messages come back, waiting mail is held and dropped.

use rustix::process::Signal;
use serde_json::Value;

use super::running::{Client, Demo, free_offset};
use super::support::{ENGLISH, Ran, run};

#[test]
fn deleted_mail_comes_back_and_waiting_mail_obeys() {
    let offset = free_offset(43_000);
    let mut demo = Demo::start(offset, &["--json", "--insecure-plaintext"]);
    let ready: Value = serde_json::from_str(&demo.line()).unwrap();
    let data = ready["data"].as_str().unwrap();
    let password = ready["accounts"][0]["password"].as_str().unwrap();
    let ask = |arguments: &[&str]| run(ENGLISH, &[arguments, &["--json", "--data", data]].concat());
    restore(offset + 110, password, &ask);
    queue(offset + 587, password, &ask);
    trace(&ask);
    demo.stop(Signal::TERM);
}

fn restore(port: u16, password: &str, ask: &dyn Fn(&[&str]) -> Ran) {
    let mut pop3 = Client::connect(port);
    pop3.say("USER alice@example.test", "+OK");
    pop3.say(&format!("PASS {password}"), "+OK");
    pop3.say("DELE 1", "+OK");
    pop3.say("QUIT", "+OK");
    let deleted = ask(&["mailbox", "deleted", "alice@example.test"]).json();
    assert_eq!(
        deleted["messages"].as_array().unwrap().len(),
        1,
        "{deleted}"
    );
    assert_eq!(deleted["messages"][0]["subject"], "Bienvenue à bord");
    assert_eq!(deleted["messages"][0]["mailbox"], "INBOX");
    let uid = deleted["messages"][0]["uid"].to_string();
    let wrong = [
        "mailbox",
        "restore",
        "alice@example.test",
        "INBOX",
        "--uids",
        "999",
    ];
    assert_eq!(ask(&wrong).error()["error"], "nothing_to_restore");
    let right = [
        "mailbox",
        "restore",
        "alice@example.test",
        "inbox",
        "--uids",
        &uid,
    ];
    let restored = ask(&right).json();
    assert_eq!(restored["restored"], "messages");
    assert_eq!(restored["messages"], 1);
    let mailboxes = ask(&["mailbox", "list", "alice@example.test"]).json();
    assert_eq!(mailboxes[0]["name"], "INBOX");
    assert_eq!(mailboxes[0]["messages"], 5);
}

fn queue(port: u16, password: &str, ask: &dyn Fn(&[&str]) -> Ran) {
    let mut smtp = Client::connect(port);
    smtp.say("EHLO client.example.test", "250 ");
    smtp.say("AUTH LOGIN", "334 ");
    smtp.say(&base64("alice@example.test"), "334 ");
    smtp.say(&base64(password), "235 ");
    smtp.say("MAIL FROM:<alice@example.test>", "250 ");
    smtp.say("RCPT TO:<carol@elsewhere.example>", "250 ");
    smtp.say("RCPT TO:<dave@[192.0.2.1]>", "250 ");
    smtp.say("DATA", "354 ");
    smtp.say("From: alice@example.test\r\n\r\nBonjour.\r\n.", "250 ");
    smtp.say("QUIT", "221 ");
    // Both are tried at once and stay: nothing leaves the machine.
    let tried = |entries: &Value| {
        let entries = entries.as_array().unwrap();
        entries.len() == 2 && entries.iter().all(|entry| entry["attempts"] == 1)
    };
    let mut entries = Value::Null;
    for _ in 0..2_000 {
        entries = ask(&["queue", "list"]).json();
        if tried(&entries) {
            break;
        }
    }
    assert!(tried(&entries), "{entries}");
    let held = ask(&["queue", "hold", "--all"]).json();
    assert_eq!(held.as_array().unwrap().len(), 2);
    let id = entries[0]["id"].to_string();
    ask(&["queue", "release", &id]).json();
    assert_eq!(
        ask(&["queue", "list", "--held"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let found = ask(&["queue", "list", "--domain", "elsewhere.example"]).json();
    assert_eq!(
        found[0]["recipients"][0]["address"],
        "carol@elsewhere.example"
    );
    let ids: Vec<String> = [0, 1].map(|n| entries[n]["id"].to_string()).to_vec();
    ask(&["queue", "drop", &ids[0], &ids[1]]).json();
    assert_eq!(ask(&["queue", "list"]).json(), serde_json::json!([]));
}

/// What `queue` sent, and what became of it.
fn trace(ask: &dyn Fn(&[&str]) -> Ran) {
    let found = ask(&["trace", "Carol@elsewhere.example"]).json();
    let messages = found["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{found}");
    let events = messages[0]["events"].as_array().unwrap();
    assert_eq!(events[0]["event"], "accepted");
    assert_eq!(events[0]["door"], "submission");
    assert_eq!(events[0]["from"], "alice@example.test");
    let way = &events[0]["recipients"][0];
    assert_eq!(way["to"], "carol@elsewhere.example");
    assert_eq!(way["here"], false);
    let tried = events.iter().filter(|event| event["event"] == "tried");
    assert!(tried.count() >= 1, "{found}");
    let id = events[0]["message_id"].as_str().unwrap();
    assert!(id.ends_with("@mail.example.test>"), "{id}");
    let same = ask(&["trace", id]).json();
    assert_eq!(same["messages"].as_array().unwrap().len(), 1);
    let bob = ask(&["trace", id, "--for", "bob@example.test"]).json();
    assert_eq!(bob["messages"], serde_json::json!([]));
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * n) & 63) as usize];
            encoded.push(if n > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    encoded
}
