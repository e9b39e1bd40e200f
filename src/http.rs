//! The HTTP API: thin routes over [`Handle`]. Nothing else touches actix-web.

mod caller;
mod compress;
mod convert;
mod error;
mod events;
mod form_heads;
mod mcp;
mod openapi;
mod ops;
mod origins;
mod pace;
mod page;
mod processors;
mod reference;
mod request_id;
mod result;
mod single_page;
mod submit;
mod tasks;
mod upload;
mod usage;
mod view;
mod wires;

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{Resource, Route, web};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub use self::origins::Origins;
pub use self::processors::Models;
pub use self::view::{PageCounts, Problem, TaskLinks, TaskListView, TaskView};
pub use self::wires::Wire;
use crate::keys::Keys;
use crate::supervisor::Handle;

/// How long an upload may stand still, or be too slow.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// What the routes share.
#[derive(Clone)]
pub struct ApiState {
    handle: Handle,
    keys: watch::Receiver<Keys>,
    metrics: Option<PrometheusHandle>,
    upload_timeout: Duration,
    /// Where only this machine is let in: names that it has besides.
    hosts: Option<Arc<[String]>>,
    /// Whose web pages may use it all the same.
    origins: Origins,
    wires: Arc<[Wire]>,
    models: Arc<Models>,
    /// What stands before `/v1/…` in addresses that answers name: empty, or `/prefix`.
    base_path: Arc<str>,
    /// Turns of requests that are held in memory.
    large_bodies: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl ApiState {
    /// State over `handle`, open to everyone. When `stopping` fires, requests that wait for something answer at once.
    #[must_use]
    pub fn new(handle: Handle, stopping: CancellationToken) -> Self {
        let keys = watch::Sender::new(Keys::default()).subscribe();
        let large_bodies = Arc::new(Semaphore::new(upload::LARGE_AT_ONCE));
        Self {
            handle,
            keys,
            metrics: None,
            upload_timeout: UPLOAD_TIMEOUT,
            hosts: None,
            origins: Origins::default(),
            wires: Arc::default(),
            models: Arc::default(),
            base_path: Arc::from(""),
            large_bodies,
            stopping,
        }
    }

    /// The same for callers with one of these keys alone, each of whom sees its own tasks. Without any it stays open.
    #[must_use]
    pub fn keys(self, keys: Keys) -> Self {
        self.changing_keys(watch::Sender::new(keys).subscribe())
    }

    /// [`Self::keys`] that may change: each request is let in by those that hold when it comes.
    #[must_use]
    pub fn changing_keys(self, keys: watch::Receiver<Keys>) -> Self {
        Self { keys, ..self }
    }

    /// The same for a server that only this machine reaches and that has no keys: requests that web pages of others make
    /// are refused. `hosts` are names that it has besides that of this machine.
    #[must_use]
    pub fn local(self, hosts: Vec<String>) -> Self {
        Self { hosts: Some(hosts.into()), ..self }
    }

    /// The same for web pages of these origins, too: what [`Self::local`] refuses others they may do. The app tells browsers
    /// so with [`Origins::middleware`].
    #[must_use]
    pub fn origins(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    /// The same with another limit of how long an upload may stand still; a minute else.
    #[must_use]
    pub fn upload_timeout(self, upload_timeout: Duration) -> Self {
        Self { upload_timeout, ..self }
    }

    /// The same with the routes of these interfaces of other services; none else. They have paths at the root, such as
    /// `/tika`, which an app of one's own may have for something else.
    #[must_use]
    pub fn wires(self, wires: &[Wire]) -> Self {
        Self { wires: wires.into(), ..self }
    }

    /// The same with what `/v1/processors` says of models.
    #[must_use]
    pub fn models(self, models: Models) -> Self {
        Self { models: Arc::new(models), ..self }
    }

    /// The same behind a proxy that serves it below a path, such as `/bindery`, and takes that off each request: addresses
    /// in answers begin with it.
    #[must_use]
    pub fn base_path(self, path: &str) -> Self {
        Self { base_path: Arc::from(path.trim_end_matches('/')), ..self }
    }

    /// The same with the metrics of this recorder on `/metrics`. A program that embeds Bindery and has a recorder of its own
    /// shows them in its own way.
    #[must_use]
    pub fn metrics(self, recorder: PrometheusHandle) -> Self {
        Self { metrics: Some(recorder), ..self }
    }
}

/// Adds every route to an actix-web app, yours or that of `bindery serve`:
/// `App::new().configure(|app| http::configure(app, state.clone()))`.
pub fn configure(app: &mut web::ServiceConfig, state: ApiState) {
    configure_api(app, state);
    page::configure(app);
}

/// The same without the web page, also below a scope: `web::scope("/pdf").configure(|app| http::configure_api(app,
/// state.clone().base_path("/pdf")))`.
pub fn configure_api(app: &mut web::ServiceConfig, state: ApiState) {
    let (wires, base_path) = (Arc::clone(&state.wires), Arc::clone(&state.base_path));
    // Paths are tried in this order: what is asked for most comes first.
    app.app_data(web::Data::new(state))
        .service(at("/v1/tasks", |tasks| tasks.route(web::post().to(submit::submit)).route(web::get().to(tasks::list))))
        .service(at("/v1/tasks/{id}", |task| {
            task.route(web::get().to(tasks::get)).route(web::delete().to(tasks::delete))
        }))
        .service(at("/v1/tasks/{id}/result", |result| {
            result.route(web::get().to(result::result)).route(web::head().to(result::result))
        }))
        .service(at("/v1/tasks/{id}/pages", |pages| pages.route(web::get().to(result::pages))))
        .service(at("/v1/tasks/{id}/pages/{page}/image", |image| image.route(web::get().to(single_page::image))))
        .service(at("/v1/tasks/{id}/pages/{page}/html", |html| html.route(web::get().to(single_page::html))))
        .service(at("/v1/tasks/{id}/pages/{page}/text-layer", |text| {
            text.route(web::get().to(single_page::text_layer))
        }))
        .service(at("/v1/tasks/{id}/images/{name}", |image| {
            image.route(web::get().to(single_page::figure)).route(web::head().to(single_page::figure))
        }))
        .service(at("/v1/tasks/{id}/events", |events| events.route(web::get().to(events::events))))
        .service(at("/v1/tasks/{id}/cancel", |cancel| cancel.route(web::post().to(tasks::cancel))))
        .service(at("/v1/tasks/{id}/retry", |retry| retry.route(web::post().to(tasks::retry))))
        .service(at("/v1/tasks/{id}/webhook", |webhook| webhook.route(web::post().to(tasks::webhook))))
        .service(at("/v1/convert", |convert| convert.route(web::post().to(convert::convert))))
        .service(at("/mcp", |mcp| mcp.route(web::post().to(mcp::mcp))))
        .service(at("/v1/processors", |all| all.route(web::get().to(processors::processors))))
        .service(at("/v1/tasks/{id}/resubmit", |again| again.route(web::post().to(submit::resubmit))))
        .service(at("/v1/estimate", |estimate| estimate.route(web::post().to(submit::estimate))))
        .service(at("/v1/usage", |usage| usage.route(web::get().to(usage::usage))))
        .service(at("/metrics", |metrics| metrics.route(web::get().to(ops::metrics))))
        .service(at("/healthz", |live| live.route(web::get().to(ops::healthz)).route(web::head().to(ops::healthz))))
        .service(at("/readyz", |ready| ready.route(web::get().to(ops::readyz)).route(web::head().to(ops::readyz))));
    wires.iter().for_each(|wire| wire.configure(app));
    openapi::configure(app, &base_path);
}

/// The answer to paths that do not exist, for an app that has none of its own:
/// `App::new().default_service(http::no_such_route())`.
#[must_use]
pub fn no_such_route() -> Route {
    web::to(error::no_such_route).wrap(from_fn(request_id::name_requests))
}

/// A path whose requests have names, whose errors come in our own form, and whose long answers are compressed. That is set
/// here and not for the app, whose other paths are not ours.
fn at(path: &str, routes: impl FnOnce(Resource) -> Resource) -> impl HttpServiceFactory + 'static {
    let resource = web::resource(path)
        .app_data(web::QueryConfig::default().error_handler(|e, _| error::bad_query(&e).into()))
        .app_data(web::PathConfig::default().error_handler(|_, _| error::ApiError::task_not_found().into()))
        .default_service(web::to(error::method_not_allowed));
    routes(resource).wrap(from_fn(request_id::name_requests)).wrap(from_fn(compress::compress))
}
