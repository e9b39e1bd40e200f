//! A proxy in front of an S3 server that has what goes wrong with such services.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does with requests. A change ends all connections that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Passes them on.
    Good,
    /// Answers each with this status.
    Refusing(u16),
    /// Breaks every connection off.
    Gone,
    /// Takes requests and answers none.
    Silent,
    /// Passes answers on late.
    Slow(Duration),
    /// Breaks off after so many bytes of answers.
    Truncating(usize),
}

pub struct S3Proxy {
    pub url: String,
    service: Arc<watch::Sender<Service>>,
}

impl S3Proxy {
    /// In front of the server at this address.
    pub async fn start(url: &str) -> Self {
        let server = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Arc::new(watch::Sender::new(Service::Good));
        let shared = Arc::clone(&service);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, mut changes) = (server.clone(), shared.subscribe());
                let now = *changes.borrow_and_update();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = changes.changed() => {}
                        _ = serve(client, &server, now) => {}
                    }
                });
            }
        });
        Self { url, service }
    }

    pub fn set(&self, service: Service) {
        self.service.send_replace(service);
    }
}

async fn serve(mut client: TcpStream, server: &str, service: Service) -> std::io::Result<()> {
    let most = match service {
        Service::Gone => return Ok(()),
        Service::Silent => std::future::pending().await,
        Service::Refusing(status) => {
            // What was sent so far is read, or closing would reset the connection before the answer is seen.
            let _ = client.read(&mut vec![0; 64 * 1024]).await?;
            let body = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} Not Now\r\nconnection: close\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            client.write_all(answer.as_bytes()).await?;
            return client.shutdown().await;
        }
        Service::Truncating(most) => most,
        Service::Good | Service::Slow(_) => usize::MAX,
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let down = async {
        let (mut buffer, mut left) = (vec![0; 64 * 1024], most);
        while let read @ 1.. = from_server.read(&mut buffer).await? {
            if let Service::Slow(delay) = service {
                tokio::time::sleep(delay).await;
            }
            to_client.write_all(&buffer[..read.min(left)]).await?;
            left = left.saturating_sub(read);
            if left == 0 {
                break;
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}
