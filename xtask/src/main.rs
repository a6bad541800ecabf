//! `cargo xtask <command>`: the developer's commands, one file each below `command/`.
//! Knows cargo and the files of the checkout; must not know what any crate does.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let options: Vec<String> = arguments.collect();
    let Some(command) = command::ALL.iter().find(|command| command.name == name) else {
        eprint!("{}", command::usage(&name));
        return ExitCode::from(2);
    };
    let passes_on = command.options == [command::ANY];
    let known = |option: &String| passes_on || command.options.contains(&option.as_str());
    if let Some(unknown) = options.iter().find(|option| !known(option)) {
        eprintln!("`cargo xtask {name}` has no option `{unknown}`; it has: {}", command.options.join(" "));
        return ExitCode::from(2);
    }
    match (command.run)(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
