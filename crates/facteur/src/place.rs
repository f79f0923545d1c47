//! Which data directory a command is about, and the store in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use facteur_store::disk::RealDisk;
use facteur_store::{Disk, Options, Recovery, Store, clock::SystemClock};

use crate::arguments::Common;
use crate::output::Failure;
use crate::settings::{FILE_DEFAULT, Settings};
use crate::texts::{self, fill};

/// Made by the store in every data directory.
const LOCK_FILE: &str = "lock";
pub const ADMIN_SOCKET: &str = "admin.sock";

/// Where things are.
#[derive(Debug)]
pub struct Place {
    pub data: PathBuf,
    /// `None`: only a directory was named.
    pub settings: Option<Settings>,
}

/// From `--data`, else from the configuration file.
pub fn find(common: &Common) -> Result<Place, Failure> {
    let settings = match (&common.config, &common.data) {
        (Some(file), _) => Some(Settings::read(file)?),
        (None, Some(_)) => None,
        (None, None) => Some(default_settings()?),
    };
    let configured = || settings.as_ref().map(Settings::data).unwrap_or_default();
    let data = common.data.clone().unwrap_or_else(configured);
    Ok(Place { data, settings })
}

/// From the configuration file, which must be there.
pub fn settings(common: &Common) -> Result<Settings, Failure> {
    match &common.config {
        Some(file) => Settings::read(file),
        None => default_settings(),
    }
}

fn default_settings() -> Result<Settings, Failure> {
    let file = Path::new(FILE_DEFAULT);
    if !file.exists() {
        let sentence = fill(texts::CONFIG_NONE, &[&FILE_DEFAULT]);
        return Err(Failure::new("config_missing", sentence));
    }
    Settings::read(file)
}

impl Place {
    pub fn admin_socket(&self) -> PathBuf {
        self.data.join(ADMIN_SOCKET)
    }

    pub fn options(&self) -> Options {
        let default = Options::default();
        match &self.settings {
            Some(settings) => Options {
                retention: settings.retention(),
                reserved_bytes: settings.reserved_bytes(),
                message_bytes_max: settings.message_bytes_max(),
                ..default
            },
            None => default,
        }
    }

    /// A command must not make a store where a path was mistyped.
    pub fn must_exist(&self) -> Result<(), Failure> {
        if self.data.join(LOCK_FILE).exists() {
            return Ok(());
        }
        let sentence = fill(texts::DATA_NONE, &[&self.data.display()]);
        Err(Failure::new("no_data", sentence))
    }
}

/// Takes the directory for this process; makes it when it is missing.
pub fn open_disk(data: &Path) -> Result<Arc<dyn Disk>, Failure> {
    RealDisk::open(data).map_err(|error| {
        if RealDisk::is_locked(&error) {
            let sentence = fill(texts::DATA_BUSY, &[&data.display()]);
            return Failure::new("data_busy", sentence);
        }
        let text = match error.kind() {
            io::ErrorKind::PermissionDenied => texts::DATA_DENIED,
            _ => texts::DATA_UNUSABLE,
        };
        Failure::new("data_unusable", fill(text, &[&data.display()])).because(error)
    })
}

pub fn open_store(data: &Path, options: Options) -> Result<(Store, Recovery), Failure> {
    let disk = open_disk(data)?;
    let clock = Arc::new(SystemClock::new());
    Store::open(disk, clock, options).map_err(|error| store_failure(data, &error))
}

pub fn store_failure(data: &Path, error: &facteur_store::Error) -> Failure {
    use facteur_store::Error;
    let text = match error {
        Error::Damaged { .. } => texts::STORE_DAMAGED,
        Error::DiskFull => texts::STORE_DISK_FULL,
        _ => texts::STORE_FAILED,
    };
    Failure::new("store", fill(text, &[&data.display()])).because(error)
}
