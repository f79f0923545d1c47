//! A running demo.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::support::facteur;

const STANDARD_PORTS: [u16; 8] = [25, 110, 143, 443, 465, 587, 993, 995];

/// A block of ports that nobody has. Tests of one run begin at different places.
pub fn free_offset(first: u16) -> u16 {
    let mut offset = first + u16::try_from(std::process::id() % 100).unwrap() * 7;
    loop {
        let free = |port: &u16| TcpListener::bind(("127.0.0.1", offset + port)).is_ok();
        if STANDARD_PORTS.iter().all(free) {
            return offset;
        }
        offset += 1_000;
        assert!(offset < 64_000, "no block of free ports");
    }
}

pub struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Demo {
    pub fn start(offset: u16, arguments: &[&str]) -> Demo {
        let mut command: Command = facteur();
        let offset = offset.to_string();
        let mut child = command
            .args(["demo", "--port-offset", &offset])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Demo { child, out }
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Ends it by a signal; gives what it had still to say.
    pub fn stop(mut self, signal: Signal) -> String {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        rest
    }
}

/// A client that says a line and reads the answer's last line.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Reads the greeting.
    pub fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut client = Client {
            stream: BufReader::new(stream),
        };
        client.read();
        client
    }

    fn read(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            // SMTP's "250-" says that more follows.
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    pub fn say(&mut self, line: &str, expected: &str) {
        write!(self.stream.get_mut(), "{line}\r\n").unwrap();
        let answer = self.read();
        assert!(answer.starts_with(expected), "{line}: {answer}");
    }
}
