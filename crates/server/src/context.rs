//! What every driver shares, and who is at the other end.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use facteur_store::{Clock, Store};
use tokio::sync::{Notify, watch};

use crate::auth::{Auth, Scene};
use crate::config::{Config, Role};
use crate::dkim::Signing;
use crate::dns::Dns;
use crate::feedback::Feedback;
use crate::gate::{Gate, Place};
use crate::history::History;
use crate::imap::catalog::Catalog;
use crate::imap::quirks::Quirks;
use crate::junk;
use crate::limits;
use crate::net::{Net, SystemNet};
use crate::pop3;
use crate::programs::LocalUser;
use crate::rates::Rates;
use crate::reports::Reports;
use crate::senders::People;
use crate::server::StartError;
use crate::strangers::Strangers;
use crate::tls::{Tls, TlsFacts};
use crate::web::Bodies;

/// Shared by all sessions of a process.
#[derive(Debug)]
pub struct Context {
    pub config: Config,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub auth: Auth,
    /// `None`: no certificate is configured, STARTTLS is not offered.
    pub tls: Option<Arc<Tls>>,
    pub counters: Counters,
    pub shutdown: Shutdown,
    pub gate: Gate,
    pub pop3: pop3::Locks,
    pub catalog: Catalog,
    pub junk: junk::Filter,
    pub history: History,
    pub reports: Reports,
    pub rates: Rates,
    pub strangers: Strangers,
    pub feedback: Feedback,
    /// Places for sessions that are slowed.
    pub(crate) tarpits: tokio::sync::Semaphore,
    pub(crate) quirks: Quirks,
    /// `None`: nothing is asked, and nobody's word on a sender is written.
    pub dns: Option<Arc<dyn Dns>>,
    /// To programs beside this one.
    pub net: Arc<dyn Net>,
    pub(crate) people: People,
    pub(crate) signing: Signing,
    /// Places for messages that come as JSON.
    pub(crate) bodies: Bodies,
    /// There may be a web call to make.
    pub(crate) calls: Notify,
    sessions: AtomicU64,
}

impl Context {
    /// Reads the certificates; starts nothing. Without DNS.
    pub fn new(config: Config, store: Store) -> Result<Arc<Context>, StartError> {
        Context::with_dns(config, store, None)
    }

    pub fn with_dns(
        config: Config,
        store: Store,
        dns: Option<Arc<dyn Dns>>,
    ) -> Result<Arc<Context>, StartError> {
        Context::with_seams(config, store, dns, Arc::new(SystemNet))
    }

    pub fn with_seams(
        config: Config,
        store: Store,
        dns: Option<Arc<dyn Dns>>,
        net: Arc<dyn Net>,
    ) -> Result<Arc<Context>, StartError> {
        let clock = Arc::clone(store.clock());
        let tls = if config.certificates.is_empty() {
            None
        } else {
            Some(Arc::new(Tls::load(&config.certificates)?))
        };
        Ok(Arc::new(Context {
            auth: Auth::new(
                Arc::clone(&clock),
                config.limits.hashes_at_once_max,
                lasting_secret(&config).as_deref(),
            ),
            tls,
            counters: Counters::default(),
            shutdown: Shutdown::default(),
            gate: Gate::new(config.limits.clone()),
            pop3: pop3::Locks::default(),
            catalog: Catalog::new(store.clone()),
            junk: junk::Filter::new(store.clone()),
            history: History::new(store.clone()),
            reports: Reports::new(store.clone()),
            rates: Rates::default(),
            tarpits: tokio::sync::Semaphore::new(limits::TARPITS_MAX),
            strangers: Strangers::new(store.clone(), &config),
            feedback: Feedback::new(store.clone(), &config),
            quirks: Quirks::default(),
            dns,
            net,
            people: People::default(),
            signing: Signing::default(),
            bodies: Bodies::default(),
            calls: Notify::new(),
            sessions: AtomicU64::new(0),
            clock,
            store,
            config,
        }))
    }

    /// What [`Auth`] needs to know for this peer.
    pub fn scene<'a>(&'a self, peer: &'a Peer) -> Scene<'a> {
        Scene {
            store: &self.store,
            config: &self.config,
            counters: &self.counters,
            strangers: &self.strangers,
            peer,
        }
    }

    /// A name for the next session, unique in this process.
    pub fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The first certificate's private key: secret, and the same until it is renewed.
fn lasting_secret(config: &Config) -> Option<Vec<u8>> {
    let files = config.certificates.first()?;
    std::fs::read(&files.key).ok()
}

/// Names one session in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    Tcp(SocketAddr),
    /// A process of this machine.
    Unix,
    /// Our own queue: what was held for its time.
    Inside,
}

impl PeerAddress {
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            PeerAddress::Tcp(address) => Some(address.ip().to_canonical()),
            PeerAddress::Unix | PeerAddress::Inside => None,
        }
    }

    pub fn is_loopback(self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Tcp(address) => write!(f, "{address}"),
            PeerAddress::Unix => f.write_str("local"),
            PeerAddress::Inside => f.write_str("queue"),
        }
    }
}

/// The other end of a session.
#[derive(Clone, Debug)]
pub struct Peer {
    pub session: SessionId,
    pub role: Role,
    pub address: PeerAddress,
    /// Set from the first byte on implicit-TLS listeners, by STARTTLS later; see
    /// [`crate::drive::Wire::peer`].
    pub tls: Option<Arc<TlsFacts>>,
    /// Its place among the open connections; a login moves it to the roomier part.
    pub place: Place,
    /// Whose process it is, on a listener for programs of this machine.
    pub user: Option<LocalUser>,
}

impl Peer {
    /// A peer that no gate counts, as transcripts need it.
    pub fn new(session: SessionId, role: Role, address: PeerAddress) -> Self {
        Peer {
            session,
            role,
            address,
            tls: None,
            place: Place::default(),
            user: None,
        }
    }

    /// May a password cross this connection in the clear?
    pub fn is_private(&self, config: &Config) -> bool {
        self.tls.is_some() || (config.allow_insecure_plaintext && self.address.is_loopback())
    }
}

/// Events since the start, for the admin API.
#[derive(Debug, Default)]
pub struct Counters {
    pub sessions: AtomicU64,
    pub sessions_open: AtomicU64,
    /// Sessions that ended in a panic: each one is a bug.
    pub panics: AtomicU64,
    pub refused_connections: AtomicU64,
    pub logins: AtomicU64,
    pub login_failures: AtomicU64,
    pub messages_in: AtomicU64,
    pub messages_refused: AtomicU64,
}

impl Counters {
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tells every session, once, that the server stops.
#[derive(Clone, Debug)]
pub struct Shutdown {
    sender: Arc<watch::Sender<bool>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Shutdown {
            sender: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl Shutdown {
    pub fn start(&self) {
        self.sender.send_replace(true);
    }

    /// Follows the switch.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.sender.subscribe()
    }

    pub fn started(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns when the server stops.
    pub async fn wait(&self) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`: waiting can't fail before it.
        let _ = receiver.wait_for(|stopping| *stopping).await;
    }
}
