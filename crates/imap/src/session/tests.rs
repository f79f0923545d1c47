//! Dialogues with the session, a scripted driver behind it.

use super::*;
use crate::command::{Append, FetchAttribute, SectionText};
use crate::flag::{FlagList, SystemFlags};
use crate::response::{
    Data, FetchItem, FlagsChanged, Found, ListData, Permanent, Piece, QuotaData, QuotaResource,
    SearchData, SelectData, StatusData, StatusValue, Stored,
};
use crate::set::Numbers;
use proptest::prelude::*;

mod dialogues;
mod limits_hit;
mod printing;
mod splits;

fn config() -> Config {
    Config {
        plaintext_login: false,
        mechanisms_plain: vec!["SCRAM-SHA-256".into(), "PLAIN".into()],
        mechanisms_tls: vec!["SCRAM-SHA-256-PLUS".into(), "PLAIN".into()],
        starttls: true,
        message_bytes_max: 1000,
        before_login: limits::BEFORE_LOGIN,
        after_login: limits::AFTER_LOGIN,
    }
}

/// Answers requests as a small server would, and writes down what it was asked.
struct Driver {
    session: Session,
    said: Vec<u8>,
    asked: Vec<String>,
    body: Vec<u8>,
    /// The last step.
    last: Step,
}

impl Driver {
    fn with(config: Config, tls: bool) -> Self {
        let mut driver = Driver {
            session: Session::new(Arc::new(config), tls),
            said: Vec::new(),
            asked: Vec::new(),
            body: Vec::new(),
            last: Step::Read,
        };
        driver.collect();
        driver
    }

    fn new() -> Self {
        Driver::with(config(), true)
    }

    fn logged_in() -> Self {
        let mut driver = Driver::new();
        driver.send("l LOGIN joe pw\r\n");
        driver.quiet();
        driver
    }

    fn selected() -> Self {
        let mut driver = Driver::logged_in();
        driver.send("s SELECT INBOX\r\n");
        driver.quiet();
        driver
    }

    /// Forgets what was said and asked.
    fn quiet(&mut self) {
        self.said.clear();
        self.asked.clear();
    }

    /// What is said to `input`.
    fn send(&mut self, input: &str) -> String {
        self.send_bytes(input.as_bytes())
    }

    fn send_bytes(&mut self, input: &[u8]) -> String {
        let from = self.said.len();
        self.session.feed(input);
        self.drive();
        String::from_utf8_lossy(&self.said[from..]).into_owned()
    }

    fn drive(&mut self) {
        loop {
            self.last = self.session.step();
            match &self.last {
                Step::Run(request) => {
                    let request = request.clone();
                    self.answer(&request);
                }
                Step::Body(range) => self.body.extend(&self.session.input()[range.clone()]),
                Step::Read | Step::StartTls | Step::Compress | Step::Close => break,
            }
            self.collect();
        }
        self.collect();
    }

    fn collect(&mut self) {
        for output in self.session.take_output() {
            match output {
                Output::Bytes(bytes) => self.said.extend(bytes),
                Output::Stored(stored) => {
                    let text = format!("<{}:{:?}>", stored.handle, stored.range);
                    self.said.extend(text.as_bytes());
                }
            }
        }
    }

    fn answer(&mut self, request: &Request) {
        self.asked.push(format!("{request:?}"));
        let session = &mut self.session;
        let outcome: Outcome = match request {
            Request::Login(login) if login.password == b"pw" => Reply::ok(text::LOGGED_IN).into(),
            Request::Login(_) => Reply::no(text::LOGIN_FAILED)
                .with(Code::AuthenticationFailed)
                .into(),
            Request::Auth(auth) if auth.initial.is_none() => Outcome::Challenge(b"who?".to_vec()),
            Request::Auth(_) => Reply::ok(text::LOGGED_IN).into(),
            Request::AuthResponse(response) if response == b"joe" => {
                Reply::ok(text::LOGGED_IN).into()
            }
            Request::AuthResponse(_) => Reply::no(text::LOGIN_FAILED).into(),
            Request::Select(select) if select.mailbox.as_str() == "gone" => {
                Reply::no(text::NO_SUCH_MAILBOX)
                    .with(Code::NonExistent)
                    .into()
            }
            Request::Select(select) => {
                session.respond(&Untagged::Selected(&SelectData {
                    mailbox: select.mailbox.as_str(),
                    special_use: &[],
                    exists: 3,
                    first_unseen: Some(2),
                    keywords: &["$Work".to_owned()],
                    uid_validity: 7,
                    uid_next: 10,
                    highest_modseq: 99,
                    permanent: match select.read_only {
                        true => Permanent::NONE,
                        false => Permanent::ALL,
                    },
                    mailbox_id: "F1",
                }));
                Reply::ok(text::SELECT_DONE).into()
            }
            Request::AppendBegin(append) if append.mailbox.as_str() == "gone" => {
                Reply::no(text::NO_SUCH_MAILBOX_TRY_CREATE)
                    .with(Code::TryCreate)
                    .into()
            }
            Request::AppendBegin(_) => Outcome::AppendAccept,
            Request::AppendAbort => Outcome::AppendAborted,
            Request::Idle => {
                session.respond(&Untagged::Exists(4));
                Outcome::Idling
            }
            Request::Search(_) => {
                let matches: Numbers = [2, 3, 5].into_iter().collect();
                session.respond(&Untagged::Search(&SearchData {
                    relevancy: &[],
                    matches: Found::Ascending(&matches),
                    modseq: None,
                    mailbox: None,
                }));
                Reply::ok(text::SEARCH_DONE).into()
            }
            Request::Fetch(_) => {
                say_fetch(session, (1, 1), &[FetchItem::Uid(5)]);
                Reply::ok(text::FETCH_DONE).into()
            }
            _ => Reply::ok(text::NOOP_DONE).into(),
        };
        self.session.finish(outcome);
    }
}

/// The response about one message, of this number and uid.
fn say_fetch(session: &mut Session, (sequence, uid): (u32, u32), items: &[FetchItem<'_>]) {
    let mut fetched = session.fetched(0);
    let mut message = fetched.message(sequence, uid, items.len());
    for item in items {
        message.item(item);
    }
    message.end();
    session.say_fetched(fetched, 0);
}
