//! Reports about a program's mail that come by mail: bounces after a host took it (RFC 3464), and
//! complaints (RFC 5965).

use std::sync::Arc;

use facteur_server::programs::{self, LocalUser, Mandate, Tracking};
use facteur_server::tls::TlsFacts;
use facteur_store::{Program, SentId, SentState};

use super::*;

const STRANGER: &str = "203.0.113.9:999";
const NEWS: &str = "From: shop@example.test\r\nTo: bob@far.test\r\nSubject: News\r\n\r\ntext\r\n";

impl World {
    /// The program "shop" writes to them; what it is known by, and under what it left.
    async fn program_writes(&self, to: &[&str]) -> (SentId, Vec<Taken>) {
        let program = Program {
            name: "shop".to_owned(),
            from: vec!["shop@example.test".to_owned()],
            user: None,
            token: None,
            hook: None,
            created: self.clock.now(),
        };
        let mandate = Mandate::of_program(&program);
        let mut random = [0; 8];
        self.clock.random(&mut random);
        let id = SentId::new(self.clock.now(), random);
        let tracking = Arc::new(Tracking::new(id, "shop", "<1@example.test>"));
        let address = PeerAddress::Tcp(STRANGER.parse().unwrap());
        let mut peer = Peer::new(SessionId(1), Role::Https, address);
        peer.tls = Some(Arc::new(TlsFacts {
            version: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            end_point: None,
            exporter: None,
        }));
        let to: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
        let from = "shop@example.test";
        let message = NEWS.as_bytes();
        let sent = programs::submit(&self.ctx, peer, mandate, tracking, from, &to, message);
        sent.await.unwrap();
        (id, self.arrived().await)
    }

    fn states_of(&self, id: SentId) -> Vec<SentState> {
        let sent = self.ctx.store.sent(id).unwrap().unwrap();
        sent.recipients.iter().map(|it| it.state).collect()
    }

    fn suppressed(&self, address: &str) -> bool {
        self.ctx.store.suppressed(address).unwrap().is_some()
    }
}

fn envelope(taken: &Taken) -> String {
    let (_, rest) = taken.from.split_once('<').unwrap();
    rest.split_once('>').unwrap().0.to_owned()
}

/// As other hosts write it.
fn report(kind: &str, machine: &str, named: &str) -> String {
    let part = match kind {
        "delivery-status" => "delivery-status",
        _ => "feedback-report",
    };
    format!(
        "From: mailer@far.test\r\nTo: <{named}>\r\nSubject: failed\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n\
         --b\r\n\r\nit failed\r\n--b\r\nContent-Type: message/{part}\r\n\r\n{machine}\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nReturn-Path: <{named}>\r\n\
         Subject: News\r\n\r\n--b--\r\n"
    )
}

fn status(recipient: &str, action: &str, status: &str) -> String {
    format!(
        "Reporting-MTA: dns; mx.far.test\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\n\
         Action: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} nobody\r\n"
    )
}

#[tokio::test]
async fn what_bounces_later_is_known_and_not_tried_again() {
    use SentState::{BouncedLater, Delivered};
    let world = World::new().await;
    let (id, taken) = world
        .program_writes(&["bob@far.test", "carol@other.test"])
        .await;
    assert_eq!(taken.len(), 2);
    let back = envelope(&taken[0]);
    assert!(
        back.starts_with("bounce+") && back.ends_with("@example.test"),
        "{back}"
    );
    let dsn = |who: &str, action: &str, code: &str| {
        report("delivery-status", &status(who, action, code), &back)
    };
    let failed = dsn("bob@far.test", "failed", "5.1.1");
    // A stranger, who never saw the message; one who is somebody; one about nobody it went to.
    let forged = failed.replace(&back, &back.replacen("bounce+0", "bounce+1", 1));
    world
        .offer(STRANGER, "", ("alice@example.test", "250"), &forged)
        .await;
    world
        .offer(
            STRANGER,
            "m@far.test",
            ("alice@example.test", "250"),
            &failed,
        )
        .await;
    let other = dsn("dave@far.test", "failed", "5.1.1");
    let late = dsn("bob@far.test", "delayed", "4.4.1");
    let relayed = dsn("bob@far.test", "relayed", "2.0.0");
    for message in [&other, &late, &relayed] {
        world.offer(STRANGER, "", (&back, "250"), message).await;
    }
    assert_eq!(world.states_of(id), [Delivered, Delivered]);
    world.offer(STRANGER, "", (&back, "250"), &failed).await;
    assert_eq!(world.states_of(id), [BouncedLater, Delivered]);
    assert!(world.suppressed("bob@far.test") && !world.suppressed("carol@other.test"));
    let full = dsn("carol@other.test", "failed", "5.2.2");
    world
        .offer(STRANGER, "", (&back.to_uppercase(), "250"), &full)
        .await;
    assert_eq!(world.states_of(id), [BouncedLater, BouncedLater]);
    assert!(!world.suppressed("carol@other.test"));
    // RFC 5321 §6.1: the address takes reports alone, and none that was made up.
    world
        .offer(STRANGER, "m@far.test", (&back, "550"), &full)
        .await;
    let made_up = back.replacen("bounce+0", "bounce+1", 1);
    world.offer(STRANGER, "", (&made_up, "550"), &full).await;
}

/// Who reads the mail of the address that the program sends as gets the reports too, also ours.
#[tokio::test]
async fn reports_come_to_who_reads_the_programs_mail() {
    let world = World::new().await;
    world.alias("shop@example.test", "alice@example.test").await;
    let before = world.letters().len();
    let (id, taken) = world
        .program_writes(&["bob@far.test", "nobody@far.test"])
        .await;
    assert_eq!(
        world.states_of(id),
        [SentState::Delivered, SentState::Bounced]
    );
    let letters = world.letters();
    assert_eq!(letters.len(), before + 1);
    let ours = letters.last().unwrap();
    assert!(ours.contains("To: shop@example.test\r\n"), "{ours}");
    let back = envelope(&taken[0]);
    let failed = status("bob@far.test", "failed", "5.1.1");
    let failed = report("delivery-status", &failed, &back);
    world.offer(STRANGER, "", (&back, "250"), &failed).await;
    assert_eq!(world.letters().len(), before + 2);
    assert_eq!(world.states_of(id)[0], SentState::BouncedLater);
}

#[tokio::test]
async fn a_complaint_counts_for_who_got_the_message() {
    let world = World::new().await;
    let (id, taken) = world.program_writes(&["bob@far.test"]).await;
    let back = envelope(&taken[0]);
    let machine = |kind: &str| format!("Feedback-Type: {kind}\r\nVersion: 1\r\n");
    for (kind, named, state) in [
        ("not-spam", back.as_str(), SentState::Delivered),
        ("abuse", "somebody@example.test", SentState::Delivered),
        ("abuse", back.as_str(), SentState::Complained),
    ] {
        let complaint = report("feedback-report", &machine(kind), named);
        let to = ("abuse@example.test", "250");
        world.offer(STRANGER, "fbl@far.test", to, &complaint).await;
        assert_eq!(world.states_of(id), [state], "{kind} {named}");
    }
    assert!(world.suppressed("bob@far.test"));
}

/// RFC 4865: whom a program means by a name without a mailbox is found out when it says so, and not when
/// the time has come, when nobody knows any more who said it.
#[tokio::test]
async fn what_is_held_for_the_postmaster_comes_to_him() {
    let world = World::new().await;
    let mut peer = Peer::new(SessionId(1), Role::Local, PeerAddress::Unix);
    let login = "root".to_owned();
    peer.user = Some(LocalUser { uid: 0, login });
    for to in ["root@example.test", "Postmaster"] {
        let recipient = format!("RCPT TO:<{to}>\r\n");
        let lines = [
            ("EHLO localhost\r\n", "250"),
            ("MAIL FROM:<alice@example.test> HOLDFOR=3600\r\n", "250"),
            (recipient.as_str(), "250"),
            ("DATA\r\n", "354"),
            ("From: alice@example.test\r\n\r\nheld\r\n.\r\n", "250"),
            ("QUIT\r\n", "221"),
        ];
        world.session_of(peer.clone(), &lines).await;
    }
    let held = || {
        let letters = world.letters();
        let held = letters
            .iter()
            .filter(|text| text.ends_with("\r\n\r\nheld\r\n"));
        held.count()
    };
    assert_eq!(held(), 0, "it waits");
    world.clock.advance(Duration::from_secs(3600));
    assert!(world.arrived().await.is_empty());
    assert_eq!(held(), 2);
}
