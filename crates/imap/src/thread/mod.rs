//! Threading: ORDEREDSUBJECT and REFERENCES (RFC 5256 §3), REFS (draft-ietf-morg-inthread).
//!
//! Pure: facts of messages in, a forest out. Nothing here recurses, and the work for one message
//! is bounded however its references are made.

mod forest;
mod references;
mod table;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

pub use forest::{Forest, Node, NodeId};
pub use references::{references, refs};

/// What threading asks of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member<'a> {
    /// What is shown of it: its sequence number or uid.
    pub number: u32,
    /// RFC 5256 §2.2: the sent date, or the internal date; seconds since 1970. For REFS the
    /// internal date.
    pub date: i64,
    /// Hash of its Message-ID; 0: it has none.
    pub id: u64,
    /// Hashes of its ancestors' ids, the oldest first.
    pub references: &'a [u64],
    /// Hash of the base subject in the collation; 0: it is empty.
    pub subject: u64,
    /// Something of a reply or forward was taken off its subject.
    pub is_reply: bool,
}

/// RFC 5256 §3, ORDEREDSUBJECT: threads of one base subject by sent date, replies beside each
/// other under the first.
pub fn ordered_subject(members: &[Member<'_>]) -> Forest {
    let mut order: Vec<usize> = (0..members.len()).collect();
    let key = |at: &usize| members.get(*at).map(|member| (member.date, member.number));
    order.sort_by_key(key);
    let mut forest = Forest::default();
    // By date already: the first of a subject is the root, and roots come by their dates. A base
    // subject that is empty is one as any other here.
    let mut roots = table::with_capacity(members.len());
    for at in order {
        let Some(member) = members.get(at) else {
            continue;
        };
        let node = forest.add(Some(member.number));
        match roots.get(&member.subject) {
            Some(root) => forest.append(*root, node),
            None => {
                roots.insert(member.subject, node);
                forest.append_root(node);
            }
        }
    }
    forest
}

/// The place of a date among the newest first; the later number first when they are alike.
fn newest_first(date: i64, number: u32) -> Reverse<(i64, u32)> {
    Reverse((date, number))
}
