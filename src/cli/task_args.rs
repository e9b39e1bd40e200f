//! The options of a task on the command line.

use bindery::task::{OptionError, TaskOptions};
use clap::Args;

use super::secret;

/// The options of a task, under the names that the API has for them. They are read by [`TaskOptions::set`].
#[derive(Args)]
#[command(next_help_heading = "Task")]
pub struct TaskArgs {
    /// Which pages, such as 1-5,8,r3-r1 (r1 is the last, 1-5? ends with the document) [default: all]
    #[arg(long, env = "BINDERY_PAGES")]
    pages: Option<String>,
    /// The PDF's password. `ps` shows it to all users of the machine: rather use `BINDERY_PASSWORD` or --password-file
    #[arg(long, env = "BINDERY_PASSWORD", hide_env_values = true, conflicts_with = "password_file")]
    password: Option<String>,
    /// A file with the PDF's password
    #[arg(long, env = "BINDERY_PASSWORD_FILE", value_name = "FILE", value_parser = secret::read, hide_env_values = true)]
    password_file: Option<String>,
    /// How pages are read: text, llm, ocr, or auto, which uses the model, or OCR without one, for pages without sound text [default: auto when an endpoint and a model are configured or the OCR models installed, else text]
    #[arg(long, env = "BINDERY_PROCESSOR")]
    processor: Option<String>,
    /// The model, for llm
    #[arg(long, env = "BINDERY_MODEL")]
    model: Option<String>,
    /// Instructions for the model
    #[arg(long, env = "BINDERY_PROMPT")]
    prompt: Option<String>,
    /// What the model is given of a page: image, text or image+text [default: image]
    #[arg(long, env = "BINDERY_INPUT")]
    input: Option<String>,
    /// The most pixels of the longer side of a page's image [default: 1600]
    #[arg(long, env = "BINDERY_IMAGE_SIDE")]
    image_side: Option<String>,
    /// Models that read a page when the first has failed, such as other-model,ocr; text is the text layer
    #[arg(long, env = "BINDERY_FALLBACK")]
    fallback: Option<String>,
    /// The endpoint's service tier, where it has several: auto, flex (slower, at about half the price; waits while there is no
    /// room), flex,auto (as auto meanwhile) or priority (faster, dearer) [default: auto]
    #[arg(long, env = "BINDERY_SERVICE_TIER")]
    service_tier: Option<String>,
    /// The most that one file may cost; needs a price for each of its models, see --llm-prices
    #[arg(long, env = "BINDERY_MAX_COST")]
    max_cost: Option<String>,
    /// Pages read in one attempt [default: 16 for text, 1 for llm]
    #[arg(long, env = "BINDERY_SHARD_PAGES")]
    shard_pages: Option<String>,
    /// -10 (last) to 10 (first) among the files of this command
    #[arg(long, env = "BINDERY_PRIORITY", allow_hyphen_values = true)]
    priority: Option<String>,
    /// The most failed pages before the task fails, such as 3 or 5% [default: fail only if every page fails]
    #[arg(long, env = "BINDERY_MAX_FAILED_PAGES")]
    max_failed_pages: Option<String>,
    /// The longest one attempt may take, such as 90s
    #[arg(long, env = "BINDERY_TIMEOUT")]
    timeout: Option<String>,
    /// The line before each page; empty for none [default: <!-- page {page} -->]
    #[arg(long, env = "BINDERY_PAGE_SEPARATOR")]
    page_separator: Option<String>,
    /// Keep headers, footers and page numbers that the pages repeat
    #[arg(long, env = "BINDERY_KEEP_HEADERS", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    keep_headers: Option<String>,
    /// How tables stand in the Markdown: markdown, html, or auto, which is html where cells span others [default: auto]
    #[arg(long, env = "BINDERY_TABLES")]
    tables: Option<String>,
    /// What stands for figures: placeholder, which is a comment, extract, which is links to files in a folder beside the result
    /// (`OUT_images` for `OUT.md`), or none [default: placeholder]
    #[arg(long, env = "BINDERY_IMAGES", value_name = "FORM")]
    images: Option<String>,
    /// Join paragraphs and tables that go on over a page break, on the page where they begin
    #[arg(long, env = "BINDERY_SEAMS", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    seams: Option<String>,
    /// Begin the Markdown with title, author, dates and the number of pages, as YAML
    #[arg(long, env = "BINDERY_FRONT_MATTER", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    front_matter: Option<String>,
    /// Text that cannot be seen: drop or keep [default: drop]
    #[arg(long, env = "BINDERY_HIDDEN_TEXT")]
    hidden_text: Option<String>,
    /// Text that another program has recognised on a scan: auto, trust or reread [default: auto]
    #[arg(long, env = "BINDERY_OCR_LAYER")]
    ocr_layer: Option<String>,
    /// What recognises text on pictures of pages: pp (the models of `bindery models`), tesseract, off, or auto, which is pp
    /// but for languages in other scripts [default: auto]
    #[arg(long, env = "BINDERY_OCR")]
    ocr: Option<String>,
    /// Languages of such pages, such as ru,deu; those in scripts that pp does not know are read by Tesseract, where it is
    /// installed
    #[arg(long, env = "BINDERY_OCR_LANGUAGES", value_name = "LANGUAGE,…")]
    ocr_languages: Option<String>,
}

impl TaskArgs {
    /// Those that were given, by name.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("pages", &self.pages),
            ("password", if self.password.is_some() { &self.password } else { &self.password_file }),
            ("processor", &self.processor),
            ("model", &self.model),
            ("prompt", &self.prompt),
            ("input", &self.input),
            ("image_side", &self.image_side),
            ("fallback", &self.fallback),
            ("service_tier", &self.service_tier),
            ("max_cost", &self.max_cost),
            ("shard_pages", &self.shard_pages),
            ("priority", &self.priority),
            ("max_failed_pages", &self.max_failed_pages),
            ("timeout", &self.timeout),
            ("page_separator", &self.page_separator),
            ("keep_headers", &self.keep_headers),
            ("tables", &self.tables),
            ("images", &self.images),
            ("seams", &self.seams),
            ("front_matter", &self.front_matter),
            ("hidden_text", &self.hidden_text),
            ("ocr_layer", &self.ocr_layer),
            ("ocr", &self.ocr),
            ("ocr_languages", &self.ocr_languages),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// The options themselves.
    pub fn options(&self) -> Result<TaskOptions, OptionError> {
        let mut options = TaskOptions::default();
        self.given().try_for_each(|(name, value)| options.set(name, value))?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    /// What only a request to a server has.
    const OF_REQUESTS: [&str; 6] = ["format", "webhook_url", "webhook_secret", "metadata", "ttl", "reuse"];

    #[test]
    fn every_option_has_a_flag_that_sets_it() {
        let command = TaskArgs::augment_args(Command::new("bindery").no_binary_name(true));
        let flags: Vec<_> = command.get_arguments().cloned().collect();
        let flag = |name: &str| flags.iter().find(|flag| flag.get_id() == name);
        for name in TaskOptions::NAMES.into_iter().filter(|name| !OF_REQUESTS.contains(name)) {
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
