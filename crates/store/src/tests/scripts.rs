//! Scripts, and what runs of them remember.

use super::*;

fn put(name: &str, text: &str) -> ScriptEdit {
    ScriptEdit::Put {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn one_script_is_active() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    store.edit_script(alice, put("a", "keep;")).await.unwrap();
    store.edit_script(alice, put("b", "stop;")).await.unwrap();
    assert_eq!(store.active_script(alice).unwrap(), None);
    for name in ["a", "b"] {
        let edit = ScriptEdit::Activate(Some(name.to_owned()));
        store.edit_script(alice, edit).await.unwrap();
    }
    let in_use = ScriptEdit::Delete { name: "b".into() };
    let refused = store.edit_script(alice, in_use).await;
    assert!(matches!(refused, Err(Error::InUse)));
    let renamed = ScriptEdit::Rename {
        from: "b".into(),
        to: "c".into(),
    };
    store.edit_script(alice, renamed).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let (store, _) = place.open();
    let active = store.active_script(alice).unwrap();
    assert_eq!(active, Some(("c".into(), "stop;".into())));
    let list = store.scripts(alice).unwrap();
    let shown: Vec<_> = list.iter().map(|s| (s.name.as_str(), s.active)).collect();
    assert_eq!(shown, [("a", false), ("c", true)]);
    store.close().await.unwrap();
    drop(store);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[tokio::test]
async fn scripts_have_limits() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    for bad in ["", "a\nb", "a\u{2028}b", &"x".repeat(513)] {
        let refused = store.edit_script(alice, put(bad, "keep;")).await;
        assert!(matches!(refused, Err(Error::BadName)), "{bad}");
    }
    for number in 0..64 {
        let edit = put(&number.to_string(), "keep;");
        store.edit_script(alice, edit).await.unwrap();
    }
    let one_more = store.edit_script(alice, put("more", "keep;")).await;
    assert!(matches!(one_more, Err(Error::TooManyScripts)));
    let large = "#".repeat(3 << 20);
    let refused = store.edit_script(alice, put("1", &large)).await;
    assert!(matches!(refused, Err(Error::TooManyScripts)));
    assert_eq!(store.script(alice, "1").unwrap().as_deref(), Some("keep;"));
}

async fn parcel(store: &Store, account: AccountId, key: Option<u8>, days: u64) -> Parcel {
    let until = store
        .clock()
        .now()
        .after(Duration::from_secs(days * 86_400));
    Parcel {
        body: body(store, b"Subject: x\r\n\r\n").await,
        mailboxes: vec![NewMailbox {
            account,
            name: "Lists/new".into(),
            special_use: None,
        }],
        local: vec![to(account, "Lists/new")],
        queue: vec![],
        aside: None,
        once: key.map(|key| Memory {
            account,
            key: [key; 16],
            until,
        }),
    }
}

#[tokio::test]
async fn what_is_remembered_is_not_delivered_again() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let mut parcels = Vec::new();
    for key in [None, Some(1), Some(1), Some(2)] {
        parcels.push(parcel(&store, alice, key, 7).await);
    }
    let delivered = store.deliver_parcels(parcels, vec![]).await.unwrap();
    let done: Vec<bool> = delivered.iter().map(Option::is_some).collect();
    assert_eq!(done, [true, true, false, true]);
    assert_eq!(mailbox(&store, alice, "Lists/new").messages, 3);
    store.close().await.unwrap();
    drop(store);
    let (store, _) = place.open();
    assert!(store.is_remembered(alice, [1; 16]).unwrap());
    assert!(!store.is_remembered(alice, [3; 16]).unwrap());
    // Past its time it is forgotten, and its row goes.
    place.clock.advance(Duration::from_secs(8 * 86_400));
    assert!(!store.is_remembered(alice, [1; 16]).unwrap());
    while store.maintain().await.unwrap() {}
    let again = vec![parcel(&store, alice, Some(1), 7).await];
    let delivered = store.deliver_parcels(again, vec![]).await.unwrap();
    assert!(delivered[0].is_some());
}

#[tokio::test]
async fn a_notice_that_has_no_room_holds_nothing_up() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let quota = AccountEdit {
        quota_bytes: Some(Some(40)),
        ..AccountEdit::default()
    };
    store.edit_account(alice, quota).await.unwrap();
    let parcels = vec![
        parcel(&store, alice, None, 1).await,
        parcel(&store, alice, Some(1), 1).await,
    ];
    let delivered = store.deliver_parcels(parcels, vec![]).await.unwrap();
    assert!(delivered[0].is_some() && delivered[1].is_none());
}

/// What came for the account goes before what it keeps for itself.
#[tokio::test]
async fn a_copy_that_has_no_room_is_left_out_alone() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let (one, inbox) = (parcel(&store, alice, None, 1).await, to(alice, "INBOX"));
    let size = one.body.body.size() + inbox.message.prefix.len() as u64;
    let quota = AccountEdit {
        quota_bytes: Some(Some(2 * size)),
        ..AccountEdit::default()
    };
    store.edit_account(alice, quota).await.unwrap();
    let mut parcels = Vec::new();
    for key in 1..=3 {
        let mut parcel = parcel(&store, alice, Some(key), 1).await;
        parcel.local = Vec::new();
        parcel.aside = Some(to(alice, "Lists/new"));
        parcels.push(parcel);
    }
    parcels.push(one);
    let delivered = store.deliver_parcels(parcels, vec![]).await.unwrap();
    let kept: Vec<usize> = delivered
        .into_iter()
        .map(|delivered| delivered.unwrap().local.len())
        .collect();
    assert_eq!(kept, [1, 0, 0, 1]);
}

#[tokio::test]
async fn keywords_that_do_not_fit_are_left_out_of_a_delivery() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let mut delivery = to(alice, "INBOX");
    delivery.message.flags.keywords = (0..200).map(|n| format!("k{n}")).collect();
    let new = body(&store, b"x").await;
    store.deliver(new, vec![delivery], vec![]).await.unwrap();
    let inbox = mailbox(&store, alice, "INBOX");
    assert_eq!((inbox.messages, inbox.keywords.len()), (1, 128));
}
