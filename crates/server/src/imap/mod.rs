//! IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051): one connection's driver and its handlers.
//!
//! The session (`facteur_imap`) parses and prints; a handler resolves what was meant, makes one
//! store call and gives back the outcome; [`sync`] then tells the client all that is new, its own
//! change and everybody else's, from the change log. There is no other path for news.
//!
//! Invariants: a handler never writes protocol text; a mailbox is only reached through the [`door`]; what a FETCH announced is sent to the last byte or the connection ends; an idle
//! connection holds no buffer.

mod acl;
mod append;
mod auth;
mod batches;
pub mod catalog;
mod compress;
mod content;
mod contexts;
mod copy;
mod door;
mod error;
mod expunge;
mod fetch;
mod filters;
mod find;
mod fuzzy;
mod header;
mod id;
mod limits;
mod link;
mod list;
mod mailbox;
mod matching;
pub(crate) mod metadata;
mod multi_search;
mod notify;
pub(crate) mod object_id;
mod order;
pub(crate) mod quirks;
mod quota;
mod search;
mod select;
mod selected;
mod status;
mod store;
mod sync;
mod text_search;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use facteur_imap::{CloseReason, Outcome, Reply, Request, Step, text};
use facteur_store::ModSeq;

use crate::auth::Exchange;
use crate::context::{Context, Peer};
use crate::drive::{ReadEnd, Stream, Wait, Wire};
use append::Appending;
use door::{Door, Source, any_past};
use error::Failure;
use link::Link;
use notify::Watching;
use selected::Selected;
use sync::Own;

/// Serves one connection to its end.
pub async fn serve<S: Stream>(stream: S, peer: Peer, ctx: Arc<Context>) {
    let id = peer.session;
    let wire = match Wire::open(stream, peer, ctx).await {
        Ok(wire) => wire,
        Err(error) => {
            tracing::info!(session = %id, %error, "the TLS handshake failed");
            return;
        }
    };
    let mut connection = Connection::new(wire);
    if let Err(error) = connection.run().await {
        tracing::info!(session = %id, %error, "connection lost");
    }
}

/// What a handler gives: how the command ended, and what of the news is this client's own doing.
struct Answer {
    outcome: Outcome,
    own: Own,
}

impl<T: Into<Outcome>> From<T> for Answer {
    fn from(outcome: T) -> Self {
        Answer {
            outcome: outcome.into(),
            own: Own::default(),
        }
    }
}

type Handled = Result<Answer, Failure>;

fn done(text: facteur_imap::text::Text) -> Handled {
    Ok(Reply::ok(text).into())
}

/// Somebody who logged in.
struct User {
    door: Door,
    /// News of the user's own account.
    source: Source,
    selected: Option<Selected>,
    append: Option<Appending>,
    /// NOTIFY was used.
    notify: Option<Watching>,
}

impl User {
    /// Where news to tell now would come from, and the modseq after which there are some; none: it
    /// is not waited for any.
    fn awaits(&mut self, session: &facteur_imap::Session) -> Vec<(&mut Source, ModSeq)> {
        let mut sources = Vec::new();
        if !session.is_listening() {
            return sources;
        }
        let selected = self.selected.as_mut();
        let selected = selected.map(|selected| (&mut selected.source, selected.modseq));
        let Some(watching) = &mut self.notify else {
            sources.extend(selected);
            return sources;
        };
        let hears_selected = watching.selected.is_some();
        let own = (&mut self.source, watching.modseq);
        // One's own account has one source, in whichever mailbox one is.
        sources.extend(selected.filter(|(source, _)| hears_selected && !source.is_same(own.0)));
        sources.push(own);
        sources.extend(
            watching
                .others
                .iter_mut()
                .map(|other| (&mut other.source, other.modseq)),
        );
        sources
    }
}

impl User {
    /// The session lets commands of the selected state through only then.
    fn selected(&mut self) -> Result<&mut Selected, Failure> {
        self.selected.as_mut().ok_or(Failure::Fault)
    }
}

enum Who {
    Nobody(Option<Exchange>),
    User(Box<User>),
}

impl Who {
    fn user(&mut self) -> Option<&mut User> {
        match self {
            Who::Nobody(_) => None,
            Who::User(user) => Some(user),
        }
    }
}

struct Connection<S> {
    link: Link<S>,
    who: Who,
    /// On the monotonic clock.
    started: Duration,
    heard: Duration,
}

enum Event {
    Read(ReadEnd),
    News,
    StoreClosed,
}

impl<S: Stream> Connection<S> {
    fn new(wire: Wire<S>) -> Self {
        let now = wire.context().clock.monotonic();
        Connection {
            link: Link::new(wire),
            who: Who::Nobody(None),
            started: now,
            heard: now,
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        loop {
            let step = self.link.session.step();
            if let Some(deviation) = self.link.session.take_deviation() {
                quirks::deviated(&mut self.link, deviation);
            }
            match step {
                Step::Read => {
                    self.link.flush().await?;
                    if !self.wait().await? {
                        self.link.wire.close().await;
                        return Ok(());
                    }
                }
                // Boxed: the state of the largest handler is not part of an idle connection.
                Step::Run(request) => Box::pin(self.handle(request)).await?,
                Step::Body(range) => {
                    if let Some(user) = self.who.user() {
                        Box::pin(append::take(&mut self.link, user, range)).await;
                    }
                }
                Step::StartTls => {
                    self.link.flush().await?;
                    self.link.wire.start_tls().await?;
                    self.link.session.tls_started();
                }
                Step::Compress => {
                    self.link.flush().await?;
                    self.link.compress();
                }
                Step::Close => {
                    self.link.flush().await?;
                    self.link.wire.close().await;
                    let reason = self.link.session.close_reason();
                    tracing::info!(session = %self.link.id(), ?reason, "closed");
                    self.note_breach(reason);
                    return Ok(());
                }
            }
        }
    }

    /// A session that ended for what no mail program does.
    fn note_breach(&self, reason: Option<CloseReason>) {
        let breach = matches!(
            reason,
            Some(CloseReason::BadCommands | CloseReason::BytesAfterStartTls | CloseReason::Http)
        );
        if breach {
            self.link.wire.note_breach();
        }
    }

    /// Waits for input, in IDLE and after NOTIFY for news too. False: the peer is gone.
    async fn wait(&mut self) -> io::Result<bool> {
        if self.link.inflate() {
            return Ok(true);
        }
        let (wait, timeout) = self.patience();
        let awaited = match self.who.user() {
            Some(user) => user.awaits(&self.link.session),
            None => Vec::new(),
        };
        let event = match awaited.is_empty() {
            false => {
                let (wire, mut receive) = self.link.receive();
                tokio::select! {
                    biased;
                    end = wire.read(wait, timeout, |bytes| receive(bytes)) => Event::Read(end?),
                    news = any_past(awaited) => match news {
                        Ok(_) => Event::News,
                        Err(_) => Event::StoreClosed,
                    },
                }
            }
            true => {
                let (wire, mut receive) = self.link.receive();
                Event::Read(wire.read(wait, timeout, |bytes| receive(bytes)).await?)
            }
        };
        match event {
            Event::Read(ReadEnd::Bytes(_)) => self.heard = self.link.ctx().clock.monotonic(),
            Event::Read(ReadEnd::End) => return Ok(false),
            Event::Read(ReadEnd::Timeout) => self.link.session.bye(text::BYE_TIMEOUT),
            Event::Read(ReadEnd::Shutdown) | Event::StoreClosed => {
                self.link.session.bye(text::BYE_SHUTDOWN);
            }
            Event::Read(ReadEnd::Ended(ended)) => self.link.session.bye(error::farewell(ended)),
            Event::News => Box::pin(self.news()).await?,
        }
        Ok(true)
    }

    fn patience(&mut self) -> (Wait, Duration) {
        let now = self.link.ctx().clock.monotonic();
        match &self.who {
            Who::Nobody(_) => {
                let since = now.saturating_sub(self.started);
                let left = crate::limits::BEFORE_LOGIN.saturating_sub(since);
                (Wait::Idle, left)
            }
            Who::User(user) if user.append.is_some() => (Wait::Busy, limits::LITERAL_STALL),
            // News in IDLE come and go, the client's silence counts on.
            Who::User(_) => {
                let since = now.saturating_sub(self.heard);
                (Wait::Idle, limits::INACTIVITY.saturating_sub(since))
            }
        }
    }

    /// Tells what is new in IDLE and after NOTIFY.
    async fn news(&mut self) -> io::Result<()> {
        let Some(user) = self.who.user() else {
            return Ok(());
        };
        let may = auth::check_account(&mut self.link);
        let may = may.and_then(|()| select::check_rights(&mut self.link, user));
        let told = match may {
            Ok(()) => tell(&mut self.link, user, &Own::default()).await,
            Err(failure) => Err(failure),
        };
        match told {
            Ok(()) => Ok(()),
            Err(failure) => {
                let text = match failure.outcome(self.link.id())? {
                    Outcome::Bye(text) => text,
                    _ => text::BYE_FAULT,
                };
                self.link.session.bye(text);
                Ok(())
            }
        }
    }

    /// One request: the handler, the news, the tagged response.
    async fn handle(&mut self, request: Request) -> io::Result<()> {
        let leaves = request == Request::Unauthenticate;
        let handled = dispatch(&mut self.link, &mut self.who, request).await;
        let id = self.link.id();
        let (mut outcome, own) = match handled {
            Ok(answer) => (answer.outcome, answer.own),
            Err(failure) => (failure.outcome(id)?, Own::default()),
        };
        let tells = matches!(
            outcome,
            Outcome::Done(_) | Outcome::SelectedReadOnly(_) | Outcome::Idling
        );
        if let (true, Some(user)) = (tells, self.who.user())
            && let Err(failure) = tell(&mut self.link, user, &own).await
        {
            outcome = failure.outcome(id)?;
        }
        self.link.session.finish(outcome);
        if leaves {
            // The next user has the time that every user has.
            self.started = self.link.ctx().clock.monotonic();
            self.link.flush().await?;
            self.link.uncompress();
        }
        if self.link.session.output_full() {
            self.link.flush().await?;
        }
        Ok(())
    }
}

/// All that is new for a user: in the selected mailbox, then elsewhere.
async fn tell<S: Stream>(link: &mut Link<S>, user: &mut User, own: &Own) -> Result<(), Failure> {
    sync::sync(link, user, own).await?;
    sync::tell_behind(link, user);
    notify::tell(link, user).await
}

async fn dispatch<S: Stream>(link: &mut Link<S>, who: &mut Who, request: Request) -> Handled {
    match request {
        Request::Login(login) => auth::login(link, who, login).await,
        Request::Auth(start) => auth::start(link, who, start).await,
        Request::AuthResponse(response) => auth::response(link, who, response).await,
        Request::Id(fields) => id::id(link, fields),
        Request::Unauthenticate => auth::leave(link, who),
        request => match who.user() {
            Some(user) => {
                auth::check_account(link)?;
                select::check_rights(link, user)?;
                command(link, user, request).await
            }
            None => Err(Failure::Fault),
        },
    }
}

/// The commands that need a login.
async fn command<S: Stream>(link: &mut Link<S>, user: &mut User, request: Request) -> Handled {
    match request {
        Request::Login(_)
        | Request::Auth(_)
        | Request::AuthResponse(_)
        | Request::Id(_)
        | Request::Unauthenticate => Err(Failure::Fault),
        Request::Noop => done(text::NOOP_DONE),
        Request::Check => done(text::CHECK_DONE),
        Request::Enabled { condstore } => select::enabled(link, user, condstore),
        Request::Select(request) => select::select(link, user, request).await,
        Request::Create(request) => mailbox::create(link, user, request).await,
        Request::Delete(name) => mailbox::delete(link, user, name).await,
        Request::Rename(request) => mailbox::rename(link, user, request).await,
        Request::Subscribe(name) => mailbox::subscribe(link, user, name, true).await,
        Request::Unsubscribe(name) => mailbox::subscribe(link, user, name, false).await,
        Request::List(request) => list::list(link, user, request).await,
        Request::Lsub(request) => list::lsub(link, user, request).await,
        Request::Namespace => list::namespace(link),
        Request::Status(request) => status::status(link, user, request),
        Request::AppendBegin(request) => append::begin(link, user, request).await,
        Request::AppendUrl(url) => append::url(link, user, &url).await,
        Request::AppendEnd => append::end(link, user).await,
        Request::AppendAbort => append::abort(user),
        Request::GetQuota(root) => quota::quota(link, user, &root),
        Request::GetQuotaRoot(name) => quota::quota_root(link, user, &name),
        Request::SetQuota(request) => quota::set(link, user, request).await,
        Request::SetAcl(request) => acl::set(link, user, request).await,
        Request::DeleteAcl(request) => acl::delete(link, user, request).await,
        Request::GetAcl(name) => acl::get(link, user, &name),
        Request::ListRights(request) => acl::list_rights(link, user, &request),
        Request::MyRights(name) => acl::my_rights(link, user, &name),
        Request::Notify(request) => notify::notify(link, user, request).await,
        Request::GetMetadata(request) => metadata::get(link, user, request).await,
        Request::SetMetadata(request) => metadata::set(link, user, request).await,
        Request::Idle => Ok(Outcome::Idling.into()),
        Request::IdleDone => done(text::IDLE_DONE),
        Request::Close => expunge::close(link, user).await,
        Request::Unselect => {
            user.selected = None;
            done(text::UNSELECT_DONE)
        }
        Request::Expunge { uids } => expunge::expunge(link, user, uids).await,
        Request::Search(request) => search::search(link, user, request).await,
        Request::Thread(request) => search::thread(link, user, request).await,
        Request::Batches(request) => batches::batches(link, user, request),
        Request::SaveInCharset => search::save_in_charset(user),
        Request::CancelUpdate(tags) => contexts::cancel(user, &tags),
        Request::Fetch(request) => fetch::fetch(link, user, request).await,
        Request::Store(request) => store::store(link, user, request).await,
        Request::Copy(request) => copy::copy(link, user, request).await,
        Request::Move(request) => copy::move_messages(link, user, request).await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::DuplexStream;

    use super::serve;
    use crate::context::{Context, Peer};

    fn size_of_future<F>(_: impl FnOnce(DuplexStream, Peer, Arc<Context>) -> F) -> usize {
        size_of::<F>()
    }

    /// What waits in IDLE is this and the session's heap; handlers are boxed while they run.
    #[test]
    fn a_connection_is_small() {
        let size = size_of_future(serve::<DuplexStream>);
        assert!(size < 3 * 1024, "{size}");
    }
}
