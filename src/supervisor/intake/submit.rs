//! Accepting a task: check the PDF, count it for its tenant, keep it, start its job.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, Addr, Context, Handler, ResponseActFuture, ResponseFuture, WrapFuture};
use serde_json::json;

use crate::blob::Staged;
use crate::clock::{TaskClock, Timestamp, Uptime};
use crate::document::DocumentLimits;
use crate::ledger::{LedgerScope, RecipeHash};
use crate::metrics;
use crate::pool::{CheckSource, Dispatcher, Estimate, EstimateSource, GetEstimate, SourceCheck, SourcePages};
use crate::supervisor::actor::Supervisor;
use crate::supervisor::intake::accept::Acceptance;
use crate::supervisor::intake::quota;
use crate::supervisor::intake::recipes::recipe_hashes;
use crate::supervisor::intake::tenants::{Amount, TenantLimits, UploadSlot};
use crate::supervisor::messages::{
    Accepted, BeginTrial, BeginUpload, EstimateTask, GrowUpload, RequestError, SubmitTask,
};
use crate::task::{Counts, Failure, Source, TaskId, TaskOptions, TaskRecord, TaskStatus, Usage, code};

impl Handler<SubmitTask> for Supervisor {
    type Result = ResponseActFuture<Self, Result<Accepted, RequestError>>;

    fn handle(&mut self, mut submit: SubmitTask, _: &mut Context<Self>) -> Self::Result {
        submit.options = self.with_defaults(submit.options);
        let target = submit.options.webhook_url.as_deref().map_or(Ok(()), |url| self.outgoing.check(url).map(drop));
        let target = target.map_err(|why| {
            RequestError::Rejected(Failure::permanent(code::BAD_OPTION, format!("option webhook_url: {why}")))
        });
        let upload = submit.upload.take();
        let upload = self.still_admitted(upload, submit.tenant.as_deref(), submit.source.digest().bytes);
        let processor = self.processors.choose(&submit.options).map(|processor| {
            processor.pin_defaults(&mut submit.options);
            name_file(&mut submit.options, submit.file_name.as_deref());
            processor.name().to_owned()
        });
        let admitted = upload.and_then(|upload| {
            target?;
            Ok((upload, processor.map_err(RequestError::Rejected)?))
        });
        let (upload, processor) = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => return Box::pin(async move { Err(refused) }.into_actor(self)),
        };
        let acceptance = Acceptance { store: Arc::clone(&self.store), blob: self.blob.clone() };
        let checked = check(submit, self.dispatcher.clone(), self.options.limits);
        let clock = self.clock.clone();
        let checked = async move {
            let checked = checked.await?;
            time_told(&clock).await?;
            Ok(checked)
        };
        let written = checked.into_actor(self).then(|checked, this, _| {
            // In one go, so that there is no moment in which it does not count.
            drop(upload);
            this.intake.submitting += 1;
            let prepared = checked.map(|(submit, pages)| this.reserve(submit, pages, processor));
            let (asked, limits) = (Uptime::now(), this.options.tenant);
            async move {
                let id = prepared.as_ref().ok().map(|prepared| prepared.record.id);
                (id, keep(acceptance, prepared, limits).await, asked)
            }
            .into_actor(this)
        });
        Box::pin(written.map(|(id, accepted, asked), this, ctx| {
            this.intake.submitting -= 1;
            let reserved = id.is_some_and(|id| this.active.remove(id).is_some());
            if let Some(id) = id.filter(|_| !matches!(accepted, Ok(Accepted { reused: false, .. }))) {
                this.intake.accounts.remove(id);
            }
            if let Ok(Accepted { reused, .. }) = &accepted {
                metrics::task_accepted(*reused);
            }
            match &accepted {
                Ok(Accepted { record, reused: false }) => {
                    let (pages, bytes) = (record.source.pages, record.source.bytes);
                    log::info!(task:% = record.id, pages, bytes; "task accepted");
                    if reserved {
                        this.start_job(record.clone(), asked, ctx);
                    } else {
                        this.wait_for_slot(record);
                    }
                }
                Ok(Accepted { record, reused: true }) => log::info!(task:% = record.id; "the same task again"),
                Err(_) => {}
            }
            this.start_waiting_jobs(ctx);
            accepted
        }))
    }
}

impl Handler<BeginUpload> for Supervisor {
    type Result = Result<UploadSlot, RequestError>;

    fn handle(&mut self, BeginUpload { tenant, bytes }: BeginUpload, _: &mut Context<Self>) -> Self::Result {
        self.begin_upload(tenant.as_deref(), bytes)
    }
}

impl Handler<BeginTrial> for Supervisor {
    type Result = Result<UploadSlot, RequestError>;

    fn handle(&mut self, BeginTrial { tenant, bytes, refused }: BeginTrial, _: &mut Context<Self>) -> Self::Result {
        self.admission()?;
        let slot = self.intake.accounts.begin_trial(tenant.as_deref(), bytes, self.options.tenant);
        slot.ok_or(RequestError::OverQuota(refused))
    }
}

impl Handler<GrowUpload> for Supervisor {
    type Result = Result<(), RequestError>;

    fn handle(&mut self, GrowUpload { upload, bytes }: GrowUpload, _: &mut Context<Self>) -> Self::Result {
        self.intake.accounts.grow(&upload, bytes, self.options.tenant).map_err(RequestError::OverQuota)
    }
}

impl Supervisor {
    /// Whether there is room for one more task of any tenant.
    pub(in crate::supervisor) fn admission(&self) -> Result<(), RequestError> {
        if !self.options.role.accepts_tasks() {
            return Err(RequestError::WrongRole(self.options.role));
        }
        if self.intake.closed {
            return Err(RequestError::Stopping);
        }
        if self.unfinished() >= self.options.max_queued {
            return Err(RequestError::QueueFull);
        }
        Ok(())
    }

    pub(in crate::supervisor) fn quota(&self, tenant: Option<&str>, more: Amount) -> Result<(), RequestError> {
        self.intake.accounts.admit(tenant, more, self.options.tenant).map_err(RequestError::OverQuota)
    }

    /// Counts a PDF that is about to come in.
    fn begin_upload(&mut self, tenant: Option<&str>, bytes: u64) -> Result<UploadSlot, RequestError> {
        self.admission()?;
        self.quota(tenant, Amount { tasks: 1, pages: 0, bytes })?;
        Ok(self.intake.accounts.begin(tenant, bytes))
    }

    /// The slot of a PDF that has come in. What was admitted once has its place; what was not is now.
    fn still_admitted(
        &mut self,
        upload: Option<UploadSlot>,
        tenant: Option<&str>,
        bytes: u64,
    ) -> Result<UploadSlot, RequestError> {
        match upload {
            Some(_) if self.intake.closed => Err(RequestError::Stopping),
            Some(upload) => Ok(upload),
            None => self.begin_upload(tenant, bytes),
        }
    }

    /// Has an accepted task wait until there is a slot: here, or, where no task runs, on another server.
    pub(in crate::supervisor) fn wait_for_slot(&mut self, record: &TaskRecord) {
        if self.options.role.runs_tasks() {
            self.intake.add(record);
            self.ownership.wait(record);
        } else {
            // What its tenant has on all servers is counted in the store; here its end would not be heard of.
            self.intake.remove(record.id);
            self.ownership.leave_to_others();
        }
    }

    /// Counts the task for its tenant and, when there is one, gives it a place: the process that is to run it has its lease from
    /// the first moment, so that no other takes it up. A task beyond the quota gets neither.
    fn reserve(&mut self, submit: SubmitTask, pages: SourcePages, processor: String) -> Prepared {
        let more = Amount { tasks: 1, pages: pages.selected.into(), bytes: submit.source.digest().bytes };
        let refused = self.quota(submit.tenant.as_deref(), more).err();
        let (source, mut record) = first_record(TaskId::generate(), self.clock.now(), submit, pages, processor);
        if refused.is_some() {
            return Prepared { source, record, refused };
        }
        self.intake.accounts.add(&record);
        let is_full = record.tenant.as_ref().is_some_and(|tenant| self.full_tenants().contains(tenant));
        if self.has_slot() && !is_full {
            record.owner = Some(self.owner.clone());
            self.active.reserve(record.id);
        }
        Prepared { source, record, refused }
    }
}

/// A task that has come in and is not kept yet.
struct Prepared {
    source: Staged,
    record: TaskRecord,
    /// Why its tenant may not have it.
    refused: Option<RequestError>,
}

impl Supervisor {
    /// A task's options over the operator's defaults. Those that the task's processor does not take are no defaults of it.
    fn with_defaults(&self, options: TaskOptions) -> TaskOptions {
        let defaults = &self.options.task_defaults;
        let all = options.clone().over(defaults);
        if self.processors.choose(&all).is_ok() {
            return all;
        }
        let fitting = options.over(&defaults.without_reader());
        if self.processors.choose(&fitting).is_ok() { fitting } else { all }
    }
}

impl Handler<EstimateTask> for Supervisor {
    type Result = ResponseFuture<Result<Estimate, RequestError>>;

    fn handle(&mut self, asked: EstimateTask, _: &mut Context<Self>) -> Self::Result {
        let EstimateTask { source, options, tenant, upload, cancel } = asked;
        let mut options = self.with_defaults(options);
        let upload = self.still_admitted(upload, tenant.as_deref(), source.digest().bytes);
        // An estimate is never equal to a task.
        let upload = upload.and_then(|upload| {
            let more = Amount { tasks: 1, pages: 0, bytes: upload.bytes() };
            if upload.is_on_trial() { self.quota(tenant.as_deref(), more).map(|()| upload) } else { Ok(upload) }
        });
        let processor = self.processors.choose(&options).map(|processor| {
            processor.pin_defaults(&mut options);
            Arc::clone(processor)
        });
        let (dispatcher, limits) = (self.dispatcher.clone(), self.options.limits);
        let scope = LedgerScope::of(self.options.ledger_sharing, tenant.as_deref());
        Box::pin(async move {
            let upload = upload?;
            let check = source_check(&source, &options, limits);
            let processor = processor.map_err(RequestError::Rejected)?;
            let recipes = recipe_hashes(processor.as_ref(), &options, tenant.as_deref());
            let question = EstimateSource { check, processor, options, recipes, scope };
            let tenant = tenant.unwrap_or_default();
            let asked = GetEstimate { tenant, question, cancel };
            let estimate = dispatcher.send(asked).await.map_err(|_| RequestError::Stopping)?;
            // The file goes when it has been looked at, and not before; until then it counts.
            drop((source, upload));
            estimate.map_err(
                |why| if why.retryable { RequestError::StorageFailed(why) } else { RequestError::Rejected(why) },
            )
        })
    }
}

/// How long a request waits for the store to tell the time.
const CLOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits for the store's time: a record that was stamped by a wall clock which is days off would stay wrong.
pub(in crate::supervisor) async fn time_told(clock: &TaskClock) -> Result<(), RequestError> {
    let told = clock.told(CLOCK_TIMEOUT).await;
    told.then_some(()).ok_or_else(|| RequestError::StoreUnavailable("the store has not told the time yet".into()))
}

/// Keeps a task that its tenant may have beside those that it has on all servers. One that it may not have is answered with an
/// equal one that is there, which costs nothing more.
async fn keep(
    to: Acceptance,
    prepared: Result<Prepared, RequestError>,
    limits: TenantLimits,
) -> Result<Accepted, RequestError> {
    let Prepared { source, record, refused } = prepared?;
    let (store, id, tenant) = (Arc::clone(&to.store), record.id, record.tenant.clone());
    let counted = match refused {
        Some(refused) => Err(refused),
        None => quota::reserve(&store, &record, limits).await,
    };
    match counted {
        Err(refused @ RequestError::OverQuota(_)) => return to.equal(&record).await?.ok_or(refused),
        counted => counted?,
    }
    let kept = to.keep(source, record).await;
    if !matches!(kept, Ok(Accepted { reused: false, .. })) {
        quota::unreserve(&store, tenant.as_deref(), id, limits).await;
    }
    kept
}

fn source_check(source: &Staged, options: &TaskOptions, limits: DocumentLimits) -> SourceCheck {
    SourceCheck {
        path: source.path().to_owned(),
        password: options.password.clone(),
        selection: options.pages.clone(),
        limits,
    }
}

/// Opens the PDF and counts its pages.
async fn check(
    submit: SubmitTask,
    dispatcher: Addr<Dispatcher>,
    limits: DocumentLimits,
) -> Result<(SubmitTask, SourcePages), RequestError> {
    let tenant = submit.tenant.clone().unwrap_or_default();
    let check = source_check(&submit.source, &submit.options, limits);
    let check = CheckSource { tenant, check };
    let checked = dispatcher.send(check).await.map_err(|_| RequestError::Stopping)?;
    match checked {
        Ok(pages) => Ok((submit, pages)),
        Err(why) if why.retryable => Err(RequestError::StorageFailed(why)),
        Err(why) => Err(RequestError::Rejected(why)),
    }
}

fn first_record(
    id: TaskId,
    now: Timestamp,
    submit: SubmitTask,
    pages: SourcePages,
    processor: String,
) -> (Staged, TaskRecord) {
    let SubmitTask { source, file_name, options, idempotency_key, tenant, upload: _ } = submit;
    let own = tenant.as_deref();
    let record = TaskRecord {
        id,
        status: TaskStatus::Pending,
        pdf_path: format!("tasks/{id}/source.pdf"),
        result_path: None,
        work_dir: format!("tasks/{id}"),
        total_pages: Some(pages.selected),
        error: None,
        created_at: now,
        updated_at: now,
        started_at: None,
        finished_at: None,
        expires_at: None,
        version: 1,
        epoch: 1,
        owner: None,
        cancel_requested: false,
        fingerprint: Some(fingerprint(own, &source.digest().sha256, &options, &processor)),
        idempotency: idempotency_key.map(|key| idempotency(own, &key)),
        crashes: std::collections::BTreeMap::new(),
        retries: 0,
        tenant,
        file_name,
        source: Source { sha256: source.digest().sha256.clone(), bytes: source.digest().bytes, pages: pages.all },
        scoped_pages: true,
        processor,
        options,
        counts: Counts::default(),
        usage: Usage::default(),
        webhook: None,
        undelivered: Vec::new(),
        result_digests: None,
    };
    (source, record)
}

/// Options that are part of a fingerprint even where they are not given. All others, which came later, count only where
/// they are: so a submit is equal to one that an earlier version accepted, and an idempotency key leads to it.
const ALWAYS_IN_FINGERPRINT: [&str; 20] = [
    "fallback",
    "image_side",
    "input",
    "keep_headers",
    "max_cost",
    "max_failed_pages",
    "metadata",
    "model",
    "page_separator",
    "pages",
    "password",
    "priority",
    "processor",
    "prompt",
    "reuse",
    "shard_pages",
    "timeout",
    "ttl",
    "webhook_secret",
    "webhook_url",
];

/// A hash over what was submitted: the file's bytes and every option but the one about reuse itself. The file's name is
/// no part of it; its tenant is, because no tenant is given another's task.
fn fingerprint(tenant: Option<&str>, source_sha256: &str, options: &TaskOptions, processor: &str) -> String {
    let options = TaskOptions { reuse: None, processor: Some(processor.to_owned()), ..options.clone() };
    let mut submitted = json!({ "source": source_sha256, "options": options });
    if let Some(options) = submitted["options"].as_object_mut() {
        options.retain(|name, value| !value.is_null() || ALWAYS_IN_FINGERPRINT.contains(&name.as_str()));
    }
    if let Some(tenant) = tenant {
        submitted["tenant"] = json!(tenant);
    }
    RecipeHash::of(&submitted).to_string()
}

/// Two tenants may choose the same key.
fn idempotency(tenant: Option<&str>, key: &str) -> String {
    match tenant {
        Some(tenant) => RecipeHash::of(&json!([tenant, key])).to_string(),
        None => RecipeHash::of(&key).to_string(),
    }
}

/// A prompt that wants the file's name gets it now: so the name is part of what pages are kept under, and no caller is given
/// a page that was read under another name.
fn name_file(options: &mut TaskOptions, file_name: Option<&str>) {
    if let Some(prompt) = options.prompt.as_mut().filter(|prompt| prompt.contains("{file_name}")) {
        *prompt = prompt.replace("{file_name}", file_name.unwrap_or("the file"));
    }
}

/// What the disk says about a PDF, in the words of a request.
pub(crate) fn not_stored(error: &std::io::Error) -> RequestError {
    RequestError::StorageFailed(storage_failure("the PDF cannot be stored", error))
}

/// What the disk says, in the words of a request: that passes, or an operator has to see to it.
pub(in crate::supervisor) fn storage_failure(what: &str, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Failure::transient(code::DISK_FULL, "the disk is full: free some space and submit again");
    }
    Failure::transient(code::STORAGE_FAILED, format!("{what} now: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_is_what_has_the_same_bytes_and_options() {
        let with = |pairs: &[(&str, &str)]| {
            let mut options = TaskOptions::default();
            pairs.iter().for_each(|(name, value)| options.set(name, value).unwrap());
            fingerprint(None, "aa", &options, "text")
        };
        let plain = with(&[]);
        for same in [&[("reuse", "false")][..], &[("processor", "text")], &[("model", "")]] {
            assert_eq!(with(same), plain, "{same:?}");
        }
        for other in [
            ("pages", "1"),
            ("password", "x"),
            ("metadata", "1"),
            ("page_separator", ""),
            ("keep_headers", "1"),
            ("tables", "html"),
            ("images", "extract"),
            ("seams", "1"),
            ("front_matter", "1"),
            ("format", "json"),
            ("ttl", "60"),
        ] {
            assert_ne!(with(&[other]), plain, "{other:?}");
        }
        // What an earlier version made of it, and each later one has to.
        assert_eq!(plain, "72d017f3cd561ee5d0c2c614f975b5aeb80587ec43b58bdf9ab2b53e914e76f0");
        let other = |tenant, source| fingerprint(tenant, source, &TaskOptions::default(), "text");
        assert_ne!(other(None, "ab"), plain);
        assert_ne!(other(Some("ann"), "aa"), plain);
        assert_ne!(other(Some("ann"), "aa"), other(Some("bob"), "aa"));
        assert_ne!(idempotency(Some("ann"), "k"), idempotency(Some("bob"), "k"));
    }

    #[test]
    fn a_prompt_that_wants_the_name_of_the_file_has_it_before_its_pages_have_their_keys() {
        for (prompt, name, expected) in [
            ("Read {file_name}, all of {file_name}.", Some("a.pdf"), "Read a.pdf, all of a.pdf."),
            ("Read {file_name}.", None, "Read the file."),
            ("Read page {page}.", Some("a.pdf"), "Read page {page}."),
        ] {
            let mut options = TaskOptions { prompt: Some(prompt.into()), ..TaskOptions::default() };
            name_file(&mut options, name);
            assert_eq!(options.prompt.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_full_disk_is_said_as_that() {
        use std::io::ErrorKind;
        for (kind, expected) in
            [(ErrorKind::StorageFull, code::DISK_FULL), (ErrorKind::PermissionDenied, code::STORAGE_FAILED)]
        {
            let failure = storage_failure("the PDF cannot be stored", &kind.into());
            assert_eq!(failure.code, expected, "{failure:?}");
        }
    }
}
