//! What is said, command by command.

use super::*;

#[test]
fn greeting_and_capabilities() {
    let plain = Driver::with(config(), false);
    assert_eq!(
        String::from_utf8(plain.said).unwrap(),
        "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE LANGUAGE STARTTLS LOGINDISABLED \
         AUTH=SCRAM-SHA-256] Facteur ready.\r\n"
    );
    let mut tls = Driver::new();
    assert_eq!(
        tls.send("a capability\r\n"),
        "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE LANGUAGE AUTH=SCRAM-SHA-256-PLUS \
         AUTH=PLAIN\r\na OK CAPABILITY completed.\r\n"
    );
    let said = tls.send("b LOGIN joe pw\r\n");
    assert!(
        said.starts_with("b OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ "),
        "{said}"
    );
    assert!(
        said.contains(" QRESYNC ") && !said.contains("AUTH="),
        "{said}"
    );
    assert!(Session::refusal(text::BYE_TOO_MANY_CONNECTIONS).starts_with(b"* BYE "));
}

#[test]
fn no_password_over_plaintext() {
    let mut driver = Driver::with(config(), false);
    let said = driver.send("a LOGIN joe pw\r\nb AUTHENTICATE PLAIN AGpvZQBwdw==\r\n");
    assert!(said.starts_with("a NO [PRIVACYREQUIRED]"), "{said}");
    assert!(said.contains("b NO [PRIVACYREQUIRED]"), "{said}");
    assert!(driver.asked.is_empty());
    let mut insecure = Driver::with(
        Config {
            plaintext_login: true,
            ..config()
        },
        false,
    );
    assert!(insecure.send("a LOGIN joe pw\r\n").starts_with("a OK"));
}

#[test]
fn phases() {
    let mut driver = Driver::new();
    for line in ["SELECT INBOX", "LIST \"\" *", "FETCH 1 FLAGS", "IDLE"] {
        assert_eq!(
            driver.send(&format!("a {line}\r\n")),
            "a BAD Log in first.\r\n"
        );
    }
    let mut driver = Driver::logged_in();
    assert_eq!(
        driver.send("a FETCH 1 FLAGS\r\n"),
        "a BAD Select a mailbox first.\r\n"
    );
    assert_eq!(
        driver.send("a LOGIN joe pw\r\n"),
        "a BAD Already logged in.\r\n"
    );
    assert_eq!(
        driver.send("a STARTTLS\r\n"),
        "a BAD Already logged in.\r\n"
    );
    assert_eq!(driver.send("a FROB\r\n"), "a BAD No such command.\r\n");
    assert_eq!(
        driver.send("(\r\n"),
        "* BAD A command starts with a tag.\r\n"
    );
    assert!(driver.asked.is_empty());
}

#[test]
fn sasl() {
    let mut driver = Driver::new();
    assert_eq!(driver.send("a AUTHENTICATE plain\r\n"), "+ d2hvPw==\r\n");
    assert!(driver.send("am9l\r\n").starts_with("a OK [CAPABILITY"));
    assert_eq!(driver.session.phase(), Phase::Authenticated);
    let mut driver = Driver::new();
    assert!(
        driver
            .send("a AUTHENTICATE PLAIN =\r\n")
            .starts_with("a OK")
    );
    assert!(driver.asked.first().unwrap().contains("PLAIN"));
    let mut driver = Driver::new();
    driver.send("a AUTHENTICATE PLAIN\r\n");
    assert_eq!(driver.send("*\r\n"), "a BAD Authentication cancelled.\r\n");
    driver.send("b AUTHENTICATE PLAIN\r\n");
    assert_eq!(driver.send("%%\r\n"), "b BAD That is not base64.\r\n");
    assert!(
        driver
            .send("c AUTHENTICATE CRAM-MD5\r\n")
            .starts_with("c NO [CANNOT]")
    );
    driver.send("d AUTHENTICATE PLAIN\r\n");
    assert!(driver.send("\r\n").starts_with("d NO"));
    assert_eq!(driver.session.phase(), Phase::NotAuthenticated);
}

#[test]
fn starttls() {
    let mut driver = Driver::with(config(), false);
    assert_eq!(
        driver.send("a STARTTLS\r\n"),
        "a OK Begin the TLS handshake now.\r\n"
    );
    assert_eq!(driver.last, Step::StartTls);
    driver.session.tls_started();
    assert!(driver.send("b LOGIN joe pw\r\n").starts_with("b OK"));
    assert_eq!(
        Driver::new().send("a STARTTLS\r\n"),
        "a BAD TLS can't be started here.\r\n"
    );
}

/// Whatever comes in plaintext after STARTTLS ends the connection, however it is split.
#[test]
fn starttls_injection() {
    for (first, second) in [
        ("a STARTTLS\r\nb NOOP\r\n", ""),
        ("a STARTTLS\r\n", "b NOOP\r\n"),
        ("a STARTTLS\r\nb", ""),
    ] {
        let mut driver = Driver::with(config(), false);
        driver.send(first);
        if !second.is_empty() {
            driver.send(second);
        }
        assert_eq!(driver.last, Step::Close);
        assert_eq!(
            driver.session.close_reason(),
            Some(CloseReason::BytesAfterStartTls)
        );
        assert!(!String::from_utf8_lossy(&driver.said).contains("b OK"));
    }
    // Fed between the step and the handshake.
    let mut driver = Driver::with(config(), false);
    driver.send("a STARTTLS\r\n");
    driver.session.feed(b"b NOOP\r\n");
    driver.session.tls_started();
    assert_eq!(driver.session.step(), Step::Close);
}

#[test]
fn logout() {
    let mut driver = Driver::selected();
    assert_eq!(
        driver.send("a LOGOUT\r\nb NOOP\r\n"),
        "* BYE Goodbye.\r\na OK LOGOUT completed.\r\n"
    );
    assert_eq!(driver.last, Step::Close);
    assert_eq!(driver.session.close_reason(), Some(CloseReason::Logout));
}

#[test]
fn select() {
    let mut driver = Driver::logged_in();
    assert_eq!(
        driver.send("a SELECT INBOX\r\n"),
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n\
         * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work \\*)] Flags that are kept.\r\n\
         * 3 EXISTS\r\n\
         * OK [UNSEEN 2] First message not seen.\r\n\
         * OK [UIDVALIDITY 7] UIDs are valid.\r\n\
         * OK [UIDNEXT 10] Predicted next UID.\r\n\
         * OK [HIGHESTMODSEQ 99] Highest mod-sequence.\r\n\
         * OK [MAILBOXID (F1)] Mailbox identifier.\r\n\
         * 0 RECENT\r\n\
         a OK [READ-WRITE] SELECT completed.\r\n"
    );
    let said = driver.send("b ENABLE IMAP4rev2\r\nc EXAMINE \"Entwürfe\"\r\n");
    assert!(said.starts_with("* ENABLED IMAP4rev2\r\nb OK"), "{said}");
    assert!(said.contains("* OK [CLOSED] "), "{said}");
    assert!(said.contains("* LIST () \"/\" \"Entwürfe\"\r\n"), "{said}");
    assert!(
        !said.contains("RECENT") && !said.contains("UNSEEN"),
        "{said}"
    );
    assert!(
        said.contains("[PERMANENTFLAGS ()]") && said.contains("c OK [READ-ONLY]"),
        "{said}"
    );
    for line in ["STORE 1 FLAGS ()", "EXPUNGE", "UID MOVE 1 x"] {
        let said = driver.send(&format!("d {line}\r\n"));
        assert_eq!(said, "d NO The mailbox is open read-only.\r\n");
    }
    // A failed SELECT leaves no mailbox selected.
    let said = driver.send("e SELECT gone\r\nf CLOSE\r\n");
    assert!(
        said.contains("e NO [NONEXISTENT]") && said.contains("f BAD Select"),
        "{said}"
    );
}

#[test]
fn leaving() {
    let mut driver = Driver::selected();
    driver.send("a UNSELECT\r\n");
    assert_eq!(driver.session.phase(), Phase::Authenticated);
    driver.send("b SELECT x\r\nc CLOSE\r\n");
    assert_eq!(driver.session.phase(), Phase::Authenticated);
}

#[test]
fn literals() {
    let mut driver = Driver::new();
    assert_eq!(driver.send("a LOGIN {3}\r\n"), "+ Go ahead.\r\n");
    assert_eq!(driver.send("joe {2}\r\n"), "+ Go ahead.\r\n");
    assert!(driver.send("pw\r\n").starts_with("a OK"));
    let mut driver = Driver::new();
    assert!(
        driver
            .send("a LOGIN {3+}\r\njoe {2+}\r\npw\r\n")
            .starts_with("a OK")
    );
    // Bytes of a literal are never commands.
    let mut driver = Driver::new();
    let said = driver.send("a LOGIN {11+}\r\nx\r\nb NOOP\r\n {1+}\r\n\r\r\nc NOOP\r\n");
    assert!(
        said.starts_with("a NO") && said.contains("c OK") && !said.contains("b OK"),
        "{said}"
    );
}

/// What is refused is read to its end and never parsed.
#[test]
fn refused_literals_are_poison() {
    for (line, reply) in [
        (
            "a FROB {8+}\r\nb NOOP\r\n\r\n",
            "a BAD No such command.\r\n",
        ),
        ("a SELECT {8+}\r\nb NOOP\r\n\r\n", "a BAD Log in first.\r\n"),
        (
            "a LOGIN \"x {8+}\r\nb NOOP\r\n\r\n",
            "a BAD The arguments are not understood.\r\n",
        ),
        (
            "a LOGIN ~{8+}\r\nb NOOP\r\n\r\n",
            "a BAD The literal is not well-formed.\r\n",
        ),
        (
            "( {8+}\r\nb NOOP\r\n {8+}\r\nb NOOP\r\n\r\n",
            "* BAD A command starts with a tag.\r\n",
        ),
    ] {
        let said = Driver::new().send(&format!("{line}c NOOP\r\n"));
        assert_eq!(said, format!("{reply}c OK NOOP completed.\r\n"), "{line}");
    }
    // A synchronizing one never comes.
    let said = Driver::new().send("a FROB {8}\r\nb NOOP\r\n");
    assert_eq!(said, "a BAD No such command.\r\nb OK NOOP completed.\r\n");
    let said = Driver::new().send("a LOGIN \"x {8}\r\nb NOOP\r\n");
    assert_eq!(
        said,
        "a BAD The arguments are not understood.\r\nb OK NOOP completed.\r\n"
    );
}

#[test]
fn append() {
    let mut driver = Driver::logged_in();
    assert_eq!(
        driver.send("a APPEND INBOX (\\Seen) {12}\r\n"),
        "+ Go ahead.\r\n"
    );
    assert_eq!(driver.send("Hello\r\n"), "");
    assert_eq!(driver.send("there"), "");
    assert!(driver.send("\r\n").starts_with("a OK"));
    assert_eq!(driver.body, b"Hello\r\nthere");
    assert_eq!(driver.asked.len(), 2);
    driver.body.clear();
    let said = driver.send("b APPEND {1+}\r\nx ~{3+}\r\n\0\r\n\r\nc NOOP\r\n");
    assert!(said.contains("b OK") && said.contains("c OK"), "{said}");
    assert_eq!(driver.body, b"\0\r\n");
    assert!(
        driver
            .asked
            .iter()
            .any(|asked| asked.contains("binary: true"))
    );
    assert!(driver.send("d APPEND x {0+}\r\n\r\n").starts_with("d OK"));
}

#[test]
fn append_refused() {
    let mut driver = Driver::logged_in();
    // RFC 9051 §6.3.12.
    assert!(
        driver
            .send("a APPEND gone {5}\r\n")
            .starts_with("a NO [TRYCREATE]")
    );
    let said = driver.send("b APPEND gone {8+}\r\nx NOOP\r\n\r\nc NOOP\r\n");
    assert!(
        said.starts_with("b NO [TRYCREATE]") && !said.contains("x OK"),
        "{said}"
    );
    assert!(said.ends_with("c OK NOOP completed.\r\n"), "{said}");
    assert!(
        driver
            .send("d APPEND x {1001}\r\n")
            .starts_with("d NO [TOOBIG]")
    );
    let large = format!("e APPEND x {{1001+}}\r\n{}\r\n", "x".repeat(1001));
    assert!(driver.send(&large).starts_with("e NO [TOOBIG]"));
    assert!(
        driver
            .send("f APPEND x (\\Wrong) {5}\r\n")
            .starts_with("f BAD No such flag")
    );
    assert!(driver.send("g APPEND x\r\n").starts_with("g BAD"));
    assert!(driver.body.is_empty());
    // NUL has no place but in literal8.
    let said = driver.send_bytes(b"h APPEND x {3+}\r\na\0b\r\ni NOOP\r\n");
    assert!(
        said.starts_with("h NO A message can't hold NUL") && said.contains("i OK"),
        "{said}"
    );
    // Something after the message.
    let said = driver.send("j APPEND x {3+}\r\nabc garbage {8+}\r\nx NOOP\r\n\r\nk NOOP\r\n");
    assert!(
        said.starts_with("j BAD") && !said.contains("x OK") && said.contains("k OK"),
        "{said}"
    );
    let aborts = driver
        .asked
        .iter()
        .filter(|asked| *asked == "AppendAbort")
        .count();
    assert_eq!(aborts, 2);
    assert!(!driver.asked.contains(&"AppendEnd".to_owned()));
}

/// RFC 3502.
#[test]
fn multi_append() {
    let mut driver = Driver::logged_in();
    assert_eq!(
        driver.send("a APPEND x (\\Seen) {3}\r\n"),
        "+ Go ahead.\r\n"
    );
    assert_eq!(
        driver.send("abc (\\Draft) \"17-Jul-1996 02:44:25 -0700\" ~{2}\r\n"),
        "+ Go ahead.\r\n"
    );
    let said = driver.send("de {1+}\r\nf\r\n");
    assert!(said.starts_with("a OK"), "{said}");
    assert_eq!(driver.body, b"abcdef");
    assert_eq!(driver.asked.len(), 4);
    assert!(driver.asked[1].contains("index: 1") && driver.asked[2].contains("index: 2"));
    driver.quiet();
    // The second is refused: nothing of the first is kept.
    assert!(
        driver
            .send("b APPEND x {3+}\r\nabc {1001}\r\n")
            .starts_with("b NO [TOOBIG]")
    );
    assert!(
        driver
            .send("c APPEND x {3+}\r\nabc (\\Wrong) {8+}\r\nx NOOP\r\n\r\n")
            .starts_with("c BAD")
    );
    assert_eq!(
        driver
            .asked
            .iter()
            .filter(|asked| *asked == "AppendAbort")
            .count(),
        2
    );
    assert_eq!(driver.send("d NOOP\r\n"), "d OK NOOP completed.\r\n");
}

#[test]
fn idle() {
    let mut driver = Driver::selected();
    assert_eq!(driver.send("a IDLE\r\n"), "* 4 EXISTS\r\n+ Idling.\r\n");
    assert!(driver.session.is_idle());
    assert_eq!(driver.session.expunges(), Expunges::Tell);
    driver.session.respond(&Untagged::Expunge(2));
    assert_eq!(driver.send("do"), "* 2 EXPUNGE\r\n");
    assert_eq!(driver.send("ne\r\n"), "a OK NOOP completed.\r\n");
    assert!(!driver.session.is_idle());
    assert_eq!(driver.asked, ["Idle", "IdleDone"]);
    driver.send("b IDLE\r\n");
    assert_eq!(driver.send("c ?\r\n"), "b BAD DONE was expected.\r\n");
    assert!(!driver.session.is_idle());
    assert_eq!(driver.session.take_deviation(), None);
    driver.send("d IDLE\r\n");
    assert_eq!(
        driver.send("e NOOP\r\n"),
        "d OK NOOP completed.\r\ne OK NOOP completed.\r\n"
    );
    let deviation = driver.session.take_deviation();
    assert_eq!(deviation, Some(Deviation::CommandInIdle));
}

#[test]
fn search_forms() {
    let mut driver = Driver::selected();
    assert!(
        driver
            .send("a SEARCH SEEN\r\n")
            .starts_with("* SEARCH 2 3 5\r\na OK")
    );
    let said = driver.send("b UID SEARCH RETURN (MIN MAX COUNT ALL) SEEN\r\n");
    assert!(
        said.starts_with("* ESEARCH (TAG \"b\") UID MIN 2 MAX 5 ALL 2:3,5 COUNT 3\r\n"),
        "{said}"
    );
    assert!(
        driver
            .send("c SEARCH RETURN (SAVE) SEEN\r\n")
            .starts_with("c OK")
    );
    assert!(
        driver
            .send("d SEARCH CHARSET x SEEN\r\n")
            .starts_with("d NO [BADCHARSET (UTF-8 US-ASCII)]")
    );
    driver.send("e ENABLE IMAP4rev2\r\n");
    assert!(
        driver
            .send("f SEARCH SEEN\r\n")
            .starts_with("* ESEARCH (TAG \"f\") ALL 2:3,5\r\n")
    );
}

#[test]
fn condstore_comes_in_force() {
    for (line, expected) in [
        ("FETCH 1 MODSEQ", true),
        ("FETCH 1 FLAGS (CHANGEDSINCE 5)", true),
        ("STATUS x (HIGHESTMODSEQ)", true),
        ("LIST \"\" % RETURN (STATUS (HIGHESTMODSEQ))", true),
        ("SEARCH NOT MODSEQ 5", true),
        ("STORE 1 (UNCHANGEDSINCE 5) FLAGS ()", true),
        ("SELECT x (CONDSTORE)", true),
        ("ENABLE CONDSTORE", true),
        ("ENABLE QRESYNC", true),
        ("FETCH 1 FLAGS", false),
        ("STATUS x (MESSAGES)", false),
    ] {
        let mut driver = Driver::selected();
        driver.session.feed(format!("a {line}\r\n").as_bytes());
        assert!(matches!(driver.session.step(), Step::Run(_)));
        assert_eq!(driver.session.condstore_began(), expected, "{line}");
        assert_eq!(driver.session.condstore(), expected, "{line}");
    }
}

#[test]
fn qresync_has_to_be_enabled() {
    let mut driver = Driver::selected();
    for line in [
        "SELECT x (QRESYNC (1 2))",
        "UID FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)",
    ] {
        assert_eq!(
            driver.send(&format!("a {line}\r\n")),
            "a BAD ENABLE QRESYNC first.\r\n"
        );
    }
    assert!(
        driver
            .send("b ENABLE QRESYNC CONDSTORE X\r\n")
            .starts_with("* ENABLED QRESYNC CONDSTORE\r\n")
    );
    assert_eq!(driver.session.expunge_form(), ExpungeForm::Uids);
    assert!(
        driver
            .send("c SELECT x (QRESYNC (1 2))\r\n")
            .contains("c OK")
    );
    assert!(
        driver
            .send("d ENABLE NOTHING\r\n")
            .starts_with("* ENABLED\r\nd OK")
    );
}

/// RFC 9051 §7.5.1.
#[test]
fn expunges_are_held_while_numbers_are_used() {
    for (line, expunges) in [
        ("FETCH 1 FLAGS", Expunges::Hold),
        ("STORE 1 FLAGS ()", Expunges::Hold),
        ("SEARCH ALL", Expunges::Hold),
        ("UID FETCH 1 FLAGS", Expunges::Tell),
        ("UID STORE 1 FLAGS ()", Expunges::Tell),
        ("UID SEARCH ALL", Expunges::Tell),
        ("NOOP", Expunges::Tell),
        ("COPY 1 x", Expunges::Tell),
        ("EXPUNGE", Expunges::Tell),
    ] {
        let mut driver = Driver::selected();
        assert_eq!(driver.session.expunges(), Expunges::Hold);
        driver.session.feed(format!("a {line}\r\n").as_bytes());
        assert!(matches!(driver.session.step(), Step::Run(_)));
        assert_eq!(driver.session.expunges(), expunges, "{line}");
        assert_eq!(
            driver.session.command_name(),
            line.trim_start_matches("UID ").split(' ').next().unwrap()
        );
    }
}

#[test]
fn other_protocols() {
    let mut driver = Driver::new();
    let said = driver.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(said, "* BYE This port speaks IMAP.\r\n");
    assert_eq!(driver.session.close_reason(), Some(CloseReason::Http));
    let mut driver = Driver::with(config(), false);
    assert_eq!(driver.send_bytes(b"\x16\x03\x01\x02\x00\x01"), "");
    assert_eq!(driver.session.close_reason(), Some(CloseReason::TlsHello));
    assert_eq!(driver.last, Step::Close);
}

#[test]
fn broken_contract_closes() {
    let mut driver = Driver::new();
    driver.session.finish(Reply::ok(text::NOOP_DONE));
    assert_eq!(driver.session.step(), Step::Close);
    assert_eq!(driver.session.close_reason(), Some(CloseReason::Fault));
    let mut driver = Driver::logged_in();
    driver.session.feed(b"a NOOP\r\n");
    assert!(matches!(driver.session.step(), Step::Run(Request::Noop)));
    assert_eq!(driver.session.step(), Step::Close);
    let mut driver = Driver::logged_in();
    driver.session.feed(b"a NOOP\r\n");
    driver.session.step();
    driver.session.finish(Outcome::Idling);
    assert_eq!(driver.session.close_reason(), Some(CloseReason::Fault));
}

#[test]
fn an_idle_session_holds_no_buffer() {
    let mut driver = Driver::selected();
    driver.send(&format!(
        "a SEARCH TEXT {{5000+}}\r\n{}\r\n",
        "x".repeat(5000)
    ));
    assert!(driver.session.input().is_empty());
    assert_eq!(driver.session.output_bytes(), 0);
}

#[test]
fn bye() {
    let mut driver = Driver::selected();
    driver.session.bye(text::BYE_SHUTDOWN);
    let said = driver.send("a NOOP\r\n");
    assert!(said.starts_with("* BYE The server is stopping"), "{said}");
    assert_eq!(driver.last, Step::Close);
    let mut driver = Driver::selected();
    driver.session.feed(b"a NOOP\r\n");
    driver.session.step();
    driver
        .session
        .finish(Outcome::Bye(text::BYE_ACCOUNT_CLOSED));
    assert_eq!(driver.session.step(), Step::Close);
}

#[test]
fn append_is_data() {
    let mut driver = Driver::logged_in();
    driver
        .session
        .feed(b"a APPEND \"Entw&APw-rfe\" ($Work) \"17-Jul-1996 02:44:25 -0700\" {310}\r\n");
    match driver.session.step() {
        Step::Run(Request::AppendBegin(Append {
            mailbox,
            flags,
            date,
            size,
            binary,
            index,
            replaced: None,
        })) => {
            assert_eq!(mailbox.as_str(), "Entwürfe");
            assert_eq!(flags.keywords, ["$Work"]);
            assert_eq!(flags.system, SystemFlags::default());
            assert_eq!(date.unwrap().seconds, 837_596_665);
            assert_eq!((size, binary, index), (Some(310), false, 0));
        }
        other => panic!("{other:?}"),
    }
}
