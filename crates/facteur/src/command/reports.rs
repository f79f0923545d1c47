//! `facteur domain reports`: what others report of a domain's mail, in words.

use hyper::Method;
use serde_json::Value;

use super::{flag, list, number, text, texts_of};
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, safe, table};
use crate::texts::{self, Text, fill, t};

pub async fn run(client: &Client, domain: &str, days: u16, unproven: bool) -> Outcome {
    let name = segment(domain);
    let path = format!("/v1/domains/{name}/reports?days={days}&unproven={unproven}");
    let page = client.call(Method::GET, &path, None, domain).await?;
    let text = shown(&page);
    Ok(Output::new(page, text))
}

fn shown(page: &Value) -> String {
    let (domain, days) = (text(page, "domain"), number(page, "days_asked"));
    let unproven = flag(page, "unproven_only");
    let mut paragraphs = vec![fill(texts::REPORTS_HEAD, &[&domain, &days])];
    let mut notes = Vec::new();
    if unproven {
        paragraphs.push(t(texts::REPORTS_UNPROVEN_ONLY).to_owned());
    } else if number(page, "unproven") > 0 {
        let count = number(page, "unproven");
        notes.push(fill(texts::REPORTS_UNPROVEN, &[&count]));
    }
    if number(page, "unread") > 0 {
        notes.push(fill(texts::REPORTS_UNREAD, &[&number(page, "unread")]));
    }
    if number(page, "days") == 0 {
        paragraphs.push(fill(texts::REPORTS_NONE, &[&domain]));
    } else {
        paragraphs.extend(mail(page));
        if !unproven {
            paragraphs.push(advice(page));
        }
    }
    if !unproven {
        paragraphs.push(tls(page));
    }
    if !notes.is_empty() {
        paragraphs.push(notes.join("\n"));
    }
    paragraphs.push(t(texts::REPORTS_CLAIMS).to_owned());
    paragraphs.join("\n\n")
}

fn mail(page: &Value) -> Vec<String> {
    let letters = page.get("letters").unwrap_or(&Value::Null);
    let all = number(letters, "all");
    let share = |name| percent(number(letters, name), all);
    let mut sums = vec![
        fill(texts::REPORTS_ALL, &[&all, &number(page, "days")]),
        fill(
            texts::REPORTS_PASSED,
            &[&number(letters, "passed"), &share("passed")],
        ),
        fill(texts::REPORTS_HOW, &[&share("signed"), &share("sent")]),
    ];
    let (set_aside, refused) = (number(letters, "quarantined"), number(letters, "rejected"));
    if set_aside + refused > 0 {
        sums.push(fill(texts::REPORTS_DONE, &[&set_aside, &refused]));
    }
    let reporters = list(page, "reporters").iter();
    let reporters: Vec<String> = reporters
        .map(|one| format!("{} ({})", text(one, "domain"), number(one, "letters")))
        .collect();
    sums.push(fill(texts::REPORTS_BY, &[&reporters.join(", ")]));
    let mut paragraphs = vec![sums.join("\n")];
    let sources = list(page, "sources");
    let (bad, good): (Vec<&Value>, Vec<&Value>) = sources
        .iter()
        .partition(|source| text(source, "meaning") != "good");
    if !bad.is_empty() {
        let lines: Vec<String> = bad.into_iter().flat_map(failing).collect();
        let head = t(texts::REPORTS_FAILING);
        paragraphs.push(format!("{head}\n{}", lines.join("\n")));
    }
    if !good.is_empty() {
        let head = [
            t(texts::COLUMN_SOURCE),
            t(texts::COLUMN_LETTERS),
            t(texts::COLUMN_SIGNED_LETTERS),
            t(texts::COLUMN_SENT_LETTERS),
        ];
        let rows = good.into_iter().map(|source| {
            let letters = source.get("letters").unwrap_or(&Value::Null);
            let count = |name| number(letters, name).to_string();
            vec![
                text(source, "source"),
                count("all"),
                count("signed"),
                count("sent"),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let words = t(texts::REPORTS_GOOD);
        paragraphs.push(format!("{words}\n{}", table(&head, &rows).trim_end()));
    }
    let more = number(page, "more_sources");
    if more > 0 {
        paragraphs.push(fill(texts::REPORTS_MORE, &[&more]));
    }
    paragraphs
}

/// A source of which not all passes, and what that probably means.
fn failing(source: &Value) -> Vec<String> {
    let letters = source.get("letters").unwrap_or(&Value::Null);
    let all = number(letters, "all");
    let failed = all.saturating_sub(number(letters, "passed"));
    let others = texts_of(source, "others");
    let meaning = match text(source, "meaning").as_str() {
        "own" => texts::REPORTS_OWN,
        "mostly" => texts::REPORTS_MOSTLY,
        "passed_on" => texts::REPORTS_PASSED_ON,
        "service" => texts::REPORTS_SERVICE,
        _ => texts::REPORTS_NOBODY,
    };
    let name = text(source, "source");
    let mut lines = vec![
        format!("  {}", fill(texts::REPORTS_SOURCE, &[&name, &all, &failed])),
        format!("      {}", fill(meaning, &[&others])),
    ];
    let from = texts_of(source, "from");
    if !from.is_empty() {
        lines.push(format!("      {}", fill(texts::REPORTS_FROM, &[&from])));
    }
    lines
}

fn advice(page: &Value) -> String {
    let advice = match text(page, "advice").as_str() {
        "too_few" => texts::ADVICE_TOO_FEW,
        "look_first" => texts::ADVICE_LOOK_FIRST,
        "quarantine" => texts::ADVICE_QUARANTINE,
        "reject" => texts::ADVICE_REJECT,
        "stay" => texts::ADVICE_STAY,
        _ => texts::ADVICE_NO_REPORTS,
    };
    let policy = text(page, "policy");
    fill(advice, &[&policy, &text(page, "domain")])
}

fn tls(page: &Value) -> String {
    let tls = page.get("tls").unwrap_or(&Value::Null);
    let (good, bad) = (number(tls, "succeeded"), number(tls, "failed"));
    if number(tls, "reports") == 0 {
        return t(texts::REPORTS_TLS_NONE).to_owned();
    }
    let mut lines = vec![match bad {
        0 => fill(texts::REPORTS_TLS_GOOD, &[&good]),
        _ => fill(texts::REPORTS_TLS_BAD, &[&good, &bad]),
    }];
    for failure in list(tls, "failures") {
        let (why, host) = (text(failure, "why"), text(failure, "host"));
        let said = match of_failure(&why) {
            Some(words) => t(words).to_owned(),
            None => safe(&why),
        };
        let count = number(failure, "connections");
        lines.push(match host.is_empty() {
            true => format!("  {count}: {said}"),
            false => format!("  {count}, {host}: {said}"),
        });
    }
    lines.join("\n")
}

fn of_failure(why: &str) -> Option<Text> {
    Some(match why {
        "starttls-not-supported" => texts::TLS_NO_STARTTLS,
        "certificate-host-mismatch" => texts::TLS_HOST,
        "certificate-expired" => texts::TLS_EXPIRED,
        "certificate-not-trusted" => texts::TLS_NOT_TRUSTED,
        "tlsa-invalid" => texts::TLS_TLSA,
        "dnssec-invalid" => texts::TLS_DNSSEC,
        "dane-required" => texts::TLS_DANE,
        "sts-policy-fetch-error" => texts::TLS_STS_FETCH,
        "sts-policy-invalid" => texts::TLS_STS_INVALID,
        "sts-webpki-invalid" => texts::TLS_STS_WEBPKI,
        "validation-failure" => texts::TLS_OTHER,
        _ => return None,
    })
}

/// Rounded down, so that 100 means all.
fn percent(part: u64, all: u64) -> u64 {
    let whole = u128::from(all.max(1));
    u64::try_from(u128::from(part) * 100 / whole).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_failure_has_its_words() {
        for word in facteur_server::admin::tls_failures() {
            assert!(of_failure(word).is_some(), "{word}");
        }
    }

    #[test]
    fn nothing_came() {
        let text = shown(&json!({
            "domain": "our.test", "days_asked": 30, "days": 0, "advice": "no_reports",
            "tls": { "reports": 0 },
        }));
        assert!(text.starts_with("What others reported of our.test in the last 30 days"));
        assert!(text.contains(t(texts::REPORTS_TLS_NONE)));
        assert!(!text.contains(t(texts::REPORTS_FAILING)));
    }

    #[test]
    fn what_fails_is_told_in_words() {
        let letters = |all, passed| {
            json!({ "all": all, "passed": passed, "signed": passed, "sent": 0,
                    "quarantined": 0, "rejected": 0 })
        };
        let source = |name: &str, meaning: &str, all: u64, passed: u64| {
            json!({ "source": name, "meaning": meaning, "letters": letters(all, passed),
                    "others": ["news.test"], "from": ["our.test"] })
        };
        let text = shown(&json!({
            "domain": "our.test", "days_asked": 30, "days": 20, "unproven": 2, "unread": 1,
            "policy": "none", "advice": "look_first", "letters": letters(1000, 880),
            "reporters": [{ "domain": "big.test", "reports": 9, "letters": 1000 }],
            "sources": [source("192.0.2.1", "nobody", 120, 0), source("192.0.2.2", "service", 9, 0),
                        source("192.0.2.3", "good", 871, 871)],
            "tls": { "reports": 3, "succeeded": 99, "failed": 1, "failures": [
                { "why": "certificate-expired", "host": "mx.our.test", "connections": 1 },
                { "why": "odd\u{1b}", "host": "", "connections": 2 }] },
        }));
        for expected in [
            "88 %",
            "192.0.2.1: 120 letters, 120 of them fail",
            "neither signed nor allowed: somebody writes in your name, or a service of yours is not set up",
            "news.test",
            "192.0.2.3  871      871",
            "1, mx.our.test: the certificate has expired",
            "2: odd\u{fffd}",
            "big.test (1000)",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
