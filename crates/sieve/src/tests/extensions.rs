//! The extensions, each with the examples of its RFC.

use super::{A, B, Fake, done, holds, letter, outcome, outcome_in, short};

/// RFC 3894.
#[test]
fn copy() {
    let script =
        "require [\"copy\", \"fileinto\"]; redirect :copy \"a@b.test\"; fileinto :copy \"x\";";
    assert_eq!(done(script, A), "into x, keep, redirect a@b.test");
}

/// RFC 5229.
#[test]
fn variables() {
    let set = |set: &str, test: &str| {
        let script = format!("require [\"variables\", \"fileinto\"]; {set} fileinto \"{test}\";");
        done(&script, A)
    };
    for (commands, text, expected) in [
        (
            "set \"company\" \"ACME\";",
            "${full}|${company}|${BAD${Company}|${President, ${Company} Inc.}|${}|${doh!}",
            "|ACME|${BADACME|${President, ACME Inc.}|${}|${doh!}",
        ),
        (
            "set \"dollar\" \"$\"; set \"text\" \"regarding ${dollar}{beep}\";",
            "${text}",
            "regarding ${beep}",
        ),
        (
            "set \"foo\" \"x\";",
            "${fo\\o}|\\${foo}|\\\\${foo}|${fo\\\\o}",
            "x|x|\\x|${fo\\o}",
        ),
        ("set \"a\" \"juMBlEd lETteRS\";", "${a}", "juMBlEd lETteRS"),
        (
            "set \"a\" \"juMBlEd lETteRS\"; set :length \"b\" \"${a}\";",
            "${b}",
            "15",
        ),
        (
            "set \"a\" \"juMBlEd lETteRS\"; set :lower \"b\" \"${a}\";",
            "${b}",
            "jumbled letters",
        ),
        (
            "set \"a\" \"juMBlEd lETteRS\"; set :upperfirst \"b\" \"${a}\";",
            "${b}",
            "JuMBlEd lETteRS",
        ),
        (
            "set \"a\" \"juMBlEd lETteRS\"; set :upperfirst :lower \"b\" \"${a}\";",
            "${b}",
            "Jumbled letters",
        ),
        ("set :quotewildcard \"b\" \"Rock*\";", "${b}", "Rock\\*"),
        ("set :lowerfirst :upper \"b\" \"été x\";", "${b}", "éTé X"),
        ("set :length \"b\" \"été\";", "${B}", "3"),
        ("set :length :quotewildcard \"b\" \"a*\";", "${b}", "3"),
    ] {
        assert_eq!(
            set(commands, text),
            format!("into {expected}"),
            "{commands}"
        );
    }
    let script = "require [\"variables\", \"encoded-character\"]; set \"name\" \"Ethelbert\"; \
        if header :contains \"Subject\" \"dear${hex:20 24 7b 4e}ame}\" { discard; }";
    assert_eq!(
        done(script, "Subject: my dear Ethelbert\r\n\r\n"),
        "discard"
    );
}

/// RFC 5229 §3.2.
#[test]
fn match_variables() {
    let lists = "require [\"fileinto\", \"variables\"]; if header :matches \"List-ID\" \"*<*@*\" { fileinto \"INBOX.lists.${2}\"; stop; } \
        if header :matches \"Subject\" \"[*] *\" { fileinto \"INBOX.lists.${1}\"; stop; } \
        if address :matches [\"To\", \"Cc\"] [\"coyote@**.com\", \"wile@**.com\"] { fileinto \"INBOX.business.${2}\"; stop; }";
    for (message, expected) in [
        (
            "List-Id: Users <acme-users@x.test>\r\n\r\n",
            "into INBOX.lists.acme-users",
        ),
        (
            "Subject: [acme-users] [fwd] version 1.0 is out\r\n\r\n",
            "into INBOX.lists.acme-users",
        ),
        (
            "To: coyote@ACME.Example.COM\r\n\r\n",
            "into INBOX.business.ACME.Example",
        ),
        ("To: x@y\r\n\r\n", "keep"),
    ] {
        assert_eq!(done(lists, message), expected, "{message}");
    }
    // No further test than needed; one that fails leaves the list alone.
    let script = "require [\"fileinto\", \"variables\"]; \
        if anyof (header :matches \"subject\" \"*p*\", header :matches \"from\" \"*\") {} \
        if header :matches \"subject\" \"none?\" {} fileinto \"${1}|${02}|${3}|${0}\";";
    assert_eq!(
        done(script, "Subject: apb\r\nFrom: x\r\n\r\n"),
        "into a|b||apb"
    );
}

/// RFC 5229 §5.
#[test]
fn string_test() {
    let script = "require [\"variables\", \"relational\", \"comparator-i;ascii-numeric\"]; set \"state\" \"${state} pending\"; \
        if string :matches \" ${state} \" \"* pending *\" { discard; }";
    assert_eq!(done(script, A), "discard");
    let variables = ", \"variables\", \"relational\", \"comparator-i;ascii-numeric\"";
    assert!(holds(
        variables,
        "string :count \"eq\" :comparator \"i;ascii-numeric\" [\"\", \"a\", \"${x}\"] \"1\"",
        A
    ));
    assert!(holds(variables, "string \"${x}\" \"\"", A));
}

/// RFC 5231 §6 to §8.
#[test]
fn relational() {
    let message = "received: one\r\nreceived: two\r\nsubject: important\r\nto: foo@example.com.invalid, baz@example.com.invalid\r\ncc: qux@example.com.invalid\r\nx-priority: 2\r\n\r\n";
    let extensions = ", \"relational\", \"comparator-i;ascii-numeric\"";
    for (test, expected) in [
        (
            "address :count \"ge\" :comparator \"i;ascii-numeric\" [\"to\", \"cc\"] [\"3\"]",
            true,
        ),
        (
            "anyof ( address :count \"ge\" :comparator \"i;ascii-numeric\" [\"to\"] [\"3\"], address :count \"ge\" :comparator \"i;ascii-numeric\" [\"cc\"] [\"3\"] )",
            false,
        ),
        (
            "header :count \"ge\" :comparator \"i;ascii-numeric\" [\"received\"] [\"3\"]",
            false,
        ),
        (
            "header :count \"ge\" :comparator \"i;ascii-numeric\" [\"received\", \"subject\"] [\"3\"]",
            true,
        ),
        (
            "header :count \"ge\" :comparator \"i;ascii-numeric\" [\"to\", \"cc\"] [\"3\"]",
            false,
        ),
        (
            "header :value \"lt\" :comparator \"i;ascii-numeric\" [\"x-priority\"] [\"3\"]",
            true,
        ),
        ("address :value \"gt\" :all [\"to\"] [\"M\"]", false),
        ("address :value \"gt\" :all [\"to\"] [\"A\"]", true),
        ("header :value \"ne\" \"subject\" \"important\"", false),
        ("header :count \"eq\" \"x-none\" \"0\"", true),
    ] {
        assert_eq!(holds(extensions, test, message), expected, "{test}");
    }
}

/// RFC 5233 §4.
#[test]
fn subaddress() {
    let message = "To: ken+mta-filters@example.com, pete@example.com, x+@one.test\r\n\r\n";
    for (test, expected) in [
        ("address :user :is \"to\" \"ken\"", true),
        ("address :detail :is \"to\" \"mta-filters\"", true),
        ("address :user :is \"to\" \"pete\"", true),
        ("address :detail :contains \"to\" \"pete\"", false),
        ("address :detail :is \"to\" \"\"", true),
        ("address :localpart \"to\" \"ken+mta-filters\"", true),
    ] {
        assert_eq!(holds(", \"subaddress\"", test, message), expected, "{test}");
    }
    let without = "To: pete@example.com\r\n\r\n";
    assert!(!holds(
        ", \"subaddress\"",
        "address :detail :is \"to\" \"\"",
        without
    ));
    let script = "require [\"envelope\", \"subaddress\", \"fileinto\"]; if envelope :user \"to\" \"roadrunner\" { fileinto \"x\"; }";
    assert_eq!(done(script, A), "into x");
}

/// RFC 5232.
#[test]
fn flags() {
    for (commands, expected) in [
        ("setflag \"\\\\Deleted\";", "keep (\\Deleted)"),
        (
            "setflag [\"\\\\Deleted\", \"\\\\Deleted\"]; addflag \"\\\\deleted $x\";",
            "keep (\\Deleted $x)",
        ),
        ("setflag \"A B\"; removeflag \"b\"; keep;", "keep (A)"),
        (
            "setflag \"flagvar\" \"\\\\Flagged\"; addflag \"flagvar\" [\"\\\\Deleted\", \"\\\\Answered\"]; keep :flags \"${flagvar}\";",
            "keep (\\Flagged \\Deleted \\Answered)",
        ),
        (
            "setflag \"A\"; fileinto \"x\"; setflag \"B\"; keep;",
            "into x (A), keep (B)",
        ),
        ("setflag \"A\"; fileinto :flags \"\" \"x\";", "into x"),
        (
            "setflag [\"\\\\Recent\", \"\", \"été\", \"ok\"];",
            "keep (ok)",
        ),
        (
            "setflag \"A B\"; if hasflag :is \"b A\" { discard; }",
            "discard",
        ),
        (
            "setflag \"A B\"; if hasflag [\"b\", \"A\"] { discard; }",
            "discard",
        ),
        (
            "setflag \"MyFlags\" \"A B\"; if hasflag :count \"ge\" :comparator \"i;ascii-numeric\" \"MyFlags\" \"2\" { discard; }",
            "discard",
        ),
        ("if hasflag \"A\" { discard; }", "keep"),
    ] {
        let script = format!(
            "require [\"imap4flags\", \"fileinto\", \"variables\", \"relational\", \"comparator-i;ascii-numeric\"]; {commands}"
        );
        assert_eq!(done(&script, A), expected, "{commands}");
    }
    let set = "setflag \"MyVar\" \"NonJunk Junk gnus-forward $Forwarded NotJunk JunkRecorded $Junk $NotJunk\";";
    for (test, expected) in [
        ("hasflag :contains \"MyVar\" \"Junk\"", true),
        ("hasflag :contains \"MyVar\" \"forward\"", true),
        ("hasflag :contains \"MyVar\" [\"label\", \"forward\"]", true),
        ("hasflag :contains \"MyVar\" [\"junk\", \"forward\"]", true),
        ("hasflag :contains \"MyVar\" \"junk forward\"", true),
        ("hasflag :contains \"MyVar\" \"forward junk\"", true),
        ("hasflag :contains \"MyVar\" \"label\"", false),
        (
            "hasflag :contains \"MyVar\" [\"label1\", \"label2\"]",
            false,
        ),
    ] {
        let script =
            format!("require [\"imap4flags\", \"variables\"]; {set} if {test} {{ discard; }}");
        assert_eq!(
            done(&script, A),
            if expected { "discard" } else { "keep" },
            "{test}"
        );
    }
    // RFC 5232 §7, the extended example.
    let script = "require [\"fileinto\", \"imap4flags\", \"variables\"];\
        if size :over 1M { addflag \"MyFlags\" \"Big\"; if header :is \"From\" \"boss@company.example.com\" { addflag \"MyFlags\" \"FromBoss\"; } } \
        if header :is \"Sender\" \"owner-ietf-mta-filters@example.org\" { set \"Mailbox\" \"filter\"; } \
        elsif address :DOMAIN :is [\"From\", \"To\"] \"example.com\" { set \"Mailbox\" \"INBOX\"; } \
        elsif anyof (NOT address :all :contains [\"To\", \"Cc\"] \"me@company.example.com\", header :matches \"subject\" [\"*make*money*fast*\"]) { addflag \"MyFlags\" [\"$Junk\"]; set \"Mailbox\" \"spam\"; } \
        fileinto :flags \"${MyFlags}\" \"${Mailbox}\";";
    assert_eq!(done(script, B), "into spam ($Junk)");
}

/// RFC 5490 §3, RFC 8579, RFC 9042.
#[test]
fn mailboxes() {
    let script = "require [\"fileinto\", \"reject\", \"mailbox\"]; if mailboxexists \"Partners\" { fileinto \"Partners\"; } \
        else { reject \"This message was not accepted by the Mailstore\"; }";
    assert_eq!(done(script, A), "into Partners");
    assert!(!holds(
        ", \"mailbox\"",
        "mailboxexists [\"Partners\", \"None\"]",
        A
    ));
    for (command, expected) in [
        ("fileinto :create \"new\";", "into new create"),
        (
            "fileinto :specialuse \"\\\\Trash\" \"Wastebin\";",
            "into Trash use \\Trash",
        ),
        (
            "fileinto :specialuse \"\\\\Junk\" :create \"Spam\";",
            "into Spam create use \\Junk",
        ),
        (
            "fileinto :mailboxid \"F6352ae03-b7f5-463c-896f-d8b48ee3\" \"INBOX.name\";",
            "into Partners",
        ),
        (
            "fileinto :mailboxid \"Fnone\" \"INBOX.harassment\";",
            "into INBOX.harassment",
        ),
    ] {
        let script = format!(
            "require [\"fileinto\", \"mailbox\", \"special-use\", \"mailboxid\"]; {command}"
        );
        assert_eq!(done(&script, A), expected, "{command}");
    }
    for (test, expected) in [
        ("specialuse_exists \"\\\\Trash\"", true),
        ("specialuse_exists [\"\\\\Trash\", \"\\\\Junk\"]", false),
        ("specialuse_exists \"Trash\" \"\\\\Trash\"", true),
        ("specialuse_exists \"INBOX\" \"\\\\Trash\"", false),
        (
            "mailboxidexists \"F6352ae03-b7f5-463c-896f-d8b48ee3\"",
            true,
        ),
        (
            "mailboxidexists [\"F6352ae03-b7f5-463c-896f-d8b48ee3\", \"Fx\"]",
            false,
        ),
    ] {
        assert_eq!(
            holds(", \"special-use\", \"mailboxid\"", test, A),
            expected,
            "{test}"
        );
    }
}

/// RFC 5429.
#[test]
fn reject() {
    let script = "require [\"reject\"]; if size :over 100K { reject \"big\"; } \
        if header :contains \"from\" \"coyote@desert.example.org\" { reject text:\r\nI am not taking mail from you, and I don't\r\nwant your birdseed, either!\r\n.\r\n; }";
    assert_eq!(
        done(script, A),
        "reject I am not taking mail from you, and I don't|want your birdseed, either!"
    );
    let script = "require [\"ereject\"]; if address \"from\" \"coyote@desert.example.org\" { ereject \"I no longer accept mail from this address\"; }";
    assert_eq!(
        done(script, A),
        "ereject I no longer accept mail from this address"
    );
    for commands in [
        "keep; reject \"x\";",
        "reject \"x\"; keep;",
        "reject \"x\"; ereject \"y\";",
        "vacation \"x\"; reject \"y\";",
        "reject \"y\"; vacation \"x\";",
        "reject \"y\"; redirect \"a@b.test\";",
    ] {
        let script = format!("require [\"reject\", \"ereject\", \"vacation\"]; {commands}");
        let outcome = outcome(&script, A);
        assert!(outcome.failure.is_some(), "{commands}");
        assert!(short(&outcome).starts_with("keep, failed"), "{commands}");
    }
    assert_eq!(
        done("require \"reject\"; discard; reject \"x\";", A),
        "reject x"
    );
}

/// RFC 5230 §4, RFC 6131.
#[test]
fn vacation() {
    let asked = |command: &str| {
        let script = format!("require [\"vacation-seconds\", \"variables\"]; {command}");
        outcome(&script, A)
            .vacation
            .unwrap_or_else(|| panic!("{command}"))
    };
    let simple = asked(
        "vacation :days 23 :addresses [\"tjs@example.edu\", \"ts4z@landru.example.edu\"] \"I'm away until October 19.\";",
    );
    assert_eq!((simple.seconds, simple.addresses.len()), (23 * 86_400, 2));
    assert_eq!(simple.reason, "I'm away until October 19.");
    for (command, seconds) in [
        ("vacation \"x\";", 7 * 86_400),
        ("vacation :days 0 \"x\";", 86_400),
        ("vacation :days 1000 \"x\";", 90 * 86_400),
        ("vacation :seconds 1800 \"x\";", 1_800),
        ("vacation :seconds 0 :handle \"auto-resp\" \"x\";", 0),
        ("vacation :seconds 2147483647 \"x\";", 90 * 86_400),
    ] {
        assert_eq!(asked(command).seconds, seconds, "{command}");
    }
    // RFC 5230 §4.2: what names an answer.
    let handle = |command: &str| asked(command).handle;
    assert_ne!(
        handle("vacation \"cyrus\";"),
        handle("vacation \"call me\";")
    );
    assert_ne!(
        handle("vacation :subject \"a\" \"b\";"),
        handle("vacation :subject \"b\" \"a\";")
    );
    assert_ne!(
        handle("vacation :from \"a@b.test\" \"b\";"),
        handle("vacation :subject \"a@b.test\" \"b\";")
    );
    assert_eq!(
        handle("vacation :handle \"h\" \"lunch\";"),
        handle("vacation :handle \"h\" \"out\";")
    );
    let auto = "if header :matches \"subject\" \"*\" { vacation :subject \"Automatic response to: ${1}\" \"I'm away\"; }";
    let script = format!("require [\"vacation\", \"variables\"]; {auto}");
    let (one, two) = (
        outcome(&script, A).vacation.unwrap(),
        outcome(&script, B).vacation.unwrap(),
    );
    assert_eq!(
        one.subject.as_deref(),
        Some("Automatic response to: I have a present for you")
    );
    assert_eq!(one.handle, two.handle);
    // The implicit keep stands, and other actions are no error.
    assert_eq!(
        done("require \"vacation\"; vacation \"x\";", A),
        "keep, vacation"
    );
    assert_eq!(
        done("require \"vacation\"; discard; vacation \"x\";", A),
        "vacation"
    );
    assert!(done("require \"vacation\"; vacation \"x\"; vacation \"y\";", A).contains("failed"));
    let script = "require \"vacation\"; if header :contains \"from\" \"boss@example.edu\" { redirect \"pleeb@isp.example.org\"; } else { vacation \"Sorry, I'm away\"; }";
    assert_eq!(done(script, A), "keep, vacation");
    let script = "require \"vacation\"; vacation :mime text:\r\nContent-Type: multipart/alternative; boundary=foo\r\n\r\n--foo\r\n\r\nI'm at the beach relaxing.\r\n--foo--\r\n.\r\n;";
    assert!(outcome(script, A).vacation.unwrap().mime);
}

/// RFC 5260.
#[test]
fn dates() {
    let message = "Received: from a; Mon, 26 Feb 2007 23:30:00 -0800\r\nReceived: from b (x; y); Sat, 3 Mar 2007 10:00:00 +0100\r\nDate: Tue, 1 Apr 1997 09:06:31 -0800 (PST)\r\nFrom: boss@example.com\r\n\r\n";
    let extensions = ", \"date\", \"relational\", \"index\"";
    for (test, expected) in [
        (
            "date :value \"ge\" :originalzone \"date\" \"hour\" \"09\"",
            true,
        ),
        (
            "date :value \"lt\" :originalzone \"date\" \"hour\" \"09\"",
            false,
        ),
        ("date :is \"date\" \"hour\" \"17\"", true),
        (
            "anyof(date :is \"received\" \"weekday\" \"0\", date :is \"received\" \"weekday\" \"6\")",
            false,
        ),
        (
            "date :is :originalzone \"received\" \"weekday\" \"1\"",
            true,
        ),
        ("date :is \"received\" \"date\" \"2007-02-27\"", true),
        (
            "date :is :index 2 :originalzone \"received\" \"weekday\" \"6\"",
            true,
        ),
        (
            "date :is :index 1 :last \"received\" \"date\" \"2007-03-03\"",
            true,
        ),
        (
            "date :value \"gt\" :index 2 :zone \"-0500\" \"received\" \"iso8601\" \"2007-02-26T09:00:00-05:00\"",
            true,
        ),
        (
            "date :is :zone \"-0500\" :index 2 \"received\" \"iso8601\" \"2007-03-03T04:00:00-05:00\"",
            true,
        ),
        ("date \"date\" \"iso8601\" \"1997-04-01T17:06:31Z\"", true),
        ("date :originalzone \"date\" \"zone\" \"-0800\"", true),
        ("date \"date\" \"zone\" \"+0000\"", true),
        ("date \"date\" \"julian\" \"50539\"", true),
        (
            "date \"date\" \"std11\" \"tue, 1 apr 1997 17:06:31 +0000\"",
            true,
        ),
        ("date :contains \"from\" \"year\" \"\"", false),
        ("date :count \"eq\" \"date\" \"year\" \"1\"", true),
        ("date :count \"eq\" \"x-none\" \"year\" \"0\"", true),
        ("currentdate :is \"date\" \"2007-07-03\"", true),
        ("currentdate :value \"ge\" \"date\" \"2007-06-30\"", true),
        ("currentdate :is :zone \"+0200\" \"hour\" \"15\"", true),
        ("currentdate :is \"weekday\" \"2\"", true),
        ("currentdate :is \"minute\" \"14\"", true),
        ("currentdate :is \"second\" \"15\"", true),
    ] {
        assert_eq!(holds(extensions, test, message), expected, "{test}");
    }
    let script = "require [\"date\", \"variables\", \"fileinto\"]; if currentdate :matches \"month\" \"*\" { set \"month\" \"${1}\"; } \
        if currentdate :matches \"year\" \"*\" { set \"year\" \"${1}\"; } fileinto \"${month}-${year}\";";
    assert_eq!(done(script, A), "into 07-2007");
    let script = "require [\"date\", \"relational\"]; if anyof(currentdate :is \"weekday\" \"0\", currentdate :is \"weekday\" \"6\", currentdate :value \"lt\" \"hour\" \"09\", currentdate :value \"ge\" \"hour\" \"17\") { redirect \"pager@example.com\"; }";
    assert_eq!(done(script, A), "keep");
    let script = "require [\"date\", \"relational\", \"vacation\"]; if allof(currentdate :value \"ge\" \"date\" \"2007-06-30\", currentdate :value \"le\" \"date\" \"2007-07-07\") { vacation :days 7 \"I'm away during the first week in July.\"; }";
    assert_eq!(done(script, A), "keep, vacation");
}

/// RFC 5260 §6.
#[test]
fn index() {
    let message = "X: one\r\nY: two\r\nX: three\r\nTo: a@x.test, b@x.test\r\nTo: c@x.test\r\n\r\n";
    for (test, expected) in [
        ("header :index 1 \"x\" \"one\"", true),
        ("header :index 2 \"x\" \"one\"", false),
        ("header :index 1 :last \"x\" \"three\"", true),
        ("header :index 3 [\"x\", \"y\"] \"two\"", true),
        ("header :index 9 \"x\" \"one\"", false),
        ("header :index 9 :last \"x\" \"one\"", false),
        ("address :index 2 \"to\" \"c@x.test\"", true),
        ("address :index 2 \"to\" \"b@x.test\"", false),
    ] {
        assert_eq!(holds(", \"index\"", test, message), expected, "{test}");
    }
}

/// RFC 5173 §5.2, its message: what is marked there is found, and no more.
#[test]
fn body() {
    let message = "From: Whomever\r\nTo: Someone\r\nDate: Whenever\r\nSubject: whatever\r\n\
        Content-Type: multipart/mixed; boundary=outer\r\n\r\n\
        This is a multi-part message in MIME format.\r\n\r\n--outer\r\n\
        Content-Type: multipart/alternative; boundary=inner\r\n\r\n\
        This is a nested multi-part message in MIME format.\r\n\r\n--inner\r\n\
        Content-Type: text/plain; charset=\"us-ascii\"\r\n\r\nHello\r\n\r\n--inner\r\n\
        Content-Type: text/html; charset=\"us-ascii\"\r\n\r\n<html><body>Hello</body></html>\r\n\r\n--inner--\r\n\r\n\
        This is the end of the inner MIME multipart.\r\n\r\n--outer\r\n\
        Content-Type: message/rfc822\r\n\r\nFrom: Someone Else\r\nSubject: hello request\r\n\r\nPlease say Hello\r\n\r\n--outer--\r\n\r\n\
        This is the end of the outer MIME multipart.\r\n";
    for (test, expected) in [
        ("body :content \"multipart\" :contains \"MIME\"", true),
        (
            "body :content \"multipart\" :contains \"nested multi-part\"",
            true,
        ),
        (
            "body :content \"multipart\" :contains \"end of the inner\"",
            true,
        ),
        (
            "body :content \"multipart\" :contains \"end of the outer\"",
            true,
        ),
        ("body :content \"multipart\" :contains \"Hello\"", false),
        ("body :content \"multipart\" :contains \"--\"", false),
        ("body :content \"text/plain\" :contains \"Hello\"", true),
        ("body :content \"text/plain\" :contains \"please\"", true),
        ("body :content \"text/plain\" :contains \"<html>\"", false),
        ("body :content \"text/html\" :contains \"Hello\"", true),
        ("body :content \"text\" :contains \"<body>\"", true),
        ("body :content \"message/rfc822\" :contains \"Hello\"", true),
        (
            "body :content \"message/rfc822\" :contains \"Please\"",
            false,
        ),
        (
            "body :content [\"text/\", \"/plain\", \"a/b/c\"] :contains \"\"",
            false,
        ),
        ("body :content \"audio/mp3\" :contains \"\"", false),
        ("body :content \"\" :contains \"Please\"", true),
        ("body :raw :contains \"Content-Type: text/html\"", true),
        ("body :raw :contains \"Whomever\"", false),
        ("body :text :contains \"hello\"", true),
        ("body :contains [\"missile\", \"coordinates\"]", false),
    ] {
        assert_eq!(holds(", \"body\"", test, message), expected, "{test}");
    }
    let encoded = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 MAKE MONEY=\r\n FAST\r\n";
    assert!(holds(
        ", \"body\"",
        "body :contains \"café make money fast\"",
        encoded
    ));
    assert!(!holds(
        ", \"body\"",
        "body :raw :contains \"café\"",
        encoded
    ));
    // RFC 5173 §6: the match variables stay.
    let script = "require [\"body\", \"variables\", \"fileinto\"]; if header :matches \"subject\" \"*\" {} if body :matches \"*anvil*\" { fileinto \"${1}\"; }";
    assert_eq!(done(script, A), "into I have a present for you");
}

/// RFC 5183.
#[test]
fn environment() {
    for (test, expected) in [
        ("environment :contains \"domain\" \"example\"", true),
        ("environment :matches \"Location\" \"M*\"", true),
        ("environment :contains \"vnd.none\" \"\"", false),
    ] {
        assert_eq!(holds(", \"environment\"", test, A), expected, "{test}");
    }
}

/// RFC 5463.
#[test]
fn ihave() {
    for (script, expected) in [
        (
            "require [\"ihave\"]; if ihave \"fileinto\" { fileinto \"x\"; } else { discard; }",
            "into x",
        ),
        (
            "require [\"ihave\"]; if ihave [\"fileinto\", \"frob\"] { frob \"x\"; } else { discard; }",
            "discard",
        ),
        (
            "require [\"ihave\"]; if allof (ihave \"frob\", frobnicated \"x\") { discard; }",
            "keep",
        ),
        (
            "require [\"ihave\"]; if not ihave \"frob\" { error \"no frob\"; }",
            "keep, failed line 1: the script says: 'no frob'",
        ),
        (
            "require [\"ihave\"]; discard; frob;",
            "keep, failed line 1: there is no command 'frob'",
        ),
    ] {
        assert_eq!(done(script, A), expected, "{script}");
    }
}

/// RFC 7352.
#[test]
fn duplicates() {
    let message = "Message-ID: <1@x>\r\nSubject: ALERT: disk\r\nX-Event-ID: 7\r\n\r\n";
    let run = |script: &str, seen: &[(&str, &str)]| {
        let mut fake = Fake {
            seen: seen
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
            ..Fake::default()
        };
        short(&outcome_in(script, &letter(message), &mut fake))
    };
    let basic = "require [\"duplicate\", \"fileinto\", \"mailbox\"]; if duplicate { fileinto :create \"Trash/Duplicate\"; }";
    assert_eq!(run(basic, &[]), "keep, track /<1@x>");
    assert_eq!(run(basic, &[("", "<1@x>")]), "into Trash/Duplicate create");
    assert_eq!(
        run(
            "require \"duplicate\"; if duplicate :header \"message-id\" { discard; }",
            &[("", "<1@x>")]
        ),
        "discard"
    );
    let unique = "require [\"duplicate\", \"variables\"]; if header :matches \"message-id\" \"*\" { if duplicate :uniqueid \"${0}\" { discard; } }";
    assert_eq!(run(unique, &[("", "<1@x>")]), "discard");
    let alerts = "require [\"duplicate\", \"variables\", \"imap4flags\", \"fileinto\"]; if header :matches \"subject\" \"ALERT: *\" { \
        if duplicate :seconds 60 :uniqueid \"${1}\" { setflag \"\\\\seen\"; } fileinto \"Alerts\"; }";
    assert_eq!(run(alerts, &[]), "into Alerts, track /disk");
    assert_eq!(run(alerts, &[("", "disk")]), "into Alerts (\\seen)");
    let handles = "require [\"duplicate\", \"imap4flags\"]; if duplicate :header \"X-Event-ID\" :handle \"notifier\" { discard; } \
        if allof (duplicate :header \"X-Ticket-ID\" :handle \"support\", address \"to\" \"support@example.com\") { setflag \"\\\\Seen\"; }";
    assert_eq!(run(handles, &[("support", "7")]), "keep, track notifier/7");
    assert_eq!(run(handles, &[("notifier", "7")]), "discard");
    assert_eq!(
        run(
            "require \"duplicate\"; if duplicate :last { discard; }",
            &[("", "<1@x>")]
        ),
        "track /<1@x>"
    );
    assert_eq!(
        run(
            "require \"duplicate\"; if duplicate :seconds 0 { discard; }",
            &[("", "<1@x>")]
        ),
        "keep"
    );
    assert_eq!(
        run(
            "require \"duplicate\"; if duplicate :header \"X-None\" { discard; }",
            &[("", "")]
        ),
        "keep"
    );
    // What fails remembers nothing.
    assert_eq!(
        run(
            "require [\"duplicate\", \"ihave\"]; if duplicate {} error \"x\";",
            &[]
        ),
        "keep, failed line 1: the script says: 'x'"
    );
}

/// draft-ietf-sieve-regex.
#[test]
fn regex() {
    let script = "require [\"regex\", \"variables\", \"fileinto\"]; if header :regex \"List-ID\" \"<(.*)@\" { fileinto \"lists.${1}\"; stop; } \
        if header :regex :comparator \"i;octet\" \"subject\" \"^\\\\[([^]]+)\\\\]\" { fileinto \"s.${1}\"; }";
    assert_eq!(
        done(script, "List-Id: x <users@y>\r\n\r\n"),
        "into lists.users"
    );
    assert_eq!(done(script, "Subject: [Ab] x\r\n\r\n"), "into s.Ab");
    assert!(holds(
        ", \"regex\"",
        "header :regex \"subject\" \"FROP$\"",
        "Subject: a frop\r\n\r\n"
    ));
    let variable = ", \"regex\", \"variables\"";
    let script = "require [\"regex\", \"variables\"]; set \"p\" \"a+\"; if header :regex \"subject\" \"^${p}$\" { discard; }";
    assert_eq!(done(script, "Subject: aaa\r\n\r\n"), "discard");
    let script = "require [\"regex\", \"variables\"]; set \"p\" \"(\"; if header :regex \"subject\" \"${p}\" { discard; }";
    assert_eq!(
        done(script, "Subject: aaa\r\n\r\n"),
        "keep, failed line 1: the pattern '(' can't be used"
    );
    let script = "require [\"regex\", \"variables\", \"fileinto\"]; set :quoteregex \"p\" \"a.b\"; fileinto \"${p}\";";
    assert_eq!(done(script, A), "into a\\.b");
    assert!(holds(variable, "address :regex \"from\" \"COYOTE@.*\"", A));
}
