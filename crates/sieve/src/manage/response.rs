//! Everything the server says by itself, on one page (RFC 5804 §1.2, §1.3). What is wrong with a
//! script is said in words of [`crate::Error`], about names that the client sent itself.

/// Status, response code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response(pub &'static str);

pub const OK: Response = Response("OK");
pub const READY: Response = Response("OK \"ManageSieve server ready\"");
pub const NOOP: Response = Response("OK \"done\"");
pub const BEGIN_TLS: Response = Response("OK \"begin TLS negotiation\"");
pub const LOGGED_IN: Response = Response("OK \"logged in\"");
pub const LOGGED_OUT: Response = Response("OK \"logged out\"");
pub const GOODBYE: Response = Response("OK \"goodbye\"");

pub const UNKNOWN: Response = Response("NO \"unknown command\"");
pub const ARGUMENTS: Response = Response("NO \"wrong arguments\"");
pub const FORBIDDEN_BYTE: Response =
    Response("NO \"a line ends with CR LF and holds no NUL, CR or LF\"");
pub const NOT_UTF8: Response = Response("NO \"not UTF-8\"");
pub const NOT_BASE64: Response = Response("NO \"not base64\"");
pub const LINE_TOO_LONG: Response = Response("NO \"line too long\"");
pub const LITERAL_TOO_LONG: Response = Response("NO (QUOTA/MAXSIZE) \"the script is too long\"");
pub const STRING_TOO_LONG: Response = Response("NO \"string too long\"");
pub const EMPTY_SCRIPT: Response = Response("NO \"a script has at least one character\"");
pub const BAD_NAME: Response = Response("NO \"no name of a script\"");
pub const NOT_LOGGED_IN: Response = Response("NO \"log in first\"");
pub const ALREADY_LOGGED_IN: Response = Response("NO \"already logged in\"");
/// RFC 8314 §4.1: no password over plaintext.
pub const TLS_FIRST: Response = Response("NO (ENCRYPT-NEEDED) \"start TLS first\"");
pub const TLS_ACTIVE: Response = Response("NO \"TLS is active already\"");
pub const TLS_NOT_OFFERED: Response = Response("NO \"STARTTLS is not available\"");
pub const NO_MECHANISM: Response = Response("NO \"no such mechanism\"");
pub const AUTH_CANCELLED: Response = Response("NO \"authentication cancelled\"");
pub const AUTH_FAILED: Response = Response("NO \"wrong user name or password\"");
pub const AUTH_REFUSED: Response = Response("NO \"the account is not available\"");
pub const LOGIN_DELAY: Response = Response("NO (TRYLATER) \"too many logins, wait a little\"");
pub const TEMPORARY: Response = Response("NO (TRYLATER) \"try again later\"");
pub const NO_SUCH_SCRIPT: Response = Response("NO (NONEXISTENT) \"there is no such script\"");
pub const EXISTS: Response = Response("NO (ALREADYEXISTS) \"there is a script of that name\"");
pub const ACTIVE: Response = Response("NO (ACTIVE) \"the script is active\"");
pub const TOO_MANY_SCRIPTS: Response =
    Response("NO (QUOTA/MAXSCRIPTS) \"too many scripts, or too large together\"");

pub const TLS_INJECTION: Response =
    Response("BYE \"nothing may follow STARTTLS before the handshake\"");
pub const TOO_MANY_ERRORS: Response = Response("BYE \"too many errors\"");
pub const TOO_MANY_LOGINS: Response = Response("BYE \"too many failed logins\"");
pub const TOO_MANY_COMMANDS: Response = Response("BYE \"too many commands before login\"");
pub const DROPPED_TOO_MUCH: Response = Response("BYE \"string too long\"");
pub const NOT_SIEVE: Response = Response("BYE \"this is a ManageSieve server\"");
pub const ACCOUNT_CLOSED: Response = Response("BYE \"the account is no longer open\"");
pub const PASSWORD_CHANGED: Response = Response("BYE \"the password was changed, log in again\"");
pub const STOPPING: Response = Response("BYE (TRYLATER) \"the server is stopping\"");
pub const TIMEOUT: Response = Response("BYE \"nothing came in time\"");
pub const INTERNAL: Response = Response("BYE (TRYLATER) \"something went wrong here\"");

/// A string of the server: quoted where RFC 5804 §4 lets it, else a literal.
pub fn string(text: &str) -> String {
    let plain = text.len() <= 1024 && !text.contains(['\r', '\n', '\0']);
    if !plain {
        return literal(text);
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

pub fn literal(text: &str) -> String {
    format!("{{{}}}\r\n{text}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_or_literal() {
        assert_eq!(string("a\"b\\c"), "\"a\\\"b\\\\c\"");
        assert_eq!(string("a\r\nb"), "{4}\r\na\r\nb");
        assert_eq!(string(&"x".repeat(1025)).len(), 1025 + 8);
    }
}
