//! Running the binary.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub const ENGLISH: &str = "C";
pub const FRENCH: &str = "fr_FR.UTF-8";

pub fn facteur() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facteur"));
    command
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", ENGLISH);
    command
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// The error object of a failed run with `--json`.
    pub fn error(&self) -> Value {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        serde_json::from_str(&self.err).unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub fn run<S: AsRef<OsStr>>(language: &str, arguments: &[S]) -> Ran {
    let mut command = facteur();
    command.env("LANG", language).args(arguments);
    command.output().unwrap().into()
}

/// A server that was set up for example.test, with Alice, and is not running.
pub struct Site {
    pub directory: TempDir,
}

impl Site {
    pub fn new() -> Site {
        let site = Site {
            directory: tempfile::tempdir().unwrap(),
        };
        let made = site.run(&["setup", "example.test", "--account", "alice"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = facteur();
        command
            .args(arguments)
            .arg("-c")
            .arg(self.path("facteur.toml"));
        if arguments.first() == Some(&"setup") {
            command.arg("--data").arg(self.path("data"));
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    pub fn in_french(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.env("LANG", FRENCH).output().unwrap().into()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).json()
    }

    pub fn error(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).error()
    }

    pub fn with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap().into()
    }
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
