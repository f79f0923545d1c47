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
use facteur_store::{Error, ModSeq, Rights, Store};

use super::door::{Asked, Handle, Key, Source};
use super::error::Failure;
use super::link::Link;
use super::list::special_uses;
use super::{Handled, User, done, limits, status, sync};
use crate::drive::Stream;

/// What a client asked to be told of.
pub(super) struct Watching {
    /// Of the selected mailbox; `None`: nothing.
    pub(super) selected: Option<Selected>,
    groups: Vec<EventGroup>,
    /// What the client knows; all mailboxes that are listed for the user.
    known: BTreeMap<Key, Handle>,
    /// Annotations by mailbox (`None`: the server's), as hashes of their values; only when asked for.
    annotations: BTreeMap<Option<Key>, BTreeMap<String, u64>>,
    /// Everything in the user's own account up to here was looked at.
    pub(super) modseq: ModSeq,
    /// Accounts that share something with the user.
    pub(super) others: Vec<Followed>,
}

/// Another account, and up to where it was looked at.
pub(super) struct Followed {
    pub(super) source: Source,
    pub(super) modseq: ModSeq,
}

impl Followed {
    fn new(source: Source) -> Self {
        let modseq = source.current();
        Followed { source, modseq }
    }
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
            if !items.is_empty() && mailbox.may(Rights::READ) {
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
            others: Vec::new(),
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
        let own = user.source.mailboxes(store, Asked(&[]))?;
        if own.len() > limits::NOTIFY_MAILBOXES_MAX {
            let reply = Reply::no(text::NOTIFY_TOO_MUCH).with(Code::NotificationOverflow);
            return Err(reply.into());
        }
        let others = watching.other_sources(store, user)?.into_iter();
        watching.others = others.map(Followed::new).collect();
        let asked = asked(&watching.groups);
        let mut others = Vec::new();
        for followed in &watching.others {
            others.extend(followed.source.mailboxes(store, Asked(&asked))?);
        }
        others.truncate(limits::NOTIFY_OTHERS_MAX);
        let all = own.into_iter().chain(others);
        watching.known = all.map(|mailbox| (mailbox.key(), mailbox)).collect();
        if watching.asks(|events| events.metadata) {
            for mailbox in watching.known.values() {
                let annotations = annotations(store, mailbox)?;
                let key = Some(mailbox.key());
                watching.annotations.insert(key, annotations);
            }
        }
        if watching.asks(|events| events.server_metadata) {
            let annotations = hashes(user.door.metadata(store)?);
            watching.annotations.insert(None, annotations);
        }
        Ok(watching)
    }

    fn asks(&self, wanted: impl Fn(&Events) -> bool) -> bool {
        self.groups.iter().any(|group| wanted(&group.events))
    }

    /// Accounts of others that are to be followed: none when all that is watched is one's own.
    fn other_sources(&self, store: &Store, user: &User) -> Result<Vec<Source>, Failure> {
        let is_personal = |group: &EventGroup| group.watched == Watched::Personal;
        if self.groups.iter().all(is_personal) {
            return Ok(Vec::new());
        }
        Ok(user
            .door
            .other_sources(store, Asked(&asked(&self.groups)))?)
    }

    /// How many mailboxes are known, one's own and of others.
    fn counts(&self) -> (usize, usize) {
        let own = self.known.values().filter(|known| known.is_own()).count();
        (own, self.known.len() - own)
    }

    /// `None`: gone, or not listed for this user.
    fn mailbox_now(&self, store: &Store, user: &User, key: Key) -> Result<Option<Handle>, Failure> {
        let others = self.others.iter().map(|other| &other.source);
        let mut sources = std::iter::once(&user.source).chain(others);
        let Some(source) = sources.find(|source| source.has(key)) else {
            return Ok(None);
        };
        let Some(now) = source.mailbox(store, key)? else {
            return Ok(None);
        };
        let asked = asked(&self.groups);
        let listed = user.door.is_listed(store, &now, Asked(&asked))?;
        Ok(listed.then_some(now))
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

/// The names of mailboxes and trees that are watched.
fn asked(groups: &[EventGroup]) -> Vec<&str> {
    let names = groups.iter().flat_map(|group| match &group.watched {
        Watched::Mailboxes(names) | Watched::Subtree(names) => names.as_slice(),
        Watched::Personal | Watched::Subscribed => &[],
    });
    names.map(|name| name.as_str()).collect()
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

/// None where the user may not see them.
fn annotations(store: &Store, mailbox: &Handle) -> Result<BTreeMap<String, u64>, Failure> {
    if !mailbox.may(Rights::READ) {
        return Ok(BTreeMap::new());
    }
    Ok(hashes(mailbox.metadata(store)?))
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
    let others = || watching.others.iter();
    let is_new =
        newest > watching.modseq || others().any(|other| other.source.current() > other.modseq);
    if !is_new {
        return Ok(());
    }
    if watching.groups.is_empty() {
        watching.modseq = newest;
        return Ok(());
    }
    let Some((touched, own)) = touched(link.store(), user, watching)? else {
        return overflow(link, watching, newest).await;
    };
    let mut changes = Vec::new();
    let (_, mut others) = watching.counts();
    for key in touched {
        let now = watching.mailbox_now(link.store(), user, key)?;
        let is_known = watching.known.contains_key(&key);
        if let Some(now) = &now
            && !now.is_own()
            && !is_known
        {
            if others >= limits::NOTIFY_OTHERS_MAX {
                continue;
            }
            others += 1;
        }
        let before = match &now {
            Some(now) => watching.known.insert(key, now.clone()),
            None => watching.known.remove(&key),
        };
        changes.push(Change { key, before, now });
    }
    if watching.counts().0 > limits::NOTIFY_MAILBOXES_MAX {
        return overflow(link, watching, newest).await;
    }
    for change in &changes {
        tell_names(link, user, watching, change, &changes).await?;
        tell_messages(link, user, watching, change).await?;
        tell_annotations(link, user, watching, change).await?;
    }
    if own && watching.asks(|events| events.server_metadata) {
        let now = hashes(user.door.metadata(link.store())?);
        tell_differences(link, watching, None, ("", true), now).await?;
    }
    Ok(())
}

/// Mailboxes that something may have happened to, and whether something did to the account itself;
/// `None`: the logs do not reach back.
fn touched(
    store: &Store,
    user: &User,
    watching: &mut Watching,
) -> Result<Option<(BTreeSet<Key>, bool)>, Failure> {
    let mut touched = BTreeSet::new();
    let (source, modseq) = (&user.source, &mut watching.modseq);
    let Some(own) = read_log(store, source, modseq, &mut touched)? else {
        return Ok(None);
    };
    if own {
        follow_others(store, user, watching, &mut touched)?;
    }
    let asked = asked(&watching.groups);
    let mut at = 0;
    while let Some(other) = watching.others.get_mut(at) {
        let (source, modseq) = (&other.source, &mut other.modseq);
        let read = read_log(store, source, modseq, &mut touched);
        if matches!(read, Err(Failure::Store(Error::NoSuchAccount))) {
            // Erased: its mailboxes are gone, and it is followed no more.
            let known = watching.known.keys().copied();
            touched.extend(known.filter(|key| other.source.has(*key)));
            watching.others.remove(at);
            continue;
        }
        at += 1;
        let Some(whole) = read? else {
            return Ok(None);
        };
        if whole {
            // Rights in the whole tree: what is listed may be other mailboxes now.
            let known = watching.known.keys().copied();
            touched.extend(known.filter(|key| other.source.has(*key)));
            touched.extend(
                other
                    .source
                    .mailboxes(store, Asked(&asked))?
                    .iter()
                    .map(Handle::key),
            );
        }
    }
    Ok(Some((touched, own)))
}

/// Reads one account's log to its end; gives whether something happened to the account itself.
fn read_log(
    store: &Store,
    source: &Source,
    modseq: &mut ModSeq,
    touched: &mut BTreeSet<Key>,
) -> Result<Option<bool>, Failure> {
    let mut account = false;
    loop {
        let changes =
            source.changes_since(store, *modseq, source.current(), limits::CHANGES_MAX)?;
        if !changes.complete {
            return Ok(None);
        }
        let more = changes.entries.len() >= limits::CHANGES_MAX && changes.up_to > *modseq;
        *modseq = changes.up_to.max(*modseq);
        for entry in &changes.entries {
            touched.extend(source.touched(entry));
            account |= source.touches_account(entry);
        }
        if !more {
            return Ok(Some(account));
        }
    }
}

/// Others may share something now that did not before, or no more.
fn follow_others(
    store: &Store,
    user: &User,
    watching: &mut Watching,
    touched: &mut BTreeSet<Key>,
) -> Result<(), Failure> {
    let now = watching.other_sources(store, user)?;
    let is_among = |sources: &[Source], one: &Source| sources.iter().any(|s| s.is_same(one));
    let Watching {
        known,
        others,
        groups,
        ..
    } = watching;
    let asked = asked(groups);
    others.retain(|other| {
        let stays = is_among(&now, &other.source);
        if !stays {
            touched.extend(known.keys().filter(|key| other.source.has(**key)));
        }
        stays
    });
    for source in now {
        if !others.iter().any(|other| other.source.is_same(&source)) {
            touched.extend(
                source
                    .mailboxes(store, Asked(&asked))?
                    .iter()
                    .map(Handle::key),
            );
            others.push(Followed::new(source));
        }
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
    key: Key,
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
    // What one has not seen of a mailbox of others is not in its record.
    let seen =
        was.is_some_and(|before| !now.is_own() || before.record().unseen != now.record().unseen);
    if events.flags && touched && (condstore || seen) {
        items.extend([StatusItem::Unseen, StatusItem::UidValidity]);
    }
    if !items.is_empty() && now.may(Rights::READ) {
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

/// RFC 5465 §5.6, of mailboxes.
async fn tell_annotations<S: Stream>(
    link: &mut Link<S>,
    user: &User,
    watching: &mut Watching,
    change: &Change,
) -> Result<(), Failure> {
    let Some(now) = &change.now else {
        watching.annotations.remove(&Some(change.key));
        return Ok(());
    };
    // Kept in step even where it is not told now: a subscription may come.
    if !watching.asks(|events| events.metadata) {
        return Ok(());
    }
    let wanted = watching.events(user, now).metadata;
    let entries = annotations(link.store(), now)?;
    tell_differences(
        link,
        watching,
        Some(change.key),
        (now.name(), wanted),
        entries,
    )
    .await
}

/// RFC 5465 §5.6, §5.7: the names of what changed, never the values.
async fn tell_differences<S: Stream>(
    link: &mut Link<S>,
    watching: &mut Watching,
    key: Option<Key>,
    (mailbox, wanted): (&str, bool),
    now: BTreeMap<String, u64>,
) -> Result<(), Failure> {
    let before = watching
        .annotations
        .insert(key, now.clone())
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
            mailbox,
            entries: &entries,
        })
        .await?;
    }
    Ok(())
}
