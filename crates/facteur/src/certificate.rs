//! Certificates that are made here: the demo's authority with one server certificate, and the placeholder
//! that lets a new server start before it has a real one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use facteur_server::CertificateFiles;
use facteur_server::admin::rfc3339;
use facteur_store::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use crate::output::Failure;
use crate::texts::{self, fill, t};

/// What programs still take from an authority that a person trusts by hand.
const DAYS: u64 = 800;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// PEM texts of an authority and of a server certificate that it signed. The authority's key is gone.
pub struct Made {
    pub authority: String,
    pub chain: String,
    pub key: String,
}

/// Names may be host names and IP addresses.
pub fn with_authority(names: &[&str], now: Timestamp) -> Result<Made, Failure> {
    make_with_authority(names, now).map_err(|error| failure(&error))
}

/// Chain and key of a certificate that signs itself.
pub fn self_signed(name: &str, now: Timestamp) -> Result<(String, String), Failure> {
    make_self_signed(name, now).map_err(|error| failure(&error))
}

fn make_with_authority(names: &[&str], now: Timestamp) -> Result<Made, rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    limit(&mut authority, now);
    authority.distinguished_name = common_name("Facteur demo authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let (mut server, key) = server(names, now)?;
    server.use_authority_key_identifier_extension = true;
    let chain = server.signed_by(&key, &issuer)?.pem();
    Ok(Made {
        authority: authority_pem,
        chain,
        key: key.serialize_pem(),
    })
}

fn make_self_signed(name: &str, now: Timestamp) -> Result<(String, String), rcgen::Error> {
    let (params, key) = server(&[name], now)?;
    let chain = params.self_signed(&key)?.pem();
    Ok((chain, key.serialize_pem()))
}

fn server(names: &[&str], now: Timestamp) -> Result<(CertificateParams, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    limit(&mut params, now);
    params.distinguished_name = common_name(names.first().copied().unwrap_or("localhost"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into()?),
        });
    }
    Ok((params, KeyPair::generate()?))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// From yesterday, for clocks that are behind.
fn limit(params: &mut CertificateParams, now: Timestamp) {
    let date = |at: Timestamp| {
        let text = rfc3339(at);
        let part = |range: std::ops::Range<usize>| -> i32 {
            text.get(range)
                .and_then(|part| part.parse().ok())
                .unwrap_or(1)
        };
        let small = |number: i32| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(part(0..4), small(part(5..7)), small(part(8..10)))
    };
    params.not_before = date(now.before(DAY));
    params.not_after = date(now.after(DAY * u32::try_from(DAYS).unwrap_or(1)));
}

fn failure(error: &rcgen::Error) -> Failure {
    Failure::new("certificate", t(texts::CERTIFICATE_FAILED)).because(error)
}

/// Writes chain and key into `directory`; the key is for its owner alone.
pub fn write(directory: &Path, chain: &str, key: &str) -> Result<CertificateFiles, Failure> {
    make_directory(directory)?;
    let files = CertificateFiles {
        chain: directory.join("certificate.pem"),
        key: directory.join("key.pem"),
    };
    write_file(&files.key, key, 0o600)?;
    write_file(&files.chain, chain, 0o644)?;
    Ok(files)
}

/// With its parents, for its owner alone.
pub fn make_directory(directory: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
    made.map_err(|error| {
        let sentence = fill(texts::FILE_UNWRITABLE, &[&directory.display()]);
        Failure::new("file", sentence).because(error)
    })
}

/// Whole and durable, or not at all.
pub fn write_file(file: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let new = file.with_extension("new");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut new| {
            new.write_all(text.as_bytes())?;
            new.sync_all()
        })
        .and_then(|()| fs::rename(&new, file));
    written.map_err(|error| {
        let sentence = fill(texts::FILE_UNWRITABLE, &[&file.display()]);
        Failure::new("file", sentence).because(error)
    })
}
