//! What we say must be published, checked against what is.

mod world;

use facteur_senders::dkim::{Algorithm, SigningKey};
use facteur_senders::dns::Answers;
use facteur_senders::publish::{
    Finding, Key, Policy, Problem, Role, Service, Site, State, check, records,
};
use serde_json::json;
use world::Zone;

const SERVICE: Service = Service {
    name: "_imaps",
    priority: 0,
    port: 993,
};

fn key(role: Role) -> Key {
    let algorithm = Algorithm::Ed25519Sha256;
    let private = SigningKey::generate(algorithm).unwrap();
    Key {
        selector: "e1".to_owned(),
        algorithm,
        public: SigningKey::read(algorithm, &private)
            .unwrap()
            .public()
            .unwrap(),
        role,
    }
}

fn with_site<T>(keys: &[Key], run: impl FnOnce(&Site<'_>) -> T) -> T {
    run(&Site {
        domain: "here.test",
        hostname: "mail.here.test",
        addresses: &[],
        keys,
        services: &[SERVICE],
        reports_to: "postmaster@here.test",
        policy: Some(&Policy {
            host: "mta-sts.here.test".to_owned(),
            record: "v=STSv1; id=1;".to_owned(),
        }),
        relayed: false,
    })
}

/// Of the record of that kind and name.
fn finding(site: &Site<'_>, zone: &Zone, word: &str) -> Finding {
    let all = records(site);
    let findings = zone.run(&mut Answers::default(), |answers| {
        check(site, &all, answers)
    });
    let place = all.iter().position(|record| record.purpose.word() == word);
    findings[place.unwrap()].clone()
}

/// A zone with all that `records` says, and the two addresses.
fn published(site: &Site<'_>) -> Zone {
    let mut zone = Zone::default();
    zone.address("mail.here.test", "192.0.2.1");
    zone.add("1.2.0.192.in-addr.arpa", "PTR", json!("mail.here.test"));
    for record in records(site) {
        let strings = record.value.split("\" \"").collect::<String>();
        match record.kind {
            "TXT" => zone.txt(&record.name, strings.trim_matches('"')),
            "MX" => zone.add(&record.name, "MX", json!(["10", "mail.here.test."])),
            "CNAME" => zone.add(&record.name, "CNAME", json!("mail.here.test")),
            "SRV" => zone.add(&record.name, "SRV", json!(record.value)),
            _ => {}
        }
    }
    zone
}

#[test]
fn what_is_published_as_printed_is_good() {
    let keys = [key(Role::Signs)];
    with_site(&keys, |site| {
        let zone = published(site);
        let all = records(site);
        let findings = zone.run(&mut Answers::default(), |answers| {
            check(site, &all, answers)
        });
        for (record, finding) in all.iter().zip(findings) {
            assert_eq!(finding.state, State::Good, "{record:?} {finding:?}");
            let watches = finding.problem == Some(Problem::DmarcWatches);
            assert!(watches || finding.problem.is_none(), "{finding:?}");
        }
    });
}

#[test]
fn a_long_record_is_cut_into_strings() {
    let algorithm = Algorithm::RsaSha256;
    let private = SigningKey::generate(algorithm).unwrap();
    let public = SigningKey::read(algorithm, &private)
        .unwrap()
        .public()
        .unwrap();
    let keys = [Key {
        selector: "r1".to_owned(),
        algorithm,
        public,
        role: Role::Signs,
    }];
    with_site(&keys, |site| {
        let all = records(site);
        let record = all.iter().find(|record| record.name.starts_with("r1."));
        let value = &record.unwrap().value;
        let strings: Vec<&str> = value.split(' ').filter(|s| s.len() > 100).collect();
        assert!(value.matches("\" \"").count() == 1, "{value}");
        assert!(strings.iter().all(|string| string.len() <= 257), "{value}");
        assert_eq!(finding(site, &published(site), "dkim").state, State::Good);
    });
}

#[test]
fn nothing_is_there() {
    for (role, problem) in [
        (Role::Waits, None),
        (Role::Signs, Some(Problem::KeySigns)),
        (Role::Retired, Some(Problem::KeyRetired)),
    ] {
        with_site(&[key(role)], |site| {
            let zone = Zone::default();
            for word in ["mx", "address", "reverse", "spf", "dmarc", "service"] {
                assert_eq!(finding(site, &zone, word).state, State::Missing, "{word}");
            }
            let found = finding(site, &zone, "dkim");
            assert_eq!((found.state, found.problem), (State::Missing, problem));
        });
    }
}

#[test]
fn what_is_wrong_is_named() {
    type Make = fn(&mut Zone);
    let table: &[(&str, Make, State, Option<Problem>)] = &[
        (
            "mx",
            |zone| zone.add("here.test", "MX", json!(["10", "mx.else.test."])),
            State::Wrong,
            Some(Problem::MxElsewhere),
        ),
        (
            "mx",
            |zone| zone.add("here.test", "MX", json!(["0", "."])),
            State::Wrong,
            Some(Problem::MxNull),
        ),
        (
            "mx",
            |zone| {
                zone.add("here.test", "MX", json!(["10", "MAIL.here.test."]));
                zone.add("here.test", "MX", json!(["20", "mx.else.test."]));
            },
            State::Good,
            Some(Problem::MxBeside),
        ),
        (
            "spf",
            |zone| {
                zone.txt("here.test", "v=spf1 -all");
                zone.txt("here.test", "v=spf1 mx -all");
            },
            State::Wrong,
            Some(Problem::SpfTwice),
        ),
        (
            "spf",
            |zone| zone.txt("here.test", "v=spf1 ip4:192.0.2.9 ~all"),
            State::Wrong,
            Some(Problem::SpfOthers),
        ),
        (
            "spf",
            |zone| zone.txt("here.test", "v=spf1 nonsense"),
            State::Wrong,
            Some(Problem::SpfBroken),
        ),
        (
            "spf",
            |zone| zone.txt("here.test", "v=spf1 ip4:192.0.2.0/24 -all"),
            State::Good,
            None,
        ),
        (
            "spf",
            |zone| zone.txt("here.test", "v=spfone"),
            State::Missing,
            None,
        ),
        (
            "dkim",
            |zone| zone.txt("e1._domainkey.here.test", "v=DKIM1; k=ed25519; p="),
            State::Wrong,
            Some(Problem::KeyOther),
        ),
        (
            "dkim",
            |zone| zone.silent("e1._domainkey.here.test"),
            State::Unknown,
            None,
        ),
        (
            "dmarc",
            |zone| {
                zone.txt("_dmarc.here.test", "v=DMARC1; p=none");
                zone.txt("_dmarc.here.test", "v=DMARC1; p=reject");
            },
            State::Wrong,
            Some(Problem::DmarcTwice),
        ),
        (
            "dmarc",
            |zone| zone.txt("_dmarc.here.test", "v=DMARC1; p=perhaps"),
            State::Wrong,
            Some(Problem::DmarcBroken),
        ),
        (
            "dmarc",
            |zone| zone.txt("_dmarc.here.test", "v=DMARC1; p=reject"),
            State::Good,
            None,
        ),
        (
            "tls_reports",
            |zone| zone.txt("_smtp._tls.here.test", "v=TLSRPTv1"),
            State::Wrong,
            Some(Problem::TlsReportsBroken),
        ),
        (
            "tls_reports",
            |zone| {
                zone.txt("_smtp._tls.here.test", "v=TLSRPTv1;rua=mailto:a@else.test");
                zone.txt("_smtp._tls.here.test", "v=TLSRPTv1;rua=mailto:b@else.test");
            },
            State::Wrong,
            Some(Problem::TlsReportsBroken),
        ),
        (
            "tls_reports",
            |zone| {
                let text = "v=TLSRPTv1; rua=https://else.test/, MAILTO:Postmaster@here.test;";
                zone.txt("_smtp._tls.here.test", text);
            },
            State::Good,
            None,
        ),
        (
            "tls_reports",
            |zone| zone.txt("_smtp._tls.here.test", "v=TLSRPTv1; rua=https://else.test/"),
            State::Good,
            Some(Problem::TlsReportsElsewhere),
        ),
        (
            "service",
            |zone| {
                zone.add(
                    "_imaps._tcp.here.test",
                    "SRV",
                    json!("0 1 993 imap.else.test."),
                )
            },
            State::Wrong,
            Some(Problem::ServiceElsewhere),
        ),
        (
            "policy_host",
            |zone| zone.address("mta-sts.here.test", "192.0.2.9"),
            State::Wrong,
            Some(Problem::PolicyElsewhere),
        ),
        (
            "policy",
            |zone| zone.txt("_mta-sts.here.test", "v=STSv1; id=2"),
            State::Wrong,
            Some(Problem::PolicyOther),
        ),
        (
            "policy",
            |zone| zone.txt("_mta-sts.here.test", "v=STSv1;id=1"),
            State::Good,
            None,
        ),
        (
            "reverse",
            |zone| zone.add("1.2.0.192.in-addr.arpa", "PTR", json!("host-1.isp.test")),
            State::Wrong,
            Some(Problem::ReverseOther),
        ),
    ];
    with_site(&[key(Role::Waits)], |site| {
        for (word, make, state, problem) in table {
            let mut zone = Zone::default();
            zone.address("mail.here.test", "192.0.2.1");
            make(&mut zone);
            let found = finding(site, &zone, word);
            assert_eq!(
                (found.state, found.problem),
                (*state, *problem),
                "{found:?}"
            );
        }
    });
}

#[test]
fn words_are_stable_and_none_twice() {
    let mut words: Vec<&str> = Problem::ALL.iter().map(|problem| problem.word()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Problem::ALL.len());
}
