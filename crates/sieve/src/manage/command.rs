//! The commands (RFC 5804 §2): one row each, with the states it is legal in, and their arguments.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::limits;
use super::reader::Word;
use super::response::{self, Response};

/// Bytes that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// When a command is legal (RFC 5804 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Any,
    NotAuthenticated,
    Authenticated,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Authenticate {
        /// Upper case.
        mechanism: String,
        initial: Option<Secret>,
    },
    Capability,
    CheckScript(String),
    DeleteScript(String),
    GetScript(String),
    HaveSpace {
        name: String,
        size: u64,
    },
    ListScripts,
    Logout,
    Noop(Option<String>),
    PutScript {
        name: String,
        text: String,
    },
    RenameScript {
        from: String,
        to: String,
    },
    /// `None`: none is to be active.
    SetActive(Option<String>),
    StartTls,
    Unauthenticate,
}

pub struct Row {
    pub name: &'static str,
    pub phase: Phase,
    build: fn(&[Word]) -> Result<Command, Response>,
}

const TABLE: &[Row] = &[
    row("AUTHENTICATE", Phase::NotAuthenticated, authenticate),
    row("CAPABILITY", Phase::Any, |words| {
        none(words, Command::Capability)
    }),
    row("CHECKSCRIPT", Phase::Authenticated, |words| match words {
        [text] => Ok(Command::CheckScript(script(text)?)),
        _ => Err(response::ARGUMENTS),
    }),
    row("DELETESCRIPT", Phase::Authenticated, |words| match words {
        [name] => Ok(Command::DeleteScript(name_of(name)?)),
        _ => Err(response::ARGUMENTS),
    }),
    row("GETSCRIPT", Phase::Authenticated, |words| match words {
        [name] => Ok(Command::GetScript(name_of(name)?)),
        _ => Err(response::ARGUMENTS),
    }),
    row("HAVESPACE", Phase::Authenticated, |words| match words {
        [name, Word::Number(size)] => Ok(Command::HaveSpace {
            name: name_of(name)?,
            size: *size,
        }),
        _ => Err(response::ARGUMENTS),
    }),
    row("LISTSCRIPTS", Phase::Authenticated, |words| {
        none(words, Command::ListScripts)
    }),
    row("LOGOUT", Phase::Any, |words| none(words, Command::Logout)),
    row("NOOP", Phase::Any, |words| match words {
        [] => Ok(Command::Noop(None)),
        [tag] => Ok(Command::Noop(Some(text(tag)?))),
        _ => Err(response::ARGUMENTS),
    }),
    row("PUTSCRIPT", Phase::Authenticated, |words| match words {
        [name, text] => Ok(Command::PutScript {
            name: name_of(name)?,
            text: script(text)?,
        }),
        _ => Err(response::ARGUMENTS),
    }),
    row("RENAMESCRIPT", Phase::Authenticated, |words| match words {
        [from, to] => Ok(Command::RenameScript {
            from: name_of(from)?,
            to: name_of(to)?,
        }),
        _ => Err(response::ARGUMENTS),
    }),
    row("SETACTIVE", Phase::Authenticated, |words| match words {
        [Word::Text(name)] if name.is_empty() => Ok(Command::SetActive(None)),
        [name] => Ok(Command::SetActive(Some(name_of(name)?))),
        _ => Err(response::ARGUMENTS),
    }),
    row("STARTTLS", Phase::NotAuthenticated, |words| {
        none(words, Command::StartTls)
    }),
    row("UNAUTHENTICATE", Phase::Authenticated, |words| {
        none(words, Command::Unauthenticate)
    }),
];

const fn row(
    name: &'static str,
    phase: Phase,
    build: fn(&[Word]) -> Result<Command, Response>,
) -> Row {
    Row { name, phase, build }
}

/// The row of a command's words, before its arguments are looked at.
pub(super) fn find(words: &[Word]) -> Option<&'static Row> {
    match words.first() {
        Some(Word::Atom(name)) => TABLE.iter().find(|row| row.name == name),
        _ => None,
    }
}

impl Row {
    pub(super) fn build(&self, words: &[Word]) -> Result<Command, Response> {
        (self.build)(words.get(1..).unwrap_or_default())
    }
}

fn none(words: &[Word], command: Command) -> Result<Command, Response> {
    match words {
        [] => Ok(command),
        _ => Err(response::ARGUMENTS),
    }
}

fn text(word: &Word) -> Result<String, Response> {
    match word {
        Word::Text(bytes) => String::from_utf8(bytes.clone()).map_err(|_| response::NOT_UTF8),
        Word::Atom(_) | Word::Number(_) => Err(response::ARGUMENTS),
    }
}

/// RFC 5804 §1.6.
fn name_of(word: &Word) -> Result<String, Response> {
    let name = text(word)?;
    let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match name.is_empty() || name.len() > limits::NAME_BYTES_MAX || name.chars().any(bad) {
        true => Err(response::BAD_NAME),
        false => Ok(name),
    }
}

/// RFC 5804 §2.6: not an empty one.
fn script(word: &Word) -> Result<String, Response> {
    let text = text(word)?;
    match text.is_empty() {
        true => Err(response::EMPTY_SCRIPT),
        false => Ok(text),
    }
}

fn authenticate(words: &[Word]) -> Result<Command, Response> {
    let (mechanism, initial) = match words {
        [mechanism] => (mechanism, None),
        [mechanism, initial] => (mechanism, Some(sasl(initial)?)),
        _ => return Err(response::ARGUMENTS),
    };
    Ok(Command::Authenticate {
        mechanism: text(mechanism)?.to_ascii_uppercase(),
        initial: initial.map(Secret),
    })
}

/// A response of the exchange: base64 in a string.
pub(super) fn sasl(word: &Word) -> Result<Vec<u8>, Response> {
    match word {
        Word::Text(bytes) => BASE64.decode(bytes).map_err(|_| response::NOT_BASE64),
        Word::Atom(_) | Word::Number(_) => Err(response::ARGUMENTS),
    }
}

pub(super) fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
