//! What was found out about a sender, in words: written once with the message as one field, read
//! by whoever shows it, in his language.

use facteur_senders::lookalike::Trick;
use facteur_senders::results::Findings;
use facteur_senders::strain::OWN_FIELD;
use facteur_senders::{dkim, dmarc};

/// Who stands behind the address in From.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Signed(String),
    Sent(String),
    /// A signature that has nothing to do with the address.
    OtherSigned(String),
    Nobody,
    /// The domain says that it is not its message.
    Denied(String),
    /// DNS did not answer.
    Unknown,
}

/// All that is told of a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub word: Word,
    pub trick: Option<Trick>,
}

/// Says it of what was found out.
pub fn tell(findings: &Findings, trick: Option<Trick>) -> Told {
    let dmarc = &findings.dmarc;
    let signed = findings
        .dkim
        .iter()
        .find(|one| one.outcome == dkim::Outcome::Pass);
    let silent = findings
        .dkim
        .iter()
        .any(|one| one.outcome == dkim::Outcome::TempError)
        || findings.spf.outcome == facteur_senders::spf::Outcome::TempError
        || dmarc.outcome == dmarc::Outcome::TempError;
    let word = match (&dmarc.aligned, dmarc.outcome, signed) {
        (Some(dmarc::Aligned::Signed(domain)), _, _) => Word::Signed(domain.clone()),
        (Some(dmarc::Aligned::Sent(domain)), _, _) => Word::Sent(domain.clone()),
        (None, dmarc::Outcome::Fail, _) => Word::Denied(dmarc.domain.clone()),
        (None, _, _) if silent => Word::Unknown,
        (None, _, Some(other)) => Word::OtherSigned(other.domain.clone()),
        (None, _, None) => Word::Nobody,
    };
    Told { word, trick }
}

impl Told {
    /// The field with its CRLF: words of a program first, then the English ones as a comment.
    pub fn field(&self) -> String {
        let mut field = format!("{OWN_FIELD}: {}", self.codes());
        for text in self.texts(false) {
            field.push_str(&format!("\r\n\t({})", plain(&text)));
        }
        field.push_str("\r\n");
        field
    }

    /// What [`Told::parse`] reads.
    pub fn codes(&self) -> String {
        let word = match &self.word {
            Word::Signed(domain) => format!("signed {}", plain(domain)),
            Word::Sent(domain) => format!("sent {}", plain(domain)),
            Word::OtherSigned(domain) => format!("other-signed {}", plain(domain)),
            Word::Nobody => "nobody".to_owned(),
            Word::Denied(domain) => format!("denied {}", plain(domain)),
            Word::Unknown => "unknown".to_owned(),
        };
        let trick = match &self.trick {
            None => return word,
            Some(Trick::Domain(domain)) => format!("looks-like {}", ascii(domain)),
            Some(Trick::Name(address)) => format!("name-of {}", ascii(address)),
            Some(Trick::NamedAddress(domain)) => format!("named {}", ascii(domain)),
            Some(Trick::OwnDomain(domain)) => format!("own {}", ascii(domain)),
        };
        format!("{word}; {trick}")
    }

    /// Out of the field's value; `None`: it says nothing that is known.
    pub fn parse(value: &str) -> Option<Self> {
        let codes = value.split('(').next().unwrap_or_default();
        let mut parts = codes.split(';').map(|part| part.split_whitespace());
        let mut word = parts.next()?;
        let (name, subject) = (word.next()?, word.next().unwrap_or_default().to_owned());
        let word = match name {
            "signed" => Word::Signed(subject),
            "sent" => Word::Sent(subject),
            "other-signed" => Word::OtherSigned(subject),
            "nobody" => Word::Nobody,
            "denied" => Word::Denied(subject),
            "unknown" => Word::Unknown,
            _ => return None,
        };
        let trick = parts.next().and_then(|mut trick| {
            let (name, subject) = (trick.next()?, trick.next()?.to_owned());
            match name {
                "looks-like" => Some(Trick::Domain(subject)),
                "name-of" => Some(Trick::Name(subject)),
                "named" => Some(Trick::NamedAddress(subject)),
                "own" => Some(Trick::OwnDomain(subject)),
                _ => None,
            }
        });
        Some(Told { word, trick })
    }

    /// One or two sentences.
    pub fn texts(&self, french: bool) -> Vec<String> {
        let pick = |en: String, fr: String| if french { fr } else { en };
        let word = match &self.word {
            Word::Signed(domain) => pick(
                format!("signed by {domain}, which vouches for this address"),
                format!("signé par {domain}, qui se porte garant de cette adresse"),
            ),
            Word::Sent(domain) => pick(
                format!("sent by a server of {domain}, which vouches for this address"),
                format!("envoyé par un serveur de {domain}, qui se porte garant de cette adresse"),
            ),
            Word::OtherSigned(domain) => pick(
                format!("nobody vouches for this sender; {domain} signed the message"),
                format!(
                    "personne ne se porte garant de cet expéditeur ; {domain} a signé le message"
                ),
            ),
            Word::Nobody => pick(
                "nobody vouches for this sender".to_owned(),
                "personne ne se porte garant de cet expéditeur".to_owned(),
            ),
            Word::Denied(domain) => pick(
                format!("{domain} does not recognise this message as its own"),
                format!("{domain} ne reconnaît pas ce message comme le sien"),
            ),
            Word::Unknown => pick(
                "who sent this could not be checked when it came".to_owned(),
                "l'expéditeur n'a pas pu être vérifié à l'arrivée".to_owned(),
            ),
        };
        let trick = self.trick.as_ref().map(|trick| match trick {
            Trick::Domain(domain) => pick(
                format!("beware: the address is made to look like {domain}"),
                format!("attention : l'adresse imite {domain}"),
            ),
            Trick::Name(address) => pick(
                format!("beware: the name is that of {address}, the address is not"),
                format!("attention : le nom est celui de {address}, pas l'adresse"),
            ),
            Trick::NamedAddress(domain) => pick(
                format!("beware: the name shows an address of {domain}, the sender has another"),
                format!(
                    "attention : le nom montre une adresse de {domain}, l'expéditeur en a une autre"
                ),
            ),
            Trick::OwnDomain(domain) => pick(
                format!("beware: it came from outside with an address of {domain}"),
                format!("attention : venu de l'extérieur avec une adresse de {domain}"),
            ),
        });
        std::iter::once(word).chain(trick).collect()
    }
}

/// For a field: ASCII, without what could end a comment or a line.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_ascii_graphic() && !"()\\".contains(c) || c == ' ';
    text.chars()
        .map(|c| if keep(c) { c } else { '?' })
        .collect()
}

/// Names in Unicode as A-labels; an address keeps its local part.
fn ascii(name: &str) -> String {
    let text = match name.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", super::in_ascii(domain)),
        None => super::in_ascii(name),
    };
    plain(&text).replace([' ', ';'], "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let words = [
            Word::Signed("bank.test".into()),
            Word::Sent("bank.test".into()),
            Word::OtherSigned("list.test".into()),
            Word::Nobody,
            Word::Denied("bank.test".into()),
            Word::Unknown,
        ];
        let tricks = [
            None,
            Some(Trick::Domain("here.test".into())),
            Some(Trick::Name("boss@here.test".into())),
            Some(Trick::NamedAddress("bank.test".into())),
            Some(Trick::OwnDomain("here.test".into())),
        ];
        for word in words {
            for trick in &tricks {
                let told = Told {
                    word: word.clone(),
                    trick: trick.clone(),
                };
                let field = told.field();
                assert!(field.is_ascii() && field.ends_with(")\r\n"), "{field}");
                let value = field.split_once(':').unwrap().1.trim();
                assert_eq!(Told::parse(value), Some(told.clone()));
                assert_eq!(told.texts(true).len(), told.texts(false).len());
            }
        }
        for value in ["", "odd x", "; signed"] {
            assert_eq!(Told::parse(value), None, "{value}");
        }
    }

    #[test]
    fn the_field() {
        let told = Told {
            word: Word::Signed("bank.test".into()),
            trick: Some(Trick::Name("b\u{f6}ss@here.test".into())),
        };
        assert_eq!(
            told.field(),
            "Facteur-Sender: signed bank.test; name-of b?ss@here.test\r\n\
             \t(signed by bank.test, which vouches for this address)\r\n\
             \t(beware: the name is that of b?ss@here.test, the address is not)\r\n"
        );
    }
}
