//! Is it junk? Asks the filter for each account's copy of a message that a stranger sent.

use std::sync::Arc;

use facteur_filter::Vouched;
use facteur_filter::limits::HEAD_BYTES_MAX;
use facteur_message::Facts;
use facteur_store::Error;

use super::decide::Door;
use super::opinions::Opinions;
use super::undeliverable::Sorted;
use super::{Driver, trace};
use crate::context::{PeerAddress, SessionId};
use crate::drive::{self, Stream};
use crate::junk::{self, Filing, Filter, Question};

/// What was found out about the sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) vouched: Vouched,
    pub(super) listed: bool,
}

impl<S: Stream> Driver<S> {
    /// How much of the message the filter looks at; nothing of our own people's.
    pub(super) fn head_bytes(&self) -> usize {
        match self.door() {
            Door::Mx | Door::Lmtp => HEAD_BYTES_MAX,
            Door::Submission => 0,
        }
    }

    /// Where each account's copy goes. A filter that fails lets through what nothing else holds back.
    pub(super) async fn filings(
        &self,
        facts: &Arc<Facts>,
        head: Vec<u8>,
        trace: &str,
        sorted: &Sorted,
        (sender, opinions): (Sender, Opinions),
    ) -> Result<Vec<Filing>, Error> {
        let accounts = sorted.accounts();
        // What was held came from one of our own people.
        let inside = self.wire.peer().address == PeerAddress::Inside;
        if self.door() == Door::Submission || inside || accounts.is_empty() {
            return Ok(Vec::new());
        }
        let ctx = Arc::clone(self.wire.context());
        let hello = self.session.hello_name().unwrap_or_default();
        let question = Question {
            head,
            facts: Arc::clone(facts),
            trace: format!("{}{trace}", trace::return_path(&self.reverse_path())),
            vouched: sender.vouched,
            listed: sender.listed,
            warned: opinions.warned,
            rspamd: opinions.rspamd,
            notes: opinions.notes,
            bad_hello: self.door() == Door::Mx && hides_its_name(hello, &ctx.config.hostname),
            accounts,
        };
        let session = self.wire.peer().session;
        let filings = match ctx.junk.judge_at_once(&question) {
            Some(Ok(filings)) => filings,
            _ => drive::blocking(move || judge(&ctx.junk, &question, session)).await?,
        };
        for filing in &filings {
            tracing::info!(
                session = %self.wire.peer().session,
                id = self.id(),
                account = filing.account.0,
                junk = filing.junk,
                points = filing.verdict.points,
                reasons = junk::summary(&filing.verdict),
                "message judged"
            );
        }
        Ok(filings)
    }
}

/// Blocking.
fn judge(filter: &Filter, question: &Question, session: SessionId) -> Result<Vec<Filing>, Error> {
    filter.judge(question).or_else(|error| {
        tracing::error!(%session, %error, "the junk filter failed");
        filter.judge_by_sender(&question.accounts, question.vouched)
    })
}

/// EHLO with our own name, a bare address, or a name that can't be looked up (RFC 5321 §4.1.4).
fn hides_its_name(hello: &str, hostname: &str) -> bool {
    let literal = hello.starts_with('[');
    let numbers = hello.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    hello.eq_ignore_ascii_case(hostname) || numbers || (!literal && !hello.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (hello, hides) in [
            ("mail.elsewhere.test", false),
            ("[192.0.2.1]", false),
            ("192.0.2.1", true),
            ("localhost", true),
            ("Mail.Example.test", true),
            ("", true),
        ] {
            assert_eq!(hides_its_name(hello, "mail.example.test"), hides, "{hello}");
        }
    }
}
