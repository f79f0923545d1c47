//! Replies of other servers.
