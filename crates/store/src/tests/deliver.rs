//! Delivery, append, reading, changes, watching, and what a restart finds.

use super::*;

#[tokio::test]
async fn a_delivery_is_read_back() {
    let place = Place::new();
    let (store, _) = place.open();
    let (alice, bob) = (person(&store, "alice").await, person(&store, "bob").await);
    let text = b"Subject: hello\r\n\r\nworld\r\n".repeat(100);
    let new = body(&store, &text).await;
    let local = vec![to(alice, "inbox"), to(bob, "No such mailbox")];
    let mut watcher = store.watch(alice);
    let seen = watcher.current();
    let delivered = store.deliver(new, local, vec![]).await.unwrap();
    assert_eq!(delivered.local.len(), 2);
    assert!(watcher.past(seen).await.unwrap() > seen);
    for (account, appended) in delivered.local {
        let inbox = mailbox(&store, account, "INBOX");
        assert_eq!(
            (inbox.id, inbox.messages, inbox.unseen),
            (appended.mailbox, 1, 1)
        );
        assert_eq!(inbox.size, 17 + text.len() as u64);
        let index = store.index(account, inbox.id).unwrap();
        assert_eq!(index.len(), 1);
        assert_eq!(index.get(appended.uid).unwrap().modseq, appended.modseq);
        let message = store
            .message(account, inbox.id, appended.uid)
            .unwrap()
            .unwrap();
        assert_eq!(&*message.prefix, b"Return-Path: <>\r\n");
        assert_eq!(read(&store, &message), text);
        let changes = store.changes_since(account, seen, 100).unwrap();
        assert!(changes.complete);
        let last = changes.entries.last().unwrap();
        assert!(last.mailboxes[0].added.contains(appended.uid));
        assert_eq!(changes.up_to, appended.modseq);
    }
}

#[tokio::test]
async fn watchers_read_the_same_news_and_miss_none() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let watchers = [store.watch(alice), store.watch(alice)];
    let start = watchers[0].current();
    let read = |since, newest| {
        let one = watchers[0].changes_since(&store, since, newest, 100);
        let other = watchers[1].changes_since(&store, since, newest, 100);
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one, other);
        assert_eq!(*one, store.changes_since(alice, since, 100).unwrap());
        one.entries.len()
    };
    assert_eq!(read(start, start), 0);
    for count in 1..=3 {
        fill(&store, alice, 1).await;
        let newest = store.changes_since(alice, start, 100).unwrap().up_to;
        // Whoever has seen it hears of it, told of it or not.
        assert_eq!(read(start, newest), count);
        assert_eq!(read(newest, newest), 0);
        assert_eq!(read(start, newest), count);
    }
    let some = watchers[0].changes_since(&store, start, start, 2);
    assert_eq!(
        *some.unwrap(),
        store.changes_since(alice, start, 2).unwrap()
    );
}

#[tokio::test]
async fn a_large_body_is_stored_in_pieces_and_read_in_ranges() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let bytes = noise(300_000, 1);
    let new = body(&store, &bytes).await;
    store
        .deliver(new, vec![to(alice, "INBOX")], vec![])
        .await
        .unwrap();
    let inbox = mailbox(&store, alice, "INBOX").id;
    let message = store.message(alice, inbox, Uid(1)).unwrap().unwrap();
    assert_eq!(read(&store, &message), bytes);
    let mut part = Vec::new();
    store
        .read_body(message.blob, 65_000..140_001, &mut part)
        .unwrap();
    assert_eq!(part, &bytes[65_000..140_001]);
    let new = body(&store, &bytes).await;
    for range in [0..10, 65_000..140_001, 299_990..400_000, 0..300_000] {
        let mut part = Vec::new();
        store
            .read_new_body(&new.body, range.clone(), &mut part)
            .unwrap();
        let (start, end) = (range.start as usize, range.end.min(300_000) as usize);
        assert_eq!(part, &bytes[start..end]);
    }
    drop(new);
    let before = place.journal_bytes();
    let same = body(&store, &bytes[..60_000]).await;
    drop(same);
    let again = NewBody {
        thread_keys: vec![],
        ..body(&store, &bytes).await
    };
    store
        .deliver(again, vec![to(alice, "INBOX")], vec![])
        .await
        .unwrap();
    // The last piece of a body that is there already is not written again.
    assert!(place.journal_bytes() < before + 4 * 65_600 + 4_000);
}

#[tokio::test]
async fn everything_is_there_after_a_drop_without_close_and_after_close() {
    let place = Place::new();
    let (store, recovery) = place.open();
    assert_eq!(recovery, Recovery::default());
    let alice = person(&store, "alice").await;
    fill(&store, alice, 10).await;
    store.create_domain("example.test").await.unwrap();
    let inbox = mailbox(&store, alice, "INBOX");
    let account = store.account(alice).unwrap();
    drop(store);
    let (store, _) = place.open();
    assert_eq!(mailbox(&store, alice, "INBOX"), inbox);
    assert_eq!(store.account(alice).unwrap(), account);
    assert_eq!(store.index(alice, inbox.id).unwrap().len(), 10);
    fill(&store, alice, 1).await;
    store.close().await.unwrap();
    assert!(matches!(store.account(alice), Err(Error::Closed)));
    assert!(matches!(store.create_domain("x").await, Err(Error::Closed)));
    drop(store);
    let (store, recovery) = place.open();
    assert_eq!(recovery.replayed_transactions, 0);
    assert_eq!(mailbox(&store, alice, "INBOX").messages, 11);
    assert_eq!(store.domains().unwrap().len(), 1);
}

#[tokio::test]
async fn the_index_is_built_again_from_the_journal_alone() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    fill(&store, alice, 10).await;
    store.close().await.unwrap();
    drop(store);
    std::fs::remove_file(place.directory.path().join("index.redb")).unwrap();
    let (store, recovery) = place.open();
    assert!(recovery.index_rebuilt);
    let inbox = mailbox(&store, alice, "INBOX").id;
    let message = store.message(alice, inbox, Uid(3)).unwrap().unwrap();
    assert_eq!(read(&store, &message), b"Subject: 2\r\n\r\ntext of 2\r\n");
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let before = store.account(alice).unwrap();
    let new = body(&store, b"x").await;
    let local = vec![to(alice, "INBOX"), to(AccountId(99), "INBOX")];
    let failed = store.deliver(new, local, vec![]).await;
    assert!(matches!(failed, Err(Error::NoSuchAccount)));
    assert_eq!(store.account(alice).unwrap(), before);
    let edit = AccountEdit {
        quota_bytes: Some(Some(10)),
        ..AccountEdit::default()
    };
    store.edit_account(alice, edit).await.unwrap();
    let new = body(&store, b"12345678901").await;
    let failed = store.deliver(new, vec![to(alice, "INBOX")], vec![]).await;
    assert!(matches!(failed, Err(Error::OverQuota)));
}

#[tokio::test]
async fn many_writers_share_groups() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let tasks: Vec<_> = (0..64)
        .map(|number: u32| {
            let store = store.clone();
            tokio::spawn(async move {
                let new = body(&store, format!("body {number}").as_bytes()).await;
                store.deliver(new, vec![to(alice, "INBOX")], vec![]).await
            })
        })
        .collect();
    let inbox = mailbox(&store, alice, "INBOX").id;
    for task in tasks {
        let delivered = task.await.unwrap().unwrap();
        let uid = delivered.local[0].1.uid;
        assert!(store.index(alice, inbox).unwrap().get(uid).is_some());
    }
    let uids: Vec<u32> = store
        .index(alice, inbox)
        .unwrap()
        .rows()
        .map(|r| r.uid.0)
        .collect();
    assert_eq!(uids, (1..=64).collect::<Vec<_>>());
}
