//! The scanner from outside: RFC examples, any chunking, hostile input, every sample there is.

use std::path::{Path, PathBuf};

use facteur_message::{
    DecodeError, Degraded, Envelope, Facts, Part, PartBody, Scanner, Span, StoredContent,
    StoredParts, limits,
};
use proptest::prelude::*;

fn scan(message: &[u8]) -> Facts {
    let mut scanner = Scanner::new();
    scanner.push(message);
    scanner.finish()
}

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn at(message: &[u8], span: Span) -> &str {
    let range = usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap();
    std::str::from_utf8(&message[range]).unwrap()
}

/// What must be true of the facts of any message.
fn check(message: &[u8], facts: &Facts) {
    assert_eq!(facts.size, message.len() as u64);
    assert_eq!(facts.root.header.start, 0);
    assert_eq!(facts.root.body.end, facts.size);
    let mut parts = 0;
    for part in facts.root.walk() {
        parts += 1;
        assert!(part.header.start <= part.header.end);
        assert_eq!(part.header.end, part.body.start);
        assert!(part.body.start <= part.body.end && part.body.end <= facts.size);
        let body = &message[part.body.start as usize..part.body.end as usize];
        let lines = body.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(part.body_lines, lines as u64);
        let bare =
            (0..body.len()).filter(|i| body[*i] == b'\n' && (*i == 0 || body[*i - 1] != b'\r'));
        assert_eq!(part.body_bare_lf, bare.count() as u64);
        assert_eq!(
            part.has_8bit,
            !body.is_ascii() && has_8bit_text(part, message)
        );
        check_inside(part);
    }
    assert!(parts <= limits::PARTS_MAX);
    let header = facteur_message::header::length(message);
    assert_eq!(facts.header_end(), header as u64);
    assert_eq!(facts.has_8bit, !message.is_ascii());
    assert_eq!(facts.has_nul, message.contains(&0));
    assert!(facts.preview.chars().count() <= limits::PREVIEW_CHARS_MAX);
    let stored = facts.encode();
    assert_eq!(Facts::decode(&stored).as_ref(), Ok(facts));
    assert_eq!(stored_parts(&stored).unwrap(), parts);
    let complete = facts.header.has_date && facts.header.has_message_id;
    match Envelope::stored(&stored).unwrap() {
        Some(envelope) => assert_eq!(format!("{envelope:?}"), format!("{:?}", facts.envelope)),
        None => assert!(!complete),
    }
}

/// How many parts are read one by one.
fn stored_parts(facts: &[u8]) -> Result<u32, DecodeError> {
    fn count(parts: &mut StoredParts<'_>, depth: u32) -> Result<u32, DecodeError> {
        let part = parts.read(depth)?;
        part.said.read::<&[u8]>()?;
        let inside = match part.content {
            StoredContent::Leaf => 0,
            StoredContent::Multipart(children) => children,
            StoredContent::Message(_) => 1,
        };
        (0..inside).try_fold(1, |sum, _| Ok(sum + count(parts, depth + 1)?))
    }
    let mut parts = StoredParts::of(facts)?;
    let found = count(&mut parts, 0)?;
    parts.end()?;
    Ok(found)
}

/// 8-bit bytes of headers and boundary lines inside the body do not count.
fn has_8bit_text(part: &Part, message: &[u8]) -> bool {
    match &part.content {
        PartBody::Leaf => !message[part.body.start as usize..part.body.end as usize].is_ascii(),
        _ => part.has_8bit,
    }
}

fn check_inside(part: &Part) {
    let children: Vec<&Part> = match &part.content {
        PartBody::Leaf => Vec::new(),
        PartBody::Multipart(parts) => parts.iter().collect(),
        PartBody::Message(nested) => vec![&nested.root],
    };
    let mut start = part.body.start;
    for child in children {
        assert!(
            child.header.start >= start && child.body.end <= part.body.end.max(child.header.start)
        );
        start = child.body.end;
    }
}

#[test]
fn rfc_2046_nested() {
    // RFC 2046 §5.1.1, shortened.
    let message = crlf(
        "From: Nathaniel Borenstein <nsb@bellcore.com>\nMIME-Version: 1.0\n\
         Content-type: multipart/mixed; boundary=\"simple boundary\"\n\n\
         This is the preamble.\n--simple boundary\n\n\
         This is implicitly typed plain US-ASCII text.\nIt does NOT end with a linebreak.\n\
         --simple boundary\nContent-type: text/plain; charset=us-ascii\n\n\
         It DOES end with a linebreak.\n\n--simple boundary--\n\nThis is the epilogue.\n",
    );
    let facts = scan(&message);
    check(&message, &facts);
    let first = facts.section(&[1]).unwrap();
    assert_eq!(
        at(&message, first.body),
        "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak."
    );
    assert_eq!(at(&message, first.header), "\r\n");
    let second = facts.section(&[2]).unwrap();
    assert_eq!(
        at(&message, second.header),
        "Content-type: text/plain; charset=us-ascii\r\n\r\n"
    );
    assert_eq!(
        at(&message, second.body),
        "It DOES end with a linebreak.\r\n"
    );
    assert_eq!(second.body_lines, 1);
    assert!(facts.section(&[3]).is_none());
    assert!(
        facts
            .preview
            .starts_with("This is implicitly typed plain US-ASCII text. It does")
    );
}

#[test]
fn sections_of_rfc_9051() {
    // RFC 9051 §6.4.5.1, the example of part specifiers.
    let message = crlf(
        "Subject: top\nContent-Type: multipart/mixed; boundary=A\n\n--A\n\none\n--A\n\
         Content-Type: application/octet-stream\n\ntwo\n--A\nContent-Type: message/rfc822\n\n\
         Subject: three\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n3.1\n--B\n\
         Content-Type: application/octet-stream\n\n3.2\n--B--\n--A\nContent-Type: multipart/mixed; boundary=C\n\n\
         --C\nContent-Type: image/gif\n\n4.1\n--C\nContent-Type: message/rfc822\n\nSubject: four two\n\
         Content-Type: multipart/mixed; boundary=D\n\n--D\nContent-Type: text/plain\n\n4.2.1\n--D\n\
         Content-Type: multipart/alternative; boundary=E\n\n--E\n\n4.2.2.1\n--E\n\
         Content-Type: text/richtext\n\n4.2.2.2\n--E--\n--D--\n--C--\n--A--\n",
    );
    let facts = scan(&message);
    check(&message, &facts);
    for (path, body) in [
        (&[1][..], "one"),
        (&[2], "two"),
        (&[3, 1], "3.1"),
        (&[3, 2], "3.2"),
        (&[4, 1], "4.1"),
        (&[4, 2, 1], "4.2.1"),
        (&[4, 2, 2, 1], "4.2.2.1"),
        (&[4, 2, 2, 2], "4.2.2.2"),
    ] {
        assert_eq!(
            at(&message, facts.section(path).unwrap().body),
            body,
            "{path:?}"
        );
    }
    let three = facts.section(&[3]).unwrap().nested().unwrap();
    assert_eq!(three.envelope.subject.as_deref(), Some(&b"three"[..]));
    assert!(at(&message, three.root.header).starts_with("Subject: three\r\n"));
    assert!(at(&message, three.root.body).starts_with("--B\r\n"));
    for path in [&[0][..], &[5], &[1, 1], &[3, 3], &[4, 2, 2, 3], &[u32::MAX]] {
        assert!(facts.section(path).is_none(), "{path:?}");
    }
}

#[test]
fn one_part() {
    let facts = scan(b"Subject: a\n\nbody\n");
    assert_eq!(facts.section(&[1]).unwrap(), &facts.root);
    assert!(facts.section(&[2]).is_none() && facts.section(&[1, 1]).is_none());
    assert_eq!((facts.root.body_lines, facts.root.body_bare_lf), (1, 1));
    let empty = scan(b"");
    check(b"", &empty);
    assert_eq!(scan(b"\r\nbody").root.body, Span { start: 2, end: 6 });
}

#[test]
fn header_facts() {
    let message = crlf(
        "Received: by a\nReceived: by b\nDelivered-To:  bob@x \nFrom: a@x\nfrom: b@x\nDate: 1 Jan 1970 00:00:10 +0000\n\
         Message-ID: <own@x>\nReferences: <r1@x>\n <r2@x>\nIn-Reply-To: <r2@x>\nAuto-Submitted: auto-replied\n\
         Subject: Re: [list] Hi\nList-Id: <l.x>\n\n",
    );
    let header = scan(&message);
    let facts = header.header;
    assert_eq!((facts.received_count, facts.from_count), (2, 2));
    assert_eq!(facts.delivered_to, [b"bob@x".to_vec()]);
    assert_eq!(facts.sent.map(|sent| sent.unix), Some(10));
    assert!(facts.has_date && facts.has_message_id && facts.auto_submitted && facts.is_bulk);
    assert!(!facts.has_garbage && !facts.has_8bit);
    let key = |id: &[u8]| facteur_message::thread::key(id);
    assert_eq!(
        header.thread_keys,
        [key(b"own@x"), key(b"r1@x"), key(b"r2@x")]
    );
    assert_eq!(header.subject_key, key(b"hi"));
    assert!(header.subject_is_reply);
    assert_eq!(header.envelope.from.len(), 2);
}

#[test]
fn attachments_and_html() {
    let message = crlf(
        "Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: text/html; charset=iso-8859-1\n\
         Content-Transfer-Encoding: quoted-printable\n\n<html><head><title>x</title></head><style>p { a: b }</style>\n\
         <p>Caf=E9 &amp; cr&egrave;me&nbsp;!</p><br>1 &lt; 2\n--A\nContent-Disposition: attachment;\n filename*0=\"a\";\n filename*1=\"b.pdf\"\n\
         Content-Type: application/pdf\n\nx\n--A--\n",
    );
    let facts = scan(&message);
    check(&message, &facts);
    assert_eq!(facts.preview, "Café & crème ! 1 < 2");
    assert!(facts.has_attachment);
    assert_eq!(
        facts.section(&[2]).unwrap().file_name().as_deref(),
        Some("ab.pdf")
    );
}

/// Pieces of mail that make the scanner change its mind.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        "--",
        "--a",
        "--ab",
        "--a--",
        "--ab--",
        "--a\r\n",
        "-",
        " ",
        "\t",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n",
        "Content-Type: multipart/digest; boundary=\"ab\"\r\n\r\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Content-Type: text/html; charset=utf-16\r\n",
        "Subject: =?utf-8?Q?a?=\r\n",
        "From: a <b@c>,\r\n (d) e@f\r\n",
        "To: g: h@i;\r\n",
        "MIME-Version: 1.0\r\n",
        "Message-ID: <a@b>\r\n",
        "Content-Disposition: attachment; filename*0*=''a; filename*1=b\r\n",
        ":",
        "=3D=\r\n",
    ])
    .prop_map(|text| text.as_bytes().to_vec());
    let any = prop::collection::vec(any::<u8>(), 0..12);
    prop::collection::vec(prop_oneof![4 => known, 1 => any], 0..60).prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_chunks_give_the_same_facts(message in pieces(), cuts in prop::collection::vec(0_usize..40, 1..40)) {
        let whole = scan(&message);
        check(&message, &whole);
        let mut scanner = Scanner::new();
        let mut rest = message.as_slice();
        for cut in cuts.iter().cycle().take(2_000) {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            scanner.push(piece);
            rest = after;
        }
        scanner.push(rest);
        prop_assert_eq!(&scanner.finish(), &whole);
        let mut scanner = Scanner::new();
        message.chunks(1).for_each(|byte| scanner.push(byte));
        prop_assert_eq!(&scanner.finish(), &whole);
    }

    #[test]
    fn damaged_facts_are_refused_or_read(message in pieces(), at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = scan(&message).encode();
        let index = at.index(bytes.len());
        bytes[index] = byte;
        let read = |bytes: &[u8]| {
            let facts = Facts::decode(bytes);
            let (envelope, parts) = (Envelope::stored(bytes), stored_parts(bytes));
            prop_assert!(facts.is_err() || (envelope.is_ok() && parts.is_ok()));
            Ok(())
        };
        read(&bytes)?;
        bytes.truncate(cut.index(bytes.len()));
        read(&bytes)?;
    }

    #[test]
    fn parsers_never_panic(bytes: Vec<u8>) {
        let _ = facteur_message::address::parse_list(&bytes);
        let _ = facteur_message::mime_field::content_type(&bytes, &mut Degraded::default());
        let _ = facteur_message::mime_field::disposition(&bytes, &mut Degraded::default());
        let _ = facteur_message::encoded_word::decode(&bytes);
        let _ = facteur_message::charset::to_text(b"utf-7", &bytes);
        let _ = facteur_message::charset::to_text(b"iso-2022-jp", &bytes);
        let _ = facteur_message::header::fields(&bytes).count();
        let _ = Facts::decode(&bytes);
    }
}

#[test]
fn charsets() {
    use facteur_message::charset::to_text;
    for (charset, bytes, text) in [
        ("ISO-8859-1", &b"\xe9"[..], "é"),
        ("us-ascii", "é".as_bytes(), "é"),
        ("nobody-knows", "é".as_bytes(), "é"),
        ("utf-16", b"\xfe\xff\x00a", "a"),
        ("windows-1252", b"\x80", "€"),
        ("iso-2022-jp", b"\x1b$B$\"\x1b(B", "あ"),
        ("ks_c_5601-1987", b"\xb0\xa1", "가"),
        ("iso-2022-kr", b"plain", "plain"),
        ("utf-8", b"\xff", "\u{fffd}"),
    ] {
        assert_eq!(to_text(charset.as_bytes(), bytes), text, "{charset}");
    }
}

#[test]
fn utf7() {
    let text = facteur_message::charset::to_text(b"UTF-7", b"Hi Mom -+Jjo--! 1 +- 1 +2D3eAA-");
    assert_eq!(text, "Hi Mom -\u{263a}-! 1 + 1 \u{1f600}");
}

/// Scanned in pieces of 8 KiB, checked.
fn hostile(message: &[u8]) -> Facts {
    let mut scanner = Scanner::new();
    message.chunks(8_192).for_each(|piece| scanner.push(piece));
    let facts = scanner.finish();
    assert_eq!(facts.size, message.len() as u64);
    assert_eq!(Facts::decode(&facts.encode()).as_ref(), Ok(&facts));
    facts
}

#[test]
fn nested_too_deeply() {
    let mut message = Vec::new();
    for level in 0..20_000 {
        message.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n")
                .as_bytes(),
        );
    }
    assert!(hostile(&message).degraded.contains(Degraded::DEPTH));
    let rfc822 = b"Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    assert!(hostile(&rfc822).degraded.contains(Degraded::DEPTH));
}

#[test]
fn too_many_parts() {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    message.extend(b"--b\r\n\r\nx\r\n".repeat(300_000));
    let facts = hostile(&message);
    assert!(facts.degraded.contains(Degraded::PARTS));
    assert_eq!(facts.root.walk().count(), limits::PARTS_MAX as usize);
    let PartBody::Multipart(parts) = &facts.root.content else {
        panic!()
    };
    assert_eq!(parts.last().unwrap().body.end, facts.size);
}

#[test]
fn too_many_fields() {
    let mut message = b"X-Field: value\r\n".repeat(200_000);
    message.extend_from_slice(b"Subject: late\r\n\r\nbody");
    let facts = hostile(&message);
    assert!(facts.degraded.contains(Degraded::HEADER_FIELDS));
    assert_eq!(facts.envelope.subject, None);
    assert_eq!(facts.preview, "body");
    assert_eq!(facts.header.fields, 200_001);
}

#[test]
fn too_long_fields() {
    let mut message = b"Subject: ".to_vec();
    message.extend(b"x".repeat(10_000_000));
    message.extend_from_slice(b"\r\nTo: a@b\r\n\r\n");
    let facts = hostile(&message);
    assert!(facts.degraded.contains(Degraded::HEADER_FIELD));
    assert!(facts.envelope.subject.unwrap().len() <= limits::HEADER_FIELD_BYTES_MAX);
    // What follows so much of a header is not looked at.
    assert!(facts.degraded.contains(Degraded::HEADER_BLOCK) && facts.envelope.to.is_empty());
    let folded = [b"To: ".to_vec(), b"a@b,\r\n ".repeat(400_000)].concat();
    let facts = hostile(&folded);
    assert!(facts.envelope.to.len() <= limits::ADDRESSES_MAX);
    assert!(facts.degraded.contains(Degraded::ADDRESSES));
}

#[test]
fn comments_and_params_without_end() {
    for name in [
        "To",
        "Content-Type",
        "Content-Disposition",
        "Date",
        "Content-Language",
    ] {
        for text in [
            "(", "((\\", "\"", "<", "<@", ",", ";", "[", "a@[", ":", "a:b@c,",
        ] {
            let message = format!("{name}: x{}\r\n\r\n", text.repeat(400_000));
            let facts = hostile(message.as_bytes());
            assert!(facts.envelope.to.len() <= limits::ADDRESSES_MAX + 2);
        }
    }
    let params: String = (0..100_000).map(|n| format!("; filename*{n}=x")).collect();
    let facts = hostile(format!("Content-Type: text/plain{params}\r\n\r\n").as_bytes());
    assert!(facts.root.params.len() <= limits::PARAMS_MAX);
    assert!(facts.degraded.contains(Degraded::PARAMS));
}

#[test]
fn values_are_bounded_as_a_whole() {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    let part = format!("--b\r\nContent-Description: {}\r\n\r\n", "d".repeat(60_000));
    message.extend(part.as_bytes().repeat(200));
    let facts = hostile(&message);
    assert!(facts.degraded.contains(Degraded::VALUES));
    assert!(facts.encode().len() < limits::FACTS_BYTES_MAX + 100_000);
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found)
        } else {
            found.push(path)
        }
    }
}

#[test]
fn every_sample() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    assert!(
        data.join("mime").is_dir(),
        "the samples are missing: {}",
        data.display()
    );
    let mut found = Vec::new();
    files(&data.join("mime"), &mut found);
    files(&data.join("corpus"), &mut found);
    assert!(found.len() > 900);
    for path in found {
        let message = std::fs::read(&path).unwrap();
        let facts = scan(&message);
        check(&message, &facts);
        let mut scanner = Scanner::new();
        message.chunks(97).for_each(|piece| scanner.push(piece));
        assert_eq!(scanner.finish(), facts, "{}", path.display());
    }
}
