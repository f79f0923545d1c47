//! Who sends too much: what `rates.rs` counts, for the open session.

use std::sync::Arc;

use facteur_smtp::Address;

use super::directory::Found;
use super::{Driver, Target};
use crate::alarm;
use crate::config::Role;
use crate::drive::Stream;
use crate::gate::counted_address;
use crate::junk::network_of;
use crate::rates::{Kind, Over};

impl<S: Stream> Driver<S> {
    /// A stranger over the network; nobody of this machine.
    pub(super) fn stranger(&self) -> Option<std::net::IpAddr> {
        let peer = self.wire.peer();
        let outside = peer.role == Role::Smtp && !peer.address.is_loopback();
        peer.address.ip().filter(|_| outside)
    }

    /// One more message.
    pub(super) fn sends_too_much(&self, reverse_path: Option<&Address>) -> Option<Over> {
        let ctx = self.wire.context();
        let now = ctx.clock.monotonic();
        let address = self.stranger()?;
        let counted = counted_address(address).to_string();
        let mut taken = ctx.rates.take(Kind::Address, &counted, now);
        taken = taken.and_then(|()| ctx.rates.take(Kind::Network, &network_of(address), now));
        if let Some(sender) = reverse_path {
            let sender = sender.to_string().to_lowercase();
            taken = taken.and_then(|()| ctx.rates.take(Kind::Sender, &sender, now));
        }
        taken.err()
    }

    /// One more recipient.
    pub(super) fn too_many_recipients(&self, found: &Found) -> Option<Over> {
        match (&self.identity, &self.mandate) {
            (Some(identity), _) if self.is_submission() => self.writes_too_much(identity.account),
            (None, Some(mandate)) => self.sends_to_too_many(&mandate.name),
            _ => self.guesses_or_floods(found),
        }
    }

    /// The alarm rings once; until the window has passed nothing more is taken.
    fn writes_too_much(&self, account: facteur_store::AccountId) -> Option<Over> {
        let ctx = self.wire.context();
        let now = ctx.clock.monotonic();
        let key = account.0.to_string();
        let taken = ctx.rates.take(Kind::Submitted, &key, now);
        let over = taken
            .and_then(|()| ctx.rates.take(Kind::SubmittedADay, &key, now))
            .err()?;
        if ctx.rates.take(Kind::Alarm, &key, now).is_ok() {
            tokio::spawn(alarm::raise(Arc::clone(ctx), account));
        }
        Some(over)
    }

    /// Who answers for a program sees its log; nothing of it is held.
    fn sends_to_too_many(&self, program: &str) -> Option<Over> {
        let ctx = self.wire.context();
        let now = ctx.clock.monotonic();
        let key = format!("program {program}");
        let taken = ctx.rates.take(Kind::Submitted, &key, now);
        let taken = taken.and_then(|()| ctx.rates.take(Kind::SubmittedADay, &key, now));
        let over = taken.err()?;
        tracing::warn!(session = %self.wire.peer().session, program, over = over.name, "a program sends too much");
        Some(over)
    }

    fn guesses_or_floods(&self, found: &Found) -> Option<Over> {
        let ctx = self.wire.context();
        let now = ctx.clock.monotonic();
        let address = counted_address(self.stranger()?).to_string();
        if let Err(over) = ctx.rates.check(Kind::Unknown, &address, now) {
            return Some(over);
        }
        match found {
            Found::Targets(targets) => targets.iter().find_map(|target| match target {
                Target::Local { account, .. } => {
                    let key = account.0.to_string();
                    ctx.rates.take(Kind::Recipient, &key, now).err()
                }
                Target::Remote { .. } => None,
            }),
            Found::Nobody | Found::NoDomain => ctx.rates.take(Kind::Unknown, &address, now).err(),
            _ => None,
        }
    }
}
