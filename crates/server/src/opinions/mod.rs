//! Other programs' opinions on mail that comes in: milters (`milter.rs`) and rspamd (`rspamd.rs`).
//!
//! They are asked within bounded times and never needed: one that is not there, is silent or breaks
//! its protocol is noted in the log, and mail goes on without it. What one thinks of the content is
//! a reason among the others of the verdict; nothing that a recipient could want is lost by it.

mod milter;
mod rspamd;

pub use milter::{Milters, Noted, Told};
pub use rspamd::{Asked, Scored, ask};
