//! NOTIFY (RFC 5465): news of other mailboxes, and of the selected one as the client wants them.
//!
//! The change log says which mailboxes changed; each is compared with what the client was told of
//! it last. A client's own changes are told like everybody else's (RFC 5465 §5 only says SHOULD
//! NOT): it can't miss what somebody else did at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use facteur_imap::command::{
    EventGroup, Events, FetchAttribute, Notify, NotifySet, StatusItem, Watched,
};
use facteur_imap::response::{Code, ListData};
use facteur_imap::session::Notifying;
use facteur_imap::{Reply, Untagged, text};
use facteur_store::{MailboxId, ModSeq, Store};

use super::door::Handle;
use super::error::Failure;
use super::link::Link;
use super::list::special_uses;
use super::{Handled, User, done, limits, status, sync};
use crate::drive::Stream;

/// The account's own annotations stand here in the change log.
const SERVER: MailboxId = MailboxId(0);

/// What a client asked to be told of.
pub(super) struct Watching {
    /// Of the selected mailbox; `None`: nothing.
    pub(super) selected: Option<Selected>,
    groups: Vec<EventGroup>,
    /// What the client knows; all mailboxes of the account.
    known: BTreeMap<MailboxId, Handle>,
    /// Annotations by mailbox, as hashes of their values; only when asked for.
    annotations: BTreeMap<MailboxId, BTreeMap<String, u64>>,
    /// Everything up to here was looked at.
    pub(super) modseq: ModSeq,
}

/// RFC 5465 §6.1.
#[derive(Clone)]
pub(super) struct Selected {
    pub(super) flags: bool,
    /// For new messages.
    pub(super) items: Arc<[FetchAttribute]>,
}

/// NOTIFY: what was asked for before is forgotten.
pub(super) async fn notify<S: Stream>(
    link: &mut Link<S>,
    user: &mut User,
    request: Notify,
) -> Handled {
    let set = match request {
        Notify::None => {
            user.notify = Some(Watching::nothing(user.source.current()));
            link.session.set_notifying(Notifying::Delayed);
            return done(text::NOTIFY_DONE);
        }
        Notify::Set(set) => set,
    };
    let watching = Watching::new(link.store(), user, &set)?;
    // RFC 5465 §3.1: as NOOP would.
    user.notify = None;
    sync::sync(link, user, &sync::Own::default()).await?;
    link.session.set_notifying(match &set.selected {
        Some(selected) if !selected.delayed => Notifying::Immediate,
        _ => Notifying::Delayed,
    });
    if set.status {
        for mailbox in watching.known.values() {
            let events = watching.events(user, mailbox);
            let items = first_status(link, events);
            if !items.is_empty() {
                status::respond(link, mailbox, &items)?;
            }
            if link.session.output_full() {
                link.flush().await?;
            }
        }
    }
    user.notify = Some(watching);
    done(text::NOTIFY_DONE)
}

/// RFC 5465 §3.1.
fn first_status<S: Stream>(link: &Link<S>, events: Events) -> Vec<StatusItem> {
    let mut items = Vec::new();
    if events.messages {
        items.extend([
            StatusItem::Messages,
            StatusItem::UidNext,
            StatusItem::UidValidity,
        ]);
    }
    if events.flags && link.session.condstore() {
        items.push(StatusItem::HighestModSeq);
    }
    items
}

impl Watching {
    fn nothing(modseq: ModSeq) -> Self {
        Watching {
            selected: None,
            groups: Vec::new(),
            known: BTreeMap::new(),
            annotations: BTreeMap::new(),
            modseq,
        }
    }

    fn new(store: &Store, user: &User, set: &NotifySet) -> Result<Self, Failure> {
        // First the modseq: what comes meanwhile is compared again.
        let mut watching = Watching::nothing(user.source.current());
        watching.selected = set.selected.as_ref().map(|selected| Selected {
            flags: selected.flags,
            items: selected.items.clone().into(),
        });
        watching.groups.clone_from(&set.groups);
        if watching.groups.is_empty() {
            return Ok(watching);
        }
        let mailboxes = user.door.mailboxes(store)?;
        if mailboxes.len() > limits::NOTIFY_MAILBOXES_MAX {
            let reply = Reply::no(text::NOTIFY_TOO_MUCH).with(Code::NotificationOverflow);
            return Err(reply.into());
        }
        watching.known = mailboxes
            .into_iter()
            .map(|mailbox| (mailbox.number(), mailbox))
            .collect();
        if watching.asks(|events| events.metadata) {
            for mailbox in watching.known.values() {
                let annotations = hashes(mailbox.metadata(store)?);
                watching.annotations.insert(mailbox.number(), annotations);
            }
        }
        if watching.asks(|events| events.server_metadata) {
            let annotations = hashes(user.door.metadata(store)?);
            watching.annotations.insert(SERVER, annotations);
        }
        Ok(watching)
    }

    fn asks(&self, wanted: impl Fn(&Events) -> bool) -> bool {
        self.groups.iter().any(|group| wanted(&group.events))
    }

    /// What is to be told of a mailbox; of the selected one, nothing about messages.
    fn events(&self, user: &User, mailbox: &Handle) -> Events {
        let selected = user.selected.as_ref();
        let mut events = Events::default();
        for group in &self.groups {
            if covers(&group.watched, mailbox) {
                events = events.and(group.events);
            }
        }
        if selected.is_some_and(|selected| selected.handle.is_same(mailbox)) {
            events.messages = false;
            events.flags = false;
        }
        events
    }
}

fn covers(watched: &Watched, mailbox: &Handle) -> bool {
    let name = mailbox.name();
    match watched {
        Watched::Personal => mailbox.is_own(),
        Watched::Subscribed => mailbox.record().subscribed,
        Watched::Mailboxes(names) => names.iter().any(|watched| watched.as_str() == name),
        Watched::Subtree(names) => names.iter().any(|top| {
            name.strip_prefix(top.as_str())
                .is_some_and(|below| below.is_empty() || below.starts_with('/'))
        }),
    }
}

fn hashes(entries: Vec<(String, Vec<u8>)>) -> BTreeMap<String, u64> {
    let entries = entries.into_iter();
    entries
        .map(|(name, value)| {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            (name, hasher.finish())
        })
        .collect()
}

/// Tells what is new outside of the selected mailbox.
pub(super) async fn tell<S: Stream>(link: &mut Link<S>, user: &mut User) -> Result<(), Failure> {
    let Some(mut watching) = user.notify.take() else {
        return Ok(());
    };
    let told = look(link, user, &mut watching).await;
    user.notify = Some(watching);
    told
}

async fn look<S: Stream>(
    link: &mut Link<S>,
    user: &User,
    watching: &mut Watching,
) -> Result<(), Failure> {
    let newest = user.source.current();
    if newest <= watching.modseq {
        return Ok(());
    }
    if watching.groups.is_empty() {
        watching.modseq = newest;
        return Ok(());
    }
    let mut touched = BTreeSet::new();
    loop {
        let changes =
            user.source
                .changes_since(link.store(), watching.modseq, limits::CHANGES_MAX)?;
        if !changes.complete {
            return overflow(link, watching, newest).await;
        }
        let more = changes.entries.len() >= limits::CHANGES_MAX && changes.up_to > watching.modseq;
        watching.modseq = watching.modseq.max(changes.up_to);
        for entry in &changes.entries {
            touched.extend(entry.mailboxes.iter().map(|change| change.mailbox));
        }
        if !more {
            break;
        }
    }
    let mut changes = Vec::new();
    for id in touched {
        let now = user.source.mailbox(link.store(), id)?;
        let before = match &now {
            Some(now) => watching.known.insert(id, now.clone()),
            None => watching.known.remove(&id),
        };
        changes.push(Change { id, before, now });
    }
    if watching.known.len() > limits::NOTIFY_MAILBOXES_MAX {
        return overflow(link, watching, newest).await;
    }
    for change in &changes {
        tell_names(link, user, watching, change, &changes).await?;
        tell_messages(link, user, watching, change).await?;
        tell_annotations(link, user, watching, change).await?;
    }
    Ok(())
}

/// RFC 5465 §5.8: as if NOTIFY NONE had come.
async fn overflow<S: Stream>(
    link: &mut Link<S>,
    watching: &mut Watching,
    newest: ModSeq,
) -> Result<(), Failure> {
    *watching = Watching::nothing(newest);
    link.session.set_notifying(Notifying::Delayed);
    let reply = Reply::ok(text::NOTIFY_TOO_MUCH).with(Code::NotificationOverflow);
    link.say(&Untagged::Reply(&reply)).await?;
    Ok(())
}

/// One mailbox that something happened to.
struct Change {
    id: MailboxId,
    before: Option<Handle>,
    now: Option<Handle>,
}

impl Change {
    fn renamed(&self) -> Option<(&str, &str)> {
        let (before, now) = (self.before.as_ref()?, self.now.as_ref()?);
        (before.name() != now.name()).then_some((before.name(), now.name()))
    }

    /// It moved because a mailbox above it did (RFC 5465 §5.4).
    fn moved_along(&self, changes: &[Change]) -> bool {
        let Some((old, new)) = self.renamed() else {
            return false;
        };
        changes
            .iter()
            .filter_map(Change::renamed)
            .any(|(from, to)| {
                let rest = old.strip_prefix(from).filter(|rest| rest.starts_with('/'));
                rest.is_some() && rest == new.strip_prefix(to)
            })
    }
}

/// MailboxName and SubscriptionChange, RFC 5465 §5.4, §5.5.
async fn tell_names<S: Stream>(
    link: &mut Link<S>,
    user: &User,
    watching: &Watching,
    change: &Change,
    changes: &[Change],
) -> Result<(), Failure> {
    let sides = [&change.before, &change.now];
    let events = sides
        .into_iter()
        .flatten()
        .map(|mailbox| watching.events(user, mailbox))
        .fold(Events::default(), Events::and);
    match (&change.before, &change.now) {
        (None, Some(now)) if events.names => {
            say_list(link, watching, now.name(), None).await?;
            say_parent(link, watching, now.name()).await
        }
        (Some(before), None) if events.names => {
            say_list(link, watching, before.name(), None).await?;
            say_parent(link, watching, before.name()).await
        }
        (Some(before), Some(now)) => {
            let renamed = before.name() != now.name() && !change.moved_along(changes);
            let subscription = before.record().subscribed != now.record().subscribed;
            if events.names && renamed {
                say_list(link, watching, now.name(), Some(before.name())).await
            } else if events.subscriptions && subscription {
                say_list(link, watching, now.name(), None).await
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

async fn say_parent<S: Stream>(
    link: &mut Link<S>,
    watching: &Watching,
    name: &str,
) -> Result<(), Failure> {
    match name.rsplit_once('/') {
        Some((parent, _)) => say_list(link, watching, parent, None).await,
        None => Ok(()),
    }
}

/// LIST of a name as it is now, whether there is a mailbox of it or not.
async fn say_list<S: Stream>(
    link: &mut Link<S>,
    watching: &Watching,
    name: &str,
    old_name: Option<&str>,
) -> Result<(), Failure> {
    let mailboxes = watching.known.values();
    let mailbox = mailboxes.clone().find(|mailbox| mailbox.name() == name);
    let is_below = |mailbox: &Handle| {
        let rest = mailbox.name().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let record = mailbox.map(Handle::record);
    let data = ListData {
        name,
        non_existent: mailbox.is_none(),
        has_children: Some(mailboxes.clone().any(is_below)),
        subscribed: record.is_some_and(|record| record.subscribed),
        special_use: special_uses(record.and_then(|record| record.special_use)),
        old_name,
        ..ListData::default()
    };
    link.say(&Untagged::List(&data)).await?;
    Ok(())
}

/// RFC 5465 §5.1 to §5.3, for mailboxes that are not selected: STATUS.
async fn tell_messages<S: Stream>(
    link: &mut Link<S>,
    user: &User,
    watching: &Watching,
    change: &Change,
) -> Result<(), Failure> {
    let Some(now) = &change.now else {
        return Ok(());
    };
    let events = watching.events(user, now);
    let (mut items, condstore) = (Vec::new(), link.session.condstore());
    let was = change.before.as_ref();
    let numbers = |mailbox: &Handle| {
        let record = mailbox.record();
        (record.uid_next, record.messages, record.uid_validity)
    };
    let moved = match was {
        Some(before) => numbers(before) != numbers(now),
        // Made just now: its messages are news when it has any.
        None => now.record().messages > 0,
    };
    if events.messages && moved {
        items.extend([StatusItem::UidNext, StatusItem::Messages]);
    }
    let touched =
        was.is_some_and(|before| before.record().highest_modseq != now.record().highest_modseq);
    let seen = was.is_some_and(|before| before.record().unseen != now.record().unseen);
    if events.flags && touched && (condstore || seen) {
        items.extend([StatusItem::Unseen, StatusItem::UidValidity]);
    }
    if !items.is_empty() {
        if condstore {
            items.push(StatusItem::HighestModSeq);
        }
        status::respond(link, now, &items)?;
    }
    if link.session.output_full() {
        link.flush().await?;
    }
    Ok(())
}

/// RFC 5465 §5.6, §5.7: the names of what changed, never the values.
async fn tell_annotations<S: Stream>(
    link: &mut Link<S>,
    user: &User,
    watching: &mut Watching,
    change: &Change,
) -> Result<(), Failure> {
    let (name, wanted) = match &change.now {
        Some(now) => (now.name(), watching.events(user, now).metadata),
        None if change.id == SERVER => ("", watching.asks(|events| events.server_metadata)),
        None => {
            watching.annotations.remove(&change.id);
            return Ok(());
        }
    };
    // Kept in step even where it is not told now: a subscription may come.
    if change.id != SERVER && !watching.asks(|events| events.metadata) {
        return Ok(());
    }
    let now = hashes(match &change.now {
        Some(now) => now.metadata(link.store())?,
        None => user.door.metadata(link.store())?,
    });
    let before = watching
        .annotations
        .insert(change.id, now.clone())
        .unwrap_or_default();
    let differs = |entry: &&String| before.get(*entry) != now.get(*entry);
    let entries: BTreeSet<&str> = before
        .keys()
        .chain(now.keys())
        .filter(differs)
        .map(String::as_str)
        .collect();
    if wanted && !entries.is_empty() {
        let entries: Vec<&str> = entries.into_iter().collect();
        link.say(&Untagged::MetadataChanged {
            mailbox: name,
            entries: &entries,
        })
        .await?;
    }
    Ok(())
}
