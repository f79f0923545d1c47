//! Listeners: accept, limit, hand to a driver.
