//! Reports of others about our domains: read before the commit, and filed where they are in nobody's way.

use std::sync::Arc;

use facteur_message::Facts;
use facteur_senders::reports::read;
use facteur_smtp::Recipient;
use facteur_store::{AccountId, Error, FlagNames, NewBody, NewMailbox, Store, SystemFlags};
use twox_hash::XxHash3_64;

use super::body::Judged;
use super::decide::Door;
use super::filter::Plans;
use super::undeliverable::Sorted;
use super::{Driver, Target, directory};
use crate::admin::normalise_domain;
use crate::context::{Context, SessionId};
use crate::drive::{Stream, blocking};
use crate::reports::{self, Attached, Entry, Evidence, Kept, MAILBOX, Said};
use crate::sieve::Copy;

/// What a message with reports is filed as.
#[derive(Debug, Default)]
pub(super) struct Filed {
    /// Whose copy goes there.
    pub(super) accounts: Vec<AccountId>,
    /// All of it was read: nobody has to.
    seen: bool,
}

/// Where it came to.
struct Place {
    domain: String,
    accounts: Vec<AccountId>,
}

impl<S: Stream> Driver<S> {
    /// Reads what a stranger sends to the addresses that our records name. What is kept of it is on the disk
    /// before the message is taken; should the message fail then, it comes again and counts once.
    pub(super) async fn reports(
        &self,
        body: &NewBody,
        facts: &Arc<Facts>,
        judged: &Judged,
        sorted: &Sorted,
    ) -> Filed {
        let attached = match self.door() {
            Door::Mx | Door::Lmtp => reports::attached(facts),
            Door::Submission => Vec::new(),
        };
        // Most mail holds none, and costs nothing here.
        if attached.is_empty() {
            return Filed::default();
        }
        let Some(place) = self.place(sorted) else {
            return Filed::default();
        };
        let ctx = Arc::clone(self.wire.context());
        // One after the other: each is whole in memory.
        let Ok(_turn) = self.wire.context().reports.places.acquire().await else {
            return Filed::default();
        };
        let origin = judged.origin.as_ref();
        let evidence = origin.map(|origin| Evidence::of(&origin.findings));
        let mut evidence = evidence.unwrap_or_default();
        if evidence.author.is_empty()
            && let crate::senders::Author::One(author) = crate::senders::author(facts)
        {
            evidence.author = author;
        }
        let (body, domain) = (body.body.clone(), place.domain);
        let session = self.wire.peer().session;
        let kept = blocking(move || {
            let mut told = Vec::new();
            for one in &attached {
                let entries = entries(&ctx, &body, one, (&evidence, &domain))?;
                let kept = ctx.reports.keep(&entries)?;
                told.extend(entries.iter().map(Told::of).zip(kept));
            }
            Ok(told)
        });
        let seen = match kept.await {
            Ok(told) => {
                told.iter().for_each(|(one, kept)| one.log(session, *kept));
                told.iter().all(|(one, _)| one.read)
            }
            Err(error) => {
                tracing::warn!(%session, %error, "a report about a domain is not kept");
                false
            }
        };
        Filed {
            accounts: place.accounts,
            seen,
        }
    }

    /// The first recipient that reports go to, and who gets the message for nothing else.
    fn place(&self, sorted: &Sorted) -> Option<Place> {
        let envelope = self.session.envelope()?;
        let recipients = envelope.recipients.iter().zip(&sorted.targets);
        let (mut domain, mut accounts, mut others) = (None, Vec::new(), Vec::new());
        for ((recipient, _), targets) in recipients {
            let its = targets.iter().filter_map(|target| match target {
                Target::Local { account, .. } => Some(*account),
                Target::Remote { .. } | Target::Reply(_) | Target::Report => None,
            });
            match for_reports(recipient) {
                Some(its_domain) => {
                    domain.get_or_insert(its_domain);
                    accounts.extend(its);
                }
                None => others.extend(its),
            }
        }
        accounts.retain(|account| !others.contains(account));
        Some(Place {
            domain: domain?,
            accounts,
        })
    }
}

/// The domain of an address that takes reports.
fn for_reports(recipient: &Recipient) -> Option<String> {
    let Recipient::Address(address) = recipient else {
        return None;
    };
    let (local, domain) = directory::key(address)?;
    let user = local.split('+').next().unwrap_or_default();
    reports::ADDRESSES.contains(&user).then_some(domain)
}

fn entries(
    ctx: &Context,
    body: &facteur_store::Body,
    attached: &Attached,
    (evidence, domain): (&Evidence, &str),
) -> Result<Vec<Entry>, Error> {
    let content = reports::content(&ctx.store, body, attached)?;
    let report = match &content {
        Some(content) => read(content),
        None => Err(facteur_senders::reports::Bad::TooLarge),
    };
    let hash = XxHash3_64::oneshot(content.as_deref().unwrap_or_default());
    drop(content);
    let arrival = reports::Arrival {
        evidence,
        domain,
        hash,
        at: ctx.clock.now().seconds(),
    };
    let ours = |name: &str| ours(&ctx.store, name);
    Ok(reports::entries(report, arrival, &ours))
}

/// The domain of ours that a name is, or is under.
fn ours(store: &Store, name: &str) -> Option<String> {
    const LABELS_MAX: usize = 10;
    let mut name = name;
    for _ in 0..LABELS_MAX {
        let known = normalise_domain(name)?;
        if let Ok(Some(domain)) = store.domain(&known) {
            return Some(domain.name);
        }
        (_, name) = name.split_once('.')?;
    }
    None
}

/// What the log says of a report.
struct Told {
    domain: String,
    by: String,
    proven: bool,
    read: bool,
}

impl Told {
    fn of(entry: &Entry) -> Self {
        Told {
            domain: entry.domain.clone(),
            by: entry.by.clone(),
            proven: entry.proven,
            read: !matches!(entry.said, Said::Unread { .. }),
        }
    }

    fn log(&self, session: SessionId, kept: Kept) {
        tracing::info!(
            %session,
            domain = self.domain,
            by = self.by,
            proven = self.proven,
            read = self.read,
            ?kept,
            "a report about a domain came"
        );
    }
}

impl Filed {
    /// Instead of INBOX, and past any filter.
    pub(super) fn file(&self, plans: &mut Plans) {
        for account in &self.accounts {
            let mut flags = FlagNames::default();
            if self.seen {
                flags.system = SystemFlags::SEEN;
            }
            let copy = Copy {
                mailbox: MAILBOX.to_owned(),
                flags,
                edition: 0,
            };
            plans.copies.insert(*account, vec![(copy, Vec::new())]);
            plans.mailboxes.push(NewMailbox {
                account: *account,
                name: MAILBOX.to_owned(),
                special_use: None,
            });
        }
    }
}
