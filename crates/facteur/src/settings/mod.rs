//! The configuration file: reads and checks it against the one table, and says of a wrong value what it
//! should be.

mod file;
mod manual;
mod table;
mod value;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use facteur_server::{
    CertificateFiles, Config, DomainRoute, Limits, Listen, ListenAddress, QueueConfig, Role,
    Smarthost,
};
use toml::Value;

use crate::output::Failure;
use crate::texts::{self, fill, t};

pub use file::write as write_file;
pub use manual::page as manual_page;
pub use table::{SETTINGS, Setting};
pub use value::{is_host_name, parse_size, show};

/// Where the file is when nobody says where.
pub const FILE_DEFAULT: &str = "/etc/facteur/facteur.toml";

/// In the data directory, unless `listen.local` names another place.
pub const LOCAL_SOCKET: &str = "local.sock";

/// Checked values of every setting.
#[derive(Debug)]
pub struct Settings {
    values: BTreeMap<&'static str, Value>,
    given: Vec<&'static str>,
    /// Relative paths start here.
    directory: PathBuf,
}

impl Settings {
    pub fn read(file: &Path) -> Result<Settings, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let sentence = fill(texts::CONFIG_UNREADABLE, &[&file.display()]);
            Failure::new("config_unreadable", sentence).because(error)
        })?;
        let directory = std::path::absolute(file).ok();
        let directory = directory.as_deref().and_then(Path::parent);
        Settings::parse(&text, &file.display().to_string(), directory)
    }

    /// `name` is for messages.
    pub fn parse(text: &str, name: &str, directory: Option<&Path>) -> Result<Settings, Failure> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let sentence = fill(texts::CONFIG_SYNTAX, &[&name]);
            Failure::new("config_syntax", sentence).because(error)
        })?;
        let mut settings = Settings {
            values: defaults(),
            given: Vec::new(),
            directory: directory.unwrap_or(Path::new(".")).to_owned(),
        };
        for (key, value) in flatten(table) {
            let setting = find(&key).ok_or_else(|| unknown(name, &key))?;
            value::check(setting.kind, &value).map_err(|expected| {
                let shown = show(&value);
                Failure::new(
                    "config_value",
                    fill(texts::CONFIG_VALUE, &[&name, &key, &shown, &expected]),
                )
            })?;
            settings.values.insert(setting.name, value);
            settings.given.push(setting.name);
        }
        for setting in &SETTINGS {
            if !settings.values.contains_key(setting.name) {
                let sentence = fill(
                    texts::CONFIG_MISSING,
                    &[&name, &setting.name, &setting.example],
                );
                return Err(Failure::new("config_missing", sentence));
            }
        }
        Ok(settings)
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(&name)
    }

    pub fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn data(&self) -> PathBuf {
        self.path("data").unwrap_or_else(|| self.directory.clone())
    }

    pub fn retention(&self) -> Duration {
        Duration::from_secs(self.number("store.retention_days") * 24 * 3600)
    }

    pub fn reserved_bytes(&self) -> u64 {
        self.size("store.reserved_space")
    }

    pub fn message_bytes_max(&self) -> u64 {
        self.size("message_size_max")
    }

    fn number(&self, name: &str) -> u64 {
        let number = self.get(name).and_then(Value::as_integer);
        number.map_or(0, |number| u64::try_from(number).unwrap_or(0))
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    fn size(&self, name: &str) -> u64 {
        self.get(name).and_then(value::size).unwrap_or(0)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        match self.text(name) {
            "" => None,
            path => Some(self.directory.join(path)),
        }
    }

    /// What the server takes; reads the smarthost's password.
    pub fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::new(self.text("hostname"));
        config.listeners = self.listeners();
        config.certificates = self.certificates();
        config.allow_insecure_plaintext =
            self.get("insecure_plaintext").and_then(Value::as_bool) == Some(true);
        self.text("language").clone_into(&mut config.language);
        config.message_bytes_max = self.message_bytes_max();
        config.limits = Limits {
            connections_max: self.count("limits.connections"),
            connections_per_address_max: self.count("limits.connections_per_address"),
            connections_before_login_max: self.count("limits.connections_before_login"),
            hashes_at_once_max: self.count("limits.hashes_at_once"),
        };
        config.dns_lists = self.dns_lists()?;
        config.send_reports = self.get("smtp.send_reports").and_then(Value::as_bool) == Some(true);
        let milters = self.texts("smtp.milters");
        config.milters = milters.filter_map(value::socket).collect();
        config.rspamd = self.text("smtp.rspamd").parse().ok();
        let trusted = self.texts("limits.trusted_networks");
        config.trusted_networks = trusted.filter_map(|text| text.parse().ok()).collect();
        config.queue = QueueConfig {
            smarthost: self.smarthost()?,
            dns_server: self.text("queue.dns_server").parse().ok(),
            routes: self.routes()?,
            source_addresses: self.ips("queue.source_addresses"),
            transfers_max: self.count("queue.transfers_max"),
            extra_authorities: self.path("queue.authorities"),
            expires_after: Duration::from_secs(self.number("queue.expires_days") * 24 * 3600),
            delay_notice_after: Duration::from_secs(self.number("queue.delay_notice_hours") * 3600),
            ..QueueConfig::default()
        };
        Ok(config)
    }

    fn routes(&self) -> Result<Vec<DomainRoute>, Failure> {
        let list = self.get("queue.routes").and_then(Value::as_array);
        let mut routes = Vec::new();
        for entry in list.into_iter().flatten() {
            let route = match entry {
                Value::String(text) => value::route(text).map(|(domain, host, port)| DomainRoute {
                    domain: domain.to_ascii_lowercase(),
                    to: Smarthost {
                        host: host.to_owned(),
                        port,
                        implicit_tls: false,
                        user: None,
                        password: None,
                    },
                    checked: false,
                }),
                Value::Table(table) => self.route_with_login(table)?,
                _ => None,
            };
            routes.extend(route);
        }
        Ok(routes)
    }

    fn route_with_login(&self, table: &toml::Table) -> Result<Option<DomainRoute>, Failure> {
        let text = |key: &str| table.get(key).and_then(Value::as_str);
        let (Some(domain), Some((host, port))) =
            (text("domain"), text("host").and_then(value::host_port))
        else {
            return Ok(None);
        };
        let password = match text("password_file") {
            Some(file) => Some(first_line(&self.directory.join(file))?),
            None => None,
        };
        Ok(Some(DomainRoute {
            domain: domain.to_ascii_lowercase(),
            to: Smarthost {
                host: host.to_owned(),
                port,
                implicit_tls: text("tls") == Some("implicit"),
                user: text("user").map(str::to_owned),
                password,
            },
            checked: true,
        }))
    }

    /// Only with a resolver of one's own.
    fn dns_lists(&self) -> Result<Vec<String>, Failure> {
        let lists: Vec<String> = self
            .texts("smtp.dns_lists")
            .map(str::to_ascii_lowercase)
            .collect();
        if !lists.is_empty() && self.text("queue.dns_server").is_empty() {
            return Err(Failure::new(
                "config_value",
                t(texts::CONFIG_LISTS_RESOLVER),
            ));
        }
        Ok(lists)
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let list = self.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    fn ips(&self, name: &str) -> Vec<IpAddr> {
        let texts = self.texts(name);
        texts.filter_map(|text| text.parse().ok()).collect()
    }

    /// Where programs of this machine hand in their mail.
    pub fn local_socket(&self) -> PathBuf {
        let given = self.path("listen.local");
        given.unwrap_or_else(|| self.data().join(LOCAL_SOCKET))
    }

    fn listeners(&self) -> Vec<Listen> {
        let mut listeners = Vec::new();
        for role in Role::ALL {
            let name = format!("listen.{}", role.name());
            if role.is_unix() {
                let path = match role {
                    Role::Local => Some(self.local_socket()),
                    _ => self.path(&name),
                };
                let address = path.map(ListenAddress::Unix);
                listeners.extend(address.map(|address| Listen { role, address }));
                continue;
            }
            let addresses = self.get(&name).and_then(Value::as_array);
            for address in addresses.into_iter().flatten() {
                let address = address.as_str().and_then(|address| address.parse().ok());
                let address = address.map(ListenAddress::Tcp);
                listeners.extend(address.map(|address| Listen { role, address }));
            }
        }
        listeners
    }

    fn certificates(&self) -> Vec<CertificateFiles> {
        let list = self.get("certificates").and_then(Value::as_array);
        let file = |entry: &Value, key: &str| {
            let file = entry.get(key).and_then(Value::as_str).unwrap_or_default();
            self.directory.join(file)
        };
        let list = list.into_iter().flatten().map(|entry| CertificateFiles {
            chain: file(entry, "chain"),
            key: file(entry, "key"),
        });
        list.collect()
    }

    fn smarthost(&self) -> Result<Option<Smarthost>, Failure> {
        let Some((host, port)) = value::host_port(self.text("queue.smarthost")) else {
            return Ok(None);
        };
        let user = Some(self.text("queue.smarthost_user")).filter(|user| !user.is_empty());
        let password = match self.path("queue.smarthost_password_file") {
            Some(file) => Some(first_line(&file)?),
            None => None,
        };
        if user.is_some() != password.is_some() {
            let sentence = t(texts::CONFIG_SMARTHOST_PAIR);
            return Err(Failure::new("config_value", sentence));
        }
        Ok(Some(Smarthost {
            host: host.to_owned(),
            port,
            implicit_tls: self.text("queue.smarthost_tls") == "implicit",
            user: user.map(str::to_owned),
            password,
        }))
    }
}

fn first_line(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let sentence = fill(texts::FILE_UNREADABLE, &[&file.display()]);
        Failure::new("config_unreadable", sentence).because(error)
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn defaults() -> BTreeMap<&'static str, Value> {
    let with_default = SETTINGS
        .iter()
        .filter(|setting| !setting.default.is_empty());
    with_default
        .filter_map(|setting| Some((setting.name, value::parse(setting.default)?)))
        .collect()
}

/// `[table] key` as `table.key`; deeper tables stay values and are refused by their kind.
fn flatten(table: toml::Table) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                let inner = inner.into_iter();
                flat.extend(inner.map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            value => flat.push((key, value)),
        }
    }
    flat
}

fn unknown(file: &str, key: &str) -> Failure {
    let nearest = SETTINGS
        .iter()
        .map(|setting| (distance(setting.name, key), setting.name))
        .min();
    let sentence = match nearest {
        Some((distance, name)) if distance <= 3 => {
            fill(texts::CONFIG_UNKNOWN_NEAR, &[&file, &key, &name])
        }
        _ => fill(texts::CONFIG_UNKNOWN, &[&file, &key]),
    };
    Failure::new("config_unknown", sentence)
}

/// Edits from one word to the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (above, candidate) in row.iter().skip(1).zip(&other) {
            let cost = diagonal + usize::from(letter != *candidate);
            left = cost.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, Failure> {
        Settings::parse(text, "facteur.toml", Some(Path::new("/etc/facteur")))
    }

    #[test]
    fn defaults_and_examples_pass_their_own_check() {
        for setting in &SETTINGS {
            for text in [setting.default, setting.example] {
                if text.is_empty() {
                    continue;
                }
                let value = value::parse(text);
                let value = value.unwrap_or_else(|| panic!("{}: {text}", setting.name));
                assert_eq!(
                    value::check(setting.kind, &value),
                    Ok(()),
                    "{}",
                    setting.name
                );
            }
        }
    }

    #[test]
    fn a_domain_s_host_may_want_a_login() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secret"), "pass word\nmore\n").unwrap();
        let text = r#"
            hostname = "mail.example.org"
            [queue]
            routes = [
                "plain.example=mail.plain.example:25",
                { domain = "Login.example", host = "smtp.x.example:465", tls = "implicit", user = "us", password_file = "secret" },
                { domain = "tls.example", host = "smtp.x.example:587" },
            ]"#;
        let settings = Settings::parse(text, "facteur.toml", Some(directory.path())).unwrap();
        let queue = settings.config().unwrap().queue;
        assert_eq!(queue.routes.len(), 3);
        assert_eq!(queue.route_of("plain.example").unwrap().to.port, 25);
        assert!(queue.smarthost_of("plain.example").is_none());
        let login = queue.smarthost_of("login.example").unwrap();
        assert_eq!((login.implicit_tls, login.port), (true, 465));
        assert_eq!(login.user.as_deref(), Some("us"));
        assert_eq!(login.password.as_deref(), Some("pass word"));
        let tls = queue.smarthost_of("tls.example").unwrap();
        assert!(!tls.implicit_tls && tls.user.is_none());
        std::fs::remove_file(directory.path().join("secret")).unwrap();
        assert!(
            settings.config().is_err(),
            "a missing secret is no empty one"
        );
    }

    #[test]
    fn the_defaults_of_the_server_are_ours() {
        let config = parse("hostname = 'mail.example.org'")
            .unwrap()
            .config()
            .unwrap();
        let default = Config::new("mail.example.org");
        assert_eq!(config.limits, default.limits);
        assert_eq!(config.queue, default.queue);
        assert_eq!(config.message_bytes_max, default.message_bytes_max);
        assert_eq!(config.listeners.len(), 19);
    }

    #[test]
    fn a_wrong_file_is_told_what_is_wrong() {
        for (text, code, word) in [
            ("", "config_missing", "hostname"),
            ("hostname = [", "config_syntax", "facteur.toml"),
            ("hostname = 'x'", "config_value", "mail.example.org"),
            (
                "hostname = 'a.b'\n[queue]\nexpire_days = 1",
                "config_unknown",
                "queue.expires_days",
            ),
            (
                "hostname = 'a.b'\nfrobnicate = 1",
                "config_unknown",
                "frobnicate",
            ),
            (
                "hostname = 'a.b'\n[store]\nretention_days = 0",
                "config_value",
                "3650",
            ),
            (
                "hostname = 'a.b'\nmessage_size_max = 'lots'",
                "config_value",
                "MiB",
            ),
            (
                "hostname = 'a.b'\n[listen]\nsmtp = ['25']",
                "config_value",
                "0.0.0.0:25",
            ),
            ("hostname = 'a.b'\nlog = 'loud'", "config_value", "debug"),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.code, code, "{text}");
            assert!(
                failure.sentence.contains(word),
                "{text}: {}",
                failure.sentence
            );
        }
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        let settings = parse("hostname = 'a.b'\ndata = 'mail'\n[listen]\nlmtp = 'l'").unwrap();
        assert_eq!(settings.data(), Path::new("/etc/facteur/mail"));
        let lmtp = Listen {
            role: Role::Lmtp,
            address: ListenAddress::Unix("/etc/facteur/l".into()),
        };
        assert!(settings.listeners().contains(&lmtp));
    }

    #[test]
    fn distances() {
        for (one, other, expected) in [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(one, other), expected);
        }
    }
}
