//! Many clients with random commands on the same mailboxes (RFC 9051, RFC 7162 and the extensions),
//! in this process: `facteur_sim::stress` says what is checked.
//!
//! `STRESS_SEED=7 STRESS_STEPS=20000 cargo test -p facteur-server --test stress` runs one seed for
//! longer; a failure names its seed. `STRESS_SEEDS=50` runs so many, from `STRESS_SEED` on.

#[expect(dead_code, reason = "shared with the transcripts")]
mod world;

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use facteur_server::tls::TlsFacts;
use facteur_server::{Context, Peer, PeerAddress, Role};
use facteur_sim::stress::{BoxStream, Login, Net, Pending, Run};
use facteur_sim::transcript::World as _;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;
use world::World;

const SEEDS: u64 = 3;
const STEPS: u64 = 600;
const CLIENTS: u64 = 6;
const PIPE_BYTES: usize = 4 << 20;

struct Inside {
    ctx: Mutex<Arc<Context>>,
    running: Mutex<Vec<JoinHandle<()>>>,
    /// Connections whose client is there.
    clients: Arc<AtomicU64>,
    interruptions: AtomicU64,
}

impl Inside {
    fn ctx(&self) -> Arc<Context> {
        Arc::clone(&self.ctx.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn serve(&self, role: Role) -> BoxStream {
        let ctx = self.ctx();
        let address = match role {
            Role::Lmtp => PeerAddress::Unix,
            _ => PeerAddress::Tcp(([192, 0, 2, 1], 40_000).into()),
        };
        let mut peer = Peer::new(ctx.next_session(), role, address);
        peer.tls = role.is_implicit_tls().then(|| {
            Arc::new(TlsFacts {
                version: "TLSv1.3",
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                end_point: None,
                exporter: None,
            })
        });
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        let session: JoinHandle<()> = match role {
            Role::Lmtp => tokio::spawn(async move {
                facteur_server::smtp::serve(server, peer, ctx).await;
            }),
            _ => tokio::spawn(async move {
                facteur_server::imap::serve(server, peer, ctx).await;
            }),
        };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|session| !session.is_finished());
        running.push(session);
        self.clients.fetch_add(1, Ordering::Relaxed);
        Box::new(Counted {
            stream: client,
            clients: Arc::clone(&self.clients),
        })
    }

    fn sessions(&self) -> u64 {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().filter(|s| !s.is_finished()).count() as u64
    }
}

impl Net for Inside {
    fn imap(&self) -> Pending<'_, io::Result<BoxStream>> {
        Box::pin(async { Ok(self.serve(Role::Imaps)) })
    }

    fn mail(&self) -> Pending<'_, io::Result<(BoxStream, bool)>> {
        Box::pin(async { Ok((self.serve(Role::Lmtp), true)) })
    }

    fn interruptions(&self) -> u64 {
        self.interruptions.load(Ordering::Relaxed)
    }

    /// Sessions whose clients left have ended.
    fn settle(&self) -> Pending<'_, ()> {
        Box::pin(async {
            while self.sessions() > self.clients.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
        })
    }
}

/// The client's end, counted while it is open.
struct Counted {
    stream: DuplexStream,
    clients: Arc<AtomicU64>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(task, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
    value.map_or(default, |value| value.parse().unwrap())
}

/// One seed, with `cuts` of the power in the middle.
async fn run(seed: u64, clients: usize, steps: u64, cuts: u64) -> Result<(), String> {
    let world = World::new("").await;
    let net = Arc::new(Inside {
        ctx: Mutex::new(world.context()),
        running: Mutex::default(),
        clients: Arc::default(),
        interruptions: AtomicU64::new(0),
    });
    let login = Login {
        address: format!("alice@{}", world::DOMAIN),
        password: "wonderland-1865".to_owned(),
    };
    let mut run = Run::new(seed, clients, Arc::<Inside>::clone(&net), vec![login]);
    run.prepare().await?;
    for step in 1..=steps {
        if cuts > 0 && step % (steps / (cuts + 1)).max(1) == 0 {
            net.interruptions.fetch_add(1, Ordering::Relaxed);
            world.act("power cut").await?;
            *net.ctx.lock().unwrap_or_else(PoisonError::into_inner) = world.context();
        }
        run.step().await?;
    }
    run.finish().await?;
    world.stop().await;
    Ok(())
}

fn seeds(cuts: u64) {
    let first = number("STRESS_SEED", 1);
    let (count, steps) = (number("STRESS_SEEDS", SEEDS), number("STRESS_STEPS", STEPS));
    let clients = number("STRESS_CLIENTS", CLIENTS);
    for seed in first..first + count {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let outcome = runtime.block_on(run(seed, clients as usize, steps, cuts));
        if let Err(fault) = outcome {
            panic!("{fault}");
        }
    }
}

#[test]
fn random_commands() {
    seeds(0);
}

#[test]
fn random_commands_and_power_cuts() {
    seeds(3);
}
