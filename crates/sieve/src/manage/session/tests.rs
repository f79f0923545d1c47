//! Dialogues, whole and cut anywhere.

use proptest::prelude::*;

use super::*;

fn config() -> Arc<Config> {
    Arc::new(Config {
        starttls: true,
        mechanisms_tls: vec!["SCRAM-SHA-256".into(), "PLAIN".into()],
        mechanisms_plaintext: vec!["SCRAM-SHA-256".into()],
        implementation: "Test".into(),
        language: "en".into(),
    })
}

fn answer(request: &Request) -> Outcome {
    match request {
        Request::Auth { initial: None, .. } => Outcome::Challenge(b"who?".to_vec()),
        Request::Auth {
            initial: Some(secret),
            ..
        }
        | Request::AuthResponse(secret) => match secret.0.as_slice() {
            b"wrong" => Outcome::AuthFailed,
            _ => Outcome::Authenticated {
                owner: "alice@example.test".into(),
                language: "fr".into(),
            },
        },
        Request::List => Outcome::Scripts(vec![
            Listed {
                name: "summer_script".into(),
                active: false,
            },
            Listed {
                name: "clever\"script".into(),
                active: true,
            },
        ]),
        Request::Get { name } if name == "none" => Outcome::NoSuchScript,
        Request::Get { .. } => Outcome::Script("#this is my wonderful script\r\n".into()),
        Request::Delete { name } if name == "active" => Outcome::Active,
        Request::Rename { .. } => Outcome::Exists,
        _ => Outcome::Done,
    }
}

/// What the server says to input that comes in these pieces, without its greeting; the requests.
fn talk(tls: bool, pieces: &[&[u8]]) -> (String, Vec<String>, Option<CloseReason>) {
    let mut session = Session::new(config(), tls);
    session.take_output();
    let (mut out, mut requests) = (Vec::new(), Vec::new());
    for piece in pieces {
        session.feed(piece);
        loop {
            match session.step() {
                Step::Read | Step::Close => break,
                Step::Flush => out.extend(session.take_output()),
                Step::StartTls => {
                    out.extend(session.take_output());
                    session.tls_started();
                }
                Step::Run(request) => {
                    requests.push(format!("{request:?}"));
                    session.finish(answer(&request));
                }
            }
        }
        out.extend(session.take_output());
    }
    let out = String::from_utf8(out).unwrap();
    (out, requests, session.close_reason())
}

const LOGIN: &str = "AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHB3\"\r\n";

fn after_login(input: &str) -> String {
    let whole = format!("{LOGIN}{input}");
    let (out, _, _) = talk(true, &[whole.as_bytes()]);
    out.strip_prefix("OK \"logged in\"\r\n").unwrap().to_owned()
}

/// RFC 5804 §2, its examples.
#[test]
fn commands() {
    for (input, output) in [
        (
            "Listscripts\r\n",
            "\"summer_script\"\r\n\"clever\\\"script\" ACTIVE\r\nOK\r\n",
        ),
        ("Setactive \"vacationscript\"\r\n", "OK\r\n"),
        ("Setactive \"\"\r\n", "OK\r\n"),
        (
            "Getscript \"myscript\"\r\n",
            "{30}\r\n#this is my wonderful script\r\n\r\nOK\r\n",
        ),
        (
            "Getscript \"none\"\r\n",
            "NO (NONEXISTENT) \"there is no such script\"\r\n",
        ),
        ("Deletescript \"foo\"\r\n", "OK\r\n"),
        (
            "Deletescript \"active\"\r\n",
            "NO (ACTIVE) \"the script is active\"\r\n",
        ),
        (
            "Renamescript \"baz\" \"bar\"\r\n",
            "NO (ALREADYEXISTS) \"there is a script of that name\"\r\n",
        ),
        (
            "HAVESPACE \"myscript\" 999999\r\n",
            "NO (QUOTA/MAXSIZE) \"the script is too long\"\r\n",
        ),
        ("HAVESPACE \"foobar\" 435\r\n", "OK\r\n"),
        (
            "Putscript \"foo\" {31+}\r\n#comment\r\nInvalidSieveCommand\r\n\r\n",
            "NO \"ligne 2 : il manque un ';'\"\r\n",
        ),
        (
            "CheckScript {31+}\r\n#comment\r\nInvalidSieveCommand\r\n\r\n",
            "NO \"ligne 2 : il manque un ';'\"\r\n",
        ),
        ("PutScript {3+}\r\nfoo \"keep;\"\r\n", "OK\r\n"),
        ("CheckScript \"keep;\"\r\n", "OK\r\n"),
        (
            "CheckScript \"\"\r\n",
            "NO \"a script has at least one character\"\r\n",
        ),
        ("NOOP\r\n", "OK \"done\"\r\n"),
        (
            "NOOP \"STARTTLS-SYNC-42\"\r\n",
            "OK (TAG \"STARTTLS-SYNC-42\") \"done\"\r\n",
        ),
        (
            "UNAUTHENTICATE\r\nLISTSCRIPTS\r\n",
            "OK \"logged out\"\r\nNO \"log in first\"\r\n",
        ),
        ("AUTHENTICATE \"PLAIN\"\r\n", "NO \"already logged in\"\r\n"),
        ("FROB\r\n", "NO \"unknown command\"\r\n"),
        ("\r\n", "NO \"unknown command\"\r\n"),
        ("SETACTIVE x\r\n", "NO \"wrong arguments\"\r\n"),
        ("SETACTIVE \"a\" \"b\"\r\n", "NO \"wrong arguments\"\r\n"),
        ("SETACTIVE \"a\"\"b\"\r\n", "NO \"wrong arguments\"\r\n"),
        (
            "SETACTIVE {2+}\r\na\u{7}\r\n",
            "NO \"no name of a script\"\r\n",
        ),
        (
            "SETACTIVE \"a\n",
            "NO \"a line ends with CR LF and holds no NUL, CR or LF\"\r\n",
        ),
        ("Logout\r\nNOOP\r\n", "OK \"goodbye\"\r\n"),
    ] {
        assert_eq!(after_login(input), output, "{input}");
    }
}

#[test]
fn a_refused_literal_is_dropped_and_never_parsed() {
    let size = limits::LITERAL_BYTES_MAX + 1;
    let mut script = "LOGOUT\r\n".repeat(size / 8 + 1);
    script.truncate(size);
    let out = after_login(&format!(
        "PUTSCRIPT \"a\" {{{size}+}}\r\n{script}\r\nNOOP\r\n"
    ));
    assert_eq!(
        out,
        "NO (QUOTA/MAXSIZE) \"the script is too long\"\r\nOK \"done\"\r\n"
    );
    let (out, _, reason) = talk(true, &[b"NOOP {99999999999+}\r\n"]);
    assert_eq!(reason, Some(CloseReason::LiteralTooLong), "{out}");
    // Before login less is enough.
    let (out, _, _) = talk(
        true,
        &[b"NOOP {13000+}\r\n", &[b'x'; 13_000], b"\r\nNOOP\r\n"],
    );
    assert_eq!(out, "NO \"string too long\"\r\nOK \"done\"\r\n");
}

#[test]
fn passwords_need_tls() {
    let (out, requests, _) = talk(false, &[LOGIN.as_bytes()]);
    assert_eq!(out, "NO (ENCRYPT-NEEDED) \"start TLS first\"\r\n");
    assert!(requests.is_empty());
    let (out, _, reason) = talk(false, &[b"STARTTLS\r\nNOOP\r\n"]);
    assert_eq!(reason, Some(CloseReason::TlsInjection), "{out}");
    let (out, _, _) = talk(false, &[b"STARTTLS\r\n", LOGIN.as_bytes()]);
    assert!(
        out.starts_with("OK \"begin TLS negotiation\"\r\n\"IMPLEMENTATION\""),
        "{out}"
    );
    assert!(out.ends_with("OK \"logged in\"\r\n"), "{out}");
    assert!(!out.contains("STARTTLS\""), "{out}");
}

#[test]
fn sasl() {
    let (out, _, _) = talk(true, &[b"AUTHENTICATE \"PLAIN\"\r\n{4+}\r\nYWJj\r\n"]);
    assert_eq!(out, "\"d2hvPw==\"\r\nOK \"logged in\"\r\n");
    let (out, _, _) = talk(true, &[b"AUTHENTICATE \"PLAIN\"\r\n\"*\"\r\nNOOP\r\n"]);
    assert_eq!(
        out,
        "\"d2hvPw==\"\r\nNO \"authentication cancelled\"\r\nOK \"done\"\r\n"
    );
    let wrong = "AUTHENTICATE \"PLAIN\" \"d3Jvbmc=\"\r\n".repeat(4);
    let (out, _, reason) = talk(true, &[wrong.as_bytes()]);
    assert_eq!(reason, Some(CloseReason::TooManyLoginFailures), "{out}");
    assert_eq!(out.matches("NO \"wrong").count(), 3);
}

#[test]
fn limits_hold() {
    let (_, _, reason) = talk(true, &[b"FROB\r\n".repeat(20).as_slice()]);
    assert_eq!(reason, Some(CloseReason::TooManyErrors));
    let (_, _, reason) = talk(true, &[b"NOOP\r\n".repeat(60).as_slice()]);
    assert_eq!(reason, Some(CloseReason::TooManyCommands));
    let long = [b"NOOP \"".as_slice(), &[b'x'; 9_000], b"\"\r\nNOOP\r\n"].concat();
    let (out, _, _) = talk(true, &[&long]);
    assert_eq!(out, "NO \"line too long\"\r\nOK \"done\"\r\n");
    let (_, _, reason) = talk(false, &[b"\x16\x03\x01"]);
    assert_eq!(reason, Some(CloseReason::TlsOnPlaintextPort));
    let (_, _, reason) = talk(false, &[b"GET / HTTP/1.1\r\nHost: x\r\n"]);
    assert_eq!(reason, Some(CloseReason::HttpOnSievePort));
}

proptest! {
    #[test]
    fn any_split_gives_the_same(cuts in proptest::collection::vec(0usize..400, 0..20)) {
        let input = format!(
            "NOOP \"x\"\r\nCAPABILITY\r\n{LOGIN}PUTSCRIPT \"a\\\"b\" {{9+}}\r\nkeep;\r\n\r\n\r\nFROB {{3+}}\r\nabc\r\n\
             LISTSCRIPTS\r\nGETSCRIPT {{1+}}\r\nx\r\nSETACTIVE \"\"\r\nLOGOUT\r\nNOOP\r\n"
        );
        let bytes = input.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(talk(true, &pieces), talk(true, &[bytes]));
    }
}
