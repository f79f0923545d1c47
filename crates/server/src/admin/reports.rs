//! What others report of a domain's mail.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use facteur_senders::dns::Answers;
use facteur_senders::reports::tls::FailureKind;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::domains::domain_name;
use super::error::{ApiError, Code};
use super::extract::{Path, Query};
use super::{Answer, State, blocking};
use crate::reports::limits::DAYS;
use crate::reports::{Adding, Summary};
use crate::{Context, limits, senders};

const DAYS_USUAL: i64 = 30;
const DAY_SECONDS: i64 = 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// What came in so many days.
    days: Option<i64>,
    /// Only those whose sender nobody proved.
    unproven: Option<bool>,
}

#[derive(Serialize)]
struct ReportsView {
    domain: String,
    days_asked: i64,
    unproven_only: bool,
    #[serde(flatten)]
    summary: Summary,
}

/// Every word that `why` of a failed connection may be.
pub fn tls_failures() -> impl Iterator<Item = &'static str> {
    FailureKind::WORDS.into_iter().map(|(_, word)| word)
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/v1/domains/{name}/reports", get(show))
}

async fn show(
    context: State,
    Path(name): Path<String>,
    Query(question): Query<Question>,
) -> Answer<ReportsView> {
    let name = domain_name(&name)?;
    if context.store.domain(&name)?.is_none() {
        return Err(ApiError::new(Code::NoSuchDomain));
    }
    let days = question.days.unwrap_or(DAYS_USUAL);
    if !(1..=DAYS).contains(&days) {
        let why = format!("days: from 1 to {DAYS}");
        return Err(ApiError::new(Code::BadRequest).because(why));
    }
    let unproven = question.unproven.unwrap_or(false);
    let own = own_addresses(&context).await;
    let (ctx, domain) = (Arc::clone(&context), name.clone());
    let summary = blocking(move || {
        let since = ctx.clock.now().seconds() - days * DAY_SECONDS;
        let mut adding = Adding::new(own, unproven);
        ctx.reports
            .each(&domain, since, &mut |entry| adding.add(entry))?;
        Ok(adding.finish())
    });
    Ok(axum::Json(ReportsView {
        domain: name,
        days_asked: days,
        unproven_only: unproven,
        summary: summary.await?,
    }))
}

/// Of this server, as DNS says; none when it does not.
async fn own_addresses(context: &Context) -> Vec<IpAddr> {
    let Some(dns) = &context.dns else {
        return Vec::new();
    };
    let host = context.config.hostname.as_str();
    let mut answers = Answers::default();
    let asking = async {
        loop {
            let (four, six) = (
                answers.a(host).map(|found| {
                    let found = found.unwrap_or_default().iter();
                    found.map(|ip| IpAddr::V4(*ip)).collect::<Vec<_>>()
                }),
                answers.aaaa(host).map(|found| {
                    let found = found.unwrap_or_default().iter();
                    found.map(|ip| IpAddr::V6(*ip)).collect::<Vec<_>>()
                }),
            );
            if let (Ok(four), Ok(six)) = (four, six) {
                return [four, six].concat();
            }
            senders::ask_all(&**dns, &mut answers).await;
        }
    };
    timeout(limits::SENDER_CHECKS, asking)
        .await
        .unwrap_or_default()
}
