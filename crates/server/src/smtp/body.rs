//! The message itself: taken into the spool, decided on, committed for everybody at once.

use std::sync::Arc;

use facteur_filter::Vouched;
use facteur_message::{Degraded, Facts, facts, header};
use facteur_senders::{Seen, dmarc};
use facteur_smtp::Recipient;
use facteur_smtp::address::{Address, Domain};
use facteur_smtp::server::{Envelope, Outcome, Refusal};
use facteur_store::{BlobId, Error, Memory, NewBody, NewQueueEntry, NewSent, Store};

use super::commit::{Commit, Written};
use super::decide::{Authors, Door, Gathered, Verdict, decide};
use super::filter::{self, Plans, Taken};
use super::judge::Sender;
use super::sender::{Checks, Origin};
use super::trace::{self, Arrival};
use super::undeliverable::{self, Sorted, Undeliverable};
use super::{Driver, Target, refusal};
use crate::config::Role;
use crate::consent::{self, Reply};
use crate::context::{Counters, PeerAddress, SessionId};
use crate::dkim;
use crate::drive::Stream;
use crate::history::{Event, Key};
use crate::intake::Intake;
use crate::limits;
use crate::opinions::{Milters, Noted};
use crate::programs::later;
use crate::senders;

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
    /// A recipient is elsewhere, or has a filter that may send it on.
    may_leave: bool,
    milters: Option<Box<Milters>>,
    session: SessionId,
}

impl Incoming {
    pub(super) fn into_milters(self) -> Option<Box<Milters>> {
        match self {
            Incoming::Taking(taking) => taking.milters,
            Incoming::None | Incoming::Failed(_) => None,
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let Incoming::Taking(taking) = self else {
            return;
        };
        let kept = taking.checks.pass(bytes);
        if let Err(error) = taking.intake.write(kept).await {
            tracing::error!(%error, "the body can't be kept");
            *self = Incoming::Failed(refusal(&error));
            return;
        }
        if let Some(milters) = &mut taking.milters {
            milters.write(taking.session, kept).await;
        }
    }
}

/// Whole, and not looked at yet.
struct Arrived {
    body: NewBody,
    facts: Arc<Facts>,
    /// Its beginning, for filters.
    head: Vec<u8>,
    seen: Option<Seen>,
    /// To sign.
    tapped: Option<Seen>,
    may_leave: bool,
}

/// Taken.
struct Decided {
    judged: Judged,
    /// The fields that we add.
    trace: String,
    sorted: Sorted,
    noted: Noted,
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

impl<S: Stream> Driver<S> {
    pub(super) async fn body_start(&mut self) -> Outcome {
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
            let may_leave = filtered || undeliverable::leave(&self.targets);
            let intake = match wanted && may_leave {
                true => intake.for_signing(),
                false => intake,
            };
            Ok((intake, may_leave))
        });
        match taken {
            Ok((intake, may_leave)) => {
                let checks = self.checks();
                let session = self.wire.peer().session;
                let mut milters = self.milters.take();
                if let Some(milters) = &mut milters {
                    milters.data(session, &[("i", &self.id())]).await;
                }
                self.body = Incoming::Taking(Box::new(Taking {
                    intake,
                    checks,
                    may_leave,
                    milters,
                    session,
                }));
                Outcome::Ok
            }
            Err(error) => {
                self.forget();
                self.failed("DATA", &error)
            }
        }
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

    /// The end of the message: it is whole in the spool.
    async fn arrived(&mut self) -> Result<Arrived, Refusal> {
        let taking = match std::mem::replace(&mut self.body, Incoming::None) {
            Incoming::Taking(taking) => taking,
            Incoming::Failed(refusal) => return Err(refusal),
            Incoming::None => return Err(Refusal::Temporary),
        };
        let Taking {
            mut intake,
            checks,
            may_leave,
            milters,
            session,
        } = *taking;
        self.milters = milters;
        let (rest, seen) = checks.finish();
        if let Some(milters) = &mut self.milters {
            milters.write(session, &rest).await;
        }
        let written = intake.write(&rest).await;
        written.map_err(|error| self.store_failed(&error))?;
        let head = intake.take_head();
        let tapped = intake.take_seen();
        let finished = intake.finish().await;
        let (body, facts) = finished.map_err(|error| self.store_failed(&error))?;
        Ok(Arrived {
            body,
            facts: Arc::new(facts),
            head,
            seen,
            tapped,
            may_leave,
        })
    }

    /// Whether it is taken, for whom, and what is written in front of it.
    async fn decide(&mut self, facts: &Facts, seen: Option<Seen>) -> Result<Decided, Refusal> {
        let judged = match self.over {
            true => Err(Refusal::RateLimited),
            false => self.judge(facts, seen).await,
        }?;
        let origin = judged.origin.as_ref().map(Origin::fields);
        let origin = origin.unwrap_or_default();
        let trace = format!("{origin}{}{}", self.received(), judged.additions);
        let replies = consent::take_replies(&mut self.targets);
        let sorted = match replies.is_some() && self.targets.iter().all(Vec::is_empty) {
            true => Sorted::nothing(self.targets.len()),
            false => self.sort(facts, &trace)?,
        };
        self.greylist(judged.origin.as_ref(), facts, &sorted)
            .await?;
        let noted = self.milters_end(&sorted).await;
        // What comes again is counted then.
        if noted.as_ref().err() != Some(&Refusal::Temporary) {
            let wanted = match judged.junk {
                true => dmarc::Policy::Quarantine,
                false => dmarc::Policy::None,
            };
            self.count_for_report(judged.origin.as_ref(), facts, wanted);
        }
        let noted = noted?;
        self.hear_owners(facts, replies.unwrap_or_default()).await?;
        Ok(Decided {
            trace: format!("{}{trace}", noted.fields),
            judged,
            sorted,
            noted,
        })
    }

    /// What became of each recipient; all the same except in LMTP.
    async fn commit(&mut self) -> Result<Vec<Result<(), Refusal>>, Refusal> {
        let Arrived {
            body,
            facts,
            head,
            seen,
            tapped,
            may_leave,
        } = self.arrived().await?;
        let key = Key::of(body.body.id());
        let decided = self.decide(&facts, seen).await;
        let Decided {
            judged,
            trace,
            mut sorted,
            noted,
        } = decided.inspect_err(|refusal| self.tell_refused(key.clone(), &facts, *refusal))?;
        let path = self.reverse_path();
        let origin = judged.origin.as_ref();
        self.proven = origin.is_none_or(|origin| origin.is_proven(&path));
        self.hear_reports(&facts, &head).await?;
        let filed = self.reports(&body, &facts, &judged, &sorted).await;
        let opinions = self.opinions(&noted, &head, &sorted).await;
        let header = head.get(..header::length(&head)).unwrap_or(&head);
        let header: Arc<[u8]> = header.into();
        let filings = self.filings(&facts, head, &trace, &sorted, (judged.sender(), opinions));
        let filings = filings.await.map_err(|error| self.store_failed(&error))?;
        let taken = Taken {
            body: &body,
            facts: &facts,
            header,
            trace: &trace,
            filings: &filings,
            reports: &filed.accounts,
        };
        if may_leave {
            let rewritten = self.rewrite().await;
            rewritten.map_err(|error| self.store_failed(&error))?;
        }
        let plans = self.filter(&taken, &mut sorted).await;
        let mut plans = plans.map_err(|error| self.store_failed(&error))?;
        filed.file(&mut plans);
        let fates = std::mem::take(&mut plans.fates);
        let renamed = std::mem::take(&mut plans.renamed);
        self.refused_by_filters(&sorted, &plans)
            .inspect_err(|refusal| self.tell_refused(key.clone(), &facts, *refusal))?;
        self.ask_owners(&mut plans).await;
        let leaves = !plans.onward.is_empty() || undeliverable::leave(&sorted.targets);
        let tapped = tapped.filter(|_| leaves);
        let signature = self.signature(&facts, tapped, &judged).await;
        let written = Written {
            additions: &judged.additions,
            trace: &trace,
            filings: &filings,
            signature: &signature,
        };
        let once = self.once(body.body.id(), &sorted);
        let commit = self.plan(body, &facts, written, &sorted, plans);
        let results = sorted.results.clone();
        let (copies, queued) = (commit.local.len(), commit.queue.len());
        let ctx = self.wire.context();
        // Before anything else can happen to it.
        let at = ctx.clock.now();
        if !commit.is_nothing() || self.tracking.is_some() {
            let done_before = self.keep(commit, once, &sorted).await;
            if done_before.map_err(|error| self.store_failed(&error))? {
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
        self.tell_untold(&key, &sorted);
        for key in std::iter::once(key).chain(renamed) {
            let event = self.accepted(&facts, &judged, &sorted.targets, &fates);
            ctx.history.tell(Event::new(key, at, event));
        }
        Ok(results)
    }

    /// The one commit of all that becomes of a message; true: it was done before.
    async fn keep(
        &self,
        commit: Commit,
        once: Option<Memory>,
        sorted: &Sorted,
    ) -> Result<bool, Error> {
        let store = &self.wire.context().store;
        if let Some(once) = once {
            return commit.send_once(store, once).await.map(|done| !done);
        }
        let sent = self.to_remember(&sorted.targets, &sorted.reports, &commit.queue);
        let taken = commit.send(store, sent).await?;
        Ok(self.was_done_before(taken))
    }

    /// In front of the copies that leave: of our people's mail a signature, of checked mail a seal.
    async fn signature(&self, facts: &Facts, tapped: Option<Seen>, judged: &Judged) -> String {
        let ctx = self.wire.context();
        match (tapped, &judged.origin) {
            (Some(tapped), _) if self.is_known() => {
                dkim::fields(ctx, facts, Some(tapped), &judged.additions).await
            }
            (Some(tapped), Some(origin)) => {
                let rewritten = self.rewritten.as_deref();
                let home = rewritten.and_then(|path| path.rsplit_once('@'));
                let home = home.map_or(ctx.config.hostname.as_str(), |(_, domain)| domain);
                dkim::seal(ctx, home, tapped, origin.results(), &origin.findings.arc).await
            }
            _ => String::new(),
        }
    }

    /// What another host tells of a program's mail.
    async fn hear_reports(&self, facts: &Facts, head: &[u8]) -> Result<(), Refusal> {
        let nobody = self.reverse_path().is_empty();
        let heard = later::hear(self.wire.context(), facts, head, nobody).await;
        heard.map_err(|error| self.store_failed(&error))
    }

    /// Owners of addresses outside answer whether mail is to be sent on to them.
    async fn hear_owners(&self, facts: &Facts, replies: Vec<Reply>) -> Result<(), Refusal> {
        let automatic = consent::is_automatic(facts, !self.reverse_path().is_empty());
        for reply in replies {
            tracing::info!(
                session = %self.wire.peer().session,
                id = self.id(),
                automatic,
                yes = reply.yes,
                "an answer about mail that goes on"
            );
            if !automatic {
                let heard = consent::hear(self.wire.context(), reply).await;
                heard.map_err(|error| self.store_failed(&error))?;
            }
        }
        Ok(())
    }

    /// What was held comes from our own queue, whose entry goes in a commit of its own: when the power
    /// fails between the two, it comes once more, byte for byte, to the same recipients.
    fn once(&self, blob: BlobId, sorted: &Sorted) -> Option<Memory> {
        let ctx = self.wire.context();
        if self.wire.peer().address != PeerAddress::Inside {
            return None;
        }
        let mut hasher = blake3::Hasher::new_derive_key("facteur 2026 held mail that came home");
        hasher
            .update(&blob.0)
            .update(self.reverse_path().as_bytes());
        for (recipient, _) in &self.session.envelope()?.recipients {
            if let Recipient::Address(address) = recipient {
                hasher.update(&[0]).update(address.to_string().as_bytes());
            }
        }
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Some(Memory {
            account: *sorted.accounts().first()?,
            key,
            until: ctx.clock.now().after(limits::CAME_HOME_REMEMBERED),
        })
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
                if refusal == Refusal::NotVouchedFor {
                    self.count_for_report(origin.as_ref(), facts, dmarc::Policy::Reject);
                }
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

    /// In which a DSN to the sender is written.
    pub(super) fn language(&self) -> String {
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
        Target::Remote { .. } | Target::Reply(_) | Target::Report => false,
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
