//! What the history of a message learns from an attempt to pass it on.

use std::sync::Arc;

use facteur_store::QueueEntry;

use super::plan::{Next, Outcome, Told};
use crate::Context;
use crate::alarm;
use crate::history::limits::{RECIPIENTS_MAX, TEXT_BYTES_MAX};
use crate::history::{self, Event, Key, What};

/// `outcomes`: one for each recipient of the entry, as for [`super::plan::plan`]; `unproven`: nobody is
/// told of what fails.
pub fn tell(
    ctx: &Arc<Context>,
    entry: &QueueEntry,
    outcomes: &[Option<Outcome>],
    next: &Next,
    unproven: bool,
) {
    let failed = outcomes.iter().flatten();
    let failed = failed.filter(|outcome| matches!(outcome, Outcome::Failed(_)));
    let failed = failed.count();
    match failed {
        0 => {}
        count => alarm::note_bounces(ctx, &entry.reverse_path, count),
    }
    let recipients = entry.recipients.iter().zip(outcomes);
    let recipients = recipients.filter_map(|(recipient, outcome)| {
        let (state, told) = match outcome.as_ref()? {
            Outcome::Delivered(told) => ("delivered", told),
            Outcome::Delayed(told) => ("delayed", told),
            Outcome::Failed(told) => ("failed", told),
        };
        Some(outcome_of(&recipient.address, state, told))
    });
    let what = What::Tried {
        queue: entry.id.0,
        domain: entry.domain.clone(),
        recipients: recipients.take(RECIPIENTS_MAX).collect(),
        again: next.entry.as_ref().map(|entry| entry.due.0),
        reported: !next.report.is_empty(),
        unproven: unproven && failed > 0,
    };
    let key = Key::of(entry.blob);
    ctx.history.tell(Event::new(key, ctx.clock.now(), what));
}

fn outcome_of(address: &str, state: &str, told: &Told) -> history::Outcome {
    let cut = told
        .text
        .char_indices()
        .find(|(at, _)| *at >= TEXT_BYTES_MAX);
    let text = match cut {
        Some((at, _)) => told.text.get(..at).unwrap_or_default(),
        None => &told.text,
    };
    history::Outcome {
        address: address.to_lowercase(),
        state: state.to_owned(),
        host: told.host.clone(),
        reply: text.to_owned(),
    }
}
