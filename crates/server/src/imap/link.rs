//! The socket and the session of one connection, and the stored content that waits to be sent.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use facteur_imap::response::{Fetched, Stored};
use facteur_imap::{Output, Session, Untagged, text};
use facteur_message::decode::PartDecoder;
use facteur_message::{Encoding, Span};
use facteur_store::{BlobId, Store};

use super::compress::{Deflate, Refused};
use super::quirks::Client;
use crate::context::{Context, Peer, SessionId};
use crate::drive::{self, Stream, Wire};
use crate::limits::STREAM_BYTES;

/// Where announced bytes come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// The body as it was received; ranges count its bytes.
    Body(BlobId),
    /// A part of it without its transfer encoding; ranges count decoded bytes.
    Decoded {
        blob: BlobId,
        span: Span,
        encoding: Encoding,
    },
}

pub(super) struct Link<S> {
    pub(super) wire: Wire<S>,
    pub(super) session: Session,
    /// A handle of [`Stored`] is a place in here; emptied by every flush.
    sources: Vec<Source>,
    /// COMPRESS is on.
    deflate: Option<Box<Deflate>>,
    pub(super) client: Client,
}

impl<S: Stream> Link<S> {
    pub(super) fn new(wire: Wire<S>) -> Self {
        let config = session_config(wire.context(), wire.peer());
        let session = Session::new(Arc::new(config), wire.peer().tls.is_some());
        Link {
            wire,
            session,
            sources: Vec::new(),
            deflate: None,
            client: Client::default(),
        }
    }

    /// The wire, and where its bytes go.
    pub(super) fn receive(&mut self) -> (&mut Wire<S>, impl FnMut(&[u8])) {
        let Link {
            wire,
            session,
            deflate,
            ..
        } = self;
        let receive = |bytes: &[u8]| match deflate {
            Some(deflate) => deflate.receive(bytes),
            None => session.feed(bytes),
        };
        (wire, receive)
    }

    /// Gives the session some of what came compressed. False: there is nothing, read on.
    pub(super) fn inflate(&mut self) -> bool {
        let Link {
            session, deflate, ..
        } = self;
        let Some(deflate) = deflate else {
            return false;
        };
        match deflate.inflate(|bytes| session.feed(bytes)) {
            Ok(given) => given > 0,
            Err(Refused) => {
                tracing::info!(session = %self.id(), "compressed input was refused");
                self.session.bye(text::BYE_COMPRESS);
                true
            }
        }
    }

    /// From here on both sides compress (RFC 4978 §3); all that was said before is sent.
    pub(super) fn compress(&mut self) {
        self.deflate = Some(Deflate::new());
    }

    /// RFC 8437 §4.1: neither side compresses any more; all that was said before is sent.
    pub(super) fn uncompress(&mut self) {
        if let Some(deflate) = self.deflate.take() {
            self.session.feed(&deflate.into_rest());
        }
    }

    pub(super) fn ctx(&self) -> &Arc<Context> {
        self.wire.context()
    }

    pub(super) fn store(&self) -> &Store {
        &self.wire.context().store
    }

    pub(super) fn id(&self) -> SessionId {
        self.wire.peer().session
    }

    /// Says it, and makes room when enough has gathered.
    pub(super) async fn say(&mut self, untagged: &Untagged<'_>) -> io::Result<()> {
        self.session.respond(untagged);
        if self.session.output_full() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Says them, and makes room when enough has gathered. `sources`: of their stored ranges.
    pub(super) async fn say_fetched(
        &mut self,
        fetched: Fetched,
        sources: Vec<Source>,
    ) -> io::Result<()> {
        let first_handle = self.sources.len() as u64;
        self.sources.extend(sources);
        self.session.say_fetched(fetched, first_handle);
        if self.session.output_full() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends all output; stored content in pieces, as fast as the peer takes it.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        for output in self.session.take_output() {
            match output {
                Output::Bytes(bytes) => self.send(&bytes).await?,
                Output::Stored(stored) => self.stream(stored).await?,
            }
        }
        self.sources = Vec::new();
        if let Some(deflate) = &mut self.deflate {
            let bytes = deflate.flush(self.session.is_idle())?;
            self.wire.write(&bytes).await?;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.deflate {
            Some(deflate) => self.wire.write(&deflate.deflate(bytes)?).await,
            None => self.wire.write(bytes).await,
        }
    }

    /// Its length is announced already: an error ends the connection.
    async fn stream(&mut self, stored: Stored) -> io::Result<()> {
        let source = usize::try_from(stored.handle)
            .ok()
            .and_then(|handle| self.sources.get(handle))
            .copied()
            .ok_or_else(|| io::Error::other("unknown content handle"))?;
        let sent = match source {
            Source::Body(blob) => self.stream_body(blob, stored.range).await,
            Source::Decoded {
                blob,
                span,
                encoding,
            } => {
                self.stream_decoded(blob, span, encoding, stored.range)
                    .await
            }
        };
        if let Err(error) = &sent {
            tracing::warn!(session = %self.id(), %error, "message content was cut off");
        }
        sent
    }

    async fn stream_body(&mut self, blob: BlobId, range: Range<u64>) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end {
            let len = (range.end - at).min(STREAM_BYTES);
            let bytes = self.read(blob, at, len).await?;
            if bytes.len() as u64 != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.send(&bytes).await?;
            at += len;
        }
        Ok(())
    }

    async fn stream_decoded(
        &mut self,
        blob: BlobId,
        span: Span,
        encoding: Encoding,
        range: Range<u64>,
    ) -> io::Result<()> {
        let mut decoder = PartDecoder::new(encoding);
        let (mut at, mut position) = (span.start, 0_u64);
        while position < range.end {
            let mut decoded = Vec::new();
            let len = span.end.saturating_sub(at).min(STREAM_BYTES);
            if len == 0 {
                decoder.finish(&mut decoded);
            } else {
                let bytes = self.read(blob, at, len).await?;
                decoder.push(&bytes, &mut decoded);
            }
            at += len;
            let end = position + decoded.len() as u64;
            let wanted = overlap(position..end, &range);
            if let Some(bytes) = decoded.get(wanted) {
                self.send(bytes).await?;
            }
            position = end;
            if len == 0 && position < range.end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    async fn read(&mut self, blob: BlobId, at: u64, len: u64) -> io::Result<Vec<u8>> {
        drive::read_body(self.store(), blob, at, len)
            .await
            .map_err(io::Error::other)
    }
}

/// The part of `have` that is in `wanted`, counted from the start of `have`.
fn overlap(have: Range<u64>, wanted: &Range<u64>) -> Range<usize> {
    let clamp = |at: u64| {
        let at = at.clamp(have.start, have.end) - have.start;
        usize::try_from(at).unwrap_or(usize::MAX)
    };
    clamp(wanted.start)..clamp(wanted.end)
}

/// What is offered on this connection, before and after STARTTLS.
fn session_config(ctx: &Context, peer: &Peer) -> facteur_imap::Config {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let plain = Peer {
        tls: None,
        ..peer.clone()
    };
    facteur_imap::Config {
        plaintext_login: plain.is_private(&ctx.config),
        mechanisms_plain: owned(ctx.auth.mechanisms(&ctx.config, &plain)),
        mechanisms_tls: owned(ctx.auth.mechanisms_under_tls(peer)),
        starttls: ctx.tls.is_some(),
        message_bytes_max: ctx.config.message_bytes_max,
        before_login: facteur_imap::limits::BEFORE_LOGIN,
        after_login: facteur_imap::limits::AFTER_LOGIN,
    }
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn overlaps_count_from_the_start_of_what_is_there() {
        assert_eq!(overlap(10..20, &(12..15)), 2..5);
        assert_eq!(overlap(10..20, &(0..15)), 0..5);
        assert_eq!(overlap(10..20, &(15..30)), 5..10);
        assert_eq!(overlap(10..20, &(30..40)), 10..10);
    }
}
