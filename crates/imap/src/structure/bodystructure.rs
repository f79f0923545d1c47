//! BODY and BODYSTRUCTURE, RFC 9051 §7.5.2.

use facteur_message::{Disposition, Envelope, Param, Part, PartBody};

use super::{StringForm, nstring, string};
use crate::response::token::number;

/// RFC 2045 §5.2.
const DEFAULT_CHARSET: &[u8] = b"\"charset\" \"us-ascii\"";

/// Appends BODY: without extension data.
pub fn body<B: AsRef<[u8]> + Default>(out: &mut Vec<u8>, root: &Part<B>, form: StringForm) {
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
pub fn body_structure<B: AsRef<[u8]> + Default>(
    out: &mut Vec<u8>,
    root: &Part<B>,
    form: StringForm,
) {
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
fn write<B: AsRef<[u8]> + Default>(out: &mut Vec<u8>, part: &Part<B>, shape: Shape) {
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
fn multipart<B: AsRef<[u8]> + Default>(
    out: &mut Vec<u8>,
    part: &Part<B>,
    parts: &[Part<B>],
    shape: Shape,
) {
    if parts.is_empty() {
        // The grammar knows no multipart without a part: one empty text.
        write(out, &Part::<B>::default(), shape);
    }
    for child in parts {
        write(out, child, shape);
    }
    out.push(b' ');
    string(out, part.subtype.as_ref(), shape.form);
    if shape.extended {
        out.push(b' ');
        params(out, &part.params, shape.form);
        disposition_and_more(out, part, shape.form);
    }
}

/// body-type-basic, body-type-msg, body-type-text
fn single<B: AsRef<[u8]> + Default>(out: &mut Vec<u8>, part: &Part<B>, shape: Shape) {
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
        nstring(out, value.as_ref(), form);
    }
    out.push(b' ');
    let encoding = part.encoding_name.as_ref();
    string(out, encoding.map_or(b"7bit", AsRef::as_ref), form);
    out.push(b' ');
    number(part.body.len(), out);
    if is_message {
        message(out, part, shape);
    }
    if is_message || is_text {
        out.push(b' ');
        number(part.body_lines, out);
    }
    if shape.extended {
        out.push(b' ');
        nstring(out, part.md5.as_ref(), form);
        disposition_and_more(out, part, form);
    }
}

/// message/global has the form of a message for those who know RFC 9051 only.
fn shows_message<B: AsRef<[u8]>>(part: &Part<B>, form: StringForm) -> bool {
    part.is("message", "rfc822") || (part.nested().is_some() && form == StringForm::Utf8)
}

/// Envelope and structure of the message inside; of one nested too deeply to be read, empty ones.
fn message<B: AsRef<[u8]> + Default>(out: &mut Vec<u8>, part: &Part<B>, shape: Shape) {
    out.push(b' ');
    match part.nested() {
        Some(nested) => {
            super::envelope(out, &nested.envelope, shape.form);
            out.push(b' ');
            write(out, &nested.root, shape);
        }
        None => {
            super::envelope(out, &Envelope::<B>::default(), shape.form);
            out.push(b' ');
            write(out, &Part::<B>::default(), shape);
        }
    }
}

/// A text always shows a charset.
fn text_params<B: AsRef<[u8]>>(out: &mut Vec<u8>, list: &[Param<B>], form: StringForm) {
    let has_charset = list
        .iter()
        .any(|param| param.name.as_ref().eq_ignore_ascii_case(b"charset"));
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

fn params<B: AsRef<[u8]>>(out: &mut Vec<u8>, list: &[Param<B>], form: StringForm) {
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

fn pair<B: AsRef<[u8]>>(out: &mut Vec<u8>, param: &Param<B>, form: StringForm) {
    string(out, param.name.as_ref(), form);
    out.push(b' ');
    string(out, param.value.as_ref(), form);
}

/// Disposition, language, location.
fn disposition_and_more<B: AsRef<[u8]> + Default>(
    out: &mut Vec<u8>,
    part: &Part<B>,
    form: StringForm,
) {
    out.push(b' ');
    match &part.disposition {
        None => out.extend_from_slice(b"NIL"),
        Some(Disposition { kind, params: list }) => {
            out.push(b'(');
            string(out, kind.as_ref(), form);
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
            string(out, tag.as_ref(), form);
        }
        out.push(b')');
    }
    out.push(b' ');
    nstring(out, part.location.as_ref(), form);
}
