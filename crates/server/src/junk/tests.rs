use std::sync::Arc;
use std::time::Duration;

use facteur_filter::Vouched;
use facteur_message::Scanner;
use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{
    Clock, Credentials, Delivery, FlagNames, NewAccount, NewMessage, Options, Store, SystemFlags,
};

use super::*;
use crate::intake::Intake;

struct World {
    store: Store,
    filter: Filter,
    clock: Arc<VirtualClock>,
    disk: SimDisk,
    alice: AccountId,
    bob: AccountId,
}

impl World {
    async fn new() -> World {
        let (clock, disk) = (Arc::new(VirtualClock::new(1)), SimDisk::new(1));
        let store = open(&disk, &clock);
        store.create_domain("example.test").await.unwrap();
        let mut people = Vec::new();
        for name in ["alice", "bob"] {
            let account = NewAccount {
                address: format!("{name}@example.test"),
                display_name: String::new(),
                credentials: Credentials::default(),
                quota_bytes: None,
                language: "en".to_owned(),
            };
            people.push(store.create_account(account).await.unwrap());
        }
        World {
            filter: Filter::new(store.clone()),
            store,
            clock,
            disk,
            alice: people[0],
            bob: people[1],
        }
    }

    async fn put(&self, account: AccountId, mailbox: &str, text: &str, flags: FlagNames) {
        let (body, _) = Intake::whole(&self.store, text.as_bytes()).await.unwrap();
        let delivery = Delivery {
            account,
            mailbox: mailbox.to_owned(),
            message: NewMessage {
                prefix: trace().into_bytes(),
                flags,
                internal_date: None,
            },
        };
        let delivered = self.store.deliver(body, vec![delivery], Vec::new());
        delivered.await.unwrap();
    }

    /// 30 of each.
    async fn teach(&self, account: AccountId) {
        let flagged = FlagNames {
            system: SystemFlags::FLAGGED,
            keywords: Vec::new(),
        };
        for number in 0..30 {
            self.put(account, "Junk", &junk(number), FlagNames::default())
                .await;
            self.put(account, "INBOX", &good(number), flagged.clone())
                .await;
        }
        self.filter.catch_up().unwrap();
    }

    /// Points of the classifier.
    fn words(&self, account: AccountId, text: &str) -> f32 {
        let verdict = self.verdict(account, text);
        let mut reasons = verdict.reasons.iter();
        let words = reasons.find(|reason| reason.name == "words");
        words.map_or(0.0, |reason| reason.points)
    }

    fn verdict(&self, account: AccountId, text: &str) -> Verdict {
        let mut scanner = Scanner::new();
        scanner.push(text.as_bytes());
        let question = Question {
            head: text.as_bytes().to_vec(),
            facts: Arc::new(scanner.finish()),
            trace: trace(),
            vouched: Vouched::Unknown,
            bad_hello: false,
            listed: false,
            warned: false,
            rspamd: None,
            notes: Vec::new(),
            accounts: vec![account],
        };
        let mut filings = self.filter.judge(&question).unwrap();
        filings.remove(0).verdict
    }
}

fn open(disk: &SimDisk, clock: &Arc<VirtualClock>) -> Store {
    let options = Options {
        reserved_bytes: 1 << 20,
        ..Options::default()
    };
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Store::open(Arc::new(disk.clone()), clock, options)
        .unwrap()
        .0
}

fn trace() -> String {
    "Return-Path: <a@elsewhere.test>\r\nReceived: from elsewhere.test ([192.0.2.9])\r\n\tby x; y\r\n"
        .to_owned()
}

fn message(subject: &str, text: &str) -> String {
    format!(
        "From: a@elsewhere.test\r\nTo: b@example.test\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\
         Message-ID: <1@elsewhere.test>\r\nSubject: {subject}\r\n\r\n{text}\r\n"
    )
}

fn junk(number: u32) -> String {
    message(
        "Cheap pills",
        &format!("Order cheap pills online now, offer {number}"),
    )
}

fn good(number: u32) -> String {
    message(
        "Minutes",
        &format!("The minutes of our meeting, page {number}"),
    )
}

#[tokio::test]
async fn it_learns_from_where_people_put_their_mail() {
    let world = World::new().await;
    assert_eq!(world.words(world.bob, &junk(99)), 0.0, "it starts mild");
    world.teach(world.alice).await;
    assert!(world.words(world.bob, &junk(99)) > 1.0);
    assert!(world.words(world.bob, &good(99)) < -1.0);
}

#[tokio::test]
async fn what_was_learned_outlives_a_restart_and_a_lost_file() {
    let mut world = World::new().await;
    world.teach(world.alice).await;
    let before = world.words(world.bob, &junk(99));
    lock(&world.filter.state)
        .as_ref()
        .unwrap()
        .keep
        .flush()
        .unwrap();
    world.store.close().await.unwrap();
    drop(world.filter);
    world.store = open(&world.disk, &world.clock);
    world.filter = Filter::new(world.store.clone());
    assert_eq!(world.words(world.bob, &junk(99)), before);
    drop(world.filter);
    world.store.remove_derived(keep::FILE).unwrap();
    world.filter = Filter::new(world.store.clone());
    assert_eq!(world.words(world.bob, &junk(99)), 0.0);
    world.filter.catch_up().unwrap();
    assert!(world.words(world.bob, &junk(99)) > 1.0, "learned anew");
}

#[tokio::test]
async fn people_disagree() {
    let world = World::new().await;
    world.teach(world.alice).await;
    let flagged = FlagNames {
        system: SystemFlags::FLAGGED,
        keywords: Vec::new(),
    };
    for number in 100..110 {
        world
            .put(world.bob, "INBOX", &junk(number), flagged.clone())
            .await;
    }
    world.filter.catch_up().unwrap();
    let (alice, bob) = (
        world.words(world.alice, &junk(200)),
        world.words(world.bob, &junk(200)),
    );
    assert!(bob < alice, "{bob} {alice}");
}

#[tokio::test]
async fn read_mail_that_lies_in_inbox_for_days_is_good() {
    let world = World::new().await;
    let seen = FlagNames {
        system: SystemFlags::SEEN,
        keywords: Vec::new(),
    };
    world.put(world.alice, "INBOX", &good(1), seen).await;
    world.filter.catch_up().unwrap();
    let taught = || {
        lock(&world.filter.state)
            .as_ref()
            .unwrap()
            .server
            .examples()
            .good
    };
    assert_eq!(taught(), 0);
    world.clock.advance(Duration::from_secs(3 * 24 * 3600));
    world.filter.catch_up().unwrap();
    assert_eq!(taught(), 1);
    world.filter.catch_up().unwrap();
    assert_eq!(taught(), 1, "once");
}

#[tokio::test]
async fn whom_one_writes_to_is_no_stranger() {
    let world = World::new().await;
    let has = |verdict: &Verdict, name| verdict.reasons.iter().any(|it| it.name == name);
    let letter = good(1);
    assert!(has(&world.verdict(world.alice, &letter), "first-time"));
    let sent = letter.replace("b@example.test", "a@elsewhere.test");
    world
        .put(world.alice, "Sent", &sent, FlagNames::default())
        .await;
    world.filter.catch_up().unwrap();
    let verdict = world.verdict(world.alice, &letter);
    assert!(has(&verdict, "correspondent") && !has(&verdict, "first-time"));
    assert!(has(&world.verdict(world.bob, &letter), "first-time"));
    world.filter.forget(world.alice).unwrap();
    assert!(has(&world.verdict(world.alice, &letter), "first-time"));
}

#[test]
fn the_field_names_every_reason() {
    let evidence = Evidence {
        first_time: true,
        bad_hello: true,
        ..Evidence::default()
    };
    let filing = Filing {
        account: AccountId(1),
        verdict: judge(&evidence),
        junk: false,
        mailbox: None,
        notes: Vec::new(),
    };
    assert_eq!(
        field(&filing),
        "X-Facteur-Verdict: good +1.5;\r\n\
         \t+1.0 hello (the sending server hides its name);\r\n\
         \t+0.5 first-time (the recipient never had mail from this sender)\r\n"
    );
}

/// What a domain wants set aside is, whatever else speaks for it.
#[tokio::test]
async fn set_aside_is_junk_without_the_filter_too() {
    let world = World::new().await;
    let judge = |vouched| {
        let accounts = [world.alice];
        world.filter.judge_by_sender(&accounts, vouched).unwrap()
    };
    let filing = judge(Vouched::SetAside).remove(0);
    assert!(filing.junk);
    assert_eq!(filing.mailbox.as_deref(), Some("Junk"));
    let filing = judge(Vouched::Nobody).remove(0);
    assert!(!filing.junk);
    assert_eq!(filing.mailbox, None);
}
