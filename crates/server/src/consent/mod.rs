//! Mail goes on to an address outside only when its owner agreed: he is asked in a letter and says yes
//! by answering it. See docs/decisions/0072.
//!
//! Aliases of the administrator and redirects of filters are asked for, each for itself. What an answer
//! says is not read: that it came to an address that only the letter names is the answer. Until then
//! mail of an alias waits in the queue, and mail of a filter stays in its mailbox: nothing is lost.

mod ask;
mod letter;

use std::sync::Arc;

use facteur_message::Facts;
use facteur_smtp::Address;
use facteur_store::limits::FORWARD_ASKED_KEPT;
use facteur_store::{
    Error, Forward, ForwardId, ForwardSource, ForwardState, Memory, NewQueueEntry, Parcel,
    QueueEntry, Store, Timestamp,
};

use crate::context::Context;
use crate::drive;
use crate::limits::{CONSENT_FAILURES_MAX, CONSENT_LOOK_AGAIN, CONSENT_LOST_AGAIN, CONSENT_TIME};
use crate::smtp::directory::{self, Onward, Target};

pub use ask::{Question, ask_for_account, question, set_by_hand, vouch};

/// What stands of mail that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Goes,
    /// The owner was asked and may answer until then.
    Waits {
        until: Timestamp,
    },
    /// The owner said no, said nothing in time, or there is no such address.
    Refused,
}

/// Decides; pure.
pub fn standing(forward: &Forward, now: Timestamp) -> Standing {
    let until = forward.at.after(CONSENT_TIME);
    match forward.state {
        ForwardState::Confirmed => Standing::Goes,
        ForwardState::Asked if now < until => Standing::Waits { until },
        ForwardState::Asked | ForwardState::Stopped | ForwardState::Gone => Standing::Refused,
    }
}

/// A filter's question that nobody answered may be put again some day.
pub fn is_forgotten(forward: &Forward, now: Timestamp) -> bool {
    forward.state == ForwardState::Asked && now > forward.at.after(FORWARD_ASKED_KEPT)
}

/// Of a queue entry that goes on. What it went on for may be gone: then nobody wants it any more.
pub fn standing_of(store: &Store, id: ForwardId) -> Result<Standing, Error> {
    let now = store.clock().now();
    let forward = store.forward(id)?;
    Ok(forward.map_or(Standing::Refused, |forward| standing(&forward, now)))
}

/// Of mail that goes on: it is kept until its owner's time to answer is over.
pub fn on_behalf(mut entry: NewQueueEntry, forward: Option<Onward>) -> NewQueueEntry {
    entry.wishes.forward = forward.map(|forward| forward.id);
    if let Some(until) = forward.and_then(|forward| forward.until) {
        let kept = until.after(CONSENT_LOOK_AGAIN * 2);
        entry.expires = entry.expires.max(kept);
    }
    entry
}

/// What stands between a source and a target; `None`: nothing does. `target` normalised.
pub fn find(store: &Store, source: &ForwardSource, target: &str) -> Result<Option<Forward>, Error> {
    match store.secret()? {
        Some(secret) => store.forward(id_of(&secret, source, target)),
        None => Ok(None),
    }
}

/// The name of a source and a target together. Who knows it can answer, so it depends on our secret.
fn id_of(secret: &[u8; 32], source: &ForwardSource, target: &str) -> ForwardId {
    let key = blake3::derive_key("facteur 2026 mail that goes on", secret);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    match source {
        ForwardSource::Alias(alias) => hasher.update(b"a").update(alias.as_bytes()),
        ForwardSource::Account(account) => hasher.update(b"n").update(&account.0.to_be_bytes()),
    };
    hasher.update(&[0]).update(target.as_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    ForwardId(id)
}

/// An address outside as it is kept; `None`: no letter could reach it. The local part keeps its case
/// where it matters to nobody but its host, and here it does not.
pub fn normalised(address: &Address) -> Option<String> {
    let (local, domain) = directory::key(address)?;
    Some(format!("{local}@{domain}"))
}

/// What mail to one of our answering addresses says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub id: ForwardId,
    /// No: to be left alone from now on.
    pub yes: bool,
}

const YES: &str = "confirm+";
const NO: &str = "stop+";

/// The local part that says yes, or no. Letters and digits whose case does not matter.
fn local_part(reply: Reply) -> String {
    let id: String = reply
        .id
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}{id}", if reply.yes { YES } else { NO })
}

/// Reads what [`local_part`] wrote; `local` in lower case.
fn parse(local: &str) -> Option<Reply> {
    let (yes, hex) = match local.strip_prefix(YES) {
        Some(hex) => (true, hex),
        None => (false, local.strip_prefix(NO)?),
    };
    let number = u128::from_str_radix(hex, 16).ok()?;
    let reply = Reply {
        id: ForwardId(number.to_be_bytes()),
        yes,
    };
    (local_part(reply) == local).then_some(reply)
}

/// Whether an address of ours is one that answers; `local` in lower case.
pub fn reply_at(store: &Store, local: &str) -> Result<Option<Reply>, Error> {
    let Some(reply) = parse(local) else {
        return Ok(None);
    };
    Ok(store.forward(reply.id)?.map(|_| reply))
}

/// Takes what is for the server itself out of what the recipients of a message stand for, and gives
/// the answers; `None`: nothing was.
pub fn take_replies(targets: &mut [Vec<Target>]) -> Option<Vec<Reply>> {
    let (mut replies, mut any) = (Vec::new(), false);
    for list in targets {
        list.retain(|target| {
            match target {
                Target::Local { .. } | Target::Remote { .. } => return true,
                Target::Reply(reply) => replies.push(*reply),
                Target::Report => {}
            }
            any = true;
            false
        });
    }
    any.then_some(replies)
}

/// A machine wrote it: nobody has read the question (RFC 3834 §5).
pub fn is_automatic(facts: &Facts, has_sender: bool) -> bool {
    let header = &facts.header;
    let report = facts.root.is("multipart", "report");
    !has_sender || header.auto_submitted || header.is_bulk || report
}

/// Does what the owner said, and tells whom it concerns.
pub async fn hear(ctx: &Arc<Context>, reply: Reply) -> Result<(), Error> {
    let Some(forward) = ctx.store.forward(reply.id)? else {
        return Ok(());
    };
    let waits = matches!(standing(&forward, ctx.clock.now()), Standing::Waits { .. });
    match reply.yes {
        true if waits => {
            change(
                ctx,
                &forward,
                &[ForwardState::Asked],
                ForwardState::Confirmed,
            )
            .await
        }
        true => Ok(()),
        false => {
            let from = &[ForwardState::Asked, ForwardState::Confirmed];
            change(ctx, &forward, from, ForwardState::Stopped).await
        }
    }
}

/// An attempt at mail that goes on told whether there is such an address.
pub async fn note(ctx: &Arc<Context>, id: ForwardId, gone: bool) -> Result<(), Error> {
    let failures = ctx.store.note_forward(id, gone).await?;
    if failures < CONSENT_FAILURES_MAX {
        return Ok(());
    }
    match ctx.store.forward(id)? {
        Some(forward) => {
            change(
                ctx,
                &forward,
                &[ForwardState::Confirmed],
                ForwardState::Gone,
            )
            .await
        }
        None => Ok(()),
    }
}

/// Mail that went on was lost, and its sender may not be told: who has it sent on is, once in a while.
/// `reply`: why the last one was.
pub async fn lost(ctx: &Arc<Context>, id: ForwardId, reply: &str) -> Result<(), Error> {
    let Some(forward) = ctx.store.forward(id)? else {
        return Ok(());
    };
    let until = ctx.clock.now().after(CONSENT_LOST_AGAIN);
    let mut hasher = blake3::Hasher::new_derive_key("facteur 2026 mail that was lost");
    let mut key = [0; 16];
    hasher.update(&id.0).finalize_xof().fill(&mut key);
    let letters = letter::lost(ctx, &forward, reply).await?.into_iter();
    let parcels: Vec<Parcel> = letters
        .map(|(body, local, queue)| Parcel {
            once: local.first().map(|delivery| Memory {
                account: delivery.account,
                key,
                until,
            }),
            body,
            mailboxes: Vec::new(),
            local,
            queue,
            aside: None,
        })
        .collect();
    if !parcels.is_empty() {
        ctx.store.deliver_parcels(parcels, Vec::new()).await?;
    }
    Ok(())
}

/// The change, the news of it, and another look at what waits.
async fn change(
    ctx: &Arc<Context>,
    forward: &Forward,
    from: &'static [ForwardState],
    to: ForwardState,
) -> Result<(), Error> {
    let store = &ctx.store;
    let news = letter::news(ctx, forward, to).await?;
    let changed = match store.change_forward(forward.id, from, to, news).await {
        // `facteur forward list` says the same.
        Err(Error::OverQuota | Error::NoSuchAccount) => {
            store
                .change_forward(forward.id, from, to, Vec::new())
                .await?
        }
        changed => changed?,
    };
    if changed.is_some() {
        tracing::info!(target_address = forward.target, ?to, "mail that goes on");
        tokio::spawn(wake(Arc::clone(ctx), forward.clone()));
    }
    Ok(())
}

/// What waits for an answer is looked at again; one that is not waits an hour longer.
async fn wake(ctx: Arc<Context>, forward: Forward) {
    if let Err(error) = look_again(&ctx, &forward).await {
        tracing::warn!(%error, "mail that may go on waits for its next look");
    }
}

async fn look_again(ctx: &Arc<Context>, forward: &Forward) -> Result<(), Error> {
    let Some(Target::Remote { domain, .. }) = Address::parse(&forward.target)
        .ok()
        .and_then(|address| directory::outside(&address))
    else {
        return Ok(());
    };
    let (store, id) = (ctx.store.clone(), forward.id);
    let waiting = drive::blocking(move || store.queue_of_forward(&domain, id)).await?;
    for id in waiting {
        if !ctx.store.queue_lease(id) {
            continue;
        }
        let now = ctx.clock.now();
        // It begins to wait for its hosts now.
        let sooner = |entry: QueueEntry| QueueEntry {
            expires: entry.expires.max(now.after(ctx.config.queue.expires_after)),
            ..entry.tried_at(now)
        };
        let done = match ctx.store.queue_entry(id) {
            Ok(Some(entry)) => {
                let update = ctx.store.queue_update(id, Some(sooner(entry)), Vec::new());
                update.await
            }
            Ok(None) => Err(Error::NoSuchQueueEntry),
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => {}
            Err(error) => {
                ctx.store.queue_release(id);
                if !matches!(error, Error::NoSuchQueueEntry) {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use facteur_store::AccountId;

    use super::*;

    fn forward(state: ForwardState) -> Forward {
        Forward {
            id: ForwardId([0xab; 16]),
            source: ForwardSource::Account(AccountId(1)),
            target: "bob@far.test".into(),
            state,
            at: Timestamp(1_000),
            failures: 0,
        }
    }

    #[test]
    fn what_stands() {
        let (soon, until) = (Timestamp(2_000), Timestamp(1_000).after(CONSENT_TIME));
        for (state, at, expected) in [
            (ForwardState::Asked, soon, Standing::Waits { until }),
            (ForwardState::Asked, until, Standing::Refused),
            (ForwardState::Confirmed, until, Standing::Goes),
            (ForwardState::Stopped, soon, Standing::Refused),
            (ForwardState::Gone, soon, Standing::Refused),
        ] {
            assert_eq!(standing(&forward(state), at), expected, "{state:?}");
        }
    }

    #[test]
    fn addresses_that_answer_come_back() {
        for yes in [true, false] {
            let reply = Reply {
                id: ForwardId([0x0a; 16]),
                yes,
            };
            assert_eq!(parse(&local_part(reply)), Some(reply));
        }
        let long = format!("confirm+{}", "0".repeat(33));
        for other in [
            "confirm",
            "confirm+",
            "confirm+abc",
            "stop+zz",
            "alice+x",
            &long,
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn each_pair_has_a_name_of_its_own() {
        let alias = |name: &str| ForwardSource::Alias(name.into());
        let account = ForwardSource::Account(AccountId(7));
        let names = [
            id_of(&[1; 32], &alias("a@x.test"), "b@far.test"),
            id_of(&[1; 32], &alias("a@x.test"), "c@far.test"),
            id_of(&[1; 32], &alias("c@x.test"), "b@far.test"),
            id_of(&[1; 32], &account, "b@far.test"),
            id_of(&[2; 32], &account, "b@far.test"),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }
}
