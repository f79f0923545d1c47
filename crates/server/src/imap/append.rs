//! APPEND (RFC 9051 §6.3.12), several messages at once (RFC 3502), literal8 (RFC 3516 §4.4), made
//! of stored parts (RFC 4469), in the place of another (RFC 8508).
//!
//! The bytes go from the socket's buffer into the intake; only one piece of them is ever in
//! memory. A message that can't be kept is read to its end all the same: the
//! answer comes where the client waits for it.

use std::ops::Range;

use facteur_imap::command::{Append, FetchAttribute, Replaced};
use facteur_imap::response::Code;
use facteur_imap::set::{Numbers, SequenceSet};
use facteur_imap::structure::{StringForm, StructurePrinter};
use facteur_imap::url::MessageUrl;
use facteur_imap::{Outcome, Reply, Untagged, text};
use facteur_store::{Error, NewBody, NewMessage, Rights, Store, Uid};

use super::content::{Content, Item, Logical, Problem};
use super::copy::{no_target, shows_uids};
use super::door::Handle;
use super::error::Failure;
use super::link::{Link, Source};
use super::selected::flag_names;
use super::{Handled, User, done, limits};
use crate::drive::{self, Stream};
use crate::intake::Intake;
use crate::limits::STREAM_BYTES;

/// An APPEND under way.
pub(super) struct Appending {
    mailbox: Handle,
    /// REPLACE: what goes.
    replaced: Option<(Handle, Uid)>,
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
        user.append = Some(target(link, user, &request)?);
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

fn target<S: Stream>(link: &Link<S>, user: &User, request: &Append) -> Result<Appending, Failure> {
    let mailbox = user
        .door
        .open(link.store(), request.mailbox.as_str())
        .map_err(no_target)?;
    mailbox.require(Rights::INSERT).map_err(no_target)?;
    let replaced = request
        .replaced
        .map(|replaced| replaced_message(link, user, replaced))
        .transpose()?;
    Ok(Appending {
        mailbox,
        replaced,
        finished: Vec::new(),
        held_bytes: 0,
        current: None,
        failure: None,
    })
}

/// RFC 8508 §3.4: it has to be there before the new one is taken.
fn replaced_message<S: Stream>(
    link: &Link<S>,
    user: &User,
    replaced: Replaced,
) -> Result<(Handle, Uid), Failure> {
    let selected = user.selected.as_ref().ok_or(Failure::Fault)?;
    selected.writable()?;
    selected.handle.require_removal()?;
    let set = SequenceSet::Ranges(vec![(replaced.number, replaced.number)]);
    let uids = selected.resolve(&set, replaced.numbering)?;
    let index = selected.reading.index(link.store())?;
    let uid = uids
        .first()
        .map(Uid)
        .filter(|uid| index.get(*uid).is_some());
    match uid {
        Some(uid) => Ok((selected.handle.clone(), uid)),
        None => Err(Error::NoSuchMessage.into()),
    }
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
            intake: Intake::new(store, request.size)?,
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

/// The next part of the message is one that is stored (RFC 4469 §3).
pub(super) async fn url<S: Stream>(link: &mut Link<S>, user: &mut User, url: &str) -> Handled {
    let copied = match content_of(link, user, url).await {
        Ok((content, held)) => copy_content(link.store(), user, content, &held).await,
        Err(failure) => Err(failure),
    };
    match copied {
        Ok(()) => Ok(Outcome::AppendAccept.into()),
        Err(failure) => {
            user.append = None;
            Err(failure)
        }
    }
}

/// What a URL names, and the bytes that it refers to; anything that is not there, or not this
/// user's, is one answer.
async fn content_of<S: Stream>(
    link: &Link<S>,
    user: &User,
    url: &str,
) -> Result<(Content, Vec<u8>), Failure> {
    let bad = || Failure::from(Reply::no(text::BAD_URL).with(Code::BadUrl(url.to_owned())));
    let named = MessageUrl::parse(url).ok_or_else(bad)?;
    let store = link.store().clone();
    let mailbox = match (&named.mailbox, &user.selected) {
        (Some(name), _) => user.door.open(&store, name).map_err(|_| bad())?,
        (None, Some(selected)) => selected.handle.clone(),
        (None, None) => return Err(bad()),
    };
    let reading = mailbox.read().map_err(|_| bad())?;
    if named
        .uid_validity
        .is_some_and(|validity| validity != mailbox.record().uid_validity)
    {
        return Err(bad());
    }
    let message = reading.message(&store, Uid(named.uid))?;
    let message = message.ok_or_else(bad)?;
    let attribute = FetchAttribute::Section {
        section: named.section,
        partial: named.partial,
        peek: true,
    };
    let (item, held) = drive::blocking(move || {
        let bodies = store.bodies()?;
        let logical = Logical::new(&bodies, reading.threads_of(), message);
        let mut held = Vec::new();
        let mut printer = StructurePrinter::new(StringForm::Utf8);
        let item = logical.item(&attribute, &mut printer, &mut held);
        Ok((item, held))
    })
    .await?;
    match item {
        Ok(Item::Content(content)) if !matches!(content, Content::Nil) => Ok((content, held)),
        Err(Problem::Store(error)) => Err(error.into()),
        _ => Err(bad()),
    }
}

async fn copy_content(
    store: &Store,
    user: &mut User,
    content: Content,
    held: &[u8],
) -> Result<(), Failure> {
    let append = user.append.as_mut().ok_or(Failure::Fault)?;
    if let Some(failure) = append.failure.take() {
        return Err(failure);
    }
    let (at, streamed) = match content {
        Content::Nil => return Err(Failure::Fault),
        Content::Held(at) => (at, None),
        Content::Streamed(streamed) => {
            let Source::Body(blob) = streamed.source else {
                return Err(Failure::Fault);
            };
            (streamed.held, Some((blob, streamed.range)))
        }
    };
    append.take(held.get(at).unwrap_or_default()).await;
    if let Some((blob, range)) = streamed {
        let mut at = range.start;
        while at < range.end && append.failure.is_none() {
            let len = (range.end - at).min(STREAM_BYTES);
            let bytes = drive::read_body(store, blob, at, len).await?;
            append.take(&bytes).await;
            at += len;
        }
    }
    match append.failure.take() {
        Some(failure) => Err(failure),
        None => Ok(()),
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
    // The rights may have changed while the bytes came.
    let mailbox = append.mailbox.again(link.store()).map_err(no_target)?;
    if let Some((from, uid)) = append.replaced {
        let message = append.finished.pop().ok_or(Failure::Fault)?;
        let from = from.again(link.store())?;
        return replace(link, &(from, uid), &mailbox, message).await;
    }
    let appended = mailbox
        .append(link.store(), append.finished)
        .await
        .map_err(no_target)?;
    let reply = Reply::ok(text::APPEND_DONE);
    let Some(first) = appended.first().filter(|_| shows_uids(&mailbox)) else {
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

/// RFC 8508 §4.3: APPENDUID comes before the EXPUNGE.
async fn replace<S: Stream>(
    link: &mut Link<S>,
    (old, uid): &(Handle, Uid),
    mailbox: &Handle,
    message: (NewBody, NewMessage),
) -> Handled {
    let appended = mailbox.replace(link.store(), (old, *uid), message).await?;
    if shows_uids(mailbox) {
        let code = Code::AppendUid {
            uid_validity: appended.uid_validity,
            uids: Numbers::from_ranges([(appended.uid.0, appended.uid.0)]),
        };
        let reply = Reply::ok(text::APPENDUID).with(code);
        link.session.respond(&Untagged::Reply(&reply));
    }
    done(text::REPLACE_DONE)
}

/// The client broke off: nothing was kept.
pub(super) fn abort(user: &mut User) -> Handled {
    user.append = None;
    Ok(Outcome::AppendAborted.into())
}
