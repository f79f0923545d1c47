//! The task that keeps the queue moving: takes what is due, bounded in all and per domain, and
//! commits each outcome before anything else happens to the entry.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use facteur_smtp::Address;
use facteur_store::{
    Delivery, Error, FlagNames, NewBody, NewMessage, NewQueueEntry, QueueEntry, QueueRecipient,
    RecipientState,
};
use tokio::task::JoinSet;

use super::limits;
use super::plan::{self, Reported};
use super::report::{self, Returned};
use super::send::{self, Sender};
use crate::context::Counters;
use crate::intake::Intake;
use crate::limits::STREAM_BYTES;
use crate::smtp::directory::{self, Found, Target};

/// Runs until the server stops. Attempts under way get a bounded time to end: one that is cut off
/// between the end of its message and the reply would send it again.
pub async fn run(sender: Sender) {
    let ctx = Arc::clone(&sender.ctx);
    if !proved(&sender).await {
        return;
    }
    let mut news = ctx.store.queue_watch();
    let mut running = Running::default();
    loop {
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
                let ending = async { while running.tasks.join_next().await.is_some() {} };
                let _ = tokio::time::timeout(ctx.config.stop_wait, ending).await;
                return;
            }
            Some(ended) = running.tasks.join_next_with_id() => match ended {
                Ok((id, ())) => running.ended(id),
                Err(error) => {
                    Counters::add(&ctx.counters.panics);
                    tracing::error!(%error, "an attempt broke off");
                    running.ended(error.id());
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

/// What is under way, and what waits for a place of its domain.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    /// The domain of each task.
    task_domains: HashMap<tokio::task::Id, String>,
    /// Tasks of each domain.
    domains: HashMap<String, usize>,
    parked: HashMap<String, VecDeque<QueueEntry>>,
    parked_count: usize,
}

impl Running {
    fn ended(&mut self, task: tokio::task::Id) {
        let Some(domain) = self.task_domains.remove(&task) else {
            return;
        };
        if let Some(count) = self.domains.get_mut(&domain) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.domains.remove(&domain);
            }
        }
    }

    fn has_place(&self, domain: &str) -> bool {
        self.domains
            .get(domain)
            .is_none_or(|count| *count < limits::TRANSFERS_PER_DOMAIN_MAX)
    }

    fn start(&mut self, sender: &Sender, entry: QueueEntry) {
        *self.domains.entry(entry.domain.clone()).or_default() += 1;
        let (sender, domain) = (sender.clone(), entry.domain.clone());
        let task = self.tasks.spawn(async move {
            let lease = Lease {
                sender: &sender,
                id: entry.id,
                done: false,
            };
            transfer(&sender, entry, lease).await;
        });
        self.task_domains.insert(task.id(), domain);
    }

    fn park(&mut self, entry: QueueEntry) {
        self.parked_count += 1;
        self.parked
            .entry(entry.domain.clone())
            .or_default()
            .push_back(entry);
    }

    /// An entry whose domain has a place again.
    fn unpark(&mut self) -> Option<QueueEntry> {
        let domain = self
            .parked
            .keys()
            .find(|domain| self.has_place(domain))?
            .clone();
        let waiting = self.parked.get_mut(&domain)?;
        let entry = waiting.pop_front();
        if waiting.is_empty() {
            self.parked.remove(&domain);
        }
        self.parked_count = self.parked_count.saturating_sub(1);
        entry
    }
}

/// Starts what can be started; gives how long nothing will fall due.
fn take(sender: &Sender, running: &mut Running) -> Result<Duration, Error> {
    let ctx = &sender.ctx;
    ctx.store.check_writable()?;
    let places = ctx.config.queue.transfers_max;
    while running.tasks.len() < places
        && let Some(entry) = running.unpark()
    {
        running.start(sender, entry);
    }
    let now = ctx.clock.now();
    while running.tasks.len() < places && running.parked_count < limits::PARKED_MAX {
        let free = places - running.tasks.len();
        let entries = ctx.store.queue_take(now, free)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            if running.has_place(&entry.domain) {
                running.start(sender, entry);
            } else {
                running.park(entry);
            }
        }
    }
    let next = ctx.store.queue_next_due()?;
    let millis = next.map_or(i64::MAX, |due| {
        due.0.saturating_sub(ctx.clock.now().0).max(0)
    });
    let pause = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    // What is due but has no place is started when a task ends, not by the clock.
    let full = running.tasks.len() >= places || running.parked_count >= limits::PARKED_MAX;
    Ok(if full {
        limits::LOOK_AGAIN
    } else {
        pause.min(limits::LOOK_AGAIN)
    })
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

async fn transfer(sender: &Sender, entry: QueueEntry, mut lease: Lease<'_>) {
    let outcomes = send::attempt(sender, &entry).await;
    let config = &sender.ctx.config.queue;
    let next = plan::plan(sender.ctx.clock.now(), &entry, &outcomes, config);
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
    // What was sent and is not written down would be sent again: until the outcome is kept, with
    // its report, nobody else gets the entry. A full disk has room again some day.
    loop {
        match settle(sender, &entry, &next).await {
            Ok(()) => break,
            // Dropped by hand meanwhile, or the store is closing.
            Err(Error::NoSuchQueueEntry | Error::Closed) => break,
            Err(error) => {
                tracing::error!(id = entry.id.0, %error, "an outcome can't be written");
            }
        }
        tokio::select! {
            () = sender.ctx.shutdown.wait() => break,
            () = tokio::time::sleep(limits::PAUSE_AFTER_ERROR) => {}
        }
    }
    lease.done = true;
    sender.ctx.store.queue_release(entry.id);
}

/// Writes down what became of an attempt, and its report.
async fn settle(sender: &Sender, entry: &QueueEntry, next: &plan::Next) -> Result<(), Error> {
    let reports = match report(sender, entry, &next.report).await {
        Ok(reports) => reports,
        Err(error @ (Error::DiskFull | Error::Disk(_) | Error::Closed)) => return Err(error),
        Err(error) => {
            // One that can never be made must not hold up the outcome.
            tracing::error!(id = entry.id.0, %error, "a report can't be written");
            Vec::new()
        }
    };
    let store = &sender.ctx.store;
    let had_reports = !reports.is_empty();
    let updated = store
        .queue_update(entry.id, next.entry.clone(), reports)
        .await;
    match updated {
        // The sender's own mailbox is full, or gone since.
        Err(error @ (Error::OverQuota | Error::NoSuchAccount)) if had_reports => {
            tracing::error!(id = entry.id.0, %error, "a report can't be delivered");
            store
                .queue_update(entry.id, next.entry.clone(), Vec::new())
                .await
        }
        updated => updated,
    }
}

type Written = Vec<(NewBody, Vec<Delivery>, Vec<NewQueueEntry>)>;

/// The report, on its way to the sender: into an account of ours, or into the queue.
async fn report(sender: &Sender, entry: &QueueEntry, lines: &[Reported]) -> Result<Written, Error> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let (local, queued) = recipients(sender, entry)?;
    if local.is_empty() && queued.is_empty() {
        // A sender that is gone is not told; telling anybody else would be a double bounce.
        tracing::info!(id = entry.id.0, "nobody to report to");
        return Ok(Vec::new());
    }
    let body = write(sender, entry, lines).await?;
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
            Target::Remote { address, domain } => {
                queued.push(back(sender, entry, address, domain));
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
        recipients: vec![QueueRecipient {
            address,
            original: None,
            notify: None,
            state: RecipientState::Pending,
        }],
        prefix: Vec::new(),
        body_8bit: entry.body_8bit || entry.smtputf8,
        body_binary: false,
        smtputf8: entry.smtputf8,
        return_headers_only: true,
        envelope_id: None,
        language: entry.language.clone(),
        due: now,
        expires: now.after(sender.ctx.config.queue.expires_after),
    }
}

/// Streams the report into the store, what is returned in its middle.
async fn write(sender: &Sender, entry: &QueueEntry, lines: &[Reported]) -> Result<NewBody, Error> {
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
    let mut intake = Intake::new(&ctx.store, None)?;
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
    Ok(intake.finish().await?.0)
}
