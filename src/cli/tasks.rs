//! `bindery status`, `list`, `result`, `events`, `cancel`, `retry`, `delete`: the tasks of a server.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use bindery::http::{PageCounts, TaskListView, TaskView};
use bindery::task::{ResultFormat, TaskId, TaskStatus};
use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::client::{Client, DEFAULT_SERVER, Reply, ServerArgs, copy};
use super::format_args::FormatArgs;
use super::images::{self, ImageFolder, Relinked};
use super::place::{self, Inputs};
use super::say;
use super::verdict::PageTroubles;
use super::{exit, line, words};

#[derive(Args)]
pub struct Status {
    /// The task: its id, or as many of its first characters as no other has
    id: String,
    /// Wait until it has ended
    #[arg(long)]
    wait: bool,
    /// As the server says it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub struct List {
    /// Only those: pending, processing, completed, failed or cancelled
    #[arg(long)]
    status: Option<String>,
    /// Only those with doubtful pages
    #[arg(long)]
    doubtful: bool,
    /// Only those with failed pages
    #[arg(long)]
    failed_pages: bool,
    /// The most that are shown, newest first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub struct ShowResult {
    /// The task: its id, or as many of its first characters as no other has
    id: String,
    /// Write it here instead of to stdout
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// What is there so far, if it is not complete
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub struct Events {
    /// The task: its id, or as many of its first characters as no other has
    id: String,
    /// Also the Markdown of each page
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub struct Tasks {
    /// The tasks: their ids, or as many of their first characters as no other has
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// As the server says it, one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub struct Retry {
    /// What they may cost from now on, what they have cost included
    #[arg(long)]
    max_cost: Option<String>,
    #[command(flatten)]
    tasks: Tasks,
}

#[derive(Args)]
pub struct Delete {
    /// Also what was read of them: no text of the PDF is left, but on pages that other callers' tasks count on
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    tasks: Tasks,
}

#[derive(Args)]
pub struct Health {
    /// Where the server of this machine listens; asked where no other is named
    #[arg(long, env = "BINDERY_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Health {
    /// The server that is named, or the one that listens where `BINDERY_LISTEN` says, as in a container.
    fn asked(&self) -> ServerArgs {
        let mut server = self.server.clone();
        if let Some(mut address) = self.listen.filter(|_| server.server == DEFAULT_SERVER) {
            match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
                IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
                _ => {}
            }
            server.server = format!("http://{address}");
        }
        server
    }
}

/// For scripts and containers: no word when all is well.
pub fn health(command: &Health) -> anyhow::Result<ExitCode> {
    block(async {
        Client::new(&command.asked())?.json::<Value>("/readyz").await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn block<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}

/// Fewest characters that stand for an id: those that it begins with, which tell when the task was submitted, or those that
/// it ends with, which the web page shows.
const SHORTEST_ID: (usize, usize) = (8, 6);

/// The whole id of the task that `id` begins or ends. What is none must not become another path.
async fn whole_id(client: &Client, id: &str) -> anyhow::Result<TaskId> {
    if let Ok(id) = id.parse() {
        return Ok(id);
    }
    let part = id.to_ascii_lowercase();
    let plain = part.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let (begin, end) = SHORTEST_ID;
    if !plain || part.len() < end {
        bail!(
            "{id:?} is not the id of a task, nor the first {begin} or more of its characters, nor its last {end} or more"
        );
    }
    let is_meant = |id: &TaskId| {
        let id = id.to_string();
        part.len() >= begin && id.starts_with(&part) || id.ends_with(&part)
    };
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let window: TaskListView = client.json(&format!("/v1/tasks?limit=500&cursor={cursor}")).await?;
        found.extend(window.tasks.iter().map(|task| task.id).filter(is_meant));
        match window.next_cursor {
            Some(next) => cursor = next,
            None => break,
        }
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => bail!("no task has an id that begins or ends with {id}: `bindery list` shows them"),
        several => bail!(
            "{} tasks have ids that begin or end with {id}: {}",
            several.len(),
            several.iter().take(4).map(TaskId::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

async fn path(client: &Client, id: &str) -> anyhow::Result<String> {
    Ok(format!("/v1/tasks/{}", whole_id(client, id).await?))
}

pub fn status(command: &Status) -> anyhow::Result<ExitCode> {
    block(async {
        let client = Client::new(&command.server)?;
        let id = whole_id(&client, &command.id).await?.to_string();
        let task = if command.wait {
            let unreachable = |why: &str| say(format_args!("bindery: {why}; trying again"));
            client.follow(&id, "", |_, _| Ok(()), unreachable).await?
        } else {
            client.json(&format!("/v1/tasks/{id}")).await?
        };
        if command.json {
            line(&task.json)?;
        } else {
            describe(&task.view)?;
        }
        Ok(code(&task.view))
    })
}

/// As `convert` says it: what has failed or was cancelled, and what has failed or unread pages.
fn code(task: &TaskView) -> ExitCode {
    match task.status {
        TaskStatus::Failed | TaskStatus::Cancelled => ExitCode::from(exit::FAILED),
        TaskStatus::Completed => PageTroubles::of_view(task).worst().exit_code(false),
        TaskStatus::Pending | TaskStatus::Processing => ExitCode::SUCCESS,
    }
}

fn describe(task: &TaskView) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let troubles = PageTroubles::of_view(task).to_string();
    let PageCounts { done, failed, pending, .. } = task.pages;
    let webhook = task.webhook.as_ref().map(|webhook| serde_json::to_value(webhook.state)).transpose()?;
    let webhook = webhook.as_ref().and_then(Value::as_str).map(str::to_owned);
    for (name, value) in [
        ("task", Some(task.id.to_string())),
        ("file", task.file_name.clone()),
        ("status", Some(task.status.to_string())),
        ("pages", Some(format!("{done} done, {failed} failed, {pending} open"))),
        ("troubles", Some(troubles).filter(|troubles| !troubles.is_empty())),
        ("processor", Some(task.processor.clone())),
        ("took", Some(format!("{} calls, {} pages from the cache", task.usage.calls, task.usage.reused))),
        ("cost", task.usage.cost.map(|cost| cost.to_string())),
        ("submitted", Some(task.created_at.to_string())),
        ("ended", task.finished_at.map(|at| at.to_string())),
        ("error", task.error.as_ref().map(|error| error.message.clone())),
        ("webhook", webhook),
    ] {
        if let Some(value) = value {
            writeln!(out, "{name:<10} {value}")?;
        }
    }
    Ok(())
}

pub fn list(command: &List) -> anyhow::Result<ExitCode> {
    block(async {
        let client = Client::new(&command.server)?;
        let (mut left, mut cursor, mut first) = (command.limit, String::new(), true);
        while left > 0 {
            let status = command.status.as_deref().unwrap_or_default();
            let (doubtful, failed) = (command.doubtful, command.failed_pages);
            let query = format!(
                "/v1/tasks?limit={}&status={}&doubtful={doubtful}&failed_pages={failed}&cursor={cursor}",
                left.min(500),
                plain(status)
            );
            let Reply { view: window, json } = client.json::<Reply<TaskListView>>(&query).await?;
            if command.json {
                json["tasks"].as_array().into_iter().flatten().try_for_each(line)?;
            } else {
                window.tasks.iter().try_for_each(|task| row(task, std::mem::take(&mut first)))?;
            }
            left = left.saturating_sub(u32::try_from(window.tasks.len())?);
            match window.next_cursor {
                Some(next) => cursor = next,
                None => break,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Keeps a word from becoming more than a word in a query.
fn plain(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn row(task: &TaskView, first: bool) -> io::Result<()> {
    let mut out = io::stdout();
    if first {
        writeln!(out, "{:<36}  {:<10}  {:>11}  {:<20}  file", "task", "status", "pages", "submitted")?;
    }
    let total = task.total_pages.map_or_else(|| "?".to_owned(), |total| total.to_string());
    let pages = format!("{}/{total}", task.pages.done);
    let troubles = PageTroubles::of_view(task).to_string();
    let troubles = if troubles.is_empty() { troubles } else { format!(" ({troubles})") };
    let created: String = task.created_at.to_string().chars().take(19).collect();
    let (id, status, file) = (task.id, task.status.as_str(), task.file_name.as_deref().unwrap_or_default());
    writeln!(out, "{id:<36}  {status:<10}  {pages:>11}  {created:<20}  {file}{troubles}")
}

pub fn result(command: &ShowResult) -> anyhow::Result<ExitCode> {
    block(async {
        let client = Client::new(&command.server)?;
        // Where nothing is said, the task's own format.
        let format = command.format.said(command.output.as_deref()).map_or("", ResultFormat::as_str);
        let query = format!("partial={}&format={format}&chunk_tokens={}", command.partial, command.format.chunk_tokens);
        let id = whole_id(&client, &command.id).await?.to_string();
        let answer = client.get(&format!("/v1/tasks/{id}/result?{query}"), "*/*").await?;
        match &command.output {
            Some(file) if file != Path::new("-") => {
                let mut bytes = Vec::new();
                copy(answer.bytes_stream(), &mut bytes).await?;
                let figures = images::fetch(&client, &id, &bytes).await?;
                let (folder, mut linked) = (ImageFolder::beside(file), Vec::new());
                figures.iter().try_for_each(|(name, bytes)| folder.write(name, bytes, &Inputs::default()))?;
                let names = figures.into_iter().map(|(name, _)| name).collect();
                Relinked::new(bytes.as_slice(), names, &folder).read_to_end(&mut linked)?;
                let bytes = linked;
                let written = place::write(file, &Inputs::default(), |out| out.write_all(&bytes));
                written.with_context(|| format!("cannot write {}", file.display()))?;
            }
            _ => copy(answer.bytes_stream(), &mut io::stdout()).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub fn events(command: &Events) -> anyhow::Result<ExitCode> {
    block(async {
        let client = Client::new(&command.server)?;
        let id = whole_id(&client, &command.id).await?.to_string();
        let query = if command.text { "?text=true" } else { "" };
        let tell =
            |name: &str, data: &Value| writeln!(io::stdout(), "{}", serde_json::json!({ "event": name, "data": data }));
        let unreachable = |why: &str| say(format_args!("bindery: {why}; trying again"));
        Ok(code(&client.follow(&id, query, tell, unreachable).await?.view))
    })
}

/// Does the same to several tasks; one that cannot be done does not stop the others.
fn each(tasks: &Tasks, method: &Method, what: &str) -> anyhow::Result<ExitCode> {
    block(async {
        let client = Client::new(&tasks.server)?;
        let mut worst = ExitCode::SUCCESS;
        for id in &tasks.ids {
            let done = async { client.change(method.clone(), &format!("{}{what}", path(&client, id).await?)).await };
            match done.await {
                Ok(Some(task)) if tasks.json => line(&task.json)?,
                Ok(Some(task)) => line(format_args!("{id} {}", task.view.status))?,
                Ok(None) if tasks.json => line(serde_json::json!({ "id": id, "deleted": true }))?,
                Ok(None) => line(format_args!("{id} deleted"))?,
                Err(error) => {
                    say(format_args!("{}", words::complaint(Some(id), &error)));
                    worst = ExitCode::from(exit::FAILED);
                }
            }
        }
        Ok(worst)
    })
}

pub fn cancel(command: &Tasks) -> anyhow::Result<ExitCode> {
    each(command, &Method::POST, "/cancel")
}

pub fn retry(command: &Retry) -> anyhow::Result<ExitCode> {
    let query = match &command.max_cost {
        Some(cost) => {
            let cost: bindery::task::Cost = cost.parse().map_err(|why| anyhow::anyhow!("--max-cost: {why}"))?;
            format!("?max_cost={}", cost.amount())
        }
        None => String::new(),
    };
    each(&command.tasks, &Method::POST, &format!("/retry{query}"))
}

pub fn delete(command: &Delete) -> anyhow::Result<ExitCode> {
    each(&command.tasks, &Method::DELETE, if command.purge { "?purge=true" } else { "" })
}
