//! Rights of others in an account's mailboxes.

use super::*;
use crate::limits::RIGHTS_OF_A_MAILBOX_MAX;

async fn give(
    store: &Store,
    (account, mailbox): (AccountId, MailboxId),
    to: Grantee,
    rights: Rights,
) -> Result<(), Error> {
    let set = RightsEdit::Set;
    let given = store.edit_rights(account, Some(mailbox), to, set, rights);
    given.await
}

/// The other side goes with the last row, and not before.
#[tokio::test]
async fn a_deleted_mailbox_takes_its_rights_along() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let bob = person(&store, "bob").await;
    let top = store.create_mailbox(alice, "Top", None).await.unwrap();
    for to in [Grantee::Account(bob), Grantee::Anyone] {
        let given = give(&store, (alice, top), to, Rights::LOOKUP);
        given.await.unwrap();
    }
    let below = store.create_mailbox(alice, "Top/Below", None).await;
    let below = below.unwrap();
    assert_eq!(store.grants(alice).unwrap().len(), 4);
    store.delete_mailbox(alice, top).await.unwrap();
    assert_eq!(store.shares_by_name(bob).unwrap(), [alice]);
    let taken = give(&store, (alice, below), Grantee::Account(bob), Rights::NONE);
    taken.await.unwrap();
    assert_eq!(store.shares_by_name(bob).unwrap(), []);
    assert_eq!(store.shares(bob).unwrap(), [alice]);
    store.delete_mailbox(alice, below).await.unwrap();
    assert_eq!(store.shares(bob).unwrap(), []);
}

#[tokio::test]
async fn a_mailbox_is_given_to_so_many() {
    let place = Place::new();
    let (store, _) = place.open();
    let alice = person(&store, "alice").await;
    let mailbox = store.create_mailbox(alice, "Top", None).await.unwrap();
    let place = (alice, mailbox);
    for number in 0..RIGHTS_OF_A_MAILBOX_MAX {
        let to = person(&store, &format!("p{number}")).await;
        let given = give(&store, place, Grantee::Account(to), Rights::LOOKUP);
        given.await.unwrap();
    }
    let one_more = give(&store, place, Grantee::Anyone, Rights::LOOKUP).await;
    assert!(matches!(one_more, Err(Error::TooManyRights)));
    store
        .create_mailbox(alice, "Top/Below", None)
        .await
        .unwrap();
}
