//! Passwords: from standard input, from a prompt without echo, or none, which means "make one". Never
//! from the arguments, which every user of the machine can read.

use std::io::{BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::arguments::Password;
use crate::output::Failure;
use crate::texts::{self, t};

/// `None`: to be generated.
pub fn read(from: Password) -> Result<Option<String>, Failure> {
    if from.password_stdin {
        return first_line().map(Some);
    }
    if !from.ask_password {
        return Ok(None);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("no_terminal", t(texts::PASSWORD_NO_TERMINAL)));
    }
    let first = prompt(t(texts::PASSWORD_PROMPT))?;
    let second = prompt(t(texts::PASSWORD_AGAIN))?;
    if first == second {
        Ok(Some(first))
    } else {
        Err(Failure::new("password_differs", t(texts::PASSWORD_DIFFERS)))
    }
}

fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let line = line.trim_end_matches(['\r', '\n']);
    match read {
        Ok(_) if !line.is_empty() => Ok(line.to_owned()),
        Ok(_) => Err(Failure::new("no_password", t(texts::PASSWORD_NONE))),
        Err(error) => Err(Failure::new("no_password", t(texts::PASSWORD_NONE)).because(error)),
    }
}

fn prompt(question: &str) -> Result<String, Failure> {
    let mut terminal = std::io::stderr().lock();
    // The question is a help, not a need.
    let _ = write!(terminal, "{question} ");
    let _ = terminal.flush();
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).ok();
    if let Some(before) = &before {
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // Asking with echo is better than not asking.
        let _ = tcsetattr(&stdin, OptionalActions::Flush, &silent);
    }
    let line = first_line();
    if let Some(before) = &before {
        let _ = tcsetattr(&stdin, OptionalActions::Flush, before);
    }
    let _ = writeln!(terminal);
    line
}
