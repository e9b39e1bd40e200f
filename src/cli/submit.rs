//! `bindery submit`: the same as `convert`, on a server.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use bindery::http::TaskView;
use bindery::task::{ResultFormat, TaskStatus};
use clap::Args;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Client, Reply, ServerArgs, copy};
use super::convert::complaint;
use super::files::{Input, inputs};
use super::format_args::FormatArgs;
use super::output::{Form, Output, Target};
use super::progress::{Progress, Share};
use super::say;
use super::task_args::TaskArgs;
use super::verdict::{PageTroubles, Worst};
use super::{advice, exit, images, line, secret, words};

/// Submits at once: uploads share the line.
const AT_ONCE: usize = 4;

#[derive(Args)]
pub struct Submit {
    /// PDFs or pictures (PNG, JPEG, TIFF, WebP), or folders with such files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Wait until they are done, and write the results to stdout, or where -o or --out-dir say
    #[arg(long)]
    wait: bool,
    /// Write the result here; waits for it
    #[arg(short, long, value_name = "OUT", conflicts_with = "out_dir")]
    output: Option<PathBuf>,
    /// Write one result for each PDF into this folder, under the PDF's name; waits for them
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Tell this URL when a task has ended
    #[arg(long, env = "BINDERY_WEBHOOK_URL", value_name = "URL")]
    webhook_url: Option<String>,
    /// What that message is signed with. `ps` shows it to all users of the machine: rather use `BINDERY_WEBHOOK_SECRET` or
    /// --webhook-secret-file
    #[arg(long, env = "BINDERY_WEBHOOK_SECRET", value_name = "SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    /// A file with what that message is signed with
    #[arg(long, env = "BINDERY_WEBHOOK_SECRET_FILE", value_name = "FILE", value_parser = secret::read,
        hide_env_values = true, conflicts_with = "webhook_secret")]
    webhook_secret_file: Option<String>,
    /// Any JSON; comes back with the tasks
    #[arg(long, env = "BINDERY_METADATA", value_name = "JSON")]
    metadata: Option<String>,
    /// How long the tasks stay after their end, such as 12h
    #[arg(long, env = "BINDERY_TTL", value_name = "TIME")]
    ttl: Option<String>,
    /// Whether an equal task that is there will do: true or false
    #[arg(long, env = "BINDERY_REUSE", value_name = "BOOL")]
    reuse: Option<String>,
    /// End with exit code 3 also when pages are there and doubtful
    #[arg(long, env = "BINDERY_STRICT")]
    strict: bool,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    server: ServerArgs,
}

pub fn run(command: &Submit) -> anyhow::Result<ExitCode> {
    let checked = check(command);
    let (files, output) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            say(format_args!("{}", words::complaint(None, &error)));
            return Ok(ExitCode::from(exit::USAGE));
        }
    };
    actix_web::rt::System::new().block_on(submit(command, &files, output.as_ref()))
}

/// What can be found wrong before anything is sent.
fn check(command: &Submit) -> anyhow::Result<(Vec<Input>, Option<Output>)> {
    advice::refuse_contradictions(&command.task.options()?).map_err(anyhow::Error::msg)?;
    let mut files = inputs(&command.files, u64::MAX, false)?;
    let target = match Target::named(command.output.as_deref(), command.out_dir.as_deref(), &mut files)? {
        Some(target) => target,
        None if command.wait => Target::Stdout,
        None => return Ok((files, None)),
    };
    let form = Form::of(&command.format, command.output.as_deref());
    let output = Output::new(target, form, &files)?;
    output.check_images(&command.task.options()?)?;
    Ok((files, Some(output)))
}

async fn submit(command: &Submit, files: &[Input], output: Option<&Output>) -> anyhow::Result<ExitCode> {
    let client = Client::new(&command.server)?;
    let progress = output.map(|_| Progress::new(files.len()));
    let mut worst = Worst::Done;
    let (asking, shown) = (&client, progress.as_ref());
    let sent = files.iter().map(|file| async move { (file, one(command, asking, file, shown).await) });
    // In the order of the files, so that what goes to stdout comes in it.
    let mut sent = futures::stream::iter(sent).buffered(if output.is_some() { 256 } else { AT_ONCE });
    while let Some((file, task)) = sent.next().await {
        let went = match (task, output) {
            (Ok(task), Some(output)) => {
                let fetch = async || result(&client, file, &task.view, output, progress.as_ref()).await;
                client.outlast(|why| tell(progress.as_ref(), &format!("bindery: {why}; trying again")), fetch).await
            }
            (Ok(task), None) => {
                if command.format.json {
                    line(task.json)?;
                } else {
                    line(task.view.id)?;
                }
                Ok(Worst::Done)
            }
            (Err(error), _) => Err(error),
        };
        worst = worst.max(went.unwrap_or_else(|error| {
            tell(progress.as_ref(), &complaint(&file.shown(), &error));
            let _ = output.map(|output| output.failed(file, &error));
            Worst::Failed
        }));
    }
    let _ = output.map(Output::finish);
    progress.iter().for_each(Progress::clear);
    Ok(worst.exit_code(command.strict))
}

fn tell(progress: Option<&Progress>, line: &str) {
    match progress {
        Some(progress) => progress.say(line),
        None => say(format_args!("{line}")),
    }
}

/// Submits one file and, when asked to wait, follows it to its end.
async fn one(
    command: &Submit,
    client: &Client,
    file: &Input,
    progress: Option<&Progress>,
) -> anyhow::Result<Reply<TaskView>> {
    let own = [
        ("webhook_url", &command.webhook_url),
        (
            "webhook_secret",
            command.webhook_secret.as_ref().map_or(&command.webhook_secret_file, |_| &command.webhook_secret),
        ),
        ("metadata", &command.metadata),
        ("ttl", &command.ttl),
        ("reuse", &command.reuse),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    // What asks for the result later has it in the same form. Without --wait, --json is how the task itself is shown.
    let format = command.format.said(command.output.as_deref()).filter(|_| progress.is_some() || !command.format.json);
    let own = own.chain(format.map(|format| ("format", format.as_str())));
    let options: Vec<_> = command.task.given().chain(own).collect();
    let again = |why: &str| tell(progress, &format!("bindery: {why}; trying again"));
    let task = client.submit(&file.path, &options, again).await?;
    let Some(progress) = progress else { return Ok(task) };
    let (id, shown) = (&task.view.id.to_string(), &file.name());
    progress.update(id, shown, Share::of_view(&task.view));
    let tell = |name: &str, data: &Value| {
        if name == "task" {
            progress.update(id, shown, Share::of_view(&TaskView::deserialize(data)?));
        }
        Ok(())
    };
    let unreachable = |why: &str| {
        progress.say(&format!("bindery: {why}; trying again, the task goes on by itself"));
    };
    client.follow(id, "", tell, unreachable).await
}

/// Fetches the result of a task that has ended.
async fn result(
    client: &Client,
    file: &Input,
    task: &TaskView,
    output: &Output,
    progress: Option<&Progress>,
) -> anyhow::Result<Worst> {
    if task.status != TaskStatus::Completed {
        let message = task.error.as_ref().map_or("it has no result", |error| error.message.as_str());
        bail!("the task {} is {}: {message}", task.id, task.status);
    }
    let id = &task.id.to_string();
    let mut bytes = Vec::new();
    let Form { format, chunk_tokens } = output.form();
    if format == ResultFormat::Json {
        let mut answer =
            client.get(&format!("/v1/tasks/{id}/result"), "application/json").await?.json::<Value>().await?;
        serde_json::to_writer_pretty(&mut bytes, &answer["pages"].take())?;
        bytes.push(b'\n');
    } else {
        let query = format!("/v1/tasks/{id}/result?format={}&chunk_tokens={chunk_tokens}", format.as_str());
        let answer = client.get(&query, "*/*").await?;
        copy(answer.bytes_stream(), &mut bytes).await?;
    }
    let figures = images::fetch(client, id, &bytes).await?;
    output.write_images(&file.place, figures.iter().map(|(name, bytes)| (name, bytes.as_slice())))?;
    let names = figures.into_iter().map(|(name, _)| name).collect();
    output.write(file, output.linked(&file.place, names, io::Cursor::new(bytes))).await?;
    let troubles = PageTroubles::of_view(task);
    if troubles.worst() != Worst::Done {
        tell(progress, &format!("bindery: {}: {troubles}; {}", file.shown().display(), troubles.seen_in()));
    }
    Ok(troubles.worst())
}
