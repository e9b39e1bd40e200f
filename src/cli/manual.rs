//! Manual pages, completions and examples: of what each command takes, and of nothing else.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, Command};
use clap_mangen::Man;

use super::place::{self, Inputs};

/// Command, what is wanted, how.
const EXAMPLES: [(&str, &str, &str); 20] = [
    ("convert", "One PDF", "bindery convert paper.pdf -o paper.md"),
    (
        "convert",
        "All of a folder, four pages each, as JSON",
        "bindery convert papers --out-dir out --pages 1-4? --json",
    ),
    ("convert", "A scan, by local OCR, through a pipe", "bindery convert - --processor ocr < scan.pdf > scan.md"),
    (
        "convert",
        "With a model, for at most 1 of the currency of its prices",
        "bindery convert scan.pdf -o scan.md --llm-model gpt-4o-mini --llm-prices '*=0.15/0.60' --max-cost 1",
    ),
    ("convert", "Whatever comes into a folder", "bindery convert inbox --out-dir out --watch"),
    ("estimate", "What a conversion would cost", "bindery estimate scan.pdf --llm-prices '*=0.15/0.60'"),
    ("serve", "For this machine", "bindery serve"),
    ("serve", "For others, with a file of NAME=KEY lines", "bindery serve --listen 0.0.0.0:8080 --api-key-file keys"),
    ("submit", "Send a PDF and print the id of its task", "bindery submit paper.pdf"),
    ("submit", "Wait for the results of a folder", "bindery submit papers --out-dir out"),
    ("status", "By the first characters of an id", "bindery status 0199c2a4 --wait"),
    ("list", "Tasks with pages to look at", "bindery list --doubtful"),
    ("result", "What is there so far", "bindery result 0199c2a4 --partial -o paper.md"),
    ("retry", "With a higher budget", "bindery retry 0199c2a4 --max-cost 5"),
    ("delete", "With everything that was read of it", "bindery delete 0199c2a4 --purge"),
    ("inspect", "Which pages are scans", "bindery inspect paper.pdf"),
    ("split", "Parts of ten pages", "bindery split book.pdf --shard-pages 10 -o parts"),
    ("models", "Install what reads scans", "bindery models install --from rapidocr-3.10.0-py3-none-any.whl"),
    ("doctor", "Check everything without spending money", "bindery doctor --no-call"),
    ("config", "A file of settings to begin with", "bindery config --example > bindery.toml"),
];

const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", "Done."),
    ("1", "Failed."),
    ("2", "Wrong usage."),
    ("3", "Done, with failed or unread pages; with --strict also with doubtful ones."),
    ("130", "Interrupted."),
];

const FILES: [(&str, &str); 2] = [
    ("./bindery.toml, ~/.config/bindery/bindery.toml, /etc/bindery/bindery.toml", "Settings: the first that is there."),
    ("~/.local/share/bindery", "The data directory: finished pages, OCR models, and the tasks of a server."),
];

/// Options that take one of few words.
const VALUES: [(&str, &[&str]); 11] = [
    ("processor", &["text", "llm", "ocr", "auto"]),
    ("input", &["image", "text", "image+text"]),
    ("llm_input", &["image", "text", "image+text"]),
    ("service_tier", &["auto", "flex", "flex,auto", "priority"]),
    ("tables", &["auto", "markdown", "html"]),
    ("images", &["placeholder", "extract", "none"]),
    ("hidden_text", &["drop", "keep"]),
    ("ocr_layer", &["auto", "trust", "reread"]),
    ("ocr", &["auto", "pp", "tesseract", "off"]),
    ("format", &["markdown", "json", "html", "text", "chunks"]),
    ("status", &["pending", "processing", "completed", "failed", "cancelled"]),
];

/// Adds the examples to the help of each command.
pub fn with_examples(command: Command) -> Command {
    command.mut_subcommands(|command| {
        let mut text = String::new();
        for (_, what, how) in EXAMPLES.iter().filter(|(of, ..)| *of == command.get_name()) {
            let _ = write!(text, "\n  {what}:\n    {how}");
        }
        if text.is_empty() { command } else { command.after_help(format!("Examples:{text}")) }
    })
}

/// The command line without what is hidden, which the generators would show all the same.
pub fn visible(command: &Command) -> Command {
    // The names of commands live as long as the program.
    let name: &'static str = Box::leak(command.get_name().to_owned().into_boxed_str());
    let mut made = Command::new(name).version(env!("CARGO_PKG_VERSION"));
    if let Some(about) = command.get_about() {
        made = made.about(about.clone());
    }
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    made.args(shown.cloned().map(with_values)).subcommands(commands.map(visible))
}

fn with_values(argument: Arg) -> Arg {
    let known = VALUES.iter().find(|(id, _)| argument.get_id().as_str() == *id);
    let takes_one = argument.get_num_args().is_none_or(|count| count.max_values() == 1);
    match known {
        Some((_, values)) if takes_one && argument.get_long().is_some() => {
            argument.value_parser(PossibleValuesParser::new(values.iter().copied()))
        }
        _ => argument,
    }
}

/// Writes the manual pages into `folder`.
///
/// # Errors
/// When one cannot be written.
pub fn write(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let mut command = visible(command).disable_help_subcommand(true);
    command.build();
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        let sections = sections(&command);
        let page = Man::new(command);
        let mut text = Vec::new();
        page.render(&mut text)?;
        text.extend(sections.into_bytes());
        let place = folder.join(page.get_filename());
        let written = place::write(&place, &Inputs::default(), |file| std::io::Write::write_all(file, &text));
        written.with_context(|| format!("cannot write {}", place.display()))?;
    }
    Ok(())
}

/// What the generator does not write.
fn sections(command: &Command) -> String {
    let mut text = String::new();
    let examples = EXAMPLES.iter().filter(|(of, ..)| *of == command.get_name()).map(|(_, what, how)| (*what, *how));
    section(&mut text, "EXAMPLES", examples.map(|(what, how)| (what.to_owned() + ":", how.to_owned())));
    let of_pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    section(&mut text, "EXIT STATUS", of_pairs(&EXIT_STATUS).into_iter());
    let variables = command.get_arguments().filter_map(|argument| {
        let name = argument.get_env()?.to_str()?.to_owned();
        let long = argument.get_long()?;
        Some((name, format!("The same as --{long}.")))
    });
    section(&mut text, "ENVIRONMENT", variables);
    if command.get_arguments().any(|argument| argument.get_id() == "data_dir") {
        section(&mut text, "FILES", of_pairs(&FILES).into_iter());
    }
    text
}

fn section(text: &mut String, title: &str, rows: impl Iterator<Item = (String, String)>) {
    let mut rows = rows.peekable();
    if rows.peek().is_some() {
        let _ = writeln!(text, ".SH \"{title}\"");
    }
    for (name, about) in rows {
        let _ = writeln!(text, ".TP\n\\fB{}\\fR\n{}", plain(&name), plain(&about));
    }
}

/// Text as roff reads it (groff(7), "Escape sequences").
fn plain(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_example_is_a_command_line_that_is_understood() {
        for (command, _, how) in EXAMPLES {
            let line = how.split(['<', '>']).next().unwrap_or_default().replace('\'', "");
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words[1], command, "{how}");
            let read = Cli::command().try_get_matches_from(&words);
            assert!(read.is_ok() || line.contains("--api-key-file"), "{how}: {read:?}");
        }
    }

    #[test]
    fn options_of_few_words_are_options() {
        let command = Cli::command();
        for (id, values) in VALUES {
            let takes = command.get_subcommands().any(|command| command.get_arguments().any(|one| one.get_id() == id));
            assert!(takes && values.len() > 1, "{id}");
        }
    }

    #[test]
    fn the_help_of_an_option_names_every_word_that_it_takes() {
        let command = Cli::command();
        for (id, values) in VALUES {
            let all = command.get_subcommands().flat_map(Command::get_arguments);
            for argument in all.filter(|argument| argument.get_id() == id && argument.get_long().is_some()) {
                let help = argument.get_long_help().or(argument.get_help()).unwrap_or_default().to_string();
                // A list of words within a word is no word of the sentence.
                let has = |value: &&str| {
                    help.split([' ', '|', '(', ')', ':', ';', '`']).any(|word| word.trim_end_matches(',') == *value)
                };
                let missing: Vec<_> = values.iter().filter(|value| !has(value)).collect();
                assert!(missing.is_empty(), "--{id} does not say {missing:?}: {help}");
            }
        }
    }

    #[test]
    fn roff_reads_the_text_as_it_is() {
        assert_eq!(plain(".a-b\\c"), "\\&.a\\-b\\ec");
    }
}
