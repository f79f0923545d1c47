//! The keys of our domains.

use super::*;

fn key(selector: &str, byte: u8) -> SigningKey {
    SigningKey {
        domain: "a.test".to_owned(),
        selector: selector.to_owned(),
        algorithm: KeyAlgorithm::Ed25519,
        private: PrivateKey(vec![byte; 48]),
        public: vec![byte; 32],
        made: Timestamp(1),
        seen: Some(Timestamp(2)),
        used: None,
        retired: None,
        told: None,
    }
}

#[tokio::test]
async fn keys_stay_with_their_domain_and_go_with_it() {
    let place = Place::new();
    let (store, _) = place.open();
    for domain in ["a.test", "a.test.b"] {
        store.create_domain(domain).await.unwrap();
    }
    let nobody = store.edit_signing_keys("c.test", vec![key("x", 1)], vec![]);
    assert!(matches!(nobody.await, Err(Error::NoSuchDomain)));
    let two = vec![key("one", 1), key("two", 2)];
    store
        .edit_signing_keys("a.test", two, vec![])
        .await
        .unwrap();
    let other = SigningKey {
        domain: "a.test.b".to_owned(),
        ..key("one", 9)
    };
    let edit = store.edit_signing_keys("a.test.b", vec![other.clone()], vec![]);
    edit.await.unwrap();
    let edit = store.edit_signing_keys("a.test", vec![key("one", 3)], vec!["two".to_owned()]);
    edit.await.unwrap();
    let many = (0..100).map(|n| key(&format!("n{n}"), 1)).collect();
    let many = store.edit_signing_keys("a.test", many, vec![]);
    assert!(matches!(many.await, Err(Error::TooManyEntries)));
    store.close().await.unwrap();
    drop(store);

    let (store, _) = place.open();
    assert_eq!(store.signing_keys("a.test").unwrap(), [key("one", 3)]);
    store.remove_domain("a.test").await.unwrap();
    store.create_domain("a.test").await.unwrap();
    assert_eq!(store.signing_keys("a.test").unwrap(), []);
    assert_eq!(store.signing_keys("a.test.b").unwrap(), [other]);
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[tokio::test]
async fn the_secret_is_made_once() {
    let place = Place::new();
    let (store, _) = place.open();
    assert_eq!(store.secret().unwrap(), None);
    let secret = store.make_secret().await.unwrap();
    assert_eq!(store.make_secret().await.unwrap(), secret);
    store.close().await.unwrap();
    drop(store);
    let (store, _) = place.open();
    assert_eq!(store.secret().unwrap(), Some(secret));
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn a_private_key_is_not_shown() {
    let key = SigningKey {
        private: PrivateKey(vec![77; 48]),
        ..key("one", 1)
    };
    let shown = format!("{key:?}");
    assert!(
        shown.contains("PrivateKey(..)") && !shown.contains("77"),
        "{shown}"
    );
}
