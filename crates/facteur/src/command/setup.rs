//! `facteur setup DOMAIN`: everything that a real server needs and that this machine can give, then the
//! words for what it can't: the DNS records to publish.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use facteur_server::admin::{domain_to_ascii, normalise_domain};
use facteur_server::{CertificateFiles, Config};
use facteur_store::{Clock, Options, Store, clock::SystemClock};
use hyper::Method;
use serde_json::{Value, json};

use super::{dns, list, text};
use crate::arguments::{Common, Setup};
use crate::certificate;
use crate::client::{Client, segment};
use crate::language::language_code;
use crate::output::{Failure, Outcome, Output};
use crate::password;
use crate::place::open_store;
use crate::settings::{self, FILE_DEFAULT};
use crate::texts::{self, fill, t};

const DATA_DEFAULT: &str = "/var/lib/facteur";
/// Where the programs of a machine find its server.
const LOCAL_SOCKET_SHARED: &str = "/run/facteur/local";
/// Addresses that every domain must answer at (RFC 5321 §4.5.1, RFC 2142 §4).
const ROLES: [&str; 2] = ["postmaster", "abuse"];

struct Plan {
    /// In Unicode, as the store keeps it.
    domain: String,
    hostname: String,
    file: PathBuf,
    data: PathBuf,
}

pub async fn run(common: &Common, setup: Setup) -> Outcome {
    let plan = plan(common, &setup)?;
    let password = password::read(setup.password)?;
    let (store, _) = open_store(&plan.data, Options::default())?;
    let (filled, page) = fill_store(store, &plan, setup.account.as_deref(), password).await?;
    let (files, real) = certificates(&plan, &setup)?;
    write_configuration(&plan, &files)?;
    let records = records(&page, &setup.ip);
    let said = report(&plan, &filled, real, &records);
    let json = json!({
        "domain": plan.domain,
        "hostname": plan.hostname,
        "config": plan.file,
        "data": plan.data,
        "account": filled,
        "certificate": { "chain": files.chain, "key": files.key, "placeholder": !real },
        "dns": records,
    });
    Ok(Output::new(json, said))
}

fn plan(common: &Common, setup: &Setup) -> Result<Plan, Failure> {
    let bad = |name: &str| Failure::new("bad_domain", fill(texts::CODE_BAD_DOMAIN, &[&name]));
    let domain = normalise_domain(&setup.domain).ok_or_else(|| bad(&setup.domain))?;
    let ascii = domain_to_ascii(&domain);
    let hostname = setup.hostname.clone();
    let hostname = hostname.unwrap_or_else(|| format!("mail.{ascii}"));
    if !settings::is_host_name(&hostname) {
        return Err(bad(&hostname));
    }
    let file = common.config.as_deref().unwrap_or(Path::new(FILE_DEFAULT));
    let data = common.data.as_deref().unwrap_or(Path::new(DATA_DEFAULT));
    let file = absolute(file)?;
    if file.exists() {
        let sentence = fill(texts::CONFIG_EXISTS, &[&file.display()]);
        return Err(Failure::new("config_exists", sentence));
    }
    Ok(Plan {
        domain,
        hostname,
        file,
        data: absolute(data)?,
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        let sentence = fill(texts::FILE_UNREADABLE, &[&path.display()]);
        Failure::new("file", sentence).because(error)
    })
}

/// Makes domain and first account; gives the account as the admin interface shows it, and what is
/// to be published.
async fn fill_store(
    store: Store,
    plan: &Plan,
    account: Option<&str>,
    password: Option<String>,
) -> Result<(Value, Value), Failure> {
    let mut config = Config::new(&plan.hostname);
    language_code().clone_into(&mut config.language);
    let client = Client::local(store, config)?;
    let filled = fill_directory(&client, &plan.domain, account, password).await;
    let page = dns::page(&client, &plan.domain, false).await;
    let closed = client.close().await;
    let filled = (filled?, page?);
    closed.map(|()| filled)
}

async fn fill_directory(
    client: &Client,
    domain: &str,
    account: Option<&str>,
    password: Option<String>,
) -> Result<Value, Failure> {
    let body = Some(json!({ "name": domain }));
    match client.call(Method::POST, "/v1/domains", body, domain).await {
        // A second attempt after a failed first one.
        Err(failure) if failure.code != "exists" => return Err(failure),
        _ => {}
    }
    let Some(account) = account else {
        return Ok(Value::Null);
    };
    let address = match account.contains('@') {
        true => account.to_owned(),
        false => format!("{account}@{domain}"),
    };
    let body = json!({ "address": address, "password": password, "language": language_code() });
    let added = client
        .call(Method::POST, "/v1/accounts", Some(body), &address)
        .await?;
    for role in ROLES {
        let alias = format!("{role}@{domain}");
        let body = Some(json!({ "targets": [&address] }));
        let path = format!("/v1/aliases/{}", segment(&alias));
        match client.call(Method::PUT, &path, body, &alias).await {
            // The first account is postmaster itself.
            Err(failure) if failure.code != "not_an_alias" => return Err(failure),
            _ => {}
        }
    }
    Ok(added)
}

/// The files to name in the configuration, and whether they are real.
fn certificates(plan: &Plan, setup: &Setup) -> Result<(CertificateFiles, bool), Failure> {
    if let (Some(chain), Some(key)) = (&setup.certificate, &setup.key) {
        let files = CertificateFiles {
            chain: absolute(chain)?,
            key: absolute(key)?,
        };
        return Ok((files, true));
    }
    let now = Arc::new(SystemClock::new()).now();
    let (chain, key) = certificate::self_signed(&plan.hostname, now)?;
    let files = certificate::write(&plan.data.join("tls"), &chain, &key)?;
    Ok((files, false))
}

fn write_configuration(plan: &Plan, files: &CertificateFiles) -> Result<(), Failure> {
    let text = |path: &Path| toml::Value::String(path.display().to_string());
    let mut entry = toml::Table::new();
    entry.insert("chain".to_owned(), text(&files.chain));
    entry.insert("key".to_owned(), text(&files.key));
    let certificates = toml::Value::Array(vec![toml::Value::Table(entry)]);
    // A server of the whole machine is reached by all of its programs.
    let local = (plan.file == Path::new(FILE_DEFAULT)).then(|| LOCAL_SOCKET_SHARED.into());
    let page = settings::write_file(&[
        ("hostname", Some(plan.hostname.as_str().into())),
        ("data", Some(text(&plan.data))),
        ("language", Some(language_code().into())),
        ("certificates", Some(certificates)),
        ("message_size_max", None),
        ("listen.local", local),
        ("store.retention_days", None),
        ("queue.smarthost", None),
        ("queue.smarthost_tls", None),
        ("queue.smarthost_user", None),
        ("queue.smarthost_password_file", None),
    ]);
    if let Some(directory) = plan.file.parent() {
        std::fs::create_dir_all(directory).map_err(|error| {
            let sentence = fill(texts::FILE_UNWRITABLE, &[&directory.display()]);
            Failure::new("file", sentence).because(error)
        })?;
    }
    certificate::write_file(&plan.file, &page, 0o644)
}

/// The records to publish, with the addresses that were given.
fn records(page: &Value, addresses: &[IpAddr]) -> Vec<Value> {
    let mut records = Vec::new();
    let mut given = addresses.iter();
    for record in list(page, "records") {
        match text(record, "purpose").as_str() {
            // The text says it: it is nobody's to paste.
            "reverse" => {}
            "address" if addresses.is_empty() => records.push(record.clone()),
            "address" => records.extend(given.by_ref().map(|address| {
                let kind = if address.is_ipv4() { "A" } else { "AAAA" };
                let mut with_address = record.clone();
                if let Some(fields) = with_address.as_object_mut() {
                    fields.insert("type".to_owned(), kind.into());
                    fields.insert("value".to_owned(), address.to_string().into());
                }
                with_address
            })),
            _ => records.push(record.clone()),
        }
    }
    records
}

fn report(plan: &Plan, account: &Value, real: bool, records: &[Value]) -> String {
    let mut lines = vec![fill(
        texts::SETUP_DONE,
        &[&plan.domain, &plan.file.display(), &plan.data.display()],
    )];
    match account.get("address").and_then(Value::as_str) {
        Some(address) => {
            let roles = ROLES.map(|role| format!("{role}@{}", plan.domain));
            lines.push(fill(texts::SETUP_ACCOUNT, &[&address, &roles.join(", ")]));
            let password = account.get("password").and_then(Value::as_str);
            lines.extend(password.map(|password| fill(texts::PASSWORD_ONCE, &[&password])));
        }
        None => lines.push(fill(texts::SETUP_NO_ACCOUNT, &[&plan.domain])),
    }
    lines.push(String::new());
    lines.push(t(texts::SETUP_DNS).to_owned());
    lines.push(String::new());
    lines.extend(
        records
            .iter()
            .map(|record| format!("  {}", dns::line(record))),
    );
    lines.push(String::new());
    lines.push(fill(texts::SETUP_PTR, &[&plan.hostname]));
    lines.push(fill(texts::SETUP_AUTOCONFIG, &[&plan.hostname]));
    lines.push(fill(texts::SETUP_DKIM, &[&plan.domain]));
    if !real {
        lines.push(fill(texts::SETUP_SELF_SIGNED, &[&plan.hostname]));
    }
    let command = if plan.file == Path::new(FILE_DEFAULT) {
        "facteur serve".to_owned()
    } else {
        format!("facteur serve -c {}", plan.file.display())
    };
    lines.push(fill(texts::SETUP_START, &[&command]));
    lines.join("\n")
}
