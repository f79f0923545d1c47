//! May this session go on? Its account may be disabled, removed or erased, and its password changed,
//! while it is open: then it ends, at once.
//!
//! The store says when an account's record changed; only then is the record read again. Nothing is
//! polled.

use facteur_store::{Account, AccountId, AccountWatcher, Credentials, Error, Store};

use super::Identity;

/// Stands for the credentials that a login was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp([u8; 16]);

impl Stamp {
    pub(super) fn of(credentials: &Credentials) -> Self {
        let mut hasher = blake3::Hasher::new();
        // A PHC string holds no NUL, and the keys have one length: the parts can't be confused.
        hasher.update(credentials.argon2.as_bytes());
        hasher.update(b"\0");
        if let Some(scram) = &credentials.scram_sha256 {
            hasher.update(&scram.stored_key);
            hasher.update(&scram.server_key);
            hasher.update(&scram.iterations.to_be_bytes());
            hasher.update(&scram.salt);
        }
        let mut stamp = [0; 16];
        hasher.finalize_xof().fill(&mut stamp);
        Stamp(stamp)
    }
}

/// Why a session that is logged in must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Disabled, removed or erased.
    AccountClosed,
    PasswordChanged,
}

impl Ended {
    /// For the log.
    pub fn reason(self) -> &'static str {
        match self {
            Ended::AccountClosed => "the account was closed",
            Ended::PasswordChanged => "the password was changed",
        }
    }
}

/// One session's hold on its account.
#[derive(Debug)]
pub struct Access {
    store: Store,
    account: AccountId,
    stamp: Stamp,
    watcher: AccountWatcher,
    /// The record may have changed since it was last read.
    unread: bool,
    ended: Option<Ended>,
}

impl Access {
    pub fn new(store: &Store, identity: &Identity) -> Self {
        Access {
            store: store.clone(),
            account: identity.account,
            stamp: identity.stamp,
            watcher: store.watch_account(identity.account),
            // It may have changed between the login's look at it and the watcher's first.
            unread: true,
            ended: None,
        }
    }

    /// Reads the account's record if it changed; once ended, always ended.
    pub fn ended(&mut self) -> Option<Ended> {
        self.unread |= self.watcher.has_changed();
        if self.unread && self.ended.is_none() {
            match self.store.account(self.account) {
                Ok(account) => {
                    self.unread = false;
                    self.ended = judge(account.as_ref(), self.stamp);
                }
                Err(Error::Closed) => {}
                // Asked again with the next command.
                Err(error) => tracing::error!(%error, "the account can't be read"),
            }
        }
        self.ended
    }

    /// Returns when the session must end.
    pub async fn end(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            }
            self.watcher.changed().await;
            self.unread = true;
        }
    }
}

fn judge(account: Option<&Account>, stamp: Stamp) -> Option<Ended> {
    match account {
        Some(account) if !account.disabled && account.removed.is_none() => {
            (Stamp::of(&account.credentials) != stamp).then_some(Ended::PasswordChanged)
        }
        _ => Some(Ended::AccountClosed),
    }
}
