//! `cargo xtask fuzz`: plays the targets for a while, all or one, and tells which inputs they do not stand. Owns the
//! command line.

use std::process::ExitCode;
use std::time::Duration;

use candlewick_fuzz::{ALL, Ledger, Round, play};

#[global_allocator]
static LEDGER: Ledger = Ledger;

const USAGE: &str = "cargo xtask fuzz [--minutes N] [--target T] [--from INPUT] [--inputs N]";

struct Options {
    minutes: f64,
    target: Option<String>,
    from: u64,
    inputs: u64,
}

fn options() -> Result<Options, String> {
    let mut options = Options { minutes: 1.0, target: None, from: 1, inputs: u64::MAX / 2 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value: {USAGE}"))?;
        let number = || value.parse().map_err(|_| format!("{value} is no number: {USAGE}"));
        match name.as_str() {
            "--minutes" => {
                options.minutes = value.parse().map_err(|_| format!("{value} is no number: {USAGE}"))?;
            }
            "--target" => options.target = Some(value),
            "--from" => options.from = number()?,
            "--inputs" => options.inputs = number()?,
            other => return Err(format!("there is no option {other}: {USAGE}")),
        }
    }
    let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
    match &options.target {
        Some(name) if !names.contains(&name.as_str()) => {
            Err(format!("there is no target {name}: {}", names.join(", ")))
        }
        _ => Ok(options),
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("fuzz: {reason}");
            return ExitCode::from(2);
        }
    };
    let is_chosen = |name: &str| options.target.as_deref().is_none_or(|chosen| chosen == name);
    let chosen: Vec<_> = ALL.iter().filter(|target| is_chosen(target.name)).collect();
    let limit =
        Duration::try_from_secs_f64(options.minutes * 60.0 / chosen.len() as f64).unwrap_or(Duration::MAX);
    let mut is_good = true;
    for target in chosen {
        match play(target, Round { from: options.from, inputs: options.inputs, limit }) {
            Ok(inputs) => println!("{:<18} {inputs} inputs", target.name),
            Err(failure) => {
                is_good = false;
                let (name, input) = (target.name, failure.input);
                println!("{name:<18} input {input}: {}\n  {:?}", failure.reason, failure.bytes);
                println!("  again: cargo xtask fuzz --target {name} --from {input} --inputs 1");
            }
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
