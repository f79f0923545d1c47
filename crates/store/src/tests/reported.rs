//! Reports that were sent: once each, with their way out.

use super::*;

fn report(day: u32, kind: u8, domain: &str) -> Reported {
    Reported {
        day,
        kind,
        domain: domain.to_owned(),
    }
}

fn entry() -> NewQueueEntry {
    NewQueueEntry {
        domain: "far.test".into(),
        reverse_path: String::new(),
        prefix: b"X: y\r\n".to_vec(),
        language: "en".into(),
        expires: Timestamp(i64::MAX),
        ..NewQueueEntry::default()
    }
}

#[tokio::test]
async fn a_report_goes_once() {
    let place = Place::new();
    let (store, _) = place.open();
    for (report, new) in [
        (report(100, 1, "a.test"), true),
        (report(100, 1, "a.test"), false),
        (report(100, 2, "a.test"), true),
        (report(101, 1, "a.test"), true),
    ] {
        let sent = Some((body(&store, b"a report\r\n").await, vec![entry()]));
        assert_eq!(store.send_report(report, sent).await.unwrap(), new);
    }
    assert!(store.send_report(report(101, 2, ""), None).await.unwrap());
    store.close().await.unwrap();
    drop(store);

    let (store, _) = place.open();
    let queued = store.queue_list(&QueueFilter::default(), None, 10);
    assert_eq!(queued.unwrap().len(), 3);
    assert!(store.is_reported(&report(100, 1, "a.test")).unwrap());
    assert!(store.is_reported(&report(101, 2, "")).unwrap());
    assert!(!store.is_reported(&report(101, 2, "a.test")).unwrap());
    // The old ones are forgotten with a later one.
    let day = 101 + crate::limits::REPORTED_DAYS;
    store.send_report(report(day, 1, "b"), None).await.unwrap();
    assert!(!store.is_reported(&report(100, 1, "a.test")).unwrap());
    assert!(store.is_reported(&report(101, 1, "a.test")).unwrap());
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}
