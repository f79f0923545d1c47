//! One command starts Facteur and Debian's Postfix with Dovecot (mdbox, then maildir), gives them the
//! same work in turn and prints a table with the ratios of this run.
//!
//! `--part junk` needs no server: it measures the filter on a corpus, beside Debian's rspamd.
//!
//! `cargo run --release -p facteur-bench -- [--messages N] [--seconds N] [--only facteur,mdbox,maildir] [--part NAME] [--facteur PROGRAM] [--directory DIR]`

mod client;
mod inbound;
mod junk;
mod mailbox;
mod measure;
mod mixed;
mod names;
mod peer;
mod raw;
mod relay;
mod rspamd;
mod table;
mod waiting;
mod work;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::peer::{Format, Peer};
use crate::work::Load;

struct Options {
    messages: u32,
    seconds: u64,
    only: Option<String>,
    part: Option<String>,
    facteur: PathBuf,
    directory: Option<PathBuf>,
}

fn options() -> Result<Options> {
    let mut options = Options {
        messages: 100_000,
        seconds: 5,
        only: None,
        part: None,
        facteur: std::env::current_exe()?.with_file_name("facteur"),
        directory: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().context("an option lacks its value");
        match argument.as_str() {
            "--messages" => options.messages = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--only" => options.only = Some(value()?),
            "--part" => options.part = Some(value()?),
            "--facteur" => options.facteur = value()?.into(),
            "--directory" => options.directory = Some(value()?.into()),
            other => bail!("unknown option {other}; see the head of bench/src/main.rs"),
        }
    }
    Ok(options)
}

#[expect(clippy::print_stderr, reason = "a command-line program")]
fn main() -> Result<()> {
    let options = options()?;
    let mut place = tempfile::Builder::new();
    place.prefix("facteur-bench-");
    let base = match &options.directory {
        Some(directory) => place.tempdir_in(directory)?,
        None => place.tempdir()?,
    };
    // Other users' daemons must get through to their own directories.
    std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o755))?;
    if options.part.as_deref() == Some("junk") {
        return junk::run(base.path());
    }
    let load = Load {
        time: Duration::from_secs(options.seconds),
        messages: options.messages,
    };

    let mut columns = Vec::new();
    let wanted = |name| {
        let only = options.only.as_deref();
        only.is_none_or(|only| only.split(',').any(|one| one == name))
    };
    if wanted("facteur") {
        eprintln!("bench: Facteur");
        let home = base.path().join("facteur");
        std::fs::create_dir_all(&home)?;
        let start = |_| Peer::facteur(&options.facteur, &home);
        columns.push((
            "Facteur",
            work::measure(&start, load, options.part.as_deref())?,
        ));
    }
    for (name, format) in [("mdbox", Format::Mdbox), ("maildir", Format::Maildir)] {
        if !wanted(name) {
            continue;
        }
        eprintln!("bench: Postfix with Dovecot, {name}");
        let home = base.path().join(name);
        std::fs::create_dir_all(&home)?;
        let start = |fill| Peer::debian(&home, format, fill);
        match work::measure(&start, load, options.part.as_deref()) {
            Ok(rows) => columns.push((name, rows)),
            Err(error) => eprintln!("bench: no figures of {name}: {error:#}"),
        }
    }
    eprintln!("bench: raw journal");
    let raw = work::raw_rows(base.path(), load.time)?;
    table::print(&columns, &raw);
    Ok(())
}
