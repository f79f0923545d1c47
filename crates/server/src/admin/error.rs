//! What can go wrong, as the callers see it: one word for programs, one sentence for people.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use facteur_store::Error;
use serde_json::json;

/// Stable: programs branch on the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    BadAddress,
    BadIp,
    BadDomain,
    BadName,
    BadUids,
    BadScript,
    WeakPassword,
    NoSuchRoute,
    NoSuchAccount,
    NoSuchGroup,
    NoSuchMember,
    NoSuchAddress,
    NoSuchDomain,
    NoSuchMailbox,
    NoSuchMessage,
    NoSuchQueueEntry,
    NoSuchScript,
    NoSuchProgram,
    NoSuchBan,
    OwnAddress,
    LoggedInThere,
    NothingToRestore,
    NotAnAlias,
    AliasLoop,
    Exists,
    InUse,
    Busy,
    OverLimit,
    AskedTooOften,
    NoSuchForward,
    DiskFull,
    Disk,
    Damaged,
    Stopping,
    Internal,
}

/// Name, status, sentence: everything the interface ever says about a failure.
const TABLE: [(Code, &str, StatusCode, &str); 36] = [
    (
        Code::BadRequest,
        "bad_request",
        StatusCode::BAD_REQUEST,
        "The request is not understood.",
    ),
    (
        Code::BadAddress,
        "bad_address",
        StatusCode::BAD_REQUEST,
        "This is not a mail address.",
    ),
    (
        Code::BadIp,
        "bad_ip",
        StatusCode::BAD_REQUEST,
        "Not an IP address.",
    ),
    (
        Code::BadDomain,
        "bad_domain",
        StatusCode::BAD_REQUEST,
        "This is not a domain name.",
    ),
    (
        Code::BadName,
        "bad_name",
        StatusCode::BAD_REQUEST,
        "This name is not allowed.",
    ),
    (
        Code::BadUids,
        "bad_uids",
        StatusCode::BAD_REQUEST,
        "Uids are written like 3,7:12.",
    ),
    (
        Code::BadScript,
        "bad_script",
        StatusCode::BAD_REQUEST,
        "The filter script can't be used.",
    ),
    (
        Code::WeakPassword,
        "weak_password",
        StatusCode::BAD_REQUEST,
        "A password has 8 to 256 characters, none of them a control character.",
    ),
    (
        Code::NoSuchRoute,
        "no_such_route",
        StatusCode::NOT_FOUND,
        "There is nothing at this path for this method.",
    ),
    (
        Code::NoSuchAccount,
        "no_such_account",
        StatusCode::NOT_FOUND,
        "There is no such account.",
    ),
    (
        Code::NoSuchGroup,
        "no_such_group",
        StatusCode::NOT_FOUND,
        "There is no such group.",
    ),
    (
        Code::NoSuchMember,
        "no_such_member",
        StatusCode::NOT_FOUND,
        "This account is not a member of the group.",
    ),
    (
        Code::NoSuchAddress,
        "no_such_address",
        StatusCode::NOT_FOUND,
        "There is no such address.",
    ),
    (
        Code::NoSuchDomain,
        "no_such_domain",
        StatusCode::NOT_FOUND,
        "There is no such domain.",
    ),
    (
        Code::NoSuchMailbox,
        "no_such_mailbox",
        StatusCode::NOT_FOUND,
        "There is no such mailbox.",
    ),
    (
        Code::NoSuchMessage,
        "no_such_message",
        StatusCode::NOT_FOUND,
        "There is no such message.",
    ),
    (
        Code::NoSuchQueueEntry,
        "no_such_queue_entry",
        StatusCode::NOT_FOUND,
        "There is no such queue entry.",
    ),
    (
        Code::NoSuchScript,
        "no_such_script",
        StatusCode::NOT_FOUND,
        "There is no such script.",
    ),
    (
        Code::NoSuchProgram,
        "no_such_program",
        StatusCode::NOT_FOUND,
        "There is no such program.",
    ),
    (
        Code::NoSuchBan,
        "no_such_ban",
        StatusCode::NOT_FOUND,
        "That address is not shut out.",
    ),
    (
        Code::OwnAddress,
        "own_address",
        StatusCode::CONFLICT,
        "That address is this machine's, or of a trusted network.",
    ),
    (
        Code::LoggedInThere,
        "logged_in_there",
        StatusCode::CONFLICT,
        "Somebody logged in from that address of late.",
    ),
    (
        Code::NothingToRestore,
        "nothing_to_restore",
        StatusCode::NOT_FOUND,
        "Nothing deleted is kept under this name.",
    ),
    (
        Code::NotAnAlias,
        "not_an_alias",
        StatusCode::CONFLICT,
        "This is the address of an account, not an alias.",
    ),
    (
        Code::AliasLoop,
        "alias_loop",
        StatusCode::CONFLICT,
        "The alias would lead back to itself.",
    ),
    (
        Code::Exists,
        "exists",
        StatusCode::CONFLICT,
        "It exists already.",
    ),
    (Code::InUse, "in_use", StatusCode::CONFLICT, "It is in use."),
    (
        Code::Busy,
        "busy",
        StatusCode::CONFLICT,
        "The entry is being sent at this moment.",
    ),
    (
        Code::OverLimit,
        "over_limit",
        StatusCode::CONFLICT,
        "A limit is reached.",
    ),
    (
        Code::AskedTooOften,
        "asked_too_often",
        StatusCode::CONFLICT,
        "The owner of this address can't be asked now.",
    ),
    (
        Code::NoSuchForward,
        "no_such_forward",
        StatusCode::NOT_FOUND,
        "No mail is sent on to this address.",
    ),
    (
        Code::DiskFull,
        "disk_full",
        StatusCode::INSUFFICIENT_STORAGE,
        "The disk is full.",
    ),
    (
        Code::Disk,
        "disk",
        StatusCode::INTERNAL_SERVER_ERROR,
        "The disk failed.",
    ),
    (
        Code::Damaged,
        "damaged",
        StatusCode::INTERNAL_SERVER_ERROR,
        "The store is damaged.",
    ),
    (
        Code::Stopping,
        "stopping",
        StatusCode::SERVICE_UNAVAILABLE,
        "The server is stopping.",
    ),
    (
        Code::Internal,
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong inside.",
    ),
];

impl Code {
    /// Every code, for those who translate them.
    pub fn all() -> impl Iterator<Item = Code> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static (Code, &'static str, StatusCode, &'static str) {
        static UNKNOWN: (Code, &str, StatusCode, &str) = (
            Code::Internal,
            "internal",
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong inside.",
        );
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&UNKNOWN)
    }

    pub fn name(self) -> &'static str {
        self.row().1
    }

    pub fn message(self) -> &'static str {
        self.row().3
    }
}

#[derive(Debug)]
pub struct ApiError {
    code: Code,
    /// For the operator; the caller of this interface is one.
    cause: Option<String>,
}

impl ApiError {
    pub fn new(code: Code) -> Self {
        ApiError { code, cause: None }
    }

    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    pub fn code(&self) -> Code {
        self.code
    }

    /// The JSON object.
    pub fn json(&self) -> Vec<u8> {
        let mut object = json!({ "error": self.code.name(), "message": self.code.message() });
        if let (Some(cause), Some(object)) = (&self.cause, object.as_object_mut()) {
            object.insert("cause".to_owned(), cause.as_str().into());
        }
        object.to_string().into_bytes()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NoSuchAccount => Code::NoSuchAccount,
            Error::NoSuchMailbox => Code::NoSuchMailbox,
            Error::NoSuchDomain => Code::NoSuchDomain,
            Error::NoSuchAddress => Code::NoSuchAddress,
            Error::NoSuchMessage => Code::NoSuchMessage,
            Error::NoSuchQueueEntry => Code::NoSuchQueueEntry,
            Error::NoSuchScript => Code::NoSuchScript,
            Error::Exists => Code::Exists,
            Error::BadName => Code::BadName,
            Error::InUse => Code::InUse,
            Error::TooManyMailboxes
            | Error::TooManyKeywords
            | Error::TooManyEntries
            | Error::TooManyRights
            | Error::TooManyScripts
            | Error::OverQuota
            | Error::TooLarge => Code::OverLimit,
            Error::DiskFull => Code::DiskFull,
            Error::Disk(_) => Code::Disk,
            Error::Damaged { .. } => Code::Damaged,
            Error::Closed => Code::Stopping,
        };
        let new = ApiError::new(code);
        match code {
            Code::OverLimit | Code::Disk | Code::Damaged => new.because(error),
            _ => new,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code.row().2;
        if status.is_server_error() {
            tracing::warn!(
                error = self.code.name(),
                cause = self.cause.as_deref().unwrap_or(""),
                "an admin request failed"
            );
        }
        let head = [(axum::http::header::CONTENT_TYPE, "application/json")];
        (status, head, self.json()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row_and_one_name() {
        let mut names: Vec<&str> = Code::all().map(Code::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        for row in &TABLE {
            assert_eq!(row.0.name(), row.1);
        }
    }
}
