//! Are the signatures of a message right? RFC 6376 §6.

use super::key::PublicKey;
use super::{Outcome, Signature, signature};
use crate::canonical::{self, Form};
use crate::dns::{Answers, Nothing, Wanted};
use crate::limits;
use crate::tap::{Field, Seen};

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub outcome: Outcome,
    /// Who signed; empty when that can't be read.
    pub domain: String,
    pub selector: String,
    pub algorithm: Option<super::Algorithm>,
    /// The first characters of the signature: tells apart what one domain signed twice (RFC 6008).
    pub prefix: String,
    /// The key is only being tried out.
    pub testing: bool,
}

/// All signatures, in their order. `now`: seconds since 1970.
pub fn verify(seen: &Seen, now: i64, answers: &mut Answers) -> Result<Vec<Checked>, Wanted> {
    let fields: Vec<&Field> = seen.named("dkim-signature").collect();
    let (mut checked, mut wanted) = (Vec::new(), None);
    for field in fields.iter().take(limits::SIGNATURES_MAX) {
        match one(seen, field, now, answers) {
            Ok(one) => checked.push(one),
            Err(more) => wanted = Some(more),
        }
    }
    match wanted {
        Some(wanted) => Err(wanted),
        None => Ok(checked),
    }
}

fn one(seen: &Seen, field: &Field, now: i64, answers: &mut Answers) -> Result<Checked, Wanted> {
    let text = String::from_utf8_lossy(seen.value(field)).into_owned();
    let mut checked = Checked {
        outcome: Outcome::Pass,
        domain: String::new(),
        selector: String::new(),
        algorithm: None,
        prefix: String::new(),
        testing: false,
    };
    match signature::parse(&text, false) {
        Err(outcome) => {
            let tags = crate::tags::Tags::parse(&text).unwrap_or_default();
            let name = tags.get("d").filter(|name| crate::dns::is_name(name));
            checked.domain = name.unwrap_or_default().to_ascii_lowercase();
            checked.outcome = outcome;
        }
        Ok(signature) => {
            checked.prefix = prefix(&signature);
            checked.algorithm = Some(signature.algorithm);
            let (outcome, testing) = check(seen, field, &signature, now, answers)?;
            checked.outcome = outcome;
            checked.testing = testing;
            checked.domain = signature.domain;
            checked.selector = signature.selector;
        }
    }
    Ok(checked)
}

fn prefix(signature: &Signature) -> String {
    use base64::Engine;
    let start = signature.value.get(..6).unwrap_or_default();
    base64::engine::general_purpose::STANDARD.encode(start)
}

/// The outcome, and whether the key is only being tried out.
pub(crate) fn check(
    seen: &Seen,
    field: &Field,
    signature: &Signature,
    now: i64,
    answers: &mut Answers,
) -> Result<(Outcome, bool), Wanted> {
    if seen.too_big {
        return Ok((Outcome::Neutral("the header is too big"), false));
    }
    if let Some(outcome) = bad_time(signature, now) {
        return Ok((outcome, false));
    }
    let name = format!("{}._domainkey.{}", signature.selector, signature.domain);
    let key = match answers.txt(&name)? {
        Ok(records) => key_of(records, signature),
        Err(Nothing::Temporary) => Err(Outcome::TempError),
        Err(_) => Err(Outcome::PermError("there is no such key")),
    };
    let key = match key {
        Ok(key) => key,
        Err(outcome) => return Ok((outcome, false)),
    };
    let outcome = if key.strict && signature.agent_domain != signature.domain {
        Outcome::PermError("the key is not for subdomains")
    } else if !key.has_signed(&header_data(seen, field, signature), &signature.value) {
        Outcome::Fail("the header was changed or is not the signer's")
    } else {
        match body_outcome(seen, signature) {
            Outcome::Pass if key.for_tls_reports => Outcome::Policy(FOR_TLS_REPORTS),
            outcome => outcome,
        }
    };
    Ok((outcome, key.testing))
}

/// Of a signature that is right for a report about TLS, and for nothing else (RFC 8460 §3).
pub const FOR_TLS_REPORTS: &str = "the key is for reports about TLS only";

fn bad_time(signature: &Signature, now: i64) -> Option<Outcome> {
    let expires = i64::try_from(signature.expires?).unwrap_or(i64::MAX);
    let made = signature
        .made
        .map(|made| i64::try_from(made).unwrap_or(i64::MAX));
    if made.is_some_and(|made| made > expires) {
        return Some(Outcome::PermError("the signature ends before it begins"));
    }
    let over = expires.saturating_add(limits::CLOCK_SKEW_SECONDS) < now;
    over.then_some(Outcome::PermError("the signature has expired"))
}

/// RFC 6376 §3.6.2.2: several records are nobody's; one that fits is taken.
fn key_of(records: &[Vec<u8>], signature: &Signature) -> Result<PublicKey, Outcome> {
    let mut why = Outcome::PermError("the key is of another kind");
    for record in records.iter().take(limits::SIGNATURES_MAX) {
        match PublicKey::parse(record) {
            Ok(key) if key.algorithm == signature.algorithm => return Ok(key),
            Ok(_) => {}
            Err(outcome) => why = outcome,
        }
    }
    Err(why)
}

fn body_outcome(seen: &Seen, signature: &Signature) -> Outcome {
    let Some(digest) = seen.body(signature.body_form) else {
        return Outcome::Neutral("the body was not read");
    };
    match signature.length {
        // RFC 6376 §8.2: what may be appended to can't be believed.
        Some(length) if length < digest.size => {
            Outcome::Policy("only a part of the body is signed")
        }
        Some(length) if length > digest.size => Outcome::PermError("more is signed than there is"),
        _ if signature.body_hash == digest.sha256 => Outcome::Pass,
        _ => Outcome::Fail("the body was changed"),
    }
}

/// RFC 6376 §3.7, §5.4.2: of fields with one name the last comes first; a name that is not there
/// stands for nothing.
fn header_data(seen: &Seen, own: &Field, signature: &Signature) -> Vec<u8> {
    let mut data = Vec::new();
    selected(
        seen,
        own,
        &signature.fields,
        signature.header_form,
        &mut data,
    );
    canonical::own_field(signature.header_form, seen.raw(own), &mut data);
    data
}

pub(super) fn selected(seen: &Seen, own: &Field, names: &[String], form: Form, data: &mut Vec<u8>) {
    let mut left: Vec<&Field> = seen.fields().iter().filter(|field| *field != own).collect();
    for name in names {
        if let Some(at) = left.iter().rposition(|field| field.name == *name) {
            canonical::field(form, seen.raw(left.remove(at)), data);
        }
    }
}
