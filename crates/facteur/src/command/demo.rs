//! `facteur demo`: everything on the embedded store, on loopback, with two people and a few messages.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use facteur_server::{
    CertificateFiles, Config, Listen, ListenAddress, QueueConfig, Role, Running, Seams, Server,
};
use facteur_store::{Options, Store};
use serde_json::Value;
use tempfile::TempDir;

use crate::arguments::{Common, Demo};
use crate::demo::{authority, lines, people, resolver};
use crate::language::language_code;
use crate::output::{self, Failure, Outcome, Output};
use crate::place::{ADMIN_SOCKET, open_store};
use crate::process::{self, Signals, start_failure};
use crate::settings::LOCAL_SOCKET;
use crate::texts::{self, fill, t};

/// Every listener but the two that have a socket in the data directory.
const ROLES: [Role; 9] = [
    Role::Smtp,
    Role::Submission,
    Role::Submissions,
    Role::Imap,
    Role::Imaps,
    Role::Pop3,
    Role::Pop3s,
    Role::Sieve,
    Role::Https,
];

/// The directory of the demo, removed with this value unless somebody named it.
struct Directory {
    path: PathBuf,
    temporary: Option<TempDir>,
}

pub async fn run(common: &Common, demo: &Demo) -> Outcome {
    check_ports(demo.port_offset)?;
    process::log(if common.json { "info" } else { "warn" });
    let mut signals = Signals::new()?;
    let directory = directory(common.data.as_deref())?;
    let (store, _) = open_store(&directory.path, Options::default())?;
    let prepared = prepare(&store, &directory.path, demo).await;
    let (config, shown) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            // The first failure is the one to tell.
            let _ = store.close().await;
            return Err(failure);
        }
    };
    let running = match Server::start(config, store.clone(), Seams::default()).await {
        Ok(running) => running,
        Err(error) => {
            let _ = store.close().await;
            return Err(start_failure(&error));
        }
    };
    let shown = lines::Shown {
        ports: ports(&running),
        kept: directory.temporary.is_none(),
        ..shown
    };
    if common.json {
        output::line(&lines::json(&shown).to_string());
    } else {
        output::line(&lines::text(&shown));
        output::line("ready");
    }
    signals.wait(&running).await;
    process::stop(running).await?;
    drop(directory);
    // The one object was printed when it was ready.
    Ok(Output::new(Value::Null, "").silent())
}

fn check_ports(offset: u16) -> Result<(), Failure> {
    let highest = ROLES
        .map(Role::standard_port)
        .into_iter()
        .max()
        .unwrap_or(0);
    if offset.checked_add(highest).is_some() {
        return Ok(());
    }
    let most = u16::MAX - highest;
    let sentence = fill(texts::DEMO_PORT_RANGE, &[&offset, &highest, &most]);
    Err(Failure::new("bad_port", sentence))
}

fn directory(named: Option<&Path>) -> Result<Directory, Failure> {
    if let Some(path) = named {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        return Ok(Directory {
            path,
            temporary: None,
        });
    }
    let made = tempfile::Builder::new().prefix("facteur-demo-").tempdir();
    let temporary = made
        .map_err(|error| Failure::new("no_directory", t(texts::DEMO_TEMPORARY)).because(error))?;
    Ok(Directory {
        path: temporary.path().to_owned(),
        temporary: Some(temporary),
    })
}

/// People, messages, certificates, resolver: all that the server needs and all that is shown.
async fn prepare(
    store: &Store,
    data: &Path,
    demo: &Demo,
) -> Result<(Config, lines::Shown), Failure> {
    let authority = authority::ready(data, store.clock().now())?;
    let people = people::ready(store, data, !demo.empty).await?;
    let dns_server = match demo.dns {
        Some(address) => address,
        None => resolver::start().await?,
    };
    let config = config(data, demo, &authority.files, dns_server);
    let shown = lines::Shown {
        ports: Vec::new(),
        authority: authority.authority,
        data: data.to_owned(),
        kept: true,
        people,
    };
    Ok((config, shown))
}

fn config(
    data: &Path,
    demo: &Demo,
    certificate: &CertificateFiles,
    dns_server: SocketAddr,
) -> Config {
    let mut config = Config::new("mail.example.test");
    let tcp = ROLES.map(|role| {
        let port = demo.port_offset + role.standard_port();
        let address = ListenAddress::Tcp((Ipv4Addr::LOCALHOST, port).into());
        Listen { role, address }
    });
    config.listeners.extend(tcp);
    config.listeners.push(Listen {
        role: Role::Lmtp,
        address: ListenAddress::Unix(data.join("lmtp.sock")),
    });
    config.listeners.push(Listen {
        role: Role::Local,
        address: ListenAddress::Unix(data.join(LOCAL_SOCKET)),
    });
    config.certificates = vec![certificate.clone()];
    config.allow_insecure_plaintext = demo.insecure_plaintext;
    language_code().clone_into(&mut config.language);
    config.queue = QueueConfig {
        dns_server: Some(dns_server),
        port: demo.smtp_out_port.unwrap_or(25),
        loopback_only: true,
        ..QueueConfig::default()
    };
    config.admin_socket = Some(data.join(ADMIN_SOCKET));
    config.stop_wait = Duration::from_secs(5);
    config
}

fn ports(running: &Running) -> Vec<(&'static str, u16)> {
    let port = |role: Role| Some((role.name(), running.port(role)?));
    ROLES.into_iter().filter_map(port).collect()
}
