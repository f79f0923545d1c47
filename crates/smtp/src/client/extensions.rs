//! What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1).

use crate::reply_parser::PeerReply;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    pub pipelining: bool,
    /// RFC 1870: offered; a limit when it is given and not 0.
    pub size: Option<Option<u64>>,
    pub eight_bit_mime: bool,
    pub binary_mime: bool,
    pub chunking: bool,
    pub smtputf8: bool,
    pub starttls: bool,
    pub dsn: bool,
    /// RFC 2852: offered; the least seconds it takes, when it says so.
    pub deliver_by: Option<Option<u64>>,
    /// RFC 6710.
    pub priority: bool,
    /// RFC 8689.
    pub require_tls: bool,
    /// RFC 9422 RCPTMAX.
    pub recipients_max: Option<usize>,
    /// Upper case.
    pub mechanisms: Vec<String>,
}

impl Extensions {
    /// The first line is the server's name.
    pub(crate) fn of(reply: &PeerReply) -> Extensions {
        let mut extensions = Extensions::default();
        for line in reply.lines.iter().skip(1) {
            extensions.line(&line.to_ascii_uppercase());
        }
        extensions
    }

    fn line(&mut self, line: &str) {
        // Old servers write "AUTH=LOGIN".
        let (keyword, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
        match keyword {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => self.size = Some(rest.trim().parse().ok().filter(|limit| *limit > 0)),
            "8BITMIME" => self.eight_bit_mime = true,
            "BINARYMIME" => self.binary_mime = true,
            "CHUNKING" => self.chunking = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "STARTTLS" => self.starttls = true,
            "DSN" => self.dsn = true,
            "DELIVERBY" => self.deliver_by = Some(rest.trim().parse().ok()),
            "MT-PRIORITY" => self.priority = true,
            "REQUIRETLS" => self.require_tls = true,
            "LIMITS" => {
                let limit = |word: &str| word.strip_prefix("RCPTMAX=")?.parse().ok();
                self.recipients_max = rest.split(' ').find_map(limit).filter(|max| *max > 0);
            }
            "AUTH" => {
                for mechanism in rest.split(' ').filter(|m| !m.is_empty()) {
                    if !self.mechanisms.iter().any(|m| m == mechanism) {
                        self.mechanisms.push(mechanism.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply_parser::ReplyParser;

    #[test]
    fn reads_what_servers_offer() {
        let wire = "250-mx.example PIPELINING\r\n250-pipelining\r\n250-SIZE 10240000\r\n250-ETRN\r\n\
                    250-AUTH PLAIN LOGIN\r\n250-AUTH=LOGIN XOAUTH2\r\n250-LIMITS MAILMAX=9 RCPTMAX=20\r\n\
                    250-8BITMIME\r\n250-DELIVERBY 240\r\n250-MT-PRIORITY MIXER\r\n\
                    250-REQUIRETLS\r\n250 SMTPUTF8\r\n";
        let (reply, _) = ReplyParser::default().next(wire.as_bytes()).unwrap();
        let extensions = Extensions::of(&reply.unwrap());
        assert_eq!(
            extensions,
            Extensions {
                pipelining: true,
                size: Some(Some(10_240_000)),
                eight_bit_mime: true,
                smtputf8: true,
                deliver_by: Some(Some(240)),
                priority: true,
                require_tls: true,
                recipients_max: Some(20),
                mechanisms: vec!["PLAIN".into(), "LOGIN".into(), "XOAUTH2".into()],
                ..Extensions::default()
            }
        );
    }

    #[test]
    fn a_name_is_no_extension() {
        let (reply, _) = ReplyParser::default().next(b"250 STARTTLS\r\n").unwrap();
        assert_eq!(Extensions::of(&reply.unwrap()), Extensions::default());
    }
}
