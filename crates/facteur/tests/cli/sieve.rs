//! `sieve …` on a store that nothing else has open.

use serde_json::json;

use super::support::Site;

const SCRIPT: &str = "require \"fileinto\";\nif true { fileinto \"Archive\"; }\n";

#[test]
fn scripts_are_kept_and_one_is_active() {
    let site = Site::new();
    let alice = "alice@example.test";
    let file = site.path("filter.sieve");
    std::fs::write(&file, SCRIPT).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(site.json(&["sieve", "list", alice]), json!([]));
    assert_eq!(site.json(&["sieve", "check", file])["valid"], true);
    let put = site.json(&["sieve", "put", alice, "main", file]);
    assert_eq!(put["active"], false);
    let other = site.json(&["sieve", "put", alice, "été", file, "--activate"]);
    assert_eq!(other["active"], true);
    let shown = site.json(&["sieve", "show", alice, "main"]);
    assert_eq!(shown["script"], SCRIPT);
    site.json(&["sieve", "activate", alice, "main"]);
    assert_eq!(
        site.json(&["sieve", "list", alice]),
        json!([
            { "name": "main", "size": SCRIPT.len(), "active": true },
            { "name": "été", "size": SCRIPT.len(), "active": false },
        ])
    );
    let active = ["sieve", "remove", alice, "main"];
    assert_eq!(site.error(&active)["error"], "in_use");
    let none = site.json(&["sieve", "activate", alice]);
    assert_eq!(none["active"], json!(null));
    site.json(&["sieve", "remove", alice, "main"]);
    for (arguments, code) in [
        (vec!["sieve", "show", alice, "main"], "no_such_script"),
        (vec!["sieve", "activate", alice, "main"], "no_such_script"),
        (vec!["sieve", "remove", alice, "main"], "no_such_script"),
        (vec!["sieve", "list", "x@example.test"], "no_such_account"),
        (vec!["sieve", "check", "/nonexistent/x"], "unreadable"),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
    }
}

#[test]
fn what_is_wrong_is_told_in_both_languages() {
    let site = Site::new();
    let file = site.path("bad.sieve");
    std::fs::write(&file, "keep;\nfrob;\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        vec!["sieve", "check", file],
        vec!["sieve", "put", "alice@example.test", "main", file],
    ] {
        let error = site.error(&arguments);
        assert_eq!(error["error"], "bad_script");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.ends_with("line 2: there is no command 'frob'"),
            "{message}"
        );
        let french = site.in_french(&arguments);
        assert_ne!(french.code, Some(0));
        assert!(
            french
                .err
                .contains("ligne 2 : la commande 'frob' n'existe pas"),
            "{}",
            french.err
        );
    }
    let list = site.json(&["sieve", "list", "alice@example.test"]);
    assert_eq!(list, json!([]));
}
