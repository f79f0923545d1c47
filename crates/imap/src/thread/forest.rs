//! Threads as data: nodes with children, of any depth.

use crate::response::token;

/// A place in [`Forest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) usize);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `None`: a message that is not there, with at least two children; a root only.
    pub number: Option<u32>,
    pub children: Vec<NodeId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forest {
    pub(super) nodes: Vec<Node>,
    pub(super) roots: Vec<NodeId>,
}

enum Print {
    /// In parentheses.
    Thread(NodeId),
    Close,
}

impl Forest {
    pub(super) fn with_capacity(nodes: usize) -> Self {
        Forest {
            nodes: Vec::with_capacity(nodes),
            roots: Vec::with_capacity(nodes),
        }
    }

    pub fn add(&mut self, number: Option<u32>) -> NodeId {
        self.nodes.push(Node {
            number,
            children: Vec::new(),
        });
        NodeId(self.nodes.len() - 1)
    }

    pub fn append(&mut self, parent: NodeId, child: NodeId) {
        if let Some(parent) = self.nodes.get_mut(parent.0) {
            parent.children.push(child);
        }
    }

    pub fn append_root(&mut self, root: NodeId) {
        self.roots.push(root);
    }

    pub fn children(&self, node: NodeId) -> &[NodeId] {
        self.nodes
            .get(node.0)
            .map(|node| node.children.as_slice())
            .unwrap_or_default()
    }

    pub fn number(&self, node: NodeId) -> Option<u32> {
        self.nodes.get(node.0).and_then(|node| node.number)
    }

    /// RFC 5256 §5 `thread-list`s, one after the other.
    pub(crate) fn print(&self, out: &mut Vec<u8>) {
        let mut work: Vec<Print> = self
            .roots
            .iter()
            .rev()
            .copied()
            .map(Print::Thread)
            .collect();
        while let Some(step) = work.pop() {
            match step {
                Print::Close => out.push(b')'),
                Print::Thread(root) => {
                    out.push(b'(');
                    work.push(Print::Close);
                    self.print_line(root, &mut work, out);
                }
            }
        }
    }

    /// Parents and only children, up to where the thread splits.
    fn print_line(&self, first: NodeId, work: &mut Vec<Print>, out: &mut Vec<u8>) {
        let mut separator = false;
        let mut at = first;
        loop {
            if let Some(number) = self.number(at) {
                if separator {
                    out.push(b' ');
                }
                separator = true;
                token::number32(number, out);
            }
            match self.children(at) {
                [] => return,
                [only] => at = *only,
                several => {
                    if separator {
                        out.push(b' ');
                    }
                    work.extend(several.iter().rev().copied().map(Print::Thread));
                    return;
                }
            }
        }
    }
}
