//! The web page at `/`: files that are part of the program, with no word of their own to any other server.

use actix_web::http::header::{self, EntityTag, IfNoneMatch};
use actix_web::{HttpResponse, Resource, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::at;

/// What a browser may do with the page: load what this server has, and no script that stands in a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Path, media type, content.
const FILES: [(&str, &str, &[u8]); 23] = [
    ("/", "text/html; charset=utf-8", include_bytes!("page/index.html")),
    ("/ui/icon.svg", "image/svg+xml", include_bytes!("page/icon.svg")),
    ("/ui/sample.pdf", "application/pdf", include_bytes!("../../tests/data/sample.pdf")),
    ("/ui/base.css", STYLES, include_bytes!("page/base.css")),
    ("/ui/content.css", STYLES, include_bytes!("page/content.css")),
    ("/ui/list.css", STYLES, include_bytes!("page/list.css")),
    ("/ui/task.css", STYLES, include_bytes!("page/task.css")),
    ("/ui/again.js", JAVASCRIPT, include_bytes!("page/again.js")),
    ("/ui/api.js", JAVASCRIPT, include_bytes!("page/api.js")),
    ("/ui/bar.js", JAVASCRIPT, include_bytes!("page/bar.js")),
    ("/ui/content.js", JAVASCRIPT, include_bytes!("page/content.js")),
    ("/ui/diff.js", JAVASCRIPT, include_bytes!("page/diff.js")),
    ("/ui/dom.js", JAVASCRIPT, include_bytes!("page/dom.js")),
    ("/ui/list.js", JAVASCRIPT, include_bytes!("page/list.js")),
    ("/ui/main.js", JAVASCRIPT, include_bytes!("page/main.js")),
    ("/ui/picture.js", JAVASCRIPT, include_bytes!("page/picture.js")),
    ("/ui/processors.js", JAVASCRIPT, include_bytes!("page/processors.js")),
    ("/ui/provenance.js", JAVASCRIPT, include_bytes!("page/provenance.js")),
    ("/ui/review.js", JAVASCRIPT, include_bytes!("page/review.js")),
    ("/ui/row.js", JAVASCRIPT, include_bytes!("page/row.js")),
    ("/ui/task.js", JAVASCRIPT, include_bytes!("page/task.js")),
    ("/ui/words.js", JAVASCRIPT, include_bytes!("page/words.js")),
    ("/ui/zip.js", JAVASCRIPT, include_bytes!("page/zip.js")),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const STYLES: &str = "text/css; charset=utf-8";

/// Adds the files of the page.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    for (path, media_type, content) in FILES {
        let hash: [u8; 32] = Sha256::digest(content).into();
        let tag = EntityTag::new_strong(URL_SAFE_NO_PAD.encode(&hash[..12]));
        let show = move |known: Option<web::Header<IfNoneMatch>>| {
            let answer = file(media_type, content, &tag, known.map(web::Header::into_inner).as_ref());
            async move { answer }
        };
        app.service(at(path, |file: Resource| file.route(web::get().to(show.clone())).route(web::head().to(show))));
    }
}

/// A page that is made when the server starts.
pub(super) fn document(html: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .content_type("text/html; charset=utf-8")
        .body(html)
}

fn file(
    media_type: &'static str,
    content: &'static [u8],
    tag: &EntityTag,
    known: Option<&IfNoneMatch>,
) -> HttpResponse {
    let same = known.is_some_and(|known| match known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|known| known.weak_eq(tag)),
    });
    let mut response = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag.clone()))
        // A newer server must not be met by an older page.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if same { response.finish() } else { response.content_type(media_type).body(content) }
}
