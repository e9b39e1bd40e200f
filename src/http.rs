//! The HTTP API: thin routes over [`Handle`]. Nothing else touches actix-web.

mod error;
mod ops;
mod result;
mod submit;
mod tasks;
mod view;

use actix_web::{Resource, web};
use tokio_util::sync::CancellationToken;

use crate::supervisor::Handle;

/// What the routes share.
#[derive(Clone)]
pub struct ApiState {
    handle: Handle,
    stopping: CancellationToken,
}

impl ApiState {
    /// State over `handle`. When `stopping` fires, requests that wait for something answer at once.
    #[must_use]
    pub const fn new(handle: Handle, stopping: CancellationToken) -> Self {
        Self { handle, stopping }
    }
}

/// Adds every route to an actix-web app, yours or that of `bindery serve`:
/// `App::new().configure(|app| http::configure(app, state.clone()))`.
pub fn configure(app: &mut web::ServiceConfig, state: ApiState) {
    app.app_data(web::Data::new(state))
        .app_data(web::QueryConfig::default().error_handler(|e, _| error::bad_query(&e).into()))
        .app_data(web::PathConfig::default().error_handler(|_, _| error::ApiError::task_not_found().into()))
        .service(at("/v1/tasks").route(web::post().to(submit::submit)).route(web::get().to(tasks::list)))
        .service(at("/v1/tasks/{id}").route(web::get().to(tasks::get)).route(web::delete().to(tasks::delete)))
        .service(at("/v1/tasks/{id}/result").route(web::get().to(result::result)).route(web::head().to(result::result)))
        .service(at("/v1/tasks/{id}/pages").route(web::get().to(result::pages)))
        .service(at("/v1/tasks/{id}/cancel").route(web::post().to(tasks::cancel)))
        .service(at("/v1/tasks/{id}/retry").route(web::post().to(tasks::retry)))
        .service(at("/healthz").route(web::get().to(ops::healthz)).route(web::head().to(ops::healthz)))
        .service(at("/readyz").route(web::get().to(ops::readyz)).route(web::head().to(ops::readyz)))
        .default_service(web::to(error::no_such_route));
}

/// A path; methods that it does not have are answered in our own form.
fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(error::method_not_allowed))
}
