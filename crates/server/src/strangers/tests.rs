//! Bans, logins and greylisting on a virtual clock, over restarts.

use std::sync::Arc;
use std::time::Duration;

use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{AccountId, Clock, Options, Store};

use super::ban::TIMES;
use super::{Network, Offence, Protected, Reason, Strangers};
use crate::config::Config;
use crate::context::PeerAddress;

struct World {
    clock: Arc<VirtualClock>,
    disk: SimDisk,
    store: Store,
    strangers: Strangers,
}

fn peer(text: &str) -> PeerAddress {
    PeerAddress::Tcp((text.parse::<std::net::IpAddr>().unwrap(), 4).into())
}

fn config() -> Config {
    let mut config = Config::new("mail.example.test");
    config.trusted_networks = vec!["198.51.100.0/24".parse::<Network>().unwrap()];
    config
}

fn open(clock: &Arc<VirtualClock>, disk: &SimDisk) -> Store {
    let clock: Arc<dyn Clock> = clock.clone();
    let (store, _) = Store::open(Arc::new(disk.clone()), clock, Options::default()).unwrap();
    store
}

impl World {
    fn new() -> World {
        let (clock, disk) = (Arc::new(VirtualClock::new(1)), SimDisk::new(1));
        let store = open(&clock, &disk);
        World {
            strangers: Strangers::new(store.clone(), &config()),
            clock,
            disk,
            store,
        }
    }

    async fn restart(self) -> World {
        self.strangers.save().unwrap();
        self.store.close().await.unwrap();
        drop((self.strangers, self.store));
        let (disk, store) = (self.disk.clone(), open(&self.clock, &self.disk));
        World {
            strangers: Strangers::new(store.clone(), &config()),
            clock: self.clock,
            disk,
            store,
        }
    }

    fn offend(&self, who: &str, offence: Offence, times: u32) {
        for _ in 0..times {
            self.strangers.offend(peer(who), offence);
        }
    }

    fn is_banned(&self, who: &str) -> bool {
        self.strangers.ban_of(peer(who)).is_some()
    }

    fn later(&self, by: Duration) {
        self.clock.advance(by);
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn what_is_too_much() {
    for (offence, times, reason) in [
        (Offence::Login(None), 34, Reason::Logins),
        (Offence::Recipient, 50, Reason::Recipients),
        (Offence::Relay, 20, Reason::Recipients),
        (Offence::Breach, 5, Reason::Protocol),
    ] {
        let world = World::new();
        world.offend("192.0.2.1", offence, times - 1);
        assert!(!world.is_banned("192.0.2.1"), "{offence:?}");
        world.offend("192.0.2.1", offence, 1);
        let ban = world.strangers.ban_of(peer("192.0.2.1")).unwrap();
        assert_eq!((ban.reason, ban.times), (reason, 1));
        assert_eq!(ban.until, Some(world.clock.now().after(TIMES[0])));
        assert!(!world.is_banned("192.0.2.2"), "others come in");
        // Not in an hour: not too much.
        world.offend("192.0.2.3", offence, times - 1);
        world.later(Duration::from_secs(3600));
        world.offend("192.0.2.3", offence, times - 1);
        assert!(!world.is_banned("192.0.2.3"));
    }
}

#[tokio::test]
async fn an_old_device_guesses_nothing() {
    let world = World::new();
    world.offend("192.0.2.1", Offence::Login(Some(7)), 1000);
    assert!(!world.is_banned("192.0.2.1"));
    for guess in 0..34 {
        world.offend("192.0.2.1", Offence::Login(Some(guess)), 1);
    }
    assert!(world.is_banned("192.0.2.1"));
}

#[tokio::test]
async fn each_time_is_longer_and_is_kept() {
    let mut world = World::new();
    for length in TIMES.iter().chain([&TIMES[4]]) {
        world.offend("2001:db8::1", Offence::Breach, 5);
        world = world.restart().await;
        assert!(world.is_banned("2001:db8::ffff"), "the whole /64");
        assert!(!world.is_banned("2001:db8:0:1::1"));
        world.later(*length - Duration::from_millis(1));
        assert!(world.is_banned("2001:db8::1"), "{length:?}");
        world.later(Duration::from_millis(1));
        assert!(!world.is_banned("2001:db8::1"), "{length:?}");
        assert!(world.strangers.bans().is_empty());
    }
    // After a long while it is forgotten.
    world.later(31 * DAY);
    world.offend("2001:db8::1", Offence::Breach, 5);
    assert_eq!(
        world.strangers.ban_of(peer("2001:db8::1")).unwrap().times,
        1
    );
}

#[tokio::test]
async fn who_is_never_shut_out() {
    let mut world = World::new();
    world.strangers.note_own("203.0.113.5".parse().unwrap());
    world.strangers.logged_in(peer("192.0.2.1"), AccountId(1));
    world = world.restart().await;
    world.strangers.note_own("203.0.113.5".parse().unwrap());
    for who in [
        "127.0.0.1",
        "::1",
        "198.51.100.9",
        "203.0.113.5",
        "192.0.2.1",
    ] {
        world.offend(who, Offence::Breach, 100);
        assert!(!world.is_banned(who), "{who}");
        let address = who.parse().unwrap();
        assert!(world.strangers.ban(address, None).is_err(), "{who}");
    }
    world.strangers.offend(PeerAddress::Unix, Offence::Breach);
    let home = "192.0.2.1".parse().unwrap();
    assert_eq!(world.strangers.ban(home, None), Err(Protected::LoggedIn));
    world.later(31 * DAY);
    world.offend("192.0.2.1", Offence::Breach, 5);
    assert!(world.is_banned("192.0.2.1"), "nobody logged in for a month");
    // Somebody who comes in by a session that was open is let in again.
    world.strangers.logged_in(peer("192.0.2.1"), AccountId(1));
    assert!(!world.is_banned("192.0.2.1"));
}

#[tokio::test]
async fn mail_that_is_taken_speaks_for_its_sender() {
    let world = World::new();
    for _ in 0..200 {
        world.offend("192.0.2.1", Offence::Recipient, 2);
        world.strangers.commend(peer("192.0.2.1"));
    }
    assert!(!world.is_banned("192.0.2.1"));
}

#[tokio::test]
async fn by_hand_and_lifted() {
    let mut world = World::new();
    let address = "192.0.2.7".parse().unwrap();
    assert_eq!(world.strangers.lift(address), None);
    world.strangers.ban(address, None).unwrap();
    world = world.restart().await;
    world.later(1000 * DAY);
    assert!(world.is_banned("192.0.2.7"));
    let ban = world.strangers.bans().remove(0);
    assert_eq!(
        (ban.address, ban.until, ban.reason),
        (address, None, Reason::ByHand)
    );
    assert_eq!(world.strangers.lift(address), Some(ban));
    world = world.restart().await;
    assert!(!world.is_banned("192.0.2.7"));
    world.strangers.ban(address, Some(MINUTE)).unwrap();
    world.later(MINUTE);
    assert!(!world.is_banned("192.0.2.7"));
}

#[tokio::test]
async fn grey_mail_passes_when_it_comes_again() {
    let mut world = World::new();
    let passes = |world: &World, domain| world.strangers.passes_grey("192.0.2", domain);
    assert!(!passes(&world, "a.test"));
    world.later(2 * MINUTE);
    assert!(!passes(&world, "A.test"), "too soon");
    world = world.restart().await;
    world.later(MINUTE);
    assert!(passes(&world, "a.test"));
    assert!(!passes(&world, "b.test"), "of another domain");
    world.later(59 * DAY);
    assert!(passes(&world, "a.test"));
    world = world.restart().await;
    world.later(59 * DAY);
    assert!(passes(&world, "a.test"), "remembered from the last time");
    assert!(
        !passes(&world, "b.test"),
        "the first attempt is too long ago"
    );
    world.later(61 * DAY);
    assert!(!passes(&world, "a.test"));
}

#[tokio::test]
async fn a_new_place() {
    let world = World::new();
    let (alice, home, away) = (AccountId(1), peer("192.0.2.1"), peer("203.0.113.9"));
    let is_new = |peer| world.strangers.is_new_place(peer, alice);
    world.strangers.logged_in(home, alice);
    assert!(!is_new(home), "of a new account nothing is known");
    assert!(!is_new(away), "it never came from there");
    world.later(10 * DAY);
    world.strangers.logged_in(home, alice);
    world.strangers.logged_in(away, alice);
    assert!(!is_new(home));
    assert!(is_new(away));
    world.later(DAY);
    assert!(!is_new(away), "a day later it is known");
    world.strangers.forget(alice);
    world.strangers.logged_in(away, alice);
    assert!(!is_new(away));
}
