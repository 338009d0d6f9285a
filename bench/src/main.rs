//! Side-by-side benchmarks: the same load against etcd and against Archipel, in one interleaved run on one machine.
//!
//! The way through: [`arguments`] → [`server`] (find or build, start on an empty folder) → [`compare`] (rounds) →
//! [`load`] (the generator, over [`wire`]; the requests are those of [`workload`]) → [`statistics`] → [`report`].

mod arguments;
mod compare;
mod load;
mod report;
mod server;
mod share;
mod statistics;
mod wire;
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use archipel::demo::kubernetes::stop_everything_on_signals;

use arguments::{Command, Options};
use report::Machine;
use server::Found;

/// What starting, filling and stopping a server takes, for the estimate of the whole time.
const AROUND_A_MEASUREMENT: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    match arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", arguments::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::Compare(options)) => ended(compare(&options)),
        Ok(Command::Share(options)) => ended(share(&options)),
        Err(error) => {
            eprintln!("archipel-bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn ended(outcome: Result<bool, Box<dyn std::error::Error>>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("archipel-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Latency and bytes between two sites.
fn share(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let folder = folder(options);
    std::fs::create_dir_all(&folder).map_err(|error| format!("--dir {}: {error}", folder.display()))?;
    let program = server::archipel(options.archipel.as_deref(), false)?;
    stop_everything_on_signals();
    server::sweep(&folder);
    let outcome = share::measure(&program, &folder, options.writes)?;
    println!("{}", outcome.text());
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", outcome.json()))
            .map_err(|error| format!("--json {}: {error}", file.display()))?;
    }
    Ok(true)
}

/// Where data are written: as asked for, or beside this program.
fn folder(options: &Options) -> PathBuf {
    let own_folder = || Some(std::env::current_exe().ok()?.parent()?.to_owned());
    options.dir.clone().or_else(own_folder).unwrap_or_else(|| PathBuf::from("."))
}

/// Whether every series is valid.
fn compare(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let folder = folder(options);
    let servers = [
        server::etcd(options.etcd.as_deref(), options.check)?,
        server::archipel(options.archipel.as_deref(), options.check)?,
    ];
    if !options.check {
        std::fs::create_dir_all(&folder).map_err(|error| format!("--dir {}: {error}", folder.display()))?;
    }
    let machine = Machine::this(&folder);
    print!("{}", plan(options, &machine, &servers, &folder));
    if machine.keeps_data_in_memory() {
        return Err(
            format!("{} is in memory, where fsync costs nothing; name a disk with --dir", folder.display()).into()
        );
    }
    if cfg!(debug_assertions) {
        eprintln!("NOTE: this is not a release build; its numbers mean nothing");
    }
    if options.check {
        return Ok(true);
    }
    stop_everything_on_signals();
    server::sweep(&folder);
    let outcomes = compare::measure(options, &servers, &folder);
    println!("\n{}", report::table(&outcomes, &servers));
    if let Some(file) = &options.json {
        let document = report::json(options, &machine, &servers, &outcomes);
        std::fs::write(file, format!("{document:#}\n"))
            .map_err(|error| format!("--json {}: {error}", file.display()))?;
    }
    Ok(outcomes.iter().flat_map(|outcome| &outcome.series).all(|series| series.void.is_none()))
}

fn plan(options: &Options, machine: &Machine, servers: &[Found], folder: &Path) -> String {
    let scenarios = compare::scenarios(options);
    let measurements = scenarios.len() * servers.len() * options.rounds;
    let one = options.measure + options.warm_up + AROUND_A_MEASUREMENT;
    let whole = one * u32::try_from(measurements).unwrap_or(u32::MAX);
    let mut lines = vec![format!(
        "{}, {} cores, Linux {}; data in {} ({}), fsync on",
        machine.processor,
        machine.cores,
        machine.kernel,
        folder.display(),
        machine.file_system
    )];
    for server in servers {
        lines.push(format!("{:<9} {} ({})", server.name(), server.version, server.path.display()));
    }
    lines.push(format!(
        "{} rounds, {} s measured after {} s of warm-up, a fresh server each time; about {} minutes",
        options.rounds,
        options.measure.as_secs_f64(),
        options.warm_up.as_secs_f64(),
        whole.as_secs().div_ceil(60)
    ));
    for scenario in scenarios {
        let connections = arguments::connections(scenario.in_flight);
        let streams = scenario.in_flight / connections;
        lines.push(format!("  {} ({connections} connections x {streams})", compare::title(scenario)));
    }
    lines.join("\n") + "\n"
}
