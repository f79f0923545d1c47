//! Requests of programs to the routes, without sockets.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use axum::body::{Bytes, to_bytes};
use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{Options, Program, Store, Timestamp};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::*;
use crate::Config;
use crate::config::Role;
use crate::context::{PeerAddress, SessionId};
use crate::programs::{count, token};
use crate::strangers::Reason;
use crate::tls::TlsFacts;

/// Begins and never goes on.
struct Stuck;

impl hyper::body::Body for Stuck {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

struct World {
    ctx: Arc<Context>,
    /// Of two programs.
    tokens: [String; 2],
}

impl World {
    async fn new() -> World {
        let clock = Arc::new(VirtualClock::new(1));
        let options = Options {
            reserved_bytes: 0,
            ..Options::default()
        };
        let disk = Arc::new(SimDisk::new(1));
        let (store, _) = Store::open(disk, clock.clone(), options).unwrap();
        store.create_domain("example.test").await.unwrap();
        let mut tokens = Vec::new();
        for name in ["shop", "watch"] {
            let (token, hash) = token::make(clock.as_ref(), name);
            let program = Program {
                name: name.into(),
                from: vec!["@example.test".into()],
                user: None,
                token: Some(hash),
                hook: None,
                created: Timestamp(0),
            };
            store.add_program(program).await.unwrap();
            tokens.push(token);
        }
        let ctx = Context::new(Config::new("mail.example.test"), store).unwrap();
        let tokens = tokens.try_into().unwrap();
        World { ctx, tokens }
    }

    async fn ask(&self, request: Request<Body>) -> (u16, Value) {
        self.ask_from("192.0.2.1", request).await
    }

    async fn ask_from(&self, ip: &str, mut request: Request<Body>) -> (u16, Value) {
        let address = PeerAddress::Tcp((ip.parse::<IpAddr>().unwrap(), 4).into());
        let mut peer = Peer::new(SessionId(1), Role::Https, address);
        peer.tls = Some(Arc::new(TlsFacts {
            version: "TLSv1.3",
            cipher: String::new(),
            end_point: None,
            exporter: None,
        }));
        request.extensions_mut().insert(peer);
        let answer = router(Arc::clone(&self.ctx)).oneshot(request).await;
        let answer = answer.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status, body)
    }

    fn request(&self, program: usize, start: &str, key: Option<&str>, body: Body) -> Request<Body> {
        let (method, path) = start.split_once(' ').unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("Authorization", format!("Bearer {}", self.tokens[program]));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.body(body).unwrap()
    }

    async fn post(&self, program: usize, key: Option<&str>, letter: &Value) -> (u16, Value) {
        let body = Body::from(letter.to_string());
        let request = self.request(program, "POST /v1/messages", key, body);
        self.ask(request).await
    }
}

fn error(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"].as_str().unwrap_or_default())
}

fn letter() -> Value {
    json!({ "to": "ann@remote.test", "text": "Thank you." })
}

#[tokio::test]
async fn a_repetition_is_answered_whatever_the_limits_say() {
    let world = World::new().await;
    let first = world.post(0, Some("k"), &letter()).await;
    assert_eq!(first.0, 202, "{first:?}");
    let now = world.ctx.clock.monotonic();
    while count(&world.ctx.rates, "shop", now).is_ok() {}
    assert_eq!(world.post(0, Some("k"), &letter()).await, first);
    let other = json!({ "to": "bob@remote.test", "text": "x" });
    let other = world.post(0, Some("k"), &other).await;
    assert_eq!(error(&other), (422, "key_used"));
    // The key of another program is another key.
    let other = world.post(1, Some("k"), &letter()).await;
    assert_eq!(other.0, 202);
    assert_ne!(other.1["id"], first.1["id"]);
    let new = world.post(0, Some("l"), &letter()).await;
    assert_eq!(error(&new), (429, "too_much"));
}

#[tokio::test]
async fn a_message_id_has_an_end() {
    let world = World::new().await;
    let lines = |count| format!(" {}\n", "x".repeat(60)).repeat(count);
    for (count, status) in [(2, 202), (17, 422)] {
        let raw = format!("Message-ID: <x\n{}\nx\n", lines(count));
        let raw = json!({ "to": "ann@remote.test", "from": "a@example.test",
            "raw": format!("From: a@example.test\n{raw}") });
        let answer = world.post(0, None, &raw).await;
        assert_eq!(answer.0, status, "{answer:?}");
        if status == 422 {
            assert_eq!(error(&answer), (422, "bad_message"));
        }
    }
}

#[tokio::test]
async fn what_is_no_identifier_is_no_message() {
    let world = World::new().await;
    for id in ["%ff", "x", "%00", "00000000000000000000000000000000"] {
        let start = format!("GET /v1/messages/{id}");
        let request = world.request(0, &start, None, Body::empty());
        let answer = world.ask(request).await;
        assert_eq!(error(&answer), (404, "no_such_message"), "{id}");
    }
}

#[tokio::test]
async fn slow_bodies_of_one_program_leave_room_for_others() {
    let world = Arc::new(World::new().await);
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..9 {
        let world = Arc::clone(&world);
        slow.spawn(async move {
            let request = world.request(0, "POST /v1/messages", None, Body::new(Stuck));
            world.ask(request).await
        });
    }
    for _ in 0..99 {
        tokio::task::yield_now().await;
    }
    // Before the first of them is given up.
    let letter = letter();
    let answer = tokio::time::timeout(limits::BODY / 2, world.post(1, None, &letter)).await;
    assert_eq!(answer.map(|answer| answer.0), Ok(202));
    assert!(slow.try_join_next().is_none());
}

/// Whoever tries tokens is shut out like whoever tries passwords; an old program and those beside a
/// good one are not.
#[tokio::test]
async fn guessing_tokens_leads_to_a_ban() {
    let world = World::new().await;
    let ban_of = |ip: &str| {
        let address = (ip.parse::<IpAddr>().unwrap(), 4).into();
        world.ctx.strangers.ban_of(PeerAddress::Tcp(address))
    };
    let asked = |token: String| {
        let request = Request::builder().uri("/v1/messages/00");
        let request = request.header("Authorization", format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    };
    let home = world.ask_from("192.0.2.9", asked(world.tokens[0].clone()));
    assert_eq!(error(&home.await), (404, "no_such_message"));
    for guess in 0..40 {
        for (ip, token) in [
            ("192.0.2.1", format!("guess{guess}")),
            ("192.0.2.2", "old".to_owned()),
            ("192.0.2.9", format!("guess{guess}")),
            ("127.0.0.1", format!("guess{guess}")),
        ] {
            let answer = world.ask_from(ip, asked(token)).await;
            assert_eq!(error(&answer), (401, "bad_token"), "{ip}");
        }
        let nothing = Request::builder().uri("/v1/messages/00");
        let nothing = nothing.body(Body::empty()).unwrap();
        world.ask_from("192.0.2.3", nothing).await;
    }
    assert_eq!(
        ban_of("192.0.2.1").map(|ban| ban.reason),
        Some(Reason::Logins)
    );
    for ip in ["192.0.2.2", "192.0.2.3", "192.0.2.9", "127.0.0.1"] {
        assert_eq!(ban_of(ip), None, "{ip}");
    }
}
