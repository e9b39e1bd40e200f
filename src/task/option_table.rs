//! The options of a task, each once: its name, what it takes, what it is for, and what sets it.
//!
//! From here come the fields of a form and of a query, the flags of the command line with their help, the schema in
//! `/openapi.json`, the keys of `[task]` in a configuration file, and what MCP tools take.

use std::fmt;
use std::str::FromStr;

use super::options::{TaskOptions, names};

/// One option of a task.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct TaskOption {
    /// Its name in forms, queries and files; the flag is the same with hyphens.
    pub name: &'static str,
    /// What it takes.
    pub takes: OptionValue,
    /// What it is for: phrases without a full stop, code between backticks.
    pub description: &'static str,
    /// What holds when it is not given; empty where nothing does.
    pub default: &'static str,
    /// Whether commands that convert have a flag for it. The others only mean something to a server.
    pub is_flag: bool,
    pub(super) set: fn(&mut TaskOptions, &str) -> Result<(), String>,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum OptionValue {
    /// Text, of a form of its own.
    Text,
    /// One line of text, which may be empty.
    Line,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Truth,
    /// A whole number, the bounds included.
    Integer(i64, i64),
    /// A decimal number, 0 or more.
    Amount,
}

impl TaskOption {
    const fn new(
        name: &'static str,
        takes: OptionValue,
        description: &'static str,
        default: &'static str,
        set: fn(&mut TaskOptions, &str) -> Result<(), String>,
    ) -> Self {
        Self { name, takes, description, default, is_flag: true, set }
    }

    /// One that only means something to a server.
    const fn of_requests(self) -> Self {
        Self { is_flag: false, ..self }
    }
}

impl fmt::Debug for TaskOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskOption").field("name", &self.name).field("takes", &self.takes).finish_non_exhaustive()
    }
}

use OptionValue::{Amount, Integer, Line, OneOf, Text, Truth};

impl TaskOptions {
    /// All options, in the order in which they are described.
    pub const ALL: [TaskOption; 30] = [
        TaskOption::new(
            "pages",
            Text,
            "Which pages, such as `1-5,8,r3-r1` (`r1` is the last; `1-5?` ends with the document)",
            "all",
            |options, value| put(&mut options.pages, value.parse()),
        ),
        TaskOption::new("password", Text, "The PDF's password", "", |options, value| {
            put_text(&mut options.password, value)
        }),
        TaskOption::new(
            "processor",
            Text,
            "How pages are read: `text`, `llm`, `ocr`, or `auto`, which uses the model, or OCR without one, for pages without \
             sound text",
            "auto when an endpoint and a model are configured or the OCR models installed, else text",
            |options, value| put_text(&mut options.processor, value),
        ),
        TaskOption::new("model", Text, "The model, for `llm`", "", |options, value| {
            put_text(&mut options.model, value)
        }),
        TaskOption::new(
            "prompt",
            Text,
            "Instructions for the model; `{page}` and `{file_name}` stand for what they say",
            "",
            |options, value| put_text(&mut options.prompt, value),
        ),
        TaskOption::new(
            "input",
            OneOf(&["image", "text", "image+text"]),
            "What the model is given of a page: `image`, `text` or `image+text`",
            "image",
            |options, value| put(&mut options.input, value.trim().parse()),
        ),
        TaskOption::new(
            "image_side",
            Integer(*TaskOptions::IMAGE_SIDES.start() as i64, *TaskOptions::IMAGE_SIDES.end() as i64),
            "The most pixels of the longer side of a page's image, 256 to 8192",
            "1600",
            |options, value| put(&mut options.image_side, number(value, &TaskOptions::IMAGE_SIDES)),
        ),
        TaskOption::new(
            "fallback",
            Text,
            "Models that read a page when the first has failed, between commas; `text` is the text layer, `ocr` text that is \
             recognised locally, `none` turns it off",
            "",
            |options, value| put(&mut options.fallback, Ok::<_, String>(names(value))),
        ),
        TaskOption::new(
            "service_tier",
            OneOf(&["auto", "flex", "flex,auto", "priority"]),
            "The endpoint's service tier, where it has several: `auto`, `flex` (slower, at about half the price; waits while \
             there is no room), `flex,auto` (as `auto` meanwhile) or `priority` (faster, dearer)",
            "auto",
            |options, value| put(&mut options.service_tier, value.trim().parse()),
        ),
        TaskOption::new(
            "max_cost",
            Amount,
            "The most that the task may cost; needs a price for each of its models, see `--llm-prices`",
            "",
            |options, value| put(&mut options.max_cost, value.parse()),
        ),
        TaskOption::new(
            "shard_pages",
            Integer(1, TaskOptions::MAX_SHARD_PAGES as i64),
            "Pages read in one attempt, 1 to 256",
            "16 for text, 1 for llm",
            |options, value| put(&mut options.shard_pages, number(value, &(1..=TaskOptions::MAX_SHARD_PAGES))),
        ),
        TaskOption::new("priority", Integer(-10, 10), "-10 (last) to 10 (first)", "0", |options, value| {
            options.priority = number(value, &(-10..=10))?;
            Ok(())
        }),
        TaskOption::new(
            "max_failed_pages",
            Text,
            "The most failed pages before the task fails: a number, or a share such as `5%`",
            "fail only if every page fails",
            |options, value| put(&mut options.max_failed_pages, value.parse()),
        ),
        TaskOption::new("timeout", Text, "The longest one attempt may take, such as `90s`", "", |options, value| {
            put(&mut options.timeout, seconds(value, 1, 86_400))
        }),
        TaskOption::new(
            "page_separator",
            Line,
            "The line before each page, with `{page}` for its number; empty for none",
            TaskOptions::DEFAULT_SEPARATOR,
            |options, value| put(&mut options.page_separator, separator(value)),
        ),
        TaskOption::new(
            "keep_headers",
            Truth,
            "Keep headers, footers and page numbers that the pages repeat",
            "",
            |options, value| put(&mut options.keep_headers, truth(value)),
        ),
        TaskOption::new(
            "tables",
            OneOf(&["markdown", "html", "auto"]),
            "How tables stand in the Markdown: `markdown`, `html`, or `auto`, which is HTML where cells span others",
            "auto",
            |options, value| put(&mut options.tables, value.trim().parse()),
        ),
        TaskOption::new(
            "images",
            OneOf(&["placeholder", "extract", "none"]),
            "What stands for figures: `placeholder`, which is a comment, `extract`, which is links to their files (below \
             `images/` of the task, or in `OUT_images` beside `OUT.md`), or `none`",
            "placeholder",
            |options, value| put(&mut options.images, value.trim().parse()),
        ),
        TaskOption::new(
            "seams",
            Truth,
            "Join paragraphs and tables that go on over a page break, on the page where they begin",
            "",
            |options, value| put(&mut options.seams, truth(value)),
        ),
        TaskOption::new(
            "front_matter",
            Truth,
            "Begin the Markdown with title, author, dates and the number of pages, as YAML",
            "",
            |options, value| put(&mut options.front_matter, truth(value)),
        ),
        TaskOption::new(
            "hidden_text",
            OneOf(&["drop", "keep"]),
            "Text that cannot be seen: `drop` or `keep`",
            "drop",
            |options, value| put(&mut options.hidden_text, value.trim().parse()),
        ),
        TaskOption::new(
            "ocr_layer",
            OneOf(&["auto", "trust", "reread"]),
            "Text that another program has recognised on a scan: `trust` takes it, `reread` does not, `auto` where it is good",
            "auto",
            |options, value| put(&mut options.ocr_layer, value.trim().parse()),
        ),
        TaskOption::new(
            "ocr",
            OneOf(&["auto", "pp", "tesseract", "off"]),
            "What recognises text on pictures of pages: `pp` (the models of `bindery models`), `tesseract`, `off`, or `auto`, \
             which is `pp` but for languages in other scripts",
            "auto",
            |options, value| put(&mut options.ocr, value.trim().parse()),
        ),
        TaskOption::new(
            "ocr_languages",
            Text,
            "Languages of such pages, between commas, such as `ru,deu`; those in scripts that `pp` does not know are read by \
             Tesseract, where it is installed",
            "",
            |options, value| put(&mut options.ocr_languages, languages(value)),
        ),
        TaskOption::new(
            "format",
            OneOf(&["markdown", "json", "html", "text", "chunks"]),
            "The result's format for requests that name none",
            "markdown",
            |options, value| put(&mut options.format, value.trim().parse()),
        )
        .of_requests(),
        TaskOption::new(
            "webhook_url",
            Text,
            "Where a message is sent when the task has ended",
            "",
            |options, value| {
                if value.len() > TaskOptions::MAX_URL {
                    return Err(format!("longer than {} bytes", TaskOptions::MAX_URL));
                }
                put_text(&mut options.webhook_url, value)
            },
        )
        .of_requests(),
        TaskOption::new(
            "webhook_secret",
            Text,
            "What that message is signed with",
            "the server's secret",
            |options, value| put_text(&mut options.webhook_secret, value),
        )
        .of_requests(),
        TaskOption::new("metadata", Text, "Any JSON; comes back with the task", "", |options, value| {
            put(&mut options.metadata, metadata(value))
        })
        .of_requests(),
        TaskOption::new(
            "ttl",
            Text,
            "How long the task stays after its end, such as `12h`",
            "as the server is configured",
            |options, value| put(&mut options.ttl, seconds(value, 1, 10 * 365 * 86_400).map(u64::from)),
        )
        .of_requests(),
        TaskOption::new(
            "reuse",
            Truth,
            "Whether an equal task that is unfinished or completed will do; `false` makes a new one",
            "true",
            |options, value| put(&mut options.reuse, truth(value)),
        )
        .of_requests(),
    ];

    /// The names of [`Self::ALL`].
    pub const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].name;
            at += 1;
        }
        names
    };
}

fn put<T, E: fmt::Display>(option: &mut Option<T>, value: Result<T, E>) -> Result<(), String> {
    *option = Some(value.map_err(|error| error.to_string())?);
    Ok(())
}

#[allow(clippy::unnecessary_wraps, reason = "as all of them")]
fn put_text(option: &mut Option<String>, value: &str) -> Result<(), String> {
    *option = Some(value.to_owned());
    Ok(())
}

fn metadata(value: &str) -> Result<serde_json::Value, String> {
    let json = serde_json::from_str(value).map_err(|error| format!("not JSON: {error}"))?;
    let flat = is_flatter_than(&json, TaskOptions::MAX_METADATA_DEPTH);
    flat.then_some(json).ok_or_else(|| format!("nested deeper than {}", TaskOptions::MAX_METADATA_DEPTH))
}

/// Whether `json` has at most `depth` levels of lists and objects.
fn is_flatter_than(json: &serde_json::Value, depth: usize) -> bool {
    let Some(rest) = depth.checked_sub(usize::from(json.is_array() || json.is_object())) else { return false };
    match json {
        serde_json::Value::Array(items) => items.iter().all(|item| is_flatter_than(item, rest)),
        serde_json::Value::Object(fields) => fields.values().all(|field| is_flatter_than(field, rest)),
        _ => true,
    }
}

fn separator(text: &str) -> Result<String, String> {
    let plain = text.len() <= 1_000 && !text.contains(['\n', '\r', '\0']);
    plain.then(|| text.to_owned()).ok_or_else(|| "must be one line of at most 1000 bytes".to_owned())
}

/// Also as programs in Python write it into a form.
fn truth(text: &str) -> Result<bool, String> {
    match text.trim() {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

fn number<T>(text: &str, range: &std::ops::RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let parsed = text.trim().parse().ok().filter(|n| range.contains(n));
    parsed.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
}

/// Names of languages between commas or plus signs, which are part of a command and of names of files.
fn languages(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split([',', '+', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let is_name =
        |name: &String| (2..=16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    let good = !names.is_empty() && names.len() <= 16 && names.iter().all(is_name);
    good.then_some(names).ok_or_else(|| "must be up to 16 names such as ru, deu or chi_sim between commas".to_owned())
}

/// Reads `90`, `90s`, `15m`, `12h` or `7d` as seconds.
pub(crate) fn seconds(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let text = text.trim();
    let (digits, factor) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    digits
        .parse::<u32>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| format!("must be {least} to {most} seconds, written as 90, 90s, 15m, 12h or 7d"))
}
