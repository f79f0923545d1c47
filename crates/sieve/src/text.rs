//! Strings of a script: encoded characters (RFC 5228 §2.4.2.4) and variables (RFC 5229 §3).

use crate::error::Problem;
use crate::limits;

/// A string with holes for variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Literal(String),
    /// A variable's place.
    Slot(usize),
    /// RFC 5229 §3.2.
    Match(usize),
}

impl Text {
    pub fn literal(text: &str) -> Text {
        Text(vec![Piece::Literal(text.to_owned())])
    }

    /// The text when there is no variable in it.
    pub fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// What a name in `${}` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Decimal digits.
    Match(usize),
    /// Lower case.
    Name(String),
    /// Lower case: namespace, and the rest.
    Space(String, String),
}

/// RFC 5229 §3: an identifier, digits, or a name in a namespace; `None`: no reference at all.
pub fn reference(name: &str) -> Option<Reference> {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Reference::Match(name.parse().unwrap_or(usize::MAX)));
    }
    let lower = name.to_ascii_lowercase();
    match lower.split_once('.') {
        None => is_identifier(name).then_some(Reference::Name(lower)),
        Some((space, rest)) => {
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let fits = is_identifier(space)
                && rest
                    .split('.')
                    .all(|part| is_identifier(part) || digits(part));
            fits.then(|| Reference::Space(space.to_owned(), rest.to_owned()))
        }
    }
}

pub fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= limits::VARIABLE_NAME_MAX
}

/// A string cut at its references; `resolve` says what stands for each.
pub fn with_variables(
    text: &str,
    mut resolve: impl FnMut(Reference) -> Result<Piece, Problem>,
) -> Result<Text, Problem> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        let inside = from.get(2..).unwrap_or_default();
        let name = inside.find('}').and_then(|end| inside.get(..end));
        match name.and_then(|name| reference(name).map(|found| (name.len(), found))) {
            Some((len, found)) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(resolve(found)?);
                rest = inside.get(len + 1..).unwrap_or_default();
            }
            None => {
                literal.push_str("${");
                rest = inside;
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(Text(pieces))
}

/// RFC 5228 §2.4.2.4. Octets that are no UTF-8 become the replacement character: all that is
/// compared is text.
pub fn decode_characters(text: &str) -> Result<String, Problem> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let inside = from.get(2..).unwrap_or_default();
        match encoded(inside) {
            Some((sequence, len)) => {
                put(sequence, &mut out)?;
                rest = inside.get(len + 1..).unwrap_or_default();
            }
            None => {
                out.extend_from_slice(b"${");
                rest = inside;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

enum Sequence<'a> {
    Octets(&'a str),
    Characters(&'a str),
}

/// A whole sequence at the front, and its bytes without the brace.
fn encoded(inside: &str) -> Option<(Sequence<'_>, usize)> {
    let end = inside.find('}')?;
    let (kind, digits) = inside.get(..end)?.split_once(':')?;
    let blank = [' ', '\t', '\r', '\n'];
    let mut words = digits
        .split(blank)
        .filter(|word| !word.is_empty())
        .peekable();
    words.peek()?;
    let hex = |word: &str| word.bytes().all(|b| b.is_ascii_hexdigit());
    if kind.eq_ignore_ascii_case("hex") {
        let fits = words.all(|word| word.len() <= 2 && hex(word));
        fits.then_some((Sequence::Octets(digits), end))
    } else if kind.eq_ignore_ascii_case("unicode") {
        words
            .all(hex)
            .then_some((Sequence::Characters(digits), end))
    } else {
        None
    }
}

fn put(sequence: Sequence<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    match sequence {
        Sequence::Octets(digits) => {
            for word in digits.split_ascii_whitespace() {
                out.push(u8::from_str_radix(word, 16).map_err(|_| Problem::EncodedCharacter)?);
            }
        }
        Sequence::Characters(digits) => {
            for word in digits.split_ascii_whitespace() {
                let word = word.trim_start_matches('0');
                let number = u32::from_str_radix(if word.is_empty() { "0" } else { word }, 16);
                let character = number.ok().and_then(char::from_u32);
                let character = character.ok_or(Problem::EncodedCharacter)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5228 §2.4.2.4, all of its examples.
    #[test]
    fn encoded_characters() {
        for (text, decoded) in [
            ("$${hex:24 24}", "$$$"),
            ("$${hex:40}", "$@"),
            ("${hex: 40 }", "@"),
            ("${HEX: 40}", "@"),
            ("${hex:40", "${hex:40"),
            ("${hex:400}", "${hex:400}"),
            ("${hex:4${hex:30}}", "${hex:40}"),
            ("${unicode:40}", "@"),
            ("${ unicode:40}", "${ unicode:40}"),
            ("${UNICODE:40}", "@"),
            ("${UnICoDE:0000040}", "@"),
            ("${Unicode:40}", "@"),
            ("${Unicode:Cool}", "${Unicode:Cool}"),
            ("${hex:}", "${hex:}"),
            ("${hex:c3 a9}", "é"),
            ("${hex:ff}", "\u{fffd}"),
        ] {
            assert_eq!(decode_characters(text).as_deref(), Ok(decoded), "{text}");
        }
        for text in ["${unicode:200000}", "${Unicode:DF01}"] {
            assert!(decode_characters(text).is_err(), "{text}");
        }
    }

    fn cut(text: &str) -> Vec<Piece> {
        with_variables(text, |reference| {
            Ok(match reference {
                Reference::Match(number) => Piece::Match(number),
                Reference::Name(name) => Piece::Literal(format!("<{name}>")),
                Reference::Space(space, rest) => Piece::Literal(format!("<{space}/{rest}>")),
            })
        })
        .unwrap()
        .0
    }

    /// RFC 5229 §3, its examples.
    #[test]
    fn references() {
        let literal = |text: &str| Piece::Literal(text.into());
        let name = |text: &str| Piece::Literal(format!("<{text}>"));
        for verbatim in [
            "&%${}!", "${doh!}", "${fo\\o}", "${", "${a", "${1a}", "${.a}", "${a.}",
        ] {
            assert_eq!(cut(verbatim), [literal(verbatim)], "{verbatim}");
        }
        assert_eq!(cut("${full}"), [name("full")]);
        assert_eq!(cut("${BAD${Company}"), [literal("${BAD"), name("company")]);
        assert_eq!(
            cut("${President, ${Company} Inc.}"),
            [literal("${President, "), name("company"), literal(" Inc.}")]
        );
        assert_eq!(cut("\\${foo}"), [literal("\\"), name("foo")]);
        assert_eq!(
            cut("${007}x${a.b.1}"),
            [Piece::Match(7), literal("x"), name("a/b.1")]
        );
    }
}
