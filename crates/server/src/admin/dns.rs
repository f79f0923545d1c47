//! What a domain publishes, and whether DNS has it.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use facteur_senders::dns::Answers;
use facteur_senders::publish::{self, Finding, Key, Purpose, Role, Service, Site, State as InDns};
use facteur_store::SigningKey;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::domains::domain_name;
use super::error::{ApiError, Code};
use super::extract::{Path, Query};
use super::{Answer, State, blocking, domain_to_ascii, rfc3339};
use crate::dkim::{self, Telling};
use crate::web::own_sts;
use crate::{Context, limits, reports, senders};

/// RFC 6186 §3.4 and RFC 8314 §5.1: TLS from the first byte is tried first.
const SERVICES: [Service; 5] = [
    service("_submissions", 0, 465),
    service("_submission", 10, 587),
    service("_imaps", 0, 993),
    service("_pop3s", 10, 995),
    // RFC 5804 §1.8.
    service("_sieve", 0, 4190),
];

const fn service(name: &'static str, priority: u16, port: u16) -> Service {
    Service {
        name,
        priority,
        port,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Whether DNS is asked; it is unless told otherwise.
    check: Option<bool>,
}

#[derive(Serialize)]
struct DnsView {
    domain: String,
    hostname: String,
    checked: bool,
    /// Everything that has to be there is there and right; `null`: nobody asked.
    clean: Option<bool>,
    records: Vec<RecordView>,
    mta_sts: StsView,
}

/// Our own MTA-STS policy for the domain.
#[derive(Serialize)]
struct StsView {
    /// "enforced", "testing", "host_unproven", "name_unproven", "no_listener" or "unknown".
    standing: &'static str,
    /// The name that has to lead here.
    host: String,
    /// The record that announces it, when it is served.
    record: Option<String>,
}

#[derive(Serialize)]
struct RecordView {
    /// "mx", "address", "reverse", "spf", "dkim", "dmarc", "service", "policy_host" or "policy".
    purpose: &'static str,
    /// Mail goes well without it.
    optional: bool,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// As a zone file has it; empty where only the owner knows.
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyView>,
    /// "good", "missing", "wrong" or "unknown".
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// A stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
    /// What DNS has: foreign text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found: Vec<String>,
}

/// Of the public half alone.
#[derive(Serialize)]
struct KeyView {
    selector: String,
    algorithm: &'static str,
    /// "waits", "signs" or "retired".
    role: &'static str,
    made: String,
    signs_since: Option<String>,
    /// When the record of a retired key may go.
    keep_until: Option<String>,
}

/// Every word that `problem` may be.
pub fn dns_problems() -> impl Iterator<Item = &'static str> {
    publish::Problem::ALL
        .into_iter()
        .map(publish::Problem::word)
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/domains/{name}/dns", get(show))
        .route("/v1/domains/{name}/renew", post(renew))
}

async fn show(
    context: State,
    Path(name): Path<String>,
    Query(question): Query<Question>,
) -> Answer<DnsView> {
    let name = ours(&context, &name)?;
    // A record that was published a moment ago is used from now on.
    dkim::turn(&context, &name, Telling::Caller).await?;
    page(&context, name, question.check.unwrap_or(true)).await
}

/// New keys now, for who does not trust the old ones any more.
async fn renew(context: State, Path(name): Path<String>) -> Answer<DnsView> {
    let name = ours(&context, &name)?;
    dkim::renew(&context, &name).await?;
    page(&context, name, false).await
}

fn ours(context: &Context, name: &str) -> Result<String, ApiError> {
    let name = domain_name(name)?;
    match context.store.domain(&name)? {
        Some(_) => Ok(name),
        None => Err(ApiError::new(Code::NoSuchDomain)),
    }
}

async fn page(context: &Arc<Context>, name: String, checked: bool) -> Answer<DnsView> {
    let (ctx, domain) = (Arc::clone(context), name.clone());
    let mut keys = blocking(move || Ok(ctx.store.signing_keys(&domain)?)).await?;
    keys.sort_by_key(|key| (key.algorithm, key.made));
    let ascii = domain_to_ascii(&name);
    let published: Vec<Key> = keys.iter().map(published).collect();
    let reports_to = format!("{}@{ascii}", reports::ADDRESS);
    let domain = context.store.domain(&name)?;
    // What others can't fetch must not be announced.
    let policy = domain.map(|domain| own_sts::of(context, &domain));
    let policy = policy
        .filter(|policy| policy.standing.is_served())
        .map(|policy| publish::Policy {
            host: policy.host,
            record: policy.record,
        });
    let site = Site {
        domain: &ascii,
        hostname: &context.config.hostname,
        addresses: &[],
        keys: &published,
        services: &SERVICES,
        reports_to: &reports_to,
        policy: policy.as_ref(),
        relayed: context.config.queue.smarthost.is_some(),
    };
    let records = publish::records(&site);
    let findings = match checked {
        true => ask(context, &site, &records).await,
        false => Vec::new(),
    };
    let needed = records
        .iter()
        .zip(&findings)
        .filter(|(record, _)| !record.purpose.is_optional());
    let mut needed = needed.map(|(_, finding)| finding.state);
    let clean = checked.then(|| needed.all(|state| state == InDns::Good));
    let kept_for = dkim::kept_for(context);
    let mut findings = findings.into_iter();
    let records = records.into_iter().map(|record| {
        let key = match record.purpose {
            Purpose::Dkim(place) => keys.get(place).map(|key| view(key, kept_for)),
            _ => None,
        };
        let found: Option<Finding> = findings.next();
        RecordView {
            purpose: record.purpose.word(),
            optional: record.purpose.is_optional(),
            name: record.name,
            kind: record.kind,
            value: record.value,
            key,
            state: found.as_ref().map(|found| found.state.word()),
            problem: found
                .as_ref()
                .and_then(|found| found.problem.map(|problem| problem.word())),
            found: found.map(|found| found.found).unwrap_or_default(),
        }
    });
    Ok(axum::Json(DnsView {
        domain: name.clone(),
        hostname: context.config.hostname.clone(),
        checked,
        clean,
        records: records.collect(),
        mta_sts: sts_view(context, &name)?,
    }))
}

fn sts_view(context: &Context, name: &str) -> Result<StsView, ApiError> {
    let domain = context.store.domain(name)?;
    let domain = domain.ok_or_else(|| ApiError::new(Code::NoSuchDomain))?;
    let policy = own_sts::of(context, &domain);
    let ascii = domain_to_ascii(name);
    let record = format!("_mta-sts.{ascii}. TXT \"{}\"", policy.record);
    Ok(StsView {
        standing: policy.standing.word(),
        host: policy.host,
        record: policy.standing.is_served().then_some(record),
    })
}

fn role(key: &SigningKey) -> Role {
    if dkim::waits(key) {
        Role::Waits
    } else if dkim::signs(key) {
        Role::Signs
    } else {
        Role::Retired
    }
}

fn published(key: &SigningKey) -> Key {
    Key {
        selector: key.selector.clone(),
        algorithm: dkim::algorithm(key.algorithm),
        public: key.public.clone(),
        role: role(key),
    }
}

fn view(key: &SigningKey, kept_for: std::time::Duration) -> KeyView {
    KeyView {
        selector: key.selector.clone(),
        algorithm: dkim::algorithm(key.algorithm).name(),
        role: match role(key) {
            Role::Waits => "waits",
            Role::Signs => "signs",
            Role::Retired => "retired",
        },
        made: rfc3339(key.made),
        signs_since: key.used.map(rfc3339),
        keep_until: key.retired.map(|at| rfc3339(at.after(kept_for))),
    }
}

/// What is not answered in time, or without a resolver, is not known.
async fn ask(context: &Context, site: &Site<'_>, records: &[publish::Record]) -> Vec<Finding> {
    let mut answers = Answers::default();
    if let Some(dns) = &context.dns {
        let asking = async {
            while publish::check(site, records, &mut answers).is_err() {
                senders::ask_all(&**dns, &mut answers).await;
            }
        };
        // What was answered until then counts.
        let _ = timeout(limits::SENDER_CHECKS, asking).await;
    }
    loop {
        // Every round gives up on at least one question, and there is a bound of them.
        if let Ok(findings) = publish::check(site, records, &mut answers) {
            return findings;
        }
        answers.give_up();
    }
}
