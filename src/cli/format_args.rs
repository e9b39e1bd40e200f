//! `--format`, `--json` and `--chunk-tokens`: the form of results.

use std::path::Path;

use bindery::task::ResultFormat;
use clap::Args;

#[derive(Args)]
pub struct FormatArgs {
    /// The form of the result: markdown, json, html, text or chunks (pieces for retrieval, one a line as JSON); when absent
    /// what the ending of -o says (.md, .json, .html, .txt, .jsonl), else `BINDERY_FORMAT`, else markdown
    #[arg(long, value_name = "FORMAT")]
    format: Option<ResultFormat>,
    /// The format where the command names none: the variable must not stand against --json or the ending of -o
    #[arg(long, env = "BINDERY_FORMAT", hide = true, value_name = "FORMAT")]
    usual_format: Option<ResultFormat>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// About how many tokens a chunk has at most, 32 to 32768
    #[arg(long, env = "BINDERY_CHUNK_TOKENS", value_name = "N", default_value_t = ResultFormat::CHUNK_TOKENS,
        value_parser = clap::value_parser!(u32).range(32..=32_768))]
    pub chunk_tokens: u32,
}

impl FormatArgs {
    /// The format of a result that goes to `file`, if it goes to one.
    pub fn of(&self, file: Option<&Path>) -> ResultFormat {
        self.said(file).unwrap_or_default()
    }

    /// The same, where the command says one.
    pub fn said(&self, file: Option<&Path>) -> Option<ResultFormat> {
        let by_ending = || ResultFormat::of_ending(file?.extension()?.to_str()?);
        match self.format {
            _ if self.json => Some(ResultFormat::Json),
            Some(format) => Some(format),
            None => by_ending().or(self.usual_format),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_before_the_ending() {
        let args = |format, json| FormatArgs { format, usual_format: None, json, chunk_tokens: 512 };
        let by_variable = FormatArgs { usual_format: Some(ResultFormat::Text), ..args(None, false) };
        assert_eq!(by_variable.of(None), ResultFormat::Text);
        assert_eq!(by_variable.of(Some(Path::new("a.html"))), ResultFormat::Html);
        for (args, file, expected) in [
            (args(None, false), None, ResultFormat::Markdown),
            (args(None, false), Some("a.html"), ResultFormat::Html),
            (args(None, false), Some("a.JSON"), ResultFormat::Json),
            (args(None, false), Some("a"), ResultFormat::Markdown),
            (args(Some(ResultFormat::Text), false), Some("a.html"), ResultFormat::Text),
            (args(None, true), Some("a.html"), ResultFormat::Json),
        ] {
            assert_eq!(args.of(file.map(Path::new)), expected, "{file:?}");
        }
    }
}
