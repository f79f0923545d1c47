//! Entries of one message that owe reports are settled one after the other, and who waits for that may
//! be told of by who is first: else two that end at the same moment would each hold its own lease, and
//! each write a report.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use facteur_store::{QueueGroup, QueueId};

use super::limits::SETTLED_MAX;

/// Shared by all attempts.
#[derive(Debug, Default)]
pub struct Reports {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Leased entries that have nothing but a report to give, and wait for their turn.
    offered: Mutex<HashSet<QueueId>>,
    /// By the first entry of a message: all before this one are tried to their end, and none is ever
    /// tried again. So each is looked at about once, however many there are.
    settled: Mutex<HashMap<QueueId, QueueId>>,
}

/// The turn; the entry is no longer offered.
#[derive(Debug)]
pub struct Turn {
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

impl Reports {
    /// Waits for the turn. `alone`: the entry has nothing but its report to give, and meanwhile somebody
    /// else may give it; `None`: somebody did, and ended its lease.
    pub async fn turn(&self, id: QueueId, alone: bool) -> Option<Turn> {
        let offer = alone.then(|| Offer::new(self, id));
        let turn = Turn {
            _turn: Arc::clone(&self.turn).lock_owned().await,
        };
        match offer {
            Some(offer) if !offer.stands() => None,
            _ => Some(turn),
        }
    }

    /// Another entry of the message than `id` is still to be tried. `find`: the first that is, from that
    /// one on.
    pub fn others_open<E>(
        &self,
        group: QueueGroup,
        id: QueueId,
        find: impl Fn(QueueId) -> Result<Option<QueueId>, E>,
    ) -> Result<bool, E> {
        let from = self.settled().get(&group.first).copied();
        let open = find(from.unwrap_or(group.first))?;
        let mut settled = self.settled();
        if settled.len() >= SETTLED_MAX {
            settled.clear();
        }
        match open {
            Some(open) => settled.insert(group.first, open),
            None => settled.insert(group.first, QueueId(u64::MAX)),
        };
        drop(settled);
        match open {
            Some(open) if open == id => Ok(find(QueueId(id.0.saturating_add(1)))?.is_some()),
            open => Ok(open.is_some()),
        }
    }

    fn settled(&self) -> MutexGuard<'_, HashMap<QueueId, QueueId>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By who has the turn.
    pub fn is_offered(&self, id: QueueId) -> bool {
        self.offered().contains(&id)
    }

    /// By who has the turn: its report is given, and its lease has ended.
    pub fn given(&self, id: QueueId) {
        self.offered().remove(&id);
    }

    fn offered(&self) -> MutexGuard<'_, HashSet<QueueId>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Taken back when its task ends, however it does.
struct Offer<'a> {
    reports: &'a Reports,
    id: QueueId,
}

impl Offer<'_> {
    fn new(reports: &Reports, id: QueueId) -> Offer<'_> {
        reports.offered().insert(id);
        Offer { reports, id }
    }

    fn stands(&self) -> bool {
        self.reports.is_offered(self.id)
    }
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        self.reports.given(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::convert::Infallible;

    use super::*;

    /// Entries end in any order, and few are looked at for that.
    #[test]
    fn each_entry_is_looked_at_about_once() {
        const COUNT: u64 = 1_000;
        let group = QueueGroup {
            first: QueueId(5),
            count: COUNT as u32,
        };
        for order in [1, 7, 999] {
            let (open, looked) = (RefCell::new(vec![true; COUNT as usize]), Cell::new(0));
            let reports = Reports::default();
            let find = |from: QueueId| {
                let open = open.borrow();
                let mut rest = open.iter().enumerate().skip((from.0 - 5) as usize);
                let found = rest.find(|(_, open)| {
                    looked.set(looked.get() + 1);
                    **open
                });
                Ok::<_, Infallible>(found.map(|(at, _)| QueueId(5 + at as u64)))
            };
            for step in 0..COUNT {
                let at = step * order % COUNT;
                let id = QueueId(5 + at);
                assert_eq!(reports.others_open(group, id, find), Ok(step + 1 < COUNT));
                open.borrow_mut()[at as usize] = false;
            }
            assert!(looked.get() < 4 * COUNT, "{order}: {}", looked.get());
        }
    }

    #[tokio::test]
    async fn who_waits_may_be_told_of_by_who_is_first() {
        let reports = Arc::new(Reports::default());
        let (one, two, three) = (QueueId(1), QueueId(2), QueueId(3));
        let turn = reports.turn(one, true).await.expect("nobody has it");
        assert!(!reports.is_offered(one));
        let waiting = [two, three].map(|id| {
            let reports = Arc::clone(&reports);
            tokio::spawn(async move { reports.turn(id, true).await.is_some() })
        });
        while !(reports.is_offered(two) && reports.is_offered(three)) {
            tokio::task::yield_now().await;
        }
        reports.given(two);
        drop(turn);
        let [two, three] = waiting;
        assert!(!two.await.expect("no panic"), "it is told of");
        assert!(three.await.expect("no panic"), "it has the turn");
        assert!(!reports.is_offered(QueueId(3)));
        // Who was just tried has more to tell than its report.
        let turn = reports.turn(one, false).await;
        assert!(turn.is_some() && !reports.is_offered(one));
    }
}
