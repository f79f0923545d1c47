//! ARC, RFC 8617: what the servers before us saw, each vouching for what it got; and what we saw, for
//! those after us. Who is trusted to have seen right is decided elsewhere.

use std::fmt;

use crate::canonical::{self, Form};
use crate::dkim::{self, Algorithm, KeyError, PublicKey, Signature, SigningKey};
use crate::dns::{Answers, Nothing, Wanted, is_name};
use crate::limits;
use crate::tags::{self, Tags};
use crate::tap::{Field, Seen};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// No chain.
    #[default]
    None,
    Pass,
    Fail(&'static str),
    TempError,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::None => "none",
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::TempError => "temperror",
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub outcome: Outcome,
    /// Who sealed, the first one first; believed only when the outcome is pass.
    pub sealers: Vec<String>,
}

/// The three fields of one server.
#[derive(Clone, Copy)]
struct Set<'a> {
    results: &'a Field,
    message: &'a Field,
    seal: &'a Field,
}

/// Ends the check.
enum Stop {
    Wanted,
    Fail(&'static str),
    TempError,
}

impl From<Wanted> for Stop {
    fn from(_: Wanted) -> Self {
        Stop::Wanted
    }
}

pub fn check(seen: &Seen, now: i64, answers: &mut Answers) -> Result<Checked, Wanted> {
    let mut checked = Checked::default();
    checked.outcome = match chain(seen, now, answers, &mut checked.sealers) {
        Ok(()) if checked.sealers.is_empty() => Outcome::None,
        Ok(()) => Outcome::Pass,
        Err(Stop::Wanted) => return Err(Wanted),
        Err(Stop::Fail(why)) => Outcome::Fail(why),
        Err(Stop::TempError) => Outcome::TempError,
    };
    Ok(checked)
}

/// RFC 8617 §5.2.
fn chain(
    seen: &Seen,
    now: i64,
    answers: &mut Answers,
    sealers: &mut Vec<String>,
) -> Result<(), Stop> {
    let sets = sets(seen)?;
    let Some(last) = sets.last() else {
        return Ok(());
    };
    let mut seals = Vec::new();
    for (number, set) in sets.iter().enumerate() {
        let text = String::from_utf8_lossy(seen.value(set.seal)).into_owned();
        let seal = Seal::parse(&text)?;
        // §5.1.1: the first one has nothing to judge, the others must have found it whole.
        let expected = if number == 0 { "none" } else { "pass" };
        if !seal.chain.eq_ignore_ascii_case(expected) {
            return Err(Stop::Fail("the chain was broken before"));
        }
        sealers.push(seal.domain.clone());
        seals.push(seal);
    }
    let text = String::from_utf8_lossy(seen.value(last.message)).into_owned();
    let signature =
        Signature::parse_arc(&text).map_err(|_| Stop::Fail("a signature is unreadable"))?;
    let (outcome, _) = dkim::check(seen, last.message, &signature, now, answers)?;
    match outcome {
        dkim::Outcome::Pass => {}
        dkim::Outcome::TempError => return Err(Stop::TempError),
        _ => return Err(Stop::Fail("the message was changed behind the last seal")),
    }
    let mut wanted = false;
    for (number, seal) in seals.iter().enumerate() {
        match seal_is_right(seen, sets.get(..=number).unwrap_or_default(), seal, answers) {
            Ok(()) => {}
            Err(Stop::Wanted) => wanted = true,
            Err(stop) => return Err(stop),
        }
    }
    if wanted { Err(Stop::Wanted) } else { Ok(()) }
}

/// §5.2 (3): from 1 on without a gap, each field once.
fn sets(seen: &Seen) -> Result<Vec<Set<'_>>, Stop> {
    let of = |name: &'static str| -> Result<Vec<(usize, &Field)>, Stop> {
        let mut list = Vec::new();
        for field in seen.named(name) {
            let number =
                instance(seen.value(field)).ok_or(Stop::Fail("an instance has no number"))?;
            list.push((number, field));
        }
        list.sort_by_key(|(number, _)| *number);
        Ok(list)
    };
    let results = of("arc-authentication-results")?;
    let messages = of("arc-message-signature")?;
    let seals = of("arc-seal")?;
    if results.len() != messages.len() || messages.len() != seals.len() {
        return Err(Stop::Fail("a set of the chain is incomplete"));
    }
    if seals.len() > limits::ARC_SETS_MAX {
        return Err(Stop::Fail("the chain is too long"));
    }
    let mut sets = Vec::new();
    for (place, ((a, b), c)) in results.iter().zip(&messages).zip(&seals).enumerate() {
        if [a.0, b.0, c.0] != [place + 1; 3] {
            return Err(Stop::Fail("a set of the chain is incomplete"));
        }
        sets.push(Set {
            results: a.1,
            message: b.1,
            seal: c.1,
        });
    }
    Ok(sets)
}

/// Of a message that is passed on: the three fields to put in front of it, RFC 8617 §5.1. `results`:
/// the field Authentication-Results that we wrote of it. `None`: its chain is broken, which nobody can
/// mend, or as long as may be.
pub fn seal(
    seen: &Seen,
    results: &str,
    chain: &Checked,
    key: &SigningKey,
    (domain, selector): (&str, &str),
    now: i64,
) -> Result<Option<String>, KeyError> {
    let found = match chain.outcome {
        Outcome::None => "none",
        Outcome::Pass => "pass",
        Outcome::Fail(_) | Outcome::TempError => return Ok(None),
    };
    let Ok(sets) = sets(seen) else {
        return Ok(None);
    };
    let number = sets.len() + 1;
    if number > limits::ARC_SETS_MAX {
        return Ok(None);
    }
    let said = results
        .strip_prefix("Authentication-Results:")
        .unwrap_or_default();
    let results = format!("ARC-Authentication-Results: i={number};{said}");
    let start = format!("ARC-Message-Signature: i={number}");
    let message = dkim::message_signature(&start, seen, key, (domain, selector), now)?;
    let own = format!(
        "ARC-Seal: i={number}; a={}; t={now}; cv={found};\r\n\td={domain}; s={selector};\r\n\tb=",
        key.algorithm().name(),
    );
    let mut data = Vec::new();
    for set in &sets {
        for field in [set.results, set.message, set.seal] {
            canonical::field(Form::Relaxed, seen.raw(field), &mut data);
        }
    }
    canonical::field(Form::Relaxed, results.as_bytes(), &mut data);
    canonical::field(Form::Relaxed, message.as_bytes(), &mut data);
    canonical::own_field(Form::Relaxed, own.as_bytes(), &mut data);
    let seal = dkim::end_with(own, &key.sign(&data)?);
    Ok(Some(format!("{seal}{message}{results}")))
}

/// `i=`, which stands first in all three (in ARC-Authentication-Results no tags follow).
fn instance(value: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(value).into_owned();
    let mut pieces = text.split(';');
    let number = pieces.find_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        (name.trim() == "i").then(|| value.trim().to_owned())
    })?;
    let number: usize = number.parse().ok()?;
    (1..=limits::ARC_SETS_MAX)
        .contains(&number)
        .then_some(number)
}

struct Seal {
    algorithm: Algorithm,
    value: Vec<u8>,
    domain: String,
    selector: String,
    chain: String,
}

impl Seal {
    /// RFC 8617 §4.1.3.
    fn parse(text: &str) -> Result<Self, Stop> {
        const BAD: Stop = Stop::Fail("a seal is unreadable");
        let tags = Tags::parse(text).map_err(|_| BAD)?;
        let get = |name| tags.get(name).ok_or(BAD);
        let (domain, selector) = (
            get("d")?.to_ascii_lowercase(),
            get("s")?.to_ascii_lowercase(),
        );
        // §4.1.3: a seal that names fields is none.
        if tags.get("h").is_some() || !is_name(&domain) || !is_name(&selector) {
            return Err(BAD);
        }
        Ok(Seal {
            algorithm: Algorithm::of_signature(get("a")?).map_err(|_| BAD)?,
            value: tags::base64(get("b")?).map_err(|_| BAD)?,
            domain,
            selector,
            chain: get("cv")?.to_owned(),
        })
    }
}

/// §5.1.1: a seal covers all sets up to its own.
fn seal_is_right(
    seen: &Seen,
    sets: &[Set<'_>],
    seal: &Seal,
    answers: &mut Answers,
) -> Result<(), Stop> {
    let name = format!("{}._domainkey.{}", seal.selector, seal.domain);
    let key = match answers.txt(&name)? {
        Ok(records) => records
            .iter()
            .take(limits::SIGNATURES_MAX)
            .filter_map(|record| PublicKey::parse(record).ok())
            .find(|key| key.algorithm == seal.algorithm),
        Err(Nothing::Temporary) => return Err(Stop::TempError),
        Err(_) => None,
    };
    let key = key.ok_or(Stop::Fail("a seal has no key"))?;
    let mut data = Vec::new();
    for (number, set) in sets.iter().enumerate() {
        canonical::field(Form::Relaxed, seen.raw(set.results), &mut data);
        canonical::field(Form::Relaxed, seen.raw(set.message), &mut data);
        if number + 1 == sets.len() {
            canonical::own_field(Form::Relaxed, seen.raw(set.seal), &mut data);
        } else {
            canonical::field(Form::Relaxed, seen.raw(set.seal), &mut data);
        }
    }
    if key.has_signed(&data, &seal.value) {
        Ok(())
    } else {
        Err(Stop::Fail("a seal is not right"))
    }
}
