//! Messages that the server writes itself: RFC 5322 headers with RFC 2047 words, RFC 2045 bodies.
//!
//! Whatever is put in, lines end in CRLF and stay short, and no value can begin a new field.

use crate::date;
use crate::facts::Sent;

/// RFC 5322 §2.1.1: "SHOULD be no more than 78 characters".
const LINE_CHARS: usize = 78;
/// RFC 2045 §6.7 and §6.8.
const ENCODED_LINE_CHARS: usize = 76;
/// RFC 2047 §2 allows 75; shorter ones leave room for the field's name on the first line.
const WORD_CHARS: usize = 56;

/// Header fields, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header(Vec<u8>);

impl Header {
    pub fn new() -> Self {
        Self::default()
    }

    /// Free text such as a Subject: encoded words where it is not plain ASCII.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        let text = one_line(text.trim());
        if is_plain(&text) {
            return self.field(name, text.split(' ').map(str::to_owned));
        }
        self.field(name, encoded_words(&text).into_iter())
    }

    /// A structured value in ASCII, folded at its spaces; other characters are dropped.
    #[must_use]
    pub fn raw(self, name: &str, value: &str) -> Self {
        let value: String = one_line(value.trim())
            .chars()
            .filter(char::is_ascii)
            .collect();
        self.field(name, value.split(' ').map(str::to_owned))
    }

    #[must_use]
    pub fn date(self, name: &str, sent: Sent) -> Self {
        self.raw(name, &date::format(sent))
    }

    /// Display name (may be empty) and `local@domain` of each.
    #[must_use]
    pub fn addresses(self, name: &str, list: &[(&str, &str)]) -> Self {
        let mut words = Vec::new();
        for (index, (display, address)) in list.iter().enumerate() {
            let address = one_line(address).replace(['<', '>'], "");
            let display = one_line(display);
            let comma = if index + 1 < list.len() { "," } else { "" };
            if display.is_empty() {
                words.push(format!("{address}{comma}"));
                continue;
            }
            words.extend(phrase(&display));
            words.push(format!("<{address}>{comma}"));
        }
        self.field(name, words.into_iter())
    }

    fn field(mut self, name: &str, words: impl Iterator<Item = String>) -> Self {
        let name: String = name
            .chars()
            .filter(|c| c.is_ascii_graphic() && *c != ':')
            .collect();
        let mut line = name.len() + 1;
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b':');
        let mut has_word = false;
        for word in words {
            // Never in front of nothing: a line of white space alone is no fold (RFC 5322 §3.2.2).
            if has_word && !word.is_empty() && line + 1 + word.len() > LINE_CHARS {
                self.0.extend_from_slice(b"\r\n");
                line = 0;
            }
            self.0.push(b' ');
            self.0.extend_from_slice(word.as_bytes());
            line += 1 + word.len();
            has_word |= !word.is_empty();
        }
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// The fields, without a blank line.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A value on one line: control characters become spaces.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Can stand in a header as it is.
fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.contains("=?") && text.split(' ').all(|word| word.len() < 900)
}

fn phrase(display: &str) -> Vec<String> {
    if !is_plain(display) {
        return encoded_words(display);
    }
    let atoms = display
        .bytes()
        .all(|byte| byte == b' ' || crate::lex::is_atext(byte));
    if atoms {
        return display.split(' ').map(str::to_owned).collect();
    }
    let escaped = display.replace('\\', "\\\\").replace('"', "\\\"");
    vec![format!("\"{escaped}\"")]
}

/// RFC 2047 §4: whole characters only, Q when most of it is ASCII.
fn encoded_words(text: &str) -> Vec<String> {
    let base64 = text.chars().filter(|c| !c.is_ascii()).count() * 3 > text.chars().count();
    let room = WORD_CHARS - "=?utf-8?Q??=".len();
    let mut words = Vec::new();
    let mut current = String::new();
    let mut width = 0;
    for character in text.chars() {
        let added = if base64 {
            character.len_utf8()
        } else {
            q_width(character)
        };
        let limit = if base64 { room / 4 * 3 } else { room };
        if width + added > limit {
            words.push(encoded_word(&current, base64));
            current.clear();
            width = 0;
        }
        current.push(character);
        width += added;
    }
    if !current.is_empty() {
        words.push(encoded_word(&current, base64));
    }
    words
}

fn q_is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte)
}

fn q_width(character: char) -> usize {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).bytes();
    bytes
        .map(|byte| {
            if byte == b' ' || q_is_safe(byte) {
                1
            } else {
                3
            }
        })
        .sum()
}

fn encoded_word(text: &str, base64: bool) -> String {
    if base64 {
        return format!("=?utf-8?B?{}?=", base64_text(text.as_bytes()));
    }
    let mut out = String::from("=?utf-8?Q?");
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('_'),
            _ if q_is_safe(byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("={byte:02X}")),
        }
    }
    out.push_str("?=");
    out
}

fn base64_text(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// RFC 2045 §6.8, in lines, the last one ended too.
pub fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let text = base64_text(bytes);
    let mut out = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    for line in text.as_bytes().chunks(ENCODED_LINE_CHARS) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// RFC 2045 §6.7 of text: every kind of line end becomes CRLF.
pub fn quoted_printable(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    for line in lines(text) {
        let bytes = line.as_bytes();
        let mut width = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let is_last = index + 1 == bytes.len();
            let hidden = index == 0 && line.starts_with("From ");
            let plain = match byte {
                b' ' | b'\t' => !is_last,
                b'=' => false,
                _ => byte.is_ascii_graphic() && !hidden,
            };
            let added = if plain { 1 } else { 3 };
            // Room for the `=` of a soft break.
            if width + added > ENCODED_LINE_CHARS - 1 {
                out.extend_from_slice(b"=\r\n");
                width = 0;
            }
            if plain {
                out.push(*byte);
            } else {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
            width += added;
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Lines without their ends; an end at the end makes no further line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
}

/// A MIME part or the content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    header: Header,
    body: Vec<u8>,
    is_8bit: bool,
}

impl Entity {
    /// text/`subtype`, UTF-8, as it is when short ASCII lines, else quoted-printable.
    pub fn text(subtype: &str, text: &str) -> Entity {
        let plain = text.is_ascii()
            && !text.contains('\0')
            && lines(text).all(|line| line.len() <= LINE_CHARS && !line.starts_with("From "));
        let (encoding, body) = if plain {
            let mut body = Vec::with_capacity(text.len());
            for line in lines(text) {
                body.extend_from_slice(line.as_bytes());
                body.extend_from_slice(b"\r\n");
            }
            ("7bit", body)
        } else {
            ("quoted-printable", quoted_printable(text))
        };
        let header = Header::new()
            .raw("Content-Type", &format!("text/{subtype}; charset=utf-8"))
            .raw("Content-Transfer-Encoding", encoding);
        Entity {
            header,
            body,
            is_8bit: false,
        }
    }

    /// Base64. `file_name` in any characters (RFC 2231).
    pub fn attachment(media_type: &str, file_name: &str, content: &[u8]) -> Entity {
        let header = Header::new()
            .raw("Content-Type", media_type)
            .raw(
                "Content-Disposition",
                &format!("attachment; {}", file_name_param(file_name)),
            )
            .raw("Content-Transfer-Encoding", "base64");
        Entity {
            header,
            body: base64_lines(content),
            is_8bit: false,
        }
    }

    /// Bytes as they are, with CRLF line ends: message/rfc822, message/delivery-status.
    pub fn raw(content_type: &str, content: &[u8]) -> Entity {
        let mut header = Header::new().raw("Content-Type", content_type);
        let is_8bit = !content.is_ascii();
        if is_8bit {
            header = header.raw("Content-Transfer-Encoding", "8bit");
        }
        Entity {
            header,
            body: content.to_vec(),
            is_8bit,
        }
    }

    /// multipart/`subtype`, which may have parameters. `token`: letters and digits that nobody
    /// can guess, for the boundary; it is lengthened when a part has it.
    pub fn multipart(subtype: &str, token: &str, parts: &[Entity]) -> Entity {
        let clean = token.chars().filter(char::is_ascii_alphanumeric).take(40);
        let mut boundary: String = "=_".chars().chain(clean).collect();
        while boundary.len() < 69 && parts.iter().any(|part| part.mentions(&boundary)) {
            boundary.push('x');
        }
        let mut header = Header::new().raw(
            "Content-Type",
            &format!("multipart/{subtype}; boundary=\"{boundary}\""),
        );
        let is_8bit = parts.iter().any(|part| part.is_8bit);
        if is_8bit {
            header = header.raw("Content-Transfer-Encoding", "8bit");
        }
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            body.extend_from_slice(&part.header.0);
            body.extend_from_slice(b"\r\n");
            body.extend_from_slice(&part.body);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Entity {
            header,
            body,
            is_8bit,
        }
    }

    /// One more field, such as Content-ID.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Entity {
        self.header = self.header.text(name, value);
        self
    }

    /// Whether the body must be sent as 8BITMIME.
    pub fn is_8bit(&self) -> bool {
        self.is_8bit
    }

    fn mentions(&self, boundary: &str) -> bool {
        memchr::memmem::find(&self.body, boundary.as_bytes()).is_some()
    }

    /// A whole message: `header`, MIME-Version, the entity.
    pub fn into_message(self, header: Header) -> Vec<u8> {
        let mut out = header.raw("MIME-Version", "1.0").into_bytes();
        out.extend_from_slice(&self.header.0);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

fn file_name_param(name: &str) -> String {
    let name = one_line(name);
    if name.is_ascii() {
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        return format!("filename=\"{escaped}\"");
    }
    let mut out = String::from("filename*=utf-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Entity, Header, base64_lines, quoted_printable};
    use crate::charset::PartText;
    use crate::decode::PartDecoder;
    use crate::facts::{Address, Encoding, Sent};
    use crate::{Facts, Scanner, encoded_word};
    use proptest::prelude::*;

    fn scan(message: &[u8]) -> Facts {
        let mut scanner = Scanner::new();
        scanner.push(message);
        scanner.finish()
    }

    #[test]
    fn a_report() {
        let header = Header::new()
            .date(
                "Date",
                Sent {
                    unix: 0,
                    offset_minutes: 0,
                },
            )
            .addresses(
                "From",
                &[("Système de courrier", "postmaster@example.test")],
            )
            .addresses(
                "To",
                &[
                    ("", "alice@example.test"),
                    ("Bob \"B\" O.", "bob@example.test"),
                ],
            )
            .text(
                "Subject",
                "Votre message n'a pas été remis à son destinataire malgré plusieurs tentatives",
            );
        let parts = [
            Entity::text("plain", "Désolé.\nFrom here on\n=_t0 fin"),
            Entity::raw(
                "message/delivery-status",
                b"Reporting-MTA: dns; mx.example.test\r\n",
            ),
            Entity::raw("message/rfc822", "Subject: été\r\n\r\nÉté\r\n".as_bytes()),
            Entity::attachment("application/pdf", "reçu n° 1.pdf", b"%PDF"),
        ];
        let entity = Entity::multipart("report; report-type=delivery-status", "t0", &parts);
        assert!(entity.is_8bit());
        let message = entity.into_message(header);
        assert!(message.split(|b| *b == b'\n').all(|line| line.len() <= 79));
        let facts = scan(&message);
        assert_eq!(
            facts.root.param("report-type"),
            Some(&b"delivery-status"[..])
        );
        let subject = encoded_word::decode(facts.envelope.subject.as_deref().unwrap());
        assert!(
            subject.ends_with("malgré plusieurs tentatives"),
            "{subject}"
        );
        let Address::Mailbox {
            name: Some(name), ..
        } = &facts.envelope.from[0]
        else {
            panic!()
        };
        assert_eq!(encoded_word::decode(name), "Système de courrier");
        let Address::Mailbox {
            name: Some(name), ..
        } = &facts.envelope.to[1]
        else {
            panic!()
        };
        assert_eq!(name, b"Bob \"B\" O.");
        assert_eq!(
            facts.section(&[4]).unwrap().file_name().as_deref(),
            Some("reçu n° 1.pdf")
        );
        assert_eq!(facts.preview, "Désolé. From here on =_t0 fin");
        assert!(facts.section(&[3]).unwrap().nested().is_some());
    }

    #[test]
    fn no_field_begins_another() {
        let header = Header::new()
            .text("Subject", "a\r\nBcc: evil@x\r\n\r\nbody")
            .into_bytes();
        assert_eq!(crate::header::fields(&header).count(), 1);
    }

    proptest! {
        #[test]
        fn transfer_encodings_have_an_inverse(text in "(\\PC|[ \t\n=.]|From ){0,200}", cut in 0_usize..200) {
            let encoded = quoted_printable(&text);
            prop_assert!(encoded.split(|b| *b == b'\n').all(|line| line.len() <= 77));
            let (a, b) = encoded.split_at(cut.min(encoded.len()));
            let mut decoder = PartDecoder::new(Encoding::QuotedPrintable);
            let mut out = Vec::new();
            decoder.push(a, &mut out);
            decoder.push(b, &mut out);
            decoder.finish(&mut out);
            let expected: String = text.lines().map(|line| format!("{}\r\n", line.strip_suffix('\r').unwrap_or(line))).collect();
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }

        #[test]
        fn base64_has_an_inverse(bytes: Vec<u8>, cut in 0_usize..200) {
            let encoded = base64_lines(&bytes);
            let (a, b) = encoded.split_at(cut.min(encoded.len()));
            let mut decoder = PartDecoder::new(Encoding::Base64);
            let mut out = Vec::new();
            decoder.push(a, &mut out);
            decoder.push(b, &mut out);
            decoder.finish(&mut out);
            prop_assert_eq!(out, bytes);
        }

        #[test]
        fn subjects_have_an_inverse(text in "\\PC{0,120}") {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let message = Header::new().text("Subject", &text).into_bytes();
            prop_assert!(message.is_ascii());
            let facts = scan(&message);
            let decoded = encoded_word::decode(&facts.envelope.subject.unwrap());
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn text_parts_have_an_inverse(text in "(\\PC|\n){0,200}") {
            let message = Entity::text("plain", &text).into_message(Header::new());
            let facts = scan(&message);
            let body = &message[facts.root.body.start as usize..];
            let mut found = String::new();
            let mut reader = PartText::new(&facts.root);
            reader.push(body, &mut found);
            reader.finish(&mut found);
            let expected: String = text.lines().map(|line| format!("{}\r\n", line)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
