//! LlamaCloud parse, version 2: a document is uploaded, its job asked after, its pages come with the job.
//!
//! A job is a task: its id is the task's behind `pjb-`. A document is uploaded with its job, or fetched from an address; files
//! that were uploaded before are not known.

use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::ApiState;
use super::super::caller::{AuthorizedTask, Caller};
use super::super::error::ApiError;
use super::super::upload::{Fields, Intake, admitted, clean_file_name, paced, whole};
use super::{Arrived, ErrorForm, Operation, Refusal, each_page, form, marked, submit, text_of};
use crate::aggregate::MarkdownWriter;
use crate::output::text;
use crate::store::ListQuery;
use crate::supervisor::PageParts;
use crate::task::{PageView, ParseError, TaskId, TaskOptions, TaskRecord, TaskStatus};

/// What stands before the id of a task.
const PREFIX: &str = "pjb-";
const DEFAULT_PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 500;

/// Its operations.
pub(super) const OPERATIONS: &[Operation] = &[
    ("post", "/api/v2/parse/upload", "multipart/form-data", "Begins to read a document of a form"),
    ("post", "/api/v2/parse", "application/json", "Begins to read a document at an address"),
    ("get", "/api/v2/parse", "", "Jobs, newest first"),
    ("get", "/api/v2/parse/{job}", "", "How a job stands, with the pages that `expand` asks for"),
    ("delete", "/api/v2/parse/{job}", "", "Removes a job and what was made of it"),
    ("post", "/api/v2/parse/{job}/cancel", "", "Gives a job up"),
];

/// Adds its routes.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.service(super::super::at("/api/v2/parse/upload", |parse: Resource| parse.route(web::post().to(upload))));
    app.service(super::super::at("/api/v2/parse", |parse: Resource| {
        parse.route(web::get().to(list)).route(web::post().to(begin))
    }));
    app.service(super::super::at("/api/v2/parse/{job}", |job: Resource| {
        job.route(web::get().to(get)).route(web::delete().to(delete))
    }));
    app.service(super::super::at("/api/v2/parse/{job}/cancel", |job: Resource| job.route(web::post().to(cancel))));
}

/// Errors as FastAPI has them, which the client raises by their status.
struct Errors;

impl ErrorForm for Errors {
    fn body(error: &ApiError) -> Value {
        json!({ "detail": error.detail() })
    }
}

type Answer = Result<HttpResponse, Refusal<Errors>>;

/// The configuration of a job, as far as it means something here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Configuration {
    page_ranges: Option<PageRanges>,
    processing_control: Option<ProcessingControl>,
    disable_cache: Option<bool>,
    user_metadata: Option<Map<String, Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageRanges {
    /// From 1.
    target_pages: Option<String>,
    max_pages: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProcessingControl {
    job_failure_conditions: Option<FailureConditions>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FailureConditions {
    allowed_page_failure_ratio: Option<f64>,
}

impl Configuration {
    fn options(self) -> Result<TaskOptions, ApiError> {
        let mut options = TaskOptions {
            reuse: self.disable_cache.filter(|disabled| *disabled).map(|_| false),
            ..TaskOptions::default()
        };
        let pages = self.page_ranges.unwrap_or_default();
        let pages = pages.target_pages.or_else(|| pages.max_pages.map(|most| format!("1-{most}?")));
        let ratio =
            self.processing_control.and_then(|control| control.job_failure_conditions?.allowed_page_failure_ratio);
        let allowed = ratio.map(|ratio| format!("{:.0}%", (ratio * 100.0).clamp(0.0, 100.0).floor()));
        let metadata = self.user_metadata.map(|metadata| Value::Object(metadata).to_string());
        for (name, value) in [("pages", pages), ("max_failed_pages", allowed), ("metadata", metadata)] {
            options.set(name, value.as_deref().unwrap_or_default()).map_err(|error| ApiError::bad_option(&error))?;
        }
        Ok(options)
    }
}

/// A form with a document.
#[derive(Default)]
struct JobForm {
    name: Option<String>,
    configuration: Configuration,
}

impl Fields for JobForm {
    const FILE: &'static str = "file";

    fn file_named(&mut self, name: Option<String>) {
        self.name = name;
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        if name == "configuration" {
            self.configuration = serde_json::from_str(value)
                .map_err(|error| ApiError::bad_option(&format!("configuration: {error}")))?;
        }
        Ok(())
    }
}

async fn upload(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let mut fields = JobForm::default();
    let arrived = form(&state, &request, payload, &mut fields).await?;
    let JobForm { name, configuration } = fields;
    let arrived = Arrived { file_name: name, ..arrived };
    Ok(HttpResponse::Ok().json(job(&submit(&state, arrived, configuration.options()?).await?)))
}

/// A job in JSON.
#[derive(Deserialize)]
struct JobRequest {
    source_url: Option<String>,
    #[serde(flatten)]
    configuration: Configuration,
}

async fn begin(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let Caller(tenant) = Caller::of(&request)?;
    let slot = admitted(&state.handle, &request, tenant.clone()).await?;
    let intake = Intake { handle: &state.handle, slot: &slot };
    let body = paced(&state, payload, |body| whole(&state, intake, body)).await?;
    let (asked, _turn) = body.parsed::<JobRequest>().await?;
    let JobRequest { source_url, configuration } = asked?;
    let Some(url) = source_url else {
        let detail = "source_url: name an address, or upload the document with the job, to /api/v2/parse/upload";
        return Err(ApiError::bad_option(&detail).into());
    };
    let (source, called) = intake.fetch(&url, &[]).await?;
    let file_name = called.as_deref().and_then(clean_file_name);
    let arrived = Arrived { source, media_type: None, file_name, tenant, slot };
    Ok(HttpResponse::Ok().json(job(&submit(&state, arrived, configuration.options()?).await?)))
}

#[derive(Deserialize)]
struct ListParameters {
    status: Option<String>,
    page_size: Option<usize>,
    page_token: Option<String>,
}

async fn list(state: web::Data<ApiState>, request: HttpRequest, query: web::Query<ListParameters>) -> Answer {
    let Caller(tenant) = Caller::of(&request)?;
    let ListParameters { status, page_size, page_token } = query.into_inner();
    let status = match status.as_deref().filter(|status| !status.is_empty()) {
        Some(name) => {
            let found = STATUSES.iter().find(|(_, known)| *known == name).map(|(status, _)| *status);
            Some(
                found
                    .ok_or_else(|| ApiError::bad_option(&"status: PENDING, RUNNING, COMPLETED, FAILED or CANCELLED"))?,
            )
        }
        None => None,
    };
    let after = page_token.filter(|token| !token.is_empty()).map(|token| token.parse()).transpose();
    let after = after.map_err(|why: ParseError| ApiError::bad_option(&why))?;
    let limit = page_size.unwrap_or(DEFAULT_PAGE_SIZE).clamp(1, MAX_PAGE_SIZE);
    let page = state.handle.list(ListQuery { tenant, status, after, limit, ..ListQuery::default() }).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    let jobs: Vec<Value> = page.tasks.iter().map(job).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": jobs, "next_page_token": next })))
}

/// The caller's own task that the path names.
async fn named(request: &HttpRequest) -> Result<TaskId, ApiError> {
    let id = request.match_info().get("job").and_then(|job| job.strip_prefix(PREFIX)?.parse().ok());
    let AuthorizedTask(id) = AuthorizedTask::of(request, id.ok_or_else(ApiError::task_not_found)?).await?;
    Ok(id)
}

async fn get(state: web::Data<ApiState>, request: HttpRequest) -> Answer {
    Caller::of(&request)?;
    let record = state.handle.get(named(&request).await?).await?;
    let mut answer = json!({ "job": job(&record) });
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    let query = query.map_err(|error| super::super::error::bad_query(&error))?.into_inner();
    let expand = query.iter().filter(|(name, _)| ["expand", "expand[]"].contains(&name.as_str()));
    let expand: Vec<&str> = expand.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
    if record.status != TaskStatus::Completed || expand.is_empty() {
        return Ok(HttpResponse::Ok().json(answer));
    }
    let options = TaskOptions { page_separator: Some(String::new()), ..TaskOptions::default() };
    let (mut markdown, mut plain, mut full) = (Vec::new(), Vec::new(), MarkdownWriter::new(Vec::new(), &options));
    let parts = if expand.contains(&"text") { PageParts::All } else { PageParts::WithoutBlocks };
    each_page(&state, &record, parts, |page| {
        markdown.push(markdown_page(&page));
        plain.push(text_page(&page));
        // Nothing can go wrong in memory.
        let _ = full.page(&page);
    })
    .await?;
    for (name, value) in [
        ("markdown", json!({ "pages": markdown })),
        ("text", json!({ "pages": plain })),
        ("markdown_full", text_of(full.into_inner()).into()),
    ] {
        if expand.contains(&name) {
            answer[name] = value;
        }
    }
    Ok(HttpResponse::Ok().json(answer))
}

async fn delete(state: web::Data<ApiState>, request: HttpRequest) -> Answer {
    Caller::of(&request)?;
    state.handle.delete(named(&request).await?).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn cancel(state: web::Data<ApiState>, request: HttpRequest) -> Answer {
    Caller::of(&request)?;
    let record = state.handle.cancel(named(&request).await?).await?;
    Ok(HttpResponse::Ok().json(job(&record)))
}

const STATUSES: [(TaskStatus, &str); 5] = [
    (TaskStatus::Pending, "PENDING"),
    (TaskStatus::Processing, "RUNNING"),
    (TaskStatus::Completed, "COMPLETED"),
    (TaskStatus::Failed, "FAILED"),
    (TaskStatus::Cancelled, "CANCELLED"),
];

fn job(record: &TaskRecord) -> Value {
    let status = STATUSES.iter().find(|(status, _)| *status == record.status).map(|(_, name)| *name);
    json!({
        "id": format!("{PREFIX}{}", record.id),
        "project_id": record.tenant.as_deref().unwrap_or("default"),
        "status": status,
        "name": record.file_name,
        "tier": record.processor,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "error_message": record.error.as_ref().map(|failure| format!("{}: {}", failure.code, failure.message)),
        "user_metadata": record.options.metadata,
    })
}

fn markdown_page(page: &PageView) -> Value {
    if let Some(why) = page.absence() {
        return json!({ "page_number": page.page, "success": false, "error": why });
    }
    json!({ "page_number": page.page, "success": true, "markdown": marked(page) })
}

fn text_page(page: &PageView) -> Value {
    let said = page.absence().map_or_else(
        || text::blocks(page.blocks.as_deref().unwrap_or_default()),
        |why| format!("[Page {}: {why}]", page.page),
    );
    json!({ "page_number": page.page, "text": said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_becomes_options() {
        let options = |text: &str| serde_json::from_str::<Configuration>(text).unwrap().options();
        let all = options(
            r#"{"tier":"fast","page_ranges":{"target_pages":"1,3-5","max_pages":2},"disable_cache":true,
                "processing_control":{"job_failure_conditions":{"allowed_page_failure_ratio":0.05}},"user_metadata":{"a":"b"}}"#,
        )
        .unwrap();
        let mut expected = TaskOptions::default();
        for (name, value) in
            [("pages", "1,3-5"), ("reuse", "false"), ("max_failed_pages", "5%"), ("metadata", r#"{"a":"b"}"#)]
        {
            expected.set(name, value).unwrap();
        }
        assert_eq!(all, expected);
        assert_eq!(options(r#"{"page_ranges":{"max_pages":7}}"#).unwrap().pages.unwrap().to_string(), "1-7?");
        assert_eq!(options("{}").unwrap(), TaskOptions::default());
        assert!(options(r#"{"page_ranges":{"target_pages":"x"}}"#).is_err());
        let deep = format!(r#"{{"user_metadata":{}1{}}}"#, r#"{"a":"#.repeat(100), "}".repeat(100));
        assert!(options(&deep).is_err(), "a record must be readable");
    }
}
