//! Searches that tell when their result changes: UPDATE and CANCELUPDATE, RFC 5267 §4.3.
//!
//! A change costs what changed: the messages of the change log are tested, nothing else. Sort
//! criteria never change in a message's life, so that one that stays keeps its place. Items of new
//! messages: RFC 5465 §7.

use std::sync::Arc;

use facteur_imap::command::{FetchAttribute, Numbering, Search, SearchKey, SortKey};
use facteur_imap::response::{Code, UpdateChange, UpdateData};
use facteur_imap::set::{Numbers, SequenceSet, SetNumber};
use facteur_imap::{Reply, Untagged, text};

use super::error::Failure;
use super::fetch;
use super::find;
use super::link::Link;
use super::order::{self, Value};
use super::selected::{Hit, Selected};
use super::{Handled, User, done, limits, search};
use crate::drive::Stream;

/// A search whose result is followed while its mailbox is selected.
pub(super) struct Context {
    tag: Vec<u8>,
    numbering: Numbering,
    /// Without sequence numbers.
    keys: Vec<SearchKey>,
    /// Uids that match.
    result: Numbers,
    /// With an order: the same uids in it.
    sorted: Option<Sorted>,
    /// Of new messages that come into it (RFC 5465 §7).
    items: Arc<[FetchAttribute]>,
}

struct Sorted {
    keys: Vec<SortKey>,
    messages: Vec<(Vec<Value>, u32)>,
}

/// RFC 5267 §4.3: a tag that is in use is an error.
pub(super) fn check_tag<S: Stream>(link: &Link<S>, selected: &Selected) -> Result<(), Failure> {
    let tag = link.session.running_tag();
    match selected.contexts.iter().any(|context| context.tag == tag) {
        true => Err(Reply::bad(text::BAD_TAG_REUSE).into()),
        false => Ok(()),
    }
}

/// RFC 5267 §4.3.1.
pub(super) fn refuse<S: Stream>(link: &mut Link<S>) {
    let reply = Reply::no(text::NO_UPDATE).with(Code::NoUpdate);
    link.session.respond(&Untagged::Reply(&reply));
}

/// Follows a result from now on, unless that is too much.
pub(super) async fn begin<S: Stream>(
    link: &mut Link<S>,
    selected: &mut Selected,
    request: &Search,
    found: &[Hit],
) -> Result<(), Failure> {
    let too_large = !request.sort.is_empty() && found.len() > limits::SORTED_CONTEXT_MAX;
    // RFC 6203 §3: what resembles depends on all of the mailbox, and may change with it.
    let fuzzy = request.keys.iter().any(SearchKey::uses_fuzzy);
    if selected.contexts.len() >= limits::CONTEXTS_MAX || too_large || fuzzy {
        refuse(link);
        return Ok(());
    }
    let sorted = if request.sort.is_empty() {
        None
    } else {
        let mut messages = values(link, selected, found, &request.sort).await?;
        messages.sort_by(|a, b| order::compare(&request.sort, (&a.0, a.1), (&b.0, b.1)));
        Some(Sorted {
            keys: request.sort.clone(),
            messages,
        })
    };
    let keys = request.keys.iter().cloned();
    let context = Context {
        tag: link.session.running_tag().to_vec(),
        numbering: request.numbering,
        keys: keys
            .map(|key| fixed(key, selected))
            .collect::<Result<_, _>>()?,
        result: found.iter().map(|hit| hit.row.uid.0).collect(),
        sorted,
        items: request.update_items.clone().into(),
    };
    selected.contexts.push(context);
    Ok(())
}

/// The sort criteria of messages, with their uids.
async fn values<S: Stream>(
    link: &mut Link<S>,
    selected: &Selected,
    hits: &[Hit],
    keys: &[SortKey],
) -> Result<Vec<(Vec<Value>, u32)>, Failure> {
    let mut hits = hits.to_vec();
    hits.sort_by_key(|hit| hit.row.uid);
    let columns = search::columns(link, selected.target(), &hits, keys).await?;
    let values = hits.iter().enumerate().map(|(at, hit)| {
        let values = columns.iter().map(|column| column.value(at)).collect();
        (values, hit.row.uid.0)
    });
    Ok(values.collect())
}

/// RFC 5267 §4.3: sequence numbers mean the messages that had them when the command came.
fn fixed(key: SearchKey, selected: &Selected) -> Result<SearchKey, Failure> {
    Ok(match key {
        SearchKey::Sequence(set) => by_uids(&selected.view.resolve_sequence(&set)?),
        SearchKey::Uid(SequenceSet::Saved) => by_uids(selected.view.saved()),
        SearchKey::And(keys) => SearchKey::And(
            keys.into_iter()
                .map(|key| fixed(key, selected))
                .collect::<Result<_, _>>()?,
        ),
        SearchKey::Or(left, right) => SearchKey::Or(
            Box::new(fixed(*left, selected)?),
            Box::new(fixed(*right, selected)?),
        ),
        SearchKey::Not(key) => SearchKey::Not(Box::new(fixed(*key, selected)?)),
        key => key,
    })
}

fn by_uids(uids: &Numbers) -> SearchKey {
    if uids.is_empty() {
        return SearchKey::Not(Box::new(SearchKey::All));
    }
    let number = SetNumber::Number;
    let ranges = uids.ranges().iter();
    SearchKey::Uid(SequenceSet::Ranges(
        ranges
            .map(|(first, last)| (number(*first), number(*last)))
            .collect(),
    ))
}

pub(super) fn cancel(user: &mut User, tags: &[String]) -> Handled {
    let selected = user.selected()?;
    let named = |context: &Context| tags.iter().any(|tag| tag.as_bytes() == context.tag);
    selected.contexts.retain(|context| !named(context));
    done(text::CANCELUPDATE_DONE)
}

/// What was expunged leaves every result; told before the numbers of messages shift.
pub(super) async fn expunged<S: Stream>(
    link: &mut Link<S>,
    selected: &mut Selected,
    uids: &Numbers,
) -> Result<(), Failure> {
    if uids.is_empty() {
        return Ok(());
    }
    for at in 0..selected.contexts.len() {
        let Some(context) = selected.contexts.get_mut(at) else {
            break;
        };
        let gone = context.result.intersection(uids);
        let changes = context.remove(&gone);
        tell(link, selected, at, changes).await?;
    }
    Ok(())
}

/// Messages that came or changed may match now, or no more. `arrived`: those that came.
pub(super) async fn changed<S: Stream>(
    link: &mut Link<S>,
    selected: &mut Selected,
    uids: &Numbers,
    arrived: &Numbers,
) -> Result<(), Failure> {
    if uids.is_empty() {
        return Ok(());
    }
    for at in 0..selected.contexts.len() {
        let Some(context) = selected.contexts.get(at) else {
            break;
        };
        let (keys, order) = (
            context.keys.clone(),
            context.sorted.as_ref().map(|sorted| sorted.keys.clone()),
        );
        let hits = find::find(link, selected.target(), keys, uids).await?;
        let matching: Numbers = hits.iter().map(|hit| hit.row.uid.0).collect();
        let new: Vec<Hit> = match selected.contexts.get(at) {
            Some(context) => hits
                .into_iter()
                .filter(|hit| !context.result.contains(hit.row.uid.0))
                .collect(),
            None => break,
        };
        let values = match &order {
            Some(order) => values(link, selected, &new, order).await?,
            None => new.iter().map(|hit| (Vec::new(), hit.row.uid.0)).collect(),
        };
        let items = selected
            .contexts
            .get(at)
            .map(|context| Arc::clone(&context.items));
        if let Some(items) = items.filter(|items| !items.is_empty()) {
            let new: Numbers = new.iter().map(|hit| hit.row.uid.0).collect();
            fetch::give(link, selected, &items, &new.intersection(arrived)).await?;
        }
        let Some(context) = selected.contexts.get_mut(at) else {
            break;
        };
        let gone = context.result.intersection(uids).difference(&matching);
        let mut changes = context.remove(&gone);
        changes.extend(context.add(values));
        tell(link, selected, at, changes).await?;
    }
    Ok(())
}

impl Context {
    /// Takes uids out of the result; what to tell, in uids.
    fn remove(&mut self, uids: &Numbers) -> Vec<UpdateChange> {
        if uids.is_empty() {
            return Vec::new();
        }
        self.result = self.result.difference(uids);
        let Some(sorted) = &mut self.sorted else {
            return vec![UpdateChange {
                removed: true,
                position: 0,
                numbers: uids.iter().collect(),
            }];
        };
        // From the last to the first: no place shifts under the next.
        let mut changes = Vec::new();
        for (at, (_, uid)) in sorted.messages.iter().enumerate().rev() {
            if uids.contains(*uid) {
                changes.push(UpdateChange {
                    removed: true,
                    position: position(at),
                    numbers: vec![*uid],
                });
            }
        }
        sorted.messages.retain(|(_, uid)| !uids.contains(*uid));
        changes
    }

    /// Puts messages into the result that were not in it.
    fn add(&mut self, messages: Vec<(Vec<Value>, u32)>) -> Vec<UpdateChange> {
        let uids: Numbers = messages.iter().map(|(_, uid)| *uid).collect();
        if uids.is_empty() {
            return Vec::new();
        }
        self.result = self.result.union(&uids);
        let Some(Sorted {
            keys,
            messages: sorted,
        }) = &mut self.sorted
        else {
            return vec![UpdateChange {
                removed: false,
                position: 0,
                numbers: uids.iter().collect(),
            }];
        };
        let mut changes = Vec::new();
        for message in messages {
            let before = |other: &(Vec<Value>, u32)| {
                order::compare(keys, (&other.0, other.1), (&message.0, message.1)).is_lt()
            };
            let at = sorted.partition_point(before);
            changes.push(UpdateChange {
                removed: false,
                position: position(at),
                numbers: vec![message.1],
            });
            sorted.insert(at, message);
        }
        changes
    }
}

/// Counted from 1.
fn position(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

async fn tell<S: Stream>(
    link: &mut Link<S>,
    selected: &Selected,
    at: usize,
    mut changes: Vec<UpdateChange>,
) -> Result<(), Failure> {
    let Some(context) = selected.contexts.get(at) else {
        return Ok(());
    };
    if context.numbering == Numbering::Sequence {
        for change in &mut changes {
            let sequence = |uid: &u32| selected.view.sequence(*uid);
            change.numbers = change.numbers.iter().filter_map(sequence).collect();
        }
        changes.retain(|change| !change.numbers.is_empty());
    }
    if changes.is_empty() {
        return Ok(());
    }
    link.say(&Untagged::SearchUpdate(&UpdateData {
        tag: &context.tag,
        numbering: context.numbering,
        changes: &changes,
    }))
    .await?;
    Ok(())
}
