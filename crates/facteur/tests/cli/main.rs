//! The command line as users run it: the real binary on a directory of its own.

mod account;
mod api;
mod ban;
mod demo;
mod directory;
mod group;
mod mail;
mod manual;
mod programs;
mod running;
mod setup;
mod sieve;
mod support;
mod usage;
