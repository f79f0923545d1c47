//! The public suite of RFC 7208 (openspf.org, release 2014.04; its licence is beside the data):
//! every case through a simulated DNS. `data/spf/rfc7208.json` is `rfc7208-tests.yml` as JSON,
//! without its remarks.

mod world;

use std::net::IpAddr;

use facteur_senders::dns::Answers;
use facteur_senders::spf::{Checked, Query, check};
use serde_json::Value;
use world::Zone;

fn checked(case: &Value, zone: &Zone) -> Checked {
    let text = |field: &str| case[field].as_str().unwrap_or_default();
    let ip: IpAddr = text("host").parse().unwrap();
    let query = Query {
        ip: ip.to_canonical(),
        hello: text("helo"),
        sender: text("mailfrom"),
        receiver: "receiver.example",
        now: 1_400_000_000,
    };
    let mut answers = Answers::default();
    zone.run(&mut answers, |answers| check(&query, answers))
}

#[test]
fn the_suite_of_the_rfc() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/spf/rfc7208.json");
    let sections: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for section in sections.as_array().unwrap() {
        let zone = Zone::of_suite(&section["zonedata"]);
        for (name, case) in section["tests"].as_object().unwrap() {
            count += 1;
            let found = checked(case, &zone);
            let outcome = found.outcome.to_string();
            let allowed = match &case["result"] {
                Value::Array(list) => list.iter().any(|one| *one == *outcome),
                one => *one == *outcome,
            };
            let explained = match case["explanation"].as_str() {
                None => true,
                Some("DEFAULT") => found.explanation.is_none(),
                // The suite writes nibbles in capitals, RFC 7208 §7.4 in small letters.
                Some(text) => found
                    .explanation
                    .as_ref()
                    .is_some_and(|have| have.eq_ignore_ascii_case(text)),
            };
            if !allowed || !explained {
                wrong.push(format!("{name}: {found:?}, expected {case}"));
            }
        }
    }
    assert_eq!(count, 203);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
