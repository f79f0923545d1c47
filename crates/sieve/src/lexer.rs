//! RFC 5228 §8.1: a script as tokens. Comments and white space are gone, strings are read: quotes
//! undone, dots unstuffed.

use crate::error::{Error, Problem};
use crate::limits;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lower case: names differ by case nowhere (RFC 5228 §2.1).
    Identifier(String),
    /// Lower case, without its colon.
    Tag(String),
    Number(u64),
    Text(String),
    /// One of `;,()[]{}`.
    Mark(char),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// From 1.
    pub line: u32,
}

/// All tokens of a script.
pub fn tokens(script: &str) -> Result<Vec<Token>, Error> {
    if script.len() > limits::SCRIPT_BYTES_MAX {
        return Err(Error::new(1, Problem::ScriptTooLong));
    }
    // Editors on some systems put a mark in front.
    let script = script.strip_prefix('\u{feff}').unwrap_or(script);
    let mut lexer = Lexer {
        rest: script,
        line: 1,
    };
    let (mut tokens, mut strings) = (Vec::new(), 0);
    while let Some(token) = lexer.next()? {
        if matches!(token.kind, Kind::Text(_)) {
            strings += 1;
            if strings > limits::STRINGS_MAX {
                return Err(Error::new(token.line, Problem::TooManyStrings));
            }
        }
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Option<Token>, Error> {
        self.space()?;
        let line = self.line;
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        let kind = match first {
            ';' | ',' | '(' | ')' | '[' | ']' | '{' | '}' => {
                self.take(1);
                Kind::Mark(first)
            }
            '"' => Kind::Text(self.quoted()?),
            ':' => {
                self.take(1);
                let name = self.word();
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(Error::new(line, Problem::Character(':')));
                }
                Kind::Tag(name.to_ascii_lowercase())
            }
            '0'..='9' => Kind::Number(self.number()?),
            'a'..='z' | 'A'..='Z' | '_' => {
                let word = self.word();
                if word.eq_ignore_ascii_case("text") && self.rest.starts_with(':') {
                    Kind::Text(self.lines()?)
                } else {
                    Kind::Identifier(word.to_ascii_lowercase())
                }
            }
            other => return Err(Error::new(line, Problem::Character(other))),
        };
        Ok(Some(Token { kind, line }))
    }

    /// Takes bytes off the front, counting lines.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        let lines = memchr::memchr_iter(b'\n', taken.as_bytes()).count();
        self.line = self
            .line
            .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
        taken
    }

    /// White space and comments (RFC 5228 §2.3).
    fn space(&mut self) -> Result<(), Error> {
        loop {
            let blank =
                self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.take(blank);
            if self.rest.starts_with('#') {
                let end = memchr::memchr(b'\n', self.rest.as_bytes());
                self.take(end.map_or(self.rest.len(), |end| end + 1));
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest.find("*/") else {
                    return Err(Error::new(self.line, Problem::OpenComment));
                };
                self.take(end + 2);
            } else if blank == 0 {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        self.take(end.unwrap_or(self.rest.len()))
    }

    /// RFC 5228 §2.4.1.
    fn number(&mut self) -> Result<u64, Error> {
        let word = self.word();
        let (digits, unit) = match word.chars().next_back() {
            Some('k' | 'K') => (word.get(..word.len() - 1), 1 << 10),
            Some('m' | 'M') => (word.get(..word.len() - 1), 1 << 20),
            Some('g' | 'G') => (word.get(..word.len() - 1), 1 << 30),
            _ => (Some(word), 1u64),
        };
        let digits = digits.unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::new(self.line, Problem::Number));
        }
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .filter(|number| i64::try_from(*number).is_ok())
            .ok_or(Error::new(self.line, Problem::Number))
    }

    /// RFC 5228 §2.4.2: a backslash before anything stands for that thing.
    fn quoted(&mut self) -> Result<String, Error> {
        let start = self.line;
        self.take(1);
        let mut text = String::new();
        loop {
            let end = self
                .rest
                .find(['"', '\\'])
                .ok_or(Error::new(start, Problem::OpenString))?;
            text.push_str(self.take(end));
            let mark = self.take(1);
            if mark == "\"" {
                return Ok(text);
            }
            let next = self.rest.chars().next();
            let next = next.ok_or(Error::new(start, Problem::OpenString))?;
            text.push_str(self.take(next.len_utf8()));
        }
    }

    /// RFC 5228 §2.4.2, `text:` up to a line with one dot. A bare LF ends a line as well: scripts
    /// are written on all systems.
    fn lines(&mut self) -> Result<String, Error> {
        let start = self.line;
        self.take(1);
        let first = self
            .line_end()
            .ok_or(Error::new(start, Problem::OpenString))?;
        let after = first.trim_matches([' ', '\t', '\r', '\n']);
        if !after.is_empty() && !after.starts_with('#') {
            return Err(Error::new(start, Problem::AfterText));
        }
        let mut text = String::new();
        while let Some(line) = self.line_end() {
            if line.trim_end_matches(['\r', '\n']) == "." {
                return Ok(text);
            }
            text.push_str(match line.strip_prefix("..") {
                Some(_) => line.strip_prefix('.').unwrap_or(line),
                None => line,
            });
        }
        // The last line may lack its end.
        if self.rest == "." {
            self.take(1);
            return Ok(text);
        }
        Err(Error::new(start, Problem::OpenString))
    }

    /// The next line with its end.
    fn line_end(&mut self) -> Option<&'a str> {
        let end = memchr::memchr(b'\n', self.rest.as_bytes())?;
        Some(self.take(end + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(script: &str) -> Vec<Kind> {
        tokens(script)
            .unwrap()
            .into_iter()
            .map(|t| t.kind)
            .collect()
    }

    fn text(script: &str) -> String {
        match kinds(script).as_slice() {
            [Kind::Text(text)] => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_have_units() {
        for (script, number) in [
            ("0", 0),
            ("100", 100),
            ("1K", 1024),
            ("2m", 2 << 20),
            ("1G", 1 << 30),
        ] {
            assert_eq!(kinds(script), [Kind::Number(number)], "{script}");
        }
        for script in [
            "1T",
            "1KK",
            "99999999999999999999",
            "9223372036854775807K",
            "1_0",
        ] {
            assert!(tokens(script).is_err(), "{script}");
        }
    }

    #[test]
    fn strings_are_read() {
        assert_eq!(text(r#""a\"b\\c\d""#), r#"a"b\cd"#);
        assert_eq!(text("\"two\r\nlines\""), "two\r\nlines");
        assert_eq!(
            text("text:\r\nHi\r\n..dot\r\n.x\r\n\r\n.\r\n"),
            "Hi\r\n.dot\r\n.x\r\n\r\n"
        );
        assert_eq!(text("text: # a comment\nHi\n."), "Hi\n");
        for open in [
            "\"a",
            "\"a\\",
            "text:\r\nHi\r\n",
            "text: x\r\n.\r\n",
            "/* x",
        ] {
            assert!(tokens(open).is_err(), "{open}");
        }
    }

    #[test]
    fn comments_are_gone_and_lines_counted() {
        let tokens = tokens("# one\r\nif /* two\r\n */ Size :OVER 1").unwrap();
        let lines: Vec<u32> = tokens.iter().map(|token| token.line).collect();
        assert_eq!(lines, [2, 3, 3, 3]);
        assert_eq!(tokens[2].kind, Kind::Tag("over".into()));
    }
}
