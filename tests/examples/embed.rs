//! Bindery inside an actix-web app, with a processor of your own.
//!
//! `cargo run --example embed`, then `curl --data-binary @tests/data/sample.pdf http://127.0.0.1:8090/shout`.

use actix_web::{App, HttpResponse, HttpServer, web};
use bindery::blob::LocalBlob;
use bindery::content::from_markdown;
use bindery::document::PageFacts;
use bindery::http::{ApiState, configure};
use bindery::output::markdown;
use bindery::processor::{PageRead, Processor, ShardInput, ShardOutcome, Step};
use bindery::store::EmbeddedStore;
use bindery::supervisor::RequestError;
use bindery::task::{PageOutput, TaskOptions};
use bindery::{Bindery, Handle, NewTask};
use tokio_util::sync::CancellationToken;

/// Reads pages loudly.
struct Shout;

impl Processor for Shout {
    fn name(&self) -> &'static str {
        "shout"
    }

    fn steps(&self, _: &TaskOptions, _: Option<&PageFacts>) -> Vec<Step> {
        vec![Step::local("shout", serde_json::json!({ "processor": "shout", "version": 1 }))]
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let mut reader = input.reader();
        let read = |page| {
            let loudly = |content| from_markdown(markdown::page(&content).to_uppercase());
            let result = reader.text(page).map(|content| PageOutput::new("shout", loudly(content)));
            PageRead::new(page, result)
        };
        ShardOutcome::Done(input.shard.pages().map(read).collect())
    }
}

async fn shout(bindery: web::Data<Handle>, pdf: web::Bytes) -> Result<HttpResponse, RequestError> {
    let task = bindery.submit(NewTask::from_bytes(pdf)).await?;
    bindery.wait(task.id).await?;
    let markdown = bindery.result(task.id).await?;
    Ok(HttpResponse::Ok().content_type("text/markdown").body(markdown))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join("bindery-embed");
    let bindery =
        Bindery::builder().store(EmbeddedStore::open(&dir)?).blob(LocalBlob::open(&dir)?).processor(Shout).start();
    let handle = bindery.handle();
    let server = HttpServer::new(move || {
        let api = ApiState::new(handle.clone(), CancellationToken::new());
        App::new()
            .app_data(web::Data::new(handle.clone()))
            .app_data(web::PayloadConfig::new(64 << 20))
            .route("/shout", web::post().to(shout))
            .configure(|app| configure(app, api))
    });
    server.bind("127.0.0.1:8090")?.run().await?;
    bindery.stop(std::time::Duration::from_secs(10)).await;
    Ok(())
}
