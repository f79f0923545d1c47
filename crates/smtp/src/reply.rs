//! Everything the server says, on one page: code, enhanced code (RFC 3463) and text.
//!
//! The texts are static: no user's data and no library's error ever reaches the peer.

use std::fmt;

/// One reply of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// RFC 2034. Empty where it has no place: greeting, EHLO, 3xx (RFC 2034 §4).
    pub enhanced: &'static str,
    pub text: &'static str,
}

impl Reply {
    /// RFC 5321 §4.2.1: 4yz.
    pub fn is_transient(self) -> bool {
        (400..500).contains(&self.code)
    }

    /// RFC 5321 §4.2.1: 2yz.
    pub fn is_ok(self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// As on the wire, without the CRLF.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.enhanced.is_empty() {
            write!(f, "{} {}", self.code, self.text)
        } else {
            write!(f, "{} {} {}", self.code, self.enhanced, self.text)
        }
    }
}

macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident = $code:literal $enhanced:literal $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Reply = Reply { code: $code, enhanced: $enhanced, text: $text };)*

        /// All of them, for tests and for the manual.
        pub const ALL: &[Reply] = &[$($name),*];
    };
}

replies! {
    // What goes well.
    BYE = 221 "2.0.0" "goodbye";
    OK = 250 "2.0.0" "OK";
    SENDER_OK = 250 "2.1.0" "sender OK";
    RECIPIENT_OK = 250 "2.1.5" "recipient OK";
    CHUNK_OK = 250 "2.0.0" "chunk received";
    ACCEPTED = 250 "2.0.0" "message accepted";
    HELP = 214 "2.0.0" "see RFC 5321";
    /// RFC 5321 §3.5.3: neither yes nor no.
    VRFY = 252 "2.5.2" "send some mail, it will be tried";
    BEGIN_TLS = 220 "2.0.0" "ready to start TLS";
    AUTHENTICATED = 235 "2.7.0" "authentication succeeded";
    SEND_DATA = 354 "" "end data with <CRLF>.<CRLF>";

    // The connection.
    STOPPING = 421 "4.3.2" "the server is stopping, try again later";
    TOO_SLOW = 421 "4.4.2" "the message comes too slowly";
    TIMEOUT = 421 "4.4.2" "nothing came in time";
    ACCOUNT_CLOSED = 421 "4.7.0" "the account is no longer open";
    PASSWORD_CHANGED = 421 "4.7.0" "the password was changed, log in again";
    TOO_MANY_CONNECTIONS = 421 "4.7.0" "too many connections, try again later";
    /// RFC 5321 §3.1: in place of the greeting.
    TALKS_EARLY = 554 "5.5.1" "wait for the greeting";
    TOO_MANY_ERRORS = 421 "4.7.0" "too many errors";
    TOO_MANY_IDLE_COMMANDS = 421 "4.7.0" "too many commands without a message";
    TOO_MANY_REFUSED = 421 "4.7.0" "too many refused recipients";
    TOO_MANY_AUTH_FAILURES = 421 "4.7.0" "too many failed logins";
    TOO_MUCH_DROPPED = 421 "4.7.0" "refused data goes on for too long";
    INTERNAL = 421 "4.3.0" "something went wrong here, try again later";

    // The command line.
    UNKNOWN = 500 "5.5.2" "unknown command";
    LINE_TOO_LONG = 500 "5.5.6" "line too long";
    FORBIDDEN_BYTE = 500 "5.5.2" "a line ends with CR LF and holds no NUL, CR or LF";
    NOT_SMTP = 554 "5.5.1" "this is a mail server";
    SYNTAX = 501 "5.5.4" "wrong arguments";
    NOT_UTF8 = 501 "5.5.4" "not UTF-8";
    NOT_BASE64 = 501 "5.5.2" "not base64";
    CHUNK_SIZE = 501 "5.5.4" "chunk size not understood";
    BAD_SENDER = 501 "5.1.7" "not an address";
    BAD_RECIPIENT = 501 "5.1.3" "not an address";
    PATH_TOO_LONG = 501 "5.1.3" "address too long";
    PARAMETER_VALUE = 501 "5.5.4" "wrong value of a parameter";
    PARAMETER_UNKNOWN = 555 "5.5.4" "parameter not known";
    NOT_IMPLEMENTED = 502 "5.5.1" "not available here";
    HELLO_FIRST = 503 "5.5.1" "say hello first";
    MAIL_FIRST = 503 "5.5.1" "MAIL first";
    RCPT_FIRST = 503 "5.5.1" "RCPT first";
    /// RFC 5321 §3.3: no valid recipients.
    NO_RECIPIENTS = 554 "5.5.1" "no valid recipients";
    NESTED_MAIL = 503 "5.5.1" "a transaction is open, RSET first";
    BDAT_UNDER_WAY = 503 "5.5.1" "only BDAT or RSET may follow BDAT";
    /// RFC 3030 §3.
    BINARY_NEEDS_BDAT = 503 "5.5.1" "BINARYMIME goes with BDAT only";

    // TLS and AUTH.
    TLS_ACTIVE = 503 "5.5.1" "TLS is active already";
    TLS_INJECTION = 554 "5.5.0" "nothing may follow STARTTLS before the handshake";
    TLS_FIRST = 530 "5.7.0" "STARTTLS first";
    /// RFC 4954 §6.
    MECHANISM_NEEDS_TLS = 538 "5.7.11" "this mechanism needs TLS, STARTTLS first";
    AUTH_FIRST = 530 "5.7.0" "authentication required";
    AUTH_TWICE = 503 "5.5.1" "authenticated already";
    AUTH_IN_TRANSACTION = 503 "5.5.1" "not during a transaction";
    NO_MECHANISM = 504 "5.5.4" "mechanism not available";
    AUTH_CANCELLED = 501 "5.7.0" "authentication cancelled";
    AUTH_FAILED = 535 "5.7.8" "wrong user name or password";
    AUTH_REFUSED = 535 "5.7.1" "the account may not send mail";
    AUTH_TEMPORARY = 454 "4.7.0" "authentication not possible now, try again later";
    AUTH_LINE_TOO_LONG = 500 "5.5.6" "authentication line too long";

    // Senders and recipients.
    NO_SUCH_MAILBOX = 550 "5.1.1" "no such mailbox here";
    RELAY_DENIED = 550 "5.7.1" "relaying denied";
    MAILBOX_DISABLED = 550 "5.2.1" "the mailbox takes no mail";
    /// RFC 4865 §4.
    HOLD_TOO_LONG = 501 "5.5.4" "no message is held that long";
    NOT_OPEN_TO_YOU = 550 "5.7.1" "only some people may write to this address";
    MAILBOX_FULL = 452 "4.2.2" "the mailbox is full";
    TOO_MANY_RECIPIENTS = 452 "4.5.3" "too many recipients, send the rest separately";
    SENDER_NOT_YOURS = 553 "5.7.1" "not one of your addresses";
    SENDER_DOMAIN = 550 "5.1.8" "the sender's domain does not exist";
    NULL_MX = 556 "5.1.10" "the recipient's domain takes no mail";
    /// RFC 6531 §3.5.
    NEEDS_SMTPUTF8 = 553 "5.6.7" "the address needs SMTPUTF8";
    POLICY = 550 "5.7.1" "refused by policy";
    GREYLISTED = 451 "4.7.1" "try again in a few minutes";
    RATE_LIMITED = 451 "4.7.1" "too much mail, try again later";

    // The message.
    TOO_BIG = 552 "5.3.4" "message too big";
    STORAGE_FULL = 452 "4.3.1" "no room, try again later";
    TEMPORARY = 451 "4.3.0" "something went wrong here, try again later";
    /// RFC 5321 §2.3.8: CR and LF go together, or not at all.
    BARE_CR_OR_LF = 554 "5.6.0" "bare CR or LF in the message";
    NUL_BYTE = 554 "5.6.0" "NUL in the message";
    LOOP = 554 "5.4.6" "the message goes round in a loop";
    NO_FROM = 550 "5.6.0" "the message needs one From field";
    NOT_VOUCHED_FOR = 550 "5.7.1" "the domain in From asks to refuse this, see DMARC";
    UNVERIFIABLE = 451 "4.7.1" "the sender can't be verified now, try again later";
    MALFORMED = 554 "5.6.0" "the message is malformed";
    /// RFC 5429 §2.5; the reason in its place where there is one ([`crate::server::Session::explain`]).
    FILTERED = 550 "5.7.1" "the recipient's filter refuses the message";
    CONTENT_REFUSED = 554 "5.7.1" "the message is refused";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_agree() {
        for reply in ALL {
            let line = reply.to_string();
            assert!(line.len() + 2 <= 512, "{line}");
            assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
            // RFC 2034 §4: the class of the enhanced code is that of the code.
            let class = reply.code / 100;
            if class == 3 {
                assert!(reply.enhanced.is_empty());
            } else {
                assert!(reply.enhanced.starts_with(&format!("{class}.")), "{line}");
                assert_eq!(reply.enhanced.split('.').count(), 3, "{line}");
            }
        }
    }
}
