//! Who sends too much: what `rates.rs` counts, for the open session.

use std::sync::Arc;

use facteur_smtp::Address;
use facteur_smtp::server::Refusal;

use super::directory::Found;
use super::{Driver, Target};
use crate::alarm;
use crate::config::Role;
use crate::drive::{self, Stream};
use crate::gate::counted_address;
use crate::junk::network_of;
use crate::programs;
use crate::rates::{Kind, Over, Scale};
use crate::strangers::Offence;

impl<S: Stream> Driver<S> {
    /// A stranger over the network; nobody of this machine or of a trusted network.
    pub(super) fn stranger(&self) -> Option<std::net::IpAddr> {
        let peer = self.wire.peer();
        let ours = self.wire.context().strangers.is_ours(peer.address);
        let outside = peer.role == Role::Smtp && !ours;
        peer.address.ip().filter(|_| outside)
    }

    /// Once a session.
    pub(super) async fn look_up_standing(&mut self) {
        let Some(address) = self.stranger().filter(|_| self.messages == 0) else {
            return;
        };
        let ctx = Arc::clone(self.wire.context());
        let standing = drive::blocking(move || ctx.junk.standing(address)).await;
        match standing {
            Ok(standing) => self.standing = standing,
            Err(error) => {
                tracing::warn!(session = %self.wire.peer().session, %error, "the past of a peer is not known");
            }
        }
    }

    /// Names that are tried out.
    pub(super) fn note_guess(&self, refusal: Refusal) {
        let offence = match refusal {
            Refusal::NoSuchMailbox => Offence::Recipient,
            Refusal::RelayDenied => Offence::Relay,
            _ => return,
        };
        // A large provider whose mail people like has many senders who misspell.
        if self.stranger().is_some() && scale(self.standing) != Scale::Loose {
            let peer = self.wire.peer().address;
            self.wire.context().strangers.offend(peer, offence);
        }
    }

    /// One more message.
    pub(super) fn sends_too_much(&self, reverse_path: Option<&Address>) -> Option<Over> {
        let ctx = self.wire.context();
        let now = ctx.clock.monotonic();
        let address = self.stranger()?;
        let counted = counted_address(address).to_string();
        let scale = scale(self.standing);
        let take = |kind, key: &str| ctx.rates.take_scaled(kind, key, now, scale);
        let mut taken = take(Kind::Address, &counted);
        taken = taken.and_then(|()| take(Kind::Network, &network_of(address)));
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
        // From where it never came before, much is less than from home.
        let peer = self.wire.peer().address;
        let new_place = ctx.strangers.is_new_place(peer, account);
        let scale = if new_place {
            Scale::Tight
        } else {
            Scale::Usual
        };
        let take = |kind| ctx.rates.take_scaled(kind, &key, now, scale);
        let taken = take(Kind::Submitted).and_then(|()| take(Kind::SubmittedADay));
        let over = taken.and_then(|()| ctx.rates.check(Kind::Bounced, &key, now));
        let over = over.err()?;
        alarm::ring(ctx, account, alarm::Why::Volume { new_place });
        Some(over)
    }

    /// Who answers for a program sees its log; nothing of it is held.
    fn sends_to_too_many(&self, program: &str) -> Option<Over> {
        let ctx = self.wire.context();
        let now = ctx.clock.monotonic();
        let over = programs::count(&ctx.rates, program, now).err()?;
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
                Target::Remote { .. } | Target::Reply(_) | Target::Report => None,
            }),
            Found::Nobody | Found::NoDomain => ctx.rates.take(Kind::Unknown, &address, now).err(),
            _ => None,
        }
    }
}

/// Whose mail people like may send more, whose mail they call junk less; pure.
fn scale(standing: f32) -> Scale {
    if standing <= -STANDING {
        Scale::Loose
    } else if standing >= STANDING {
        Scale::Tight
    } else {
        Scale::Usual
    }
}

/// Five messages that all were good, or all junk, are half of an opinion.
const STANDING: f32 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales() {
        for (standing, expected) in [
            (-1.0, Scale::Loose),
            (-0.5, Scale::Loose),
            (-0.4, Scale::Usual),
            (0.0, Scale::Usual),
            (0.5, Scale::Tight),
        ] {
            assert_eq!(scale(standing), expected, "{standing}");
        }
    }
}
