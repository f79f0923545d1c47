//! `facteur serve`

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use facteur_server::{Config, ListenAddress, Role, Seams, Server};
use serde_json::Value;

use crate::arguments::Common;
use crate::output::{Outcome, Output};
use crate::place::{self, open_store};
use crate::process::{self, Signals, start_failure};
use crate::settings::Settings;

pub async fn run(common: &Common) -> Outcome {
    let settings = place::settings(common)?;
    process::log(settings.text("log"));
    let mut signals = Signals::new()?;
    let mut config = settings.config()?;
    if !has_ipv6() {
        drop_default_ipv6(&mut config, &settings);
    }
    drop_default_https(&mut config, &settings);
    let place = place::find(common)?;
    config.admin_socket = Some(place.admin_socket());
    let (store, recovery) = open_store(&place.data, place.options())?;
    if recovery != facteur_store::Recovery::default() {
        tracing::info!(
            replayed = recovery.replayed_transactions,
            torn_bytes = recovery.torn_bytes,
            index_rebuilt = recovery.index_rebuilt,
            "recovered from the journal"
        );
    }
    let hostname = config.hostname.clone();
    let running = match Server::start(config, store.clone(), Seams::default()).await {
        Ok(running) => running,
        Err(error) => {
            // The first failure is the one to tell.
            let _ = store.close().await;
            return Err(start_failure(&error));
        }
    };
    tracing::info!(hostname, data = %place.data.display(), "ready");
    signals.wait(&running).await;
    process::stop(running).await?;
    Ok(Output::new(Value::Null, "").silent())
}

/// Some machines have IPv6 switched off; the defaults must work there too.
fn has_ipv6() -> bool {
    UdpSocket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).is_ok()
}

/// A web server may have the port, or the user not the right to it: mail works without.
fn drop_default_https(config: &mut Config, settings: &Settings) {
    if settings.is_given("listen.https") {
        return;
    }
    config.listeners.retain(|listen| match &listen.address {
        ListenAddress::Tcp(address) if listen.role == Role::Https => {
            let free = TcpListener::bind(address);
            if let Err(error) = &free {
                tracing::warn!(%address, %error, "no HTTPS: programs can't send by it, and no MTA-STS policy is served");
            }
            free.is_ok()
        }
        _ => true,
    });
}

/// `[::]` goes where nobody asked for it.
fn drop_default_ipv6(config: &mut Config, settings: &Settings) {
    config.listeners.retain(|listen| match listen.address {
        ListenAddress::Tcp(address) => {
            let given = settings.is_given(&format!("listen.{}", listen.role.name()));
            given || address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        }
        ListenAddress::Unix(_) => true,
    });
}
