//! Flags of many messages at once: one entry of the journal, and rows for everybody who reads.

use super::*;
use crate::limits::{SWEEP_ROWS_MIN, SWEEPS_MAX};

const MESSAGES: u32 = 2 * SWEEP_ROWS_MIN as u32;
/// A redo record with an account's state, a mailbox, a change and the sweep.
const ENTRY_BYTES_MAX: u64 = 600;

fn system(flags: SystemFlags) -> FlagNames {
    FlagNames {
        system: flags,
        keywords: vec![],
    }
}

struct Inbox {
    store: Store,
    alice: AccountId,
    id: MailboxId,
}

impl Inbox {
    async fn new(place: &Place) -> Self {
        let (store, _) = place.open();
        let alice = person(&store, "alice").await;
        fill(&store, alice, MESSAGES).await;
        let id = mailbox(&store, alice, "INBOX").id;
        Inbox { store, alice, id }
    }

    /// The same in another life of the store.
    fn again(self, place: &Place) -> Self {
        let Inbox { store, alice, id } = self;
        drop(store);
        let (store, _) = place.open();
        Inbox { store, alice, id }
    }

    async fn edit(&self, uids: UidSet, edit: FlagEdit, flags: SystemFlags) -> Edited {
        let edited = self
            .store
            .edit_flags(self.alice, self.id, uids, edit, system(flags), None);
        edited.await.unwrap()
    }

    /// Its rows as the index has them, and as the picture does.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut each = |message: Message| {
            let row = message.row;
            let one = self.store.message(self.alice, self.id, row.uid);
            assert_eq!(one.unwrap(), Some(message));
            rows.push(row);
            true
        };
        let read = self.store.messages(self.alice, self.id, &all(), &mut each);
        read.unwrap();
        let picture = self.store.index(self.alice, self.id).unwrap();
        assert!(picture.rows().eq(rows.iter().copied()));
        let unseen = |row: &&Row| !row.flags.system.contains(SystemFlags::SEEN);
        assert_eq!(
            rows.iter().filter(unseen).count(),
            picture.unseen() as usize
        );
        rows
    }
}

fn all() -> UidSet {
    UidSet::from_ranges([(1, u32::MAX)])
}

fn only(uid: u32) -> UidSet {
    UidSet::from_ranges([(uid, uid)])
}

#[tokio::test]
async fn flags_of_many_are_one_entry_of_the_journal() {
    let place = Place::new();
    let inbox = Inbox::new(&place).await;
    let before = place.journal_bytes();
    let seen = inbox.edit(all(), FlagEdit::Add, SystemFlags::SEEN).await;
    assert!(place.journal_bytes() - before < ENTRY_BYTES_MAX);
    assert_eq!(seen.changed.span(), u64::from(MESSAGES));
    let rows = inbox.rows();
    assert_eq!(rows.len() as u32, MESSAGES);
    assert!(rows.iter().all(|row| row.modseq == seen.modseq));
    // Over rows that are newer than it nothing is laid, whoever comes next.
    let one = inbox
        .edit(only(5), FlagEdit::Remove, SystemFlags::SEEN)
        .await;
    inbox
        .store
        .expunge(inbox.alice, inbox.id, Some(only(7)), false)
        .await
        .unwrap();
    let late = fill(&inbox.store, inbox.alice, 1);
    late.await;
    let rows = inbox.rows();
    assert_eq!(
        (rows[4].flags, rows[4].modseq),
        (Flags::default(), one.modseq)
    );
    assert_eq!(rows[5].flags.system, SystemFlags::SEEN);
    assert_eq!(
        (rows[6].uid, rows.last().unwrap().flags),
        (Uid(8), Flags::default())
    );
    let changes = inbox
        .store
        .changes_since(inbox.alice, ModSeq(seen.modseq.0 - 1), 1);
    assert_eq!(
        changes.unwrap().entries[0].mailboxes[0].updated,
        seen.changed
    );
    // The journal alone, then the file alone.
    let inbox = inbox.again(&place);
    assert_eq!(inbox.rows(), rows);
    inbox
        .edit(all(), FlagEdit::Replace, SystemFlags::FLAGGED)
        .await;
    let rows = inbox.rows();
    assert!(
        rows.iter()
            .all(|row| row.flags.system == SystemFlags::FLAGGED)
    );
    inbox.store.close().await.unwrap();
    let inbox = inbox.again(&place);
    assert_eq!(inbox.rows(), rows);
    inbox.store.close().await.unwrap();
    drop(inbox);
    let report = Store::verify(place.disk(), place.clock.clone()).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[tokio::test]
async fn who_comes_later_in_a_group_sees_them() {
    let place = Place::new();
    let mut inbox = Inbox::new(&place).await;
    for round in 0..2 {
        if round == 0 {
            // Else the picture is not in memory.
            inbox.rows();
        }
        let (first, one, second, rest) = tokio::join!(
            inbox.edit(all(), FlagEdit::Add, SystemFlags::FLAGGED),
            inbox.edit(only(3), FlagEdit::Remove, SystemFlags::FLAGGED),
            inbox.edit(all(), FlagEdit::Add, SystemFlags::FLAGGED),
            inbox.edit(all(), FlagEdit::Replace, SystemFlags::SEEN),
        );
        assert_eq!(first.changed.span(), u64::from(MESSAGES));
        assert_eq!((one.changed, second.changed), (only(3), only(3)));
        assert_eq!(rest.changed.span(), u64::from(MESSAGES));
        let rows = inbox.rows();
        assert!(rows.iter().all(|row| row.flags.system == SystemFlags::SEEN));
        assert!(rows.iter().all(|row| row.modseq == rest.modseq));
        inbox = inbox.again(&place);
        assert_eq!(inbox.rows(), rows);
        inbox = inbox.again(&place);
    }
}

#[tokio::test]
async fn so_many_are_laid_over_rows_and_no_more() {
    let place = Place::new();
    let inbox = Inbox::new(&place).await;
    let toggle = async |round: usize| {
        let edit = [FlagEdit::Add, FlagEdit::Remove][round % 2];
        let before = place.journal_bytes();
        inbox.edit(all(), edit, SystemFlags::DRAFT).await;
        place.journal_bytes() - before
    };
    for round in 0..SWEEPS_MAX {
        assert!(toggle(round).await < ENTRY_BYTES_MAX);
    }
    assert!(toggle(SWEEPS_MAX).await > ENTRY_BYTES_MAX);
    let rows = inbox.rows();
    assert!(
        rows.iter()
            .all(|row| row.flags.system == SystemFlags::DRAFT)
    );
    let inbox = inbox.again(&place);
    assert_eq!(inbox.rows(), rows);
}
