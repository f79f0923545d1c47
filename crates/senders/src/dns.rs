//! Questions to DNS and what was answered so far about one message.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::limits;

/// Record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Txt,
    A,
    Aaaa,
    Mx,
    Ptr,
    Srv,
}

/// RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: String,
}

/// A name in lower case without the final dot, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    pub kind: Kind,
    pub name: String,
}

impl Question {
    pub fn new(kind: Kind, name: &str) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        Question { kind, name }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The strings of each record joined.
    Txt(Vec<Vec<u8>>),
    A(Vec<Ipv4Addr>),
    Aaaa(Vec<Ipv6Addr>),
    /// Preference and host.
    Mx(Vec<(u16, String)>),
    Ptr(Vec<String>),
    Srv(Vec<Srv>),
    NoSuchName,
    NoRecords,
    /// It can't be known now.
    Temporary,
}

/// Why there is nothing in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    NoSuchName,
    NoRecords,
    Temporary,
}

/// An answer is missing: ask for what [`Answers::wanted`] holds and call again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted;

/// Some records, or why there are none; or that it must be asked first.
pub type Found<'a, T> = Result<Result<&'a [T], Nothing>, Wanted>;

/// What DNS said so far about one message; the questions are bounded, what is over the bound is
/// answered as if DNS did not know.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    known: HashMap<Question, Answer>,
    wanted: Vec<Question>,
}

impl Answers {
    pub fn put(&mut self, question: Question, answer: Answer) {
        self.wanted.retain(|wanted| *wanted != question);
        self.known.insert(question, answer);
    }

    /// What must be asked now.
    pub fn take_wanted(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.wanted)
    }

    /// Nothing more will be asked: what is not known is a temporary failure.
    pub fn give_up(&mut self) {
        for question in self.take_wanted() {
            self.known.insert(question, Answer::Temporary);
        }
    }

    fn get(&mut self, kind: Kind, name: &str) -> Result<&Answer, Wanted> {
        let question = Question::new(kind, name);
        if !self.known.contains_key(&question) {
            if self.known.len() + self.wanted.len() < limits::QUESTIONS_MAX {
                if !self.wanted.contains(&question) {
                    self.wanted.push(question);
                }
                return Err(Wanted);
            }
            return Ok(&Answer::Temporary);
        }
        Ok(self.known.get(&question).unwrap_or(&Answer::Temporary))
    }

    pub fn txt(&mut self, name: &str) -> Found<'_, Vec<u8>> {
        if !is_name(name) {
            return Ok(Err(Nothing::NoSuchName));
        }
        Ok(match self.get(Kind::Txt, name)? {
            Answer::Txt(records) if !records.is_empty() => Ok(records),
            other => Err(nothing(other)),
        })
    }

    pub fn a(&mut self, name: &str) -> Found<'_, Ipv4Addr> {
        Ok(match self.get(Kind::A, name)? {
            Answer::A(records) if !records.is_empty() => Ok(records),
            other => Err(nothing(other)),
        })
    }

    pub fn aaaa(&mut self, name: &str) -> Found<'_, Ipv6Addr> {
        Ok(match self.get(Kind::Aaaa, name)? {
            Answer::Aaaa(records) if !records.is_empty() => Ok(records),
            other => Err(nothing(other)),
        })
    }

    pub fn mx(&mut self, name: &str) -> Found<'_, (u16, String)> {
        Ok(match self.get(Kind::Mx, name)? {
            Answer::Mx(records) if !records.is_empty() => Ok(records),
            other => Err(nothing(other)),
        })
    }

    pub fn ptr(&mut self, name: &str) -> Found<'_, String> {
        Ok(match self.get(Kind::Ptr, name)? {
            Answer::Ptr(records) if !records.is_empty() => Ok(records),
            other => Err(nothing(other)),
        })
    }

    pub fn srv(&mut self, name: &str) -> Found<'_, Srv> {
        Ok(match self.get(Kind::Srv, name)? {
            Answer::Srv(records) if !records.is_empty() => Ok(records),
            other => Err(nothing(other)),
        })
    }
}

fn nothing(answer: &Answer) -> Nothing {
    match answer {
        Answer::NoSuchName => Nothing::NoSuchName,
        Answer::Temporary => Nothing::Temporary,
        _ => Nothing::NoRecords,
    }
}

/// Labels of 1 to 63 bytes, 253 in all; a final dot is taken.
pub fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.is_empty()
        && name.len() <= limits::NAME_BYTES_MAX
        && name.is_ascii()
        && name.split('.').all(|label| {
            (1..=limits::LABEL_BYTES_MAX).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        })
}

/// `of` itself or a name under it; both without a final dot, in any case.
pub fn is_under(name: &str, of: &str) -> bool {
    let (name, of) = (name.as_bytes(), of.as_bytes());
    let Some(start) = name.len().checked_sub(of.len()) else {
        return false;
    };
    let (before, end) = name.split_at(start);
    end.eq_ignore_ascii_case(of) && before.last().is_none_or(|byte| *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, is) in [
            ("example.com", true),
            ("example.com.", true),
            ("a..b", false),
            ("", false),
            (".", false),
            ("é.fr", false),
            ("a b.fr", true), // RFC 2181 §11; SPF's macros make such names.
            ("a\tb.fr", false),
        ] {
            assert_eq!(is_name(name), is, "{name}");
        }
        assert!(!is_name(&format!("{}.com", "a".repeat(64))));
        assert!(is_name(&format!("{}.com", "a".repeat(63))));
        assert!(is_under("a.Example.com", "example.COM"));
        assert!(is_under("example.com", "example.com"));
        assert!(!is_under("badexample.com", "example.com"));
        assert!(!is_under("com", "example.com"));
    }

    #[test]
    fn questions_are_asked_once_and_bounded() {
        let mut answers = Answers::default();
        for _ in 0..2 {
            assert!(answers.a("A.test").is_err());
        }
        let wanted = answers.take_wanted();
        assert_eq!(wanted, [Question::new(Kind::A, "a.test.")]);
        answers.put(wanted[0].clone(), Answer::A(vec![]));
        assert_eq!(answers.a("a.test"), Ok(Err(Nothing::NoRecords)));
        for number in 0..limits::QUESTIONS_MAX {
            let _ = answers.a(&format!("{number}.test"));
        }
        assert_eq!(answers.a("more.test"), Ok(Err(Nothing::Temporary)));
        assert_eq!(answers.take_wanted().len(), limits::QUESTIONS_MAX - 1);
    }

    #[test]
    fn what_is_not_asked_is_temporary() {
        let mut answers = Answers::default();
        assert!(answers.a("a.test").is_err());
        answers.give_up();
        assert_eq!(answers.a("a.test"), Ok(Err(Nothing::Temporary)));
    }
}
