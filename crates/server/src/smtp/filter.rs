//! The recipients' filters, between the verdict and the commit: where copies go instead of INBOX,
//! to whom the message goes on, who refuses it, and what is written because of it.
//!
//! A redirect to an account of ours goes through that account's filter too; no account is visited
//! twice, and Delivered-To tells a message that comes back. A redirect that leads nowhere leaves
//! the message with whoever asked for it (RFC 5228 §4.2).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use facteur_message::Facts;
use facteur_sieve::message::INBOX;
use facteur_smtp::address::Address;
use facteur_store::{
    AccountId, Delivery, Error, FlagNames, Memory, NewBody, NewMailbox, NewMessage, NewQueueEntry,
    Notify, Parcel, QueueRecipient, RecipientState, Store,
};

use super::directory::{self, Found, Target};
use super::undeliverable::{Sorted, Undeliverable};
use super::{Driver, Refusal, body, trace};
use crate::drive::{Stream, blocking};
use crate::intake::Intake;
use crate::junk::{self, Filing};
use crate::limits;
use crate::sieve::{self, Arrival, Copy, Filtered, Written};
use crate::smtp::decide::Door;

/// What the filters of all recipients ask for.
#[derive(Debug, Default)]
pub(super) struct Plans {
    /// Of accounts with a filter: their copies instead of the one in INBOX.
    pub copies: HashMap<AccountId, Vec<Copy>>,
    pub mailboxes: Vec<NewMailbox>,
    pub memories: Vec<Memory>,
    /// Accounts that the message was sent on to: address, and what stands in front.
    pub further: Vec<(AccountId, String)>,
    /// Addresses elsewhere that it is sent on to: domain, address, what stands in front.
    pub onward: Vec<(String, String, String)>,
    /// Messages that the server writes.
    pub written: Vec<Parcel>,
    /// Reasons of recipients that refuse, by their place.
    pub reasons: BTreeMap<usize, String>,
    /// One of them can't be said in a reply.
    pub unsaid: bool,
}

/// A local account that the message comes to.
struct Stop {
    account: AccountId,
    address: String,
    /// Delivered-To of those before.
    before: String,
    /// Sent on by a filter, not named by the envelope.
    further: bool,
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
        let mut open: VecDeque<Stop> = sorted.targets.iter().flatten().filter_map(stop).collect();
        let mut seen: Vec<AccountId> = open.iter().map(|stop| stop.account).collect();
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
            let prefix = format!("{return_path}{delivered}{verdict}{}", taken.trace);
            let arrival = self.arrival(&stop, &prefix, taken);
            let ran = blocking(move || sieve::run(&arrival)).await?;
            let Some(mut filtered) = ran else {
                if stop.further {
                    plans.further.push((stop.account, prefix));
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
            self.send_on(
                &delivered,
                taken,
                &mut filtered,
                (&mut plans, &mut open, &mut seen),
            )?;
            self.keep_what_fits(&stop, taken, &mut filtered)?;
            // Junk is not answered: its sender is somebody else.
            let answer = filtered.answer.take();
            let answer = answer.filter(|_| !filing.is_some_and(|it| it.junk));
            self.write(answer, &mut plans).await?;
            self.write(filtered.notice.take(), &mut plans).await?;
            plans.mailboxes.append(&mut filtered.mailboxes);
            plans.memories.append(&mut filtered.memories);
            plans.copies.insert(stop.account, filtered.copies);
            if stop.further {
                plans.further.push((stop.account, prefix));
            }
        }
        self.refuse(sorted, &rejected, &mut plans);
        Ok(plans)
    }

    fn arrival(&self, stop: &Stop, prefix: &str, taken: &Taken<'_>) -> Arrival {
        let ctx = self.wire.context();
        Arrival {
            store: ctx.store.clone(),
            account: stop.account,
            address: stop.address.clone(),
            reverse_path: self.reverse_path(),
            prefix: prefix.to_owned(),
            head: Arc::clone(&taken.header),
            facts: Arc::clone(taken.facts),
            body: taken.body.body.clone(),
            hostname: ctx.config.hostname.clone(),
            remote_host: self.session.hello_name().unwrap_or_default().to_owned(),
            remote_ip: self.wire.peer().address.ip().map(|ip| ip.to_string()),
        }
    }

    /// Follows the redirects; one that leads nowhere, or back, leaves a copy in INBOX.
    fn send_on(
        &self,
        delivered: &str,
        taken: &Taken<'_>,
        filtered: &mut Filtered,
        (plans, open, seen): (&mut Plans, &mut VecDeque<Stop>, &mut Vec<AccountId>),
    ) -> Result<(), Error> {
        let store = &self.wire.context().store;
        for address in std::mem::take(&mut filtered.redirects) {
            let targets = match Address::parse(&address) {
                Ok(address) => match directory::find(store, &address)? {
                    Found::Targets(targets) => targets,
                    Found::Elsewhere(target) => vec![target],
                    _ => Vec::new(),
                },
                Err(_) => Vec::new(),
            };
            let mut went = false;
            for target in targets {
                went |= match target {
                    Target::Remote { address, domain } => {
                        let prefix = format!("{delivered}{}", taken.trace);
                        plans.onward.push((domain, address, prefix));
                        true
                    }
                    // It may have sent the message here: one copy more is better than none.
                    Target::Local { account, .. } if seen.contains(&account) => false,
                    target @ Target::Local { .. } => {
                        let size = taken.facts.size + limits::FILTER_PREFIX_BYTES;
                        let fits = seen.len() < limits::FILTER_STOPS_MAX
                            && !body::was_in(&target, &taken.facts.header.delivered_to)
                            && !body::is_full(store, &target, size)?;
                        if let Target::Local {
                            account, address, ..
                        } = target
                            && fits
                        {
                            seen.push(account);
                            open.push_back(Stop {
                                account,
                                address,
                                before: delivered.to_owned(),
                                further: true,
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
    async fn write(&self, written: Option<Written>, plans: &mut Plans) -> Result<(), Error> {
        let Some(written) = written else {
            return Ok(());
        };
        let ctx = self.wire.context();
        let Ok(address) = Address::parse(&written.to) else {
            return Ok(());
        };
        let targets = match directory::find(&ctx.store, &address)? {
            Found::Targets(targets) => targets,
            Found::Elsewhere(target) => vec![target],
            _ => return Ok(()),
        };
        let (body, facts) = Intake::whole(&ctx.store, &written.message).await?;
        let mut parcel = Parcel {
            body,
            mailboxes: Vec::new(),
            local: Vec::new(),
            queue: Vec::new(),
            once: written.once,
        };
        for target in targets {
            match target {
                Target::Local {
                    account, address, ..
                } => {
                    let delivered = trace::delivered_to(&address);
                    let prefix = format!("{}{delivered}", trace::return_path(""));
                    parcel.local.push(delivery(account, &inbox(), &prefix));
                }
                // RFC 5230 §5.1: from nobody, and nobody is told what became of it.
                Target::Remote { address, domain } => {
                    let mut entry = self.onward(
                        &domain,
                        &address,
                        "",
                        &facts,
                        Some(Notify {
                            success: false,
                            failure: false,
                            delay: false,
                        }),
                    );
                    entry.reverse_path = String::new();
                    parcel.queue.push(entry);
                }
            }
        }
        plans.written.push(parcel);
        Ok(())
    }

    pub(super) fn onward(
        &self,
        domain: &str,
        address: &str,
        prefix: &str,
        facts: &Facts,
        notify: Option<Notify>,
    ) -> NewQueueEntry {
        let recipient = QueueRecipient {
            address: address.to_owned(),
            original: None,
            notify,
            state: RecipientState::Pending,
        };
        self.queue_entry(domain, vec![recipient], facts, prefix)
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
                Target::Remote { .. } => true,
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
        let junk = filing.and_then(|filing| filing.mailbox.as_ref());
        let placed = |copy: &Copy| match junk {
            Some(mailbox) if copy.mailbox == INBOX => Copy {
                mailbox: mailbox.clone(),
                flags: copy.flags.clone(),
            },
            _ => copy.clone(),
        };
        match self.copies.get(&account) {
            None => vec![delivery(account, &placed(&inbox()), prefix)],
            Some(copies) => copies
                .iter()
                .map(|copy| delivery(account, &placed(copy), prefix))
                .collect(),
        }
    }
}

fn stop(target: &Target) -> Option<Stop> {
    match target {
        Target::Local {
            account, address, ..
        } => Some(Stop {
            account: *account,
            address: address.clone(),
            before: String::new(),
            further: false,
        }),
        Target::Remote { .. } => None,
    }
}

fn inbox() -> Copy {
    Copy {
        mailbox: INBOX.to_owned(),
        flags: FlagNames::default(),
    }
}

fn delivery(account: AccountId, copy: &Copy, prefix: &str) -> Delivery {
    Delivery {
        account,
        mailbox: copy.mailbox.clone(),
        message: NewMessage {
            prefix: prefix.as_bytes().to_vec(),
            flags: copy.flags.clone(),
            internal_date: None,
        },
    }
}
