//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677): pure functions on
//! messages and keys.
//!
//! An unknown user goes through the same messages with a salt that is always the same for that
//! name, and fails at the proof.

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use facteur_store::Scram;

use crate::limits;
use crate::tls::TlsFacts;

/// RFC 7677 §4 asks for 4096 at least; a phone still answers at once.
pub(crate) const ITERATIONS: u32 = 15_000;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 18;

/// RFC 5803 keys of a prepared password.
pub(crate) fn keys(password: &[u8], salt: &[u8], iterations: u32) -> Scram {
    let mut salted = [0u8; 32];
    let rounds = std::num::NonZeroU32::new(iterations).unwrap_or(std::num::NonZeroU32::MIN);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        salt,
        password,
        &mut salted,
    );
    let client_key = sign(&salted, b"Client Key");
    Scram {
        salt: salt.to_vec(),
        iterations,
        stored_key: array(digest::digest(&digest::SHA256, &client_key).as_ref()),
        server_key: sign(&salted, b"Server Key"),
    }
}

/// Keys that nobody has, with a salt that stays the same for the name.
pub(crate) fn decoy(secret: &hmac::Key, name: &str) -> Scram {
    let tag =
        |label: &str| array(hmac::sign(secret, format!("{label}\0{name}").as_bytes()).as_ref());
    let mut salt = tag("salt").to_vec();
    salt.truncate(SALT_BYTES);
    Scram {
        salt,
        iterations: ITERATIONS,
        stored_key: tag("stored"),
        server_key: tag("server"),
    }
}

/// client-first-message, RFC 5802 §7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct First {
    /// As the client sent it: it is bound into the proof.
    gs2_header: String,
    binding: Binding,
    pub(crate) authorization: Option<String>,
    pub(crate) user: String,
    nonce: String,
    bare: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// "n": the client does not bind.
    None,
    /// "y": it would, but believes that we don't.
    NotOffered,
    /// "p=…": by this type.
    Type(String),
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Malformed,
    /// The binding is missing, of another kind, or of another channel.
    Binding,
    /// The proof is wrong.
    Proof,
}

impl First {
    pub(crate) fn parse(message: &[u8]) -> Option<First> {
        let message = std::str::from_utf8(message).ok()?;
        if message.len() > limits::SCRAM_MESSAGE_BYTES_MAX {
            return None;
        }
        let mut parts = message.splitn(3, ',');
        let (flag, authorization, bare) = (parts.next()?, parts.next()?, parts.next()?);
        let binding = match flag {
            "n" => Binding::None,
            "y" => Binding::NotOffered,
            _ => Binding::Type(flag.strip_prefix("p=")?.to_owned()),
        };
        let authorization = match authorization {
            "" => None,
            given => Some(sasl_name(given.strip_prefix("a=")?)?),
        };
        // An extension that must be understood ("m=") is none of ours.
        let mut fields = bare.split(',');
        let user = sasl_name(fields.next()?.strip_prefix("n=")?)?;
        let nonce = fields.next()?.strip_prefix("r=")?;
        if nonce.is_empty() || !nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let header_len = message.len().checked_sub(bare.len())?;
        Some(First {
            gs2_header: message.get(..header_len)?.to_owned(),
            binding,
            authorization,
            user,
            nonce: nonce.to_owned(),
            bare: bare.to_owned(),
        })
    }

    /// Does the flag fit the mechanism's name and what we offer? RFC 5802 §6.
    pub(crate) fn check_binding(&self, plus: bool, plus_offered: bool) -> Result<(), Fault> {
        match (&self.binding, plus) {
            (Binding::Type(_), true) => Ok(()),
            (Binding::None, false) => Ok(()),
            // Somebody took the -PLUS out of our list on its way.
            (Binding::NotOffered, false) if !plus_offered => Ok(()),
            _ => Err(Fault::Binding),
        }
    }
}

/// After server-first-message.
#[derive(Clone, Debug)]
pub(crate) struct Challenged {
    first: First,
    nonce: String,
    server_first: String,
    keys: Scram,
}

/// Our nonce's random part.
pub(crate) fn server_nonce(fill: impl FnOnce(&mut [u8])) -> String {
    let mut random = [0u8; NONCE_BYTES];
    fill(&mut random);
    STANDARD.encode(random)
}

/// Gives server-first-message.
pub(crate) fn challenge(first: First, server_nonce: &str, keys: Scram) -> (Challenged, String) {
    let nonce = format!("{}{server_nonce}", first.nonce);
    let server_first = format!(
        "r={nonce},s={},i={}",
        STANDARD.encode(&keys.salt),
        keys.iterations
    );
    let challenged = Challenged {
        first,
        nonce,
        server_first: server_first.clone(),
        keys,
    };
    (challenged, server_first)
}

impl Challenged {
    pub(crate) fn user(&self) -> &str {
        &self.first.user
    }

    pub(crate) fn keys(&self) -> &Scram {
        &self.keys
    }

    /// Checks client-final-message and gives server-final-message.
    pub(crate) fn verify(&self, message: &[u8], tls: Option<&TlsFacts>) -> Result<String, Fault> {
        let message = std::str::from_utf8(message).map_err(|_| Fault::Malformed)?;
        if message.len() > limits::SCRAM_MESSAGE_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Fault::Malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| Fault::Malformed)?;
        let mut fields = without_proof.split(',');
        let binding = fields
            .next()
            .and_then(|field| field.strip_prefix("c="))
            .and_then(|field| STANDARD.decode(field).ok())
            .ok_or(Fault::Malformed)?;
        let nonce = fields
            .next()
            .and_then(|field| field.strip_prefix("r="))
            .ok_or(Fault::Malformed)?;
        if !equal(nonce.as_bytes(), self.nonce.as_bytes()) {
            return Err(Fault::Proof);
        }
        if !equal(&binding, &self.expected_binding(tls)?) {
            return Err(Fault::Binding);
        }
        let auth_message = format!("{},{},{without_proof}", self.first.bare, self.server_first);
        let client_signature = sign(&self.keys.stored_key, auth_message.as_bytes());
        let proof: [u8; 32] = proof.try_into().map_err(|_| Fault::Malformed)?;
        let mut client_key = proof;
        for (byte, mask) in client_key.iter_mut().zip(client_signature) {
            *byte ^= mask;
        }
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        if !equal(stored_key.as_ref(), &self.keys.stored_key) {
            return Err(Fault::Proof);
        }
        let signature = sign(&self.keys.server_key, auth_message.as_bytes());
        Ok(format!("v={}", STANDARD.encode(signature)))
    }

    /// cbind-input = gs2-header [ cbind-data ]
    fn expected_binding(&self, tls: Option<&TlsFacts>) -> Result<Vec<u8>, Fault> {
        let mut expected = self.first.gs2_header.as_bytes().to_vec();
        if let Binding::Type(name) = &self.first.binding {
            let data = tls.and_then(|tls| match name.as_str() {
                "tls-server-end-point" => tls.end_point.as_deref(),
                "tls-exporter" => tls.exporter.as_ref().map(<[u8; 32]>::as_slice),
                // tls-unique (RFC 5929 §3) is broken and gone from TLS 1.3.
                _ => None,
            });
            expected.extend_from_slice(data.ok_or(Fault::Binding)?);
        }
        Ok(expected)
    }
}

/// RFC 5802 §5.1: "=2C" and "=3D" stand for comma and equals.
fn sasl_name(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (character, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    (!name.is_empty()).then_some(name)
}

fn sign(key: &[u8], data: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    array(hmac::sign(&key, data).as_ref())
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// A SHA-256 value as an array.
pub(crate) fn array(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap_or([0; 32])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7677 §3.
    const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const CLIENT_FINAL: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn example() -> (Challenged, String) {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let first = First::parse(CLIENT_FIRST).unwrap();
        first.check_binding(false, false).unwrap();
        challenge(first, SERVER_NONCE, keys(b"pencil", &salt, 4096))
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let (challenged, server_first) = example();
        assert_eq!(
            server_first,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        assert_eq!(
            challenged.verify(CLIENT_FINAL, None).unwrap(),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    #[test]
    fn what_differs_is_refused() {
        let (challenged, _) = example();
        let text = std::str::from_utf8(CLIENT_FINAL).unwrap();
        for (from, to, fault) in [
            ("p=d", "p=e", Fault::Proof),
            ("k0,", "k1,", Fault::Proof),
            ("c=biws", "c=eSws", Fault::Binding),
            ("p=dH", "p=", Fault::Malformed),
            ("c=", "d=", Fault::Malformed),
        ] {
            let message = text.replacen(from, to, 1);
            assert_eq!(
                challenged.verify(message.as_bytes(), None),
                Err(fault),
                "{message}"
            );
        }
    }

    #[test]
    fn first_messages() {
        for (message, good) in [
            ("n,,n=user,r=x", true),
            ("y,,n=user,r=x", true),
            ("p=tls-exporter,,n=user,r=x", true),
            ("n,a=user,n=user,r=x,ext=1", true),
            ("n,,n=a=2Cb=3Dc,r=x", true),
            ("n,,n=a=2cb,r=x", false),
            ("n,,m=x,n=user,r=x", false),
            ("n,,n=,r=x", false),
            ("n,,n=user,r=", false),
            ("n,,n=user", false),
            ("q,,n=user,r=x", false),
            ("n,n=user,r=x", false),
            ("", false),
        ] {
            assert_eq!(
                First::parse(message.as_bytes()).is_some(),
                good,
                "{message}"
            );
        }
        let first = First::parse(b"n,,n=a=2Cb=3Dc,r=x").unwrap();
        assert_eq!(first.user, "a,b=c");
    }

    #[test]
    fn binding_flags() {
        let plain = First::parse(b"n,,n=user,r=x").unwrap();
        let would = First::parse(b"y,,n=user,r=x").unwrap();
        let bound = First::parse(b"p=tls-exporter,,n=user,r=x").unwrap();
        assert!(plain.check_binding(false, true).is_ok());
        assert!(plain.check_binding(true, true).is_err());
        assert!(would.check_binding(false, false).is_ok());
        assert!(would.check_binding(false, true).is_err());
        assert!(bound.check_binding(true, true).is_ok());
        assert!(bound.check_binding(false, true).is_err());
    }

    #[test]
    fn a_decoy_keeps_its_salt() {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        assert_eq!(decoy(&secret, "a@b.test"), decoy(&secret, "a@b.test"));
        assert_ne!(
            decoy(&secret, "a@b.test").salt,
            decoy(&secret, "c@b.test").salt
        );
    }

    /// The client's side, RFC 5802 §3.
    fn client_final(first: &str, server_first: &str, keys: &Scram, password: &[u8]) -> String {
        let header = "n,,";
        let bare = first.strip_prefix(header).unwrap();
        let nonce = server_first.split(',').next().unwrap();
        let without_proof = format!("c={},{nonce}", STANDARD.encode(header));
        let auth_message = format!("{bare},{server_first},{without_proof}");
        let mut salted = [0u8; 32];
        let rounds = std::num::NonZeroU32::new(keys.iterations).unwrap();
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &keys.salt,
            password,
            &mut salted,
        );
        let mut proof = sign(&salted, b"Client Key");
        let signature = sign(&keys.stored_key, auth_message.as_bytes());
        for (byte, mask) in proof.iter_mut().zip(signature) {
            *byte ^= mask;
        }
        format!("{without_proof},p={}", STANDARD.encode(proof))
    }

    /// Text that is nearly a SCRAM message.
    fn nearly() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "n,,",
            "y,,",
            "p=tls-exporter,,",
            "n,a=x,",
            "n=",
            "r=",
            "c=",
            "p=",
            "s=",
            "i=4096",
            "m=",
            ",",
            ",,",
            "=",
            "=2C",
            "=3D",
            "=2",
            "biws",
            "user",
            "\u{e9}",
            "\0",
            " ",
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        ]);
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn an_honest_client_gets_in(
            name in "[a-z=,\u{e9}]{1,12}",
            nonce in "[!-+.-~]{1,24}",
            server in "[A-Za-z0-9+/]{24}",
            password in "[ -~]{1,16}",
            salt in proptest::array::uniform16(any::<u8>()),
        ) {
            let spelt = name.replace('=', "=3D").replace(',', "=2C");
            let text = format!("n,,n={spelt},r={nonce}");
            let first = First::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(&first.user, &name);
            let keys = keys(password.as_bytes(), &salt, 2);
            let (challenged, server_first) = challenge(first, &server, keys.clone());
            let good = client_final(&text, &server_first, &keys, password.as_bytes());
            prop_assert!(challenged.verify(good.as_bytes(), None).is_ok());
            let other = client_final(&text, &server_first, &keys, b"\x7f");
            prop_assert_eq!(challenged.verify(other.as_bytes(), None), Err(Fault::Proof));
        }

        #[test]
        fn one_other_byte_and_it_is_refused(place: proptest::sample::Index, byte: u8) {
            let (challenged, _) = example();
            let mut message = CLIENT_FINAL.to_vec();
            let place = place.index(message.len());
            prop_assume!(message[place] != byte);
            message[place] = byte;
            prop_assert!(challenged.verify(&message, None).is_err());
        }

        #[test]
        fn any_bytes_are_refused_or_read_whole(bytes: Vec<u8>, text in nearly()) {
            let (challenged, _) = example();
            for message in [bytes.as_slice(), text.as_bytes()] {
                prop_assert!(challenged.verify(message, None).is_err());
                if let Some(first) = First::parse(message) {
                    let whole = format!("{}{}", first.gs2_header, first.bare);
                    prop_assert_eq!(whole.as_bytes(), message);
                    prop_assert!(!first.user.is_empty() && !first.nonce.is_empty());
                    prop_assert!(!first.nonce.contains(','));
                    let _ = first.check_binding(true, true);
                }
            }
        }
    }
}
