//! Tests of what others know: RFC 5235, RFC 6134, RFC 5490 and RFC 5051.

use super::{A, B, Fake, done, error, holds, letter, outcome_in, short};

fn judged(script: &str, spam: Option<u8>, virus: Option<u8>) -> String {
    let mut fake = Fake {
        spam,
        virus,
        ..Fake::default()
    };
    short(&outcome_in(script, &letter(A), &mut fake))
}

/// RFC 5235 §3.2.1.
#[test]
fn spamtest() {
    let script = r#"require ["spamtest", "fileinto", "relational", "comparator-i;ascii-numeric"];
        if spamtest :value "eq" :comparator "i;ascii-numeric" "0"
        {
            fileinto "INBOX.unclassified";
        }
        elsif spamtest :value "ge" :comparator "i;ascii-numeric" "3"
        {
            fileinto "INBOX.spam-trap";
        }"#;
    for (spam, expected) in [
        (None, "into INBOX.unclassified"),
        (Some(0), "keep"),
        (Some(1), "keep"),
        (Some(14), "into INBOX.spam-trap"),
        (Some(100), "into INBOX.spam-trap"),
    ] {
        assert_eq!(judged(script, spam, None), expected, "{spam:?}");
    }
    for (percent, value) in [
        (0, 1),
        (1, 2),
        (13, 2),
        (49, 5),
        (50, 5),
        (99, 9),
        (100, 10),
        (255, 10),
    ] {
        let script = format!("require \"spamtest\"; if spamtest \"{value}\" {{ discard; }}");
        assert_eq!(judged(&script, Some(percent), None), "discard", "{percent}");
    }
}

/// RFC 5235 §3.2.2, both examples.
#[test]
fn spamtest_in_percent() {
    for first in [
        "if spamtest :value \"eq\"",
        "if spamtest :percent :count \"eq\"",
    ] {
        let script = format!(
            r#"require ["spamtestplus", "fileinto", "relational", "comparator-i;ascii-numeric"];
            {first} :comparator "i;ascii-numeric" "0"
            {{
                fileinto "INBOX.unclassified";
            }}
            elsif spamtest :percent :value "eq" :comparator "i;ascii-numeric" "0"
            {{
                fileinto "INBOX.not-spam";
            }}
            elsif spamtest :percent :value "lt" :comparator "i;ascii-numeric" "37"
            {{
                fileinto "INBOX.spam-trap";
            }}
            else
            {{
                discard;
            }}"#
        );
        for (spam, expected) in [
            (None, "into INBOX.unclassified"),
            (Some(0), "into INBOX.not-spam"),
            (Some(36), "into INBOX.spam-trap"),
            (Some(37), "discard"),
        ] {
            assert_eq!(judged(&script, spam, None), expected, "{first} {spam:?}");
        }
    }
    let script = "require \"spamtest\"; if spamtest :percent \"1\" {}";
    assert_eq!(
        error(script),
        "line 1: ':percent' needs: require 'spamtestplus';"
    );
}

/// RFC 5235 §3.3.
#[test]
fn virustest() {
    let script = r#"require ["virustest", "fileinto", "relational", "comparator-i;ascii-numeric"];
        if virustest :value "eq" :comparator "i;ascii-numeric" "0"
        {
            fileinto "INBOX.unclassified";
        }
        if virustest :value "eq" :comparator "i;ascii-numeric" "4"
        {
            fileinto "INBOX.quarantine";
        }
        elsif virustest :value "eq" :comparator "i;ascii-numeric" "5"
        {
            discard;
        }"#;
    for (virus, expected) in [
        (None, "into INBOX.unclassified"),
        (Some(1), "keep"),
        (Some(4), "into INBOX.quarantine"),
        (Some(5), "discard"),
    ] {
        assert_eq!(judged(script, None, virus), expected, "{virus:?}");
    }
}

/// RFC 6134 §2.9.1, both ways of writing it; message A's sender is in the address book.
#[test]
fn known_senders() {
    let first = r#"require ["envelope", "extlists", "fileinto", "spamtest",
                "relational", "comparator-i;ascii-numeric"];
       if envelope :list "from" ":addrbook:default"
         { /* Known: allow high spam score */
           if spamtest :value "ge" :comparator "i;ascii-numeric" "8"
             {
               fileinto "spam";
             }
         }
       elsif spamtest :value "ge" :comparator "i;ascii-numeric" "3"
         { /* Unknown: less tolerance in spam score */
           fileinto "spam";
         }"#;
    let second = r#"require ["envelope", "extlists", "fileinto", "spamtest",
           "variables", "relational", "comparator-i;ascii-numeric"];
       if envelope :list "from" ":addrbook:default" {
         set "lim" "8";  /* Known: allow high spam score */
       } else {
         set "lim" "3";  /* Unknown: less tolerance in spam score */
       }
       if spamtest :value "ge" :comparator "i;ascii-numeric" "${lim}" {
         fileinto "spam";
       }"#;
    for script in [first, second] {
        for (from, spam, expected) in [
            ("coyote@desert.example.org", 60, "keep"),
            ("coyote@desert.example.org", 90, "into spam"),
            ("stranger@x.test", 60, "into spam"),
            ("stranger@x.test", 10, "keep"),
        ] {
            let mut fake = Fake {
                spam: Some(spam),
                ..Fake::default()
            };
            let mut letter = letter(A);
            letter.from = from;
            let outcome = outcome_in(script, &letter, &mut fake);
            assert_eq!(short(&outcome), expected, "{from} {spam}");
        }
    }
}

/// RFC 6134 §2.2 to §2.7.
#[test]
fn lists() {
    let extensions = ", \"extlists\", \"variables\"";
    for (test, message, expected) in [
        ("address :list \"from\" \":addrbook:default\"", A, true),
        (
            "address :list [\"to\", \"from\"] \":aDdRbOOk:DeFauLt\"",
            A,
            true,
        ),
        (
            "address :list \"from\" \":AddrBook:%44%65%66ault\"",
            A,
            true,
        ),
        (
            "address :list \"from\" \"urn:ietf:params:sieve:addrbook:default\"",
            A,
            true,
        ),
        ("header :list \"from\" \":addrbook:default\"", A, true),
        ("address :list \"from\" \":addrbook:default\"", B, false),
        (
            "address :list :domain \"from\" \":addrbook:default\"",
            A,
            false,
        ),
        (
            "string :list \"COYOTE@desert.example.org\" \":addrbook:default\"",
            A,
            true,
        ),
        ("valid_ext_list \":addrbook:default\"", A, true),
        (
            "valid_ext_list \"tag:example.com,2011-01-01:localHolidays\"",
            A,
            false,
        ),
        (
            "valid_ext_list [\":addrbook:default\", \":addrbook:friends\"]",
            A,
            false,
        ),
        // Match variables.
        (
            "allof(address :list \"from\" \":addrbook:default\", string \"${0}\" \"coyote@desert.example.org\")",
            A,
            true,
        ),
    ] {
        assert_eq!(holds(extensions, test, message), expected, "{test}");
    }
    let asked = "require \"extlists\"; if address :list \"from\" \"tag:x.test,2011:y\" {}";
    assert_eq!(
        done(asked, A),
        "keep, failed line 1: the list 'tag:x.test,2011:y' can't be used here"
    );
    let told = "require \"extlists\"; redirect :list \":addrbook:default\";";
    assert_eq!(
        done(told, A),
        "keep, failed line 1: the list ':addrbook:default' can't be used here"
    );
    for (test, problem) in [
        // RFC 6134 §2.9.2: `currentdate` is none of the tests that know lists.
        (
            "currentdate :list \"date\" \"tag:example.com,2011-01-01:localHolidays\"",
            "line 1: ':list' is not known here",
        ),
        (
            "header :list :comparator \"i;octet\" \"from\" \":addrbook:default\"",
            "line 1: ':list' is given twice or beside another that excludes it",
        ),
        (
            "header :list :is \"from\" \":addrbook:default\"",
            "line 1: ':is' is given twice or beside another that excludes it",
        ),
    ] {
        let script = format!("require [\"extlists\", \"date\", \"enotify\"]; if {test} {{}}");
        assert_eq!(error(&script), problem, "{test}");
    }
}

/// RFC 5490 §3.3, §4.1 and their tests of existence.
#[test]
fn annotations() {
    let first = r#"require ["mboxmetadata", "vacation"];
       if metadata :is "INBOX"
            "/private/vendor/vendor.isode/auto-replies" "on" {
           vacation text:
I'm away on holidays till March 2009.
Expect a delay.
.
;
       }"#;
    assert_eq!(done(first, A), "keep, vacation");
    let second = r#"require ["enotify", "servermetadata", "variables", "envelope"];
       if servermetadata :matches
          "/private/vendor/vendor.isode/notification-uri" "*" {
           set "notif_uri" "${0}";
       }
       if not string :is "${notif_uri}" "none" {
           # :matches is used to get the MAIL FROM address
           if envelope :all :matches "from" "*" {
               set "env_from" " [really: ${1}]";
           }
           # :matches is used to get the value of the Subject header
           if header :matches "Subject" "*" {
               set "subject" "${1}";
           }
           # :matches is used to get the address from the From header
           if address :matches :all "from" "*" {
               set "from_addr" "${1}";
           }
           notify :message "${from_addr}${env_from}: ${subject}"
                  "${notif_uri}";
       }"#;
    assert_eq!(
        done(second, A),
        "keep, notify2 alm@example.com: coyote@desert.example.org [really: coyote@desert.example.org]: I have a present for you"
    );
    let extensions = ", \"mboxmetadata\", \"servermetadata\"";
    for (test, expected) in [
        (
            "metadataexists \"INBOX\" \"/private/vendor/vendor.isode/auto-replies\"",
            true,
        ),
        (
            "metadataexists \"INBOX\" [\"/private/vendor/vendor.isode/auto-replies\", \"/private/x\"]",
            false,
        ),
        (
            "metadataexists \"None\" \"/private/vendor/vendor.isode/auto-replies\"",
            false,
        ),
        (
            "servermetadataexists \"/private/vendor/vendor.isode/notification-uri\"",
            true,
        ),
        (
            "servermetadataexists \"/private/vendor/vendor.isode/auto-replies\"",
            false,
        ),
        ("metadata \"INBOX\" \"/private/x\" \"\"", false),
    ] {
        assert_eq!(holds(extensions, test, A), expected, "{test}");
    }
}

/// RFC 5051.
#[test]
fn letters_of_all_scripts() {
    let message = "Subject: =?utf-8?q?=C3=89t=C3=A9_=C3=80_LA_GR=C3=88CE_=CE=A3?=\r\n\r\n";
    let test = |how: &str, key: &str| {
        let test = format!("header :{how} :comparator \"i;unicode-casemap\" \"subject\" \"{key}\"");
        holds(
            ", \"comparator-i;unicode-casemap\", \"regex\"",
            &test,
            message,
        )
    };
    assert!(test("is", "\u{c9}T\u{c9} \u{e0} la Gr\u{e8}ce \u{3c3}"));
    assert!(test("contains", "GR\u{c8}CE"));
    // Composed and taken apart.
    assert!(test("contains", "gre\u{300}ce"));
    assert!(test("matches", "\u{e9}?\u{e9} *gr\u{e8}ce ?"));
    assert!(test("regex", "^\u{e9}t\u{e9}"));
    assert!(!test("contains", "grece"));
    let script = "if header :comparator \"i;unicode-casemap\" \"a\" \"b\" {}";
    assert_eq!(
        error(script),
        "line 1: 'i;unicode-casemap' needs: require 'comparator-i;unicode-casemap';"
    );
}
