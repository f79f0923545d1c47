//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2) from the facts of a message.
//!
//! Sizes are the body's own, as stored. Every string is one that the client's grammar knows,
//! whatever bytes the message had.

mod bodystructure;
mod envelope;

pub use bodystructure::{body, body_structure};
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

pub(crate) fn nstring(out: &mut Vec<u8>, value: Option<&[u8]>, form: StringForm) {
    match value {
        None => out.extend_from_slice(b"NIL"),
        Some(value) => string(out, value, form),
    }
}

/// A quoted string where that is allowed, else a literal. A NUL, which neither may have, becomes
/// U+FFFD.
pub(crate) fn string(out: &mut Vec<u8>, value: &[u8], form: StringForm) {
    if value.contains(&0) {
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
    let line_end = value.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
    if !text || line_end || value.len() > QUOTED_BYTES_MAX {
        out.extend_from_slice(format!("{{{}}}\r\n", value.len()).as_bytes());
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(value.to_string().as_bytes());
}
