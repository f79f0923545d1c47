//! One connection to a milter.
//!
//! `take_output` and send it, `feed` what comes, ask `answer`. The first answer is that of the
//! negotiation. `say` one step after the other; what it gives tells whether an answer follows.

use std::fmt;

use crate::answer::{self, Answer, Change, Said};
use crate::command::{Command, OFFERED_STEPS, SKIP, Step};
use crate::limits::{CHANGES_BYTES_MAX, CHANGES_MAX};
use crate::packet::{self, Reader};

/// What we speak; older milters answer with less.
const VERSION: u32 = 6;
const VERSION_MIN: u32 = 2;
/// Adding fields, setting apart. Never another body, recipient or sender; and what the message has
/// stays: it is stored while it comes in.
const OFFERED_ACTIONS: u32 = 0x01 | 0x20;

/// Does an answer follow?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Wait for it.
    Answer,
    /// It was sent and is not answered, or is not wanted.
    Nothing,
}

/// The milter does not do as agreed: it is heard no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Length,
    Malformed,
    /// A letter that there is not, or that was not offered.
    Letter(u8),
    /// An answer that does not fit the step, or that nobody waits for.
    Unexpected,
    Version(u32),
    /// It wants steps done in ways that we don't.
    Steps(u32),
    TooManyChanges,
    /// It goes away.
    Leaves,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Length => f.write_str("a packet of that length is not allowed"),
            Broken::Malformed => f.write_str("a packet can't be read"),
            Broken::Letter(letter) => {
                write!(f, "{:?} was not offered", char::from(*letter))
            }
            Broken::Unexpected => f.write_str("an answer that does not fit"),
            Broken::Version(version) => write!(f, "version {version} is not spoken here"),
            Broken::Steps(steps) => write!(f, "it wants steps that are not offered: {steps:#x}"),
            Broken::TooManyChanges => f.write_str("too many changes"),
            Broken::Leaves => f.write_str("it goes away"),
        }
    }
}

#[derive(Debug)]
pub struct Session {
    reader: Reader,
    output: Vec<u8>,
    /// What the milter said that it does not want or answer.
    steps: u32,
    /// What an answer is waited for.
    waits: Option<Waits>,
    changes: Vec<Change>,
    changes_bytes: usize,
    /// No more of this body.
    skips: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Negotiation,
    Step(Step),
}

impl Default for Session {
    fn default() -> Self {
        Session::new()
    }
}

impl Session {
    /// Begins the negotiation.
    pub fn new() -> Self {
        let mut output = Vec::new();
        let offer = [VERSION, OFFERED_ACTIONS, OFFERED_STEPS].map(u32::to_be_bytes);
        packet::write(&mut output, b'O', &[offer.as_flattened()]);
        Session {
            reader: Reader::default(),
            output,
            steps: 0,
            waits: Some(Waits::Negotiation),
            changes: Vec::new(),
            changes_bytes: 0,
            skips: false,
        }
    }

    /// To be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.reader.feed(bytes);
    }

    /// Says a step, with the macros that go before it, when the milter wants it.
    pub fn say(&mut self, command: &Command<'_>, macros: &[(&str, &str)]) -> Asked {
        let row = command.step().row();
        let unwanted = self.steps & row.unwanted != 0;
        if unwanted || (row.step == Step::Body && self.skips) {
            return Asked::Nothing;
        }
        if row.step == Step::Mail {
            self.begin();
        }
        if !macros.is_empty() {
            let mut texts = vec![row.letter];
            for (name, value) in macros {
                texts.extend(packet::text(name));
                texts.extend(packet::text(value));
            }
            packet::write(&mut self.output, b'D', &[&texts]);
        }
        command.write(&mut self.output);
        if self.steps & row.unanswered != 0 {
            return Asked::Nothing;
        }
        self.waits = Some(Waits::Step(row.step));
        Asked::Answer
    }

    /// The message ends before its end: the next step is MAIL.
    pub fn abort(&mut self) {
        self.begin();
        packet::write(&mut self.output, b'A', &[]);
    }

    /// Nothing follows.
    pub fn quit(&mut self) {
        packet::write(&mut self.output, b'Q', &[]);
    }

    fn begin(&mut self) {
        self.changes = Vec::new();
        self.changes_bytes = 0;
        self.skips = false;
    }

    /// `None`: not yet.
    pub fn answer(&mut self) -> Result<Option<Answer>, Broken> {
        while let Some(packet) = self.reader.packet()? {
            let waits = self.waits.ok_or(Broken::Unexpected)?;
            match (answer::read(&packet)?, waits) {
                (Said::Leaves, _) => return Err(Broken::Leaves),
                (Said::Agreed { version, steps }, Waits::Negotiation) => {
                    return self.agree(version, steps).map(Some);
                }
                (Said::Change(change), Waits::Step(Step::EndOfMessage)) => {
                    self.note(change)?;
                }
                (Said::Answer(Answer::Progress), Waits::Step(Step::EndOfMessage)) => {
                    return Ok(Some(Answer::Progress));
                }
                (Said::Answer(answer), Waits::Step(step)) => {
                    self.check(&answer, step)?;
                    self.waits = None;
                    return Ok(Some(answer));
                }
                (Said::Agreed { .. } | Said::Change(_) | Said::Answer(_), _) => {
                    return Err(Broken::Unexpected);
                }
            }
        }
        Ok(None)
    }

    fn agree(&mut self, version: u32, steps: u32) -> Result<Answer, Broken> {
        if !(VERSION_MIN..=VERSION).contains(&version) {
            return Err(Broken::Version(version));
        }
        if steps & !OFFERED_STEPS != 0 {
            return Err(Broken::Steps(steps & !OFFERED_STEPS));
        }
        // Older ones know no DATA.
        let unknown = match version {
            0..4 => Step::Data.row().unwanted,
            _ => 0,
        };
        self.steps = steps | unknown;
        self.waits = None;
        Ok(Answer::Continue)
    }

    fn check(&mut self, answer: &Answer, step: Step) -> Result<(), Broken> {
        match (answer, step) {
            (Answer::Skip, Step::Body) if self.steps & SKIP != 0 => {
                self.skips = true;
                Ok(())
            }
            (Answer::Skip | Answer::Progress, _) => Err(Broken::Unexpected),
            (Answer::Discard, Step::Connect | Step::Hello) => Err(Broken::Unexpected),
            _ => Ok(()),
        }
    }

    fn note(&mut self, change: Change) -> Result<(), Broken> {
        let bytes = match &change {
            Change::Add { name, value } | Change::Insert { name, value, .. } => {
                name.len() + value.len()
            }
            Change::Quarantine(reason) => reason.len(),
        };
        self.changes_bytes += bytes;
        if self.changes.len() >= CHANGES_MAX || self.changes_bytes > CHANGES_BYTES_MAX {
            return Err(Broken::TooManyChanges);
        }
        self.changes.push(change);
        Ok(())
    }

    /// What the message that ended is to be changed by, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.changes_bytes = 0;
        std::mem::take(&mut self.changes)
    }
}
