//! A client of server-sent events, as far as they are used here.

use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;

use super::server::Server;
use super::soon;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    pub data: Value,
}

/// A stream of events.
pub struct Events {
    body: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
    /// The last id that came.
    pub last_id: String,
}

impl Events {
    /// Begins to listen, or goes on after an id.
    pub async fn listen(server: &Server, path: &str, last_id: &str) -> Self {
        let request = server.request("GET", path);
        let request = if last_id.is_empty() { request } else { request.header("last-event-id", last_id) };
        let response = soon("the stream to begin", request.send()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.bytes_stream().boxed(), text: String::new(), last_id: last_id.to_owned() }
    }

    /// The next event; `None` when the stream has ended or broken off.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block = self.text[..end].to_owned();
                self.text.drain(..end + 2);
                let field = |name: &str| {
                    let line = block.lines().find(|line| line.starts_with(name))?;
                    Some(line[name.len()..].trim_start_matches(": ").to_owned())
                };
                let (Some(name), Some(data)) = (field("event"), field("data")) else { continue };
                field("id").iter().for_each(|id| self.last_id.clone_from(id));
                return Some(Event { name, data: serde_json::from_str(&data).unwrap() });
            }
            let chunk = soon("an event", self.body.next()).await?.ok()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event of this name.
    pub async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before an event {name}"));
            if event.name == name {
                return event.data;
            }
        }
    }

    /// All that come until the end, and the task as it was told last.
    pub async fn until_the_end(mut self) -> (Vec<Event>, Value) {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            if event.name == "end" {
                assert!(self.next().await.is_none(), "nothing comes after the end");
                return (events, event.data);
            }
            events.push(event);
        }
        panic!("the stream broke off: {events:?}");
    }
}

/// The pages that were told, in the order in which they came.
pub fn pages(events: &[Event]) -> Vec<u64> {
    events.iter().filter(|event| event.name == "page").map(|event| event.data["page"].as_u64().unwrap()).collect()
}
