//! REFERENCES, RFC 5256 §3, step by step; REFS leaves the subjects out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::forest::{Forest, NodeId};
use super::table::{self, Table};
use super::{Member, newest_first};

/// Steps that looking for loops may take, in all for each message; then a link is not made. Only
/// references that contradict each other come near it.
const LOOP_STEPS: usize = 64;

/// RFC 5256 §3, REFERENCES. Members by ascending number.
pub fn references(members: &[Member<'_>]) -> Forest {
    let mut threads = Threads::new(members);
    threads.link_all();
    threads.gather();
    threads.prune();
    threads.sort_roots();
    threads.merge_subjects();
    threads.sort_all();
    threads.forest
}

/// As [`references`], but subjects don't count, and the thread with the newest message is the
/// last.
pub fn refs(members: &[Member<'_>]) -> Forest {
    let mut threads = Threads::new(members);
    threads.link_all();
    threads.gather();
    threads.prune();
    threads.sort_all();
    threads.sort_roots_by_newest();
    threads.forest
}

struct Threads<'a> {
    members: &'a [Member<'a>],
    /// Members first, by their place; then messages that are only referred to.
    forest: Forest,
    parents: Vec<Option<NodeId>>,
    /// While links are made: how many children each has.
    child_counts: Vec<u32>,
    by_id: Table,
    loop_steps: usize,
}

impl<'a> Threads<'a> {
    fn new(members: &'a [Member<'a>]) -> Self {
        let mut threads = Threads {
            members,
            forest: Forest::with_capacity(members.len()),
            parents: Vec::with_capacity(members.len()),
            child_counts: Vec::with_capacity(members.len()),
            by_id: table::with_capacity(members.len()),
            loop_steps: members.len().saturating_mul(LOOP_STEPS),
        };
        for member in members {
            let node = threads.add(Some(member.number));
            // Of several with one id the first has it, the others are on their own.
            if member.id != 0 {
                threads.by_id.entry(member.id).or_insert(node);
            }
        }
        threads
    }

    fn add(&mut self, number: Option<u32>) -> NodeId {
        self.parents.push(None);
        self.child_counts.push(0);
        self.forest.add(number)
    }

    fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.parents.get(node.0).copied().flatten()
    }

    fn is_dummy(&self, node: NodeId) -> bool {
        self.forest.number(node).is_none()
    }

    /// The message with this id; a dummy when there is none.
    fn named(&mut self, id: u64) -> NodeId {
        if let Some(node) = self.by_id.get(&id) {
            return *node;
        }
        let dummy = self.add(None);
        self.by_id.insert(id, dummy);
        dummy
    }

    /// Step 1.
    fn link_all(&mut self) {
        let members = self.members;
        for (at, member) in members.iter().enumerate() {
            let message = NodeId(at);
            let mut last: Option<NodeId> = None;
            for id in member.references {
                let node = self.named(*id);
                // (A): an existing link is not changed.
                if let Some(parent) = last
                    && self.parent(node).is_none()
                {
                    self.link(parent, node);
                }
                last = Some(node);
            }
            // (B): the last reference is the parent, whatever others said.
            self.unlink(message);
            if let Some(parent) = last {
                self.link(parent, message);
            }
        }
    }

    fn unlink(&mut self, node: NodeId) {
        let parent = self.parents.get_mut(node.0).and_then(Option::take);
        if let Some(count) = parent.and_then(|parent| self.child_counts.get_mut(parent.0)) {
            *count = count.saturating_sub(1);
        }
    }

    /// Unless that would make a loop.
    fn link(&mut self, parent: NodeId, child: NodeId) {
        if parent == child || self.is_above(child, parent) {
            return;
        }
        if let Some(slot) = self.parents.get_mut(child.0) {
            *slot = Some(parent);
        }
        if let Some(count) = self.child_counts.get_mut(parent.0) {
            *count += 1;
        }
    }

    /// Whether `ancestor` is above `node`; yes too when there is no time left to find out.
    fn is_above(&mut self, ancestor: NodeId, node: NodeId) -> bool {
        // The usual case: a reply that nobody answered yet.
        if self.child_counts.get(ancestor.0) == Some(&0) {
            return false;
        }
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            if parent == ancestor || self.loop_steps == 0 {
                return true;
            }
            self.loop_steps -= 1;
            at = parent;
        }
        false
    }

    /// Step 2.
    fn gather(&mut self) {
        for at in 0..self.parents.len() {
            match self.parent(NodeId(at)) {
                Some(parent) => self.forest.append(parent, NodeId(at)),
                None => self.forest.append_root(NodeId(at)),
            }
        }
    }

    /// Every node, parents before children.
    fn top_down(&self) -> Vec<NodeId> {
        let mut order = self.forest.roots.clone();
        let mut next = 0;
        while let Some(node) = order.get(next).copied() {
            order.extend_from_slice(self.forest.children(node));
            next += 1;
        }
        order
    }

    fn take_children(&mut self, node: NodeId) -> Vec<NodeId> {
        let node = self.forest.nodes.get_mut(node.0);
        node.map(|node| std::mem::take(&mut node.children))
            .unwrap_or_default()
    }

    fn set_children(&mut self, node: NodeId, children: Vec<NodeId>) {
        if let Some(node) = self.forest.nodes.get_mut(node.0) {
            node.children = children;
        }
    }

    /// Step 3.
    fn prune(&mut self) {
        // Most mailboxes have few dummies, or none.
        if self.forest.nodes.len() == self.members.len() {
            return;
        }
        for node in self.top_down().into_iter().rev() {
            let mut children = self.forest.children(node).iter();
            if !children.any(|child| self.is_dummy(*child)) {
                continue;
            }
            let children = self.take_children(node);
            let mut kept = Vec::with_capacity(children.len());
            for child in children {
                if self.is_dummy(child) {
                    kept.append(&mut self.take_children(child));
                } else {
                    kept.push(child);
                }
            }
            self.set_children(node, kept);
        }
        let mut roots = Vec::with_capacity(self.forest.roots.len());
        for root in std::mem::take(&mut self.forest.roots) {
            match self.forest.children(root) {
                [] if self.is_dummy(root) => {}
                [only] if self.is_dummy(root) => roots.push(*only),
                _ => roots.push(root),
            }
        }
        self.forest.roots = roots;
    }

    /// The message that stands for a node: itself, or a dummy's first child.
    fn shown(&self, node: NodeId) -> Option<&'a Member<'a>> {
        let message = match self.forest.children(node).first() {
            Some(first) if self.is_dummy(node) => *first,
            _ => node,
        };
        self.members.get(message.0)
    }

    fn by_date(&self, node: NodeId) -> (i64, u32) {
        self.shown(node)
            .map_or((i64::MAX, u32::MAX), |member| (member.date, member.number))
    }

    fn sort_children(&mut self, node: NodeId) {
        if self.forest.children(node).len() > 1 {
            let mut children = self.take_children(node);
            // Few as a rule, and in order already; no two are alike.
            children.sort_unstable_by_key(|child| self.by_date(*child));
            self.set_children(node, children);
        }
    }

    /// Step 4.
    fn sort_roots(&mut self) {
        self.sort_dummies();
        let mut roots = std::mem::take(&mut self.forest.roots);
        roots.sort_by_cached_key(|root| self.by_date(*root));
        self.forest.roots = roots;
    }

    /// Step 5.
    fn merge_subjects(&mut self) {
        let mut table = self.subject_table();
        let roots = std::mem::take(&mut self.forest.roots);
        let mut gone = vec![false; self.forest.nodes.len()];
        let mut kept: Vec<NodeId> = Vec::with_capacity(roots.len());
        // Dummies made on the way take the place of the message they were made for.
        let mut replaced: HashMap<NodeId, NodeId> = HashMap::new();
        for root in &roots {
            let subject = self.shown(*root).map_or(0, |member| member.subject);
            let Some(first) = table.get(&subject).copied().filter(|_| subject != 0) else {
                continue;
            };
            if first == *root {
                continue;
            }
            if let Some(flag) = gone.get_mut(root.0) {
                *flag = true;
            }
            if let Some(dummy) = self.merge(first, *root) {
                table.insert(subject, dummy);
                replaced.insert(first, dummy);
            }
        }
        for root in roots {
            if gone.get(root.0) == Some(&false) {
                kept.push(replaced.get(&root).copied().unwrap_or(root));
            }
        }
        self.forest.roots = kept;
    }

    /// Step 5.B.
    fn subject_table(&self) -> Table {
        let mut table = table::with_capacity(self.forest.roots.len());
        for root in &self.forest.roots {
            let subject = self.shown(*root).map_or(0, |member| member.subject);
            if subject == 0 {
                continue;
            }
            match table.entry(subject) {
                Entry::Vacant(entry) => {
                    entry.insert(*root);
                }
                Entry::Occupied(mut entry) => {
                    let there = *entry.get();
                    let better = !self.is_dummy(there)
                        && (self.is_dummy(*root) || self.is_reply(there) && !self.is_reply(*root));
                    if better {
                        entry.insert(*root);
                    }
                }
            }
        }
        table
    }

    fn is_reply(&self, node: NodeId) -> bool {
        self.members
            .get(node.0)
            .is_some_and(|member| member.is_reply)
    }

    /// Step 5.C: puts `current` to the message of the table; the new dummy, when it takes one.
    fn merge(&mut self, first: NodeId, current: NodeId) -> Option<NodeId> {
        match (self.is_dummy(first), self.is_dummy(current)) {
            (true, true) => {
                for child in self.take_children(current) {
                    self.forest.append(first, child);
                }
                None
            }
            (true, false) => {
                self.forest.append(first, current);
                None
            }
            (false, _) if self.is_reply(current) && !self.is_reply(first) => {
                self.forest.append(first, current);
                None
            }
            (false, _) => {
                let dummy = self.add(None);
                self.forest.append(dummy, first);
                self.forest.append(dummy, current);
                Some(dummy)
            }
        }
    }

    /// A dummy is made after all that it holds, so that this goes from below.
    fn sort_dummies(&mut self) {
        for at in self.members.len()..self.forest.nodes.len() {
            self.sort_children(NodeId(at));
        }
    }

    /// Step 6: the youngest siblings first. A message's date is its own, a dummy's that of its
    /// first child.
    fn sort_all(&mut self) {
        self.sort_dummies();
        for at in 0..self.members.len() {
            self.sort_children(NodeId(at));
        }
        let mut roots = std::mem::take(&mut self.forest.roots);
        roots.sort_by_cached_key(|root| self.by_date(*root));
        self.forest.roots = roots;
    }

    fn sort_roots_by_newest(&mut self) {
        let mut newest: Vec<(i64, u32)> = vec![(i64::MIN, 0); self.forest.nodes.len()];
        for node in self.top_down().into_iter().rev() {
            let own = self
                .members
                .get(node.0)
                .map(|member| (member.date, member.number));
            let below = self
                .forest
                .children(node)
                .iter()
                .filter_map(|child| newest.get(child.0).copied());
            let most = own.into_iter().chain(below).max();
            if let (Some(slot), Some(most)) = (newest.get_mut(node.0), most) {
                *slot = most;
            }
        }
        let mut roots = std::mem::take(&mut self.forest.roots);
        roots.sort_by_key(|root| {
            let (date, number) = newest.get(root.0).copied().unwrap_or_default();
            std::cmp::Reverse(newest_first(date, number))
        });
        self.forest.roots = roots;
    }
}
