//! The one-pass, push-based scanner.

use crate::Facts;

/// Takes a message's bytes in any chunks. Keeps no body text.
#[derive(Debug, Default)]
pub struct Scanner {
    size: u64,
}

impl Scanner {
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes, any number of them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len() as u64);
    }

    /// There is no more.
    pub fn finish(self) -> Facts {
        Facts {
            size: self.size,
            ..Facts::default()
        }
    }
}
