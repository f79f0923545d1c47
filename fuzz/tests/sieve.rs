//! Sieve: scripts that strangers wrote, run on messages of strangers; ManageSieve's session.

use std::sync::Arc;

use facteur_fuzz::{Fuzz, Random, pieces, seeds};
use facteur_message::{Scanner, Sent, Span, header};
use facteur_sieve::manage::{
    CloseReason, Config, Listed, Outcome, Request, Session, Step, limits as manage_limits,
};
use facteur_sieve::message::{Notification, Unreadable};
use facteur_sieve::{Budget, Library, Mail, Place, World, compile, limits, notify, run};

const SCRIPTS: &[&str] = &[
    "require [\"fileinto\",\"copy\",\"mailbox\"]; if header :contains \"subject\" \"x\" { fileinto :copy :create \"a/b\"; }",
    "if anyof (not exists [\"From\",\"Date\"], address :domain :is [\"to\",\"cc\"] \"example.test\") { discard; } elsif size :over 1K { redirect \"a@b.test\"; } else { stop; }",
    "require [\"variables\",\"fileinto\"]; if header :matches \"subject\" \"[*] *\" { set :upperfirst :length \"n\" \"${1}\"; fileinto \"l.${n}.${2}\"; }",
    "require [\"relational\",\"comparator-i;ascii-numeric\",\"date\",\"index\"]; if allof (header :count \"ge\" \"received\" \"1\", date :value \"lt\" :index 1 :last :zone \"+0200\" \"date\" \"hour\" \"09\", currentdate :is \"weekday\" \"0\") { keep; }",
    "require [\"imap4flags\",\"variables\",\"relational\"]; setflag \"v\" [\"\\\\Seen\",\"a b\"]; addflag \"c\"; if hasflag :count \"ge\" \"v\" \"2\" { keep :flags \"${v}\"; }",
    "require [\"body\",\"regex\"]; if body :content \"text\" :contains [\"a\",\"b\"] { discard; } if header :regex \"subject\" \"^(a|b)+[[:digit:]]*$\" { keep; }",
    "require [\"vacation-seconds\",\"envelope\",\"subaddress\"]; if envelope :detail \"to\" \"x\" { vacation :seconds 60 :mime :handle \"h\" text:\r\nContent-Type: text/plain\r\n\r\n..x\r\n.\r\n; }",
    "require [\"include\",\"variables\"]; global \"g\"; set \"g\" \"1\"; include :once \"a\"; include :optional \"b\"; return;",
    "require [\"ihave\",\"duplicate\",\"reject\",\"environment\"]; if not ihave \"frob\" { error \"x\"; } if duplicate :uniqueid \"x\" :seconds 5 { reject \"no\"; }",
    "require \"encoded-character\"; /* c */ if header \"x\" \"${hex:24 41}${unicode:e9}\" { keep; } # end",
    "require [\"special-use\",\"mailboxid\",\"fileinto\"]; if specialuse_exists \"\\\\Junk\" { fileinto :specialuse \"\\\\Junk\" \"Spam\"; }",
    "require [\"editheader\",\"fileinto\",\"copy\",\"index\"]; addheader \"X-A\" \"b\"; fileinto :copy \"a\"; deleteheader :index 1 :last :contains \"Received\" \"a\"; deleteheader :matches \"subject\" \"*x*\"; addheader :last \"Subject\" \"y\"; redirect \"a@b.test\";",
    "require [\"foreverypart\",\"mime\",\"extracttext\",\"variables\",\"fileinto\"]; foreverypart :name \"o\" { if header :mime :param [\"filename\",\"boundary\"] :matches [\"content-type\",\"content-disposition\"] \"*.?\" { foreverypart { extracttext :first 9 :upper \"t\"; break :name \"o\"; } } } if exists :mime :anychild \"content-type\" { fileinto \"x${t}\"; }",
    "require [\"enotify\",\"fcc\",\"variables\",\"mailbox\"]; set :encodeurl \"b\" \"a&b\"; if valid_notify_method \"mailto:a@b.test?cc=c@d.test\" { notify :importance \"1\" :fcc \"Sent\" :create :message \"${b}\" \"mailto:a@b.test?body=${b}&x-y=z\"; }",
    "require [\"spamtestplus\",\"virustest\",\"extlists\",\"relational\",\"comparator-i;unicode-casemap\"]; if anyof (spamtest :percent :value \"ge\" \"5\", virustest \"5\", address :list \"from\" \":addrbook:default\", header :contains :comparator \"i;unicode-casemap\" \"subject\" \"B1\") { discard; }",
    "require [\"mboxmetadata\",\"servermetadata\"]; if anyof (metadata :contains \"INBOX\" \"/private/a\" \"b\", servermetadataexists \"/shared/b\") { discard; }",
];

const WORDS: &[&str] = &[
    "require \"variables\";",
    "if ",
    "elsif true {",
    "else {",
    "}",
    "allof (",
    "not ",
    ":matches ",
    "include \"round\";",
    ":regex ",
    ":comparator \"i;octet\" ",
    ":count \"gt\" ",
    "\"*a*b*?*\"",
    "[\"a\",\"b\"]",
    "${1}",
    "${hex:",
    "text:\r\n",
    ".\r\n",
    "\\",
    "\"",
    "9223372036854775807G",
    "stop;",
    "keep;",
    "foreverypart {",
    "break;",
    "addheader \"Subject\" \"x\";",
    "deleteheader \"Received\";",
    "notify \"mailto:a@b.test\";",
    ":mime :anychild ",
];

struct Fixed<'a>(&'a [u8]);

impl World for Fixed<'_> {
    fn mailbox_exists(&self, name: &str) -> bool {
        name.len().is_multiple_of(2)
    }

    fn mailbox_of_id(&self, id: &str) -> Option<String> {
        id.starts_with('F').then(|| "Archive".to_owned())
    }

    fn mailbox_of_use(&self, special_use: &str) -> Option<String> {
        special_use.starts_with('\\').then(|| "Junk".to_owned())
    }

    fn in_address_book(&self, value: &str) -> bool {
        value.contains('@')
    }

    fn metadata(&self, mailbox: Option<&str>, name: &str) -> Option<String> {
        mailbox.is_none().then(|| name.to_owned())
    }

    fn is_duplicate(&self, _: &str, id: &str) -> bool {
        id.len().is_multiple_of(3)
    }

    fn body(&self, span: Span, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let range = span.start as usize..span.end as usize;
        out.extend_from_slice(self.0.get(range).ok_or(Unreadable)?);
        Ok(())
    }
}

impl Library for Fixed<'_> {
    fn script(&self, _: Place, name: &str) -> Option<String> {
        match name {
            "a" => Some("require [\"include\",\"variables\"]; global \"g\"; set \"g\" \"${g}+\"; include \"c\";".to_owned()),
            "c" => Some("keep;".to_owned()),
            "round" => Some("require \"include\"; include \"round\";".to_owned()),
            "bad" => Some("frob".to_owned()),
            _ => None,
        }
    }
}

const MESSAGE: &[u8] = b"From: \"A, B\" <a+x@example.test>\r\nTo: me@example.test\r\nSubject: [x] b1\r\n\
    Date: Tue, 1 Apr 1997 09:06:31 -0800\r\nReceived: from a; Tue, 1 Apr 1997 09:06:31 -0800\r\n\
    Message-ID: <1@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npro\r\n--b\r\n\r\ntext a\r\n--b--\r\nepi\r\n";

fn is_address(text: &str) -> bool {
    text.contains('@') && !text.contains(['\r', '\n', '<', '>', ' '])
}

fn count(block: &[u8], name: &str) -> usize {
    header::fields(block).filter(|field| field.is(name)).count()
}

/// RFC 5293 §6: what guards against loops is still there, and the header is still one.
fn keeps_its_trace(before: &[u8], after: &[u8]) {
    for name in ["received", "auto-submitted"] {
        assert!(count(before, name) <= count(after, name), "{name} is gone");
    }
    assert_eq!(count(before, "x-ours"), count(after, "x-ours"));
    assert!(after.len() <= limits::EDITED_HEADER_BYTES_MAX);
}

/// A notification names only whom its method names, and says what it is.
fn announces(mail: &Mail<'_>, notification: &Notification) {
    let recipients = &notification.method.recipients;
    assert!((1..=limits::NOTIFY_RECIPIENTS_MAX).contains(&recipients.len()));
    assert!(recipients.iter().all(|address| is_address(address)));
    let origin = notify::Origin {
        from: ("me@example.test", "Me"),
        owner: "me@example.test",
        sent: Sent {
            unix: 0,
            offset_minutes: 0,
        },
        message_id: "<1@example.test>",
    };
    let message = notify::message(mail, notification, origin);
    for name in [
        "auto-submitted",
        "from",
        "to",
        "subject",
        "date",
        "message-id",
    ] {
        let most = usize::from(name != "to" || !notification.method.to.is_empty());
        assert_eq!(count(&message, name), most, "{name}");
    }
    assert_eq!(count(&message, "bcc") + count(&message, "received"), 0);
}

/// What a script makes of a message, and that it keeps its limits.
fn made_of(script: &str, message: &[u8]) -> Option<String> {
    let world = Fixed(message);
    let program = compile(script, &world).ok()?;
    assert!(program.len() <= limits::PROGRAM_OPS_MAX);
    let mut scanner = Scanner::new();
    scanner.push(message);
    let facts = scanner.finish();
    let environment = [("location", "MDA".to_owned())];
    let mail = Mail {
        header: &message[..header::length(message)],
        size: message.len() as u64,
        root: &facts.root,
        from: "a@example.test",
        to: "me+x@example.test",
        now: 1_183_468_455,
        environment: &environment,
        received: header::length(message),
        editable: true,
        protected: &["X-Ours"],
        spam_percent: Some(30),
        virus: None,
    };
    let budget = Budget {
        steps: 100_000,
        memory_bytes: 1 << 20,
    };
    let outcome = run(&program, &mail, &world, budget);
    assert!(outcome.stores.len() <= limits::STORES_MAX);
    assert!(outcome.redirects.len() <= limits::REDIRECTS_MAX);
    assert!(outcome.tracked.len() <= limits::DUPLICATES_MAX);
    if outcome.failure.is_some() {
        assert_eq!(
            outcome.stores.len(),
            1,
            "a run that fails keeps the message"
        );
        assert_eq!(outcome.stores[0].mailbox, "INBOX");
        assert!(outcome.redirects.is_empty() && outcome.reject.is_none());
    }
    if outcome.reject.is_some() {
        assert!(outcome.stores.is_empty() && outcome.redirects.is_empty());
    }
    for redirect in &outcome.redirects {
        assert!(is_address(&redirect.address));
        assert!(redirect.edition <= outcome.editions.len());
    }
    assert!(outcome.editions.len() <= limits::EDITIONS_MAX);
    for edition in &outcome.editions {
        keeps_its_trace(mail.header, &[&edition.added[..], &edition.rest].concat());
    }
    assert!(outcome.notifications.len() <= limits::NOTIFICATIONS_MAX);
    for notification in &outcome.notifications {
        announces(&mail, notification);
    }
    Some(format!("{outcome:?}"))
}

#[test]
fn scripts() {
    Fuzz::new("sieve_scripts")
        .seeds(SCRIPTS.iter().map(|script| script.as_bytes()))
        .words(WORDS)
        .bytes_max(4_096)
        .run(|input, signature| {
            let script = String::from_utf8_lossy(input);
            match compile(&script, &Fixed(MESSAGE)) {
                Err(error) => {
                    let (english, french) = (error.text("en"), error.text("fr"));
                    for text in [&english, &french] {
                        assert!(text.len() < 400 && !text.contains(['\r', '\n']), "{text}");
                    }
                    signature.add(std::mem::discriminant(&error.problem));
                }
                Ok(program) => signature.add_size(program.len()),
            }
            let outcome = made_of(&script, MESSAGE);
            assert_eq!(outcome, made_of(&script, MESSAGE));
            if let Some(outcome) = outcome {
                signature.add_shape(&outcome);
            }
        });
}

/// Every script of the seeds on whatever message comes.
#[test]
fn messages() {
    Fuzz::new("sieve_messages")
        .seeds(seeds::messages())
        .run(|message, signature| {
            for script in SCRIPTS {
                let outcome = made_of(script, message);
                assert!(outcome.is_some(), "does not compile: {script}");
                signature.add_shape(&outcome.unwrap_or_default());
            }
        });
}

const SESSION_WORDS: &[&str] = &[
    "\r\n",
    "AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHB3\"\r\n",
    "AUTHENTICATE \"PLAIN\"\r\n",
    "\"*\"\r\n",
    "\"\"\r\n",
    "CAPABILITY\r\n",
    "STARTTLS\r\n",
    "LISTSCRIPTS\r\n",
    "GETSCRIPT \"a\"\r\n",
    "PUTSCRIPT \"a\" {5+}\r\nkeep;\r\n",
    "PUTSCRIPT \"a\" \"frob\"\r\n",
    "CHECKSCRIPT {0+}\r\n\r\n",
    "SETACTIVE \"\"\r\n",
    "DELETESCRIPT \"a\"\r\n",
    "RENAMESCRIPT \"a\" \"b\"\r\n",
    "HAVESPACE \"a\" 5\r\n",
    "NOOP \"x\"\r\n",
    "UNAUTHENTICATE\r\n",
    "LOGOUT\r\n",
    "{9+}\r\n",
    "{20000+}\r\n",
    "\\\"",
];

fn answer(request: &Request) -> Outcome {
    match request {
        Request::Auth { initial: None, .. } => Outcome::Challenge(b"who?".to_vec()),
        Request::Auth {
            initial: Some(secret),
            ..
        }
        | Request::AuthResponse(secret) => match secret.0.len() % 4 {
            0 => Outcome::Challenge(Vec::new()),
            1 => Outcome::AuthFailed,
            _ => Outcome::Authenticated {
                owner: "alice@example.test".into(),
                language: "fr".into(),
            },
        },
        Request::List => Outcome::Scripts(vec![Listed {
            name: "a\"b\\c".into(),
            active: true,
        }]),
        Request::Get { name } => match name.len() % 3 {
            0 => Outcome::NoSuchScript,
            _ => Outcome::Script("keep;\r\n".into()),
        },
        Request::Delete { name } if name.len() > 3 => Outcome::Active,
        Request::Rename { from, .. } if from.len() > 3 => Outcome::Exists,
        _ => Outcome::Done,
    }
}

struct Heard {
    out: Vec<u8>,
    requests: Vec<String>,
    tls: bool,
}

fn serve(tls: bool, pieces: &[&[u8]]) -> Heard {
    let config = Config {
        starttls: true,
        mechanisms_tls: vec!["PLAIN".into()],
        mechanisms_plaintext: vec!["PLAIN".into()],
        implementation: "Facteur".into(),
        language: "en".into(),
    };
    let mut session = Session::new(Arc::new(config), tls);
    let mut heard = Heard {
        out: session.take_output(),
        requests: Vec::new(),
        tls: false,
    };
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut steps = 0;
    for piece in pieces {
        session.feed(piece);
        loop {
            steps += 1;
            assert!(
                steps <= 1_000 + 8 * (total + pieces.len()),
                "it makes no progress"
            );
            match session.step() {
                Step::Read | Step::Close => break,
                Step::Flush => heard.out.extend(session.take_output()),
                Step::StartTls => {
                    heard.tls = true;
                    session.tls_started();
                }
                Step::Run(request) => {
                    heard.requests.push(format!("{request:?}"));
                    session.finish(answer(&request));
                }
            }
        }
        let output = session.take_output();
        assert!(output.len() <= 2 * manage_limits::OUTPUT_BYTES_MAX);
        heard.out.extend(output);
    }
    heard.tls |= session.close_reason() == Some(CloseReason::TlsInjection);
    assert_ne!(session.close_reason(), Some(CloseReason::Internal));
    heard
}

#[test]
fn session() {
    Fuzz::new("managesieve_session")
        .seeds(seeds::transcripts("managesieve", seeds::Side::Client))
        .words(SESSION_WORDS)
        .bytes_max(4_096)
        .run(|input, signature| {
            let tls = !Random::of(input).one_in(4);
            let (whole, split) = (serve(tls, &[input]), serve(tls, &pieces(input)));
            assert!(whole.out.ends_with(b"\r\n"));
            // What comes after STARTTLS is an attack when it comes early.
            if !whole.tls && !split.tls {
                assert_eq!(whole.requests, split.requests);
                assert_eq!(
                    whole.out.escape_ascii().to_string(),
                    split.out.escape_ascii().to_string()
                );
            }
            for line in String::from_utf8_lossy(&whole.out).lines().take(100) {
                signature.add(line.split(' ').next().filter(|word| word.len() < 4));
            }
            signature.add(whole.requests.len());
        });
}
