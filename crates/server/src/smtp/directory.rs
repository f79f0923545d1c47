//! Who is behind an address: our domains, accounts, aliases, catch-all, plus-addressing.
//!
//! Reads the store and decides nothing. Bounded: an alias may lead to aliases, but no deeper than
//! [`limits::ALIAS_DEPTH_MAX`] and to no more than [`limits::ALIAS_TARGETS_MAX`] addresses.

use std::collections::HashSet;

use facteur_smtp::address::{Address, Domain};
use facteur_store::{
    Account, AccountId, AddressTarget, Error, ForwardId, ForwardSource, Store, Timestamp,
};

use super::forward;
use crate::admin::normalise_domain;
use crate::consent::{self, Reply, Standing};
use crate::groups;
use crate::programs::later;
use crate::{limits, reports};

/// One place a message goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Local {
        account: AccountId,
        /// What Delivered-To says: the address that led here.
        address: String,
        /// "en" or "fr".
        language: String,
    },
    Remote {
        /// As it goes into RCPT there.
        address: String,
        /// Destination domain, A-labels, lower case.
        domain: String,
        /// It goes on there, and its owner was asked.
        forward: Option<Onward>,
    },
    /// An address of ours to which the owner of an address outside answers.
    Reply(Reply),
    /// An address of ours to which hosts report what became of a program's mail, or of mail whose
    /// sender was not proven.
    Report,
}

/// What a queue entry of mail that goes on is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onward {
    pub id: ForwardId,
    /// Until when the owner may answer, where he has not yet.
    pub until: Option<Timestamp>,
}

/// What the directory knows about a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The domain is not ours: this is where it would go.
    Elsewhere(Target),
    /// Not ours, and no name that mail can be sent to.
    NoDomain,
    /// Ours, and nobody there.
    Nobody,
    Disabled,
    /// Over quota.
    Full,
    /// An alias that leads nowhere, round in a circle, or to too many.
    BadAlias,
    /// At least one, none twice.
    Targets(Vec<Target>),
}

/// `local@domain` as the store spells it; `None` for address literals.
pub fn key(address: &Address) -> Option<(String, String)> {
    match &address.domain {
        Domain::Name(name) => {
            let domain = normalise_domain(name)?;
            Some((address.local.to_lowercase(), domain))
        }
        Domain::Literal(_) | Domain::General { .. } => None,
    }
}

/// Looks a recipient up.
pub fn find(store: &Store, recipient: &Address) -> Result<Found, Error> {
    let Some((local, domain)) = key(recipient) else {
        return Ok(elsewhere(recipient));
    };
    if store.domain(&domain)?.is_none() {
        return Ok(elsewhere(recipient));
    }
    if let Some(found) = rewritten(store, recipient)? {
        return Ok(found);
    }
    expand(store, &local, &domain, Expansion::default)
}

/// Looks a recipient up for a message of about that size (0: not known). Beside those who have room
/// the full ones are given too: the message's end finds them out, and they are told of.
pub fn find_for(store: &Store, recipient: &Address, size: u64) -> Result<Found, Error> {
    let Some((local, domain)) = key(recipient) else {
        return Ok(elsewhere(recipient));
    };
    if store.domain(&domain)?.is_none() {
        return Ok(elsewhere(recipient));
    }
    if let Some(found) = rewritten(store, recipient)? {
        return Ok(found);
    }
    expand(store, &local, &domain, || Expansion {
        size,
        with_full: true,
        ..Expansion::default()
    })
}

/// An address that we made: one under which mail of others went on from here, then who is behind it;
/// one that answers a question of ours, or drops reports. One that we did not make, or that is too old, is a name like
/// any other.
fn rewritten(store: &Store, recipient: &Address) -> Result<Option<Found>, Error> {
    let local = recipient.local.to_lowercase();
    if let Some(reply) = consent::reply_at(store, &local)? {
        return Ok(Some(Found::Targets(vec![Target::Reply(reply)])));
    }
    if let Some(from) = later::sender_at(store, &local)? {
        // Who sends for the program reads the report as well, if there is somebody.
        let found = match key(&from) {
            Some((local, domain)) => expand(store, &local, &domain, Expansion::default)?,
            None => Found::Nobody,
        };
        let mut targets = match found {
            Found::Targets(targets) => targets,
            _ => Vec::new(),
        };
        targets.push(Target::Report);
        return Ok(Some(Found::Targets(targets)));
    }
    if forward::is_unproven(store, &local)? {
        return Ok(Some(Found::Targets(vec![Target::Report])));
    }
    let Some(original) = forward::original(store, &recipient.local)? else {
        return Ok(None);
    };
    Ok(match elsewhere(&original) {
        Found::Elsewhere(target) => Some(Found::Targets(vec![target])),
        _ => None,
    })
}

/// `<Postmaster>` without a domain (RFC 5321 §4.5.1): the postmaster of any of our domains.
pub fn find_postmaster(store: &Store) -> Result<Found, Error> {
    for domain in store.domains()? {
        let found = expand(store, POSTMASTER, &domain.name, Expansion::default)?;
        if matches!(found, Found::Targets(_)) {
            return Ok(found);
        }
    }
    Ok(Found::Nobody)
}

/// The address of a domain's postmaster.
pub fn postmaster_of(domain: &str) -> String {
    format!("{POSTMASTER}@{domain}")
}

/// The postmaster of the recipient's domain.
pub fn find_responsible(store: &Store, recipient: &Address) -> Result<Found, Error> {
    match key(recipient) {
        Some((_, domain)) => expand(store, POSTMASTER, &domain, Expansion::default),
        None => Ok(Found::Nobody),
    }
}

/// May this account send as that address? Its own, those that point to it (straight or as one
/// target of an alias), details after "+" included, what its catch-all takes, and those of groups
/// that it may send for.
pub fn is_own(store: &Store, account: AccountId, sender: &Address) -> Result<bool, Error> {
    let Some((local, domain)) = key(sender) else {
        return Ok(false);
    };
    let Some(record) = store.domain(&domain)? else {
        return Ok(false);
    };
    match look_up(store, &local, &domain)? {
        Some(Entry {
            target: AddressTarget::Account(owner),
            ..
        }) => groups::may_send_as(store, account, owner),
        Some(Entry {
            target: AddressTarget::Alias(targets),
            ..
        }) => {
            for target in targets {
                if let Some(AddressTarget::Account(owner)) = store.address(&target)?
                    && groups::may_send_as(store, account, owner)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        None => Ok(record.catch_all == Some(account)),
    }
}

/// Whether mail for one of these addresses would come to `address`, straight or through aliases: an
/// alias of that name would lead back to itself. Bounded as delivery is; what is left unseen there
/// delivery refuses.
pub fn leads_to(store: &Store, targets: &[String], address: &str) -> Result<bool, Error> {
    let mut open: Vec<(String, usize)> = targets.iter().map(|to| (to.clone(), 0)).collect();
    let mut seen: HashSet<String> = HashSet::new();
    while let Some((text, depth)) = open.pop() {
        let Some((local, domain)) = Address::parse(&text).ok().as_ref().and_then(key) else {
            continue;
        };
        let whole = format!("{local}@{domain}");
        let found = store.address(&whole)?;
        let bare = local
            .split_once('+')
            .map(|(user, _)| format!("{user}@{domain}"));
        // As `look_up` does: the detail goes where nothing has the whole name.
        if whole == address || (found.is_none() && bare.as_deref() == Some(address)) {
            return Ok(true);
        }
        if depth > limits::ALIAS_DEPTH_MAX
            || seen.len() >= limits::ALIAS_TARGETS_MAX
            || !seen.insert(whole)
        {
            continue;
        }
        let found = look_up(store, &local, &domain)?.map(|entry| entry.target);
        if let Some(AddressTarget::Alias(next)) = found {
            open.extend(next.into_iter().map(|to| (to, depth + 1)));
        }
    }
    Ok(false)
}

/// RFC 5321 §4.5.1 and RFC 2142 §4, §5: a domain of ours has these, whether somebody made them or not; and
/// the one that our records name for reports.
const ALWAYS: [&str; 3] = [POSTMASTER, "abuse", reports::ADDRESS];

const POSTMASTER: &str = "postmaster";

/// An address of ours, found.
struct Entry {
    /// As it was asked for, with a detail.
    address: String,
    /// As it was made: what an owner outside agreed to.
    name: String,
    target: AddressTarget,
}

/// The entry of an address, with and then without the detail after "+" (RFC 5233).
fn look_up(store: &Store, local: &str, domain: &str) -> Result<Option<Entry>, Error> {
    let address = format!("{local}@{domain}");
    if let Some(target) = store.address(&address)? {
        let name = address.clone();
        return Ok(Some(Entry {
            address,
            name,
            target,
        }));
    }
    match local.split_once('+') {
        Some((user, _)) if !user.is_empty() => {
            let name = format!("{user}@{domain}");
            let target = store.address(&name)?;
            Ok(target.map(|target| Entry {
                address,
                name,
                target,
            }))
        }
        _ => Ok(None),
    }
}

fn elsewhere(recipient: &Address) -> Found {
    let domain = match &recipient.domain {
        Domain::Name(name) => idna::domain_to_ascii_strict(name).unwrap_or_default(),
        literal @ (Domain::Literal(_) | Domain::General { .. }) => literal.to_string(),
    };
    if domain.is_empty() {
        return Found::NoDomain;
    }
    Found::Elsewhere(Target::Remote {
        address: recipient.to_string(),
        domain,
        forward: None,
    })
}

/// Where mail for an address outside goes.
pub fn outside(address: &Address) -> Option<Target> {
    match elsewhere(address) {
        Found::Elsewhere(target) => Some(target),
        _ => None,
    }
}

/// Follows a name of ours; one of [`ALWAYS`] that leads to nobody goes to whoever is responsible.
fn expand(
    store: &Store,
    local: &str,
    domain: &str,
    begin: impl Fn() -> Expansion,
) -> Result<Found, Error> {
    let found = begin().start(store, local, domain)?;
    let taken = matches!(found, Found::Targets(_) | Found::Full);
    if taken || !ALWAYS.contains(&local) {
        return Ok(found);
    }
    let mut domains = vec![domain.to_owned()];
    domains.extend(store.domains()?.into_iter().map(|record| record.name));
    for domain in domains {
        for name in [local, POSTMASTER] {
            if look_up(store, name, &domain)?.is_none() {
                continue;
            }
            match begin().start(store, name, &domain)? {
                // Reports are read here, and nobody elsewhere asked for them.
                Found::Targets(mut targets) if local == reports::ADDRESS && name != local => {
                    targets.retain(|target| matches!(target, Target::Local { .. }));
                    if !targets.is_empty() {
                        return Ok(Found::Targets(targets));
                    }
                }
                found @ Found::Targets(_) => return Ok(found),
                _ => {}
            }
        }
    }
    // Nobody was named: the oldest account.
    let usable = |account: &Account| !account.disabled && account.removed.is_none();
    let accounts = store.accounts()?.into_iter().filter(usable);
    let Some(oldest) = accounts.map(|account| account.id).min() else {
        return Ok(found);
    };
    let mut expansion = begin();
    expansion.add_account(store, oldest, format!("{local}@{domain}"))?;
    Ok(expansion.finish())
}

/// Follows aliases to their ends.
#[derive(Default)]
struct Expansion {
    /// Of the message, as announced.
    size: u64,
    targets: Vec<Target>,
    seen: Vec<String>,
    disabled: bool,
    /// Whether accounts over quota are given beside others.
    with_full: bool,
    full: Vec<Target>,
    overflow: bool,
}

impl Expansion {
    fn start(mut self, store: &Store, local: &str, domain: &str) -> Result<Found, Error> {
        match look_up(store, local, domain)? {
            Some(entry) => self.follow(store, entry, 0)?,
            None => match store.domain(domain)?.and_then(|record| record.catch_all) {
                Some(account) => self.add_account(store, account, format!("{local}@{domain}"))?,
                None => return Ok(Found::Nobody),
            },
        }
        Ok(self.finish())
    }

    fn follow(&mut self, store: &Store, entry: Entry, depth: usize) -> Result<(), Error> {
        let Entry {
            address,
            name,
            target,
        } = entry;
        if self.seen.contains(&address) {
            return Ok(());
        }
        if depth > limits::ALIAS_DEPTH_MAX || self.seen.len() >= limits::ALIAS_TARGETS_MAX {
            self.overflow = true;
            return Ok(());
        }
        self.seen.push(address.clone());
        match target {
            AddressTarget::Account(account) => self.add_account(store, account, address),
            AddressTarget::Alias(addresses) => {
                let source = ForwardSource::Alias(name);
                for next in addresses {
                    self.follow_address(store, (&source, &next), depth + 1)?;
                }
                Ok(())
            }
        }
    }

    fn follow_address(
        &mut self,
        store: &Store,
        (source, text): (&ForwardSource, &str),
        depth: usize,
    ) -> Result<(), Error> {
        let Ok(address) = Address::parse(text) else {
            return Ok(());
        };
        if let Some((local, domain)) = key(&address)
            && store.domain(&domain)?.is_some()
        {
            return match look_up(store, &local, &domain)? {
                Some(entry) => self.follow(store, entry, depth),
                None => Ok(()),
            };
        }
        let Some(Target::Remote {
            address, domain, ..
        }) = outside(&address)
        else {
            return Ok(());
        };
        let now = store.clock().now();
        let forward = consent::find(store, source, text)?;
        let standing = forward.as_ref().map(|it| consent::standing(it, now));
        let until = match standing {
            // Nobody sends on what its owner does not want.
            Some(Standing::Refused) => {
                self.disabled = true;
                return Ok(());
            }
            Some(Standing::Waits { until }) => Some(until),
            Some(Standing::Goes) | None => None,
        };
        self.add(Target::Remote {
            address,
            domain,
            forward: forward.map(|forward| Onward {
                id: forward.id,
                until,
            }),
        });
        Ok(())
    }

    fn add_account(
        &mut self,
        store: &Store,
        account: AccountId,
        address: String,
    ) -> Result<(), Error> {
        let Some(account) = store.account(account)? else {
            return Ok(());
        };
        if account.removed.is_some() {
            return Ok(());
        }
        if account.disabled {
            self.disabled = true;
            return Ok(());
        }
        let used = account.used_bytes.saturating_add(self.size.max(1));
        let full = account.quota_bytes.is_some_and(|quota| used > quota);
        let target = Target::Local {
            account: account.id,
            address,
            language: account.language,
        };
        if full {
            self.full.push(target);
        } else {
            self.add(target);
        }
        Ok(())
    }

    /// One copy for each account and each remote address.
    fn add(&mut self, target: Target) {
        let same = |have: &Target| match (have, &target) {
            (Target::Local { account: a, .. }, Target::Local { account: b, .. }) => a == b,
            // Whoever agreed once gets it, whatever stands of the other ways.
            (Target::Remote { address: a, .. }, Target::Remote { address: b, .. }) => a == b,
            (a, b) => *a == *b,
        };
        if !self.targets.iter().any(same) {
            self.targets.push(target);
        }
    }

    fn finish(mut self) -> Found {
        if self.with_full && !self.targets.is_empty() {
            for target in std::mem::take(&mut self.full) {
                self.add(target);
            }
        }
        if self.overflow {
            Found::BadAlias
        } else if !self.targets.is_empty() {
            Found::Targets(self.targets)
        } else if !self.full.is_empty() {
            Found::Full
        } else if self.disabled {
            Found::Disabled
        } else if self.seen.len() > 1 {
            Found::BadAlias
        } else {
            Found::Nobody
        }
    }
}
