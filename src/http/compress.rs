//! Answers made smaller on their way, for clients that say they can read that (RFC 9110, 8.4).
//!
//! Only text that a client waits for as a whole: an event is told at once, and parts of a file, pictures and PDFs stay the bytes
//! that they are.

use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, HeaderMap, HeaderValue, Preference};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::mime::{self, Mime};
use actix_web::{Error, HttpMessage};

/// Bytes of the smallest answer that is worth it: one that fits into a packet arrives no sooner.
const LEAST: u64 = 1_400;

/// The middleware.
pub(super) async fn compress(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<Encoder<impl MessageBody>>, Error> {
    // Of what has no body, no bytes are saved.
    let accepted = if request.method() == Method::HEAD { ContentEncoding::Identity } else { accepted(&request) };
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.call(request).await?;
    Ok(response.map_body(|head, body| {
        let is_text = is_text(head);
        let encoding = if is_text && is_large(body.size()) { accepted } else { ContentEncoding::Identity };
        let is_encoded = encoding != ContentEncoding::Identity;
        let is_known = head.status == StatusCode::NOT_MODIFIED && names_weakly(known.as_ref(), head.headers());
        if is_encoded || is_known {
            weaken_tag(head.headers_mut());
        }
        if is_encoded {
            // Ranges would be of other bytes.
            head.headers_mut().remove(header::ACCEPT_RANGES);
        }
        let body = Encoder::response(encoding, head, body);
        if is_text {
            vary(head.headers_mut());
        }
        body
    }))
}

/// The encoding that the client likes best of those that there are. Where it accepts none, not even the plain bytes, it gets
/// these all the same (RFC 9110, 12.5.3).
fn accepted(request: &ServiceRequest) -> ContentEncoding {
    let known = [Encoding::brotli(), Encoding::zstd(), Encoding::gzip(), Encoding::identity()];
    let Some(accepted) = request.get_header::<AcceptEncoding>() else { return ContentEncoding::Identity };
    match accepted.negotiate(known.iter()) {
        // As small, in a third of the time.
        Some(best) if best == Encoding::brotli() && likes_alike(&accepted, &Encoding::zstd(), &best) => {
            ContentEncoding::Zstd
        }
        Some(Encoding::Known(encoding)) => encoding,
        _ => ContentEncoding::Identity,
    }
}

fn likes_alike(accepted: &AcceptEncoding, one: &Encoding, other: &Encoding) -> bool {
    let quality = |encoding: &Encoding| {
        let wanted = Preference::Specific(encoding.clone());
        accepted.iter().find(|item| item.item == wanted).map(|item| item.quality)
    };
    quality(one) == quality(other)
}

/// Whether it is all of a text. Of a part of one a client has counted the bytes.
fn is_text(head: &ResponseHead) -> bool {
    if head.status == StatusCode::PARTIAL_CONTENT || head.headers().contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    let media_type = head.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(media_type) = media_type.and_then(|value| value.parse::<Mime>().ok()) else { return false };
    let subtype = media_type.subtype().as_str();
    match media_type.type_() {
        // Events are told one by one.
        mime::TEXT => media_type.subtype() != mime::EVENT_STREAM,
        mime::APPLICATION => {
            ["json", "jsonl", "x-ndjson", "javascript", "xml"].contains(&subtype) || has_suffix(&media_type)
        }
        mime::IMAGE => media_type.subtype() == mime::SVG,
        _ => false,
    }
}

/// Whether a media type says by its ending that it is text (RFC 6839).
fn has_suffix(media_type: &Mime) -> bool {
    media_type.suffix().is_some_and(|suffix| suffix == mime::JSON || suffix == mime::XML)
}

fn is_large(size: BodySize) -> bool {
    match size {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= LEAST,
        // Long enough that it is not held in memory.
        BodySize::Stream => true,
    }
}

/// Whether the client has named the answer's tag as one of a compressed answer.
fn names_weakly(known: Option<&HeaderValue>, headers: &HeaderMap) -> bool {
    let text = |value: Option<&HeaderValue>| value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let tag = text(headers.get(header::ETAG));
    tag.starts_with('"') && text(known).contains(&format!("W/{tag}"))
}

/// A strong tag is of certain bytes; the compressed answer says the same with others (RFC 9110, 8.8.3).
fn weaken_tag(headers: &mut HeaderMap) {
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(weak) = tag.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok()) {
        headers.insert(header::ETAG, weak);
    }
}

/// Says to caches that the answer depends on what the client accepts, in one line with what else it depends on.
fn vary(headers: &mut HeaderMap) {
    let told: Vec<String> =
        headers.get_all(header::VARY).filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
    let others = told.iter().filter(|name| !name.eq_ignore_ascii_case("accept-encoding")).map(String::as_str);
    let all = std::iter::once("accept-encoding").chain(others).collect::<Vec<_>>().join(", ");
    if let Ok(all) = HeaderValue::from_str(&all) {
        headers.insert(header::VARY, all);
    }
}
