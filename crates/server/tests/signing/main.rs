//! What leaves is signed (RFC 6376, RFC 8463), and others can check it with the records that
//! `facteur domain dns` prints; keys are renewed as time passes.

mod consent;
mod feedback;
mod forward;
mod program;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use facteur_senders::dkim::{self, Algorithm, Checked};
use facteur_senders::dns::{Answer, Answers, Kind, Question};
use facteur_senders::spf::reverse_name;
use facteur_senders::{Seen, Tap};
use facteur_server::dkim::turn_all;
use facteur_server::dns::{Dns, Mx, TableDns};
use facteur_server::net::{Connecting, Net, Socket};
use facteur_server::queue::{self, ClientTls, Sender};
use facteur_server::{Config, Context, Peer, PeerAddress, Role, SessionId, admin, auth, smtp};
use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{
    AccountId, AddressTarget, Clock, ForwardSource, KeyAlgorithm, NewAccount, Options, QueueEntry,
    QueueFilter, ScriptEdit, Store,
};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

const DAY: Duration = Duration::from_secs(86_400);
const PASSWORD: &str = "wonderland-1865";

/// A host that takes everything but what is for `nobody`.
#[derive(Clone, Debug, Default)]
struct Sink(Arc<Mutex<Vec<Taken>>>);

#[derive(Debug)]
struct Taken {
    from: String,
    to: String,
    message: Vec<u8>,
}

impl Net for Sink {
    fn connect(&self, _: SocketAddr, _: Option<IpAddr>) -> Connecting<'_> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(serve(theirs, self.clone()));
        Box::pin(async move { Ok(Box::new(ours) as Box<dyn Socket>) })
    }
}

async fn serve(stream: DuplexStream, sink: Sink) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 far.test ESMTP\r\n").await.ok()?;
    let (mut from, mut to) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
        let reply = match line.get(..4).unwrap_or_default() {
            "EHLO" => "250-far.test\r\n250-PIPELINING\r\n250 8BITMIME",
            "MAIL" => {
                from = line;
                "250 OK"
            }
            "RCPT" if line.contains("nobody@") => "550 5.1.1 nobody",
            "RCPT" => {
                to = line;
                "250 OK"
            }
            "DATA" if to.is_empty() => "554 5.5.1 no recipients",
            "DATA" => {
                stream.write_all(b"354 go\r\n").await.ok()?;
                let message = data(&mut stream).await?;
                let (from, to) = (from.clone(), std::mem::take(&mut to));
                sink.0.lock().unwrap().push(Taken { from, to, message });
                "250 taken"
            }
            _ => "250 OK",
        };
        stream
            .write_all(format!("{reply}\r\n").as_bytes())
            .await
            .ok()?;
    }
}

async fn data(stream: &mut BufReader<DuplexStream>) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        stream
            .read_until(b'\n', &mut line)
            .await
            .ok()
            .filter(|n| *n > 0)?;
        if line == b".\r\n" {
            return Some(message);
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

struct World {
    disk: SimDisk,
    ctx: Arc<Context>,
    clock: Arc<VirtualClock>,
    dns: Arc<TableDns>,
    sink: Sink,
    api: admin::Router,
    alice: AccountId,
}

fn config() -> Config {
    let mut config = Config::new("mail.example.test");
    config.allow_insecure_plaintext = true;
    config.greeting_delay = Duration::ZERO;
    config.send_reports = true;
    config
}

impl World {
    /// Alice at example.test, whose keys are made and not published.
    async fn new() -> World {
        let clock = Arc::new(VirtualClock::new(1));
        let options = Options {
            reserved_bytes: 1 << 20,
            ..Options::default()
        };
        let seam: Arc<dyn Clock> = clock.clone();
        let disk = SimDisk::new(1);
        let (store, _) = Store::open(Arc::new(disk.clone()), seam, options).unwrap();
        let dns = Arc::new(TableDns::default());
        for domain in ["far.test", "other.test"] {
            let exchange = format!("mx.{domain}");
            dns.set_addresses(&exchange, Ok(vec![IpAddr::from([192, 0, 2, 9])]));
            let preference = 10;
            dns.set_mx(
                domain,
                Ok(vec![Mx {
                    preference,
                    exchange,
                }]),
            );
        }
        // The stranger has a name that leads back to him: nothing about him is doubtful.
        let (stranger, name) = (IpAddr::from([203, 0, 113, 9]), "mx.stranger.test");
        let named = Answer::Ptr(vec![name.to_owned()]);
        dns.set_answer(Question::new(Kind::Ptr, &reverse_name(stranger)), named);
        let address = Answer::A(vec![[203, 0, 113, 9].into()]);
        dns.set_answer(Question::new(Kind::A, name), address);
        let seam: Arc<dyn Dns> = dns.clone();
        let ctx = Context::with_dns(config(), store, Some(seam)).unwrap();
        let api = admin::router(Arc::clone(&ctx));
        let mut world = World {
            disk,
            ctx,
            clock,
            dns,
            sink: Sink::default(),
            api,
            alice: AccountId(0),
        };
        let body = br#"{"name":"example.test"}"#.to_vec();
        world.ask("POST", "/v1/domains", Some(body)).await;
        let new = NewAccount {
            address: "alice@example.test".to_owned(),
            display_name: "Alice".to_owned(),
            credentials: auth::make_credentials(world.clock.as_ref(), PASSWORD),
            quota_bytes: None,
            language: "fr".to_owned(),
        };
        world.alice = world.ctx.store.create_account(new).await.unwrap();
        world
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Value {
        let method = axum::http::Method::from_bytes(method.as_bytes()).unwrap();
        let (status, text) = admin::call(&self.api, method, path, body).await;
        assert!(status.is_success(), "{}", String::from_utf8_lossy(&text));
        serde_json::from_slice(&text).unwrap()
    }

    async fn page(&self, query: &str) -> Value {
        let path = format!("/v1/domains/example.test/dns{query}");
        self.ask("GET", &path, None).await
    }

    /// The keys of the page: selector, role.
    async fn keys(&self) -> Vec<(String, String)> {
        let page = self.page("?check=false").await;
        let records = page["records"].as_array().unwrap().iter();
        let keys = records.filter_map(|record| record.get("key"));
        let text = |key: &Value, name| key[name].as_str().unwrap().to_owned();
        keys.map(|key| (text(key, "selector"), text(key, "role")))
            .collect()
    }

    /// Publishes the keys that are printed, as they are printed.
    async fn publish(&self) {
        let page = self.page("?check=false").await;
        for record in page["records"].as_array().unwrap() {
            if record["purpose"] != "dkim" {
                continue;
            }
            // A zone file's strings, joined as RFC 6376 §3.6.2.2 has it.
            let value = record["value"].as_str().unwrap();
            let text: String = value.split('"').skip(1).step_by(2).collect();
            let name = record["name"].as_str().unwrap();
            self.dns.set_answer(
                Question::new(Kind::Txt, name),
                Answer::Txt(vec![text.into_bytes()]),
            );
        }
    }

    async fn published(self) -> World {
        self.publish().await;
        turn_all(&self.ctx).await;
        self
    }

    /// A session on that port; each line has to be answered as it says.
    async fn session(&self, role: Role, address: &str, lines: &[(&str, &str)]) {
        let address = PeerAddress::Tcp(address.parse().unwrap());
        let peer = Peer::new(SessionId(1), role, address);
        self.session_of(peer, lines).await;
    }

    async fn session_of(&self, peer: Peer, lines: &[(&str, &str)]) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let served = tokio::spawn(smtp::serve(theirs, peer, Arc::clone(&self.ctx)));
        let mut stream = BufReader::new(ours);
        let hello = ("", "220");
        for (say, expected) in std::iter::once(&hello).chain(lines) {
            stream.write_all(say.as_bytes()).await.unwrap();
            loop {
                let mut reply = String::new();
                stream.read_line(&mut reply).await.unwrap();
                assert!(reply.starts_with(expected), "{say}: {reply}");
                if reply.as_bytes()[3] == b' ' {
                    break;
                }
            }
        }
        drop(stream);
        let _ = served.await;
    }

    /// Alice sends it.
    async fn submit(&self, to: &str, message: &str) {
        use base64::Engine;
        let login = format!("\0alice@example.test\0{PASSWORD}");
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        let lines = [
            ("EHLO client.test\r\n".to_owned(), "250"),
            (format!("AUTH PLAIN {login}\r\n"), "235"),
            ("MAIL FROM:<alice@example.test>\r\n".to_owned(), "250"),
            (format!("RCPT TO:<{to}>\r\n"), "250"),
            ("DATA\r\n".to_owned(), "354"),
            (format!("{message}.\r\n"), "250"),
            ("QUIT\r\n".to_owned(), "221"),
        ];
        let lines: Vec<(&str, &str)> = lines
            .iter()
            .map(|(say, code)| (say.as_str(), *code))
            .collect();
        self.session(Role::Submission, "127.0.0.1:999", &lines)
            .await;
    }

    /// A stranger sends it, from this machine itself: nothing is asked about him.
    async fn receive(&self, to: &str, message: &str) {
        self.offer("127.0.0.1:999", "carol@other.test", (to, "250"), message)
            .await;
    }

    /// `to`: the recipient, and what he is answered with.
    async fn offer(&self, peer: &str, from: &str, (to, answer): (&str, &str), message: &str) {
        let mut lines = vec![
            ("EHLO mx.other.test\r\n".to_owned(), "250"),
            (format!("MAIL FROM:<{from}>\r\n"), "250"),
            (format!("RCPT TO:<{to}>\r\n"), answer),
        ];
        if answer == "250" {
            lines.push(("DATA\r\n".to_owned(), "354"));
            lines.push((format!("{message}.\r\n"), "250"));
        }
        lines.push(("QUIT\r\n".to_owned(), "221"));
        let lines: Vec<(&str, &str)> = lines
            .iter()
            .map(|(say, code)| (say.as_str(), *code))
            .collect();
        self.session(Role::Smtp, peer, &lines).await;
    }

    async fn alias(&self, address: &str, target: &str) {
        let target = AddressTarget::Alias(vec![target.to_owned()]);
        let set = self.ctx.store.set_address(address, target);
        set.await.unwrap();
    }

    fn sender(&self) -> Sender {
        let net = Arc::new(self.sink.clone());
        let tls = ClientTls::new(None).unwrap();
        Sender::new(Arc::clone(&self.ctx), self.dns.clone(), net, tls)
    }

    /// Runs the queue until it is empty; gives what arrived.
    async fn arrived(&self) -> Vec<Taken> {
        self.arrived_until(<[QueueEntry]>::is_empty).await
    }

    /// Runs it until what is left looks like this.
    async fn arrived_until(&self, done: impl Fn(&[QueueEntry]) -> bool) -> Vec<Taken> {
        let sender = self.sender();
        let mut news = self.ctx.store.queue_watch();
        let runner = tokio::spawn(queue::run(sender));
        let drain = async {
            loop {
                news.borrow_and_update();
                let all = self.ctx.store.queue_list(&QueueFilter::default(), None, 10);
                if done(&all.unwrap()) {
                    return;
                }
                news.changed().await.unwrap();
            }
        };
        let drained = tokio::time::timeout(Duration::from_secs(60), drain).await;
        drained.unwrap_or_else(|_| {
            let all = self.ctx.store.queue_list(&QueueFilter::default(), None, 10);
            panic!("still {all:?}");
        });
        runner.abort();
        let _ = runner.await;
        std::mem::take(&mut self.sink.0.lock().unwrap())
    }

    async fn one_arrived(&self) -> Taken {
        let mut arrived = self.arrived().await;
        assert_eq!(arrived.len(), 1, "messages arrived");
        arrived.remove(0)
    }

    /// As the host there checks it.
    async fn verify(&self, message: &[u8]) -> Vec<Checked> {
        let mut tap = Tap::for_checking();
        tap.push(message);
        let seen: Seen = tap.finish();
        let mut answers = Answers::default();
        loop {
            let now = self.clock.now().seconds();
            if let Ok(checked) = dkim::verify(&seen, now, &mut answers) {
                return checked;
            }
            for question in answers.take_wanted() {
                let answer = self.dns.ask(&question).await;
                answers.put(question, answer);
            }
        }
    }

    async fn assert_signed(&self, message: &[u8]) {
        let checked = self.verify(message).await;
        let text = String::from_utf8_lossy(message);
        assert_eq!(checked.len(), 2, "{text}");
        for one in &checked {
            assert_eq!(one.outcome, dkim::Outcome::Pass, "{checked:?}\n{text}");
            assert_eq!(one.domain, "example.test");
        }
        let algorithms: Vec<_> = checked.iter().map(|one| one.algorithm).collect();
        let both = [Algorithm::RsaSha256, Algorithm::Ed25519Sha256].map(Some);
        assert_eq!(algorithms, both);
    }

    fn letters(&self) -> Vec<String> {
        let store = &self.ctx.store;
        let inbox = store.mailbox_by_name(self.alice, "INBOX").unwrap().unwrap();
        let index = store.index(self.alice, inbox.id).unwrap();
        index
            .rows()
            .map(|row| {
                let message = store.message(self.alice, inbox.id, row.uid);
                let message = message.unwrap().unwrap();
                let mut bytes = Vec::new();
                let all = 0..message.body_size;
                store.read_body(message.blob, all, &mut bytes).unwrap();
                String::from_utf8(bytes).unwrap()
            })
            .collect()
    }

    /// Its owner agreed that Alice's filter sends mail on there.
    async fn agreed(&self, target: &str) {
        let source = ForwardSource::Account(self.alice);
        let vouched = facteur_server::consent::vouch(&self.ctx, source, target);
        vouched.await.unwrap();
    }

    async fn script(&self, text: &str) {
        let name = "main".to_owned();
        let put = ScriptEdit::Put {
            name: name.clone(),
            text: text.to_owned(),
        };
        for edit in [put, ScriptEdit::Activate(Some(name))] {
            self.ctx.store.edit_script(self.alice, edit).await.unwrap();
        }
    }
}

const LETTER: &str = "From: Alice <alice@example.test>\r\nTo: bob@far.test\r\nSubject: Lunch\r\n\
    \r\nAt noon?  \r\n..dots\r\n\r\n";

/// RFC 6376 §5.4.1: what is signed; §8.15: nothing can be added to it.
#[tokio::test]
async fn what_people_send_is_signed() {
    let world = World::new().await.published().await;
    world.submit("bob@far.test", LETTER).await;
    let taken = world.one_arrived().await;
    world.assert_signed(&taken.message).await;
    let text = String::from_utf8(taken.message).unwrap();
    // Date and Message-ID, which we added, are in it too.
    assert!(
        text.contains("\r\nDate: ") && text.contains("\r\nMessage-ID: "),
        "{text}"
    );
    let body_changed = text.replace("noon", "nine");
    let date_changed = text.replacen("Date: ", "Date: X", 1);
    let added = format!("Subject: other\r\n{text}");
    let from_added = text.replacen("\r\nFrom:", "\r\nFrom: x@evil.test\r\nFrom:", 1);
    for changed in [body_changed, date_changed, added, from_added] {
        let checked = world.verify(changed.as_bytes()).await;
        assert_eq!(checked.len(), 2, "{changed}");
        for one in checked {
            assert!(matches!(one.outcome, dkim::Outcome::Fail(_)), "{changed}");
        }
    }
}

/// Hashed in pieces, off the threads that serve.
#[tokio::test]
async fn a_large_message_is_signed() {
    let world = World::new().await.published().await;
    let line = format!("{}  \r\n", "a b\tc".repeat(14));
    let message = format!("{LETTER}{}", line.repeat(6000));
    assert!(message.len() > 400_000);
    world.submit("bob@far.test", &message).await;
    let taken = world.one_arrived().await;
    world.assert_signed(&taken.message).await;
}

#[tokio::test]
async fn nothing_is_signed_before_the_record_is_seen() {
    let world = World::new().await;
    turn_all(&world.ctx).await;
    world.submit("bob@far.test", LETTER).await;
    let taken = world.one_arrived().await;
    assert!(world.verify(&taken.message).await.is_empty());
    // `facteur domain dns` looks too, and what it sees counts at once.
    world.publish().await;
    let page = world.page("").await;
    let roles = page["records"].as_array().unwrap().iter();
    let roles = roles.filter_map(|record| record["key"]["role"].as_str());
    assert_eq!(roles.collect::<Vec<_>>(), ["signs", "signs"]);
    assert_eq!(page["clean"], false, "MX and the others are missing");
    world.submit("bob@far.test", LETTER).await;
    world
        .assert_signed(&world.one_arrived().await.message)
        .await;
}

/// Reports (RFC 3464), absence messages: what the server itself sends.
#[tokio::test]
async fn what_the_server_writes_is_signed() {
    let world = World::new().await.published().await;
    world
        .script("require \"vacation\"; vacation \"Back on Monday.\";")
        .await;
    let mail = "From: carol@other.test\r\nTo: alice@example.test\r\nSubject: Hi\r\n\
        Message-ID: <1@other.test>\r\n\r\ntext\r\n";
    world.receive("alice@example.test", mail).await;
    let absent = world.one_arrived().await;
    assert!(absent.from.starts_with("MAIL FROM:<>"), "{}", absent.from);
    world.assert_signed(&absent.message).await;

    world.alias("away@example.test", "nobody@far.test").await;
    world.receive("away@example.test", mail).await;
    let report = world.one_arrived().await;
    assert!(report.to.contains("carol@other.test"), "{}", report.to);
    let text = String::from_utf8_lossy(&report.message);
    assert!(text.contains("postmaster@mail.example.test"), "{text}");
    world.assert_signed(&report.message).await;
}

/// Who only says that he is Alice gets no signature of hers.
#[tokio::test]
async fn what_passes_through_is_not_signed() {
    let world = World::new().await.published().await;
    world.alias("away@example.test", "bob@far.test").await;
    let own = "From: carol@other.test\r\nTo: away@example.test\r\n\r\ntext\r\n";
    for mail in [own, LETTER] {
        world.receive("away@example.test", mail).await;
        let taken = world.one_arrived().await;
        assert!(world.verify(&taken.message).await.is_empty());
    }
    // What Alice sends to it herself is hers.
    world.submit("away@example.test", LETTER).await;
    world
        .assert_signed(&world.one_arrived().await.message)
        .await;
    // And so is what a filter of hers sends on.
    world.agreed("bob@far.test").await;
    world.script("redirect \"bob@far.test\";").await;
    world.submit("alice@example.test", LETTER).await;
    world
        .assert_signed(&world.one_arrived().await.message)
        .await;
}

#[tokio::test]
async fn keys_change_over_in_their_time() {
    let world = World::new().await.published().await;
    let role = |keys: &[(String, String)], wanted: &str| -> Vec<String> {
        let of_role = keys.iter().filter(|(_, role)| role == wanted);
        of_role.map(|(selector, _)| selector.clone()).collect()
    };
    let first = role(&world.keys().await, "signs");
    assert_eq!(first.len(), 2);
    world.submit("bob@far.test", LETTER).await;
    let early = world.one_arrived().await;
    assert!(world.letters().is_empty(), "the caller was told");

    world.clock.advance(DAY * 149);
    turn_all(&world.ctx).await;
    assert_eq!(world.keys().await.len(), 2);
    world.clock.advance(DAY);
    turn_all(&world.ctx).await;
    let keys = world.keys().await;
    let next = role(&keys, "waits");
    assert_eq!((role(&keys, "signs"), next.len()), (first.clone(), 2));
    let letters = world.letters();
    assert_eq!(letters.len(), 1);
    for selector in &next {
        let name = format!("{selector}._domainkey.example.test. TXT");
        assert!(letters[0].contains(&name), "{}", letters[0]);
    }
    assert!(letters[0].contains("Publiez"), "{}", letters[0]);

    // Nobody publishes them: the old ones go on, and there is a reminder, not more keys.
    for _ in 0..15 {
        world.clock.advance(DAY);
        turn_all(&world.ctx).await;
    }
    assert_eq!(world.keys().await, keys);
    assert_eq!(world.letters().len(), 2);
    world.submit("bob@far.test", LETTER).await;
    world
        .assert_signed(&world.one_arrived().await.message)
        .await;

    world.publish().await;
    turn_all(&world.ctx).await;
    assert_eq!(role(&world.keys().await, "signs"), first, "not settled yet");
    world.clock.advance(Duration::from_secs(3600));
    turn_all(&world.ctx).await;
    let keys = world.keys().await;
    assert_eq!(role(&keys, "signs"), next);
    assert_eq!(role(&keys, "retired"), first);
    world.submit("bob@far.test", LETTER).await;
    let late = world.one_arrived().await;
    world.assert_signed(&late.message).await;
    assert!(String::from_utf8_lossy(&late.message).contains(&format!("s={}", next[0])));
    // What was under way is as good as before.
    world.assert_signed(&early.message).await;

    world.clock.advance(DAY * 44);
    turn_all(&world.ctx).await;
    assert_eq!(role(&world.keys().await, "retired"), first);
    world.clock.advance(DAY);
    turn_all(&world.ctx).await;
    assert_eq!(world.keys().await.len(), 2);
    let letters = world.letters();
    assert_eq!(letters.len(), 4);
    assert!(letters[2].contains("Laissez") && letters[3].contains("Plus aucun courrier"));
}

#[tokio::test]
async fn keys_are_renewed_when_somebody_wants_it() {
    let world = World::new().await.published().await;
    let renew = "/v1/domains/example.test/renew";
    for _ in 0..2 {
        let page = world.ask("POST", renew, None).await;
        let records = page["records"].as_array().unwrap().iter();
        let roles = records.filter_map(|record| record["key"]["role"].as_str());
        let roles: Vec<&str> = roles.collect();
        assert_eq!(roles, ["signs", "waits", "signs", "waits"]);
    }
}

/// Neither a list nor a message has anything of a private key.
#[tokio::test]
async fn private_keys_stay_inside() {
    use base64::Engine;
    let world = World::new().await;
    let keys = world.ctx.store.signing_keys("example.test").unwrap();
    world.ctx.store.create_domain("old.test").await.unwrap();
    turn_all(&world.ctx).await;
    let shown = [
        world.page("").await.to_string(),
        world.ask("GET", "/v1/domains", None).await.to_string(),
        format!("{:?} {keys:?}", world.ctx.config),
    ];
    for key in &keys {
        // PKCS #8 holds the public half too: the seed of Ed25519, the last numbers of RSA.
        let all = &key.private.0;
        let secret = match key.algorithm {
            KeyAlgorithm::Ed25519 => &all[16..48],
            KeyAlgorithm::Rsa => &all[all.len() - 120..],
        };
        // However it is aligned.
        let texts = [0, 1, 2]
            .map(|skip| base64::engine::general_purpose::STANDARD.encode(&secret[skip..skip + 27]));
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{:?}", &secret[..8]);
        let list = list.trim_matches(['[', ']']);
        for shown in &shown {
            assert!(!texts.iter().any(|text| shown.contains(text)));
            assert!(!shown.contains(&hex[..32]));
            assert!(!shown.contains(list));
        }
    }
    // A domain that was there before has keys now.
    assert_eq!(world.ctx.store.signing_keys("old.test").unwrap().len(), 2);
    assert!(world.letters().is_empty());
}
