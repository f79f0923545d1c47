//! Messages that dkimpy 1.1.8 signed and sealed (`data/dkimpy`, keys beside them): DKIM in all
//! forms, and ARC chains of one and two seals, whole and broken.

mod world;

use facteur_senders::arc::{self, Outcome};
use facteur_senders::dkim::{Algorithm, SigningKey};
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

/// What we put in front of a message that we pass on, and the key in the zone.
fn seal(message: &str, zone: &mut Zone) -> Option<String> {
    let algorithm = Algorithm::RsaSha256;
    let key = SigningKey::read(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap();
    zone.txt(
        "r._domainkey.here.test",
        &dkim::record(algorithm, &key.public().unwrap()),
    );
    let mut tap = Tap::for_signing();
    tap.push(message.as_bytes());
    let chain = sealed(message, zone);
    let results = "Authentication-Results: mx.here.test;\r\n\tspf=pass smtp.mailfrom=a.test\r\n";
    arc::seal(
        &tap.finish(),
        results,
        &chain,
        &key,
        ("here.test", "r"),
        NOW,
    )
    .unwrap()
}

#[test]
fn our_seal_goes_on_with_a_chain() {
    for (name, sealers) in [
        ("ed25519.eml", &["here.test"][..]),
        ("arc-1.eml", &["one.test", "here.test"]),
        ("arc-2.eml", &["one.test", "two.test", "here.test"]),
    ] {
        let mut zone = zone();
        let message = sample(name);
        let fields = seal(&message, &mut zone).unwrap();
        let number = sealers.len();
        assert!(
            fields.starts_with(&format!("ARC-Seal: i={number};")),
            "{fields}"
        );
        let passed_on = format!("{fields}Received: from here\r\n{message}");
        let checked = sealed(&passed_on, &zone);
        assert_eq!(checked.outcome, Outcome::Pass, "{name}\n{passed_on}");
        assert_eq!(checked.sealers, sealers);
        for (from, to) in [
            ("spf=pass", "spf=fail"),
            ("\r\nSubject: ", "\r\nSubject: x"),
            ("cv=", "cv=x"),
            ("\r\nDKIM-Signature: ", "\r\nX-Was: "),
        ] {
            let broken = passed_on.replacen(from, to, 1);
            assert_ne!(broken, passed_on, "{from}");
            let outcome = sealed(&broken, &zone).outcome;
            assert!(
                matches!(outcome, Outcome::Fail(_)),
                "{name} {to}: {outcome}"
            );
        }
    }
}

#[test]
fn a_broken_chain_is_not_gone_on_with() {
    let broken = sample("arc-1.eml").replace("Subject: ", "Subject: x");
    assert_eq!(seal(&broken, &mut zone()), None);
}
