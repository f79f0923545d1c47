//! Retention, restoring, and space that comes back.

use std::time::Duration;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn care(store: &Store) {
    while store.maintain().await.unwrap() {}
}

fn all() -> UidSet {
    UidSet::from_ranges([(1, u32::MAX)])
}

#[tokio::test]
async fn what_is_expunged_comes_back_until_retention_ends() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    fill(&store, alice, 3).await;
    let inbox = mailbox(&store, alice, "INBOX").id;
    let first = UidSet::from_ranges([(1, 2)]);
    let (gone, modseq) = store
        .expunge(alice, inbox, Some(first.clone()), false)
        .await
        .unwrap();
    assert_eq!(gone, first);
    assert_eq!(store.tombstones(alice, Some(inbox)).unwrap().len(), 2);
    assert_eq!(
        store.vanished_since(alice, inbox, ModSeq(1)).unwrap(),
        Some(first)
    );
    place.clock.advance(29 * DAY);
    care(&store).await;
    let one = UidSet::from_ranges([(2, 2)]);
    let back = store.restore(alice, inbox, one).await.unwrap();
    assert_eq!(back[0].uid, Uid(4));
    place.clock.advance(2 * DAY);
    care(&store).await;
    assert!(store.tombstones(alice, None).unwrap().is_empty());
    assert!(store.restore(alice, inbox, all()).await.unwrap().is_empty());
    assert_eq!(store.vanished_since(alice, inbox, ModSeq(1)).unwrap(), None);
    assert!(!store.changes_since(alice, ModSeq(0), 10).unwrap().complete);
    assert!(store.changes_since(alice, modseq, 10).unwrap().complete);
    let message = store.message(alice, inbox, Uid(4)).unwrap().unwrap();
    assert_eq!(read(&store, &message), b"Subject: 1\r\n\r\ntext of 1\r\n");
}

#[tokio::test]
async fn rows_of_a_picture_are_read_as_long_as_they_are_kept() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    fill(&store, alice, 6).await;
    let inbox = mailbox(&store, alice, "INBOX").id;
    let rows: Vec<Row> = store.index(alice, inbox).unwrap().rows().collect();
    let rows = [rows[0], rows[1], rows[2], rows[4]];
    let given = |stop: usize| {
        let mut uids = Vec::new();
        let bodies = store.bodies().unwrap();
        let each = &mut |message: Message<&[u8]>| {
            uids.push(message.row.uid.0);
            uids.len() < stop
        };
        bodies.messages_of(alice, inbox, &rows, each).unwrap();
        uids
    };
    assert_eq!(given(9), [1, 2, 3, 5]);
    assert_eq!(given(2), [1, 2]);
    let second = UidSet::from_ranges([(2, 2)]);
    let expunged = store.expunge(alice, inbox, Some(second), false).await;
    expunged.unwrap();
    assert_eq!(given(9), [1, 2, 3, 5]);
    place.clock.advance(31 * DAY);
    care(&store).await;
    assert_eq!(given(9), [1, 3, 5]);
    let all = store.bodies().unwrap();
    let gone = all.messages_of(alice, MailboxId(4711), &rows, &mut |_| true);
    assert!(matches!(gone, Err(Error::NoSuchMailbox)), "{gone:?}");
}

#[tokio::test]
async fn a_deleted_mailbox_comes_back_until_retention_ends() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let work = store.create_mailbox(alice, "a/b", None).await.unwrap();
    let new = body(&store, b"hello").await;
    store
        .append(alice, work, vec![(new, message(b""))])
        .await
        .unwrap();
    let before = mailbox(&store, alice, "a/b");
    store.delete_mailbox(alice, work).await.unwrap();
    assert!(store.index(alice, work).is_err());
    assert_eq!(store.account(alice).unwrap().unwrap().messages, 0);
    assert_eq!(store.tombstones(alice, None).unwrap().len(), 1);
    store.create_mailbox(alice, "a/b", None).await.unwrap();
    assert_eq!(store.restore_mailbox(alice, work).await.unwrap(), "a/b 2");
    let after = mailbox(&store, alice, "a/b 2");
    assert_eq!(
        (after.id, after.uid_validity, after.uid_next),
        (work, before.uid_validity, before.uid_next)
    );
    assert_eq!(store.index(alice, work).unwrap().len(), 1);
    store.delete_mailbox(alice, work).await.unwrap();
    place.clock.advance(31 * DAY);
    care(&store).await;
    assert!(store.deleted_mailboxes(alice).unwrap().is_empty());
    assert!(store.tombstones(alice, None).unwrap().is_empty());
    assert!(store.restore_mailbox(alice, work).await.is_err());
}

#[tokio::test]
async fn space_comes_back_and_what_stays_is_whole() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    for number in 0..40 {
        let new = body(&store, &noise(100_000, number)).await;
        store
            .deliver(new, vec![to(alice, "INBOX")], vec![])
            .await
            .unwrap();
    }
    let inbox = mailbox(&store, alice, "INBOX").id;
    let most = UidSet::from_ranges([(1, 17), (19, 39)]);
    store
        .expunge(alice, inbox, Some(most), false)
        .await
        .unwrap();
    care(&store).await;
    assert!(place.journal_bytes() > 4_000_000);
    place.clock.advance(31 * DAY);
    care(&store).await;
    assert!(place.journal_bytes() < 300_000, "{}", place.journal_bytes());
    for (uid, seed) in [(18, 17), (40, 39)] {
        let message = store.message(alice, inbox, Uid(uid)).unwrap().unwrap();
        assert_eq!(read(&store, &message), noise(100_000, seed));
    }
    fill(&store, alice, 5).await;
    store.close().await.unwrap();
    drop(store);
    std::fs::remove_file(place.directory.path().join("index.redb")).unwrap();
    let (store, recovery) = place.open();
    assert!(recovery.index_rebuilt);
    assert_eq!(store.index(alice, inbox).unwrap().len(), 7);
    let message = store.message(alice, inbox, Uid(18)).unwrap().unwrap();
    assert_eq!(read(&store, &message), noise(100_000, 17));
    care(&store).await;
}

#[tokio::test]
async fn an_erased_account_leaves_no_bytes_in_the_journal() {
    let place = Place::new();
    let (store, _) = place.open();
    let (alice, bob) = (person(&store, "alice").await, person(&store, "bob").await);
    let secret = noise(5_000, 7);
    let new = body(&store, &secret).await;
    store
        .deliver(new, vec![to(alice, "INBOX")], vec![])
        .await
        .unwrap();
    fill(&store, bob, 3).await;
    store.erase_account(alice).await.unwrap();
    assert!(matches!(store.mailboxes(alice), Err(Error::NoSuchAccount)));
    assert!(store.address("alice@example.test").unwrap().is_none());
    care(&store).await;
    let entries = std::fs::read_dir(place.directory.path().join("journal")).unwrap();
    for entry in entries {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, &secret[..64]).is_none());
        assert!(memchr::memmem::find(&bytes, b"alice@example.test").is_none());
    }
    assert_eq!(mailbox(&store, bob, "INBOX").messages, 3);
}

#[tokio::test]
async fn a_body_on_its_way_in_survives_a_compaction() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let bytes = noise(200_000, 3);
    let waiting = body(&store, &bytes).await;
    let other = person(&store, "other").await;
    store.erase_account(other).await.unwrap();
    care(&store).await;
    let delivered = store
        .deliver(waiting, vec![to(alice, "INBOX")], vec![])
        .await
        .unwrap();
    care(&store).await;
    let at = delivered.local[0].1;
    let message = store.message(alice, at.mailbox, at.uid).unwrap().unwrap();
    assert_eq!(read(&store, &message), bytes);
}

#[tokio::test]
async fn flags_of_a_whole_mailbox_change_in_one_transaction() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    fill(&store, alice, 1500).await;
    let inbox = mailbox(&store, alice, "INBOX").id;
    let before = store.index(alice, inbox).unwrap();
    let seen = FlagNames {
        system: SystemFlags::SEEN,
        keywords: vec!["$Work".to_owned()],
    };
    let edited = store
        .edit_flags(alice, inbox, all(), FlagEdit::Add, seen, None)
        .await
        .unwrap();
    assert_eq!(edited.changed.span(), 1500);
    let after = store.index(alice, inbox).unwrap();
    assert_eq!(after.mailbox().unseen, 0);
    assert_eq!(before.mailbox().unseen, 1500);
    assert!(
        after
            .rows()
            .all(|row| row.flags.keywords == 1 && row.modseq == edited.modseq)
    );
    assert!(before.rows().all(|row| row.flags == Flags::default()));
    let odd: UidSet = (1..=1500).step_by(2).map(Uid).collect();
    store.expunge(alice, inbox, Some(odd), false).await.unwrap();
    let after = store.index(alice, inbox).unwrap();
    assert_eq!(after.len(), 750);
    assert!(after.rows().all(|row| row.uid.0 % 2 == 0));
    let some: Vec<u32> = after
        .range(Uid(1001), Uid(1007))
        .map(|row| row.uid.0)
        .collect();
    assert_eq!(some, [1002, 1004, 1006]);
}

#[tokio::test]
async fn annotations_go_with_their_mailbox_for_good() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let work = store.create_mailbox(alice, "Work", None).await.unwrap();
    let edit = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let edits = vec![
        edit("/private/a", Some(b"1")),
        edit("/private/b", Some(b"")),
    ];
    store.set_metadata(alice, Some(work), edits).await.unwrap();
    let own = vec![edit("/private/a", Some(b"own"))];
    store.set_metadata(alice, None, own).await.unwrap();
    store.delete_mailbox(alice, work).await.unwrap();
    let more = store.set_metadata(alice, Some(work), vec![edit("/private/c", Some(b"3"))]);
    assert!(matches!(more.await, Err(Error::NoSuchMailbox)));
    store.restore_mailbox(alice, work).await.unwrap();
    let gone = vec![edit("/private/b", None)];
    store.set_metadata(alice, Some(work), gone).await.unwrap();
    let kept = store.metadata(alice, Some(work)).unwrap();
    assert_eq!(kept, [("/private/a".to_owned(), b"1".to_vec())]);
    store.delete_mailbox(alice, work).await.unwrap();
    place.clock.advance(31 * DAY);
    care(&store).await;
    assert!(store.metadata(alice, Some(work)).unwrap().is_empty());
    assert_eq!(store.metadata(alice, None).unwrap().len(), 1);
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[tokio::test]
async fn a_name_stays_subscribed_without_its_mailbox() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let kept = || store.subscriptions_without_mailbox(alice).unwrap();
    let work = store.create_mailbox(alice, "Work", None).await.unwrap();
    let muted = store.create_mailbox(alice, "Muted", None).await.unwrap();
    let edit = MailboxEdit {
        subscribed: Some(false),
        ..MailboxEdit::default()
    };
    store.edit_mailbox(alice, muted, edit).await.unwrap();
    store.delete_mailbox(alice, work).await.unwrap();
    store.delete_mailbox(alice, muted).await.unwrap();
    assert_eq!(kept(), ["Work"]);
    store.restore_mailbox(alice, work).await.unwrap();
    assert!(kept().is_empty());
    store.delete_mailbox(alice, work).await.unwrap();
    let muted = store.restore_mailbox(alice, muted).await.unwrap();
    let muted = mailbox(&store, alice, &muted);
    assert!(!muted.subscribed);
    // The next mailbox of the name gets it.
    store.rename_mailbox(alice, muted.id, "Work").await.unwrap();
    assert!(mailbox(&store, alice, "Work").subscribed && kept().is_empty());
    store.delete_mailbox(alice, muted.id).await.unwrap();
    assert!(store.unsubscribe_name(alice, "Work").await.unwrap());
    assert!(!store.unsubscribe_name(alice, "Work").await.unwrap());
    store.create_mailbox(alice, "Other", None).await.unwrap();
    let other = mailbox(&store, alice, "Other").id;
    store.delete_mailbox(alice, other).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}
