//! LIST patterns, RFC 9051 §6.3.9.

use crate::cursor::{Fault, Parse};
use crate::limits;

/// A pattern in UTF-8 with its reference in front, at most `limits::LIST_WILDCARDS_MAX` wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub(crate) fn new(pattern: String) -> Parse<Self> {
        let wildcards = pattern
            .bytes()
            .filter(|byte| matches!(byte, b'*' | b'%'))
            .count();
        if wildcards > limits::LIST_WILDCARDS_MAX {
            return Err(Fault::TooMuch);
        }
        Ok(Pattern(pattern))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every name that matches begins with: all before the first wildcard.
    pub fn beginning(&self) -> &str {
        let end = self.0.find(['*', '%']).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }

    /// `name` is full, in UTF-8, separated by '/'. `*` matches anything, `%` all but a separator;
    /// INBOX matches in any case.
    pub fn matches(&self, name: &str) -> bool {
        ends(self.0.as_bytes(), name.as_bytes()).whole
    }

    /// Some name below `name` may match: what a client that asks level by level is to see of its
    /// children.
    pub fn may_match_below(&self, name: &str) -> bool {
        let mut prefix = name.as_bytes().to_vec();
        prefix.push(b'/');
        ends(self.0.as_bytes(), &prefix).prefix
    }
}

struct Ends {
    /// The pattern matches the name.
    whole: bool,
    /// The pattern matches something that goes on after the name.
    prefix: bool,
}

/// Every state that the pattern can be in after the name, so the work is at most the product of
/// their lengths.
fn ends(pattern: &[u8], name: &[u8]) -> Ends {
    let mut states = vec![false; pattern.len() + 1];
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    pass_wildcards(pattern, &mut states);
    // INBOX is the same in any case (RFC 9051 §5.1).
    let inbox = name == b"INBOX" || name.starts_with(b"INBOX/");
    for (position, byte) in name.iter().enumerate() {
        let any_case = inbox && position < b"INBOX".len();
        let mut next = vec![false; states.len()];
        for (index, wanted) in pattern.iter().enumerate() {
            if !states.get(index).copied().unwrap_or(false) {
                continue;
            }
            let stays = *wanted == b'*' || *wanted == b'%' && *byte != b'/';
            let same = wanted == byte || any_case && wanted.eq_ignore_ascii_case(byte);
            let moves = !matches!(wanted, b'*' | b'%') && same;
            let target = if stays { index } else { index + 1 };
            if (stays || moves)
                && let Some(state) = next.get_mut(target)
            {
                *state = true;
            }
        }
        pass_wildcards(pattern, &mut next);
        states = next;
    }
    let whole = states.last().copied().unwrap_or(false);
    let prefix = states.iter().take(pattern.len()).any(|state| *state);
    Ends { whole, prefix }
}

/// A wildcard may match nothing.
fn pass_wildcards(pattern: &[u8], states: &mut [bool]) {
    for (index, wanted) in pattern.iter().enumerate() {
        if matches!(wanted, b'*' | b'%')
            && states.get(index).copied().unwrap_or(false)
            && let Some(state) = states.get_mut(index + 1)
        {
            *state = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (pattern, name, expected) in [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a/%", "a/b", true),
            ("a/%", "a", false),
            ("a/*", "a/b/c", true),
            ("a*", "a", true),
            ("*b", "a/b", true),
            ("%b", "a/b", false),
            ("INBOX", "INBOX", true),
            ("IN%", "INBOX", true),
            ("in%", "INBOX", true),
            ("inbox/a", "INBOX/a", true),
            ("inbox/a", "INBOX/A", false),
            ("in%", "INDEX", false),
            ("a", "A", false),
            ("", "", true),
            ("*%*", "x/y", true),
            ("%*", "x/y", true),
            ("é%", "été", true),
            ("a%c", "abc", true),
            ("a%c", "ab/c", false),
        ] {
            assert_eq!(
                Pattern(pattern.to_owned()).matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn below() {
        for (pattern, name, expected) in [
            ("%", "a", false),
            ("%/%", "a", true),
            ("a/b", "a", true),
            ("a/b", "b", false),
            ("*", "a/b", true),
            ("a/%", "a/b", false),
        ] {
            let pattern = Pattern(pattern.to_owned());
            assert_eq!(
                pattern.may_match_below(name),
                expected,
                "{pattern:?} {name}"
            );
        }
    }

    #[test]
    fn too_many_wildcards() {
        assert!(Pattern::new("%".repeat(limits::LIST_WILDCARDS_MAX)).is_ok());
        assert!(Pattern::new("%".repeat(limits::LIST_WILDCARDS_MAX + 1)).is_err());
    }
}
