//! The command line. It reads arguments, environment and configuration, and holds no knowledge of mail:
//! what it does, it asks of the server's admin interface or of the server itself.

mod arguments;
mod certificate;
mod client;
mod command;
mod demo;
mod language;
mod output;
mod password;
mod place;
mod process;
mod sendmail;
mod settings;
mod texts;

use std::process::ExitCode;

use arguments::{Arguments, Do};
use client::Client;
use output::{Failure, Outcome};
use place::Place;
use texts::t;

/// With the system's allocator a fifth of a delivery's work was malloc and free.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(arguments) = sendmail::called(std::env::args_os()) {
        return ExitCode::from(sendmail::run(arguments));
    }
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(code) => return ExitCode::from(code),
    };
    let as_json = arguments.common.json;
    // A huge page is 2 MiB: with one for the first memory of each thread an empty server holds twice what it uses. A
    // kernel without them is as good.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(Failure::new("runtime", t(texts::RUNTIME)).because(error)),
    };
    output::finish(outcome, as_json)
}

async fn run(arguments: Arguments) -> Outcome {
    let common = arguments.common;
    match arguments.command {
        Do::Demo(demo) => command::demo::run(&common, &demo).await,
        Do::Setup(setup) => command::setup::run(&common, setup).await,
        Do::Serve => command::serve::run(&common).await,
        Do::Store(command) => command::store::run(&place::find(&common)?, &command),
        Do::Config(command) => command::config::run(&common, &command),
        Do::Send(send) => command::send::run(&common, send),
        other => ask(&place::find(&common)?, other).await,
    }
}

/// The commands that ask the admin interface.
async fn ask(place: &Place, command: Do) -> Outcome {
    let client = Client::open(place).await?;
    let outcome = match command {
        Do::Account(command) => command::account::run(&client, command).await,
        Do::Alias(command) => command::alias::run(&client, command).await,
        Do::Forward(command) => command::forward::run(&client, command).await,
        Do::Group(command) => command::group::run(&client, command).await,
        Do::Ban(command) => command::ban::run(&client, command).await,
        Do::Domain(command) => command::domain::run(&client, command).await,
        Do::Queue(command) => command::queue::run(&client, command).await,
        Do::Mailbox(command) => command::mailbox::run(&client, command).await,
        Do::Search(command) => command::search::run(&client, command).await,
        Do::Trace(command) => command::trace::run(&client, command).await,
        Do::Sieve(command) => command::sieve::run(&client, command).await,
        Do::Program(command) => command::program::run(&client, command).await,
        Do::Suppression(command) => command::suppression::run(&client, command).await,
        Do::Status
        | Do::Demo(_)
        | Do::Setup(_)
        | Do::Serve
        | Do::Store(_)
        | Do::Config(_)
        | Do::Send(_)
        | Do::Sendmail { .. } => command::status::run(&client).await,
    };
    let closed = client.close().await;
    let output = outcome?;
    closed.map(|()| output)
}
