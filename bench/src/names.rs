//! A name server on loopback: addresses of the relay's destinations, and the TXT records that other
//! parts give it. Everything else there is not.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::thread;

use anyhow::{Result, ensure};

use crate::relay;

const PORT: u16 = 32_953;
const A: u16 = 1;
const TXT: u16 = 16;
/// One character-string of a TXT record (RFC 1035 §3.3.14).
const STRING_BYTES: usize = 255;

pub fn address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, PORT).into()
}

fn texts() -> &'static RwLock<HashMap<String, String>> {
    static TEXTS: OnceLock<RwLock<HashMap<String, String>>> = OnceLock::new();
    TEXTS.get_or_init(RwLock::default)
}

/// From now on `name` has this TXT record.
pub fn publish(name: String, text: String) {
    let mut texts = texts().write().unwrap_or_else(PoisonError::into_inner);
    texts.insert(name, text);
}

/// Answers for as long as this program runs.
pub fn serve() -> Result<()> {
    static STARTED: OnceLock<bool> = OnceLock::new();
    let started = STARTED.get_or_init(|| start().is_ok());
    ensure!(*started, "the name server can't be started");
    Ok(())
}

fn start() -> Result<()> {
    let socket = UdpSocket::bind(address())?;
    thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut packet) {
            if let Some(reply) = packet.get(..length).and_then(reply) {
                let _ = socket.send_to(&reply, peer);
            }
        }
    });
    Ok(())
}

fn reply(query: &[u8]) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    let question = query.get(12..at + 4)?;
    let data = record(&labels, kind);
    let mut reply = query.get(..2)?.to_vec();
    reply.extend_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(data.is_some()), 0]);
    reply.extend_from_slice(&[u8::from(data.is_none()), 0, 0]);
    reply.extend_from_slice(question);
    match data {
        Some(data) => {
            reply.extend_from_slice(&[0xc0, 12]);
            reply.extend_from_slice(&kind.to_be_bytes());
            reply.extend_from_slice(&[0, 1, 0, 0, 1, 44]);
            reply.extend_from_slice(&u16::try_from(data.len()).ok()?.to_be_bytes());
            reply.extend_from_slice(&data);
        }
        None => {
            // The root's SOA, so that "nothing" is remembered.
            reply.extend_from_slice(&[0, 0, 6, 0, 1, 0, 0, 1, 44, 0, 22, 0, 0]);
            for value in [1u32, 300, 300, 300, 300] {
                reply.extend_from_slice(&value.to_be_bytes());
            }
        }
    }
    Some(reply)
}

fn record(labels: &[String], kind: u16) -> Option<Vec<u8>> {
    let name = labels.join(".");
    match kind {
        A => {
            let label = name.strip_suffix(".relay.test")?;
            Some(relay::address_of(label)?.octets().to_vec())
        }
        TXT => {
            let texts = texts().read().unwrap_or_else(PoisonError::into_inner);
            let mut data = Vec::new();
            for piece in texts.get(&name)?.as_bytes().chunks(STRING_BYTES) {
                data.push(u8::try_from(piece.len()).ok()?);
                data.extend_from_slice(piece);
            }
            Some(data)
        }
        _ => None,
    }
}
