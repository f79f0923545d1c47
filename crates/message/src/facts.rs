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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    pub date: Option<Vec<u8>>,
    pub subject: Option<Vec<u8>>,
    pub from: Vec<Address>,
    pub sender: Vec<Address>,
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub in_reply_to: Option<Vec<u8>>,
    pub message_id: Option<Vec<u8>>,
}

/// One entry of an address list, in the order of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Mailbox {
        /// Display name or comment, unquoted, encoded words raw.
        name: Option<Vec<u8>>,
        /// RFC 5322 §4.4 source route, `@a,@b`.
        route: Option<Vec<u8>>,
        /// Local part, unquoted; `None`: the syntax is broken.
        local: Option<Vec<u8>>,
        /// `None`: no domain was written, or the part in angle brackets is broken.
        domain: Option<Vec<u8>>,
        /// The part in angle brackets is broken.
        broken: bool,
    },
    GroupStart(Vec<u8>),
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

/// One MIME part, or the message itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Header block with its blank line (IMAP `n.MIME`; for a message `HEADER`).
    pub header: Span,
    /// Body without the line end that belongs to the boundary (IMAP `n`; for a message `TEXT`).
    pub body: Span,
    /// Line ends in the body.
    pub body_lines: u64,
    /// Bare LFs in the body: each counts as two bytes where lines must end in CRLF.
    pub body_bare_lf: u64,
    /// As written (compare with [`Part::is`]); empty: there is no usable Content-Type.
    pub kind: Vec<u8>,
    pub subtype: Vec<u8>,
    /// Raw, plain ones in order, then the RFC 2231 ones by name, their pieces joined: `name*`
    /// when a piece is percent-encoded.
    pub params: Vec<Param>,
    pub id: Option<Vec<u8>>,
    pub description: Option<Vec<u8>>,
    /// Raw Content-Transfer-Encoding value; `None`: absent (7bit).
    pub encoding_name: Option<Vec<u8>>,
    pub md5: Option<Vec<u8>>,
    pub disposition: Option<Disposition>,
    pub language: Vec<Vec<u8>>,
    pub location: Option<Vec<u8>>,
    /// The body has a NUL.
    pub has_nul: bool,
    /// The body has bytes above 127.
    pub has_8bit: bool,
    pub content: PartBody,
}

/// What a part's body is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartBody {
    #[default]
    Leaf,
    /// In order; may be empty when no boundary line was found.
    Multipart(Vec<Part>),
    /// message/rfc822 or message/global.
    Message(Box<Nested>),
}

/// A message inside a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nested {
    pub envelope: Envelope,
    pub root: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// As written.
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// As written.
    pub kind: Vec<u8>,
    pub params: Vec<Param>,
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
