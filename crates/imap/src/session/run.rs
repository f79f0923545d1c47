//! What the session does itself with a command, and what it checks before the driver gets one.

use super::append::Incoming;
use super::{CloseReason, Kind, Phase, Reading, Running, Session, Step, capability, reply};
use crate::command::{
    Auth, Command, FetchAttribute, Numbering, Request, Row, Search, SearchKey, Source, StatusItem,
};
use crate::response::{Code, Reply};
use crate::text::{self, Language};

impl Session {
    pub(super) fn run(
        &mut self,
        tag: Vec<u8>,
        row: &'static Row,
        numbering: Numbering,
        command: Command,
    ) -> Option<Step> {
        match command {
            Command::Capability => self.capability(&tag),
            Command::Logout => self.logout(&tag),
            Command::StartTls => return self.start_tls(&tag),
            Command::Compress(mechanism) => return self.compress(&tag, &mechanism),
            Command::Language(ranges) => self.choose_language(&tag, &ranges),
            Command::Authenticate(auth) => return self.authenticate(tag, auth),
            Command::Enable(names) => {
                let condstore = self.enable(&names);
                let mut running = Running::new(tag, row.name, Kind::Plain);
                running.condstore_began = condstore;
                self.running = Some(running);
                return Some(Step::Run(Request::Enabled { condstore }));
            }
            Command::Append { .. } if row.writes && self.read_only => {
                self.tagged(&tag, &Reply::no(text::READ_ONLY));
            }
            Command::Append { target, items } => {
                let incoming = Incoming::new(tag, row.name, target, items, None);
                self.reading = Reading::Message(incoming);
            }
            Command::Run(Request::Noop) if self.phase == Phase::NotAuthenticated => {
                self.tagged(&tag, &Reply::ok(text::NOOP_DONE));
            }
            Command::Run(request) => {
                if let Some(reply) = self.unfit(row, &request) {
                    self.tagged(&tag, &reply);
                    return None;
                }
                return Some(self.hand_over(tag, row, numbering, request));
            }
        }
        None
    }

    fn capability(&mut self, tag: &[u8]) {
        let capabilities = self.capabilities();
        let out = self.output.bytes();
        out.extend_from_slice(b"* CAPABILITY ");
        out.extend_from_slice(capabilities.as_bytes());
        out.extend_from_slice(b"\r\n");
        self.tagged(tag, &Reply::ok(text::CAPABILITY_DONE));
    }

    /// RFC 9051 §6.1.3.
    fn logout(&mut self, tag: &[u8]) {
        crate::response::code::bye(text::BYE_LOGOUT, self.language, self.output.bytes());
        self.tagged(tag, &Reply::ok(text::LOGOUT_DONE));
        self.close_silently(CloseReason::Logout);
    }

    /// RFC 4978 §3. The client waits for the answer: what came along would be neither plain nor
    /// compressed for sure.
    fn compress(&mut self, tag: &[u8], mechanism: &str) -> Option<Step> {
        let refusal = if mechanism != "DEFLATE" {
            Some(Reply::bad(text::BAD_COMPRESS))
        } else if self.compressed {
            Some(Reply::no(text::COMPRESSED_ALREADY).with(Code::CompressionActive))
        } else if !self.input.is_empty() {
            Some(Reply::bad(text::BAD_COMPRESS_PIPELINED))
        } else {
            None
        };
        if let Some(reply) = refusal {
            self.tagged(tag, &reply);
            return None;
        }
        self.compressed = true;
        self.tagged(tag, &Reply::ok(text::COMPRESS_BEGIN));
        Some(Step::Compress)
    }

    /// RFC 5255 §3.2: the first language that is spoken here; the change takes effect at once.
    fn choose_language(&mut self, tag: &[u8], ranges: &[String]) {
        let out = self.output.bytes();
        if ranges.is_empty() {
            out.extend_from_slice(b"* LANGUAGE (en fr i-default)\r\n");
            return self.tagged(tag, &Reply::ok(text::LANGUAGES_LISTED));
        }
        match ranges.iter().find_map(|range| Language::matching(range)) {
            Some((language, name)) => {
                out.extend_from_slice(b"* LANGUAGE (");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b")\r\n");
                self.language = language;
                self.tagged(tag, &Reply::ok(text::LANGUAGE_DONE));
            }
            None => self.tagged(tag, &Reply::no(text::LANGUAGE_UNKNOWN)),
        }
    }

    /// RFC 9051 §6.2.1. What was sent along in plaintext could come from anybody.
    fn start_tls(&mut self, tag: &[u8]) -> Option<Step> {
        if self.tls || !self.config.starttls {
            if self.count_bad() {
                self.tagged(tag, &Reply::bad(text::BAD_STARTTLS));
            }
            return None;
        }
        if !self.input.is_empty() {
            self.close_with(text::BYE_STARTTLS, CloseReason::BytesAfterStartTls);
            return None;
        }
        self.tagged(tag, &Reply::ok(text::STARTTLS_BEGIN));
        self.input.shrink();
        self.reading = Reading::Handshake;
        Some(Step::StartTls)
    }

    fn authenticate(&mut self, tag: Vec<u8>, auth: Auth) -> Option<Step> {
        let offered = capability::mechanisms(&self.config, self.tls)
            .any(|mechanism| *mechanism == auth.mechanism);
        if offered {
            self.running = Some(Running::new(tag, "AUTHENTICATE", Kind::Sasl));
            return Some(Step::Run(Request::Auth(auth)));
        }
        let under_tls = self.config.mechanisms_tls.contains(&auth.mechanism) && !self.tls;
        let reply = if under_tls {
            Reply::no(text::LOGIN_DISABLED).with(Code::PrivacyRequired)
        } else {
            Reply::no(text::AUTH_MECHANISM_UNKNOWN).with(Code::Cannot)
        };
        if self.count_bad() {
            self.tagged(&tag, &reply);
        }
        None
    }

    /// RFC 5161. True when CONDSTORE comes in force by it.
    fn enable(&mut self, names: &[String]) -> bool {
        let before = self.enabled.condstore;
        let mut listed = Vec::new();
        for name in names {
            let spelt = match name.as_str() {
                "IMAP4REV2" => {
                    self.enabled.rev2 = true;
                    "IMAP4rev2"
                }
                "CONDSTORE" => {
                    self.enabled.condstore = true;
                    "CONDSTORE"
                }
                // RFC 5161 §3.1: what is not offered is ignored.
                name if self.hidden.contains(&name) => continue,
                // RFC 9586 §3.
                "UIDONLY" => {
                    self.enabled.uid_only = true;
                    "UIDONLY"
                }
                // RFC 6855 §3.
                "UTF8=ACCEPT" => {
                    self.enabled.utf8_accept = true;
                    "UTF8=ACCEPT"
                }
                // RFC 7162 §3.2.3: QRESYNC brings CONDSTORE.
                "QRESYNC" => {
                    self.enabled.qresync = true;
                    self.enabled.condstore = true;
                    "QRESYNC"
                }
                _ => continue,
            };
            if !listed.contains(&spelt) {
                listed.push(spelt);
            }
        }
        let out = self.output.bytes();
        out.extend_from_slice(b"* ENABLED");
        for name in listed {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        self.enabled.condstore && !before
    }

    /// Why a request can't be handed over as things are.
    fn unfit(&self, row: &Row, request: &Request) -> Option<Reply> {
        if row.writes && self.read_only {
            return Some(Reply::no(text::READ_ONLY));
        }
        if self.enabled.uid_only && names_sequences(request) {
            return Some(reply::uid_required());
        }
        let needs_qresync = match request {
            Request::Login(_) if !capability::login_allowed(&self.config, self.tls) => {
                return Some(Reply::no(text::LOGIN_DISABLED).with(Code::PrivacyRequired));
            }
            // RFC 7162 §3.2.5, §3.2.6.
            Request::Select(select) => select.qresync.is_some(),
            Request::Fetch(fetch) => fetch.vanished,
            Request::Search(search) if self.phase != Phase::Selected && needs_mailbox(search) => {
                return Some(Reply::bad(text::BAD_NEEDS_MAILBOX));
            }
            _ => false,
        };
        (needs_qresync && !self.enabled.qresync).then(|| Reply::bad(text::BAD_QRESYNC))
    }

    fn hand_over(
        &mut self,
        tag: Vec<u8>,
        row: &'static Row,
        numbering: Numbering,
        request: Request,
    ) -> Step {
        let kind = match &request {
            Request::Login(_) => Kind::Login,
            Request::Select(select) => Kind::Select {
                read_only: select.read_only,
            },
            Request::Close | Request::Unselect => Kind::Leave,
            Request::Idle => Kind::Idle,
            Request::Unauthenticate => Kind::Unauthenticate,
            _ => Kind::Plain,
        };
        if matches!(kind, Kind::Select { .. }) && self.phase == Phase::Selected {
            // RFC 9051 §6.3.2: the old mailbox is left whether or not the new one opens.
            self.say(&Reply::ok(text::CLOSED).with(Code::Closed));
            self.phase = Phase::Authenticated;
            self.read_only = false;
        }
        let mut running = Running::new(tag, row.name, kind);
        running.numbering = match &request {
            Request::Search(search) => search.numbering,
            _ => numbering,
        };
        running.holds_expunges = row.holds_expunges && numbering == Numbering::Sequence;
        if let Request::Search(search) = &request {
            running.search_return = search.return_;
        }
        if enables_condstore(&request) && !self.enabled.condstore {
            self.enabled.condstore = true;
            running.condstore_began = true;
        }
        self.running = Some(running);
        Step::Run(request)
    }
}

/// RFC 7377 §2.2.
fn needs_mailbox(search: &Search) -> bool {
    let sources = search.sources.as_deref().unwrap_or(&[Source::Selected]);
    sources.contains(&Source::Selected) || search.return_.is_some_and(|return_| return_.update)
}

/// RFC 9586 §3: sequence numbers among the arguments of a command that goes by uids.
fn names_sequences(request: &Request) -> bool {
    match request {
        Request::Select(select) => {
            let qresync = select.qresync.as_ref();
            qresync.is_some_and(|qresync| qresync.sequence_match.is_some())
        }
        Request::Search(search) => search.keys.iter().any(SearchKey::names_sequences),
        Request::Thread(thread) => thread.keys.iter().any(SearchKey::names_sequences),
        _ => false,
    }
}

/// RFC 7162 §3.1.
fn enables_condstore(request: &Request) -> bool {
    match request {
        Request::Select(select) => select.condstore,
        Request::Status(status) => status.items.contains(&StatusItem::HighestModSeq),
        Request::List(list) => list
            .return_
            .status
            .as_ref()
            .is_some_and(|items| items.contains(&StatusItem::HighestModSeq)),
        Request::Fetch(fetch) => fetch.items.contains(&FetchAttribute::ModSeq),
        Request::Search(search) => search.keys.iter().any(SearchKey::uses_modseq),
        Request::Thread(thread) => thread.keys.iter().any(SearchKey::uses_modseq),
        Request::Store(store) => store.unchanged_since.is_some(),
        _ => false,
    }
}
