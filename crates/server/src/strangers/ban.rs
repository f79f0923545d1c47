//! Bans: an address that fails to log in, tries names of recipients or breaks the protocol over and
//! over is shut out of every listener, each time for longer.
//!
//! What is wrong has its points, a hundred in an hour are a ban. A connection from there is told to
//! come later: mail of somebody who was shut out by mistake is late, never lost.

use std::net::IpAddr;
use std::time::Duration;

use facteur_store::Timestamp;

use super::table::{Kind, Row};
use super::{Strangers, address_of, host, lock};
use crate::context::PeerAddress;
use crate::gate::counted_address;
use crate::limits;

pub(super) const KIND: Kind = Kind {
    letter: 1,
    rows_max: limits::BANS_MAX,
    // How often somebody was shut out is remembered for a while.
    is_over: |row, now| now > row.last.after(limits::BAN_REMEMBERED),
};

/// What a stranger did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A login failed. The same name and password as the last time, known by their hash, are an old
    /// device and no guess.
    Login(Option<u64>),
    /// A recipient that there is not.
    Recipient,
    /// A recipient elsewhere, from somebody who is not logged in.
    Relay,
    /// The session was ended for it.
    Breach,
}

/// Why an address is shut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Logins,
    Recipients,
    Protocol,
    ByHand,
}

const REASONS: [(Reason, &str); 4] = [
    (Reason::Logins, "logins"),
    (Reason::Recipients, "recipients"),
    (Reason::Protocol, "protocol"),
    (Reason::ByHand, "by_hand"),
];

impl Reason {
    /// As in the log and the admin interface.
    pub fn name(self) -> &'static str {
        let row = REASONS.iter().find(|(reason, _)| *reason == self);
        row.map_or("", |(_, name)| name)
    }

    fn number(self) -> u32 {
        let place = REASONS.iter().position(|(reason, _)| *reason == self);
        place.unwrap_or_default() as u32
    }

    fn from_number(number: u32) -> Reason {
        let row = REASONS.get(number as usize);
        row.map_or(Reason::ByHand, |(reason, _)| *reason)
    }
}

/// Points, and what they count as.
fn weight(offence: Offence) -> (Reason, u32) {
    match offence {
        Offence::Login(_) => (Reason::Logins, 3),
        Offence::Recipient => (Reason::Recipients, 2),
        Offence::Relay => (Reason::Recipients, 5),
        Offence::Breach => (Reason::Protocol, 20),
    }
}

/// This many in an hour.
const BAN_POINTS: u32 = 100;
/// So many speak for a message that was taken.
const MESSAGE_POINTS: u32 = 4;
const WINDOW: Duration = Duration::from_secs(3600);
/// The first, the second, ... time; the last for all that follow.
pub(super) const TIMES: [Duration; 5] = [
    Duration::from_secs(10 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(7 * 24 * 3600),
];
/// Until it is lifted.
const FOR_EVER: Timestamp = Timestamp(i64::MAX);

/// What an address did in an hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    since: Duration,
    logins: u32,
    recipients: u32,
    protocol: u32,
    last_login: Option<u64>,
}

impl Tally {
    fn new(now: Duration) -> Self {
        Tally {
            since: now,
            logins: 0,
            recipients: 0,
            protocol: 0,
            last_login: None,
        }
    }

    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= WINDOW
    }

    fn points(&self) -> u32 {
        self.logins
            .saturating_add(self.recipients)
            .saturating_add(self.protocol)
    }

    fn add(&mut self, offence: Offence) {
        if let Offence::Login(Some(login)) = offence
            && self.last_login.replace(login) == Some(login)
        {
            return;
        }
        let (reason, points) = weight(offence);
        let sum = match reason {
            Reason::Logins => &mut self.logins,
            Reason::Recipients => &mut self.recipients,
            Reason::Protocol | Reason::ByHand => &mut self.protocol,
        };
        *sum = sum.saturating_add(points);
    }

    /// The weightiest, when it is enough.
    fn verdict(&self) -> Option<Reason> {
        if self.points() < BAN_POINTS {
            return None;
        }
        let sums = [
            (self.logins, Reason::Logins),
            (self.recipients, Reason::Recipients),
            (self.protocol, Reason::Protocol),
        ];
        let most = sums.into_iter().max_by_key(|(sum, _)| *sum);
        most.map(|(_, reason)| reason)
    }
}

/// Somebody who is shut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Of IPv6 the first address of its /64.
    pub address: IpAddr,
    pub since: Timestamp,
    /// `None`: until it is lifted.
    pub until: Option<Timestamp>,
    pub reason: Reason,
    /// How many times, this one among them.
    pub times: u32,
}

impl Ban {
    fn of(address: IpAddr, row: Row) -> Ban {
        Ban {
            address,
            since: row.first,
            until: (row.last != FOR_EVER).then_some(row.last),
            reason: Reason::from_number(row.word & 0xff),
            times: row.word >> 8,
        }
    }

    fn row(&self) -> Row {
        Row {
            first: self.since,
            last: self.until.unwrap_or(FOR_EVER),
            word: self.times.min(0xff_ffff) << 8 | self.reason.number(),
        }
    }

    fn is_on(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Who is not to be shut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protected {
    /// This machine, or a trusted network.
    Ours,
    /// Somebody logged in from there of late.
    LoggedIn,
}

impl Strangers {
    /// The ban that shuts this address out now.
    pub fn ban_of(&self, peer: PeerAddress) -> Option<Ban> {
        let address = peer.ip()?;
        if self.is_ours(peer) {
            return None;
        }
        let now = self.now();
        let key = host(address);
        let row = self.with(|keep| keep.bans.get(&key, now))?;
        Some(Ban::of(address_of(&key), row)).filter(|ban| ban.is_on(now))
    }

    /// All that are in force, the newest first.
    pub fn bans(&self) -> Vec<Ban> {
        let now = self.now();
        let mut bans: Vec<Ban> = self.with(|keep| {
            let rows = keep.bans.iter();
            rows.map(|(key, row)| Ban::of(address_of(key), *row))
                .collect()
        });
        bans.retain(|ban| ban.is_on(now));
        bans.sort_unstable_by_key(|ban| (std::cmp::Reverse(ban.since), ban.address));
        bans
    }

    /// Counts what a peer did wrong; who did too much is shut out.
    pub fn offend(&self, peer: PeerAddress, offence: Offence) {
        let Some(address) = peer.ip().map(counted_address) else {
            return;
        };
        if self.is_ours(peer) {
            return;
        }
        let now = self.clock.monotonic();
        let reason = {
            let mut tallies = lock(&self.tallies);
            if tallies.len() >= limits::TALLIES_MAX {
                tallies.retain(|_, tally| !tally.is_over(now));
            }
            if tallies.len() >= limits::TALLIES_MAX {
                // From that many places at once: counting stops nobody.
                tallies.clear();
            }
            let tally = tallies.entry(address).or_insert_with(|| Tally::new(now));
            if tally.is_over(now) {
                *tally = Tally::new(now);
            }
            tally.add(offence);
            tally.verdict()
        };
        let Some(reason) = reason else { return };
        if self.is_home(address) {
            return;
        }
        lock(&self.tallies).remove(&address);
        self.shut_out(address, reason);
    }

    /// A message from there was taken, and looks good.
    pub fn commend(&self, peer: PeerAddress) {
        let Some(address) = peer.ip().map(counted_address) else {
            return;
        };
        if let Some(tally) = lock(&self.tallies).get_mut(&address) {
            tally.recipients = tally.recipients.saturating_sub(MESSAGE_POINTS);
        }
    }

    /// From 0 to 100: how near an address is to a ban.
    pub fn offences_of(&self, peer: PeerAddress) -> u32 {
        let now = self.clock.monotonic();
        let Some(address) = peer.ip().map(counted_address) else {
            return 0;
        };
        let tallies = lock(&self.tallies);
        let tally = tallies.get(&address).filter(|tally| !tally.is_over(now));
        tally.map_or(0, |tally| tally.points().min(BAN_POINTS))
    }

    pub(super) fn forgive(&self, address: IpAddr) {
        lock(&self.tallies).remove(&counted_address(address));
    }

    fn shut_out(&self, address: IpAddr, reason: Reason) {
        let (key, now) = (host(address), self.now());
        let before = self.with(|keep| keep.bans.get(&key, now));
        let before = before.map(|row| Ban::of(address, row));
        if before.is_some_and(|ban| ban.is_on(now)) {
            // A session that was open before; the ban has its length.
            return;
        }
        let times = before.map_or(0, |ban| ban.times).saturating_add(1);
        let place = usize::try_from(times - 1).unwrap_or(usize::MAX);
        let length = TIMES.get(place).or(TIMES.last()).copied();
        let length = length.unwrap_or_default();
        let ban = Ban {
            address,
            since: now,
            until: Some(now.after(length)),
            reason,
            times,
        };
        tracing::warn!(
            %address,
            reason = reason.name(),
            minutes = length.as_secs() / 60,
            times,
            "address shut out"
        );
        self.put(ban);
    }

    fn put(&self, ban: Ban) {
        let now = self.now();
        self.with(|keep| keep.bans.put(host(ban.address), ban.row(), now));
        self.news.notify_one();
    }

    /// By the administrator; `None`: until it is lifted.
    pub fn ban(&self, address: IpAddr, length: Option<Duration>) -> Result<Ban, Protected> {
        if self.is_ours(PeerAddress::Tcp((address, 0).into())) {
            return Err(Protected::Ours);
        }
        let address = counted_address(address);
        if self.is_home(address) {
            return Err(Protected::LoggedIn);
        }
        let now = self.now();
        let before = self.with(|keep| keep.bans.get(&host(address), now));
        let ban = Ban {
            address,
            since: now,
            until: length.map(|length| now.after(length)),
            reason: Reason::ByHand,
            times: before.map_or(0, |row| Ban::of(address, row).times) + 1,
        };
        tracing::info!(%address, reason = ban.reason.name(), "address shut out");
        self.put(ban);
        Ok(ban)
    }

    /// The address may come again, and begins anew. `None`: it was not shut out.
    pub fn lift(&self, address: IpAddr) -> Option<Ban> {
        let address = counted_address(address);
        let row = self.with(|keep| keep.bans.remove(&host(address)))?;
        self.forgive(address);
        self.news.notify_one();
        let ban = Ban::of(address, row);
        tracing::info!(%address, "ban lifted");
        Some(ban).filter(|ban| ban.is_on(self.now()))
    }
}
