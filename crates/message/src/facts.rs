//! What is known of a message after one pass over its bytes.
//!
//! All offsets count bytes from the scanned body's first byte. Values are raw: unfolded, without
//! decoding encoded words or RFC 2231 parameters, in whatever bytes the sender used.

/// Everything kept for one message. Immutable, rebuildable from the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Bytes scanned.
    pub size: u64,
    /// Envelope of the message itself.
    pub envelope: Envelope,
    /// The part tree; the root is the message.
    pub root: Part,
    /// What delivery and submission ask about the header.
    pub header: HeaderFacts,
    /// Start of the first text part, decoded, white space collapsed; at most
    /// [`crate::limits::PREVIEW_CHARS_MAX`] characters.
    pub preview: String,
    /// Hashes of Message-ID (when there is one, first), then References and In-Reply-To
    /// ([`crate::thread`]), without repetition.
    pub thread_keys: Vec<u64>,
    /// Hash of the base subject (RFC 5256 §2.1); 0 when that is empty.
    pub subject_key: u64,
    /// The subject was a reply or forward (RFC 5256 §2.1).
    pub subject_is_reply: bool,
    /// There is a part that people call an attachment.
    pub has_attachment: bool,
    /// There is a byte above 127 anywhere, headers included (8BITMIME is needed).
    pub has_8bit: bool,
    /// There is a NUL anywhere (BINARYMIME is needed).
    pub has_nul: bool,
    /// Limits that were met.
    pub degraded: Degraded,
}

/// Facts about the top-level header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFacts {
    pub fields: u32,
    /// Number of From fields (not of addresses).
    pub from_count: u32,
    pub sender_count: u32,
    pub has_date: bool,
    pub has_message_id: bool,
    pub has_mime_version: bool,
    /// Number of Received fields, for the loop limit.
    pub received_count: u32,
    /// Values of Delivered-To, trimmed, in order, at most [`crate::limits::DELIVERED_TO_MAX`].
    pub delivered_to: Vec<Vec<u8>>,
    /// Auto-Submitted is there and is not "no" (RFC 3834 §5).
    pub auto_submitted: bool,
    /// List-Id, List-Post or List-Unsubscribe is there, or Precedence is bulk, list or junk.
    pub is_bulk: bool,
    /// `TLS-Required: No` (RFC 8689 §3).
    pub tls_optional: bool,
    /// The header has bytes above 127.
    pub has_8bit: bool,
    /// A line of the header block is no field and no continuation.
    pub has_garbage: bool,
    /// The Date field: seconds since 1970 UTC, offset in minutes; `None` when absent or unreadable.
    pub sent: Option<Sent>,
}

/// A date with its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Seconds since 1970, UTC.
    pub unix: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

/// RFC 9051 §7.5.2 ENVELOPE, raw. An empty list is NIL; an absent or empty Sender or Reply-To is
/// an empty list here, the renderer puts From in its place.
///
/// `B`: how its strings are held. What is read to be printed at once borrows them from the stored
/// facts ([`Envelope::stored`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope<B = Vec<u8>> {
    pub date: Option<B>,
    pub subject: Option<B>,
    pub from: Vec<Address<B>>,
    pub sender: Vec<Address<B>>,
    pub reply_to: Vec<Address<B>>,
    pub to: Vec<Address<B>>,
    pub cc: Vec<Address<B>>,
    pub bcc: Vec<Address<B>>,
    pub in_reply_to: Option<B>,
    pub message_id: Option<B>,
}

/// One entry of an address list, in the order of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address<B = Vec<u8>> {
    Mailbox {
        /// Display name or comment, unquoted, encoded words raw.
        name: Option<B>,
        /// RFC 5322 §4.4 source route, `@a,@b`.
        route: Option<B>,
        /// Local part, unquoted; `None`: the syntax is broken.
        local: Option<B>,
        /// `None`: no domain was written, or the part in angle brackets is broken.
        domain: Option<B>,
        /// The part in angle brackets is broken.
        broken: bool,
    },
    GroupStart(B),
    GroupEnd,
}

/// A range of bytes of the body, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

impl Span {
    pub fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// One MIME part, or the message itself. `B` as in [`Envelope`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part<B = Vec<u8>> {
    /// Header block with its blank line (IMAP `n.MIME`; for a message `HEADER`).
    pub header: Span,
    /// Body without the line end that belongs to the boundary (IMAP `n`; for a message `TEXT`).
    pub body: Span,
    /// Line ends in the body.
    pub body_lines: u64,
    /// Bare LFs in the body: each counts as two bytes where lines must end in CRLF.
    pub body_bare_lf: u64,
    /// As written (compare with [`Part::is`]); empty: there is no usable Content-Type.
    pub kind: B,
    pub subtype: B,
    /// Raw, plain ones in order, then the RFC 2231 ones by name, their pieces joined: `name*`
    /// when a piece is percent-encoded.
    pub params: Vec<Param<B>>,
    pub id: Option<B>,
    pub description: Option<B>,
    /// Raw Content-Transfer-Encoding value; `None`: absent (7bit).
    pub encoding_name: Option<B>,
    pub md5: Option<B>,
    pub disposition: Option<Disposition<B>>,
    pub language: Vec<B>,
    pub location: Option<B>,
    /// The body has a NUL.
    pub has_nul: bool,
    /// The body has bytes above 127.
    pub has_8bit: bool,
    pub content: PartBody<B>,
}

/// What a part's body is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartBody<B = Vec<u8>> {
    #[default]
    Leaf,
    /// In order; may be empty when no boundary line was found.
    Multipart(Vec<Part<B>>),
    /// message/rfc822 or message/global.
    Message(Box<Nested<B>>),
}

/// A message inside a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nested<B = Vec<u8>> {
    pub envelope: Envelope<B>,
    pub root: Part<B>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param<B = Vec<u8>> {
    /// As written.
    pub name: B,
    pub value: B,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition<B = Vec<u8>> {
    /// As written.
    pub kind: B,
    pub params: Vec<Param<B>>,
}

/// RFC 2045 §6, what a reader must undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 7bit, 8bit, binary.
    Identity,
    QuotedPrintable,
    Base64,
    /// A name that nobody knows (RFC 9051 §6.4.5.1: BINARY answers UNKNOWN-CTE).
    Unknown,
}

/// Limits that a message met. Zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Degraded(pub u16);

impl Degraded {
    pub const HEADER_BLOCK: Degraded = Degraded(1);
    pub const HEADER_FIELD: Degraded = Degraded(2);
    pub const HEADER_FIELDS: Degraded = Degraded(4);
    pub const PARTS: Degraded = Degraded(8);
    pub const DEPTH: Degraded = Degraded(16);
    pub const PARAMS: Degraded = Degraded(32);
    pub const ADDRESSES: Degraded = Degraded(64);
    pub const VALUES: Degraded = Degraded(128);
    /// From or Sender of the message itself goes on after what could be read.
    pub const AUTHORS: Degraded = Degraded(256);

    pub fn contains(self, other: Degraded) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn insert(&mut self, other: Degraded) {
        self.0 |= other.0;
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Stored facts that cannot be read: another version, or damage. Rebuild them from the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError;

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stored facts of a message are unreadable")
    }
}

impl std::error::Error for DecodeError {}
