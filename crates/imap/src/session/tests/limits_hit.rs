//! Every limit of the session, hit.

use super::*;

fn closed(driver: &Driver) -> Option<CloseReason> {
    assert_eq!(driver.last, Step::Close);
    driver.session.close_reason()
}

#[test]
fn long_line() {
    let max = limits::BEFORE_LOGIN.line_bytes_max;
    let mut driver = Driver::new();
    let exact = format!("a NOOP{}", " ".repeat(max - 6));
    assert_eq!(
        driver.send(&format!("{exact}\r\n")),
        "a OK NOOP completed.\r\n"
    );
    let said = driver.send(&format!("{exact} \r\nb NOOP\r\n"));
    assert_eq!(
        said,
        "a BAD [LIMIT] The line is too long.\r\nb OK NOOP completed.\r\n"
    );
    // Its end may announce a literal; that is dropped too.
    let said = driver.send(&format!("{exact}{{8+}}\r\nx NOOP\r\n\r\nc NOOP\r\n"));
    assert_eq!(
        said,
        "a BAD [LIMIT] The line is too long.\r\nc OK NOOP completed.\r\n"
    );
    // Without end: a bound on all that is dropped, and on what is held.
    let mut driver = Driver::new();
    for _ in 0..200 {
        driver.send(&"x".repeat(1000));
        assert!(driver.session.input().len() < max + 2000);
    }
    assert_eq!(closed(&driver), Some(CloseReason::LineTooLong));
}

#[test]
fn large_literal() {
    let max = limits::BEFORE_LOGIN.literal_bytes_max;
    let mut driver = Driver::new();
    assert_eq!(
        driver.send(&format!("a LOGIN {{{}}}\r\n", max + 1)),
        "a NO [LIMIT] The literal is larger than accepted here.\r\n"
    );
    let said = driver.send(&format!(
        "b LOGIN {{{}+}}\r\n{} x\r\nc NOOP\r\n",
        max + 1,
        "x".repeat(max + 1)
    ));
    assert!(
        said.starts_with("b NO [LIMIT]") && said.ends_with("c OK NOOP completed.\r\n"),
        "{said}"
    );
    driver.send("d LOGIN {4294967296+}\r\n");
    assert_eq!(closed(&driver), Some(CloseReason::LiteralTooBig));
    let mut driver = Driver::new();
    assert!(
        driver
            .send("d LOGIN {99999999999999999999}\r\n")
            .starts_with("d NO [LIMIT]")
    );
}

#[test]
fn large_command() {
    let literal = limits::BEFORE_LOGIN.literal_bytes_max;
    let count = limits::BEFORE_LOGIN.command_bytes_max / literal + 1;
    let piece = format!(" {{{literal}+}}\r\n{}", "x".repeat(literal));
    let said = Driver::new().send(&format!("a LOGIN{}\r\nb NOOP\r\n", piece.repeat(count)));
    assert!(
        said.starts_with("a NO [LIMIT]") && said.ends_with("b OK NOOP completed.\r\n"),
        "{said}"
    );
}

#[test]
fn bad_commands() {
    let mut driver = Driver::new();
    let max = limits::BEFORE_LOGIN.bad_commands_max;
    for _ in 0..max {
        assert!(driver.send("a FROB\r\n").starts_with("a BAD"));
    }
    assert!(driver.send("a FROB {5}\r\n").starts_with("* BYE Too many"));
    assert_eq!(closed(&driver), Some(CloseReason::BadCommands));
    // After login the count begins anew with every good command.
    let mut driver = Driver::logged_in();
    let max = limits::AFTER_LOGIN.bad_commands_max;
    for _ in 0..3 {
        for _ in 0..max {
            driver.send("a FROB\r\n");
        }
        assert!(driver.send("b NOOP\r\n").starts_with("b OK"));
    }
}

#[test]
fn commands_before_login() {
    let mut driver = Driver::new();
    for _ in 0..limits::BEFORE_LOGIN.commands_max {
        assert!(driver.send("a NOOP\r\n").starts_with("a OK"));
    }
    driver.send("a NOOP\r\n");
    assert_eq!(closed(&driver), Some(CloseReason::TooManyCommands));
}

#[test]
fn failed_logins() {
    let mut driver = Driver::new();
    for _ in 0..limits::LOGIN_FAILURES_MAX {
        assert!(
            driver
                .send("a LOGIN joe wrong\r\n")
                .starts_with("a NO [AUTHENTICATIONFAILED]")
        );
    }
    assert_eq!(closed(&driver), Some(CloseReason::LoginFailures));
}

#[test]
fn long_sasl_answer() {
    let mut driver = Driver::new();
    driver.send("a AUTHENTICATE PLAIN\r\n");
    driver.send(&"A".repeat(limits::BEFORE_LOGIN.line_bytes_max + 2));
    assert_eq!(closed(&driver), Some(CloseReason::LineTooLong));
}

#[test]
fn long_idle_line() {
    let mut driver = Driver::selected();
    driver.send("a IDLE\r\n");
    driver.send(&"D".repeat(limits::AFTER_LOGIN.line_bytes_max + 2));
    assert_eq!(closed(&driver), Some(CloseReason::LineTooLong));
}

#[test]
fn long_line_after_message() {
    let mut driver = Driver::logged_in();
    driver.send("a APPEND x {1+}\r\nx");
    let said = driver.send(&format!(
        "{}\r\nb NOOP\r\n",
        "x".repeat(limits::AFTER_LOGIN.line_bytes_max + 2)
    ));
    assert!(said.starts_with("a BAD") && said.contains("b OK"), "{said}");
}

#[test]
fn output_says_when_it_is_full() {
    let mut driver = Driver::selected();
    driver.session.feed(b"a NOOP\r\n");
    driver.session.step();
    let mut count = 0;
    while !driver.session.output_full() {
        driver.session.respond(&Untagged::Exists(1));
        count += 1;
    }
    assert!(count > 1000 && driver.session.output_bytes() >= limits::OUTPUT_BYTES_SOFT);
    driver.collect();
    assert!(!driver.session.output_full());
    let stored = Piece::Stored(Stored {
        handle: 1,
        range: 0..5,
    });
    for _ in 0..limits::OUTPUT_STORED_SOFT {
        assert!(!driver.session.output_full());
        let data = Data::Pieces(std::slice::from_ref(&stored));
        say_fetch(&mut driver.session, (1, 1), &[FetchItem::Rfc822(data)]);
    }
    assert!(driver.session.output_full());
}

/// RFC 9738 §3.1: APPEND is all or nothing.
#[test]
fn messages_of_one_append() {
    let mut driver = Driver::logged_in();
    let append =
        |messages: u32| format!("a APPEND x{}\r\n", " {1+}\r\nm".repeat(messages as usize));
    let said = driver.send(&append(limits::APPEND_MESSAGES_MAX));
    assert!(!said.contains("MESSAGELIMIT"), "{said}");
    let said = driver.send(&append(limits::APPEND_MESSAGES_MAX + 1));
    assert_eq!(
        said,
        "a NO [MESSAGELIMIT 1000] Those are too many messages for one APPEND.\r\n"
    );
}
