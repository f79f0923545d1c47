//! NOTIFY, RFC 5465 §8.

use super::mailbox::mailbox;
use super::{Command, FetchAttribute, MailboxName, Numbering, Request, fetch};
use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;

#[derive(Clone, Debug, PartialEq)]
pub enum Notify {
    /// Nothing is to be told, not even of the selected mailbox.
    None,
    Set(NotifySet),
}

/// RFC 5465 §3.1.
#[derive(Clone, Debug, PartialEq)]
pub struct NotifySet {
    /// STATUS of the watched mailboxes first.
    pub status: bool,
    /// `None`: nothing is to be told of the selected mailbox.
    pub selected: Option<SelectedEvents>,
    pub groups: Vec<EventGroup>,
}

/// MessageNew and MessageExpunge, RFC 5465 §6.1.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedEvents {
    /// Expunges wait for a command that lets them be told.
    pub delayed: bool,
    /// FlagChange too.
    pub flags: bool,
    /// Of new messages.
    pub items: Vec<FetchAttribute>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EventGroup {
    pub watched: Watched,
    pub events: Events,
}

/// RFC 5465 §6.2 to §6.6.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    Personal,
    Subscribed,
    Subtree(Vec<MailboxName>),
    Mailboxes(Vec<MailboxName>),
}

/// RFC 5465 §5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// MessageNew and MessageExpunge.
    pub messages: bool,
    pub flags: bool,
    pub names: bool,
    pub subscriptions: bool,
    pub metadata: bool,
    pub server_metadata: bool,
}

impl Events {
    /// Those of both.
    pub fn and(self, other: Events) -> Events {
        Events {
            messages: self.messages || other.messages,
            flags: self.flags || other.flags,
            names: self.names || other.names,
            subscriptions: self.subscriptions || other.subscriptions,
            metadata: self.metadata || other.metadata,
            server_metadata: self.server_metadata || other.server_metadata,
        }
    }
}

pub(super) fn notify(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    if cursor.skip_word("NONE") {
        return Ok(Command::Run(Request::Notify(Notify::None)));
    }
    if !cursor.skip_word("SET") {
        return Err(Fault::Arguments);
    }
    let mut set = NotifySet {
        status: cursor.skip_word(" STATUS"),
        selected: None,
        groups: Vec::new(),
    };
    let mut names_selected = false;
    let mut known = true;
    let mut groups = 0;
    while groups == 0 || cursor.end().is_err() {
        groups += 1;
        if groups > limits::NOTIFY_GROUPS_MAX {
            return Err(Fault::TooMuch);
        }
        cursor.space()?;
        cursor.expect(b'(')?;
        let filter = filter(cursor)?;
        cursor.space()?;
        let told = events(cursor)?;
        cursor.expect(b')')?;
        known &= told.known;
        match filter {
            // RFC 5465 §6.1: one of the two, once, and messages only.
            Filter::Selected { .. } if names_selected || told.is_of_mailboxes() => {
                return Err(Fault::Arguments);
            }
            Filter::Selected { delayed } => {
                names_selected = true;
                set.selected = told.events.messages.then_some(SelectedEvents {
                    delayed,
                    flags: told.events.flags,
                    items: told.items,
                });
            }
            Filter::Others(_) if !told.items.is_empty() => return Err(Fault::Arguments),
            Filter::Others(watched) => set.groups.push(EventGroup {
                watched,
                events: told.events,
            }),
        }
    }
    // RFC 5465 §3.1: NO, not BAD.
    if !known {
        return Err(Fault::Event);
    }
    Ok(Command::Run(Request::Notify(Notify::Set(set))))
}

enum Filter {
    Selected { delayed: bool },
    Others(Watched),
}

fn filter(cursor: &mut Cursor<'_>) -> Parse<Filter> {
    let watched = match cursor.word()?.as_str() {
        "SELECTED" => return Ok(Filter::Selected { delayed: false }),
        "SELECTED-DELAYED" => return Ok(Filter::Selected { delayed: true }),
        // RFC 5465 §6.3: a rule may deliver anywhere, so all are inboxes.
        "PERSONAL" | "INBOXES" => Watched::Personal,
        "SUBSCRIBED" => Watched::Subscribed,
        "SUBTREE" => Watched::Subtree(mailboxes(cursor)?),
        "MAILBOXES" => Watched::Mailboxes(mailboxes(cursor)?),
        _ => return Err(Fault::Arguments),
    };
    Ok(Filter::Others(watched))
}

fn mailboxes(cursor: &mut Cursor<'_>) -> Parse<Vec<MailboxName>> {
    cursor.space()?;
    if cursor.peek() != Some(b'(') {
        return Ok(vec![mailbox(cursor)?]);
    }
    let names = cursor.list(limits::NOTIFY_NAMES_MAX, mailbox)?;
    if names.is_empty() {
        return Err(Fault::Arguments);
    }
    Ok(names)
}

struct Told {
    events: Events,
    /// Of MessageNew.
    items: Vec<FetchAttribute>,
    /// None that is not known here.
    known: bool,
}

impl Told {
    fn is_of_mailboxes(&self) -> bool {
        let events = self.events;
        events.names || events.subscriptions || events.metadata || events.server_metadata
    }
}

fn events(cursor: &mut Cursor<'_>) -> Parse<Told> {
    let mut told = Told {
        events: Events::default(),
        items: Vec::new(),
        known: true,
    };
    if cursor.skip_word("NONE") {
        return Ok(told);
    }
    let (mut new, mut expunge) = (false, false);
    let listed = cursor.list(limits::NOTIFY_EVENTS_MAX, |cursor| {
        match cursor.word()?.as_str() {
            "MESSAGENEW" => {
                new = true;
                if cursor.skip_word(" (") {
                    told.items = fetch::items_until_closed(cursor)?;
                }
            }
            "MESSAGEEXPUNGE" => expunge = true,
            "FLAGCHANGE" => told.events.flags = true,
            "MAILBOXNAME" => told.events.names = true,
            "SUBSCRIPTIONCHANGE" => told.events.subscriptions = true,
            "MAILBOXMETADATACHANGE" => told.events.metadata = true,
            "SERVERMETADATACHANGE" => told.events.server_metadata = true,
            _ => told.known = false,
        }
        Ok(())
    })?;
    // RFC 5465 §5: MessageNew and MessageExpunge go together, and with FlagChange.
    if listed.is_empty() || new != expunge || (told.events.flags && !new) {
        return Err(Fault::Arguments);
    }
    told.events.messages = new;
    Ok(told)
}
