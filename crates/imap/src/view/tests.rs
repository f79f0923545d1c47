//! The view against a list of uids.

use super::*;
use crate::set::SetNumber;
use proptest::prelude::*;

fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let number = |number| match number {
        0 => SetNumber::Last,
        number => SetNumber::Number(number),
    };
    SequenceSet::Ranges(
        ranges
            .iter()
            .map(|(a, b)| (number(*a), number(*b)))
            .collect(),
    )
}

fn of(uids: &[u32]) -> Numbers {
    uids.iter().copied().collect()
}

fn news(added: &[u32], updated: &[u32], expunged: &[u32]) -> News {
    News {
        added: of(added),
        updated: of(updated),
        expunged: of(expunged),
    }
}

#[test]
fn resolve() {
    let view = View::new([3, 4, 5, 9, 20]);
    let uids = |ranges: &[(u32, u32)]| {
        let uids = view.resolve_sequence(&set(ranges)).unwrap();
        view.iter(&uids).map(|known| known.uid).collect::<Vec<_>>()
    };
    assert_eq!(uids(&[(1, 3)]), [3, 4, 5]);
    assert_eq!(uids(&[(4, 2)]), [4, 5, 9]);
    assert_eq!(uids(&[(0, 0)]), [20]);
    assert_eq!(uids(&[(4, 0), (1, 1), (5, 4)]), [3, 9, 20]);
    for beyond in [&[(6, 6)][..], &[(1, 6)], &[(6, 0)]] {
        assert_eq!(view.resolve_sequence(&set(beyond)), Err(OutOfRange));
    }
    let by_uid = |ranges: &[(u32, u32)]| {
        let uids = view.resolve_uids(&set(ranges));
        view.iter(&uids)
            .map(|known| known.sequence)
            .collect::<Vec<_>>()
    };
    assert_eq!(by_uid(&[(4, 10)]), [2, 3, 4]);
    assert_eq!(by_uid(&[(6, 8)]), [] as [u32; 0]);
    // RFC 9051 §6.4.9: `*` is the last one even when the other end is beyond it.
    assert_eq!(by_uid(&[(500, 0)]), [5]);
    assert_eq!(by_uid(&[(500, 600)]), [] as [u32; 0]);
    let empty = View::default();
    assert_eq!(empty.resolve_sequence(&set(&[(1, 0)])), Err(OutOfRange));
    assert!(empty.resolve_uids(&set(&[(1, 0)])).is_empty());
}

#[test]
fn expunges_wait_for_commands_that_use_numbers() {
    let mut view = View::new(1..=5);
    let told = view.sync(
        &news(&[6], &[2, 3], &[2]),
        Expunges::Hold,
        ExpungeForm::Numbers,
    );
    assert_eq!(told.exists, Some(6));
    assert!(told.expunged.is_empty());
    assert_eq!(told.changed, of(&[3]));
    assert!(view.holds() && view.is_held(2));
    // The number still stands for it.
    assert_eq!(view.uid(2), Some(2));
    let told = view.sync(
        &news(&[], &[2], &[4, 5]),
        Expunges::Tell,
        ExpungeForm::Numbers,
    );
    assert_eq!(told.expunged, [5, 4, 2]);
    assert!(told.changed.is_empty() && told.exists.is_none());
    assert_eq!(view.uids(), of(&[1, 3, 6]));
}

#[test]
fn vanished_and_saved() {
    let mut view = View::new(1..=5);
    view.save(of(&[2, 4]));
    let told = view.sync(&news(&[], &[], &[2, 9]), Expunges::Tell, ExpungeForm::Uids);
    assert_eq!(told.vanished, of(&[2]));
    assert_eq!(view.resolve_sequence(&SequenceSet::Saved), Ok(of(&[4])));
    assert_eq!(view.resolve_uids(&SequenceSet::Saved), of(&[4]));
}

#[test]
fn came_and_went() {
    let mut view = View::new([1]);
    let told = view.sync(
        &news(&[2, 3], &[3], &[2]),
        Expunges::Tell,
        ExpungeForm::Numbers,
    );
    assert_eq!(
        told,
        Told {
            exists: Some(2),
            ..Told::default()
        }
    );
    // Told again: nothing is new.
    let told = view.sync(
        &news(&[2, 3], &[], &[2]),
        Expunges::Tell,
        ExpungeForm::Numbers,
    );
    assert_eq!(told, Told::default());
}

#[test]
fn a_large_mailbox_is_one_run() {
    let mut view = View::new(1..=100_000);
    assert_eq!(view.runs.len(), 1);
    view.sync(
        &news(&[], &[], &[50_000]),
        Expunges::Tell,
        ExpungeForm::Numbers,
    );
    assert_eq!((view.runs.len(), view.len()), (2, 99_999));
    assert_eq!(view.sequence(50_001), Some(50_000));
}

/// What a client keeps: the uid of every number.
#[derive(Default)]
struct Client {
    uids: Vec<u32>,
}

impl Client {
    fn hear(&mut self, told: &Told, server: &[u32]) {
        for sequence in &told.expunged {
            self.uids.remove(*sequence as usize - 1);
        }
        self.uids.retain(|uid| !told.vanished.contains(*uid));
        if let Some(exists) = told.exists {
            // It would ask for the uids: the newest of the server's.
            let last = self.uids.last().copied().unwrap_or(0);
            self.uids.extend(server.iter().filter(|uid| **uid > last));
            assert_eq!(self.uids.len() as u32, exists);
        }
    }
}

#[derive(Clone, Debug)]
struct Turn {
    add: u32,
    skip: u32,
    expunge: Vec<proptest::sample::Index>,
    update: Vec<proptest::sample::Index>,
    tell: bool,
    uids: bool,
}

fn turn() -> impl Strategy<Value = Turn> {
    let some = || proptest::collection::vec(any::<proptest::sample::Index>(), 0..4);
    (
        0u32..4,
        0u32..3,
        some(),
        some(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(add, skip, expunge, update, tell, uids)| Turn {
            add,
            skip,
            expunge,
            update,
            tell,
            uids,
        })
}

proptest! {
    /// After every turn the client's numbers are the view's, and once everything is told, the
    /// mailbox's.
    #[test]
    fn client_and_server_agree(turns in proptest::collection::vec(turn(), 1..30)) {
        let (mut server, mut client) = (Vec::<u32>::new(), Client::default());
        let (mut view, mut next) = (View::default(), 1u32);
        for turn in turns {
            next += turn.skip;
            let added: Vec<u32> = (next..next + turn.add).collect();
            next += turn.add;
            let known = server.clone();
            server.extend(&added);
            let mut expunged = Vec::new();
            for index in &turn.expunge {
                if !server.is_empty() {
                    expunged.push(server.remove(index.index(server.len())));
                }
            }
            let updated: Vec<u32> = turn
                .update
                .iter()
                .filter(|_| !known.is_empty())
                .map(|index| known[index.index(known.len())])
                .collect();
            let expunges = if turn.tell { Expunges::Tell } else { Expunges::Hold };
            let form = if turn.uids { ExpungeForm::Uids } else { ExpungeForm::Numbers };
            let told = view.sync(&news(&added, &updated, &expunged), expunges, form);
            client.hear(&told, &server);
            prop_assert_eq!(view.len() as usize, client.uids.len());
            for (uid, sequence) in client.uids.iter().zip(1..) {
                prop_assert_eq!(view.uid(sequence), Some(*uid));
                prop_assert_eq!(view.sequence(*uid), Some(sequence));
            }
            prop_assert_eq!(view.uid(0), None);
            prop_assert_eq!(view.uid(view.len() + 1), None);
            for uid in told.changed.iter() {
                prop_assert!(updated.contains(&uid) && server.contains(&uid));
            }
            if turn.tell {
                prop_assert_eq!(&client.uids, &server);
                prop_assert!(!view.holds());
            }
        }
    }

    #[test]
    fn resolving_equals_a_plain_list(
        uids in proptest::collection::btree_set(1u32..200, 0..60),
        ranges in proptest::collection::vec((0u32..220, 0u32..220), 1..6),
    ) {
        let uids: Vec<u32> = uids.into_iter().collect();
        let view = View::new(uids.iter().copied());
        let last = uids.last().copied().unwrap_or(0);
        let star = |number: u32, last: u32| if number == 0 { last } else { number };
        let wanted: Vec<u32> = uids
            .iter()
            .copied()
            .filter(|uid| ranges.iter().any(|(a, b)| {
                let (a, b) = (star(*a, last), star(*b, last));
                (a.min(b)..=a.max(b)).contains(uid)
            }))
            .collect();
        let resolved = view.resolve_uids(&set(&ranges));
        let got: Vec<u32> = view.iter(&resolved).map(|known| known.uid).collect();
        prop_assert_eq!(&got, &wanted);
        prop_assert_eq!(view.known(&resolved), of(&wanted));
        let count = uids.len() as u32;
        let legal = ranges.iter().all(|(a, b)| star(*a, count).max(star(*b, count)) <= count);
        match view.resolve_sequence(&set(&ranges)) {
            Ok(resolved) => {
                prop_assert!(legal && count > 0);
                for known in view.iter(&resolved) {
                    prop_assert_eq!(uids[known.sequence as usize - 1], known.uid);
                    let wanted = ranges.iter().any(|(a, b)| {
                        let (a, b) = (star(*a, count), star(*b, count));
                        (a.min(b)..=a.max(b)).contains(&known.sequence)
                    });
                    prop_assert!(wanted);
                }
            }
            Err(OutOfRange) => prop_assert!(!legal || count == 0),
        }
    }
}

proptest! {
    /// RFC 10022 §3.1.3.3.1: no batch has more messages than asked for, and all together have all.
    #[test]
    fn batches_have_every_message_once(
        uids in proptest::collection::btree_set(1_u32..400, 0..60),
        messages in 1_u32..12,
    ) {
        let view = View::new(uids.iter().copied());
        let all: Vec<(u32, u32)> = view.batches(messages, 1..=u32::MAX).collect();
        let mut left: Vec<u32> = uids.into_iter().collect();
        for (at, (highest, lowest)) in all.iter().enumerate() {
            let from = left.partition_point(|uid| uid < lowest);
            let batch = left.split_off(from);
            prop_assert_eq!(batch.last(), Some(highest));
            let whole = batch.len() == messages as usize;
            prop_assert!(whole || at + 1 == all.len() && batch.len() < messages as usize);
            let number = at as u32 + 1;
            let alone: Vec<(u32, u32)> = view.batches(messages, number..=number).collect();
            prop_assert_eq!(alone, [(*highest, *lowest)]);
        }
        prop_assert!(left.is_empty());
        prop_assert!(all.last().is_none_or(|(_, lowest)| *lowest == 1));
    }
}

/// RFC 10022 §3.1.1: a mailbox of 6823 messages.
#[test]
fn batches_of_the_example() {
    let uids = (302..=1124).chain(7_830..=9_829).chain(20_351..=22_350);
    let view = View::new(uids.chain(99_696..=101_694).chain([215_295]));
    assert_eq!(view.len(), 6_823);
    let all: Vec<(u32, u32)> = view.batches(2_000, 1..=4).collect();
    let expected = [
        (215_295, 99_696),
        (22_350, 20_351),
        (9_829, 7_830),
        (1_124, 1),
    ];
    assert_eq!(all, expected);
    assert_eq!(view.batches(2_000, 6..=8).count(), 0);
    assert_eq!(View::default().batches(2_000, 1..=4).count(), 0);
}
