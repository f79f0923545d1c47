//! Is everything in the store as the model says? Gives the first difference in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use facteur_sim::model::{AccountState, MailboxState, Model};
use facteur_store::{
    AccountId, BlobId, Grantee, Index, MailboxId, Message, ModSeq, Place, QueueFilter, Row, Store,
    SystemFlags, ThreadId, Tombstone, Uid, UidSet,
};

pub type Difference = String;

fn same<T: PartialEq + Debug>(what: &str, store: &T, model: &T) -> Result<(), Difference> {
    if store == model {
        return Ok(());
    }
    Err(format!("{what}\n  store: {store:?}\n  model: {model:?}"))
}

fn ok<T>(what: &str, result: Result<T, facteur_store::Error>) -> Result<T, Difference> {
    result.map_err(|error| format!("{what}: {error}"))
}

/// Bodies that were read back and compared already.
pub type Read = BTreeSet<BlobId>;

/// All accounts of the model, its domains, addresses and queue entries. `only`: the store holds
/// nothing else.
pub fn compare(
    store: &Store,
    model: &Model,
    only: bool,
    read: &mut Read,
) -> Result<(), Difference> {
    // What is past retention may be there still or be gone.
    let mut kept = model.clone();
    forget(store, &mut kept)?;
    let model = &kept;
    for (id, state) in &model.accounts {
        let whose = format!("account {id:?}");
        compare_account(store, *id, state, model, read).map_err(|d| format!("{whose}: {d}"))?;
    }
    for (name, domain) in &model.domains {
        let found = ok("domain", store.domain(name))?;
        same(&format!("domain {name}"), &found, &Some(domain.clone()))?;
    }
    for (address, target) in &model.addresses {
        let found = ok("address", store.address(address))?;
        same(&format!("address {address}"), &found, &Some(target.clone()))?;
    }
    for (id, entry) in &model.queue {
        let found = ok("queue", store.queue_entry(*id))?;
        same(&format!("queue entry {id:?}"), &found, &Some(entry.clone()))?;
        read_back(store, model, entry.blob, entry.body_size, read)?;
    }
    if only {
        compare_lists(store, model)?;
    }
    Ok(())
}

fn compare_lists(store: &Store, model: &Model) -> Result<(), Difference> {
    let accounts: Vec<AccountId> = ok("accounts", store.accounts())?
        .iter()
        .map(|a| a.id)
        .collect();
    same(
        "accounts",
        &sorted(accounts),
        &model.accounts.keys().copied().collect(),
    )?;
    let domains: Vec<String> = ok("domains", store.domains())?
        .into_iter()
        .map(|domain| domain.name)
        .collect();
    same(
        "domains",
        &sorted(domains),
        &model.domains.keys().cloned().collect(),
    )?;
    let addresses: BTreeMap<_, _> = ok("addresses", store.addresses())?.into_iter().collect();
    same("addresses", &addresses, &model.addresses)?;
    let mut after = None;
    let mut queue = BTreeMap::new();
    loop {
        let page = ok("queue", store.queue_list(&QueueFilter::default(), after, 3))?;
        after = page.last().map(|entry| entry.id);
        if page.is_empty() {
            break;
        }
        for entry in page {
            let id = entry.id;
            if queue.insert(id, entry).is_some() {
                return Err(format!("queue_list gives {id:?} twice"));
            }
        }
    }
    same("queue", &queue, &model.queue)
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

/// Takes from the model what retention has let go of in the store.
pub fn forget(store: &Store, model: &mut Model) -> Result<(), Difference> {
    for (id, state) in &mut model.accounts {
        forget_in(store, *id, state)?;
    }
    Ok(())
}

fn forget_in(store: &Store, id: AccountId, state: &mut AccountState) -> Result<(), Difference> {
    let now = store.clock().now();
    let kept_since = now.before(super::options().retention);
    let stones = state.tombstones.iter().map(|stone| stone.at);
    let deleted = state.deleted.values().map(|(_, at)| *at);
    if stones.chain(deleted).all(|at| at > kept_since) {
        return Ok(());
    }
    let stones = ok("tombstones", store.tombstones(id, None))?;
    let known: BTreeSet<_> = stones
        .iter()
        .map(|s| (s.mailbox, s.message.row.uid))
        .collect();
    state.tombstones.retain(|stone| {
        stone.at > kept_since || known.contains(&(stone.mailbox, stone.message.row.uid))
    });
    let deleted = ok("deleted mailboxes", store.deleted_mailboxes(id))?;
    let known: BTreeMap<_, _> = deleted
        .iter()
        .map(|mailbox| (mailbox.id, mailbox))
        .collect();
    state
        .deleted
        .retain(|id, (_, at)| *at > kept_since || known.contains_key(id));
    Ok(())
}

fn compare_account(
    store: &Store,
    id: AccountId,
    state: &AccountState,
    model: &Model,
    read: &mut Read,
) -> Result<(), Difference> {
    same(
        "record",
        &ok("account", store.account(id))?,
        &Some(state.account()),
    )?;
    let found = ok("mailboxes", store.mailboxes(id))?;
    let found: BTreeMap<MailboxId, _> = found.into_iter().map(|m| (m.id, m)).collect();
    let wanted: BTreeMap<MailboxId, _> = state
        .mailboxes
        .values()
        .map(|m| (m.id, m.mailbox()))
        .collect();
    for (mailbox, wanted) in &wanted {
        same(
            &format!("mailbox {:?}", wanted.name),
            &found.get(mailbox),
            &Some(wanted),
        )?;
        let by_name = ok("mailbox_by_name", store.mailbox_by_name(id, &wanted.name))?;
        same("mailbox_by_name", &by_name.as_ref(), &Some(wanted))?;
    }
    same("mailboxes", &found, &wanted)?;
    for mailbox in state.mailboxes.values() {
        let whose = format!("mailbox {:?}", mailbox.name);
        compare_mailbox(store, id, mailbox, model, read).map_err(|d| format!("{whose}: {d}"))?;
    }
    compare_deleted(store, id, state, model, read)?;
    compare_rights(store, id, state, model)?;
    compare_scripts(store, id, state)?;
    let found = ok("changes_since", store.changes_since(id, ModSeq(0), 100_000))?;
    if found.complete {
        let mut entries = found.entries;
        entries
            .iter_mut()
            .for_each(|entry| entry.mailboxes.sort_by_key(|change| change.mailbox));
        for (store, model) in entries.iter().zip(&state.log) {
            same("change log entry", store, model)?;
        }
        same("change log", &entries, &state.log)?;
    }
    same("up_to", &found.up_to, &state.highest)
}

fn compare_scripts(store: &Store, id: AccountId, state: &AccountState) -> Result<(), Difference> {
    same(
        "scripts",
        &ok("scripts", store.scripts(id))?,
        &state.script_list(),
    )?;
    for (name, text) in &state.scripts {
        let found = ok("script", store.script(id, name))?;
        same("script", &found.as_ref(), &Some(text))?;
    }
    let active = state.active_script.as_ref();
    let wanted = active.map(|name| (name.clone(), state.scripts[name].clone()));
    same("active", &ok("active", store.active_script(id))?, &wanted)
}

/// Threads are the store's own business; that they fit is checked apart.
fn without_thread(message: &Message) -> Message {
    Message {
        thread: ThreadId(0),
        ..message.clone()
    }
}

fn compare_mailbox(
    store: &Store,
    account: AccountId,
    mailbox: &MailboxState,
    model: &Model,
    read: &mut Read,
) -> Result<(), Difference> {
    let index = ok("index", store.index(account, mailbox.id))?;
    let rows: Vec<Row> = index.rows().collect();
    let wanted: Vec<Row> = mailbox
        .messages
        .values()
        .map(|message| message.row)
        .collect();
    same("rows", &rows, &wanted)?;
    compare_walks(&index, &wanted)?;
    same("mailbox of the index", index.mailbox(), &mailbox.mailbox())?;
    same("len", &index.len(), &wanted.len())?;
    let mut found = Vec::new();
    let every = UidSet::from_ranges([(1, u32::MAX)]);
    let each = &mut |message| {
        found.push(message);
        true
    };
    ok(
        "messages",
        store.messages(account, mailbox.id, &every, each),
    )?;
    let found_plain: Vec<Message> = found.iter().map(without_thread).collect();
    let wanted: Vec<Message> = mailbox.messages.values().map(without_thread).collect();
    for (store, model) in found_plain.iter().zip(&wanted) {
        same("message", store, model)?;
    }
    same("number of messages", &found_plain.len(), &wanted.len())?;
    for message in mailbox.messages.values() {
        read_back(store, model, message.blob, message.body_size, read)?;
    }
    if let Some(message) = found.first() {
        let uid = message.row.uid;
        let one = ok("message", store.message(account, mailbox.id, uid))?;
        same("one message", &one.as_ref(), &Some(message))?;
        same("one row", &index.get(uid), &Some(message.row))?;
    }
    let none = ok(
        "message",
        store.message(account, mailbox.id, mailbox.uid_next),
    )?;
    same("a uid not given yet", &none, &None)?;
    same(
        "range past the end",
        &index.range(mailbox.uid_next, Uid(u32::MAX)).count(),
        &0,
    )
}

fn compare_deleted(
    store: &Store,
    account: AccountId,
    state: &AccountState,
    model: &Model,
    read: &mut Read,
) -> Result<(), Difference> {
    let mut found = ok("tombstones", store.tombstones(account, None))?;
    let key = |stone: &Tombstone| (stone.mailbox, stone.message.row.uid);
    found.sort_by_key(key);
    let mut wanted = state.tombstones.clone();
    wanted.sort_by_key(key);
    for stone in found.iter_mut().chain(&mut wanted) {
        stone.message.thread = ThreadId(0);
    }
    // The name is the mailbox's of today.
    for stone in &mut wanted {
        let live = state.mailboxes.get(&stone.mailbox);
        let known = live.or(state.deleted.get(&stone.mailbox).map(|(gone, _)| gone));
        stone.mailbox_name = known
            .map(|mailbox| mailbox.name.clone())
            .unwrap_or_default();
    }
    for (store, model) in found.iter().zip(&wanted) {
        same("tombstone", store, model)?;
    }
    same("number of tombstones", &found.len(), &wanted.len())?;
    for stone in &wanted {
        let message = &stone.message;
        read_back(store, model, message.blob, message.body_size, read)?;
    }
    let mut found = ok("deleted_mailboxes", store.deleted_mailboxes(account))?;
    found.sort_by_key(|mailbox| mailbox.id);
    same("deleted mailboxes", &found, &state.deleted_mailboxes())
}

/// What is given, to whom, and how each sees the mailboxes of the other.
fn compare_rights(
    store: &Store,
    id: AccountId,
    state: &AccountState,
    model: &Model,
) -> Result<(), Difference> {
    same("grants", &ok("grants", store.grants(id))?, &state.grants())?;
    // Others may work on the same store, and share with anyone.
    let mut shares = ok("shares", store.shares(id))?;
    shares.retain(|owner| model.accounts.contains_key(owner));
    same("shares", &shares, &model.shares(id))?;
    let rows = state.rights.keys();
    let given = rows.filter_map(|(mailbox, grantee)| match grantee {
        Grantee::Account(viewer) => Some((*mailbox, *viewer)),
        Grantee::Anyone => None,
    });
    let viewers: BTreeSet<_> = state.seen.keys().copied().chain(given).collect();
    for (mailbox, viewer) in viewers {
        if let Some(mailbox) = state.mailboxes.get(&mailbox) {
            let place = Place {
                account: id,
                mailbox: mailbox.id,
                viewer,
            };
            same(
                "rights",
                &ok("rights", store.rights(place))?,
                &model.rights(place),
            )?;
            let index = ok("index_in", store.index_in(place))?;
            let messages = mailbox.messages.values();
            let wanted: Vec<Row> = messages
                .map(|message| Row {
                    flags: state.shown(place, message.row.uid, message.row.flags),
                    ..message.row
                })
                .collect();
            let found: Vec<Row> = index.rows().collect();
            same("rows as others see them", &found, &wanted)?;
            compare_walks(&index, &wanted)?;
            let unseen = |row: &&Row| !row.flags.system.contains(SystemFlags::SEEN);
            let unseen = wanted.iter().filter(unseen).count() as u32;
            same("unseen", &index.unseen(), &unseen)?;
        }
    }
    Ok(())
}

/// The ways through a mailbox that pass over what they don't need, against all of its rows.
fn compare_walks(index: &Index, rows: &[Row]) -> Result<(), Difference> {
    let middle = rows.get(rows.len() / 2).map_or(0, |row| row.modseq.0);
    for since in [0, middle.saturating_sub(1), middle].map(ModSeq) {
        let wanted: Vec<Row> = rows
            .iter()
            .filter(|row| row.modseq > since)
            .copied()
            .collect();
        let found: Vec<Row> = index.changed_since(since).collect();
        same("changed since", &found, &wanted)?;
    }
    let ranges = index
        .uid_ranges()
        .flat_map(|(first, last)| first.0..=last.0);
    let wanted = rows.iter().map(|row| row.uid.0);
    same("uids", &ranges.collect::<Vec<_>>(), &wanted.collect())?;
    let is_unseen = |row: &Row| !row.flags.system.contains(SystemFlags::SEEN);
    let wanted = rows.iter().position(is_unseen);
    same("seen first", &index.seen_first(), &wanted)
}

/// Whole and in pieces, byte for byte.
fn read_back(
    store: &Store,
    model: &Model,
    blob: BlobId,
    size: u64,
    read: &mut Read,
) -> Result<(), Difference> {
    if !read.insert(blob) {
        return Ok(());
    }
    let Some(wanted) = model.bodies.get(&blob) else {
        return Err(format!("the model has no body {blob:?}"));
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < size {
        let end = size.min(at + 64 * 1024);
        let mut piece = Vec::new();
        ok("read_body", store.read_body(blob, at..end, &mut piece))?;
        same("length of a piece", &(piece.len() as u64), &(end - at))?;
        found.extend_from_slice(&piece);
        at = end;
    }
    if found != **wanted {
        return Err(format!(
            "the body {blob:?} of {size} bytes came back changed"
        ));
    }
    if size > 10 {
        let mut piece = Vec::new();
        ok("read_body", store.read_body(blob, 5..size - 2, &mut piece))?;
        same(
            "middle of a body",
            &piece.as_slice(),
            &&wanted[5..size as usize - 2],
        )?;
    }
    Ok(())
}
