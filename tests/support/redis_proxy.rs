//! A TCP proxy in front of Redis that knows enough of its protocol to lose the reply of a script that has run.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does with what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Passes it on.
    Fair,
    /// Breaks every connection off, and each new one.
    Cut,
    /// Takes connections and bytes and passes nothing on, in either direction.
    HalfOpen,
    /// Passes replies on late.
    Slow(Duration),
    /// Passes everything on but the reply to the next script: it has run, and nobody hears of it.
    LoseReply,
}

pub struct RedisProxy {
    pub url: String,
    weather: Arc<watch::Sender<Weather>>,
}

/// How a client writes the name of the command that runs a script (RESP: a bulk string of seven bytes).
const SCRIPT: &[u8] = b"$7\r\nEVALSHA\r\n";

impl RedisProxy {
    pub async fn start(redis: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/0", listener.local_addr().unwrap());
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let shared = Arc::clone(&weather);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, redis, Arc::clone(&shared)));
            }
        });
        Self { url, weather }
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

/// Relays until either side ends or the weather cuts it.
async fn relay(client: TcpStream, redis: u16, weather: Arc<watch::Sender<Weather>>) {
    let mut changes = weather.subscribe();
    let Ok(server) = TcpStream::connect(("127.0.0.1", redis)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    // Whether a script was passed on whose reply has not come.
    let script_sent = watch::Sender::new(false);
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            wait_while_half_open(&weather).await;
            if buffer[..read].windows(SCRIPT.len()).any(|window| window == SCRIPT) {
                script_sent.send_replace(true);
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            wait_while_half_open(&weather).await;
            let script = *script_sent.borrow();
            let now = *weather.borrow();
            match now {
                Weather::LoseReply if script => {
                    weather.send_replace(Weather::Fair);
                    return;
                }
                Weather::Slow(delay) => tokio::time::sleep(delay).await,
                _ => {}
            }
            script_sent.send_replace(false);
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
        _ = changes.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

async fn wait_while_half_open(weather: &watch::Sender<Weather>) {
    let _ = weather.subscribe().wait_for(|weather| *weather != Weather::HalfOpen).await;
}
