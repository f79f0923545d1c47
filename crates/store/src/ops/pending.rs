//! Operations to come.
#![allow(unused_variables, clippy::unimplemented)]

use std::sync::Arc;

use crate::*;

impl Store {
    /// Reads everything, rebuilds the index from the journal beside the old one and compares.
    pub fn verify(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Report, Error> {
        unimplemented!()
    }
}
