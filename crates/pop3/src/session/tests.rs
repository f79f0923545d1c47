//! Dialogues: every command, every limit, and the byte-by-byte property.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::maildrop::Entry;

const MESSAGES: [&str; 3] = [
    "Subject: one\r\n\r\nfirst\r\n.dot\r\nlast\r\n",
    "Subject: two\r\n\r\nno end of line",
    "Subject: three\r\n\r\n",
];

/// A driver with three messages, one user and a made-up SASL mechanism of two rounds.
struct Driver {
    session: Session,
    wire: Vec<u8>,
    deleted: Option<Vec<u32>>,
    closed: bool,
    requests: Vec<String>,
}

impl Driver {
    fn new(config: Config, tls: bool) -> Self {
        let mut driver = Driver {
            session: Session::new(Arc::new(config), tls),
            wire: Vec::new(),
            deleted: None,
            closed: false,
            requests: Vec::new(),
        };
        driver.write();
        driver
    }

    fn write(&mut self) {
        for output in self.session.take_output() {
            match output {
                Output::Bytes(bytes) => self.wire.extend(bytes),
                Output::Stored { uid, lines } => {
                    let message = MESSAGES[usize::try_from(uid).unwrap() - 11];
                    let mut encoder = crate::MessageEncoder::new(lines);
                    encoder.push(message.as_bytes(), &mut self.wire);
                    encoder.finish(&mut self.wire);
                }
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.session.feed(bytes);
        loop {
            match self.session.step() {
                Step::Read => break,
                Step::Flush => self.write(),
                Step::StartTls => {
                    self.write();
                    self.session.tls_started();
                }
                Step::Close => {
                    self.closed = true;
                    break;
                }
                Step::Run(request) => {
                    self.requests.push(format!("{request:?}"));
                    let outcome = self.run(request);
                    self.session.finish(outcome);
                }
            }
        }
        self.write();
    }

    fn run(&mut self, request: Request) -> Outcome {
        match request {
            Request::Login { user, password } => match (user.as_str(), password.0.as_slice()) {
                ("alice", b"two words") => Outcome::Authenticated,
                ("delayed", _) => Outcome::LoginDelay,
                ("disabled", _) => Outcome::AuthRefused,
                ("broken", _) => Outcome::Failed,
                _ => Outcome::AuthFailed,
            },
            Request::Auth { initial: None, .. } => Outcome::Challenge(Vec::new()),
            Request::Auth {
                initial: Some(i), ..
            }
            | Request::AuthResponse(i) => match i.0.as_slice() {
                b"more" => Outcome::Challenge(b"and?".to_vec()),
                b"alice" => Outcome::Authenticated,
                _ => Outcome::AuthFailed,
            },
            Request::Open => {
                let entries = MESSAGES.iter().zip(11..).map(|(text, uid)| Entry {
                    size: text.len() as u64,
                    uid,
                });
                Outcome::Opened(Maildrop::new(1, entries.collect()))
            }
            Request::Retrieve {
                utf8: false,
                uid: 13,
                ..
            } => Outcome::NeedsUtf8,
            Request::Retrieve { .. } => Outcome::Message,
            Request::Quit { deleted } => {
                self.deleted = Some(deleted);
                Outcome::Deleted
            }
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
}

fn config() -> Config {
    Config {
        starttls: true,
        plaintext_login: false,
        mechanisms_tls: vec!["SCRAM-SHA-256".into(), "PLAIN".into()],
        mechanisms_plaintext: vec!["SCRAM-SHA-256".into()],
        implementation: "Facteur-0.1.0".into(),
    }
}

fn fresh(tls: bool) -> Driver {
    let mut driver = Driver::new(config(), tls);
    assert_eq!(driver.take_wire(), "+OK POP3 server ready\r\n");
    driver
}

fn logged_in() -> Driver {
    let mut driver = fresh(true);
    let wire = driver.say("USER alice\nPASS two words\n");
    assert_eq!(wire, "+OK send PASS\n+OK maildrop ready\n");
    driver
}

#[test]
fn reads_lists_and_deletes() {
    let mut d = logged_in();
    assert_eq!(d.say("STAT\n"), "+OK 3 83\n");
    assert_eq!(
        d.say("LIST\n"),
        "+OK listing follows\n1 35\n2 30\n3 18\n.\n"
    );
    assert_eq!(d.say("LIST 2\n"), "+OK 2 30\n");
    assert_eq!(
        d.say("LIST 4\nLIST 0\n"),
        "-ERR no such message\n".repeat(2)
    );
    assert_eq!(
        d.say("UIDL\n"),
        "+OK listing follows\n1 000000010000000b\n2 000000010000000c\n3 000000010000000d\n.\n"
    );
    assert_eq!(d.say("UIDL 3\n"), "+OK 3 000000010000000d\n");
    assert_eq!(
        d.say("RETR 1\n"),
        "+OK 35 octets\nSubject: one\n\nfirst\n..dot\nlast\n.\n"
    );
    assert_eq!(
        d.say("RETR 2\n"),
        "+OK 30 octets\nSubject: two\n\nno end of line\n.\n"
    );
    assert_eq!(
        d.say("TOP 1 1\n"),
        "+OK top of message follows\nSubject: one\n\nfirst\n.\n"
    );
    assert_eq!(d.say("NOOP\n"), "+OK\n");
    assert_eq!(
        d.say("DELE 1\nDELE 3\n"),
        "+OK marked as deleted\n".repeat(2)
    );
    assert_eq!(d.say("DELE 1\n"), "-ERR message is marked as deleted\n");
    assert_eq!(d.say("DELE 9\n"), "-ERR no such message\n");
    assert_eq!(
        d.say("RETR 1\nTOP 1 0\n"),
        "-ERR no such message\n".repeat(2)
    );
    assert_eq!(
        d.say("LIST\nSTAT\n"),
        "+OK listing follows\n2 30\n.\n+OK 1 30\n"
    );
    assert_eq!(d.deleted, None);
    assert_eq!(d.say("QUIT\n"), "+OK goodbye, marked messages deleted\n");
    assert_eq!(d.deleted, Some(vec![11, 13]));
    assert_eq!(d.session.close_reason(), Some(CloseReason::Quit));
}

#[test]
fn rset_and_quit_delete_nothing() {
    let mut d = logged_in();
    d.say("DELE 1\n");
    assert_eq!(d.say("RSET\n"), "+OK no message is marked as deleted\n");
    assert_eq!(d.say("QUIT\n"), "+OK goodbye\n");
    assert_eq!(d.deleted, None);
    assert!(d.closed);
}

#[test]
fn commands_keep_to_their_state() {
    let mut d = fresh(true);
    for command in [
        "STAT", "LIST", "UIDL", "RETR 1", "TOP 1 1", "DELE 1", "NOOP", "RSET",
    ] {
        if d.closed {
            d = fresh(true);
        }
        assert_eq!(d.say(&format!("{command}\n")), "-ERR log in first\n");
    }
    let mut d = logged_in();
    for command in ["USER alice", "PASS x", "AUTH PLAIN", "STLS", "UTF8"] {
        assert_eq!(d.say(&format!("{command}\n")), "-ERR already logged in\n");
    }
}

#[test]
fn capa_follows_the_state() {
    let rest = "UTF8 USER\nEXPIRE NEVER\nIMPLEMENTATION Facteur-0.1.0\n.\n";
    let first = "+OK capabilities follow\nTOP\nUIDL\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\n";
    let mut d = fresh(false);
    assert_eq!(
        d.say("CAPA\n"),
        format!("{first}SASL SCRAM-SHA-256\nSTLS\n{rest}")
    );
    assert_eq!(d.say("STLS\n"), "+OK begin TLS negotiation\n");
    let over_tls = format!("{first}USER\nSASL SCRAM-SHA-256 PLAIN\n{rest}");
    assert_eq!(d.say("CAPA\n"), over_tls);
    d.say("USER alice\nPASS two words\n");
    assert_eq!(d.say("CAPA\n"), over_tls);
    assert_eq!(
        fresh(true).say("AUTH\n"),
        "+OK mechanisms follow\nSCRAM-SHA-256\nPLAIN\n.\n"
    );
}

#[test]
fn no_password_over_plaintext() {
    let mut d = fresh(false);
    let refused = "-ERR [SYS/PERM] start TLS first\n";
    assert_eq!(d.say("USER alice\n"), refused);
    assert_eq!(d.say("PASS two words\n"), refused);
    assert_eq!(d.say("AUTH PLAIN AGEAYg==\n"), refused);
    assert!(d.requests.is_empty());
    let mut d = Driver::new(
        Config {
            plaintext_login: true,
            ..config()
        },
        false,
    );
    assert!(d.say("USER alice\nPASS two words\n").ends_with("ready\n"));
}

#[test]
fn stls_refuses_bytes_before_the_handshake() {
    let mut d = fresh(false);
    let wire = d.say("STLS\nUSER alice\n");
    assert_eq!(wire, "-ERR nothing may follow STLS before the handshake\n");
    assert_eq!(d.session.close_reason(), Some(CloseReason::TlsInjection));

    // The same bytes, when they come between the reply and the handshake.
    let mut session = Session::new(Arc::new(config()), false);
    session.feed(b"STLS\r\n");
    assert_eq!(session.step(), Step::StartTls);
    session.feed(b"U");
    session.tls_started();
    assert_eq!(session.step(), Step::Close);
    assert!(!session.is_tls());
}

#[test]
fn stls_once_only_and_not_after_utf8() {
    assert_eq!(fresh(true).say("STLS\n"), "-ERR TLS is active already\n");
    assert_eq!(
        fresh(false).say("UTF8\nSTLS\n"),
        "+OK UTF-8 enabled\n-ERR STLS comes before UTF8\n"
    );
    let mut d = Driver::new(
        Config {
            starttls: false,
            ..config()
        },
        false,
    );
    assert!(d.say("STLS\n").ends_with("-ERR STLS is not available\n"));
}

#[test]
fn sasl_exchanges() {
    let mut d = fresh(true);
    assert_eq!(d.say("AUTH PLAIN\n"), "+ \n");
    assert_eq!(d.say("bW9yZQ==\n"), "+ YW5kPw==\n");
    assert_eq!(d.say("YWxpY2U=\n"), "+OK maildrop ready\n");
    assert_eq!(
        fresh(true).say("AUTH PLAIN YWxpY2U=\n"),
        "+OK maildrop ready\n"
    );
    let cancelled = "+ \n-ERR authentication cancelled\n";
    assert_eq!(fresh(true).say("AUTH PLAIN\n*\n"), cancelled);
    assert_eq!(
        fresh(true).say("AUTH PLAIN\n=AAA\n"),
        "+ \n-ERR not base64\n"
    );
    assert_eq!(fresh(true).say("AUTH PLAIN =AAA\n"), "-ERR not base64\n");
    assert_eq!(fresh(true).say("AUTH X-NONE\n"), "-ERR no such mechanism\n");
    let mut d = fresh(true);
    d.feed(b"AUTH PLAIN\r\n*\n");
    assert!(d.take_wire().contains("-ERR a line ends with CR LF"));
}

#[test]
fn refusals_at_login() {
    for (user, text) in [
        ("mallory", "-ERR [AUTH] wrong user name or password\n"),
        (
            "delayed",
            "-ERR [LOGIN-DELAY] too many logins, wait a little\n",
        ),
        ("disabled", "-ERR [SYS/PERM] the account is not available\n"),
        ("broken", "-ERR [SYS/TEMP] try again later\n"),
    ] {
        let wire = fresh(true).say(&format!("USER {user}\nPASS x\n"));
        assert_eq!(wire, format!("+OK send PASS\n{text}"));
    }
    assert_eq!(fresh(true).say("PASS x\n"), "-ERR send USER first\n");
    // A name is used once.
    let wire = fresh(true).say("USER a\nPASS x\nPASS two words\n");
    assert!(wire.ends_with("-ERR send USER first\n"), "{wire}");
    let mut session = Session::new(Arc::new(config()), true);
    session.feed(b"USER alice\r\nPASS two words\r\n");
    assert!(matches!(session.step(), Step::Run(Request::Login { .. })));
    session.finish(Outcome::Authenticated);
    assert_eq!(session.step(), Step::Run(Request::Open));
    session.finish(Outcome::InUse);
    assert_eq!(session.step(), Step::Read);
    assert!(!session.is_logged_in());
}

#[test]
fn utf8_mode_is_asked_for() {
    let mut d = logged_in();
    assert_eq!(
        d.say("RETR 3\n"),
        "-ERR [UTF8] the message needs the UTF8 command\n"
    );
    let mut d = fresh(true);
    d.say("UTF8\nUSER alice\nPASS two words\n");
    assert_eq!(d.say("RETR 3\n"), "+OK 18 octets\nSubject: three\n\n.\n");
}

#[test]
fn failures_of_the_store() {
    for (outcome, text) in [
        (Outcome::Gone, "-ERR message is gone\r\n"),
        (Outcome::Failed, "-ERR [SYS/TEMP] try again later\r\n"),
    ] {
        let mut d = logged_in();
        d.session.feed(b"RETR 1\r\n");
        assert!(matches!(d.session.step(), Step::Run(_)));
        d.session.finish(outcome);
        assert_eq!(d.session.step(), Step::Read);
        assert_eq!(d.session.take_output(), [Output::Bytes(text.into())]);
    }
    let mut d = logged_in();
    d.session.feed(b"DELE 1\r\nQUIT\r\n");
    assert!(matches!(d.session.step(), Step::Run(Request::Quit { .. })));
    d.session.finish(Outcome::Failed);
    assert_eq!(d.session.step(), Step::Close);
    d.write();
    assert!(d.take_wire().ends_with("marked messages not deleted\r\n"));
}

#[test]
fn an_outcome_that_fits_nothing_ends_the_session() {
    let mut session = Session::new(Arc::new(config()), true);
    session.finish(Outcome::Message);
    assert_eq!(session.step(), Step::Close);
    assert_eq!(session.close_reason(), Some(CloseReason::Internal));
}

#[test]
fn limits_close() {
    let mut d = fresh(true);
    let wire = d.say(&"XYZZY\n".repeat(20));
    assert_eq!(wire.matches("-ERR unknown").count(), 10);
    assert!(wire.ends_with("-ERR too many errors\n"));
    assert_eq!(d.session.close_reason(), Some(CloseReason::TooManyErrors));

    let mut d = fresh(true);
    let wire = d.say(&"USER a\nPASS b\n".repeat(5));
    assert_eq!(wire.matches("[AUTH]").count(), 3);
    assert_eq!(
        d.session.close_reason(),
        Some(CloseReason::TooManyLoginFailures)
    );

    let mut d = fresh(true);
    let wire = d.say(&"CAPA\n".repeat(60));
    assert_eq!(wire.matches("+OK").count(), 50);
    assert_eq!(d.session.close_reason(), Some(CloseReason::TooManyCommands));
}

#[test]
fn a_long_line_is_dropped_whole() {
    for length in [limits::LINE_BYTES_MAX, 3 * limits::LINE_BYTES_MAX] {
        for chunk in [1, 100, usize::MAX] {
            let mut d = fresh(true);
            let client = format!("{}QUIT\r\nCAPX\r\n", "x".repeat(length));
            for piece in client.as_bytes().chunks(chunk) {
                d.feed(piece);
            }
            assert_eq!(
                d.take_wire(),
                "-ERR line too long\r\n-ERR unknown command\r\n"
            );
        }
    }
    let mut d = fresh(true);
    d.say("AUTH PLAIN\n");
    d.feed(&vec![b'A'; limits::SASL_LINE_BYTES_MAX + 1]);
    d.feed(b"\r\nNOOP\r\n");
    assert_eq!(d.take_wire(), "-ERR line too long\r\n-ERR log in first\r\n");
}

#[test]
fn strangers_at_the_door() {
    let mut d = fresh(false);
    d.feed(b"\x16\x03\x01\x02\x00\x01");
    assert_eq!(d.take_wire(), "");
    assert_eq!(
        d.session.close_reason(),
        Some(CloseReason::TlsOnPlaintextPort)
    );
    let mut d = fresh(false);
    let wire = d.say("GET / HTTP/1.1\nHost: x\n\n");
    assert_eq!(wire, "-ERR this is a POP3 server\n");
    assert_eq!(d.session.close_reason(), Some(CloseReason::HttpOnPop3Port));
}

#[test]
fn a_big_listing_comes_in_pieces() {
    let entries: Vec<Entry> = (1..=100_000).map(|uid| Entry { size: 1, uid }).collect();
    let mut session = Session::new(Arc::new(config()), true);
    session.feed(b"AUTH PLAIN eA==\r\nUIDL\r\nLIST\r\n");
    assert!(matches!(session.step(), Step::Run(_)));
    session.finish(Outcome::Authenticated);
    assert_eq!(session.step(), Step::Run(Request::Open));
    session.finish(Outcome::Opened(Maildrop::new(1, entries)));
    let mut lines = 0;
    loop {
        let step = session.step();
        for output in session.take_output() {
            let Output::Bytes(bytes) = output else {
                panic!("{output:?}");
            };
            assert!(bytes.len() < 2 * limits::OUTPUT_BYTES_MAX);
            lines += bytes.iter().filter(|b| **b == b'\n').count();
        }
        match step {
            Step::Flush => {}
            Step::Read => break,
            other => panic!("{other:?}"),
        }
    }
    // Greeting, login, and twice first line, entries, dot.
    assert_eq!(lines, 2 + 2 * 100_002);
}

#[test]
fn an_idle_session_holds_no_buffer() {
    let mut d = logged_in();
    d.say("LIST\nRETR 1\n");
    assert_eq!(d.session.input.capacity(), 0);
    assert_eq!(d.session.output.capacity(), 0);
}

fn commands() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(b"USER alice\r\n".to_vec()),
        Just(b"PASS two words\r\n".to_vec()),
        Just(b"AUTH PLAIN\r\nbW9yZQ==\r\nYWxpY2U=\r\n".to_vec()),
        Just(b"AUTH PLAIN\r\n*\r\n".to_vec()),
        Just(b"CAPA\r\n".to_vec()),
        Just(b"LIST\r\n".to_vec()),
        Just(b"UIDL\r\n".to_vec()),
        Just(b"RETR 1\r\n".to_vec()),
        Just(b"TOP 2 0\r\n".to_vec()),
        Just(b"DELE 1\r\n".to_vec()),
        Just(b"DELE 2\n".to_vec()),
        Just(b"RSET\r\n".to_vec()),
        Just(b"UTF8\r\n".to_vec()),
        Just(b"QUIT\r\n".to_vec()),
        Just(b"\x16\x03\x01\r\n".to_vec()),
        Just(b"GET / HTTP/1.1\r\n".to_vec()),
        Just([vec![b'z'; limits::LINE_BYTES_MAX + 3], b"\r\n".to_vec()].concat()),
        proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same(client in commands(), cuts in proptest::collection::vec(1usize..40, 1..40)) {
        let mut whole = Driver::new(config(), true);
        whole.feed(&client);
        let mut split = Driver::new(config(), true);
        let mut rest = client.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            split.feed(piece);
            rest = after;
        }
        prop_assert_eq!(&whole.wire, &split.wire);
        prop_assert_eq!(&whole.requests, &split.requests);
        prop_assert_eq!(whole.session.close_reason(), split.session.close_reason());
    }
}
