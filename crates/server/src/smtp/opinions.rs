//! Other programs' opinions on the open transaction: milters are told of each step, rspamd of the
//! beginning of the message.

use facteur_milter::Family;
use facteur_smtp::server::Refusal;
use facteur_smtp::{Address, Recipient};

use super::decide::Door;
use super::undeliverable::Sorted;
use super::{Driver, Target};
use crate::drive::Stream;
use crate::opinions::{self, Asked, Milters, Noted, Told};

/// What other programs say of the content.
#[derive(Clone, Debug, Default)]
pub(super) struct Opinions {
    /// A milter does not want it.
    pub(super) warned: bool,
    pub(super) rspamd: Option<f32>,
    /// In words, for the verdict's field.
    pub(super) notes: Vec<String>,
}

impl<S: Stream> Driver<S> {
    /// A transaction begins; the milters of a session are met at its first.
    pub(super) async fn milters_mail(&mut self, reverse_path: Option<&Address>) -> Option<Refusal> {
        let ctx = std::sync::Arc::clone(self.wire.context());
        if self.milters.is_none() {
            self.milters = Milters::new(&ctx.config.milters).map(Box::new);
        }
        let told = self.told();
        let id = self.id();
        let login = self
            .identity
            .as_ref()
            .map(|identity| identity.address.clone());
        let milters = self.milters.as_mut()?;
        let address = reverse_path.map(Address::to_string).unwrap_or_default();
        let mut macros = vec![("i", id.as_str()), ("{mail_addr}", address.as_str())];
        macros.extend(login.as_deref().map(|login| ("{auth_authen}", login)));
        let path = format!("<{address}>");
        let refused = milters.mail(&ctx, &told, &path, &macros).await?;
        Some(self.refused_by_milter("MAIL", refused))
    }

    pub(super) async fn milters_rcpt(&mut self, recipient: &Recipient) -> Option<Refusal> {
        let id = self.wire.peer().session;
        let milters = self.milters.as_mut()?;
        let address = match recipient {
            Recipient::Address(address) => address.to_string(),
            Recipient::Postmaster => "postmaster".to_owned(),
        };
        let path = format!("<{address}>");
        let macros = [("{rcpt_addr}", address.as_str())];
        let refused = milters.recipient(id, &path, &macros).await?;
        Some(self.refused_by_milter("RCPT", refused))
    }

    fn refused_by_milter(&self, at: &str, permanent: bool) -> Refusal {
        tracing::info!(session = %self.wire.peer().session, at, permanent, "refused by a milter");
        match permanent {
            true => Refusal::Policy,
            false => Refusal::Temporary,
        }
    }

    fn told(&self) -> Told {
        let (ctx, peer) = (self.wire.context(), self.wire.peer());
        let client = match peer.address {
            crate::PeerAddress::Tcp(address) => {
                Family::Tcp(address.ip().to_canonical(), address.port())
            }
            crate::PeerAddress::Unix | crate::PeerAddress::Inside => Family::Unknown,
        };
        Told {
            id: peer.session,
            client,
            client_name: match client {
                Family::Tcp(ip, _) => format!("[{ip}]"),
                Family::Unknown => "localhost".to_owned(),
            },
            hello: self.session.hello_name().unwrap_or_default().to_owned(),
            hostname: ctx.config.hostname.clone(),
        }
    }

    /// The message is whole. What a milter does not want of our own people is refused: they have it
    /// still. What comes from elsewhere is for its recipient to look at, unless nobody is here.
    pub(super) async fn milters_end(&mut self, sorted: &Sorted) -> Result<Noted, Refusal> {
        let (session, id) = (self.wire.peer().session, self.id());
        let Some(milters) = &mut self.milters else {
            return Ok(Noted::default());
        };
        let noted = milters.end(session, &[("i", &id)]).await;
        for warning in &noted.warnings {
            tracing::info!(%session, id, warning, "a milter warns");
        }
        if noted.later {
            tracing::info!(%session, id, "put off by a milter");
            return Err(Refusal::Temporary);
        }
        let mut targets = sorted.targets.iter().flatten();
        let leaves = targets.any(|target| matches!(target, Target::Remote { .. }));
        if !noted.warnings.is_empty() && (leaves || self.door() == Door::Submission) {
            return Err(Refusal::ContentRefused);
        }
        Ok(noted)
    }

    /// rspamd looks at what strangers write to people here.
    pub(super) async fn opinions(&self, noted: &Noted, head: &[u8], sorted: &Sorted) -> Opinions {
        let mut opinions = Opinions {
            warned: !noted.warnings.is_empty(),
            rspamd: None,
            notes: noted.warnings.clone(),
        };
        let ctx = self.wire.context();
        let Some(at) = ctx
            .config
            .rspamd
            .filter(|_| self.door() != Door::Submission)
        else {
            return opinions;
        };
        let recipients = sorted.targets.iter().flatten();
        let recipients = recipients.filter_map(|target| match target {
            Target::Local { address, .. } => Some(address.clone()),
            Target::Remote { .. } | Target::Reply(_) | Target::Report => None,
        });
        let asked = Asked {
            ip: self.wire.peer().address.ip(),
            hello: self.session.hello_name().unwrap_or_default().to_owned(),
            from: self.reverse_path(),
            recipients: recipients
                .take(crate::limits::RSPAMD_RECIPIENTS_MAX)
                .collect(),
            id: self.id(),
            head: head.to_vec(),
        };
        let session = self.wire.peer().session;
        match opinions::ask(&*ctx.net, at, &asked).await {
            Ok(scored) => {
                opinions.rspamd = Some(scored.score);
                opinions.notes.push(scored.words());
            }
            Err(error) => {
                tracing::warn!(%session, %error, "rspamd fails: mail goes on without it");
            }
        }
        opinions
    }
}
