//! Signing what people here send, RFC 6376 §5, with RSA-2048 and Ed25519 (RFC 8463).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Algorithm;
use crate::canonical::{self, Form};
use crate::tap::{Field, Seen};

/// A key can't be made or read, or does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a signing key is unusable")
    }
}

impl std::error::Error for KeyError {}

/// A private key; never shown.
pub struct SigningKey {
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new private key, PKCS #8 (RFC 5958).
    pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, KeyError> {
        match algorithm {
            Algorithm::RsaSha256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
                let der: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| KeyError)?;
                Ok(der.as_ref().to_vec())
            }
            Algorithm::Ed25519Sha256 => {
                let random = SystemRandom::new();
                let der = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| KeyError)?;
                Ok(der.as_ref().to_vec())
            }
        }
    }

    pub fn read(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::RsaSha256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError)?;
                Pair::Rsa(Box::new(pair))
            }
            Algorithm::Ed25519Sha256 => {
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError)?)
            }
        };
        Ok(SigningKey { pair })
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::RsaSha256,
            Pair::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// What is published: SubjectPublicKeyInfo of RSA (RFC 6376 §3.6.1), the bare key of Ed25519
    /// (RFC 8463 §4).
    pub fn public(&self) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let der: PublicKeyX509Der<'static> =
                    pair.public_key().as_der().map_err(|_| KeyError)?;
                Ok(der.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.public_key().as_ref().to_vec()),
        }
    }

    pub(crate) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    data,
                    &mut signature,
                )
                .map_err(|_| KeyError)?;
                Ok(signature)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(digest(&SHA256, data).as_ref()).as_ref().to_vec()),
        }
    }
}

/// RFC 6376 §5.4.1, and what changes how a message is read.
const SIGNED: &[&str] = &[
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "auto-submitted",
    "resent-date",
    "resent-from",
    "resent-to",
    "resent-cc",
    "list-id",
    "list-help",
    "list-subscribe",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-post",
    "list-owner",
    "list-archive",
    // RFC 8460 §5.3.
    "tls-report-domain",
    "tls-report-submitter",
];

/// These are named once more than they are there, so that none can be added (RFC 6376 §5.4.2, §8.15).
const OVERSIGNED: &[&str] = &[
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "reply-to",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

/// The field DKIM-Signature with its CRLF. `now`: seconds since 1970.
pub fn sign(
    seen: &Seen,
    key: &SigningKey,
    domain: &str,
    selector: &str,
    now: i64,
) -> Result<String, KeyError> {
    message_signature("DKIM-Signature: v=1", seen, key, (domain, selector), now)
}

/// ARC-Message-Signature, RFC 8617 §4.1.2: the same of a message that is passed on, and it covers
/// the signatures that it came with.
pub(crate) fn message_signature(
    start: &str,
    seen: &Seen,
    key: &SigningKey,
    (domain, selector): (&str, &str),
    now: i64,
) -> Result<String, KeyError> {
    let body = seen.body(Form::Relaxed).ok_or(KeyError)?;
    if seen.too_big {
        return Err(KeyError);
    }
    let passed_on = !start.starts_with("DKIM");
    let further = passed_on.then_some(&"dkim-signature");
    let mut names: Vec<String> = Vec::new();
    for name in SIGNED.iter().chain(further) {
        let there = seen.named(name).count();
        let extra = usize::from(OVERSIGNED.contains(name));
        names.extend(std::iter::repeat_n((*name).to_owned(), there + extra));
    }
    let mut field = format!(
        "{start}; a={}; c=relaxed/relaxed; d={domain};\r\n\ts={selector}; t={now};\r\n",
        key.algorithm().name(),
    );
    fold_names(&mut field, &names);
    field.push_str(&format!(
        "\r\n\tbh={};\r\n\tb=",
        STANDARD.encode(body.sha256)
    ));
    let mut data = Vec::new();
    let own = Field::outside();
    super::verify::selected(seen, &own, &names, Form::Relaxed, &mut data);
    canonical::own_field(Form::Relaxed, field.as_bytes(), &mut data);
    Ok(end_with(field, &key.sign(&data)?))
}

/// The field with what was signed of it.
pub(crate) fn end_with(mut field: String, signature: &[u8]) -> String {
    let value = STANDARD.encode(signature);
    for (number, piece) in value.as_bytes().chunks(72).enumerate() {
        if number > 0 {
            field.push_str("\r\n\t");
        }
        field.push_str(&String::from_utf8_lossy(piece));
    }
    field.push_str("\r\n");
    field
}

fn fold_names(field: &mut String, names: &[String]) {
    const LINE: usize = 72;
    let mut line = String::from("\th=");
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            line.push(':');
        }
        if line.len() + name.len() > LINE {
            field.push_str(&line);
            field.push_str("\r\n");
            line = "\t ".to_owned();
        }
        line.push_str(name);
    }
    field.push_str(&line);
    field.push(';');
}
