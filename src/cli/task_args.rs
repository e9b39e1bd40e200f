//! The options of a task on the command line: a flag and a variable for each of [`TaskOptions::ALL`] that has one.

use bindery::task::{OptionError, OptionValue, TaskOption, TaskOptions};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::secret;

/// The options of a task that were given. They are read by [`TaskOptions::set`].
pub struct TaskArgs {
    given: Vec<(&'static str, String)>,
}

const HEADING: &str = "Task";
/// Names the file of the password, which other users of the machine cannot see.
const PASSWORD_FILE: &str = "password_file";
const PASSWORD: &str = "password";

impl TaskArgs {
    /// Those that were given, by name.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.given.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The options themselves.
    pub fn options(&self) -> Result<TaskOptions, OptionError> {
        let mut options = TaskOptions::default();
        self.given().try_for_each(|(name, value)| options.set(name, value))?;
        Ok(options)
    }
}

/// Those options that have a flag.
fn flags() -> impl Iterator<Item = TaskOption> {
    TaskOptions::ALL.into_iter().filter(|option| option.is_flag)
}

/// What `--help` says of an option.
fn help(option: &TaskOption) -> String {
    let about = option.description.replace('`', "");
    let about = match option.name {
        PASSWORD => {
            format!(
                "{about}. `ps` shows it to all users of the machine: rather use `BINDERY_PASSWORD` or --password-file"
            )
        }
        "priority" => format!("{about} among the files of this command"),
        _ => about,
    };
    if option.default.is_empty() || option.name == "priority" {
        about
    } else {
        format!("{about} [default: {}]", option.default)
    }
}

/// The name of a value in `--help`.
fn value_name(option: &TaskOption) -> String {
    match option.name {
        "images" => "FORM".to_owned(),
        "ocr_languages" => "LANGUAGE,…".to_owned(),
        name => name.to_uppercase(),
    }
}

fn flag(option: &TaskOption) -> Arg {
    let arg = Arg::new(option.name)
        .long(option.name.replace('_', "-"))
        .env(format!("BINDERY_{}", option.name.to_uppercase()))
        .value_name(value_name(option))
        .help(help(option))
        .help_heading(HEADING)
        .action(ArgAction::Set);
    match option.takes {
        OptionValue::Truth => arg.num_args(0..=1).default_missing_value("true").require_equals(true),
        OptionValue::Integer(least, _) if least < 0 => arg.allow_hyphen_values(true),
        _ if option.name == PASSWORD => arg.hide_env_values(true).conflicts_with(PASSWORD_FILE),
        _ => arg,
    }
}

fn password_file() -> Arg {
    Arg::new(PASSWORD_FILE)
        .long("password-file")
        .env("BINDERY_PASSWORD_FILE")
        .value_name("FILE")
        .help("A file with the PDF's password")
        .help_heading(HEADING)
        .hide_env_values(true)
        .value_parser(secret::read)
        .action(ArgAction::Set)
}

impl Args for TaskArgs {
    fn augment_args(command: Command) -> Command {
        flags().fold(command, |command, option| {
            let command = command.arg(flag(&option));
            if option.name == PASSWORD { command.arg(password_file()) } else { command }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TaskArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |option: TaskOption| {
            let file = || matches.get_one::<String>(PASSWORD_FILE).filter(|_| option.name == PASSWORD);
            let value = matches.get_one::<String>(option.name).or_else(file)?;
            Some((option.name, value.clone()))
        };
        Ok(Self { given: flags().filter_map(given).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_a_flag_that_sets_it() {
        let command = TaskArgs::augment_args(Command::new("bindery").no_binary_name(true));
        let flags: Vec<_> = command.get_arguments().cloned().collect();
        let flag = |name: &str| flags.iter().find(|flag| flag.get_id() == name);
        for name in super::flags().map(|option| option.name) {
            let flag = flag(name).unwrap_or_else(|| panic!("{name} has no flag"));
            assert_eq!(flag.get_long().map(|flag| flag.replace('-', "_")), Some(name.to_owned()));
            let variable = format!("BINDERY_{}", name.to_uppercase());
            assert_eq!(flag.get_env().and_then(|variable| variable.to_str()), Some(variable.as_str()));
            let given = format!("--{}=1", flag.get_long().unwrap());
            let matches = command.clone().try_get_matches_from([given]).unwrap();
            let arguments = TaskArgs::from_arg_matches(&matches).unwrap();
            assert_eq!(arguments.given().collect::<Vec<_>>(), [(name, "1")]);
        }
        let unknown = flags.iter().map(|flag| flag.get_id().as_str());
        let unknown: Vec<_> = unknown.filter(|name| !TaskOptions::NAMES.contains(name)).collect();
        assert_eq!(unknown, ["password_file"]);
    }
}
