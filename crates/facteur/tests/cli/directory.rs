//! `alias …`, `domain …`, `mailbox …` and `queue …` on a store that nothing else has open.

use super::support::Site;

#[test]
fn aliases() {
    let site = Site::new();
    site.json(&["account", "add", "bob@example.test"]);
    let own = site.json(&["alias", "add", "sales@example.test", "alice@example.test"]);
    assert_eq!(own["own"], true);
    let list = [
        "alias",
        "add",
        "team@example.test",
        "alice@example.test",
        "bob@example.test",
        "x@elsewhere.test",
    ];
    let many = site.json(&list);
    assert_eq!(many["own"], false);
    assert_eq!(many["targets"].as_array().unwrap().len(), 3);
    assert_eq!(
        site.json(&["account", "show", "alice@example.test"])["also"],
        serde_json::json!([
            "abuse@example.test",
            "postmaster@example.test",
            "sales@example.test"
        ])
    );
    site.json(&["alias", "remove", "team@example.test"]);
    for (arguments, code) in [
        (
            vec!["alias", "remove", "team@example.test"],
            "no_such_address",
        ),
        (vec!["alias", "remove", "bob@example.test"], "not_an_alias"),
        (
            vec!["alias", "add", "bob@example.test", "alice@example.test"],
            "not_an_alias",
        ),
        (
            vec!["alias", "add", "a@elsewhere.test", "alice@example.test"],
            "no_such_domain",
        ),
        (
            vec!["alias", "add", "a@example.test", "not an address"],
            "bad_address",
        ),
        (
            vec![
                "alias",
                "add",
                "a@example.test",
                "bob@example.test",
                "A@example.test",
            ],
            "alias_loop",
        ),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
    }
    site.json(&[
        "alias",
        "add",
        "one@example.test",
        "two@example.test",
        "bob@example.test",
    ]);
    site.json(&["alias", "add", "two@example.test", "three@example.test"]);
    for targets in [["one@example.test"], ["two@example.test"]] {
        let arguments = [&["alias", "add", "three@example.test"][..], &targets].concat();
        assert_eq!(site.error(&arguments)["error"], "alias_loop", "{targets:?}");
    }
}

#[test]
fn addresses_outside_are_asked() {
    let site = Site::new();
    let add = ["alias", "add", "away@example.test", "Bob@far.test"];
    assert_eq!(site.json(&add)["asked"][0], "bob@far.test");
    let states = || {
        let list = site.json(&["forward", "list"]);
        let list = list.as_array().unwrap().clone().into_iter();
        list.map(|one| format!("{} {}", one["source"], one["state"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(states(), ["\"away@example.test\" \"asked\""]);
    let queue = site.json(&["queue", "list"]);
    assert_eq!(queue.as_array().unwrap().len(), 1, "{queue}");
    site.json(&["forward", "confirm", "bob@far.test"]);
    assert_eq!(states(), ["\"away@example.test\" \"confirmed\""]);
    site.json(&["forward", "stop", "bob@far.test"]);
    assert_eq!(states(), ["\"away@example.test\" \"stopped\""]);
    let again = [&add[..], &["--confirmed"]].concat();
    assert_eq!(site.json(&again)["asked"], serde_json::json!([]));
    site.json(&["alias", "remove", "away@example.test"]);
    assert!(states().is_empty());
    let source = [
        "forward",
        "confirm",
        "x@far.test",
        "--for",
        "alice@example.test",
    ];
    site.json(&source);
    assert_eq!(states(), ["\"alice@example.test\" \"confirmed\""]);
    for (arguments, code) in [
        (
            vec!["forward", "stop", "nobody@far.test"],
            "no_such_forward",
        ),
        (vec!["forward", "confirm", "nonsense"], "bad_address"),
        (
            vec![
                "forward",
                "confirm",
                "x@far.test",
                "--for",
                "no@example.test",
            ],
            "no_such_address",
        ),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
    }
}

#[test]
fn domains() {
    let site = Site::new();
    site.json(&["domain", "add", "example.net"]);
    let set = site.json(&["domain", "catch-all", "example.net", "alice@example.test"]);
    assert_eq!(set["catch_all"], "alice@example.test");
    let none = site.json(&["domain", "catch-all", "example.net", "--none"]);
    assert!(none["catch_all"].is_null());
    assert_eq!(site.json(&["domain", "list"]).as_array().unwrap().len(), 2);
    site.json(&["domain", "remove", "example.net"]);
    for (arguments, code) in [
        (vec!["domain", "remove", "example.net"], "no_such_domain"),
        (vec!["domain", "remove", "example.test"], "in_use"),
        (vec!["domain", "add", "example.test"], "exists"),
        (vec!["domain", "add", "not a domain"], "bad_domain"),
        (
            vec!["domain", "catch-all", "example.test", "x@example.test"],
            "no_such_account",
        ),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
    }
}

#[test]
fn mailboxes_and_queue_of_a_new_site() {
    let site = Site::new();
    let mailboxes = site.json(&["mailbox", "list", "alice@example.test"]);
    let names: Vec<&str> = mailboxes
        .as_array()
        .unwrap()
        .iter()
        .map(|mailbox| mailbox["name"].as_str().unwrap())
        .collect();
    for name in ["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let deleted = site.json(&["mailbox", "deleted", "alice@example.test"]);
    assert_eq!(
        deleted,
        serde_json::json!({ "mailboxes": [], "messages": [], "more": false })
    );
    assert_eq!(site.json(&["queue", "list"]), serde_json::json!([]));
    let rebuilt = site.json(&["search", "rebuild", "alice@example.test"]);
    assert_eq!(rebuilt, serde_json::json!({ "accounts": 1 }));
    for (arguments, code) in [
        (
            vec!["mailbox", "restore", "alice@example.test", "INBOX"],
            "nothing_to_restore",
        ),
        (
            vec![
                "mailbox",
                "restore",
                "alice@example.test",
                "INBOX",
                "--uids",
                "x",
            ],
            "bad_uids",
        ),
        (vec!["mailbox", "list", "x@example.test"], "no_such_account"),
        (
            vec!["search", "rebuild", "x@example.test"],
            "no_such_account",
        ),
        (vec!["queue", "show", "7"], "no_such_queue_entry"),
        (vec!["queue", "drop", "7"], "no_such_queue_entry"),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
    }
}
