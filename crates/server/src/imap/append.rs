//! APPEND (RFC 9051 §6.3.12), several messages at once (RFC 3502), literal8 (RFC 3516 §4.4).
//!
//! The bytes go from the socket's buffer into the intake; only one piece of them is ever in
//! memory. A message that can't be kept is read to its end all the same: the
//! answer comes where the client waits for it.

use std::ops::Range;

use facteur_imap::command::{self, Append};
use facteur_imap::response::Code;
use facteur_imap::set::Numbers;
use facteur_imap::{Outcome, Reply, text};
use facteur_store::{Error, MailboxId, NewBody, NewMessage, Store};

use super::copy::no_target;
use super::error::Failure;
use super::link::Link;
use super::selected::flag_names;
use super::{Handled, User, limits};
use crate::drive::Stream;
use crate::intake::Intake;
use crate::limits::STREAM_BYTES;

/// An APPEND under way.
pub(super) struct Appending {
    mailbox: MailboxId,
    finished: Vec<(NewBody, NewMessage)>,
    /// Bytes of finished bodies that wait in memory.
    held_bytes: u64,
    current: Option<Incoming>,
    failure: Option<Failure>,
}

struct Incoming {
    intake: Intake,
    message: NewMessage,
    nul_allowed: bool,
}

pub(super) async fn begin<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Append,
) -> Handled {
    if request.index == 0 {
        user.append = Some(target(link, user, &request.mailbox)?);
    }
    let Some(append) = user.append.as_mut() else {
        return Err(Failure::Fault);
    };
    let begun = append.begin(link.store(), request).await;
    match begun {
        Ok(()) => Ok(Outcome::AppendAccept.into()),
        Err(failure) => {
            user.append = None;
            Err(failure)
        }
    }
}

fn target<S: Stream>(
    link: &Link<S>,
    user: &User,
    name: &command::MailboxName,
) -> Result<Appending, Failure> {
    let mailbox = link
        .store()
        .mailbox_by_name(user.account, name.as_str())?
        .ok_or_else(|| no_target(Error::NoSuchMailbox))?;
    Ok(Appending {
        mailbox: mailbox.id,
        finished: Vec::new(),
        held_bytes: 0,
        current: None,
        failure: None,
    })
}

impl Appending {
    async fn begin(&mut self, store: &Store, request: Append) -> Result<(), Failure> {
        self.finish_message().await;
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.held_bytes > limits::APPEND_HELD_BYTES_MAX {
            return Err(Reply::no(text::TRY_AGAIN).with(Code::Limit).into());
        }
        self.current = Some(Incoming {
            intake: Intake::new(store, Some(request.size))?,
            message: NewMessage {
                prefix: Vec::new(),
                flags: flag_names(request.flags),
                internal_date: request.date.map(|date| date.seconds),
            },
            nul_allowed: request.binary,
        });
        Ok(())
    }

    async fn take(&mut self, bytes: &[u8]) {
        let Some(current) = &mut self.current else {
            return;
        };
        if let Err(failure) = current.take(bytes).await {
            self.current = None;
            self.failure.get_or_insert(failure);
        }
    }

    async fn finish_message(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let size = current.intake.size();
        match current.finish().await {
            Ok(finished) => {
                self.finished.push(finished);
                if size <= STREAM_BYTES {
                    self.held_bytes += size;
                }
            }
            Err(failure) => self.failure = Some(failure),
        }
    }
}

impl Incoming {
    async fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.nul_allowed && bytes.contains(&0) {
            return Err(Reply::no(text::NUL_IN_MESSAGE).into());
        }
        Ok(self.intake.write(bytes).await?)
    }

    async fn finish(self) -> Result<(NewBody, NewMessage), Failure> {
        let (body, _facts) = self.intake.finish().await?;
        Ok((body, self.message))
    }
}

/// The next bytes of the message that is being appended.
pub(super) async fn take<S: Stream>(link: &mut Link<S>, user: &mut User, range: Range<usize>) {
    if let (Some(append), Some(bytes)) = (&mut user.append, link.session.input().get(range)) {
        append.take(bytes).await;
    }
}

pub(super) async fn end<S: Stream>(link: &mut Link<S>, user: &mut User) -> Handled {
    let Some(mut append) = user.append.take() else {
        return Err(Failure::Fault);
    };
    append.finish_message().await;
    if let Some(failure) = append.failure {
        return Err(failure);
    }
    let appended = link
        .store()
        .append(user.account, append.mailbox, append.finished)
        .await
        .map_err(no_target)?;
    let reply = Reply::ok(text::APPEND_DONE);
    let Some(first) = appended.first() else {
        return Ok(reply.into());
    };
    let code = Code::AppendUid {
        uid_validity: first.uid_validity,
        uids: appended
            .iter()
            .map(|appended| appended.uid.0)
            .collect::<Numbers>(),
    };
    Ok(reply.with(code).into())
}

/// The client broke off: nothing was kept.
pub(super) fn abort(user: &mut User) -> Handled {
    user.append = None;
    Ok(Outcome::AppendAborted.into())
}
