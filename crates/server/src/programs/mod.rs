//! Programs that send mail: who they are and whose name they may use.
//!
//! A process of this machine is known by its user, which the kernel tells, and others by a token; what
//! they may send as is said by the administrator, else it is a user's own name and nothing more
//! ([decision 70](../../../../docs/decisions/0070-programs.md),
//! [71](../../../../docs/decisions/0071-programs-over-https.md)). What a program sends goes the way of
//! everybody's mail: the same checks, limits and queue.

mod hooks;
pub(crate) mod later;
pub(crate) mod submit;
pub(crate) mod token;
mod user;

use std::time::Duration;

use facteur_smtp::Address;
use facteur_store::{Error, Program, Store};

use crate::rates::{Kind, Over, Rates};
use crate::smtp::directory;

pub(crate) use hooks::connect;
pub use hooks::{Place, is_public, run, signature};
pub use submit::{Refused, Tracking, submit};
pub use user::{LocalUser, is_local_user};
pub(crate) use user::{is_responsible, uid_of};

/// What one program may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mandate {
    /// In the log, in Received, and where its mail is counted.
    pub name: String,
    /// What it sends as when it has no other idea.
    pub default: Option<String>,
    /// For Received: how the mail came.
    pub protocol: &'static str,
    names: Vec<Names>,
}

/// Addresses that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    /// Every address of our domains.
    All,
    /// This local part, in every domain of ours.
    Local(String),
    Address(String),
    Domain(String),
}

impl Mandate {
    /// Root and the user that the server runs as answer for the machine: they may use every address
    /// of our domains. Others have their own name, and what was given to them.
    pub fn of_user(store: &Store, hostname: &str, user: &LocalUser) -> Result<Mandate, Error> {
        let mut names = match user.is_responsible() {
            true => vec![Names::All],
            false => vec![Names::Local(user.login.to_lowercase())],
        };
        let mut default = None;
        for program in store.programs()? {
            if program.user.as_ref() == Some(&user.login) {
                default = default.or_else(|| default_of(&program, &user.login));
                names.extend(program.from.iter().map(|from| named(from)));
            }
        }
        if default.is_none() {
            let domain = home(store, hostname)?;
            default = domain.map(|domain| format!("{}@{domain}", user.login));
        }
        Ok(Mandate {
            name: user.login.clone(),
            default,
            protocol: "ESMTP",
            names,
        })
    }

    /// What a token stands for.
    pub fn of_program(program: &Program) -> Mandate {
        Mandate {
            name: program.name.clone(),
            default: default_of(program, &program.name),
            protocol: "HTTP",
            names: program.from.iter().map(|from| named(from)).collect(),
        }
    }

    /// Details after "+" included, as for people; never an address that is not ours.
    pub fn may_send_as(&self, store: &Store, sender: &Address) -> Result<bool, Error> {
        let Some((local, domain)) = directory::key(sender) else {
            return Ok(false);
        };
        if store.domain(&domain)?.is_none() {
            return Ok(false);
        }
        let bare = local
            .split_once('+')
            .map_or(local.as_str(), |(user, _)| user);
        Ok(self.names.iter().any(|names| match names {
            Names::All => true,
            Names::Local(own) => *own == local || own == bare,
            Names::Domain(own) => *own == domain,
            Names::Address(own) => {
                let is = |local: &str| *own == format!("{local}@{domain}");
                is(&local) || is(bare)
            }
        }))
    }
}

/// One more recipient of a program: as many as of a person.
pub(crate) fn count(rates: &Rates, program: &str, now: Duration) -> Result<(), Over> {
    let key = format!("program {program}");
    rates.take(Kind::Submitted, &key, now)?;
    rates.take(Kind::SubmittedADay, &key, now)
}

fn named(from: &str) -> Names {
    match from.strip_prefix('@') {
        Some(domain) => Names::Domain(domain.to_owned()),
        None => Names::Address(from.to_owned()),
    }
}

/// The first address of its list; of a whole domain the one with the program's own name.
fn default_of(program: &Program, name: &str) -> Option<String> {
    let first = program.from.first()?;
    Some(match first.starts_with('@') {
        true => format!("{name}{first}"),
        false => first.clone(),
    })
}

/// The domain that names without one belong to: the one that our host name is or lies in, else the
/// oldest of ours.
fn home(store: &Store, hostname: &str) -> Result<Option<String>, Error> {
    let hostname = hostname.to_lowercase();
    let mut domains = store.domains()?;
    domains.sort_by_key(|domain| domain.created.0);
    let around = |name: &str| hostname == name || hostname.ends_with(&format!(".{name}"));
    let found = domains.iter().find(|domain| around(&domain.name));
    let found = found.or(domains.first());
    Ok(found.map(|domain| domain.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_store::{Options, Timestamp};
    use std::sync::Arc;

    async fn store() -> Store {
        let disk = Arc::new(facteur_sim::SimDisk::new(1));
        let options = Options {
            reserved_bytes: 0,
            ..Options::default()
        };
        let clock = Arc::new(facteur_sim::VirtualClock::new(1));
        let (store, _) = Store::open(disk, clock.clone(), options).unwrap();
        for domain in ["old.test", "example.test", "shop.test"] {
            store.create_domain(domain).await.unwrap();
            clock.advance(std::time::Duration::from_secs(1));
        }
        let program = Program {
            name: "shop".into(),
            from: vec!["orders@example.test".into(), "@shop.test".into()],
            user: Some("www-data".into()),
            token: None,
            hook: None,
            created: Timestamp(0),
        };
        store.add_program(program.clone()).await.unwrap();
        assert!(matches!(
            store.add_program(program).await,
            Err(Error::Exists)
        ));
        store
    }

    fn user(uid: u32, login: &str) -> LocalUser {
        LocalUser {
            uid,
            login: login.into(),
        }
    }

    #[tokio::test]
    async fn whose_names_a_user_may_use() {
        let store = store().await;
        let mandate = |uid, login: &str| {
            Mandate::of_user(&store, "mail.example.test", &user(uid, login)).unwrap()
        };
        let (root, shop) = (mandate(0, "root"), mandate(4_000_000_033, "www-data"));
        let cron = mandate(4_000_000_005, "games");
        assert_eq!(root.default.as_deref(), Some("root@example.test"));
        assert_eq!(shop.default.as_deref(), Some("orders@example.test"));
        assert_eq!(cron.default.as_deref(), Some("games@example.test"));
        for (address, by_root, by_shop, by_cron) in [
            ("games@example.test", true, false, true),
            ("Games+x@old.test", true, false, true),
            ("gamester@example.test", true, false, false),
            ("www-data@old.test", true, true, false),
            ("orders@example.test", true, true, false),
            ("orders+42@EXAMPLE.test", true, true, false),
            ("alice@example.test", true, false, false),
            ("anybody@shop.test", true, true, false),
            ("root@elsewhere.example", false, false, false),
            ("games@elsewhere.example", false, false, false),
            ("games@[192.0.2.1]", false, false, false),
        ] {
            let address = Address::parse(address).unwrap();
            let may = |mandate: &Mandate| mandate.may_send_as(&store, &address).unwrap();
            let all = (may(&root), may(&shop), may(&cron));
            assert_eq!(all, (by_root, by_shop, by_cron), "{address}");
        }
        assert!(store.remove_program("shop").await.unwrap());
        assert!(!store.remove_program("shop").await.unwrap());
        let shop = mandate(4_000_000_033, "www-data");
        assert_eq!(shop.default.as_deref(), Some("www-data@example.test"));
    }

    #[tokio::test]
    async fn without_a_name_of_ours_the_oldest_domain_counts() {
        let store = store().await;
        let of = |hostname| home(&store, hostname).unwrap();
        assert_eq!(of("mail.SHOP.test").as_deref(), Some("shop.test"));
        assert_eq!(of("shop.test").as_deref(), Some("shop.test"));
        assert_eq!(of("mailshop.test").as_deref(), Some("old.test"));
    }

    #[test]
    fn a_program_sends_as_much_as_a_person() {
        let (rates, now) = (Rates::default(), Duration::from_secs(1));
        for _ in 0..1_000 {
            count(&rates, "shop", now).unwrap();
        }
        assert!(count(&rates, "shop", now).is_err());
        assert!(count(&rates, "other", now).is_ok());
    }
}
