//! The thread that writes events down.

use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError};
use std::{iter, thread};

use facteur_store::{Error, Notes, Store};

use super::DIRECTORY;
use super::event::Event;
use super::limits::{BYTES_MAX, DAYS, GATHER, LONE_BYTES_MAX, PIECE_BYTES};
use crate::days;

/// What the thread is told.
#[derive(Debug)]
pub enum Told {
    Event(Box<Event>),
    /// Dropped when everything before is written.
    Settle(Sender<()>),
}

pub struct Writer {
    store: Store,
    notes: Option<Notes>,
    /// The day of the file that is written, counted from 1970, and how much it grew since the
    /// files were looked through.
    day: i64,
    grown: u64,
    /// Bytes of this day that tell of no message.
    lone: usize,
    failed: bool,
}

impl Writer {
    pub fn new(store: Store) -> Writer {
        Writer {
            store,
            notes: None,
            day: i64::MIN,
            grown: 0,
            lone: 0,
            failed: false,
        }
    }

    pub fn tell(told: &SyncSender<Told>, event: Event) {
        if let Err(TrySendError::Full(_)) = told.try_send(Told::Event(Box::new(event))) {
            tracing::warn!("an event is missing in a message's history: too much at once");
        }
    }

    /// Until nobody tells anything any more. What comes within a moment of the first is written with
    /// it: a wake and a write for each line would cost more than the lines. Unparked, it writes at once.
    pub fn run(mut self, told: &Receiver<Told>) {
        while let Ok(first) = told.recv() {
            thread::park_timeout(GATHER);
            let (mut day, mut lines) = (None, Vec::new());
            for one in iter::once(first).chain(told.try_iter()) {
                match one {
                    Told::Event(event) => {
                        let today = event.at.div_euclid(days::DAY_MILLIS);
                        if day != Some(today) || lines.len() >= PIECE_BYTES {
                            self.write(day, &mut lines);
                            day = Some(today);
                        }
                        let line = event.line();
                        if event.message.is_none() {
                            self.lone += line.len();
                        }
                        if !event.message.is_none() || self.lone <= LONE_BYTES_MAX {
                            lines.extend_from_slice(&line);
                        }
                    }
                    Told::Settle(done) => {
                        self.write(day, &mut lines);
                        drop(done);
                    }
                }
            }
            self.write(day, &mut lines);
        }
    }

    fn write(&mut self, day: Option<i64>, lines: &mut Vec<u8>) {
        let Some(day) = day.filter(|_| !lines.is_empty()) else {
            return;
        };
        let written = self.try_write(day, lines);
        lines.clear();
        match written {
            Ok(()) => self.failed = false,
            Err(error) if !self.failed => {
                tracing::warn!(%error, "the history of messages is not kept");
                self.failed = true;
            }
            Err(_) => {}
        }
    }

    fn try_write(&mut self, day: i64, lines: &[u8]) -> Result<(), Error> {
        // What is reserved is for mail.
        if self.store.is_full() {
            return Err(Error::DiskFull);
        }
        let notes = match &self.notes {
            Some(notes) => notes,
            None => self.notes.insert(self.store.notes(DIRECTORY)?),
        };
        if day != self.day {
            self.lone = 0;
        }
        if day != self.day || self.grown > BYTES_MAX / 16 {
            days::forget(notes, day - DAYS, BYTES_MAX)?;
            (self.day, self.grown) = (day, 0);
        }
        self.grown += lines.len() as u64;
        notes.append(&days::name(day), lines)
    }
}
