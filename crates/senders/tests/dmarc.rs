//! DMARC on a table of records: who stands behind From, whose policy counts, what is done.

mod world;

use facteur_senders::dmarc::{Aligned, Checked, Outcome, Policy, check};
use facteur_senders::dns::Answers;
use facteur_senders::{dkim, spf};
use world::Zone;

fn zone(records: &[(&str, &str)]) -> Zone {
    let mut zone = Zone::default();
    for (name, record) in records {
        match *record {
            "silent" => zone.silent(&format!("_dmarc.{name}")),
            record => zone.txt(&format!("_dmarc.{name}"), record),
        }
    }
    zone
}

fn sent_by(domain: &str, outcome: spf::Outcome) -> spf::Checked {
    spf::Checked {
        outcome,
        domain: domain.to_owned(),
        explanation: None,
    }
}

fn signed_by(domain: &str, outcome: dkim::Outcome) -> dkim::Checked {
    dkim::Checked {
        outcome,
        domain: domain.to_owned(),
        selector: "s".to_owned(),
        algorithm: None,
        prefix: String::new(),
        testing: false,
    }
}

fn run(zone: &Zone, from: &str, spf: &spf::Checked, dkim: &[dkim::Checked]) -> Checked {
    zone.run(&mut Answers::default(), |answers| {
        check(from, spf, dkim, answers)
    })
}

fn unsigned(zone: &Zone, from: &str) -> Checked {
    run(zone, from, &sent_by("", spf::Outcome::None), &[])
}

#[test]
fn whose_policy_counts() {
    let records = [
        ("bank.test", "v=DMARC1; p=reject; sp=quarantine; np=reject"),
        ("shop.bank.test", "v=DMARC1; p=none"),
        ("twice.test", "v=DMARC1; p=reject"),
        ("twice.test", "v=DMARC1; p=none"),
        ("odd.test", "v=spf1 -all"),
        ("gov", "v=DMARC1; p=reject; psd=y; np=none"),
        ("tax.gov", "v=DMARC1; p=quarantine"),
        ("part.own.gov", "v=DMARC1; p=quarantine; psd=n"),
        ("silent.test", "silent"),
    ];
    let mut zone = zone(&records);
    zone.address("mail.bank.test", "192.0.2.1");
    for (from, outcome, policy, whose) in [
        (
            "bank.test",
            Outcome::Fail,
            Policy::Reject,
            Some("bank.test"),
        ),
        (
            "BANK.test.",
            Outcome::Fail,
            Policy::Reject,
            Some("bank.test"),
        ),
        (
            "mail.bank.test",
            Outcome::Fail,
            Policy::Quarantine,
            Some("bank.test"),
        ),
        // There is no such name: `np`.
        (
            "nowhere.bank.test",
            Outcome::Fail,
            Policy::Reject,
            Some("bank.test"),
        ),
        (
            "shop.bank.test",
            Outcome::Fail,
            Policy::None,
            Some("shop.bank.test"),
        ),
        ("twice.test", Outcome::None, Policy::None, None),
        ("odd.test", Outcome::None, Policy::None, None),
        ("unknown.test", Outcome::None, Policy::None, None),
        (
            "tax.gov",
            Outcome::Fail,
            Policy::Quarantine,
            Some("tax.gov"),
        ),
        (
            "a.tax.gov",
            Outcome::Fail,
            Policy::Quarantine,
            Some("tax.gov"),
        ),
        // Registered under a suffix that has a policy, without one of its own.
        ("new.gov", Outcome::Fail, Policy::None, Some("gov")),
        (
            "a.part.own.gov",
            Outcome::Fail,
            Policy::Quarantine,
            Some("part.own.gov"),
        ),
        ("silent.test", Outcome::TempError, Policy::None, None),
        ("a.silent.test", Outcome::TempError, Policy::None, None),
        ("bad..name", Outcome::PermError, Policy::None, None),
    ] {
        let found = unsigned(&zone, from);
        assert_eq!(found.outcome, outcome, "{from}");
        assert_eq!(found.policy, policy, "{from}");
        assert_eq!(found.policy_domain.as_deref(), whose, "{from}");
    }
}

#[test]
fn who_stands_behind_it() {
    let zone = zone(&[
        ("bank.test", "v=DMARC1; p=reject"),
        ("strict.test", "v=DMARC1; p=reject; adkim=s; aspf=s"),
        ("com.suffix", "v=DMARC1; p=none; psd=y"),
        ("one.com.suffix", "v=DMARC1; p=reject"),
        ("two.com.suffix", "v=DMARC1; p=reject"),
    ]);
    use dkim::Outcome::{Fail, Pass, TempError};
    let signed = |domain: &str| Some(Aligned::Signed(domain.to_owned()));
    let none = spf::Outcome::None;
    for (from, signer, how, expected, outcome) in [
        (
            "bank.test",
            "bank.test",
            Pass,
            signed("bank.test"),
            Outcome::Pass,
        ),
        (
            "bank.test",
            "mail.bank.test",
            Pass,
            signed("mail.bank.test"),
            Outcome::Pass,
        ),
        (
            "news.bank.test",
            "bank.test",
            Pass,
            signed("bank.test"),
            Outcome::Pass,
        ),
        ("bank.test", "badbank.test", Pass, None, Outcome::Fail),
        ("bank.test", "bank.test", Fail("x"), None, Outcome::Fail),
        (
            "bank.test",
            "bank.test",
            TempError,
            None,
            Outcome::TempError,
        ),
        ("bank.test", "other.test", TempError, None, Outcome::Fail),
        (
            "strict.test",
            "strict.test",
            Pass,
            signed("strict.test"),
            Outcome::Pass,
        ),
        ("strict.test", "a.strict.test", Pass, None, Outcome::Fail),
        ("a.strict.test", "strict.test", Pass, None, Outcome::Fail),
        (
            "one.com.suffix",
            "two.com.suffix",
            Pass,
            None,
            Outcome::Fail,
        ),
        (
            "a.one.com.suffix",
            "one.com.suffix",
            Pass,
            signed("one.com.suffix"),
            Outcome::Pass,
        ),
        ("one.com.suffix", "com.suffix", Pass, None, Outcome::Fail),
        // Without a record only the very name counts.
        (
            "free.test",
            "free.test",
            Pass,
            signed("free.test"),
            Outcome::None,
        ),
        ("free.test", "a.free.test", Pass, None, Outcome::None),
    ] {
        let found = run(
            &zone,
            from,
            &sent_by("", none),
            &[signed_by(signer, how.clone())],
        );
        assert_eq!(found.aligned, expected, "{from} {signer} {how:?}");
        assert_eq!(found.outcome, outcome, "{from} {signer} {how:?}");
    }
}

#[test]
fn spf_speaks_too_and_a_signature_speaks_first() {
    let zone = zone(&[("bank.test", "v=DMARC1; p=reject")]);
    use spf::Outcome::{Fail, Pass, SoftFail, TempError};
    for (domain, how, outcome) in [
        ("bank.test", Pass, Outcome::Pass),
        ("bounce.bank.test", Pass, Outcome::Pass),
        ("bank.test", Fail, Outcome::Fail),
        ("bank.test", SoftFail, Outcome::Fail),
        ("bank.test", TempError, Outcome::TempError),
        ("other.test", Pass, Outcome::Fail),
    ] {
        let found = run(&zone, "bank.test", &sent_by(domain, how), &[]);
        assert_eq!(found.outcome, outcome, "{domain} {how}");
    }
    let both = run(
        &zone,
        "bank.test",
        &sent_by("bank.test", Pass),
        &[signed_by("bank.test", dkim::Outcome::Pass)],
    );
    assert_eq!(both.aligned, Some(Aligned::Signed("bank.test".into())));
}

/// For reports: whether SPF alone would have done, also where a signature did.
#[test]
fn spf_is_told_beside_a_signature() {
    use spf::Outcome::{Fail, Pass};
    let records = [
        ("bank.test", "v=DMARC1; p=reject; rua=mailto:a@bank.test"),
        ("strict.test", "v=DMARC1; p=reject; aspf=s; rua=https://x"),
    ];
    let zone = zone(&records);
    for (from, sender, how, alone) in [
        ("bank.test", "bank.test", Pass, true),
        ("bank.test", "Bounce.bank.test", Pass, true),
        ("in.bank.test", "bank.test", Pass, true),
        ("bank.test", "bank.test", Fail, false),
        ("bank.test", "other.test", Pass, false),
        ("bank.test", "notbank.test", Pass, false),
        ("strict.test", "strict.test", Pass, true),
        ("strict.test", "in.strict.test", Pass, false),
        ("nobody.test", "nobody.test", Pass, true),
        ("nobody.test", "in.nobody.test", Pass, false),
    ] {
        let signed = [signed_by(from, dkim::Outcome::Pass)];
        for signatures in [&signed[..], &[]] {
            let found = run(&zone, from, &sent_by(sender, how), signatures);
            assert_eq!(found.spf_aligned, alone, "{from} {sender} {how}");
            assert_eq!(found.reports, from.ends_with("bank.test"), "{from}");
        }
    }
}

#[test]
fn the_walk_is_bounded() {
    let from = (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(".");
    let mut answers = Answers::default();
    let spf = sent_by("", spf::Outcome::None);
    assert!(check(&from, &spf, &[], &mut answers).is_err());
    let asked = answers.take_wanted();
    assert_eq!(asked.len(), 8);
    assert!(
        asked
            .iter()
            .any(|question| question.name == "_dmarc.53.54.55.56.57.58.59")
    );
}
