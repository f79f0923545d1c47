//! RFC 5293: every example, and what it says beside.

use super::{A, Fake, done, error, letter, outcome, outcome_in, short};

/// The header of each edition, added fields first.
fn editions(script: &str, message: &str) -> (String, Vec<String>) {
    let script =
        format!("require [\"editheader\", \"fileinto\", \"copy\", \"variables\"]; {script}");
    let outcome = outcome(&script, message);
    let texts = outcome.editions.iter();
    let texts = texts.map(|e| String::from_utf8([&e.added[..], b"|", &e.rest].concat()).unwrap());
    (short(&outcome), texts.collect())
}

const HELLO: &str = "X-Hello: 1\r\nSubject: s\r\nX-Hello: 2\r\nx-hello:\r\n\t3\r\n\r\nBody\r\n";

/// RFC 5293 §4.
#[test]
fn not_twice_to_the_same() {
    let script = r#"
        if not header :contains "X-Sieve-Filtered"
                ["<kim@job.example.com>", "<kim@home.example.com>"]
        {
                addheader "X-Sieve-Filtered" "<kim@job.example.com>";
                redirect "kim@home.example.com";
        }"#;
    let (did, made) = editions(script, "Subject: s\r\n\r\n");
    assert_eq!(did, "redirect kim@home.example.com #1");
    assert_eq!(
        made,
        ["X-Sieve-Filtered: <kim@job.example.com>\r\n|Subject: s\r\n\r\n"]
    );
    let again = "X-Sieve-Filtered: <kim@job.example.com>\r\nSubject: s\r\n\r\n";
    assert_eq!(editions(script, again), ("keep".to_owned(), vec![]));
}

/// RFC 5293 §5 and §7.
#[test]
fn what_is_deleted() {
    let to_bob = "Delivered-To: bob@example.com\r\nDelivered-To: eve@example.com\r\n\r\n";
    let example = "deleteheader :index 1 :contains \"Delivered-To\" \"bob@example.com\";";
    for (script, message, expected) in [
        (
            example,
            to_bob,
            Some("|Delivered-To: eve@example.com\r\n\r\n"),
        ),
        // Not the first that contains it.
        (
            example,
            "Delivered-To: eve@x\r\nDelivered-To: bob@example.com\r\n\r\n",
            None,
        ),
        (
            "deleteheader \"x-hello\";",
            HELLO,
            Some("|Subject: s\r\n\r\n"),
        ),
        (
            "deleteheader :index 1 \"X-Hello\"; deleteheader :index 2 \"X-Hello\";",
            HELLO,
            Some("|Subject: s\r\nX-Hello: 2\r\n\r\n"),
        ),
        (
            "deleteheader :index 1 :last \"X-Hello\";",
            HELLO,
            Some("|X-Hello: 1\r\nSubject: s\r\nX-Hello: 2\r\n\r\n"),
        ),
        (
            "deleteheader :is \"X-Hello\" [\"2\", \"3\"];",
            HELLO,
            Some("|X-Hello: 1\r\nSubject: s\r\n\r\n"),
        ),
        ("deleteheader :index 9 \"X-Hello\";", HELLO, None),
        ("deleteheader \"X-None\";", HELLO, None),
        // What is added is deleted again.
        (
            "addheader \"X-Hello\" \"World\"; deleteheader :index 1 \"X-Hello\";",
            HELLO,
            None,
        ),
        (
            "addheader :last \"X-Hello\" \"World\"; deleteheader :index 1 :last \"X-Hello\";",
            HELLO,
            None,
        ),
        // RFC 5293 §6.
        (
            "deleteheader \"Received\"; deleteheader \"Auto-Submitted\";",
            "Received: x\r\nAuto-Submitted: y\r\n\r\n",
            None,
        ),
        (
            "deleteheader \"X-Ours\"; addheader \"x-ours\" \"x\";",
            "X-Ours: x\r\n\r\n",
            None,
        ),
        (
            "deleteheader \"Subject\"; addheader \"Subject\" \"new\";",
            HELLO,
            Some("Subject: new\r\n|X-Hello: 1\r\nX-Hello: 2\r\nx-hello:\r\n\t3\r\n\r\n"),
        ),
    ] {
        let (did, made) = editions(script, message);
        assert_eq!(made.first().map(String::as_str), expected, "{script}");
        assert_eq!(
            did,
            if expected.is_some() {
                "keep #1"
            } else {
                "keep"
            },
            "{script}"
        );
    }
}

#[test]
fn what_is_added() {
    for (script, message, expected) in [
        (
            "addheader :last \"X-A\" \"b\";",
            "Subject: s\r\n\r\nX",
            "|Subject: s\r\nX-A: b\r\n\r\n",
        ),
        (
            "addheader :last \"X-A\" \"b\";",
            "Subject: s\r\n",
            "|Subject: s\r\nX-A: b\r\n",
        ),
        (
            "addheader :last \"X-A\" \"b\";",
            "Subject: s",
            "|Subject: s\r\nX-A: b\r\n",
        ),
        (
            "addheader :last \"X-A\" \"b\";",
            "\r\nbody",
            "|X-A: b\r\n\r\n",
        ),
        (
            "addheader \"X-A\" \"1\"; addheader \"X-B\" \"2\";",
            "\r\n",
            "X-B: 2\r\nX-A: 1\r\n|\r\n",
        ),
        // No value begins a new field.
        (
            "addheader \"X-A\" \"b\r\nBcc: c@d\";",
            "\r\n",
            "X-A: b  Bcc: c@d\r\n|\r\n",
        ),
        (
            "addheader \"X-A\" \"caf\u{e9}\";",
            "\r\n",
            "X-A: =?utf-8?Q?caf=C3=A9?=\r\n|\r\n",
        ),
    ] {
        let (did, made) = editions(script, message);
        assert_eq!(
            (did.as_str(), made),
            ("keep #1", vec![expected.to_owned()]),
            "{script}"
        );
    }
}

/// RFC 5293 §7: tests see the header as it is now, and so does each action.
#[test]
fn actions_take_the_header_as_it_is_then() {
    let script = r#"addheader "X-Hello" "World";
        if header :contains "X-Hello" "World" { fileinto "international"; }"#;
    assert_eq!(editions(script, A).0, "into international #1");
    assert_eq!(
        editions("keep; addheader \"X-Flavor\" \"vanilla\"; keep;", A).0,
        "keep #1"
    );
    let (did, made) = editions(
        "fileinto :copy \"a\"; addheader \"X-A\" \"1\"; fileinto :copy \"b\"; addheader \"X-B\" \"1\"; \
         redirect :copy \"x@y.test\"; deleteheader \"X-B\"; fileinto :copy \"c\";",
        A,
    );
    assert_eq!(
        did,
        "into a, into b #1, into c #1, keep #1, redirect x@y.test #2"
    );
    assert_eq!(made.len(), 2);
    // A script that fails keeps the message as it came.
    assert_eq!(
        editions(
            "addheader \"X-A\" \"1\"; set \"x\" \"a b\"; redirect \"${x}\";",
            A
        ),
        (
            "keep, failed line 1: 'a b' is no address".to_owned(),
            vec![]
        )
    );
    let five: String = (0..5)
        .map(|n| format!("addheader \"X-A\" \"{n}\"; fileinto \"{n}\"; "))
        .collect();
    assert!(editions(&five, A).0.ends_with("too many different headers"));
}

#[test]
fn a_header_that_is_not_whole_stays() {
    let mut fake = Fake {
        editable: Some(false),
        ..Fake::default()
    };
    let script = "require \"editheader\"; addheader \"X-A\" \"b\"; deleteheader \"Subject\";";
    assert_eq!(short(&outcome_in(script, &letter(A), &mut fake)), "keep");
}

#[test]
fn what_can_not_be_a_field() {
    for (script, problem) in [
        (
            "addheader \"a:b\" \"c\";",
            "line 1: 'header' can't be 'a:b'",
        ),
        ("addheader \"\" \"c\";", "line 1: 'header' can't be ''"),
        ("deleteheader \"a b\";", "line 1: 'header' can't be 'a b'"),
        (
            "deleteheader :last \"a\";",
            "line 1: ':last' lacks its value or has one of another kind",
        ),
        (
            "deleteheader :index 0 \"a\";",
            "line 1: ':index' can't be '0'",
        ),
        (
            "addheader \"a\";",
            "line 1: 'addheader' has other arguments than these",
        ),
    ] {
        assert_eq!(error(&format!("require \"editheader\"; {script}")), problem);
    }
    assert_eq!(
        error("addheader \"a\" \"b\";"),
        "line 1: 'addheader' needs: require 'editheader';"
    );
    let named =
        "require [\"editheader\", \"variables\"]; set \"n\" \"a b\"; addheader \"${n}\" \"c\";";
    assert_eq!(
        done(named, A),
        "keep, failed line 1: the value of addheader can't be used"
    );
}
