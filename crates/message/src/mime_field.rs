//! Values of the Content-* fields: RFC 2045 §5.1 and §6.1, RFC 2183 §2, RFC 2231 §3-4, RFC 3282.

use crate::facts::{Degraded, Disposition, Param};
use crate::lex::{Broken, Lexer};
use crate::limits::{PARAM_BYTES_MAX, PARAMS_MAX};

/// A Content-Type value, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentType {
    pub kind: Vec<u8>,
    pub subtype: Vec<u8>,
    pub params: Vec<Param>,
}

/// Reads an unfolded Content-Type value. One that cannot be read is empty, which means text/plain
/// (RFC 2045 §5.2); of one with a fault in its parameters what can be read counts, unless it is a
/// type that hides other parts.
pub fn content_type(value: &[u8], degraded: &mut Degraded) -> ContentType {
    let mut lexer = Lexer::new(value);
    let mut found = ContentType::default();
    if read_type(&mut lexer, &mut found).is_err() {
        return ContentType::default();
    }
    let damaged = lexer.peek().is_some_and(|next| next != b';');
    if damaged && found.kind.eq_ignore_ascii_case(b"multipart") {
        return ContentType::default();
    }
    found.params = params(&mut lexer, degraded);
    found
}

fn read_type(lexer: &mut Lexer<'_>, found: &mut ContentType) -> Result<(), Broken> {
    if !lexer.skip_cfws()? || !lexer.token(&mut found.kind)? || !lexer.eat(b'/') {
        return Err(Broken);
    }
    if !lexer.skip_cfws()? {
        return Err(Broken);
    }
    lexer.token(&mut found.subtype)?;
    if found.kind.is_empty() || found.subtype.is_empty() {
        return Err(Broken);
    }
    Ok(())
}

/// RFC 2183 §2.
pub fn disposition(value: &[u8], degraded: &mut Degraded) -> Option<Disposition> {
    let mut lexer = Lexer::new(value);
    let _ = lexer.skip_cfws();
    let mut kind = Vec::new();
    lexer.token(&mut kind).ok()?;
    Some(Disposition {
        kind,
        params: params(&mut lexer, degraded),
    })
}

/// RFC 2045 §6.1: one token; `None` when it is something else.
pub fn transfer_encoding(value: &[u8]) -> Option<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    let _ = lexer.skip_cfws();
    let mut name = Vec::new();
    match lexer.token(&mut name) {
        Ok(false) if !name.is_empty() => Some(name),
        _ => None,
    }
}

/// RFC 3282 §2: tags separated by commas.
pub fn languages(value: &[u8]) -> Vec<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    let _ = lexer.skip_cfws();
    let mut tags = Vec::new();
    while tags.len() < PARAMS_MAX {
        let mut tag = Vec::new();
        if lexer.atom(&mut tag).is_err() {
            break;
        }
        tags.push(tag);
        if !lexer.eat(b',') {
            break;
        }
        let _ = lexer.skip_cfws();
    }
    tags
}

/// One piece of an RFC 2231 parameter.
struct Piece {
    name: Vec<u8>,
    index: u32,
    extended: bool,
    value: Vec<u8>,
}

fn params(lexer: &mut Lexer<'_>, degraded: &mut Degraded) -> Vec<Param> {
    let mut found = Vec::new();
    let mut pieces = Vec::new();
    let mut bytes = 0_usize;
    while lexer.peek().is_some() {
        let Ok((name, value)) = param(lexer) else {
            // Try again behind the next byte; whoever wrote this is not alone.
            lexer.bump();
            continue;
        };
        bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
        if found.len() + pieces.len() >= PARAMS_MAX || bytes > PARAM_BYTES_MAX {
            degraded.insert(Degraded::PARAMS);
            break;
        }
        match piece_name(&name) {
            Some((base, index, extended)) => pieces.push(Piece {
                name: base,
                index,
                extended,
                value,
            }),
            None => found.push(Param { name, value }),
        }
    }
    join_pieces(pieces, &mut found);
    found
}

/// `; name = value`, after which anything may follow.
fn param(lexer: &mut Lexer<'_>) -> Result<(Vec<u8>, Vec<u8>), Broken> {
    if lexer.peek() != Some(b';') {
        return Err(Broken);
    }
    lexer.bump();
    let mut name = Vec::new();
    if !lexer.skip_cfws()? || !lexer.token(&mut name)? || !lexer.eat(b'=') {
        return Err(Broken);
    }
    let mut value = Vec::new();
    if lexer.skip_cfws()? {
        match lexer.peek() {
            Some(b'"') => lexer.quoted_string(&mut value).map(|_| ())?,
            Some(b'=') => bare_encoded_word(lexer, &mut value),
            _ => lexer.token(&mut value).map(|_| ())?,
        }
    }
    Ok((name, value))
}

/// An encoded word where RFC 2047 §5 forbids it: `name==?utf-8?b?...?=`.
fn bare_encoded_word(lexer: &mut Lexer<'_>, value: &mut Vec<u8>) {
    while let Some(byte) = lexer.peek() {
        if matches!(byte, b';' | b' ' | b'\t' | b'\r' | b'\n') {
            break;
        }
        value.push(byte);
        lexer.bump();
    }
}

/// `name*`, `name*1`, `name*1*`; `None`: a plain name.
fn piece_name(name: &[u8]) -> Option<(Vec<u8>, u32, bool)> {
    let star = name.iter().position(|byte| *byte == b'*')?;
    let (base, rest) = name.split_at_checked(star)?;
    let rest = rest.get(1..)?;
    if rest.is_empty() {
        return Some((base.to_vec(), 0, true));
    }
    let (digits, extended) = match rest.strip_suffix(b"*") {
        Some(digits) => (digits, true),
        None => (rest, false),
    };
    let index = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((base.to_vec(), index, extended))
}

/// RFC 2231 §3: pieces 0, 1, 2… of a name make one value. With a piece missing they stay apart.
fn join_pieces(mut pieces: Vec<Piece>, found: &mut Vec<Param>) {
    pieces.sort_by(|a, b| (&a.name, a.index).cmp(&(&b.name, b.index)));
    for group in pieces.chunk_by(|a, b| a.name.eq_ignore_ascii_case(&b.name)) {
        let complete = group
            .iter()
            .zip(0_u32..)
            .all(|(piece, index)| piece.index == index);
        if complete {
            found.extend(join_group(group));
        } else {
            found.extend(group.iter().map(|piece| Param {
                name: numbered_name(piece),
                value: piece.value.clone(),
            }));
        }
    }
}

fn numbered_name(piece: &Piece) -> Vec<u8> {
    let mut name = piece.name.clone();
    name.extend_from_slice(format!("*{}", piece.index).as_bytes());
    if piece.extended {
        name.push(b'*');
    }
    name
}

fn join_group(group: &[Piece]) -> Option<Param> {
    let first = group.first()?;
    let encoded = group.iter().any(|piece| piece.extended);
    let mut name = first.name.clone();
    let mut value = Vec::new();
    if encoded {
        name.push(b'*');
        if !first.extended {
            // RFC 2231 §4: charset and language are left empty.
            value.extend_from_slice(b"''");
        }
    }
    for piece in group {
        for byte in &piece.value {
            if encoded && !piece.extended && *byte == b'%' {
                value.extend_from_slice(b"%25");
            } else {
                value.push(*byte);
            }
        }
    }
    Some(Param { name, value })
}
