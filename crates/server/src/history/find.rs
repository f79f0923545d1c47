//! Reads the histories of the messages that somebody asks for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use facteur_store::{Error, Notes};

use super::event::{Event, Key, What};
use super::limits::{EVENTS_MAX, FOUND_MAX, READ_BYTES};
use crate::days;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The newest first.
    pub messages: Vec<Passage>,
    /// There were more messages than are given.
    pub more: bool,
}

/// What happened to one message, in order.
#[derive(Debug, Default)]
pub struct Passage {
    pub events: Vec<Event>,
}

/// A Message-ID with or without its brackets, or an address.
pub fn find(notes: &Notes, needle: &str, only: Option<&str>) -> Result<Found, Error> {
    let needle = needle.trim().trim_matches(['<', '>']);
    if needle.is_empty() {
        return Ok(Found::default());
    }
    let needles = [needle.to_owned(), needle.to_lowercase()];
    let (keys, mut lone, mut more) = who_has(notes, &needles)?;
    let mut messages: HashMap<Key, Vec<Event>> = HashMap::new();
    if !keys.is_empty() {
        each_line(notes, |line| {
            if Event::key_of(line).is_some_and(|key| keys.contains(key))
                && let Some(event) = Event::parse(line)
            {
                let events = messages.entry(event.message.clone()).or_default();
                if events.len() < EVENTS_MAX {
                    events.push(event);
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    let mut passages: Vec<Passage> = messages
        .into_values()
        .chain(lone.drain(..).map(|event| vec![event]))
        .filter(|events| only.is_none_or(|only| is_of(events, only)))
        .map(|events| Passage { events })
        .collect();
    for passage in &mut passages {
        // A host that is near is tried in the same millisecond.
        let is_later = |event: &Event| !matches!(event.what, What::Accepted { .. });
        passage
            .events
            .sort_by_key(|event| (event.at, is_later(event)));
    }
    passages.sort_by_key(|passage| {
        std::cmp::Reverse(passage.events.last().map_or(0, |event| event.at))
    });
    more |= passages.len() > FOUND_MAX;
    passages.truncate(FOUND_MAX);
    Ok(Found {
        messages: passages,
        more,
    })
}

/// The newest messages whose lines have one of the needles, the events that have no message, and
/// whether there were more.
fn who_has(
    notes: &Notes,
    needles: &[String],
) -> Result<(HashSet<String>, Vec<Event>, bool), Error> {
    let finders: Vec<_> = needles
        .iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|needle| memchr::memmem::Finder::new(&as_written(needle)).into_owned())
        .collect();
    let (mut keys, mut order) = (HashSet::new(), std::collections::VecDeque::new());
    let (mut lone, mut more) = (Vec::new(), false);
    each_line(notes, |line| {
        if !finders.iter().any(|finder| finder.find(line).is_some()) {
            return ControlFlow::Continue(());
        }
        // The bytes may stand in another place than asked for: a reply that names an address.
        let Some(event) = Event::parse(line).filter(|event| names(event, needles)) else {
            return ControlFlow::Continue(());
        };
        if event.message.is_none() {
            lone.push(event);
            if lone.len() > FOUND_MAX {
                lone.remove(0);
                more = true;
            }
        } else if keys.insert(event.message.as_str().to_owned()) {
            order.push_back(event.message);
            if order.len() > FOUND_MAX {
                more = true;
                if let Some(oldest) = order.pop_front() {
                    keys.remove(oldest.as_str());
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok((keys, lone, more))
}

/// As it stands in a line.
fn as_written(text: &str) -> Vec<u8> {
    let quoted = serde_json::to_vec(text).unwrap_or_default();
    let text = quoted.strip_prefix(b"\"");
    let text = text.and_then(|text| text.strip_suffix(b"\""));
    text.unwrap_or_default().to_vec()
}

fn names(event: &Event, needles: &[String]) -> bool {
    use super::event::What;
    let is_asked = |text: &str| {
        let text = text.trim_matches(['<', '>']);
        needles
            .iter()
            .any(|needle| text.eq_ignore_ascii_case(needle))
    };
    let message_id = match &event.what {
        What::Accepted { message_id, .. } | What::Refused { message_id, .. } => message_id,
        What::Tried { .. } => "",
    };
    is_asked(message_id) || event.people().into_iter().any(is_asked)
}

fn is_of(events: &[Event], address: &str) -> bool {
    let people = events.iter().flat_map(Event::people);
    people
        .into_iter()
        .any(|one| one.eq_ignore_ascii_case(address))
}

/// All lines of all files, the oldest first, until `each` breaks.
fn each_line(notes: &Notes, mut each: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), Error> {
    for (name, _) in notes.list()? {
        if days::each_line(notes, &name, READ_BYTES, &mut each)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}
