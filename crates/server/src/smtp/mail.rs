//! MAIL: may this client send as that address?

use std::time::Duration;

use facteur_senders::srs;
use facteur_smtp::server::{Outcome, Refusal};
use facteur_smtp::{Address, Hold, MailParameters, Recipient};
use facteur_store::{AccountId, Timestamp};

use super::directory::{self, Found, Target};
use super::rcpt::{RcptFacts, RcptVerdict, check_rcpt};
use super::{Driver, refusal};
use crate::admin::domain_to_ascii;
use crate::config::Role;
use crate::context::PeerAddress;
use crate::drive::Stream;
use crate::groups;
use crate::programs;

/// What is known when MAIL comes.
#[derive(Clone, Copy, Debug)]
struct MailFacts {
    submission: bool,
    null_reverse_path: bool,
    /// The address is the account's own.
    own: bool,
    disk_full: bool,
    /// A limit of `rates.rs` is met.
    over: bool,
    /// To be held for longer than we do.
    held_too_long: bool,
}

/// When a message is to leave (RFC 4865); a time that is over is now.
pub(super) fn release(hold: Option<Hold>, now: Timestamp) -> Timestamp {
    match hold {
        None => now,
        Some(Hold::For(seconds)) => now.after(Duration::from_secs(seconds)),
        Some(Hold::Until(unix)) => Timestamp(unix.saturating_mul(1000)).max(now),
    }
}

fn only_here(found: Found) -> Found {
    match &found {
        Found::Targets(targets)
            if targets
                .iter()
                .all(|target| matches!(target, Target::Local { .. })) =>
        {
            found
        }
        Found::Targets(_) => Found::Nobody,
        _ => found,
    }
}

/// What people write to an address that is for reports comes to who reads them, or is refused.
fn without_report(found: Found) -> Found {
    match found {
        Found::Targets(mut targets) => {
            targets.retain(|target| *target != Target::Report);
            match targets.is_empty() {
                true => Found::Nobody,
                false => Found::Targets(targets),
            }
        }
        _ => found,
    }
}

/// Decides; pure. `None`: taken.
fn check_mail(facts: MailFacts) -> Option<Refusal> {
    if facts.disk_full {
        // Said before the client sends the whole message for nothing.
        Some(Refusal::StorageFull)
    } else if facts.submission && !facts.null_reverse_path && !facts.own {
        // The null reverse-path is nobody's address: Thunderbird and Outlook send read receipts
        // under it, as RFC 8098 §3 wants. Their From is checked with the message.
        Some(Refusal::SenderNotYours)
    } else if facts.held_too_long {
        Some(Refusal::HoldTooLong)
    } else if facts.over {
        Some(Refusal::RateLimited)
    } else {
        None
    }
}

impl<S: Stream> Driver<S> {
    pub(super) async fn mail(
        &mut self,
        reverse_path: Option<&Address>,
        parameters: &MailParameters,
    ) -> Outcome {
        self.forget();
        self.look_up_standing().await;
        let ctx = self.wire.context();
        let own = match reverse_path.map(|sender| self.is_own(sender)) {
            Some(Ok(own)) => own,
            Some(Err(error)) => return self.failed("MAIL", &error),
            None => false,
        };
        let now = ctx.clock.now();
        let held_too_long = release(parameters.hold, now) > now.after(super::hold_max());
        let over = self.sends_too_much(reverse_path);
        let facts = MailFacts {
            submission: self.is_submission(),
            null_reverse_path: reverse_path.is_none(),
            own,
            disk_full: ctx.store.is_full(),
            over: over.is_some(),
            held_too_long,
        };
        match check_mail(facts) {
            None => {
                self.messages = self.messages.saturating_add(1);
                match self.milters_mail(reverse_path).await {
                    None => Outcome::Ok,
                    Some(refusal) => Outcome::Refused(refusal),
                }
            }
            Some(refusal) => {
                let from = reverse_path.map(Address::to_string).unwrap_or_default();
                let over = over.map(|over| over.name).unwrap_or_default();
                tracing::info!(session = %self.wire.peer().session, from, ?refusal, over, "sender refused");
                Outcome::Refused(refusal)
            }
        }
    }

    pub(super) async fn rcpt(&mut self, recipient: &Recipient) -> Outcome {
        let store = &self.wire.context().store;
        let envelope = self.session.envelope();
        let size = envelope.and_then(|envelope| envelope.parameters.size);
        let size = size.unwrap_or_default();
        let found = match recipient {
            Recipient::Address(address) => directory::find_for(store, address, size),
            Recipient::Postmaster => directory::find_postmaster(store),
        };
        let found = found.and_then(|found| self.or_postmaster(recipient, found));
        let found = match recipient {
            // Nothing but reports goes back the way that mail was sent on: nobody else knows the
            // address, and whoever got to know it shall not write to strangers through us.
            Recipient::Address(address)
                if srs::is_rewritten(&address.local)
                    && envelope.is_some_and(|envelope| envelope.reverse_path.is_some()) =>
            {
                found.map(only_here)
            }
            _ if envelope.is_some_and(|envelope| envelope.reverse_path.is_some()) => {
                found.map(without_report)
            }
            _ => found,
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.failed("RCPT", &error),
        };
        let closed = match self.is_closed(&found) {
            Ok(closed) => closed,
            Err(error) => return self.failed("RCPT", &error),
        };
        let over = self.too_many_recipients(&found);
        let here = matches!(found, Found::Targets(_));
        self.over |= over.is_some() && self.is_submission();
        let verdict = check_rcpt(RcptFacts {
            authenticated: self.is_known() && self.is_submission(),
            found,
            over: over.is_some(),
            closed,
        });
        match verdict {
            RcptVerdict::Accept(targets) => match self.milters_rcpt(recipient).await {
                None => {
                    let held = match here {
                        true => self.held(recipient),
                        false => Ok(None),
                    };
                    let held = match held {
                        Ok(held) => held,
                        Err(error) => return self.failed("RCPT", &error),
                    };
                    let targets = held.unwrap_or(targets);
                    self.targets.push(targets);
                    Outcome::Ok
                }
                Some(refusal) => {
                    self.tell_unwanted(recipient, refusal);
                    Outcome::Refused(refusal)
                }
            },
            RcptVerdict::Refuse(refusal) => {
                let to = match recipient {
                    Recipient::Address(address) => address.to_string(),
                    Recipient::Postmaster => "postmaster".to_owned(),
                };
                let over = over.map(|over| over.name).unwrap_or_default();
                tracing::info!(session = %self.wire.peer().session, to, ?refusal, over, "recipient refused");
                self.note_guess(refusal);
                self.tell_unwanted(recipient, refusal);
                Outcome::Refused(refusal)
            }
        }
    }

    pub(super) fn is_submission(&self) -> bool {
        let role = self.wire.peer().role;
        matches!(
            role,
            Role::Submission | Role::Submissions | Role::Local | Role::Https
        )
    }

    /// Somebody who logged in, or a program that is let in.
    pub(super) fn is_known(&self) -> bool {
        self.identity.is_some() || self.mandate.is_some()
    }

    /// RFC 4865: a message that is held waits in the queue, our own people's copies too: what is to
    /// happen to them is found out when its time has come.
    fn held(&self, recipient: &Recipient) -> Result<Option<Vec<Target>>, facteur_store::Error> {
        let envelope = self.session.envelope();
        if envelope.is_none_or(|envelope| envelope.parameters.hold.is_none()) {
            return Ok(None);
        }
        let store = &self.wire.context().store;
        let (address, domain) = match recipient {
            Recipient::Address(address) => {
                let Some((_, domain)) = directory::key(address) else {
                    return Ok(None);
                };
                // `root` and the like are somebody for a program alone, and only now.
                let found = directory::find(store, address)?;
                match self.stands_for_postmaster(recipient, &found) {
                    true => (directory::postmaster_of(&domain), domain),
                    false => (address.to_string(), domain),
                }
            }
            // Without a domain it is nobody's when its time has come.
            Recipient::Postmaster => match store.domains()?.into_iter().next() {
                Some(domain) => (directory::postmaster_of(&domain.name), domain.name),
                None => return Ok(None),
            },
        };
        Ok(Some(vec![Target::Remote {
            address,
            domain: domain_to_ascii(&domain),
            forward: None,
        }]))
    }

    /// One of the groups behind it takes no mail from who sends this.
    fn is_closed(&self, found: &Found) -> Result<bool, facteur_store::Error> {
        // What was held was asked about when it was taken, where it is known who logged in.
        if self.wire.peer().address == PeerAddress::Inside {
            return Ok(false);
        }
        let Found::Targets(targets) = found else {
            return Ok(false);
        };
        let store = &self.wire.context().store;
        let mut sender = None;
        for target in targets {
            let Target::Local { account, .. } = target else {
                continue;
            };
            let known = match sender {
                Some(known) => known,
                None => *sender.insert(self.sender_account()?),
            };
            if !groups::takes_mail_from(store, *account, known)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whose message it is, where that is not only said: who logged in, and where a program that may
    /// use the address says it for somebody, that person. A server that hands in over LMTP passes on
    /// what the Internet said.
    fn sender_account(&self) -> Result<Option<AccountId>, facteur_store::Error> {
        if let Some(identity) = &self.identity {
            return Ok(Some(identity.account));
        }
        let envelope = self.session.envelope();
        let sender = envelope.and_then(|envelope| envelope.reverse_path.as_ref());
        let Some(sender) = sender.filter(|_| self.mandate.is_some()) else {
            return Ok(None);
        };
        Ok(match directory::find(&self.wire.context().store, sender)? {
            Found::Targets(targets) => match targets.as_slice() {
                [Target::Local { account, .. }] => Some(*account),
                _ => None,
            },
            _ => None,
        })
    }

    /// May who sends use this address as his?
    pub(super) fn is_own(&self, address: &Address) -> Result<bool, facteur_store::Error> {
        let store = &self.wire.context().store;
        match (&self.identity, &self.mandate) {
            (Some(identity), _) => directory::is_own(store, identity.account, address),
            (None, Some(mandate)) => mandate.may_send_as(store, address),
            (None, None) => Ok(false),
        }
    }

    /// What programs of this machine write to `root` and the like comes to whoever is responsible,
    /// unless there is somebody of that name.
    fn or_postmaster(
        &self,
        recipient: &Recipient,
        found: Found,
    ) -> Result<Found, facteur_store::Error> {
        match recipient {
            Recipient::Address(address) if self.stands_for_postmaster(recipient, &found) => {
                directory::find_responsible(&self.wire.context().store, address)
            }
            _ => Ok(found),
        }
    }

    fn stands_for_postmaster(&self, recipient: &Recipient, found: &Found) -> bool {
        let program = self.wire.peer().user.is_some();
        let Recipient::Address(address) = recipient else {
            return false;
        };
        program && *found == Found::Nobody && programs::is_local_user(&address.local)
    }

    /// The store failed; the peer hears that it may try again.
    pub(super) fn failed(&self, what: &'static str, error: &facteur_store::Error) -> Outcome {
        tracing::error!(session = %self.wire.peer().session, what, %error, "the store failed");
        Outcome::Refused(refusal(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_send_as_themselves() {
        let facts = |submission, null_reverse_path, own| MailFacts {
            submission,
            null_reverse_path,
            own,
            disk_full: false,
            over: false,
            held_too_long: false,
        };
        for (facts, expected) in [
            (facts(false, false, false), None),
            (facts(false, true, false), None),
            (facts(true, false, true), None),
            (facts(true, false, false), Some(Refusal::SenderNotYours)),
            (facts(true, true, false), None),
        ] {
            assert_eq!(check_mail(facts), expected, "{facts:?}");
            let full = MailFacts {
                disk_full: true,
                ..facts
            };
            assert_eq!(check_mail(full), Some(Refusal::StorageFull));
            let over = MailFacts {
                over: true,
                ..facts
            };
            let limited = expected.or(Some(Refusal::RateLimited));
            assert_eq!(check_mail(over), limited, "{facts:?}");
        }
    }
}
