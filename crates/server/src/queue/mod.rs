//! Mail on its way out: what is due is taken from the store, tried, and decided again.
//!
//! * `route`: which hosts, in which order (RFC 5321 §5, RFC 7505), or the smarthost;
//! * `send`: one attempt, over the connections that the route names;
//! * `plan`: what the attempt means for the entry, without I/O;
//! * `report`: the delivery status notifications (RFC 3464);
//! * `runner`: wakes, takes what is due, bounds what runs at once.

mod plan;
