//! Whom a stranger could pretend to be: our domains and the names of our people, read from the
//! store now and then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use facteur_message::{Facts, encoded_word, facts};
use facteur_senders::lookalike::{self, Ours, Trick};
use facteur_store::{Error, Store};

use crate::limits;

/// The last reading and when it was.
#[derive(Debug, Default)]
pub struct People {
    read: Mutex<Option<(Duration, Arc<Ours>)>>,
}

impl People {
    fn ours(&self, store: &Store) -> Result<Arc<Ours>, Error> {
        let now = store.clock().monotonic();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, ours)) = &*read
            && now.saturating_sub(*at) < limits::PEOPLE_REMEMBERED
        {
            return Ok(Arc::clone(ours));
        }
        let domains = store.domains()?.into_iter();
        let accounts = store.accounts()?.into_iter();
        let ours = Arc::new(Ours::new(
            domains.map(|domain| idna::domain_to_unicode(&domain.name).0),
            accounts
                .filter(|account| account.removed.is_none())
                .map(|account| (account.display_name, account.address)),
        ));
        *read = Some((now, Arc::clone(&ours)));
        Ok(ours)
    }

    /// What the names and addresses in From pretend. `vouched`: somebody stands behind them.
    pub fn trick(
        &self,
        store: &Store,
        facts: &Facts,
        vouched: bool,
    ) -> Result<Option<Trick>, Error> {
        let ours = self.ours(store)?;
        for address in &facts.envelope.from {
            let facts::Address::Mailbox { name, domain, .. } = address else {
                continue;
            };
            let name = encoded_word::decode(name.as_deref().unwrap_or_default());
            let domain = String::from_utf8_lossy(domain.as_deref().unwrap_or_default());
            let domain = idna::domain_to_unicode(&domain).0;
            if let Some(trick) = lookalike::find(&name, &domain, vouched, &ours) {
                return Ok(Some(trick));
            }
        }
        Ok(None)
    }
}
