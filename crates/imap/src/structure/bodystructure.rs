//! BODY and BODYSTRUCTURE, RFC 9051 §7.5.2.

use facteur_message::{Disposition, Envelope, Param, Part, PartBody};

use super::{StringForm, nstring, number, string};

/// RFC 2045 §5.2.
const DEFAULT_CHARSET: &[u8] = b"\"charset\" \"us-ascii\"";

/// Appends BODY: without extension data.
pub fn body(out: &mut Vec<u8>, root: &Part, form: StringForm) {
    write(
        out,
        root,
        Shape {
            form,
            extended: false,
        },
    );
}

/// Appends BODYSTRUCTURE: with extension data.
pub fn body_structure(out: &mut Vec<u8>, root: &Part, form: StringForm) {
    write(
        out,
        root,
        Shape {
            form,
            extended: true,
        },
    );
}

#[derive(Clone, Copy)]
struct Shape {
    form: StringForm,
    extended: bool,
}

/// As deep as the scanner's tree at most.
fn write(out: &mut Vec<u8>, part: &Part, shape: Shape) {
    out.push(b'(');
    match &part.content {
        PartBody::Multipart(parts) => multipart(out, part, parts, shape),
        // Without a boundary, or nested too deeply to be read.
        PartBody::Leaf if part.is("multipart", "*") => multipart(out, part, &[], shape),
        _ => single(out, part, shape),
    }
    out.push(b')');
}

/// body-type-mpart
fn multipart(out: &mut Vec<u8>, part: &Part, parts: &[Part], shape: Shape) {
    if parts.is_empty() {
        // The grammar knows no multipart without a part: one empty text.
        write(out, &Part::default(), shape);
    }
    for child in parts {
        write(out, child, shape);
    }
    out.push(b' ');
    string(out, &part.subtype, shape.form);
    if shape.extended {
        out.push(b' ');
        params(out, &part.params, shape.form);
        disposition_and_more(out, part, shape.form);
    }
}

/// body-type-basic, body-type-msg, body-type-text
fn single(out: &mut Vec<u8>, part: &Part, shape: Shape) {
    let form = shape.form;
    let is_message = shows_message(part, form);
    let is_text = part.is("text", "*");
    let (kind, subtype) = part.media_type();
    if is_message && part.is("message", "rfc822") {
        out.extend_from_slice(b"\"message\" \"rfc822\"");
    } else {
        string(out, kind, form);
        out.push(b' ');
        string(out, subtype, form);
    }
    out.push(b' ');
    if is_text {
        text_params(out, &part.params, form);
    } else {
        params(out, &part.params, form);
    }
    for value in [&part.id, &part.description] {
        out.push(b' ');
        nstring(out, value.as_deref(), form);
    }
    out.push(b' ');
    string(out, part.encoding_name.as_deref().unwrap_or(b"7bit"), form);
    out.push(b' ');
    number(out, part.body.len());
    if is_message {
        message(out, part, shape);
    }
    if is_message || is_text {
        out.push(b' ');
        number(out, part.body_lines);
    }
    if shape.extended {
        out.push(b' ');
        nstring(out, part.md5.as_deref(), form);
        disposition_and_more(out, part, form);
    }
}

/// message/global has the form of a message for those who know RFC 9051 only.
fn shows_message(part: &Part, form: StringForm) -> bool {
    part.is("message", "rfc822") || (part.nested().is_some() && form == StringForm::Utf8)
}

/// Envelope and structure of the message inside; of one nested too deeply to be read, empty ones.
fn message(out: &mut Vec<u8>, part: &Part, shape: Shape) {
    out.push(b' ');
    match part.nested() {
        Some(nested) => {
            super::envelope(out, &nested.envelope, shape.form);
            out.push(b' ');
            write(out, &nested.root, shape);
        }
        None => {
            super::envelope(out, &Envelope::default(), shape.form);
            out.push(b' ');
            write(out, &Part::default(), shape);
        }
    }
}

/// A text always shows a charset.
fn text_params(out: &mut Vec<u8>, list: &[Param], form: StringForm) {
    let has_charset = list
        .iter()
        .any(|param| param.name.eq_ignore_ascii_case(b"charset"));
    if has_charset {
        return params(out, list, form);
    }
    out.push(b'(');
    for param in list {
        pair(out, param, form);
        out.push(b' ');
    }
    out.extend_from_slice(DEFAULT_CHARSET);
    out.push(b')');
}

fn params(out: &mut Vec<u8>, list: &[Param], form: StringForm) {
    let Some((first, rest)) = list.split_first() else {
        return out.extend_from_slice(b"NIL");
    };
    out.push(b'(');
    pair(out, first, form);
    for param in rest {
        out.push(b' ');
        pair(out, param, form);
    }
    out.push(b')');
}

fn pair(out: &mut Vec<u8>, param: &Param, form: StringForm) {
    string(out, &param.name, form);
    out.push(b' ');
    string(out, &param.value, form);
}

/// Disposition, language, location.
fn disposition_and_more(out: &mut Vec<u8>, part: &Part, form: StringForm) {
    out.push(b' ');
    match &part.disposition {
        None => out.extend_from_slice(b"NIL"),
        Some(Disposition { kind, params: list }) => {
            out.push(b'(');
            string(out, kind, form);
            out.push(b' ');
            params(out, list, form);
            out.push(b')');
        }
    }
    out.push(b' ');
    if part.language.is_empty() {
        out.extend_from_slice(b"NIL");
    } else {
        for (index, tag) in part.language.iter().enumerate() {
            out.push(if index == 0 { b'(' } else { b' ' });
            string(out, tag, form);
        }
        out.push(b')');
    }
    out.push(b' ');
    nstring(out, part.location.as_deref(), form);
}
