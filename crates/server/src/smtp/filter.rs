//! The recipients' filters, between the verdict and the commit: where copies go instead of INBOX,
//! to whom the message goes on, who refuses it, and what is written because of it.
//!
//! A redirect to an account of ours goes through that account's filter too; no account is visited
//! twice, and Delivered-To tells a message that comes back. A redirect that leads nowhere leaves
//! the message with whoever asked for it (RFC 5228 §4.2). A header that a filter changed is that of
//! its own copies: they are a parcel of the same commit, the others keep the one body.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use facteur_filter::rules::JUNK_POINTS;
use facteur_message::{Facts, header};
use facteur_sieve::message::{Edition, INBOX, Redirect};
use facteur_smtp::address::Address;
use facteur_store::{
    AccountId, Delivery, Error, FlagNames, ForwardSource, Memory, NewBody, NewMailbox, NewMessage,
    NewQueueEntry, Notify, Parcel, QueueRecipient, RecipientState, Store,
};

use super::directory::{self, Found, Onward, Target};
use super::undeliverable::{Sorted, Undeliverable};
use super::{Driver, Refusal, body, trace};
use crate::consent::{self, Standing};
use crate::dkim;
use crate::drive::{Stream, blocking};
use crate::history::Key;
use crate::intake::Intake;
use crate::junk::{self, Filing};
use crate::limits;
use crate::sieve::{self, Arrival, Copy, Filtered, Written};
use crate::smtp::decide::Door;

/// How much of a body is copied at a time.
const COPY_BYTES: u64 = 64 * 1024;

/// What the filters of all recipients ask for.
#[derive(Debug, Default)]
pub(super) struct Plans {
    /// Of accounts with a filter: their copies of the message as it came instead of the one in
    /// INBOX, with the fields that the filter added.
    pub copies: HashMap<AccountId, Vec<(Copy, Vec<u8>)>>,
    pub mailboxes: Vec<NewMailbox>,
    pub memories: Vec<Memory>,
    /// Accounts that the message was sent on to: address, and what stands in front.
    pub further: Vec<(AccountId, String)>,
    /// Addresses elsewhere that it is sent on to, and what stands in front.
    pub onward: Vec<(Way, String)>,
    /// Addresses elsewhere whose owners are to be asked first, and for whom.
    pub asks: Vec<(AccountId, String)>,
    /// Messages that the server writes, and those that filters gave another header.
    pub written: Vec<Parcel>,
    /// What the history is told of accounts with a filter.
    pub fates: HashMap<AccountId, Fate>,
    /// Bodies with another header that are sent on.
    pub renamed: Vec<Key>,
    /// Reasons of recipients that refuse, by their place.
    pub reasons: BTreeMap<usize, String>,
    /// One of them can't be said in a reply.
    pub unsaid: bool,
}

/// To another host.
#[derive(Debug)]
pub(super) struct Way {
    pub domain: String,
    pub address: String,
    pub forward: Option<Onward>,
}

/// What a filter did with a message.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// A copy stays in a mailbox.
    pub stays: bool,
    /// Addresses it went on to; true: of accounts here.
    pub goes: Vec<(String, bool)>,
}

/// A local account that the message comes to.
struct Stop {
    account: AccountId,
    address: String,
    /// Delivered-To of those before.
    before: String,
    /// Sent on by a filter, not named by the envelope.
    further: bool,
    /// With another header than it came with.
    edited: Option<Arc<Edited>>,
    /// Fields that the filter before added.
    added: Vec<u8>,
    /// It was judged junk on its way here.
    junk: bool,
    spam_percent: Option<u8>,
}

/// A message that a filter gave another header (RFC 5293): a body of its own.
struct Edited {
    body: NewBody,
    facts: Arc<Facts>,
    header: Arc<[u8]>,
}

/// A header that a script made.
#[derive(Clone)]
enum Made {
    /// The body is the one that came; these stand in front of it.
    Fields(Vec<u8>),
    Body(Arc<Edited>),
}

/// What every stop has in common.
pub(super) struct Taken<'a> {
    pub body: &'a NewBody,
    pub facts: &'a Arc<Facts>,
    /// The header block, as far as it was kept.
    pub header: Arc<[u8]>,
    /// The fields that we add.
    pub trace: &'a str,
    /// What the junk filter says, by account.
    pub filings: &'a [Filing],
    /// Accounts whose copy is a report about a domain, which no filter sees.
    pub reports: &'a [AccountId],
}

impl Taken<'_> {
    fn filing(&self, account: AccountId) -> Option<&Filing> {
        self.filings.iter().find(|filing| filing.account == account)
    }
}

/// Whether somebody among the recipients has a filter.
pub(super) fn has_filter(store: &Store, targets: &[Vec<Target>]) -> Result<bool, Error> {
    for target in targets.iter().flatten() {
        if let Target::Local { account, .. } = target
            && store.has_active_script(*account)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

impl<S: Stream> Driver<S> {
    /// Runs the filters; takes out of `sorted` who refuses.
    pub(super) async fn filter(
        &self,
        taken: &Taken<'_>,
        sorted: &mut Sorted,
    ) -> Result<Plans, Error> {
        let mut plans = Plans::default();
        let mut open: VecDeque<Stop> = {
            let targets = sorted.targets.iter().flatten();
            targets.filter_map(|target| stop(target, taken)).collect()
        };
        // Who gets it as a report has it, too.
        let accounts = open.iter().map(|stop| stop.account);
        let mut seen: Vec<AccountId> = accounts.chain(taken.reports.iter().copied()).collect();
        let mut rejected: HashMap<AccountId, facteur_sieve::message::Reject> = HashMap::new();
        let mut done: Vec<AccountId> = Vec::new();
        while let Some(stop) = open.pop_front() {
            if done.contains(&stop.account) {
                continue;
            }
            done.push(stop.account);
            let delivered = format!("{}{}", trace::delivered_to(&stop.address), stop.before);
            let return_path = trace::return_path(&self.reverse_path());
            let filing = taken.filing(stop.account).filter(|_| !stop.further);
            let verdict = filing.map(junk::field);
            let verdict = verdict.unwrap_or_default();
            let added = String::from_utf8_lossy(&stop.added);
            let prefix = format!("{return_path}{delivered}{verdict}{}{added}", taken.trace);
            let Some(mut filtered) = self.run_script(&stop, &prefix, taken).await? else {
                match &stop.edited {
                    Some(edited) => plans.written.push(parcel(
                        edited,
                        vec![delivery(stop.account, &inbox(), prefix.as_bytes())],
                    )),
                    None if stop.further => plans.further.push((stop.account, prefix)),
                    None => {}
                }
                continue;
            };
            // One that was sent on has nobody left to refuse it to.
            match filtered.reject.take() {
                Some(_) if stop.further => filtered.copies = vec![inbox()],
                Some(reject) => {
                    rejected.insert(stop.account, reject);
                    continue;
                }
                None => {}
            }
            let editions = std::mem::take(&mut filtered.editions);
            let made = self.editions(&stop, taken, editions).await?;
            self.send_on(
                (&stop, &delivered, &made),
                taken,
                &mut filtered,
                (&mut plans, &mut open, &mut seen),
            )?;
            self.keep_what_fits(&stop, taken, &mut filtered)?;
            let answers = filtered.answer.take().into_iter();
            let answers = answers.chain(std::mem::take(&mut filtered.notifications));
            // Junk is not answered: its sender is somebody else.
            for written in answers.filter(|_| !stop.junk) {
                self.write(stop.account, written, &mut plans).await?;
            }
            if let Some(notice) = filtered.notice.take() {
                self.write(stop.account, notice, &mut plans).await?;
            }
            plans.memories.append(&mut filtered.memories);
            plans.put(&stop, filing, &prefix, (filtered, &made));
        }
        self.refuse(sorted, &rejected, &mut plans);
        Ok(plans)
    }

    /// `None`: the account has no filter.
    async fn run_script(
        &self,
        stop: &Stop,
        prefix: &str,
        taken: &Taken<'_>,
    ) -> Result<Option<Filtered>, Error> {
        // Most have none: not worth the way to another thread.
        let store = &self.wire.context().store;
        if !store.has_active_script(stop.account)? {
            return Ok(None);
        }
        let arrival = self.arrival(stop, prefix, taken);
        blocking(move || sieve::run(&arrival)).await
    }

    /// The bodies of the headers that a script made.
    async fn editions(
        &self,
        stop: &Stop,
        taken: &Taken<'_>,
        editions: Vec<Edition>,
    ) -> Result<Vec<Made>, Error> {
        let (body, facts, header) = stop.message(taken);
        let mut made = Vec::new();
        for Edition { added, rest } in editions {
            // What nothing but a reader of the whole header looks at needs no body of its own.
            let mut fields = header::fields(&added);
            let is_private =
                |name: &[u8]| name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case(b"x-"));
            if rest == **header && fields.all(|field| is_private(field.name)) {
                made.push(Made::Fields(added));
                continue;
            }
            let store = &self.wire.context().store;
            let block = [added, rest].concat();
            let mut intake = Intake::new(store, Some(facts.size))?;
            intake.write(&block).await?;
            let mut at = header.len() as u64;
            while at < facts.size {
                let end = facts.size.min(at.saturating_add(COPY_BYTES));
                let (body, from) = (body.body.clone(), store.clone());
                let piece = blocking(move || {
                    let mut piece = Vec::new();
                    from.read_new_body(&body, at..end, &mut piece)?;
                    Ok(piece)
                });
                intake.write(&piece.await?).await?;
                at = end;
            }
            let (body, facts) = intake.finish().await?;
            made.push(Made::Body(Arc::new(Edited {
                body,
                facts: Arc::new(facts),
                header: block.into(),
            })));
        }
        Ok(made)
    }

    fn arrival(&self, stop: &Stop, prefix: &str, taken: &Taken<'_>) -> Arrival {
        let ctx = self.wire.context();
        let (body, facts, header) = stop.message(taken);
        Arrival {
            context: Arc::clone(ctx),
            spam_percent: stop.spam_percent,
            store: ctx.store.clone(),
            account: stop.account,
            address: stop.address.clone(),
            reverse_path: self.reverse_path(),
            prefix: prefix.to_owned(),
            head: Arc::clone(header),
            facts: Arc::clone(facts),
            body: body.body.clone(),
            hostname: ctx.config.hostname.clone(),
            remote_host: self.session.hello_name().unwrap_or_default().to_owned(),
            remote_ip: self.wire.peer().address.ip().map(|ip| ip.to_string()),
        }
    }

    /// Follows the redirects; one that leads nowhere, or back, leaves a copy in INBOX.
    fn send_on(
        &self,
        (stop, delivered, made): (&Stop, &str, &[Made]),
        taken: &Taken<'_>,
        filtered: &mut Filtered,
        (plans, open, seen): (&mut Plans, &mut VecDeque<Stop>, &mut Vec<AccountId>),
    ) -> Result<(), Error> {
        let store = &self.wire.context().store;
        for Redirect { address, edition } in std::mem::take(&mut filtered.redirects) {
            let (edited, added) = stop.edition(edition, made);
            let added = [stop.added.as_slice(), &added].concat();
            let (_, facts, _) = stop.message(taken);
            let targets = match Address::parse(&address) {
                Ok(address) => match directory::find(store, &address)? {
                    Found::Targets(targets) => targets,
                    Found::Elsewhere(target) => {
                        let agreed = self.agreed(stop.account, &address, target, plans)?;
                        agreed.into_iter().collect()
                    }
                    _ => Vec::new(),
                },
                Err(_) => Vec::new(),
            };
            let mut went = false;
            for target in targets {
                went |= match target {
                    Target::Reply(_) | Target::Report => false,
                    Target::Remote {
                        address,
                        domain,
                        forward,
                    } => {
                        let added = String::from_utf8_lossy(&added);
                        let prefix = format!("{delivered}{}{added}", taken.trace);
                        plans.goes(stop, &address, false);
                        let way = Way {
                            domain,
                            address,
                            forward,
                        };
                        match &edited {
                            None => plans.onward.push((way, prefix)),
                            Some(edited) => {
                                let facts = &edited.facts;
                                let entry = self.onward(&way, &prefix, facts, None);
                                plans.renamed.push(Key::of(edited.body.body.id()));
                                let mut parcel = parcel(edited, Vec::new());
                                parcel.queue.push(entry);
                                plans.written.push(parcel);
                            }
                        }
                        true
                    }
                    // It may have sent the message here: one copy more is better than none.
                    Target::Local { account, .. } if seen.contains(&account) => false,
                    target @ Target::Local { .. } => {
                        let size = facts.size + limits::FILTER_PREFIX_BYTES;
                        let fits = seen.len() < limits::FILTER_STOPS_MAX
                            && !body::was_in(&target, &facts.header.delivered_to)
                            && !body::is_full(store, &target, size)?;
                        if let Target::Local {
                            account, address, ..
                        } = target
                            && fits
                        {
                            seen.push(account);
                            plans.goes(stop, &address, true);
                            open.push_back(Stop {
                                account,
                                address,
                                before: delivered.to_owned(),
                                further: true,
                                edited: edited.clone(),
                                added: added.clone(),
                                junk: stop.junk,
                                spam_percent: stop.spam_percent,
                            });
                        }
                        fits
                    }
                };
            }
            if !went && filtered.copies.is_empty() {
                tracing::info!(
                    session = %self.wire.peer().session,
                    id = self.id(),
                    "a redirect leads nowhere: the message stays in INBOX"
                );
                filtered.copies.push(inbox());
            }
        }
        Ok(())
    }

    /// An address outside gets what a filter sends on when its owner agreed; else the message stays,
    /// and he is asked.
    fn agreed(
        &self,
        account: AccountId,
        address: &Address,
        target: Target,
        plans: &mut Plans,
    ) -> Result<Option<Target>, Error> {
        let ctx = self.wire.context();
        let (
            Some(whole),
            Target::Remote {
                address, domain, ..
            },
        ) = (consent::normalised(address), target)
        else {
            return Ok(None);
        };
        let source = ForwardSource::Account(account);
        let now = ctx.clock.now();
        let forward = consent::find(&ctx.store, &source, &whole)?;
        let Some(forward) = forward.filter(|it| !consent::is_forgotten(it, now)) else {
            let ask = (account, whole);
            if !plans.asks.contains(&ask) && plans.asks.len() < limits::CONSENT_ASKED_AT_ONCE_MAX {
                plans.asks.push(ask);
            }
            return Ok(None);
        };
        let goes = consent::standing(&forward, now) == Standing::Goes;
        Ok(goes.then_some(Target::Remote {
            address,
            domain,
            forward: Some(Onward {
                id: forward.id,
                until: None,
            }),
        }))
    }

    /// The questions that filters gave rise to. The message is kept whatever becomes of them.
    pub(super) async fn ask_owners(&self, plans: &mut Plans) {
        for (account, target) in std::mem::take(&mut plans.asks) {
            let ctx = self.wire.context();
            if let Err(error) = consent::ask_for_account(ctx, account, &target).await {
                tracing::error!(%error, "the owner of an address outside can't be asked");
            }
        }
    }

    /// Several copies may be more than the account has room for: then there is one.
    fn keep_what_fits(
        &self,
        stop: &Stop,
        taken: &Taken<'_>,
        filtered: &mut Filtered,
    ) -> Result<(), Error> {
        if filtered.copies.len() < 2 {
            return Ok(());
        }
        let account = self.wire.context().store.account(stop.account)?;
        let Some((quota, used)) = account.and_then(|a| Some((a.quota_bytes?, a.used_bytes))) else {
            return Ok(());
        };
        let one = taken.facts.size.saturating_add(limits::FILTER_PREFIX_BYTES);
        let all = one.saturating_mul(filtered.copies.len() as u64);
        if used.saturating_add(all) > quota {
            filtered.copies.truncate(1);
        }
        Ok(())
    }

    /// A message of ours to anybody: into an account here, or into the queue.
    async fn write(
        &self,
        account: AccountId,
        written: Written,
        plans: &mut Plans,
    ) -> Result<(), Error> {
        let ctx = self.wire.context();
        let mut targets = Vec::new();
        for to in &written.to {
            let Ok(address) = Address::parse(to) else {
                continue;
            };
            match directory::find(&ctx.store, &address)? {
                Found::Targets(found) => targets.extend(found),
                Found::Elsewhere(target) => targets.push(target),
                _ => {}
            }
        }
        if targets.is_empty() {
            return Ok(());
        }
        let mut intake = Intake::new(&ctx.store, None)?.for_signing();
        intake.write(&written.message).await?;
        let seen = intake.take_seen();
        let (body, facts) = intake.finish().await?;
        let leaves = |target: &Target| matches!(target, Target::Remote { .. });
        let signature = match targets.iter().any(leaves) {
            true => dkim::fields(ctx, &facts, seen, "").await,
            false => String::new(),
        };
        let mut parcel = Parcel {
            body,
            mailboxes: Vec::new(),
            local: Vec::new(),
            queue: Vec::new(),
            aside: None,
            once: written.once,
        };
        for target in targets {
            match target {
                Target::Local {
                    account, address, ..
                } => {
                    let delivered = trace::delivered_to(&address);
                    let prefix =
                        format!("{}{delivered}", trace::return_path(&written.reverse_path));
                    parcel
                        .local
                        .push(delivery(account, &inbox(), prefix.as_bytes()));
                }
                Target::Reply(_) | Target::Report => {}
                // RFC 5230 §5.1: from nobody, and nobody is told what became of it.
                Target::Remote {
                    address,
                    domain,
                    forward,
                } => {
                    let way = Way {
                        domain,
                        address,
                        forward,
                    };
                    let nothing = Notify {
                        success: false,
                        failure: false,
                        delay: false,
                    };
                    let notify = written.reverse_path.is_empty().then_some(nothing);
                    let mut entry = self.onward(&way, &signature, &facts, notify);
                    entry.reverse_path.clone_from(&written.reverse_path);
                    parcel.queue.push(entry);
                }
            }
        }
        // RFC 8580 §3.
        if let Some((copy, mailbox)) = written.filed {
            parcel.mailboxes.extend(mailbox);
            parcel.aside = Some(delivery(account, &copy, b""));
        }
        plans.written.push(parcel);
        Ok(())
    }

    pub(super) fn onward(
        &self,
        way: &Way,
        prefix: &str,
        facts: &Facts,
        notify: Option<Notify>,
    ) -> NewQueueEntry {
        let recipient = QueueRecipient {
            address: way.address.clone(),
            original: None,
            notify,
            state: RecipientState::Pending,
        };
        let entry = self.queue_entry(&way.domain, vec![recipient], facts, prefix);
        consent::on_behalf(entry, way.forward)
    }

    /// RFC 5429 §2.1, §2.2: who refuses is taken out; the sender hears of it in the reply where
    /// that is possible, else by a report.
    fn refuse(
        &self,
        sorted: &mut Sorted,
        rejected: &HashMap<AccountId, facteur_sieve::message::Reject>,
        plans: &mut Plans,
    ) {
        let lmtp = self.door() == Door::Lmtp;
        for place in 0..sorted.targets.len() {
            let Some(targets) = sorted.targets.get_mut(place) else {
                continue;
            };
            let mut reject = None;
            targets.retain(|target| match target {
                Target::Local { account, .. } => {
                    let own = rejected.get(account);
                    reject = reject.take().or(own);
                    own.is_none()
                }
                Target::Remote { .. } | Target::Reply(_) | Target::Report => true,
            });
            let gone = targets.is_empty();
            let Some(reject) = reject else {
                continue;
            };
            plans.reasons.insert(place, reject.reason.clone());
            // A reason that can't be said in a reply goes by a report, where the script wants
            // the reason heard; ereject wants no report (RFC 5429 §2.2, §2.1.1).
            let said = reject.ereject || reject.reason.is_ascii();
            if gone && lmtp && said {
                if let Some(result) = sorted.results.get_mut(place) {
                    *result = Err(Refusal::Filtered);
                }
            } else {
                sorted.reports.push((place, Undeliverable::Filtered));
                if !said {
                    plans.unsaid = true;
                }
            }
        }
    }
}

impl Plans {
    /// Where the message goes in an account: INBOX, unless its filter says otherwise; Junk in place
    /// of INBOX for what is judged junk.
    pub(super) fn deliveries(
        &self,
        account: AccountId,
        filing: Option<&Filing>,
        prefix: &str,
    ) -> Vec<Delivery> {
        match self.copies.get(&account) {
            None => vec![placed(account, filing, &inbox(), prefix.as_bytes())],
            Some(copies) => copies
                .iter()
                .map(|(copy, added)| {
                    let prefix = [prefix.as_bytes(), added].concat();
                    placed(account, filing, copy, &prefix)
                })
                .collect(),
        }
    }

    fn goes(&mut self, stop: &Stop, address: &str, here: bool) {
        let fate = self.fates.entry(stop.account).or_default();
        fate.goes.push((address.to_owned(), here));
    }

    /// The copies of one account: of the message as it came, or in parcels of their own.
    fn put(
        &mut self,
        stop: &Stop,
        filing: Option<&Filing>,
        prefix: &str,
        (mut filtered, made): (Filtered, &[Made]),
    ) {
        self.fates.entry(stop.account).or_default().stays = !filtered.copies.is_empty();
        let mut plain = Vec::new();
        let mut parcels: Vec<(Arc<Edited>, Vec<Delivery>)> = Vec::new();
        for copy in filtered.copies {
            let (edited, added) = stop.edition(copy.edition, made);
            let Some(edited) = edited else {
                plain.push((copy, added));
                continue;
            };
            let prefix = [prefix.as_bytes(), &added].concat();
            let delivery = placed(stop.account, filing, &copy, &prefix);
            match parcels
                .iter_mut()
                .find(|(have, _)| Arc::ptr_eq(have, &edited))
            {
                Some((_, list)) => list.push(delivery),
                None => parcels.push((edited, vec![delivery])),
            }
        }
        for (edited, local) in parcels {
            let mut parcel = parcel(&edited, local);
            parcel.mailboxes.clone_from(&filtered.mailboxes);
            self.written.push(parcel);
        }
        self.mailboxes.append(&mut filtered.mailboxes);
        if stop.further && stop.edited.is_none() {
            self.further.push((stop.account, prefix.to_owned()));
        }
        if stop.edited.is_none() {
            self.copies.insert(stop.account, plain);
        }
    }
}

impl Stop {
    /// The message as this account gets it.
    fn message<'a>(&'a self, taken: &'a Taken<'_>) -> (&'a NewBody, &'a Arc<Facts>, &'a Arc<[u8]>) {
        match &self.edited {
            Some(edited) => (&edited.body, &edited.facts, &edited.header),
            None => (taken.body, taken.facts, &taken.header),
        }
    }

    /// The body of an edition, none: the one that came; and what stands in front of it beside what
    /// stands there for everybody.
    fn edition(&self, edition: usize, made: &[Made]) -> (Option<Arc<Edited>>, Vec<u8>) {
        let made = edition.checked_sub(1).and_then(|place| made.get(place));
        match made {
            Some(Made::Body(edited)) => (Some(Arc::clone(edited)), Vec::new()),
            Some(Made::Fields(fields)) => (self.edited.clone(), fields.clone()),
            None => (self.edited.clone(), Vec::new()),
        }
    }
}

/// Junk in place of INBOX for what is judged junk.
fn placed(account: AccountId, filing: Option<&Filing>, copy: &Copy, prefix: &[u8]) -> Delivery {
    let junk = filing.and_then(|filing| filing.mailbox.as_ref());
    let mut delivery = delivery(account, copy, prefix);
    if let Some(mailbox) = junk.filter(|_| copy.mailbox == INBOX) {
        delivery.mailbox.clone_from(mailbox);
    }
    delivery
}

fn parcel(edited: &Edited, local: Vec<Delivery>) -> Parcel {
    Parcel {
        body: edited.body.clone(),
        mailboxes: Vec::new(),
        local,
        queue: Vec::new(),
        aside: None,
        once: None,
    }
}

/// 0 to 100, where 50 is what goes into Junk.
fn spam_percent(filing: &Filing) -> u8 {
    let percent = (filing.verdict.points * 50.0 / JUNK_POINTS).clamp(0.0, 100.0) as u8;
    match filing.junk {
        true => percent.max(50),
        false => percent.min(49),
    }
}

fn stop(target: &Target, taken: &Taken<'_>) -> Option<Stop> {
    match target {
        Target::Local { account, .. } if taken.reports.contains(account) => None,
        Target::Local {
            account, address, ..
        } => {
            let filing = taken.filing(*account);
            Some(Stop {
                account: *account,
                address: address.clone(),
                before: String::new(),
                further: false,
                edited: None,
                added: Vec::new(),
                junk: filing.is_some_and(|filing| filing.junk),
                spam_percent: filing.map(spam_percent),
            })
        }
        Target::Remote { .. } | Target::Reply(_) | Target::Report => None,
    }
}

fn inbox() -> Copy {
    Copy {
        mailbox: INBOX.to_owned(),
        flags: FlagNames::default(),
        edition: 0,
    }
}

fn delivery(account: AccountId, copy: &Copy, prefix: &[u8]) -> Delivery {
    Delivery {
        account,
        mailbox: copy.mailbox.clone(),
        message: NewMessage {
            prefix: prefix.to_vec(),
            flags: copy.flags.clone(),
            internal_date: None,
        },
    }
}
