//! Once a day, for each domain at another time after midnight (RFC 8460 §4.1): who wants the report of
//! yesterday is asked of DNS, and gets it.
//!
//! A report is put into the queue in the commit that says so; after that it is mail as any other, without a
//! return path and for a day. What can't be sent now is tried each hour, and given up with its day.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use facteur_senders::dmarc;
use facteur_senders::dns::{Answers, Nothing, Wanted};
use facteur_senders::reports::package::{self, Kind};
use facteur_senders::rua::{self, Place};
use facteur_smtp::address::{Address, Domain};
use facteur_store::{Error, NewQueueEntry, QueueRecipient, Reported, Timestamp, TlsWish, Wishes};
use tokio::time::timeout;
use twox_hash::XxHash3_64;

use super::write::{Facts, travelling_bytes};
use super::{DAY_SECONDS, Day, Feedback, day_of, lock, web};
use crate::context::Context;
use crate::dns::{Dns, DnsError};
use crate::intake::Intake;
use crate::limits::{
    FEEDBACK_A_TURN_MAX, FEEDBACK_AGAIN, FEEDBACK_DAYS, FEEDBACK_LOOK, FEEDBACK_QUEUED,
    FEEDBACK_SAVE, FEEDBACK_SPREAD, FEEDBACK_SUBMITTERS_MAX, SENDER_CHECKS,
};
use crate::queue::Sender;
use crate::{dkim, drive, senders};

/// Kinds of [`Reported`]: what lasts must not change.
const LETTERS: u8 = 1;
const SESSIONS: u8 = 2;

/// It waits for what people write.
const PRIORITY: i8 = -4;

/// Runs until the server stops.
pub async fn run(sender: Sender) {
    let ctx = Arc::clone(&sender.ctx);
    if !ctx.feedback.is_on() {
        return;
    }
    let mut saved = ctx.clock.monotonic();
    loop {
        tokio::select! {
            () = ctx.shutdown.wait() => return save(&ctx).await,
            () = tokio::time::sleep(FEEDBACK_LOOK) => {}
        }
        // What is given up in the middle was sent, with its mark, or was not.
        let settled = tokio::select! {
            () = ctx.shutdown.wait() => return save(&ctx).await,
            settled = turn(&sender) => settled,
        };
        let now = ctx.clock.monotonic();
        if settled > 0 || now.saturating_sub(saved) >= FEEDBACK_SAVE {
            save(&ctx).await;
            saved = now;
        }
    }
}

/// What was counted, to the disk.
pub async fn save(ctx: &Arc<Context>) {
    let ctx = Arc::clone(ctx);
    let saved = drive::blocking(move || ctx.feedback.save()).await;
    if let Err(error) = saved {
        tracing::warn!(%error, "what was counted for reports was not kept");
    }
}

/// Sends what is due, a bounded part of it; gives how many days of domains are settled.
pub async fn turn(sender: &Sender) -> usize {
    let feedback = &sender.ctx.feedback;
    let now = sender.ctx.clock.now();
    feedback.give_up(day_of(now).saturating_sub(FEEDBACK_DAYS));
    let mut settled = 0;
    for report in feedback.due(now, &sender.ctx.config.hostname) {
        let kind = if report.kind == LETTERS {
            "mail"
        } else {
            "tls"
        };
        let (domain, day) = (report.domain.as_str(), report.day);
        let again = match send(sender, &report).await {
            Ok(Told::Sent) => {
                tracing::info!(domain, day, kind, "a report goes to its domain");
                None
            }
            Ok(Told::Unwanted) => None,
            Ok(Told::Later(why)) => {
                tracing::info!(domain, day, kind, why, "a report waits");
                Some(now.after(FEEDBACK_AGAIN))
            }
            Err(Error::Closed) => return settled,
            Err(error) => {
                tracing::error!(domain, day, kind, %error, "a report can't be sent");
                Some(now.after(FEEDBACK_AGAIN))
            }
        };
        match again {
            Some(again) => {
                lock(&feedback.resting).insert(report, again);
            }
            None => {
                feedback.forget(&report);
                settled += 1;
            }
        }
    }
    settled
}

impl Feedback {
    fn reports_before(&self, day: Day) -> Vec<Reported> {
        let of = |kind| move |(day, domain)| Reported { day, kind, domain };
        self.with(|kept| {
            let letters = kept.letters.before(day).into_iter().map(of(LETTERS));
            let sessions = kept.sessions.before(day).into_iter().map(of(SESSIONS));
            letters.chain(sessions).collect()
        })
    }

    /// The first of what may go now.
    fn due(&self, now: Timestamp, hostname: &str) -> Vec<Reported> {
        let resting = lock(&self.resting);
        let reports = self.reports_before(day_of(now)).into_iter();
        let due = reports.filter(|report| {
            let rests = resting.get(report).is_some_and(|until| *until > now);
            !rests && now >= due_at(report, hostname)
        });
        due.take(FEEDBACK_A_TURN_MAX).collect()
    }

    fn forget(&self, report: &Reported) {
        lock(&self.resting).remove(report);
        let Reported { day, kind, domain } = report;
        self.with(|kept| match *kind {
            LETTERS => kept.letters.remove(*day, domain),
            _ => kept.sessions.remove(*day, domain),
        });
    }

    fn give_up(&self, before: Day) {
        for report in self.reports_before(before) {
            let (domain, day) = (report.domain.as_str(), report.day);
            tracing::warn!(
                domain,
                day,
                "a report that nobody could be given is dropped"
            );
            self.forget(&report);
        }
    }
}

/// At its own time after midnight, the same whenever this is asked.
fn due_at(report: &Reported, hostname: &str) -> Timestamp {
    let Reported { day, kind, domain } = report;
    let dice = XxHash3_64::oneshot(format!("{hostname} {kind} {day} {domain}").as_bytes());
    let midnight = Timestamp::from_seconds((i64::from(*day) + 1) * DAY_SECONDS);
    let spread = FEEDBACK_SPREAD.as_secs().max(1);
    midnight.after(Duration::from_secs(1 + dice % spread))
}

/// What became of a report.
enum Told {
    Sent,
    /// Nobody asks for it, or it was sent before.
    Unwanted,
    Later(&'static str),
}

async fn send(sender: &Sender, report: &Reported) -> Result<Told, Error> {
    let ctx = &sender.ctx;
    if ctx.store.is_reported(report)? {
        return Ok(Told::Unwanted);
    }
    let Some(submitter) = submitter(ctx).await? else {
        // RFC 7489 §7.2.1.1, RFC 8460 §3: nobody believes it without a signature.
        return Ok(Told::Later("no domain of ours signs its mail yet"));
    };
    let id = id(report, &ctx.config.hostname);
    let facts = |kind| Facts {
        report,
        kind,
        submitter: &submitter,
        id: &id,
    };
    if report.kind == LETTERS {
        letters(sender, &facts(Kind::Aggregate)).await
    } else {
        sessions(sender, &facts(Kind::Tls)).await
    }
}

/// The same for the same report, so that who gets it twice knows.
fn id(report: &Reported, hostname: &str) -> String {
    let Reported { day, kind, domain } = report;
    let hash = blake3::hash(format!("{hostname} {kind} {day} {domain}").as_bytes());
    let bytes = hash.as_bytes().iter().take(16);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// In whose name reports go: the server's, or else a domain of ours.
async fn submitter(ctx: &Arc<Context>) -> Result<Option<String>, Error> {
    let context = Arc::clone(ctx);
    drive::blocking(move || {
        let own = std::iter::once(senders::in_ascii(&context.config.hostname));
        let domains = context.store.domains()?.into_iter();
        let domains = domains.map(|domain| senders::in_ascii(&domain.name));
        for name in own.chain(domains.take(FEEDBACK_SUBMITTERS_MAX)) {
            if dkim::is_signing(&context, &name)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    })
    .await
}

async fn letters(sender: &Sender, facts: &Facts<'_>) -> Result<Told, Error> {
    let ctx = &sender.ctx;
    let domain = facts.report.domain.as_str();
    let found = ask(sender.dns.as_ref(), |answers| {
        let record = match dmarc::record(domain, answers)? {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(nothing) => return Ok(Some(Err(nothing))),
        };
        let to = rua::destinations(domain, record.reports(), answers)?;
        Ok(Some(Ok((record, to))))
    });
    let (record, to) = match found.await {
        None => return Ok(Told::Unwanted),
        Some(Err(Nothing::Temporary)) => return Ok(Told::Later(SILENT)),
        Some(Err(Nothing::NoSuchName | Nothing::NoRecords)) => return Ok(Told::Unwanted),
        Some(Ok(found)) => found,
    };
    let is_young = day_of(ctx.clock.now()) <= facts.report.day.saturating_add(1);
    if to.doubtful && is_young {
        return Ok(Told::Later(SILENT));
    }
    let (rows, missed) = ctx
        .feedback
        .with(|kept| kept.letters.rows(facts.report.day, domain));
    let packed = package::gzip(&facts.aggregate(rows, missed, &record).write());
    // RFC 7489 §7.2.1: who wants less gets none.
    let size = travelling_bytes(&packed);
    let fits = |bytes_max: Option<u64>| bytes_max.is_none_or(|max| size <= max);
    let addresses = to.places.into_iter().filter_map(|place| match place {
        Place::Mail { address, bytes_max } if fits(bytes_max) => Some(address),
        Place::Mail { .. } | Place::Web(_) => None,
    });
    mail(sender, facts, addresses.collect(), &packed).await
}

async fn sessions(sender: &Sender, facts: &Facts<'_>) -> Result<Told, Error> {
    let ctx = &sender.ctx;
    let domain = facts.report.domain.as_str();
    let name = format!("_smtp._tls.{domain}");
    let places = match timeout(SENDER_CHECKS, sender.dns.txt(&name)).await {
        Ok(Ok(records)) => rua::of_tls(&records).unwrap_or_default(),
        Ok(Err(DnsError::NoSuchName | DnsError::NoRecords)) => Vec::new(),
        Ok(Err(DnsError::Temporary(_) | DnsError::Bogus)) | Err(_) => {
            return Ok(Told::Later(SILENT));
        }
    };
    if places.is_empty() {
        return Ok(Told::Unwanted);
    }
    let (rows, _) = ctx
        .feedback
        .with(|kept| kept.sessions.rows(facts.report.day, domain));
    let packed = package::gzip(&facts.tls(rows).write());
    let (mut addresses, mut urls) = (Vec::new(), Vec::new());
    for place in places {
        match place {
            Place::Mail { address, .. } => addresses.push(address),
            Place::Web(url) => urls.push(url),
        }
    }
    // RFC 8460 §3: one of them is enough. By mail the queue keeps it.
    if let told @ Told::Sent = mail(sender, facts, addresses, &packed).await? {
        return Ok(told);
    }
    for url in &urls {
        match web::post(sender, url, &packed).await {
            Ok(()) => {
                ctx.store.send_report(facts.report.clone(), None).await?;
                return Ok(Told::Sent);
            }
            Err(error) => tracing::info!(domain, url, error, "a report can't be posted"),
        }
    }
    Ok(match urls.is_empty() {
        true => Told::Unwanted,
        false => Told::Later("the domain's web server does not take it"),
    })
}

const SILENT: &str = "DNS gives no answer";

/// Looks with what DNS says, within one bound of time.
async fn ask<T>(dns: &dyn Dns, mut look: impl FnMut(&mut Answers) -> Result<T, Wanted>) -> T {
    let mut answers = Answers::default();
    let asking = async {
        loop {
            if let Ok(found) = look(&mut answers) {
                return found;
            }
            senders::ask_all(dns, &mut answers).await;
        }
    };
    if let Ok(found) = timeout(SENDER_CHECKS, asking).await {
        return found;
    }
    loop {
        // Every round gives up on at least one question, and there is a bound of them.
        if let Ok(found) = look(&mut answers) {
            return found;
        }
        answers.give_up();
    }
}

/// Into the queue, once and for all; nobody to send it to: unwanted.
async fn mail(
    sender: &Sender,
    facts: &Facts<'_>,
    addresses: Vec<String>,
    packed: &[u8],
) -> Result<Told, Error> {
    let ctx = &sender.ctx;
    let (mut to, mut by_domain) = (Vec::new(), BTreeMap::<String, Vec<QueueRecipient>>::new());
    for (address, domain) in addresses.into_iter().filter_map(usable) {
        by_domain
            .entry(domain)
            .or_default()
            .push(QueueRecipient::pending(address.clone()));
        to.push(address);
    }
    if to.is_empty() {
        return Ok(Told::Unwanted);
    }
    let mut random = [0u8; 16];
    ctx.clock.random(&mut random);
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let now = ctx.clock.now();
    let message = facts.message(&to, packed, now.seconds(), &token);
    let hint = u64::try_from(message.len()).ok();
    let mut intake = Intake::new(&ctx.store, hint)?.for_signing();
    intake.write(&message).await?;
    let seen = intake.take_seen();
    let (body, read) = intake.finish().await?;
    let signature = dkim::fields(ctx, &read, seen, "").await;
    if signature.is_empty() {
        return Ok(Told::Later("it can't be signed"));
    }
    let tls = match facts.kind {
        // RFC 8460 §3, §5.3: it arrives whatever TLS does.
        Kind::Tls => TlsWish::Optional,
        Kind::Aggregate => TlsWish::AsPolicy,
    };
    let entries = by_domain
        .into_iter()
        .map(|(domain, recipients)| NewQueueEntry {
            domain,
            // Nobody is told when it does not arrive, and nothing answers it.
            reverse_path: String::new(),
            recipients,
            prefix: signature.clone().into_bytes(),
            language: ctx.config.language.clone(),
            due: now,
            // RFC 8460 §5.5.
            expires: now.after(FEEDBACK_QUEUED),
            wishes: Wishes {
                priority: PRIORITY,
                tls,
                ..Wishes::default()
            },
            ..NewQueueEntry::default()
        });
    let sent = Some((body, entries.collect()));
    ctx.store.send_report(facts.report.clone(), sent).await?;
    Ok(Told::Sent)
}

/// An address that can be written to, and its destination.
fn usable(address: String) -> Option<(String, String)> {
    let parsed = Address::parse(&address).ok()?;
    let Domain::Name(domain) = parsed.domain else {
        return None;
    };
    let domain = senders::in_ascii(&domain);
    let local = parsed.local;
    local
        .is_ascii()
        .then(|| (format!("{local}@{domain}"), domain))
}
