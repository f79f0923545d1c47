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
    let records: Vec<String> = made["dns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            let name = record["name"].as_str().unwrap();
            // The selector is made of the month and of chance.
            let is_key = name.ends_with("._domainkey.xn--exmple-cua.test");
            let name = if is_key { "KEY" } else { name };
            format!("{name} {}", record["type"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        records,
        [
            "xn--exmple-cua.test MX",
            "mail.xn--exmple-cua.test A",
            "xn--exmple-cua.test TXT",
            "KEY TXT",
            "KEY TXT",
            "_dmarc.xn--exmple-cua.test TXT",
            "_smtp._tls.xn--exmple-cua.test TXT",
            "_submissions._tcp.xn--exmple-cua.test SRV",
            "_submission._tcp.xn--exmple-cua.test SRV",
            "_imaps._tcp.xn--exmple-cua.test SRV",
            "_pop3s._tcp.xn--exmple-cua.test SRV",
            "_sieve._tcp.xn--exmple-cua.test SRV",
        ]
    );
    let key = made["dns"].as_array().unwrap()[3]["value"]
        .as_str()
        .unwrap();
    assert!(key.starts_with("\"v=DKIM1; k=rsa; p="), "{key}");
    assert_eq!(made["dns"].as_array().unwrap()[1]["value"], "192.0.2.1");
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

/// Asked of a resolver that knows nothing: this machine must not ask the world.
#[test]
fn the_records_of_a_domain_are_shown_and_checked() {
    let site = Site::new();
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = site.path("facteur.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let server = nobody.local_addr().unwrap();
    let queue = format!("[queue]\ndns_server = \"{server}\"\n");
    std::fs::write(&config, text.replace("[queue]\n", &queue)).unwrap();
    // It answers everything with NXDOMAIN.
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, peer)) = nobody.recv_from(&mut packet) {
            packet[2] |= 0x80;
            packet[3] = 3;
            let _ = nobody.send_to(&packet[..length], peer);
        }
    });

    let shown = site.run(&["domain", "dns", "example.test", "--no-check"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.out.contains("example.test. MX 10 mail.example.test."));
    assert!(shown.out.contains("signs as soon as"), "{shown:?}");
    let checked = site.run(&["domain", "dns", "example.test"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.out.contains("Missing: publish it."), "{checked:?}");
    let french = site.in_french(&["domain", "dns", "example.test"]);
    assert!(french.out.contains("Absent : publiez-le."), "{french:?}");
    let ran = site.run(&["domain", "dns", "example.test", "--json"]);
    let page: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &page["clean"]), (Some(1), &false.into()));
    assert_eq!(page["records"][0]["state"], "missing");
    let list = site.json(&["domain", "list"]);
    assert_eq!(list[0]["signed"], "waits");
    let error = site.error(&["domain", "dns", "else.test"]);
    assert_eq!(error["error"], "no_such_domain");
    let named = "v=TLSRPTv1; rua=mailto:reports@example.test";
    assert!(shown.out.contains(named), "{shown:?}");
    reports(&site);
}

fn reports(site: &Site) {
    let none = site.run(&["domain", "reports", "example.test"]);
    assert_eq!(none.code, Some(0), "{none:?}");
    assert!(none.out.contains("No reports of mail."), "{none:?}");
    assert!(none.out.contains("TLS: no reports."), "{none:?}");
    let french = site.in_french(&["domain", "reports", "example.test", "--unproven"]);
    let words = "l'expéditeur n'est pas prouvé";
    assert!(french.out.contains(words), "{french:?}");
    let page = site.json(&["domain", "reports", "example.test", "--days", "90"]);
    assert_eq!(page["advice"], "no_reports");
    assert_eq!(page["days_asked"], 90);
    let error = site.error(&["domain", "reports", "else.test"]);
    assert_eq!(error["error"], "no_such_domain");
    let many = site.run(&["domain", "reports", "example.test", "--days", "91"]);
    assert_eq!(many.code, Some(2), "{many:?}");
}
