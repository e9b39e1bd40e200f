//! A job for tests of others than the pool.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::lease::Lease;
use super::spec::{JobContext, JobSpec};
use crate::blob::LocalBlob;
use crate::document::DocumentLimits;
use crate::ledger::LedgerScope;
use crate::processor::TextProcessor;
use crate::task::{FileDigest, TaskId, TaskOptions};

/// A job whose pages are read as text, with its files in `dir`.
pub(crate) fn test_context(dir: &Path) -> JobContext {
    let (blob, task) = (LocalBlob::open(dir).unwrap(), TaskId::generate());
    let spec = JobSpec {
        task,
        epoch: 1,
        tenant: String::new(),
        source_key: format!("tasks/{task}/source.pdf"),
        source: FileDigest { bytes: 1, sha256: "ab".into() },
        work_dir: format!("tasks/{task}"),
        file_name: None,
        options: TaskOptions::default(),
        processor_name: "text".into(),
        recipes: Vec::new(),
        scope: LedgerScope::default(),
        limits: DocumentLimits::default(),
        attempt_timeout: Duration::from_secs(60),
        unavailable_timeout: Duration::from_secs(60),
        shared_unavailable_timeout: false,
        markdown_key: "a".into(),
        json_key: "b".into(),
        crashes: 0,
    };
    JobContext::new(spec, Arc::new(TextProcessor), &blob, Lease::without_end()).unwrap()
}
