//! Who errs over and over waits longer and longer for his answers: a program that guesses is slowed,
//! a mail server that made a mistake hardly notices.

use super::Driver;
use crate::drive::Stream;
use crate::limits::TARPIT_TIMES_MAX;

/// So many refusals in a session wait for nothing.
const FREE: u32 = 3;
/// From here on an address waits the longest, whatever it does in this session (a ban is at 100).
const POINTS: u32 = 50;

/// How many times the delay, for the `count`th refusal; pure.
fn times(count: u32, points: u32) -> u32 {
    match points >= POINTS {
        true => TARPIT_TIMES_MAX,
        false => count.saturating_sub(FREE).min(TARPIT_TIMES_MAX),
    }
}

impl<S: Stream> Driver<S> {
    /// Before `output` is said. Only so many connections wait at the same time; the others do not.
    pub(super) async fn tarpit(&mut self, output: &[u8]) {
        let refused = matches!(output.first(), Some(b'4' | b'5'));
        if !refused || self.stranger().is_none() {
            return;
        }
        self.refused = self.refused.saturating_add(1);
        let ctx = self.wire.context();
        let points = ctx.strangers.offences_of(self.wire.peer().address);
        let delay = ctx.config.tarpit_delay * times(self.refused, points);
        if delay.is_zero() {
            return;
        }
        let Ok(_place) = ctx.tarpits.try_acquire() else {
            return;
        };
        tokio::select! {
            () = ctx.shutdown.wait() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use facteur_sim::{SimDisk, VirtualClock};
    use facteur_store::{Options, Store};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::time::Instant;

    use super::*;
    use crate::config::{Config, Role};
    use crate::context::{Context, Peer, PeerAddress, SessionId};

    /// A session with so many commands that are wrong, and how long it took.
    async fn nonsense(ctx: &Arc<Context>, peer: &str, count: usize) -> Duration {
        let address = PeerAddress::Tcp(peer.parse().unwrap());
        let peer = Peer::new(SessionId(1), Role::Smtp, address);
        let (client, server) = tokio::io::duplex(1 << 16);
        tokio::spawn(super::super::serve(server, peer, Arc::clone(ctx)));
        let mut client = BufReader::new(client);
        let (mut line, began) = (String::new(), Instant::now());
        client.read_line(&mut line).await.unwrap();
        for _ in 0..count {
            client.write_all(b"MAIL FROM:<x\r\n").await.unwrap();
            line.clear();
            client.read_line(&mut line).await.unwrap();
            assert!(line.starts_with('5'), "{line}");
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_come_later_and_later() {
        let clock = Arc::new(VirtualClock::new(1));
        let disk = Arc::new(SimDisk::new(1));
        let (store, _) = Store::open(disk, clock, Options::default()).unwrap();
        let mut config = Config::new("mail.example.test");
        config.greeting_delay = Duration::ZERO;
        let ctx = Context::new(config, store).unwrap();
        assert_eq!(nonsense(&ctx, "192.0.2.1:1", 3).await.as_secs(), 0);
        assert_eq!(
            nonsense(&ctx, "192.0.2.1:1", 7).await.as_secs(),
            1 + 2 + 3 + 4
        );
        assert_eq!(nonsense(&ctx, "127.0.0.1:1", 7).await.as_secs(), 0);
        // All places are taken: nobody else waits.
        let places = ctx
            .tarpits
            .try_acquire_many(crate::limits::TARPITS_MAX as u32);
        assert_eq!(nonsense(&ctx, "192.0.2.1:1", 7).await.as_secs(), 0);
        drop(places);
    }

    #[test]
    fn longer_and_longer() {
        for (count, points, expected) in [
            (1, 0, 0),
            (3, 49, 0),
            (4, 0, 1),
            (9, 20, 6),
            (13, 0, 10),
            (1000, 0, 10),
            (1, 50, 10),
        ] {
            assert_eq!(times(count, points), expected, "{count} {points}");
        }
    }
}
