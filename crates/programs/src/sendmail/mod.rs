//! What the `sendmail` command is given: arguments, and a message whose header may name who gets it.

pub mod arguments;
pub mod header;
pub mod pieces;

pub use arguments::{Call, Mode};
pub use header::{Bad, Envelope};
pub use pieces::{Piece, Pieces};
