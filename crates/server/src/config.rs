//! The server's configuration as plain data; the command line builds it from the file.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::limits;
use crate::strangers::Network;

/// Which protocol, and which flavour of it, a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Port 25: mail from other hosts, STARTTLS offered, no AUTH.
    Smtp,
    /// Port 587: mail from our people, STARTTLS (RFC 6409).
    Submission,
    /// Port 465: the same under TLS from the first byte (RFC 8314).
    Submissions,
    /// RFC 2033, on a Unix socket: trusted local delivery.
    Lmtp,
    /// Programs of this machine, on a Unix socket: who they are the kernel says.
    Local,
    Imap,
    Imaps,
    Pop3,
    Pop3s,
    /// ManageSieve with STARTTLS (RFC 5804).
    Sieve,
    /// Programs that send, and our MTA-STS policy.
    Https,
}

impl Role {
    pub const ALL: [Role; 11] = [
        Role::Smtp,
        Role::Submission,
        Role::Submissions,
        Role::Lmtp,
        Role::Local,
        Role::Imap,
        Role::Imaps,
        Role::Pop3,
        Role::Pop3s,
        Role::Sieve,
        Role::Https,
    ];

    /// As in the configuration file and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Role::Smtp => "smtp",
            Role::Submission => "submission",
            Role::Submissions => "submissions",
            Role::Lmtp => "lmtp",
            Role::Local => "local",
            Role::Imap => "imap",
            Role::Imaps => "imaps",
            Role::Pop3 => "pop3",
            Role::Pop3s => "pop3s",
            Role::Sieve => "sieve",
            Role::Https => "https",
        }
    }

    /// The port IANA gave it; LMTP has none (a Unix socket, or 24 by RFC 2033 §5), and programs of
    /// this machine never come over the network.
    pub fn standard_port(self) -> u16 {
        match self {
            Role::Smtp => 25,
            Role::Submission => 587,
            Role::Submissions => 465,
            Role::Lmtp => 24,
            Role::Local => 0,
            Role::Imap => 143,
            Role::Imaps => 993,
            Role::Pop3 => 110,
            Role::Pop3s => 995,
            Role::Sieve => 4190,
            Role::Https => 443,
        }
    }

    /// Only on a Unix socket.
    pub fn is_unix(self) -> bool {
        matches!(self, Role::Lmtp | Role::Local)
    }

    /// TLS from the first byte.
    pub fn is_implicit_tls(self) -> bool {
        matches!(
            self,
            Role::Submissions | Role::Imaps | Role::Pop3s | Role::Https
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// Port 0: any free port, told by [`crate::Running::port`].
    Tcp(SocketAddr),
    /// A Unix socket, made with mode 0660 (0666 for [`Role::Local`]); an old one at the same place
    /// is replaced.
    Unix(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub role: Role,
    pub address: ListenAddress,
}

/// PEM files. The names a certificate answers for (SNI) are read from the certificate itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Leaf first, then its chain.
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// What one process takes on; protocol limits are constants in the crates' `limits.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all.
    pub connections_max: usize,
    /// Open connections from one address (IPv6: one /64), logged in or not.
    pub connections_per_address_max: usize,
    /// Connections from one address that have not logged in (SMTP on port 25 counts here too).
    pub connections_before_login_max: usize,
    /// Password hashes computed at the same time.
    pub hashes_at_once_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 20_000,
            connections_per_address_max: 1_000,
            connections_before_login_max: 200,
            hashes_at_once_max: 2,
        }
    }
}

/// All mail that leaves goes here instead of to the recipients' MX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smarthost {
    pub host: String,
    pub port: u16,
    /// TLS from the first byte (465) instead of STARTTLS.
    pub implicit_tls: bool,
    pub user: Option<String>,
    pub password: Option<String>,
}

/// Mail for one domain goes to this host instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRoute {
    /// Lower case, A-labels.
    pub domain: String,
    pub to: Smarthost,
    /// TLS with name and chain checked, as with the smarthost; else when it is offered.
    pub checked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    pub smarthost: Option<Smarthost>,
    /// Hosts of single domains, before the smarthost and the MX.
    pub routes: Vec<DomainRoute>,
    /// A resolver to ask instead of the system's.
    pub dns_server: Option<SocketAddr>,
    /// Port to deliver to; 25 except in tests.
    pub port: u16,
    /// Connect to addresses of this machine only; other mail waits (the demo).
    pub loopback_only: bool,
    /// Addresses of ours to connect from: the first of each family. Empty: as the system has it.
    pub source_addresses: Vec<IpAddr>,
    /// Transfers at the same time.
    pub transfers_max: usize,
    /// PEM file of authorities trusted beside the system's.
    pub extra_authorities: Option<PathBuf>,
    pub retry_first: Duration,
    pub retry_max: Duration,
    /// After this time a message goes back to its sender (RFC 5321 §4.5.4.1).
    pub expires_after: Duration,
    /// After this time the sender is told of the delay.
    pub delay_notice_after: Duration,
}

impl QueueConfig {
    pub fn route_of(&self, domain: &str) -> Option<&DomainRoute> {
        let mut routes = self.routes.iter();
        routes.find(|route| route.domain.eq_ignore_ascii_case(domain))
    }

    /// The host that is checked, and that we log in to: that of the domain, else the smarthost.
    pub fn smarthost_of(&self, domain: &str) -> Option<&Smarthost> {
        match self.route_of(domain) {
            Some(route) => Some(&route.to).filter(|_| route.checked),
            None => self.smarthost.as_ref(),
        }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        QueueConfig {
            smarthost: None,
            routes: Vec::new(),
            dns_server: None,
            port: 25,
            loopback_only: false,
            source_addresses: Vec::new(),
            transfers_max: 100,
            extra_authorities: None,
            retry_first: Duration::from_secs(5 * 60),
            retry_max: Duration::from_secs(4 * 3600),
            expires_after: Duration::from_secs(5 * 24 * 3600),
            delay_notice_after: Duration::from_secs(4 * 3600),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Config {
    /// Our name in greetings, Received and DSNs; should resolve to us.
    pub hostname: String,
    pub listeners: Vec<Listen>,
    /// The first answers where no name fits. Empty: no TLS at all (only for tests).
    pub certificates: Vec<CertificateFiles>,
    /// PLAIN, LOGIN, USER/PASS from loopback without TLS.
    pub allow_insecure_plaintext: bool,
    /// "en" or "fr", for people whose language is not known.
    pub language: String,
    pub message_bytes_max: u64,
    pub limits: Limits,
    pub queue: QueueConfig,
    /// Where the command line talks to the running server.
    pub admin_socket: Option<PathBuf>,
    /// How long `stop` waits for sessions to finish what they are doing.
    pub stop_wait: Duration,
    /// Relays and proxies of our own: nobody there is counted, delayed or shut out.
    pub trusted_networks: Vec<Network>,
    /// Zones of lists that warn of addresses (RFC 5782).
    pub dns_lists: Vec<String>,
    /// Programs that are told of each message on its way in.
    pub milters: Vec<ListenAddress>,
    /// Where rspamd's worker listens.
    pub rspamd: Option<SocketAddr>,
    /// Domains that ask for reports of their mail (DMARC) and of TLS get them.
    pub send_reports: bool,
    /// A stranger on port 25 waits so long for the greeting; zero: not at all (tests).
    pub greeting_delay: Duration,
    /// Who errs over and over waits so much longer each time; zero: not at all (tests).
    pub tarpit_delay: Duration,
}

impl Config {
    /// The defaults for a host name, with no listener.
    pub fn new(hostname: &str) -> Self {
        Config {
            hostname: hostname.to_owned(),
            listeners: Vec::new(),
            certificates: Vec::new(),
            allow_insecure_plaintext: false,
            language: "en".to_owned(),
            message_bytes_max: 100 << 20,
            limits: Limits::default(),
            queue: QueueConfig::default(),
            admin_socket: None,
            stop_wait: Duration::from_secs(10),
            trusted_networks: Vec::new(),
            dns_lists: Vec::new(),
            milters: Vec::new(),
            rspamd: None,
            send_reports: false,
            greeting_delay: limits::GREETING_DELAY,
            tarpit_delay: limits::TARPIT_DELAY,
        }
    }
}
