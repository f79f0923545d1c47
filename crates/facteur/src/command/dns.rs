//! `facteur domain dns`: the records that a domain needs, and what DNS says of them.

use hyper::Method;
use serde_json::Value;

use super::{flag, list, text};
use crate::client::{Client, segment};
use crate::output::{Outcome, Output, safe};
use crate::texts::{self, Text, fill, t};

pub async fn run(client: &Client, domain: &str, check: bool) -> Outcome {
    let page = page(client, domain, check).await?;
    Ok(shown(page))
}

pub async fn renew(client: &Client, domain: &str) -> Outcome {
    let path = format!("/v1/domains/{}/renew", segment(domain));
    let page = client.call(Method::POST, &path, None, domain).await?;
    Ok(shown(page))
}

fn shown(page: Value) -> Output {
    let mut lines = vec![
        fill(texts::DNS_HEAD, &[&text(&page, "domain")]),
        String::new(),
    ];
    let records = list(&page, "records");
    let mut bad = 0;
    for record in records {
        // Reverse DNS is somebody else's zone: nobody can paste it into his own.
        if text(record, "purpose") != "reverse" {
            lines.push(format!("  {}", line(record)));
        } else {
            lines.push(format!("  {}", fill(texts::DNS_REVERSE, &[])));
        }
        lines.extend(
            words(record)
                .into_iter()
                .map(|word| format!("      {word}")),
        );
        let optional = flag(record, "optional");
        let good = matches!(text(record, "state").as_str(), "good" | "");
        bad += usize::from(!good && !optional);
    }
    let clean = page.get("clean").and_then(Value::as_bool);
    if clean.is_some() {
        lines.push(String::new());
        lines.push(match bad {
            0 => t(texts::DNS_ALL_GOOD).to_owned(),
            bad => fill(texts::DNS_NOT_GOOD, &[&bad, &records.len()]),
        });
    }
    lines.extend(policy(&page));
    let mut output = Output::new(page, lines.join("\n"));
    output.clean = clean.unwrap_or(true);
    output
}

/// The MTA-STS policy of the domain: whether it is served, and how to announce it.
fn policy(page: &Value) -> Vec<String> {
    let Some(policy) = page.get("mta_sts") else {
        return Vec::new();
    };
    let (host, hostname) = (text(policy, "host"), text(page, "hostname"));
    let said = match text(policy, "standing").as_str() {
        "enforced" => fill(texts::DNS_STS_ENFORCED, &[&host]),
        "testing" => fill(texts::DNS_STS_TESTING, &[&host]),
        "host_unproven" => fill(texts::DNS_STS_HOST, &[&host, &hostname]),
        "name_unproven" => fill(texts::DNS_STS_NAME, &[&host]),
        "no_listener" => t(texts::DNS_STS_LISTENER).to_owned(),
        _ => return Vec::new(),
    };
    let mut lines = vec![String::new(), said];
    let record = text(policy, "record");
    if !record.is_empty() {
        lines.push(format!("  {record}"));
    }
    lines
}

/// What the server says of the domain's records.
pub async fn page(
    client: &Client,
    domain: &str,
    check: bool,
) -> Result<Value, crate::output::Failure> {
    let path = format!("/v1/domains/{}/dns?check={check}", segment(domain));
    client.call(Method::GET, &path, None, domain).await
}

/// As a zone file has it.
pub fn line(record: &Value) -> String {
    let (name, kind) = (text(record, "name"), text(record, "type"));
    let mut value = text(record, "value");
    if value.is_empty() {
        value = t(match kind.as_str() {
            "A" => texts::SETUP_IPV4,
            _ => texts::SETUP_IPV6,
        })
        .to_owned();
    }
    format!("{name}. {kind} {value}")
}

fn words(record: &Value) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(key) = record.get("key") {
        words.push(key_words(key));
    }
    let (state, problem) = (text(record, "state"), text(record, "problem"));
    let purpose = text(record, "purpose");
    let name = format!("{}.", text(record, "name"));
    let said = match (of_problem(&problem), state.as_str(), purpose.as_str()) {
        (Some(problem), _, _) => fill(problem, &[&name]),
        (None, "good", _) => t(texts::DNS_GOOD).to_owned(),
        (None, "missing", "address") => t(texts::DNS_ADDRESS_MISSING).to_owned(),
        (None, "missing", "service") => t(texts::DNS_SERVICE_MISSING).to_owned(),
        (None, "missing", "tls_reports") => t(texts::DNS_TLS_REPORTS_MISSING).to_owned(),
        (None, "missing", "policy" | "policy_host") => t(texts::DNS_POLICY_MISSING).to_owned(),
        (None, "missing", "reverse") => fill(texts::DNS_REVERSE_MISSING, &[&name]),
        (None, "missing", _) => t(texts::DNS_MISSING).to_owned(),
        (None, "unknown", _) => t(texts::DNS_UNKNOWN).to_owned(),
        _ => return words,
    };
    words.push(said);
    let beside = matches!(problem.as_str(), "mx_beside" | "tls_reports_elsewhere");
    if state != "good" || beside {
        for found in list(record, "found") {
            let found = found.as_str().unwrap_or_default();
            words.push(fill(texts::DNS_FOUND, &[&short(found)]));
        }
    }
    words
}

fn key_words(key: &Value) -> String {
    let name = format!("{} ({})", text(key, "selector"), text(key, "algorithm"));
    let day = |field| text(key, field).chars().take(10).collect::<String>();
    match text(key, "role").as_str() {
        "waits" => fill(texts::DNS_KEY_WAITS, &[&name]),
        "signs" => fill(texts::DNS_KEY_SIGNS, &[&name, &day("signs_since")]),
        _ => fill(texts::DNS_KEY_RETIRED, &[&name, &day("keep_until")]),
    }
}

fn of_problem(word: &str) -> Option<Text> {
    Some(match word {
        "mx_elsewhere" => texts::DNS_MX_ELSEWHERE,
        "mx_beside" => texts::DNS_MX_BESIDE,
        "mx_null" => texts::DNS_MX_NULL,
        "spf_twice" => texts::DNS_SPF_TWICE,
        "spf_broken" => texts::DNS_SPF_BROKEN,
        "spf_others" => texts::DNS_SPF_OTHERS,
        "key_other" => texts::DNS_KEY_OTHER,
        "key_signs" => texts::DNS_KEY_GONE,
        "key_retired" => texts::DNS_KEY_RETIRED_GONE,
        "dmarc_twice" => texts::DNS_DMARC_TWICE,
        "dmarc_broken" => texts::DNS_DMARC_BROKEN,
        "dmarc_watches" => texts::DNS_DMARC_WATCHES,
        "tls_reports_broken" => texts::DNS_TLS_REPORTS_BROKEN,
        "tls_reports_elsewhere" => texts::DNS_TLS_REPORTS_ELSEWHERE,
        "service_elsewhere" => texts::DNS_SERVICE_ELSEWHERE,
        "policy_elsewhere" => texts::DNS_POLICY_ELSEWHERE,
        "policy_other" => texts::DNS_POLICY_OTHER,
        "reverse_other" => texts::DNS_REVERSE_OTHER,
        _ => return None,
    })
}

/// Foreign text must not fill the terminal.
fn short(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    safe(text).chars().take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_words() {
        for problem in facteur_server::admin::dns_problems() {
            assert!(of_problem(problem).is_some(), "{problem}");
        }
    }
}
