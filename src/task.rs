//! What a task is: its record, its status machine, its options and its failures.
//!
//! These are the words every other module speaks; nothing here does I/O and nothing here knows an actor.

mod cost;
mod document;
mod failure;
mod findings;
mod format;
mod image;
mod option_table;
mod options;
mod page;
mod parse_error;
mod ranges;
mod reading;
mod record;
mod result;
mod selection;
mod status;
mod stored;
mod usage;
mod webhook;

pub use cost::{Amount, Cost, Price, Tokens};
pub use document::DocumentInfo;
pub use failure::{Failure, FailureKind, code};
pub use findings::{Finding, FindingCode, FindingCounts, FindingSet};
pub use format::{ResultFormat, TableForm};
pub use image::{FigureForm, ImageKind, ImageName};
#[cfg(feature = "cli")]
pub(crate) use option_table::seconds;
pub use option_table::{OptionValue, TaskOption};
pub(crate) use options::names;
pub use options::{FailedPagesLimit, OptionError, TaskOptions};
pub use page::{ImageBytes, PageChecks, PageFailure, PageImageView, PageOutput, PageStatus, PageView, Witness};
pub use parse_error::ParseError;
pub use ranges::PageRanges;
pub use reading::{HiddenText, OcrEngine, OcrLayer, PageInputKind, ServiceTier};
#[cfg(any(test, feature = "testing"))]
pub(crate) use record::test_record;
pub use record::{Counts, Revision, Source, TaskId, TaskRecord};
pub use result::{FileDigest, ResultDigests};
pub use selection::{PageRangeError, PageSelection};
pub use status::{IllegalTransition, TaskStatus, TaskStep};
pub use stored::UnreadableRecord;
#[cfg(feature = "redis")]
pub(crate) use stored::{FORMAT_FIELD, from_object};
pub(crate) use stored::{RECORD_FORMAT, from_json, to_json};
pub use usage::Usage;
pub use webhook::{EndNotice, Webhook, WebhookState};
