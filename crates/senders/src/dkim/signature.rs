//! The field DKIM-Signature, RFC 6376 §3.5.

use super::Outcome;
use super::key::Algorithm;
use crate::canonical::Form;
use crate::dns::{is_name, is_under};
use crate::limits;
use crate::tags::{self, Tags, is_space};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub algorithm: Algorithm,
    pub value: Vec<u8>,
    pub body_hash: Vec<u8>,
    pub header_form: Form,
    pub body_form: Form,
    /// In lower case.
    pub domain: String,
    pub selector: String,
    /// In lower case, in order.
    pub fields: Vec<String>,
    /// The domain of the agent.
    pub agent_domain: String,
    /// Bytes of the body that are signed.
    pub length: Option<u64>,
    pub made: Option<u64>,
    pub expires: Option<u64>,
}

/// Header and body.
pub fn forms(value: &str) -> Option<(Form, Form)> {
    let one = |text: &str| match text.to_ascii_lowercase().as_str() {
        "simple" => Some(Form::Simple),
        "relaxed" => Some(Form::Relaxed),
        _ => None,
    };
    match value.split_once('/') {
        Some((header, body)) => Some((
            one(header.trim_matches(is_space))?,
            one(body.trim_matches(is_space))?,
        )),
        None => Some((one(value)?, Form::Simple)),
    }
}

/// What both DKIM-Signature and ARC-Message-Signature have; the latter is without a version and
/// its `i` is a number (RFC 8617 §4.1.2).
pub fn parse(text: &str, arc: bool) -> Result<Signature, Outcome> {
    let bad = |reason| Err(Outcome::PermError(reason));
    let tags = Tags::parse(text).map_err(|_| Outcome::PermError("the signature is unreadable"))?;
    if !arc && tags.get("v") != Some("1") {
        return bad("the signature has no version that is known");
    }
    let needed = |name| {
        let value = tags.get(name).filter(|value| !value.is_empty());
        value.ok_or(Outcome::PermError("the signature lacks a tag"))
    };
    let algorithm = Algorithm::of_signature(needed("a")?)?;
    let decode = |name| {
        tags::base64(needed(name)?).map_err(|_| Outcome::PermError("the signature is no base64"))
    };
    let (value, body_hash) = (decode("b")?, decode("bh")?);
    let Some((header_form, body_form)) = forms(tags.get("c").unwrap_or("simple")) else {
        return bad("the canonical form is unknown");
    };
    let domain = needed("d")?.to_ascii_lowercase();
    let selector = needed("s")?.to_ascii_lowercase();
    if !is_name(&domain) || !is_name(&selector) {
        return bad("the signer is no name");
    }
    let names = needed("h")?.split(':');
    let fields: Vec<String> = names
        .map(|name| name.trim_matches(is_space).to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .take(limits::FIELDS_MAX)
        .collect();
    // RFC 6376 §5.4.
    if !fields.iter().any(|name| name == "from") {
        return bad("From is not signed");
    }
    let agent = match tags.get("i") {
        Some(agent) if !arc => agent.rsplit_once('@').map_or("", |(_, domain)| domain),
        _ => &domain,
    };
    let agent_domain = agent.to_ascii_lowercase();
    if !is_under(&agent_domain, &domain) {
        return bad("the agent is not of the signer's domain");
    }
    let asks_dns = tags
        .list("q")
        .is_none_or(|mut list| list.any(|query| query.eq_ignore_ascii_case("dns/txt")));
    if !asks_dns {
        return bad("the key is not in DNS");
    }
    let number = |name| {
        tags.number(name)
            .map_err(|_| Outcome::PermError("a number of the signature is none"))
    };
    Ok(Signature {
        algorithm,
        value,
        body_hash,
        header_form,
        body_form,
        fields,
        length: number("l")?,
        made: number("t")?,
        expires: number("x")?,
        domain,
        selector,
        agent_domain,
    })
}

impl Signature {
    /// RFC 8617 §4.1.2.
    pub fn parse_arc(text: &str) -> Result<Self, Outcome> {
        parse(text, true)
    }
}
