//! Mail on its way out: what is due is taken from the store, tried, and decided again.

mod plan;
mod report;
mod route;
