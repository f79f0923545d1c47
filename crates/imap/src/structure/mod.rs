//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2), PREVIEW (RFC 8970) from the facts of a message.
//!
//! Sizes are the body's own, as stored. Every string is one that the client's grammar knows,
//! whatever bytes the message had.

mod bodystructure;
mod envelope;

pub use bodystructure::StructurePrinter;
pub use envelope::envelope;

/// How strings may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringForm {
    /// IMAP4rev1 (RFC 3501 §4.3): 8-bit text in literals only, message/global is like any type.
    Ascii,
    /// After ENABLE IMAP4rev2 or UTF8=ACCEPT (RFC 9051 §4.3, RFC 6855): UTF-8 in quoted strings.
    Utf8,
}

/// Longer ones are literals, so that no line gets out of hand.
const QUOTED_BYTES_MAX: usize = 1_024;

pub(crate) fn nstring<B: AsRef<[u8]>>(out: &mut Vec<u8>, value: Option<B>, form: StringForm) {
    match value {
        None => out.extend_from_slice(b"NIL"),
        Some(value) => string(out, value.as_ref(), form),
    }
}

/// A quoted string where that is allowed, else a literal. A NUL, which neither may have, becomes
/// U+FFFD.
pub(crate) fn string(out: &mut Vec<u8>, value: &[u8], form: StringForm) {
    // Without an early end, so that the compiler looks at many bytes at once.
    let plain = || {
        value
            .iter()
            .fold(true, |plain, byte| plain & is_plain(*byte))
    };
    if value.len() <= QUOTED_BYTES_MAX && plain() {
        out.push(b'"');
        out.extend_from_slice(value);
        return out.push(b'"');
    }
    if memchr::memchr(0, value).is_some() {
        let clean: Vec<u8> = value
            .iter()
            .flat_map(|byte| match byte {
                0 => "\u{fffd}".as_bytes(),
                _ => std::slice::from_ref(byte),
            })
            .copied()
            .collect();
        return string(out, &clean, form);
    }
    let text = match form {
        StringForm::Ascii => value.is_ascii(),
        StringForm::Utf8 => std::str::from_utf8(value).is_ok(),
    };
    let line_end = memchr::memchr2(b'\r', b'\n', value).is_some();
    if !text || line_end || value.len() > QUOTED_BYTES_MAX {
        out.extend_from_slice(format!("{{{}}}\r\n", value.len()).as_bytes());
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    let mut rest = value;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let (plain, special) = rest.split_at(at);
        let (special, after) = special.split_at(1);
        out.extend_from_slice(plain);
        out.push(b'\\');
        out.extend_from_slice(special);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// As it is between quotes: neither special in them nor 8-bit (RFC 9051 §9, QUOTED-CHAR).
fn is_plain(byte: u8) -> bool {
    let special =
        (byte == 0) | (byte == b'\r') | (byte == b'\n') | (byte == b'"') | (byte == b'\\');
    byte.is_ascii() & !special
}

/// PREVIEW (RFC 8970 §3.3): always a string, empty when there is nothing to show.
pub fn preview(out: &mut Vec<u8>, text: &str, form: StringForm) {
    string(out, text.as_bytes(), form);
}

#[cfg(test)]
mod tests {
    use super::{StringForm, StructurePrinter, envelope, string};
    use facteur_message::{Facts, Scanner};

    fn scan(text: &str) -> Facts {
        let mut scanner = Scanner::new();
        scanner.push(text.replace('\n', "\r\n").as_bytes());
        scanner.finish()
    }

    fn shown(render: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        render(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn body(facts: &Facts, form: StringForm) -> String {
        shown(|out| {
            let mut printer = StructurePrinter::new(form);
            printer.body(out, &facts.encode()).unwrap();
        })
    }

    fn structure(facts: &Facts, form: StringForm) -> String {
        shown(|out| {
            let mut printer = StructurePrinter::new(form);
            printer.body_structure(out, &facts.encode()).unwrap();
        })
    }

    #[test]
    fn strings() {
        use StringForm::{Ascii, Utf8};
        for (value, form, expected) in [
            (&b""[..], Ascii, &b"\"\""[..]),
            (b"a \"b\" \\", Ascii, b"\"a \\\"b\\\" \\\\\""),
            (b"a\rb", Ascii, b"{3}\r\na\rb"),
            (b"a\nb", Utf8, b"{3}\r\na\nb"),
            ("é".as_bytes(), Ascii, b"{2}\r\n\xc3\xa9"),
            ("é".as_bytes(), Utf8, b"\"\xc3\xa9\""),
            (b"\xe9", Utf8, b"{1}\r\n\xe9"),
            (b"a\0b", Ascii, b"{5}\r\na\xef\xbf\xbdb"),
        ] {
            let mut out = Vec::new();
            string(&mut out, value, form);
            assert_eq!(out, expected, "{value:?}");
        }
        let mut out = Vec::new();
        string(&mut out, &[b'x'; 2_000], Ascii);
        assert!(out.starts_with(b"{2000}\r\n"));
    }

    #[test]
    fn example_of_rfc_9051() {
        // RFC 9051 §8.
        let facts = scan(
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nFrom: Terry Gray <gray@cac.washington.edu>\n\
             Subject: IMAP4rev2 WG mtg summary and minutes\nTo: imap@cac.washington.edu\n\
             cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\n\
             Message-Id: <B27397-0100000@cac.washington.edu>\nMIME-Version: 1.0\n\
             Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\n",
        );
        assert_eq!(
            shown(|out| envelope(out, &facts.envelope, StringForm::Ascii)),
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) \
             NIL NIL \"<B27397-0100000@cac.washington.edu>\")"
        );
        assert_eq!(
            body(&facts, StringForm::Ascii),
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7bit\" 0 0)"
        );
    }

    #[test]
    fn groups() {
        let facts =
            scan("To: A group:Ed Jones <joe@where.test>,john@one.test;\nCc: Undisclosed:;\n\n");
        let text = shown(|out| envelope(out, &facts.envelope, StringForm::Ascii));
        assert_eq!(
            text,
            "(NIL NIL NIL NIL NIL ((NIL NIL \"A group\" NIL)(\"Ed Jones\" NIL \"joe\" \"where.test\")\
             (NIL NIL \"john\" \"one.test\")(NIL NIL NIL NIL)) \
             ((NIL NIL \"Undisclosed\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)"
        );
    }

    #[test]
    fn message_global_is_a_message_for_those_who_know() {
        let facts = scan("Content-Type: message/global\n\nSubject: x\n\ny");
        assert_eq!(
            structure(&facts, StringForm::Ascii),
            "(\"message\" \"global\" NIL NIL NIL \"7bit\" 15 NIL NIL NIL NIL)"
        );
        assert_eq!(
            body(&facts, StringForm::Utf8),
            "(\"message\" \"global\" NIL NIL NIL \"7bit\" 15 (NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) \
             (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) 2)"
        );
    }

    #[test]
    fn leaves_from_memory() {
        let mut printer = StructurePrinter::new(StringForm::Ascii);
        let kinds = [
            "text/plain",
            "image/png",
            "multipart/mixed",
            "text/html; a=b",
        ];
        let others = (0..40).map(|number| format!("text/x{number}"));
        let large = format!("text/plain; a={}", "b".repeat(3_000));
        let larger = format!(
            "{large}; c={}",
            ["d".repeat(3_000), large.clone()].join("; e=")
        );
        let kinds = kinds.map(str::to_owned).into_iter();
        let kinds: Vec<String> = kinds.chain(others).chain([large, larger]).collect();
        for round in 0..3 {
            for kind in &kinds {
                let lines = "line\n".repeat(round + 1);
                let facts = scan(&format!("Content-Type: {kind}\n\n{lines}"));
                let both = shown(|out| {
                    printer.body(out, &facts.encode()).unwrap();
                    printer.body_structure(out, &facts.encode()).unwrap();
                });
                let form = StringForm::Ascii;
                let alone = body(&facts, form) + &structure(&facts, form);
                assert_eq!(both, alone, "{kind}");
            }
        }
    }

    #[test]
    fn damaged_facts_print_nothing() {
        let mut printer = StructurePrinter::new(StringForm::Ascii);
        let facts = scan("Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n");
        let whole = facts.encode();
        for end in 0..whole.len() {
            let mut out = b"before".to_vec();
            let cut = whole.get(..end).unwrap();
            assert!(printer.body_structure(&mut out, cut).is_err());
            assert_eq!(out, b"before");
        }
        let more = [&whole[..], b"\0"].concat();
        let mut out = Vec::new();
        assert!(printer.body(&mut out, &more).is_err() && out.is_empty());
    }

    #[test]
    fn too_deep_is_still_grammar() {
        let facts = scan(&"Content-Type: message/rfc822\n\n".repeat(100));
        let text = body(&facts, StringForm::Ascii);
        assert_eq!(text.matches('(').count(), text.matches(')').count());
        let facts = scan("Content-Type: multipart/mixed; boundary=x\n\nnothing\n");
        assert_eq!(
            body(&facts, StringForm::Ascii),
            "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")"
        );
    }
}
