//! Everything the server says, on one page.
//!
//! RFC 2449 §8 and RFC 3206: response codes in brackets. The texts are static: no user's data and
//! no library's error ever reaches the peer.

/// One line without its CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response(pub &'static str);

impl Response {
    pub fn is_ok(self) -> bool {
        self.0.starts_with("+OK")
    }
}

pub const GREETING: Response = Response("+OK POP3 server ready");
pub const BYE: Response = Response("+OK goodbye");
pub const OK: Response = Response("+OK");
pub const CAPABILITIES: Response = Response("+OK capabilities follow");
pub const MECHANISMS: Response = Response("+OK mechanisms follow");
pub const LISTING: Response = Response("+OK listing follows");
pub const TOP: Response = Response("+OK top of message follows");
pub const USER: Response = Response("+OK send PASS");
pub const LOGGED_IN: Response = Response("+OK maildrop ready");
pub const MARKED: Response = Response("+OK marked as deleted");
pub const UNMARKED: Response = Response("+OK no message is marked as deleted");
pub const BEGIN_TLS: Response = Response("+OK begin TLS negotiation");
pub const UTF8: Response = Response("+OK UTF-8 enabled");
pub const DELETED: Response = Response("+OK goodbye, marked messages deleted");

pub const UNKNOWN: Response = Response("-ERR unknown command");
pub const ARGUMENTS: Response = Response("-ERR wrong arguments");
pub const FORBIDDEN_BYTE: Response =
    Response("-ERR a line ends with CR LF and holds no NUL, CR or LF");
pub const NOT_BASE64: Response = Response("-ERR not base64");
pub const NOT_UTF8: Response = Response("-ERR not UTF-8");
pub const LINE_TOO_LONG: Response = Response("-ERR line too long");
pub const NOT_LOGGED_IN: Response = Response("-ERR log in first");
pub const ALREADY_LOGGED_IN: Response = Response("-ERR already logged in");
pub const NO_SUCH_MESSAGE: Response = Response("-ERR no such message");
pub const ALREADY_MARKED: Response = Response("-ERR message is marked as deleted");
pub const USER_FIRST: Response = Response("-ERR send USER first");
/// RFC 2595 §2.3, RFC 8314 §4.1: no password over plaintext.
pub const TLS_FIRST: Response = Response("-ERR [SYS/PERM] start TLS first");
pub const TLS_ACTIVE: Response = Response("-ERR TLS is active already");
pub const TLS_NOT_OFFERED: Response = Response("-ERR STLS is not available");
pub const TLS_AFTER_UTF8: Response = Response("-ERR STLS comes before UTF8");
pub const TLS_INJECTION: Response = Response("-ERR nothing may follow STLS before the handshake");
pub const NO_MECHANISM: Response = Response("-ERR no such mechanism");
pub const AUTH_CANCELLED: Response = Response("-ERR authentication cancelled");
/// RFC 3206 §4: the credentials are the problem.
pub const AUTH_FAILED: Response = Response("-ERR [AUTH] wrong user name or password");
/// RFC 3206 §3.
pub const TEMPORARY: Response = Response("-ERR [SYS/TEMP] try again later");
pub const PERMANENT: Response = Response("-ERR [SYS/PERM] the account is not available");
/// The session ends: what was right at the login no longer is.
pub const ACCOUNT_CLOSED: Response = Response("-ERR [SYS/PERM] the account is no longer open");
pub const PASSWORD_CHANGED: Response =
    Response("-ERR [AUTH] the password was changed, log in again");
/// RFC 2449 §8.1.2.
pub const IN_USE: Response = Response("-ERR [IN-USE] another session holds this maildrop");
pub const LOGIN_DELAY: Response = Response("-ERR [LOGIN-DELAY] too many logins, wait a little");
/// RFC 6856 §5.
pub const NEEDS_UTF8: Response = Response("-ERR [UTF8] the message needs the UTF8 command");
pub const GONE: Response = Response("-ERR message is gone");
/// RFC 1939 §6: some deleted messages may be left.
pub const NOT_DELETED: Response = Response("-ERR [SYS/TEMP] marked messages not deleted");
pub const TOO_MANY_ERRORS: Response = Response("-ERR too many errors");
pub const TOO_MANY_LOGINS: Response = Response("-ERR too many failed logins");
pub const TOO_MANY_COMMANDS: Response = Response("-ERR too many commands before login");
pub const NOT_POP3: Response = Response("-ERR this is a POP3 server");

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2449 §3: printable ASCII; brackets only around a response code at the front.
    #[test]
    fn texts_follow_the_grammar() {
        for response in [
            GREETING,
            BYE,
            OK,
            CAPABILITIES,
            MECHANISMS,
            LISTING,
            TOP,
            USER,
            LOGGED_IN,
            MARKED,
            UNMARKED,
            BEGIN_TLS,
            UTF8,
            DELETED,
            UNKNOWN,
            ARGUMENTS,
            FORBIDDEN_BYTE,
            NOT_BASE64,
            NOT_UTF8,
            LINE_TOO_LONG,
            NOT_LOGGED_IN,
            ALREADY_LOGGED_IN,
            NO_SUCH_MESSAGE,
            ALREADY_MARKED,
            USER_FIRST,
            TLS_FIRST,
            TLS_ACTIVE,
            TLS_NOT_OFFERED,
            TLS_AFTER_UTF8,
            TLS_INJECTION,
            NO_MECHANISM,
            AUTH_CANCELLED,
            AUTH_FAILED,
            TEMPORARY,
            PERMANENT,
            ACCOUNT_CLOSED,
            PASSWORD_CHANGED,
            IN_USE,
            LOGIN_DELAY,
            NEEDS_UTF8,
            GONE,
            NOT_DELETED,
            TOO_MANY_ERRORS,
            TOO_MANY_LOGINS,
            TOO_MANY_COMMANDS,
            NOT_POP3,
        ] {
            let text = response.0;
            assert!(text.len() + 2 <= 512, "{text}");
            let rest = text
                .strip_prefix("+OK")
                .or_else(|| text.strip_prefix("-ERR"))
                .unwrap_or_else(|| panic!("{text}"));
            assert!(rest.is_empty() || rest.starts_with(' '), "{text}");
            assert!(rest.bytes().all(|b| (0x20..0x7f).contains(&b)), "{text}");
            let inner = rest.trim_start().trim_start_matches('[');
            assert!(!inner.contains('['), "{text}");
        }
    }
}
