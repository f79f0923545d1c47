//! Parameters of MAIL and RCPT, one table each.
//!
//! RFC 1870 §3 SIZE, RFC 6152 §2 and RFC 3030 §3 BODY, RFC 6531 §3.4 SMTPUTF8, RFC 3461 §4 RET,
//! ENVID, NOTIFY and ORCPT, RFC 4954 §5 AUTH, RFC 2852 §4 BY, RFC 6710 §4 MT-PRIORITY, RFC 8689 §2
//! REQUIRETLS.

use crate::address::Address;
use crate::limits;

/// RFC 6152, RFC 3030.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    SevenBit,
    EightBitMime,
    BinaryMime,
}

/// RFC 3461 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    Full,
    Headers,
}

/// RFC 3461 §4.1. All false: NEVER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

/// RFC 2852 §4: by when a message is to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverBy {
    /// From now on; may be over with by-mode N.
    pub seconds: i64,
    /// By-mode R: it comes back when it is late. Else N: the sender is told.
    pub or_return: bool,
    /// By-trace: the sender is told of each hop.
    pub trace: bool,
}

/// RFC 4865 §4: when a message is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// So many seconds from now, at most [`limits::HOLD_SECONDS_MAX`].
    For(u64),
    /// Seconds since 1970.
    Until(i64),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// What the client says of the size, in bytes.
    pub size: Option<u64>,
    pub body: Body,
    pub smtputf8: bool,
    pub ret: Option<Ret>,
    /// Xtext as given.
    pub envelope_id: Option<String>,
    /// RFC 4954 §5: as given; not trusted by anything here.
    pub auth: Option<String>,
    pub deliver_by: Option<DeliverBy>,
    /// -9 to 9.
    pub priority: Option<i8>,
    pub require_tls: bool,
    pub hold: Option<Hold>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParameters {
    pub notify: Option<Notify>,
    /// `type;address` as given, the address in xtext or utf-8-addr-xtext (RFC 6533 §3).
    pub original: Option<String>,
}

/// Why a parameter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterError {
    /// RFC 5321 §4.1.1.11: 555.
    Unknown,
    /// Known, but its value is wrong, missing, or it is there twice: 501.
    Value,
}

struct Row<P> {
    name: &'static str,
    set: fn(&mut P, Option<&str>) -> Option<()>,
}

const MAIL: &[Row<MailParameters>] = &[
    Row {
        name: "SIZE",
        set: size,
    },
    Row {
        name: "BODY",
        set: body,
    },
    Row {
        name: "SMTPUTF8",
        set: smtputf8,
    },
    Row {
        name: "RET",
        set: ret,
    },
    Row {
        name: "ENVID",
        set: envid,
    },
    Row {
        name: "AUTH",
        set: auth,
    },
    Row {
        name: "BY",
        set: deliver_by,
    },
    Row {
        name: "MT-PRIORITY",
        set: priority,
    },
    Row {
        name: "REQUIRETLS",
        set: require_tls,
    },
    Row {
        name: "HOLDFOR",
        set: hold_for,
    },
    Row {
        name: "HOLDUNTIL",
        set: hold_until,
    },
];

const RCPT: &[Row<RcptParameters>] = &[
    Row {
        name: "NOTIFY",
        set: notify,
    },
    Row {
        name: "ORCPT",
        set: orcpt,
    },
];

/// `text` is what follows the path: empty, or a space before each parameter.
pub(crate) fn mail(text: &str) -> Result<MailParameters, ParameterError> {
    parse(text, MAIL)
}

pub(crate) fn rcpt(text: &str) -> Result<RcptParameters, ParameterError> {
    parse(text, RCPT)
}

fn parse<P: Default>(text: &str, rows: &[Row<P>]) -> Result<P, ParameterError> {
    let mut parameters = P::default();
    let mut seen = 0u32;
    let words = text.split(' ').filter(|word| !word.is_empty());
    for (count, word) in words.enumerate() {
        if count >= limits::PARAMETERS_MAX {
            return Err(ParameterError::Value);
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let at = rows
            .iter()
            .position(|row| row.name.eq_ignore_ascii_case(name));
        let row = at
            .and_then(|at| rows.get(at))
            .ok_or(ParameterError::Unknown)?;
        let bit = 1u32 << at.unwrap_or_default();
        if seen & bit != 0 {
            return Err(ParameterError::Value);
        }
        seen |= bit;
        (row.set)(&mut parameters, value).ok_or(ParameterError::Value)?;
    }
    Ok(parameters)
}

/// RFC 1870 §3: 1 to 20 digits.
fn size(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    let digits = value.filter(|v| (1..=20).contains(&v.len()))?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Twenty digits may be more than 64 bits hold: too large whatever the limit.
    parameters.size = Some(digits.parse().unwrap_or(u64::MAX));
    Some(())
}

fn body(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    parameters.body = match value?.to_ascii_uppercase().as_str() {
        "7BIT" => Body::SevenBit,
        "8BITMIME" => Body::EightBitMime,
        "BINARYMIME" => Body::BinaryMime,
        _ => return None,
    };
    Some(())
}

fn smtputf8(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    parameters.smtputf8 = true;
    value.is_none().then_some(())
}

fn ret(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    parameters.ret = Some(match value?.to_ascii_uppercase().as_str() {
        "FULL" => Ret::Full,
        "HDRS" => Ret::Headers,
        _ => return None,
    });
    Some(())
}

fn envid(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    let value = value.filter(|v| v.len() <= limits::ENVID_BYTES_MAX)?;
    // RFC 3461 §4.4: printable characters and spaces only.
    if value.is_empty()
        || !decode_xtext(value)?
            .iter()
            .all(|b| (b' '..=b'~').contains(b))
    {
        return None;
    }
    parameters.envelope_id = Some(value.to_owned());
    Some(())
}

fn auth(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    let value = value.filter(|v| v.len() <= limits::AUTH_PARAMETER_BYTES_MAX)?;
    if value != "<>" {
        let decoded = String::from_utf8(decode_xtext(value)?).ok()?;
        Address::parse(&decoded).ok()?;
    }
    parameters.auth = Some(value.to_owned());
    Some(())
}

/// `BY=120;R`, `BY=-10;NT`: up to nine digits (RFC 2852 §4).
fn deliver_by(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    let (seconds, mode) = value?.split_once(';')?;
    let seconds = signed(seconds, 9)?;
    let (or_return, trace) = match mode.to_ascii_uppercase().as_str() {
        "N" => (false, false),
        "NT" => (false, true),
        "R" => (true, false),
        "RT" => (true, true),
        _ => return None,
    };
    // RFC 2852 §4: by-mode R asks for a time to come.
    if or_return && seconds <= 0 {
        return None;
    }
    parameters.deliver_by = Some(DeliverBy {
        seconds,
        or_return,
        trace,
    });
    Some(())
}

/// RFC 6710 §4: one digit and perhaps a sign.
fn priority(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    let value = signed(value?, 1)?;
    parameters.priority = Some(i8::try_from(value).ok()?);
    Some(())
}

fn signed(text: &str, digits_max: usize) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let good = (1..=digits_max).contains(&digits.len());
    (good && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn require_tls(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    parameters.require_tls = true;
    value.is_none().then_some(())
}

/// RFC 4865 §4: one to nine digits.
fn hold_for(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    let digits = value.filter(|v| (1..=9).contains(&v.len()))?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds: u64 = digits.parse().ok()?;
    let fits = seconds <= limits::HOLD_SECONDS_MAX;
    set_hold(parameters, fits.then_some(Hold::For(seconds))?)
}

/// RFC 4865 §4 with its erratum 2040: a date-time of RFC 3339.
fn hold_until(parameters: &mut MailParameters, value: Option<&str>) -> Option<()> {
    let (sent, fraction) = (value?.get(..19)?, value?.get(19..)?);
    let zone = match fraction.strip_prefix('.') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => fraction,
    };
    let unix = facteur_message::date::parse_rfc3339(sent, zone)?;
    set_hold(parameters, Hold::Until(unix))
}

/// One of them, not both.
fn set_hold(parameters: &mut MailParameters, hold: Hold) -> Option<()> {
    parameters.hold.replace(hold).is_none().then_some(())
}

fn notify(parameters: &mut RcptParameters, value: Option<&str>) -> Option<()> {
    let value = value?.to_ascii_uppercase();
    let mut notify = Notify::default();
    // RFC 3461 §4.1: NEVER stands alone.
    if value != "NEVER" {
        for word in value.split(',') {
            match word {
                "SUCCESS" => notify.success = true,
                "FAILURE" => notify.failure = true,
                "DELAY" => notify.delay = true,
                _ => return None,
            }
        }
    }
    parameters.notify = Some(notify);
    Some(())
}

fn orcpt(parameters: &mut RcptParameters, value: Option<&str>) -> Option<()> {
    let value = value.filter(|v| v.len() <= limits::ORCPT_BYTES_MAX)?;
    let (kind, address) = value.split_once(';')?;
    let atom = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if kind.is_empty() || !kind.bytes().all(atom) || address.is_empty() {
        return None;
    }
    // RFC 6533 §3: utf-8-address may be given as it is under SMTPUTF8, or with \x{...}.
    if !kind.eq_ignore_ascii_case("utf-8") {
        decode_xtext(address)?;
    }
    if address.chars().any(char::is_control) {
        return None;
    }
    parameters.original = Some(value.to_owned());
    Some(())
}

/// RFC 3461 §4: `+` and two upper-case hexadecimal digits stand for a byte.
pub fn decode_xtext(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => {
                let high = upper_hex(bytes.next()?)?;
                let low = upper_hex(bytes.next()?)?;
                out.push(high << 4 | low);
            }
            b'=' => return None,
            b'!'..=b'~' => out.push(byte),
            _ => return None,
        }
    }
    Some(out)
}

pub fn encode_xtext(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'+' | b'=' | 0..=b' ' | 0x7f.. => out.push_str(&format!("+{byte:02X}")),
            _ => out.push(char::from(*byte)),
        }
    }
    out
}

fn upper_hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mail_parameters() {
        let all =
            " SIZE=500000 BODY=8BITMIME SMTPUTF8 RET=hdrs ENVID=QQ314159 AUTH=e+3Dmc2@example.com";
        assert_eq!(
            mail(all),
            Ok(MailParameters {
                size: Some(500_000),
                body: Body::EightBitMime,
                smtputf8: true,
                ret: Some(Ret::Headers),
                envelope_id: Some("QQ314159".into()),
                auth: Some("e+3Dmc2@example.com".into()),
                ..MailParameters::default()
            })
        );
        assert_eq!(mail(""), Ok(MailParameters::default()));
        assert_eq!(mail(" AUTH=<>").unwrap().auth.as_deref(), Some("<>"));
        assert_eq!(mail(" body=binarymime").unwrap().body, Body::BinaryMime);
        assert_eq!(
            mail(" SIZE=99999999999999999999").unwrap().size,
            Some(u64::MAX)
        );
        let wrong = [
            " SIZE",
            " SIZE=",
            " SIZE=-1",
            " SIZE=1k",
            " SIZE=1 SIZE=1",
            " SIZE=999999999999999999999",
            " BODY=9BIT",
            " SMTPUTF8=1",
            " RET=",
            " RET=SOME",
            " ENVID=",
            " ENVID=a+zz",
            " ENVID=a+0A",
            " AUTH=x",
            " AUTH=a=b@x",
            " AUTH",
            " BY",
            " BY=120",
            " BY=120;X",
            " BY=0;R",
            " BY=-1;RT",
            " BY=1234567890;N",
            " BY=+-1;N",
            " MT-PRIORITY=10",
            " MT-PRIORITY=",
            " MT-PRIORITY=x",
            " MT-PRIORITY",
            " REQUIRETLS=1",
            " HOLDFOR",
            " HOLDFOR=",
            " HOLDFOR=-1",
            " HOLDFOR=2592001",
            " HOLDFOR=0000000001",
            " HOLDUNTIL=2026-01-01",
            " HOLDUNTIL=2026-02-30T00:00:00Z",
            " HOLDUNTIL=2026-01-01T24:00:00Z",
            " HOLDUNTIL=2026-01-01T00:00:00",
            " HOLDUNTIL=2026-01-01T00:00:00+25:00",
            " HOLDFOR=1 HOLDUNTIL=2026-01-01T00:00:00Z",
        ];
        for text in wrong {
            assert_eq!(mail(text), Err(ParameterError::Value), "{text}");
        }
        let by = |seconds, or_return, trace| {
            Some(DeliverBy {
                seconds,
                or_return,
                trace,
            })
        };
        for (text, expected) in [
            (" BY=120;r", by(120, true, false)),
            (" BY=+120;RT", by(120, true, true)),
            (" BY=-120;N", by(-120, false, false)),
            (" BY=0;nt", by(0, false, true)),
        ] {
            assert_eq!(mail(text).unwrap().deliver_by, expected, "{text}");
        }
        for (text, expected) in [("3", 3), ("+9", 9), ("-9", -9), ("0", 0)] {
            let parameters = mail(&format!(" MT-PRIORITY={text}")).unwrap();
            assert_eq!(parameters.priority, Some(expected));
        }
        for (text, expected) in [
            (" HOLDFOR=2592000", Hold::For(2_592_000)),
            (" HOLDFOR=0", Hold::For(0)),
            (
                " HOLDUNTIL=2026-01-01T00:00:00Z",
                Hold::Until(1_767_225_600),
            ),
            (
                " HOLDUNTIL=2026-01-01t01:00:00.5+01:00",
                Hold::Until(1_767_225_600),
            ),
            (
                " HOLDUNTIL=2025-12-31T19:00:00-05:00",
                Hold::Until(1_767_225_600),
            ),
        ] {
            assert_eq!(mail(text).unwrap().hold, Some(expected), "{text}");
        }
        assert!(mail(" REQUIRETLS").unwrap().require_tls);
        assert_eq!(mail(" FOO=1"), Err(ParameterError::Unknown));
        assert_eq!(mail(" NOTIFY=NEVER"), Err(ParameterError::Unknown));
        let long = format!(" ENVID={}", "a".repeat(101));
        assert_eq!(mail(&long), Err(ParameterError::Value));
    }

    #[test]
    fn rcpt_parameters() {
        let both = rcpt(" NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+2Bx@Example.COM").unwrap();
        assert_eq!(
            both.notify,
            Some(Notify {
                success: true,
                failure: false,
                delay: true
            })
        );
        assert_eq!(both.original.as_deref(), Some("rfc822;Bob+2Bx@Example.COM"));
        assert_eq!(
            rcpt(" NOTIFY=NEVER").unwrap().notify,
            Some(Notify::default())
        );
        assert!(rcpt(" ORCPT=utf-8;rené@x.test").is_ok());
        for text in [
            " NOTIFY=",
            " NOTIFY",
            " NOTIFY=NEVER,SUCCESS",
            " NOTIFY=SUCCESS,,DELAY",
            " ORCPT=x",
            " ORCPT=;x",
            " ORCPT=rfc822;",
            " ORCPT=rfc822;a+2b",
            " ORCPT=rfc822;a=b",
        ] {
            assert_eq!(rcpt(text), Err(ParameterError::Value), "{text}");
        }
        assert_eq!(rcpt(" SIZE=1"), Err(ParameterError::Unknown));
    }

    proptest! {
        #[test]
        fn xtext_both_ways(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            prop_assert_eq!(decode_xtext(&encode_xtext(&bytes)), Some(bytes));
        }
    }
}
