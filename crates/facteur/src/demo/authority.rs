//! The demo's own certificate authority. It is made once for a data directory, so that a program that
//! trusts it keeps doing so.

use std::path::{Path, PathBuf};

use facteur_server::CertificateFiles;
use facteur_store::Timestamp;

use crate::certificate::{self, make_directory, write_file};
use crate::output::Failure;

/// Names that programs on this machine may use for the demo.
const NAMES: [&str; 4] = [
    "localhost",
    "mail.example.test",
    "mta-sts.example.test",
    "127.0.0.1",
];

pub struct Authority {
    /// PEM file to trust.
    pub authority: PathBuf,
    pub files: CertificateFiles,
}

pub fn ready(data: &Path, now: Timestamp) -> Result<Authority, Failure> {
    let directory = data.join("tls");
    let ready = Authority {
        authority: directory.join("authority.pem"),
        files: CertificateFiles {
            chain: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
        },
    };
    let files = [&ready.authority, &ready.files.chain, &ready.files.key];
    if files.into_iter().all(|file| file.exists()) {
        return Ok(ready);
    }
    let made = certificate::with_authority(&NAMES, now)?;
    make_directory(&directory)?;
    certificate::write(&directory, &made.chain, &made.key)?;
    write_file(&ready.authority, &made.authority, 0o644)?;
    Ok(ready)
}
