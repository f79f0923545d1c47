//! Logging in (RFC 4954): who is offered what, and the exchange line by line.

use super::{Pending, Session, State};
use crate::command::{self, Secret};
use crate::limits;
use crate::reply;
use crate::server::{CloseReason, Outcome, Request, Step};

impl Session {
    pub(super) fn allowed_mechanisms(&self) -> &[String] {
        if self.tls {
            &self.config.mechanisms_tls
        } else {
            &self.config.mechanisms_plaintext
        }
    }

    pub(super) fn auth(&mut self, mechanism: String, initial: Option<Secret>) -> Option<Step> {
        let offered = |list: &[String]| list.contains(&mechanism);
        let reply = if self.config.mechanisms_tls.is_empty()
            && self.config.mechanisms_plaintext.is_empty()
        {
            reply::NOT_IMPLEMENTED
        } else if self.authenticated {
            reply::AUTH_TWICE
        } else if self.transaction.is_some() {
            reply::AUTH_IN_TRANSACTION
        } else if offered(self.allowed_mechanisms()) {
            self.pending = Some(Pending::Auth);
            return Some(Step::Run(Request::Auth { mechanism, initial }));
        } else if offered(&self.config.mechanisms_tls) {
            reply::MECHANISM_NEEDS_TLS
        } else {
            reply::NO_MECHANISM
        };
        self.error(reply);
        None
    }

    pub(super) fn auth_line(&mut self, line: &[u8]) -> Option<Step> {
        self.state = State::Command;
        let response = match line.strip_suffix(b"\r\n") {
            None => Err(reply::FORBIDDEN_BYTE),
            Some(b"*") => Err(reply::AUTH_CANCELLED),
            Some(text) => command::decode_base64(text).map_err(|_| reply::NOT_BASE64),
        };
        match response {
            Ok(response) => {
                self.pending = Some(Pending::Auth);
                Some(Step::Run(Request::AuthResponse(response)))
            }
            Err(reply) => {
                self.error(reply);
                None
            }
        }
    }

    pub(super) fn auth_answered(&mut self, outcome: Outcome) {
        let refused = match outcome {
            Outcome::Challenge(bytes) => {
                let line = format!("334 {}\r\n", command::encode_base64(&bytes));
                self.output.extend_from_slice(line.as_bytes());
                self.state = State::Auth;
                return;
            }
            Outcome::Authenticated => {
                self.authenticated = true;
                self.idle_commands = 0;
                return self.reply(reply::AUTHENTICATED);
            }
            Outcome::AuthFailed => reply::AUTH_FAILED,
            Outcome::AuthRefused => reply::AUTH_REFUSED,
            Outcome::AuthTemporary => reply::AUTH_TEMPORARY,
            Outcome::Ok | Outcome::Refused(_) | Outcome::Recipients(_) => {
                return self.close(CloseReason::Internal, reply::INTERNAL);
            }
        };
        self.reply(refused);
        self.auth_failures += 1;
        if self.auth_failures >= limits::AUTH_FAILURES_MAX {
            let reply = reply::TOO_MANY_AUTH_FAILURES;
            self.close(CloseReason::TooManyAuthFailures, reply);
        }
    }
}
