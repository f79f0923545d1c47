//! What one commit holds: a copy for each account, an entry in the queue for each domain, and what
//! the sender is to be told.

use std::collections::BTreeMap;

use facteur_message::{Facts, header, thread};
use facteur_smtp::parameters::{Body, Ret};
use facteur_smtp::{MailParameters, RcptParameters, Recipient};
use facteur_store::{
    AccountId, DeliverBy, Delivery, Error, ForwardId, Memory, NewBody, NewMailbox, NewQueueEntry,
    NewSent, Notify, Parcel, QueueRecipient, RecipientState, Store, Timestamp, TlsWish, Wishes,
};

use super::directory::Onward;
use super::filter::Plans;
use super::undeliverable::{Sorted, Undeliverable};
use super::{Driver, Target, mail, trace};
use crate::consent;
use crate::drive::Stream;
use crate::junk::{self, Filing};
use crate::limits;

/// RFC 6710 §4, of a newsletter whose sender says nothing.
const PRIORITY_BULK: i8 = -4;

/// What is written in front of the message, and where its copies go.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    /// Fields that submission adds.
    pub(super) additions: &'a str,
    /// Received, and those.
    pub(super) trace: &'a str,
    pub(super) filings: &'a [Filing],
    /// In front of the copies that leave.
    pub(super) signature: &'a str,
}

/// Everything that one commit holds.
pub(super) struct Commit {
    body: NewBody,
    pub(super) local: Vec<Delivery>,
    pub(super) queue: Vec<NewQueueEntry>,
    mailboxes: Vec<NewMailbox>,
    memories: Vec<Memory>,
    written: Vec<Parcel>,
}

impl Commit {
    pub(super) fn is_nothing(&self) -> bool {
        self.is_plain() && self.local.is_empty() && self.queue.is_empty()
    }

    /// No filter asked for more.
    fn is_plain(&self) -> bool {
        self.mailboxes.is_empty() && self.memories.is_empty() && self.written.is_empty()
    }

    /// With what is to be remembered of a program's message; `None` for everybody else's.
    pub(super) async fn send(
        self,
        store: &Store,
        sent: Option<NewSent>,
    ) -> Result<Option<facteur_store::Taken>, Error> {
        if self.is_plain() && sent.is_none() {
            let done = store.deliver(self.body, self.local, self.queue).await;
            return done.map(|_| None);
        }
        let (parcels, memories) = self.into_parcels();
        if let Some(sent) = sent {
            let taken = store.deliver_sent(parcels, memories, sent).await;
            return taken.map(Some);
        }
        let done = store.deliver_parcels(parcels, memories).await;
        done.map(|_| None)
    }

    /// Unless it was done before; false: it was.
    pub(super) async fn send_once(self, store: &Store, once: Memory) -> Result<bool, Error> {
        let (parcels, memories) = self.into_parcels();
        store.deliver_once(parcels, memories, once).await
    }

    fn into_parcels(self) -> (Vec<Parcel>, Vec<Memory>) {
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
        (parcels, self.memories)
    }
}

impl<S: Stream> Driver<S> {
    /// Who gets what, one copy for each account and one queue entry for each domain.
    pub(super) fn plan(
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
        let mut remote: BTreeMap<(&str, Option<ForwardId>), Remote> = BTreeMap::new();
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
                    Target::Reply(_) | Target::Report => {}
                    Target::Remote {
                        address,
                        domain,
                        forward,
                    } => {
                        let id = forward.map(|forward| forward.id);
                        let entry = remote.entry((domain, id)).or_default();
                        entry.until = forward.and_then(|forward| forward.until);
                        let list = &mut entry.recipients;
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
        let mut queue = self.entries(remote, told, facts, written);
        for (account, prefix) in &plans.further {
            local.extend(plans.deliveries(*account, None, prefix));
        }
        for (way, prefix) in &plans.onward {
            let prefix = format!("{signature}{prefix}");
            queue.push(self.onward(way, &prefix, facts, None));
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

    /// One for each domain, and one of those who are told of without being sent anything. A sender
    /// that is not proven may be anybody, and is told of nobody.
    fn entries(
        &self,
        remote: BTreeMap<(&str, Option<ForwardId>), Remote>,
        told: Vec<QueueRecipient>,
        facts: &Facts,
        written: Written<'_>,
    ) -> Vec<NewQueueEntry> {
        let Written {
            trace, signature, ..
        } = written;
        let signed = format!("{signature}{trace}");
        let mut queue: Vec<NewQueueEntry> = remote
            .into_iter()
            .map(|((domain, forward), remote)| {
                let entry = self.queue_entry(domain, remote.recipients, facts, &signed);
                let onward = forward.map(|id| Onward {
                    id,
                    until: remote.until,
                });
                consent::on_behalf(entry, onward)
            })
            .collect();
        if !told.is_empty() && !self.reverse_path().is_empty() && self.proven {
            let hostname = self.wire.context().config.hostname.as_str();
            queue.push(NewQueueEntry {
                reverse_path: self.reverse_path(),
                ..self.queue_entry(hostname, told, facts, trace)
            });
        }
        queue
    }

    pub(super) fn queue_entry(
        &self,
        domain: &str,
        mut recipients: Vec<QueueRecipient>,
        facts: &Facts,
        trace: &str,
    ) -> NewQueueEntry {
        if !self.proven {
            // RFC 3461 §4.1: NEVER, for us and for the hosts behind us. Whatever who sent it asked for:
            // it may be about somebody else.
            for recipient in &mut recipients {
                recipient.notify = Some(Notify {
                    success: false,
                    failure: false,
                    delay: false,
                });
            }
        }
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
            forward: None,
        }
    }
}

/// Recipients of one entry.
#[derive(Default)]
struct Remote {
    recipients: Vec<QueueRecipient>,
    /// How long an answer is waited for.
    until: Option<Timestamp>,
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
