//! PUTSCRIPT and its kin (RFC 5804 §2.5 to §2.11) on the account's scripts.

use facteur_sieve::manage::{Listed, Outcome, Request};
use facteur_store::{AccountId, Error, ScriptEdit, Store};

use super::Driver;
use crate::drive::Stream;

impl<S: Stream> Driver<S> {
    pub(super) async fn script(&mut self, request: Request) -> Outcome {
        let Some(account) = self.identity.as_ref().map(|identity| identity.account) else {
            return Outcome::Failed;
        };
        let store = &self.wire.context().store;
        match act(store, account, request).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let outcome = refused(&error);
                if outcome == Outcome::Failed {
                    tracing::error!(session = %self.wire.peer().session, %error, "a script request failed");
                }
                outcome
            }
        }
    }
}

async fn act(store: &Store, account: AccountId, request: Request) -> Result<Outcome, Error> {
    let edit = match request {
        Request::List => {
            let scripts = store.scripts(account)?.into_iter();
            let listed = scripts.map(|script| Listed {
                name: script.name,
                active: script.active,
            });
            return Ok(Outcome::Scripts(listed.collect()));
        }
        Request::Get { name } => {
            let text = store.script(account, &name)?;
            return Ok(text.map_or(Outcome::NoSuchScript, Outcome::Script));
        }
        Request::HaveSpace { name, size } => {
            let fits = store.has_room_for_script(account, &name, size)?;
            return Ok(if fits {
                Outcome::Done
            } else {
                Outcome::TooManyScripts
            });
        }
        Request::Put { name, text } => ScriptEdit::Put { name, text },
        Request::SetActive { name } => ScriptEdit::Activate(name),
        Request::Delete { name } => ScriptEdit::Delete { name },
        Request::Rename { from, to } => ScriptEdit::Rename { from, to },
        Request::Auth { .. } | Request::AuthResponse(_) | Request::Unauthenticate => {
            return Ok(Outcome::Failed);
        }
    };
    store.edit_script(account, edit).await?;
    Ok(Outcome::Done)
}

fn refused(error: &Error) -> Outcome {
    match error {
        Error::NoSuchScript => Outcome::NoSuchScript,
        Error::Exists => Outcome::Exists,
        Error::InUse => Outcome::Active,
        Error::TooManyScripts => Outcome::TooManyScripts,
        Error::BadName => Outcome::BadName,
        Error::NoSuchAccount
        | Error::NoSuchMailbox
        | Error::NoSuchDomain
        | Error::NoSuchAddress
        | Error::NoSuchMessage
        | Error::NoSuchQueueEntry
        | Error::TooManyMailboxes
        | Error::TooManyKeywords
        | Error::TooManyEntries
        | Error::TooManyRights
        | Error::OverQuota
        | Error::TooLarge
        | Error::DiskFull
        | Error::Disk(_)
        | Error::Damaged { .. }
        | Error::Closed => Outcome::Failed,
    }
}
