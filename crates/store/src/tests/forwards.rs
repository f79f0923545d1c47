//! Mail that goes on: asked, agreed, withdrawn, forgotten with what it came from.

use super::*;
use crate::limits::{FORWARD_ASKED_KEPT, FORWARDS_OF_ACCOUNT_MAX};

fn forward(number: u8, source: ForwardSource, target: &str, at: Timestamp) -> Forward {
    Forward {
        id: ForwardId([number; 16]),
        source,
        target: target.into(),
        state: ForwardState::Asked,
        at,
        failures: 0,
    }
}

fn targets(store: &Store) -> Vec<String> {
    let found = store.forwards().unwrap().into_iter();
    found.map(|forward| forward.target).collect()
}

#[tokio::test]
async fn what_stood_of_an_alias_goes_with_its_targets() {
    let place = Place::new();
    let (store, _) = place.open();
    let now = store.clock().now();
    let alias = ForwardSource::Alias("info@example.test".into());
    let asked = ["a@far.test", "b@far.test"].map(str::to_owned).to_vec();
    let forwards = (1..).zip(&asked);
    let forwards = forwards.map(|(number, target)| forward(number, alias.clone(), target, now));
    let done = store.set_alias(
        "info@example.test",
        asked.clone(),
        forwards.collect(),
        vec![],
    );
    done.await.unwrap();
    assert_eq!(targets(&store), asked);
    let one = AddressTarget::Alias(vec!["b@far.test".into()]);
    store.set_address("info@example.test", one).await.unwrap();
    assert_eq!(targets(&store), ["b@far.test"]);
    store.remove_address("info@example.test").await.unwrap();
    assert_eq!(targets(&store), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_counts_once_and_hosts_that_know_nobody_are_counted() {
    use ForwardState::{Asked, Confirmed, Stopped};
    let place = Place::new();
    let (store, _) = place.open();
    let source = ForwardSource::Account(AccountId(1));
    let new = forward(1, source, "a@far.test", store.clock().now());
    let id = new.id;
    let letter = || async {
        let mut entry = super::sent::queued(&["a@far.test"]);
        entry.wishes.forward = Some(id);
        vec![(body(&store, b"letter").await, vec![], vec![entry])]
    };
    assert!(
        store
            .add_forward(new.clone(), letter().await)
            .await
            .unwrap()
    );
    assert!(
        !store
            .add_forward(new.clone(), letter().await)
            .await
            .unwrap()
    );
    let waiting = store.queue_of_forward("remote.test", id).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(store.queue_of_forward("other.test", id).unwrap(), []);
    let said = |from, to| store.change_forward(id, from, to, vec![]);
    assert!(said(&[Asked], Confirmed).await.unwrap().is_some());
    assert_eq!(said(&[Asked], Confirmed).await.unwrap(), None);
    for (failed, count) in [(true, 1), (true, 2), (false, 0), (true, 1)] {
        assert_eq!(store.note_forward(id, failed).await.unwrap(), count);
    }
    assert!(said(&[Confirmed], Stopped).await.unwrap().is_some());
    drop(store);
    let (store, _) = place.open();
    let kept = store.forward(id).unwrap().unwrap();
    assert_eq!((kept.state, kept.failures), (Stopped, 0));
}

#[tokio::test]
async fn an_account_asks_so_many_and_old_questions_are_forgotten() {
    let place = Place::new();
    let (store, _) = place.open();
    let source = ForwardSource::Account(AccountId(7));
    let now = store.clock().now();
    for number in 0..FORWARDS_OF_ACCOUNT_MAX as u8 {
        let new = forward(number, source.clone(), &format!("{number}@far.test"), now);
        store.add_forward(new, vec![]).await.unwrap();
    }
    let more = forward(200, source.clone(), "more@far.test", now);
    let refused = store.add_forward(more.clone(), vec![]).await;
    assert!(matches!(refused, Err(Error::TooManyEntries)));
    let again = forward(3, source, "3@far.test", now);
    assert!(!store.add_forward(again, vec![]).await.unwrap());
    let other = ForwardSource::Account(AccountId(8));
    let other = forward(201, other, "more@far.test", now);
    assert!(store.add_forward(other, vec![]).await.unwrap());
    place
        .clock
        .advance(FORWARD_ASKED_KEPT + Duration::from_secs(1));
    assert!(store.add_forward(more, vec![]).await.unwrap());
    assert_eq!(targets(&store), ["more@far.test"]);
}
