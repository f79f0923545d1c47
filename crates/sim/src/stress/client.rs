//! One client: which command comes next depends on its seed and step alone; the messages it means
//! depend on what it was told before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ledger::{Key, Ledger};
use super::numbers;
use super::picture::Snapshot;
use super::session::{Answer, BoxStream, Broken, Command, Notifying, Opening, Session};
use crate::Random;

pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way to the server.
pub trait Net: Send + Sync {
    /// An IMAP connection, TLS done.
    fn imap(&self) -> Pending<'_, io::Result<BoxStream>>;

    /// An SMTP connection, or an LMTP one (true).
    fn mail(&self) -> Pending<'_, io::Result<(BoxStream, bool)>>;

    /// How often the server was stopped or killed on purpose: what is lost by that is no fault.
    fn interruptions(&self) -> u64;

    /// Waits until nothing runs any more for connections that were dropped.
    fn settle(&self) -> Pending<'_, ()>;
}

#[derive(Clone, Debug)]
pub struct Login {
    pub address: String,
    pub password: String,
}

/// Mailboxes that are always there.
pub const MAILBOXES: [&str; 3] = ["INBOX", "Work", "Busy"];
/// Mailboxes that come and go.
pub const PASSING: [&str; 3] = ["Temp/1", "Temp/2", "Temp/deep/3"];
pub const KEYWORDS: [&str; 4] = ["kw0", "kw1", "$Forwarded", "todo"];
/// Messages in a mailbox above which clients delete rather than add.
pub const MESSAGES_MANY: usize = 120;

/// What a client does in one step, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Noop,
    Verify,
    FetchFlags,
    FetchBodies,
    FetchChanged,
    FetchSaved,
    Store,
    StoreDeleted,
    Append,
    Deliver,
    Copy,
    Move,
    Replace,
    Expunge,
    UidExpunge,
    Search,
    SearchSave,
    Sort,
    Thread,
    Status,
    List,
    Select,
    Examine,
    Resync,
    Close,
    Unselect,
    Create,
    Delete,
    Rename,
    Idle,
    Notify,
    Pipeline,
    Drop,
    Logout,
}

const KINDS: [(Kind, u64); 34] = [
    (Kind::Noop, 8),
    (Kind::Verify, 6),
    (Kind::FetchFlags, 7),
    (Kind::FetchBodies, 6),
    (Kind::FetchChanged, 2),
    (Kind::FetchSaved, 3),
    (Kind::Store, 14),
    (Kind::StoreDeleted, 6),
    (Kind::Append, 10),
    (Kind::Deliver, 4),
    (Kind::Copy, 4),
    (Kind::Move, 4),
    (Kind::Replace, 3),
    (Kind::Expunge, 4),
    (Kind::UidExpunge, 3),
    (Kind::Search, 8),
    (Kind::SearchSave, 3),
    (Kind::Sort, 2),
    (Kind::Thread, 2),
    (Kind::Status, 3),
    (Kind::List, 1),
    (Kind::Select, 3),
    (Kind::Examine, 1),
    (Kind::Resync, 4),
    (Kind::Close, 1),
    (Kind::Unselect, 1),
    (Kind::Create, 1),
    (Kind::Delete, 1),
    (Kind::Rename, 1),
    (Kind::Idle, 5),
    (Kind::Notify, 2),
    (Kind::Pipeline, 5),
    (Kind::Drop, 3),
    (Kind::Logout, 1),
];

pub struct Client {
    pub id: usize,
    seed: u64,
    pub steps: u64,
    pub net: Arc<dyn Net>,
    pub ledger: Arc<Mutex<Ledger>>,
    pub login: Login,
    pub session: Option<Session>,
    interruptions: u64,
    pub snapshots: BTreeMap<String, VecDeque<Snapshot>>,
    /// Uids of `$`, when they are known.
    pub saved: Option<BTreeSet<u32>>,
    messages: u64,
    /// Nobody else does anything during this step.
    pub alone: bool,
    pub random: Random,
    pub done: BTreeMap<Kind, u64>,
    pub last: Option<Kind>,
}

impl Client {
    pub fn new(
        id: usize,
        seed: u64,
        net: Arc<dyn Net>,
        ledger: Arc<Mutex<Ledger>>,
        login: Login,
    ) -> Self {
        Client {
            id,
            seed,
            steps: 0,
            net,
            ledger,
            login,
            session: None,
            interruptions: 0,
            snapshots: BTreeMap::new(),
            saved: None,
            messages: 0,
            alone: false,
            random: Random::new(seed),
            done: BTreeMap::new(),
            last: None,
        }
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step; the fault's text if the server is wrong.
    pub async fn step(&mut self, alone: bool) -> Result<(), String> {
        self.steps += 1;
        self.alone = alone;
        let mix = (self.id as u64) << 40 | self.steps;
        self.random = Random::new(Random::new(self.seed ^ mix.rotate_left(17)).next() ^ mix);
        let outcome = self.one().await;
        self.outcome(outcome)
    }

    /// A connection that is gone is a fault unless the server was stopped meanwhile, or the mailbox
    /// was deleted.
    pub fn outcome(&mut self, outcome: Result<(), Broken>) -> Result<(), String> {
        match outcome {
            Ok(()) => Ok(()),
            Err(Broken::Closed) => {
                let session = self.session.take();
                self.saved = None;
                if self.net.interruptions() != self.interruptions {
                    return Ok(());
                }
                let picture = session.as_ref().and_then(|s| s.picture.as_ref());
                if picture.is_some_and(|picture| PASSING.contains(&picture.name.as_str())) {
                    return Ok(());
                }
                self.session = session;
                Err(self.report("the server closed the connection"))
            }
            Err(Broken::Fault(what)) => Err(self.report(&what)),
        }
    }

    fn report(&self, what: &str) -> String {
        let log = self.session.as_ref().map(|session| {
            let lines: Vec<&str> = session.log.iter().map(String::as_str).collect();
            lines.join("\n")
        });
        format!(
            "seed {} client {} step {} ({:?}): {what}\n{}",
            self.seed,
            self.id,
            self.steps,
            self.last,
            log.unwrap_or_default()
        )
    }

    fn kind(&mut self) -> Kind {
        let all: u64 = KINDS.iter().map(|(_, weight)| weight).sum();
        let mut at = self.random.below(all);
        for (kind, weight) in KINDS {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return kind,
            }
        }
        Kind::Noop
    }

    async fn one(&mut self) -> Result<(), Broken> {
        let kind = self.kind();
        self.last = Some(kind);
        *self.done.entry(kind).or_default() += 1;
        if kind == Kind::Deliver {
            return self.deliver().await;
        }
        if self.session.is_none() {
            self.connect().await?;
        }
        if self.session()?.is_idle() {
            self.session()?.done().await?;
        }
        let full = self.session()?.picture.as_ref();
        let full = full.is_some_and(|picture| picture.slots.len() > MESSAGES_MANY);
        let kind = match kind {
            Kind::Append | Kind::Copy if full => Kind::StoreDeleted,
            kind => kind,
        };
        match kind {
            Kind::Select | Kind::Examine => return self.select_any(kind).await,
            Kind::Resync => return self.resync().await,
            Kind::Append => return self.append().await,
            Kind::Status => return self.status().await,
            Kind::List => return self.list().await,
            Kind::Create => return self.create().await,
            Kind::Delete => return self.delete().await,
            Kind::Rename => return self.rename().await,
            Kind::Drop => return self.drop_connection().await,
            Kind::Logout => return self.logout().await,
            Kind::Notify => return self.notify().await,
            _ => {}
        }
        if self.session()?.picture.is_none() {
            return self.select_any(Kind::Select).await;
        }
        match kind {
            Kind::Verify => self.verify().await,
            Kind::FetchFlags => self.fetch_flags().await,
            Kind::FetchBodies => self.fetch_bodies().await,
            Kind::FetchChanged => self.fetch_changed().await,
            Kind::FetchSaved => self.fetch_saved().await,
            Kind::Store => self.store(false).await,
            Kind::StoreDeleted => self.store(true).await,
            Kind::Copy => self.copy(false).await,
            Kind::Move => self.copy(true).await,
            Kind::Replace => self.replace().await,
            Kind::Expunge => self.expunge(false).await,
            Kind::UidExpunge => self.expunge(true).await,
            Kind::Search => self.search().await,
            Kind::SearchSave => self.search_save().await,
            Kind::Sort => self.sort().await,
            Kind::Thread => self.thread().await,
            Kind::Close | Kind::Unselect => self.close(kind == Kind::Close).await,
            Kind::Idle => self.session()?.idle().await,
            Kind::Pipeline => self.pipeline().await,
            _ => self.noop().await,
        }
    }

    pub fn session(&mut self) -> Result<&mut Session, Broken> {
        self.session.as_mut().ok_or(Broken::Closed)
    }

    /// The answer, which must be OK.
    pub async fn ok(&mut self, command: Command) -> Result<Answer, Broken> {
        self.ok_or_no(command, &[])
            .await?
            .ok_or_else(|| Broken::Fault("refused".to_owned()))
    }

    /// OK, or a NO with one of the codes (`""`: without code); anything else is a fault.
    pub async fn ok_or_no(
        &mut self,
        command: Command,
        codes: &[&str],
    ) -> Result<Option<Answer>, Broken> {
        let shown = String::from_utf8_lossy(&command.text).into_owned();
        let answer = self.session()?.run(command).await?;
        self.check(answer, codes, &shown)
    }

    pub fn check(
        &self,
        answer: Answer,
        codes: &[&str],
        shown: &str,
    ) -> Result<Option<Answer>, Broken> {
        if answer.ok() {
            return Ok(Some(answer));
        }
        let code = answer.code.as_ref().map_or("", |code| code.name.as_str());
        let no = answer.status == super::response::Status::No;
        match no && codes.contains(&code) {
            true => Ok(None),
            false => {
                let shown: String = shown.chars().take(200).collect();
                Err(format!("{shown}: {} [{code}]", answer.status).into())
            }
        }
    }

    /// The key of the selected mailbox.
    pub fn key(&mut self) -> Result<Key, Broken> {
        self.session()?.selected_key().ok_or(Broken::Closed)
    }

    /// A mailbox to put messages into or to open.
    pub fn any_mailbox(&mut self) -> &'static str {
        match self.random.chance(8) {
            true => PASSING[self.random.index(PASSING.len())],
            false => MAILBOXES[self.random.index(MAILBOXES.len())],
        }
    }

    pub fn token(&mut self) -> String {
        self.messages += 1;
        let token = format!("m{}x{}s{:x}", self.id, self.messages, self.seed);
        self.ledger().sent.insert(token.clone());
        token
    }

    /// Connects, logs in, and enables what this session is to be like.
    pub async fn connect(&mut self) -> Result<(), Broken> {
        self.interruptions = self.net.interruptions();
        self.saved = None;
        let stream = self.net.imap().await.map_err(|_| Broken::Closed)?;
        let ledger = Arc::clone(&self.ledger);
        let mut session = Session::new(stream, &self.login.address, ledger);
        let greeting = session.greeting().await;
        self.session = Some(session);
        greeting?;
        let login = format!("LOGIN {} \"{}\"", self.login.address, self.login.password);
        self.ok(Command::new(login)).await?;
        if self.random.chance(15) {
            self.ok(Command::new("COMPRESS DEFLATE")).await?;
            self.session()?.compress();
        }
        match self.random.below(10) {
            0 | 1 => self.enable("CONDSTORE").await?,
            2..=5 => self.enable("QRESYNC").await?,
            6 => self.enable("UIDONLY").await?,
            7 => self.enable("QRESYNC UIDONLY").await?,
            8 => self.enable("IMAP4rev2").await?,
            _ => {}
        }
        if self.random.chance(15) {
            self.notify().await?;
        }
        Ok(())
    }

    async fn enable(&mut self, names: &str) -> Result<(), Broken> {
        self.ok(Command::new(format!("ENABLE {names}"))).await?;
        Ok(())
    }

    /// RFC 5465: news of the selected mailbox at once, or between commands; STATUS of the others.
    async fn notify(&mut self) -> Result<(), Broken> {
        let (events, notifying) = match self.random.below(3) {
            0 => ("SELECTED", Notifying::Immediate),
            _ => ("SELECTED-DELAYED", Notifying::Delayed),
        };
        let others = match self.random.chance(50) {
            true => " (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))",
            false => "",
        };
        let status = if self.random.chance(50) {
            "STATUS "
        } else {
            ""
        };
        let text =
            format!("NOTIFY SET {status}({events} (MessageNew MessageExpunge FlagChange)){others}");
        self.ok(Command::new(text)).await?;
        self.session()?.notifying = notifying;
        Ok(())
    }

    /// Leaves without a word in the middle of something.
    async fn drop_connection(&mut self) -> Result<(), Broken> {
        let mut commands = Vec::new();
        if self.session()?.picture.is_some() {
            self.keep_snapshot()?;
            for _ in 0..=self.random.below(2) {
                commands.extend(self.blind_command().await?);
            }
        }
        if commands.is_empty() {
            commands.push(Command::new("NOOP"));
        }
        let cut = self.random.chance(40).then(|| self.random.index(60));
        if let Some(mut session) = self.session.take() {
            session.abandon(commands, cut).await;
        }
        self.saved = None;
        Ok(())
    }

    async fn logout(&mut self) -> Result<(), Broken> {
        match self.session()?.run(Command::new("LOGOUT")).await {
            Err(Broken::Closed) | Ok(_) => self.session = None,
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    pub async fn noop(&mut self) -> Result<(), Broken> {
        let word = if self.random.chance(90) {
            "NOOP"
        } else {
            "CHECK"
        };
        self.ok(Command::new(word)).await?;
        Ok(())
    }

    async fn select_any(&mut self, kind: Kind) -> Result<(), Broken> {
        let name = self.any_mailbox();
        let word = match kind {
            Kind::Examine => "EXAMINE",
            _ => "SELECT",
        };
        self.select(word, name, None).await
    }

    /// Opens with a state that was remembered some time ago (RFC 7162 §3.2.5).
    async fn resync(&mut self) -> Result<(), Broken> {
        if !self.session()?.enabled.qresync {
            self.enable("QRESYNC").await?;
        }
        let name = self.any_mailbox();
        let snapshots = self.snapshots.get(name);
        let snapshot = snapshots.filter(|all| !all.is_empty()).map(|all| {
            let mut random = self.random.clone();
            all[random.index(all.len())].clone()
        });
        self.select("SELECT", name, snapshot).await
    }

    pub async fn select(
        &mut self,
        word: &str,
        name: &str,
        mut remembered: Option<Snapshot>,
    ) -> Result<(), Broken> {
        self.saved = None;
        if self.session()?.picture.is_some() {
            self.keep_snapshot()?;
        }
        let parameters = match &mut remembered {
            Some(snapshot) if !snapshot.messages.is_empty() && self.random.chance(30) => {
                snapshot.only = true;
                let uids = numbers::print(snapshot.messages.keys().copied());
                format!(
                    " (QRESYNC ({} {} {uids}))",
                    snapshot.uid_validity, snapshot.modseq
                )
            }
            Some(snapshot) => {
                format!(" (QRESYNC ({} {}))", snapshot.uid_validity, snapshot.modseq)
            }
            None => String::new(),
        };
        let at = self.ledger().now();
        let command = Command {
            text: format!("{word} {name}{parameters}").into_bytes(),
            opens: Some(Opening {
                name: name.to_owned(),
                at,
                remembered,
            }),
            ..Command::default()
        };
        let missing: &[&str] = match MAILBOXES.contains(&name) {
            true => &[],
            false => &["NONEXISTENT"],
        };
        if self.ok_or_no(command, missing).await?.is_none() {
            return Ok(());
        }
        self.look().await
    }
}
