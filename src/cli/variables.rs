//! Variables that look like settings and that nothing reads.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Command;

const PREFIX: &str = "BINDERY_";
/// So alike a name must be to be meant, from 0 to 1.
const ALIKE: f64 = 0.7;

/// A line for each variable whose name begins with `BINDERY_` and that no command knows: a slip would change nothing,
/// without a word.
pub fn unread(command: &Command, given: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let mut known = BTreeSet::new();
    collect(command, &mut known);
    let unknown = given.into_iter().filter_map(|name| name.into_string().ok());
    let unknown = unknown.filter(|name| name.starts_with(PREFIX) && !known.contains(name));
    let mut lines: Vec<String> = unknown.map(|name| line(&name, &known)).collect();
    lines.sort_unstable();
    lines
}

fn collect(command: &Command, known: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(|argument| argument.get_env());
    known.extend(variables.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|command| collect(command, known));
}

fn line(name: &str, known: &BTreeSet<String>) -> String {
    // What all of them begin with makes none alike.
    let own = |name: &'_ str| name.trim_start_matches(PREFIX).to_owned();
    let alike = known.iter().map(|known| (strsim::normalized_damerau_levenshtein(&own(name), &own(known)), known));
    match alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(share, _)| *share >= ALIKE) {
        Some((_, meant)) => format!("the variable {name} is not read by anything: is {meant} meant?"),
        None => format!("the variable {name} is not read by anything"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn a_slip_is_told_with_what_is_meant() {
        let inner = Command::new("serve").arg(Arg::new("model").env("BINDERY_LLM_MODEL"));
        let command = Command::new("bindery").arg(Arg::new("config").env("BINDERY_CONFIG")).subcommand(inner);
        let given = ["BINDERY_LLM_MODLE", "BINDERY_CONFIG", "BINDERY_LLM_MODEL", "PATH", "BINDERY_ZZZ"];
        assert_eq!(
            unread(&command, given.map(OsString::from)),
            [
                "the variable BINDERY_LLM_MODLE is not read by anything: is BINDERY_LLM_MODEL meant?",
                "the variable BINDERY_ZZZ is not read by anything",
            ]
        );
    }
}
