//! RFC 5228.

use super::{A, B, Fake, Letter, done, holds, outcome_in, short};

#[test]
fn strings_and_comments() {
    let script = "if size :over 100k { # this is a comment\r\n discard;\r\n}\r\n\
        if size :over 100K { /* this is a comment\r\n this is still a comment */ discard /* this is a comment\r\n */ ;\r\n}";
    assert_eq!(done(script, A), "keep");
    // RFC 5228 §2.4.2.4.
    let script = "require \"encoded-character\"; if header :contains \"Subject\" \"$${hex:24 24}\" { discard; }";
    assert_eq!(done(script, A), "keep");
    assert_eq!(done(script, B), "discard");
    // Without the extension it stands for itself.
    assert!(!holds(
        "",
        "header :contains \"Subject\" \"$${hex:24 24}\"",
        B
    ));
}

#[test]
fn test_lists() {
    let script = "if anyof (not exists [\"From\", \"Date\"], header :contains \"from\" \"fool@example.com\") { discard; }";
    assert_eq!(done(script, A), "keep");
    assert_eq!(done(script, "From: x@y\r\n\r\n"), "discard");
    assert_eq!(
        done(script, "From: Fool@Example.COM\r\nDate: x\r\n\r\n"),
        "discard"
    );
    for (test, expected) in [
        ("allof (false, false)", false),
        ("allof (false, true)", false),
        ("allof (true,  true)", true),
        ("allof (true)", true),
        ("anyof (false, false)", false),
        ("anyof (false, true)", true),
        ("anyof (true,  true)", true),
        ("not allof (true, not false)", false),
        (
            "anyof (allof (true, false), allof (true, anyof (false, true)))",
            true,
        ),
        ("false", false),
        ("true", true),
    ] {
        assert_eq!(holds("", test, A), expected, "{test}");
    }
}

/// RFC 5228 §2.7.1, §2.7.3.
#[test]
fn match_types_and_comparators() {
    for (test, subject, expected) in [
        (
            "header :contains :comparator \"i;octet\" \"Subject\" \"MAKE MONEY FAST\"",
            "You can MAKE MONEY FAST",
            true,
        ),
        (
            "header :contains :comparator \"i;octet\" \"Subject\" \"MAKE MONEY FAST\"",
            "You can Make Money Fast",
            false,
        ),
        (
            "header :contains \"Subject\" \"make money fast\"",
            "You can Make Money Fast",
            true,
        ),
        ("header :is \"subject\" \"frop\"", "  FROP ", true),
        ("header \"subject\" [\"a\", \"frop\"]", "frop", true),
        ("header :matches \"subject\" \"f?o*\"", "frobnitz", true),
        ("header :matches \"subject\" \"f?o\"", "frobnitz", false),
        ("header :matches \"subject\" \"\\\\*x\"", "*x", true),
        ("header :contains \"Subject:\" \"\"", "x", false),
        ("header :contains \"X-None\" \"\"", "x", false),
        // RFC 2047.
        (
            "header :is \"subject\" \"café\"",
            "=?iso-8859-1?q?caf=E9?=",
            true,
        ),
    ] {
        assert_eq!(
            holds("", test, &format!("Subject: {subject}\r\n\r\n")),
            expected,
            "{test}"
        );
    }
    let numeric = ", \"comparator-i;ascii-numeric\"";
    assert!(holds(
        numeric,
        "header :comparator \"i;ascii-numeric\" \"x\" \"007\"",
        "X: 7\r\n\r\n"
    ));
}

/// RFC 5228 §2.7.2: any value of any field with any key.
#[test]
fn all_combinations_are_tried() {
    let message = "X: 1\r\nX: 2\r\nY: 3\r\n\r\n";
    for (test, expected) in [
        ("header [\"x\", \"y\"] [\"9\", \"3\"]", true),
        ("header [\"x\", \"z\"] [\"2\"]", true),
        ("header [\"z\"] [\"2\"]", false),
        ("exists [\"x\", \"y\"]", true),
        ("exists [\"x\", \"z\"]", false),
    ] {
        assert_eq!(holds("", test, message), expected, "{test}");
    }
}

#[test]
fn control() {
    let script = "require \"fileinto\"; if header :contains \"from\" \"coyote\" { discard; } \
        elsif header :contains [\"subject\"] [\"$$$\"] { discard; } else { fileinto \"INBOX\"; }";
    assert_eq!(done(script, A), "discard");
    assert_eq!(done(script, B), "discard");
    assert_eq!(done(script, "From: x@y\r\n\r\n"), "keep");
    let script = "if header :contains [\"From\"] [\"coyote\"] { redirect \"acm@example.com\"; } \
        elsif header :contains \"Subject\" \"$$$\" { redirect \"postmaster@example.com\"; } \
        else { redirect \"field@example.com\"; }";
    assert_eq!(done(script, A), "redirect acm@example.com");
    assert_eq!(done(script, B), "redirect postmaster@example.com");
    assert_eq!(done(script, "\r\n"), "redirect field@example.com");
    assert_eq!(done("stop; discard;", A), "keep");
    assert_eq!(
        done("if true { if false {} elsif true { stop; } } discard;", A),
        "keep"
    );
}

#[test]
fn actions() {
    for (script, expected) in [
        ("", "keep"),
        ("keep;", "keep"),
        ("keep; keep;", "keep"),
        ("discard;", "discard"),
        ("discard; keep;", "keep"),
        (
            "redirect \"bart@example.com\";",
            "redirect bart@example.com",
        ),
        (
            "redirect \"bart@example.com\"; keep;",
            "keep, redirect bart@example.com",
        ),
        (
            "redirect \"Bart <bart@example.com>\"; redirect \"BART@example.com\";",
            "redirect bart@example.com",
        ),
        ("if size :under 1M { keep; } else { discard; }", "keep"),
        ("if not size :under 1M { discard; }", "keep"),
        ("if size :over 500K { discard; }", "keep"),
        ("if size :over 100 { discard; }", "discard"),
        (
            "require \"fileinto\"; if header :contains [\"from\"] \"coyote\" { fileinto \"INBOX.harassment\"; }",
            "into INBOX.harassment",
        ),
        (
            "require \"fileinto\"; fileinto \"a\"; fileinto \"b\"; fileinto \"a\"; discard;",
            "into a, into b",
        ),
        ("require \"fileinto\"; fileinto \"inbox\"; keep;", "keep"),
    ] {
        assert_eq!(done(script, A), expected, "{script}");
    }
}

#[test]
fn there_are_not_too_many_actions() {
    let stores = |n: usize| {
        let lines: String = (0..n).map(|i| format!("fileinto \"{i}\";")).collect();
        format!("require \"fileinto\"; {lines}")
    };
    assert!(!done(&stores(16), A).contains("failed"));
    assert_eq!(
        done(&stores(17), A),
        "keep, failed line 1: the script files too many copies"
    );
    let redirects: String = (0..5)
        .map(|i| format!("redirect \"{i}@x.test\";\n"))
        .collect();
    assert_eq!(
        done(&redirects, A),
        "keep, failed line 5: the script redirects to too many addresses"
    );
}

/// RFC 5228 §5.1.
#[test]
fn addresses() {
    assert_eq!(
        done(
            "if address :is :all \"from\" \"tim@example.com\" { discard; }",
            "From: Tim <TIM@Example.com>\r\n\r\n"
        ),
        "discard"
    );
    let message = "From: \"A, B\" <a.b@example.com>\r\nTo: Friends: x@one.test, y@two.test;\r\nCc: broken\r\n\r\n";
    for (test, expected) in [
        ("address :domain \"from\" \"example.com\"", true),
        ("address :localpart \"from\" \"a.b\"", true),
        ("address \"from\" \"a.b@EXAMPLE.com\"", true),
        ("address :contains \"from\" \"A, B\"", false),
        ("address :domain :is [\"to\", \"cc\"] \"two.test\"", true),
        ("address :all :is \"cc\" \"broken\"", true),
        ("address :localpart \"cc\" \"broken\"", false),
        ("address :domain :contains \"cc\" \"\"", false),
        ("address :matches :domain \"to\" \"*.test\"", true),
    ] {
        assert_eq!(holds("", test, message), expected, "{test}");
    }
}

/// RFC 5228 §5.4.
#[test]
fn envelopes() {
    let run = |script: &str, from: &str| {
        let letter = Letter {
            message: A,
            from,
            to: "Roadrunner@acme.example.com",
        };
        short(&outcome_in(script, &letter, &mut Fake::default()))
    };
    let script =
        "require \"envelope\"; if envelope :all :is \"from\" \"tim@example.com\" { discard; }";
    assert_eq!(run(script, "tim@EXAMPLE.com"), "discard");
    assert_eq!(run(script, "tom@example.com"), "keep");
    let null = "require \"envelope\"; if envelope \"From\" \"\" { discard; }";
    assert_eq!(run(null, ""), "discard");
    assert_eq!(run(null, "tom@example.com"), "keep");
    let part = "require \"envelope\"; if envelope :localpart \"from\" \"\" { discard; }";
    assert_eq!(run(part, ""), "discard");
    let to = "require \"envelope\"; if envelope :localpart \"to\" \"roadrunner\" { discard; }";
    assert_eq!(run(to, ""), "discard");
}

/// RFC 5228 §9.
#[test]
fn the_extended_example() {
    let script = r#"#
        # Example Sieve Filter
        # Declare any optional features or extension used by the script
        #
        require ["fileinto"];

        #
        # Handle messages from known mailing lists
        # Move messages from IETF filter discussion list to filter mailbox
        #
        if header :is "Sender" "owner-ietf-mta-filters@imc.org"
                {
                fileinto "filter";  # move to "filter" mailbox
                }
        #
        # Keep all messages to or from people in my company
        #
        elsif address :DOMAIN :is ["From", "To"] "example.com"
                {
                keep;               # keep in "In" mailbox
                }

        #
        # Try and catch unsolicited email.  If a message is not to me,
        # or it contains a subject known to be spam, file it away.
        #
        elsif anyof (NOT address :all :contains
                       ["To", "Cc", "Bcc"] "me@example.com",
                     header :matches "subject"
                       ["*make*money*fast*", "*university*dipl*mas*"])
                {
                fileinto "spam";   # move to "spam" mailbox
                }
        else
                {
                # Move all other (non-company) mail to "personal"
                # mailbox.
                fileinto "personal";
                }"#;
    for (message, expected) in [
        (
            "Sender: owner-ietf-mta-filters@imc.org\r\n\r\n",
            "into filter",
        ),
        ("To: you@example.com\r\n\r\n", "keep"),
        (A, "into spam"),
        (
            "To: me@example.com.test\r\nSubject: How to make more money real fast\r\n\r\n",
            "into spam",
        ),
        (
            "To: me@example.com.test\r\nSubject: hello\r\n\r\n",
            "into personal",
        ),
    ] {
        assert_eq!(done(script, message), expected, "{message}");
    }
}

#[test]
fn a_run_ends_within_its_budget() {
    // Every comparison is counted: 64 fields of 60 KiB against 10 keys, a hundred times over.
    let message = format!(
        "{}\r\n",
        format!("X: {}\r\n", "a".repeat(60_000)).repeat(64)
    );
    let test = format!(
        "if header :matches \"x\" [{}] {{}}\n",
        ["\"*a*b*a*b*\""; 10].join(",")
    );
    let outcome = done(&test.repeat(100), &message);
    assert!(
        outcome.ends_with("the script takes too long") || outcome.ends_with("too much memory"),
        "{outcome}"
    );
}

/// Looking is paid for as often as it is done, also where it finds nothing.
#[test]
fn every_look_is_paid_for() {
    let part = format!("--b\r\n{}\r\nx\r\n", "a: b\r\n".repeat(4_000));
    let parts = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        part.repeat(100)
    );
    let names = |name: &str| format!("[{}]", vec![format!("\"{name}\""); 1_000].join(","));
    let header = format!("{}\r\n", "a: b\r\n".repeat(10_000));
    let stars = format!("X: {}\r\n\r\n", "a".repeat(60_000));
    let pattern = format!("\"*{}b\"", "a".repeat(10_000));
    for (script, message) in [
        (
            format!(
                "require \"mime\"; if exists :mime :anychild {} {{}}",
                names("content-type")
            ),
            &parts,
        ),
        (
            format!(
                "require \"mime\"; if header :mime :anychild :type {} \"x\" {{}}",
                names("y")
            ),
            &parts,
        ),
        (
            format!(
                "require \"mime\"; if address :mime :anychild {} \"x\" {{}}",
                names("to")
            ),
            &parts,
        ),
        (
            format!(
                "require \"editheader\"; {}",
                "deleteheader \"X\";".repeat(3_000)
            ),
            &header,
        ),
        (format!("if header :matches \"x\" {pattern} {{}}"), &stars),
    ] {
        let outcome = done(&script, message);
        let head: String = script.chars().take(60).collect();
        assert!(
            outcome.ends_with("the script takes too long") || outcome.ends_with("too much memory"),
            "{head}: {outcome}"
        );
    }
}
