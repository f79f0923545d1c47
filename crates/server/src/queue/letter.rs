//! A queue entry as the SMTP client wants it.

use facteur_smtp::address::Domain;
use facteur_smtp::client::{Extensions, Mail, MailRecipient, Wishes};
use facteur_smtp::{Address, Body, DeliverBy, Notify, Ret};
use facteur_store::{QueueEntry, QueueRecipient, RecipientState, Timestamp, TlsWish};

use super::security::Security;

/// A queue entry with its addresses parsed.
pub struct Letter<'a> {
    pub entry: &'a QueueEntry,
    reverse_path: Option<Address>,
    /// As in the entry.
    pub recipients: Vec<Recipient>,
}

pub enum Recipient {
    Pending(MailRecipient),
    Done,
    /// Does not parse, which the way in should not have let through.
    Senseless,
}

impl<'a> Letter<'a> {
    pub fn new(entry: &'a QueueEntry) -> Self {
        Letter {
            entry,
            // A reverse-path that does not parse can't be answered to: null says so.
            reverse_path: Address::parse(&entry.reverse_path).ok().map(in_ascii),
            recipients: entry.recipients.iter().map(Recipient::of).collect(),
        }
    }

    /// RFC 8689 §4.2.1: a report is under no demand.
    pub fn demands_tls(&self) -> bool {
        self.entry.wishes.tls == TlsWish::Required && self.reverse_path.is_some()
    }

    /// What a host lacks that the sender insists on: status and words. Asked before anything is
    /// sent to it.
    pub fn lacks(&self, extensions: &Extensions, security: &Security) -> Option<(&str, &str)> {
        let returns = self.entry.wishes.deliver_by.is_some_and(|by| by.or_return);
        if *security == Security::Home {
            // It goes no further.
            None
        } else if self.demands_tls() && !(extensions.require_tls && security.is_proven()) {
            // RFC 8689 §4.2.1.
            Some((
                "5.7.30",
                "the sender demands REQUIRETLS, which it does not offer",
            ))
        } else if returns && extensions.deliver_by.is_none() {
            // RFC 2852 §4.1: by-mode R goes to nobody who can't keep it.
            Some((
                "5.3.3",
                "the sender demands DELIVERBY, which it does not offer",
            ))
        } else {
            None
        }
    }

    /// The next host says nothing of what the sender asked to hear (RFC 2852 §4.1).
    pub fn is_relayed_out_of_sight(&self, extensions: &Extensions) -> bool {
        let by = self.entry.wishes.deliver_by;
        by.is_some_and(|by| by.trace || extensions.deliver_by.is_none())
    }

    /// One transaction for these recipients.
    pub fn mail(&self, indices: &[usize], now: Timestamp) -> Mail {
        let entry = self.entry;
        let recipients = indices
            .iter()
            .filter_map(|index| match self.recipients.get(*index)? {
                Recipient::Pending(recipient) => Some(recipient.clone()),
                Recipient::Done | Recipient::Senseless => None,
            });
        Mail {
            reverse_path: self.reverse_path.clone(),
            recipients: recipients.collect(),
            size: entry.body_size.saturating_add(entry.prefix.len() as u64),
            body: match (entry.body_binary, entry.body_8bit) {
                (true, _) => Body::BinaryMime,
                (false, true) => Body::EightBitMime,
                (false, false) => Body::SevenBit,
            },
            smtputf8: entry.smtputf8,
            ret: entry.return_headers_only.then_some(Ret::Headers),
            envelope_id: entry.envelope_id.clone(),
            wishes: Wishes {
                deliver_by: entry.wishes.deliver_by.map(|by| DeliverBy {
                    seconds: (by.at.0 - now.0) / 1000,
                    or_return: by.or_return,
                    trace: by.trace,
                }),
                priority: Some(entry.wishes.priority).filter(|priority| *priority != 0),
                require_tls: self.demands_tls(),
            },
        }
    }
}

impl Recipient {
    fn of(recipient: &QueueRecipient) -> Self {
        if recipient.state != RecipientState::Pending {
            return Recipient::Done;
        }
        let Ok(address) = Address::parse(&recipient.address) else {
            return Recipient::Senseless;
        };
        Recipient::Pending(MailRecipient {
            address: in_ascii(address),
            notify: recipient.notify.map(|notify| Notify {
                success: notify.success,
                failure: notify.failure,
                delay: notify.delay,
            }),
            original: recipient.original.clone(),
        })
    }
}

/// A domain in U-labels needs no SMTPUTF8 on the way once it is in A-labels (RFC 6531 §3.2); only
/// the local part does.
fn in_ascii(mut address: Address) -> Address {
    if let Domain::Name(name) = &mut address.domain
        && !name.is_ascii()
        && let Ok(ascii) = idna::domain_to_ascii_strict(name)
    {
        *name = ascii;
    }
    address
}
