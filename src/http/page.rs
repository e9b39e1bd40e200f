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
const FILES: [(&str, &str, &str); 9] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/ui/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/ui/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/ui/main.js", JAVASCRIPT, include_str!("page/main.js")),
    ("/ui/api.js", JAVASCRIPT, include_str!("page/api.js")),
    ("/ui/bar.js", JAVASCRIPT, include_str!("page/bar.js")),
    ("/ui/list.js", JAVASCRIPT, include_str!("page/list.js")),
    ("/ui/task.js", JAVASCRIPT, include_str!("page/task.js")),
    ("/ui/words.js", JAVASCRIPT, include_str!("page/words.js")),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

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

fn file(media_type: &'static str, content: &'static str, tag: &EntityTag, known: Option<&IfNoneMatch>) -> HttpResponse {
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
