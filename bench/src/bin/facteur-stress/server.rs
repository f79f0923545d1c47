//! Facteur's demonstration as a process of ours, on a directory that is removed at the end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use facteur_sim::stress::Login;
use serde_json::Value;
use tempfile::TempDir;

const PORT_OFFSET: &str = "32000";

/// Killed when it is dropped.
pub struct Server {
    child: Child,
    program: PathBuf,
    directory: TempDir,
    ready: Value,
    ca: String,
}

impl Server {
    pub fn start(program: &Path) -> Result<Server> {
        let directory = tempfile::Builder::new()
            .prefix("facteur-stress-")
            .tempdir()?;
        let (child, ready) = start(program, directory.path())?;
        let ca = ready["ca"].as_str().context("no ca")?.to_owned();
        Ok(Server {
            child,
            program: program.to_owned(),
            directory,
            ready,
            ca,
        })
    }

    /// SIGKILL, and once more on what it left.
    pub fn kill_and_start(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        (self.child, self.ready) = start(&self.program, self.directory.path())?;
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn imaps(&self) -> String {
        format!("localhost:{}", self.ready["ports"]["imaps"])
    }

    pub fn smtp(&self) -> String {
        format!("127.0.0.1:{}", self.ready["ports"]["smtp"])
    }

    pub fn ca(&self) -> &str {
        &self.ca
    }

    pub fn logins(&self) -> Result<Vec<Login>> {
        let accounts = self.ready["accounts"].as_array().context("no accounts")?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
        let login = |account: &Value| {
            Ok(Login {
                address: text(&account["address"])?,
                password: text(&account["password"])?,
            })
        };
        accounts.iter().map(login).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(program: &Path, directory: &Path) -> Result<(Child, Value)> {
    let mut child = Command::new(program)
        .args(["demo", "--json", "--empty", "--port-offset", PORT_OFFSET])
        .arg("--data")
        .arg(directory.join("data"))
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(directory.join("log"))?)
        .spawn()
        .with_context(|| program.display().to_string())?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    let ready = serde_json::from_str(&line)
        .with_context(|| std::fs::read_to_string(directory.join("log")).unwrap_or_default())?;
    Ok((child, ready))
}

/// Resident memory of a process, KiB.
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
