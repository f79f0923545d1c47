//! RFC 7489 §7.2 and appendix C, RFC 8460 §4 and §5: reports as they are written, read back, and as strangers
//! write them.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use facteur_senders::dmarc::Policy;
use facteur_senders::limits;
use facteur_senders::reports::aggregate::{
    AggregateReport, Published, Reason, ReasonKind, Row, Sender, Signature, Verdict,
};
use facteur_senders::reports::package::{self, Kind, Label, Named};
use facteur_senders::reports::tls::{Failure, FailureKind, PolicyKind, Tally, TlsReport};
use facteur_senders::reports::{Bad, Report, aggregate, read, tls};
use facteur_senders::spf;
use proptest::prelude::*;

const LETTER: &str = "<feedback><report_metadata><org_name>A &amp; B</org_name><email>x@a.test</email>\
    <report_id>7</report_id><date_range><begin>86400</begin><end>172799</end></date_range></report_metadata>\
    <policy_published><domain>our.test</domain><p>reject</p></policy_published>ROWS</feedback>";

fn with_rows(rows: &str) -> String {
    LETTER.replace("ROWS", rows)
}

fn aggregate_of(text: &str) -> AggregateReport {
    aggregate::parse(text.as_bytes()).unwrap()
}

#[test]
fn what_is_missing_and_what_deviates() {
    let rows = "<record><row><source_ip>[192.0.2.1]</source_ip><count> 120 </count><policy_evaluated>\
        <disposition>pass</disposition><dkim>PASS</dkim><spf>fail</spf></policy_evaluated></row>\
        <auth_results><spf><domain>Other.Test.</domain><result>hardfail</result></spf></auth_results></record>\
        <record><row><count>2</count></row></record>\
        <record><row><source_ip>::ffff:192.0.2.9</source_ip><count>99999999999</count></row>\
        <identifiers><header_from>News.Our.Test</header_from></identifiers></record>";
    let report = aggregate_of(&with_rows(rows));
    assert_eq!(report.organisation, "A & B");
    assert_eq!((report.begin, report.end), (86_400, 172_799));
    assert_eq!(report.published.policy, Policy::Reject);
    assert_eq!(report.published.subdomains, Policy::Reject);
    assert_eq!((report.rows.len(), report.left_out), (2, 1));
    let row = &report.rows[0];
    assert_eq!(row.source, IpAddr::from([192, 0, 2, 1]));
    assert_eq!((row.count, row.dkim, row.spf), (120, true, false));
    assert_eq!(row.disposition, Policy::None);
    assert_eq!(row.header_from, "our.test");
    assert_eq!(row.senders[0].domain, "other.test");
    assert_eq!(row.senders[0].result, spf::Outcome::Fail);
    let row = &report.rows[1];
    assert_eq!(row.source, IpAddr::from([192, 0, 2, 9]));
    assert_eq!(row.count, limits::REPORT_COUNT_MAX);
    assert_eq!(row.header_from, "news.our.test");
}

#[test]
fn names_in_any_case_and_namespace() {
    let text = with_rows("").replace("report_metadata", "d:Report_Metadata");
    let text = text.replace("<feedback>", "\u{feff}<feedback xmlns:d=\"urn:any\">");
    let Ok(Report::Aggregate(report)) = read(text.as_bytes()) else {
        panic!("no report");
    };
    assert_eq!(report.id, "7");
}

#[test]
fn hostile_xml() {
    let lol = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;&lol;\">]>";
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let rows = "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>";
    for (text, expected) in [
        (format!("{lol}{LETTER}"), Bad::Doctype),
        (with_rows(&deep), Bad::TooDeep),
        (with_rows("<record>"), Bad::Malformed),
        (with_rows("</record>"), Bad::Malformed),
        (with_rows("<record"), Bad::Malformed),
        (String::new(), Bad::Incomplete),
        (LETTER.replace("172799", "1"), Bad::Incomplete),
        (LETTER.replace("172799", "soon"), Bad::Incomplete),
        (LETTER.replace("our.test", ""), Bad::Incomplete),
        (LETTER.replace("feedback", "html"), Bad::Incomplete),
    ] {
        assert_eq!(aggregate::parse(text.as_bytes()), Err(expected));
    }
    // A name that nobody defined stays a name.
    assert_eq!(
        aggregate_of(&LETTER.replace("&amp;", "&lol2;")).organisation,
        "A &lol2; B"
    );
    let many = aggregate_of(&with_rows(&rows.repeat(limits::REPORT_ROWS_MAX + 5)));
    assert_eq!(
        (many.rows.len(), many.left_out),
        (limits::REPORT_ROWS_MAX, 5)
    );
    let empty = aggregate_of(&with_rows(&"<record/>".repeat(1_000_000)));
    assert_eq!((empty.rows.len(), empty.left_out), (0, 1_000_000));
    let long = aggregate_of(&LETTER.replace("x@a.test", &"é\u{1}".repeat(1 << 20)));
    assert!(long.contact.len() <= limits::REPORT_TEXT_BYTES_MAX);
    assert!(!long.contact.contains('\u{1}'));
}

#[test]
fn million_rows_are_too_large() {
    let row = "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>";
    let text = with_rows(&row.repeat(1_000_000));
    assert_eq!(read(text.as_bytes()), Err(Bad::TooLarge));
    assert_eq!(read(&package::gzip(text.as_bytes())), Err(Bad::TooLarge));
}

/// RFC 8460 appendix B, and what others make of it.
#[test]
fn tls_as_it_is_written() {
    let text = br#" {"organization-name": "Company-X", "contact-info": "sts@company-x.test", "extra": [[{}]],
        "date-range": {"start-datetime": "2016-04-01T00:00:00.123Z", "end-datetime": "2016-04-01 23:59:59"},
        "report-id": 5065427, "policies": [{
          "policy": {"policy-type": "STS", "policy-string": "version: STSv1", "policy-domain": "Our.Test.",
            "mx-host": "*.mail.our.test"},
          "summary": {"total-successful-session-count": "5326", "total-failure-session-count": 303.0},
          "failure-details": [
            {"result-type": "certificate-expired", "sending-mta-ip": "2001:db8:abcd:0012::1",
             "receiving-mx-hostname": null, "failed-session-count": 100},
            {"result-type": "never-heard-of", "failed-session-count": -3}, 7]},
          {"policy": null, "failure-details": {"result-type": "tlsa-invalid"}}]}"#;
    let Ok(Report::Tls(report)) = read(text) else {
        panic!("no report");
    };
    assert_eq!((report.begin, report.end), (1_459_468_800, 1_459_555_199));
    assert_eq!(report.id, "5065427");
    assert_eq!(report.submitter(), Some("company-x.test"));
    let tally = &report.policies[0];
    assert_eq!(
        (tally.kind, tally.domain.as_str()),
        (PolicyKind::Sts, "our.test")
    );
    assert_eq!(tally.hosts, ["*.mail.our.test"]);
    assert_eq!((tally.succeeded, tally.failed), (5326, 303));
    let kinds: Vec<_> = tally
        .failures
        .iter()
        .map(|failure| (failure.kind, failure.count))
        .collect();
    assert_eq!(
        kinds,
        [
            (FailureKind::Expired, 100),
            (FailureKind::Other, 0),
            (FailureKind::Other, 0)
        ]
    );
    assert_eq!(tally.failures[0].host, None);
    assert_eq!(
        report.policies[1].failures[0].kind,
        FailureKind::TlsaInvalid
    );
}

#[test]
fn hostile_json() {
    let range = r#""date-range":{"start-datetime":"2016-04-01T00:00:00Z","end-datetime":"2016-04-02T00:00:00Z"}"#;
    let with = |policies: &str| format!("{{{range},\"policies\":{policies}}}");
    for (text, expected) in [
        (with("[]"), Bad::Incomplete),
        (with("7"), Bad::Incomplete),
        (with("[{}]").replace("04-02", "03-02"), Bad::Incomplete),
        (with("[{}]").replace("04-02", "13-02"), Bad::Incomplete),
        (
            format!("{{\"policies\":{}", "[".repeat(1 << 20)),
            Bad::Malformed,
        ),
        (with("[{}]") + "x", Bad::Malformed),
        ("[1]".to_owned(), Bad::Malformed),
    ] {
        assert_eq!(
            read(text.as_bytes()),
            Err(expected),
            "{}",
            &text[..text.len().min(200)]
        );
    }
    let many = format!("[{}{{}}]", "{},".repeat(1_000_000));
    let report = tls::parse(with(&many).as_bytes()).unwrap();
    assert_eq!(report.policies.len(), limits::TLS_POLICIES_MAX);
    let many = format!("[{{\"failure-details\":{many}}}]");
    let report = tls::parse(with(&many).as_bytes()).unwrap();
    assert_eq!(report.policies[0].failures.len(), limits::TLS_FAILURES_MAX);
}

/// A stored or deflated file in an archive.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    let data = encoder.finish().unwrap();
    let sizes = [0, data.len() as u32, content.len() as u32]
        .map(u32::to_le_bytes)
        .concat();
    let start = [20_u16, 0, 8, 0, 0].map(u16::to_le_bytes).concat();
    let name_bytes = [name.len() as u16, 0].map(u16::to_le_bytes).concat();
    let local = [
        b"PK\x03\x04",
        &start[..],
        &sizes,
        &name_bytes,
        name.as_bytes(),
        &data,
    ]
    .concat();
    let central = [
        b"PK\x01\x02\x14\0",
        &start[..],
        &sizes,
        &name_bytes,
        &[0; 14],
        name.as_bytes(),
    ]
    .concat();
    let place = [central.len() as u32, local.len() as u32]
        .map(u32::to_le_bytes)
        .concat();
    [
        &local[..],
        &central,
        b"PK\x05\x06\0\0\0\0\x01\0\x01\0",
        &place,
        b"\0\0",
    ]
    .concat()
}

#[test]
fn packed() {
    let text = with_rows("");
    let plain = text.as_bytes();
    let gzipped = package::gzip(plain);
    for packed in [
        plain.to_vec(),
        gzipped.clone(),
        zip("a!our.test!1!2.xml", plain),
        zip("a!our.test!1!2.xml.gz", &gzipped),
        package::gzip(&zip("A.XML", plain)),
        [&gzipped[..], b"more"].concat(),
    ] {
        assert_eq!(package::unpack(&packed).unwrap(), plain);
    }
    let thrice = package::gzip(&package::gzip(&gzipped));
    assert_eq!(read(&thrice), Err(Bad::Malformed));
    assert_eq!(read(&zip("a.exe", plain)), Err(Bad::Damaged));
    assert_eq!(read(&gzipped[..gzipped.len() / 2]), Err(Bad::Malformed));
    assert_eq!(read(b"\x1f\x8bnothing"), Err(Bad::Damaged));
    assert_eq!(read(b"PK\x03\x04nothing"), Err(Bad::Damaged));
    assert_eq!(read(b""), Err(Bad::Malformed));
    // A thousand times its size, and one that is only too large.
    let spaces = vec![b' '; 4 << 20];
    assert_eq!(read(&package::gzip(&spaces)), Err(Bad::TooLarge));
    assert_eq!(read(&zip("a.xml", &spaces)), Err(Bad::TooLarge));
    let mut state = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (state >> 28) as u8
    })
    .take(limits::REPORT_BYTES_MAX + 1)
    .collect();
    assert_eq!(read(&package::gzip(&noise)), Err(Bad::TooLarge));
    assert_eq!(read(&noise), Err(Bad::TooLarge));
}

/// RFC 7489 §7.2.1.1, RFC 8460 §5.1 and §5.3.
#[test]
fn names_and_subjects() {
    let label = Label {
        kind: Kind::Aggregate,
        domain: "example.com",
        submitter: "mail.receiver.example",
        begin: 1_013_662_812,
        end: 1_013_749_130,
        id: "2002.02.15.1",
    };
    let name = package::file_name(&label);
    assert_eq!(
        name,
        "mail.receiver.example!example.com!1013662812!1013749130!200202151.xml.gz"
    );
    assert_eq!(
        package::subject(&label),
        "Report Domain: example.com Submitter: mail.receiver.example \
         Report-ID: <2002.02.15.1@mail.receiver.example>"
    );
    let tls = Label {
        kind: Kind::Tls,
        id: "",
        ..label
    };
    assert_eq!(
        package::file_name(&tls),
        "mail.receiver.example!example.com!1013662812!1013749130.json.gz"
    );
    let named = Named::parse(&name).unwrap();
    assert_eq!(
        (named.submitter.as_str(), named.domain.as_str()),
        ("mail.receiver.example", "example.com")
    );
    assert_eq!((named.begin, named.end), (1_013_662_812, 1_013_749_130));
    for other in ["holiday.zip", "a!b!c!d.xml", "a!b!1.xml", "!b!1!2.xml", ""] {
        assert_eq!(Named::parse(other), None, "{other}");
    }
    assert!(package::may_hold(b"APPLICATION", b"tlsrpt+gzip", None));
    assert!(package::may_hold(
        b"application",
        b"octet-stream",
        Some("A!b!1!2.XML.GZ")
    ));
    assert!(!package::may_hold(b"text", b"plain", None));
    assert!(!package::may_hold(b"image", b"png", Some("zip.png")));
}

/// Reports that others wrote, kept beside the repository.
#[test]
fn of_others() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = root.join("../../../shared/data/dmarc/mail-auth/resources");
    assert!(root.is_dir(), "the test data lies beside the repository");
    let mut seen = 0;
    for (folder, end) in [("dmarc-feedback", "xml"), ("tlsrpt", "json")] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|have| have == end) {
                let report = read(&std::fs::read(&path).unwrap()).expect(&name);
                assert_eq!(matches!(report, Report::Tls(_)), end == "json", "{name}");
                assert_eq!(again(&report), report, "{name}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 8);
}

fn again(report: &Report) -> Report {
    let bytes = match report {
        Report::Aggregate(report) => report.write(),
        Report::Tls(report) => report.write(),
    };
    read(&package::gzip(&bytes)).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9<>&\"'é€!@.#]([a-zA-Z0-9 <>&\"'é€!@.#;\\]]{0,20}[a-z<>&\\]])?"
}

fn domain() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9-]{0,8}(\\.[a-z]{1,5}){0,3}"
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::None),
        Just(Policy::Quarantine),
        Just(Policy::Reject)
    ]
}

fn ip() -> impl Strategy<Value = IpAddr> {
    let six = any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(bytes).to_canonical());
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), six]
}

fn option<T: std::fmt::Debug + Clone>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(strategy)
}

fn list<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(strategy, 0..4)
}

prop_compose! {
    fn published()(
        domain in domain(), policies in (policy(), policy(), option(policy())),
        flags in any::<[bool; 3]>(), percent in 0..=100_u8, failures in option(text()),
    ) -> Published {
        let (policy, subdomains, nonexistent) = policies;
        let [strict_dkim, strict_spf, testing] = flags;
        Published {
            domain, policy, subdomains, nonexistent, strict_dkim, strict_spf, percent, testing, failures,
        }
    }
}

prop_compose! {
    fn signature()(
        domain in domain(), selector in option(text()), human in option(text()),
        result in proptest::sample::select(Verdict::WORDS.map(|(one, _)| one).to_vec()),
    ) -> Signature {
        Signature { domain, selector, result, human }
    }
}

fn sender() -> impl Strategy<Value = Sender> {
    use spf::Outcome::*;
    let all = vec![None, Neutral, Pass, Fail, SoftFail, TempError, PermError];
    let result = proptest::sample::select(all);
    (domain(), any::<bool>(), result).prop_map(|(domain, of_hello, result)| Sender {
        domain,
        of_hello,
        result,
    })
}

fn reason() -> impl Strategy<Value = Reason> {
    let kind = proptest::sample::select(ReasonKind::WORDS.map(|(one, _)| one).to_vec());
    (kind, option(text())).prop_map(|(kind, comment)| Reason { kind, comment })
}

prop_compose! {
    fn row()(
        source in ip(), count in 0..=limits::REPORT_COUNT_MAX, disposition in policy(),
        passes in any::<[bool; 2]>(), reasons in list(reason()), header_from in domain(),
        envelope in (option(domain()), option(domain())),
        results in (list(signature()), list(sender())),
    ) -> Row {
        let ([dkim, spf], (envelope_from, envelope_to)) = (passes, envelope);
        let (signatures, senders) = results;
        Row {
            source, count, disposition, dkim, spf, reasons, header_from, envelope_from, envelope_to,
            signatures, senders,
        }
    }
}

prop_compose! {
    fn aggregate_report()(
        names in (text(), text(), option(text()), text()), begin in 0..4_000_000_000_i64,
        length in 0..100_000_i64, errors in list(text()), published in published(),
        rows in list(row()),
    ) -> AggregateReport {
        let (organisation, contact, more_contact, id) = names;
        AggregateReport {
            organisation, contact, more_contact, id, begin, end: begin + length, errors, published, rows,
            left_out: 0,
        }
    }
}

prop_compose! {
    fn failure()(
        kind in proptest::sample::select(FailureKind::WORDS.map(|(one, _)| one).to_vec()), ips in (option(ip()), option(ip())),
        texts in (option(text()), option(text()), option(text()), option(text())),
        count in 0..=limits::REPORT_COUNT_MAX,
    ) -> Failure {
        let ((sending, receiving), (host, hello, more, code)) = (ips, texts);
        Failure { kind, sending, host, hello, receiving, count, more, code }
    }
}

prop_compose! {
    fn tally()(
        kind in prop_oneof![
            Just(PolicyKind::Tlsa), Just(PolicyKind::Sts), Just(PolicyKind::NotFound)
        ],
        policy in list(text()), domain in domain(), hosts in list(text()),
        succeeded in 0..=limits::REPORT_COUNT_MAX, failed in 0..=limits::REPORT_COUNT_MAX,
        failures in list(failure()),
    ) -> Tally {
        Tally { kind, policy, domain, hosts, succeeded, failed, failures }
    }
}

prop_compose! {
    fn tls_report()(
        names in (text(), text(), text()), begin in 0..4_000_000_000_i64, length in 0..100_000_i64,
        first in tally(), mut policies in list(tally()),
    ) -> TlsReport {
        let (organisation, contact, id) = names;
        policies.push(first);
        TlsReport { organisation, contact, id, begin, end: begin + length, policies }
    }
}

proptest! {
    #[test]
    fn aggregate_comes_back(report in aggregate_report()) {
        let report = Report::Aggregate(report);
        prop_assert_eq!(again(&report), report);
    }

    #[test]
    fn tls_comes_back(report in tls_report()) {
        let report = Report::Tls(report);
        prop_assert_eq!(again(&report), report);
    }

    #[test]
    fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = (read(&bytes), aggregate::parse(&bytes), tls::parse(&bytes));
    }
}
