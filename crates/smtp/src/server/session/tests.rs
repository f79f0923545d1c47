//! Dialogues: every command, every limit, and the byte-by-byte property.

use proptest::prelude::*;

use super::*;
use crate::server::Refusal;

/// A driver that takes mail for `*@here.test`, and knows one made-up SASL mechanism of two rounds.
struct Driver {
    session: Session,
    wire: Vec<u8>,
    body: Vec<u8>,
    in_body: bool,
    accepted: Vec<(Envelope, String)>,
    requests: Vec<String>,
    body_refusal: Option<Refusal>,
    closed: bool,
}

impl Driver {
    fn new(config: Config, tls: bool) -> Self {
        let session = Session::new(Arc::new(config), tls);
        Driver {
            session,
            wire: Vec::new(),
            body: Vec::new(),
            in_body: false,
            accepted: Vec::new(),
            requests: Vec::new(),
            body_refusal: None,
            closed: false,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.session.feed(bytes);
        loop {
            match self.session.step() {
                Step::Read => break,
                Step::Close => {
                    self.closed = true;
                    break;
                }
                Step::StartTls => {
                    self.wire.extend(self.session.take_output());
                    self.session.tls_started();
                }
                Step::Body(range) => {
                    assert!(self.in_body);
                    self.body.extend_from_slice(&self.session.input()[range]);
                }
                Step::Run(request) => {
                    self.requests.push(format!("{request:?}"));
                    let outcome = self.run(request);
                    self.session.finish(outcome);
                }
            }
        }
        self.wire.extend(self.session.take_output());
    }

    fn run(&mut self, request: Request) -> Outcome {
        match request {
            Request::Mail { reverse_path, .. } => match reverse_path {
                Some(path) if path.local == "spammer" => Outcome::Refused(Refusal::Policy),
                _ => Outcome::Ok,
            },
            Request::Rcpt { recipient, .. } => match recipient.to_string() {
                r if r.ends_with("@here.test") || r == "postmaster" => Outcome::Ok,
                r if r.ends_with("@elsewhere.test") => Outcome::Refused(Refusal::RelayDenied),
                _ => Outcome::Refused(Refusal::NoSuchMailbox),
            },
            Request::BodyStart => {
                assert!(!self.in_body);
                self.in_body = true;
                self.body.clear();
                Outcome::Ok
            }
            Request::BodyEnd => {
                assert!(self.in_body);
                self.in_body = false;
                if let Some(refusal) = self.body_refusal {
                    return Outcome::Refused(refusal);
                }
                let envelope = self.session.envelope().unwrap().clone();
                let body = String::from_utf8_lossy(&self.body).into_owned();
                let recipients = envelope.recipients.iter();
                let results = recipients.map(|(r, _)| match r.to_string() {
                    r if r.starts_with("full@") => Err(Refusal::MailboxFull),
                    _ => Ok(()),
                });
                let results: Vec<_> = results.collect();
                self.accepted.push((envelope, body));
                match self.session.config.role {
                    Role::Lmtp => Outcome::Recipients(results),
                    Role::Mx | Role::Submission => Outcome::Ok,
                }
            }
            Request::Abort => {
                self.in_body = false;
                self.body.clear();
                Outcome::Ok
            }
            Request::Auth { initial: None, .. } => Outcome::Challenge(Vec::new()),
            Request::Auth {
                initial: Some(text),
                ..
            }
            | Request::AuthResponse(text) => match text.0.as_slice() {
                b"more" => Outcome::Challenge(b"and?".to_vec()),
                b"alice" => Outcome::Authenticated,
                b"off" => Outcome::AuthRefused,
                b"broken" => Outcome::AuthTemporary,
                _ => Outcome::AuthFailed,
            },
        }
    }

    fn take_wire(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.wire)).unwrap()
    }

    /// Feeds `client`, with CRLF for each LF, and gives what came back, with LF for each CRLF.
    fn say(&mut self, client: &str) -> String {
        self.feed(client.replace('\n', "\r\n").as_bytes());
        self.take_wire().replace("\r\n", "\n")
    }

    fn reason(&self) -> Option<CloseReason> {
        self.session.close_reason()
    }
}

fn config(role: Role) -> Config {
    let mut config = Config::new(role, "mx.here.test", 1000);
    config.starttls = role != Role::Lmtp;
    config.recipients_max = 3;
    if role == Role::Submission {
        config.mechanisms_tls = vec!["SCRAM-SHA-256".into(), "PLAIN".into()];
        config.mechanisms_plaintext = vec!["SCRAM-SHA-256".into()];
    }
    config
}

/// After the greeting and EHLO.
fn greeted(role: Role) -> Driver {
    let mut d = Driver::new(config(role), false);
    d.say(match role {
        Role::Lmtp => "LHLO c.test\n",
        _ => "EHLO c.test\n",
    });
    d
}

fn mx() -> Driver {
    greeted(Role::Mx)
}

const START: &str = "MAIL FROM:<a@c.test>\nRCPT TO:<bob@here.test>\n";
const STARTED: &str = "250 2.1.0 sender OK\n250 2.1.5 recipient OK\n";
const SEND: &str = "354 end data with <CRLF>.<CRLF>\n";
const ACCEPTED: &str = "250 2.0.0 message accepted\n";
const OK: &str = "250 2.0.0 OK\n";

#[test]
fn greets_and_lists_extensions() {
    let mut d = Driver::new(config(Role::Mx), false);
    assert_eq!(
        d.say("EHLO c.test\n"),
        "220 mx.here.test ESMTP ready\n250-mx.here.test\n250-PIPELINING\n250-SIZE 1000\n\
         250-8BITMIME\n250-SMTPUTF8\n250-ENHANCEDSTATUSCODES\n250-CHUNKING\n250-BINARYMIME\n\
         250-DSN\n250-STARTTLS\n250 LIMITS RCPTMAX=3\n"
    );
    assert_eq!(d.say("HELO c.test\n"), "250 mx.here.test\n");
    assert_eq!(d.session.protocol(), "SMTP");
    assert_eq!(d.session.hello_name(), Some("c.test"));
    assert_eq!(d.say("STARTTLS\n"), "220 2.0.0 ready to start TLS\n");
    assert_eq!(d.session.hello_name(), None);
    assert_eq!(d.say("MAIL FROM:<>\n"), "503 5.5.1 say hello first\n");
    assert!(!d.say("EHLO c.test\n").contains("STARTTLS"));
    assert_eq!(d.session.protocol(), "ESMTPS");
    assert_eq!(d.say("STARTTLS\n"), "503 5.5.1 TLS is active already\n");

    let mut d = Driver::new(config(Role::Submission), false);
    assert!(d.say("EHLO c.test\n").contains("250-AUTH SCRAM-SHA-256\n"));
    d.say("STARTTLS\n");
    let wire = d.say("EHLO c.test\n");
    assert!(wire.contains("250-AUTH SCRAM-SHA-256 PLAIN\n"), "{wire}");
}

#[test]
fn takes_a_message() {
    let mut d = mx();
    assert_eq!(d.say(START), STARTED);
    assert_eq!(d.say("DATA\n"), SEND);
    assert!(d.session.is_in_body());
    assert_eq!(d.say("Subject: x\n\n..dot\n...\nend\n.\n"), ACCEPTED);
    let (envelope, body) = &d.accepted[0];
    assert_eq!(body, "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n");
    assert_eq!(envelope.recipients.len(), 1);
    assert!(d.session.is_idle());
    // Pipelined, RFC 2920 §3.1, twice on one connection, with the null reverse-path.
    let client = format!("{}DATA\n", START.replace("a@c.test", ""));
    assert_eq!(d.say(&client), format!("{STARTED}{SEND}"));
    assert_eq!(d.say(".\nNOOP\n"), format!("{ACCEPTED}{OK}"));
    assert_eq!(d.accepted[1].1, "");
    assert_eq!(d.accepted[1].0.reverse_path, None);
    assert_eq!(d.say("QUIT\n"), "221 2.0.0 goodbye\n");
    assert_eq!(d.reason(), Some(CloseReason::Quit));
}

#[test]
fn order_of_commands() {
    let mut d = Driver::new(config(Role::Mx), false);
    d.say("");
    assert!(
        d.say("MAIL FROM:<>\n")
            .ends_with("503 5.5.1 say hello first\n")
    );
    assert_eq!(d.say("RCPT TO:<a@b>\n"), "503 5.5.1 say hello first\n");
    assert_eq!(d.say("DATA\n"), "503 5.5.1 say hello first\n");
    assert_eq!(d.say("STARTTLS\n"), "503 5.5.1 say hello first\n");
    d.say("EHLO c.test\n");
    assert_eq!(d.say("RCPT TO:<a@b>\n"), "503 5.5.1 MAIL first\n");
    assert_eq!(d.say("DATA\n"), "503 5.5.1 MAIL first\n");
    d.say("MAIL FROM:<>\n");
    assert_eq!(d.say("DATA\n"), "554 5.5.1 no valid recipients\n");
    assert_eq!(
        d.say("MAIL FROM:<>\n"),
        "503 5.5.1 a transaction is open, RSET first\n"
    );
    assert_eq!(
        d.say("STARTTLS\n"),
        "503 5.5.1 a transaction is open, RSET first\n"
    );
    assert_eq!(d.say("RSET\n"), OK);
    assert_eq!(d.say("RSET\n"), OK);
    let aborts = d.requests.iter().filter(|r| *r == "Abort").count();
    assert_eq!(aborts, 1);
    // EHLO drops the transaction.
    d.say(START);
    assert!(d.say("EHLO c.test\n").starts_with("250-mx"));
    assert_eq!(d.session.envelope(), None);
    assert_eq!(d.requests.last().map(String::as_str), Some("Abort"));
}

#[test]
fn small_commands() {
    let mut d = mx();
    assert_eq!(d.say("NOOP\nnoop x y\n"), format!("{OK}{OK}"));
    assert_eq!(d.say("HELP\n"), "214 2.0.0 see RFC 5321\n");
    assert!(d.say("VRFY bob\n").starts_with("252 2.5.2 "));
    assert_eq!(d.say("EXPN staff\n"), "502 5.5.1 not available here\n");
    assert_eq!(d.say("AUTH PLAIN\n"), "502 5.5.1 not available here\n");
    assert_eq!(d.say("LHLO x\n"), "500 5.5.2 unknown command\n");
    assert_eq!(d.say("VRFY\n"), "501 5.5.4 wrong arguments\n");
    assert_eq!(d.say("MAIL FROM:x\n"), "501 5.1.7 not an address\n");
    assert_eq!(
        d.say("MAIL FROM:<a@c.test> FOO=1\n"),
        "555 5.5.4 parameter not known\n"
    );
    d.say("MAIL FROM:<>\n");
    assert_eq!(d.say("RCPT TO:<x>\n"), "501 5.1.3 not an address\n");
    d.feed(b"NOOP\n");
    assert!(
        d.take_wire()
            .starts_with("500 5.5.2 a line ends with CR LF")
    );
}

#[test]
fn senders_and_recipients() {
    let mut d = mx();
    assert_eq!(
        d.say("MAIL FROM:<spammer@x.test>\n"),
        "550 5.7.1 refused by policy\n"
    );
    let needs = "553 5.6.7 the address needs SMTPUTF8\n";
    assert_eq!(d.say("MAIL FROM:<ré@x.test>\n"), needs);
    assert_eq!(
        d.say("MAIL FROM:<a@x.test> SIZE=1001\n"),
        "552 5.3.4 message too big\n"
    );
    d.say("MAIL FROM:<a@x.test>\n");
    assert_eq!(d.say("RCPT TO:<ré@here.test>\n"), needs);
    assert_eq!(
        d.say("RCPT TO:<a@elsewhere.test>\n"),
        "550 5.7.1 relaying denied\n"
    );
    assert_eq!(
        d.say("RCPT TO:<a@nowhere.test>\n"),
        "550 5.1.1 no such mailbox here\n"
    );
    let taken = "250 2.1.5 recipient OK\n".repeat(3);
    assert_eq!(d.say(&"RCPT TO:<b@here.test>\n".repeat(3)), taken);
    assert_eq!(
        d.say("RCPT TO:<b@here.test>\n"),
        "452 4.5.3 too many recipients, send the rest separately\n"
    );
    d.say("RSET\nMAIL FROM:<ré@x.test> SMTPUTF8\nRCPT TO:<ré@here.test>\n");
    assert_eq!(d.session.protocol(), "UTF8SMTP");
    assert_eq!(d.session.envelope().unwrap().recipients.len(), 1);
}

#[test]
fn refused_after_the_body() {
    let mut d = mx();
    d.body_refusal = Some(Refusal::StorageFull);
    let wire = d.say(&format!("{START}DATA\nx\n.\nNOOP\n"));
    assert_eq!(
        wire,
        format!("{STARTED}{SEND}452 4.3.1 no room, try again later\n{OK}")
    );
    assert_eq!(d.session.envelope(), None);
}

#[test]
fn a_body_too_big_is_passed_over() {
    let big = "x".repeat(600);
    let mut d = mx();
    let wire = d.say(&format!("{START}DATA\n{big}\n{big}\nQUIT\n.\nNOOP\n"));
    let too_big = "552 5.3.4 message too big\n";
    assert_eq!(wire, format!("{STARTED}{SEND}{too_big}{OK}"));
    assert!(d.accepted.is_empty());
    assert_eq!(d.requests.last().map(String::as_str), Some("Abort"));
    // By chunks: refused with the command, the bytes passed over.
    let wire = d.say(&format!("{START}BDAT 2000\n{}NOOP\n", "QUIT\n".repeat(333)));
    // 333 lines of 6 bytes are 1998; two more are taken from NOOP.
    assert_eq!(
        wire,
        format!("{STARTED}{too_big}500 5.5.2 unknown command\n")
    );
    assert!(!d.closed);
}

#[test]
fn smuggling_is_refused_whole() {
    for end in [
        "\n.\n",
        "\r.\r",
        "\r\n.\n",
        "\n.\r\n",
        "\r\n.\r",
        "\r\r\n.\r\r\n",
        "\r\n\0.\r\n",
    ] {
        let mut d = mx();
        d.say(&format!("{START}DATA\n"));
        let inner =
            "MAIL FROM:<evil@here.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\nevil\r\n.\r\n";
        d.feed(format!("a{end}{inner}NOOP\r\n").as_bytes());
        let wire = d.take_wire();
        assert!(wire.starts_with("554 5.6.0 "), "{end:?}: {wire}");
        assert!(wire.ends_with("250 2.0.0 OK\r\n"), "{end:?}: {wire}");
        assert_eq!(wire.lines().count(), 2, "{end:?}: {wire}");
        assert!(d.accepted.is_empty(), "{end:?}");
    }
}

#[test]
fn chunks() {
    let mut d = mx();
    // RFC 3030 §4.2, shortened: a CRLF may lie across two chunks, and no dot is special.
    let wire = d.say(START)
        + &{
            d.feed(b"BDAT 3\r\nab\rBDAT 4\r\n\n.\r\nBDAT 3 LAST\r\nx\r\nNOOP\r\n");
            d.take_wire().replace("\r\n", "\n")
        };
    let chunk = "250 2.0.0 chunk received\n";
    assert_eq!(wire, format!("{STARTED}{chunk}{chunk}{ACCEPTED}{OK}"));
    assert_eq!(d.accepted[0].1, "ab\r\n.\r\nx\r\n");
}

#[test]
fn chunk_rules() {
    let mut d = mx();
    let wire = d.say(&format!("{START}BDAT 4\nab\n"));
    assert!(wire.ends_with("chunk received\n"));
    let between = "503 5.5.1 only BDAT or RSET may follow BDAT\n";
    assert_eq!(d.say("DATA\n"), between);
    assert_eq!(d.say("RCPT TO:<b@here.test>\n"), between);
    assert_eq!(d.say("MAIL FROM:<>\n"), between);
    assert_eq!(d.say("NOOP\n"), OK);
    assert_eq!(d.say("BDAT 0 LAST\n"), ACCEPTED);
    assert_eq!(d.accepted[0].1, "ab\r\n");
    // Without a transaction: the bytes are dropped, not parsed.
    assert_eq!(
        d.say("BDAT 6 LAST\nQUIT\nNOOP\n"),
        format!("503 5.5.1 MAIL first\n{OK}")
    );
    // Bare LF in text is refused, in binary it is not.
    d.say(START);
    d.feed(b"BDAT 3 LAST\r\na\nb");
    assert!(d.take_wire().starts_with("554 5.6.0 bare CR or LF"));
    d.say("MAIL FROM:<a@c.test> BODY=BINARYMIME\nRCPT TO:<bob@here.test>\n");
    assert_eq!(
        d.say("DATA\n"),
        "503 5.5.1 BINARYMIME goes with BDAT only\n"
    );
    d.feed(b"BDAT 5 LAST\r\n\na\0b\r");
    assert!(d.take_wire().starts_with("250 "));
    assert_eq!(d.accepted[1].1, "\na\0b\r");
    // In a chunk that is not the last, the fault is told at once and later chunks are dropped.
    d.say(START);
    d.feed(b"BDAT 3\r\na\nbBDAT 5 LAST\r\nQUIT\nNOOP\r\n");
    let wire = d.take_wire();
    assert_eq!(
        wire,
        "554 5.6.0 bare CR or LF in the message\r\n503 5.5.1 MAIL first\r\n250 2.0.0 OK\r\n"
    );
    // Sizes that can't be read end it.
    assert_eq!(d.say("BDAT 1x\n"), "501 5.5.4 chunk size not understood\n");
    assert_eq!(d.reason(), Some(CloseReason::RefusedBody));
    let mut d = mx();
    d.say("BDAT 9999999999\n");
    assert_eq!(d.reason(), Some(CloseReason::RefusedBody));
}

#[test]
fn submission_needs_a_login() {
    let mut d = greeted(Role::Submission);
    assert_eq!(
        d.say("MAIL FROM:<a@here.test>\n"),
        "530 5.7.0 authentication required\n"
    );
    assert_eq!(
        d.say("AUTH PLAIN YWxpY2U=\n"),
        "538 5.7.11 this mechanism needs TLS, STARTTLS first\n"
    );
    assert_eq!(d.say("AUTH FOO\n"), "504 5.5.4 mechanism not available\n");
    d.say("STARTTLS\n");
    d.say("EHLO c.test\n");
    assert_eq!(d.say("AUTH PLAIN\n"), "334 \n");
    assert_eq!(d.say("bW9yZQ==\n"), "334 YW5kPw==\n");
    assert_eq!(d.say("*\n"), "501 5.7.0 authentication cancelled\n");
    assert_eq!(d.say("AUTH PLAIN\n?\n"), "334 \n501 5.5.2 not base64\n");
    assert_eq!(
        d.say("AUTH PLAIN b2Zm\n"),
        "535 5.7.1 the account may not send mail\n"
    );
    assert_eq!(
        d.say("AUTH PLAIN YnJva2Vu\n"),
        "454 4.7.0 authentication not possible now, try again later\n"
    );
    let ok = "235 2.7.0 authentication succeeded\n";
    assert_eq!(d.say("AUTH PLAIN YWxpY2U=\n"), ok);
    assert_eq!(
        d.say("AUTH PLAIN YWxpY2U=\n"),
        "503 5.5.1 authenticated already\n"
    );
    assert_eq!(d.session.protocol(), "ESMTPSA");
    assert_eq!(d.say(START), STARTED);

    let mut config = config(Role::Submission);
    config.mechanisms_plaintext.clear();
    let mut d = Driver::new(config, false);
    d.say("EHLO c.test\n");
    assert_eq!(d.say("MAIL FROM:<>\n"), "530 5.7.0 STARTTLS first\n");
}

#[test]
fn failed_logins_end_it() {
    let mut d = Driver::new(config(Role::Submission), true);
    d.say("EHLO c.test\n");
    let wire = d.say(&"AUTH PLAIN eA==\n".repeat(5));
    assert_eq!(wire.matches("535 5.7.8").count(), 3);
    assert_eq!(d.reason(), Some(CloseReason::TooManyAuthFailures));
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let mut d = greeted(Role::Lmtp);
    assert!(d.say("EHLO x\n").starts_with("500 "));
    let client = "MAIL FROM:<>\nRCPT TO:<full@here.test>\nRCPT TO:<x@y>\nRCPT TO:<b@here.test>\n";
    d.say(client);
    assert_eq!(d.session.protocol(), "LMTP");
    let full = "452 4.2.2 the mailbox is full\n";
    assert_eq!(d.say("DATA\nx\n.\n"), format!("{SEND}{full}{ACCEPTED}"));
    d.say(client);
    assert_eq!(d.say("BDAT 3 LAST\nx\n"), format!("{full}{ACCEPTED}"));
    d.say(client);
    d.body_refusal = Some(Refusal::Temporary);
    let failed = "451 4.3.0 something went wrong here, try again later\n";
    assert_eq!(d.say("DATA\nx\n.\n"), format!("{SEND}{failed}{failed}"));
    d.say(client);
    d.feed(b"DATA\r\na\nb\r\n.\r\n");
    assert_eq!(d.take_wire().matches("554 5.6.0").count(), 2);
}

#[test]
fn starttls_refuses_bytes_before_the_handshake() {
    let mut d = mx();
    let wire = d.say("STARTTLS\nMAIL FROM:<evil@x>\n");
    assert_eq!(
        wire,
        "554 5.5.0 nothing may follow STARTTLS before the handshake\n"
    );
    assert_eq!(d.reason(), Some(CloseReason::TlsInjection));
    let mut d = mx();
    d.session.feed(b"STARTTLS\r\n");
    assert_eq!(d.session.step(), Step::StartTls);
    d.session.feed(b"M");
    d.session.tls_started();
    assert_eq!(d.session.step(), Step::Close);
    assert!(!d.session.is_tls());
}

#[test]
fn strangers_at_the_door() {
    let mut d = Driver::new(config(Role::Mx), false);
    d.say("");
    d.take_wire();
    d.feed(b"\x16\x03\x01\x02\x00\x01\x00");
    assert_eq!(d.take_wire(), "");
    assert_eq!(d.reason(), Some(CloseReason::TlsOnPlaintextPort));
    let mut d = Driver::new(config(Role::Mx), false);
    let wire = d.say("GET / HTTP/1.1\nMAIL FROM:<>\n");
    assert!(wire.ends_with("554 5.5.1 this is a mail server\n"));
    assert_eq!(d.reason(), Some(CloseReason::HttpOnSmtpPort));
}

/// However its bytes come in.
#[test]
fn the_middle_of_a_long_line_is_no_greeting_of_tls() {
    let mut d = Driver::new(config(Role::Mx), false);
    d.say("");
    d.feed(&[b'x'; 4_000]);
    d.feed(b"\x16\x03\x01\r\nNOOP\r\n");
    assert_eq!(d.reason(), None);
}

#[test]
fn limits_close() {
    let mut d = mx();
    let wire = d.say(&"XYZZY\n".repeat(9));
    assert_eq!(wire.matches("500 5.5.2").count(), 5);
    assert!(wire.ends_with("421 4.7.0 too many errors\n"));
    assert_eq!(d.reason(), Some(CloseReason::TooManyUnknownCommands));

    let mut d = mx();
    let wire = d.say(&"MAIL\n".repeat(30));
    assert_eq!(wire.matches("501 ").count(), 20);
    assert_eq!(d.reason(), Some(CloseReason::TooManyErrors));

    let mut d = mx();
    d.say(&"NOOP\n".repeat(300));
    assert_eq!(d.reason(), Some(CloseReason::TooManyIdleCommands));

    let mut d = mx();
    d.say("MAIL FROM:<>\n");
    let wire = d.say(&"RCPT TO:<x@nowhere.test>\n".repeat(150));
    assert_eq!(wire.matches("550 ").count(), 100);
    assert_eq!(d.reason(), Some(CloseReason::TooManyRefusedRecipients));

    // A list that is longer than a message may be is refused from there on; the message goes to the others.
    let mut config = config(Role::Mx);
    config.recipients_max = 100;
    let mut d = Driver::new(config, false);
    d.say("EHLO c.test\nMAIL FROM:<>\n");
    let wire = d.say(&"RCPT TO:<bob@here.test>\n".repeat(900));
    assert_eq!(wire.matches("452 4.5.3").count(), 800);
    assert!(d.say("DATA\nx\n.\n").ends_with(ACCEPTED));
    d.say("MAIL FROM:<>\n");
    d.say(&"RCPT TO:<bob@here.test>\n".repeat(1_500));
    assert_eq!(d.reason(), Some(CloseReason::TooManyIdleCommands));

    // Many messages on one connection are no idle talk, nor are many chunks.
    let mut d = mx();
    for _ in 0..150 {
        assert!(d.say(&format!("{START}DATA\nx\n.\n")).ends_with(ACCEPTED));
    }
    d.say(START);
    for _ in 0..300 {
        assert_eq!(d.say("BDAT 2\n\n"), "250 2.0.0 chunk received\n");
    }
    assert!(!d.closed);
}

#[test]
fn a_long_line_is_dropped_whole() {
    for length in [limits::LINE_BYTES_MAX, 3 * limits::LINE_BYTES_MAX] {
        for chunk in [1, 100, usize::MAX] {
            let mut d = mx();
            d.take_wire();
            let client = format!("NOOP {}QUIT\r\nNOOP\r\n", "x".repeat(length));
            for piece in client.as_bytes().chunks(chunk) {
                d.feed(piece);
            }
            assert_eq!(d.take_wire(), "500 5.5.6 line too long\r\n250 2.0.0 OK\r\n");
        }
    }
    // AUTH may be longer (RFC 4954 §4).
    let mut d = Driver::new(config(Role::Submission), true);
    d.say("EHLO c.test\n");
    let wire = d.say(&format!("AUTH PLAIN {}\n", "AAAA".repeat(2500)));
    assert!(wire.starts_with("535 "), "{wire}");
    let wire = d.say(&format!("AUTH PLAIN\n{}\nNOOP\n", "AAAA".repeat(4000)));
    assert_eq!(
        wire,
        format!("334 \n500 5.5.6 authentication line too long\n{OK}")
    );
}

#[test]
fn a_refused_body_without_end_is_cut() {
    let mut d = mx();
    d.say(&format!("{START}DATA\n"));
    let block = vec![b'x'; 1 << 20];
    let mut fed = 0;
    while !d.closed {
        d.feed(&block);
        fed += 1;
    }
    assert_eq!(fed, 1 + (limits::DROPPED_BYTES_MAX >> 20));
    assert_eq!(d.reason(), Some(CloseReason::RefusedBody));
    assert!(d.take_wire().ends_with("552 5.3.4 message too big\r\n"));
}

#[test]
fn the_driver_ends_it() {
    let mut d = Driver::new(config(Role::Mx), false);
    d.session.shut_down(ShutDown::TooManyConnections);
    assert_eq!(d.session.step(), Step::Close);
    let wire = d.session.take_output();
    assert_eq!(
        String::from_utf8(wire).unwrap(),
        "421 4.7.0 too many connections, try again later\r\n"
    );
    let mut d = mx();
    d.session.finish(Outcome::Ok);
    assert_eq!(d.session.step(), Step::Close);
    assert_eq!(d.reason(), Some(CloseReason::Internal));
}

#[test]
fn an_idle_session_holds_no_buffer() {
    let mut d = mx();
    d.say(&format!("{START}DATA\nx\n.\n"));
    assert_eq!(d.session.input.capacity(), 0);
    assert_eq!(d.session.output.capacity(), 0);
}

fn commands() -> impl Strategy<Value = Vec<u8>> {
    let lines = [
        "EHLO c.test\r\n",
        "HELO c.test\r\n",
        "MAIL FROM:<a@c.test>\r\n",
        "MAIL FROM:<a@c.test> BODY=BINARYMIME\r\n",
        "RCPT TO:<b@here.test>\r\n",
        "RCPT TO:<b@nowhere.test>\r\n",
        "MAIL FROM:<a@c.test>\r\nRCPT TO:<b@here.test>\r\nDATA\r\n",
        "DATA\r\n",
        "text\r\n..dots\r\n.\r\n",
        "te\nxt\r\n.\r\n",
        "te\rxt\r\n.\r\n",
        ".\r\n",
        "\r.\n",
        "BDAT 4 LAST\r\na\r\nb",
        "BDAT 2\r\na\r",
        "BDAT 2\r\n\na",
        "BDAT 2000\r\n",
        "AUTH PLAIN\r\n",
        "YWxpY2U=\r\n",
        "*\r\n",
        "RSET\r\n",
        "QUIT\r\n",
        "GET / HTTP/1.1\r\n",
        "NOOP\n",
        "\x16\x03\r\n",
    ];
    let long = [vec![b'z'; limits::LINE_BYTES_MAX + 3], b"\r\n".to_vec()].concat();
    let line = prop_oneof![
        12 => (0..lines.len()).prop_map(move |at| lines[at].as_bytes().to_vec()),
        1 => Just(long),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(line, 0..16).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        client in commands(),
        cuts in proptest::collection::vec(1usize..40, 1..40),
        role in prop_oneof![Just(Role::Mx), Just(Role::Submission)],
    ) {
        let client = [b"EHLO c.test\r\n".to_vec(), client].concat();
        let mut whole = Driver::new(config(role), true);
        whole.feed(&client);
        let mut split = Driver::new(config(role), true);
        let mut rest = client.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            split.feed(piece);
            rest = after;
        }
        prop_assert_eq!(
            String::from_utf8_lossy(&whole.wire),
            String::from_utf8_lossy(&split.wire)
        );
        prop_assert_eq!(&whole.requests, &split.requests);
        prop_assert_eq!(&whole.accepted, &split.accepted);
        prop_assert_eq!(whole.reason(), split.reason());
    }
}
