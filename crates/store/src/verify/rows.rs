//! Every row of the index: references, counters, uids and modseqs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::Report;
use super::bodies::References;
use crate::index::View;
use crate::keys::{self, Family, Name};
use crate::rows::{self, Buried, Global, Grave, Profile, Record, State};
use crate::tx::uid_of;
use crate::*;

pub fn check(view: &View, report: &mut Report) -> Result<References, Error> {
    let mut references = References::default();
    let mut accounts = Vec::new();
    let global = view.get(keys::GLOBAL)?;
    let global = global.map(|value| Global::decode(&value)).transpose()?;
    let global = global.unwrap_or_default();
    let everything: (&[u8], &[u8]) = (&[], &[0xff]);
    view.scan(everything.0, everything.1, |key, value| {
        match keys::parse(key) {
            None => report.fault(format!("the index has a row of no known kind: {key:?}")),
            Some(Name::Account(id, ..)) if accounts.last() != Some(&id) => accounts.push(id),
            Some(Name::Queue(id)) => {
                check_queue(view, id, value, &global, &mut references, report)?;
            }
            Some(Name::Due(due, id)) => check_due(view, due, id, report)?,
            Some(Name::Sts(_)) => {
                rows::decode_sts(value)?;
            }
            Some(Name::Reported(..)) => rows::decode_reported(value)?,
            Some(Name::Program(name)) => {
                let name = String::from_utf8_lossy(name).into_owned();
                rows::decode_program(value, name)?;
            }
            Some(Name::Secret) => {
                rows::decode_secret(value)?;
            }
            Some(Name::Signing(domain, selector)) => {
                let key = rows::decode_signing(value, domain, selector)?;
                if view.get(&keys::domain(&key.domain))?.is_none() {
                    report.fault(format!("a key of {}, which is not ours", key.domain));
                }
            }
            Some(Name::Sent(id)) => {
                rows::decode_sent(value, id)?;
            }
            Some(Name::Fate(id, _)) => {
                rows::decode_fate(value)?;
                if view.get(&keys::sent(id))?.is_none() {
                    report.fault(format!("the fate of a message not there: {id:?}"));
                }
            }
            Some(Name::Followed(id)) => {
                rows::decode_followed(value)?;
                if view.get(&keys::queue(id))?.is_none() {
                    report.fault(format!("queue entry {} is followed and not there", id.0));
                }
            }
            Some(Name::Request(_)) => {
                let (id, _) = rows::decode_request(value)?;
                if view.get(&keys::sent(id))?.is_none() {
                    report.fault(format!(
                        "a request is answered by a message not there: {id:?}"
                    ));
                }
            }
            Some(Name::Call(place)) => {
                rows::decode_call(value, place)?;
            }
            Some(Name::Suppressed(address)) => {
                let address = String::from_utf8_lossy(address).into_owned();
                rows::decode_suppressed(value, address)?;
            }
            Some(Name::Forward(id)) => {
                rows::decode_forward(value, id)?;
            }
            Some(Name::Waiting(destination, spot)) => {
                check_waiting(view, destination, spot, report)?;
            }
            Some(Name::Share(grantee, owner)) => check_share(view, grantee, owner, value, report)?,
            Some(Name::Address(name)) => check_address(view, name, value, report)?,
            Some(Name::Domain(name)) => {
                let name = String::from_utf8_lossy(name).into_owned();
                let domain = rows::decode_domain(value, name)?;
                if let Some(account) = domain.catch_all
                    && view.get(&keys::profile(account))?.is_none()
                {
                    report.fault(format!("the catch-all of {} leads nowhere", domain.name));
                }
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for id in accounts {
        if id.0 > global.last_account {
            report.fault(format!("account {} has a number not given yet", id.0));
        }
        check_account(view, id, &mut references, report)?;
    }
    Ok(references)
}

fn check_queue(
    view: &View,
    id: QueueId,
    value: &[u8],
    global: &Global,
    references: &mut References,
    report: &mut Report,
) -> Result<(), Error> {
    report.queue_entries += 1;
    let entry = rows::decode_queue(value, id)?;
    if id.0 > global.last_queue {
        report.fault(format!("queue entry {} has a number not given yet", id.0));
    }
    let listing = if rows::is_first_queue_format(value) {
        keys::due(entry.due, id)
    } else {
        keys::waiting(&entry.domain, crate::ops::queue::spot(&entry))
    };
    let listed = view.get(&listing)?.is_some();
    if listed == entry.held {
        report.fault(format!(
            "queue entry {} is held or due, not as listed",
            id.0
        ));
    }
    references.add(entry.blob, entry.body_size, report);
    Ok(())
}

fn check_due(view: &View, due: Timestamp, id: QueueId, report: &mut Report) -> Result<(), Error> {
    let entry = view.get(&keys::queue(id))?;
    let entry = entry
        .map(|value| rows::decode_queue(&value, id))
        .transpose()?;
    if entry.is_none_or(|entry| entry.due.0.max(0) != due.0) {
        report.fault(format!("queue entry {} is listed as due and is not", id.0));
    }
    Ok(())
}

fn check_waiting(
    view: &View,
    destination: &[u8],
    at: keys::Spot,
    report: &mut Report,
) -> Result<(), Error> {
    let value = view.get(&keys::queue(at.id))?;
    let entry = value
        .map(|value| rows::decode_queue(&value, at.id))
        .transpose()?;
    let is_there = entry.is_some_and(|entry| {
        entry.domain.as_bytes() == destination
            && !entry.held
            && crate::ops::queue::spot(&entry) == at
    });
    if !is_there {
        let id = at.id.0;
        report.fault(format!("queue entry {id} is listed as waiting and is not"));
    }
    Ok(())
}

fn check_share(
    view: &View,
    grantee: Grantee,
    owner: AccountId,
    value: &[u8],
    report: &mut Report,
) -> Result<(), Error> {
    let is_account = |account| Ok::<_, Error>(view.get(&keys::profile(account))?.is_some());
    let grantee_is_there = match grantee {
        Grantee::Anyone => true,
        Grantee::Account(account) => is_account(account)?,
    };
    if !grantee_is_there || !is_account(owner)? {
        report.fault(format!("account {} shares something with nobody", owner.0));
        return Ok(());
    }
    let (first, end) = keys::whole_family(owner, Family::Right);
    let mut has_rights = false;
    view.scan(&first, &end, |key, _| {
        has_rights |= matches!(
            keys::parse(key),
            Some(Name::Account(_, _, rest))
                if keys::mailbox_and_grantee(rest).is_some_and(|(_, other)| other == grantee)
        );
        Ok(match has_rights {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    if has_rights != rows::decode_share(value)? {
        report.fault(format!("account {} shares otherwise than noted", owner.0));
    }
    Ok(())
}

fn check_address(view: &View, name: &[u8], value: &[u8], report: &mut Report) -> Result<(), Error> {
    if let AddressTarget::Account(account) = rows::decode_target(value)?
        && view.get(&keys::profile(account))?.is_none()
    {
        let name = String::from_utf8_lossy(name);
        report.fault(format!("the address {name} leads to no account"));
    }
    Ok(())
}

/// What is known of one account while its rows are read.
struct Check<'a> {
    id: AccountId,
    view: &'a View,
    report: &'a mut Report,
    references: &'a mut References,
    state: State,
    mailboxes: BTreeMap<MailboxId, Mailbox>,
    buried: BTreeMap<MailboxId, Mailbox>,
    /// Counted anew from the rows.
    counted: BTreeMap<MailboxId, Mailbox>,
}

fn check_account(
    view: &View,
    id: AccountId,
    references: &mut References,
    report: &mut Report,
) -> Result<(), Error> {
    let erasing = view.get(&keys::erasing(id))?.is_some();
    let profile = view.get(&keys::profile(id))?;
    let state = view.get(&keys::state(id))?;
    let state = match (profile, state) {
        (Some(profile), Some(state)) => {
            report.accounts += 1;
            let address = Profile::decode(&profile)?.address;
            if view.get(&keys::address(&address))?.is_none() {
                report.fault(format!("account {} has no address row", id.0));
            }
            State::decode(&state)?
        }
        (None, None) if erasing => State::default(),
        _ => {
            report.fault(format!("account {} has rows but is no account", id.0));
            return Ok(());
        }
    };
    let mut check = Check {
        id,
        view,
        report,
        references,
        state,
        mailboxes: BTreeMap::new(),
        buried: BTreeMap::new(),
        counted: BTreeMap::new(),
    };
    let (first, end) = keys::whole_account(id);
    view.scan(&first, &end, |key, value| {
        if let Some(Name::Account(_, family, rest)) = keys::parse(key) {
            check.row(family, rest, key, value, erasing)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if !erasing {
        check.counters()?;
    }
    Ok(())
}

impl Check<'_> {
    fn fault(&mut self, what: &str) {
        self.report.fault(format!("account {}: {what}", self.id.0));
    }

    fn row(
        &mut self,
        family: Family,
        rest: &[u8],
        key: &[u8],
        value: &[u8],
        erasing: bool,
    ) -> Result<(), Error> {
        if family == Family::Record {
            let record = Record::decode(value)?;
            self.references
                .add(record.blob, record.body_size, self.report);
            if !erasing {
                self.record(rest, &record)?;
            }
        }
        if erasing {
            return Ok(());
        }
        match family {
            Family::Mailbox => self.mailbox(rest, value)?,
            Family::DeletedMailbox => {
                if let Some(id) = keys::mailbox_id(rest) {
                    let buried = Buried::decode(value, id)?;
                    self.buried.insert(id, buried.mailbox);
                }
            }
            Family::Name => self.name(rest, value)?,
            Family::Row => self.message(rest, key, value)?,
            Family::Tombstone => self.tombstone(rest, value)?,
            Family::Log => self.log(rest, value)?,
            Family::Thread => {
                if rows::decode_thread(value)?.0 > self.state.last_thread {
                    self.fault("a thread has a number not given yet");
                }
            }
            Family::Metadata => self.metadata(rest, value)?,
            Family::Subscription => self.subscription(rest, value)?,
            Family::Right => self.right(rest, value)?,
            Family::Seen => self.seen(rest, value)?,
            Family::Script => self.script(rest, value)?,
            Family::Memory => {
                rows::decode_memory(value)?;
                if rest.len() != 16 {
                    self.fault("something remembered has a bad key");
                }
            }
            Family::Sweep => self.fault("a change of many flags is not in the rows"),
            Family::Profile | Family::State | Family::Record => {}
        }
        Ok(())
    }

    fn mailbox(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        let Some(id) = keys::mailbox_id(rest) else {
            self.fault("a mailbox has a bad key");
            return Ok(());
        };
        self.report.mailboxes += 1;
        let mailbox = rows::decode_mailbox(value, id)?;
        let name = self.view.get(&keys::name(self.id, &mailbox.name))?;
        let named = name
            .map(|name| rows::decode_mailbox_id(&name))
            .transpose()?;
        if named != Some(id) {
            self.fault(&format!("mailbox {} is not found by its name", id.0));
        }
        if id.0 > self.state.last_mailbox
            || mailbox.uid_validity > self.state.last_uid_validity
            || mailbox.highest_modseq > self.state.highest_modseq
        {
            self.fault(&format!("mailbox {} has a number not given yet", id.0));
        }
        self.mailboxes.insert(id, mailbox);
        Ok(())
    }

    fn subscription(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        rows::decode_subscription(value)?;
        if std::str::from_utf8(rest).is_err() {
            self.fault("a subscription has no name");
        }
        Ok(())
    }

    fn right(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        let rights = rows::decode_rights(value)?;
        let Some((id, grantee)) = keys::mailbox_and_grantee(rest) else {
            self.fault("a right has a bad key");
            return Ok(());
        };
        let is_there = id.0 == 0 || self.mailboxes.contains_key(&id);
        if rights.is_empty() || !is_there {
            self.fault("a right is of no mailbox, or of nothing");
        }
        let share = self.view.get(&keys::share(grantee, self.id))?;
        if !share.is_some_and(|value| rows::decode_share(&value).unwrap_or(false)) {
            self.fault("a right is not known to who has it");
        }
        Ok(())
    }

    fn seen(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        seen::decode(value)?;
        let Some((id, member, _)) = keys::mailbox_member_page(rest) else {
            self.fault("what a member has seen has a bad key");
            return Ok(());
        };
        let is_there = self.mailboxes.contains_key(&id) || self.buried.contains_key(&id);
        let share = keys::share(Grantee::Account(member), self.id);
        if !is_there || self.view.get(&share)?.is_none() {
            self.fault("what a member has seen is of no mailbox, or of nobody");
        }
        Ok(())
    }

    fn metadata(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        rows::decode_metadata(value)?;
        // The account's own have mailbox 0.
        let home = |id: MailboxId| {
            id.0 == 0 || self.mailboxes.contains_key(&id) || self.buried.contains_key(&id)
        };
        if !keys::mailbox_and_entry(rest).is_some_and(|(id, _)| home(id)) {
            self.fault("an annotation is of no mailbox");
        }
        Ok(())
    }

    /// One without a name says which is active.
    fn script(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        let text = rows::decode_script(value)?;
        if rest.is_empty() {
            let active = self.view.get(&keys::script(self.id, &text))?;
            if text.is_empty() || active.is_none() {
                self.fault("the active script is not there");
            }
        } else if std::str::from_utf8(rest).is_err() {
            self.fault("a script has no name");
        }
        Ok(())
    }

    fn name(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        let id = rows::decode_mailbox_id(value)?;
        let found = self.mailboxes.get(&id);
        if found.is_none_or(|mailbox| mailbox.name.as_bytes() != rest) {
            self.fault("a mailbox name leads nowhere");
        }
        Ok(())
    }

    fn message(&mut self, rest: &[u8], key: &[u8], value: &[u8]) -> Result<(), Error> {
        let Some((id, uid)) = keys::mailbox_and_uid(rest) else {
            self.fault("a message has a bad key");
            return Ok(());
        };
        let row = rows::decode_row(value, uid_of(key)?)?;
        let home = self.mailboxes.get(&id).or(self.buried.get(&id)).cloned();
        let Some(home) = home else {
            self.fault(&format!("message {} is in no mailbox ({})", uid.0, id.0));
            return Ok(());
        };
        if self.mailboxes.contains_key(&id) {
            self.report.messages += 1;
        } else {
            self.report.tombstones += 1;
        }
        let named = home.keywords.len() as u32;
        let keywords_fit = named >= 128 || row.flags.keywords >> named == 0;
        if uid >= home.uid_next || row.modseq > home.highest_modseq || !keywords_fit {
            self.fault(&format!(
                "message {} of mailbox {} has a number not given yet",
                uid.0, id.0
            ));
        }
        let zero = || Mailbox {
            messages: 0,
            unseen: 0,
            deleted: 0,
            size: 0,
            ..home
        };
        let counted = self.counted.entry(id).or_insert_with(zero);
        ops::append::count(counted, &row, 1);
        let record = keys::message(self.id, Family::Record, id, uid);
        if self.view.get(&record)?.is_none() {
            self.fault(&format!(
                "message {} of mailbox {} has no record",
                uid.0, id.0
            ));
        }
        Ok(())
    }

    /// Its row or its tombstone is there and has its size.
    fn record(&mut self, rest: &[u8], record: &Record) -> Result<(), Error> {
        let Some((id, uid)) = keys::mailbox_and_uid(rest) else {
            self.fault("a record has a bad key");
            return Ok(());
        };
        let row = self
            .view
            .get(&keys::message(self.id, Family::Row, id, uid))?;
        let grave = keys::message(self.id, Family::Tombstone, id, uid);
        let grave = self.view.get(&grave)?;
        let size = match (row, grave) {
            (Some(row), None) => rows::decode_row(&row, uid)?.size,
            (None, Some(grave)) => Grave::decode(&grave, uid)?.row.size,
            _ => {
                self.fault(&format!(
                    "record {} of mailbox {} has no owner",
                    uid.0, id.0
                ));
                return Ok(());
            }
        };
        let whole = record.body_size + record.prefix.len() as u64;
        if size != whole {
            self.fault(&format!(
                "message {} of mailbox {} has a wrong size",
                uid.0, id.0
            ));
        }
        if record.thread.0 > self.state.last_thread {
            self.fault(&format!(
                "message {} of mailbox {} has a bad thread",
                uid.0, id.0
            ));
        }
        Ok(())
    }

    fn tombstone(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        self.report.tombstones += 1;
        let Some((id, uid)) = keys::mailbox_and_uid(rest) else {
            self.fault("a tombstone has a bad key");
            return Ok(());
        };
        let grave = Grave::decode(value, uid)?;
        let record = keys::message(self.id, Family::Record, id, uid);
        if self.view.get(&record)?.is_none() {
            self.fault(&format!(
                "tombstone {} of mailbox {} has no record",
                uid.0, id.0
            ));
        }
        // Retention finds it by its log entry.
        let log = self.view.get(&keys::log(self.id, grave.modseq))?;
        let change = log
            .map(|value| rows::decode_change(&value, grave.modseq))
            .transpose()?;
        let told = change.is_some_and(|change| {
            let mut own = change
                .mailboxes
                .iter()
                .filter(|change| change.mailbox == id);
            own.any(|change| change.expunged.contains(uid))
        });
        if !told {
            self.fault(&format!(
                "tombstone {} of mailbox {} is not in the log",
                uid.0, id.0
            ));
        }
        Ok(())
    }

    fn log(&mut self, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        let modseq = keys::modseq(rest).unwrap_or_default();
        rows::decode_change(value, modseq)?;
        if modseq > self.state.highest_modseq || modseq <= self.state.log_floor {
            self.fault(&format!("the log has an entry at modseq {}", modseq.0));
        }
        Ok(())
    }

    /// The counters of mailboxes and account against what was counted.
    fn counters(&mut self) -> Result<(), Error> {
        let all: Vec<Mailbox> = self
            .mailboxes
            .values()
            .chain(self.buried.values())
            .cloned()
            .collect();
        for mailbox in &all {
            let numbers = |mailbox: &Mailbox| {
                (
                    mailbox.messages,
                    mailbox.unseen,
                    mailbox.deleted,
                    mailbox.size,
                )
            };
            let counted = self.counted.get(&mailbox.id).map_or((0, 0, 0, 0), numbers);
            if counted != numbers(mailbox) {
                self.fault(&format!(
                    "mailbox {} counts {:?} (messages, unseen, deleted, bytes) and has {counted:?}",
                    mailbox.id.0,
                    numbers(mailbox)
                ));
            }
        }
        let live = || self.mailboxes.values();
        let messages: u64 = live().map(|mailbox| u64::from(mailbox.messages)).sum();
        let size: u64 = live().map(|mailbox| mailbox.size).sum();
        let state = &self.state;
        let right = (state.messages, state.used_bytes) == (messages, size)
            && state.mailboxes as usize == self.mailboxes.len();
        if !right {
            self.fault("the account's counters are not the sum of its mailboxes'");
        }
        Ok(())
    }
}
