//! What the history of a message learns from the session that brought it.

use facteur_message::{Facts, header};
use facteur_smtp::server::Refusal;
use facteur_smtp::{Address, Recipient};

use super::{Driver, Target};
use crate::drive::Stream;
use crate::history::limits::{RECIPIENTS_MAX, TEXT_BYTES_MAX};
use crate::history::{Event, Key, Way, What};

impl<S: Stream> Driver<S> {
    /// The message is on the disk. `targets`: of each recipient; none for who does not get it.
    pub(super) fn tell_accepted(
        &self,
        key: Key,
        facts: &Facts,
        additions: &str,
        targets: &[Vec<Target>],
    ) {
        let recipients = self.given_recipients().into_iter().zip(targets);
        let ways =
            recipients.flat_map(|(to, targets)| targets.iter().map(move |target| way(&to, target)));
        let what = What::Accepted {
            door: self.wire.peer().role.name().to_owned(),
            peer: self.wire.peer().address.to_string(),
            from: self.sender(),
            message_id: message_id(facts, additions),
            size: facts.size,
            recipients: ways.take(RECIPIENTS_MAX).collect(),
        };
        self.tell(key, what);
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

fn way(to: &str, target: &Target) -> Way {
    let (ends, here) = match target {
        Target::Local { address, .. } => (address, true),
        Target::Remote { address, .. } => (address, false),
    };
    Way {
        to: to.to_owned(),
        ends: ends.to_lowercase(),
        here,
    }
}

/// As it stands in the message, or in the field that we added.
fn message_id(facts: &Facts, additions: &str) -> String {
    let added = header::first(additions.as_bytes(), "Message-ID");
    let id = facts.envelope.message_id.as_deref();
    let id = id.or(added.as_deref()).unwrap_or_default();
    let id = id.get(..TEXT_BYTES_MAX).unwrap_or(id);
    String::from_utf8_lossy(id).trim().to_owned()
}
