//! Debian's rspamd in a directory of its own: on loopback, without network, with its own rules and
//! its Bayes classifier on SQLite.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Its own default: from here on a header says that it is junk.
pub const ADD_HEADER_POINTS: f32 = 6.0;

/// The suffixes of names that it finds addresses by.
const SUFFIXES: &str = "/usr/share/rspamd/effective_tld_names.dat";

const STARTING: Duration = Duration::from_millis(100);
const STARTS_MAX: u32 = 3000;
const TIMEOUT: Duration = Duration::from_secs(30);

/// What asks the network or other services.
const OFF: [&str; 22] = [
    "rbl",
    "surbl",
    "asn",
    "fuzzy_check",
    "spf",
    "dkim",
    "arc",
    "dmarc",
    "mx_check",
    "url_redirector",
    "rspamd_update",
    "greylist",
    "ratelimit",
    "replies",
    "history_redis",
    "neural",
    "reputation",
    "phishing",
    "dkim_signing",
    "milter_headers",
    "bimi",
    "hfilter",
];

pub struct Rspamd {
    process: Child,
    check: SocketAddr,
    control: SocketAddr,
}

impl Rspamd {
    pub fn program() -> Option<PathBuf> {
        let place = PathBuf::from("/usr/bin/rspamd");
        place.exists().then_some(place)
    }

    pub fn start(program: &Path, home: &Path) -> Result<Rspamd> {
        for folder in ["", "conf/override.d", "conf/local.d", "db", "run", "log"] {
            let folder = home.join(folder);
            std::fs::create_dir_all(&folder)?;
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
        }
        std::fs::write(home.join("suffixes"), plain_suffixes()?)?;
        let (check, control) = (free_port()?, free_port()?);
        for (name, text) in settings(home, check, control) {
            std::fs::write(home.join("conf/override.d").join(name), text)?;
        }
        let variable = |name: &str, folder: &str| {
            format!("--var={name}={}", home.join(folder).to_string_lossy())
        };
        let process = Command::new(program)
            .args(["-f", "-i", "-u", "_rspamd", "-g", "_rspamd"])
            .args(["-c", "/etc/rspamd/rspamd.conf"])
            .arg(variable("LOCAL_CONFDIR", "conf"))
            .arg(variable("DBDIR", "db"))
            .arg(variable("RUNDIR", "run"))
            .arg(variable("LOGDIR", "log"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("rspamd does not start")?;
        let server = Rspamd {
            process,
            check,
            control,
        };
        for _ in 0..STARTS_MAX {
            if server.check(b"Subject: x\r\n\r\nx\r\n").is_ok() {
                return Ok(server);
            }
            std::thread::sleep(STARTING);
        }
        bail!("rspamd does not answer");
    }

    pub fn learn(&self, message: &[u8], junk: bool) -> Result<()> {
        let path = if junk { "/learnspam" } else { "/learnham" };
        // A message that it knows already, or that has too few words, is refused: no failure.
        ask(self.control, path, message).map(drop)
    }

    /// Its points.
    pub fn check(&self, message: &[u8]) -> Result<f32> {
        let answer = ask(self.check, "/checkv2", message)?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let points = answer.get("score").and_then(|score| score.as_f64());
        Ok(points.context("rspamd gives no score")? as f32)
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        // It ends its workers when it is told to, not when it is killed.
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// Those of one label: all of them are compiled for minutes, and the others change no points here.
fn plain_suffixes() -> Result<String> {
    let all = std::fs::read_to_string(SUFFIXES).context(SUFFIXES)?;
    let lines = all.lines();
    Ok(lines
        .filter(|line| !line.starts_with("//") && !line.contains('.'))
        .fold(String::new(), |text, line| text + line + "\n"))
}

fn settings(home: &Path, check: SocketAddr, control: SocketAddr) -> Vec<(String, String)> {
    let db = home.join("db");
    let db = db.to_string_lossy();
    let suffixes = home.join("suffixes");
    let suffixes = suffixes.to_string_lossy();
    let off = OFF.map(|name| (format!("{name}.conf"), "enabled = false;\n".to_owned()));
    let own = [
        (
            "options.inc",
            // Its regular expressions find the same without being compiled for minutes.
            format!(
                "disable_hyperscan = true;\nurl_tld = \"{suffixes}\";\n\
                 dns {{ nameserver = [\"127.0.0.1:1:1\"]; timeout = 0.1s; retransmits = 1; }}\n"
            ),
        ),
        ("worker-proxy.inc", "enabled = false;\n".into()),
        ("worker-fuzzy.inc", "enabled = false;\n".into()),
        (
            "worker-normal.inc",
            format!("bind_socket = \"{check}\"; count = 1;\n"),
        ),
        (
            "worker-controller.inc",
            format!("bind_socket = \"{control}\"; count = 1; secure_ip = [\"127.0.0.1\"];\n"),
        ),
        (
            "statistic.conf",
            format!(
                "classifier \"bayes\" {{ tokenizer {{ name = \"osb\"; }}\n\
                 cache {{ type = \"sqlite3\"; path = \"{db}/cache.sqlite\"; }}\n\
                 min_tokens = 11; min_learns = 200; backend = \"sqlite3\";\n\
                 statfile {{ symbol = \"BAYES_HAM\"; path = \"{db}/ham.sqlite\"; spam = false; }}\n\
                 statfile {{ symbol = \"BAYES_SPAM\"; path = \"{db}/spam.sqlite\"; spam = true; }} }}\n"
            ),
        ),
    ];
    let own = own.map(|(name, text): (&str, String)| (name.to_owned(), text));
    off.into_iter().chain(own).collect()
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// One request, one connection; gives the answer's body.
fn ask(address: SocketAddr, path: &str, body: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    Ok(body.to_owned())
}
