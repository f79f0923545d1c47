//! What the demo is made of.

pub mod authority;
pub mod lines;
mod messages;
pub mod people;
pub mod resolver;
