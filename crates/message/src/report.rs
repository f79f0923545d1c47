//! What other hosts report of mail, as far as it is read by machines: what became of a recipient
//! (RFC 3464 §2), and that somebody complains (RFC 5965 §3). The text of the part alone, decoded.
//!
//! Bounded and liberal: what can't be read is left out. What a report says is the claim of whoever sent
//! it; nothing here makes it true.

use crate::header;
use crate::limits::{REPORT_BYTES_MAX, REPORT_GROUPS_MAX, REPORT_VALUE_BYTES_MAX};

/// One recipient of a `message/delivery-status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// Addresses without their type, in the case in which they stand there.
    pub original_recipient: Option<String>,
    pub final_recipient: Option<String>,
    /// In lower case: "failed", "delayed", "delivered", "relayed", "expanded", or something else.
    pub action: String,
    /// RFC 3463, "5.1.1"; empty when it can't be read.
    pub status: String,
    /// What a host said, without its type.
    pub diagnostic: String,
    /// A host said it in SMTP (RFC 3464 §2.3.6: type "smtp"); else whoever reports found it out.
    pub is_reply: bool,
}

/// A `message/feedback-report`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedbackReport {
    /// In lower case: "abuse", "fraud", "not-spam", "opt-out" and others.
    pub kind: String,
    pub original_recipients: Vec<String>,
}

/// RFC 3464 §2.1: fields of the message, then a group for each recipient.
pub fn delivery_status(part: &[u8]) -> Vec<DeliveryStatus> {
    let mut found = Vec::new();
    let mut rest = part.get(..REPORT_BYTES_MAX).unwrap_or(part);
    // The first group is about the message; one that names a recipient was not ended properly.
    for _ in 0..REPORT_GROUPS_MAX {
        rest = without_blank_lines(rest);
        if rest.is_empty() {
            break;
        }
        let (group, behind) = rest.split_at(header::length(rest).clamp(1, rest.len()));
        found.extend(recipient(group));
        rest = behind;
    }
    found
}

fn without_blank_lines(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = text {
        text = rest;
    }
    text
}

fn recipient(group: &[u8]) -> Option<DeliveryStatus> {
    let mut status = DeliveryStatus::default();
    for field in header::fields(group) {
        if field.is("original-recipient") {
            status.original_recipient = address(&value(&field));
        } else if field.is("final-recipient") {
            status.final_recipient = address(&value(&field));
        } else if field.is("action") {
            status.action = value(&field).to_ascii_lowercase();
        } else if field.is("status") {
            status.status = status_code(&value(&field));
        } else if field.is("diagnostic-code") {
            let value = value(&field);
            let (kind, said) = value.split_once(';').unwrap_or(("", &value));
            status.diagnostic = said.trim().to_owned();
            status.is_reply = kind.trim().eq_ignore_ascii_case("smtp");
        }
    }
    let named = status.original_recipient.is_some() || status.final_recipient.is_some();
    (named && !status.action.is_empty()).then_some(status)
}

/// RFC 5965 §3.1, §3.2; `None` when it does not say what kind of feedback it is.
pub fn feedback(part: &[u8]) -> Option<FeedbackReport> {
    let part = part.get(..REPORT_BYTES_MAX).unwrap_or(part);
    let mut report = FeedbackReport::default();
    for field in header::fields(without_blank_lines(part)) {
        if field.is("feedback-type") {
            report.kind = value(&field).to_ascii_lowercase();
        } else if field.is("original-rcpt-to")
            && report.original_recipients.len() < REPORT_GROUPS_MAX
        {
            report.original_recipients.extend(address(&value(&field)));
        }
    }
    (!report.kind.is_empty()).then_some(report)
}

/// One line of printable text.
fn value(field: &header::Field<'_>) -> String {
    let value = field.unfolded();
    let value = value.get(..REPORT_VALUE_BYTES_MAX).unwrap_or(&value);
    let text = String::from_utf8_lossy(value);
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.trim().to_owned()
}

/// `rfc822; <a@b>` without what is around it.
fn address(value: &str) -> Option<String> {
    let bare = value.split_once(';').map_or(value, |(_, bare)| bare);
    let bare = bare.trim().trim_start_matches('<').trim_end_matches('>');
    let fits = bare.contains('@') && !bare.contains(char::is_whitespace);
    fits.then(|| bare.to_owned())
}

/// RFC 3463 §2, whatever is said behind it.
fn status_code(value: &str) -> String {
    let code = value.split([' ', '(']).next().unwrap_or_default();
    let mut parts = code.split('.');
    let mut number = |digits: usize| {
        let part = parts.next().unwrap_or_default();
        (1..=digits).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let good = number(1) && number(3) && number(3) && parts.next().is_none();
    if good { code.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3464 appendix E.2, with a fold and a second recipient.
    #[test]
    fn recipients_are_read() {
        let part = b"Reporting-MTA: dns; mx.far.test\r\nOriginal-Envelope-Id: QQ\r\n\r\n\
            Original-Recipient: rfc822;Louisl@far.test\r\nFinal-Recipient: RFC822; <x@far.test>\r\n\
            Action: Failed\r\nStatus: 5.1.1 (no such user)\r\n\
            Diagnostic-Code: smtp; 550 5.1.1\r\n  nobody\x01here\r\n\r\n\r\n\
            Final-Recipient: rfc822; b@far.test\nAction: delayed\nStatus: 4.x\n";
        let found = delivery_status(part);
        let [first, second] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(first.original_recipient.as_deref(), Some("Louisl@far.test"));
        assert_eq!(first.final_recipient.as_deref(), Some("x@far.test"));
        assert_eq!(
            (first.action.as_str(), first.status.as_str()),
            ("failed", "5.1.1")
        );
        assert_eq!(first.diagnostic, "550 5.1.1  nobody here");
        assert_eq!(second.final_recipient.as_deref(), Some("b@far.test"));
        assert_eq!(
            (second.action.as_str(), second.status.as_str()),
            ("delayed", "")
        );
    }

    #[test]
    fn what_names_nobody_is_left_out() {
        for part in [
            &b""[..],
            b"\r\n\r\n",
            b"Action: failed\r\n\r\n",
            b"Final-Recipient: rfc822; nobody\r\nAction: failed\r\n",
            b"Final-Recipient: rfc822; a b@far.test\r\nAction: failed\r\n",
            b"Final-Recipient: rfc822; a@far.test\r\n",
            b"no field at all",
        ] {
            assert_eq!(delivery_status(part), [], "{}", part.escape_ascii());
        }
    }

    #[test]
    fn a_report_is_bounded() {
        let one = b"Final-Recipient: rfc822; a@far.test\r\nAction: failed\r\n\r\n";
        let many = one.repeat(REPORT_GROUPS_MAX + 5);
        assert_eq!(delivery_status(&many).len(), REPORT_GROUPS_MAX);
        let long = [&b"Feedback-Type: "[..], &vec![b'x'; REPORT_BYTES_MAX * 2]].concat();
        let kind = feedback(&long).map(|report| report.kind.len());
        assert_eq!(kind, Some(REPORT_VALUE_BYTES_MAX));
    }

    #[test]
    fn complaints_are_read() {
        let part = b"Feedback-Type: Abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n\
            Original-Mail-From: <bounce@our.test>\r\nOriginal-Rcpt-To: <Ann@far.test>\r\n";
        let report = feedback(part).expect("a report");
        assert_eq!(report.kind, "abuse");
        assert_eq!(report.original_recipients, ["Ann@far.test"]);
        assert_eq!(feedback(b"Version: 1\r\n"), None);
    }

    #[test]
    fn status_codes() {
        for (text, code) in [
            ("5.1.1", "5.1.1"),
            ("4.7.25 later", "4.7.25"),
            ("5.1.1(x)", "5.1.1"),
            ("5.1", ""),
            ("5.1.1.1", ""),
            ("55.1.1", ""),
            ("5.1.abc", ""),
            ("", ""),
        ] {
            assert_eq!(status_code(text), code, "{text}");
        }
    }
}
