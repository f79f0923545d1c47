//! Listeners: bind, accept, limit, hand to a driver. A session that panics ends alone.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::{Id, JoinError, JoinSet};

use crate::config::{ListenAddress, Role};
use crate::context::{Context, Counters, Peer, PeerAddress, SessionId};
use crate::drive::Stream;
use crate::gate::Full;
use crate::imap;
use crate::limits;
use crate::managesieve;
use crate::pop3;
use crate::programs::{self, LocalUser};
use crate::server::Bound;
use crate::smtp;
use crate::web;

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(crate) fn bind(address: &ListenAddress, role: Role) -> io::Result<(Listener, Bound)> {
        match address {
            ListenAddress::Tcp(address) => {
                let listener = bind_tcp(*address)?;
                let bound = listener.local_addr()?;
                Ok((Listener::Tcp(listener), Bound::Tcp(bound)))
            }
            ListenAddress::Unix(path) => {
                let listener = bind_unix(path, role)?;
                Ok((Listener::Unix(listener), Bound::Unix(path.clone())))
            }
        }
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, address))
            }
            Listener::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepted {
    fn address(&self) -> PeerAddress {
        match self {
            Accepted::Tcp(_, address) => PeerAddress::Tcp(*address),
            Accepted::Unix(_) => PeerAddress::Unix,
        }
    }

    /// Of a process of this machine.
    fn uid(&self) -> Option<u32> {
        match self {
            Accepted::Tcp(..) => None,
            Accepted::Unix(stream) => programs::uid_of(stream),
        }
    }

    /// A peer with the address that it went to is this machine.
    fn notice_own(&self, ctx: &Context) {
        if let Accepted::Tcp(stream, peer) = self
            && !peer.ip().is_loopback()
            && stream.local_addr().is_ok_and(|own| own.ip() == peer.ip())
        {
            ctx.strangers.note_own(peer.ip());
        }
    }

    /// A last word, if the socket takes it at once.
    fn say(&self, bytes: &[u8]) {
        let _ = match self {
            Accepted::Tcp(stream, _) => stream.try_write(bytes),
            Accepted::Unix(stream) => stream.try_write(bytes),
        };
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the old connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(limits::LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bind_unix(path: &Path, role: Role) -> io::Result<UnixListener> {
    // Everybody of this machine may come: the kernel says who it is.
    let mode = match role {
        Role::Local => 0o666,
        _ => 0o660,
    };
    if let (Role::Local, Some(directory)) = (role, path.parent()) {
        match fs::DirBuilder::new().mode(0o755).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // Only a socket that a former run left behind is removed, never another file.
    if fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Accepts until the server stops, then waits for the sessions; aborted after the configured time.
pub(crate) async fn run(listener: Listener, role: Role, ctx: Arc<Context>) {
    let mut sessions = Sessions::default();
    let mut pause = limits::ACCEPT_PAUSE_FIRST;
    loop {
        tokio::select! {
            biased;
            () = ctx.shutdown.wait() => break,
            Some(ended) = sessions.tasks.join_next_with_id() => sessions.ended(ended, &ctx),
            accepted = listener.accept() => match accepted {
                Ok(accepted) => {
                    pause = limits::ACCEPT_PAUSE_FIRST;
                    admit(accepted, role, &ctx, &mut sessions);
                }
                Err(error) => {
                    // Out of descriptors, most likely: accepting again at once would spin.
                    tracing::warn!(role = role.name(), %error, "accept failed");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(limits::ACCEPT_PAUSE_LAST);
                }
            },
        }
    }
    drop(listener);
    let finish = async {
        while let Some(ended) = sessions.tasks.join_next_with_id().await {
            sessions.ended(ended, &ctx);
        }
    };
    if tokio::time::timeout(ctx.config.stop_wait, finish)
        .await
        .is_err()
    {
        tracing::warn!(
            role = role.name(),
            sessions = sessions.tasks.len(),
            "sessions cut off by the stop"
        );
        sessions.tasks.shutdown().await;
    }
}

fn admit(accepted: Accepted, role: Role, ctx: &Arc<Context>, sessions: &mut Sessions) {
    let address = accepted.address();
    if role == Role::Local && !sessions.have_room_for(accepted.uid()) {
        refuse(Full::Address, role, address, ctx);
        return accepted.say(refusal(role));
    }
    let peer = |role, address, place| Peer {
        place,
        ..Peer::new(ctx.next_session(), role, address)
    };
    accepted.notice_own(ctx);
    if let Some(words) = shut_out(role, address, ctx) {
        return accepted.say(words);
    }
    let place = match ctx.gate.enter(address) {
        Ok(place) => place,
        Err(full) => {
            refuse(full, role, address, ctx);
            return accepted.say(refusal(role));
        }
    };
    match accepted {
        Accepted::Tcp(stream, _) => {
            // Replies are small and waited for.
            let _ = stream.set_nodelay(true);
            // A peer that vanished is found before its lock or place is missed.
            let keepalive = TcpKeepalive::new()
                .with_time(limits::KEEPALIVE)
                .with_interval(limits::KEEPALIVE_INTERVAL);
            let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
            sessions.start(stream, peer(role, address, place), ctx);
        }
        Accepted::Unix(stream) => {
            let user = match role {
                Role::Local => LocalUser::of(&stream),
                _ => None,
            };
            let peer = Peer {
                user,
                ..peer(role, address, place)
            };
            sessions.start(stream, peer, ctx);
        }
    }
}

/// What an address that is shut out hears in place of the greeting; `None`: it is not.
pub fn shut_out(role: Role, address: PeerAddress, ctx: &Context) -> Option<&'static [u8]> {
    let ban = ctx.strangers.ban_of(address)?;
    Counters::add(&ctx.counters.refused_connections);
    tracing::info!(
        role = role.name(),
        peer = %address,
        reason = "shut out",
        why = ban.reason.name(),
        "connection refused"
    );
    // Mail that is refused by mistake comes again: 4xx.
    Some(match role {
        Role::Smtp | Role::Submission | Role::Lmtp | Role::Local => {
            b"421 4.7.0 Too much went wrong from this address, try again later\r\n"
        }
        Role::Imap => {
            b"* BYE [UNAVAILABLE] Too much went wrong from this address, try again later\r\n"
        }
        Role::Pop3 => b"-ERR [SYS/TEMP] Too much went wrong from this address, try again later\r\n",
        Role::Sieve => {
            b"BYE (TRYLATER) \"too much went wrong from this address, try again later\"\r\n"
        }
        Role::Submissions | Role::Imaps | Role::Pop3s | Role::Https => b"",
    })
}

fn refuse(full: Full, role: Role, address: PeerAddress, ctx: &Context) {
    Counters::add(&ctx.counters.refused_connections);
    tracing::info!(role = role.name(), peer = %address, reason = full.reason(), "connection refused");
}

/// What a peer hears when there is no place for it. Under implicit TLS nothing can be said.
fn refusal(role: Role) -> &'static [u8] {
    match role {
        Role::Smtp | Role::Submission | Role::Lmtp | Role::Local => {
            b"421 4.7.0 Too many connections, try again later\r\n"
        }
        Role::Imap => b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
        Role::Pop3 => b"-ERR [SYS/TEMP] Too many connections, try again later\r\n",
        Role::Sieve => b"BYE (TRYLATER) \"too many connections, try again later\"\r\n",
        Role::Submissions | Role::Imaps | Role::Pop3s | Role::Https => b"",
    }
}

/// The sessions of one listener.
#[derive(Default)]
struct Sessions {
    tasks: JoinSet<()>,
    names: HashMap<Id, Name>,
    /// How many of each user of this machine.
    of_users: HashMap<u32, usize>,
}

struct Name {
    session: SessionId,
    uid: Option<u32>,
}

impl Sessions {
    fn start<S: Stream>(&mut self, stream: S, peer: Peer, ctx: &Arc<Context>) {
        tracing::info!(session = %peer.session, role = peer.role.name(), peer = %peer.address, "connected");
        Counters::add(&ctx.counters.sessions);
        ctx.counters.sessions_open.fetch_add(1, Ordering::Relaxed);
        let name = Name {
            session: peer.session,
            uid: peer.user.as_ref().map(|user| user.uid),
        };
        if let Some(uid) = name.uid {
            *self.of_users.entry(uid).or_default() += 1;
        }
        let task = self.tasks.spawn(serve(stream, peer, Arc::clone(ctx)));
        self.names.insert(task.id(), name);
    }

    /// For a program of this machine: one user's can't keep out those of the others.
    fn have_room_for(&self, uid: Option<u32>) -> bool {
        let share = uid.filter(|uid| !programs::is_responsible(*uid));
        let of_user = share.and_then(|uid| self.of_users.get(&uid).copied());
        self.tasks.len() < limits::LOCAL_CONNECTIONS_MAX
            && of_user.unwrap_or_default() < limits::LOCAL_CONNECTIONS_PER_USER_MAX
    }

    fn leave(&mut self, uid: u32) {
        if let Some(count) = self.of_users.get_mut(&uid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_users.remove(&uid);
            }
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>, ctx: &Context) {
        ctx.counters.sessions_open.fetch_sub(1, Ordering::Relaxed);
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id);
        let session = name.as_ref().map_or(SessionId(0), |name| name.session);
        if let Some(uid) = name.and_then(|name| name.uid) {
            self.leave(uid);
        }
        match ended {
            Err(error) if error.is_panic() => {
                Counters::add(&ctx.counters.panics);
                tracing::error!(%session, "the session ended in a panic: a bug, please report it");
            }
            _ => tracing::info!(%session, "ended"),
        }
    }
}

/// Each driver's state is boxed alone, so that an idle session of one protocol does not take the
/// space of the largest.
async fn serve<S: Stream>(stream: S, peer: Peer, ctx: Arc<Context>) {
    match peer.role {
        Role::Smtp | Role::Submission | Role::Submissions | Role::Lmtp | Role::Local => {
            Box::pin(smtp::serve(stream, peer, ctx)).await;
        }
        Role::Imap | Role::Imaps => Box::pin(imap::serve(stream, peer, ctx)).await,
        Role::Pop3 | Role::Pop3s => Box::pin(pop3::serve(stream, peer, ctx)).await,
        Role::Sieve => Box::pin(managesieve::serve(stream, peer, ctx)).await,
        Role::Https => Box::pin(web::serve(stream, peer, ctx)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use facteur_store::{Options, Store, SystemClock};

    #[tokio::test]
    async fn a_panic_ends_its_session_alone() {
        let directory = tempfile::tempdir().unwrap();
        let disk = facteur_store::RealDisk::open(directory.path()).unwrap();
        let options = Options::default();
        let clock = Arc::new(SystemClock::new());
        let (store, _) = Store::open(disk, clock, options).unwrap();
        let ctx = Context::new(Config::new("mail.example.test"), store).unwrap();
        let mut sessions = Sessions::default();
        sessions.tasks.spawn(async { panic!("on purpose") });
        sessions.tasks.spawn(async {});
        while let Some(ended) = sessions.tasks.join_next_with_id().await {
            sessions.ended(ended, &ctx);
        }
        assert_eq!(ctx.counters.panics.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn one_user_does_not_keep_out_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let disk = facteur_store::RealDisk::open(directory.path()).unwrap();
        let clock = Arc::new(SystemClock::new());
        let (store, _) = Store::open(disk, clock, Options::default()).unwrap();
        let ctx = Context::new(Config::new("mail.example.test"), store).unwrap();
        let (one, other, own) = (4_000_000_001, 4_000_000_002, rustix::process::geteuid());
        let mut sessions = Sessions::default();
        let mut clients = Vec::new();
        for uid in [one, own.as_raw()] {
            for _ in 0..limits::LOCAL_CONNECTIONS_PER_USER_MAX {
                assert!(sessions.have_room_for(Some(uid)));
                let (client, server) = tokio::io::duplex(1024);
                let mut peer = Peer::new(ctx.next_session(), Role::Local, PeerAddress::Unix);
                let login = "somebody".to_owned();
                peer.user = Some(LocalUser { uid, login });
                sessions.start(server, peer, &ctx);
                clients.push(client);
            }
        }
        assert!(!sessions.have_room_for(Some(one)));
        assert!(sessions.have_room_for(Some(other)));
        assert!(sessions.have_room_for(Some(0)));
        assert!(sessions.have_room_for(Some(own.as_raw())));
        clients.remove(0);
        let ended = sessions.tasks.join_next_with_id().await.unwrap();
        sessions.ended(ended, &ctx);
        assert!(sessions.have_room_for(Some(one)));
        drop(clients);
        while let Some(ended) = sessions.tasks.join_next_with_id().await {
            sessions.ended(ended, &ctx);
        }
        assert!(sessions.of_users.is_empty());
    }

    /// DESIGN.md §6 allows 20 KiB for an idle connection, TLS and all: what a waiting task holds by
    /// itself must stay a small part of that.
    #[tokio::test]
    async fn a_waiting_session_is_small() {
        let directory = tempfile::tempdir().unwrap();
        let disk = facteur_store::RealDisk::open(directory.path()).unwrap();
        let clock = Arc::new(SystemClock::new());
        let (store, _) = Store::open(disk, clock, Options::default()).unwrap();
        let ctx = Context::new(Config::new("mail.example.test"), store).unwrap();
        let address = PeerAddress::Unix;
        let peer = |role| Peer::new(SessionId(1), role, address);
        let (stream, _other) = tokio::io::duplex(1);
        let smtp = smtp::serve(stream, peer(Role::Smtp), Arc::clone(&ctx));
        let (stream, _other) = tokio::io::duplex(1);
        let pop3 = pop3::serve(stream, peer(Role::Pop3), Arc::clone(&ctx));
        let (stream, _other) = tokio::io::duplex(1);
        let sieve = managesieve::serve(stream, peer(Role::Sieve), Arc::clone(&ctx));
        let (stream, _other) = tokio::io::duplex(1);
        let imap = imap::serve(stream, peer(Role::Imap), Arc::clone(&ctx));
        for (name, bytes) in [
            ("smtp", size_of_val(&smtp)),
            ("pop3", size_of_val(&pop3)),
            ("sieve", size_of_val(&sieve)),
            ("imap", size_of_val(&imap)),
        ] {
            assert!(bytes <= 8 * 1024, "{name}: {bytes} bytes");
        }
    }
}
