//! Places for messages that come as JSON: few are in memory at once, and a program that sends its own
//! slowly stands in nobody's way but its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::limits::BODIES_AT_ONCE_MAX;

#[derive(Debug)]
pub struct Bodies {
    places: Semaphore,
    /// Programs with a body on its way, or more that wait for it.
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Default for Bodies {
    fn default() -> Self {
        Bodies {
            places: Semaphore::new(BODIES_AT_ONCE_MAX),
            turns: Mutex::default(),
        }
    }
}

impl Bodies {
    /// To be held while a body is read: one of each program at a time. Before a place is taken.
    pub(super) async fn turn(&self, program: &str) -> Option<OwnedSemaphorePermit> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            let new = || Arc::new(Semaphore::new(1));
            Arc::clone(turns.entry(program.to_owned()).or_insert_with(new))
        };
        turn.acquire_owned().await.ok()
    }

    /// To be held while a message is in memory.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }
}
