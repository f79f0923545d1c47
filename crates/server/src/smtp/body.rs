//! The message itself: taken into the spool, decided on, committed for everybody at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use facteur_filter::Vouched;
use facteur_message::{Degraded, Facts, facts, header, thread};
use facteur_senders::Seen;
use facteur_smtp::address::{Address, Domain};
use facteur_smtp::parameters::{Body, Ret};
use facteur_smtp::server::{Envelope, Outcome, Refusal};
use facteur_smtp::{MailParameters, RcptParameters, Recipient};
use facteur_store::{
    AccountId, DeliverBy, Delivery, Error, Memory, NewBody, NewMailbox, NewQueueEntry, NewSent,
    Notify, Parcel, QueueRecipient, RecipientState, Store, Timestamp, TlsWish, Wishes,
};

use super::decide::{Authors, Door, Gathered, Verdict, decide};
use super::filter::{self, Plans, Taken};
use super::judge::Sender;
use super::mail;
use super::sender::{Checks, Origin};
use super::trace::{self, Arrival};
use super::undeliverable::{self, Sorted, Undeliverable};
use super::{Driver, Target, refusal};
use crate::config::Role;
use crate::context::Counters;
use crate::dkim;
use crate::drive::Stream;
use crate::history::{Event, Key};
use crate::intake::Intake;
use crate::junk::{self, Filing};
use crate::limits;
use crate::senders;

/// RFC 6710 §4, of a newsletter whose sender says nothing.
const PRIORITY_BULK: i8 = -4;

/// The body of the open transaction.
#[derive(Debug)]
pub(super) enum Incoming {
    None,
    Taking(Box<Taking>),
    /// The spool failed on the way; the rest is dropped and the end says so.
    Failed(Refusal),
}

/// Kept and looked at as it comes.
#[derive(Debug)]
pub(super) struct Taking {
    intake: Intake,
    checks: Checks,
}

impl Incoming {
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let Incoming::Taking(taking) = self else {
            return;
        };
        let kept = taking.checks.pass(bytes);
        if let Err(error) = taking.intake.write(kept).await {
            tracing::error!(%error, "the body can't be kept");
            *self = Incoming::Failed(refusal(&error));
        }
    }
}

/// What judging a message gave.
pub(super) struct Judged {
    /// Results of the checks, for every copy.
    pub(super) origin: Option<Origin>,
    /// Fields that submission adds.
    pub(super) additions: String,
    /// Its author's domain wants it set apart.
    junk: bool,
}

impl Judged {
    /// As the junk filter is told.
    fn sender(&self) -> Sender {
        Sender {
            vouched: self.vouched(),
            listed: self.origin.as_ref().is_some_and(|origin| origin.listed),
        }
    }

    fn vouched(&self) -> Vouched {
        match &self.origin {
            _ if self.junk => Vouched::SetAside,
            Some(origin) => origin.vouched(),
            None => Vouched::Unknown,
        }
    }
}

/// What is written in front of the message, and where its copies go.
#[derive(Clone, Copy)]
struct Written<'a> {
    /// Fields that submission adds.
    additions: &'a str,
    /// Received, and those.
    trace: &'a str,
    filings: &'a [Filing],
    /// In front of the copies that leave.
    signature: &'a str,
}

/// Everything that one commit holds.
struct Commit {
    body: NewBody,
    local: Vec<Delivery>,
    queue: Vec<NewQueueEntry>,
    mailboxes: Vec<NewMailbox>,
    memories: Vec<Memory>,
    written: Vec<Parcel>,
}

impl Commit {
    fn is_nothing(&self) -> bool {
        self.is_plain() && self.local.is_empty() && self.queue.is_empty()
    }

    /// No filter asked for more.
    fn is_plain(&self) -> bool {
        self.mailboxes.is_empty() && self.memories.is_empty() && self.written.is_empty()
    }

    /// With what is to be remembered of a program's message; `None` for everybody else's.
    async fn send(
        self,
        store: &Store,
        sent: Option<NewSent>,
    ) -> Result<Option<facteur_store::Taken>, Error> {
        if self.is_plain() && sent.is_none() {
            let done = store.deliver(self.body, self.local, self.queue).await;
            return done.map(|_| None);
        }
        let mut parcels = self.written;
        if !self.local.is_empty() || !self.queue.is_empty() {
            parcels.push(Parcel {
                body: self.body,
                mailboxes: self.mailboxes,
                local: self.local,
                queue: self.queue,
                aside: None,
                once: None,
            });
        }
        if let Some(sent) = sent {
            let taken = store.deliver_sent(parcels, self.memories, sent).await;
            return taken.map(Some);
        }
        let done = store.deliver_parcels(parcels, self.memories).await;
        done.map(|_| None)
    }
}

impl<S: Stream> Driver<S> {
    pub(super) fn body_start(&mut self) -> Outcome {
        let hint = self
            .session
            .envelope()
            .and_then(|envelope| envelope.parameters.size);
        let store = &self.wire.context().store;
        let taken = filter::has_filter(store, &self.targets).and_then(|filtered| {
            let wanted = if filtered {
                limits::FILTER_HEAD_BYTES_MAX
            } else {
                0
            };
            let intake = Intake::new(store, hint)?.keep_head(self.head_bytes().max(wanted));
            // What is known to be ours is signed, what was checked is sealed.
            let wanted = self.is_known() || self.is_checked();
            Ok(match wanted && (filtered || self.leaves()) {
                true => intake.for_signing(),
                false => intake,
            })
        });
        match taken {
            Ok(intake) => {
                let checks = self.checks();
                self.body = Incoming::Taking(Box::new(Taking { intake, checks }));
                Outcome::Ok
            }
            Err(error) => {
                self.forget();
                self.failed("DATA", &error)
            }
        }
    }

    fn leaves(&self) -> bool {
        let mut targets = self.targets.iter().flatten();
        targets.any(|target| matches!(target, Target::Remote { .. }))
    }

    pub(super) async fn body_end(&mut self) -> Outcome {
        // On the heap while it lasts: a session that waits for a command stays small.
        let outcome = match Box::pin(self.commit()).await {
            Ok(results) if self.door() == Door::Lmtp => Outcome::Recipients(results),
            Ok(_) => Outcome::Ok,
            Err(refusal) => {
                Counters::add(&self.wire.context().counters.messages_refused);
                Outcome::Refused(refusal)
            }
        };
        self.forget();
        outcome
    }

    /// What became of each recipient; all the same except in LMTP.
    async fn commit(&mut self) -> Result<Vec<Result<(), Refusal>>, Refusal> {
        let taking = match std::mem::replace(&mut self.body, Incoming::None) {
            Incoming::Taking(taking) => taking,
            Incoming::Failed(refusal) => return Err(refusal),
            Incoming::None => return Err(Refusal::Temporary),
        };
        let Taking { mut intake, checks } = *taking;
        let (rest, seen) = checks.finish();
        intake
            .write(&rest)
            .await
            .map_err(|error| self.store_failed(&error))?;
        let head = intake.take_head();
        let tapped = intake.take_seen();
        let (body, facts) = intake
            .finish()
            .await
            .map_err(|error| self.store_failed(&error))?;
        let key = Key::of(body.body.id());
        let allowed = match self.over {
            true => Err(Refusal::RateLimited),
            false => self.judge(&facts, seen).await,
        };
        let judged =
            allowed.inspect_err(|refusal| self.tell_refused(key.clone(), &facts, *refusal))?;
        let origin = judged.origin.as_ref().map(Origin::fields);
        let origin = origin.unwrap_or_default();
        let trace = format!("{origin}{}{}", self.received(), judged.additions);
        let facts = Arc::new(facts);
        let mut sorted = self
            .sort(&facts, &trace)
            .inspect_err(|refusal| self.tell_refused(key.clone(), &facts, *refusal))?;
        self.greylist(judged.origin.as_ref(), &facts, &sorted)
            .await
            .inspect_err(|refusal| self.tell_refused(key.clone(), &facts, *refusal))?;
        let header = head.get(..header::length(&head)).unwrap_or(&head);
        let header: Arc<[u8]> = header.into();
        let filings = self.filings(&facts, head, &trace, &sorted, judged.sender());
        let filings = filings.await.map_err(|error| self.store_failed(&error))?;
        let taken = Taken {
            body: &body,
            facts: &facts,
            header,
            trace: &trace,
            filings: &filings,
        };
        let rewritten = self.rewrite().await;
        rewritten.map_err(|error| self.store_failed(&error))?;
        let plans = self.filter(&taken, &mut sorted).await;
        let mut plans = plans.map_err(|error| self.store_failed(&error))?;
        let fates = std::mem::take(&mut plans.fates);
        let renamed = std::mem::take(&mut plans.renamed);
        self.refused_by_filters(&sorted, &plans)
            .inspect_err(|refusal| self.tell_refused(key.clone(), &facts, *refusal))?;
        let additions = &judged.additions;
        let leaves = !plans.onward.is_empty() || sorted.leave();
        let ctx = self.wire.context();
        let signature = match (tapped.filter(|_| leaves), &judged.origin) {
            (Some(tapped), _) if self.is_known() => {
                dkim::fields(ctx, &facts, Some(tapped), additions).await
            }
            (Some(tapped), Some(origin)) => {
                let home = self
                    .rewritten
                    .as_deref()
                    .and_then(|path| path.rsplit_once('@'));
                let home = home.map_or(ctx.config.hostname.as_str(), |(_, domain)| domain);
                dkim::seal(ctx, home, tapped, origin.results(), &origin.findings.arc).await
            }
            _ => String::new(),
        };
        let written = Written {
            additions,
            trace: &trace,
            filings: &filings,
            signature: &signature,
        };
        let commit = self.plan(body, &facts, written, &sorted, plans);
        let results = sorted.results.clone();
        let (copies, queued) = (commit.local.len(), commit.queue.len());
        let ctx = self.wire.context();
        // Before anything else can happen to it.
        let at = ctx.clock.now();
        if !commit.is_nothing() || self.tracking.is_some() {
            let sent = self.to_remember(&sorted.targets, &sorted.reports, &commit.queue);
            let done = commit.send(&ctx.store, sent).await;
            let taken = done.map_err(|error| self.store_failed(&error))?;
            if self.was_done_before(taken) {
                return Ok(results);
            }
        } else if sorted.targets.iter().all(Vec::is_empty) {
            return Ok(results);
        }
        Counters::add(&ctx.counters.messages_in);
        if !filings.iter().any(|filing| filing.junk) {
            ctx.strangers.commend(self.wire.peer().address);
        }
        tracing::info!(
            session = %self.wire.peer().session,
            id = self.id(),
            from = self.reverse_path(),
            size = facts.size,
            copies,
            queued,
            "message accepted"
        );
        for key in std::iter::once(key).chain(renamed) {
            let event = self.accepted(&facts, &judged, &sorted.targets, &fates);
            ctx.history.tell(Event::new(key, at, event));
        }
        Ok(results)
    }

    /// What is kept of a program's message beside itself.
    fn to_remember(
        &self,
        targets: &[Vec<Target>],
        reports: &[(usize, Undeliverable)],
        queue: &[NewQueueEntry],
    ) -> Option<NewSent> {
        let tracking = self.tracking.as_ref()?;
        let reports: Vec<(usize, &'static str)> = reports
            .iter()
            .map(|(place, why)| (*place, why.told()))
            .collect();
        let now = self.wire.context().clock.now();
        Some(tracking.new_sent(self.session.envelope(), targets, &reports, queue, now))
    }

    /// A program's request that was taken already, with the same key: nothing was delivered now.
    fn was_done_before(&self, taken: Option<facteur_store::Taken>) -> bool {
        let (Some(tracking), Some(taken)) = (&self.tracking, taken) else {
            return false;
        };
        tracking.taken(taken);
        let before = taken != facteur_store::Taken::New;
        if before {
            tracing::info!(session = %self.wire.peer().session, "this request was done before");
        }
        before
    }

    /// RFC 5429 §2.1.1, §2.5: said in the reply when every recipient refuses, or by LMTP.
    fn refused_by_filters(&mut self, sorted: &Sorted, plans: &Plans) -> Result<(), Refusal> {
        let lmtp = self.door() == Door::Lmtp;
        let everybody =
            !plans.reasons.is_empty() && !plans.unsaid && sorted.targets.iter().all(Vec::is_empty);
        for (place, reason) in &plans.reasons {
            if lmtp {
                self.session.explain(*place, reason);
            }
        }
        if lmtp || !everybody {
            return Ok(());
        }
        if let Some(reason) = plans.reasons.values().next() {
            self.session.explain(0, reason);
        }
        tracing::info!(
            session = %self.wire.peer().session,
            id = self.id(),
            from = self.reverse_path(),
            "message refused by the filters of all recipients"
        );
        Err(Refusal::Filtered)
    }

    /// Takes out who can't get the message; the refusal is for when nobody can.
    fn sort(&mut self, facts: &Facts, trace: &str) -> Result<Sorted, Refusal> {
        let store = self.wire.context().store.clone();
        let return_path = trace::return_path(&self.reverse_path());
        let size = facts.size + (return_path.len() + trace.len()) as u64;
        let seen = &facts.header.delivered_to;
        let targets = std::mem::take(&mut self.targets);
        let sorted = undeliverable::sort(targets, self.door(), |target| {
            if was_in(target, seen) {
                return Ok(Some(Undeliverable::Loop));
            }
            Ok(is_full(&store, target, size)?.then_some(Undeliverable::Full))
        });
        sorted.map_err(|refused| match refused {
            Ok(refusal) => {
                tracing::info!(
                    session = %self.wire.peer().session,
                    id = self.id(),
                    from = self.reverse_path(),
                    ?refusal,
                    "message refused: nobody is left who can get it"
                );
                refusal
            }
            Err(error) => self.store_failed(&error),
        })
    }

    /// Gathers what the verdict needs and asks for it.
    async fn judge(&self, facts: &Facts, seen: Option<Seen>) -> Result<Judged, Refusal> {
        let ctx = self.wire.context();
        let authors = self
            .authors(facts)
            .map_err(|error| self.store_failed(&error))?;
        let author = senders::author(facts);
        let origin = match seen {
            Some(seen) => self.origin(facts, &author, &seen).await?,
            None => None,
        };
        let mut random = [0u8; 2];
        ctx.clock.random(&mut random);
        let verdict = decide(Gathered {
            door: self.door(),
            header: &facts.header,
            size: facts.size,
            message_bytes_max: ctx.config.message_bytes_max,
            authors,
            author: &author,
            dmarc: origin.as_ref().map(|origin| &origin.findings.dmarc),
            dice: (u16::from_be_bytes(random) % 100) as u8,
        });
        match verdict {
            Verdict::Refuse { refusal, reason } => {
                tracing::info!(
                    session = %self.wire.peer().session,
                    id = self.id(),
                    from = self.reverse_path(),
                    author = ?author,
                    reason,
                    "message refused"
                );
                Err(refusal)
            }
            Verdict::Accept {
                add_date,
                add_message_id,
                junk,
            } => {
                let mut fields = String::new();
                if add_date {
                    fields.push_str(&trace::date_field(ctx.clock.now().seconds()));
                }
                if add_message_id {
                    let mut random = [0u8; 16];
                    ctx.clock.random(&mut random);
                    fields.push_str(&trace::message_id(&random, &ctx.config.hostname));
                }
                if let Some(reason) = junk {
                    tracing::info!(
                        session = %self.wire.peer().session,
                        id = self.id(),
                        reason,
                        "message goes into Junk"
                    );
                }
                Ok(Judged {
                    origin,
                    additions: fields,
                    junk: junk.is_some(),
                })
            }
        }
    }

    pub(super) fn door(&self) -> Door {
        match self.wire.peer().role {
            Role::Submission | Role::Submissions | Role::Local | Role::Https => Door::Submission,
            Role::Lmtp => Door::Lmtp,
            Role::Smtp | Role::Imap | Role::Imaps | Role::Pop3 | Role::Pop3s | Role::Sieve => {
                Door::Mx
            }
        }
    }

    /// Every mailbox of From belongs to who logged in, and that of Sender where there is one
    /// (RFC 6409 §6.1: stricter than it asks, so that nobody is named who did not write).
    fn authors(&self, facts: &Facts) -> Result<Authors, Error> {
        // What could not be read may name somebody.
        let unread = [
            Degraded::AUTHORS,
            Degraded::HEADER_BLOCK,
            Degraded::HEADER_FIELDS,
        ];
        if unread.iter().any(|unread| facts.degraded.contains(*unread)) {
            return Ok(Authors::default());
        }
        let (from, sender) = (&facts.envelope.from, &facts.envelope.sender);
        Ok(Authors {
            from_is_own: self.all_own(from)?,
            sender_is_own: match facts.header.sender_count {
                0 => true,
                1 => self.all_own(sender)?,
                _ => false,
            },
        })
    }

    /// At least one mailbox, and each of them of who sends.
    fn all_own(&self, list: &[facts::Address]) -> Result<bool, Error> {
        let mut any = false;
        for address in list {
            let facts::Address::Mailbox { local, domain, .. } = address else {
                continue;
            };
            let text = |bytes: &Option<Vec<u8>>| {
                bytes
                    .as_ref()
                    .and_then(|bytes| String::from_utf8(bytes.clone()).ok())
            };
            let (Some(local), Some(domain)) = (text(local), text(domain)) else {
                return Ok(false);
            };
            let address = Address {
                local,
                domain: Domain::Name(domain),
            };
            any = true;
            if !self.is_own(&address)? {
                return Ok(false);
            }
        }
        Ok(any)
    }

    /// Who gets what, one copy for each account and one queue entry for each domain.
    fn plan(
        &self,
        mut body: NewBody,
        facts: &Facts,
        written: Written<'_>,
        sorted: &Sorted,
        plans: Plans,
    ) -> Commit {
        // The Message-ID that we gave it is what answers will refer to.
        let Written {
            additions,
            trace,
            signature,
            ..
        } = written;
        let own = header::first(additions.as_bytes(), "Message-ID");
        if let Some(key) = own.and_then(|id| thread::message_id_key(&id)) {
            body.thread_keys.insert(0, key);
        }
        let return_path = trace::return_path(&self.reverse_path());
        let mut local = Vec::new();
        let mut accounts: Vec<AccountId> = Vec::new();
        let mut remote: BTreeMap<&str, Vec<QueueRecipient>> = BTreeMap::new();
        let mut told: Vec<QueueRecipient> = Vec::new();
        let no_recipients = Vec::new();
        let recipients = self
            .session
            .envelope()
            .map_or(&no_recipients, |envelope| &envelope.recipients);
        for ((recipient, parameters), targets) in recipients.iter().zip(&sorted.targets) {
            told.extend(arrival_notice(recipient, parameters, targets));
            for target in targets {
                match target {
                    Target::Local {
                        account, address, ..
                    } if !accounts.contains(account) => {
                        accounts.push(*account);
                        let delivered = trace::delivered_to(address);
                        let filing = written.filings.iter().find(|it| it.account == *account);
                        let verdict = filing.map(junk::field);
                        let verdict = verdict.unwrap_or_default();
                        let prefix = format!("{return_path}{delivered}{verdict}{trace}");
                        local.extend(plans.deliveries(*account, filing, &prefix));
                    }
                    Target::Local { .. } => {}
                    Target::Remote { address, domain } => {
                        let list = remote.entry(domain).or_default();
                        if !list.iter().any(|have| have.address == *address) {
                            list.push(queue_recipient(address, recipient, parameters));
                        }
                    }
                }
            }
        }
        let hostname = self.wire.context().config.hostname.as_str();
        for (place, why) in &sorted.reports {
            if let Some((recipient, parameters)) = recipients.get(*place) {
                let reason = plans.reasons.get(place).map(String::as_str);
                told.push(failure_notice(
                    recipient,
                    parameters,
                    (*why, reason),
                    hostname,
                ));
            }
        }
        let notices =
            (!told.is_empty() && !self.reverse_path().is_empty()).then_some((hostname, told));
        let signed = format!("{signature}{trace}");
        let mut queue: Vec<NewQueueEntry> = remote
            .into_iter()
            .map(|(domain, recipients)| self.queue_entry(domain, recipients, facts, &signed))
            .collect();
        queue.extend(notices.map(|(domain, recipients)| NewQueueEntry {
            reverse_path: self.reverse_path(),
            ..self.queue_entry(domain, recipients, facts, trace)
        }));
        for (account, prefix) in &plans.further {
            local.extend(plans.deliveries(*account, None, prefix));
        }
        for (domain, address, prefix) in &plans.onward {
            let prefix = format!("{signature}{prefix}");
            queue.push(self.onward(domain, address, &prefix, facts, None));
        }
        Commit {
            body,
            local,
            queue,
            mailboxes: plans.mailboxes,
            memories: plans.memories,
            written: plans.written,
        }
    }

    pub(super) fn queue_entry(
        &self,
        domain: &str,
        recipients: Vec<QueueRecipient>,
        facts: &Facts,
        trace: &str,
    ) -> NewQueueEntry {
        let ctx = self.wire.context();
        let now: Timestamp = ctx.clock.now();
        let parameters = self
            .session
            .envelope()
            .map(|envelope| envelope.parameters.clone())
            .unwrap_or_default();
        let release = mail::release(parameters.hold, now);
        NewQueueEntry {
            domain: domain.to_owned(),
            reverse_path: self.path_onward(),
            recipients,
            prefix: trace.as_bytes().to_vec(),
            body_8bit: parameters.body == Body::EightBitMime
                || facts.root.has_8bit
                || facts.header.has_8bit,
            body_binary: parameters.body == Body::BinaryMime,
            smtputf8: parameters.smtputf8,
            return_headers_only: parameters.ret == Some(Ret::Headers),
            wishes: self.wishes(&parameters, facts),
            envelope_id: parameters.envelope_id,
            language: self.language(),
            due: release,
            expires: release.after(ctx.config.queue.expires_after),
        }
    }

    fn wishes(&self, parameters: &MailParameters, facts: &Facts) -> Wishes {
        // The time by which it is to arrive begins when it leaves.
        let now = mail::release(parameters.hold, self.wire.context().clock.now());
        // What goes to many waits for what goes to one.
        let usual = if facts.header.is_bulk {
            PRIORITY_BULK
        } else {
            0
        };
        Wishes {
            priority: parameters.priority.unwrap_or(usual),
            deliver_by: parameters.deliver_by.map(|by| DeliverBy {
                at: Timestamp(now.0.saturating_add(by.seconds.saturating_mul(1000))),
                or_return: by.or_return,
                trace: by.trace,
            }),
            tls: if parameters.require_tls {
                // RFC 8689 §4.1: goes before the header field.
                TlsWish::Required
            } else if facts.header.tls_optional {
                TlsWish::Optional
            } else {
                TlsWish::AsPolicy
            },
        }
    }

    /// In which a DSN to the sender is written.
    fn language(&self) -> String {
        let ctx = self.wire.context();
        let account = self
            .identity
            .as_ref()
            .and_then(|identity| ctx.store.account(identity.account).ok().flatten());
        account.map_or_else(|| ctx.config.language.clone(), |account| account.language)
    }

    fn received(&self) -> String {
        let ctx = self.wire.context();
        let peer = self.wire.peer();
        let only = match self.session.envelope().map(|e| e.recipients.as_slice()) {
            Some([(Recipient::Address(address), _)]) => Some(address.to_string()),
            _ => None,
        };
        let hello = self.session.hello_name().unwrap_or_default();
        let mandate = self.mandate.as_ref();
        trace::received(&Arrival {
            // Who it is, not what it says it is.
            hello: mandate.map_or(hello, |mandate| &mandate.name),
            peer: peer.address,
            hostname: &ctx.config.hostname,
            protocol: mandate.map_or(self.session.protocol(), |mandate| mandate.protocol),
            tls: peer.tls.as_deref(),
            id: &self.id(),
            only_recipient: only.as_deref(),
            at: ctx.clock.now().seconds(),
        })
    }

    pub(super) fn reverse_path(&self) -> String {
        let path = self.session.envelope().and_then(envelope_sender);
        path.map(Address::to_string).unwrap_or_default()
    }

    /// Names the message in the log and in Received.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.wire.peer().session, self.messages)
    }

    pub(super) fn store_failed(&self, error: &Error) -> Refusal {
        tracing::error!(session = %self.wire.peer().session, id = self.id(), %error, "the message can't be kept");
        refusal(error)
    }
}

/// Delivered-To names this mailbox: the message went through it and came back.
pub(super) fn was_in(target: &Target, seen: &[Vec<u8>]) -> bool {
    match target {
        Target::Local { address, .. } => seen
            .iter()
            .any(|value| value.eq_ignore_ascii_case(address.as_bytes())),
        Target::Remote { .. } => false,
    }
}

/// `size` is without the field that names this target.
pub(super) fn is_full(store: &Store, target: &Target, size: u64) -> Result<bool, Error> {
    let Target::Local {
        account, address, ..
    } = target
    else {
        return Ok(false);
    };
    let size = size + trace::delivered_to(address).len() as u64;
    let account = store.account(*account)?;
    Ok(account.is_some_and(|account| {
        let used = account.used_bytes.saturating_add(size);
        account.quota_bytes.is_some_and(|quota| used > quota)
    }))
}

fn envelope_sender(envelope: &Envelope) -> Option<&Address> {
    envelope.reverse_path.as_ref()
}

/// RFC 3461 §5.2.8: who asked for it is told that the message arrived. The notice is made by the
/// queue, from an entry that is committed with the message and has nothing left to send.
fn arrival_notice(
    recipient: &Recipient,
    parameters: &RcptParameters,
    targets: &[Target],
) -> Option<QueueRecipient> {
    let wanted = parameters.notify.is_some_and(|notify| notify.success);
    let here = |target: &Target| matches!(target, Target::Local { .. });
    let Recipient::Address(given) = recipient else {
        return None;
    };
    (wanted && !targets.is_empty() && targets.iter().all(here)).then(|| QueueRecipient {
        state: RecipientState::Delivered {
            reply: "delivered into the mailbox".to_owned(),
        },
        ..queue_recipient(&given.to_string(), recipient, parameters)
    })
}

/// Who is told why a recipient did not get what others got; made by the queue as well.
fn failure_notice(
    recipient: &Recipient,
    parameters: &RcptParameters,
    (why, reason): (Undeliverable, Option<&str>),
    hostname: &str,
) -> QueueRecipient {
    let address = match recipient {
        Recipient::Address(given) => given.to_string(),
        Recipient::Postmaster => format!("postmaster@{hostname}"),
    };
    let mut reply = why.told().to_owned();
    // RFC 5429 §2.1.2: with the reason that the filter gave.
    if let Some(reason) = reason.filter(|_| why == Undeliverable::Filtered) {
        let words: Vec<&str> = reason.split_whitespace().collect();
        reply.push_str(": ");
        let limit = limits::FILTER_REASON_CHARS_MAX;
        reply.extend(words.join(" ").chars().take(limit));
    }
    QueueRecipient {
        state: RecipientState::Failed { reply },
        ..queue_recipient(&address, recipient, parameters)
    }
}

/// RFC 3461 §5.2.1: without ORCPT the address that was given stands in for it.
fn queue_recipient(
    address: &str,
    recipient: &Recipient,
    parameters: &RcptParameters,
) -> QueueRecipient {
    let original = parameters.original.clone().or_else(|| match recipient {
        Recipient::Address(given) if given.is_ascii() => Some(format!(
            "rfc822;{}",
            facteur_smtp::parameters::encode_xtext(given.to_string().as_bytes())
        )),
        _ => None,
    });
    QueueRecipient {
        address: address.to_owned(),
        original,
        notify: parameters.notify.map(|notify| Notify {
            success: notify.success,
            failure: notify.failure,
            delay: notify.delay,
        }),
        state: RecipientState::Pending,
    }
}
