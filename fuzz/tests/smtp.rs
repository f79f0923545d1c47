//! SMTP and LMTP: the server's session in every role, the client against hostile servers, replies,
//! addresses, and the body on the wire.

use std::sync::Arc;

use facteur_fuzz::{Fuzz, Random, Signature, grammar, pieces, seeds};
use facteur_smtp::client::{self, Client, Mail, MailRecipient, Tls};
use facteur_smtp::data::{DataDecoder, DataEncoder, Piece};
use facteur_smtp::parameters::{decode_xtext, encode_xtext};
use facteur_smtp::reply_parser::ReplyParser;
use facteur_smtp::server::{Config, Outcome, Refusal, Request, Role, Session, Step};
use facteur_smtp::{Address, Body, Domain, Secret, command, limits};

const WORDS: &[&str] = &[
    "\r\n",
    ".\r\n",
    "\r\n.\r\n",
    "\n.\n",
    "\r\n.\n",
    "\r.\r",
    "EHLO x\r\n",
    "HELO x\r\n",
    "LHLO x\r\n",
    "MAIL FROM:<>\r\n",
    "MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x+2B\r\n",
    "RCPT TO:<a@example.test>\r\n",
    "RCPT TO:<a@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c\r\n",
    "DATA\r\n",
    "BDAT 5\r\nhello",
    "BDAT 0 LAST\r\n",
    "BDAT 18446744073709551615\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "VRFY a\r\n",
    "HELP\r\n",
    "QUIT\r\n",
    "STARTTLS\r\n",
    "AUTH PLAIN AGFsaWNlAHB3\r\n",
    "AUTH LOGIN\r\n",
    "AUTH X =\r\n",
    "*\r\n",
    " BODY=BINARYMIME",
    " AUTH=<>",
    "<postmaster>",
    "<@a,@b:c@d>",
    "[IPv6:::1]",
    "[127.0.0.1]",
    "\"a b\"@c",
    "\u{e9}@\u{e9}.test",
    " SIZE=99999999999999999999",
];

/// Answers by what is in the request; the split must not matter, so nothing else is looked at.
#[derive(Default)]
struct Heard {
    wire: Vec<u8>,
    requests: Vec<String>,
    /// Of the messages that came whole; what is taken of others depends on how they come.
    bodies: Vec<Vec<u8>>,
    /// A handshake was asked for, or refused for bytes that came too early.
    tls: bool,
    closed: bool,
}

fn config(role: Role) -> Config {
    let mut config = Config::new(role, "mx.example.test", 500);
    config.starttls = role != Role::Lmtp;
    config.recipients_max = 5;
    if role == Role::Submission {
        config.mechanisms_tls = vec!["PLAIN".into(), "LOGIN".into()];
        config.mechanisms_plaintext = vec!["SCRAM-SHA-256".into()];
    }
    config
}

fn outcome(request: &Request, session: &Session, role: Role) -> Outcome {
    match request {
        Request::Mail { reverse_path, .. } => match reverse_path {
            Some(path) if path.local.contains("spam") => Outcome::Refused(Refusal::Policy),
            _ => Outcome::Ok,
        },
        Request::Rcpt { recipient, .. } => match recipient.to_string().len() % 4 {
            0 => Outcome::Refused(Refusal::NoSuchMailbox),
            _ => Outcome::Ok,
        },
        Request::BodyEnd if role == Role::Lmtp => {
            let recipients = &session.envelope().expect("a transaction").recipients;
            let of = |n: usize| {
                if n.is_multiple_of(3) {
                    Err(Refusal::MailboxFull)
                } else {
                    Ok(())
                }
            };
            Outcome::Recipients((1..=recipients.len()).map(of).collect())
        }
        Request::BodyStart | Request::BodyEnd | Request::Abort => Outcome::Ok,
        Request::Auth { initial: None, .. } => Outcome::Challenge(b"name".to_vec()),
        Request::Auth {
            initial: Some(text),
            ..
        }
        | Request::AuthResponse(text) => match text.0.len() % 4 {
            0 => Outcome::Challenge(text.0.clone()),
            1 => Outcome::Authenticated,
            2 => Outcome::AuthTemporary,
            _ => Outcome::AuthFailed,
        },
    }
}

fn serve(role: Role, tls: bool, pieces: &[&[u8]]) -> Heard {
    let mut session = Session::new(Arc::new(config(role)), tls);
    let mut heard = Heard::default();
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut steps = 0;
    let mut body: Option<Vec<u8>> = None;
    heard.wire.extend(session.take_output());
    for piece in pieces {
        session.feed(piece);
        loop {
            steps += 1;
            assert!(
                steps <= 1_000 + 8 * (total + pieces.len()),
                "it makes no progress"
            );
            match session.step() {
                Step::Read => break,
                Step::StartTls => {
                    heard.wire.extend(session.take_output());
                    heard.tls = true;
                    session.tls_started();
                }
                Step::Close => {
                    heard.closed = true;
                    break;
                }
                Step::Body(range) => {
                    assert!(!range.is_empty());
                    let body = body.as_mut().expect("a body was begun");
                    body.extend_from_slice(&session.input()[range]);
                }
                Step::Run(request) => {
                    match request {
                        Request::BodyStart => body = Some(Vec::new()),
                        Request::BodyEnd => heard.bodies.extend(body.take()),
                        Request::Abort => body = None,
                        _ => {}
                    }
                    heard.requests.push(format!("{request:?}"));
                    let outcome = outcome(&request, &session, role);
                    session.finish(outcome);
                }
            }
        }
        heard.wire.extend(session.take_output());
        if heard.closed {
            break;
        }
        let longest = limits::AUTH_LINE_BYTES_MAX + 2;
        assert!(
            session.input().len() <= longest + piece.len(),
            "the buffer grows"
        );
    }
    use facteur_smtp::server::CloseReason;
    heard.tls |= session.close_reason() == Some(CloseReason::TlsInjection);
    assert_ne!(session.close_reason(), Some(CloseReason::Internal));
    heard
}

fn session(name: &'static str, role: Role) {
    let dialogues = seeds::transcripts("smtp", seeds::Side::Client);
    Fuzz::new(name)
        .seeds(dialogues)
        .words(WORDS)
        .run(|input, signature| {
            let tls = !Random::of(input).one_in(4);
            let whole = serve(role, tls, &[input]);
            let split = serve(role, tls, &pieces(input));
            for heard in [&whole, &split] {
                for code in grammar::smtp_replies(&heard.wire) {
                    signature.add(code);
                }
                assert!(heard.wire.len() <= 4_096 + 300 * input.len());
            }
            // What comes after STARTTLS is an attack when it comes early.
            if !whole.tls && !split.tls {
                assert_eq!(whole.requests, split.requests);
                assert_eq!(whole.bodies, split.bodies);
                assert_eq!(
                    whole.wire.escape_ascii().to_string(),
                    split.wire.escape_ascii().to_string()
                );
            }
            signature.add(whole.requests.len());
            signature.add((whole.closed, split.tls));
        });
}

#[test]
fn server_mx() {
    session("server_mx", Role::Mx);
}

#[test]
fn server_submission() {
    session("server_submission", Role::Submission);
}

#[test]
fn server_lmtp() {
    session("server_lmtp", Role::Lmtp);
}

#[test]
fn commands() {
    let dialogues = seeds::transcripts("smtp", seeds::Side::Client);
    Fuzz::new("commands")
        .seeds(dialogues)
        .words(WORDS)
        .bytes_max(4_096)
        .run(|input, signature| {
            for line in input.split_inclusive(|byte| *byte == b'\n').take(64) {
                let (row, command) = command::parse(line);
                signature.add(row.map(|row| row.name));
                signature.add(command.map(|command| std::mem::discriminant(&command)).ok());
            }
        });
}

#[test]
fn addresses() {
    let seeds = [
        "alice@example.test",
        "\"a b\\\"\\\\\"@x",
        "a@[127.0.0.1]",
        "a@[IPv6:2001:db8::1]",
        "a@[tag:content]",
        "\u{e9}@\u{e9}.test",
        "a.b+c@x-y.z",
        "a@[IPv6:::ffff:1.2.3.4]",
    ];
    Fuzz::new("addresses")
        .seeds(seeds)
        .words(WORDS)
        .bytes_max(600)
        .run(|input, signature| {
            let text = String::from_utf8_lossy(input);
            let address = Address::parse(&text);
            if let Ok(address) = &address {
                let shown = address.to_string();
                assert_eq!(Address::parse(&shown).as_ref(), Ok(address), "{shown}");
                assert!(!shown.contains(['\r', '\n', '\0']), "{shown:?}");
                signature.add(std::mem::discriminant(&address.domain));
            }
            let domain = Domain::parse(&text);
            if let Ok(domain) = &domain {
                assert_eq!(Domain::parse(&domain.to_string()).as_ref(), Ok(domain));
            }
            signature.add((address.err(), domain.err()).0.map(|error| error as u8));
            assert_eq!(decode_xtext(&encode_xtext(input)).as_deref(), Some(input));
            signature.add(decode_xtext(&text).map(|bytes| bytes.len().min(8)));
        });
}

#[test]
fn bodies() {
    let seeds = [
        "a\r\n.b\r\n..\r\n",
        "",
        ".",
        "\r\n",
        "no end",
        "a\rb",
        "a\nb",
        ".\r\n.\r\n",
        "a\0",
    ];
    Fuzz::new("bodies")
        .seeds(seeds)
        .words(WORDS)
        .run(|input, signature| {
            let mut wire = Vec::new();
            let mut encoder = DataEncoder::default();
            let pushed = pieces(input)
                .into_iter()
                .try_for_each(|piece| encoder.push(piece, &mut wire));
            let encoded = pushed.and_then(|()| encoder.finish(&mut wire));
            signature.add(encoded.is_ok());
            if encoded.is_ok() {
                let (message, rest) = decode(&[&wire], signature).expect("an end");
                assert!(rest.is_empty());
                let added = &message[input.len()..];
                assert!(message.starts_with(input) && matches!(added, b"" | b"\r\n"));
            }
            // Anything as what comes after DATA.
            let whole = decode(&[input], signature);
            assert_eq!(whole, decode(&pieces(input), signature));
            if let Some((message, rest)) = whole {
                let end = &input[..input.len() - rest.len()];
                assert!(
                    end.ends_with(b"\r\n.\r\n") || end == b".\r\n",
                    "only CRLF.CRLF ends it"
                );
                assert!(message.len() < end.len());
            }
        });
}

/// The message, and what follows its end.
fn decode(pieces: &[&[u8]], signature: &mut Signature) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut decoder = DataDecoder::default();
    let mut message = Vec::new();
    let mut buffer = Vec::new();
    let mut pieces = pieces.iter();
    loop {
        match decoder.next(&buffer) {
            Piece::Body { skip, len } => {
                message.extend_from_slice(&buffer[skip..skip + len]);
                assert!(skip + len > 0);
                buffer.drain(..skip + len);
            }
            Piece::More => {
                assert!(buffer.len() <= 2, "it holds back {}", buffer.len());
                buffer.extend_from_slice(pieces.next()?);
            }
            Piece::End { len } => {
                buffer.drain(..len);
                buffer.extend(pieces.copied().flatten());
                signature.add(decoder.fault().map(|fault| fault as u8));
                return Some((message, buffer));
            }
        }
    }
}

const SERVER_WORDS: &[&str] = &[
    "220 mx\r\n",
    "250 OK\r\n",
    "250-mx\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-SIZE 10\r\n250 DSN\r\n",
    "250-CHUNKING\r\n",
    "250-BINARYMIME\r\n",
    "250-8BITMIME\r\n",
    "250-SMTPUTF8\r\n",
    "250-AUTH PLAIN LOGIN\r\n",
    "250-LIMITS RCPTMAX=2 MAILMAX=1\r\n",
    "354 go\r\n",
    "421 4.3.2 bye\r\n",
    "450 4.2.1 later\r\n",
    "550 5.1.1 no\r\n",
    "235 2.7.0 in\r\n",
    "334 \r\n",
    "334 VXNlcm5hbWU6\r\n",
    "503 no\r\n",
    "555 \r\n",
    "-",
    " ",
];

#[test]
fn replies() {
    let said = seeds::transcripts("smtp", seeds::Side::Server);
    Fuzz::new("replies")
        .seeds(said)
        .words(SERVER_WORDS)
        .run(|input, signature| {
            let read = |pieces: &[&[u8]]| {
                let (mut parser, mut buffer, mut replies) =
                    (ReplyParser::default(), Vec::new(), Vec::new());
                for piece in pieces {
                    buffer.extend_from_slice(piece);
                    loop {
                        match parser.next(&buffer) {
                            Ok((reply, used)) => {
                                buffer.drain(..used);
                                match reply {
                                    Some(reply) => replies.push(Ok(reply)),
                                    None => break,
                                }
                            }
                            Err(error) => {
                                replies.push(Err(error));
                                return replies;
                            }
                        }
                    }
                }
                replies
            };
            let whole = read(&[input]);
            assert_eq!(whole, read(&pieces(input)));
            for reply in whole.iter().flatten() {
                assert!((200..600).contains(&reply.code));
                let shown = reply.to_string();
                assert!(
                    shown.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                    "{shown:?}"
                );
                assert!(shown.len() <= 2 * limits::REPLY_TEXT_BYTES_MAX);
                signature.add((
                    reply.code / 100,
                    reply.lines.len(),
                    reply.enhanced.is_some(),
                ));
            }
        });
}

fn mail(random: &mut Random) -> Mail {
    let addresses = ["a@x.test", "\"b c\"@x.test", "d@x.test", "\u{e9}@x.test"];
    let address = |text: &&str| Address::parse(text).expect("an address");
    let recipients = addresses
        .iter()
        .take(1 + random.below(4))
        .map(|text| MailRecipient {
            address: address(text),
            notify: None,
            original: random.one_in(3).then(|| "rfc822;a+2Bb".into()),
        });
    Mail {
        recipients: recipients.collect(),
        reverse_path: (!random.one_in(3)).then(|| address(&"s@here.test")),
        size: 9,
        body: *random
            .pick(&[Body::SevenBit, Body::EightBitMime, Body::BinaryMime])
            .expect("one"),
        smtputf8: random.one_in(3),
        ret: None,
        envelope_id: random.one_in(3).then(|| "x+2By".into()),
        wishes: client::Wishes {
            deliver_by: random.one_in(3).then_some(facteur_smtp::DeliverBy {
                seconds: 120,
                or_return: random.one_in(2),
                trace: random.one_in(2),
            }),
            priority: random.one_in(3).then_some(-4),
            require_tls: random.one_in(3),
        },
    }
}

/// Talks to a server that says `pieces`; gives what we said and what became of it all.
fn talk(input: &[u8], pieces: &[&[u8]]) -> (Vec<u8>, Vec<String>, bool) {
    let mut random = Random::of(input);
    let tls = *random
        .pick(&[Tls::Never, Tls::Opportunistic, Tls::Required, Tls::Active])
        .expect("one");
    let login = random.one_in(2).then(|| client::Login {
        user: "alice".into(),
        password: Secret(b"secret-word".to_vec()),
    });
    let lmtp = random.one_in(4);
    let mut client = Client::new(client::Config {
        hello: "out.test".into(),
        lmtp,
        tls,
        login,
    });
    let (mut said, mut results, mut handshake, mut sent) = (Vec::new(), Vec::new(), false, 0);
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut steps = 0;
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
                }
                client::Step::Ready if sent < 3 => {
                    sent += 1;
                    let mail = mail(&mut random);
                    client.send(mail);
                }
                client::Step::Ready => client.quit(),
                client::Step::SendBody => {
                    client.push_body(b"a\r\n.b\r\nc").expect("text");
                    client.end_body().expect("text");
                }
                client::Step::Sent(report) => results.push(format!("{report:?}")),
                step @ (client::Step::Failed(_) | client::Step::Close) => {
                    results.push(format!("{step:?}"));
                    said.extend(client.take_output());
                    return (said, results, handshake);
                }
            }
        }
        said.extend(client.take_output());
        if !client.is_tls() {
            let secret = |bytes: &[u8]| bytes.windows(11).any(|window| window == b"secret-word");
            assert!(!secret(&said) && !said.windows(5).any(|window| window == b"AUTH "));
        }
    }
    let lost = client.interrupted(client::LocalError::ConnectionLost);
    results.push(format!("{lost:?}"));
    (said, results, handshake)
}

#[test]
fn client() {
    let mut said = seeds::transcripts("smtp", seeds::Side::Server);
    said.push(
        b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 \
          SMTPUTF8\r\n235 in\r\n250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n\
          250 ok\r\n221 bye\r\n"
            .to_vec(),
    );
    Fuzz::new("client")
        .seeds(said)
        .words(SERVER_WORDS)
        .run(|input, signature| {
            let (said, results, tls) = talk(input, &[input]);
            let (said_split, results_split, tls_split) = talk(input, &pieces(input));
            for said in [&said, &said_split] {
                assert!(said.len() <= 8_192, "{} bytes said", said.len());
                assert!(!said.contains(&0));
            }
            if !tls && !tls_split && !results.iter().any(|result| result.contains("TlsInjection")) {
                assert_eq!(results, results_split);
                assert_eq!(
                    said.escape_ascii().to_string(),
                    said_split.escape_ascii().to_string()
                );
            }
            let shape: String = results
                .concat()
                .chars()
                .filter(char::is_ascii_uppercase)
                .collect();
            signature.add(shape);
        });
}
