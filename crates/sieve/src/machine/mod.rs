//! Runs a program on a message. Every instruction takes a step, every comparison as many as its
//! length asks for, every string made takes of the memory: a run ends whatever the script is.

mod actions;
mod edit;
mod parts;
mod tests;
mod values;

use crate::compare;
use crate::error::{Cause, Failure};
use crate::limits;
use crate::message::{INBOX, Mail, Outcome, Stored, World};
use crate::program::{FlagEdit, Modifier, Op, Program};
use crate::text::{Piece, Text};
use crate::value;

/// What one run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub steps: u64,
    pub memory_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            steps: limits::STEPS_MAX,
            memory_bytes: limits::MEMORY_BYTES_MAX,
        }
    }
}

/// Runs the script. Never fails: a script that does leaves its reason in the outcome, and the
/// message in INBOX (RFC 5228 §2.10.6).
pub fn run(program: &Program, mail: &Mail<'_>, world: &dyn World, budget: Budget) -> Outcome {
    let mut machine = Machine {
        program,
        mail,
        world,
        budget,
        slots: vec![String::new(); program.slots],
        matches: Vec::new(),
        flags: Vec::new(),
        result: false,
        calls: Vec::new(),
        loops: Vec::new(),
        part_headers: parts::PartHeaders::default(),
        edited: None,
        included: vec![false; program.scripts.len()],
        keep: true,
        outcome: Outcome::default(),
    };
    let mut at = 0;
    loop {
        match machine.step(at) {
            Ok(Some(next)) => at = next,
            Ok(None) => return machine.finish(at),
            Err(cause) => return machine.failed(at, cause),
        }
    }
}

struct Machine<'a> {
    program: &'a Program,
    mail: &'a Mail<'a>,
    world: &'a dyn World,
    /// What is left.
    budget: Budget,
    slots: Vec<String>,
    /// RFC 5229 §3.2.
    matches: Vec<String>,
    /// RFC 5232 §2, the internal variable.
    flags: Vec<String>,
    /// Of the last test.
    result: bool,
    /// Where included scripts return to.
    /// And how many loops there were then.
    calls: Vec<(usize, usize)>,
    /// RFC 5703 §3, the innermost last.
    loops: Vec<parts::Walk<'a>>,
    part_headers: parts::PartHeaders,
    /// `None`: the header is as it came.
    edited: Option<edit::Edited>,
    included: Vec<bool>,
    /// The implicit keep stands.
    keep: bool,
    outcome: Outcome,
}

impl Machine<'_> {
    /// The next instruction's place; `None`: the end.
    fn step(&mut self, at: usize) -> Result<Option<usize>, Cause> {
        self.spend(1)?;
        let program = self.program;
        let Some(op) = program.ops.get(at) else {
            return Ok(None);
        };
        let next = at + 1;
        match op {
            Op::Jump(to) => return Ok(Some(*to)),
            Op::JumpUnless(to) if !self.result => return Ok(Some(*to)),
            Op::JumpWhen(to) if self.result => return Ok(Some(*to)),
            Op::JumpUnless(_) | Op::JumpWhen(_) => {}
            Op::Not => self.result = !self.result,
            Op::Test(test) => self.result = self.test(test)?,
            Op::Action(action) => self.action(action)?,
            Op::Set {
                slot,
                modifiers,
                value,
            } => self.set(*slot, modifiers, value)?,
            Op::Flags { edit, slot, list } => self.edit_flags(*edit, *slot, list)?,
            Op::Loop => self.enter_loop()?,
            Op::Next(end) if !self.next_part() => return Ok(Some(*end)),
            Op::Next(_) => {}
            Op::Break { loops, to } => {
                let left = self.loops.len().saturating_sub(*loops);
                self.loops.truncate(left);
                return Ok(Some(*to));
            }
            Op::Extract {
                slot,
                modifiers,
                first,
            } => self.extract(*slot, modifiers, *first)?,
            Op::Call { script, once } => return self.call(*script, *once, next).map(Some),
            Op::Return => {
                let call = self.calls.pop();
                self.loops.truncate(call.map_or(0, |(_, loops)| loops));
                return Ok(call.map(|(next, _)| next));
            }
            Op::Stop => return Ok(None),
            Op::Error(text) => return Err(Cause::Error(self.expand(text)?)),
            Op::Fail(problem) => return Err(Cause::Compile(problem.clone())),
        }
        Ok(Some(next))
    }

    fn call(&mut self, script: usize, once: bool, next: usize) -> Result<usize, Cause> {
        let program = self.program;
        let Some(subroutine) = program.scripts.get(script) else {
            return Ok(next);
        };
        let before = self
            .included
            .get_mut(script)
            .is_some_and(|included| std::mem::replace(included, true));
        if before && once {
            return Ok(next);
        }
        if self.calls.len() >= limits::CALLS_MAX {
            return Err(Cause::Calls);
        }
        for slot in &subroutine.slots {
            if let Some(value) = self.slots.get_mut(*slot) {
                value.clear();
            }
        }
        self.calls.push((next, self.loops.len()));
        Ok(subroutine.entry)
    }

    fn spend(&mut self, steps: u64) -> Result<(), Cause> {
        match self.budget.steps.checked_sub(steps) {
            Some(left) => {
                self.budget.steps = left;
                Ok(())
            }
            None => Err(Cause::Steps),
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Cause> {
        match self.budget.memory_bytes.checked_sub(bytes) {
            Some(left) => {
                self.budget.memory_bytes = left;
                self.spend(steps_for(bytes))
            }
            None => Err(Cause::Memory),
        }
    }

    /// RFC 5229 §3: what is unknown is empty.
    fn expand(&mut self, text: &Text) -> Result<String, Cause> {
        let mut out = String::new();
        for piece in &text.0 {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Slot(slot) => out.push_str(self.slots.get(*slot).map_or("", |v| v)),
                Piece::Match(number) => {
                    out.push_str(self.matches.get(*number).map_or("", |v| v));
                }
            }
            if out.len() > self.budget.memory_bytes {
                return Err(Cause::Memory);
            }
        }
        self.charge(out.len())?;
        Ok(out)
    }

    fn expand_all(&mut self, texts: &[Text]) -> Result<Vec<String>, Cause> {
        texts.iter().map(|text| self.expand(text)).collect()
    }

    fn set(&mut self, slot: usize, modifiers: &[Modifier], value: &Text) -> Result<(), Cause> {
        let mut value = self.expand(value)?;
        for modifier in modifiers {
            value = modify(*modifier, &value);
            self.charge(value.len())?;
        }
        // RFC 5229 §6: what is too long is cut, between characters.
        if value.len() > limits::VARIABLE_BYTES_MAX {
            let end = value.floor_char_boundary(limits::VARIABLE_BYTES_MAX);
            value.truncate(end);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = value;
        }
        Ok(())
    }

    /// RFC 5232 §3.
    fn edit_flags(
        &mut self,
        edit: FlagEdit,
        slot: Option<usize>,
        list: &[Text],
    ) -> Result<(), Cause> {
        let given = self.expand_all(list)?;
        let given = value::flags(given.iter().map(String::as_str));
        let mut flags = match (edit, slot) {
            (FlagEdit::Set, _) => Vec::new(),
            (_, Some(slot)) => self.flags_in(slot),
            (_, None) => self.flags.clone(),
        };
        for flag in given {
            let same = |have: &String| have.eq_ignore_ascii_case(flag);
            if edit == FlagEdit::Remove {
                flags.retain(|have| !same(have));
            } else if !flags.iter().any(same) {
                if flags.len() >= limits::FLAGS_MAX {
                    return Err(Cause::TooManyFlags);
                }
                flags.push(flag.to_owned());
            }
        }
        match slot {
            None => self.flags = flags,
            Some(slot) => {
                if let Some(place) = self.slots.get_mut(slot) {
                    *place = flags.join(" ");
                }
            }
        }
        Ok(())
    }

    fn flags_in(&self, slot: usize) -> Vec<String> {
        let text = self.slots.get(slot).map_or("", |v| v);
        let mut flags: Vec<String> = Vec::new();
        for flag in value::flags(std::iter::once(text)).take(limits::FLAGS_MAX) {
            if !flags.iter().any(|have| have.eq_ignore_ascii_case(flag)) {
                flags.push(flag.to_owned());
            }
        }
        flags
    }

    /// RFC 5228 §2.10.2.
    fn finish(mut self, at: usize) -> Outcome {
        if self.keep {
            let flags = std::mem::take(&mut self.flags);
            let kept = self.store(INBOX.to_owned(), false, None, flags);
            if let Err(cause) = kept {
                return self.failed(at, cause);
            }
        }
        self.outcome
    }

    fn failed(self, at: usize, cause: Cause) -> Outcome {
        Outcome {
            stores: vec![Stored {
                mailbox: INBOX.to_owned(),
                create: false,
                special_use: None,
                flags: Vec::new(),
                edition: 0,
            }],
            failure: Some(Failure {
                line: self.program.lines.get(at).copied().unwrap_or(1),
                cause,
            }),
            ..Outcome::default()
        }
    }
}

/// What looking at every field of a header of that many bytes costs: fields may be short.
fn steps_for_fields(bytes: usize) -> u64 {
    1 + u64::try_from(bytes / 8).unwrap_or(u64::MAX)
}

/// What looking at that many bytes costs.
fn steps_for(bytes: usize) -> u64 {
    u64::try_from(bytes / 64).unwrap_or(u64::MAX)
}

/// RFC 5229 §4.1.
fn modify(modifier: Modifier, value: &str) -> String {
    let first = |change: fn(&char) -> char| {
        let mut chars = value.chars();
        let start = chars.next().map(|c| change(&c));
        start.into_iter().chain(chars).collect()
    };
    match modifier {
        Modifier::Upper => value.to_ascii_uppercase(),
        Modifier::Lower => value.to_ascii_lowercase(),
        Modifier::UpperFirst => first(char::to_ascii_uppercase),
        Modifier::LowerFirst => first(char::to_ascii_lowercase),
        Modifier::QuoteWildcard => {
            let mut out = String::with_capacity(value.len());
            for c in value.chars() {
                if matches!(c, '*' | '?' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
            out
        }
        Modifier::QuoteRegex => compare::quote(value),
        Modifier::EncodeUrl => value::percent_encoded(value),
        Modifier::Length => value.chars().count().to_string(),
    }
}
