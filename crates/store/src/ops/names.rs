//! Mailbox names: UTF-8, levels separated by '/'.

use crate::Error;
use crate::limits::{MAILBOX_LEVEL_BYTES_MAX, MAILBOX_LEVELS_MAX, MAILBOX_NAME_BYTES_MAX};

pub const SEPARATOR: char = '/';
pub const INBOX: &str = "INBOX";

/// INBOX is the same in any case (RFC 9051 §5.1), alone and as the first level.
pub fn normalise(name: &str) -> String {
    match name.split_once(SEPARATOR) {
        Some((first, rest)) if first.eq_ignore_ascii_case(INBOX) => format!("{INBOX}/{rest}"),
        None if name.eq_ignore_ascii_case(INBOX) => INBOX.to_owned(),
        _ => name.to_owned(),
    }
}

pub fn check(name: &str) -> Result<(), Error> {
    let good_level = |level: &str| {
        !level.trim().is_empty()
            && level.len() <= MAILBOX_LEVEL_BYTES_MAX
            && !level.chars().any(|c| c.is_control() || c == '\u{feff}')
    };
    let good = name.len() <= MAILBOX_NAME_BYTES_MAX
        && name.split(SEPARATOR).count() <= MAILBOX_LEVELS_MAX
        && name.split(SEPARATOR).all(good_level);
    if good { Ok(()) } else { Err(Error::BadName) }
}

/// The names above, nearest to the root first.
pub fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(SEPARATOR)
        .filter_map(|(at, _)| name.get(..at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_has_one_spelling() {
        assert_eq!(normalise("inbox"), "INBOX");
        assert_eq!(normalise("Inbox/a"), "INBOX/a");
        assert_eq!(normalise("inboxes"), "inboxes");
    }

    #[test]
    fn names_are_checked() {
        for good in ["a", "a/b", "Entw\u{fc}rfe", "a b", "INBOX/x"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "a\nb", "a\0", " ", "a/ /b", "\u{a0}",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&"a".repeat(256)).is_err());
        assert!(check(&["a"; 33].join("/")).is_err());
    }

    #[test]
    fn parents_come_in_order() {
        assert_eq!(parents("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
