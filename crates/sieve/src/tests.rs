//! Every example of the RFCs, and what they say beside.

mod base;
mod compiling;
mod edit;
mod extensions;
mod include;
mod mime;
mod notify;
mod values;

use facteur_message::{Scanner, Span, header};

use crate::message::{Unreadable, World};
use crate::{Budget, Library, Mail, NoScripts, Outcome, Place, compile, run};

/// A world with some mailboxes and a memory.
#[derive(Default)]
pub(crate) struct Fake {
    pub message: Vec<u8>,
    pub seen: Vec<(String, String)>,
    pub scripts: Vec<(Place, &'static str, &'static str)>,
    pub editable: Option<bool>,
    pub spam: Option<u8>,
    pub virus: Option<u8>,
}

impl World for Fake {
    fn mailbox_exists(&self, name: &str) -> bool {
        ["INBOX", "Partners", "Trash"].contains(&name)
    }

    fn mailbox_of_id(&self, id: &str) -> Option<String> {
        (id == "F6352ae03-b7f5-463c-896f-d8b48ee3").then(|| "Partners".to_owned())
    }

    fn mailbox_of_use(&self, special_use: &str) -> Option<String> {
        special_use
            .eq_ignore_ascii_case("\\Trash")
            .then(|| "Trash".to_owned())
    }

    fn in_address_book(&self, value: &str) -> bool {
        value.eq_ignore_ascii_case("coyote@desert.example.org")
    }

    fn metadata(&self, mailbox: Option<&str>, name: &str) -> Option<String> {
        match (mailbox, name) {
            (Some("INBOX"), "/private/vendor/vendor.isode/auto-replies") => Some("on".into()),
            (None, "/private/vendor/vendor.isode/notification-uri") => {
                Some("mailto:alm@example.com".into())
            }
            _ => None,
        }
    }

    fn is_duplicate(&self, handle: &str, id: &str) -> bool {
        self.seen.iter().any(|(h, i)| h == handle && i == id)
    }

    fn body(&self, span: Span, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let (start, end) = (span.start as usize, span.end as usize);
        out.extend_from_slice(self.message.get(start..end).ok_or(Unreadable)?);
        Ok(())
    }
}

impl Library for Fake {
    fn script(&self, place: Place, name: &str) -> Option<String> {
        let mut all = self.scripts.iter();
        all.find(|(p, n, _)| (*p, *n) == (place, name))
            .map(|(_, _, text)| (*text).to_owned())
    }
}

pub(crate) struct Letter<'a> {
    pub message: &'a str,
    pub from: &'a str,
    pub to: &'a str,
}

/// From the RFC: "message A".
pub(crate) const A: &str = "Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)\r\n\
    From: coyote@desert.example.org\r\n\
    To: roadrunner@acme.example.com\r\n\
    Subject: I have a present for you\r\n\
    \r\n\
    Look, I'm sorry about the whole anvil thing, and I really\r\n\
    didn't mean to try and drop it on you from the top of the\r\n\
    cliff.  I want to try to make it up to you.  I've got some\r\n\
    great birdseed over here at my place--top of the line\r\n\
    stuff--and if you come by, I'll have it all wrapped up\r\n\
    for you.  I'm really sorry for all the problems I've caused\r\n\
    for you over the years, but I know we can work this out.\r\n\
    --\r\n\
    Wile E. Coyote   \"Super Genius\"   coyote@desert.example.org\r\n";

/// From the RFC: "message B".
pub(crate) const B: &str = "From: youcouldberich!@reply-by-postal-mail.invalid\r\n\
    Sender: b1ff@de.res.example.com\r\n\
    To: rube@landru.example.com\r\n\
    Date: Mon, 31 Mar 1997 18:26:10 -0800\r\n\
    Subject: $$$ YOU, TOO, CAN BE A MILLIONAIRE! $$$\r\n\
    \r\n\
    YOU MAY HAVE ALREADY WON TEN MILLION DOLLARS, BUT I DOUBT\r\n\
    IT!  SO JUST POST THIS TO SIX HUNDRED NEWSGROUPS!  IT WILL\r\n\
    GUARANTEE THAT YOU GET AT LEAST FIVE RESPONSES WITH MONEY!\r\n\
    MONEY! MONEY! COLD HARD CASH!  YOU WILL RECEIVE OVER\r\n\
    $20,000 IN LESS THAN TWO MONTHS!  AND IT'S LEGAL!!!!!!!!!\r\n\
    !!!!!!!!!!!!!!!!!!111111111!!!!!!!11111111111!!1  JUST\r\n\
    SEND $5 IN SMALL, UNMARKED BILLS TO THE ADDRESSES BELOW!\r\n";

pub(crate) fn letter(message: &str) -> Letter<'_> {
    Letter {
        message,
        from: "coyote@desert.example.org",
        to: "roadrunner@acme.example.com",
    }
}

pub(crate) fn outcome_in(script: &str, letter: &Letter<'_>, fake: &mut Fake) -> Outcome {
    let program = match compile(script, fake) {
        Ok(program) => program,
        Err(error) => panic!("{error}\n{script}"),
    };
    let bytes = letter.message.as_bytes();
    let mut scanner = Scanner::new();
    scanner.push(bytes);
    let facts = scanner.finish();
    fake.message = bytes.to_vec();
    let environment = [
        ("domain", "example.com".to_owned()),
        ("location", "MDA".to_owned()),
    ];
    let mail = Mail {
        header: &bytes[..header::length(bytes)],
        size: bytes.len() as u64,
        root: &facts.root,
        from: letter.from,
        to: letter.to,
        // Tuesday, 3 July 2007, 13:14:15 UTC.
        now: 1_183_468_455,
        environment: &environment,
        received: header::length(bytes),
        editable: fake.editable.unwrap_or(true),
        protected: &["X-Ours"],
        spam_percent: fake.spam,
        virus: fake.virus,
    };
    run(&program, &mail, fake, Budget::default())
}

pub(crate) fn outcome(script: &str, message: &str) -> Outcome {
    outcome_in(script, &letter(message), &mut Fake::default())
}

/// What is done, in short.
pub(crate) fn short(outcome: &Outcome) -> String {
    let mut words: Vec<String> = Vec::new();
    for stored in &outcome.stores {
        let mut word = match stored.mailbox.as_str() {
            "INBOX" => "keep".to_owned(),
            name => format!("into {name}"),
        };
        if stored.create {
            word.push_str(" create");
        }
        if let Some(special_use) = &stored.special_use {
            word.push_str(&format!(" use {special_use}"));
        }
        if !stored.flags.is_empty() {
            word.push_str(&format!(" ({})", stored.flags.join(" ")));
        }
        if stored.edition > 0 {
            word.push_str(&format!(" #{}", stored.edition));
        }
        words.push(word);
    }
    words.extend(outcome.redirects.iter().map(|to| match to.edition {
        0 => format!("redirect {}", to.address),
        edition => format!("redirect {} #{edition}", to.address),
    }));
    words.extend(outcome.notifications.iter().map(|it| {
        let to = it.method.recipients.join(" ");
        format!(
            "notify{} {to}: {}",
            it.importance,
            it.message.as_deref().unwrap_or("-")
        )
    }));
    words.extend(outcome.reject.iter().map(|reject| {
        let name = if reject.ereject { "ereject" } else { "reject" };
        format!("{name} {}", reject.reason.trim_end().replace("\r\n", "|"))
    }));
    words.extend(outcome.vacation.iter().map(|_| "vacation".to_owned()));
    words.extend(
        outcome
            .tracked
            .iter()
            .map(|t| format!("track {}/{}", t.handle, t.id)),
    );
    words.extend(
        outcome
            .failure
            .iter()
            .map(|failure| format!("failed {failure}")),
    );
    if words.is_empty() {
        words.push("discard".to_owned());
    }
    words.join(", ")
}

pub(crate) fn done(script: &str, message: &str) -> String {
    short(&outcome(script, message))
}

/// Whether a test holds.
pub(crate) fn holds(requires: &str, test: &str, message: &str) -> bool {
    let script = format!("require [\"fileinto\"{requires}]; if {test} {{ fileinto \"yes\"; }}");
    match done(&script, message).as_str() {
        "into yes" => true,
        "keep" => false,
        other => panic!("{test}: {other}"),
    }
}

pub(crate) fn error(script: &str) -> String {
    match compile(script, &NoScripts) {
        Ok(_) => panic!("no error: {script}"),
        Err(error) => error.to_string(),
    }
}
