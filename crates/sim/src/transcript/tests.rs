//! The runner against a toy server on an in-memory pipe.

use super::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

struct Toy;

impl World for Toy {
    type Stream = DuplexStream;

    async fn connect(&self, port: &str) -> io::Result<DuplexStream> {
        if port != "toy" {
            return Err(io::Error::other("no such port"));
        }
        let (client, server) = tokio::io::duplex(1024);
        tokio::spawn(serve(server));
        Ok(client)
    }

    async fn advance(&self, by: Duration) {
        tokio::time::advance(by).await;
    }

    async fn start_tls(&self, stream: DuplexStream) -> io::Result<DuplexStream> {
        Ok(stream)
    }

    fn variables(&self) -> Vec<(String, String)> {
        vec![("who".to_owned(), "world".to_owned())]
    }
}

async fn serve(stream: DuplexStream) {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).split(b'\n');
    let idle = Duration::from_secs(1800);
    let _ = write.write_all(b"hello\r\n").await;
    loop {
        let reply = match tokio::time::timeout(idle, lines.next_segment()).await {
            Err(_) => b"too slow\r\n".to_vec(),
            Ok(Ok(Some(line))) if line == b"quit\r" => break,
            Ok(Ok(Some(line))) if line == b"bin\r" => b"\xff\0\r\n".to_vec(),
            Ok(Ok(Some(line))) => {
                let size = line.len() - 1;
                [
                    b"got ",
                    line.as_slice(),
                    b"\nsize ",
                    size.to_string().as_bytes(),
                    b"\r\n",
                ]
                .concat()
            }
            Ok(_) => break,
        };
        if write.write_all(&reply).await.is_err() || reply == b"too slow\r\n" {
            break;
        }
    }
}

async fn ran(text: &str, chunking: Chunking, update: bool) -> Result<String, String> {
    run_text(&Toy, text, chunking, update, &AtomicUsize::new(0)).await
}

const GOOD: &str = "# RFC 0 §1\nconnect toy\nconnect 2 toy\nS: hello\nS[2]: hello\n\
    C: {=who}\nS: got {it}\nS: size {*}\nC[2]: again {=it}\nS[2]: got again world\nS[2]: size 11\n\
    C: bin\nS raw: \"\\xff\\0\\r\\n\"\n\
    C raw: \"one\\r\\ntwo\\r\\n\"\nS <<END\ngot one\nsize 3\ngot two\nsize 3\nEND\n\
    C repeat: 100000 \"ab\"\nC:\nS: got {*}\nS: size 200000\n\
    starttls[2]\nadvance 30m\nS[2]: too slow\nS[2]: <closed>\nS: too slow\nS: <closed>\n";

#[tokio::test(start_paused = true)]
async fn a_whole_dialogue() {
    for chunking in [Chunking::Whole, Chunking::ByteByByte] {
        ran(GOOD, chunking, false).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told() {
    for (text, said) in [
        ("C: hello\n", "cites an RFC"),
        ("# RFC 0\nC: hello\n", "not connected"),
        ("# RFC 0\nconnect nowhere\n", "no such port"),
        (
            "# RFC 0\nconnect toy\nS: bonjour\n",
            "expected: bonjour\n     came: hello",
        ),
        (
            "# RFC 0\nconnect toy\nS: hello\nC: a\nS: got a\n",
            "nobody expected \"size 1\\r\\n\"",
        ),
        (
            "# RFC 0\nconnect toy\nS: hello\nC: {=nobody}\n",
            "nothing is called",
        ),
        (
            "# RFC 0\nconnect toy\nS: hello\nC: quit\nS: bye\n",
            "came: <closed>",
        ),
        ("# RFC 0\nconnect toy\nS: <closed>\n", "came: hello"),
        (
            "# RFC 0\nconnect toy\nS: hello\nlog: anything\n",
            "never said",
        ),
        (
            "# RFC 0\nconnect toy\nS: hello\ndo magic\n",
            "cannot do: magic",
        ),
    ] {
        let what = ran(text, Chunking::Whole, false).await.unwrap_err();
        assert!(what.contains(said), "{text}{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_keeps_what_matches() {
    assert_eq!(ran(GOOD, Chunking::Whole, true).await.unwrap(), GOOD);
}

#[tokio::test(start_paused = true)]
async fn an_update_writes_what_came() {
    let old = "# RFC 0 §1\nconnect toy\nC: a\n# kept\nS: hello\nS: wrong\nS: size {*}\nS: more\n\
        C: b\nC <<.\nin block\n.\nC: bin\nC: quit\n";
    let new = "# RFC 0 §1\nconnect toy\nC: a\n# kept\nS: hello\nS: got a\nS: size {*}\n\
        C: b\nC <<.\nin block\n.\nC: bin\nC: quit\nS: got b\nS: size 1\nS: got in block\nS: size 8\n\
        S raw: \"\\xff\\x00\\r\\n\"\nS: <closed>\n";
    assert_eq!(ran(old, Chunking::Whole, true).await.unwrap(), new);
    assert_eq!(ran(new, Chunking::Whole, false).await.unwrap(), new);
}
