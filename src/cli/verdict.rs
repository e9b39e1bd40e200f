//! How well a task went: its exit code, and what is said of its pages.

use std::process::ExitCode;

use bindery::http::TaskView;
use bindery::task::{FindingCode, FindingCounts, TaskRecord};

use super::exit;

/// How files went, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worst {
    Done,
    /// Pages are there and not to be trusted.
    Doubtful,
    /// Pages were not read for want of OCR or a model.
    Unread,
    FailedPages,
    Failed,
}

impl Worst {
    /// `strict`: pages that are there and doubtful count like pages that are not there.
    pub fn exit_code(self, strict: bool) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Doubtful if !strict => ExitCode::SUCCESS,
            Self::Doubtful | Self::Unread | Self::FailedPages => ExitCode::from(exit::FAILED_PAGES),
            Self::Failed => ExitCode::from(exit::FAILED),
        }
    }

    /// How files that went so are counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Doubtful => "with doubtful pages",
            Self::Unread => "with unread pages",
            Self::FailedPages => "with failed pages",
            Self::Failed => "failed",
        }
    }
}

/// What is wrong with the pages of a task that is completed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageTroubles {
    failed: u32,
    doubtful: u32,
    findings: FindingCounts,
}

impl PageTroubles {
    /// Of a task that ran here.
    pub fn of(record: &TaskRecord) -> Self {
        let counts = record.counts;
        Self { failed: counts.failed, doubtful: counts.doubtful, findings: counts.findings }
    }

    /// Of a task as a server shows it.
    pub const fn of_view(task: &TaskView) -> Self {
        Self { failed: task.pages.failed, doubtful: task.pages.doubtful, findings: task.findings }
    }

    /// How the task went.
    pub const fn worst(&self) -> Worst {
        match self {
            Self { failed: 1.., .. } => Worst::FailedPages,
            _ if self.findings.of(FindingCode::NoTextLayer) > 0 => Worst::Unread,
            Self { doubtful: 1.., .. } => Worst::Doubtful,
            _ => Worst::Done,
        }
    }

    /// Where it is seen which pages these are: in Markdown stands what is missing, and not what is doubtful.
    pub const fn seen_in(&self) -> &'static str {
        match self.worst() {
            Worst::Doubtful => "--json says which and why",
            _ => "the result marks them",
        }
    }
}

impl std::fmt::Display for PageTroubles {
    /// `2 pages failed, 3 doubtful (2 no_text_layer, 1 unfaithful)`; nothing where all is well.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { failed, doubtful, findings } = self;
        let pages = |count: u32| if count == 1 { "page" } else { "pages" };
        match (*failed, *doubtful) {
            (0, 0) => Ok(()),
            (failed, 0) => write!(f, "{failed} {} failed", pages(failed)),
            (0, doubtful) => write!(f, "{doubtful} {} doubtful ({findings})", pages(doubtful)),
            (failed, doubtful) => write!(f, "{failed} {} failed, {doubtful} doubtful ({findings})", pages(failed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use bindery::clock::Timestamp;
    use bindery::task::TaskId;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_and_how_it_ends() {
        for (pages, findings, worst, words) in [
            (json!({ "failed": 0, "doubtful": 0 }), json!({}), Worst::Done, ""),
            (json!({ "failed": 1 }), json!({}), Worst::FailedPages, "1 page failed"),
            (json!({ "doubtful": 1 }), json!({ "unfaithful": 1 }), Worst::Doubtful, "1 page doubtful (1 unfaithful)"),
            (
                json!({ "failed": 0, "doubtful": 3 }),
                json!({ "no_text_layer": 2, "unfaithful": 1 }),
                Worst::Unread,
                "3 pages doubtful (2 no_text_layer, 1 unfaithful)",
            ),
            (
                json!({ "failed": 2, "doubtful": 1 }),
                json!({ "unread_picture": 1 }),
                Worst::FailedPages,
                "2 pages failed, 1 doubtful (1 unread_picture)",
            ),
        ] {
            let (id, at) = (TaskId::generate(), Timestamp::now());
            let task = json!({ "id": id, "status": "completed", "created_at": at, "updated_at": at, "pages": pages,
                "findings": findings });
            let troubles = PageTroubles::of_view(&serde_json::from_value(task).unwrap());
            assert_eq!((troubles.worst(), troubles.to_string().as_str()), (worst, words));
            assert_eq!(troubles.seen_in().contains("--json"), worst == Worst::Doubtful);
        }
    }
}
