//! Connections that wait for the next message to the same host.
//!
//! Bounded in number, in age and in messages (Postfix and Exim do likewise); a connection is only
//! used again for what demands the same of it: [`Security`] is part of the key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::dialogue::Dialogue;
use super::limits;
use super::route::Hop;

#[derive(Debug, Default)]
pub struct Pool(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    by_hop: HashMap<Hop, Vec<(Duration, Dialogue)>>,
    count: usize,
    closed: bool,
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that waited least; the others are the first to end.
    pub fn take(&self, hop: &Hop, now: Duration) -> Option<Dialogue> {
        let mut idle = self.idle();
        let waiting = idle.by_hop.get_mut(hop)?;
        let (since, dialogue) = waiting.pop()?;
        if waiting.is_empty() {
            idle.by_hop.remove(hop);
        }
        idle.count -= 1;
        (now.saturating_sub(since) < limits::IDLE_CONNECTION).then_some(dialogue)
    }

    /// Gives it back when there is no place for it: it is to end.
    pub fn give(&self, hop: Hop, dialogue: Dialogue, now: Duration) -> Option<Dialogue> {
        let mut idle = self.idle();
        if idle.closed
            || idle.count >= limits::IDLE_CONNECTIONS_MAX
            || dialogue.messages() >= limits::MESSAGES_OF_A_CONNECTION_MAX
            || now.saturating_sub(dialogue.since()) >= limits::CONNECTION_AGE_MAX
        {
            return Some(dialogue);
        }
        idle.count += 1;
        idle.by_hop.entry(hop).or_default().push((now, dialogue));
        None
    }

    /// Those that waited too long.
    pub fn sweep(&self, now: Duration) -> Vec<Dialogue> {
        let mut idle = self.idle();
        let mut old = Vec::new();
        for waiting in idle.by_hop.values_mut() {
            let is_old = |(since, _): &mut (Duration, Dialogue)| {
                now.saturating_sub(*since) >= limits::IDLE_CONNECTION
            };
            old.extend(waiting.extract_if(.., is_old).map(|(_, dialogue)| dialogue));
        }
        idle.by_hop.retain(|_, waiting| !waiting.is_empty());
        idle.count -= old.len();
        old
    }

    pub fn is_empty(&self) -> bool {
        self.idle().count == 0
    }

    /// All of them; no more are taken.
    pub fn close(&self) -> Vec<Dialogue> {
        let mut idle = self.idle();
        idle.closed = true;
        idle.count = 0;
        let waiting = std::mem::take(&mut idle.by_hop).into_values().flatten();
        waiting.map(|(_, dialogue)| dialogue).collect()
    }
}
