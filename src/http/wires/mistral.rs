//! Mistral OCR: a document as a data URL, at an address, or uploaded as a file and then named, comes back as Markdown a page.
//!
//! A file is a task: it is read with the server's defaults from the moment it is uploaded, and what asks for it joins that
//! task. So pages that are asked for of a file are chosen from what was read; of other documents only they are read.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, web};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::ApiState;
use super::super::caller::{AuthorizedTask, Caller};
use super::super::error::ApiError;
use super::super::upload::{Fields, Intake, admitted, clean_file_name, decoded, paced, receive, whole};
use super::{
    Arrived, ErrorForm, Operation, Refusal, completed, data_url, each_page, form, images, marked, submit, unprocessable,
};
use crate::blob::Staged;
use crate::content::BoundingBox;
use crate::supervisor::PageParts;
use crate::task::{FigureForm, ImageName, PageImageView, PageView, TaskId, TaskOptions, TaskRecord};

/// Points are shown as pixels at this resolution.
const DPI: f32 = 200.0;

/// Its operations.
pub(super) const OPERATIONS: &[Operation] = &[
    ("post", "/v1/ocr", "application/json", "Reads a document: a data URL, an address, or a file that was uploaded"),
    ("post", "/v1/files", "multipart/form-data", "Uploads a file, and begins to read it"),
    ("get", "/v1/files/{id}", "", "What is known of a file"),
    ("delete", "/v1/files/{id}", "", "Removes a file and what was made of it"),
    ("get", "/v1/files/{id}/url", "", "An address that stands for a file"),
];

/// Adds its routes.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.service(super::super::at("/v1/ocr", |resource: Resource| resource.route(web::post().to(ocr))));
    app.service(super::super::at("/v1/files", |resource: Resource| resource.route(web::post().to(upload))));
    app.service(super::super::at("/v1/files/{id}", |resource: Resource| {
        resource.route(web::get().to(file)).route(web::delete().to(delete))
    }));
    app.service(super::super::at("/v1/files/{id}/url", |resource: Resource| resource.route(web::get().to(url))));
}

/// Errors that the client's code raises, whatever their status.
struct Errors;

impl ErrorForm for Errors {
    fn body(error: &ApiError) -> Value {
        let (message, code, status) = (error.detail(), error.code(), error.status_code());
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            return json!({ "detail": [{ "loc": ["body"], "msg": message, "type": code }] });
        }
        let kind = if status.is_client_error() { "invalid_request_error" } else { "server_error" };
        json!({ "object": "error", "message": message, "type": kind, "code": code, "param": null })
    }
}

type Answer = Result<HttpResponse, Refusal<Errors>>;

/// A form with a file.
#[derive(Default)]
struct FileForm {
    name: Option<String>,
    purpose: Option<String>,
}

impl Fields for FileForm {
    const FILE: &'static str = "file";

    fn file_named(&mut self, name: Option<String>) {
        self.name = name;
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        if name == "purpose" {
            self.purpose = Some(value.to_owned());
        }
        Ok(())
    }
}

async fn upload(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let mut fields = FileForm::default();
    let arrived = form(&state, &request, payload, &mut fields).await?;
    if let Some(purpose) = fields.purpose.filter(|purpose| purpose != "ocr") {
        return Err(unprocessable(format!("purpose {purpose:?}: files are taken for ocr alone")).into());
    }
    let arrived = Arrived { file_name: fields.name, ..arrived };
    let record = submit(&state, arrived, options(None)?).await?;
    Ok(HttpResponse::Ok().json(file_object(&record)))
}

async fn file(state: web::Data<ApiState>, task: Result<AuthorizedTask, ApiError>) -> Answer {
    let AuthorizedTask(id) = task?;
    Ok(HttpResponse::Ok().json(file_object(&state.handle.get(id).await?)))
}

async fn delete(state: web::Data<ApiState>, task: Result<AuthorizedTask, ApiError>) -> Answer {
    let AuthorizedTask(id) = task?;
    state.handle.delete(id).await?;
    Ok(HttpResponse::Ok().json(json!({ "id": id, "object": "file", "deleted": true })))
}

/// An address that stands for the file in a request for OCR; nothing is served there.
async fn url(request: HttpRequest, task: Result<AuthorizedTask, ApiError>) -> Answer {
    let AuthorizedTask(id) = task?;
    let connection = request.connection_info();
    let url = format!("{}://{}/v1/files/{id}/content", connection.scheme(), connection.host());
    Ok(HttpResponse::Ok().json(json!({ "url": url })))
}

fn file_object(record: &TaskRecord) -> Value {
    json!({
        "id": record.id,
        "object": "file",
        "bytes": record.source.bytes,
        "created_at": record.created_at.as_millis() / 1_000,
        "filename": record.file_name.as_deref().unwrap_or("document.pdf"),
        "purpose": "ocr",
        "sample_type": "ocr_input",
        "source": "upload",
        "deleted": false,
    })
}

#[derive(Deserialize)]
struct OcrRequest {
    #[serde(default)]
    model: Option<String>,
    document: Document,
    #[serde(default)]
    pages: Option<Value>,
    #[serde(default)]
    include_image_base64: Option<bool>,
    /// The most figures whose bytes are wanted.
    #[serde(default)]
    image_limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Document {
    #[serde(rename = "document_url")]
    Url {
        document_url: String,
        #[serde(default)]
        document_name: Option<String>,
    },
    #[serde(rename = "image_url")]
    Picture { image_url: ImageUrl },
    #[serde(rename = "file")]
    Uploaded { file_id: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Plain(String),
    Object { url: String },
}

async fn ocr(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let Caller(tenant) = Caller::of(&request)?;
    let slot = admitted(&state.handle, &request, tenant.clone()).await?;
    let intake = Intake { handle: &state.handle, slot: &slot };
    let body = paced(&state, payload, |body| whole(&state, intake, body)).await?;
    let (asked, _turn) = body.parsed::<OcrRequest>().await?;
    let asked = asked?;
    let wanted = asked.pages.as_ref().map(ranges).transpose()?;
    let (url, file_name) = match asked.document {
        Document::Url { document_url, document_name } => (document_url, document_name),
        Document::Picture { image_url: ImageUrl::Plain(url) | ImageUrl::Object { url } } => (url, None),
        Document::Uploaded { file_id } => (file_id, None),
    };
    let record = if let Some(id) = named_file(&url) {
        drop(slot);
        AuthorizedTask::of(&request, id).await?;
        state.handle.get(id).await?
    } else {
        let (source, called) = match url.strip_prefix("data:") {
            Some(data) => (received(intake, data).await?, None),
            None => intake.fetch(&url, &[]).await?,
        };
        let file_name = file_name.or(called).as_deref().and_then(clean_file_name);
        submit(&state, Arrived { source, media_type: None, file_name, tenant, slot }, options(wanted.as_deref())?)
            .await?
    };
    let record = completed(&state, record).await?;
    let mut pages: Vec<PageView> = Vec::new();
    let is_wanted =
        |page: u32| wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|range| range.contains(&(page - 1))));
    each_page(&state, &record, PageParts::WithoutBlocks, |page| {
        if is_wanted(page.page) {
            pages.push(page);
        }
    })
    .await?;
    let shown = pages.iter().flat_map(|page| &page.images).take(asked.image_limit.unwrap_or(usize::MAX));
    let with_bytes = shown.map(|image| &image.name).filter(|_| asked.include_image_base64.unwrap_or(false));
    let bytes = images(&state, &record, with_bytes).await?;
    let pages: Vec<Value> = pages.iter().map(|page| page_object(page, &bytes)).collect();
    Ok(HttpResponse::Ok().json(json!({
        "model": asked.model.as_deref().unwrap_or("bindery"),
        "usage_info": { "pages_processed": pages.len(), "doc_size_bytes": record.source.bytes },
        "pages": pages,
        "document_annotation": null,
    })))
}

/// Takes in the document of a data URL.
async fn received(intake: Intake<'_>, data: &str) -> Result<Staged, ApiError> {
    let document = decoded(base64_of(data)?.to_owned()).await?;
    let document = document.ok_or_else(|| unprocessable("the data URL is not Base64"))?;
    let once = futures::stream::once(async { Ok::<_, std::convert::Infallible>(Bytes::from(document)) });
    receive(intake, once).await
}

/// Options of a task that reads these pages, from 0; all of them without any.
fn options(wanted: Option<&[RangeInclusive<u32>]>) -> Result<TaskOptions, ApiError> {
    let mut options = TaskOptions { images: Some(FigureForm::Extract), ..TaskOptions::default() };
    if let Some(wanted) = wanted {
        let pages: Vec<String> =
            wanted.iter().map(|range| format!("{}-{}", range.start() + 1, range.end() + 1)).collect();
        options.set("pages", &pages.join(",")).map_err(|error| unprocessable(format!("pages: {error}")))?;
    }
    Ok(options)
}

/// A page; one that was not read says so in the place of its text, a doubtful one before it. Its figures are known by what
/// its text calls them, and have their bytes where these are among `bytes`.
fn page_object(page: &PageView, bytes: &BTreeMap<ImageName, Vec<u8>>) -> Value {
    let pixels = |points: f32| (points / 72.0 * DPI).round();
    let figure = |image: &PageImageView| {
        let corners = page.size.zip(image.bbox).map(|([width, height], BoundingBox { left, top, right, bottom })| {
            [left * width, top * height, right * width, bottom * height].map(pixels)
        });
        let corner = |at: usize| corners.map(|corners| corners[at]);
        json!({
            "id": format!("images/{}", image.name.as_str()),
            "top_left_x": corner(0), "top_left_y": corner(1), "bottom_right_x": corner(2), "bottom_right_y": corner(3),
            "image_base64": bytes.get(&image.name).map(|bytes| data_url(&image.name, bytes)),
        })
    };
    let dimensions =
        page.size.map(|[width, height]| json!({ "dpi": DPI, "width": pixels(width), "height": pixels(height) }));
    json!({
        "index": page.page - 1,
        "markdown": marked(page),
        "images": page.images.iter().map(figure).collect::<Vec<_>>(),
        "dimensions": dimensions,
    })
}

/// The most pieces of a selection of pages.
const MOST_RANGES: usize = 10_000;

/// Pages as they are asked for: a number, numbers, or a text such as `0-2,5`; all from 0. Ranges are not unfolded: they may be
/// longer than any document.
fn ranges(pages: &Value) -> Result<Vec<RangeInclusive<u32>>, ApiError> {
    let bad = || unprocessable("pages: must be numbers from 0, or a text such as 0-5");
    let number =
        |value: &Value| value.as_u64().and_then(|page| u32::try_from(page).ok()).filter(|page| *page < u32::MAX);
    let one = |value: &Value| number(value).map(|page| page..=page).ok_or_else(bad);
    match pages {
        Value::Null => Err(bad()),
        Value::Array(list) if list.len() > MOST_RANGES => Err(bad()),
        Value::Array(list) => list.iter().map(one).collect(),
        Value::String(text) if text.split(',').count() > MOST_RANGES => Err(bad()),
        Value::String(text) => {
            let bound = |text: &str| text.trim().parse::<u32>().ok().filter(|page| *page < u32::MAX);
            let range = |part: &str| {
                let (from, to) = part.split_once('-').unwrap_or((part, part));
                let ends = bound(from).zip(bound(to)).filter(|(from, to)| from <= to);
                ends.map(|(from, to)| from..=to).ok_or_else(bad)
            };
            text.split(',').map(range).collect()
        }
        value => Ok(vec![one(value)?]),
    }
}

/// The Base64 of a data URL behind its scheme (RFC 2397).
fn base64_of(data: &str) -> Result<&str, ApiError> {
    let (head, body) = data.split_once(',').ok_or_else(|| unprocessable("a data URL has a comma before its data"))?;
    if !head.ends_with(";base64") {
        return Err(unprocessable("a data URL must be in Base64"));
    }
    Ok(body)
}

/// The file that an id or an address of [`url`] names.
fn named_file(text: &str) -> Option<TaskId> {
    let id = match text.split_once("/v1/files/") {
        Some((_, rest)) => rest.split(['/', '?']).next()?,
        None => text,
    };
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_from_0() {
        for (given, expected) in
            [(json!([0, 2]), &[0..=0, 2..=2][..]), (json!("0-2, 5"), &[0..=2, 5..=5]), (json!(3), &[3..=3])]
        {
            assert_eq!(ranges(&given).unwrap(), expected);
        }
        for bad in [
            json!(null),
            json!(-1),
            json!("a"),
            json!("3-1"),
            json!(["0"]),
            json!("0-99999999999"),
            json!({}),
            json!("0,".repeat(10_001)),
        ] {
            assert!(ranges(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_named_by_its_id_or_its_address() {
        let id = "01a21837-9e01-7451-8245-e8f4234dca99";
        for text in [id, &format!("http://h/p/v1/files/{id}/content"), &format!("http://h/v1/files/{id}?x=1")] {
            assert_eq!(named_file(text).map(|id| id.to_string()).as_deref(), Some(id), "{text}");
        }
        assert_eq!(named_file("https://example.org/a.pdf"), None);
    }

    #[test]
    fn a_data_url_holds_base64() {
        assert_eq!(base64_of("application/pdf;base64,JVBERg==").unwrap(), "JVBERg==");
        for bad in ["application/pdf,x", "x;base64"] {
            assert!(base64_of(bad).is_err(), "{bad}");
        }
    }
}
