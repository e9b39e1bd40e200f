//! Errors as people read them, with their codes, and for programs.

use std::error::Error;

use bindery::supervisor::RequestError;
use bindery::task::Failure;

use super::log_format;

/// What a server says against a request.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The machine code of the answer.
    pub code: String,
    /// What happened and what to do.
    pub detail: String,
}

impl Refusal {
    /// A refusal whose advice is for the command line, where the server's is for HTTP.
    pub fn new(code: &str, detail: &str) -> Self {
        let detail = match code {
            "unauthorized" => "the server needs one of its keys: give --key-file FILE, or set BINDERY_KEY".to_owned(),
            "result_not_ready" => {
                let state = detail.split(';').next().unwrap_or(detail);
                format!("{state}: --partial prints what is there, `bindery status --wait` waits for the end")
            }
            _ => detail.to_owned(),
        };
        Self { code: code.to_owned(), detail }
    }
}

/// The line that says an error: for people, or with `--log-format json` for programs. `about` is the file or task.
pub fn complaint(about: Option<&str>, error: &anyhow::Error) -> String {
    let text = of(error);
    let text = match about {
        Some(about) if !text.starts_with(about) => format!("{about}: {text}"),
        _ => text,
    };
    match code(error) {
        code if log_format::is_json() => log_format::error_line(&text, code),
        // Behind the words, to look up and to search for.
        Some(code) => format!("bindery: {text} ({code})"),
        None => format!("bindery: {text}"),
    }
}

/// An error in one line, without codes.
pub fn of(error: &anyhow::Error) -> String {
    let parts: Vec<String> = error
        .chain()
        .map(|cause| failure(cause).map_or_else(|| cause.to_string(), |failure| failure.message.clone()))
        .collect();
    parts.join(": ")
}

/// The machine code of an error, where it has one.
pub fn code(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| {
        let of_server = cause.downcast_ref::<Refusal>().map(|refusal| refusal.code.as_str());
        of_server.or_else(|| failure(cause).map(|failure| &*failure.code))
    })
}

fn failure<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e Failure> {
    let of_request = match cause.downcast_ref::<RequestError>() {
        Some(RequestError::Rejected(failure) | RequestError::StorageFailed(failure)) => Some(failure),
        _ => None,
    };
    of_request.or_else(|| cause.downcast_ref::<Failure>())
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn people_read_words_and_programs_codes() {
        let failure = || Failure::permanent("bad_option", "option pages: no such page");
        let local = Err::<(), _>(failure()).context("a.pdf").unwrap_err();
        let rejected = anyhow::Error::from(RequestError::Rejected(failure()));
        let busy = anyhow::Error::from(Refusal::new("queue_full", "too many tasks"));
        let key = anyhow::Error::from(Refusal::new("unauthorized", "send Authorization: Bearer KEY"));
        for (error, words, its_code) in [
            (&local, "a.pdf: option pages: no such page", Some("bad_option")),
            (&rejected, "option pages: no such page", Some("bad_option")),
            (&busy, "too many tasks", Some("queue_full")),
            (&key, "the server needs one of its keys: give --key-file FILE, or set BINDERY_KEY", Some("unauthorized")),
            (&anyhow::anyhow!("no words"), "no words", None),
        ] {
            assert_eq!((of(error).as_str(), code(error)), (words, its_code));
        }
    }
}
