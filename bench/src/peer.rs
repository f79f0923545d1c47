//! The servers under measurement: Facteur, and Debian's Postfix with Dovecot, each in a directory of
//! its own on loopback ports.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::ClientConfig;

use crate::client::{Connection, tls_config};
use crate::{names, relay};

pub const USER: &str = "alice@example.test";
/// More people, for loads on several accounts.
pub const ACCOUNTS: usize = 8;
/// People who send: an account may write to a thousand recipients an hour.
pub const SENDERS: usize = 16;
pub const PASSWORD: &str = "quite-secret-4711";

/// One of the [`ACCOUNTS`].
pub fn address(number: usize) -> String {
    format!("person{number}@example.test")
}

/// How Dovecot keeps mail.
#[derive(Clone, Copy, PartialEq)]
pub enum Format {
    Mdbox,
    Maildir,
}

pub struct Peer {
    pub smtp: u16,
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    /// Takes mail for anywhere.
    pub relay: u16,
    pub relay_needs_login: bool,
    pub password: String,
    pub tls: Arc<ClientConfig>,
    pub start_seconds: f64,
    kind: Kind,
}

enum Kind {
    Facteur(Facteur),
    Debian(Debian),
}

struct Facteur {
    binary: PathBuf,
    directory: PathBuf,
    process: Process,
}

struct Debian {
    directory: PathBuf,
    postfix: Postfix,
    dovecot: Process,
}

impl Peer {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub fn facteur(binary: &Path, directory: &Path) -> Result<Self> {
        let offset = 31000;
        let start = Instant::now();
        let child = Command::new(binary)
            .args(["demo", "--json", "--empty", "--insecure-plaintext"])
            .args(["--port-offset", &offset.to_string()])
            .args(["--smtp-out-port", &relay::SINK_PORT.to_string()])
            .args(["--dns", &names::address().to_string()])
            .arg("--data")
            .arg(directory.join("data"))
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.join("log"))?)
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let mut process = Process::new(child)?;
        let mut line = String::new();
        BufReader::new(process.child.stdout.take().context("no output")?).read_line(&mut line)?;
        let start_seconds = start.elapsed().as_secs_f64();
        let info: serde_json::Value = serde_json::from_str(&line)
            .with_context(|| fs::read_to_string(directory.join("log")).unwrap_or_default())?;
        let account = info["accounts"]
            .as_array()
            .and_then(|all| all.iter().find(|account| account["address"] == USER))
            .context("no account")?;
        if !directory.join("people").exists() {
            for number in 0..SENDERS.max(ACCOUNTS) {
                add_account(binary, directory, &address(number))?;
            }
            fs::write(directory.join("people"), "made")?;
        }
        Ok(Peer {
            smtp: offset + 25,
            imap: offset + 143,
            imaps: offset + 993,
            pop3: offset + 110,
            relay: offset + 587,
            relay_needs_login: true,
            password: account["password"]
                .as_str()
                .context("no password")?
                .to_owned(),
            tls: tls_config(info["ca"].as_str().context("no ca")?)?,
            start_seconds,
            kind: Kind::Facteur(Facteur {
                binary: binary.to_owned(),
                directory: directory.to_owned(),
                process,
            }),
        })
    }

    /// `fill`: without flushes, to make a large mailbox quickly.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub fn debian(directory: &Path, format: Format, fill: bool) -> Result<Self> {
        let ports = Ports {
            smtp: 32025,
            imap: 32143,
            imaps: 32993,
            pop3: 32110,
        };
        let password = PASSWORD;
        let first = !directory.join("cert.pem").exists();
        if first {
            debian_layout(directory, password)?;
        }
        fs::write(
            directory.join("dovecot.conf"),
            dovecot_configuration(directory, &ports, format, fill),
        )?;
        postfix_configuration(directory, &ports)?;
        let start = Instant::now();
        // Postfix makes the directory that Dovecot's LMTP socket lies in.
        let postfix = Postfix::start(directory)?;
        let dovecot = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(directory.join("dovecot.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("dovecot")?;
        let dovecot = Process::new(dovecot)?;
        for port in [ports.smtp, ports.imap, ports.imaps, ports.pop3] {
            wait_for_port(port)?;
        }
        Ok(Peer {
            smtp: ports.smtp,
            imap: ports.imap,
            imaps: ports.imaps,
            pop3: ports.pop3,
            relay: ports.smtp,
            relay_needs_login: false,
            password: password.to_owned(),
            tls: tls_config(&directory.join("cert.pem").to_string_lossy())?,
            start_seconds: start.elapsed().as_secs_f64(),
            kind: Kind::Debian(Debian {
                directory: directory.to_owned(),
                postfix,
                dovecot,
            }),
        })
    }

    /// Process ids whose trees are the server.
    pub fn roots(&self) -> Result<Vec<u32>> {
        match &self.kind {
            Kind::Facteur(facteur) => Ok(vec![facteur.process.child.id()]),
            Kind::Debian(debian) => {
                let pid = fs::read_to_string(debian.directory.join("spool/pid/master.pid"))?;
                Ok(vec![debian.dovecot.child.id(), pid.trim().parse()?])
            }
        }
    }

    pub fn imap(&self) -> Result<Connection> {
        let mut connection = Connection::open(self.imap, None)?;
        connection.imap_login(USER, &self.password)?;
        Ok(connection)
    }

    /// One of the [`ACCOUNTS`].
    pub fn imap_of(&self, number: usize) -> Result<Connection> {
        let mut connection = Connection::open(self.imap, None)?;
        connection.imap_login(&address(number), PASSWORD)?;
        Ok(connection)
    }

    /// How many connections are many: a process each is another matter.
    pub fn many_connections(&self) -> usize {
        match self.kind {
            Kind::Facteur(_) => 10_000,
            Kind::Debian(_) => 1_000,
        }
    }

    /// Debian's Postfix asks nobody about a sender.
    pub fn checks_senders(&self) -> bool {
        matches!(self.kind, Kind::Facteur(_))
    }

    /// Whom mail for elsewhere is addressed to: Facteur has limits on what a person writes and none on
    /// what this machine hands to an alias; Postfix takes it as it is.
    pub fn alias(&self, name: &str, targets: &[String]) -> Result<Vec<String>> {
        let Kind::Facteur(facteur) = &self.kind else {
            return Ok(targets.to_vec());
        };
        let address = format!("{name}@example.test");
        let mut command = Command::new(&facteur.binary);
        command
            .args(["alias", "add", "--confirmed", &address])
            .args(targets);
        command.arg("--data").arg(facteur.directory.join("data"));
        let done = command.stdout(Stdio::null()).status()?;
        ensure!(done.success(), "{address} can't be made");
        Ok(vec![address])
    }

    pub fn stop(mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Facteur(facteur) => facteur.process.stop(),
            Kind::Debian(debian) => {
                debian.postfix.stop();
                debian.dovecot.stop()
            }
        }
    }
}

fn add_account(binary: &Path, directory: &Path, address: &str) -> Result<()> {
    let mut command = Command::new(binary);
    command.args(["account", "add", address, "--password-stdin", "--data"]);
    command.arg(directory.join("data"));
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = pipes.spawn()?;
    let mut input = child.stdin.take().context("no input")?;
    input.write_all(format!("{PASSWORD}\n").as_bytes())?;
    drop(input);
    ensure!(child.wait()?.success(), "{address} can't be made");
    Ok(())
}

/// A server that runs as our child; it does not outlive this value.
struct Process {
    child: Child,
    _guard: Guard,
}

impl Process {
    fn new(child: Child) -> Result<Self> {
        let guard = Guard::new(&format!("kill {}", child.id()))?;
        Ok(Process {
            child,
            _guard: guard,
        })
    }

    fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            terminate(self.child.id())?;
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// Postfix goes to the background by itself; it is stopped by its own command.
struct Postfix {
    configuration: PathBuf,
    running: bool,
    _guard: Guard,
}

impl Postfix {
    fn start(directory: &Path) -> Result<Self> {
        let configuration = directory.join("postfix");
        let stop = format!("postfix -c '{}' stop", configuration.display());
        let postfix = Postfix {
            _guard: Guard::new(&stop)?,
            configuration,
            running: true,
        };
        let started = postfix.command("start")?;
        ensure!(
            started.status.success(),
            "postfix: {}",
            String::from_utf8_lossy(&started.stderr)
        );
        Ok(postfix)
    }

    fn command(&self, what: &str) -> Result<Output> {
        let mut command = Command::new("postfix");
        command.arg("-c").arg(&self.configuration).arg(what);
        command.output().context("postfix")
    }

    fn stop(&mut self) {
        if std::mem::take(&mut self.running) {
            let _ = self.command("stop");
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A shell that cleans up when this process is killed: it waits for a line on its input, and does
/// what it was told when the input ends without one.
pub struct Guard(Child);

impl Guard {
    pub fn new(clean_up: &str) -> Result<Self> {
        let shell = Command::new("sh")
            .arg("-c")
            .arg(format!("read -r line || {{ {clean_up}; }}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is not for it.
            .process_group(0)
            .spawn()?;
        Ok(Guard(shell))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = self.0.wait();
    }
}

fn terminate(pid: u32) -> Result<()> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .context("no such process")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    Ok(())
}

struct Ports {
    smtp: u16,
    imap: u16,
    imaps: u16,
    pop3: u16,
}

fn wait_for_port(port: u16) -> Result<()> {
    for _ in 0..3000 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    bail!("nothing listens on port {port}")
}

fn debian_layout(directory: &Path, password: &str) -> Result<()> {
    for name in ["run", "mail", "spool", "lib", "postfix"] {
        fs::create_dir_all(directory.join(name))?;
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
    run(Command::new("chown")
        .args(["-R", "nobody:nogroup"])
        .arg(directory.join("mail")))?;
    run(Command::new("chown")
        .arg("postfix")
        .arg(directory.join("lib")))?;
    run(Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(directory.join("key.pem"))
        .arg("-out")
        .arg(directory.join("cert.pem")))?;
    // In the clear: Dovecot's cache of logins keeps the hash, and would compute it for every one,
    // while Facteur remembers for ten minutes that a password was right.
    let people = (0..ACCOUNTS).map(address);
    let people = people.chain([USER.to_owned()]);
    let lines: String = people
        .map(|user| format!("{user}:{{PLAIN}}{password}\n"))
        .collect();
    fs::write(directory.join("passwd"), lines)?;
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn dovecot_configuration(directory: &Path, ports: &Ports, format: Format, fill: bool) -> String {
    let at = directory.display();
    let location = match format {
        Format::Mdbox => "mdbox",
        Format::Maildir => "maildir",
    };
    let fsync = if fill { "never" } else { "optimized" };
    format!(
        "base_dir = {at}/run\nlog_path = {at}/dovecot.log\nprotocols = imap pop3 lmtp\nlisten = 127.0.0.1\n\
         ssl = yes\nssl_cert = <{at}/cert.pem\nssl_key = <{at}/key.pem\ndisable_plaintext_auth = no\n\
         mail_location = {location}:{at}/mail/%u\nmail_uid = nobody\nmail_gid = nogroup\nfirst_valid_uid = 1\n\
         first_valid_gid = 1\nmail_fsync = {fsync}\nmdbox_rotate_size = 64M\nauth_cache_size = 1M\n\
         default_internal_user = dovecot\ndefault_login_user = dovenull\n\
         mail_max_userip_connections = 0\ndefault_client_limit = 20000\ndefault_process_limit = 4000\n\
         passdb {{\n driver = passwd-file\n args = {at}/passwd\n}}\n\
         userdb {{\n driver = static\n args = uid=nobody gid=nogroup home={at}/mail/%u\n}}\n\
         service imap-login {{\n inet_listener imap {{\n  port = {}\n }}\n inet_listener imaps {{\n  port = {}\n  ssl = yes\n }}\n}}\n\
         service pop3-login {{\n inet_listener pop3 {{\n  port = {}\n }}\n inet_listener pop3s {{\n  port = 0\n }}\n}}\n\
         service lmtp {{\n unix_listener {at}/spool/private/dovecot-lmtp {{\n  mode = 0666\n }}\n}}\n\
         service imap {{\n process_limit = 4000\n}}\nservice stats {{\n unix_listener stats-writer {{\n  mode = 0666\n }}\n}}\n",
        ports.imap, ports.imaps, ports.pop3
    )
}

fn postfix_configuration(directory: &Path, ports: &Ports) -> Result<()> {
    let at = directory.display();
    fs::write(
        directory.join("postfix/main.cf"),
        format!(
            "compatibility_level = 3.6\nqueue_directory = {at}/spool\ndata_directory = {at}/lib\n\
             myhostname = mx.example.test\nmydestination =\nmynetworks = 127.0.0.0/8\n\
             inet_interfaces = 127.0.0.1\n\
             transport_maps = texthash:{at}/postfix/transport\ninet_protocols = ipv4\nvirtual_mailbox_domains = example.test\n\
             virtual_transport = lmtp:unix:private/dovecot-lmtp\nvirtual_mailbox_maps = static:all\n\
             alias_maps =\nalias_database =\nlocal_recipient_maps =\nsmtp_dns_support_level = disabled\n\
             maillog_file = {at}/postfix.log\nmaillog_file_prefixes = {at}\n\
             smtpd_client_connection_count_limit = 0\nlmtp_connection_cache_on_demand = yes\n"
        ),
    )?;
    // The same names as the sink's name server has, without asking it.
    let lines: String = (0..1000)
        .map(|number| {
            let host = relay::destination(number);
            format!("d{number}.relay.test smtp:[{host}]:{}\n", relay::SINK_PORT)
        })
        .collect();
    let mute = format!("mute.relay.test smtp:[127.9.255.1]:{}\n", relay::SINK_PORT);
    fs::write(directory.join("postfix/transport"), lines + &mute)?;
    let services = format!(
        "127.0.0.1:{} inet n - n - 200 smtpd\ncleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
         verify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\n\
         error unix - - n - - error\nretry unix - - n - - error\nlmtp unix - - n - - lmtp\n\
         smtp unix - - n - - smtp\nanvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\npostlog unix-dgram n - n - 1 postlogd\n",
        ports.smtp
    );
    fs::write(directory.join("postfix/master.cf"), services)?;
    Ok(())
}
