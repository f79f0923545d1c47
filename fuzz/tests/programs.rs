//! What programs hand in: the JSON of the send API, and what `sendmail` is called with and reads.

use std::io::Cursor;

use facteur_fuzz::{Fuzz, Random, seeds};
use facteur_message::facts::Sent as Date;
use facteur_message::header::fields;
use facteur_programs::letter::{self, Given};
use facteur_programs::limits;
use facteur_programs::sendmail::{Bad, Call, Pieces, arguments, header};
use facteur_smtp::Address;

const LETTERS: &[&str] = &[
    r#"{"from": "Zoé <orders@example.test>", "to": ["Ann <ann@a.test>", "bob@b.test"],
    "cc": "bob@b.test", "bcc": "eve@c.test", "reply_to": "help@example.test",
    "subject": "Ça\r\nBcc: x@y.test", "text": "Bonjour", "html": "<p>Bonjour</p>",
    "attachments": [{"name": "a.txt", "type": "text/plain", "content": "aGVs\nbG8="}],
    "headers": {"List-Unsubscribe": "<https://x.test>", "X-Tag": "a"}}"#,
    r#"{"to": "a@b.test", "text": "x", "headers": {"References": "<1@x>"}}"#,
    r#"{"to": "\"a b\"@b.test, c@d.test", "html": "<p>é</p>", "subject": "\ud83d\ude00"}"#,
    r#"{"to": "a@b.test", "raw": "From: x@y.test\nMessage-ID: <own@y>\n\nhi"}"#,
    r#"{"to": "a@b.test", "attachments": [{"name": "é/\"\r\n", "content": ""}]}"#,
    r#"{"to": ["a", "a@[b]", "a@b@c"], "text": "x"}"#,
];
const LETTER_WORDS: &[&str] = &[
    "\"to\":",
    "\"raw\":\"\"",
    "\"headers\":{",
    "\"X-A\":\"b\"",
    "\"X-A: b\\r\\nBcc\"",
    "\"attachments\":[",
    "\"type\":\"multipart/x\"",
    "\\r\\nBcc: x@y.test\\r\\n",
    "\\r\\n\\r\\n",
    "\\u0000",
    "\\u2028",
    "\\udfff",
    "=?utf-8?q?=0D=0ABcc:_x?=",
    "<a@b.test>",
    "group: a@b.test;",
    "null",
    "[[[[",
    "1e999",
];

/// Fields that a letter may come to have.
fn is_known(name: &[u8], given: &[u8]) -> bool {
    let own = [
        "Date",
        "Message-ID",
        "From",
        "To",
        "Cc",
        "Reply-To",
        "Subject",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
    ];
    let own = own
        .iter()
        .any(|own| own.as_bytes().eq_ignore_ascii_case(name));
    // What the program set itself stands in its JSON, maybe escaped.
    own || String::from_utf8_lossy(given).contains(&*String::from_utf8_lossy(name))
        || given.contains(&b'\\')
}

/// What goes behind MAIL FROM or RCPT TO.
fn is_one_address(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let read = Address::parse(text).unwrap_or_else(|_| panic!("{text:?} is no address"));
    assert_eq!(read.to_string(), text);
}

#[test]
fn letters() {
    Fuzz::new("letters")
        .seeds(LETTERS.iter().map(|text| text.as_bytes()))
        .words(LETTER_WORDS)
        .run(|input, signature| {
            let letter = match letter::read(input) {
                Ok(letter) => letter,
                Err(wrong) => {
                    assert!(wrong.starts_with("not the JSON of a message, line "));
                    return signature.add(0);
                }
            };
            signature.add_shape(&letter);
            let raw = format!("{letter:?}").contains("raw: Some");
            let given = Given {
                from: Some("shop@example.test"),
                message_id: "<1@example.test>",
                date: Date {
                    unix: 0,
                    offset_minutes: 0,
                },
                token: "abc",
            };
            let made = match letter::make(letter, given) {
                Ok(made) => made,
                Err(wrong) => {
                    assert!(wrong.chars().count() < 300, "{wrong}");
                    let (place, _) = wrong.split_once(':').unwrap_or_default();
                    return signature.add(place);
                }
            };
            is_one_address(&made.from);
            assert!((1..=limits::ADDRESSES_MAX).contains(&made.recipients.len()));
            made.recipients.iter().for_each(|to| is_one_address(to));
            signature.add_size(made.recipients.len());
            if raw {
                // The rest is the program's own, and read as everybody's.
                return assert!(made.message.len() < input.len() + 200);
            }
            for field in fields(&made.message) {
                assert!(field.is_field, "{field:?}");
                let name = field.raw.split(|byte| *byte == b':').next();
                let name = name.unwrap_or_default();
                assert!(is_known(name, input), "{field:?}");
                signature.add(name);
            }
            let lines = made.message.split(|byte| *byte == b'\n');
            for line in lines {
                let bare = line.strip_suffix(b"\r").unwrap_or(line).contains(&b'\r');
                assert!(!bare && line.len() <= 999, "{}", line.escape_ascii());
            }
        });
}

const HEADERS: &[&str] = &[
    "To: root\nCc: Ann <ann@a.test>,\n bob@b.test\nBcc: eve@c.test\nSubject: x\n\nhello\n.\n",
    "From root Mon Jan  1\nTo: \"a b\"@c.test\r\nResent-To: d\r\nResent-Bcc: e@f.test\r\n\r\nx",
    "From : x@y.test\rTo: undisclosed:;\rTo: =?utf-8?q?=C3=A9?= <g@h.test>\r\rb",
    "hello there: no header\nTo: x\n",
    "To: a@b.test\r\n RCPT TO:<c@d.test>\r\nTo: <a@[127.0.0.1]>\r\n\r\n",
];
const HEADER_WORDS: &[&str] = &[
    "\r\nTo: a\r\n",
    "\nBcc: x@y.test\n",
    "\n\t",
    "\n ",
    "\r",
    "Resent-To:",
    "From a Mon",
    "group: a, b;",
    "\"a\\\"b\"@c.test",
    "(comment)",
    "<@a,@b:c@d.test>",
    "=?utf-8?q?=0D=0A?=",
    "\n.\n",
    "@",
    "\u{e9}@\u{e9}.test",
];

/// Choices that belong to an input.
fn call(input: &[u8]) -> (Call, Option<&'static str>) {
    let mut random = Random::of(input);
    let text = String::from_utf8_lossy(input);
    let word = || text.split_whitespace().next().map(str::to_owned);
    let call = Call {
        from: if random.one_in(4) { word() } else { None },
        full_name: if random.one_in(4) { word() } else { None },
        recipients: match random.below(4) {
            0 => vec![text.chars().take(100).collect()],
            1 => vec!["x@x.test, Y <y>".to_owned()],
            _ => Vec::new(),
        },
        read_recipients: !random.one_in(8),
        dots_are_text: random.one_in(2),
        ..Call::default()
    };
    let default = Some("backup@example.test").filter(|_| !random.one_in(4));
    (call, default)
}

#[test]
fn headers() {
    Fuzz::new("headers")
        .seeds(HEADERS.iter().map(|text| text.as_bytes()))
        .seeds(seeds::messages())
        .words(HEADER_WORDS)
        .run(|input, signature| {
            let (call, default) = call(input);
            let mut pieces = Pieces::new(Cursor::new(input), !call.dots_are_text);
            let Ok((read, first)) = header::read(&mut pieces) else {
                panic!("an input of these sizes is no header that is too big");
            };
            let left = first.map_or(0, |first| first.bytes.len());
            assert!(read.len() + left <= 2 * input.len() + 2);
            assert!(!read.contains(&0) || input.contains(&0));
            let prepared = header::prepare(&read, &call, default);
            let (envelope, written) = match prepared {
                Ok(prepared) => prepared,
                Err(Bad::Address(_)) => return signature.add(1),
                Err(Bad::NoDomain(_)) => {
                    assert_eq!(default, None);
                    return signature.add(2);
                }
                Err(Bad::NoRecipient) => return signature.add(3),
            };
            assert!(!envelope.recipients.is_empty());
            let mut seen = std::collections::HashSet::new();
            for to in &envelope.recipients {
                assert!(
                    !to.chars().any(char::is_control) && to.contains('@'),
                    "{to:?}"
                );
                assert!(seen.insert(to), "{to:?} twice");
            }
            assert!(!envelope.from.chars().any(char::is_control));
            signature.add_size(envelope.recipients.len());
            signature.add(envelope.from.is_empty());
            // One who is not to be seen is not seen, and nobody is asked for who wrote it.
            let mut authors = 0;
            for field in fields(&written) {
                assert!(field.is_field, "{field:?}");
                let hidden = ["Bcc", "Resent-Bcc", "Return-Path"];
                assert!(!hidden.iter().any(|name| field.is(name)), "{field:?}");
                authors += usize::from(field.is("From"));
                signature.add(field.raw.first());
            }
            assert!(authors > 0);
            // What was made fit once is fit.
            let names = call.recipients.is_empty() && default.is_some();
            if names && let Ok((_, twice)) = header::prepare(&written, &call, default) {
                assert_eq!(twice, written);
            }
        });
}

/// Any buffer gives the same pieces of the same lines.
#[test]
fn lines() {
    Fuzz::new("lines")
        .seeds(HEADERS.iter().map(|text| text.as_bytes()))
        .words(&["\r\n", "\n", "\r", "\n.\n", "\r.\r", ".."])
        .run(|input, signature| {
            for ends_at_dot in [true, false] {
                let all = |capacity| {
                    let input = std::io::BufReader::with_capacity(capacity, input);
                    let mut pieces = Pieces::new(input, ends_at_dot);
                    let mut found = Vec::new();
                    while let Ok(Some(piece)) = pieces.next_piece() {
                        assert!(piece.bytes.len() <= limits::PIECE_BYTES_MAX);
                        assert!(!piece.bytes.iter().any(|byte| b"\r\n".contains(byte)));
                        found.push(piece);
                    }
                    found
                };
                let whole = all(input.len().max(1));
                assert_eq!(all(1 + Random::of(input).below(9)), whole);
                assert!(whole.last().is_none_or(|piece| piece.ends));
                signature.add_size(whole.len());
            }
        });
}

#[test]
fn options() {
    let seeds: [&[u8]; 6] = [
        b"-t -i",
        b"-oi -f a@b.test -- c@d.test",
        b"-fa@b.test -F\0The Shop -N success,delay -R hdrs -V 1",
        b"-bs",
        b"-bp -q15m -odb",
        b"-x -",
    ];
    Fuzz::new("options")
        .seeds(seeds)
        .words(&[
            "-t", "-N", "never", "-R", "full", "-V", "--", "-", "-O", "-b",
        ])
        .bytes_max(2048)
        .run(|input, signature| {
            let text = String::from_utf8_lossy(input);
            let words: Vec<String> = text.split([' ', '\0']).map(str::to_owned).collect();
            let count = words.len();
            match arguments::parse(words) {
                Ok(call) => {
                    assert!(call.recipients.len() <= count);
                    signature.add_shape(&call);
                    signature.add((call.mode as u8, call.read_recipients));
                    signature.add_size(call.recipients.len());
                }
                Err(option) => {
                    // The letter with its value.
                    assert!(option.starts_with('-') && option.len() <= text.len() + 2);
                    signature.add("option");
                }
            }
        });
}
