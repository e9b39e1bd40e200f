//! The command: parse, run, exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    bindery::failpoint::set_up();
    let cli = cli::Cli::read();
    cli::start_log(&cli);
    match cli::run(cli) {
        Ok(code) => code,
        // A reader that has seen enough, such as head, is not an error.
        Err(error) if cli::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            cli::say(format_args!("{}", cli::complaint(&error)));
            let usage = error.is::<bindery::config::ConfigError>();
            ExitCode::from(if usage { cli::exit::USAGE } else { cli::exit::FAILED })
        }
    }
}
