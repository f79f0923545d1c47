//! ENVELOPE, RFC 9051 §7.5.2.

use std::borrow::Cow;

use facteur_message::{Address, Envelope};

use super::{StringForm, nstring, string};

/// What stands where a mailbox or a domain could not be read. NIL would make it a group
/// (RFC 9051 §7.5.2), so it must be some string; clients know these from Dovecot.
const MISSING_MAILBOX: &[u8] = b"MISSING_MAILBOX";
const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";
const SYNTAX_ERROR: &[u8] = b"SYNTAX_ERROR";

/// Appends the parenthesised envelope.
pub fn envelope<B: AsRef<[u8]>>(out: &mut Vec<u8>, envelope: &Envelope<B>, form: StringForm) {
    out.push(b'(');
    nstring(out, envelope.date.as_ref(), form);
    out.push(b' ');
    for_people(out, envelope.subject.as_ref(), form);
    for list in [
        &envelope.from,
        or_from(&envelope.sender, envelope),
        or_from(&envelope.reply_to, envelope),
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ] {
        out.push(b' ');
        addresses(out, list, form);
    }
    for value in [&envelope.in_reply_to, &envelope.message_id] {
        out.push(b' ');
        nstring(out, value.as_ref(), form);
    }
    out.push(b')');
}

/// "If the Sender or Reply-To header fields are absent … or are present but empty, the server sets
/// the corresponding member of the envelope to be the same value as the from member".
fn or_from<'a, B>(list: &'a Vec<Address<B>>, envelope: &'a Envelope<B>) -> &'a Vec<Address<B>> {
    if list.is_empty() {
        &envelope.from
    } else {
        list
    }
}

fn addresses<B: AsRef<[u8]>>(out: &mut Vec<u8>, list: &[Address<B>], form: StringForm) {
    if list.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for entry in list {
        address(out, entry, form);
    }
    out.push(b')');
}

fn address<B: AsRef<[u8]>>(out: &mut Vec<u8>, address: &Address<B>, form: StringForm) {
    match address {
        Address::GroupStart(name) => {
            out.extend_from_slice(b"(NIL NIL ");
            string(out, name.as_ref(), form);
            out.extend_from_slice(b" NIL)");
        }
        Address::GroupEnd => out.extend_from_slice(b"(NIL NIL NIL NIL)"),
        Address::Mailbox {
            name,
            route,
            local,
            domain,
            broken,
        } => {
            let no_domain = if *broken {
                SYNTAX_ERROR
            } else {
                MISSING_DOMAIN
            };
            out.push(b'(');
            for_people(out, name.as_ref(), form);
            out.push(b' ');
            nstring(out, route.as_ref(), form);
            for (value, missing) in [(local, MISSING_MAILBOX), (domain, no_domain)] {
                out.push(b' ');
                string(out, value.as_ref().map_or(missing, AsRef::as_ref), form);
            }
            out.push(b')');
        }
    }
}

fn for_people<B: AsRef<[u8]>>(out: &mut Vec<u8>, value: Option<&B>, form: StringForm) {
    let value = value.map(|value| collapsed(value.as_ref()));
    nstring(out, value.as_ref(), form);
}

/// White space at the ends dropped, runs of it made one space.
fn collapsed(value: &[u8]) -> Cow<'_, [u8]> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let at_ends = value.first().is_some_and(is_space) || value.last().is_some_and(is_space);
    // A space beside another, or white space that is none. Looked for without an early end.
    let next = value.get(1..).unwrap_or_default();
    let to_do = value.iter().zip(next).fold(false, |found, (one, next)| {
        let run = (*one == b' ') & (*next == b' ');
        found | run | (*one == b'\t') | (*one == b'\r') | (*one == b'\n')
    });
    if !at_ends && !to_do {
        return Cow::Borrowed(value);
    }
    let words = value
        .split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        .filter(|word| !word.is_empty());
    let mut out = Vec::with_capacity(value.len());
    for word in words {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    Cow::Owned(out)
}
