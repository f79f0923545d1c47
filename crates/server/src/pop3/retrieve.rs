//! RETR and TOP (RFC 1939 §5, §7): from the store to the socket in pieces.

use std::io;

use facteur_pop3::{MessageEncoder, Outcome};
use facteur_store::Uid;

use super::Driver;
use crate::drive::{Stream, read_body};
use crate::limits;

impl<S: Stream> Driver<S> {
    pub(super) async fn retrieve(&mut self, uid: u32) -> Outcome {
        let (Some(identity), Some(inbox)) = (&self.identity, self.inbox) else {
            return Outcome::Failed;
        };
        let (store, account) = (self.wire.context().store.clone(), identity.account);
        match store.message(account, inbox, Uid(uid)) {
            Ok(Some(message)) => {
                self.message = Some(message);
                Outcome::Message
            }
            // Deleted meanwhile, by IMAP for one.
            Ok(None) => Outcome::Gone,
            Err(error) => {
                tracing::error!(session = %self.wire.peer().session, %error, uid, "the message can't be read");
                Outcome::Failed
            }
        }
    }

    /// Streams the message of the last `retrieve`. An error ends the connection: a message cut
    /// short must not look whole.
    pub(super) async fn send(&mut self, lines: Option<u32>) -> io::Result<()> {
        let Some(message) = self.message.take() else {
            return Err(io::Error::other("no message to send"));
        };
        let store = self.wire.context().store.clone();
        let mut encoder = MessageEncoder::new(lines);
        let mut out = Vec::new();
        let mut more = encoder.push(&message.prefix, &mut out);
        let mut offset = 0;
        while more && offset < message.body_size {
            let len = limits::STREAM_BYTES.min(message.body_size - offset);
            let chunk = read_body(&store, message.blob, offset, len).await;
            let chunk = chunk.map_err(|error| {
                tracing::error!(session = %self.wire.peer().session, %error, "the message can't be read to its end");
                io::Error::other("the store failed")
            })?;
            // The last piece waits for the end: a small message is one write.
            if !out.is_empty() && offset > 0 {
                self.wire.write(&out).await?;
                out.clear();
            }
            more = encoder.push(&chunk, &mut out);
            offset += len;
        }
        encoder.finish(&mut out);
        self.wire.write(&out).await
    }
}
