//! UIDBATCHES (RFC 10022): the selected mailbox in ranges of uids.
//!
//! Each range takes two looks into the view, so how often a client asks is not counted (§6).

use facteur_imap::command::Batches;
use facteur_imap::response::Code;
use facteur_imap::{Reply, Untagged, limits, text};

use super::error::Failure;
use super::link::Link;
use super::{Handled, User, done};
use crate::drive::Stream;

pub(super) fn batches<S: Stream>(link: &mut Link<S>, user: &mut User, request: Batches) -> Handled {
    let view = &user.selected()?.view;
    let all = view.len().div_ceil(request.messages);
    let range = check(request, all)?;
    let ranges: Vec<(u32, u32)> = view.batches(request.messages, range).collect();
    link.session.respond(&Untagged::Batches(&ranges));
    done(text::BATCHES_DONE)
}

/// `all`: batches that there are.
fn check(request: Batches, all: u32) -> Result<std::ops::RangeInclusive<u32>, Failure> {
    let refuse = |text, code| Err(Reply::no(text).with(code).into());
    if request.messages < limits::BATCH_MESSAGES_MIN {
        return refuse(text::BATCH_TOO_SMALL, Code::TooFew);
    }
    let Some((first, last)) = request.range else {
        return match all > limits::BATCHES_MAX {
            true => refuse(text::BATCHES_TOO_MANY, Code::TooMany),
            false => Ok(1..=all),
        };
    };
    if last < first {
        let reply = Reply::bad(text::BATCHES_BACKWARDS);
        return Err(reply.with(Code::ClientBug).into());
    }
    let batches = u64::from(last - first) + 1;
    match batches * u64::from(request.messages) > limits::BATCHES_MESSAGES_MAX {
        true => refuse(text::BATCHES_TOO_MANY, Code::TooMany),
        false => Ok(first..=last),
    }
}
