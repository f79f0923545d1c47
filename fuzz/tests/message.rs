//! Messages: the scanner, its facts, what is rendered of them, and every decoder of header values.

use facteur_fuzz::{Fuzz, Random, Signature, grammar, pieces, seeds};
use facteur_imap::structure::{self, StringForm, StructurePrinter};
use facteur_message::{
    Facts, Part, PartBody, PartDecoder, PartText, Scanner, Span, TextDecoder, address, build,
    charset, date, encoded_word, header, limits, mime_field, report, subject, thread,
};

const WORDS: &[&str] = &[
    "\r\n\r\n",
    "\r\n",
    "--b",
    "--b--",
    "\r\n--b\r\n",
    "\r\n--b--\r\n",
    "--ab",
    "boundary=b",
    "Content-Type: ",
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Type: text/html\r\n",
    "Content-Transfer-Encoding: ",
    "base64",
    "quoted-printable",
    "Content-Disposition: attachment; filename=",
    "name*0*=utf-8''%C3",
    "name*1=x",
    "Subject: ",
    "From: ",
    "To: ",
    "Date: ",
    "References: ",
    "=?utf-8?Q?",
    "=?x?B?",
    "?=",
    "<a@b>",
    "group:",
    ";",
    "(",
    ")",
    "\"",
    "\\",
    "&amp;",
    "<script>",
    "</p>",
    "charset=utf-7",
    "+AGE-",
    "charset=utf-16",
    "Re: ",
    "Fwd:",
    "[x]",
    "(fwd)",
    " -0000",
    "Mon, 1 Jan 1900 00:00:00 +9999",
];

fn scan(message: &[u8]) -> Facts {
    let mut scanner = Scanner::new();
    scanner.push(message);
    scanner.finish()
}

#[test]
fn scanner() {
    Fuzz::new("scanner")
        .seeds(seeds::messages())
        .words(WORDS)
        .run(|message, signature| {
            let facts = scan(message);
            let mut scanner = Scanner::new();
            pieces(message)
                .into_iter()
                .for_each(|piece| scanner.push(piece));
            assert_eq!(scanner.finish(), facts, "chunks make a difference");
            assert_eq!(facts.size, message.len() as u64);
            assert_eq!(Facts::decode(&facts.encode()).as_ref(), Ok(&facts));
            assert_eq!(header::length(message) as u64, facts.header_end());
            let whole = Span {
                start: 0,
                end: facts.size,
            };
            part_is_inside(&facts.root, whole);
            look(&facts, signature);
            let chars = facts.preview.chars().count();
            assert!(chars <= facteur_message::limits::PREVIEW_CHARS_MAX);
            facts
                .root
                .walk()
                .take(32)
                .for_each(|part| content(part, message));
        });
}

/// Offsets are in order and inside the part around.
fn part_is_inside(part: &Part, around: Span) {
    assert!(around.start <= part.header.start && part.header.start <= part.header.end);
    assert!(part.header.end <= part.body.start && part.body.start <= part.body.end);
    assert!(part.body.end <= around.end, "{:?} {around:?}", part.body);
    assert!(part.body_lines <= part.body.len() && part.body_bare_lf <= part.body_lines);
    match &part.content {
        PartBody::Leaf => {}
        PartBody::Multipart(parts) => {
            let mut after = part.body.start;
            for inner in parts {
                assert!(inner.header.start >= after, "parts overlap");
                after = inner.body.end;
                part_is_inside(inner, part.body);
            }
        }
        PartBody::Message(nested) => part_is_inside(&nested.root, part.body),
    }
}

/// Everything that is asked of facts, whether they are true or not.
fn look(facts: &Facts, signature: &mut Signature) {
    for (form, utf8) in [(StringForm::Ascii, false), (StringForm::Utf8, true)] {
        let mut out = Vec::new();
        structure::envelope(&mut out, &facts.envelope, form);
        grammar::imap_value(&out, utf8);
        out.clear();
        let encoded = facts.encode();
        let mut printer = StructurePrinter::new(form);
        printer.body(&mut out, &encoded).unwrap();
        grammar::imap_value(&out, utf8);
        out.clear();
        printer.body_structure(&mut out, &encoded).unwrap();
        grammar::imap_value(&out, utf8);
        assert_eq!(grammar::imap_line(&out), out.len());
        let once = out.clone();
        printer.body_structure(&mut out, &encoded).unwrap();
        assert_eq!(out, [once.clone(), once].concat(), "from memory");
    }
    assert_eq!(facts.section(&[]), Some(&facts.root));
    assert_eq!(facts.section(&[0]), None);
    for path in [&[1][..], &[2], &[1, 1], &[1, 2, 1], &[u32::MAX], &[1; 70]] {
        signature.add(facts.section(path).is_some());
    }
    for part in facts.root.walk().take(64) {
        signature.add(part.encoding() as u8);
        signature.add((
            part.is_attachment(),
            part.file_name().is_some(),
            part.params.len(),
        ));
        signature.add(std::mem::discriminant(&part.content));
        signature.add_size(part.header.len() as usize);
        signature.add_size(part.body.len() as usize);
        TextDecoder::new(part.charset());
    }
    let envelope = &facts.envelope;
    signature.add((
        facts.degraded.0,
        facts.has_attachment,
        facts.has_8bit,
        facts.has_nul,
    ));
    signature.add((
        envelope.from.len(),
        envelope.to.len(),
        envelope.cc.len(),
        facts.thread_keys.len(),
    ));
    signature.add((
        facts.header.has_garbage,
        facts.header.sent.is_some(),
        facts.header.is_bulk,
    ));
}

/// The content of a leaf is the same however it is read.
fn content(part: &Part, message: &[u8]) {
    let (start, end) = (part.body.start as usize, part.body.end as usize);
    let raw = &message[start..end];
    let mut whole = String::new();
    let mut text = PartText::new(part);
    text.push(raw, &mut whole);
    text.finish(&mut whole);
    let mut split = String::new();
    let mut text = PartText::new(part);
    for piece in pieces(raw) {
        text.push(piece, &mut split);
    }
    text.finish(&mut split);
    assert_eq!(whole, split, "{:?}", part.charset().escape_ascii());
    decoded_alike(part.encoding(), raw);
}

fn decoded_alike(encoding: facteur_message::Encoding, raw: &[u8]) {
    let mut whole = Vec::new();
    let mut decoder = PartDecoder::new(encoding);
    decoder.push(raw, &mut whole);
    decoder.finish(&mut whole);
    let mut split = Vec::new();
    let mut decoder = PartDecoder::new(encoding);
    for piece in pieces(raw) {
        decoder.push(piece, &mut split);
    }
    decoder.finish(&mut split);
    assert_eq!(whole, split, "{encoding:?}");
    assert!(whole.len() <= raw.len() + 4);
}

/// Stored facts that are damaged: refused, or as good as any.
#[test]
fn stored_facts() {
    let stored = seeds::messages()
        .into_iter()
        .map(|message| scan(&message).encode());
    Fuzz::new("stored_facts")
        .seeds(stored)
        .run(|bytes, signature| {
            let decoded = Facts::decode(bytes);
            signature.add(decoded.is_ok());
            let mut out = Vec::new();
            let mut printer = StructurePrinter::new(StringForm::Ascii);
            match printer.body_structure(&mut out, bytes) {
                Ok(()) => grammar::imap_value(&out, false),
                Err(_) => assert!(decoded.is_err() && out.is_empty()),
            }
            if let Ok(facts) = decoded {
                assert_eq!(Facts::decode(&facts.encode()).as_ref(), Ok(&facts));
                look(&facts, signature);
            }
        });
}

#[test]
fn header_block() {
    Fuzz::new("header_block")
        .seeds(seeds::messages())
        .words(WORDS)
        .run(|message, signature| {
            let length = header::length(message);
            let block = &message[..length];
            let mut at = 0;
            for field in header::fields(block) {
                assert_eq!(field.range.start, at, "the fields are the block");
                at = field.range.end;
                assert!(!field.unfolded().contains(&b'\n'));
                signature.add((field.is_field, field.is("Subject"), field.text().is_empty()));
            }
            assert!(at <= length);
            let mut picked = Vec::new();
            header::pick(block, &["Subject", "to"], header::Pick::Only, &mut picked);
            assert!(picked.ends_with(b"\r\n"));
            let (first, again) = (
                header::first(block, "subject"),
                header::first(&picked, "subject"),
            );
            assert_eq!(first, again, "a picked field is the field");
            picked.clear();
            header::pick(block, &["Subject"], header::Pick::AllBut, &mut picked);
            assert_eq!(header::first(&picked, "Subject"), None);
            let mut facts = scan(message);
            facts.complete(message);
        });
}

/// One value, read as everything that a header value can be.
#[test]
fn values() {
    let values = seeds::messages().into_iter().flat_map(|message| {
        let fields: Vec<Vec<u8>> = header::fields(&message).map(|f| f.unfolded()).collect();
        fields
    });
    Fuzz::new("values")
        .seeds(values)
        .words(WORDS)
        .bytes_max(4_096)
        .run(|value, signature| {
            let list = address::parse_list(value);
            signature.add(list.len());
            signature.add(address::parse_one(value).is_some());
            let text = encoded_word::decode(value);
            signature.add_size(text.len());
            let base = subject::base(&text);
            signature.add(base.is_reply);
            assert!(base.text.len() <= text.len());
            signature.add(thread::keys(value).take(9).count());
            assert!(thread::keys(value).all(|key| key != 0));
            dates(value, signature);
            let mut degraded = facteur_message::Degraded::default();
            let kind = mime_field::content_type(value, &mut degraded);
            signature.add((kind.kind.is_empty(), kind.params.len(), degraded.0));
            for param in kind.params.iter().take(8) {
                let name = String::from_utf8_lossy(&param.name).into_owned();
                facteur_message::param_text(&kind.params, &name);
            }
            let found = mime_field::disposition(value, &mut degraded);
            signature.add(found.map(|found| found.params.len()));
            signature.add(mime_field::transfer_encoding(value).is_some());
            signature.add(mime_field::languages(value).len());
            header::unfold(value);
        });
}

fn dates(value: &[u8], signature: &mut Signature) {
    if let Some(sent) = date::parse(value) {
        signature.add("date");
        let text = date::format(sent);
        assert_eq!(date::parse(text.as_bytes()), Some(sent), "{text}");
        let text = date::format_internal(sent);
        assert_eq!(date::parse_internal(&text), Some(sent), "{text}");
    }
    if let Ok(text) = std::str::from_utf8(value) {
        signature.add(date::parse_internal(text).is_some());
        signature.add(date::parse_imap_date(text).is_some());
    }
}

/// The first line names a charset, the rest is text in it.
#[test]
fn charsets() {
    const NAMES: [&str; 12] = [
        "utf-8",
        "us-ascii",
        "iso-8859-1",
        "iso-8859-15",
        "windows-1252",
        "utf-7",
        "utf-16",
        "utf-16be",
        "iso-2022-jp",
        "gb18030",
        "euc-kr",
        "x-unknown",
    ];
    let seeds = NAMES.map(|name| format!("{name}\nCaf\u{e9} +AOk- \x1b$B%F\x1b(B \u{1f600}"));
    Fuzz::new("charsets")
        .seeds(seeds)
        .words(&NAMES)
        .bytes_max(2_048)
        .run(|input, signature| {
            let split = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
            let (name, bytes) = input.split_at(split);
            let whole = charset::to_text(name, bytes);
            let mut decoder = TextDecoder::new(name);
            let mut out = String::new();
            pieces(bytes)
                .into_iter()
                .for_each(|piece| decoder.push(piece, &mut out));
            decoder.finish(&mut out);
            assert_eq!(whole, out, "{:?}", name.escape_ascii());
            signature.add(TextDecoder::is_known(name));
            signature.add(whole.chars().take(12).collect::<String>());
        });
}

#[test]
fn transfer_encodings() {
    use facteur_message::Encoding::{Base64, Identity, QuotedPrintable, Unknown};
    let seeds = [
        "SGVsbG8=\r\nSGVsbG8=",
        "a=20=\r\n b=3D  \r\n=e9=zz=",
        "=\r",
        "a \t \r\n=",
    ];
    Fuzz::new("transfer_encodings")
        .seeds(seeds)
        .words(&["=\r\n", "=3D", "==", " \r\n"])
        .run(|input, signature| {
            for encoding in [Identity, QuotedPrintable, Base64, Unknown] {
                decoded_alike(encoding, input);
            }
            // What is built is read again.
            let mut out = Vec::new();
            let mut decoder = PartDecoder::new(Base64);
            decoder.push(&build::base64_lines(input), &mut out);
            decoder.finish(&mut out);
            assert_eq!(out, input);
            let text = String::from_utf8_lossy(input).replace('\r', "\n");
            let lines = build::quoted_printable(&text);
            assert!(
                lines
                    .split(|byte| *byte == b'\n')
                    .all(|line| line.len() <= 77)
            );
            out.clear();
            let mut decoder = PartDecoder::new(QuotedPrintable);
            decoder.push(&lines, &mut out);
            decoder.finish(&mut out);
            let read = String::from_utf8_lossy(&out).replace("\r\n", "\n");
            assert_eq!(read.trim_end_matches('\n'), text.trim_end_matches('\n'));
            signature.add_size(out.len());
        });
}

/// What we write into headers of our own is read as what was meant, and never grows a field.
#[test]
fn built_headers() {
    Fuzz::new("built_headers")
        .seeds(["Caf\u{e9}\0alice@example.test", "x\r\nBcc: y\0a\"b@c"])
        .words(WORDS)
        .run(|input, signature| {
            let mut random = Random::of(input);
            let text = String::from_utf8_lossy(input);
            let (name, mail) = text.split_once('\0').unwrap_or((&text, "a@b"));
            let header = build::Header::new()
                .text("Subject", name)
                .addresses("To", &[(name, mail), (mail, "x@y")])
                .raw("X-Raw", mail);
            let bytes = header.into_bytes();
            let fields: Vec<_> = header::fields(&bytes).collect();
            assert_eq!(fields.len(), 3, "{}", bytes.escape_ascii());
            assert!(fields.iter().all(|field| field.is_field));
            let entity = build::Entity::attachment("application/x-y", name, input);
            let message = build::Entity::multipart(
                "mixed",
                "t0",
                &[build::Entity::text("plain", name), entity],
            )
            .into_message(build::Header::new().text("Subject", name));
            let facts = scan(&message);
            let PartBody::Multipart(parts) = &facts.root.content else {
                panic!("no multipart: {}", message.escape_ascii());
            };
            assert_eq!(parts.len(), 2, "{}", message.escape_ascii());
            signature.add_size(message.len());
            signature.add(random.below(2) + fields.len());
        });
}

const REPORT_WORDS: &[&str] = &[
    "\r\n\r\n",
    "\n\n",
    "Action:",
    "Status: 5.1.1",
    "Final-Recipient: rfc822;",
    "a@b",
    ";",
    "<",
    ">",
];

/// What other hosts report is bounded, and no line of it begins another (RFC 3464, RFC 5965).
#[test]
fn reports() {
    let seeds = [
        "Reporting-MTA: dns; x\r\n\r\nOriginal-Recipient: rfc822;a@b\r\nFinal-Recipient: rfc822; <c@d>\r\n\
         Action: failed\r\nStatus: 5.1.1 (x)\r\nDiagnostic-Code: smtp; 550\r\n no\r\n\r\nAction: delayed\r\n",
        "Feedback-Type: abuse\r\nVersion: 1\r\nOriginal-Rcpt-To: <a@b>\r\nOriginal-Rcpt-To: c@d\r\n",
    ];
    Fuzz::new("reports_of_delivery")
        .seeds(seeds)
        .words(REPORT_WORDS)
        .run(|input, signature| {
            let line = |text: &str| {
                assert!(!text.contains(char::is_control), "{text:?}");
                // A byte that is no UTF-8 becomes a character of three.
                assert!(text.len() <= 3 * limits::REPORT_VALUE_BYTES_MAX);
            };
            let found = report::delivery_status(input);
            assert!(found.len() <= limits::REPORT_GROUPS_MAX);
            for one in &found {
                let addresses = [&one.original_recipient, &one.final_recipient];
                assert!(addresses.iter().any(|address| address.is_some()));
                for address in addresses.into_iter().flatten() {
                    assert!(address.contains('@') && !address.contains(char::is_whitespace));
                    line(address);
                }
                for text in [&one.action, &one.status, &one.diagnostic] {
                    line(text);
                }
                assert!(one.status.len() <= 9, "{}", one.status);
            }
            signature.add_size(found.len());
            if let Some(complaint) = report::feedback(input) {
                line(&complaint.kind);
                assert!(complaint.original_recipients.len() <= limits::REPORT_GROUPS_MAX);
                signature.add_shape(&complaint.original_recipients.len());
            }
        });
}
