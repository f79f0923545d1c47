//! `tag=value; tag=value`, as DKIM (RFC 6376 §3.2), DMARC (RFC 7489 §6.3) and ARC write it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::limits;

/// Not a list of tags, or a tag twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTags;

/// Names as written, values trimmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    pub fn parse(text: &'a str) -> Result<Self, BadTags> {
        let mut tags: Vec<(&str, &str)> = Vec::new();
        let mut pieces = text.split(';').peekable();
        while let Some(piece) = pieces.next() {
            let piece = piece.trim_matches(is_space);
            if piece.is_empty() && pieces.peek().is_none() {
                break;
            }
            let (name, value) = piece.split_once('=').ok_or(BadTags)?;
            let name = name.trim_end_matches(is_space);
            let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let again = tags.iter().any(|(have, _)| *have == name);
            if !good || again || tags.len() == limits::TAGS_MAX {
                return Err(BadTags);
            }
            tags.push((name, value.trim_start_matches(is_space)));
        }
        Ok(Tags(tags))
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(have, _)| *have == name);
        found.map(|(_, value)| *value)
    }

    pub fn first(&self) -> Option<(&'a str, &'a str)> {
        self.0.first().copied()
    }

    /// Entries between colons, trimmed.
    pub fn list(&self, name: &str) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let value = self.get(name)?;
        Some(value.split(':').map(|entry| entry.trim_matches(is_space)))
    }

    /// Decimal, of at most 18 digits.
    pub fn number(&self, name: &str) -> Result<Option<u64>, BadTags> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        if value.is_empty() || value.len() > 18 || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadTags);
        }
        value.parse().map(Some).map_err(|_| BadTags)
    }
}

/// White space that folding may leave.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Base64 with white space anywhere and with or without its padding.
pub fn base64(text: &str) -> Result<Vec<u8>, BadTags> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    let text: Vec<u8> = text
        .bytes()
        .filter(|byte| !b" \t\r\n".contains(byte))
        .collect();
    ENGINE.decode(text).map_err(|_| BadTags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let tags = Tags::parse(" v=1; h = a : b;\r\n\tb=;x=12;").unwrap();
        assert_eq!(tags.get("v"), Some("1"));
        assert_eq!(tags.list("h").unwrap().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tags.get("b"), Some(""));
        assert_eq!(tags.number("x"), Ok(Some(12)));
        assert_eq!(tags.number("y"), Ok(None));
        assert_eq!(tags.first(), Some(("v", "1")));
        for bad in ["v=1;;b=2", "v", "v=1; v=2", "=1", "1=2"] {
            assert_eq!(Tags::parse(bad), Err(BadTags), "{bad}");
        }
        assert_eq!(base64(" YQ\r\n =="), Ok(b"a".to_vec()));
        assert_eq!(base64("YQ"), Ok(b"a".to_vec()));
        assert_eq!(base64("Y!"), Err(BadTags));
    }
}
