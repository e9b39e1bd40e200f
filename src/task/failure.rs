//! What went wrong, in the form that callers see.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

/// Why a page, a shard or a task failed: a stable machine code and a sentence for people.
///
/// The message never holds a server path. Bindery puts no key and no page text into it; the refusal of an endpoint is
/// quoted, shortened, in the endpoint's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
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

    /// A failure that may be gone when the same is tried again.
    pub fn transient(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), retryable: true }
    }
}

/// What a failure means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The machine lacks something for the moment, such as room or a process, and no page is to blame.
    ResourceExhausted,
    /// The endpoint could not be reached, or answered an error of its own.
    EndpointUnavailable,
    /// The endpoint is asked too often.
    RateLimited,
    /// The answer ends at a token limit.
    Truncated,
    /// A model, or a content filter before it, will not read the page.
    Refused,
    /// The answer is not true to the page.
    Diverged,
    /// The answer is not a usable page.
    BadAnswer,
    /// The step cannot read this page, however often it is tried: its endpoint refuses it, or its model takes no pictures.
    StepUnsuitable,
    /// Its endpoint was unavailable, or asked too often, for longer than a page waits. No failure says that by itself: the
    /// job does.
    WaitExpired,
    /// Anything else: of a page, a document, an option.
    Other,
}

impl FailureKind {
    /// Whether the same step would come to the same again, or to nothing at all.
    #[must_use]
    pub const fn ends_step(self) -> bool {
        matches!(self, Self::Refused | Self::StepUnsuitable | Self::WaitExpired)
    }
}

impl Failure {
    /// What it means for what happens next.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match &*self.code {
            code::DISK_FULL | code::STORAGE_FAILED | code::READER_UNAVAILABLE if self.retryable => {
                FailureKind::ResourceExhausted
            }
            code::ENDPOINT_UNAVAILABLE => FailureKind::EndpointUnavailable,
            code::RATE_LIMITED => FailureKind::RateLimited,
            code::ANSWER_TRUNCATED => FailureKind::Truncated,
            code::ANSWER_REFUSED => FailureKind::Refused,
            code::ANSWER_UNFAITHFUL | code::ANSWER_REPETITIVE => FailureKind::Diverged,
            code::BAD_ANSWER => FailureKind::BadAnswer,
            code::ENDPOINT_REFUSED | code::MODEL_CANNOT_SEE | code::MODEL_NOT_FOUND => FailureKind::StepUnsuitable,
            _ => FailureKind::Other,
        }
    }

    /// Whether it is of [`FailureKind::ResourceExhausted`].
    #[must_use]
    pub fn is_resource_exhausted(&self) -> bool {
        self.kind() == FailureKind::ResourceExhausted
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
    /// The document is not fetched from such an address.
    pub const SOURCE_URL_REFUSED: &str = "source_url_refused";
    /// The document cannot be fetched.
    pub const SOURCE_UNAVAILABLE: &str = "source_unavailable";
    /// The result cannot be sent to where the caller wants it.
    pub const TARGET_UNAVAILABLE: &str = "target_unavailable";
    /// One page cannot be read.
    pub const PAGE_DAMAGED: &str = "page_damaged";
    /// An attempt took longer than its limit.
    pub const TIMEOUT: &str = "timeout";
    /// The endpoint said that it is asked too often.
    pub const RATE_LIMITED: &str = "rate_limited";
    /// The endpoint could not be reached or answered a server error.
    pub const ENDPOINT_UNAVAILABLE: &str = "endpoint_unavailable";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failure_means_for_what_happens_next() {
        use FailureKind::{Diverged, EndpointUnavailable, Other, RateLimited, ResourceExhausted, StepUnsuitable};
        for (code, transient, permanent) in [
            (code::DISK_FULL, ResourceExhausted, Other),
            (code::STORAGE_FAILED, ResourceExhausted, Other),
            (code::READER_UNAVAILABLE, ResourceExhausted, Other),
            (code::ENDPOINT_UNAVAILABLE, EndpointUnavailable, EndpointUnavailable),
            (code::RATE_LIMITED, RateLimited, RateLimited),
            (code::ANSWER_REPETITIVE, Diverged, Diverged),
            (code::MODEL_CANNOT_SEE, StepUnsuitable, StepUnsuitable),
            (code::PAGE_DAMAGED, Other, Other),
        ] {
            let kinds = (Failure::transient(code, "").kind(), Failure::permanent(code, "").kind());
            assert_eq!(kinds, (transient, permanent), "{code}");
        }
    }
}
