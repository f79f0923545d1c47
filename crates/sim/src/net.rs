//! A network of mail hosts that behave as hosts do: most are good, some are dead, slow, mute,
//! forgetful, or end the connection at the worst moment. Seeded; time is tokio's, which a test
//! pauses.
//!
//! Each host keeps what it took, and whether its reply to it got out: a message without a reply may
//! come a second time (RFC 5321 §4.1.1.4), one with a reply never.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use crate::Random;

/// Bytes on their way.
const WIRE_BYTES: usize = 16 << 10;

/// How a host takes a connection, or a whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    /// Nobody is there.
    Dead,
    /// The connection is refused at once.
    Refused,
    /// Takes the connection and never says anything.
    Mute,
    /// Waits before each reply.
    Tarpit(Duration),
    /// 421 instead of a greeting.
    Busy,
    /// 451 to every recipient.
    Storm,
    /// 451 to a recipient whom it has not seen before, for a while.
    Greylist(Duration),
    /// 550 to every recipient.
    Refuses,
    /// 554 to the message, after 354.
    RefusesContent,
    /// Offers STARTTLS and then talks nonsense.
    BrokenTls,
    /// Ends the connection in the middle of the message.
    DropsInBody,
    /// Keeps the message and ends the connection without a reply.
    DropsAfterBody,
    /// Keeps nothing and ends the connection without a reply.
    ForgetsAfterBody,
    /// Reads no more and says nothing after the message, but keeps the connection.
    HalfClosed,
    /// 421 after each message.
    OneEach,
    /// A reply that is no reply.
    Nonsense,
}

impl Mood {
    pub const TEMPORARY: [Mood; 14] = [
        Mood::Dead,
        Mood::Refused,
        Mood::Mute,
        Mood::Tarpit(Duration::from_secs(20)),
        Mood::Busy,
        Mood::Storm,
        Mood::Greylist(Duration::from_secs(600)),
        Mood::BrokenTls,
        Mood::DropsInBody,
        Mood::DropsAfterBody,
        Mood::ForgetsAfterBody,
        Mood::HalfClosed,
        Mood::OneEach,
        Mood::Nonsense,
    ];
}

/// One recipient of one message that a host took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub recipient: String,
    /// The value of its Message-ID field.
    pub message: String,
    /// The whole reply was written before anything broke.
    pub replied: bool,
}

#[derive(Debug)]
struct Host {
    /// One is drawn for each connection.
    moods: Vec<Mood>,
    seen: HashMap<String, tokio::time::Instant>,
}

#[derive(Debug)]
struct State {
    hosts: HashMap<IpAddr, Host>,
    taken: Vec<Taken>,
    random: Random,
    connections: BTreeMap<IpAddr, usize>,
}

/// Shared by its clones.
#[derive(Clone, Debug)]
pub struct SimNet(Arc<Mutex<State>>);

impl SimNet {
    pub fn new(seed: u64) -> Self {
        SimNet(Arc::new(Mutex::new(State {
            hosts: HashMap::new(),
            taken: Vec::new(),
            random: Random::new(seed),
            connections: BTreeMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host, or another mood for it. Each connection draws one of the moods.
    pub fn set(&self, address: IpAddr, moods: &[Mood]) {
        let mut state = self.lock();
        let seen = state.hosts.remove(&address).map(|host| host.seen);
        let host = Host {
            moods: moods.to_vec(),
            seen: seen.unwrap_or_default(),
        };
        state.hosts.insert(address, host);
    }

    /// Everything that was taken until now, by all hosts.
    pub fn taken(&self) -> Vec<Taken> {
        self.lock().taken.clone()
    }

    /// How often each address was called.
    pub fn connections(&self) -> BTreeMap<IpAddr, usize> {
        self.lock().connections.clone()
    }

    /// # Errors
    /// What the system would say; a dead host never answers.
    pub async fn connect(&self, address: IpAddr) -> io::Result<DuplexStream> {
        let mood = {
            let mut state = self.lock();
            *state.connections.entry(address).or_default() += 1;
            let State { hosts, random, .. } = &mut *state;
            let moods = hosts.get(&address).map(|host| host.moods.as_slice());
            let moods = moods.unwrap_or(&[Mood::Dead]);
            moods.get(random.index(moods.len())).copied()
        };
        let mood = mood.unwrap_or(Mood::Good);
        match mood {
            Mood::Dead => std::future::pending().await,
            Mood::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            _ => {}
        }
        let (ours, theirs) = tokio::io::duplex(WIRE_BYTES);
        let peer = Peer {
            net: self.clone(),
            address,
            mood,
            stream: BufReader::new(theirs),
            recipients: Vec::new(),
        };
        tokio::spawn(async move {
            // However it ends, the connection is gone.
            let _ = peer.run().await;
        });
        Ok(ours)
    }
}

struct Peer {
    net: SimNet,
    address: IpAddr,
    mood: Mood,
    stream: BufReader<DuplexStream>,
    recipients: Vec<String>,
}

impl Peer {
    async fn say(&mut self, reply: &str) -> io::Result<()> {
        if let Mood::Tarpit(pause) = self.mood {
            tokio::time::sleep(pause).await;
        }
        self.stream.write_all(reply.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    async fn run(mut self) -> io::Result<()> {
        match self.mood {
            Mood::Mute => std::future::pending().await,
            Mood::Busy => return self.say("421 4.3.2 come back later").await,
            Mood::Nonsense => return self.say("hello, who is it?").await,
            _ => self.say("220 peer.test ESMTP").await?,
        }
        loop {
            let line = self.line().await?;
            let verb = line.split(' ').next().unwrap_or_default();
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" if self.mood == Mood::BrokenTls => {
                    self.say("250-peer.test\r\n250-PIPELINING\r\n250 STARTTLS")
                        .await?;
                }
                "EHLO" => {
                    self.say("250-peer.test\r\n250-PIPELINING\r\n250 8BITMIME")
                        .await?
                }
                "STARTTLS" => {
                    self.say("220 go").await?;
                    return self.say("what do you mean?").await;
                }
                "MAIL" => {
                    self.recipients.clear();
                    self.say("250 2.1.0 OK").await?;
                }
                "RCPT" => self.rcpt(&line).await?,
                "DATA" if self.recipients.is_empty() => self.say("554 5.5.1 nobody").await?,
                "DATA" => {
                    self.say("354 go").await?;
                    self.body().await?;
                }
                "RSET" => self.say("250 OK").await?,
                "QUIT" => return self.say("221 bye").await,
                _ => self.say("500 5.5.1 what?").await?,
            }
        }
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        let path = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let reply = match self.mood {
            Mood::Refuses => "550 5.1.1 nobody here",
            Mood::Storm => "451 4.3.0 not now",
            Mood::Greylist(wait) => match self.greylisted(&path, wait) {
                true => "451 4.7.1 greylisted",
                false => "250 2.1.5 OK",
            },
            _ => "250 2.1.5 OK",
        };
        if reply.starts_with('2') {
            self.recipients.push(path);
        }
        self.say(reply).await
    }

    fn greylisted(&self, path: &str, wait: Duration) -> bool {
        let now = tokio::time::Instant::now();
        let mut state = self.net.lock();
        let host = state.hosts.get_mut(&self.address);
        host.is_none_or(|host| {
            let first = *host.seen.entry(path.to_owned()).or_insert(now);
            now.duration_since(first) < wait
        })
    }

    async fn body(&mut self) -> io::Result<()> {
        let mut message = String::new();
        loop {
            let line = self.line().await?;
            if self.mood == Mood::DropsInBody {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if line == "." {
                break;
            }
            if let Some(id) = line.strip_prefix("Message-ID: ") {
                message = id.to_owned();
            }
        }
        match self.mood {
            Mood::RefusesContent => return self.say("554 5.6.0 not this").await,
            Mood::ForgetsAfterBody => return Err(io::ErrorKind::ConnectionReset.into()),
            _ => {}
        }
        let first = self.keep(&message);
        match self.mood {
            Mood::DropsAfterBody => return Err(io::ErrorKind::ConnectionReset.into()),
            Mood::HalfClosed => std::future::pending().await,
            _ => {}
        }
        self.say("250 2.0.0 taken").await?;
        let count = std::mem::take(&mut self.recipients).len();
        self.note_replied(first, count);
        if self.mood == Mood::OneEach {
            self.say("421 4.7.0 one each").await?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn note_replied(&self, first: usize, count: usize) {
        let mut state = self.net.lock();
        let kept = state.taken.iter_mut().skip(first).take(count);
        kept.for_each(|taken| taken.replied = true);
    }

    /// Where in all that was taken the first of these stands.
    fn keep(&self, message: &str) -> usize {
        let mut state = self.net.lock();
        let first = state.taken.len();
        let taken = self.recipients.iter().map(|recipient| Taken {
            recipient: recipient.clone(),
            message: message.to_owned(),
            replied: false,
        });
        state.taken.extend(taken);
        first
    }
}
