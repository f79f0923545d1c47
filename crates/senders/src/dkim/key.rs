//! Keys in DNS, RFC 6376 §3.6, RFC 8463 §4.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Outcome;
use crate::limits;
use crate::tags::{self, Tags};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    RsaSha256,
    Ed25519Sha256,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::RsaSha256 => "rsa-sha256",
            Algorithm::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    fn key_type(self) -> &'static str {
        match self {
            Algorithm::RsaSha256 => "rsa",
            Algorithm::Ed25519Sha256 => "ed25519",
        }
    }

    pub(crate) fn of_signature(name: &str) -> Result<Self, Outcome> {
        match name.to_ascii_lowercase().as_str() {
            "rsa-sha256" => Ok(Algorithm::RsaSha256),
            "ed25519-sha256" => Ok(Algorithm::Ed25519Sha256),
            // RFC 8301 §3.1.
            "rsa-sha1" => Err(Outcome::Policy("rsa-sha1 is not believed any more")),
            _ => Err(Outcome::PermError("the algorithm is unknown")),
        }
    }
}

/// A key as published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub algorithm: Algorithm,
    bytes: Vec<u8>,
    /// `t=s`: agents of subdomains are not this key's (RFC 6376 §3.6.1).
    pub strict: bool,
    /// `t=y`.
    pub testing: bool,
    /// `s=tlsrpt` and no more (RFC 8460 §3).
    pub for_tls_reports: bool,
}

/// Where the record of a key is (RFC 6376 §3.6.2.1).
pub fn name(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// Does a record publish this very key?
pub fn publishes(record: &[u8], algorithm: Algorithm, public: &[u8]) -> bool {
    PublicKey::parse(record).is_ok_and(|key| {
        let in_use = !key.testing && !key.for_tls_reports;
        key.algorithm == algorithm && key.bytes == public && in_use
    })
}

/// The TXT record that publishes a key.
pub fn record(algorithm: Algorithm, public: &[u8]) -> String {
    format!(
        "v=DKIM1; k={}; p={}",
        algorithm.key_type(),
        STANDARD.encode(public)
    )
}

impl PublicKey {
    pub fn parse(record: &[u8]) -> Result<Self, Outcome> {
        let text = String::from_utf8_lossy(record);
        let bad = |reason| Err(Outcome::PermError(reason));
        let unreadable = Outcome::PermError("the key record is unreadable");
        let tags = Tags::parse(&text).map_err(|_| unreadable.clone())?;
        if let Some(version) = tags.get("v")
            && (version != "DKIM1" || tags.first().is_none_or(|(name, _)| name != "v"))
        {
            return Err(unreadable);
        }
        let algorithm = match tags.get("k").unwrap_or("rsa") {
            "rsa" => Algorithm::RsaSha256,
            "ed25519" => Algorithm::Ed25519Sha256,
            _ => return bad("the key is of an unknown kind"),
        };
        let list_has = |name, wanted: &[&str]| {
            let list = tags.list(name);
            list.is_none_or(|mut list| list.any(|have| wanted.contains(&have)))
        };
        if !list_has("h", &["sha256"]) {
            return bad("the key is not for this hash");
        }
        let for_tls_reports = !list_has("s", &["*", "email"]);
        if for_tls_reports && !list_has("s", &["tlsrpt"]) {
            return bad("the key is not for mail");
        }
        let flag = |wanted| {
            tags.list("t")
                .is_some_and(|mut list| list.any(|have| have == wanted))
        };
        let value = tags.get("p").ok_or(unreadable.clone())?;
        if value.is_empty() {
            return bad("the key is withdrawn");
        }
        let bytes = tags::base64(value).map_err(|_| unreadable)?;
        match algorithm {
            Algorithm::RsaSha256 => match rsa_bits(&bytes) {
                None => return bad("the key is no RSA key"),
                // RFC 8301 §3.2.
                Some(bits) if bits < limits::RSA_BITS_MIN => {
                    return Err(Outcome::Policy("the key is too short"));
                }
                Some(bits) if bits > limits::RSA_BITS_MAX => return bad("the key is too long"),
                Some(_) => {}
            },
            Algorithm::Ed25519Sha256 if bytes.len() != 32 => {
                return bad("the key is no Ed25519 key");
            }
            Algorithm::Ed25519Sha256 => {}
        }
        Ok(PublicKey {
            algorithm,
            bytes,
            for_tls_reports,
            strict: flag("s"),
            testing: flag("y"),
        })
    }

    /// RFC 8463 §3: Ed25519 signs the hash.
    pub fn has_signed(&self, data: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::RsaSha256 => {
                let key = UnparsedPublicKey::new(
                    &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                    &self.bytes,
                );
                key.verify(data, signature).is_ok()
            }
            Algorithm::Ed25519Sha256 => {
                let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
                key.verify(digest(&SHA256, data).as_ref(), signature)
                    .is_ok()
            }
        }
    }
}

/// Bits of the modulus, of a SubjectPublicKeyInfo (RFC 5280) or an RSAPublicKey (RFC 8017).
fn rsa_bits(der: &[u8]) -> Option<usize> {
    const INTEGER: u8 = 2;
    const BIT_STRING: u8 = 3;
    const SEQUENCE: u8 = 0x30;
    let (tag, outer, _) = element(der)?;
    if tag != SEQUENCE {
        return None;
    }
    let (tag, first, rest) = element(outer)?;
    let modulus = match tag {
        INTEGER => first,
        SEQUENCE => {
            let (tag, bits, _) = element(rest)?;
            let key = bits.strip_prefix(&[0]).filter(|_| tag == BIT_STRING)?;
            let (tag, inner, _) = element(key)?;
            let (integer, modulus, _) = element(inner)?;
            (tag == SEQUENCE && integer == INTEGER).then_some(modulus)?
        }
        _ => return None,
    };
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let significant = modulus.get(start..)?;
    let leading = significant.first()?.leading_zeros() as usize;
    Some(significant.len() * 8 - leading)
}

/// Tag, content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=127 => (usize::from(*length), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let ([high, low], rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}
