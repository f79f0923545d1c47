//! Putting the question: who may ask whom how often, and the letter.

use std::sync::Arc;
use std::time::Duration;

use facteur_smtp::Address;
use facteur_store::{
    AccountId, Error, Forward, ForwardSource, ForwardState, Letter, Store, Timestamp,
};

use super::{id_of, letter};
use crate::context::Context;
use crate::limits::{CONSENT_LETTERS_A_WEEK_MAX, CONSENT_OF_ACCOUNT_A_DAY_MAX};

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A question as it is put: what is remembered of it, and the letter.
#[derive(Debug)]
pub struct Question {
    pub forward: Forward,
    pub letter: Letter,
}

/// The question to the owner of `target` (normalised), whom `source` sends mail on to.
/// `None`: he was asked too often of late, or no letter can go there.
pub async fn question(
    ctx: &Arc<Context>,
    source: ForwardSource,
    target: &str,
) -> Result<Option<Question>, Error> {
    let now = ctx.clock.now();
    if Address::parse(target).is_err() || !may_ask(&ctx.store, &source, target, now)? {
        return Ok(None);
    }
    let secret = ctx.store.make_secret().await?;
    let forward = Forward {
        id: id_of(&secret, &source, target),
        source,
        target: target.to_owned(),
        state: ForwardState::Asked,
        at: now,
        failures: 0,
    };
    let letter = letter::question(ctx, &forward).await?;
    Ok(letter.map(|letter| Question { forward, letter }))
}

/// Nobody is flooded with questions by us, whoever wants them put.
fn may_ask(
    store: &Store,
    source: &ForwardSource,
    target: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let (mut to_target, mut of_source) = (0, 0);
    for forward in store.forwards()? {
        if forward.state != ForwardState::Asked {
            continue;
        }
        to_target += usize::from(forward.target == target && now < forward.at.after(WEEK));
        of_source += usize::from(forward.source == *source && now < forward.at.after(DAY));
    }
    let by_account = matches!(source, ForwardSource::Account(_));
    let too_many = by_account && of_source >= CONSENT_OF_ACCOUNT_A_DAY_MAX;
    Ok(to_target < CONSENT_LETTERS_A_WEEK_MAX && !too_many)
}

/// A filter of the account sends mail on to `target`, for the first time: its owner is asked, and the
/// account is told. What is over a limit is asked with a later message.
pub async fn ask_for_account(
    ctx: &Arc<Context>,
    account: AccountId,
    target: &str,
) -> Result<(), Error> {
    let source = ForwardSource::Account(account);
    let Some(Question { forward, letter }) = question(ctx, source, target).await? else {
        tracing::info!(account = account.0, "an address outside is not asked now");
        return Ok(());
    };
    let mut letters = vec![letter];
    letters.extend(letter::news(ctx, &forward, ForwardState::Asked).await?);
    let added = match ctx.store.add_forward(forward.clone(), letters).await {
        Err(Error::OverQuota | Error::NoSuchAccount) => {
            let letter = letter::question(ctx, &forward).await?;
            let letters = letter.into_iter().collect();
            ctx.store.add_forward(forward, letters).await
        }
        added => added,
    };
    match added {
        Err(Error::TooManyEntries) => {
            tracing::warn!(account = account.0, "too many addresses outside are asked");
            Ok(())
        }
        added => added.map(drop),
    }
}

/// The administrator says that the owner agrees.
pub async fn vouch(
    ctx: &Arc<Context>,
    source: ForwardSource,
    target: &str,
) -> Result<Forward, Error> {
    let secret = ctx.store.make_secret().await?;
    let forward = Forward {
        id: id_of(&secret, &source, target),
        source,
        target: target.to_owned(),
        state: ForwardState::Confirmed,
        at: ctx.clock.now(),
        failures: 0,
    };
    if ctx.store.add_forward(forward.clone(), Vec::new()).await? {
        return Ok(forward);
    }
    set_by_hand(ctx, &forward, ForwardState::Confirmed).await?;
    Ok(forward)
}

/// The administrator decides, whatever stands.
pub async fn set_by_hand(
    ctx: &Arc<Context>,
    forward: &Forward,
    to: ForwardState,
) -> Result<(), Error> {
    use ForwardState::{Asked, Confirmed, Gone, Stopped};
    let from: &'static [ForwardState] = match to {
        Confirmed => &[Asked, Stopped, Gone],
        Asked | Stopped | Gone => &[Asked, Confirmed, Gone],
    };
    super::change(ctx, forward, from, to).await
}
