//! Calls against a world of one name, without sockets and without waiting.

use std::net::SocketAddr;
use std::sync::Mutex;

use facteur_sim::{SimDisk, VirtualClock};
use facteur_store::{
    Clock, NewSent, Options, Program, Sent, SentId, SentRecipient, SentState, Store,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::dns::TableDns;
use crate::net::{Connecting, Net};
use crate::queue::ClientTls;
use crate::{Config, Context};

/// Answers each call with the next of these statuses.
#[derive(Debug)]
struct Web {
    statuses: Mutex<Vec<u16>>,
    called: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Net for Web {
    fn connect(&self, to: SocketAddr, _: Option<IpAddr>) -> Connecting<'_> {
        self.called.lock().unwrap().push(to);
        let status = self.statuses.lock().unwrap().remove(0);
        Box::pin(async move {
            let (client, mut server) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = server.read(&mut buffer).await;
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n"
                );
                let _ = server.write_all(answer.as_bytes()).await;
            });
            Ok(Box::new(client) as Box<dyn Socket>)
        })
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address == IpAddr::V4(Ipv4Addr::new(9, 9, 9, 1))
    }
}

struct World {
    sender: Sender,
    clock: Arc<VirtualClock>,
    disk: SimDisk,
    called: Arc<Mutex<Vec<SocketAddr>>>,
    running: Running,
}

impl World {
    /// One call waits, of a program whose hook leads to this address.
    async fn new(url: &str, private: bool, address: &str, statuses: &[u16]) -> World {
        World::of(1, url, private, address, statuses).await
    }

    /// So many wait.
    async fn of(calls: usize, url: &str, private: bool, address: &str, statuses: &[u16]) -> World {
        let clock = Arc::new(VirtualClock::new(1));
        let options = Options {
            reserved_bytes: 0,
            ..Options::default()
        };
        let disk = SimDisk::new(1);
        let (store, _) = Store::open(Arc::new(disk.clone()), clock.clone(), options).unwrap();
        let program = Program {
            name: "shop".into(),
            from: vec!["shop@example.test".into()],
            user: None,
            token: None,
            hook: Some(Hook {
                url: url.into(),
                secret: b"secret".to_vec(),
                private,
            }),
            created: Timestamp(0),
        };
        store.add_program(program).await.unwrap();
        let now = clock.now();
        let new = NewSent {
            sent: Sent {
                id: SentId::new(now, [1; 8]),
                program: "shop".into(),
                from: String::new(),
                message_id: String::new(),
                key: None,
                recipients: vec![
                    SentRecipient {
                        address: "a@b.test".into(),
                        state: SentState::Suppressed,
                        told: String::new(),
                        at: now,
                    };
                    calls
                ],
            },
            request: [0; 16],
            places: vec![],
        };
        store.deliver_sent(vec![], vec![], new).await.unwrap();
        let called = Arc::new(Mutex::new(Vec::new()));
        let ctx = Context::new(Config::new("mail.example.test"), store).unwrap();
        let web = Web {
            statuses: Mutex::new(statuses.to_vec()),
            called: Arc::clone(&called),
        };
        let dns = Arc::new(TableDns::default());
        dns.set_addresses("hooks.test", Ok(vec![address.parse().unwrap()]));
        let tls = ClientTls::new(None).unwrap();
        World {
            sender: Sender::new(ctx, dns, Arc::new(web), tls),
            clock,
            disk,
            called,
            running: Running::default(),
        }
    }

    /// Makes what is due; gives how many calls that were.
    async fn round(&mut self) -> usize {
        self.running.start(&self.sender).await.unwrap();
        let mut made = 0;
        while let Some(ended) = self.running.tasks.join_next().await {
            made += 1;
            self.running.ended(ended.ok(), self.clock.now());
        }
        made
    }

    fn waiting(&self) -> bool {
        let far = self.clock.now().after(CALLS_KEPT);
        let look = self.sender.ctx.store.calls(far, None, 9, |_| false);
        !look.unwrap().calls.is_empty()
    }

    fn calls(&self) -> usize {
        self.called.lock().unwrap().len()
    }
}

#[tokio::test]
async fn a_call_is_made_again_after_growing_pauses_until_it_is_taken() {
    let url = "http://hooks.test/";
    // A redirection is not followed, it is a failure like others.
    let mut world = World::new(url, true, "127.0.0.1", &[500, 302, 204]).await;
    for pause in [60, 300] {
        assert_eq!(world.round().await, 1);
        world.clock.advance(Duration::from_secs(pause - 1));
        assert_eq!(world.round().await, 0);
        world.clock.advance(Duration::from_secs(1));
        assert!(world.waiting());
    }
    assert_eq!(world.round().await, 1);
    assert!(!world.waiting());
    assert_eq!(world.calls(), 3);
}

#[tokio::test]
async fn it_is_given_up_after_three_days() {
    let statuses = [503; 40];
    let mut world = World::new("http://hooks.test/", true, "127.0.0.1", &statuses).await;
    let mut hours = 0;
    while world.waiting() {
        world.round().await;
        world.clock.advance(Duration::from_secs(3600));
        hours += 1;
        assert!(hours <= 73);
    }
    assert!(hours >= 66, "{hours}");
    assert!((10..40).contains(&world.calls()), "{}", world.calls());
}

#[tokio::test]
async fn nothing_inside_is_called() {
    for (url, address) in [
        ("https://hooks.test/", "127.0.0.1"),
        ("https://hooks.test/", "10.1.2.3"),
        ("https://hooks.test/", "169.254.169.254"),
        ("https://hooks.test/", "::ffff:192.168.0.1"),
        ("https://[::1]/", "8.8.8.8"),
        ("https://192.168.1.1/", "8.8.8.8"),
        ("http://hooks.test/", "8.8.8.8"),
        // The public address of this machine.
        ("https://hooks.test/", "9.9.9.1"),
    ] {
        let mut world = World::new(url, false, address, &[204]).await;
        assert_eq!(world.round().await, 1);
        assert_eq!(world.calls(), 0, "{url} {address}");
        assert!(world.waiting());
    }
    let mut world = World::new("https://hooks.test:8443/", false, "8.8.8.8", &[204]).await;
    world.round().await;
    let called = world.called.lock().unwrap().clone();
    assert_eq!(called, ["8.8.8.8:8443".parse().unwrap()]);
    // Without a handshake nothing was told.
    assert!(world.waiting());
}

#[tokio::test]
async fn a_program_that_is_gone_is_not_told() {
    let mut world = World::new("http://hooks.test/", true, "127.0.0.1", &[]).await;
    let store = world.sender.ctx.store.clone();
    assert!(store.remove_program("shop").await.unwrap());
    world.round().await;
    assert_eq!(world.calls(), 0);
    assert!(!world.waiting());
}

#[tokio::test]
async fn calls_that_fail_together_are_one_failure() {
    let statuses = [500; 8];
    let mut world = World::of(4, "http://hooks.test/", true, "127.0.0.1", &statuses).await;
    assert_eq!(world.round().await, 4);
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(world.round().await, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.round().await, 4);
    let (_, failures) = world.running.resting["shop"];
    assert_eq!(failures, 2);
}

#[tokio::test]
async fn what_a_resting_program_was_not_told_is_dropped_in_the_end() {
    let mut world = World::of(9, "http://hooks.test/", true, "127.0.0.1", &[]).await;
    let forever = world.clock.now().after(CALLS_KEPT * 2);
    world.running.resting.insert("shop".into(), (forever, 9));
    world.clock.advance(CALLS_KEPT);
    assert_eq!(world.round().await, 0);
    assert!(world.waiting());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.round().await, 0);
    assert!(!world.waiting());
}

#[tokio::test]
async fn what_cant_be_written_down_is_not_told_again_at_once() {
    let mut world = World::new("http://hooks.test/", true, "127.0.0.1", &[204, 204]).await;
    world.disk.full_from(0);
    assert_eq!(world.round().await, 1);
    assert_eq!(world.round().await, 0);
    assert!(world.waiting());
}
