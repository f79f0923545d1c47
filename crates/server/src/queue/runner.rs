//! The task that keeps the queue moving: takes what is due, bounded in all and per domain, and
//! commits each outcome before anything else happens to the entry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use facteur_smtp::Address;
use facteur_store::{
    Delivery, Error, FlagNames, NewBody, NewMessage, NewQueueEntry, QueueEntry, QueueRecipient,
    RecipientState, Spot, Timestamp,
};
use tokio::task::JoinSet;

use super::dialogue::Dialogue;
use super::owed::{self, Decision};
use super::pace::Contact;
use super::plan::{self, Outcome, Reported};
use super::report::{self, Returned};
use super::schedule::{Room, Schedule, Started};
use super::send::{self, Sender};
use super::{history, limits};
use crate::consent;
use crate::context::Counters;
use crate::dkim;
use crate::intake::Intake;
use crate::limits::STREAM_BYTES;
use crate::smtp::directory::{self, Found, Target};
use crate::smtp::forward;

/// Runs until the server stops. Attempts under way get a bounded time to end: one that is cut off
/// between the end of its message and the reply would send it again.
pub async fn run(sender: Sender) {
    let ctx = Arc::clone(&sender.ctx);
    if !proved(&sender).await || !converted(&sender).await {
        return;
    }
    let mut news = ctx.store.queue_watch();
    let mut running = Running {
        read: Some(None),
        ..Running::default()
    };
    loop {
        let at = ctx.clock.monotonic();
        if at >= running.sweep_at {
            running.sweep_at = at + limits::SWEEP;
            for dialogue in sender.pool.sweep(at) {
                tokio::spawn(dialogue.quit());
            }
        }
        news.borrow_and_update();
        let pause = match take(&sender, &mut running) {
            Ok(pause) => pause,
            Err(Error::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "nothing is sent for now");
                limits::PAUSE_AFTER_ERROR
            }
        };
        tokio::select! {
            biased;
            () = ctx.shutdown.wait() => {
                let ending = async {
                    while running.tasks.join_next().await.is_some() {}
                    let waiting = sender.pool.close().into_iter().map(Dialogue::quit);
                    waiting.collect::<JoinSet<()>>().join_all().await;
                };
                let _ = tokio::time::timeout(ctx.config.stop_wait, ending).await;
                return;
            }
            Some(ended) = running.tasks.join_next_with_id() => match ended {
                Ok((id, contact)) => running.ended(id, contact),
                Err(error) => {
                    Counters::add(&ctx.counters.panics);
                    tracing::error!(%error, "an attempt broke off");
                    running.ended(error.id(), Contact::None);
                }
            },
            changed = news.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What an older version left is listed as this one looks for it. False: the store is closing.
async fn converted(sender: &Sender) -> bool {
    loop {
        match sender.ctx.store.queue_convert().await {
            Ok(true) => {}
            Ok(false) => return true,
            Err(Error::Closed) => return false,
            Err(error) => {
                tracing::error!(%error, "what an older version left in the queue waits");
                tokio::select! {
                    () = sender.ctx.shutdown.wait() => return false,
                    () = tokio::time::sleep(limits::PAUSE_AFTER_ERROR) => {}
                }
            }
        }
    }
}

/// Whoever can't write down what became of an attempt would send the same again after each restart:
/// the disk has to keep something before the first. False: the server stops before it does.
async fn proved(sender: &Sender) -> bool {
    let ctx = &sender.ctx;
    loop {
        match ctx.store.prove_writable().await {
            Ok(()) => return true,
            Err(Error::Closed) => return false,
            Err(error) => tracing::error!(%error, "nothing is sent while nothing can be written"),
        }
        if ctx.store.failure().is_some() {
            return false;
        }
        tokio::select! {
            () = ctx.shutdown.wait() => return false,
            () = tokio::time::sleep(limits::PAUSE_AFTER_ERROR) => {}
        }
    }
}

/// What is under way, and who is next.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Contact>,
    started: HashMap<tokio::task::Id, Started>,
    schedule: Schedule,
    /// Destinations that were there at the start, up to this one, are known; `None`: all are.
    read: Option<Option<String>>,
    /// When to look for connections that have waited long.
    sweep_at: Duration,
}

impl Running {
    fn ended(&mut self, task: tokio::task::Id, contact: Contact) {
        if let Some(started) = self.started.remove(&task) {
            self.schedule.ended(&started, contact);
        }
    }

    fn start(&mut self, sender: &Sender, destination: &Arc<str>, entry: QueueEntry) {
        let class = Spot::of(&entry).class;
        let started = self.schedule.started(destination, class);
        let sender = sender.clone();
        let task = self.tasks.spawn(async move {
            let lease = Lease {
                sender: &sender,
                id: entry.id,
                done: false,
            };
            transfer(&sender, entry, lease).await
        });
        self.started.insert(task.id(), started);
    }

    /// Reads on in what was in the queue at the start. True: there is more.
    fn read_on(&mut self, sender: &Sender, now: Timestamp) -> Result<bool, Error> {
        let Some(after) = &self.read else {
            return Ok(false);
        };
        let max = limits::DESTINATIONS_READ_MAX;
        let store = &sender.ctx.store;
        let found = store.queue_destinations(after.as_deref(), max)?;
        for destination in &found {
            self.schedule.note(destination, Spot::default(), now);
        }
        let more = found.len() >= max;
        self.read = found.into_iter().next_back().filter(|_| more).map(Some);
        Ok(more)
    }
}

/// Starts what can be started; gives how long nothing will fall due.
fn take(sender: &Sender, running: &mut Running) -> Result<Duration, Error> {
    let ctx = &sender.ctx;
    ctx.store.check_writable()?;
    let now = ctx.clock.now();
    for (destination, spot) in ctx.store.queue_changed() {
        running.schedule.note(&destination, spot, now);
    }
    running.schedule.wake(now);
    let more = running.read_on(sender, now)?;
    let room = Room {
        transfers_max: ctx.config.queue.transfers_max,
    };
    while let Some(destination) = running.schedule.next(room) {
        let from = running.schedule.from(&destination);
        let mut look = ctx.store.queue_look(&destination, from, now, 1)?;
        let taken = look.taken.pop();
        if let Some(entry) = taken {
            running.start(sender, &destination, entry);
        }
        let schedule = &mut running.schedule;
        schedule.looked(&destination, look.ready, look.next, look.from);
    }
    if more {
        return Ok(Duration::ZERO);
    }
    let millis = running.schedule.next_due().map_or(i64::MAX, |due| {
        due.0.saturating_sub(ctx.clock.now().0).max(0)
    });
    let pause = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let waiting = match sender.pool.is_empty() {
        true => limits::LOOK_AGAIN,
        false => limits::IDLE_CONNECTION,
    };
    Ok(pause.min(waiting))
}

/// Gives the entry back when the attempt ends without having written its outcome.
struct Lease<'a> {
    sender: &'a Sender,
    id: facteur_store::QueueId,
    done: bool,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.sender.ctx.store.queue_release(self.id);
        }
    }
}

async fn transfer(sender: &Sender, entry: QueueEntry, mut lease: Lease<'_>) -> Contact {
    if let Some(next) = owed::only_report(&entry, sender.ctx.clock.now()) {
        keep(sender, &entry, &next, &mut lease).await;
        return Contact::None;
    }
    let attempt = send::attempt(sender, &entry).await;
    let config = &sender.ctx.config.queue;
    let now = sender.ctx.clock.now();
    let next = plan::plan(now, &entry, &attempt.outcomes, attempt.rest, config);
    let done = next.entry.is_none();
    let words = next
        .entry
        .as_ref()
        .map_or("", |entry| entry.last_outcome.as_str());
    tracing::info!(
        id = entry.id.0,
        domain = entry.domain,
        done,
        words,
        "attempt"
    );
    let unproven = is_unproven(sender, &entry);
    if attempt.rest.is_none() || done {
        history::tell(&sender.ctx, &entry, &attempt.outcomes, &next, unproven);
    }
    note_forward(sender, &entry, &attempt.outcomes, &next).await;
    if unproven {
        tell_owner(sender, &entry, &next).await;
    }
    keep(sender, &entry, &next, &mut lease).await;
    attempt.contact
}

/// What was sent and is not written down would be sent again: until the outcome is kept, with its
/// report, nobody else gets the entry. A full disk has room again some day.
async fn keep(sender: &Sender, entry: &QueueEntry, next: &plan::Next, lease: &mut Lease<'_>) {
    loop {
        match settle(sender, entry, next).await {
            // That has ended the lease, and somebody else may have the next one by now.
            Ok(()) => lease.done = true,
            // Dropped by hand meanwhile, or the store is closing.
            Err(Error::NoSuchQueueEntry | Error::Closed) => {}
            Err(error) => {
                tracing::error!(id = entry.id.0, %error, "an outcome can't be written");
                tokio::select! {
                    () = sender.ctx.shutdown.wait() => {}
                    () = tokio::time::sleep(limits::PAUSE_AFTER_ERROR) => continue,
                }
            }
        }
        return;
    }
}

/// Whether the report is made now, and what else is in it: reports of the message's other entries,
/// which are leased meanwhile.
fn weigh<'a>(sender: &'a Sender, next: &plan::Next) -> Result<(Decision, Vec<Lease<'a>>), Error> {
    let (store, now) = (&sender.ctx.store, sender.ctx.clock.now());
    if next.report.is_empty() && next.after.owing.is_none() {
        return Ok((owed::decide(now, next, Vec::new(), false), Vec::new()));
    }
    let (group, id) = (next.after.group, next.after.id);
    let waits = group.count > 1
        && sender.reports.others_open(group, id, |from| {
            store.queue_find_sibling(group, from, owed::is_open)
        })?;
    if owed::is_for_later(now, next, waits) {
        return Ok((owed::decide(now, next, Vec::new(), waits), Vec::new()));
    }
    let (mut leases, mut others) = (Vec::new(), Vec::new());
    for sibling in store.queue_siblings(&next.after, limits::SIBLINGS_MAX)? {
        let id = sibling.id;
        let owes = sibling.owing.is_some() && sibling.reverse_path == next.after.reverse_path;
        if !owes || sibling.held {
            continue;
        }
        if store.queue_lease(id) {
            let done = false;
            leases.push(Lease { sender, id, done });
        } else if !sender.reports.is_offered(id) {
            continue;
        }
        // Read again: it may have changed before the lease.
        others.extend(store.queue_entry(id)?.filter(|it| it.owing.is_some()));
    }
    Ok((owed::decide(now, next, others, waits), leases))
}

/// Who agreed to get mail may be gone since. His host says so: what DNS says for a minute, many messages
/// of that minute would say too.
async fn note_forward(
    sender: &Sender,
    entry: &QueueEntry,
    outcomes: &[Option<Outcome>],
    next: &plan::Next,
) {
    let Some(id) = entry.wishes.forward else {
        return;
    };
    for (outcome, ending) in outcomes.iter().zip(&next.endings) {
        let (Some(outcome), Some(ending)) = (outcome, ending) else {
            continue;
        };
        let gone = match outcome {
            Outcome::Delivered(_) => false,
            Outcome::Failed(_) if ending.hard => true,
            Outcome::Failed(_) | Outcome::Delayed(_) => continue,
        };
        if let Err(error) = consent::note(&sender.ctx, id, gone).await {
            tracing::warn!(%error, "whether an address outside is still there is not counted");
        }
    }
}

/// Nothing showed that its sender was who it said: no report goes there.
fn is_unproven(sender: &Sender, entry: &QueueEntry) -> bool {
    let found = forward::is_unproven_path(&sender.ctx.store, &entry.reverse_path);
    found.unwrap_or_else(|error| {
        tracing::error!(id = entry.id.0, %error, "whose address it is can't be read");
        false
    })
}

/// Mail that went on is lost, and its sender hears nothing: who had it sent on does, now and then.
async fn tell_owner(sender: &Sender, entry: &QueueEntry, next: &plan::Next) {
    let (Some(reply), Some(id)) = (lost(entry, next), entry.wishes.forward) else {
        return;
    };
    tracing::info!(
        id = entry.id.0,
        reply,
        "mail is lost and nobody is told: its sender was not proven"
    );
    if let Err(error) = consent::lost(&sender.ctx, id, &reply).await {
        tracing::warn!(%error, "who has mail sent on does not hear that some was lost");
    }
}

/// What was said when a recipient failed now.
fn lost(entry: &QueueEntry, next: &plan::Next) -> Option<String> {
    let mut ends = entry.recipients.iter().zip(&next.after.recipients);
    ends.find_map(|(before, after)| match (&before.state, &after.state) {
        (RecipientState::Pending, RecipientState::Failed { reply }) => Some(reply.clone()),
        _ => None,
    })
}

/// Writes down what became of an attempt, and its report.
async fn settle(sender: &Sender, entry: &QueueEntry, next: &plan::Next) -> Result<(), Error> {
    let tells = !next.report.is_empty() || next.after.owing.is_some();
    let _turn = match tells && next.after.group.count > 1 {
        true => {
            let alone = next.endings.is_empty();
            match sender.reports.turn(entry.id, alone).await {
                Some(turn) => Some(turn),
                None => return Ok(()),
            }
        }
        false => None,
    };
    let (decision, mut leases) = weigh(sender, next)?;
    let reports = match report(sender, entry, &decision.report).await {
        Ok(reports) => reports,
        Err(error @ (Error::DiskFull | Error::Disk(_) | Error::Closed)) => return Err(error),
        Err(error) => {
            // One that can never be made must not hold up the outcome.
            tracing::error!(id = entry.id.0, %error, "a report can't be written");
            Vec::new()
        }
    };
    let (store, id) = (&sender.ctx.store, entry.id);
    let had_reports = !reports.is_empty();
    let settled = |reports| {
        let (entry, endings) = (decision.entry.clone(), next.endings.clone());
        store.queue_settle(id, entry, endings, reports, decision.others.clone())
    };
    let updated = match settled(reports).await {
        // The sender's own mailbox is full, or gone since.
        Err(error @ (Error::OverQuota | Error::NoSuchAccount)) if had_reports => {
            tracing::error!(id = entry.id.0, %error, "a report can't be delivered");
            settled(Vec::new()).await
        }
        updated => updated,
    };
    // A program may be waiting to hear of it.
    if updated? {
        sender.ctx.calls.notify_one();
    }
    let told = |id| decision.others.iter().any(|other| other.0 == id);
    for lease in &mut leases {
        lease.done = told(lease.id);
    }
    for (id, _) in &decision.others {
        sender.reports.given(*id);
    }
    Ok(())
}

type Written = Vec<(NewBody, Vec<Delivery>, Vec<NewQueueEntry>)>;

/// The report, on its way to the sender: into an account of ours, or into the queue.
async fn report(sender: &Sender, entry: &QueueEntry, lines: &[Reported]) -> Result<Written, Error> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut entry = entry.clone();
    if let Some(behind) = forward::sender_behind(&sender.ctx.store, &entry.reverse_path)? {
        entry.reverse_path = behind;
    }
    let entry = &entry;
    let (local, mut queued) = recipients(sender, entry)?;
    if local.is_empty() && queued.is_empty() {
        // A sender that is gone is not told; telling anybody else would be a double bounce.
        tracing::info!(id = entry.id.0, "nobody to report to");
        return Ok(Vec::new());
    }
    let (body, signature) = write(sender, entry, lines).await?;
    for entry in &mut queued {
        entry.prefix = signature.clone().into_bytes();
    }
    Ok(vec![(body, local, queued)])
}

/// Who gets a report to the entry's reverse-path.
fn recipients(
    sender: &Sender,
    entry: &QueueEntry,
) -> Result<(Vec<Delivery>, Vec<NewQueueEntry>), Error> {
    let (mut local, mut queued) = (Vec::new(), Vec::new());
    let Ok(address) = Address::parse(&entry.reverse_path) else {
        return Ok((local, queued));
    };
    let targets = match directory::find(&sender.ctx.store, &address)? {
        Found::Targets(targets) => targets,
        Found::Elsewhere(target) => vec![target],
        Found::NoDomain | Found::Nobody | Found::Disabled | Found::Full | Found::BadAlias => {
            Vec::new()
        }
    };
    for target in targets {
        match target {
            Target::Local {
                account, address, ..
            } => local.push(Delivery {
                account,
                mailbox: "INBOX".to_owned(),
                message: NewMessage {
                    prefix: format!("Return-Path: <>\r\nDelivered-To: {address}\r\n").into_bytes(),
                    flags: FlagNames::default(),
                    internal_date: None,
                },
            }),
            Target::Reply(_) | Target::Report => {}
            Target::Remote {
                address,
                domain,
                forward,
            } => {
                let report = back(sender, entry, address, domain);
                queued.push(consent::on_behalf(report, forward));
            }
        }
    }
    Ok((local, queued))
}

/// RFC 5321 §6.1: reports go out under the null reverse-path.
fn back(sender: &Sender, entry: &QueueEntry, address: String, domain: String) -> NewQueueEntry {
    let now = sender.ctx.clock.now();
    NewQueueEntry {
        domain,
        reverse_path: String::new(),
        recipients: vec![QueueRecipient::pending(address)],
        body_8bit: entry.body_8bit || entry.smtputf8,
        smtputf8: entry.smtputf8,
        return_headers_only: true,
        language: entry.language.clone(),
        due: now,
        expires: now.after(sender.ctx.config.queue.expires_after),
        ..NewQueueEntry::default()
    }
}

/// Streams the report into the store, what is returned in its middle; gives its signature with it.
async fn write(
    sender: &Sender,
    entry: &QueueEntry,
    lines: &[Reported],
) -> Result<(NewBody, String), Error> {
    let ctx = &sender.ctx;
    let mut random = [0; 16];
    ctx.clock.random(&mut random);
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let report = report::build(&report::Facts {
        hostname: &ctx.config.hostname,
        entry,
        lines,
        at: ctx.clock.now().seconds(),
        token: &token,
    });
    let mut intake = Intake::new(&ctx.store, None)?.for_signing();
    intake.write(&report.before).await?;
    intake.write(&entry.prefix).await?;
    let mut offset = 0;
    while offset < entry.body_size {
        let end = entry.body_size.min(offset + STREAM_BYTES);
        let (store, blob) = (ctx.store.clone(), entry.blob);
        let piece = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::new();
            store
                .read_body(blob, offset..end, &mut piece)
                .map(|()| piece)
        });
        let piece = piece.await.map_err(|_| Error::Closed)??;
        if report.returned == Returned::Header {
            // A header larger than one piece is cut there.
            let header = facteur_message::header::length(&piece);
            intake.write(piece.get(..header).unwrap_or(&piece)).await?;
            break;
        }
        intake.write(&piece).await?;
        offset = end;
    }
    intake.write(&report.after).await?;
    let seen = intake.take_seen();
    let (body, facts) = intake.finish().await?;
    let signature = dkim::fields(ctx, &facts, seen, "").await;
    Ok((body, signature))
}
