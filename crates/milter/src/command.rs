//! What we say to a milter.

use std::net::IpAddr;

use crate::packet;

/// Where the client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Tcp(IpAddr, u16),
    /// A process of this machine.
    Unknown,
}

/// One step of a message's way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// The client's name, or its address in brackets.
    Connect {
        name: &'a str,
        from: Family,
    },
    Hello(&'a str),
    /// With angle brackets, and the ESMTP arguments.
    Mail {
        path: &'a str,
        arguments: &'a [&'a str],
    },
    Recipient {
        path: &'a str,
        arguments: &'a [&'a str],
    },
    Data,
    /// A field as it stands in the message, without its CRLF at the end.
    Header {
        name: &'a str,
        value: &'a [u8],
    },
    EndOfHeader,
    /// At most [`crate::limits::CHUNK_BYTES`].
    Body(&'a [u8]),
    EndOfMessage,
}

/// The order of steps, and what belongs to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Connect,
    Hello,
    Mail,
    Recipient,
    Data,
    Header,
    EndOfHeader,
    Body,
    EndOfMessage,
}

/// A step's letter, and the bits by which a milter says that it does not want it, or does not answer
/// it (libmilter `SMFIP_NO…` and `SMFIP_NR_…`; 0: it can't say that).
pub(crate) struct Row {
    pub(crate) step: Step,
    pub(crate) letter: u8,
    pub(crate) unwanted: u32,
    pub(crate) unanswered: u32,
}

const fn row(step: Step, letter: u8, unwanted: u32, unanswered: u32) -> Row {
    Row {
        step,
        letter,
        unwanted,
        unanswered,
    }
}

pub(crate) const ROWS: [Row; 9] = [
    row(Step::Connect, b'C', 0x01, 0x1000),
    row(Step::Hello, b'H', 0x02, 0x2000),
    row(Step::Mail, b'M', 0x04, 0x4000),
    row(Step::Recipient, b'R', 0x08, 0x8000),
    row(Step::Data, b'T', 0x200, 0x1_0000),
    row(Step::Header, b'L', 0x20, 0x80),
    row(Step::EndOfHeader, b'N', 0x40, 0x4_0000),
    row(Step::Body, b'B', 0x10, 0x8_0000),
    row(Step::EndOfMessage, b'E', 0, 0),
];

/// The bits of `ROWS`, those of UNKNOWN (that we never send), and SKIP for bodies.
pub(crate) const OFFERED_STEPS: u32 = 0xf_f7ff;
pub(crate) const SKIP: u32 = 0x400;

impl Step {
    pub(crate) fn row(self) -> &'static Row {
        static LAST: Row = row(Step::EndOfMessage, b'E', 0, 0);
        ROWS.iter().find(|row| row.step == self).unwrap_or(&LAST)
    }
}

impl Command<'_> {
    pub(crate) fn step(&self) -> Step {
        match self {
            Command::Connect { .. } => Step::Connect,
            Command::Hello(_) => Step::Hello,
            Command::Mail { .. } => Step::Mail,
            Command::Recipient { .. } => Step::Recipient,
            Command::Data => Step::Data,
            Command::Header { .. } => Step::Header,
            Command::EndOfHeader => Step::EndOfHeader,
            Command::Body(_) => Step::Body,
            Command::EndOfMessage => Step::EndOfMessage,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let letter = self.step().row().letter;
        match self {
            Command::Connect { name, from } => {
                let name = packet::text(name);
                match from {
                    Family::Tcp(address, port) => {
                        let family = if address.is_ipv4() { b"4" } else { b"6" };
                        let address = packet::text(&address.to_string());
                        let port = port.to_be_bytes();
                        packet::write(out, letter, &[&name, family, &port, &address]);
                    }
                    Family::Unknown => packet::write(out, letter, &[&name, b"U"]),
                }
            }
            Command::Hello(name) => packet::write(out, letter, &[&packet::text(name)]),
            Command::Mail { path, arguments } | Command::Recipient { path, arguments } => {
                let mut texts = packet::text(path);
                for argument in *arguments {
                    texts.extend(packet::text(argument));
                }
                packet::write(out, letter, &[&texts]);
            }
            Command::Header { name, value } => {
                let value: Vec<u8> = unfolded(value);
                packet::write(out, letter, &[&packet::text(name), &value, &[0]]);
            }
            Command::Body(bytes) => packet::write(out, letter, &[bytes]),
            Command::Data | Command::EndOfHeader | Command::EndOfMessage => {
                packet::write(out, letter, &[]);
            }
        }
    }
}

/// As Sendmail and Postfix hand it over: without the first space, lines ended by LF alone.
fn unfolded(value: &[u8]) -> Vec<u8> {
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let wanted = |byte: &&u8| **byte != b'\r' && **byte != 0;
    value.iter().filter(wanted).copied().collect()
}
