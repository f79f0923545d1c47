//! What each action asks for, gathered in the outcome; the caller does it.

use super::Machine;
use crate::error::Cause;
use crate::limits;
use crate::message::{INBOX, Notification, Redirect, Reject, Stored, Vacation};
use crate::notify::Mailto;
use crate::program::{self, Action, Destination};
use crate::text::{Piece, Text};
use crate::value;

impl Machine<'_> {
    pub(super) fn action(&mut self, action: &Action) -> Result<(), Cause> {
        match action {
            Action::Keep { flags } => {
                let flags = self.flags_of(flags.as_deref())?;
                self.keep = false;
                self.store(INBOX.to_owned(), false, None, flags)
            }
            Action::Fileinto { place, copy } => {
                let to = self.destination(place)?;
                self.keep &= *copy;
                self.store(to.mailbox, to.create, to.special_use, to.flags)
            }
            Action::Redirect {
                address,
                copy,
                list,
            } => {
                let text = self.expand(address)?;
                // RFC 6134 §2.3: the address book is asked, it can't be told over.
                if *list {
                    return Err(Cause::List(text));
                }
                let address = value::address(&text).ok_or(Cause::Address(text))?;
                self.keep &= *copy;
                self.redirect(address)
            }
            Action::Discard => {
                self.keep = false;
                Ok(())
            }
            Action::Reject { reason, ereject } => self.reject(reason, *ereject),
            Action::Vacation(vacation) => self.vacation(vacation),
            Action::Notify(notify) => self.notify(notify),
            Action::AddHeader { name, value, last } => self.add_header(name, value, *last),
            Action::DeleteHeader {
                name,
                index,
                matching,
            } => self.delete_header(name, *index, matching),
        }
    }

    /// Of the message as it is now.
    fn destination(&mut self, place: &Destination) -> Result<Stored, Cause> {
        let flags = self.flags_of(place.flags.as_deref())?;
        let name = self.expand(&place.mailbox)?;
        let name = value::mailbox(&name)
            .map(str::to_owned)
            .ok_or(Cause::Mailbox(name))?;
        let (found, special_use) =
            self.found(place.special_use.as_ref(), place.mailbox_id.as_ref())?;
        Ok(Stored {
            mailbox: found.unwrap_or(name),
            create: place.create,
            special_use,
            flags,
            edition: 0,
        })
    }

    /// RFC 8580 §3.1.1: flags of the copy are those that stand there, and no others.
    fn fcc(&mut self, place: Option<&Destination>) -> Result<Option<Stored>, Cause> {
        let Some(place) = place else {
            return Ok(None);
        };
        let mut to = self.destination(place)?;
        if place.flags.is_none() {
            to.flags.clear();
        }
        Ok(Some(to))
    }

    /// RFC 5435 §3.
    fn notify(&mut self, asked: &program::Notify) -> Result<(), Cause> {
        let method = self.text(&asked.method)?;
        let Some(method) = Mailto::parse(&method) else {
            return Err(Cause::Method(method));
        };
        let importance = self.optional(asked.importance.as_ref())?;
        let importance = match importance.as_deref() {
            None => 2,
            Some(text) if value::importance(text) => text.parse().unwrap_or(2),
            Some(_) => return Err(Cause::Value(":importance")),
        };
        for option in self.expand_all(&asked.options)? {
            if !value::notify_option(&option) {
                return Err(Cause::Value(":options"));
            }
        }
        let from = self.optional(asked.from.as_ref())?;
        let notification = Notification {
            // RFC 5435 §3.3: one that can't be used is left out.
            from: from.filter(|from| value::address(from).is_some()),
            importance,
            message: self.optional(asked.message.as_ref())?,
            method,
            fcc: self.fcc(asked.fcc.as_ref())?,
        };
        let list = &mut self.outcome.notifications;
        // RFC 5436 §2.7: nobody is told twice of one message.
        let to = &notification.method.recipients;
        if list.iter().any(|have| have.method.recipients == *to) {
            return Ok(());
        }
        if list.len() >= limits::NOTIFICATIONS_MAX {
            return Err(Cause::TooManyNotifications);
        }
        list.push(notification);
        Ok(())
    }

    /// RFC 8579 §4, RFC 9042: a mailbox that is named otherwise than by its name. And the use
    /// that a new one is to have.
    fn found(
        &mut self,
        special_use: Option<&Text>,
        mailbox_id: Option<&Text>,
    ) -> Result<(Option<String>, Option<String>), Cause> {
        if special_use.is_some() || mailbox_id.is_some() {
            self.spend(limits::QUESTION_STEPS)?;
        }
        if let Some(text) = special_use {
            let special_use = self.expand(text)?;
            let found = self.world.mailbox_of_use(&special_use);
            return Ok((found, Some(special_use)));
        }
        if let Some(text) = mailbox_id {
            let id = self.expand(text)?;
            return Ok((self.world.mailbox_of_id(&id), None));
        }
        Ok((None, None))
    }

    /// RFC 5232 §5: those of `:flags`, else those of the internal variable.
    fn flags_of(&mut self, given: Option<&[Text]>) -> Result<Vec<String>, Cause> {
        let Some(texts) = given else {
            return Ok(self.flags.clone());
        };
        let texts = self.expand_all(texts)?;
        let mut flags: Vec<String> = Vec::new();
        for flag in value::flags(texts.iter().map(String::as_str)) {
            if flags.iter().any(|have| have.eq_ignore_ascii_case(flag)) {
                continue;
            }
            if flags.len() >= limits::FLAGS_MAX {
                return Err(Cause::TooManyFlags);
            }
            flags.push(flag.to_owned());
        }
        Ok(flags)
    }

    /// RFC 5228 §2.10.3: one copy in each mailbox; the last flags hold.
    pub(super) fn store(
        &mut self,
        mailbox: String,
        create: bool,
        special_use: Option<String>,
        flags: Vec<String>,
    ) -> Result<(), Cause> {
        if self.outcome.reject.is_some() {
            return Err(Cause::Conflict("fileinto"));
        }
        let inbox = mailbox.eq_ignore_ascii_case(INBOX);
        let mailbox = if inbox { INBOX.to_owned() } else { mailbox };
        let edition = self.edition()?;
        let stores = &mut self.outcome.stores;
        if let Some(have) = stores.iter_mut().find(|have| have.mailbox == mailbox) {
            have.create |= create;
            have.flags = flags;
            // RFC 5293 §7: the same message still; the last header holds, as the flags do.
            have.edition = edition;
            return Ok(());
        }
        if stores.len() >= limits::STORES_MAX {
            return Err(Cause::TooManyStores);
        }
        stores.push(Stored {
            mailbox,
            create,
            special_use,
            flags,
            edition,
        });
        Ok(())
    }

    fn redirect(&mut self, address: String) -> Result<(), Cause> {
        if self.outcome.reject.is_some() {
            return Err(Cause::Conflict("redirect"));
        }
        let edition = self.edition()?;
        let redirects = &mut self.outcome.redirects;
        let same = |have: &&mut Redirect| have.address.eq_ignore_ascii_case(&address);
        if let Some(have) = redirects.iter_mut().find(same) {
            have.edition = edition;
            return Ok(());
        }
        if redirects.len() >= limits::REDIRECTS_MAX {
            return Err(Cause::TooManyRedirects);
        }
        redirects.push(Redirect { address, edition });
        Ok(())
    }

    /// RFC 5429 §2.4: with nothing that delivers, nothing that answers, and once.
    fn reject(&mut self, reason: &Text, ereject: bool) -> Result<(), Cause> {
        let outcome = &self.outcome;
        if outcome.reject.is_some()
            || outcome.vacation.is_some()
            || !outcome.stores.is_empty()
            || !outcome.redirects.is_empty()
        {
            return Err(Cause::Conflict("reject"));
        }
        let reason = self.text(reason)?;
        self.keep = false;
        self.outcome.reject = Some(Reject { reason, ereject });
        Ok(())
    }

    fn text(&mut self, text: &Text) -> Result<String, Cause> {
        let mut text = self.expand(text)?;
        text.truncate(text.floor_char_boundary(limits::TEXT_BYTES_MAX));
        Ok(text)
    }

    fn optional(&mut self, text: Option<&Text>) -> Result<Option<String>, Cause> {
        text.map(|text| self.text(text)).transpose()
    }

    /// RFC 5230 §4.7: once, and not with a refusal.
    fn vacation(&mut self, asked: &program::Vacation) -> Result<(), Cause> {
        if self.outcome.vacation.is_some() || self.outcome.reject.is_some() {
            return Err(Cause::Conflict("vacation"));
        }
        let from = self.optional(asked.from.as_ref())?;
        let reason = self.text(&asked.reason)?;
        if asked.mime && !value::mime_entity(&reason) {
            return Err(Cause::Value(":mime"));
        }
        let handle = match &asked.handle {
            Some(handle) => format!("handle {}", self.expand(handle)?),
            None => identity(asked),
        };
        self.outcome.vacation = Some(Vacation {
            seconds: asked.seconds,
            subject: self.optional(asked.subject.as_ref())?,
            // RFC 5230 §4.3: one that can't be used is left out.
            from: from.filter(|from| value::address(from).is_some()),
            addresses: self.expand_all(&asked.addresses)?,
            mime: asked.mime,
            reason,
            handle,
            fcc: self.fcc(asked.fcc.as_ref())?,
        });
        Ok(())
    }
}

/// RFC 5230 §4.2: what names an answer without a handle, its variables not expanded.
fn identity(asked: &program::Vacation) -> String {
    let mut out = format!("text {}", u8::from(asked.mime));
    for text in [
        asked.subject.as_ref(),
        asked.from.as_ref(),
        Some(&asked.reason),
    ] {
        out.push('\0');
        let Some(text) = text else {
            continue;
        };
        out.push('=');
        for piece in &text.0 {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Slot(slot) => out.push_str(&format!("\u{1}{slot}\u{1}")),
                Piece::Match(number) => out.push_str(&format!("\u{2}{number}\u{2}")),
            }
        }
    }
    out
}
