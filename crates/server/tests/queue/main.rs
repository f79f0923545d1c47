//! Mail on its way out, against scripted servers on loopback and a DNS that is a table
//! (RFC 5321 §4.5.4 and §5, RFC 3461, RFC 3464).
//!
//! Every peer has an address of its own in 127.0.0.0/8 and all share one port. Time is virtual: a
//! test that moves it makes the entry due by hand, as `queue retry` does.

mod feedback;
mod policy;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use facteur_server::dns::{DnsError, Mx, TableDns, Tlsa};
use facteur_server::intake::Intake;
use facteur_server::net::{Connecting, Net, SystemNet};
use facteur_server::queue::{self, ClientTls, Sender};
use facteur_server::{Config, Context, DomainRoute, Smarthost, groups};
use facteur_sim::{Fault, SimDisk, VirtualClock};
use facteur_store::{
    AccountId, AddressTarget, Clock, Credentials, Error, NewAccount, NewQueueEntry, Notify,
    Options, QueueEntry, QueueFilter, QueueRecipient, RecipientState, ScriptEdit, Store,
    WaitReason,
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const BODY: &str = "Subject: hello\r\nMessage-ID: <1@example.test>\r\n\r\ntext\r\n.dot\r\n";
const PREFIX: &str = "Received: from here\r\n";

/// What a peer answers, by command line or by verb; "." is the end of the body. "drop" closes.
type Replies = HashMap<&'static str, &'static str>;

fn replies(changes: &[(&'static str, &'static str)]) -> Replies {
    let usual = [
        ("greeting", "220 peer.test ESMTP"),
        ("EHLO", "250-peer.test\n250-PIPELINING\n250 8BITMIME"),
        ("MAIL", "250 2.1.0 OK"),
        ("RCPT", "250 2.1.5 OK"),
        ("DATA", "354 go"),
        (".", "250 2.0.0 taken"),
        ("RSET", "250 OK"),
        ("QUIT", "221 bye"),
        ("STARTTLS", "220 go"),
        ("AUTH", "235 in"),
    ];
    usual.into_iter().chain(changes.iter().copied()).collect()
}

#[derive(Clone, Default)]
struct Heard {
    /// One for each connection: all lines, the body's too.
    connections: Arc<Mutex<Vec<Vec<String>>>>,
    /// Connections open now, and the most at once.
    open: Arc<Mutex<(usize, usize)>>,
    /// Lines that get their own reply once, and the usual one after that.
    once: Arc<Mutex<HashSet<&'static str>>>,
    used: Arc<Mutex<HashSet<&'static str>>>,
    /// A message begins.
    arrived: Arc<tokio::sync::Notify>,
}

impl Heard {
    fn came(&self) {
        let mut open = self.open.lock().unwrap();
        open.0 += 1;
        open.1 = open.1.max(open.0);
    }

    fn lines(&self) -> Vec<String> {
        self.connections.lock().unwrap().concat()
    }

    fn starting(&self, start: &str) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines.filter(|line| line.starts_with(start)).collect()
    }

    fn bodies(&self) -> Vec<String> {
        let lines = self.lines();
        let mut bodies = Vec::new();
        let mut rest = lines.as_slice();
        while let Some(at) = rest.iter().position(|line| line == "DATA") {
            rest = &rest[at + 1..];
            let end = rest
                .iter()
                .position(|line| line == ".")
                .unwrap_or(rest.len());
            let unstuffed = rest[..end].iter().map(|l| l.strip_prefix('.').unwrap_or(l));
            let body: String = unstuffed.map(|line| format!("{line}\r\n")).collect();
            // An empty one ends a DATA that was let through without a recipient (RFC 2920 §3.1).
            if !body.is_empty() {
                bodies.push(body);
            }
            rest = &rest[end..];
        }
        bodies
    }
}

struct World {
    clock: Arc<VirtualClock>,
    disk: SimDisk,
    dns: Arc<TableDns>,
    ctx: Arc<Context>,
    alice: AccountId,
    listeners: Mutex<HashMap<Ipv4Addr, TcpListener>>,
    /// Where the policy host is.
    https: Mutex<Option<SocketAddr>>,
    certificate: Arc<rcgen::CertifiedKey<rcgen::KeyPair>>,
    _directory: tempfile::TempDir,
}

/// Port 443 is somewhere else.
#[derive(Debug)]
struct Redirected {
    https: SocketAddr,
}

impl Net for Redirected {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting<'_> {
        let to = if to.port() == 443 { self.https } else { to };
        SystemNet.connect(to, from)
    }
}

fn loopback(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 7, 0, last)
}

impl World {
    async fn new(change: impl FnOnce(&mut Config)) -> World {
        // One port that is free on all the addresses that peers may take.
        let mut listeners = HashMap::new();
        let first = TcpListener::bind((loopback(1), 0)).await.unwrap();
        let port = first.local_addr().unwrap().port();
        listeners.insert(loopback(1), first);
        for last in 2..=3 {
            let address = SocketAddr::from((loopback(last), port));
            listeners.insert(loopback(last), TcpListener::bind(address).await.unwrap());
        }
        let names = ["mx1.test", "mx2.test", "mta-sts.one.test"];
        let names = names.map(str::to_owned).to_vec();
        let certificate = Arc::new(rcgen::generate_simple_self_signed(names).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("ca.pem");
        std::fs::write(&authority, certificate.cert.pem()).unwrap();

        let clock = Arc::new(VirtualClock::new(1));
        let options = Options {
            reserved_bytes: 1 << 20,
            ..Options::default()
        };
        let seam: Arc<dyn Clock> = clock.clone();
        let disk = SimDisk::new(1);
        let (store, _) = Store::open(Arc::new(disk.clone()), seam, options).unwrap();
        store.create_domain("example.test").await.unwrap();
        let new = NewAccount {
            address: "alice@example.test".to_owned(),
            display_name: "alice".to_owned(),
            credentials: Credentials::default(),
            quota_bytes: None,
            language: "en".to_owned(),
        };
        let alice = store.create_account(new).await.unwrap();
        let mut config = Config::new("mail.example.test");
        config.queue.port = port;
        config.queue.extra_authorities = Some(authority);
        change(&mut config);
        for route in &mut config.queue.routes {
            route.to.port = port;
        }
        if let Some(smarthost) = &mut config.queue.smarthost {
            smarthost.port = port;
        }
        let dns = TableDns::default();
        for (host, last) in [
            ("mx1.test", 1),
            ("mx2.test", 2),
            ("mx3.test", 3),
            ("dead.test", 9),
        ] {
            dns.set_addresses(host, Ok(vec![IpAddr::V4(loopback(last))]));
        }
        dns.set_mx("one.test", Ok(vec![mx(10, "mx1.test")]));
        dns.set_mx("two.test", Ok(vec![mx(10, "mx1.test"), mx(20, "mx2.test")]));
        dns.set_mx(
            "half.test",
            Ok(vec![mx(10, "dead.test"), mx(20, "mx2.test")]),
        );
        World {
            clock,
            disk,
            dns: Arc::new(dns),
            ctx: Context::new(config, store).unwrap(),
            alice,
            listeners: Mutex::new(listeners),
            https: Mutex::new(None),
            certificate,
            _directory: directory,
        }
    }

    /// What the disk kept, and a program that starts on it.
    async fn after_power_cut(self) -> World {
        self.disk.cut_power();
        let disk = self.disk.reboot(1);
        let options = Options {
            reserved_bytes: 1 << 20,
            ..Options::default()
        };
        let seam: Arc<dyn Clock> = self.clock.clone();
        let (store, _) = Store::open(Arc::new(disk.clone()), seam, options).unwrap();
        let ctx = Context::new(self.ctx.config.clone(), store).unwrap();
        World { disk, ctx, ..self }
    }

    fn store(&self) -> &Store {
        &self.ctx.store
    }

    /// A peer at `last` that answers so to every connection.
    fn peer(&self, last: u8, replies: Replies) -> Heard {
        let listener = self.listeners.lock().unwrap().remove(&loopback(last));
        let listener = listener.expect("an address has one peer");
        let heard = Heard::default();
        let (log, tls) = (heard.clone(), self.acceptor());
        tokio::spawn(async move {
            let replies = Arc::new(replies);
            while let Ok((socket, _)) = listener.accept().await {
                let (log, tls, replies) = (log.clone(), tls.clone(), Arc::clone(&replies));
                tokio::spawn(async move {
                    log.came();
                    let index = {
                        let mut connections = log.connections.lock().unwrap();
                        connections.push(Vec::new());
                        connections.len() - 1
                    };
                    if let Some(socket) = serve(socket, &replies, &log, index, true).await {
                        if replies.contains_key("broken handshake") {
                            drop(socket);
                        } else if let Ok(socket) = tls.accept(socket).await {
                            serve(socket, &replies, &log, index, false).await;
                        }
                    }
                    log.open.lock().unwrap().0 -= 1;
                });
            }
        });
        heard
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::try_from(
            self.certificate.signing_key.serialize_der(),
        );
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.cert.der().clone()], key.unwrap());
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    async fn enqueue(
        &self,
        domain: &str,
        recipients: &[&str],
        change: impl FnOnce(&mut NewQueueEntry),
    ) {
        let (body, _) = Intake::whole(self.store(), BODY.as_bytes()).await.unwrap();
        let now = self.clock.now();
        let mut new = NewQueueEntry {
            domain: domain.to_owned(),
            reverse_path: "alice@example.test".to_owned(),
            recipients: recipients
                .iter()
                .map(|name| QueueRecipient::pending(format!("{name}@{domain}")))
                .collect(),
            prefix: PREFIX.as_bytes().to_vec(),
            language: "en".to_owned(),
            due: now,
            expires: now.after(Duration::from_secs(5 * 86_400)),
            ..NewQueueEntry::default()
        };
        change(&mut new);
        self.store()
            .deliver(body, Vec::new(), vec![new])
            .await
            .unwrap();
    }

    fn sender(&self) -> Sender {
        let tls = ClientTls::new(self.ctx.config.queue.extra_authorities.as_deref());
        let net = Arc::new(Redirected {
            https: self
                .https
                .lock()
                .unwrap()
                .unwrap_or(([127, 7, 0, 99], 1).into()),
        });
        Sender::new(Arc::clone(&self.ctx), self.dns.clone(), net, tls.unwrap())
    }

    fn run(&self) {
        tokio::spawn(queue::run(self.sender()));
    }

    fn entries(&self) -> Vec<QueueEntry> {
        let all = self.store().queue_list(&QueueFilter::default(), None, 1000);
        all.unwrap()
    }

    /// Waits until the queue is as asked for.
    async fn until(&self, mut done: impl FnMut(&[QueueEntry]) -> bool) -> Vec<QueueEntry> {
        let mut news = self.store().queue_watch();
        let wait = async {
            loop {
                news.borrow_and_update();
                let entries = self.entries();
                if done(&entries) {
                    return entries;
                }
                news.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.unwrap_or_else(|_| panic!("still {:?}", self.entries()))
    }

    async fn until_empty(&self) {
        self.until(<[_]>::is_empty).await;
    }

    /// The one entry, after that many attempts.
    async fn after_attempts(&self, attempts: u32) -> QueueEntry {
        let tried = |entries: &[QueueEntry]| matches!(entries, [e] if e.attempts == attempts);
        self.until(tried).await.remove(0)
    }

    /// Moves the clock and makes the one entry due, as `queue retry` does.
    async fn later(&self, hours: u64) {
        let id = self.entries()[0].id;
        while !self.store().queue_lease(id) {
            tokio::task::yield_now().await;
        }
        self.clock.advance(Duration::from_secs(hours * 3600));
        let mut entry = self.store().queue_entry(id).unwrap().unwrap();
        entry.due = self.clock.now();
        let update = self.store().queue_update(id, Some(entry), Vec::new());
        update.await.unwrap();
    }

    /// The messages in alice's inbox, whole.
    fn inbox(&self) -> Vec<String> {
        let store = self.store();
        let inbox = store.mailbox_by_name(self.alice, "INBOX").unwrap().unwrap();
        let index = store.index(self.alice, inbox.id).unwrap();
        let read = |uid| {
            let message = store.message(self.alice, inbox.id, uid).unwrap().unwrap();
            let mut bytes = message.prefix.to_vec();
            let range = 0..message.body_size;
            store.read_body(message.blob, range, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        index.rows().map(|row| read(row.uid)).collect()
    }
}

fn mx(preference: u16, exchange: &str) -> Mx {
    Mx {
        preference,
        exchange: exchange.to_owned(),
    }
}

/// Answers commands until the end; gives the stream back for a handshake.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    replies: &Replies,
    log: &Heard,
    index: usize,
    greet: bool,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    let mut in_body = false;
    if greet && !answer(&mut stream, replies.get("greeting")?).await {
        return None;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return None;
        }
        let line = line.trim_end_matches("\r\n").to_owned();
        log.connections.lock().unwrap()[index].push(line.clone());
        if in_body && line != "." {
            continue;
        }
        in_body = false;
        let verb = line.split(' ').next().unwrap_or_default();
        let own = replies.get_key_value(line.as_str());
        let used = own.is_some_and(|(line, _)| log.used.lock().unwrap().contains(line));
        let own = own.filter(|_| !used).map(|(line, reply)| {
            if log.once.lock().unwrap().contains(line) {
                log.used.lock().unwrap().insert(line);
            }
            reply
        });
        let reply = own.or_else(|| replies.get(verb));
        let reply = reply.copied().unwrap_or("500 what?");
        if !answer(&mut stream, reply).await {
            return None;
        }
        match verb {
            "MAIL" => log.arrived.notify_one(),
            "DATA" => in_body = reply.starts_with("354"),
            "QUIT" => return None,
            "STARTTLS" if reply.starts_with("220") => return Some(stream.into_inner()),
            _ => {}
        }
    }
}

/// False: the script wants the connection to end here.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, reply: &str) -> bool {
    if reply == "drop" {
        return false;
    }
    let bytes = format!("{}\r\n", reply.replace('\n', "\r\n"));
    stream.write_all(bytes.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
}

fn nothing(_: &mut Config) {}
fn as_it_is(_: &mut NewQueueEntry) {}

#[tokio::test]
async fn delivers_what_was_taken_in() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[]));
    world.enqueue("one.test", &["a", "b"], as_it_is).await;
    let running = tokio::spawn(queue::run(world.sender()));
    world.until_empty().await;
    // The connection waits for another message, until the server stops.
    assert!(peer.starting("QUIT").is_empty());
    world.ctx.shutdown.start();
    running.await.unwrap();
    assert_eq!(peer.starting("QUIT").len(), 1);
    assert_eq!(peer.bodies(), [format!("{PREFIX}{BODY}")]);
    assert_eq!(peer.starting("EHLO"), ["EHLO mail.example.test"]);
    assert_eq!(peer.starting("MAIL"), ["MAIL FROM:<alice@example.test>"]);
    assert_eq!(
        peer.starting("RCPT"),
        ["RCPT TO:<a@one.test>", "RCPT TO:<b@one.test>"]
    );
    assert!(world.inbox().is_empty());
}

/// An account whose mail comes back may be stolen: what it has in the queue is held, its owner told.
#[tokio::test]
async fn much_that_comes_back_rings_the_alarm() {
    let world = World::new(nothing).await;
    let _peer = world.peer(1, replies(&[("RCPT", "550 5.1.1 nobody")]));
    let names: Vec<String> = (0..51).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hold = |entry: &mut NewQueueEntry| {
        entry.due = entry.due.after(Duration::from_secs(3600));
    };
    world.enqueue("two.test", &["later"], hold).await;
    world.enqueue("one.test", &names, as_it_is).await;
    world.run();
    let told = |inbox: &[String]| inbox.iter().any(|text| text.contains("comes back"));
    // The report of what came back is another letter.
    while !told(&world.inbox()) || world.entries().len() > 1 {
        tokio::task::yield_now().await;
    }
    let left = world.store().queue_list(&QueueFilter::default(), None, 10);
    let left = left.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].held, "{left:?}");
}

#[tokio::test]
async fn goes_on_to_the_next_host() {
    let world = World::new(nothing).await;
    let peer = world.peer(2, replies(&[]));
    // dead.test has an address where nobody listens.
    world.enqueue("half.test", &["a"], as_it_is).await;
    world.run();
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 1);
}

#[tokio::test]
async fn only_those_who_were_told_later_are_tried_elsewhere() {
    let world = World::new(nothing).await;
    let later = replies(&[("RCPT TO:<b@two.test>", "451 4.7.1 greylisted")]);
    let first = world.peer(1, later);
    let second = world.peer(2, replies(&[]));
    world.enqueue("two.test", &["a", "b"], as_it_is).await;
    world.run();
    world.until_empty().await;
    assert_eq!(first.bodies().len(), 1);
    assert_eq!(second.starting("RCPT"), ["RCPT TO:<b@two.test>"]);
    assert_eq!(second.bodies().len(), 1);
}

#[tokio::test]
async fn a_connection_lost_after_the_message_is_not_tried_elsewhere_at_once() {
    let world = World::new(nothing).await;
    let first = world.peer(1, replies(&[(".", "drop")]));
    let second = world.peer(2, replies(&[]));
    world.enqueue("two.test", &["a"], as_it_is).await;
    world.run();
    let entry = world.after_attempts(1).await;
    assert_eq!(first.bodies().len(), 1);
    assert!(second.lines().is_empty());
    assert_eq!(entry.due, world.clock.now().after(Duration::from_secs(300)));
    assert!(entry.last_outcome.contains("connection was lost"));
}

#[tokio::test]
async fn a_failure_is_reported_in_the_language_of_the_sender() {
    let world = World::new(nothing).await;
    let refuses = replies(&[("RCPT TO:<b@one.test>", "550 5.1.1 nobody")]);
    let peer = world.peer(1, refuses);
    world
        .enqueue("one.test", &["a", "b"], |new| {
            new.language = "fr".to_owned();
            new.envelope_id = Some("QQ+2B1".to_owned());
            new.recipients[1].original = Some("rfc822;b+2Bx@first.test".to_owned());
        })
        .await;
    world.run();
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 1);
    let inbox = world.inbox();
    let [report] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    assert!(report.starts_with("Return-Path: <>\r\nDelivered-To: alice@example.test\r\n"));
    for part in [
        "multipart/report; report-type=delivery-status",
        "Votre_message_n=27a_pas_pu",
        "Reporting-MTA: dns; mail.example.test\r\n",
        "Original-Envelope-Id: QQ+1\r\n",
        "Original-Recipient: rfc822; b+x@first.test\r\n",
        "Final-Recipient: rfc822; b@one.test\r\n",
        "Action: failed\r\nStatus: 5.1.1\r\n",
        "Remote-MTA: dns; mx1.test\r\nDiagnostic-Code: smtp; 550 5.1.1 nobody\r\n",
        PREFIX,
        BODY,
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(!report.contains("a@one.test"), "{report}");
}

impl World {
    /// One message to a recipient at each domain, as a commit makes it.
    async fn enqueue_at(&self, recipients: &[&str]) {
        let first = self.entries().len();
        assert_eq!(first, 0, "one message at a time");
        let (body, _) = Intake::whole(self.store(), BODY.as_bytes()).await.unwrap();
        self.enqueue("one.test", &["pattern"], |new| {
            new.due = self.clock.now().after(Duration::from_secs(9_000));
        })
        .await;
        let pattern = self.entries().remove(0);
        let new = recipients.iter().map(|address| NewQueueEntry {
            domain: address.rsplit_once('@').unwrap().1.to_owned(),
            reverse_path: pattern.reverse_path.clone(),
            recipients: vec![QueueRecipient {
                address: (*address).to_owned(),
                ..pattern.recipients[0].clone()
            }],
            prefix: PREFIX.as_bytes().to_vec(),
            language: "en".to_owned(),
            due: self.clock.now(),
            expires: pattern.expires,
            ..NewQueueEntry::default()
        });
        let (new, store) = (new.collect(), self.store());
        assert!(store.queue_lease(pattern.id));
        store.queue_update(pattern.id, None, vec![]).await.unwrap();
        store.deliver(body, Vec::new(), new).await.unwrap();
    }

    /// Two minutes later: the entries that owe a report have their turn.
    async fn report_time(&self) {
        self.clock.advance(Duration::from_secs(120));
        for entry in self.entries() {
            if entry.owing.is_some() && self.store().queue_lease(entry.id) {
                let update = self.store().queue_update(entry.id, Some(entry), Vec::new());
                update.await.unwrap();
            }
        }
    }
}

/// RFC 3464 §2: one report for the recipients of one message, whatever their domains.
#[tokio::test]
async fn failures_at_several_domains_are_told_of_in_one_report() {
    let world = World::new(nothing).await;
    let refuses = &[("RCPT", "550 5.1.1 nobody")];
    let _one = world.peer(1, replies(refuses));
    let _two = world.peer(2, replies(refuses));
    world.enqueue_at(&["a@one.test", "b@two.test"]).await;
    world.run();
    // Who ends last tells for both, unless they end at the same moment.
    let settled = |entries: &[QueueEntry]| entries.iter().all(|entry| entry.owing.is_some());
    world.until(settled).await;
    world.report_time().await;
    world.until_empty().await;
    let inbox = world.inbox();
    let [report] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    for address in ["a@one.test", "b@two.test"] {
        let line = format!("Final-Recipient: rfc822; {address}\r\n");
        assert!(report.contains(&line), "{report}");
    }
}

#[tokio::test]
async fn a_failure_does_not_wait_for_others_for_long() {
    let world = World::new(nothing).await;
    let one = &[
        ("RCPT TO:<a@one.test>", "550 5.1.1 nobody"),
        ("RCPT TO:<b@two.test>", "451 4.2.0 later"),
    ];
    let _one = world.peer(1, replies(one));
    let _two = world.peer(2, replies(&[("RCPT", "451 4.2.0 later")]));
    world.enqueue_at(&["a@one.test", "b@two.test"]).await;
    world.run();
    let waits = |entries: &[QueueEntry]| {
        let owes = |entry: &QueueEntry| entry.owing.is_some();
        entries.iter().any(owes) && entries.iter().all(|it| owes(it) || it.attempts == 1)
    };
    let entries = world.until(waits).await;
    assert!(world.inbox().is_empty());
    let owes = entries.iter().find(|entry| entry.owing.is_some()).unwrap();
    assert_eq!(owes.reason, WaitReason::Reporting);
    assert_eq!(owes.due, world.clock.now().after(Duration::from_secs(120)));
    world.report_time().await;
    let left = world.until(|entries| entries.len() == 1).await;
    assert_eq!(left[0].domain, "two.test");
    let inbox = world.inbox();
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].contains("Final-Recipient: rfc822; a@one.test\r\n"));
    assert!(!inbox[0].contains("b@two.test"), "{}", inbox[0]);
}

/// On a full disk nothing is sent again for want of a note, and no report is left out.
#[tokio::test]
async fn an_outcome_waits_for_room_on_the_disk() {
    for room in [0, 1 << 19] {
        let world = World::new(nothing).await;
        let peer = world.peer(1, replies(&[("RCPT TO:<b@one.test>", "550 5.1.1 nobody")]));
        world.run();
        world.enqueue("one.test", &["first"], as_it_is).await;
        peer.arrived.notified().await;
        world.until_empty().await;
        let hour = Duration::from_secs(3600);
        world
            .enqueue("one.test", &["a", "b"], |new| {
                new.due = new.due.after(hour);
            })
            .await;
        let id = world.entries()[0].id;
        assert!(world.store().queue_lease(id));
        world.clock.advance(hour);
        world.disk.set_capacity(world.disk.used_bytes() + room);
        world.store().queue_release(id);
        peer.arrived.notified().await;
        // Sent again, it would come a second time at once.
        let again = tokio::time::timeout(Duration::from_secs(1), peer.arrived.notified());
        assert!(again.await.is_err());
        world.disk.make_room();
        world.until_empty().await;
        assert_eq!(peer.bodies().len(), 2);
        assert_eq!(world.inbox().len(), 1);
    }
}

/// Who can't write down what became of an attempt begins none.
#[tokio::test]
async fn nothing_is_sent_while_nothing_can_be_written() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[]));
    world.enqueue("one.test", &["a"], as_it_is).await;
    world.disk.set_capacity(world.disk.used_bytes());
    let full = world.store().prove_writable().await;
    assert!(matches!(full, Err(Error::DiskFull)), "{full:?}");
    assert!(world.store().failure().is_none());
    world.disk.make_room();
    world.store().prove_writable().await.unwrap();

    world.disk.fail_at(world.disk.operations() + 1, Fault::Io);
    world.store().prove_writable().await.unwrap_err();
    assert!(world.store().failure().is_some());
    let stopped = world.store().failed().await;
    assert!(matches!(stopped, Error::Disk(_)), "{stopped:?}");
    let gone = queue::run(world.sender());
    tokio::time::timeout(Duration::from_secs(60), gone)
        .await
        .unwrap();
    assert!(peer.connections.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_null_reverse_path_hears_nothing() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[("RCPT", "550 5.1.1 nobody")]));
    world
        .enqueue("one.test", &["a"], |new| new.reverse_path.clear())
        .await;
    world.run();
    world.until_empty().await;
    assert_eq!(peer.starting("MAIL"), ["MAIL FROM:<>"]);
    assert!(world.inbox().is_empty());
}

#[tokio::test]
async fn a_remote_sender_gets_its_report_through_the_queue() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[("RCPT TO:<a@one.test>", "550 no")]));
    world
        .enqueue("one.test", &["a"], |new| {
            new.reverse_path = "carol@one.test".to_owned();
        })
        .await;
    world.run();
    let sent = |lines: &[String]| lines.iter().any(|line| line == "RCPT TO:<carol@one.test>");
    world.until(|e| e.is_empty() && sent(&peer.lines())).await;
    assert_eq!(peer.starting("MAIL FROM:<>").len(), 1);
    assert!(peer.bodies()[0].contains("Status: 5.0.0\r\n"));
}

#[tokio::test]
async fn delays_are_told_once_and_the_end_for_good() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[("RCPT", "450 4.2.0 busy")]));
    world.enqueue("one.test", &["a"], as_it_is).await;
    world.run();
    let entry = world.after_attempts(1).await;
    assert_eq!(entry.due, world.clock.now().after(Duration::from_secs(300)));
    assert!(world.inbox().is_empty());
    world.later(5).await;
    world.after_attempts(2).await;
    assert_eq!(world.inbox().len(), 1);
    assert!(world.inbox()[0].contains("Action: delayed\r\n"));
    assert!(world.inbox()[0].contains("Will-Retry-Until: "));
    world.later(24).await;
    world.after_attempts(3).await;
    assert_eq!(world.inbox().len(), 1);
    world.later(5 * 24).await;
    world.until_empty().await;
    assert_eq!(world.inbox().len(), 2);
    assert!(world.inbox()[1].contains("Action: failed\r\n"));
    assert_eq!(peer.starting("MAIL").len(), 4);
    assert!(peer.bodies().is_empty());
}

#[tokio::test]
async fn many_recipients_go_in_several_transactions() {
    let world = World::new(nothing).await;
    let few = [(
        "EHLO",
        "250-peer.test\n250-PIPELINING\n250 LIMITS RCPTMAX=2",
    )];
    let peer = world.peer(1, replies(&few));
    let names = ["a", "b", "c", "d", "e"];
    world.enqueue("one.test", &names, as_it_is).await;
    world.run();
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 3);
    assert_eq!(peer.connections.lock().unwrap().len(), 1);

    // Without LIMITS: 452 to those beyond what it takes.
    let world = World::new(nothing).await;
    let peer = world.peer(
        1,
        replies(&[("RCPT TO:<b@one.test>", "452 4.5.3 too many")]),
    );
    world.enqueue("one.test", &["a", "b"], as_it_is).await;
    world.run();
    let entry = world.after_attempts(1).await;
    assert_eq!(peer.starting("RCPT TO:<b@one.test>").len(), 2);
    assert_eq!(peer.bodies().len(), 1);
    let states: Vec<_> = entry.recipients.iter().map(|r| &r.state).collect();
    assert!(matches!(
        states.as_slice(),
        [RecipientState::Delivered { .. }, RecipientState::Pending]
    ));
}

#[tokio::test]
async fn what_the_dns_says() {
    let world = World::new(nothing).await;
    world.dns.set_mx("null.test", Ok(vec![mx(0, "")]));
    let us = vec![mx(10, "mail.example.test")];
    world.dns.set_mx("us.test", Ok(us));
    let doubt = DnsError::Temporary("time-out".to_owned());
    world.dns.set_mx("doubt.test", Err(doubt));
    for domain in ["null.test", "missing.test", "us.test", "doubt.test"] {
        world.enqueue(domain, &["a"], as_it_is).await;
    }
    world.run();
    let left = world
        .until(|entries| matches!(entries, [entry] if entry.attempts == 1))
        .await;
    assert_eq!(left[0].domain, "doubt.test");
    let mut statuses: Vec<String> = world
        .inbox()
        .iter()
        .filter_map(|report| Some(report.split_once("Status: ")?.1.lines().next()?.to_owned()))
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["5.1.10", "5.1.2", "5.4.6"]);
}

const OFFERS_TLS: (&str, &str) = ("EHLO", "250-peer.test\n250-AUTH PLAIN\n250 STARTTLS");

#[tokio::test]
async fn tls_is_used_when_it_is_offered_and_not_insisted_on() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[OFFERS_TLS]));
    // half.test's host has another name than the certificate: not checked for an MX.
    world.dns.set_mx("other.test", Ok(vec![mx(10, "mx3.test")]));
    let other = world.peer(3, replies(&[OFFERS_TLS]));
    let broken = [OFFERS_TLS, ("broken handshake", "")];
    let broken = world.peer(2, replies(&broken));
    for domain in ["one.test", "half.test", "other.test"] {
        world.enqueue(domain, &["a"], as_it_is).await;
    }
    world.run();
    world.until_empty().await;
    for peer in [&peer, &other] {
        assert_eq!(peer.starting("EHLO").len(), 2);
        assert_eq!(peer.starting("STARTTLS").len(), 1);
        assert_eq!(peer.bodies().len(), 1);
    }
    // A second connection, in the clear.
    assert_eq!(broken.starting("STARTTLS").len(), 1);
    assert_eq!(broken.connections.lock().unwrap().len(), 2);
    assert_eq!(broken.bodies().len(), 1);
}

fn smarthost(host: &str) -> impl FnOnce(&mut Config) + use<> {
    let host = host.to_owned();
    move |config| {
        config.queue.smarthost = Some(Smarthost {
            host,
            port: 0,
            implicit_tls: false,
            user: Some("me".to_owned()),
            password: Some("secret".to_owned()),
        });
    }
}

#[tokio::test]
async fn a_smarthost_takes_everything_over_checked_tls() {
    let world = World::new(smarthost("mx1.test")).await;
    let peer = world.peer(1, replies(&[OFFERS_TLS]));
    world.enqueue("anywhere.test", &["a"], as_it_is).await;
    world.run();
    world.until_empty().await;
    let lines = peer.lines();
    let at = |start: &str| lines.iter().position(|line| line.starts_with(start));
    assert!(at("STARTTLS").is_some());
    assert!(at("STARTTLS") < at("AUTH PLAIN AG1lAHNlY3JldA=="));
    assert!(at("AUTH") < at("MAIL"));
    assert_eq!(peer.bodies().len(), 1);
}

#[tokio::test]
async fn what_was_held_is_delivered_at_home_when_its_time_comes() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[]));
    let script = "require [\"fileinto\", \"mailbox\"]; fileinto :create \"Held\";";
    let store = world.store();
    for edit in [
        ScriptEdit::Put {
            name: "main".to_owned(),
            text: script.to_owned(),
        },
        ScriptEdit::Activate(Some("main".to_owned())),
    ] {
        store.edit_script(world.alice, edit).await.unwrap();
    }
    let later = world.clock.now().after(Duration::from_secs(3600));
    let held = move |new: &mut NewQueueEntry| new.due = later;
    world
        .enqueue("example.test", &["alice", "nobody"], held)
        .await;
    world.enqueue("one.test", &["a"], held).await;
    world.run();
    let waiting = world.entries();
    let asked = |entry: &QueueEntry| entry.reason == WaitReason::Asked && entry.attempts == 0;
    assert!(waiting.iter().all(asked), "{waiting:?}");
    world.clock.advance(Duration::from_secs(3600));
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 1);
    // Through the filter; who is not there any more gives a report.
    let kept = store.mailbox_by_name(world.alice, "Held").unwrap();
    assert_eq!(kept.unwrap().messages, 1);
    let inbox = world.inbox();
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert!(inbox[0].contains("Final-Recipient: rfc822; nobody@example.test\r\n"));
}

/// The power may fail between the commit that delivers it and the one that ends its entry.
#[tokio::test]
async fn what_was_held_comes_home_once_whenever_the_power_fails() {
    let mut between = 0;
    for operation in 1..20 {
        let world = World::new(nothing).await;
        world.enqueue("example.test", &["alice"], as_it_is).await;
        world.disk.cut_power_at(world.disk.operations() + operation);
        let running = tokio::spawn(queue::run(world.sender()));
        // What can't be read any more has no power.
        let all = || world.store().queue_list(&QueueFilter::default(), None, 1);
        while world.disk.has_power() && all().is_ok_and(|all| !all.is_empty()) {
            tokio::task::yield_now().await;
        }
        running.abort();
        let _ = running.await;
        let world = world.after_power_cut().await;
        between += usize::from(world.inbox().len() == 1 && world.entries().len() == 1);
        world.run();
        world.until_empty().await;
        assert_eq!(world.inbox().len(), 1, "cut at operation {operation}");
    }
    assert!(between > 0, "the moment was met");
}

/// A domain is ours by its Unicode name, and its mail waits under the A-labels.
#[tokio::test]
async fn what_was_held_for_a_domain_of_ours_in_unicode_comes_home() {
    let world = World::new(nothing).await;
    let store = world.store();
    store.create_domain("bücher.test").await.unwrap();
    let to_alice = AddressTarget::Account(world.alice);
    let named = store.set_address("alice@bücher.test", to_alice).await;
    named.unwrap();
    world
        .enqueue("xn--bcher-kva.test", &["alice"], as_it_is)
        .await;
    world.run();
    world.until_empty().await;
    let inbox = world.inbox();
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert!(inbox[0].contains(BODY), "{inbox:?}");
}

/// Who may write to a group was asked when the message was taken, where it was known who sent it:
/// nothing of that is in the envelope.
#[tokio::test]
async fn what_was_held_for_a_closed_group_comes_home() {
    let world = World::new(nothing).await;
    let store = world.store();
    let group = store.create_group(NewAccount {
        address: "sales@example.test".to_owned(),
        display_name: "Sales".to_owned(),
        credentials: Credentials::default(),
        quota_bytes: None,
        language: "en".to_owned(),
    });
    let group = group.await.unwrap();
    let rule = groups::Posting::Members;
    groups::set_posting(store, group, rule).await.unwrap();
    let from_nobody = |new: &mut NewQueueEntry| new.reverse_path.clear();
    world.enqueue("example.test", &["sales"], from_nobody).await;
    world.run();
    world.until_empty().await;
    let inbox = store.mailbox_by_name(group, "INBOX").unwrap().unwrap();
    assert_eq!(inbox.messages, 1);
}

#[tokio::test]
async fn a_domain_has_a_host_to_log_in_to() {
    let world = World::new(|config| {
        let to = |host: &str, user: Option<&str>| Smarthost {
            host: host.to_owned(),
            port: 0,
            implicit_tls: false,
            user: user.map(str::to_owned),
            password: user.map(|_| "secret".to_owned()),
        };
        for (domain, user) in [("inside.test", Some("me")), ("also.test", Some("us"))] {
            config.queue.routes.push(DomainRoute {
                domain: domain.to_owned(),
                to: to("mx1.test", user),
                checked: true,
            });
        }
    })
    .await;
    let peer = world.peer(1, replies(&[OFFERS_TLS]));
    world.enqueue("inside.test", &["a"], as_it_is).await;
    world.enqueue("also.test", &["b"], as_it_is).await;
    world.run();
    world.until_empty().await;
    // Each as another, so that one connection never serves both.
    let mut logins = peer.starting("AUTH PLAIN");
    logins.sort();
    assert_eq!(
        logins,
        ["AUTH PLAIN AG1lAHNlY3JldA==", "AUTH PLAIN AHVzAHNlY3JldA=="]
    );
    assert_eq!(peer.bodies().len(), 2);
}

#[tokio::test]
async fn a_smarthost_that_is_not_who_it_should_be_gets_nothing() {
    // mx3.test is not in the certificate; and a host without TLS.
    for (host, last, offer) in [
        ("mx3.test", 3, OFFERS_TLS),
        ("mx2.test", 2, ("EHLO", "250-x\n250 AUTH PLAIN")),
    ] {
        let world = World::new(smarthost(host)).await;
        let peer = world.peer(last, replies(&[offer]));
        world.enqueue("anywhere.test", &["a"], as_it_is).await;
        world.run();
        let entry = world.after_attempts(1).await;
        assert_eq!(entry.recipients[0].state, RecipientState::Pending);
        assert!(peer.starting("AUTH").is_empty(), "{host}");
        assert!(peer.starting("MAIL").is_empty(), "{host}");
    }
}

#[tokio::test]
async fn success_is_told_by_whoever_can() {
    let world = World::new(nothing).await;
    let plain = world.peer(1, replies(&[]));
    let dsn = ("EHLO", "250-peer.test\n250 DSN");
    let dsn = world.peer(2, replies(&[dsn]));
    let success = |new: &mut NewQueueEntry| {
        new.recipients[0].notify = Some(Notify {
            success: true,
            failure: true,
            delay: false,
        });
    };
    world.enqueue("one.test", &["a"], success).await;
    world.enqueue("half.test", &["b"], success).await;
    world.run();
    world.until_empty().await;
    assert_eq!(plain.starting("RCPT"), ["RCPT TO:<a@one.test>"]);
    assert_eq!(
        dsn.starting("RCPT"),
        ["RCPT TO:<b@half.test> NOTIFY=SUCCESS,FAILURE"]
    );
    let inbox = world.inbox();
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert!(inbox[0].contains("Final-Recipient: rfc822; a@one.test\r\nAction: relayed\r\n"));
    // The header comes back, the text does not.
    assert!(inbox[0].contains("Message-ID: <1@example.test>"));
    assert!(!inbox[0].contains("text\r\n.dot"));
}

#[tokio::test]
async fn a_connection_takes_one_message_after_the_other() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[]));
    for _ in 0..40 {
        world.enqueue("one.test", &["a"], as_it_is).await;
    }
    world.run();
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 40);
    let connections = peer.connections.lock().unwrap().len();
    assert!(connections <= 20, "{connections} for 40 messages");
}

/// The other side may end a connection while it waits; nobody notices.
#[tokio::test]
async fn a_connection_that_ended_meanwhile_is_no_failure() {
    for farewell in ["drop", "421 4.4.2 you took long"] {
        let world = World::new(nothing).await;
        let changes = [("MAIL FROM:<second@example.test>", farewell)];
        let peer = world.peer(1, replies(&changes));
        world.enqueue("one.test", &["a"], as_it_is).await;
        world.run();
        world.until_empty().await;
        // Said to the one that waited only.
        peer.once
            .lock()
            .unwrap()
            .insert("MAIL FROM:<second@example.test>");
        world
            .enqueue("one.test", &["b"], |new| {
                new.reverse_path = "second@example.test".to_owned();
            })
            .await;
        world.until_empty().await;
        assert_eq!(peer.bodies().len(), 2, "{farewell}");
        assert_eq!(peer.connections.lock().unwrap().len(), 2);
        assert!(world.inbox().is_empty());
    }
}

/// What can't be reached is not tried again by each message, and waits no longer than needed.
#[tokio::test]
async fn a_dead_host_is_remembered() {
    let world = World::new(nothing).await;
    world.dns.set_mx("gone.test", Ok(vec![mx(10, "dead.test")]));
    world.enqueue("gone.test", &["a"], as_it_is).await;
    world.run();
    world.after_attempts(1).await;
    world.enqueue("gone.test", &["b"], as_it_is).await;
    let tried = |entries: &[QueueEntry]| entries.iter().all(|e| !e.last_outcome.is_empty());
    let entries = world.until(|e| e.len() == 2 && tried(e)).await;
    let now = world.clock.now();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.attempts, entry.reason, entry.due.0 - now.0))
        .collect();
    let unreachable = WaitReason::Unreachable;
    assert_eq!(told, [(1, unreachable, 300_000), (0, unreachable, 60_000)]);
}

#[tokio::test]
async fn held_entries_stay() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[]));
    world.enqueue("one.test", &["a"], as_it_is).await;
    let mut entry = world.entries().remove(0);
    entry.held = true;
    let hold = world
        .store()
        .queue_update(entry.id, Some(entry), Vec::new());
    hold.await.unwrap();
    world.run();
    world.enqueue("one.test", &["b"], as_it_is).await;
    let left = world.until(|entries| entries.len() == 1).await;
    assert!(left[0].held);
    assert_eq!(peer.starting("RCPT"), ["RCPT TO:<b@one.test>"]);
}
