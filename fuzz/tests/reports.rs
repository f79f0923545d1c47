//! What receivers write of mail in a domain's name and of TLS on the way to it: XML and JSON of strangers,
//! in GZIP and ZIP.

use facteur_fuzz::Fuzz;
use facteur_senders::limits;
use facteur_senders::reports::package::{self, Named};
use facteur_senders::reports::{Report, aggregate, read, tls};

const AGGREGATE: &str = "<?xml version=\"1.0\"?><feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\
    <report_metadata><org_name>A &amp; B</org_name><email>x@a.test</email><report_id>7</report_id>\
    <date_range><begin>86400</begin><end>172799</end></date_range><error>e</error></report_metadata>\
    <policy_published><domain>our.test</domain><adkim>s</adkim><p>reject</p><sp>none</sp><pct>50</pct>\
    <fo>1</fo></policy_published><record><row><source_ip>2001:db8::1</source_ip><count>3</count>\
    <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf><reason>\
    <type>forwarded</type><comment><![CDATA[a<b]]></comment></reason></policy_evaluated></row><identifiers>\
    <envelope_to>a.test</envelope_to><envelope_from>b.test</envelope_from><header_from>our.test</header_from>\
    </identifiers><auth_results><dkim><domain>our.test</domain><selector>s</selector><result>pass</result>\
    </dkim><spf><domain>b.test</domain><scope>mfrom</scope><result>softfail</result></spf></auth_results>\
    </record></feedback>";
const TLS: &str = r#"{"organization-name":"A","date-range":{"start-datetime":"2016-04-01T00:00:00Z",
    "end-datetime":"2016-04-01T23:59:59+01:00"},"contact-info":"a@b.test","report-id":"5","policies":[
    {"policy":{"policy-type":"sts","policy-string":["version: STSv1"],"policy-domain":"our.test",
    "mx-host":["*.our.test"]},"summary":{"total-successful-session-count":5326,
    "total-failure-session-count":303},"failure-details":[{"result-type":"certificate-expired",
    "sending-mta-ip":"2001:db8::1","receiving-mx-hostname":"mx.our.test","receiving-ip":"192.0.2.1",
    "failed-session-count":100,"failure-reason-code":"X"}]}]}"#;
const WORDS: &[&str] = &[
    "<record>",
    "</record>",
    "<record/>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&b;",
    "&#0;",
    "&#x10ffff;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<count>",
    "99999999999999999999",
    "-1",
    "1e99",
    "null",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"policies\":",
    "\\ud800",
    "!1!2.xml",
];

#[test]
fn reports() {
    let seeds = [AGGREGATE, TLS].map(|text| text.as_bytes().to_vec());
    let packed = seeds.clone().map(|text| package::gzip(&text));
    Fuzz::new("reports")
        .seeds(seeds)
        .seeds(packed)
        .words(WORDS)
        .run(|input, signature| {
            if let Ok(bytes) = package::unpack(input) {
                assert!(bytes.len() <= limits::REPORT_BYTES_MAX);
            }
            let _ = (aggregate::parse(input), tls::parse(input));
            let _ = Named::parse(&String::from_utf8_lossy(input));
            let report = read(input);
            signature.add_shape(&report);
            let Ok(report) = report else {
                return;
            };
            let (written, expected) = match report {
                Report::Aggregate(mut report) => {
                    assert!(report.rows.len() <= limits::REPORT_ROWS_MAX);
                    report.left_out = 0;
                    (report.write(), Report::Aggregate(report))
                }
                Report::Tls(report) => {
                    assert!(report.policies.len() <= limits::TLS_POLICIES_MAX);
                    (report.write(), Report::Tls(report))
                }
            };
            assert_eq!(read(&written), Ok(expected));
        });
}
