//! Search criteria that are stored under a name, RFC 5466.

use facteur_imap::command::{SearchKey, search_criteria};
use facteur_imap::limits::SEARCH_KEYS_MAX;
use facteur_imap::response::Code;
use facteur_imap::{Reply, text};

use super::User;
use super::error::Failure;
use super::link::Link;
use crate::drive::Stream;

/// Filters inside filters (RFC 5466 §3.1: at least three); it also ends every loop.
const DEPTH_MAX: usize = 8;
/// Filters named by one search, those inside others too.
const FILTERS_MAX: usize = 64;

/// The keys with every filter in its place.
pub(super) fn expand<S: Stream>(
    link: &Link<S>,
    user: &User,
    keys: Vec<SearchKey>,
) -> Result<Vec<SearchKey>, Failure> {
    if !keys.iter().any(SearchKey::names_filter) {
        return Ok(keys);
    }
    let mut filters = Filters {
        entries: user.door.metadata(link.store())?,
        left: FILTERS_MAX,
        keys_left: SEARCH_KEYS_MAX,
    };
    keys.into_iter().map(|key| filters.put(key, 0)).collect()
}

struct Filters {
    entries: Vec<(String, Vec<u8>)>,
    left: usize,
    keys_left: usize,
}

impl Filters {
    fn put(&mut self, key: SearchKey, depth: usize) -> Result<SearchKey, Failure> {
        Ok(match key {
            SearchKey::Filter(name) => {
                let undefined = || {
                    let code = Code::UndefinedFilter(name.clone());
                    Failure::from(Reply::no(text::UNDEFINED_FILTER).with(code))
                };
                self.left = self.left.checked_sub(1).ok_or_else(undefined)?;
                let keys = self
                    .stored(&name)
                    .filter(|_| depth < DEPTH_MAX)
                    .ok_or_else(undefined)?;
                SearchKey::And(self.put_all(keys, depth + 1)?)
            }
            SearchKey::And(keys) => SearchKey::And(self.put_all(keys, depth)?),
            SearchKey::Or(left, right) => SearchKey::Or(
                Box::new(self.put(*left, depth)?),
                Box::new(self.put(*right, depth)?),
            ),
            SearchKey::Not(key) => SearchKey::Not(Box::new(self.put(*key, depth)?)),
            SearchKey::Fuzzy(key) => SearchKey::Fuzzy(Box::new(self.put(*key, depth)?)),
            key => {
                // All together are as much work as a search of as many keys.
                let left = self.keys_left.checked_sub(1);
                self.keys_left = left.ok_or_else(|| {
                    Failure::from(Reply::bad(text::BAD_TOO_MUCH).with(Code::Limit))
                })?;
                key
            }
        })
    }

    fn put_all(&mut self, keys: Vec<SearchKey>, depth: usize) -> Result<Vec<SearchKey>, Failure> {
        keys.into_iter().map(|key| self.put(key, depth)).collect()
    }

    /// RFC 5466 §3.2: one's own goes before everybody's.
    fn stored(&self, name: &str) -> Option<Vec<SearchKey>> {
        let value = ["/private", "/shared"].iter().find_map(|root| {
            let entry = format!("{root}/filters/values/{name}");
            let found = self.entries.iter().find(|(other, _)| *other == entry);
            found.map(|(_, value)| value)
        })?;
        search_criteria(std::str::from_utf8(value).ok()?)
    }
}
