//! The client, which the queue speaks through.
