//! `verify` is content with a good store and finds every kind of damage.

use super::*;
use crate::{keys, rows};

fn check(place: &Place) -> Report {
    Store::verify(place.disk(), place.clock.clone()).unwrap()
}

async fn some_life(place: &Place) {
    let (store, _) = place.open();
    store.create_domain("example.test").await.unwrap();
    let (alice, bob) = (person(&store, "alice").await, person(&store, "bob").await);
    fill(&store, alice, 20).await;
    let inbox = mailbox(&store, alice, "INBOX").id;
    let work = store
        .create_mailbox(alice, "Work/2026", None)
        .await
        .unwrap();
    let some = UidSet::from_ranges([(1, 5)]);
    store.copy(alice, inbox, some.clone(), work).await.unwrap();
    store.move_messages(alice, inbox, some, work).await.unwrap();
    store
        .expunge(alice, inbox, Some(UidSet::from_ranges([(6, 8)])), false)
        .await
        .unwrap();
    store
        .rename_mailbox(alice, work, "Other/Place")
        .await
        .unwrap();
    store.delete_mailbox(alice, work).await.unwrap();
    let entry = NewQueueEntry {
        domain: "example.org".to_owned(),
        reverse_path: "alice@example.test".to_owned(),
        prefix: b"Received: x\r\n".to_vec(),
        language: "en".to_owned(),
        due: store.clock().now(),
        expires: store.clock().now(),
        ..NewQueueEntry::default()
    };
    let new = body(&store, &noise(150_000, 1)).await;
    store
        .deliver(new, vec![to(bob, "INBOX")], vec![entry])
        .await
        .unwrap();
    let take = || {
        let now = store.clock().now();
        let look = store.queue_look("example.org", Spot::default(), now, 10);
        look.unwrap().taken
    };
    assert_eq!(take().len(), 1);
    assert!(take().is_empty());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_good_store_is_clean() {
    let place = Place::new();
    some_life(&place).await;
    let report = check(&place);
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!((report.accounts, report.mailboxes), (2, 14));
    assert_eq!((report.messages, report.tombstones), (13, 13));
    assert_eq!((report.queue_entries, report.blobs), (1, 21));
    assert!(report.journal_records > 20);
}

#[tokio::test]
async fn every_flipped_byte_of_the_journal_is_found() {
    let place = Place::new();
    some_life(&place).await;
    let path = place.directory.path().join("journal/00000001.seg");
    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        let report = check(&place);
        assert!(!report.faults.is_empty(), "byte {at} of {}", good.len());
    }
    std::fs::write(&path, &good).unwrap();
    assert!(check(&place).faults.is_empty());
}

#[tokio::test]
async fn a_journal_that_lost_its_end_is_refused() {
    let place = Place::new();
    some_life(&place).await;
    let path = place.directory.path().join("journal/00000001.seg");
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, &good[..good.len() - 100]).unwrap();
    let Err(Error::Damaged { place: where_, .. }) = place.try_open() else {
        panic!("it opened");
    };
    assert!(where_.contains("journal/00000001.seg"), "{where_}");
    assert!(!check(&place).faults.is_empty());
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_reported() {
    let place = Place::new();
    some_life(&place).await;
    let path = place.directory.path().join("journal/00000001.seg");
    let good = std::fs::read(&path).unwrap();
    let mut torn = good.clone();
    torn.extend_from_slice(b"FJR\x01 half of a group");
    std::fs::write(&path, &torn).unwrap();
    let (store, recovery) = place.open();
    assert_eq!(recovery.torn_bytes, (torn.len() - good.len()) as u64);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap(), good);
    assert!(check(&place).faults.is_empty());
}

#[tokio::test]
async fn a_damaged_index_is_found_or_built_again() {
    let place = Place::new();
    some_life(&place).await;
    let path = place.directory.path().join("index.redb");
    let good = std::fs::read(&path).unwrap();
    let mut found = 0;
    for at in (0..good.len()).step_by(good.len() / 30) {
        let mut bad = good.clone();
        let end = (at + 2000).min(bad.len());
        bad[at..end].iter_mut().for_each(|byte| *byte ^= 0x11);
        std::fs::write(&path, &bad).unwrap();
        found += usize::from(!check(&place).faults.is_empty());
    }
    assert!(found > 0);
    std::fs::write(&path, b"not a database").unwrap();
    let (store, recovery) = place.open();
    assert!(recovery.index_rebuilt);
    store.close().await.unwrap();
    drop(store);
    assert!(check(&place).faults.is_empty());
}

/// A row that does not fit the others; `None`: it is missing.
type Edit = (Vec<u8>, Option<Vec<u8>>);

/// Rows of a store in which alice shares her INBOX with bob, each wrong by itself.
fn wrong_rights(alice: AccountId, bob: AccountId) -> Vec<Edit> {
    let given = rows::encode_rights(Rights::READ);
    let (inbox, missing) = (MailboxId(1), MailboxId(99));
    let bobs = Grantee::Account(bob);
    let nobody = Grantee::Account(AccountId(99));
    vec![
        // Bob does not know, or would know of what is not so.
        (keys::share(bobs, alice), None),
        (keys::share(bobs, alice), Some(rows::encode_share(false))),
        (
            keys::share(Grantee::Anyone, alice),
            Some(rows::encode_share(true)),
        ),
        (keys::share(nobody, alice), Some(rows::encode_share(false))),
        // Nothing given, in no mailbox, to nobody who knows.
        (
            keys::right(alice, inbox, bobs),
            Some(rows::encode_rights(Rights::NONE)),
        ),
        (keys::right(alice, missing, bobs), Some(given.clone())),
        (keys::right(alice, inbox, nobody), Some(given)),
        // Seen where nothing is, by somebody who has nothing there.
        (keys::seen(alice, missing, bob, 0), Some(seen_page())),
        (keys::seen(bob, inbox, alice, 0), Some(seen_page())),
    ]
}

fn seen_page() -> Vec<u8> {
    let mut page = vec![1];
    page.resize(1 + limits::SEEN_PAGE_UIDS as usize / 8, 0xff);
    page
}

#[tokio::test]
async fn rights_that_only_one_side_knows_are_found() {
    for number in 0..=wrong_rights(AccountId(1), AccountId(2)).len() {
        let place = Place::new();
        let (store, _) = place.open();
        let (alice, bob) = (person(&store, "alice").await, person(&store, "bob").await);
        fill(&store, alice, 2).await;
        let inbox = mailbox(&store, alice, "INBOX").id;
        let (grantee, rights) = (Grantee::Account(bob), Rights::ALL);
        let given = store.edit_rights(alice, Some(inbox), grantee, RightsEdit::Set, rights);
        given.await.unwrap();
        let seat = crate::Place {
            account: alice,
            mailbox: inbox,
            viewer: bob,
        };
        let seen = FlagNames {
            system: SystemFlags::SEEN,
            keywords: Vec::new(),
        };
        let all = UidSet::from_ranges([(1, 2)]);
        let edit = (FlagEdit::Add, FlagScope::ALL);
        let edited = store.edit_flags_in(seat, all, edit, seen, None).await;
        assert_eq!(edited.unwrap().changed.span(), 2);
        assert_eq!(store.index_in(seat).unwrap().unseen(), 0);
        let edit = wrong_rights(alice, bob).into_iter().nth(number);
        let is_wrong = edit.is_some();
        let broken = store.write(move |tx| {
            match edit {
                Some((key, Some(value))) => tx.put(key, value),
                Some((key, None)) => tx.delete(key),
                None => {}
            }
            Ok(())
        });
        broken.await.unwrap();
        store.close().await.unwrap();
        drop(store);
        let faults = check(&place).faults;
        assert_eq!(!faults.is_empty(), is_wrong, "{number}: {faults:?}");
    }
}

/// What an older version left in the queue is found again, as it was.
#[tokio::test]
async fn the_first_format_of_the_queue_is_converted() {
    let place = Place::new();
    some_life(&place).await;
    let (store, _) = place.open();
    let id = QueueId(1);
    let entry = store.queue_entry(id).unwrap().unwrap();
    let old = entry.clone();
    let run = move |tx: &mut crate::tx::Tx<'_>| {
        tx.delete(keys::waiting(&old.domain, crate::ops::queue::spot(&old)));
        tx.put(keys::queue(id), rows::encode_queue_first(&old));
        tx.put(keys::due(old.due, id), vec![1]);
        Ok(())
    };
    store.engine.write(0, run).await.unwrap();
    assert_eq!(store.queue_entry(id).unwrap().as_ref(), Some(&entry));
    store.close().await.unwrap();
    drop(store);
    assert_eq!(check(&place).faults, Vec::<String>::new());

    let (store, _) = place.open();
    assert_eq!(store.queue_destinations(None, 9).unwrap().len(), 0);
    assert!(store.queue_convert().await.unwrap());
    assert!(!store.queue_convert().await.unwrap());
    assert_eq!(store.queue_destinations(None, 9).unwrap(), ["example.org"]);
    let now = store.clock().now();
    let look = store.queue_look("example.org", Spot::default(), now, 9);
    assert_eq!(look.unwrap().taken, [entry]);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(check(&place).faults, Vec::<String>::new());
}

/// The more urgent first, and what is later only in its time.
#[tokio::test]
async fn the_queue_gives_the_most_urgent_first() {
    let place = Place::new();
    some_life(&place).await;
    let (store, _) = place.open();
    let now = store.clock().now();
    let pattern = store.queue_entry(QueueId(1)).unwrap().unwrap();
    for (priority, seconds) in [(-4, 0), (9, 60), (0, 0), (0, 30), (4, 0)] {
        let new = NewQueueEntry {
            domain: "far.test".to_owned(),
            reverse_path: pattern.reverse_path.clone(),
            language: "en".to_owned(),
            due: now.after(std::time::Duration::from_secs(seconds)),
            expires: now,
            wishes: Wishes {
                priority,
                ..Wishes::default()
            },
            ..NewQueueEntry::default()
        };
        let body = body(&store, b"text").await;
        store.deliver(body, vec![], vec![new]).await.unwrap();
    }
    let mut from = Spot::default();
    let mut order = Vec::new();
    loop {
        let look = store.queue_look("far.test", from, now, 1).unwrap();
        from = look.from;
        let Some(entry) = look.taken.first() else {
            assert_eq!(look.ready, None);
            assert_eq!(
                look.next,
                Some(now.after(std::time::Duration::from_secs(30)))
            );
            break;
        };
        order.push(entry.wishes.priority);
    }
    assert_eq!(order, [4, 0, -4]);
    // Given back, it is found again though the look had passed it.
    let watch = store.queue_watch();
    store.queue_release(QueueId(6));
    let changed = store.queue_changed();
    let from = changed["far.test"];
    let again = store.queue_look("far.test", from, now, 9).unwrap();
    assert_eq!(again.taken.len(), 1);
    assert_eq!(again.taken[0].wishes.priority, 4);
    drop(watch);
}
