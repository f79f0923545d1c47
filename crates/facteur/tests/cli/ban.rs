//! `facteur ban` and `account release` on a store that nothing else has open: each command is another
//! start, so what one does the next one finds.

use serde_json::json;

use super::support::Site;

#[test]
fn by_hand() {
    let site = Site::new();
    assert_eq!(site.json(&["ban", "list"]), json!([]));
    let ban = site.json(&["ban", "add", "192.0.2.7", "--hours", "48"]);
    assert_eq!(ban["reason"], "by_hand");
    assert!(ban["until"].is_string());
    let ban = site.json(&["ban", "add", "2001:db8::7"]);
    assert_eq!(ban["address"], "2001:db8::");
    assert_eq!(ban["until"], json!(null));
    let bans = site.json(&["ban", "list"]);
    assert_eq!(bans.as_array().map(Vec::len), Some(2));
    let table = site.run(&["ban", "list"]).out;
    assert!(table.contains("by the administrator"), "{table}");
    assert!(table.contains("until it is lifted"), "{table}");
    let table = site.in_french(&["ban", "list"]).out;
    assert!(table.contains("par l'administrateur"), "{table}");
    assert!(table.contains("jusqu'à nouvel ordre"), "{table}");
    site.json(&["ban", "lift", "192.0.2.7"]);
    let bans = site.json(&["ban", "list"]);
    assert_eq!(bans[0]["address"], "2001:db8::");
    for (arguments, code) in [
        (["ban", "lift", "192.0.2.7"], "no_such_ban"),
        (["ban", "add", "mail.example.org"], "bad_ip"),
        (["ban", "add", "127.0.0.1"], "own_address"),
        (["ban", "add", "::1"], "own_address"),
    ] {
        assert_eq!(site.error(&arguments)["error"], code, "{arguments:?}");
    }
}

#[test]
fn an_account_is_let_go() {
    let site = Site::new();
    let released = site.json(&["account", "release", "alice@example.test"]);
    assert_eq!(
        released,
        json!({ "address": "alice@example.test", "released": 0 })
    );
}
