//! The tables, and the derived file behind them.
//!
//! | key | row |
//! |---|---|
//! | 1, day, domain, 0, number | how many letters were alike, and how (JSON) |
//! | 2, day, domain, 0, number | the same of connections |

use std::ops::ControlFlow;
use std::sync::Arc;

use facteur_senders::reports::aggregate;
use facteur_store::{Derived, Error, Store};

use super::Session;
use super::table::{self, Alike, Table};
use crate::kept;

/// The format is part of the name: another one begins empty.
const FILE: &str = "feedback-1.redb";

#[derive(Debug)]
pub(super) struct Keep {
    /// `None`: it can't be opened, and nothing lasts.
    file: Option<Arc<Derived>>,
    /// Of mail in a domain's name; the count of each row is not its own.
    pub(super) letters: Table<aggregate::Row>,
    pub(super) sessions: Table<Session>,
}

/// What the file has to learn.
pub(super) struct Changes {
    file: Arc<Derived>,
    letters: table::Changes<aggregate::Row>,
    sessions: table::Changes<Session>,
}

impl kept::Keep for Keep {
    type Changes = Changes;

    fn open(store: &Store) -> Keep {
        let mut keep = Keep {
            file: None,
            letters: Table::new(1),
            sessions: Table::new(2),
        };
        match store.derived(FILE) {
            Ok(file) => {
                let file = Arc::new(file);
                let letters = read(&file, &mut keep.letters);
                if let Err(error) = letters.and_then(|()| read(&file, &mut keep.sessions)) {
                    tracing::warn!(%error, "what was counted for reports can't be read");
                }
                keep.file = Some(file);
            }
            Err(error) => tracing::warn!(%error, "what is counted for reports will not last"),
        }
        keep
    }

    fn take_changes(&mut self) -> Option<Changes> {
        let file = Arc::clone(self.file.as_ref()?);
        let letters = self.letters.take_changes();
        let sessions = self.sessions.take_changes();
        let nothing = letters.is_empty() && sessions.is_empty();
        (!nothing).then_some(Changes {
            file,
            letters,
            sessions,
        })
    }

    fn write(changes: Changes) -> Result<(), Error> {
        let (mut gone, mut put) = changes.letters.rows();
        let (more_gone, more_put) = changes.sessions.rows();
        gone.extend(more_gone);
        put.extend(more_put);
        changes.file.apply(&gone, &put)?;
        changes.file.flush()
    }
}

fn read<R: Alike>(file: &Derived, table: &mut Table<R>) -> Result<(), Error> {
    let letter = table.letter();
    file.view()?.scan(&[letter], &[letter + 1], |key, value| {
        table.restore(key, value);
        Ok(ControlFlow::Continue(()))
    })
}
