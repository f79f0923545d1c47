//! Passwords as they are compared: NFKC, other spaces as a space, control characters refused.
//!
//! RFC 5802 §5.1 asks for SASLprep (RFC 4013), which SCRAM clients apply before they hash, so the
//! keys must be made of the same string; RFC 8265 §4.2 (OpaqueString) differs in normalising less.
//! For ASCII both are the identity. What SASLprep further forbids (private use, unassigned, mixed
//! direction) is let through: refusing it would lock people out of a password that they have.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// `None`: empty, or holds a control character.
pub(crate) fn prepare(password: &str) -> Option<Cow<'_, str>> {
    if password.is_empty() || password.chars().any(char::is_control) {
        return None;
    }
    if password.is_ascii() {
        return Some(Cow::Borrowed(password));
    }
    // RFC 4013 §2.1: spaces are mapped, soft hyphens and joiners vanish.
    let mapped: String = password
        .chars()
        .filter(|c| {
            !matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
            )
        })
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect();
    let normalised = ComposingNormalizerBorrowed::new_nfkc().normalize(&mapped);
    Some(Cow::Owned(normalised.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        for (given, expected) in [
            ("user", Some("user")),
            // RFC 4013 §3.
            ("I\u{ad}X", Some("IX")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("a\u{a0}b", Some("a b")),
            // Typed on another system: the accent apart.
            ("e\u{301}te\u{301}", Some("été")),
            ("", None),
            ("a\u{7}", None),
        ] {
            assert_eq!(prepare(given).as_deref(), expected, "{given:?}");
        }
    }
}
