//! POP3: the server's session, messages on the wire, and the client against hostile servers.

use std::sync::Arc;

use facteur_fuzz::{Fuzz, Random, grammar, pieces, seeds};
use facteur_pop3::client::{self, Answer, Client};
use facteur_pop3::{
    CloseReason, Config, Entry, Maildrop, MessageEncoder, Outcome, Output, Request, Secret,
    Session, Step, limits,
};

const WORDS: &[&str] = &[
    "\r\n",
    "USER alice\r\n",
    "PASS pw\r\n",
    "USER alice\r\nPASS pw\r\n",
    "AUTH PLAIN AGFsaWNlAHB3\r\n",
    "AUTH PLAIN\r\n",
    "AUTH\r\n",
    "*\r\n",
    "=\r\n",
    "STAT\r\n",
    "LIST\r\n",
    "LIST 1\r\n",
    "UIDL\r\n",
    "UIDL 2\r\n",
    "RETR 1\r\n",
    "RETR 2\r\n",
    "TOP 1 2\r\n",
    "TOP 2 4294967295\r\n",
    "DELE 1\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "CAPA\r\n",
    "STLS\r\n",
    "UTF8\r\n",
    "LANG\r\n",
    "APOP a b\r\n",
    "0",
    "\n",
    "\r",
];

const MESSAGES: [&[u8]; 3] = [
    b"A: b\r\n\r\n.x\r\n..\r\n.\r\nend",
    b"no header\nbare .\n.\r",
    b"\r\n",
];

#[derive(Default)]
struct Heard {
    lines: Vec<u8>,
    wire: Vec<u8>,
    requests: Vec<String>,
    closed: bool,
    tls: bool,
}

impl Heard {
    fn collect(&mut self, session: &mut Session) {
        let mut waiting = 0;
        for output in session.take_output() {
            match output {
                Output::Bytes(bytes) => {
                    waiting += bytes.len();
                    self.lines.extend(&bytes);
                    self.wire.extend(bytes);
                }
                Output::Stored { uid, lines } => {
                    let message = MESSAGES[uid as usize % MESSAGES.len()];
                    let mut encoder = MessageEncoder::new(lines);
                    encoder.push(message, &mut self.wire);
                    encoder.finish(&mut self.wire);
                }
            }
        }
        assert!(
            waiting <= 2 * limits::OUTPUT_BYTES_MAX,
            "{waiting} bytes wait"
        );
    }
}

fn answer(request: &Request) -> Outcome {
    match request {
        Request::Login { password, .. } if password.0 == b"wrong" => Outcome::AuthFailed,
        Request::Login { .. } => Outcome::Authenticated,
        Request::Auth { initial: None, .. } => Outcome::Challenge(b"who?".to_vec()),
        Request::Auth {
            initial: Some(text),
            ..
        }
        | Request::AuthResponse(text) => match text.0.len() % 4 {
            0 => Outcome::Challenge(Vec::new()),
            1 => Outcome::LoginDelay,
            _ => Outcome::Authenticated,
        },
        Request::Open => {
            let entries = (1..=600).map(|uid| Entry {
                size: u64::from(uid),
                uid,
            });
            Outcome::Opened(Maildrop::new(7, entries.collect()))
        }
        Request::Retrieve { uid, utf8, .. } => match uid % 5 {
            0 => Outcome::Gone,
            1 if !utf8 => Outcome::NeedsUtf8,
            2 => Outcome::Failed,
            _ => Outcome::Message,
        },
        Request::Quit { deleted } if deleted.len() > 2 => Outcome::Failed,
        Request::Quit { .. } => Outcome::Deleted,
    }
}

fn serve(tls: bool, pieces: &[&[u8]]) -> Heard {
    let config = Config {
        starttls: true,
        plaintext_login: false,
        mechanisms_tls: vec!["SCRAM-SHA-256".into(), "PLAIN".into()],
        mechanisms_plaintext: vec!["SCRAM-SHA-256".into()],
        implementation: "Facteur".into(),
    };
    let mut session = Session::new(Arc::new(config), tls);
    let mut heard = Heard::default();
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut steps = 0;
    heard.collect(&mut session);
    for piece in pieces {
        session.feed(piece);
        while !heard.closed {
            steps += 1;
            assert!(
                steps <= 1_000 + 8 * (total + pieces.len()),
                "it makes no progress"
            );
            match session.step() {
                Step::Read => break,
                Step::Flush => heard.collect(&mut session),
                Step::StartTls => {
                    heard.collect(&mut session);
                    heard.tls = true;
                    session.tls_started();
                }
                Step::Close => heard.closed = true,
                Step::Run(request) => {
                    heard.requests.push(format!("{request:?}"));
                    session.finish(answer(&request));
                }
            }
        }
        heard.collect(&mut session);
    }
    heard.tls |= session.close_reason() == Some(CloseReason::TlsInjection);
    assert_ne!(session.close_reason(), Some(CloseReason::Internal));
    heard
}

#[test]
fn session() {
    let dialogues = seeds::transcripts("pop3", seeds::Side::Client);
    Fuzz::new("pop3_session")
        .seeds(dialogues)
        .words(WORDS)
        .bytes_max(4_096)
        .run(|input, signature| {
            let tls = !Random::of(input).one_in(4);
            let (whole, split) = (serve(tls, &[input]), serve(tls, &pieces(input)));
            for heard in [&whole, &split] {
                let lines = grammar::ascii_lines(&heard.lines);
                assert!(lines.iter().all(|line| line.len() <= 510), "RFC 2449 §4");
                for line in lines.iter().take(100) {
                    signature.add(
                        line.split(' ')
                            .next()
                            .filter(|word| word.starts_with(['+', '-'])),
                    );
                }
            }
            // What comes after STLS is an attack when it comes early.
            if !whole.tls && !split.tls {
                assert_eq!(whole.requests, split.requests);
                assert_eq!(
                    whole.wire.escape_ascii().to_string(),
                    split.wire.escape_ascii().to_string()
                );
            }
            signature.add((whole.requests.len(), whole.closed, split.tls));
        });
}

/// What a client makes of RETR, as RFC 1939 §3 says: the message, its last line ended.
#[test]
fn messages() {
    let seeds = MESSAGES
        .map(<[u8]>::to_vec)
        .into_iter()
        .chain(seeds::messages());
    Fuzz::new("pop3_messages")
        .seeds(seeds)
        .words(&[".", "\r\n.", "\r\n.\r\n", "\n.\n"])
        .run(|message, signature| {
            let encode = |lines: Option<u32>, pieces: &[&[u8]]| {
                let (mut encoder, mut out) = (MessageEncoder::new(lines), Vec::new());
                let _ = pieces.iter().all(|piece| encoder.push(piece, &mut out));
                encoder.finish(&mut out);
                out
            };
            let split = pieces(message);
            let wire = encode(None, &[message]);
            assert_eq!(wire, encode(None, &split));
            assert!(wire.is_empty() || wire.ends_with(b"\r\n"));
            assert!(!wire.starts_with(b".\r\n"));
            assert!(
                !wire
                    .windows(4)
                    .any(|four| four == b"\n.\r\n" || four == b"\n.\n\r")
            );
            let mut read = Vec::new();
            for line in wire.split_inclusive(|byte| *byte == b'\n') {
                read.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            }
            let added = &read[message.len()..];
            assert!(read.starts_with(message) && matches!(added, b"" | b"\r\n"));
            for lines in [0, 1, 3] {
                let top = encode(Some(lines), &[message]);
                assert_eq!(top, encode(Some(lines), &split));
                let short = top.strip_suffix(b"\r\n").unwrap_or(&top);
                assert!(wire.starts_with(short), "TOP is the beginning of RETR");
                signature.add_size(top.len());
            }
        });
}

const SERVER_WORDS: &[&str] = &[
    "+OK\r\n",
    "+OK ready\r\n",
    "-ERR no\r\n",
    "-ERR [IN-USE] no\r\n",
    "+ \r\n",
    ".\r\n",
    "\r\n.\r\n",
    "1 100\r\n",
    "2 abc\r\n",
    "SASL PLAIN\r\n",
    "+OK\r\n1 5\r\n.\r\n",
    "..\r\n",
    "\r",
    "4294967296 1\r\n",
    "1 99999999999999999999\r\n",
];

fn talk(input: &[u8], pieces: &[&[u8]]) -> (Vec<u8>, Vec<String>, Vec<u8>, bool) {
    let mut random = Random::of(input);
    let mut client = Client::new(random.one_in(2));
    let (mut said, mut results, mut body, mut handshake) =
        (Vec::new(), Vec::new(), Vec::new(), false);
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let (mut steps, mut asked) = (0, 0);
    for piece in [&[&[][..]], pieces].concat() {
        client.feed(piece);
        loop {
            steps += 1;
            assert!(
                steps <= 1_000 + 8 * (total + pieces.len()),
                "it makes no progress"
            );
            match client.step() {
                client::Step::Read => break,
                client::Step::StartTls => {
                    handshake = true;
                    client.tls_started();
                    client.request(client::Request::Capa);
                }
                client::Step::Body(bytes) => {
                    assert!(!bytes.is_empty());
                    body.extend(bytes);
                }
                client::Step::Answer(answer) => {
                    asked += 1;
                    results.push(format!("{answer:?}"));
                    if let Answer::Refused { .. } = answer {
                        body.push(b'|');
                    }
                    client.request(request(&mut random, asked));
                }
                client::Step::Failed(error) => {
                    results.push(format!("{error:?}"));
                    said.extend(client.take_output());
                    return (said, results, body, handshake);
                }
            }
        }
        said.extend(client.take_output());
    }
    (said, results, body, handshake)
}

fn request(random: &mut Random, asked: usize) -> client::Request {
    let (user, password) = (
        "al\r\nQUIT\r\nice".to_owned(),
        Secret(b"secret\r\nDELE 1".to_vec()),
    );
    match (asked, random.below(8)) {
        (1, 0..4) => client::Request::Capa,
        (_, 0) => client::Request::Stls,
        (_, 1) => client::Request::Login { user, password },
        (_, 2) => client::Request::AuthPlain { user, password },
        (_, 3) => client::Request::List,
        (_, 4) => client::Request::Uidl,
        (_, 5) => client::Request::Dele(1),
        _ => client::Request::Retr(2),
    }
}

#[test]
fn client() {
    let said = seeds::transcripts("pop3", seeds::Side::Server);
    Fuzz::new("pop3_client")
        .seeds(said)
        .words(SERVER_WORDS)
        .run(|input, signature| {
            let (said, results, body, tls) = talk(input, &[input]);
            let (said_split, results_split, body_split, tls_split) = talk(input, &pieces(input));
            for said in [&said, &said_split] {
                let lines = grammar::ascii_lines(said);
                assert!(
                    lines
                        .iter()
                        .all(|line| !line.starts_with("DELE 1 ") && *line != "QUIT")
                );
            }
            if !tls && !tls_split && !results.iter().any(|result| result.contains("TlsInjection")) {
                assert_eq!(results, results_split);
                assert_eq!(
                    said.escape_ascii().to_string(),
                    said_split.escape_ascii().to_string()
                );
                assert_eq!(
                    body.escape_ascii().to_string(),
                    body_split.escape_ascii().to_string()
                );
            }
            for result in &results {
                signature.add(result.split('(').next());
            }
            signature.add_size(body.len());
        });
}
