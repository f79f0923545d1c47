//! A milter that does what it is told to: the other side of the protocol, written on its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// Longer packets are a fault of the server's.
const PACKET_BYTES_MAX: usize = 70_000;

/// A step's letter and its bytes.
pub type Heard = (u8, Vec<u8>);

/// What it answers to each letter, and what it heard.
#[derive(Clone, Debug, Default)]
pub struct Milter {
    answers: Arc<Mutex<HashMap<u8, Vec<Vec<u8>>>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    told: Arc<Notify>,
}

impl Milter {
    /// From now on, `words` is the answer to the step of that letter:
    ///
    /// `continue`, `accept`, `reject`, `tempfail`, `discard`, `skip`, `reply 550 5.7.1 text`,
    /// `quarantine why`, `add Name value`, `insert Name value`, `body text`, `progress` (the last
    /// five go on with `continue`), `garbage`, `silent`, `gone`, `usual`.
    pub fn answer(&self, letter: u8, words: &str) -> Result<(), String> {
        let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
        let text = |letter: u8| [&[letter][..], rest.as_bytes(), &[0]].concat();
        let field = || {
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            [name.as_bytes(), &[0], value.as_bytes(), &[0]].concat()
        };
        let go_on = b"c".to_vec();
        let packets = match word {
            "continue" => vec![go_on],
            "accept" => vec![b"a".to_vec()],
            "reject" => vec![b"r".to_vec()],
            "tempfail" => vec![b"t".to_vec()],
            "discard" => vec![b"d".to_vec()],
            "skip" => vec![b"s".to_vec()],
            "reply" => vec![text(b'y')],
            "quarantine" => vec![text(b'q'), go_on],
            "add" => vec![[b"h".to_vec(), field()].concat(), go_on],
            "insert" => vec![[b"i\0\0\0\0".to_vec(), field()].concat(), go_on],
            "body" => vec![text(b'b'), go_on],
            "progress" => vec![b"p".to_vec(), go_on],
            "garbage" => vec![b"?".to_vec()],
            "silent" => vec![],
            "gone" => vec![Vec::new()],
            "usual" => {
                self.lock().remove(&letter);
                return Ok(());
            }
            _ => return Err(format!("a milter can't {word:?}")),
        };
        self.lock().insert(letter, packets);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u8, Vec<Vec<u8>>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Letters and bytes, macros left out; begins anew.
    pub fn take_heard(&self) -> Vec<Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *heard)
    }

    /// Waits until it has heard a step of that letter.
    pub async fn hears(&self, letter: u8) {
        loop {
            let told = self.told.notified();
            let is_heard = {
                let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.iter().any(|(one, _)| *one == letter)
            };
            if is_heard {
                return;
            }
            told.await;
        }
    }

    /// One connection, to its end.
    pub async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some((letter, bytes)) = packet(&mut stream).await {
            let answers = match letter {
                b'D' | b'A' => continue,
                b'Q' => return,
                b'O' => {
                    let agreed = [6u32, 0x21, 0x400].map(u32::to_be_bytes);
                    vec![[b"O", agreed.as_flattened()].concat()]
                }
                _ => {
                    let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.push((letter, bytes));
                    drop(heard);
                    self.told.notify_waiters();
                    let usual = || vec![b"c".to_vec()];
                    self.lock().get(&letter).cloned().unwrap_or_else(usual)
                }
            };
            for answer in answers {
                if answer.is_empty() {
                    return;
                }
                let length = (answer.len() as u32).to_be_bytes();
                if stream
                    .write_all(&[&length[..], &answer].concat())
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    }
}

async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let length = stream.read_u32().await.ok()? as usize;
    assert!((1..=PACKET_BYTES_MAX).contains(&length), "{length}");
    let letter = stream.read_u8().await.ok()?;
    let mut bytes = vec![0; length - 1];
    stream.read_exact(&mut bytes).await.ok()?;
    Some((letter, bytes))
}
