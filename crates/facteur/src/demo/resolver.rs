//! A resolver that knows no name: it refuses every question, so that mail of the demo to the outside
//! stays in the queue and nothing leaves this machine.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use crate::output::Failure;
use crate::texts::{self, t};

/// RFC 1035 §4.1.1.
const HEADER_BYTES: usize = 12;
const PACKET_BYTES_MAX: usize = 1232;

/// Answers from now on; gives the address to ask.
pub async fn start() -> Result<SocketAddr, Failure> {
    let failure = |error| Failure::new("runtime", t(texts::RUNTIME)).because(error);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let socket = socket.await.map_err(failure)?;
    let address = socket.local_addr().map_err(failure)?;
    tokio::spawn(async move {
        let mut packet = [0; PACKET_BYTES_MAX];
        loop {
            // An error is about one packet (RFC 1122 §4.1.3.3), not about the socket.
            let Ok((length, peer)) = socket.recv_from(&mut packet).await else {
                tokio::task::yield_now().await;
                continue;
            };
            if let Some(answer) = packet.get(..length).and_then(refusal) {
                let _ = socket.send_to(&answer, peer).await;
            }
        }
    });
    Ok(address)
}

/// The question sent back with RCODE 5; `None` for what is no question.
fn refusal(question: &[u8]) -> Option<Vec<u8>> {
    const RESPONSE: u8 = 0x80;
    const REFUSED: u8 = 5;
    let [id_1, id_2, flags, _, count_1, count_2, ..] = *question.get(..HEADER_BYTES)? else {
        return None;
    };
    let is_query = flags & RESPONSE == 0 && (count_1, count_2) == (0, 1);
    let section = question_section(question.get(HEADER_BYTES..)?)?;
    let mut answer = vec![
        id_1,
        id_2,
        flags | RESPONSE,
        REFUSED,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    answer.extend_from_slice(section);
    is_query.then_some(answer)
}

/// The name with its type and class, without what follows (EDNS).
fn question_section(bytes: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        let length = usize::from(*bytes.get(end)?);
        end += 1 + length;
        if length == 0 {
            return bytes.get(..end + 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_comes_back_refused() {
        let mut question = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        question.extend_from_slice(b"\x07example\x04test\0\0\x0f\0\x01");
        let section = question.len();
        question.extend_from_slice(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
        let answer = refusal(&question).unwrap();
        assert_eq!(&answer[..12], [7, 9, 0x81, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(answer[12..], question[12..section]);
        for length in 0..section {
            assert_eq!(refusal(&question[..length]), None);
        }
        assert_eq!(refusal(&answer), None);
    }
}
