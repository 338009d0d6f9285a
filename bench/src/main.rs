//! Side-by-side benchmarks: the same load against etcd and against Archipel, in one interleaved run on one machine.
//!
//! The way through: [`arguments`] → [`plan`] (the rows) → [`server`] (find or build, start on an empty folder) →
//! [`compare`] (rounds) → [`load`] (the generator, over [`wire`]; the requests are those of [`workload`]), or [`story`] for
//! what is no rate → [`statistics`] → [`report`]. [`null`] and [`sync_probe`] are the limits.

mod arguments;
mod compare;
mod load;
mod null;
mod plan;
mod report;
mod server;
mod share;
mod statistics;
mod story;
mod sync_probe;
mod wire;
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use archipel::demo::kubernetes::stop_everything_on_signals;

use arguments::{Command, Options};
use plan::{Scenario, Work};
use report::Machine;
use server::Found;

/// The product's allocator: the null server runs in this program too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What starting, filling and stopping a server takes, for the estimate of the whole time.
const AROUND_A_MEASUREMENT: Duration = Duration::from_millis(1_500);

fn main() -> ExitCode {
    match arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", arguments::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::Compare(options)) => ended(compare(&options)),
        Ok(Command::Share(options)) => ended(share(&options)),
        Ok(Command::Null(address)) => ended(null::serve(address).map(|()| true)),
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

/// The servers that are asked for. Under a rehearsal nothing is built.
fn servers(options: &Options) -> Result<Vec<Found>, server::FindError> {
    let mut servers = Vec::new();
    if !options.no_etcd {
        servers.push(server::etcd(options.etcd.as_deref(), options.check)?);
    }
    servers.push(server::archipel(options.archipel.as_deref(), options.check)?);
    if let Some(kine) = &options.kine {
        servers.push(server::kine(kine)?);
    }
    if !options.no_null {
        servers.push(server::null()?);
    }
    Ok(servers)
}

/// Whether every series is valid.
fn compare(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let folder = folder(options);
    let servers = servers(options)?;
    let scenarios = plan::scenarios(options);
    if !options.check {
        std::fs::create_dir_all(&folder).map_err(|error| format!("--dir {}: {error}", folder.display()))?;
    }
    let machine = Machine::this(&folder);
    print!("{}", plan_text(options, &machine, &scenarios, &servers, &folder));
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
    let mut outcomes = compare::measure(options, &scenarios, &servers, &folder);
    report::relate_to_limits(&mut outcomes, &servers);
    let verdicts = report::verdicts(&outcomes, &servers);
    println!("\n{}\n{}", report::table(&outcomes, &servers), report::summary(&verdicts));
    let document = format!("{:#}\n", report::json(options, &machine, &servers, &outcomes, &verdicts));
    let chart = report::svg(&outcomes, &servers, &verdicts);
    write(&options.out.join("bench.json"), &document)?;
    write(&options.out.join("bench.svg"), &chart)?;
    if let Some(file) = &options.json {
        write(file, &document)?;
    }
    println!("written to {}", options.out.display());
    Ok(outcomes.iter().flat_map(|outcome| &outcome.series).all(|series| series.void.is_none() || series.skipped))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder.and_then(|()| std::fs::write(file, text)).map_err(|error| format!("{}: {error}", file.display()))
}

fn plan_text(options: &Options, machine: &Machine, scenarios: &[Scenario], servers: &[Found], folder: &Path) -> String {
    let rates = scenarios.iter().filter(|scenario| matches!(scenario.work, Work::Rate(_))).count();
    let measurements = rates * servers.len() * options.rounds;
    let one = options.measure + options.warm_up + AROUND_A_MEASUREMENT;
    let whole = one * u32::try_from(measurements).unwrap_or(u32::MAX);
    let cold = if server::cold_starts() { "cold" } else { "warm, because only root may empty the kernel's cache" };
    let mut lines = vec![format!(
        "{}, {} cores, Linux {}; data in {} ({}), fsync on; restarts are {cold}",
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
        "{} rounds, {} s measured after {} s of warm-up, a fresh server each time; about {} minutes, and what is told once",
        options.rounds,
        options.measure.as_secs_f64(),
        options.warm_up.as_secs_f64(),
        whole.as_secs().div_ceil(60)
    ));
    for scenario in scenarios {
        lines.push(format!("  {:<14} {}", scenario.name, scenario.title));
    }
    lines.join("\n") + "\n"
}
