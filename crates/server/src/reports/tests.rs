use std::net::IpAddr;
use std::sync::Arc;

use facteur_senders::dmarc::Policy;
use facteur_senders::reports::aggregate::{self, AggregateReport, Published};
use facteur_senders::reports::tls::{PolicyKind, Tally, TlsReport};
use facteur_senders::reports::{Bad, Report};
use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{Options, Store};

use super::entry::DAY_SECONDS;
use super::limits::{
    BYTES_A_DAY_MAX, DAYS, DOMAIN_A_DAY_MAX, LINE_BYTES_MAX, ROWS_MAX, SENDER_A_DAY_MAX,
    UNPROVEN_A_DAY_MAX, UNPROVEN_ROWS_MAX,
};
use super::*;

const NOW: i64 = 20_000 * DAY_SECONDS;

fn ours(name: &str) -> Option<String> {
    let is = name == "our.test" || name.ends_with(".our.test");
    is.then(|| "our.test".to_owned())
}

fn proof(author: &str) -> Evidence {
    Evidence {
        author: author.to_owned(),
        vouched: true,
        signers: vec![author.to_owned()],
    }
}

fn of(report: Report, evidence: &Evidence) -> Vec<Entry> {
    let arrival = Arrival {
        evidence,
        domain: "our.test",
        hash: 1,
        at: NOW,
    };
    entries(Ok(report), arrival, &ours)
}

fn row(source: &str, count: u64, passes: bool) -> aggregate::Row {
    aggregate::Row {
        source: source.parse().unwrap(),
        count,
        disposition: Policy::None,
        dkim: passes,
        spf: passes,
        reasons: Vec::new(),
        header_from: "our.test".to_owned(),
        envelope_from: None,
        envelope_to: None,
        signatures: Vec::new(),
        senders: Vec::new(),
    }
}

fn mail(id: &str, rows: Vec<aggregate::Row>) -> AggregateReport {
    AggregateReport {
        contact: "x@big.test".to_owned(),
        id: id.to_owned(),
        begin: NOW - DAY_SECONDS,
        end: NOW - 1,
        published: Published {
            domain: "news.our.test".to_owned(),
            ..Published::default()
        },
        rows,
        ..AggregateReport::default()
    }
}

fn one(id: &str, evidence: &Evidence) -> Entry {
    let report = mail(id, vec![row("192.0.2.1", 1, true)]);
    of(Report::Aggregate(report), evidence).remove(0)
}

fn open(disk: &SimDisk, clock: &Arc<VirtualClock>) -> Store {
    let options = Options::default();
    let disk = Arc::new(disk.clone());
    Store::open(disk, Arc::clone(clock) as _, options)
        .unwrap()
        .0
}

#[test]
fn who_is_proven_and_what_is_kept() {
    let rows = vec![
        row("192.0.2.1", 2, true),
        row("192.0.2.1", 3, true),
        row("192.0.2.2", 0, true),
    ];
    let entry = of(
        Report::Aggregate(mail("1", rows)),
        &proof("reports.big.test"),
    )
    .remove(0);
    assert!(entry.proven);
    assert_eq!(
        (entry.domain.as_str(), entry.by.as_str()),
        ("our.test", "reports.big.test")
    );
    let Said::Mail { rows, rest, .. } = &entry.said else {
        panic!("{entry:?}");
    };
    assert_eq!((rows.len(), rows[0].count, *rest), (1, 5, 0));
    let line = serde_json::to_vec(&entry).unwrap();
    assert_eq!(serde_json::from_slice::<Entry>(&line).unwrap(), entry);

    let claimed = one("1", &Evidence::default());
    assert!(!claimed.proven && claimed.by == "big.test");
    // What is claimed does not hide what is proven.
    assert_ne!(claimed.id, one("1", &proof("big.test")).id);
    assert_eq!(one("1", &proof("a.test")).id, one("1", &proof("a.test")).id);
    assert_ne!(one("1", &proof("a.test")).id, one("1", &proof("b.test")).id);
}

#[test]
fn what_is_not_about_us_or_now() {
    let change = |change: fn(&mut AggregateReport)| {
        let mut report = mail("1", Vec::new());
        change(&mut report);
        of(Report::Aggregate(report), &proof("big.test")).remove(0)
    };
    let changes: [fn(&mut AggregateReport); 4] = [
        |report| report.published.domain = "their.test".to_owned(),
        |report| report.begin = NOW - (DAYS + 1) * DAY_SECONDS,
        |report| report.end = NOW + 3 * DAY_SECONDS,
        |report| report.begin = NOW - 40 * DAY_SECONDS,
    ];
    for (place, changed) in changes.into_iter().enumerate() {
        let entry = change(changed);
        assert!(matches!(entry.said, Said::Unread { .. }), "{place}");
        assert!(!entry.proven);
    }
    let arrival = Arrival {
        evidence: &Evidence::default(),
        domain: "our.test",
        hash: 1,
        at: NOW,
    };
    let bad = entries(Err(Bad::Doctype), arrival, &ours).remove(0);
    let why = "it brings definitions of its own".to_owned();
    assert_eq!(bad.said, Said::Unread { why });
}

#[test]
fn rows_have_a_bound_and_the_most_letters_stay() {
    let many = (0..3_000_u64).map(|n| {
        let ip = IpAddr::from([10, 0, (n / 250) as u8, (n % 250) as u8]);
        row(&ip.to_string(), n + 1, n % 2 == 0)
    });
    let many: Vec<_> = many.collect();
    for (evidence, most) in [
        (proof("big.test"), ROWS_MAX),
        (Evidence::default(), UNPROVEN_ROWS_MAX),
    ] {
        let report = Report::Aggregate(mail("1", many.clone()));
        let entry = of(report, &evidence).remove(0);
        let line = serde_json::to_vec(&entry).unwrap();
        assert!(line.len() < limits::LINE_BYTES_MAX);
        let Said::Mail {
            rows,
            rest,
            rest_passed,
            ..
        } = entry.said
        else {
            panic!("no mail");
        };
        assert_eq!((rows.len(), rows[0].count), (most, 3_000));
        let kept: u64 = rows.iter().map(|row| row.count).sum();
        assert_eq!(kept + rest, 3_000 * 3_001 / 2);
        assert!(rest_passed > 0 && rest_passed < rest);
    }
}

#[test]
fn reports_of_tls_are_signed_by_who_reports() {
    let tally = |domain: &str, succeeded| Tally {
        kind: PolicyKind::Sts,
        domain: domain.to_owned(),
        succeeded,
        ..Tally::default()
    };
    let report = TlsReport {
        contact: "tls@mail.big.test".to_owned(),
        id: "1".to_owned(),
        begin: NOW - DAY_SECONDS,
        end: NOW,
        policies: vec![tally("our.test", 3), tally("", 4), tally("else.test", 5)],
        ..TlsReport::default()
    };
    for (signers, proven) in [
        (vec!["mail.big.test"], true),
        (vec!["x.test", "big.test"], true),
        (vec!["other.mail.big.test"], false),
        (vec!["g.test"], false),
        (vec!["ig.test"], false),
        (vec![], false),
    ] {
        let evidence = Evidence {
            signers: signers.iter().map(|name| (*name).to_owned()).collect(),
            vouched: true,
            author: "mail.big.test".to_owned(),
        };
        let entries = of(Report::Tls(report.clone()), &evidence);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].proven, proven, "{signers:?}");
        let succeeded = if proven { 7 } else { 0 };
        let (failed, rows) = (0, Vec::new());
        assert_eq!(
            entries[0].said,
            Said::Tls {
                succeeded,
                failed,
                rows
            }
        );
    }
}

#[test]
fn kept_once_within_bounds_and_over_restarts() {
    let (disk, clock) = (SimDisk::new(1), Arc::new(VirtualClock::new(1)));
    let store = open(&disk, &clock);
    let reports = Reports::new(store.clone());
    let big = proof("big.test");
    let keep = |reports: &Reports, entry: &Entry| {
        let kept = reports.keep(std::slice::from_ref(entry)).unwrap();
        kept[0]
    };
    let first = one("0", &big);
    assert_eq!(keep(&reports, &first), Kept::New);
    assert_eq!(keep(&reports, &first), Kept::Known);
    let twice = [one("1", &big), one("1", &big)];
    assert_eq!(reports.keep(&twice).unwrap(), [Kept::New, Kept::Known]);
    // On what is left when the power is cut.
    drop(reports);
    disk.cut_power();
    drop(store);
    let left = disk.reboot(1);
    let store = open(&left, &clock);
    let reports = Reports::new(store);
    assert_eq!(keep(&reports, &first), Kept::Known);
    let mut kept = Vec::new();
    let mut each = |entry: Entry| kept.push(entry);
    reports.each("our.test", NOW, &mut each).unwrap();
    reports.each("our.test", NOW + 1, &mut each).unwrap();
    reports.each("their.test", NOW, &mut each).unwrap();
    assert_eq!(kept, [first.clone(), one("1", &big)]);

    for n in 2..SENDER_A_DAY_MAX {
        assert_eq!(keep(&reports, &one(&n.to_string(), &big)), Kept::New);
    }
    assert_eq!(keep(&reports, &one("more", &big)), Kept::TooMany);
    for n in 0..DOMAIN_A_DAY_MAX - SENDER_A_DAY_MAX {
        let other = proof(&format!("s{n}.test"));
        assert_eq!(keep(&reports, &one("1", &other)), Kept::New);
    }
    assert_eq!(keep(&reports, &one("1", &proof("t.test"))), Kept::TooMany);
    for n in 0..UNPROVEN_A_DAY_MAX {
        let entry = one(&n.to_string(), &Evidence::default());
        assert_eq!(keep(&reports, &entry), Kept::New);
    }
    let unproven = one("more", &Evidence::default());
    assert_eq!(keep(&reports, &unproven), Kept::TooMany);
    // Tomorrow there is room again, and what is too old goes.
    let tomorrow = |days: i64| Entry {
        at: NOW + days * DAY_SECONDS,
        id: days as u64,
        ..one("1", &big)
    };
    assert_eq!(keep(&reports, &tomorrow(1)), Kept::New);
    assert_eq!(keep(&reports, &tomorrow(DAYS + 1)), Kept::New);
    let mut count = 0;
    reports.each("our.test", 0, &mut |_| count += 1).unwrap();
    assert_eq!(count, 2);
    // Nobody knows any more what is gone.
    let old = Entry {
        at: NOW + (DAYS + 1) * DAY_SECONDS,
        ..first
    };
    assert_eq!(keep(&reports, &old), Kept::New);
}

/// Some who sign write as much as they like, and no more than this is kept of a day.
#[test]
fn a_day_has_so_many_bytes() {
    let (disk, clock) = (SimDisk::new(1), Arc::new(VirtualClock::new(1)));
    let reports = Reports::new(open(&disk, &clock));
    let long = Row {
        from: "x".repeat(LINE_BYTES_MAX * 3 / 4),
        ..kept("192.0.2.1", 1, true)
    };
    let large = |n: u64| Entry {
        id: n,
        by: format!("s{n}.test"),
        ..entry(1, "none", vec![long.clone()])
    };
    let all: Vec<Entry> = (0..60).map(large).collect();
    let told: Vec<Kept> = all
        .chunks(10)
        .flat_map(|some| reports.keep(some).unwrap())
        .collect();
    let new = told.iter().filter(|kept| **kept == Kept::New).count();
    assert_eq!(new, BYTES_A_DAY_MAX / (LINE_BYTES_MAX * 3 / 4));
    assert!(told.ends_with(&[Kept::TooMany]));
}

fn entry(day: i64, policy: &str, rows: Vec<Row>) -> Entry {
    Entry {
        at: NOW,
        domain: "our.test".to_owned(),
        by: "big.test".to_owned(),
        id: 1,
        proven: true,
        begin: NOW - day * DAY_SECONDS,
        end: NOW - (day - 1) * DAY_SECONDS - 1,
        said: Said::Mail {
            policy: policy.to_owned(),
            rows,
            rest: 0,
            rest_passed: 0,
        },
    }
}

fn kept(source: &str, count: u64, passes: bool) -> Row {
    Row {
        source: source.parse().unwrap(),
        count,
        from: "our.test".to_owned(),
        dkim: passes,
        spf: false,
        done: String::new(),
        other: String::new(),
        passed_on: false,
    }
}

fn summary(entries: impl IntoIterator<Item = Entry>) -> Summary {
    let mut adding = Adding::new(vec!["192.0.2.25".parse().unwrap()], false);
    entries.into_iter().for_each(|entry| adding.add(entry));
    adding.finish()
}

#[test]
fn what_a_source_means() {
    let other = |mut row: Row| {
        row.other = "news.test".to_owned();
        row
    };
    let on = |mut row: Row| {
        row.passed_on = true;
        row
    };
    let bad = |count| kept("198.51.100.1", count, false);
    let good = |count| kept("198.51.100.1", count, true);
    for (rows, expected) in [
        (vec![good(5)], Meaning::Good),
        (vec![kept("192.0.2.25", 1, false)], Meaning::Own),
        (vec![good(5), bad(5)], Meaning::Mostly),
        (vec![good(4), bad(5)], Meaning::Nobody),
        (vec![bad(1)], Meaning::Nobody),
        (vec![other(bad(1))], Meaning::Service),
        (vec![other(bad(1)), bad(2)], Meaning::Nobody),
        (vec![on(bad(1))], Meaning::PassedOn),
        (vec![on(other(bad(1)))], Meaning::PassedOn),
    ] {
        let told = summary([entry(1, "none", rows.clone())]);
        assert_eq!(told.sources[0].meaning, expected, "{rows:?}");
    }
    let six = vec![kept("2001:db8::1", 1, true), kept("2001:db8::2", 2, true)];
    let told = summary([entry(1, "none", six)]);
    assert_eq!(told.sources.len(), 1);
    assert_eq!(told.sources[0].source, "2001:db8::/64");
}

#[test]
fn what_is_advised() {
    let days = |count: i64, policy: &str, rows: &dyn Fn() -> Vec<Row>| {
        summary((1..=count).map(|day| entry(day, policy, rows()))).advice
    };
    let good = || {
        vec![
            kept("192.0.2.1", 100, true),
            kept("198.51.100.1", 50, false),
        ]
    };
    let own = || vec![kept("192.0.2.1", 100, true), kept("192.0.2.25", 2, false)];
    assert_eq!(summary([]).advice, Advice::NoReports);
    assert_eq!(days(13, "none", &good), Advice::TooFew);
    let few = || vec![kept("192.0.2.1", 1, true)];
    assert_eq!(days(20, "none", &few), Advice::TooFew);
    // Letters of nobody are what a policy is for.
    assert_eq!(days(14, "none", &good), Advice::Quarantine);
    assert_eq!(days(14, "quarantine", &good), Advice::Reject);
    assert_eq!(days(14, "reject", &good), Advice::Stay);
    assert_eq!(days(14, "none", &own), Advice::LookFirst);
    // Several reports of one day are one day.
    let same = (0..20).map(|_| entry(1, "none", good()));
    assert_eq!(summary(same).advice, Advice::TooFew);
}

#[test]
fn the_unproven_stand_apart() {
    let unproven = Entry {
        proven: false,
        ..entry(1, "reject", vec![kept("198.51.100.1", 9, false)])
    };
    let proven = entry(2, "none", vec![kept("192.0.2.1", 1, true)]);
    let told = summary([unproven.clone(), proven.clone()]);
    assert_eq!((told.reports, told.unproven, told.letters.all), (1, 1, 1));
    assert_eq!(told.policy.as_deref(), Some("none"));
    let mut adding = Adding::new(Vec::new(), true);
    adding.add(unproven);
    adding.add(proven);
    let told = adding.finish();
    assert_eq!((told.reports, told.letters.all), (1, 9));
}
