use std::sync::Arc;

use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{BlobId, Options, Store, Timestamp};

use super::*;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn accepted(number: u8, at: i64, from: &str, to: &str) -> Event {
    let what = What::Accepted {
        door: "smtp".to_owned(),
        peer: "192.0.2.1:25".to_owned(),
        from: from.to_owned(),
        message_id: format!("<{number}@example.test>"),
        size: 100,
        recipients: vec![Way {
            to: to.to_owned(),
            ends: to.to_owned(),
            here: true,
            discarded: false,
        }],
        told: String::new(),
    };
    Event::new(Key::of(BlobId([number; 32])), Timestamp(at), what)
}

fn tried(number: u8, at: i64, address: &str) -> Event {
    let what = What::Tried {
        queue: 1,
        domain: "elsewhere.test".to_owned(),
        recipients: vec![Outcome {
            address: address.to_owned(),
            state: "delivered".to_owned(),
            host: "mx.elsewhere.test".to_owned(),
            reply: "250 carol@elsewhere.test is known here".to_owned(),
        }],
        again: None,
        reported: false,
        unproven: false,
    };
    Event::new(Key::of(BlobId([number; 32])), Timestamp(at), what)
}

fn refused(at: i64, to: &str) -> Event {
    let what = What::Refused {
        door: "smtp".to_owned(),
        peer: "192.0.2.9:25".to_owned(),
        from: "stranger@elsewhere.test".to_owned(),
        message_id: String::new(),
        recipients: vec![to.to_owned()],
        why: "550 5.1.1 no such mailbox".to_owned(),
    };
    Event::new(Key::default(), Timestamp(at), what)
}

struct World {
    store: Store,
    history: History,
}

impl World {
    fn new() -> World {
        let (disk, clock) = (Arc::new(SimDisk::new(1)), Arc::new(VirtualClock::new(1)));
        let (store, _) = Store::open(disk, clock, Options::default()).unwrap();
        World {
            history: History::new(store.clone()),
            store,
        }
    }

    fn tell(&self, events: impl IntoIterator<Item = Event>) {
        events
            .into_iter()
            .for_each(|event| self.history.tell(event));
    }

    /// The numbers of events of each message found.
    fn found(&self, needle: &str, only: Option<&str>) -> Vec<usize> {
        let found = self.history.find(needle, only).unwrap();
        let messages = found.messages.iter();
        messages.map(|message| message.events.len()).collect()
    }

    fn files(&self) -> Vec<String> {
        let files = self.store.notes(DIRECTORY).unwrap().list().unwrap();
        files.into_iter().map(|(name, _)| name).collect()
    }
}

#[test]
fn a_message_is_found_by_its_id_and_by_its_people() {
    let world = World::new();
    world.tell([
        accepted(1, 1000, "alice@example.test", "carol@elsewhere.test"),
        accepted(2, 2000, "dave@elsewhere.test", "bob@example.test"),
        refused(2500, "nobody@example.test"),
        tried(1, 3000, "carol@elsewhere.test"),
    ]);
    assert_eq!(world.found("<1@example.test>", None), [2]);
    assert_eq!(world.found("1@example.test", None), [2]);
    assert_eq!(world.found("Carol@Elsewhere.test", None), [2]);
    assert_eq!(world.found("bob@example.test", None), [1]);
    assert_eq!(world.found("nobody@example.test", None), [1]);
    assert_eq!(world.found("eve@example.test", None), [0_usize; 0]);
    assert_eq!(world.found("", None), [0_usize; 0]);
    let both = world.history.find("1@example.test", None).unwrap();
    let times: Vec<i64> = both.messages[0]
        .events
        .iter()
        .map(|event| event.at)
        .collect();
    assert_eq!(times, [1000, 3000]);
}

#[test]
fn people_find_their_own_mail_only() {
    let world = World::new();
    world.tell([
        accepted(1, 1000, "alice@example.test", "carol@elsewhere.test"),
        accepted(2, 2000, "carol@elsewhere.test", "bob@example.test"),
    ]);
    assert_eq!(world.found("carol@elsewhere.test", None), [1, 1]);
    let own = Some("alice@example.test");
    assert_eq!(world.found("carol@elsewhere.test", own), [1]);
    assert_eq!(world.found("2@example.test", own), [0_usize; 0]);
}

#[test]
fn old_files_go() {
    let world = World::new();
    for day in [0, 1, 30, 31] {
        world.tell([accepted(1, day * DAY, "a@example.test", "b@example.test")]);
        world.found("a@example.test", None);
    }
    assert_eq!(world.files(), ["1970-01-02", "1970-01-31", "1970-02-01"]);
    assert_eq!(world.found("b@example.test", None), [3]);
}

#[test]
fn a_line_that_a_crash_cut_is_passed_over() {
    let world = World::new();
    world.tell([accepted(1, 1000, "alice@example.test", "bob@example.test")]);
    assert_eq!(world.found("bob@example.test", None), [1]);
    let notes = world.store.notes(DIRECTORY).unwrap();
    let line = accepted(2, 1000, "bob@example.test", "bob@example.test").line();
    notes.append("1970-01-01", &line[..60]).unwrap();
    assert_eq!(world.found("bob@example.test", None), [1]);
    // The next line is written behind it and lost with it; the one after that is not.
    world.tell([accepted(3, 2000, "alice@example.test", "bob@example.test")]);
    world.found("", None);
    world.tell([accepted(4, 3000, "alice@example.test", "bob@example.test")]);
    assert_eq!(world.found("bob@example.test", None), [1, 1]);
}

#[test]
fn many_messages_are_cut_to_the_newest() {
    let world = World::new();
    let events = (0..=limits::FOUND_MAX).map(|number| {
        let mut event = accepted(0, number as i64, "alice@example.test", "bob@example.test");
        let mut blob = [0; 32];
        blob[..8].copy_from_slice(&(number as u64).to_be_bytes());
        event.message = Key::of(BlobId(blob));
        event
    });
    world.tell(events);
    let found = world.history.find("alice@example.test", None).unwrap();
    assert_eq!(found.messages.len(), limits::FOUND_MAX);
    assert!(found.more);
    assert_eq!(found.messages[0].events[0].at, limits::FOUND_MAX as i64);
}

#[test]
fn what_was_told_last_is_written_at_the_end() {
    let world = World::new();
    world.tell((0..2_000).map(|at| accepted(1, at, "alice@example.test", "bob@example.test")));
    let World { store, history } = world;
    drop(history);
    let found = History::new(store).find("1@example.test", None).unwrap();
    assert_eq!(found.messages[0].events.len(), limits::EVENTS_MAX);
}
