//! Everything the server says in words, on one page. No peer's data and no library's error text
//! ever gets into a response.

/// A sentence for the client. Only the constants of this file exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(&'static str);

impl Text {
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

macro_rules! texts {
    ($($name:ident = $text:literal;)*) => {
        $(pub const $name: Text = Text($text);)*
        #[cfg(test)]
        const ALL: &[Text] = &[$($name),*];
    };
}

texts! {
    // Connection.
    GREETING = "Facteur ready.";
    BYE_LOGOUT = "Goodbye.";
    BYE_SHUTDOWN = "The server is stopping, please connect again in a moment.";
    BYE_TIMEOUT = "Nothing was heard for too long, closing.";
    BYE_TOO_MANY_CONNECTIONS = "Too many connections from here, please try again later.";
    BYE_ACCOUNT_CLOSED = "This account is no longer open.";
    BYE_BAD_COMMANDS = "Too many commands were not understood, closing.";
    BYE_TOO_MANY_COMMANDS = "Too many commands before login, closing.";
    BYE_LOGIN_FAILURES = "Too many failed logins, closing.";
    BYE_LITERAL = "That literal is far too large, closing.";
    BYE_LINE = "That line is far too long, closing.";
    BYE_NOT_IMAP = "This port speaks IMAP.";
    BYE_STARTTLS = "Nothing may be sent between STARTTLS and the handshake, closing.";
    BYE_FAULT = "Something went wrong here, closing; please connect again.";

    // Success.
    CAPABILITY_DONE = "CAPABILITY completed.";
    NOOP_DONE = "NOOP completed.";
    LOGOUT_DONE = "LOGOUT completed.";
    ID_DONE = "ID completed.";
    STARTTLS_BEGIN = "Begin the TLS handshake now.";
    LOGGED_IN = "Logged in.";
    ENABLE_DONE = "ENABLE completed.";
    SELECT_DONE = "SELECT completed.";
    EXAMINE_DONE = "EXAMINE completed.";
    CREATE_DONE = "CREATE completed.";
    DELETE_DONE = "DELETE completed.";
    RENAME_DONE = "RENAME completed.";
    SUBSCRIBE_DONE = "SUBSCRIBE completed.";
    UNSUBSCRIBE_DONE = "UNSUBSCRIBE completed.";
    LIST_DONE = "LIST completed.";
    LSUB_DONE = "LSUB completed.";
    NAMESPACE_DONE = "NAMESPACE completed.";
    STATUS_DONE = "STATUS completed.";
    APPEND_DONE = "APPEND completed.";
    GETQUOTA_DONE = "GETQUOTA completed.";
    GETQUOTAROOT_DONE = "GETQUOTAROOT completed.";
    IDLE_DONE = "IDLE completed.";
    CHECK_DONE = "CHECK completed.";
    CLOSE_DONE = "CLOSE completed.";
    UNSELECT_DONE = "UNSELECT completed.";
    EXPUNGE_DONE = "EXPUNGE completed.";
    SEARCH_DONE = "SEARCH completed.";
    FETCH_DONE = "FETCH completed.";
    STORE_DONE = "STORE completed.";
    STORE_MODIFIED = "STORE completed, some messages had changed.";
    COPY_DONE = "COPY completed.";
    MOVE_DONE = "MOVE completed.";

    // Untagged OK.
    CLOSED = "The previous mailbox is now closed.";
    UIDVALIDITY = "UIDs are valid.";
    UIDNEXT = "Predicted next UID.";
    PERMANENTFLAGS = "Flags that are kept.";
    READ_ONLY_FLAGS = "No flag can be changed here.";
    UNSEEN = "First message not seen.";
    HIGHESTMODSEQ = "Highest mod-sequence.";
    MAILBOXID = "Mailbox identifier.";
    COPYUID = "Where they went.";
    STILL_HERE = "Still here.";

    // Continuation.
    CONTINUE = "Go ahead.";
    IDLING = "Idling.";

    // Refusals of meaning.
    LOGIN_FAILED = "The name or the password is not right.";
    LOGIN_DISABLED = "Start TLS first: no password goes over an open line.";
    AUTH_MECHANISM_UNKNOWN = "That mechanism is not offered.";
    AUTH_CANCELLED = "Authentication cancelled.";
    AUTH_UNAVAILABLE = "Logins can't be checked right now, please try again.";
    ACCOUNT_DISABLED = "This account is closed to logins, please ask your administrator.";
    NO_SUCH_MAILBOX = "There is no mailbox of that name.";
    NO_SUCH_MAILBOX_TRY_CREATE = "There is no mailbox of that name yet.";
    MAILBOX_EXISTS = "There is a mailbox of that name already.";
    MAILBOX_NAME_CANNOT = "A mailbox can't have that name.";
    INBOX_STAYS = "INBOX can't be deleted.";
    MAILBOX_IN_USE = "That mailbox can't be changed.";
    MAILBOX_GONE = "The mailbox is gone.";
    SPECIAL_USE_CANNOT = "That special use can't be given.";
    MAILBOX_HAS_CHILDREN = "That mailbox has others below it.";
    READ_ONLY = "The mailbox is open read-only.";
    NOT_PERMITTED = "That is not yours to do.";
    OVER_QUOTA = "There is no room left in this account.";
    DISK_FULL = "The server has no room for new mail right now.";
    TOO_BIG = "The message is larger than this server accepts.";
    LITERAL_TOO_BIG = "The literal is larger than accepted here.";
    TOO_MANY_MAILBOXES = "This account has as many mailboxes as it can.";
    TOO_MANY_KEYWORDS = "This mailbox has as many keywords as it can.";
    MESSAGES_GONE = "Some of these messages are gone.";
    MESSAGE_DAMAGED = "A message could not be read; the administrator is told.";
    UNKNOWN_CTE = "That part has an encoding that is not known here.";
    NO_SUCH_QUOTA_ROOT = "There is no such quota root.";
    BAD_CHARSET = "Only UTF-8 and US-ASCII are understood.";
    NUL_IN_MESSAGE = "A message can't hold NUL bytes, unless sent as a literal8.";
    SEARCH_TOO_LONG = "That search took too long.";
    NOT_SAVED = "The result could not be kept.";
    TRY_AGAIN = "That did not work this time, please try again.";
    FAULT = "Something went wrong here; the administrator is told.";

    // Refusals of form.
    BAD_TAG = "A command starts with a tag.";
    BAD_COMMAND = "No such command.";
    BAD_ARGUMENTS = "The arguments are not understood.";
    BAD_NOT_NOW = "Not in this state.";
    BAD_LOGGED_IN = "Already logged in.";
    BAD_NEEDS_LOGIN = "Log in first.";
    BAD_NEEDS_MAILBOX = "Select a mailbox first.";
    BAD_STARTTLS = "TLS can't be started here.";
    BAD_SET = "There is no message of that number.";
    BAD_LINE = "The line is too long.";
    BAD_LITERAL = "The literal is not well-formed.";
    BAD_DONE = "DONE was expected.";
    BAD_BASE64 = "That is not base64.";
    BAD_MAILBOX_NAME = "The mailbox name is not well encoded.";
    BAD_FLAG = "No such flag.";
    BAD_DATE = "No such date.";
    BAD_TOO_MUCH = "That is more than one command can ask.";
    BAD_QRESYNC = "ENABLE QRESYNC first.";
    BAD_MAILBOX_MAX = "The mailbox name is too long.";
}

#[cfg(test)]
mod tests {
    /// RFC 9051 §9: `text` is printable, never empty, and never looks like a response code.
    #[test]
    fn texts_are_legal() {
        for text in super::ALL {
            let text = text.as_str();
            assert!(text.bytes().all(|b| (0x20..0x7f).contains(&b)), "{text}");
            assert!(!text.is_empty() && !text.starts_with('['));
        }
    }
}
