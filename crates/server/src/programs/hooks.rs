//! Web calls that tell programs what became of their mail.
//!
//! A call waits in the store from the commit that it tells of until the program's server said 2xx, for
//! three days at most. It is signed (HMAC-SHA-256 over the time and the body) and never goes to an
//! address of this machine or of a private network unless the administrator said so: the address is
//! looked up once, checked, and connected to as it was checked. No redirection is followed.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use facteur_store::{Call, CallPlace, Error, Hook, SentState, Timestamp};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, Uri};
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::task::JoinSet;

use crate::admin::rfc3339;
use crate::drive::blocking;
use crate::http;
use crate::limits::{
    CALL_PATIENCE, CALLS_AT_ONCE_MAX, CALLS_KEPT, CALLS_LOOK_AGAIN, CALLS_OF_PROGRAM_MAX,
};
use crate::net::Socket;
use crate::queue::Sender;
use crate::web::{hex, state_name};

/// After the first failure, the second, and so on; the last for all that follow.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(3 * 3600),
    Duration::from_secs(6 * 3600),
];

/// Where a hook leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// As HTTP's Host has it.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Place {
    /// `None`: no URL that can be called. Without TLS only where private addresses are allowed.
    pub fn parse(url: &str, private: bool) -> Option<Place> {
        let uri: Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" if private => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        // A password in an address would be in every log on the way.
        if authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().trim_matches(['[', ']']);
        Some(Place {
            tls,
            host: host.to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }
}

/// Runs until the server stops.
pub async fn run(sender: Sender) {
    let ctx = Arc::clone(&sender.ctx);
    let mut running = Running::default();
    loop {
        let pause = match running.start(&sender).await {
            Ok(pause) => pause,
            Err(Error::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "no program is told of its mail for now");
                CALLS_LOOK_AGAIN
            }
        };
        tokio::select! {
            () = ctx.shutdown.wait() => return,
            () = ctx.calls.notified() => {}
            Some(ended) = running.tasks.join_next() => running.ended(ended.ok(), ctx.clock.now()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Calls under way, and programs that are left alone for a while.
#[derive(Default)]
struct Running {
    tasks: JoinSet<(Call, bool)>,
    places: HashSet<CallPlace>,
    busy: HashMap<String, usize>,
    /// Until when, and how often it failed in a row.
    resting: HashMap<String, (Timestamp, usize)>,
    /// The look goes on behind this call.
    after: Option<CallPlace>,
    /// Calls that were passed over may be possible now.
    again: bool,
}

impl Running {
    /// Starts what can be started; gives how long nothing will fall due.
    async fn start(&mut self, sender: &Sender) -> Result<Duration, Error> {
        let ctx = &sender.ctx;
        let now = ctx.clock.now();
        // A program that rests is not asked: its calls grow too old here.
        let kept = i64::try_from(CALLS_KEPT.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp(now.0.saturating_sub(kept));
        let dropped = ctx.store.drop_calls(before).await?;
        if dropped > 0 {
            tracing::warn!(dropped, "programs were not told of their mail for too long");
        }
        let room = CALLS_AT_ONCE_MAX.saturating_sub(self.tasks.len());
        if room == 0 {
            return Ok(CALLS_LOOK_AGAIN);
        }
        if self.after.is_none() {
            self.again = false;
        }
        let (store, after) = (ctx.store.clone(), self.after);
        let (places, busy, resting) =
            (self.places.clone(), self.busy.clone(), self.resting.clone());
        let look = blocking(move || {
            store.calls(now, after, room, |call| {
                let busy = busy.get(&call.program).copied().unwrap_or_default();
                let rests = resting.get(&call.program);
                places.contains(&call.place)
                    || busy >= CALLS_OF_PROGRAM_MAX
                    || rests.is_some_and(|(until, _)| *until > now)
            })
        });
        let found = look.await?;
        self.after = found.after;
        for call in found.calls {
            // The page was read at once: of one program there may be more than fit.
            let busy = self.busy.entry(call.program.clone()).or_default();
            if *busy >= CALLS_OF_PROGRAM_MAX {
                continue;
            }
            *busy += 1;
            self.places.insert(call.place);
            self.tasks.spawn(one(sender.clone(), call));
        }
        if self.after.is_some() || self.again {
            return Ok(Duration::ZERO);
        }
        let next = found
            .next
            .map_or(i64::MAX, |due| due.0.saturating_sub(now.0));
        let next = Duration::from_millis(u64::try_from(next.max(1)).unwrap_or(0));
        Ok(next.min(CALLS_LOOK_AGAIN))
    }

    fn ended(&mut self, ended: Option<(Call, bool)>, now: Timestamp) {
        self.again = true;
        let Some((call, fine)) = ended else {
            // It broke off: what is under way is counted anew.
            self.busy.clear();
            self.places.clear();
            return;
        };
        self.places.remove(&call.place);
        if let Some(busy) = self.busy.get_mut(&call.program) {
            *busy = busy.saturating_sub(1);
        }
        self.busy.retain(|_, busy| *busy > 0);
        if fine {
            self.resting.remove(&call.program);
            return;
        }
        let rests = self.resting.get(&call.program).copied();
        let (until, failures) = rests.unwrap_or((now, 0));
        // Those that were under way together fail together: once.
        if now < until {
            return;
        }
        let pause = PAUSES.get(failures).or(PAUSES.last()).copied();
        let until = now.after(pause.unwrap_or_default());
        self.resting
            .insert(call.program, (until, failures.saturating_add(1)));
    }
}

/// Makes a call and writes down how it ended; false: the program is to be left alone for a while.
async fn one(sender: Sender, call: Call) -> (Call, bool) {
    let store = &sender.ctx.store;
    let now = sender.ctx.clock.now();
    let Ok(program) = store.program(&call.program) else {
        return (call, false);
    };
    let Some(hook) = program.and_then(|program| program.hook) else {
        // Nobody wants to know any more.
        let written = settle(&sender, &call, None).await;
        return (call, written);
    };
    let made = tokio::time::timeout(CALL_PATIENCE, post(&sender, &hook, &call)).await;
    let made = made.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    let again = match &made {
        Ok(()) => None,
        Err(error) => {
            let place = usize::try_from(call.attempts).unwrap_or(usize::MAX);
            let pause = PAUSES.get(place).or(PAUSES.last()).copied();
            let due = now.after(pause.unwrap_or_default());
            let kept = due <= call.recipient.at.after(CALLS_KEPT);
            tracing::warn!(
                program = call.program,
                error,
                kept,
                "a program could not be told of its mail"
            );
            kept.then_some(due)
        }
    };
    let written = settle(&sender, &call, again).await;
    (call, made.is_ok() && written)
}

/// False: it is not written down. The call is made again, but not at once.
async fn settle(sender: &Sender, call: &Call, again: Option<Timestamp>) -> bool {
    let settled = sender.ctx.store.settle_call(call.clone(), again).await;
    if let Err(error) = &settled {
        tracing::error!(%error, "a call can't be written down and is made again");
    }
    settled.is_ok()
}

async fn post(sender: &Sender, hook: &Hook, call: &Call) -> Result<(), String> {
    let place = Place::parse(&hook.url, hook.private).ok_or("no usable URL")?;
    let body = body_of(call);
    let at = sender.ctx.clock.now().seconds();
    let request = Request::post(place.path.as_str())
        .header(HOST, place.authority.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "Facteur")
        .header("Facteur-Signature", signature(&hook.secret, at, &body))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let socket = connect(sender, hook.private, &place).await?;
    if !place.tls {
        return http::ask(socket, request, answered).await;
    }
    let name = ServerName::try_from(place.host.clone()).map_err(|error| error.to_string())?;
    let stream = sender.tls.web().connect(name, socket).await;
    let stream = stream.map_err(|error| error.to_string())?;
    http::ask(stream, request, answered).await
}

/// The first address that may be called and answers; `private`: any may be.
pub(crate) async fn connect(
    sender: &Sender,
    private: bool,
    place: &Place,
) -> Result<Box<dyn Socket>, String> {
    let addresses = match place.host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            let found = sender.dns.addresses(&place.host).await;
            found.map_err(|error| format!("{}: {error:?}", place.host))?
        }
    };
    let loopback_only = sender.ctx.config.queue.loopback_only;
    let mut last = format!("{} has no address that may be called", place.host);
    for address in addresses.into_iter().take(4) {
        let address = address.to_canonical();
        // The machine's own services trust what comes from it, by its public address as well.
        let outside = || is_public(address) && !sender.net.is_own(address);
        let allowed = (private || outside()) && (!loopback_only || address.is_loopback());
        if !allowed {
            continue;
        }
        match sender.net.connect((address, place.port).into(), None).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

async fn answered(answer: Response<Incoming>) -> Result<(), String> {
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("the program's server says {}", status.as_u16())),
    }
}

fn body_of(call: &Call) -> String {
    let recipient = &call.recipient;
    let (message, state) = (hex(call.place.sent), state_name(recipient.state));
    let mut body = json!({
        "id": format!("{message}-{}-{state}", call.place.recipient),
        "event": state,
        "message": message,
        "message_id": call.message_id,
        "recipient": recipient.address,
        "reply": recipient.told,
        "at": rfc3339(recipient.at),
    });
    if recipient.state == SentState::BouncedLater
        && let Some(body) = body.as_object_mut()
    {
        body.insert("later".to_owned(), true.into());
    }
    body.to_string()
}

/// `t=SECONDS,v1=HEX`: over the seconds, a dot and the body, so that an old call can't be shown as a
/// new one.
pub fn signature(secret: &[u8], at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let tag: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={at},v1={tag}")
}

/// An address of the open Internet: none of this machine, of private networks, of a link, of a
/// provider's inside or of documentation (RFC 6890 and its registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inside) = address.to_ipv4_mapped() {
        return is_public_v4(inside);
    }
    let [first, second, ..] = address.segments();
    // What is given out is in 2000::/3; 6to4 and Teredo carry addresses of any kind inside.
    first & 0xe000 == 0x2000
        && first != 0x2002
        && !(first == 0x2001 && second < 0x0200)
        && !(first == 0x2001 && second == 0x0db8)
        && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod dialogues;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_may_be_called() {
        for (address, public) in [
            ("192.0.1.1", true),
            ("8.8.8.8", true),
            ("172.15.0.1", true),
            ("172.32.0.1", true),
            ("100.63.0.1", true),
            ("2a00:1450::1", true),
            ("2001:4860::1", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("127.0.0.1", false),
            ("100.64.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.1.1", false),
            ("192.0.2.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("2002:7f00:1::", false),
            ("2001:0:4136::1", false),
            ("2001:db8::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn places() {
        let place = Place::parse("https://Hooks.example.test/a?b=c", false).unwrap();
        assert_eq!(
            (place.host.as_str(), place.port),
            ("hooks.example.test", 443)
        );
        assert_eq!(place.path, "/a?b=c");
        let place = Place::parse("http://[::1]:8080", true).unwrap();
        assert_eq!(
            (place.tls, place.host.as_str(), place.port),
            (false, "::1", 8080)
        );
        assert_eq!(place.path, "/");
        for bad in [
            "",
            "x",
            "/a",
            "ftp://a.test/",
            "http://a.test/",
            "https://u:p@a.test/",
        ] {
            assert_eq!(Place::parse(bad, false), None, "{bad}");
        }
    }

    /// Checked against `openssl dgst -sha256 -hmac`.
    #[test]
    fn signatures() {
        let expected = "t=1,v1=1ef269d2a2a1f8d397e0e25c3e3013fb5687509234565e6e49ea45a138768457";
        assert_eq!(signature(b"key", 1, "The quick brown fox"), expected);
    }
}
