//! What a program is told when something is not done: one word for it, one sentence for who reads its
//! log. Nothing of a library's words, nothing of others' data.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use facteur_store::{Error, SentRecipient};
use serde_json::json;

use super::messages::recipient_view;
use crate::programs::Refused;

/// Seconds that a program waits before it tries again.
const RETRY_SECONDS: &str = "60";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    BadKey,
    BadToken,
    NotYourAddress,
    NoSuchMessage,
    NoSuchRoute,
    TooBig,
    TooSlow,
    BadMessage,
    BadRecipients,
    KeyUsed,
    TooMuch,
    Temporary,
    NoRoom,
}

/// Name, status, sentence: all that is ever said.
const TABLE: [(Code, &str, StatusCode, &str); 14] = [
    (
        Code::BadRequest,
        "bad_request",
        StatusCode::BAD_REQUEST,
        "The request is not understood.",
    ),
    (
        Code::BadKey,
        "bad_key",
        StatusCode::BAD_REQUEST,
        "Idempotency-Key is 1 to 255 visible characters.",
    ),
    (
        Code::BadToken,
        "bad_token",
        StatusCode::UNAUTHORIZED,
        "Send Authorization: Bearer and a token that is valid.",
    ),
    (
        Code::NotYourAddress,
        "not_your_address",
        StatusCode::FORBIDDEN,
        "This program may not send as this address.",
    ),
    (
        Code::NoSuchMessage,
        "no_such_message",
        StatusCode::NOT_FOUND,
        "There is no such message of this program, or it is older than 30 days.",
    ),
    (
        Code::NoSuchRoute,
        "no_such_route",
        StatusCode::NOT_FOUND,
        "There is nothing at this path for this method.",
    ),
    (
        Code::TooBig,
        "too_big",
        StatusCode::PAYLOAD_TOO_LARGE,
        "The request is too big.",
    ),
    (
        Code::TooSlow,
        "too_slow",
        StatusCode::REQUEST_TIMEOUT,
        "The request did not come in time.",
    ),
    (
        Code::BadMessage,
        "bad_message",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The message can't be sent as it is.",
    ),
    (
        Code::BadRecipients,
        "bad_recipients",
        StatusCode::UNPROCESSABLE_ENTITY,
        "Mail can be sent to none of the recipients.",
    ),
    (
        Code::KeyUsed,
        "key_used",
        StatusCode::UNPROCESSABLE_ENTITY,
        "This Idempotency-Key was used for another request.",
    ),
    (
        Code::TooMuch,
        "too_much",
        StatusCode::TOO_MANY_REQUESTS,
        "Too much for now; try again later.",
    ),
    (
        Code::Temporary,
        "temporary",
        StatusCode::SERVICE_UNAVAILABLE,
        "Not possible now; try again later.",
    ),
    (
        Code::NoRoom,
        "no_room",
        StatusCode::INSUFFICIENT_STORAGE,
        "The disk is full; try again later.",
    ),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: Code,
    /// Our own words about the caller's own request.
    detail: Option<String>,
    recipients: Vec<SentRecipient>,
}

impl ApiError {
    pub fn new(code: Code) -> Self {
        ApiError {
            code,
            detail: None,
            recipients: Vec::new(),
        }
    }

    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    fn row(&self) -> (&'static str, StatusCode, &'static str) {
        let row = TABLE.iter().find(|row| row.0 == self.code);
        row.map_or(("temporary", StatusCode::SERVICE_UNAVAILABLE, ""), |row| {
            (row.1, row.2, row.3)
        })
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::DiskFull => Code::NoRoom,
            _ => Code::Temporary,
        };
        if code == Code::Temporary {
            tracing::error!(%error, "a program's request failed");
        }
        ApiError::new(code)
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Sender => ApiError::new(Code::NotYourAddress),
            Refused::Recipients(recipients) => ApiError {
                recipients,
                ..ApiError::new(Code::BadRecipients)
            },
            Refused::TooMuch => ApiError::new(Code::TooMuch),
            Refused::Message(reply) => ApiError::new(Code::BadMessage).because(reply),
            Refused::Temporary => ApiError::new(Code::Temporary),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (name, status, sentence) = self.row();
        let mut object = json!({ "error": name, "message": sentence });
        if let Some(map) = object.as_object_mut() {
            if let Some(detail) = &self.detail {
                map.insert("detail".to_owned(), detail.as_str().into());
            }
            if !self.recipients.is_empty() {
                let list: Vec<_> = self.recipients.iter().map(recipient_view).collect();
                map.insert("recipients".to_owned(), list.into());
            }
        }
        let mut response = (
            status,
            [(CONTENT_TYPE, "application/json")],
            object.to_string(),
        )
            .into_response();
        let headers = response.headers_mut();
        if self.code == Code::BadToken {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.code, Code::TooMuch | Code::Temporary | Code::NoRoom) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        response
    }
}
