//! Care: retention and compaction.

#[derive(Debug, Default)]
pub struct Care;
