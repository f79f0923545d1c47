//! `setup`, and the configuration that it writes.

use std::os::unix::fs::PermissionsExt;

use super::support::Site;

#[test]
fn setup_makes_everything_and_says_what_to_publish() {
    let site = Site {
        directory: tempfile::tempdir().unwrap(),
    };
    let made = site.json(&[
        "setup",
        "Exämple.test",
        "--account",
        "alice",
        "--ip",
        "192.0.2.1",
    ]);
    assert_eq!(made["domain"], "exämple.test");
    assert_eq!(made["hostname"], "mail.xn--exmple-cua.test");
    assert_eq!(made["account"]["address"], "alice@exämple.test");
    assert_eq!(made["account"]["password"].as_str().unwrap().len(), 19);
    assert_eq!(made["certificate"]["placeholder"], true);
    assert_eq!(made["dkim"], false);
    let records: Vec<String> = made["dns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| format!("{} {}", record["name"], record["type"]).replace('"', ""))
        .collect();
    assert_eq!(
        records,
        [
            "xn--exmple-cua.test MX",
            "mail.xn--exmple-cua.test A",
            "xn--exmple-cua.test TXT",
            "_dmarc.xn--exmple-cua.test TXT",
            "_submissions._tcp.xn--exmple-cua.test SRV",
            "_submission._tcp.xn--exmple-cua.test SRV",
            "_imaps._tcp.xn--exmple-cua.test SRV",
            "_pop3s._tcp.xn--exmple-cua.test SRV",
            "_sieve._tcp.xn--exmple-cua.test SRV",
        ]
    );
    let mode = |name: &str| site.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    assert_eq!(mode("data/tls/key.pem"), 0o600);

    let shown = site.json(&["config", "show"]);
    assert_eq!(shown["hostname"]["value"], "mail.xn--exmple-cua.test");
    assert_eq!(shown["hostname"]["default"], false);
    assert_eq!(shown["store.retention_days"]["value"], 30);
    assert_eq!(shown["store.retention_days"]["default"], true);

    let again = site.error(&["setup", "example.test"]);
    assert_eq!(again["error"], "config_exists");
}

#[test]
fn the_first_account_is_postmaster() {
    let site = Site::new();
    let aliases = site.json(&["alias", "list"]);
    let addresses: Vec<&str> = aliases
        .as_array()
        .unwrap()
        .iter()
        .map(|alias| alias["address"].as_str().unwrap())
        .collect();
    assert_eq!(addresses, ["abuse@example.test", "postmaster@example.test"]);
    assert_eq!(aliases[0]["targets"][0], "alice@example.test");
}

#[test]
fn a_new_store_verifies() {
    let site = Site::new();
    let report = site.json(&["store", "verify"]);
    assert_eq!(report["clean"], true);
    assert_eq!(report["accounts"], 1);
    assert_eq!(report["mailboxes"], 6);
    assert_eq!(report["faults"].as_array().unwrap().len(), 0);
}

#[test]
fn damage_ends_with_1_and_is_named() {
    let site = Site::new();
    let journal = site.path("data/journal");
    let segment = std::fs::read_dir(journal).unwrap().next().unwrap().unwrap();
    let mut bytes = std::fs::read(segment.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(segment.path(), bytes).unwrap();
    let ran = site.run(&["store", "verify"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}
