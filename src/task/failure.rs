//! What went wrong, in the form that callers see.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a page, a shard or a task failed: a stable machine code and a sentence for people.
///
/// The message never holds a server path. Bindery puts no key and no page text into it; the refusal of an endpoint is
/// quoted, shortened, in the endpoint's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// One of the codes in [`code`], or a user's own processor's code; lower-case words joined by `_`.
    pub code: Cow<'static, str>,
    /// What happened and what to do, lower case, no full stop.
    pub message: String,
    /// Whether the same work may succeed when it is tried again unchanged.
    pub retryable: bool,
}

impl Failure {
    /// A failure that trying again does not mend.
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), retryable: false }
    }

    /// A failure that may pass.
    pub fn passing(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), retryable: true }
    }
}

impl Failure {
    /// Whether the machine lacks something for the moment, such as room or a process, and no page is to blame.
    #[must_use]
    pub fn is_lack(&self) -> bool {
        self.retryable && [code::DISK_FULL, code::STORAGE_FAILED, code::READER_UNAVAILABLE].contains(&&*self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Failure {}

/// The machine codes of Bindery's own failures. They are part of the contract: a code never changes its meaning.
pub mod code {
    /// The bytes are not a PDF.
    pub const NOT_A_PDF: &str = "not_a_pdf";
    /// There is no Markdown of the page.
    pub const PAGE_NOT_READ: &str = "page_not_read";
    /// The task has no figure of this name.
    pub const IMAGE_NOT_FOUND: &str = "image_not_found";
    /// The PDF needs a password that was not given, or another one.
    pub const PDF_ENCRYPTED: &str = "pdf_encrypted";
    /// The PDF cannot be opened or has no page.
    pub const PDF_DAMAGED: &str = "pdf_damaged";
    /// More bytes than the limit.
    pub const PDF_TOO_LARGE: &str = "pdf_too_large";
    /// More pages than the limit.
    pub const TOO_MANY_PAGES: &str = "too_many_pages";
    /// The page selection names no page of this PDF.
    pub const BAD_PAGE_RANGE: &str = "bad_page_range";
    /// An option is unknown or has a value it cannot take.
    pub const BAD_OPTION: &str = "bad_option";
    /// One page cannot be read.
    pub const PAGE_DAMAGED: &str = "page_damaged";
    /// An attempt took longer than its limit.
    pub const TIMEOUT: &str = "timeout";
    /// The endpoint said that it is asked too often.
    pub const RATE_LIMITED: &str = "rate_limited";
    /// The endpoint could not be reached or answered a server error.
    pub const ENDPOINT_UNAVAILABLE: &str = "endpoint_unavailable";
    /// The endpoint could not be reached, or said that it is asked too often, for longer than a page waits.
    pub const ENDPOINT_AWAY: &str = "endpoint_away";
    /// The endpoint refused the request.
    pub const ENDPOINT_REFUSED: &str = "endpoint_refused";
    /// The endpoint does not accept the key.
    pub const ENDPOINT_UNAUTHORIZED: &str = "endpoint_unauthorized";
    /// The endpoint does not have the model.
    pub const MODEL_NOT_FOUND: &str = "model_not_found";
    /// What the task may cost is used up.
    pub const BUDGET_EXHAUSTED: &str = "budget_exhausted";
    /// The answer is not a usable page.
    pub const BAD_ANSWER: &str = "bad_answer";
    /// The answer ends at a token limit.
    pub const ANSWER_TRUNCATED: &str = "answer_truncated";
    /// The model says the same again and again.
    pub const ANSWER_REPETITIVE: &str = "answer_repetitive";
    /// The answer has too little of the page's text, or numbers that the page does not have.
    pub const ANSWER_UNFAITHFUL: &str = "answer_unfaithful";
    /// The model, or a content filter before it, will not answer.
    pub const ANSWER_REFUSED: &str = "answer_refused";
    /// The model takes no pictures, or says that it sees none.
    pub const MODEL_CANNOT_SEE: &str = "model_cannot_see";
    /// The processor panicked on this page.
    pub const PROCESSOR_CRASHED: &str = "processor_crashed";
    /// Its reader died whenever it read this page, or opened this document.
    pub const PAGE_CRASH: &str = "page_crash";
    /// Reading the page takes longer than a reader may.
    pub const PAGE_TIMEOUT: &str = "page_timeout";
    /// Reading the page takes more memory than a reader may.
    pub const PAGE_MEMORY: &str = "page_memory";
    /// The processes that were to read the page or document were killed from outside, again and again.
    pub const READER_KILLED: &str = "reader_killed";
    /// No process can be started to read PDFs.
    pub const READER_UNAVAILABLE: &str = "reader_unavailable";
    /// The text of the page could not be recognised on its picture.
    pub const OCR_FAILED: &str = "ocr_failed";
    /// More pages failed than the task allows.
    pub const TOO_MANY_FAILED_PAGES: &str = "too_many_failed_pages";
    /// The stored source, or a page already read, is gone or unreadable.
    pub const STORAGE_FAILED: &str = "storage_failed";
    /// The disk is full.
    pub const DISK_FULL: &str = "disk_full";
}
