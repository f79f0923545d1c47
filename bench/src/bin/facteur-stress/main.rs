//! Many clients with random commands on shared mailboxes of a running server, over TLS, each
//! checking every response; what is checked is in `facteur_sim::stress`.
//!
//! `facteur-stress [--minutes N] [--clients N] [--seed N] [--kill SECONDS] [--facteur PROGRAM]`
//! starts Facteur's demonstration on a directory of its own, and kills it with SIGKILL that often.
//!
//! `facteur-stress --imap HOST:PORT --smtp HOST:PORT --ca FILE --login ADDRESS:PASSWORD… [--pid N]`
//! uses a server that runs, with accounts that are empty.
//!
//! Every round of a minute ends with everybody comparing what they know with what there is.

mod live;
mod server;

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use facteur_sim::stress::{Client, Login, Net, Run};

use live::Live;
use server::Server;

const ROUND: Duration = Duration::from_secs(60);
const REPORT: Duration = Duration::from_secs(10);

struct Options {
    time: Duration,
    clients: usize,
    seed: u64,
    kill: Option<Duration>,
    facteur: std::path::PathBuf,
    imap: Option<String>,
    smtp: Option<String>,
    ca: Option<String>,
    logins: Vec<Login>,
    pid: Option<u32>,
}

fn options() -> Result<Options> {
    let mut options = Options {
        time: Duration::from_secs(600),
        clients: 20,
        seed: std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish()
            >> 32,
        kill: None,
        facteur: std::env::current_exe()?.with_file_name("facteur"),
        imap: None,
        smtp: None,
        ca: None,
        logins: Vec::new(),
        pid: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().context("an option lacks its value");
        match argument.as_str() {
            "--minutes" => options.time = Duration::from_secs(value()?.parse::<u64>()? * 60),
            "--clients" => options.clients = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--kill" => options.kill = Some(Duration::from_secs(value()?.parse()?)),
            "--facteur" => options.facteur = value()?.into(),
            "--imap" => options.imap = Some(value()?),
            "--smtp" => options.smtp = Some(value()?),
            "--ca" => options.ca = Some(value()?),
            "--pid" => options.pid = Some(value()?.parse()?),
            "--login" => {
                let value = value()?;
                let (address, password) = value.split_once(':').context("ADDRESS:PASSWORD")?;
                options.logins.push(Login {
                    address: address.to_owned(),
                    password: password.to_owned(),
                });
            }
            other => bail!("unknown option {other}; see the head of its main.rs"),
        }
    }
    Ok(options)
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = options()?;
    let (server, net, logins) = match &options.imap {
        None => {
            let server = Server::start(&options.facteur)?;
            let net = Live::new(server.imaps(), server.smtp(), server.ca())?;
            let logins = server.logins()?;
            (Some(server), net, logins)
        }
        Some(imap) => {
            let smtp = options.smtp.clone().context("--smtp is wanted")?;
            let ca = options.ca.as_deref().context("--ca is wanted")?;
            let net = Live::new(imap.clone(), smtp, ca)?;
            (None, net, options.logins.clone())
        }
    };
    if logins.is_empty() {
        bail!("no --login");
    }
    print(&format!(
        "seed {}, {} clients on {} accounts",
        options.seed,
        options.clients,
        logins.len()
    ));
    drive(&options, server, Arc::new(net), logins).await
}

async fn drive(
    options: &Options,
    mut server: Option<Server>,
    net: Arc<Live>,
    logins: Vec<Login>,
) -> Result<()> {
    let shared: Arc<dyn Net> = Arc::<Live>::clone(&net);
    let mut run = Run::new(options.seed, options.clients, shared, logins);
    run.prepare().await.map_err(anyhow::Error::msg)?;
    let (start, done) = (now(), Arc::new(AtomicU64::new(0)));
    let mut killed = start;
    while now() - start < options.time {
        let end = (now() + ROUND).min(start + options.time);
        let clients = std::mem::take(&mut run.clients);
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|client| tokio::spawn(work(client, end, Arc::clone(&done))))
            .collect();
        while now() < end && tasks.iter().all(|task| !task.is_finished()) {
            tokio::time::sleep(REPORT.min(end.saturating_sub(now()))).await;
            let pid = server.as_ref().map(Server::pid).or(options.pid);
            report(now() - start, &done, pid);
            let due = options.kill.is_some_and(|every| now() - killed >= every);
            if let (true, Some(server)) = (due, server.as_mut()) {
                killed = now();
                print("SIGKILL");
                net.interrupt();
                server.kill_and_start()?;
                net.interrupt();
            }
        }
        for task in tasks {
            let client = task.await?.map_err(anyhow::Error::msg)?;
            run.clients.push(client);
        }
        run.finish().await.map_err(anyhow::Error::msg)?;
    }
    print("no fault found");
    Ok(())
}

/// One client, as fast as it can.
async fn work(mut client: Client, end: Duration, done: Arc<AtomicU64>) -> Result<Client, String> {
    while now() < end {
        client.step(false).await?;
        done.fetch_add(1, Ordering::Relaxed);
        if client
            .session
            .as_ref()
            .is_some_and(|session| session.is_idle())
        {
            let wait = client.random.below(200);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }
    Ok(client)
}

fn report(time: Duration, done: &AtomicU64, pid: Option<u32>) {
    let memory = pid.and_then(server::resident_kib);
    let memory = memory.map_or(String::new(), |kib| format!(", {} MiB", kib / 1024));
    print(&format!(
        "{} s: {} steps{memory}",
        time.as_secs(),
        done.load(Ordering::Relaxed)
    ));
}

#[expect(clippy::disallowed_methods, reason = "a load runs in real time")]
fn now() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[expect(clippy::print_stdout, reason = "a command-line program")]
fn print(line: &str) {
    println!("{line}");
}
