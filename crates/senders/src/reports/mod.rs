//! Reports of what receivers saw: of mail in a domain's name (DMARC, RFC 7489 §7.2 and appendix C, with
//! what RFC 9990 adds) and of TLS on the way to it (RFC 8460).
//!
//! Reading is liberal in form, since every receiver writes a little differently, and bounded in size:
//! [`package`] unpacks, [`aggregate`] and [`tls`] read and write. What a report says is the claim of
//! whoever sent it; nothing here makes it true.

pub mod aggregate;
mod lenient;
pub mod package;
mod text;
pub mod tls;

pub use aggregate::AggregateReport;
pub use tls::TlsReport;

use std::fmt;

/// A word for each value, as reports write it.
type Words<T, const N: usize> = [(T, &'static str); N];

fn word_of<T: Copy + PartialEq, const N: usize>(words: &Words<T, N>, value: T) -> &'static str {
    let found = words.iter().find(|(one, _)| *one == value);
    found.map_or("", |(_, word)| word)
}

/// In any case.
fn named<T: Copy, const N: usize>(words: &Words<T, N>, word: &str) -> Option<T> {
    let found = words.iter().find(|(_, one)| one.eq_ignore_ascii_case(word));
    found.map(|(value, _)| *value)
}

/// Why something is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Unpacked it is too large, or grows too much.
    TooLarge,
    TooDeep,
    /// It cannot be unpacked.
    Damaged,
    /// It is no XML, or no JSON.
    Malformed,
    /// It brings definitions of its own, which no report needs.
    Doctype,
    /// It says nothing of a domain, or not of which time.
    Incomplete,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bad::TooLarge => "it is too large when unpacked",
            Bad::TooDeep => "it is nested too deep",
            Bad::Damaged => "it cannot be unpacked",
            Bad::Malformed => "it is not written as a report is",
            Bad::Doctype => "it brings definitions of its own",
            Bad::Incomplete => "it does not say about what domain or time it is",
        })
    }
}

impl std::error::Error for Bad {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Aggregate(AggregateReport),
    Tls(TlsReport),
}

/// What was attached, packed or not. Which of the two it is shows in its first character.
pub fn read(attached: &[u8]) -> Result<Report, Bad> {
    let bytes = package::unpack(attached)?;
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'<') => aggregate::parse(start).map(Report::Aggregate),
        Some(b'{') => tls::parse(start).map(Report::Tls),
        _ => Err(Bad::Malformed),
    }
}
