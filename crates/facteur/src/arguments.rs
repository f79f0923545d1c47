//! What the command line takes. Help texts come from [`crate::texts`], in the user's language, and so
//! do the messages about wrong use.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::texts::{self, fill, t};

#[derive(Debug, Parser)]
#[command(name = "facteur", version, about = t(texts::ABOUT))]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Do,
}

/// Taken by every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true, display_order = 900, help = t(texts::HELP_CONFIG))]
    pub config: Option<PathBuf>,
    #[arg(long, value_name = "DIR", global = true, display_order = 901, help = t(texts::HELP_DATA))]
    pub data: Option<PathBuf>,
    #[arg(long, global = true, display_order = 902, help = t(texts::HELP_JSON))]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Do {
    #[command(about = t(texts::ABOUT_DEMO))]
    Demo(Demo),
    #[command(about = t(texts::ABOUT_SETUP))]
    Setup(Setup),
    #[command(about = t(texts::ABOUT_SERVE))]
    Serve,
    #[command(subcommand, about = t(texts::ABOUT_ACCOUNT))]
    Account(Account),
    #[command(subcommand, about = t(texts::ABOUT_ALIAS))]
    Alias(Alias),
    #[command(subcommand, about = t(texts::ABOUT_FORWARD))]
    Forward(Forward),
    #[command(subcommand, about = t(texts::ABOUT_GROUP))]
    Group(Group),
    #[command(subcommand, about = t(texts::ABOUT_DOMAIN))]
    Domain(Domain),
    #[command(subcommand, about = t(texts::ABOUT_QUEUE))]
    Queue(Queue),
    #[command(subcommand, about = t(texts::ABOUT_BAN))]
    Ban(Ban),
    #[command(subcommand, about = t(texts::ABOUT_MAILBOX))]
    Mailbox(Mailbox),
    #[command(subcommand, about = t(texts::ABOUT_SIEVE))]
    Sieve(Sieve),
    #[command(subcommand, about = t(texts::ABOUT_STORE))]
    Store(Store),
    #[command(subcommand, about = t(texts::ABOUT_SEARCH))]
    Search(Search),
    #[command(about = t(texts::ABOUT_TRACE))]
    Trace(Trace),
    #[command(about = t(texts::ABOUT_SEND))]
    Send(Send),
    /// Taken before this parser sees it: its options are of another kind.
    #[command(about = t(texts::ABOUT_SENDMAIL), disable_help_flag = true)]
    Sendmail {
        #[arg(value_name = "…", num_args = 0.., allow_hyphen_values = true, help = t(texts::HELP_SENDMAIL))]
        arguments: Vec<String>,
    },
    #[command(subcommand, visible_alias = "token", about = t(texts::ABOUT_PROGRAM))]
    Program(Program),
    #[command(subcommand, about = t(texts::ABOUT_SUPPRESSION))]
    Suppression(Suppression),
    #[command(subcommand, about = t(texts::ABOUT_CONFIG))]
    Config(Config),
    #[command(about = t(texts::ABOUT_STATUS))]
    Status,
}

#[derive(Debug, Args)]
pub struct Demo {
    #[arg(long, value_name = "N", default_value_t = 20_000, hide_default_value = true, help = t(texts::HELP_PORT_OFFSET))]
    pub port_offset: u16,
    #[arg(long, help = t(texts::HELP_EMPTY))]
    pub empty: bool,
    #[arg(long, help = t(texts::HELP_INSECURE))]
    pub insecure_plaintext: bool,
    #[arg(long, value_name = "ADDR", help = t(texts::HELP_DNS), help_heading = t(texts::HEADING_TESTS))]
    pub dns: Option<SocketAddr>,
    #[arg(long, value_name = "N", help = t(texts::HELP_OUT_PORT), help_heading = t(texts::HEADING_TESTS))]
    pub smtp_out_port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct Setup {
    #[arg(value_name = "DOMAIN", help = t(texts::HELP_SETUP_DOMAIN))]
    pub domain: String,
    #[arg(long, value_name = "NAME", help = t(texts::HELP_HOSTNAME))]
    pub hostname: Option<String>,
    #[arg(long, value_name = "ADDRESS", help = t(texts::HELP_FIRST_ACCOUNT))]
    pub account: Option<String>,
    #[command(flatten)]
    pub password: Password,
    #[arg(long, value_name = "IP", help = t(texts::HELP_IP))]
    pub ip: Vec<IpAddr>,
    #[arg(long, value_name = "FILE", requires = "key", help = t(texts::HELP_CERTIFICATE))]
    pub certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "certificate", help = t(texts::HELP_KEY))]
    pub key: Option<PathBuf>,
}

/// Where a password comes from; neither: one is generated.
#[derive(Debug, Clone, Copy, Args)]
pub struct Password {
    #[arg(long, help = t(texts::HELP_PASSWORD_STDIN), conflicts_with = "ask_password")]
    pub password_stdin: bool,
    #[arg(long, help = t(texts::HELP_ASK_PASSWORD))]
    pub ask_password: bool,
}

#[derive(Debug, Subcommand)]
pub enum Account {
    #[command(about = t(texts::ABOUT_ACCOUNT_ADD))]
    Add {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(long, value_name = "NAME", help = t(texts::HELP_NAME))]
        name: Option<String>,
        #[arg(long, value_name = "SIZE", help = t(texts::HELP_QUOTA))]
        quota: Option<String>,
        #[arg(long, value_name = "fr|en", help = t(texts::HELP_LANGUAGE))]
        language: Option<String>,
        #[command(flatten)]
        password: Password,
    },
    #[command(about = t(texts::ABOUT_ACCOUNT_LIST))]
    List,
    #[command(about = t(texts::ABOUT_ACCOUNT_SHOW))]
    Show {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_ACCOUNT_PASSWD))]
    Passwd {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[command(flatten)]
        password: Password,
    },
    #[command(about = t(texts::ABOUT_ACCOUNT_DISABLE))]
    Disable {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_ACCOUNT_ENABLE))]
    Enable {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_ACCOUNT_REMOVE))]
    Remove {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(long, help = t(texts::HELP_ERASE))]
        erase: bool,
    },
    #[command(about = t(texts::ABOUT_ACCOUNT_RESTORE))]
    Restore {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_ACCOUNT_RELEASE))]
    Release {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Alias {
    #[command(about = t(texts::ABOUT_ALIAS_ADD))]
    Add {
        #[arg(value_name = "ALIAS", help = t(texts::HELP_ALIAS))]
        alias: String,
        #[arg(value_name = "TARGET", required = true, help = t(texts::HELP_TARGETS))]
        targets: Vec<String>,
        #[arg(long, help = t(texts::HELP_CONFIRMED))]
        confirmed: bool,
    },
    #[command(about = t(texts::ABOUT_ALIAS_LIST))]
    List,
    #[command(about = t(texts::ABOUT_ALIAS_REMOVE))]
    Remove {
        #[arg(value_name = "ALIAS", help = t(texts::HELP_ALIAS))]
        alias: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Forward {
    #[command(about = t(texts::ABOUT_FORWARD_LIST))]
    List,
    #[command(about = t(texts::ABOUT_FORWARD_CONFIRM))]
    Confirm {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_FORWARD))]
        address: String,
        #[arg(long = "for", value_name = "SOURCE", help = t(texts::HELP_FORWARD_FOR))]
        source: Option<String>,
    },
    #[command(about = t(texts::ABOUT_FORWARD_STOP))]
    Stop {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_FORWARD))]
        address: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Group {
    #[command(about = t(texts::ABOUT_GROUP_ADD))]
    Add {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
        #[arg(long, value_name = "NAME", help = t(texts::HELP_GROUP_NAME))]
        name: Option<String>,
        #[arg(long, value_name = "SIZE", help = t(texts::HELP_QUOTA))]
        quota: Option<String>,
        #[arg(long, value_name = "fr|en", help = t(texts::HELP_GROUP_LANGUAGE))]
        language: Option<String>,
        #[arg(long = "member", value_name = "WHO:ROLE", help = t(texts::HELP_MEMBER))]
        members: Vec<String>,
        #[arg(long, help = t(texts::HELP_SEND_AS_ALL))]
        send_as: bool,
    },
    #[command(about = t(texts::ABOUT_GROUP_LIST))]
    List,
    #[command(about = t(texts::ABOUT_GROUP_SHOW))]
    Show {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_GROUP_REMOVE))]
    Remove {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
        #[arg(long, help = t(texts::HELP_ERASE))]
        erase: bool,
    },
    #[command(about = t(texts::ABOUT_GROUP_RESTORE))]
    Restore {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_GROUP_QUOTA))]
    Quota {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
        #[arg(value_name = "SIZE", help = t(texts::HELP_GROUP_QUOTA))]
        quota: Option<String>,
    },
    #[command(about = t(texts::ABOUT_GROUP_POSTING))]
    Posting {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
        #[arg(value_name = "anybody|domain|members", help = t(texts::HELP_GROUP_POSTING))]
        who: String,
    },
    #[command(subcommand, about = t(texts::ABOUT_GROUP_MEMBER))]
    Member(GroupMember),
}

#[derive(Debug, Subcommand)]
pub enum GroupMember {
    #[command(about = t(texts::ABOUT_MEMBER_SET))]
    Set {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
        #[arg(value_name = "WHO:ROLE", help = t(texts::HELP_MEMBER))]
        member: String,
        #[arg(long, help = t(texts::HELP_SEND_AS))]
        send_as: bool,
    },
    #[command(about = t(texts::ABOUT_MEMBER_REMOVE))]
    Remove {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_GROUP))]
        address: String,
        #[arg(value_name = "WHO", help = t(texts::HELP_MEMBER_WHO))]
        member: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Domain {
    #[command(about = t(texts::ABOUT_DOMAIN_ADD))]
    Add {
        #[arg(value_name = "DOMAIN", help = t(texts::HELP_DOMAIN))]
        domain: String,
    },
    #[command(about = t(texts::ABOUT_DOMAIN_LIST))]
    List,
    #[command(about = t(texts::ABOUT_DOMAIN_DNS))]
    Dns {
        #[arg(value_name = "DOMAIN", help = t(texts::HELP_DOMAIN))]
        domain: String,
        #[arg(long = "no-check", help = t(texts::HELP_NO_CHECK))]
        no_check: bool,
    },
    #[command(about = t(texts::ABOUT_DOMAIN_REPORTS))]
    Reports {
        #[arg(value_name = "DOMAIN", help = t(texts::HELP_DOMAIN))]
        domain: String,
        #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u16).range(1..=90), help = t(texts::HELP_REPORTS_DAYS))]
        days: u16,
        #[arg(long, help = t(texts::HELP_REPORTS_UNPROVEN))]
        unproven: bool,
    },
    #[command(about = t(texts::ABOUT_DOMAIN_RENEW))]
    Renew {
        #[arg(value_name = "DOMAIN", help = t(texts::HELP_DOMAIN))]
        domain: String,
    },
    #[command(about = t(texts::ABOUT_DOMAIN_REMOVE))]
    Remove {
        #[arg(value_name = "DOMAIN", help = t(texts::HELP_DOMAIN))]
        domain: String,
    },
    #[command(name = "catch-all", about = t(texts::ABOUT_DOMAIN_CATCH_ALL))]
    CatchAll {
        #[arg(value_name = "DOMAIN", help = t(texts::HELP_DOMAIN))]
        domain: String,
        #[arg(value_name = "ADDRESS", required_unless_present = "none", help = t(texts::HELP_ADDRESS))]
        address: Option<String>,
        #[arg(long, conflicts_with = "address", help = t(texts::HELP_NONE))]
        none: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Queue {
    #[command(about = t(texts::ABOUT_QUEUE_LIST))]
    List {
        #[arg(long, value_name = "DOMAIN", help = t(texts::HELP_QUEUE_DOMAIN))]
        domain: Option<String>,
        #[arg(long, help = t(texts::HELP_HELD))]
        held: bool,
    },
    #[command(about = t(texts::ABOUT_QUEUE_SHOW))]
    Show {
        #[arg(value_name = "ID", help = t(texts::HELP_ID))]
        id: u64,
    },
    #[command(about = t(texts::ABOUT_QUEUE_RETRY))]
    Retry(QueueIds),
    #[command(about = t(texts::ABOUT_QUEUE_HOLD))]
    Hold(QueueIds),
    #[command(about = t(texts::ABOUT_QUEUE_RELEASE))]
    Release(QueueIds),
    #[command(about = t(texts::ABOUT_QUEUE_DROP))]
    Drop {
        #[arg(value_name = "ID", required = true, help = t(texts::HELP_ID))]
        ids: Vec<u64>,
    },
}

#[derive(Debug, Args)]
pub struct QueueIds {
    #[arg(value_name = "ID", required_unless_present = "all", help = t(texts::HELP_ID))]
    pub ids: Vec<u64>,
    #[arg(long, conflicts_with = "ids", help = t(texts::HELP_QUEUE_ALL))]
    pub all: bool,
}

#[derive(Debug, Subcommand)]
pub enum Ban {
    #[command(about = t(texts::ABOUT_BAN_LIST))]
    List,
    #[command(about = t(texts::ABOUT_BAN_ADD))]
    Add {
        #[arg(value_name = "IP", help = t(texts::HELP_BAN_IP))]
        address: String,
        #[arg(long, value_name = "N", help = t(texts::HELP_BAN_HOURS))]
        hours: Option<u64>,
    },
    #[command(about = t(texts::ABOUT_BAN_LIFT))]
    Lift {
        #[arg(value_name = "IP", help = t(texts::HELP_BAN_IP))]
        address: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Mailbox {
    #[command(about = t(texts::ABOUT_MAILBOX_LIST))]
    List {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_MAILBOX_DELETED))]
    Deleted {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(value_name = "MAILBOX", help = t(texts::HELP_MAILBOX))]
        mailbox: Option<String>,
    },
    #[command(about = t(texts::ABOUT_MAILBOX_RESTORE))]
    Restore {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(value_name = "MAILBOX", help = t(texts::HELP_MAILBOX))]
        mailbox: String,
        #[arg(long, value_name = "UIDS", help = t(texts::HELP_UIDS))]
        uids: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Sieve {
    #[command(about = t(texts::ABOUT_SIEVE_LIST))]
    List {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_SIEVE_SHOW))]
    Show {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(value_name = "SCRIPT", help = t(texts::HELP_SCRIPT))]
        name: String,
    },
    #[command(about = t(texts::ABOUT_SIEVE_PUT))]
    Put {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(value_name = "SCRIPT", help = t(texts::HELP_SCRIPT))]
        name: String,
        #[arg(value_name = "FILE", help = t(texts::HELP_SCRIPT_FILE))]
        file: PathBuf,
        #[arg(long, help = t(texts::HELP_SCRIPT_ACTIVATE))]
        activate: bool,
    },
    #[command(about = t(texts::ABOUT_SIEVE_ACTIVATE))]
    Activate {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(value_name = "SCRIPT", help = t(texts::HELP_SCRIPT_NONE))]
        name: Option<String>,
    },
    #[command(about = t(texts::ABOUT_SIEVE_REMOVE))]
    Remove {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_ADDRESS))]
        address: String,
        #[arg(value_name = "SCRIPT", help = t(texts::HELP_SCRIPT))]
        name: String,
    },
    #[command(about = t(texts::ABOUT_SIEVE_CHECK))]
    Check {
        #[arg(value_name = "FILE", help = t(texts::HELP_SCRIPT_FILE))]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum Store {
    #[command(about = t(texts::ABOUT_STORE_VERIFY))]
    Verify,
}

#[derive(Debug, Subcommand)]
pub enum Search {
    #[command(about = t(texts::ABOUT_SEARCH_REBUILD))]
    Rebuild {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_SEARCH_ADDRESS))]
        address: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Trace {
    #[arg(value_name = "MESSAGE-ID|ADDRESS", help = t(texts::HELP_TRACE_ABOUT))]
    pub about: String,
    #[arg(long = "for", value_name = "ADDRESS", help = t(texts::HELP_TRACE_FOR))]
    pub only: Option<String>,
}

#[derive(Debug, Args)]
pub struct Send {
    #[arg(long, value_name = "ADDRESS", help = t(texts::HELP_SEND_FROM))]
    pub from: Option<String>,
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["raw", "cc", "bcc"], help = t(texts::HELP_SEND_TO))]
    pub to: Vec<String>,
    #[arg(long, value_name = "ADDRESS", help = t(texts::HELP_SEND_CC))]
    pub cc: Vec<String>,
    #[arg(long, value_name = "ADDRESS", help = t(texts::HELP_SEND_BCC))]
    pub bcc: Vec<String>,
    #[arg(long, value_name = "TEXT", conflicts_with = "raw", help = t(texts::HELP_SEND_SUBJECT))]
    pub subject: Option<String>,
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["raw", "file"], help = t(texts::HELP_SEND_TEXT))]
    pub text: Option<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "raw", help = t(texts::HELP_SEND_FILE))]
    pub file: Option<PathBuf>,
    #[arg(long, value_name = "FILE", conflicts_with = "raw", help = t(texts::HELP_SEND_HTML))]
    pub html: Option<PathBuf>,
    #[arg(long, value_name = "FILE", conflicts_with = "raw", help = t(texts::HELP_SEND_ATTACH))]
    pub attach: Vec<PathBuf>,
    #[arg(long, help = t(texts::HELP_SEND_RAW))]
    pub raw: bool,
}

#[derive(Debug, Subcommand)]
pub enum Program {
    #[command(about = t(texts::ABOUT_PROGRAM_ADD))]
    Add {
        #[arg(value_name = "NAME", help = t(texts::HELP_PROGRAM))]
        name: String,
        #[arg(long, value_name = "ADDRESS", required = true, help = t(texts::HELP_PROGRAM_FROM))]
        from: Vec<String>,
        #[arg(long, value_name = "LOGIN", conflicts_with = "hook", help = t(texts::HELP_PROGRAM_USER))]
        user: Option<String>,
        #[arg(long, value_name = "URL", help = t(texts::HELP_PROGRAM_HOOK))]
        hook: Option<String>,
        #[arg(long, requires = "hook", help = t(texts::HELP_PROGRAM_HOOK_PRIVATE))]
        hook_private: bool,
    },
    #[command(about = t(texts::ABOUT_PROGRAM_LIST))]
    List,
    #[command(about = t(texts::ABOUT_PROGRAM_REMOVE))]
    Remove {
        #[arg(value_name = "NAME", help = t(texts::HELP_PROGRAM))]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Suppression {
    #[command(about = t(texts::ABOUT_SUPPRESSION_LIST))]
    List,
    #[command(about = t(texts::ABOUT_SUPPRESSION_ADD))]
    Add {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_SUPPRESSION))]
        address: String,
    },
    #[command(about = t(texts::ABOUT_SUPPRESSION_REMOVE))]
    Remove {
        #[arg(value_name = "ADDRESS", help = t(texts::HELP_SUPPRESSION))]
        address: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Config {
    #[command(about = t(texts::ABOUT_CONFIG_SHOW))]
    Show,
    /// Writes the manual page of the settings.
    #[command(hide = true)]
    Manual,
}

/// Parses, or prints help or what is wrong and gives the exit code.
pub fn parse() -> Result<Arguments, u8> {
    let mut command = command();
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| refuse(&error))
}

/// The whole command in the user's language.
pub fn command() -> Command {
    localise(
        Arguments::command().disable_version_flag(true).arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .display_order(904)
                .help(t(texts::HELP_VERSION)),
        ),
    )
}

fn localise(command: Command) -> Command {
    let template = format!(
        "{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}{{after-help}}",
        t(texts::HEADING_USAGE)
    );
    command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .help_template(template)
        .subcommand_help_heading(t(texts::HEADING_COMMANDS))
        .subcommand_value_name(t(texts::VALUE_COMMAND))
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .display_order(903)
                .help(t(texts::HELP_HELP)),
        )
        .mut_args(|arg| {
            if arg.get_help_heading().is_some() {
                return arg;
            }
            let heading = if arg.is_positional() {
                texts::HEADING_ARGUMENTS
            } else {
                texts::HEADING_OPTIONS
            };
            arg.help_heading(t(heading))
        })
        .mut_subcommands(localise)
}

/// 0 after help that was asked for, 2 after wrong use.
fn refuse(error: &clap::Error) -> u8 {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // Nobody is left to tell when the terminal is gone.
        let _ = error.print();
        return u8::from(error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) * 2;
    }
    let as_json = std::env::args_os().any(|argument| argument == "--json");
    let failure = crate::output::Failure::new("usage", usage_sentence(error));
    crate::output::fail(&failure, as_json);
    2
}

fn usage_sentence(error: &clap::Error) -> String {
    let context = |kind| error.get(kind).map(plain).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg);
    let sentence = match error.kind() {
        ErrorKind::UnknownArgument => fill(texts::USAGE_UNKNOWN, &[&argument]),
        ErrorKind::InvalidSubcommand => fill(
            texts::USAGE_NO_COMMAND,
            &[&context(ContextKind::InvalidSubcommand)],
        ),
        ErrorKind::MissingSubcommand => t(texts::USAGE_WHICH_COMMAND).to_owned(),
        ErrorKind::MissingRequiredArgument => fill(texts::USAGE_MISSING, &[&argument]),
        ErrorKind::ArgumentConflict => fill(
            texts::USAGE_CONFLICT,
            &[&argument, &context(ContextKind::PriorArg)],
        ),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = context(ContextKind::InvalidValue);
            if value.is_empty() {
                fill(texts::USAGE_NO_VALUE, &[&argument])
            } else {
                fill(texts::USAGE_VALUE, &[&value, &argument])
            }
        }
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues => {
            fill(texts::USAGE_VALUES, &[&argument])
        }
        _ => t(texts::USAGE_OTHER).to_owned(),
    };
    let suggestion = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand]
        .into_iter()
        .map(context)
        .find(|text| !text.is_empty());
    let suggestion = suggestion.map(|word| fill(texts::USAGE_SUGGESTION, &[&word]));
    let help = t(texts::USAGE_HELP);
    match suggestion {
        Some(suggestion) => format!("{sentence} {suggestion} {help}"),
        None => format!("{sentence} {help}"),
    }
}

fn plain(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::StyledStrs(texts) => {
            let texts: Vec<String> = texts.iter().map(StyledStr::to_string).collect();
            texts.join(", ")
        }
        ContextValue::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn everything_has_a_help_text() {
        fn check(command: &Command) {
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {argument}",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        let mut all = command();
        all.build();
        check(&all);
    }
}
