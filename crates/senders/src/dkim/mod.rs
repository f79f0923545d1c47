//! DKIM signatures: RFC 6376, with the algorithms of RFC 8301 and RFC 8463.

mod key;
mod sign;
mod signature;
mod verify;

use std::fmt;

use crate::canonical::Form;

pub use key::{Algorithm, PublicKey, name, publishes, record};
pub use sign::{KeyError, SigningKey, sign};
pub(crate) use sign::{end_with, message_signature};
pub(crate) use signature::Signature;
pub(crate) use verify::check;
pub use verify::{Checked, FOR_TLS_REPORTS, verify};

/// RFC 8601 §2.7.1, with its reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    Fail(&'static str),
    /// It is right, but not what we take for an answer.
    Policy(&'static str),
    Neutral(&'static str),
    TempError,
    PermError(&'static str),
}

impl Outcome {
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Outcome::Pass => None,
            Outcome::TempError => Some("DNS does not answer"),
            Outcome::Fail(reason)
            | Outcome::Policy(reason)
            | Outcome::Neutral(reason)
            | Outcome::PermError(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::Policy(_) => "policy",
            Outcome::Neutral(_) => "neutral",
            Outcome::TempError => "temperror",
            Outcome::PermError(_) => "permerror",
        })
    }
}

/// The form in which a signature wants the body; simple when it is not to be understood.
pub(crate) fn body_form(value: &str) -> Form {
    let tags = crate::tags::Tags::parse(value).unwrap_or_default();
    let form = tags.get("c").and_then(signature::forms);
    form.map_or(Form::Simple, |(_, body)| body)
}
