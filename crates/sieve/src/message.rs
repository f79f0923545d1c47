//! What a script sees of a message and of the world: given by the caller.

use facteur_message::{Part, Span};

/// One message for one recipient.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    /// The header block as the recipient's copy will have it, what we put in front included.
    pub header: &'a [u8],
    /// Bytes of the whole message.
    pub size: u64,
    /// Its parts; the spans are those that [`World::body`] takes.
    pub root: &'a Part,
    /// Reverse-path, empty for null.
    pub from: &'a str,
    /// The recipient's address that led here.
    pub to: &'a str,
    /// Seconds since 1970.
    pub now: i64,
    /// RFC 5183 §4.1, items by name in lower case.
    pub environment: &'a [(&'a str, String)],
    /// How many bytes at the end of `header` were received; those before are the server's.
    pub received: usize,
    /// `header` is whole, so that it can be changed.
    pub editable: bool,
    /// Fields that scripts neither add nor take away, beside those of RFC 5293 §6.
    pub protected: &'a [&'a str],
    /// How likely it is junk, 0 to 100; `None`: nobody looked (RFC 5235 §3.2).
    pub spam_percent: Option<u8>,
    /// 1 to 5, RFC 5235 §3.3; `None`: nobody looked.
    pub virus: Option<u8>,
}

/// What the machine asks while it runs. Each answer holds for the whole run.
pub trait World {
    /// RFC 5490 §3.1: there is a mailbox of that name that takes messages.
    fn mailbox_exists(&self, name: &str) -> bool;
    /// RFC 9042: the name of the mailbox of that id.
    fn mailbox_of_id(&self, id: &str) -> Option<String>;
    /// RFC 8579 §4: the name of the mailbox with that special use, `\Junk` for one.
    fn mailbox_of_use(&self, special_use: &str) -> Option<String>;
    /// RFC 6134 §2.5: a person's address book has that address.
    fn in_address_book(&self, value: &str) -> bool;
    /// RFC 5490 §3.3, §4.1: an annotation of a mailbox, or of the server when there is none.
    fn metadata(&self, mailbox: Option<&str>, name: &str) -> Option<String>;
    /// RFC 7352 §3: a former run remembered this, and it is not yet forgotten.
    fn is_duplicate(&self, handle: &str, id: &str) -> bool;
    /// Appends bytes of the message as it was received, without what we put in front.
    fn body(&self, span: Span, out: &mut Vec<u8>) -> Result<(), Unreadable>;
}

/// A message's bytes can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What comes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Where copies go, no mailbox twice; the implicit keep is among them.
    pub stores: Vec<Stored>,
    /// Addresses that the message is sent on to, none twice.
    pub redirects: Vec<Redirect>,
    pub reject: Option<Reject>,
    pub vacation: Option<Vacation>,
    /// Notifications, none twice; [`crate::notify::is_wanted`] says whether they are sent.
    pub notifications: Vec<Notification>,
    /// Headers that copies have in place of the one that came, numbered from 1.
    pub editions: Vec<Edition>,
    /// What later runs are to remember.
    pub tracked: Vec<Tracked>,
    /// The run ended early: all that is done is the implicit keep.
    pub failure: Option<crate::error::Failure>,
}

/// A copy of the message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// "INBOX", or a name as the script wrote it.
    pub mailbox: String,
    /// Make the mailbox when there is none (RFC 5490 §3.2); else the copy goes to INBOX.
    pub create: bool,
    /// The special use of the mailbox that is made (RFC 8579 §4).
    pub special_use: Option<String>,
    /// System flags with their backslash, and keywords; none twice.
    pub flags: Vec<String>,
    /// Which of [`Outcome::editions`]; 0: as it came.
    pub edition: usize,
}

/// The message sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    pub address: String,
    /// Which of [`Outcome::editions`]; 0: as it came.
    pub edition: usize,
}

/// A header that a script made (RFC 5293).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Fields above what the server wrote.
    pub added: Vec<u8>,
    /// In place of the header block that was received, blank line included.
    pub rest: Vec<u8>,
}

/// RFC 5435 §3, to be sent by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// An address for From.
    pub from: Option<String>,
    /// 1 (high) to 3 (low).
    pub importance: u8,
    pub message: Option<String>,
    pub method: crate::notify::Mailto,
    /// Where a copy of it goes.
    pub fcc: Option<Stored>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub reason: String,
    /// At the protocol's level, whatever becomes of the text (RFC 5429 §2.1).
    pub ereject: bool,
}

/// An absence message that is to be sent when [`crate::vacation::recipient`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vacation {
    /// How long the same person is not answered again.
    pub seconds: u64,
    pub subject: Option<String>,
    /// An address for From.
    pub from: Option<String>,
    /// Further addresses of the recipient.
    pub addresses: Vec<String>,
    /// The reason is a MIME entity.
    pub mime: bool,
    pub reason: String,
    /// Names this answer among others (RFC 5230 §4.2).
    pub handle: String,
    /// Where a copy of it goes (RFC 8580 §5).
    pub fcc: Option<Stored>,
}

/// RFC 7352 §3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    pub handle: String,
    pub id: String,
    pub seconds: u64,
}

/// The mailbox of the implicit keep.
pub const INBOX: &str = "INBOX";
