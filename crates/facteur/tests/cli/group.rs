//! `group …` on a store that nothing else has open.

use serde_json::{Value, json};

use super::support::Site;

fn members(group: &Value) -> Vec<(String, String, bool)> {
    let members = group["members"].as_array().unwrap().iter();
    members
        .map(|member| {
            (
                member["address"].as_str().unwrap().to_owned(),
                member["role"].as_str().unwrap().to_owned(),
                member["send_as"].as_bool().unwrap(),
            )
        })
        .collect()
}

fn member(name: &str, role: &str, send_as: bool) -> (String, String, bool) {
    (format!("{name}@example.test"), role.to_owned(), send_as)
}

fn site() -> Site {
    let site = Site::new();
    site.json(&["account", "add", "bob@example.test"]);
    site
}

#[test]
fn a_group_and_its_members() {
    let site = site();
    let added = site.json(&[
        "group",
        "add",
        "Sales@example.test",
        "--member",
        "alice:write",
        "--member",
        "bob@example.test:read",
        "--send-as",
        "--quota",
        "1 GiB",
    ]);
    assert_eq!(added["address"], "sales@example.test");
    assert_eq!(added["quota_bytes"], json!(1_u64 << 30));
    assert_eq!(
        members(&added),
        [member("alice", "write", true), member("bob", "read", false)]
    );
    let set = ["group", "member", "set", "sales@example.test", "bob:manage"];
    let changed = site.json(&set);
    assert_eq!(
        members(&changed),
        [
            member("alice", "write", true),
            member("bob", "manage", false)
        ]
    );
    let gone = site.json(&["group", "member", "remove", "sales@example.test", "alice"]);
    assert_eq!(members(&gone), [member("bob", "manage", false)]);
    let quota = site.json(&["group", "quota", "sales@example.test"]);
    assert_eq!(quota["quota_bytes"], Value::Null);
    let all = site.json(&["group", "list"]);
    assert_eq!(all.as_array().unwrap().len(), 1);
    // A group is not among the people, and its mailboxes are there to be looked after.
    let people = site.json(&["account", "list"]);
    let addresses = people.as_array().unwrap().iter();
    assert!(
        addresses
            .map(|one| &one["address"])
            .all(|one| one != "sales@example.test")
    );
    let mailboxes = site.json(&["mailbox", "list", "sales@example.test"]);
    assert_eq!(mailboxes.as_array().unwrap().len(), 6);
    assert_eq!(site.run(&["store", "verify"]).code, Some(0));
    let removed = site.json(&["group", "remove", "sales@example.test"]);
    assert!(removed["removed"].is_string());
    let back = site.json(&["group", "restore", "sales@example.test"]);
    assert_eq!(back["removed"], Value::Null);
    assert_eq!(members(&back), [member("bob", "manage", false)]);
    site.json(&["group", "remove", "sales@example.test", "--erase"]);
    assert_eq!(site.json(&["group", "list"]), json!([]));
    assert_eq!(site.run(&["store", "verify"]).code, Some(0));
}

#[test]
fn what_a_group_is_refused() {
    let site = site();
    site.json(&["group", "add", "sales@example.test"]);
    for (arguments, code) in [
        (vec!["group", "add", "sales@example.test"], "exists"),
        (vec!["group", "add", "bob@example.test"], "exists"),
        (vec!["group", "add", "x@elsewhere.test"], "no_such_domain"),
        (
            vec!["group", "add", "x@example.test", "--member", "nobody:read"],
            "no_such_account",
        ),
        (
            vec!["group", "add", "x@example.test", "--member", "sales:read"],
            "no_such_account",
        ),
        (
            vec!["group", "add", "x@example.test", "--member", "bob:rule"],
            "bad_member",
        ),
        (
            vec!["group", "add", "x@example.test", "--quota", "much"],
            "bad_size",
        ),
        (vec!["group", "show", "bob@example.test"], "no_such_group"),
        (vec!["group", "show", "x@example.test"], "no_such_group"),
        (
            vec!["group", "member", "remove", "sales@example.test", "bob"],
            "no_such_member",
        ),
        // Nobody logs in to a group.
        (
            vec!["account", "passwd", "sales@example.test"],
            "no_such_account",
        ),
        (
            vec!["account", "show", "sales@example.test"],
            "no_such_account",
        ),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
    }
    let groups = site.json(&["group", "list"]);
    assert_eq!(groups.as_array().unwrap().len(), 1, "{groups}");
}

#[test]
fn both_languages() {
    let site = site();
    let add = [
        "group",
        "add",
        "sales@example.test",
        "--member",
        "bob:write",
        "--send-as",
    ];
    let ran = site.run(&add);
    let said = "Group sales@example.test is there. Members: bob@example.test (writes, sends as it)";
    assert!(ran.out.contains(said), "{ran:?}");
    let ran = site.in_french(&["group", "show", "sales@example.test"]);
    let said = "bob@example.test (écrit, envoie sous son nom)";
    assert!(ran.out.contains(said), "{ran:?}");
}
