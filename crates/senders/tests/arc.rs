//! Messages that dkimpy 1.1.8 signed and sealed (`data/dkimpy`, keys beside them): DKIM in all
//! forms, and ARC chains of one and two seals, whole and broken.

mod world;

use facteur_senders::arc::{self, Outcome};
use facteur_senders::dns::Answers;
use facteur_senders::{Tap, dkim};
use serde_json::Value;
use world::Zone;

const NOW: i64 = 1_800_000_000;

fn sample(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dkimpy");
    String::from_utf8(std::fs::read(format!("{folder}/{name}")).unwrap()).unwrap()
}

fn zone() -> Zone {
    let keys: Value = serde_json::from_str(&sample("dns.json")).unwrap();
    let mut zone = Zone::default();
    for (name, record) in keys.as_object().unwrap() {
        zone.txt(name, record.as_str().unwrap());
    }
    zone
}

fn sealed(message: &str, zone: &Zone) -> arc::Checked {
    let mut tap = Tap::for_checking();
    tap.push(message.as_bytes());
    let seen = tap.finish();
    zone.run(&mut Answers::default(), |answers| {
        arc::check(&seen, NOW, answers)
    })
}

#[test]
fn what_dkimpy_signs_is_right() {
    for name in [
        "rsa-simple-simple",
        "rsa-simple-relaxed",
        "rsa-relaxed-simple",
        "rsa-relaxed-relaxed",
        "ed25519",
        "arc-1",
        "arc-2",
    ] {
        let mut tap = Tap::for_checking();
        tap.push(sample(&format!("{name}.eml")).as_bytes());
        let seen = tap.finish();
        let checked = zone().run(&mut Answers::default(), |answers| {
            dkim::verify(&seen, NOW, answers)
        });
        assert_eq!(checked.len(), 1, "{name}");
        assert_eq!(checked[0].outcome, dkim::Outcome::Pass, "{name}");
    }
}

#[test]
fn chains() {
    let (one, two) = (sample("arc-1.eml"), sample("arc-2.eml"));
    let none = sealed(&sample("ed25519.eml"), &zone());
    assert_eq!((none.outcome, none.sealers.len()), (Outcome::None, 0));
    let first = sealed(&one, &zone());
    assert_eq!(first.outcome, Outcome::Pass);
    assert_eq!(first.sealers, ["one.test"]);
    let second = sealed(&two, &zone());
    assert_eq!(second.outcome, Outcome::Pass);
    assert_eq!(second.sealers, ["one.test", "two.test"]);
    let silent = {
        let mut zone = Zone::default();
        zone.silent("s._domainkey.one.test");
        zone.silent("s._domainkey.two.test");
        zone
    };
    assert_eq!(sealed(&two, &silent).outcome, Outcome::TempError);
    assert!(matches!(
        sealed(&two, &Zone::default()).outcome,
        Outcome::Fail(_)
    ));
}

#[test]
fn broken_chains() {
    let two = sample("arc-2.eml");
    for (from, to) in [
        ("At  noon", "At  six"),
        ("Subject: ", "Subject: x"),
        ("i=1; mx.one.test", "i=1; mx.six.test"),
        ("cv=pass", "cv=fail"),
        ("cv=none", "cv=pass"),
        ("i=1", "i=3"),
        ("ARC-Seal: i=1", "X-Seal: i=1"),
        ("ARC-Seal: i=2", "ARC-Seal: i=2; h=from"),
        ("ARC-Seal: i=2", "ARC-Seal: i=02x"),
    ] {
        assert!(two.contains(from), "{from}");
        let broken = two.replace(from, to);
        let outcome = sealed(&broken, &zone()).outcome;
        assert!(matches!(outcome, Outcome::Fail(_)), "{to}: {outcome}");
    }
}
