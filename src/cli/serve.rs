//! `bindery serve`.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer, web};
use anyhow::{Context, anyhow, bail};
use bindery::config::{Config, Settings, StoreChoice};
use bindery::http::{self, ApiState, Models};
use bindery::internal::DataDir;
use bindery::keys::Keys;
use bindery::metrics;
use bindery::processor::LlmProcessor;
use bindery::store::{EmbeddedStore, RedisOptions, RedisStore, StoreError};
use bindery::{Bindery, Builder, Handle};
use clap::Args;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::exit;
use super::systemd::Manager;

/// Seconds that open connections may take to end once the tasks are stopped.
const LAST_ANSWERS: u64 = 5;
/// How often measurements are put in order, so that they do not pile up while they are not scraped.
const UPKEEP: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Serve {
    /// Rebuild the task store from the tasks' folders: one that cannot be read is moved aside, and an empty one takes
    /// the place of one that is lost
    #[arg(long)]
    rebuild: bool,
    #[command(flatten)]
    pub settings: Settings,
}

pub fn run(config: Config, rebuild: bool) -> anyhow::Result<ExitCode> {
    actix_web::rt::System::new().block_on(serve(config, rebuild))
}

impl Serve {
    /// The settings, and whether the store is to be rebuilt.
    pub fn parts(self) -> (Settings, bool) {
        (self.settings, self.rebuild)
    }
}

async fn serve(config: Config, rebuild: bool) -> anyhow::Result<ExitCode> {
    config.refuse_lone_role()?;
    let lock = lock(&config)?;
    config.refuse_open_door()?;
    // The port first: a server that cannot listen must not begin calls.
    let listener = TcpListener::bind(config.listen).with_context(|| format!("cannot listen on {}", config.listen))?;
    let recorder = record_metrics()?;
    let bindery = start(&config, rebuild).await?;
    let stopping = CancellationToken::new();
    let manager = Arc::new(Manager::of(|name| std::env::var(name).ok(), std::process::id()));
    let keys = watch::Sender::new(config.keys.clone());
    let state = ApiState::new(bindery.handle(), stopping.clone()).changing_keys(keys.subscribe()).metrics(recorder);
    let (state, base_path, origins) = (configured(state, &config), public_path(&config), config.cors.clone());
    let server = HttpServer::new(move || {
        let routes = |app: &mut ServiceConfig| http::configure(app, state.clone());
        let app = App::new().wrap(origins.middleware());
        app.configure(routes).configure(below(&base_path, routes)).default_service(http::no_such_route())
    })
    // An answer in pieces would else wait for the caller's delayed acknowledgement of the one before (RFC 9293, 3.7.4).
    .tcp_nodelay(true)
    .disable_signals()
    .shutdown_timeout(LAST_ANSWERS)
    // A caller that closes the connection waits for nothing any more: what was only for its eyes, such as a picture, is dropped.
    // What it changed goes on, in the actors.
    .h1_allow_half_closed(false)
    .listen(listener)?;
    // With port 0 the system chooses; tests and scripts read the address from this line.
    let addresses: Vec<String> = server.addrs().iter().map(|address| format!("http://{address}")).collect();
    actix_web::rt::spawn(read_keys_on_hangup(
        signal(SignalKind::hangup())?,
        config.clone(),
        keys,
        bindery.llm().cloned(),
        Arc::clone(&manager),
    ));
    // Before anyone knows that it runs, and might stop it.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = server.run();
    let accepting = server.handle();
    let serving = actix_web::rt::spawn(server);
    let _ = writeln!(std::io::stdout(), "bindery listens on {}", addresses.join(", "));
    manager.ready(&addresses.join(", "));
    watch_over(Arc::clone(&manager), bindery.handle());
    log::info!("data in {}, store {}, blobs in {}", config.data_dir.display(), store_name(&config), config.blob);
    actix_web::rt::spawn(log_outages(bindery.llm().map(|llm| llm.outage())));
    actix_web::rt::spawn(log_warnings(config.clone(), bindery.handle()));

    tokio::select! {
        _ = terminate.recv() => log::info!("SIGTERM: draining"),
        _ = interrupt.recv() => log::info!("SIGINT: draining; once more to leave at once"),
        () = bindery.crashed() => bail!("a part of the server has crashed: start it again, unfinished tasks go on"),
    }
    manager.stopping(config.drain + Duration::from_secs(2 * LAST_ANSWERS));
    let orderly = async {
        stopping.cancel();
        // Pausing takes no new connections; those that are open learn from the answers that we are going.
        accepting.pause().await;
        bindery.stop(config.drain).await;
        accepting.stop(true).await;
        let _ = serving.await;
    };
    tokio::select! {
        () = orderly => {}
        _ = interrupt.recv() => return Ok(ExitCode::from(exit::INTERRUPTED)),
    }
    drop(lock);
    log::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Reads the keys again whenever SIGHUP comes. What runs goes on; calls and requests that begin later use the new ones.
async fn read_keys_on_hangup(
    mut hangup: Signal,
    config: Config,
    keys: watch::Sender<Keys>,
    llm: Option<Arc<LlmProcessor>>,
    manager: Arc<Manager>,
) {
    while hangup.recv().await.is_some() {
        manager.reloading();
        read_keys(&config, &keys, llm.as_deref());
        manager.reloaded();
    }
}

fn read_keys(config: &Config, keys: &watch::Sender<Keys>, llm: Option<&LlmProcessor>) {
    match config.read_keys() {
        Ok(read) => {
            log::info!("SIGHUP: {} keys of callers", read.names().count());
            keys.send_replace(read);
        }
        Err(why) => log::error!("SIGHUP: the keys of callers stay as they were: {why}"),
    }
    let Some(llm) = llm else { return };
    match config.read_llm_api_key().map_err(|why| why.to_string()) {
        Ok(None) => {}
        Ok(Some(key)) => match llm.set_api_key(Some(&key)) {
            Ok(()) => log::info!("SIGHUP: the key of the endpoint is read again"),
            Err(why) => log::error!("SIGHUP: the key of the endpoint stays as it was: {why}"),
        },
        Err(why) => log::error!("SIGHUP: the key of the endpoint stays as it was: {why}"),
    }
}

/// Tells the service manager that the process lives, as long as supervisor and dispatcher answer.
fn watch_over(manager: Arc<Manager>, handle: Handle) {
    actix_web::rt::spawn(async move { manager.keep_alive(async || handle.alive().await.is_ok()).await });
}

/// Logs what its operator should know of the configuration and of the store.
async fn log_warnings(config: Config, handle: Handle) {
    let of_store = handle.condition().await.map(|condition| condition.warnings).unwrap_or_default();
    for warning in config.warnings.iter().chain(&config.llm_gap).chain(&of_store) {
        log::warn!("{warning}");
    }
}

/// Logs when the endpoint becomes unavailable and when it is there again.
async fn log_outages(outage: Option<watch::Receiver<Option<String>>>) {
    let Some(mut outage) = outage else { return };
    while outage.changed().await.is_ok() {
        match outage.borrow_and_update().as_deref() {
            Some(why) => log::warn!("{why}; pages wait for it"),
            None => log::info!("the endpoint is there again"),
        }
    }
}

/// What the routes share, as the configuration says.
fn configured(state: ApiState, config: &Config) -> ApiState {
    let state = state.upload_timeout(config.upload_timeout).wires(&config.wires).origins(config.cors.clone());
    let state = state.models(models(config)).base_path(&public_path(config));
    if config.listen.ip().is_loopback() { state.local(public_host(config)) } else { state }
}

/// The routes below a path, too, if there is one: a proxy may take it off, or leave it.
fn below(path: &str, routes: impl FnOnce(&mut ServiceConfig)) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        if !path.is_empty() {
            app.service(web::scope(path).configure(routes));
        }
    }
}

fn public_url(config: &Config) -> Option<reqwest::Url> {
    config.supervisor.notify.public_url.as_deref().and_then(|url| url.parse().ok())
}

/// The path below which a proxy serves this server: empty, or such as `/bindery`.
fn public_path(config: &Config) -> String {
    public_url(config).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// What callers may know of the endpoint.
fn models(config: &Config) -> Models {
    let mut models = Models::default();
    if let Some(llm) = &config.llm {
        models.model.clone_from(&llm.model);
        models.fallback.clone_from(&llm.fallback);
        models.currency = Some(config.currency.clone());
    }
    models
}

/// The name by which others reach this server, by way of a proxy.
fn public_host(config: &Config) -> Vec<String> {
    let url = public_url(config);
    url.and_then(|url| url.host_str().map(str::to_owned)).into_iter().collect()
}

/// Collects what [`bindery::metrics`] records.
fn record_metrics() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(&metrics::BUCKETS)?;
    let recorder = builder.install_recorder()?;
    metrics::describe();
    let upkeep = recorder.clone();
    actix_web::rt::spawn(async move {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(recorder)
}

/// With a store of its own, one server a data directory: two would run every unfinished task twice. Servers on one Redis
/// share it, and only with each other.
fn lock(config: &Config) -> anyhow::Result<File> {
    let dir = DataDir::open(&config.data_dir)?;
    let shared = matches!(config.store, StoreChoice::Redis(_));
    dir.lock(shared).or_else(|error| {
        let dir = dir.path().display();
        if error.kind() == std::io::ErrorKind::WouldBlock {
            bail!("another bindery server uses the data directory {dir}: stop it, or give --data-dir")
        }
        Err(error).with_context(|| format!("cannot lock the data directory {dir}"))
    })
}

async fn start(config: &Config, rebuild: bool) -> anyhow::Result<Bindery> {
    let blob = config.open_blob()?;
    let readers = super::readers(config)?;
    if let Some(missing) = readers.check()? {
        log::warn!("PDFs are read without {missing}: a hostile one has more room here");
    }
    let builder = Builder::configured(config)?.blob(blob).readers(readers);
    let paired = match &config.store {
        StoreChoice::Embedded => builder.store(open_embedded(config, rebuild)?).paired(rebuild).await,
        StoreChoice::Memory => builder.store(EmbeddedStore::in_memory()?).paired(rebuild).await,
        StoreChoice::Redis(url) => {
            let mut options = RedisOptions::default();
            (options.lease, options.ca_file) = (config.lease, config.store_ca_file.clone());
            builder.store(RedisStore::connect(url, options).await?).paired(rebuild).await
        }
    };
    Ok(paired?.start())
}

fn open_embedded(config: &Config, rebuild: bool) -> anyhow::Result<EmbeddedStore> {
    let dir = &config.data_dir;
    if rebuild && let Some(aside) = EmbeddedStore::move_damaged_aside(dir)? {
        log::warn!("the damaged task store is now {}", aside.display());
    }
    EmbeddedStore::open(dir).map_err(|error| match error {
        StoreError::Damaged(why) => anyhow!(
            "{}/tasks.redb cannot be read ({why}): start once with --rebuild, which moves it aside and makes the records \
             again from the tasks' folders",
            dir.display()
        ),
        other => other.into(),
    })
}

fn store_name(config: &Config) -> &'static str {
    match config.store {
        StoreChoice::Embedded => "embedded",
        StoreChoice::Memory => "memory: tasks are lost when this process ends",
        StoreChoice::Redis(_) => "redis",
    }
}
