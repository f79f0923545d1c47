//! The server in a test: drivers on in-memory pipes, a simulated disk, a virtual clock.
//!
//! Accounts `alice@example.test` and `bob@example.test`, one domain `example.test`.
//!
//! Ports in `connect`: the names of [`Role::name`], implicit TLS counting as done without a
//! handshake; `smtp@127.0.0.1` comes from that address (else 192.0.2.1). STARTTLS is real.
//!
//! A line `# with: WORDS` in a transcript changes the world: `insecure-plaintext`, `no-tls`,
//! `greeting-delay`, `message-bytes-max=N`, `quota=N` (of bob), `dns` (senders are checked; a name
//! that no `do dns` line was about does not exist), `dns-list=ZONE` (is asked about peers), `milter`, `rspamd` (are there).
//!
//! | `do` line | meaning |
//! |---|---|
//! | `deliver WHO "text"` | a message straight into WHO's INBOX, as if it had come in |
//! | `script WHO "text"` | the active filter of WHO |
//! | `holds WHO MAILBOX N` | fails unless that mailbox holds N messages |
//! | `restore WHO MAILBOX` | brings a deleted mailbox back |
//! | `fill WHO N` | N small messages, "Subject: message 1" and so on |
//! | `mailboxes WHO N` | creates `Many/1` and so on until WHO has N mailboxes |
//! | `subscribed WHO N` | subscribes WHO to N names that no mailbox has |
//! | `expunge WHO UID` | another client expunges it |
//! | `restart` | stops the server and starts it on the same disk |
//! | `power cut` | the disk loses what was not flushed; the server starts again on what is left |
//! | `stop` | the server begins to stop |
//! | `alias ADDRESS TO,TO` | an alias |
//! | `address ADDRESS WHO` | another address of WHO's account |
//! | `catch-all WHO` | of example.test |
//! | `disable WHO`, `remove WHO`, `erase WHO` | the account |
//! | `name WHO NAME` | the name that people see |
//! | `password WHO NEW` | a new password |
//! | `disk full`, `disk free` | room on the disk |
//! | `guess WHO N` | N logins with a wrong password from 192.0.2.1 |
//! | `guesses WHO N` | the same, with another password each time |
//! | `release WHO` | the administrator lets go what an alarm holds |
//! | `milter LETTER ANSWER` | what the milter answers to a step from now on (`facteur_sim::milter`) |
//! | `milter heard` | writes to the log what it heard |
//! | `milter hears LETTER` | waits until it hears a step since then |
//! | `rspamd JSON` | what rspamd answers; nothing: it is not there |
//! | `bans N` | fails unless N addresses are shut out |
//! | `count WHO N` | fails unless WHO's INBOX holds N messages |
//! | `catalogue` | takes everything into the search catalogue |
//! | `rate KIND KEY N` | counts N of that kind (`rates.rs`) for an address, a sender or an account |
//! | `learn` | the junk filter learns from what people did until now |
//! | `held N` | fails unless N entries of the queue are held |
//! | `dns TXT NAME "text"`, `dns A NAME IP`, `dns MX NAME HOST`, `dns PTR IP NAME` | what DNS answers from now on |
//! | `dns silent TXT NAME` | DNS does not answer that |
//! | `reported PATH VALUE` | fails unless what others reported of example.test says so, PATH as in `sources.0.source` |
//! | `queued N` | fails unless the queue holds N entries |
//! | `queued-for DOMAIN N` | fails unless N of them go to that domain |

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use facteur_senders::dns::{self, Answer, Question};
use facteur_senders::spf::reverse_name;
use facteur_server::consent;
use facteur_server::dns::{Dns, TableDns};
use facteur_server::groups::{self, Member};
use facteur_server::intake::Intake;
use facteur_server::listen;
use facteur_server::net::{Connecting, Net, Socket};
use facteur_server::programs::LocalUser;
use facteur_server::rates::Kind;
use facteur_server::tls::TlsFacts;
use facteur_server::{
    CertificateFiles, Config, Context, ListenAddress, Peer, PeerAddress, Role, admin, auth,
};
use facteur_sim::milter::Milter;
use facteur_sim::stress::Deflated;
use facteur_sim::transcript::{self, Chunking};
use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{
    Account, AccountEdit, AccountId, AddressTarget, Clock, Credentials, Delivery, FlagNames,
    ForwardSource, NewAccount, NewMessage, Options, QueueFilter, ScriptEdit, Store, Uid, UidSet,
};
use hyper::Method;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const DOMAIN: &str = "example.test";
const ALICE_PASSWORD: &str = "wonderland-1865";
/// Where the scripted programs listen.
const MILTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7_357);
const RSPAMD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 11_333);
const BOB_PASSWORD: &str = "häuschen im wald";
/// Bytes in a pipe between client and server.
const PIPE_BYTES: usize = 256 * 1024;

pub struct World {
    clock: Arc<VirtualClock>,
    disk: Mutex<SimDisk>,
    config: Config,
    ctx: Mutex<Arc<Context>>,
    dns: Option<Arc<TableDns>>,
    beside: Beside,
    log: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<String>>,
    _log: tracing::subscriber::DefaultGuard,
}

/// Runs every transcript of a directory below `tests/transcripts`, whole and byte by byte.
pub fn run_directory(name: &str) {
    let only = std::env::var_os("TRANSCRIPT").map(PathBuf::from);
    let mut failed = Vec::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name);
    for path in transcript::files(directory) {
        if only.as_ref().is_some_and(|only| !path.ends_with(only)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let split = !text.contains("C repeat:") && !text.contains("# whole only");
        let byte_by_byte = split.then_some(Chunking::ByteByByte);
        for chunking in [Some(Chunking::Whole), byte_by_byte].into_iter().flatten() {
            if let Err(failure) = run_file(&path, chunking) {
                failed.push(format!("{failure} ({chunking:?})"));
                break;
            }
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

fn run_file(path: &Path, chunking: Chunking) -> Result<(), transcript::Failure> {
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let text = std::fs::read_to_string(path).unwrap();
        let world = World::new(&text).await;
        let result = transcript::run(&world, path, chunking, update).await;
        world.stop().await;
        result
    })
}

impl World {
    /// `script`: where `# with:` lines are looked for.
    pub async fn new(script: &str) -> World {
        let words: Vec<&str> = script
            .lines()
            .filter_map(|line| line.strip_prefix("# with:"))
            .flat_map(str::split_whitespace)
            .collect();
        let number = |name: &str| {
            words.iter().find_map(|word| {
                let value = word.strip_prefix(name)?.strip_prefix('=')?;
                Some(value.parse::<u64>().unwrap())
            })
        };
        let (writer, log) = tokio::sync::mpsc::unbounded_channel();
        let log_guard = tracing::subscriber::set_default(
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::DEBUG)
                .with_ansi(false)
                .without_time()
                .with_writer(move || LogWriter {
                    sender: writer.clone(),
                    line: Vec::new(),
                })
                .finish(),
        );
        let mut config = Config::new("mail.example.test");
        config.allow_insecure_plaintext = words.contains(&"insecure-plaintext");
        config.stop_wait = Duration::from_secs(1);
        config.tarpit_delay = Duration::ZERO;
        if !words.contains(&"greeting-delay") {
            config.greeting_delay = Duration::ZERO;
        }
        if !words.contains(&"no-tls") {
            config.certificates = vec![certificate().files.clone()];
        }
        let lists = words
            .iter()
            .filter_map(|word| word.strip_prefix("dns-list="));
        config.dns_lists = lists.map(str::to_owned).collect();
        if words.contains(&"milter") {
            config.milters = vec![ListenAddress::Tcp(MILTER)];
        }
        if words.contains(&"rspamd") {
            config.rspamd = Some(RSPAMD);
        }
        if let Some(max) = number("message-bytes-max") {
            config.message_bytes_max = max;
        }
        let clock = Arc::new(VirtualClock::new(1));
        let disk = SimDisk::new(1);
        let dns = words.contains(&"dns").then(Arc::<TableDns>::default);
        let beside = Beside::default();
        let ctx = open(&config, &disk, &clock, dns.clone(), &beside);
        let world = World {
            clock,
            disk: Mutex::new(disk),
            config,
            ctx: Mutex::new(ctx),
            dns,
            beside,
            log: tokio::sync::Mutex::new(log),
            _log: log_guard,
        };
        world.people(number("quota")).await;
        world
    }

    async fn people(&self, quota: Option<u64>) {
        static CREDENTIALS: OnceLock<[Credentials; 2]> = OnceLock::new();
        let [alice, bob] = CREDENTIALS
            .get_or_init(|| {
                let clock = VirtualClock::new(2);
                [ALICE_PASSWORD, BOB_PASSWORD].map(|word| auth::make_credentials(&clock, word))
            })
            .clone();
        let store = self.store();
        store.create_domain(DOMAIN).await.unwrap();
        for (name, credentials, quota) in [("alice", alice, None), ("bob", bob, quota)] {
            let new = NewAccount {
                address: format!("{name}@{DOMAIN}"),
                display_name: name.to_owned(),
                credentials,
                quota_bytes: quota,
                language: "en".to_owned(),
            };
            store.create_account(new).await.unwrap();
        }
    }

    pub fn context(&self) -> Arc<Context> {
        Arc::clone(&self.ctx.lock().unwrap())
    }

    fn disk(&self) -> SimDisk {
        self.disk.lock().unwrap().clone()
    }

    pub fn store(&self) -> Store {
        self.context().store.clone()
    }

    pub async fn stop(&self) {
        let ctx = self.context();
        ctx.shutdown.start();
        ctx.strangers.save().unwrap();
        ctx.store.close().await.unwrap();
    }

    async fn restart(&self) {
        self.stop().await;
        let ctx = open(
            &self.config,
            &self.disk(),
            &self.clock,
            self.dns.clone(),
            &self.beside,
        );
        *self.ctx.lock().unwrap() = ctx;
    }

    fn account(&self, who: &str) -> AccountId {
        let address = if who.contains('@') {
            who.to_owned()
        } else {
            format!("{who}@{DOMAIN}")
        };
        match self.store().address(&address).unwrap() {
            Some(AddressTarget::Account(id)) => id,
            other => panic!("{address}: {other:?}"),
        }
    }

    /// `who:role` or `who:role:send-as`.
    async fn member(&self, group: &Account, member: &str) -> Result<(), String> {
        let mut parts = member.split(':');
        let who = parts.next().unwrap_or_default();
        let role = parts.next().and_then(groups::Role::from_name);
        let member = Member {
            account: self.account(who),
            role: role.ok_or_else(|| format!("{member}: which role?"))?,
            send_as: parts.next() == Some("send-as"),
        };
        groups::set_member(&self.store(), group, member)
            .await
            .unwrap();
        Ok(())
    }

    async fn deliver(&self, who: &str, text: &[u8]) {
        let store = self.store();
        let (body, _) = Intake::whole(&store, text).await.unwrap();
        let delivery = Delivery {
            account: self.account(who),
            mailbox: "INBOX".to_owned(),
            message: NewMessage {
                prefix: b"Return-Path: <sender@elsewhere.test>\r\n".to_vec(),
                flags: FlagNames::default(),
                internal_date: None,
            },
        };
        store
            .deliver(body, vec![delivery], Vec::new())
            .await
            .unwrap();
    }

    async fn script(&self, who: &str, text: String) {
        let (store, account) = (self.store(), self.account(who));
        let name = "main".to_owned();
        let edits = [
            ScriptEdit::Put {
                name: name.clone(),
                text,
            },
            ScriptEdit::Activate(Some(name)),
        ];
        for edit in edits {
            store.edit_script(account, edit).await.unwrap();
        }
    }

    async fn make_mailboxes(&self, who: &str, count: u64) {
        let (store, account) = (self.store(), self.account(who));
        // `Many` itself is one of them.
        let more = count - store.mailboxes(account).unwrap().len() as u64 - 1;
        for number in 1..=more {
            let name = format!("Many/{number}");
            store.create_mailbox(account, &name, None).await.unwrap();
        }
    }

    fn set_dns(&self, words: &[&str], text: &str) -> Result<(), String> {
        let table = self.dns.as_ref().ok_or("without `# with: dns`")?;
        let (question, answer) = match words {
            ["TXT", name, ..] => {
                let quoted = text.split_once('"').ok_or("TXT NAME \"text\"")?.1;
                let text = quoted.trim_end().trim_end_matches('"');
                let answer = Answer::Txt(vec![text.as_bytes().to_vec()]);
                (Question::new(dns::Kind::Txt, name), answer)
            }
            ["A", name, ip] => {
                let ip = ip.parse().map_err(|_| "no IPv4 address")?;
                (Question::new(dns::Kind::A, name), Answer::A(vec![ip]))
            }
            ["MX", name, host] => {
                let answer = Answer::Mx(vec![(10, (*host).to_owned())]);
                (Question::new(dns::Kind::Mx, name), answer)
            }
            ["PTR", ip, name] => {
                let ip = ip.parse().map_err(|_| "no address")?;
                let answer = Answer::Ptr(vec![(*name).to_owned()]);
                (Question::new(dns::Kind::Ptr, &reverse_name(ip)), answer)
            }
            ["silent", "TXT", name] => (Question::new(dns::Kind::Txt, name), Answer::Temporary),
            _ => return Err("not to be understood".to_owned()),
        };
        table.set_answer(question, answer);
        Ok(())
    }

    /// The store looks at the room left when it writes.
    async fn notice_room(&self) {
        let _ = self.store().create_domain("room.test").await;
        let _ = self.store().remove_domain("room.test").await;
    }

    async fn reported(&self, path: &str, wanted: &str) -> Result<(), String> {
        let router = admin::router(self.context());
        let asked = format!("/v1/domains/{DOMAIN}/reports");
        let (_, text) = admin::call(&router, Method::GET, &asked, None).await;
        let page: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let found = page.pointer(&format!("/{}", path.replace('.', "/")));
        let found = found.map(|value| value.to_string().trim_matches('"').to_owned());
        match found.as_deref() == Some(wanted) {
            true => Ok(()),
            false => Err(format!("{path} is {found:?} in {page}")),
        }
    }

    fn inbox(&self, who: &str) -> facteur_store::Mailbox {
        let account = self.account(who);
        let inbox = self.store().mailbox_by_name(account, "INBOX").unwrap();
        inbox.unwrap()
    }

    async fn edit(&self, who: &str, edit: AccountEdit) {
        let account = self.account(who);
        self.store().edit_account(account, edit).await.unwrap();
    }

    async fn act_words(&self, words: &[&str], text: &str) -> Result<(), String> {
        match words {
            ["deliver", who, ..] => {
                let quoted = text.split_once('"').ok_or("deliver WHO \"text\"")?.1;
                let message = unquote(quoted.trim_end().trim_end_matches('"'));
                self.deliver(who, &message).await;
            }
            ["script", who, ..] => {
                let quoted = text.split_once('"').ok_or("script WHO \"text\"")?.1;
                let script = unquote(quoted.trim_end().trim_end_matches('"'));
                self.script(who, String::from_utf8(script).unwrap()).await;
            }
            ["holds", who, mailbox, count] => {
                let (store, account) = (self.store(), self.account(who));
                let found = store.mailbox_by_name(account, mailbox).unwrap();
                let messages = found.map(|mailbox| u64::from(mailbox.messages));
                if messages.unwrap_or(0) != parse(count)? {
                    return Err(format!("{mailbox} of {who} holds {messages:?}"));
                }
            }
            ["restore", who, name] => {
                let (store, account) = (self.store(), self.account(who));
                let deleted = store.deleted_mailboxes(account).unwrap();
                let gone = deleted.iter().find(|gone| gone.name == *name);
                let id = gone.ok_or("no such mailbox was deleted")?.id;
                store.restore_mailbox(account, id).await.unwrap();
            }
            ["fill", who, count] => {
                for number in 1..=parse(count)? {
                    let text = format!("Subject: message {number}\r\n\r\nbody {number}\r\n");
                    self.deliver(who, text.as_bytes()).await;
                }
            }
            ["mailboxes", who, count] => self.make_mailboxes(who, parse(count)?).await,
            ["subscribed", who, count] => {
                let (store, account) = (self.store(), self.account(who));
                for number in 1..=parse(count)? {
                    let name = format!("Gone/{number}");
                    store.subscribe_name(account, &name).await.unwrap();
                }
            }
            ["group", address, members @ ..] => {
                let new = NewAccount {
                    address: (*address).to_owned(),
                    display_name: (*address).to_owned(),
                    credentials: Credentials::default(),
                    quota_bytes: None,
                    language: "en".to_owned(),
                };
                let store = self.store();
                let id = match store.address(address).unwrap() {
                    Some(AddressTarget::Account(id)) => id,
                    _ => store.create_group(new).await.unwrap(),
                };
                let group = store.account(id).unwrap().unwrap();
                for member in members {
                    self.member(&group, member).await?;
                }
            }
            ["posting", address, rule] => {
                let rule = groups::Posting::from_name(rule).ok_or("what rule is that?")?;
                let group = self.account(address);
                groups::set_posting(&self.store(), group, rule)
                    .await
                    .unwrap();
            }
            ["leaves", address, who] => {
                let store = self.store();
                let group = store.account(self.account(address)).unwrap().unwrap();
                let left = groups::remove_member(&store, &group, self.account(who)).await;
                assert!(left.unwrap(), "{who} was no member");
            }
            ["rate", kind, key, count] => {
                let kinds = [
                    ("address", Kind::Address),
                    ("network", Kind::Network),
                    ("sender", Kind::Sender),
                    ("recipient", Kind::Recipient),
                    ("unknown", Kind::Unknown),
                    ("submitted", Kind::Submitted),
                    ("submitted-a-day", Kind::SubmittedADay),
                    ("bounced", Kind::Bounced),
                ];
                let found = kinds.iter().find(|(name, _)| name == kind);
                let kind = found.ok_or("which rate?")?.1;
                let key = match self.store().address(key).unwrap() {
                    Some(AddressTarget::Account(id)) => id.0.to_string(),
                    _ => (*key).to_owned(),
                };
                let now = self.clock.monotonic();
                for _ in 0..parse(count)? {
                    self.context().rates.take(kind, &key, now).unwrap();
                }
            }
            ["learn"] => self.context().junk.catch_up().unwrap(),
            ["catalogue"] => self.context().catalog.catch_up().unwrap(),
            ["expunge", who, uid] => {
                let uid = u32::try_from(parse(uid)?).unwrap();
                let uids: UidSet = [Uid(uid)].into_iter().collect();
                let (account, inbox) = (self.account(who), self.inbox(who).id);
                let done = self
                    .store()
                    .expunge(account, inbox, Some(uids), false)
                    .await;
                done.unwrap();
            }
            ["restart"] => self.restart().await,
            ["power", "cut"] => {
                self.disk().cut_power();
                let ctx = self.context();
                ctx.shutdown.start();
                // It fails, or it does not: the disk is gone.
                let _ = ctx.store.close().await;
                let disk = self.disk().reboot(3);
                *self.disk.lock().unwrap() = disk;
                let ctx = open(
                    &self.config,
                    &self.disk(),
                    &self.clock,
                    self.dns.clone(),
                    &self.beside,
                );
                *self.ctx.lock().unwrap() = ctx;
            }
            ["stop"] => self.context().shutdown.start(),
            ["alias", address, targets] => {
                let targets = targets.split(',').map(str::to_owned).collect();
                let target = AddressTarget::Alias(targets);
                self.store().set_address(address, target).await.unwrap();
            }
            ["forward", who, target] => {
                let source = ForwardSource::Account(self.account(who));
                let vouched = consent::vouch(&self.context(), source, target).await;
                vouched.map_err(|error| error.to_string())?;
            }
            ["address", address, who] => {
                let target = AddressTarget::Account(self.account(who));
                self.store().set_address(address, target).await.unwrap();
            }
            ["catch-all", who] => {
                let account = Some(self.account(who));
                self.store().set_catch_all(DOMAIN, account).await.unwrap();
            }
            ["disable", who] => {
                let edit = AccountEdit {
                    disabled: Some(true),
                    ..AccountEdit::default()
                };
                self.edit(who, edit).await;
            }
            ["remove", who] => {
                let edit = AccountEdit {
                    removed: Some(true),
                    ..AccountEdit::default()
                };
                self.edit(who, edit).await;
            }
            ["erase", who] => {
                let account = self.account(who);
                self.store().erase_account(account).await.unwrap();
            }
            ["name", who, name] => {
                let edit = AccountEdit {
                    display_name: Some((*name).to_owned()),
                    ..AccountEdit::default()
                };
                self.edit(who, edit).await;
            }
            ["password", who, new] => {
                let edit = AccountEdit {
                    credentials: Some(auth::make_credentials(&*self.clock, new)),
                    ..AccountEdit::default()
                };
                self.edit(who, edit).await;
            }
            ["guess" | "guesses", who, count] => {
                let ctx = self.context();
                let address = PeerAddress::Tcp(([192, 0, 2, 1], 40_000).into());
                let mut peer = Peer::new(ctx.next_session(), Role::Pop3s, address);
                peer.tls = Some(Arc::new(tls_facts()));
                for number in 0..parse(count)? {
                    let login = format!("{who}@{DOMAIN}");
                    let scene = ctx.scene(&peer);
                    let guess = match words.first() {
                        Some(&"guesses") => format!("guess {number}"),
                        _ => "guess".to_owned(),
                    };
                    let refused = ctx.auth.password(scene, &login, &guess).await;
                    refused.unwrap_err();
                }
            }
            ["release", who] => {
                let router = admin::router(self.context());
                let path = format!("/v1/accounts/{who}@{DOMAIN}/release");
                let answer = admin::call(&router, Method::POST, &path, None).await;
                assert!(answer.0.is_success(), "{answer:?}");
            }
            ["milter", "heard"] => {
                for (letter, bytes) in self.beside.milter.take_heard() {
                    let letter = char::from(letter);
                    tracing::info!("milter heard {letter} {}", bytes.escape_ascii());
                }
            }
            ["milter", "hears", letter] => {
                self.beside.milter.hears(letter.as_bytes()[0]).await;
            }
            ["milter", letter, ..] => {
                let words = text.splitn(3, ' ').nth(2).unwrap_or_default().trim_end();
                self.beside.milter.answer(letter.as_bytes()[0], words)?;
            }
            ["rspamd", ..] => {
                let answer = text.split_once("rspamd").unwrap().1.trim();
                *self.beside.rspamd.lock().unwrap() = answer.to_owned();
            }
            ["bans", count] => {
                let bans = self.context().strangers.bans();
                if bans.len() as u64 != parse(count)? {
                    return Err(format!("shut out are {bans:?}"));
                }
            }
            ["disk", "full"] => {
                self.disk()
                    .set_capacity(self.disk().used_bytes() + (1 << 19));
                self.notice_room().await;
            }
            ["disk", "free"] => {
                self.disk().make_room();
                self.notice_room().await;
            }
            ["count", who, count] => {
                let have = self.inbox(who).messages;
                if u64::from(have) != parse(count)? {
                    return Err(format!("{who} has {have} messages"));
                }
            }
            ["held", count] => {
                let filter = QueueFilter {
                    held: Some(true),
                    ..QueueFilter::default()
                };
                let entries = self.store().queue_list(&filter, None, 1000).unwrap();
                if entries.len() as u64 != parse(count)? {
                    return Err(format!("held are {entries:?}"));
                }
            }
            ["dns", words @ ..] => self.set_dns(words, text)?,
            ["trace", needle, wanted @ ..] => {
                let found = self.context().history.find(needle, None).unwrap();
                let events = found.messages.iter().flat_map(|message| &message.events);
                let lines: Vec<u8> = events.flat_map(|event| event.line()).collect();
                let lines = String::from_utf8(lines).unwrap();
                if !lines.contains(&wanted.join(" ")) {
                    return Err(format!("the history says {lines}"));
                }
            }
            ["reported", path, wanted] => self.reported(path, wanted).await?,
            ["queued", count] => {
                let entries = self.store().queue_list(&QueueFilter::default(), None, 1000);
                let entries = entries.unwrap();
                if entries.len() as u64 != parse(count)? {
                    return Err(format!("the queue holds {entries:?}"));
                }
            }
            ["queued-for", domain, count] => {
                let entries = self.store().queue_list(&QueueFilter::default(), None, 1000);
                let entries = entries.unwrap();
                let found = entries.iter().filter(|entry| entry.domain == *domain);
                if found.count() as u64 != parse(count)? {
                    return Err(format!("the queue holds {entries:?}"));
                }
            }
            _ => return Err(format!("what is {text:?}?")),
        }
        Ok(())
    }
}

fn open(
    config: &Config,
    disk: &SimDisk,
    clock: &Arc<VirtualClock>,
    dns: Option<Arc<TableDns>>,
    beside: &Beside,
) -> Arc<Context> {
    let clock: Arc<dyn Clock> = clock.clone();
    let options = Options {
        reserved_bytes: 1 << 20,
        message_bytes_max: config.message_bytes_max,
        ..Options::default()
    };
    let (store, _) = Store::open(Arc::new(disk.clone()), clock, options).unwrap();
    let dns = dns.map(|dns| -> Arc<dyn Dns> { dns });
    Context::with_seams(config.clone(), store, dns, Arc::new(beside.clone())).unwrap()
}

/// Programs beside the server.
#[derive(Clone, Debug, Default)]
struct Beside {
    milter: Milter,
    /// The JSON that rspamd answers with; empty: nobody is there.
    rspamd: Arc<Mutex<String>>,
}

impl Net for Beside {
    fn connect(&self, to: SocketAddr, _: Option<IpAddr>) -> Connecting<'_> {
        let answer = self.rspamd.lock().unwrap().clone();
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        if to == MILTER {
            tokio::spawn(self.milter.clone().serve(server));
        } else if to == RSPAMD && !answer.is_empty() {
            tokio::spawn(rspamd(server, answer));
        } else {
            return Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        }
        Box::pin(async { Ok(Box::new(client) as Box<dyn Socket>) })
    }
}

/// One request, one answer.
async fn rspamd(mut stream: DuplexStream, answer: String) {
    let (mut heard, mut space) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut space).await.unwrap();
        assert!(count > 0, "the request ends early");
        heard.extend_from_slice(&space[..count]);
        let text = String::from_utf8_lossy(&heard);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.unwrap().parse::<usize>().unwrap() {
            tracing::info!("rspamd heard {}", text.escape_debug());
            break;
        }
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
    let answer = format!("{head}{}\r\n\r\n{answer}", answer.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

fn tls_facts() -> TlsFacts {
    TlsFacts {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        end_point: None,
        exporter: Some([1; 32]),
    }
}

/// `local@LOGIN` is a process of that user; without one, of `backup`.
fn local_user(login: &str) -> LocalUser {
    let (uid, login) = match login {
        "root" => (0, login),
        "192.0.2.1" => (4_000_000_034, "backup"),
        login => (4_000_000_000, login),
    };
    LocalUser {
        uid,
        login: login.to_owned(),
    }
}

fn parse(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn unquote(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").into_bytes()
}

impl transcript::World for World {
    type Stream = Pipe;

    async fn connect(&self, port: &str) -> io::Result<Pipe> {
        let (name, address) = port.split_once('@').unwrap_or((port, "192.0.2.1"));
        let role = Role::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| io::Error::other("no such port"))?;
        let user = (role == Role::Local).then(|| local_user(address));
        let address = if user.is_some() { "127.0.0.1" } else { address };
        let ip: std::net::IpAddr = address.parse().map_err(io::Error::other)?;
        let ctx = self.context();
        let address = match role {
            Role::Lmtp | Role::Local => PeerAddress::Unix,
            _ => PeerAddress::Tcp((ip, 40_000).into()),
        };
        let mut peer = Peer::new(ctx.next_session(), role, address);
        peer.user = user;
        if role.is_implicit_tls() {
            peer.tls = Some(Arc::new(tls_facts()));
        }
        let (client, mut server) = tokio::io::duplex(PIPE_BYTES);
        if let Some(words) = listen::shut_out(role, address, &ctx) {
            server.write_all(words).await?;
            return Ok(Pipe::Plain(client));
        }
        match role {
            Role::Smtp | Role::Submission | Role::Submissions | Role::Lmtp | Role::Local => {
                tokio::spawn(facteur_server::smtp::serve(server, peer, ctx));
            }
            Role::Pop3 | Role::Pop3s => {
                tokio::spawn(facteur_server::pop3::serve(server, peer, ctx));
            }
            Role::Https => return Err(io::Error::other("no transcript speaks HTTP")),
            Role::Sieve => {
                tokio::spawn(facteur_server::managesieve::serve(server, peer, ctx));
            }
            Role::Imap | Role::Imaps => {
                tokio::spawn(facteur_server::imap::serve(server, peer, ctx));
            }
        }
        Ok(Pipe::Plain(client))
    }

    async fn advance(&self, by: Duration) {
        // What was sent before must be read before, or its timeout begins after.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.clock.advance(by);
        tokio::time::advance(by).await;
    }

    async fn start_tls(&self, stream: Pipe) -> io::Result<Pipe> {
        let Pipe::Plain(stream) = stream else {
            return Err(io::Error::other("TLS is on already"));
        };
        let connector = TlsConnector::from(certificate().client());
        let name = "mail.example.test".try_into().map_err(io::Error::other)?;
        let stream = connector.connect(name, stream).await?;
        Ok(Pipe::Tls(Box::new(stream)))
    }

    async fn compress(&self, stream: Pipe, on: bool) -> io::Result<Pipe> {
        match (stream, on) {
            (Pipe::Plain(stream), true) => Ok(Pipe::Deflate(Box::new(Deflated::new(stream)))),
            (Pipe::Deflate(deflated), false) => Ok(Pipe::Plain(deflated.stream)),
            _ => Err(io::Error::other("not from this state")),
        }
    }

    async fn next_log(&self) -> Option<String> {
        self.log.lock().await.recv().await
    }

    async fn act(&self, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        self.act_words(&words, text).await
    }

    fn variables(&self) -> Vec<(String, String)> {
        use base64::Engine;
        let plain = |who: &str, password: &str| {
            let text = format!("\0{who}@{DOMAIN}\0{password}");
            base64::engine::general_purpose::STANDARD.encode(text)
        };
        [
            ("alice_password", ALICE_PASSWORD.to_owned()),
            ("bob_password", BOB_PASSWORD.to_owned()),
            ("alice_plain", plain("alice", ALICE_PASSWORD)),
            ("bob_plain", plain("bob", BOB_PASSWORD)),
            ("wrong_plain", plain("alice", "wrong")),
            ("nobody_plain", plain("nobody", "wrong")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// The client's end of a connection.
pub enum Pipe {
    Plain(DuplexStream),
    Tls(Box<TlsStream<DuplexStream>>),
    Deflate(Box<Deflated<DuplexStream>>),
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Pipe::Plain(stream) => Pin::new(stream).poll_read(task, buffer),
            Pipe::Tls(stream) => Pin::new(stream.as_mut()).poll_read(task, buffer),
            Pipe::Deflate(deflated) => Pin::new(deflated.as_mut()).poll_read(task, buffer),
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Pipe::Plain(stream) => Pin::new(stream).poll_write(task, bytes),
            Pipe::Tls(stream) => Pin::new(stream.as_mut()).poll_write(task, bytes),
            Pipe::Deflate(deflated) => Pin::new(deflated.as_mut()).poll_write(task, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Pipe::Plain(stream) => Pin::new(stream).poll_flush(task),
            Pipe::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(task),
            Pipe::Deflate(deflated) => Pin::new(deflated.as_mut()).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Pipe::Plain(stream) => Pin::new(stream).poll_shutdown(task),
            Pipe::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(task),
            Pipe::Deflate(deflated) => Pin::new(deflated.as_mut()).poll_shutdown(task),
        }
    }
}

/// One authority-less certificate for all worlds of a process.
pub struct TestCertificate {
    pub files: CertificateFiles,
    der: rustls::pki_types::CertificateDer<'static>,
    _directory: tempfile::TempDir,
}

pub fn certificate() -> &'static TestCertificate {
    static CERTIFICATE: OnceLock<TestCertificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let made =
            rcgen::generate_simple_self_signed(vec!["mail.example.test".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            chain: directory.path().join("chain.pem"),
            key: directory.path().join("key.pem"),
        };
        std::fs::write(&files.chain, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        TestCertificate {
            files,
            der: made.cert.der().clone(),
            _directory: directory,
        }
    })
}

impl TestCertificate {
    /// A client that trusts it.
    pub fn client(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Arc::new(
            rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }
}

struct LogWriter {
    sender: tokio::sync::mpsc::UnboundedSender<String>,
    line: Vec<u8>,
}

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        let _ = self.sender.send(line);
    }
}
