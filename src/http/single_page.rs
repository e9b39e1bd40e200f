//! `/v1/tasks/{id}/pages/{page}/image`, `…/html` and `…/text-layer`: one page as it looks, and what it says; `/v1/tasks/{id}/images/{name}`:
//! one figure.

use actix_web::http::header::EntityTag;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::ApiState;
use super::caller::AuthorizedTask;
use super::error::ApiError;
use super::openapi::Binary;
use crate::document::ImageOptions;
use crate::output::{html, markdown};
use crate::supervisor::PageWindow;
use crate::task::{ImageName, ResultFormat, TaskId, code};

/// The pixels that the longer side of a picture may have.
const SIDES: std::ops::RangeInclusive<u32> = 64..=4_096;

#[derive(Deserialize)]
pub(super) struct PagePath {
    page: u32,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageQuery {
    /// Pixels of the longer side.
    #[param(minimum = 64, maximum = 4_096)]
    side: Option<u32>,
}

/// What a page looks like
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/pages/{page}/image",
    tag = "results",
    params(("id" = TaskId, Path, description = "The task"), ("page" = u32, Path, description = "Its number in the PDF, from 1", minimum = 1), ImageQuery),
    responses(
        (status = 200, description = "A picture", content((inline(Binary) = "image/png"), (inline(Binary) = "image/jpeg"))),
        (status = 404, description = "No such task"),
        (status = 409, description = "Its record cannot be read"),
    )
)]
pub(super) async fn image(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
    path: web::Path<PagePath>,
    query: web::Query<ImageQuery>,
) -> Result<HttpResponse, ApiError> {
    let longest_side = query.side.unwrap_or(1_200);
    if !SIDES.contains(&longest_side) {
        let (least, most) = (SIDES.start(), SIDES.end());
        return Err(ApiError::bad_option(&format!("side must be a number of pixels from {least} to {most}")));
    }
    // The side alone decides: a page of any size fills it.
    let options = ImageOptions { dpi: 600.0, longest_side, ..ImageOptions::default() };
    let image = state.handle.page_image(id, path.page, options).await;
    let image = image.map_err(|error| ApiError::from(error).of_task(id))?;
    // The PDF of a task never changes.
    let lasting = (header::CACHE_CONTROL, "private, max-age=86400");
    Ok(HttpResponse::Ok().content_type(image.media_type).insert_header(lasting).body(image.bytes))
}

/// A page as harmless HTML
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/pages/{page}/html",
    tag = "results",
    params(("id" = TaskId, Path, description = "The task"), ("page" = u32, Path, description = "Its number in the PDF, from 1", minimum = 1)),
    responses(
        (status = 200, description = "A part of a page", body = String, content_type = "text/html"),
        (status = 404, description = "No such task, or the page is not read"),
        (status = 409, description = "Its record cannot be read, or its result is damaged: a retry of the task writes that again"),
    )
)]
pub(super) async fn html(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
    path: web::Path<PagePath>,
) -> Result<HttpResponse, ApiError> {
    let window = PageWindow { from: path.page, limit: 1, ..PageWindow::default() };
    let pages = state.handle.pages(id, window).await;
    let (_, views) = pages.map_err(|error| ApiError::from(error).of_task(id))?;
    let view = views.into_iter().find(|view| view.page == path.page);
    let Some(blocks) = view.and_then(|view| view.blocks) else {
        let detail = format!("page {} is not read, or no page of the task", path.page);
        return Err(ApiError::new(StatusCode::NOT_FOUND, code::PAGE_NOT_READ, detail).of_task(id));
    };
    // It cannot act, and where it is opened by itself nothing in it could.
    let harmless = ("content-security-policy", "default-src 'none'; img-src 'self'; sandbox");
    // Formulas take their time.
    let body = web::block(move || html::readable_blocks(&blocks, "../../images"))
        .await
        .map_err(|_| ApiError::from(crate::supervisor::RequestError::Stopping))?;
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").insert_header(harmless).body(body))
}

/// The text layer of a page
///
/// As Markdown: what the PDF says by itself, to be compared with what was read. Empty where the page has none. With `ocr=true`
/// what the server's own OCR reads on the page's picture, which takes seconds.
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/pages/{page}/text-layer",
    tag = "results",
    params(("id" = TaskId, Path, description = "The task"), ("page" = u32, Path, description = "Its number in the PDF, from 1", minimum = 1), TextLayerQuery),
    responses(
        (status = 200, description = "Its text", body = String, content_type = "text/markdown"),
        (status = 404, description = "No such task"),
        (status = 409, description = "Its record cannot be read"),
        (status = 422, description = "No such page, it cannot be read, or there is no OCR here"),
    )
)]
pub(super) async fn text_layer(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
    path: web::Path<PagePath>,
    query: web::Query<TextLayerQuery>,
) -> Result<HttpResponse, ApiError> {
    let content = if query.ocr {
        state.handle.recognised_text(id, path.page).await
    } else {
        state.handle.text_layer(id, path.page).await
    };
    let content = content.map_err(|error| ApiError::from(error).of_task(id))?;
    Ok(HttpResponse::Ok().content_type(ResultFormat::Markdown.media_type()).body(markdown::page(&content)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TextLayerQuery {
    /// `true`: what OCR reads on the page, and not what its file says.
    #[serde(default)]
    ocr: bool,
}

#[derive(Deserialize)]
pub(super) struct ImagePath {
    name: String,
}

/// A figure
///
/// Of a task with `images=extract`: one that its pages name. It never changes, as its name is the hash of its bytes.
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/images/{name}",
    tag = "results",
    params(
        ("id" = TaskId, Path, description = "The task"),
        ("name" = String, Path, description = "Its name, as pages list it: 32 hexadecimal digits and `.png` or `.jpg`"),
    ),
    responses(
        (status = 200, description = "A picture", headers(("ETag" = String)),
            content((inline(Binary) = "image/png"), (inline(Binary) = "image/jpeg"))),
        (status = 304, description = "It is what the caller has"),
        (status = 404, description = "No such task, or it has no such figure"),
        (status = 409, description = "Its record cannot be read, or the file is damaged: a retry of the task writes it again"),
    )
)]
pub(super) async fn figure(
    state: web::Data<ApiState>,
    request: HttpRequest,
    AuthorizedTask(id): AuthorizedTask,
    path: web::Path<ImagePath>,
) -> Result<HttpResponse, ApiError> {
    let not_found = || {
        let detail = "the task has no such figure";
        ApiError::new(StatusCode::NOT_FOUND, code::IMAGE_NOT_FOUND, detail.to_owned()).of_task(id)
    };
    let name: ImageName = path.name.parse().map_err(|_| not_found())?;
    let bytes = state.handle.image(id, name.clone()).await.map_err(|error| ApiError::from(error).of_task(id))?;
    let bytes = bytes.ok_or_else(not_found)?;
    let tag = EntityTag::new_strong(name.as_str().to_owned());
    let lasting = (header::CACHE_CONTROL, "private, max-age=31536000, immutable");
    let known = match request.get_header::<header::IfNoneMatch>() {
        Some(header::IfNoneMatch::Any) => true,
        Some(header::IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        None => false,
    };
    if known {
        return Ok(HttpResponse::NotModified().insert_header(header::ETag(tag)).insert_header(lasting).finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header(header::ETag(tag))
        .insert_header(lasting)
        // A JPEG may come from the PDF as it is: nothing else is to be seen in it.
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("content-security-policy", "default-src 'none'; sandbox"))
        .content_type(name.kind().media_type())
        .body(bytes))
}
