//! QUIT: the UPDATE state (RFC 1939 §6). What is deleted stays restorable.

use facteur_pop3::Outcome;
use facteur_store::{Uid, UidSet};

use super::Driver;
use crate::drive::Stream;

impl<S: Stream> Driver<S> {
    pub(super) async fn quit(&mut self, deleted: Vec<u32>) -> Outcome {
        let (Some(identity), Some(inbox)) = (&self.identity, self.inbox) else {
            return Outcome::Failed;
        };
        let uids: UidSet = deleted.into_iter().map(Uid).collect();
        let store = &self.wire.context().store;
        let session = self.wire.peer().session;
        match store
            .expunge(identity.account, inbox, Some(uids), false)
            .await
        {
            Ok((gone, _)) => {
                tracing::info!(%session, messages = gone.span(), "deleted at QUIT");
                Outcome::Deleted
            }
            Err(error) => {
                tracing::error!(%session, %error, "the deletion failed");
                Outcome::Failed
            }
        }
    }
}
