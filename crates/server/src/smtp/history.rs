//! What the history of a message learns from the session that brought it.

use std::collections::HashMap;

use facteur_message::{Facts, header};
use facteur_smtp::server::Refusal;
use facteur_smtp::{Address, Recipient};
use facteur_store::AccountId;

use super::body::Judged;
use super::filter::Fate;
use super::sender::Origin;
use super::undeliverable::Sorted;
use super::{Driver, Target};
use crate::drive::Stream;
use crate::history::limits::{RECIPIENTS_MAX, TEXT_BYTES_MAX};
use crate::history::{self, Event, Key, Way, What};

impl<S: Stream> Driver<S> {
    /// What is told of a message that is on the disk. `targets`: of each recipient; none for who
    /// does not get it.
    pub(super) fn accepted(
        &self,
        facts: &Facts,
        judged: &Judged,
        targets: &[Vec<Target>],
        fates: &HashMap<AccountId, Fate>,
    ) -> What {
        let recipients = self.given_recipients().into_iter().zip(targets);
        let ways = recipients.flat_map(|(to, targets)| {
            let ways = targets.iter().flat_map(|target| ways(&to, target, fates));
            ways.collect::<Vec<_>>()
        });
        What::Accepted {
            door: self.wire.peer().role.name().to_owned(),
            peer: self.wire.peer().address.to_string(),
            from: self.sender(),
            message_id: message_id(facts, &judged.additions),
            size: facts.size,
            recipients: ways.take(RECIPIENTS_MAX).collect(),
            told: judged
                .origin
                .as_ref()
                .map(Origin::codes)
                .unwrap_or_default(),
        }
    }

    /// Who does not get a message that others get, when nobody is told of it: its sender is not proven.
    pub(super) fn tell_untold(&self, key: &Key, sorted: &Sorted) {
        if self.proven || self.reverse_path().is_empty() {
            return;
        }
        let given = self.given_recipients();
        let untold = sorted.reports.iter().filter_map(|(place, why)| {
            Some(history::Outcome {
                address: given.get(*place)?.clone(),
                state: "failed".to_owned(),
                host: String::new(),
                reply: why.told().to_owned(),
            })
        });
        let recipients: Vec<_> = untold.take(RECIPIENTS_MAX).collect();
        if recipients.is_empty() {
            return;
        }
        let hostname = &self.wire.context().config.hostname;
        let what = What::Tried {
            queue: 0,
            domain: hostname.clone(),
            recipients,
            again: None,
            reported: false,
            unproven: true,
        };
        self.tell(key.clone(), what);
    }

    /// Nobody gets it.
    pub(super) fn tell_refused(&self, key: Key, facts: &Facts, refusal: Refusal) {
        let recipients = self.given_recipients().into_iter().take(RECIPIENTS_MAX);
        self.tell_not_taken(key, message_id(facts, ""), recipients.collect(), refusal);
    }

    /// A recipient that is not taken; there is no message yet.
    pub(super) fn tell_unwanted(&self, recipient: &Recipient, refusal: Refusal) {
        let recipients = vec![given(recipient)];
        self.tell_not_taken(Key::default(), String::new(), recipients, refusal);
    }

    fn tell_not_taken(
        &self,
        key: Key,
        message_id: String,
        recipients: Vec<String>,
        refusal: Refusal,
    ) {
        let reply = refusal.reply();
        let what = What::Refused {
            door: self.wire.peer().role.name().to_owned(),
            peer: self.wire.peer().address.to_string(),
            from: self.sender(),
            message_id,
            recipients,
            why: format!("{} {} {}", reply.code, reply.enhanced, reply.text),
        };
        self.tell(key, what);
    }

    fn tell(&self, key: Key, what: What) {
        let ctx = self.wire.context();
        ctx.history.tell(Event::new(key, ctx.clock.now(), what));
    }

    fn sender(&self) -> String {
        let envelope = self.session.envelope();
        let path = envelope.and_then(|envelope| envelope.reverse_path.as_ref());
        path.map(Address::to_string)
            .unwrap_or_default()
            .to_lowercase()
    }

    fn given_recipients(&self) -> Vec<String> {
        let envelope = self.session.envelope();
        let recipients = envelope.map_or(&[][..], |envelope| envelope.recipients.as_slice());
        recipients
            .iter()
            .map(|(recipient, _)| given(recipient))
            .collect()
    }
}

fn given(recipient: &Recipient) -> String {
    match recipient {
        Recipient::Address(address) => address.to_string().to_lowercase(),
        Recipient::Postmaster => "postmaster".to_owned(),
    }
}

/// Where a recipient's copies went, or that there is none.
fn ways(to: &str, target: &Target, fates: &HashMap<AccountId, Fate>) -> Vec<Way> {
    let way = |ends: &str, here, discarded| Way {
        to: to.to_owned(),
        ends: ends.to_lowercase(),
        here,
        discarded,
    };
    let (account, address) = match target {
        Target::Remote { address, .. } => return vec![way(address, false, false)],
        Target::Reply(_) | Target::Report => return Vec::new(),
        Target::Local {
            account, address, ..
        } => (account, address),
    };
    let Some(fate) = fates.get(account) else {
        return vec![way(address, true, false)];
    };
    let mut ways: Vec<Way> = fate
        .goes
        .iter()
        .map(|(ends, here)| way(ends, *here, false))
        .collect();
    if fate.stays || ways.is_empty() {
        ways.insert(0, way(address, fate.stays, !fate.stays));
    }
    ways
}

/// As it stands in the message, or in the field that we added.
fn message_id(facts: &Facts, additions: &str) -> String {
    let added = header::first(additions.as_bytes(), "Message-ID");
    let id = facts.envelope.message_id.as_deref();
    let id = id.or(added.as_deref()).unwrap_or_default();
    let id = id.get(..TEXT_BYTES_MAX).unwrap_or(id);
    String::from_utf8_lossy(id).trim().to_owned()
}
