//! Learns from what people do: follows the change log of the accounts that change.
//!
//! An account of which nothing is known, or of which the log no longer reaches back, is learned
//! from what lies in its mailboxes, the newest of each.

use std::sync::Arc;

use facteur_filter::{Features, Label, extract, limits::HEAD_BYTES_MAX};
use facteur_message::{Address, Facts, header};
use facteur_store::{
    AccountId, Error, Mailbox, MailboxId, Message, ModSeq, SpecialUse, Uid, UidSet,
};

use super::keep::Cursor;
use super::lesson::{Placed, lesson};
use super::{FIELD, Filter, State, address_of, lock, origin};
use crate::context::Context;
use crate::drive;
use crate::limits::{
    JUNK_ADDRESSES_MAX, JUNK_ENTRIES_MAX, JUNK_LESSONS_A_DAY_MAX, JUNK_MESSAGES_A_STEP_MAX,
    JUNK_NEWEST, JUNK_REST, JUNK_SETTLED_AFTER,
};

/// Runs until the server stops.
pub async fn run(ctx: Arc<Context>) {
    let accounts = ctx.store.accounts().unwrap_or_default();
    let accounts: Vec<AccountId> = accounts.into_iter().map(|account| account.id).collect();
    ctx.junk.note_changes(&accounts);
    loop {
        tokio::select! {
            () = ctx.shutdown.wait() => return flush(&ctx).await,
            () = ctx.junk.news.notified() => {}
        }
        let changed = std::mem::take(&mut *lock(&ctx.junk.changed));
        for account in changed {
            if ctx.shutdown.started() {
                return flush(&ctx).await;
            }
            let again = Arc::clone(&ctx);
            match drive::blocking(move || again.junk.step(account)).await {
                Ok(true) => ctx.junk.note_changes(&[account]),
                Ok(false) | Err(Error::NoSuchAccount) => {}
                Err(Error::Closed) => return,
                Err(error) => tracing::warn!(%error, "the junk filter does not learn"),
            }
        }
        flush(&ctx).await;
        // Mail that arrives goes first.
        tokio::select! {
            () = ctx.shutdown.wait() => return,
            () = tokio::time::sleep(JUNK_REST) => {}
        }
    }
}

async fn flush(ctx: &Arc<Context>) {
    let ctx = Arc::clone(ctx);
    let flushed = drive::blocking(move || match &*lock(&ctx.junk.state) {
        Some(state) => state.keep.flush(),
        None => Ok(()),
    });
    if let Err(error) = flushed.await {
        tracing::warn!(%error, "what the junk filter learned was not flushed");
    }
}

/// A message of which something may be learned.
struct Candidate {
    message: Message,
    placed: Placed,
}

impl Filter {
    /// Everything that all accounts have to teach by now; blocking.
    pub fn catch_up(&self) -> Result<(), Error> {
        for account in self.store.accounts()? {
            while self.step(account.id)? {}
        }
        Ok(())
    }

    /// One bounded piece of an account; true: there is more. Blocking.
    fn step(&self, account: AccountId) -> Result<bool, Error> {
        let cursor = match self.open()?.as_ref() {
            Some(state) => state.keep.cursor(account)?,
            None => return Err(Error::Closed),
        };
        let mailboxes = self.store.mailboxes(account)?;
        let since = cursor.map_or(ModSeq(0), |cursor| cursor.modseq);
        let changes = self.store.changes_since(account, since, JUNK_ENTRIES_MAX)?;
        let mut wanted: Vec<(MailboxId, UidSet)> = Vec::new();
        if changes.complete {
            for change in changes.entries.iter().flat_map(|entry| &entry.mailboxes) {
                for uids in [&change.added, &change.updated] {
                    if !uids.is_empty() {
                        wanted.push((change.mailbox, uids.clone()));
                    }
                }
            }
        } else {
            for mailbox in &mailboxes {
                let last = mailbox.uid_next.0.saturating_sub(1);
                let first = last.saturating_sub(JUNK_NEWEST).max(1);
                wanted.push((mailbox.id, UidSet::from_ranges([(first, last)])));
            }
        }
        let mut settled = cursor.unwrap_or_default().settled;
        let mut candidates = self.candidates(account, &mailboxes, &wanted)?;
        candidates.extend(self.settled(account, &mailboxes, &mut settled)?);
        for candidate in candidates {
            self.look_at(account, candidate)?;
        }
        let more = changes.complete && changes.entries.len() >= JUNK_ENTRIES_MAX;
        let next = Cursor {
            modseq: changes.up_to,
            settled,
        };
        if cursor != Some(next) {
            let state = self.open()?;
            let state = state.as_ref().ok_or(Error::Closed)?;
            state.keep.set_cursor(account, next)?;
        }
        Ok(more)
    }

    fn candidates(
        &self,
        account: AccountId,
        mailboxes: &[Mailbox],
        wanted: &[(MailboxId, UidSet)],
    ) -> Result<Vec<Candidate>, Error> {
        let mut found: Vec<Candidate> = Vec::new();
        for (id, uids) in wanted {
            let Some(mailbox) = mailboxes.iter().find(|mailbox| mailbox.id == *id) else {
                continue;
            };
            let taken = self.store.messages(account, *id, uids, &mut |message| {
                found.push(candidate(mailbox, message, false));
                found.len() < JUNK_MESSAGES_A_STEP_MAX
            });
            match taken {
                Ok(()) | Err(Error::NoSuchMailbox) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// What lies in INBOX for some days.
    fn settled(
        &self,
        account: AccountId,
        mailboxes: &[Mailbox],
        up_to: &mut u32,
    ) -> Result<Vec<Candidate>, Error> {
        let Some(inbox) = mailboxes.iter().find(|mailbox| mailbox.name == "INBOX") else {
            return Ok(Vec::new());
        };
        let last = inbox.uid_next.0.saturating_sub(1);
        // The store is an older one than was followed.
        *up_to = (*up_to).min(last).max(last.saturating_sub(JUNK_NEWEST));
        let before = self.store.clock().now().seconds() - JUNK_SETTLED_AFTER.as_secs() as i64;
        let index = self.store.index(account, inbox.id)?;
        let mut uids = UidSet::default();
        let rows = index.range(Uid(*up_to + 1), Uid(last));
        for row in rows.take(JUNK_MESSAGES_A_STEP_MAX) {
            if row.internal_date > before {
                break;
            }
            uids.push(row.uid);
            *up_to = row.uid.0;
        }
        let mut found = Vec::new();
        self.store
            .messages(account, inbox.id, &uids, &mut |message| {
                found.push(candidate(inbox, message, true));
                true
            })?;
        Ok(found)
    }

    fn look_at(&self, account: AccountId, candidate: Candidate) -> Result<(), Error> {
        let Candidate { message, placed } = candidate;
        let Ok(facts) = Facts::decode(&message.facts) else {
            return Ok(());
        };
        self.note_people(account, &placed, &facts)?;
        let Some(label) = lesson(placed) else {
            return Ok(());
        };
        let [a, b, c, d, e, f, g, h, ..] = message.blob.0;
        let name = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        {
            let mut state = self.open()?;
            let state = state.as_mut().ok_or(Error::Closed)?;
            if !state.lessons.is_new(account, name, label) {
                return Ok(());
            }
        }
        let mut head = Vec::new();
        let end = message.body_size.min(HEAD_BYTES_MAX as u64);
        match self.store.read_body(message.blob, 0..end, &mut head) {
            Ok(()) => {}
            Err(Error::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
        let features = extract(&message.prefix, &head, &facts);
        let today = self.store.clock().now().seconds() / 86_400;
        let mut state = self.open()?;
        let state = state.as_mut().ok_or(Error::Closed)?;
        state.learn(account, &features, label, today)?;
        state.keep.note_past(&origin::read(&message.prefix), label)
    }

    /// Who writes to whom.
    fn note_people(&self, account: AccountId, placed: &Placed, facts: &Facts) -> Result<(), Error> {
        let names = |list: &[Address]| -> Vec<String> {
            let addresses = list.iter().filter_map(address_of);
            addresses.take(JUNK_ADDRESSES_MAX).collect()
        };
        let envelope = &facts.envelope;
        let state = self.open()?;
        let state = state.as_ref().ok_or(Error::Closed)?;
        match placed.special_use {
            Some(SpecialUse::Sent) => {
                let mut to = names(&envelope.to);
                to.extend(names(&envelope.cc));
                state.keep.note_wrote_to(account, &to)
            }
            Some(SpecialUse::Junk | SpecialUse::Trash | SpecialUse::Drafts) => Ok(()),
            Some(SpecialUse::Archive) | None => {
                state.keep.note_had_from(account, &names(&envelope.from))
            }
        }
    }
}

impl State {
    /// An account teaches the server a bounded number a day, and itself as much as it likes.
    fn learn(
        &mut self,
        account: AccountId,
        features: &Features,
        label: Label,
        today: i64,
    ) -> Result<(), Error> {
        if self.lessons.day != today {
            self.lessons.day = today;
            self.lessons.given.clear();
        }
        let given = self.lessons.given.entry(account).or_default();
        *given = given.saturating_add(1);
        if *given <= JUNK_LESSONS_A_DAY_MAX {
            self.server.learn(features, label, 0.0);
        }
        let score = self.server.score(features);
        self.account(account)?.learn(features, label, score);
        let State {
            keep,
            server,
            accounts,
            ..
        } = self;
        let own = accounts.last_mut().map(|(id, model)| (*id, model));
        keep.save(server, own)
    }
}

fn candidate(mailbox: &Mailbox, message: Message, settled: bool) -> Candidate {
    let has = |names: [&str; 2]| {
        let mut keywords = mailbox.keywords.iter().enumerate();
        keywords.any(|(bit, name)| {
            let set = message.row.flags.keywords & 1u128.checked_shl(bit as u32).unwrap_or(0) != 0;
            set && names.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    };
    let verdict = header::first(&message.prefix, FIELD).unwrap_or_default();
    let placed = Placed {
        special_use: mailbox.special_use,
        is_inbox: mailbox.name == "INBOX",
        was_junk: verdict.starts_with(b"junk"),
        flags: message.row.flags.system,
        says_junk: has(["$Junk", "Junk"]),
        says_good: has(["$NotJunk", "NonJunk"]),
        settled,
    };
    Candidate { message, placed }
}
