use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use facteur_imap::command::SearchKey;
use facteur_imap::view::View;
use facteur_message::collation::casemap;
use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{
    Clock, Credentials, Delivery, FlagNames, Mailbox, NewAccount, NewMessage, Options, Uid,
};
use proptest::prelude::*;

use super::cleaner::{KEPT_MAX, Plan};
use super::directory::Directory;
use super::grams::{Grams, of_needle};
use super::segment::{Place, Segment};
use super::*;
use crate::imap::door::Reading;
use crate::imap::matching::{Candidate, Scope, Test};
use crate::intake::Intake;
use crate::{Config, Context};

struct World {
    ctx: Arc<Context>,
    store: Store,
    account: AccountId,
    clock: Arc<VirtualClock>,
}

impl World {
    async fn new() -> World {
        let clock = Arc::new(VirtualClock::new(1));
        let options = Options {
            reserved_bytes: 1 << 20,
            ..Options::default()
        };
        let (store, _) = Store::open(
            Arc::new(SimDisk::new(1)),
            Arc::clone(&clock) as Arc<dyn Clock>,
            options,
        )
        .unwrap();
        store.create_domain("example.test").await.unwrap();
        let account = NewAccount {
            address: "alice@example.test".to_owned(),
            display_name: String::new(),
            credentials: Credentials::default(),
            quota_bytes: None,
            language: "en".to_owned(),
        };
        let account = store.create_account(account).await.unwrap();
        World {
            ctx: Context::new(Config::new("mx.example.test"), store.clone()).unwrap(),
            store,
            account,
            clock,
        }
    }

    fn catalog(&self) -> &Catalog {
        &self.ctx.catalog
    }

    async fn expunge(&self, uids: &[u32]) {
        let uids = uids.iter().map(|uid| Uid(*uid)).collect();
        let inbox = self.inbox().id;
        let done = self.store.expunge(self.account, inbox, Some(uids), false);
        done.await.unwrap();
    }

    /// Uids of all cards, of whatever is in the file.
    fn cards(&self) -> Vec<u32> {
        let view = self.catalog().open().unwrap().view().unwrap();
        let mut uids = Vec::new();
        for entry in self.directory().segments {
            let place = Place {
                account: self.account,
                mailbox: self.inbox().id,
                segment: entry.segment,
            };
            let segment = Segment::load(&view, place, entry.messages as usize);
            let segment = segment.unwrap().unwrap();
            assert_eq!(segment.weight(), entry.weight as usize);
            uids.extend(segment.cards.iter().map(|card| card.uid));
        }
        uids
    }

    fn rows(&self) -> usize {
        let view = self.catalog().open().unwrap().view().unwrap();
        let (first, end) = directory::everything();
        let mut rows = 0;
        let scanned = view.scan(&first, &end, |_, _| {
            rows += 1;
            Ok(ControlFlow::Continue(()))
        });
        scanned.unwrap();
        rows
    }

    async fn deliver(&self, message: &str) {
        let (body, _) = Intake::whole(&self.store, message.as_bytes())
            .await
            .unwrap();
        let delivery = Delivery {
            account: self.account,
            mailbox: "INBOX".to_owned(),
            message: NewMessage {
                prefix: Vec::new(),
                flags: FlagNames::default(),
                internal_date: None,
            },
        };
        let delivered = self.store.deliver(body, vec![delivery], Vec::new()).await;
        delivered.unwrap();
    }

    fn inbox(&self) -> Mailbox {
        let inbox = self.store.mailbox_by_name(self.account, "INBOX").unwrap();
        inbox.unwrap()
    }

    fn directory(&self) -> Directory {
        let view = self.catalog().open().unwrap().view().unwrap();
        let directory = Directory::load(&view, self.account, self.inbox().id).unwrap();
        directory.unwrap_or_default()
    }

    /// What a search finds, from the messages alone or from the catalogue first.
    fn search(&self, key: SearchKey, catalogued: bool) -> Vec<u32> {
        let inbox = self.inbox().id;
        let index = self.store.index(self.account, inbox).unwrap();
        let view = View::new(index.rows().map(|row| row.uid.0));
        let scope = Scope {
            view: &view,
            keywords: &[],
            now: self.store.clock().now(),
        };
        let mut test = Test::new(vec![key], &scope).ok().unwrap();
        if catalogued {
            let reader = self.catalog().reader(self.account, inbox).unwrap();
            test.look_up(&reader).unwrap();
        }
        let bounds = test.bounds();
        let bodies = self.store.bodies().unwrap();
        let rows = index.rows().filter(|row| {
            let candidate = Candidate::new(&bodies, Reading::own(self.account, inbox), *row);
            let inside = bounds.as_ref().is_none_or(|all| all.contains(row.uid.0));
            inside && test.matches(&candidate).unwrap()
        });
        rows.map(|row| row.uid.0).collect()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// Small segments are merged, and every one of them answers all the while.
#[test]
fn segments_are_merged_as_messages_come() {
    block_on(async {
        let world = World::new().await;
        for number in 1..=100_u32 {
            world
                .deliver(&format!(
                    "Subject: s{number}.\r\n\r\nword{number}. shared\r\n"
                ))
                .await;
            world.catalog().catch_up().unwrap();
            assert_eq!(world.directory().up_to, number);
            assert!(world.directory().segments.len() < 35);
        }
        assert_eq!(world.directory().messages(), 100);
        for number in [1, 31, 32, 33, 64, 99, 100] {
            let text = SearchKey::Text(format!("WORD{number}."));
            assert_eq!(world.search(text, true), [number]);
            let subject = SearchKey::Subject(format!("s{number}."));
            assert_eq!(world.search(subject, true), [number]);
        }
        world.catalog().rebuild(&[world.account]).unwrap();
        assert_eq!(world.directory().up_to, 0);
        world.catalog().catch_up().unwrap();
        assert_eq!(world.directory().segments.len(), 1);
        let shared = world.search(SearchKey::Body("share".to_owned()), true);
        assert_eq!(shared.len(), 100);
        // What came since is found by reading it.
        world
            .deliver("Subject: late\r\n\r\nnot yet taken in\r\n")
            .await;
        let late = SearchKey::Text("yet taken".to_owned());
        assert_eq!(world.search(late, true), [101]);
    });
}

#[test]
fn what_is_gone_is_let_go_of() {
    block_on(async {
        let world = World::new().await;
        let name = "Work";
        let made = world.store.create_mailbox(world.account, name, None).await;
        let work = made.unwrap();
        world.deliver("Subject: one\r\n\r\nbody\r\n").await;
        let uids = [facteur_store::Uid(1)].into_iter().collect();
        let inbox = world.inbox().id;
        let copied = world.store.copy(world.account, inbox, uids, work).await;
        copied.unwrap();
        world.catalog().catch_up().unwrap();
        assert!(world.catalog().reader(world.account, work).is_some());
        let deleted = world.store.delete_mailbox(world.account, work).await;
        deleted.unwrap();
        world.catalog().catch_up().unwrap();
        assert!(world.catalog().reader(world.account, work).is_none());
        assert!(world.catalog().reader(world.account, inbox).is_some());
    });
}

/// Out of the middle of a segment, all of one, and of one that merging made.
#[test]
fn expunged_messages_leave() {
    block_on(async {
        let world = World::new().await;
        let text = |number| format!("Subject: s{number}.\r\n\r\nword{number}. shared\r\n");
        for number in 1..=40 {
            world.deliver(&text(number)).await;
            if number != 20 {
                world.catalog().catch_up().unwrap();
            }
        }
        world.expunge(&[1, 7, 31, 32, 40]).await;
        world.deliver(&text(41)).await;
        world.catalog().catch_up().unwrap();
        let live: Vec<u32> = (1..=41)
            .filter(|uid| ![1, 7, 31, 32, 40].contains(uid))
            .collect();
        assert_eq!(world.cards(), live);
        assert_eq!(world.directory().messages(), 36);
        assert_eq!(
            world.search(SearchKey::Body("shared".to_owned()), true),
            live
        );
        for number in [2, 8, 30, 33, 39, 41] {
            let body = SearchKey::Body(format!("word{number}."));
            assert_eq!(world.search(body, true), [number]);
            let subject = SearchKey::Subject(format!("s{number}."));
            assert_eq!(world.search(subject, true), [number]);
        }
        world.expunge(&live).await;
        world.catalog().catch_up().unwrap();
        assert_eq!(world.directory().segments, []);
        // The mailbox's row alone.
        assert_eq!(world.rows(), 1);
    });
}

#[test]
fn an_erased_account_leaves_at_once() {
    block_on(async {
        let world = World::new().await;
        world.deliver("Subject: one\r\n\r\nbody\r\n").await;
        world.catalog().catch_up().unwrap();
        assert!(world.rows() > 1);
        world.store.erase_account(world.account).await.unwrap();
        world.catalog().forget(world.account).unwrap();
        assert_eq!(world.rows(), 0);
    });
}

/// It was erased when nobody could tell the catalogue.
#[test]
fn an_erased_account_leaves_at_the_start() {
    block_on(async {
        let world = World::new().await;
        world.deliver("Subject: one\r\n\r\nbody\r\n").await;
        world.catalog().catch_up().unwrap();
        world.store.erase_account(world.account).await.unwrap();
        assert!(world.rows() > 1);
        world.catalog().catch_up().unwrap();
        assert_eq!(world.rows(), 0);
    });
}

#[test]
fn a_panic_is_survived() {
    assert_eq!(indexer::surviving(|| 1), Some(1));
    assert_eq!(indexer::surviving(|| panic!("a library")), None::<()>);
}

#[test]
fn accounts_are_looked_through_in_time() {
    let (one, other) = (AccountId(1), AccountId(2));
    let at = |seconds| Duration::from_secs(seconds);
    let mut plan = Plan::new(&[one], at(10));
    assert_eq!(plan.next(), Some(at(70)));
    assert_eq!(plan.take_due(at(69)), []);
    assert_eq!(plan.take_due(at(70)), [one]);
    plan.changed(other, at(100));
    plan.changed(other, at(2000));
    assert_eq!(plan.next(), Some(at(100) + KEPT_MAX));
    assert_eq!(plan.take_due(at(100) + KEPT_MAX), [other]);
    plan.again(other, at(5000));
    assert_eq!(plan.take_due(at(5000)), [other]);
    assert_eq!(plan.next(), None);
}

/// In the clock of the runtime, which moves only when everybody waits.
#[test]
fn the_indexer_keeps_up_and_cleans() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let world = World::new().await;
        let indexer = tokio::spawn(run(Arc::clone(&world.ctx)));
        for number in 1..=50 {
            world.deliver("Subject: one\r\n\r\nbody\r\n").await;
            tokio::time::sleep(Duration::from_millis(999)).await;
            assert_eq!(world.directory().up_to, number);
        }
        world.expunge(&[3, 49]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.cards().len(), 50);
        world.clock.advance(KEPT_MAX);
        world.deliver("Subject: two\r\n\r\nbody\r\n").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(world.cards().len(), 49);
        world.store.erase_account(world.account).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.rows(), 0);
        world.ctx.shutdown.start();
        indexer.await.unwrap();
    });
    // The work of a round, the rest, and the round that takes the message in.
    let work = Duration::from_millis(150);
    assert!(indexer::rest_after(work) + work + work < Duration::from_secs(1));
}

#[test]
fn a_message_with_too_much_text_is_read() {
    block_on(async {
        let world = World::new().await;
        let mut text = String::from("Subject: large\r\n\r\n");
        let marks = || (b'#'..=b'`').map(char::from);
        for first in marks() {
            for second in marks() {
                for third in marks() {
                    text.extend([first, second, third]);
                }
                text.push_str("\r\n");
            }
        }
        text.push_str("needle");
        let mut grams = Grams::default();
        assert!(!grams.push(&text));
        assert_eq!(grams.finish(), None);
        assert_eq!(grams.finish(), Some(Vec::new()));
        world.deliver(&text).await;
        world.catalog().catch_up().unwrap();
        let found = world.search(SearchKey::Body("NEEDLE".to_owned()), true);
        assert_eq!(found, [1]);
    });
}

proptest! {
    #[test]
    fn a_substring_has_no_group_of_its_own(text in "\\PC{0,40}", start in 0_usize..40, len in 0_usize..20, cut in 0_usize..40) {
        let chars: Vec<char> = text.chars().collect();
        let needle: String = chars.iter().skip(start).take(len).collect();
        let mut grams = Grams::default();
        let cut: (Vec<char>, Vec<char>) = (chars.iter().take(cut).copied().collect(), chars.iter().skip(cut).copied().collect());
        grams.push(&cut.0.iter().collect::<String>());
        grams.push(&cut.1.iter().collect::<String>());
        let found = grams.finish().unwrap();
        for gram in of_needle(&casemap(&needle)) {
            prop_assert!(found.contains(&gram));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The catalogue finds what reading finds, whatever is looked for.
    #[test]
    fn the_same_with_and_without(
        messages in prop::collection::vec(("[abé ]{0,6}", "[abcé ]{0,12}", any::<bool>()), 1..12),
        needles in prop::collection::vec("[aAbcÉ ]{0,4}", 1..6),
    ) {
        block_on(async {
            let world = World::new().await;
            for (subject, body, step) in &messages {
                world
                    .deliver(&format!("Subject: {subject}\r\nFrom: {subject} <x@{body}>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"))
                    .await;
                if *step {
                    world.catalog().catch_up().unwrap();
                }
            }
            world.catalog().open().unwrap();
            if world.directory().up_to == 0 {
                world.catalog().catch_up().unwrap();
            }
            for needle in &needles {
                for key in [SearchKey::Subject, SearchKey::From, SearchKey::Text, SearchKey::Body] {
                    let key = key(needle.clone());
                    assert_eq!(world.search(key.clone(), true), world.search(key.clone(), false));
                    let not = SearchKey::Not(Box::new(key.clone()));
                    assert_eq!(world.search(not.clone(), true), world.search(not, false));
                    let or = SearchKey::Or(Box::new(key.clone()), Box::new(SearchKey::Subject("é".to_owned())));
                    assert_eq!(world.search(or.clone(), true), world.search(or, false));
                    // Longer words may be spelled anew, for which the catalogue is needed.
                    if needle.chars().count() < 4 {
                        let fuzzy = SearchKey::Fuzzy(Box::new(key));
                        assert_eq!(world.search(fuzzy.clone(), true), world.search(fuzzy, false));
                    }
                }
            }
        });
    }
}
