//! Mail of programs whose fate is kept.

use super::*;
use crate::keys;

fn program(hook: bool) -> Program {
    Program {
        name: "shop".into(),
        from: vec!["shop@example.test".into()],
        user: None,
        token: Some([7; 32]),
        hook: hook.then(|| Hook {
            url: "https://hooks.test/".into(),
            secret: vec![1, 2],
            private: false,
        }),
        created: Timestamp(5),
    }
}

pub fn queued(addresses: &[&str]) -> NewQueueEntry {
    let recipients = addresses
        .iter()
        .map(|address| QueueRecipient::pending(*address));
    NewQueueEntry {
        domain: "remote.test".into(),
        reverse_path: "shop@example.test".into(),
        recipients: recipients.collect(),
        language: "en".into(),
        expires: Timestamp(i64::MAX),
        ..NewQueueEntry::default()
    }
}

fn sent(id: SentId, request: u8) -> NewSent {
    let recipient = |address: &str, state| SentRecipient {
        address: address.into(),
        state,
        told: String::new(),
        at: Timestamp(0),
    };
    NewSent {
        sent: Sent {
            id,
            program: "shop".into(),
            from: "shop@example.test".into(),
            message_id: "<1@example.test>".into(),
            key: Some([9; 16]),
            recipients: vec![
                recipient("alice@example.test", SentState::Delivered),
                recipient("A@remote.test", SentState::Queued),
                recipient("b@remote.test", SentState::Queued),
                recipient("c@remote.test", SentState::Suppressed),
            ],
        },
        request: [request; 16],
        places: vec![vec![Some(1), None], vec![Some(2)]],
    }
}

async fn deliver(store: &Store, alice: AccountId, new: NewSent) -> Taken {
    let parcel = Parcel {
        body: body(store, b"Subject: x\r\n\r\nx\r\n").await,
        mailboxes: Vec::new(),
        local: vec![to(alice, "INBOX")],
        queue: vec![
            queued(&["a@remote.test", "other@remote.test"]),
            queued(&["b@remote.test"]),
        ],
        aside: None,
        once: None,
    };
    store.deliver_sent(vec![parcel], vec![], new).await.unwrap()
}

fn ending(state: SentState, hard: bool) -> Option<Ending> {
    Some(Ending {
        state,
        hard,
        told: format!("said {state:?}"),
    })
}

fn states(store: &Store, id: SentId) -> Vec<SentState> {
    let sent = store.sent(id).unwrap().unwrap();
    sent.recipients.iter().map(|it| it.state).collect()
}

#[tokio::test]
async fn a_request_is_done_once_and_what_became_of_it_is_known() {
    use SentState::{Bounced, Deferred, Delivered, Queued, Suppressed};
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    store.add_program(program(true)).await.unwrap();
    let now = store.clock().now();
    let (first, second) = (SentId::new(now, [1; 8]), SentId::new(now, [2; 8]));
    assert_eq!(deliver(&store, alice, sent(first, 1)).await, Taken::New);
    for (request, same) in [(1, true), (2, false)] {
        let again = deliver(&store, alice, sent(second, request)).await;
        assert_eq!(again, Taken::Before { id: first, same });
    }
    assert_eq!(store.sent(second).unwrap(), None);
    assert_eq!(mailbox(&store, alice, "INBOX").messages, 1);
    let entries = store.queue_list(&QueueFilter::default(), None, 9).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(
        states(&store, first),
        [Delivered, Queued, Queued, Suppressed]
    );

    let (one, two) = (entries[0].clone(), entries[1].clone());
    for news in [true, false] {
        let endings = vec![ending(Deferred, false), ending(Deferred, false)];
        let update = store.queue_settle(one.id, Some(one.clone()), endings, vec![], vec![]);
        assert_eq!(update.await.unwrap(), news);
    }
    let endings = vec![ending(Bounced, true), ending(Delivered, false)];
    store
        .queue_settle(one.id, None, endings, vec![], vec![])
        .await
        .unwrap();
    // Removed by hand.
    store.queue_update(two.id, None, vec![]).await.unwrap();
    assert_eq!(
        states(&store, first),
        [Delivered, Bounced, Bounced, Suppressed]
    );
    let suppressed = store.suppressed("a@REMOTE.test").unwrap().unwrap();
    assert_eq!(suppressed.told, "said Bounced");
    assert_eq!(store.suppressed("b@remote.test").unwrap(), None);
    assert_eq!(store.all_suppressed("", 9).unwrap(), [suppressed]);
    assert_eq!(store.all_suppressed("a@remote.test", 9).unwrap(), []);

    store.close().await.unwrap();
    drop(store);
    let (store, _) = place.open();
    let again = deliver(&store, alice, sent(second, 1)).await;
    assert_eq!(
        again,
        Taken::Before {
            id: first,
            same: true
        }
    );
    calls(&place, &store).await;
    assert!(store.unsuppress("A@remote.test").await.unwrap());
    assert!(!store.unsuppress("A@remote.test").await.unwrap());
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

/// One for each change, deferred only once; they wait until they are settled.
async fn calls(place: &Place, store: &Store) {
    let now = store.clock().now();
    let look = store.calls(now, None, 99, |_| false).unwrap();
    let (found, next) = (look.calls, look.next);
    let mut told: Vec<(u32, SentState)> = found
        .iter()
        .map(|call| (call.place.recipient, call.recipient.state))
        .collect();
    told.sort_by_key(|(place, state)| (*place, *state as u8));
    let expected = [
        (0, SentState::Delivered),
        (1, SentState::Deferred),
        (1, SentState::Bounced),
        (2, SentState::Bounced),
        (3, SentState::Suppressed),
    ];
    assert_eq!((told.as_slice(), next), (&expected[..], None));
    let later = now.after(Duration::from_secs(60));
    for call in &found[1..] {
        store.settle_call(call.clone(), None).await.unwrap();
    }
    store
        .settle_call(found[0].clone(), Some(later))
        .await
        .unwrap();
    // Told twice by mistake: nothing more happens.
    store.settle_call(found[0].clone(), None).await.unwrap();
    let none = store.calls(now, None, 99, |_| false).unwrap();
    assert_eq!((none.calls, none.next), (vec![], Some(later)));
    place.clock.advance(Duration::from_secs(60));
    let again = store.calls(store.clock().now(), None, 99, |_| false);
    let again = again.unwrap().calls;
    assert_eq!((again.len(), again[0].attempts), (1, 1));
    let skipped = store.calls(store.clock().now(), None, 99, |_| true);
    assert_eq!(skipped.unwrap().calls, []);
    store.settle_call(again[0].clone(), None).await.unwrap();
}

#[tokio::test]
async fn what_is_past_its_time_is_forgotten() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    // Without a hook nobody is called.
    store.add_program(program(false)).await.unwrap();
    let id = SentId::new(store.clock().now(), [1; 8]);
    deliver(&store, alice, sent(id, 1)).await;
    let none = store.calls(store.clock().now(), None, 9, |_| false);
    assert_eq!(none.unwrap(), DueCalls::default());
    let request = store.request([9; 16]).unwrap();
    assert_eq!(request, Some((id, [1; 16])));
    place.clock.advance(Duration::from_secs(29 * 86_400));
    while store.maintain().await.unwrap() {}
    assert!(store.sent(id).unwrap().is_some());
    place.clock.advance(Duration::from_secs(2 * 86_400));
    while store.maintain().await.unwrap() {}
    assert_eq!(store.sent(id).unwrap(), None);
    assert_eq!(store.request([9; 16]).unwrap(), None);
    // Attempts go on, and the key is free.
    for entry in store.queue_list(&QueueFilter::default(), None, 9).unwrap() {
        let endings = vec![ending(SentState::Delivered, false)];
        store
            .queue_settle(entry.id, None, endings, vec![], vec![])
            .await
            .unwrap();
    }
    let id = SentId::new(store.clock().now(), [2; 8]);
    assert_eq!(deliver(&store, alice, sent(id, 2)).await, Taken::New);
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[tokio::test]
async fn many_calls_are_read_and_dropped_in_parts() {
    let place = Place::new();
    let (store, _) = place.open();
    store.add_program(program(true)).await.unwrap();
    let now = store.clock().now();
    let mut new = sent(SentId::new(now, [1; 8]), 1);
    let suppressed = new.sent.recipients.pop().unwrap();
    new.sent.recipients = vec![suppressed; 4_500];
    store.deliver_sent(vec![], vec![], new).await.unwrap();
    // What is passed over does not hide what comes behind it, and none is seen twice.
    let (mut after, mut looks, mut found) = (None, 0, Vec::new());
    loop {
        let look = store.calls(now, after, 9, |call| call.place.recipient < 4_490);
        let look = look.unwrap();
        found.extend(look.calls.iter().map(|call| call.place.recipient));
        (after, looks) = (look.after, looks + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, (4_490..4_500).collect::<Vec<u32>>());
    assert!(looks > 4, "{looks}");
    assert_eq!(store.drop_calls(now).await.unwrap(), 0);
    let later = now.after(Duration::from_secs(1));
    assert_eq!(store.drop_calls(later).await.unwrap(), 4_000);
    assert_eq!(store.drop_calls(later).await.unwrap(), 500);
    let none = store.calls(now, None, 9, |_| false).unwrap();
    assert_eq!(none, DueCalls::default());
}

#[tokio::test]
async fn reports_that_come_by_mail_are_believed_of_recipients_alone() {
    use SentState::{BouncedLater, Complained, Delivered, Queued, Suppressed};
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    store.add_program(program(true)).await.unwrap();
    let id = SentId::new(store.clock().now(), [1; 8]);
    deliver(&store, alice, sent(id, 1)).await;
    let calls = store
        .calls(store.clock().now(), None, 99, |_| false)
        .unwrap();
    let before = calls.calls.len();
    let report = |addresses: &[&str], state| Later {
        addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
        ending: ending(state, true).unwrap(),
    };
    let nobody = vec![
        report(&["stranger@remote.test"], BouncedLater),
        report(&[], Complained),
    ];
    assert!(!store.settle_later(id, nobody).await.unwrap());
    let two = vec![
        report(&["x@y.test", "a@REMOTE.test"], BouncedLater),
        report(&["b@remote.test"], Complained),
    ];
    for news in [true, false] {
        assert_eq!(store.settle_later(id, two.clone()).await.unwrap(), news);
        assert_eq!(
            states(&store, id),
            [Delivered, BouncedLater, Complained, Suppressed]
        );
    }
    for address in ["a@remote.test", "b@remote.test"] {
        assert!(store.suppressed(address).unwrap().is_some(), "{address}");
    }
    assert_eq!(store.suppressed("x@y.test").unwrap(), None);
    let calls = store
        .calls(store.clock().now(), None, 99, |_| false)
        .unwrap();
    assert_eq!(calls.calls.len(), before + 2);
    // Of a message to one alone it is clear who is meant.
    let one = SentId::new(store.clock().now(), [2; 8]);
    let mut new = sent(one, 2);
    new.sent.key = None;
    new.sent.recipients.truncate(2);
    new.sent.recipients.remove(0);
    new.places.clear();
    deliver(&store, alice, new).await;
    assert_eq!(states(&store, one), [Queued]);
    store.unsuppress("a@remote.test").await.unwrap();
    let behind = vec![report(&["elsewhere@far.test"], BouncedLater)];
    assert!(store.settle_later(one, behind).await.unwrap());
    assert_eq!(states(&store, one), [BouncedLater]);
    assert_eq!(store.suppressed("a@remote.test").unwrap(), None);
    assert_eq!(store.suppressed("elsewhere@far.test").unwrap(), None);
}

/// A message to many is as many queue entries: none of them writes all its recipients anew.
#[tokio::test]
async fn what_became_of_a_recipient_is_a_row_of_its_own() {
    use SentState::{Delivered, Queued, Suppressed};
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    store.add_program(program(false)).await.unwrap();
    let id = SentId::new(store.clock().now(), [1; 8]);
    deliver(&store, alice, sent(id, 1)).await;
    let row = |key: &[u8]| store.view().unwrap().get(key).unwrap();
    let before = row(&keys::sent(id));
    let entry = store.queue_list(&QueueFilter::default(), None, 1).unwrap();
    let endings = vec![ending(Delivered, false), None];
    let settled = store.queue_settle(entry[0].id, None, endings, vec![], vec![]);
    assert!(settled.await.unwrap());
    assert_eq!(row(&keys::sent(id)), before);
    let expected = [Delivered, Delivered, Queued, Suppressed];
    assert_eq!(states(&store, id), expected);
    assert!(row(&keys::fate(id, 1)).is_some());
    // It goes with the message.
    place.clock.advance(Duration::from_secs(31 * 86_400));
    // The first round measures.
    for _ in 0..2 {
        while store.maintain().await.unwrap() {}
    }
    assert_eq!(store.sent(id).unwrap(), None);
    assert_eq!(row(&keys::fate(id, 1)), None);
}
