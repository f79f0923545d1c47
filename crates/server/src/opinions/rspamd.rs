//! rspamd over HTTP: what it thinks of the first bytes of a message, as many as our own filter sees.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use crate::http;
use crate::limits::{RSPAMD_ANSWER_BYTES_MAX, RSPAMD_SYMBOLS_MAX, RSPAMD_WAIT};
use crate::net::Net;

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Asked {
    pub ip: Option<IpAddr>,
    pub hello: String,
    /// Empty for null.
    pub from: String,
    pub recipients: Vec<String>,
    pub id: String,
    pub head: Vec<u8>,
}

/// Its opinion.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Its own points; by default 15 are refused there and 6 are marked.
    pub score: f32,
    /// The weightiest first, with their points.
    pub symbols: Vec<(String, f32)>,
}

impl Scored {
    /// `rspamd says 7.2: A_B 2.0, C -1.0`.
    pub fn words(&self) -> String {
        let symbols = self.symbols.iter();
        let symbols: Vec<String> = symbols
            .map(|(name, score)| format!("{name} {score:.1}"))
            .collect();
        format!("rspamd says {:.1}: {}", self.score, symbols.join(", "))
    }
}

#[derive(Deserialize)]
struct Answer {
    score: f32,
    #[serde(default)]
    symbols: BTreeMap<String, Symbol>,
}

#[derive(Deserialize)]
struct Symbol {
    #[serde(default)]
    score: f32,
}

/// The error is for the log.
pub async fn ask(net: &dyn Net, at: SocketAddr, asked: &Asked) -> Result<Scored, String> {
    match timeout(RSPAMD_WAIT, ask_now(net, at, asked)).await {
        Ok(answer) => answer.and_then(|text| read(&text)),
        Err(_) => Err("it does not answer in time".to_owned()),
    }
}

async fn ask_now(net: &dyn Net, at: SocketAddr, asked: &Asked) -> Result<Vec<u8>, String> {
    let socket = net.connect(at, None).await;
    let socket = socket.map_err(|error| error.to_string())?;
    http::ask(socket, request(at, asked)?, async |answer| {
        if answer.status() != StatusCode::OK {
            return Err(format!("it says {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), RSPAMD_ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(body.to_bytes().to_vec())
    })
    .await
}

fn request(at: SocketAddr, asked: &Asked) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::post("/checkv2").header(HOST, at.to_string());
    let ip = asked.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let facts = [
        ("IP", &ip),
        ("Helo", &asked.hello),
        ("From", &asked.from),
        ("Queue-Id", &asked.id),
    ];
    let recipients = asked.recipients.iter().map(|to| ("Rcpt", to));
    for (name, value) in facts.into_iter().chain(recipients) {
        // What no header can hold it is not told.
        if let (Ok(value), false) = (HeaderValue::from_str(value), value.is_empty()) {
            request = request.header(name, value);
        }
    }
    let body = Full::new(Bytes::from(asked.head.clone()));
    request.body(body).map_err(|error| error.to_string())
}

fn read(text: &[u8]) -> Result<Scored, String> {
    let answer: Answer = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if !answer.score.is_finite() {
        return Err("a score that is no number".to_owned());
    }
    let symbols = answer.symbols.into_iter();
    let mut symbols: Vec<(String, f32)> = symbols
        .map(|(name, symbol)| (plain(&name), symbol.score))
        .filter(|(_, score)| *score != 0.0)
        .collect();
    symbols.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    symbols.truncate(RSPAMD_SYMBOLS_MAX);
    Ok(Scored {
        score: answer.score,
        symbols,
    })
}

/// A name that may stand in a header.
fn plain(name: &str) -> String {
    let fine = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    name.chars().filter(fine).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let text = br#"{"is_skipped":false,"score":7.25,"required_score":15,"action":"add header",
            "symbols":{"A_B":{"name":"A_B","score":2.0,"options":["x"]},"ZERO":{"score":0},
            "BAD\r\nX":{"score":-5.5}},"messages":{}}"#;
        let expected = Scored {
            score: 7.25,
            symbols: vec![("BADX".to_owned(), -5.5), ("A_B".to_owned(), 2.0)],
        };
        assert_eq!(read(text), Ok(expected));
        for wrong in [
            &b""[..],
            b"{}",
            b"[]",
            b"{\"score\":\"x\"}",
            b"{\"score\":1e999}",
        ] {
            assert!(read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
