//! Open WebUI's external document loader: `PUT /process` with the file as the body, answered with a document a page.

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::{Value, json};

use super::super::ApiState;
use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::upload::clean_file_name;
use super::{Operation, body, completed, each_page, remarks, submit};
use crate::supervisor::PageParts;
use crate::task::{PageView, TaskOptions};

/// Its operations.
pub(super) const OPERATIONS: &[Operation] =
    &[("put", "/process", "application/octet-stream", "A document's pages, one by one")];

/// Adds its route.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.service(super::super::at("/process", |resource: Resource| resource.route(web::put().to(process))));
}

async fn process(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
) -> Result<HttpResponse, ApiError> {
    let name = file_name(request.headers());
    let arrived = body(&state, &request, payload, caller, name.clone()).await?;
    let record = completed(&state, submit(&state, arrived, TaskOptions::default()).await?).await?;
    let mut documents = Vec::new();
    each_page(&state, &record, PageParts::WithoutBlocks, |page| documents.push(document(&page, name.as_deref())))
        .await?;
    Ok(HttpResponse::Ok().json(documents))
}

/// A page; one that was not read says so, in its text and beside it.
fn document(page: &PageView, name: Option<&str>) -> Value {
    let missing = page.absence().map(|why| format!("<!-- page {}: {why} -->", page.page));
    let text = missing.as_deref().or(page.markdown.as_deref()).unwrap_or_default();
    let mut metadata = json!({ "page": page.page });
    if let Some(name) = name {
        metadata["source"] = name.into();
    }
    let remarks = remarks(page);
    if !remarks.is_empty() {
        metadata["remarks"] = remarks.into();
    }
    json!({ "page_content": text, "metadata": metadata })
}

/// The name in `X-Filename`, which is percent-encoded.
fn file_name(headers: &HeaderMap) -> Option<String> {
    let name = headers.get("x-filename")?.to_str().ok()?;
    clean_file_name(&percent_decoded(name))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16);
        match after {
            [high, low, behind @ ..] if *first == b'%' => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => {
                    bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                    rest = behind;
                    continue;
                }
                _ => bytes.push(*first),
            },
            _ => bytes.push(*first),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Failure, PageFailure, PageStatus};

    #[test]
    fn names_are_decoded() {
        for (given, name) in
            [("a%20b.pdf", "a b.pdf"), ("%C3%BC.pdf", "ü.pdf"), ("100%.pdf", "100%.pdf"), ("%zz%", "%zz%")]
        {
            assert_eq!(percent_decoded(given), name);
        }
    }

    #[test]
    fn a_page_that_was_not_read_says_so() {
        let failed = PageView::failed(3, PageFailure { failure: Failure::permanent("timeout", "slow"), attempts: 1 });
        let said = document(&failed, Some("a.pdf"));
        assert_eq!(said["page_content"], "<!-- page 3: failed: timeout -->");
        assert_eq!(said["metadata"], json!({ "page": 3, "source": "a.pdf", "remarks": ["page 3: timeout: slow"] }));
        let read = PageView { markdown: Some("x".into()), ..PageView::unfinished(1, PageStatus::Done) };
        assert_eq!(document(&read, None), json!({ "page_content": "x", "metadata": { "page": 1 } }));
    }
}
