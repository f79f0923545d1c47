//! `account …`: what is told, what is kept, what is refused.

use super::support::Site;

#[test]
fn from_adding_to_erasing() {
    let site = Site::new();
    let added = site.json(&[
        "account",
        "add",
        "Bob@Example.test",
        "--name",
        "Bob Durand",
        "--quota",
        "2 GiB",
        "--language",
        "fr",
    ]);
    assert_eq!(added["address"], "bob@example.test");
    assert_eq!(added["display_name"], "Bob Durand");
    assert_eq!(added["quota_bytes"], 2_u64 << 30);
    assert_eq!(added["language"], "fr");
    assert_eq!(added["password"].as_str().unwrap().len(), 19);

    let listed = site.json(&["account", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let shown = site.json(&["account", "show", "bob@example.test"]);
    assert!(shown.get("password").is_none(), "{shown}");
    assert_eq!(shown["disabled"], false);

    site.json(&["account", "disable", "bob@example.test"]);
    assert_eq!(
        site.json(&["account", "show", "bob@example.test"])["disabled"],
        true
    );
    site.json(&["account", "enable", "bob@example.test"]);
    assert_eq!(
        site.json(&["account", "show", "bob@example.test"])["disabled"],
        false
    );

    let removed = site.json(&["account", "remove", "bob@example.test"]);
    assert!(removed["removed"].is_string(), "{removed}");
    let restored = site.json(&["account", "restore", "bob@example.test"]);
    assert!(restored["removed"].is_null(), "{restored}");

    site.json(&["account", "remove", "bob@example.test", "--erase"]);
    let gone = site.error(&["account", "show", "bob@example.test"]);
    assert_eq!(gone["error"], "no_such_account");
    assert!(
        gone["message"]
            .as_str()
            .unwrap()
            .contains("bob@example.test")
    );
}

#[test]
fn passwords_come_from_standard_input_or_are_made() {
    let site = Site::new();
    let add = [
        "account",
        "add",
        "carol@example.test",
        "--password-stdin",
        "--json",
    ];
    let added = site.with_input(&add, "correct horse battery\n").json();
    assert!(added.get("password").is_none(), "{added}");
    let set = [
        "account",
        "passwd",
        "carol@example.test",
        "--password-stdin",
        "--json",
    ];
    assert_eq!(
        site.with_input(&set, "short\n").error()["error"],
        "weak_password"
    );
    assert_eq!(site.with_input(&set, "").error()["error"], "no_password");
    let made = site.json(&["account", "passwd", "carol@example.test"]);
    assert_eq!(made["password"].as_str().unwrap().len(), 19);
    let shown = site.run(&["account", "passwd", "carol@example.test"]);
    assert!(shown.out.contains("shown only now:"), "{shown:?}");
}

#[test]
fn refusals_say_what_to_do() {
    let site = Site::new();
    for (arguments, code, english, french) in [
        (
            vec!["account", "add", "alice@example.test"],
            "exists",
            "exists already",
            "existe déjà",
        ),
        (
            vec!["account", "add", "x@elsewhere.test"],
            "no_such_domain",
            "domain add",
            "domain add",
        ),
        (
            vec!["account", "add", "nobody"],
            "bad_address",
            "name@example.org",
            "nom@example.org",
        ),
        (
            vec!["account", "show", "x@example.test"],
            "no_such_account",
            "account list",
            "account list",
        ),
        (
            vec!["account", "add", "y@example.test", "--quota", "big"],
            "bad_size",
            "is not a size",
            "n'est pas une taille",
        ),
        (
            vec!["account", "passwd", "alice@example.test", "--ask-password"],
            "no_terminal",
            "--password-stdin",
            "--password-stdin",
        ),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
        let ran = site.run(&arguments);
        assert!(ran.code == Some(1) && ran.err.contains(english), "{ran:?}");
        let ran = site.in_french(&arguments);
        assert!(ran.code == Some(1) && ran.err.contains(french), "{ran:?}");
    }
}
