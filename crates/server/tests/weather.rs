//! Mail on its way out in all weathers: hosts that are dead, slow, mute, busy, forgetful, or that
//! end the connection at the worst moment, and power that fails here. Seeded: a failure names its
//! seed (`WEATHER=7 cargo test --test weather`).
//!
//! What must hold: each recipient of each accepted message ends, by an arrival or by one report;
//! nothing arrives twice where the host could say that it arrived, but for what was under way when
//! the power failed; each failure is told once; the queue drains.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use facteur_server::dns::{Mx, TableDns};
use facteur_server::intake::Intake;
use facteur_server::net::{Connecting, Net, Socket};
use facteur_server::queue::{self, ClientTls, Sender};
use facteur_server::{Config, Context};
use facteur_sim::{Mood, Random, SimDisk, SimNet, VirtualClock};
use facteur_store::{
    AccountId, Clock, Credentials, NewAccount, NewQueueEntry, Options, QueueFilter, QueueRecipient,
    Store, Timestamp,
};

const DAY: u64 = 86_400;
const DOMAINS: usize = 12;
const MESSAGES: usize = 40;

#[derive(Debug)]
struct Wires(SimNet);

impl Net for Wires {
    fn connect(&self, to: SocketAddr, _: Option<IpAddr>) -> Connecting<'_> {
        Box::pin(async move {
            let stream = self.0.connect(to.ip()).await?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }
}

struct World {
    seed: u64,
    random: Random,
    clock: Arc<VirtualClock>,
    net: SimNet,
    dns: Arc<TableDns>,
    /// What was accepted: message and recipient.
    accepted: Vec<(String, String)>,
    /// What was offered too, and may have been kept when the power failed before we said so.
    offered: Vec<(String, String)>,
    /// How often the power failed.
    cuts: usize,
    tls: ClientTls,
}

fn address(domain: usize, host: usize) -> IpAddr {
    IpAddr::from([192, 0, domain as u8, host as u8])
}

/// Alice's, due now.
fn entry(domain: String, recipients: &[String], now: Timestamp) -> NewQueueEntry {
    let recipients = recipients.iter().map(QueueRecipient::pending);
    NewQueueEntry {
        domain,
        reverse_path: "alice@example.test".to_owned(),
        recipients: recipients.collect(),
        language: "en".to_owned(),
        due: now,
        expires: now.after(Duration::from_secs(5 * DAY)),
        ..NewQueueEntry::default()
    }
}

impl World {
    fn new(seed: u64) -> World {
        let dns = TableDns::default();
        let net = SimNet::new(seed);
        let mut random = Random::new(seed);
        for domain in 0..DOMAINS {
            let hosts = 1 + random.index(3);
            let records = (0..hosts).map(|host| {
                let name = format!("mx{host}.d{domain}.test");
                dns.set_addresses(&name, Ok(vec![address(domain, host)]));
                Mx {
                    preference: 10 * host as u16,
                    exchange: name,
                }
            });
            let records = records.collect();
            dns.set_mx(&format!("d{domain}.test"), Ok(records));
        }
        World {
            seed,
            random,
            clock: Arc::new(VirtualClock::new(seed)),
            net,
            dns: Arc::new(dns),
            accepted: Vec::new(),
            offered: Vec::new(),
            cuts: 0,
            tls: ClientTls::new(None).unwrap(),
        }
    }

    /// What the hosts are like from now on.
    fn weather(&mut self, bad: bool) {
        for domain in 0..DOMAINS {
            for host in 0..3 {
                let mut moods = vec![Mood::Good];
                if bad {
                    for _ in 0..self.random.index(4) {
                        let index = self.random.index(Mood::TEMPORARY.len());
                        moods.push(Mood::TEMPORARY[index]);
                    }
                }
                // Some never take anything.
                match domain {
                    0 => moods = vec![Mood::Dead, Mood::Refused, Mood::Mute],
                    1 => moods = vec![Mood::Refuses],
                    2 => moods = vec![Mood::RefusesContent],
                    _ => {}
                }
                self.net.set(address(domain, host), &moods);
            }
        }
    }

    fn open(&self, disk: &SimDisk) -> Store {
        let options = Options {
            reserved_bytes: 1 << 20,
            ..Options::default()
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        Store::open(Arc::new(disk.clone()), clock, options)
            .unwrap()
            .0
    }

    fn start(&self, store: &Store) -> (Arc<Context>, tokio::task::JoinHandle<()>) {
        let mut config = Config::new("mail.example.test");
        config.queue.transfers_max = 8;
        let ctx = Context::new(config, store.clone()).unwrap();
        let net = Arc::new(Wires(self.net.clone()));
        let sender = Sender::new(Arc::clone(&ctx), self.dns.clone(), net, self.tls.clone());
        (ctx, tokio::spawn(queue::run(sender)))
    }

    async fn send(&mut self, store: &Store, number: usize) {
        let message = format!("<{number}@example.test>");
        let first = self.random.index(DOMAINS);
        let domains = (first..first + 1 + self.random.index(3)).map(|at| at % DOMAINS);
        let domains: Vec<String> = domains.map(|at| format!("d{at}.test")).collect();
        let mut addressed = Vec::new();
        for domain in &domains {
            let names = (0..1 + self.random.index(3)).map(|n| format!("r{n}@{domain}"));
            addressed.push((domain.clone(), names.collect::<Vec<String>>()));
        }
        let text = format!("Message-ID: {message}\r\nSubject: x\r\n\r\ntext\r\n");
        let Ok((body, _)) = Intake::whole(store, text.as_bytes()).await else {
            return;
        };
        let (now, priority) = (self.clock.now(), self.random.below(19) as i8 - 9);
        let new = addressed.iter().map(|(domain, names)| {
            let mut new = entry(domain.clone(), names, now);
            new.wishes.priority = priority;
            new
        });
        let new: Vec<NewQueueEntry> = new.collect();
        let names = addressed.into_iter().flat_map(|(_, names)| names);
        let named: Vec<_> = names.map(|name| (message.clone(), name)).collect();
        self.offered.extend(named.clone());
        if store.deliver(body, Vec::new(), new).await.is_ok() {
            self.accepted.extend(named);
        }
    }

    /// Lets time pass until `end`, here and in the timers alike.
    async fn pass(&self, end: Timestamp, mut done: impl FnMut() -> bool) {
        let step = Duration::from_secs(15);
        while self.clock.now() < end && !done() {
            tokio::time::sleep(step).await;
            self.clock.advance(step);
        }
    }

    async fn run(mut self) {
        let mut disk = SimDisk::new(self.seed);
        let mut store = self.open(&disk);
        store.create_domain("example.test").await.unwrap();
        let new = NewAccount {
            address: "alice@example.test".to_owned(),
            display_name: "alice".to_owned(),
            credentials: Credentials::default(),
            quota_bytes: None,
            language: "en".to_owned(),
        };
        let alice = store.create_account(new).await.unwrap();
        let mut number = 0;
        for _ in 0..4 {
            self.weather(true);
            let (ctx, runner) = self.start(&store);
            let cut = self.random.chance(60);
            if cut {
                let operation = disk.operations() + 1 + self.random.below(150);
                disk.cut_power_at(operation);
            }
            for _ in 0..MESSAGES / 4 {
                self.send(&store, number).await;
                number += 1;
                let pause = Duration::from_secs(self.random.below(1200));
                let until = self.clock.now().after(pause);
                self.pass(until, || !disk.has_power()).await;
            }
            if cut {
                // If it did not fail until now, it does now.
                self.cuts += 1;
                disk.cut_power();
                runner.abort();
                let _ = runner.await;
                drop(ctx);
                let _ = store.close().await;
                disk = disk.reboot(self.random.next());
                store = self.open(&disk);
            } else {
                ctx.shutdown.start();
                runner.await.unwrap();
            }
        }
        self.weather(false);
        let (ctx, runner) = self.start(&store);
        let end = self.clock.now().after(Duration::from_secs(7 * DAY));
        let is_empty = || entries(&store) == 0;
        self.pass(end, is_empty).await;
        assert_eq!(
            entries(&store),
            0,
            "seed {}: the queue does not drain",
            self.seed
        );
        ctx.shutdown.start();
        runner.await.unwrap();
        self.check(&store, alice);
        store.close().await.unwrap();
        drop(ctx);
        drop(store);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let report = Store::verify(Arc::new(disk.restart()), clock).unwrap();
        assert_eq!(report.faults, Vec::<String>::new(), "seed {}", self.seed);
    }

    fn check(&self, store: &Store, alice: AccountId) {
        let seed = self.seed;
        let failures = failures(store, alice);
        let mut arrivals: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
        for taken in self.net.taken() {
            let count = arrivals
                .entry((taken.message, taken.recipient))
                .or_default();
            if taken.replied {
                count.0 += 1;
            } else {
                count.1 += 1;
            }
        }
        for sent in &self.offered {
            let (replied, silent) = arrivals.get(sent).copied().unwrap_or_default();
            let told = failures.get(sent).copied().unwrap_or_default();
            let ended = replied + silent + told > 0;
            assert!(
                ended || !self.accepted.contains(sent),
                "seed {seed}: {sent:?} is lost"
            );
            // What was under way when the power failed may have come already.
            assert!(
                replied <= 1 + self.cuts,
                "seed {seed}: {sent:?} came {replied} times"
            );
            if self.cuts == 0 {
                assert!(
                    replied + told <= 1,
                    "seed {seed}: {sent:?}: {replied} and {told}"
                );
            }
            assert!(told <= 1, "seed {seed}: {sent:?} failed {told} times");
        }
        for arrival in arrivals.keys() {
            assert!(
                self.offered.contains(arrival),
                "seed {seed}: {arrival:?} was never sent"
            );
        }
        for failure in failures.keys() {
            assert!(
                self.offered.contains(failure),
                "seed {seed}: {failure:?} was never sent"
            );
        }
    }
}

fn entries(store: &Store) -> usize {
    store
        .queue_list(&QueueFilter::default(), None, 10_000)
        .unwrap()
        .len()
}

/// Reports of failure in the sender's mailbox, by message and recipient.
fn failures(store: &Store, alice: AccountId) -> BTreeMap<(String, String), usize> {
    let inbox = store.mailbox_by_name(alice, "INBOX").unwrap().unwrap();
    let index = store.index(alice, inbox.id).unwrap();
    let mut failures = BTreeMap::new();
    for row in index.rows() {
        let message = store.message(alice, inbox.id, row.uid).unwrap().unwrap();
        let mut bytes = Vec::new();
        store
            .read_body(message.blob, 0..message.body_size, &mut bytes)
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let mut ids = text
            .lines()
            .filter_map(|line| line.strip_prefix("Message-ID: "));
        let id = ids.next_back().unwrap_or_default().trim().to_owned();
        let mut recipient = String::new();
        for line in text.lines() {
            if let Some(address) = line.strip_prefix("Final-Recipient: rfc822; ") {
                recipient = address.to_owned();
            }
            if line == "Action: failed" {
                *failures.entry((id.clone(), recipient.clone())).or_default() += 1;
            }
        }
    }
    failures
}

#[expect(clippy::disallowed_methods, reason = "a test asked for one seed")]
#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let one = std::env::var("WEATHER")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(1..9, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(World::new(seed).run());
    }
}

/// Mail for a thousand destinations; from one nothing is heard. It holds one transfer of a hundred, and
/// only until it is given up, while all other mail arrives.
async fn crowd() {
    const DESTINATIONS: u16 = 1000;
    const ROUNDS: usize = 4;
    const MUTE: u16 = 500;
    /// RFC 5321 §4.5.3.2.1: until it is given up.
    const GREETING: u64 = 300;
    let (clock, disk) = (Arc::new(VirtualClock::new(1)), SimDisk::new(1));
    let (net, dns) = (SimNet::new(1), TableDns::default());
    let options = Options {
        reserved_bytes: 1 << 20,
        ..Options::default()
    };
    let store = Store::open(Arc::new(disk), clock.clone(), options)
        .unwrap()
        .0;
    store.create_domain("example.test").await.unwrap();
    for number in 0..DESTINATIONS {
        let [high, low] = number.to_be_bytes();
        let at = IpAddr::from([10, high, low, 1]);
        let (domain, exchange) = (format!("d{number}.test"), format!("mx.d{number}.test"));
        dns.set_addresses(&exchange, Ok(vec![at]));
        dns.set_mx(
            &domain,
            Ok(vec![Mx {
                preference: 0,
                exchange,
            }]),
        );
        let mood = match number == MUTE {
            true => Mood::Mute,
            false => Mood::Tarpit(Duration::from_secs(1)),
        };
        net.set(at, &[mood]);
    }
    for round in 0..ROUNDS {
        let text = format!("Message-ID: <{round}@example.test>\r\nSubject: x\r\n\r\ntext\r\n");
        let body = Intake::whole(&store, text.as_bytes()).await.unwrap().0;
        let entries = (0..DESTINATIONS).map(|number| {
            let domain = format!("d{number}.test");
            let to = [format!("r@{domain}")];
            entry(domain, &to, clock.now())
        });
        let entries = entries.collect();
        store.deliver(body, Vec::new(), entries).await.unwrap();
    }
    let ctx = Context::new(Config::new("mail.example.test"), store.clone()).unwrap();
    let begin = tokio::time::Instant::now();
    let sender = Sender::new(
        Arc::clone(&ctx),
        Arc::new(dns),
        Arc::new(Wires(net.clone())),
        ClientTls::new(None).unwrap(),
    );
    let runner = tokio::spawn(queue::run(sender));
    let expected = ROUNDS * usize::from(DESTINATIONS - 1);
    while net.taken().len() < expected {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let [high, low] = MUTE.to_be_bytes();
    let calls = net.connections()[&IpAddr::from([10, high, low, 1])] as u64;
    let at_most = 1 + begin.elapsed().as_secs() / GREETING;
    assert!(calls <= at_most, "{calls} calls, {at_most} at most");
    ctx.shutdown.start();
    runner.await.unwrap();
    store.close().await.unwrap();
}

#[test]
fn one_dead_destination_holds_up_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(crowd());
}
