//! Dispatches each command of the command line to the code that carries it out.

use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::CommandFactory;
use orderflow_verify::Resources;

use crate::{
    accounts,
    cli::{Bench, Cli, Command, Pipeline, Rate, Replay, Verify},
    demo,
    load::{
        bench,
        replay::{self, Replay as ReplayJob},
    },
    login, look, openapi,
    remote::Target,
    serve,
    settings::{Configuration, Overrides, PipelineFile},
    simulate, top,
    verify::verify,
};

/// Carries out a command. Returns when the command has ended.
pub async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Demo(demo) => demo::run(demo).await,
        Command::Serve(serve) => serve::run(*serve).await,
        Command::Replay(replay) => run_replay(replay).await,
        Command::Bench(bench) => run_bench(bench).await,
        Command::Verify(verify) => run_verify(verify).await,
        Command::Simulate(args) => simulate::run(&args),
        Command::Tap(tap) => look::tap(tap).await,
        Command::Topics(source) => look::topics(source).await,
        Command::Top(args) => top::run(args).await,
        Command::Login(args) => login::commands::login(args).await,
        Command::Logout(args) => login::commands::logout(args).await,
        Command::Clients(command) => accounts::commands::clients(command).await,
        Command::Keys(command) => accounts::commands::keys(command).await,
        Command::Pipeline(Pipeline::Check { file }) => check_pipeline(&file),
        Command::Pipeline(Pipeline::Graph { file }) => {
            print(&PipelineFile::read(Some(&file))?.lifecycle.mermaid())
        }
        Command::Openapi => print(&openapi::of_all_routes().to_pretty_json()),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "orderflow", &mut io::stdout());
            Ok(())
        }
    }
}

fn print(text: &str) -> Result<()> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

fn check_pipeline(file: &std::path::Path) -> Result<()> {
    let lifecycle = PipelineFile::read(Some(file))?.lifecycle;
    let (states, transitions) = (lifecycle.states().count(), lifecycle.transitions().len());
    print(&format!("{}: {states} states, {transitions} transitions, fit to run\n", lifecycle.name))
}

async fn run_replay(replay: Replay) -> Result<()> {
    let Replay { file, server, speed, stock } = replay;
    let target = Target::open(&server.url, server.caller)?;
    let report = replay::run(&ReplayJob { file, target, speed, stock_percent: stock }).await?;
    print(&report.to_string())?;
    if let Some(error) = report.ended {
        return Err(error);
    }
    if report.rejected > 0 {
        bail!("{} lines were rejected", report.rejected);
    }
    Ok(())
}

async fn run_bench(args: Bench) -> Result<()> {
    let rate = match args.rate {
        Rate::Max => None,
        Rate::PerSecond(rate) => Some(rate),
    };
    let Bench { mode, duration, connections, lines, json, .. } = args;
    let target = Target::open(&args.server.url, args.server.caller)?;
    let report = bench::run(bench::Bench { target, mode, rate, duration, connections, lines }).await?;
    let text = if json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
    print(&text)?;
    if report.errors > 0 {
        bail!("{} requests failed", report.errors);
    }
    Ok(())
}

async fn run_verify(args: Verify) -> Result<()> {
    let Verify { data, database, keys_max, change_keys_max, .. } = args;
    let pipeline = PipelineFile::read(args.pipeline.as_deref())?;
    let mut settings = pipeline.settings(Overrides::default())?;
    settings.data = data;
    settings.database = database.or(settings.database);
    settings.keys_max = keys_max.unwrap_or(settings.keys_max);
    settings.change_keys_max = change_keys_max.unwrap_or(settings.change_keys_max);
    let configuration = Configuration::new(settings, pipeline.lifecycle)?;
    let Resources { scratch, sort_bytes } = Resources::default();
    let resources = Resources {
        scratch: args.scratch.unwrap_or(scratch),
        sort_bytes: args.sort_bytes.unwrap_or(sort_bytes),
    };
    let report = verify(&configuration, &resources).await?;
    print(&report.to_string())?;
    match report.differences.count() {
        0 => Ok(()),
        count => bail!("{count} differences"),
    }
}
