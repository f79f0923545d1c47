//! Encoded words, RFC 2047, with RFC 2231 §5 languages.

use crate::charset::{TextDecoder, to_text};
use crate::decode::PartDecoder;
use crate::facts::{Encoding, Param};
use crate::limits::ENCODED_WORDS_MAX;

/// An unfolded value as text: encoded words decoded, the white space between two of them dropped
/// (RFC 2047 §6.2), other bytes read as UTF-8. Neighbours of one charset are decoded together,
/// since senders cut characters in two.
pub fn decode(value: &[u8]) -> String {
    let mut out = String::new();
    let mut run: Option<Run> = None;
    let mut rest = value;
    let mut plain = Vec::new();
    let mut words = 0;
    while let Some((first, after)) = rest.split_first() {
        let word = (words < ENCODED_WORDS_MAX).then(|| word(rest)).flatten();
        let Some((word, after_word)) = word else {
            plain.push(*first);
            rest = after;
            continue;
        };
        words += 1;
        rest = after_word;
        let between_words = run.is_some() && plain.iter().all(u8::is_ascii_whitespace);
        if !between_words {
            flush(&mut run, &mut plain, &mut out);
        }
        plain.clear();
        match &mut run {
            Some(open) if open.charset == word.charset => open.bytes.extend(word.content),
            _ => {
                flush(&mut run, &mut plain, &mut out);
                run = Some(Run {
                    charset: word.charset.to_vec(),
                    bytes: word.content,
                });
            }
        }
    }
    flush(&mut run, &mut plain, &mut out);
    out
}

struct Run {
    charset: Vec<u8>,
    bytes: Vec<u8>,
}

fn flush(run: &mut Option<Run>, plain: &mut Vec<u8>, out: &mut String) {
    if let Some(run) = run.take() {
        out.push_str(&to_text(&run.charset, &run.bytes));
    }
    out.push_str(&String::from_utf8_lossy(plain));
    plain.clear();
}

struct Word<'a> {
    charset: &'a [u8],
    content: Vec<u8>,
}

/// `=?charset?encoding?text?=` at the start of `value`. Spaces in the text are let through.
fn word(value: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let rest = value.strip_prefix(b"=?")?;
    let (charset, rest) = split_at_mark(rest, 64)?;
    let (encoding, rest) = split_at_mark(rest, 1)?;
    let encoding = match encoding {
        b"B" | b"b" => Encoding::Base64,
        b"Q" | b"q" => Encoding::QuotedPrintable,
        _ => return None,
    };
    let (text, rest) = split_at_mark(rest, 4_096)?;
    let rest = rest.strip_prefix(b"=")?;
    let charset = charset.split(|byte| *byte == b'*').next()?;
    if !TextDecoder::is_known(charset) {
        return None;
    }
    let mut content = Vec::new();
    let mut decoder = PartDecoder::new(encoding);
    if matches!(encoding, Encoding::QuotedPrintable) {
        // RFC 2047 §4.2: `_` is a space; white space before the end is no padding here.
        let text: Vec<u8> = text
            .iter()
            .map(|b| if *b == b'_' { b' ' } else { *b })
            .collect();
        decoder.push(&text, &mut content);
        let spaces = text.iter().rev().take_while(|byte| **byte == b' ').count();
        decoder.finish(&mut content);
        content.extend(std::iter::repeat_n(b' ', spaces));
    } else {
        decoder.push(text, &mut content);
        decoder.finish(&mut content);
    }
    Some((Word { charset, content }, rest))
}

/// Up to the next `?`, not farther than `bytes_max`.
fn split_at_mark(value: &[u8], bytes_max: usize) -> Option<(&[u8], &[u8])> {
    let window = value.get(..=bytes_max).unwrap_or(value);
    let length = memchr::memchr(b'?', window)?;
    let (text, rest) = value.split_at_checked(length)?;
    Some((text, rest.get(1..)?))
}

/// Text of a parameter, decoded: `name*` (RFC 2231 §4) before `name` (where many put encoded
/// words, against RFC 2047 §5).
pub fn param_text(params: &[Param], name: &str) -> Option<String> {
    let named = |wanted: &[u8]| {
        params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(wanted))
            .map(|p| p.value.as_slice())
    };
    let mut extended = name.as_bytes().to_vec();
    extended.push(b'*');
    match named(&extended) {
        Some(value) => Some(extended_text(value)),
        None => named(name.as_bytes()).map(decode),
    }
}

/// `charset'language'percent-encoded`
fn extended_text(value: &[u8]) -> String {
    let mut fields = value.splitn(3, |byte| *byte == b'\'');
    let (charset, text) = match (fields.next(), fields.next(), fields.next()) {
        (Some(charset), Some(_), Some(text)) => (charset, text),
        _ => (&b""[..], value),
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.split_at_checked(2))
            .flatten()
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 16).ok()?, after))
            });
        let (byte, after) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    to_text(charset, &bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, param_text};
    use crate::facts::Param;

    #[test]
    fn words() {
        // RFC 2047 §8, and what senders do.
        for (value, text) in [
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (
                "=?iso-8859-1?q?this=20is=20some=20text?=",
                "this is some text",
            ),
            ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
            ("=?UTF-8?B?w4nD?= =?UTF-8?B?qQ==?=", "Éé"),
            ("=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "é"),
            ("=?nothing?Q?a?=", "=?nothing?Q?a?="),
            ("=?utf-8?Q?a", "=?utf-8?Q?a"),
            ("a =?utf-8?Q?b_?=c", "a b c"),
            ("été", "été"),
        ] {
            assert_eq!(decode(value.as_bytes()), text, "{value}");
        }
    }

    #[test]
    fn params() {
        let param = |name: &str, value: &str| Param {
            name: name.into(),
            value: value.into(),
        };
        let params = [
            param("title*", "us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"),
            param("name", "=?utf-8?Q?=C3=A9?="),
        ];
        assert_eq!(
            param_text(&params, "TITLE").as_deref(),
            Some("This is ***fun***")
        );
        assert_eq!(param_text(&params, "name").as_deref(), Some("é"));
        assert_eq!(param_text(&params, "size"), None);
    }
}
