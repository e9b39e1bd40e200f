//! `bindery mcp`: the Model Context Protocol over standard input and output, for a program that starts it.

use std::process::ExitCode;
use std::time::Duration;

use bindery::config::{Config, Settings};
use bindery::internal::{Progress, Server};
use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use super::convert::Local;

#[derive(Args)]
pub struct Mcp {
    #[command(flatten)]
    pub settings: Settings,
}

pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    actix_web::rt::System::new().block_on(serve(config))
}

async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let local = Local::start(config)?;
    let server = Server::local(local.bindery.handle());
    let (out, mut said) = mpsc::channel::<Value>(64);
    let writer = async {
        let mut stdout = tokio::io::stdout();
        while let Some(message) = said.recv().await {
            stdout.write_all(format!("{message}\n").as_bytes()).await?;
            stdout.flush().await?;
        }
        std::io::Result::Ok(())
    };
    let (written, read) = tokio::join!(writer, listen(&server, out));
    // Pages that are paid for are kept.
    local.bindery.stop(Duration::ZERO).await;
    written?;
    read?;
    Ok(ExitCode::SUCCESS)
}

/// Answers line by line, each when it is ready; ends with the input, once all is answered.
async fn listen(server: &Server, out: Progress) -> std::io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            if !line.trim().is_empty() {
                let error = json!({ "code": -32700, "message": "not JSON" });
                let _ = out.send(json!({ "jsonrpc": "2.0", "id": null, "error": error })).await;
            }
            continue;
        };
        let (server, out) = (server.clone(), out.clone());
        actix_web::rt::spawn(async move {
            if let Some(answer) = server.answer(message, out.clone()).await {
                let _ = out.send(answer).await;
            }
        });
    }
    Ok(())
}
