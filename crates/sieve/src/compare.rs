//! Comparators and match types (RFC 5228 §2.7, RFC 4790, RFC 5231), wildcards with what they stand
//! for (RFC 5229 §3.2), bounded patterns.

use std::cmp::Ordering;

use facteur_message::collation::casemap;
use regex::{Regex, RegexBuilder};

use crate::limits;
use crate::program::Comparator;

impl Comparator {
    pub(crate) fn named(name: &str) -> Option<Comparator> {
        Some(match name {
            "i;octet" => Comparator::Octet,
            "i;ascii-casemap" => Comparator::AsciiCasemap,
            "i;ascii-numeric" => Comparator::AsciiNumeric,
            "i;unicode-casemap" => Comparator::UnicodeCasemap,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Comparator::Octet => "i;octet",
            Comparator::AsciiCasemap => "i;ascii-casemap",
            Comparator::AsciiNumeric => "i;ascii-numeric",
            Comparator::UnicodeCasemap => "i;unicode-casemap",
        }
    }

    /// RFC 4790 §9.1: the numeric one knows equality and order only.
    pub(crate) fn finds_substrings(self) -> bool {
        self != Comparator::AsciiNumeric
    }

    pub(crate) fn order(self, a: &str, b: &str) -> Ordering {
        match self {
            Comparator::Octet => a.as_bytes().cmp(b.as_bytes()),
            Comparator::AsciiCasemap => {
                let upper = |text: &str| -> Vec<u8> {
                    text.bytes().map(|b| b.to_ascii_uppercase()).collect()
                };
                upper(a).cmp(&upper(b))
            }
            Comparator::AsciiNumeric => number(a).cmp(&number(b)),
            // RFC 5051 §2.
            Comparator::UnicodeCasemap => casemap(a).cmp(&casemap(b)),
        }
    }

    pub(crate) fn equal(self, a: &str, b: &str) -> bool {
        match self {
            Comparator::Octet => a == b,
            Comparator::AsciiCasemap => a.eq_ignore_ascii_case(b),
            // RFC 4790 §9.1.2: two that are no numbers are equal.
            Comparator::AsciiNumeric => number(a) == number(b),
            Comparator::UnicodeCasemap => casemap(a) == casemap(b),
        }
    }

    pub(crate) fn contains(self, value: &str, key: &str) -> bool {
        match self {
            Comparator::AsciiCasemap => {
                let (value, key) = (value.to_ascii_lowercase(), key.to_ascii_lowercase());
                memchr::memmem::find(value.as_bytes(), key.as_bytes()).is_some()
            }
            Comparator::UnicodeCasemap => {
                let (value, key) = (casemap(value), casemap(key));
                memchr::memmem::find(value.as_bytes(), key.as_bytes()).is_some()
            }
            Comparator::Octet | Comparator::AsciiNumeric => {
                memchr::memmem::find(value.as_bytes(), key.as_bytes()).is_some()
            }
        }
    }

    fn same(self, a: char, b: char) -> bool {
        match self {
            Comparator::Octet | Comparator::AsciiNumeric => a == b,
            Comparator::AsciiCasemap => a.eq_ignore_ascii_case(&b),
            // Character by character: a wildcard's neighbour in two pieces stays in two pieces.
            Comparator::UnicodeCasemap => {
                a == b || casemap(a.encode_utf8(&mut [0; 4])) == casemap(b.encode_utf8(&mut [0; 4]))
            }
        }
    }
}

/// RFC 4790 §9.1: the digits in front; none: greater than every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Number<'a> {
    /// By length first: the zeros in front are off.
    Digits(usize, &'a str),
    Infinite,
}

fn number(text: &str) -> Number<'_> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 {
        return Number::Infinite;
    }
    let digits = text.get(..end).unwrap_or_default().trim_start_matches('0');
    Number::Digits(digits.len(), digits)
}

/// One element of a wildcard pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    Char(char),
    One,
    Many,
}

/// RFC 5228 §2.7.1: a backslash takes the next character as it is.
fn wildcards(pattern: &str) -> Vec<Wild> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' => Wild::Many,
            '?' => Wild::One,
            '\\' => Wild::Char(chars.next().unwrap_or('\\')),
            c => Wild::Char(c),
        });
    }
    out
}

/// What a match costs at most, in steps: what stands behind a star may be tried at every place.
pub(crate) fn matching_cost(comparator: Comparator, value: &str, pattern: &str) -> u64 {
    let star = memchr::memchr(b'*', pattern.as_bytes());
    let tried = star.map_or(1, |at| pattern.len() - at);
    // Two characters that are not the same are folded to be compared.
    let each = match comparator {
        Comparator::UnicodeCasemap => 16,
        _ => 1,
    };
    let product = value.len().saturating_mul(tried).saturating_mul(each);
    u64::try_from(product / 64).unwrap_or(u64::MAX)
}

/// `:matches`; what stood for the whole and for each wildcard, as little as possible from the left
/// (RFC 5229 §3.2). Time at most length times length: only the last `*` is ever moved on, which
/// finds a match wherever there is one.
pub(crate) fn matches(comparator: Comparator, value: &str, pattern: &str) -> Option<Vec<String>> {
    let pattern = wildcards(pattern);
    let text: Vec<char> = value.chars().collect();
    // Where what stands for each wildcard begins and ends.
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let (mut at, mut next) = (0, 0);
    // The last `*`: its place in the pattern, and how many wildcards come before it.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(next), text.get(at)) {
            (Some(Wild::Many), _) => {
                star = Some((next, spans.len()));
                spans.push((at, at));
                next += 1;
                continue;
            }
            (None, None) => break,
            (Some(Wild::One), Some(_)) => {
                spans.push((at, at + 1));
                true
            }
            (Some(Wild::Char(wanted)), Some(c)) => comparator.same(*wanted, *c),
            (Some(_), None) => return None,
            (None, Some(_)) => false,
        };
        if step {
            at += 1;
            next += 1;
            continue;
        }
        // The last star takes one character more.
        let (place, before) = star?;
        spans.truncate(before + 1);
        let last = spans.last_mut()?;
        last.1 += 1;
        at = last.1;
        next = place + 1;
        if at > text.len() {
            return None;
        }
    }
    let mut found = vec![value.to_owned()];
    for (start, end) in spans.into_iter().take(limits::MATCHES_MAX) {
        found.push(text.get(start..end).unwrap_or_default().iter().collect());
    }
    Some(found)
}

/// draft-ietf-sieve-regex: POSIX extended, by an engine that takes linear time. `None`: no pattern,
/// or too large.
pub(crate) fn pattern(comparator: Comparator, text: &str) -> Option<Regex> {
    RegexBuilder::new(text)
        .case_insensitive(matches!(
            comparator,
            Comparator::AsciiCasemap | Comparator::UnicodeCasemap
        ))
        .size_limit(limits::REGEX_BYTES_MAX)
        .dfa_size_limit(limits::REGEX_BYTES_MAX)
        .nest_limit(limits::REGEX_DEPTH_MAX)
        .build()
        .ok()
}

/// draft-ietf-sieve-regex §6: nothing in it has a special meaning any more.
pub(crate) fn quote(text: &str) -> String {
    regex::escape(text)
}

pub(crate) fn captures(pattern: &Regex, value: &str) -> Option<Vec<String>> {
    let found = pattern.captures(value)?;
    let texts = found.iter().take(limits::MATCHES_MAX);
    Some(
        texts
            .map(|group| group.map_or_else(String::new, |group| group.as_str().to_owned()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(value: &str, pattern: &str) -> Option<Vec<String>> {
        matches(Comparator::AsciiCasemap, value, pattern)
    }

    #[test]
    fn wildcards_stand_for_as_little_as_possible() {
        for (value, pattern, expected) in [
            ("", "", Some(vec![""])),
            ("", "*", Some(vec!["", ""])),
            ("x", "", None),
            ("abc", "a?c", Some(vec!["abc", "b"])),
            ("ac", "a?c", None),
            ("frop*", "frop\\*", Some(vec!["frop*"])),
            ("fropx", "frop\\*", None),
            ("a\\b", "a\\\\b", Some(vec!["a\\b"])),
            // RFC 5229 §3.2, its examples.
            (
                "\"ACME users\" <acme-users@list.example.com>",
                "*<*@*",
                Some(vec![
                    "\"ACME users\" <acme-users@list.example.com>",
                    "\"ACME users\" ",
                    "acme-users",
                    "list.example.com>",
                ]),
            ),
            (
                "[acme-users] [fwd] version 1.0 is out",
                "[*] *",
                Some(vec![
                    "[acme-users] [fwd] version 1.0 is out",
                    "acme-users",
                    "[fwd] version 1.0 is out",
                ]),
            ),
            (
                "coyote@ACME.Example.COM",
                "coyote@**.com",
                Some(vec!["coyote@ACME.Example.COM", "", "ACME.Example"]),
            ),
            ("aXbXc", "*x*", Some(vec!["aXbXc", "a", "bXc"])),
            ("ababc", "*abc", Some(vec!["ababc", "ab"])),
            ("é1", "?1", Some(vec!["é1", "é"])),
            ("abcd", "?*?", Some(vec!["abcd", "a", "bc", "d"])),
        ] {
            let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!(found(value, pattern), expected, "{value} {pattern}");
        }
    }

    #[test]
    fn comparators() {
        use Comparator::{AsciiCasemap, AsciiNumeric, Octet};
        assert!(AsciiCasemap.equal("ABC", "abc") && !Octet.equal("ABC", "abc"));
        assert!(AsciiCasemap.contains("xABCx", "abc") && !Octet.contains("xABCx", "abc"));
        assert!(Octet.contains("anything", ""));
        for (a, b, order) in [
            ("1", "2", Ordering::Less),
            ("10", "9", Ordering::Greater),
            ("007", "7", Ordering::Equal),
            ("7 of 9", "7", Ordering::Equal),
            ("x", "99999999999999999999999", Ordering::Greater),
            ("", "y", Ordering::Equal),
        ] {
            assert_eq!(AsciiNumeric.order(a, b), order, "{a} {b}");
            assert_eq!(AsciiNumeric.equal(a, b), order.is_eq(), "{a} {b}");
        }
        assert_eq!(AsciiCasemap.order("a", "B"), Ordering::Less);
        assert_eq!(Octet.order("a", "B"), Ordering::Greater);
        // RFC 4790 §9.2: letters count as upper case, so "_" comes after them.
        assert_eq!(AsciiCasemap.order("a", "_"), Ordering::Less);
    }

    #[test]
    fn patterns_are_bounded() {
        assert!(pattern(Comparator::Octet, "(a|b)+[[:digit:]]{2}$").is_some());
        assert!(pattern(Comparator::Octet, "(").is_none());
        assert!(pattern(Comparator::Octet, "((a{100}){100}){100}").is_none());
        let deep = format!("{}a{}", "(".repeat(1000), ")".repeat(1000));
        assert!(pattern(Comparator::Octet, &deep).is_none());
    }

    /// By trying all there is.
    fn slow(text: &[char], pattern: &[Wild]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some((Wild::Many, rest)), _) => {
                (0..=text.len()).any(|n| slow(text.get(n..).unwrap(), rest))
            }
            (Some((Wild::One, rest)), Some((_, more))) => slow(more, rest),
            (Some((Wild::Char(a), rest)), Some((b, more))) => a == b && slow(more, rest),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_right(value in "[ab]{0,10}", pattern in "[ab?*]{0,7}") {
            let chars: Vec<char> = value.chars().collect();
            let found = matches(Comparator::Octet, &value, &pattern);
            prop_assert_eq!(found.is_some(), slow(&chars, &wildcards(&pattern)));
            if let Some(found) = found {
                // What the wildcards stand for, in their places, gives the value again.
                let mut parts = found.iter().skip(1);
                let again: String = wildcards(&pattern)
                    .into_iter()
                    .map(|wild| match wild {
                        Wild::Char(c) => c.to_string(),
                        Wild::One | Wild::Many => parts.next().unwrap().clone(),
                    })
                    .collect();
                prop_assert_eq!(again, value);
            }
        }
    }
}
