//! Messages (JSON-RPC 2.0) of both eras of the protocol, over whatever carries them.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::tools;
use crate::supervisor::Handle;

/// Revisions that begin with `initialize`, oldest first.
const WITH_HANDSHAKE: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// Those whose requests say which revision they are of.
const STATELESS: [&str; 1] = ["2026-07-28"];
/// What is the same for all may be kept so long, milliseconds.
const KEEP: u64 = 3_600_000;

/// Errors by their codes in JSON-RPC, and in the protocol.
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const UNSUPPORTED_VERSION: i32 = -32022;

/// Where news of a call goes before its answer.
pub type Progress = mpsc::Sender<Value>;

/// Answers the messages of one caller.
#[derive(Clone)]
pub struct Server {
    pub(super) handle: Handle,
    pub(super) tenant: Option<String>,
    /// Whether the caller's files are those of this machine.
    pub(super) local: bool,
}

impl Server {
    /// For a caller elsewhere, whose tasks are this tenant's.
    #[must_use]
    pub const fn remote(handle: Handle, tenant: Option<String>) -> Self {
        Self { handle, tenant, local: false }
    }

    /// For a caller on this machine, who may name files to be read and written.
    #[must_use]
    pub const fn local(handle: Handle) -> Self {
        Self { handle, tenant: None, local: true }
    }

    /// The answer to a message; `None` to one that wants none. News of its progress goes to `progress`, when the message
    /// asks for it.
    pub async fn answer(&self, message: Value, progress: Progress) -> Option<Value> {
        let Some(method) = message["method"].as_str() else {
            // An answer to a question of ours, which there are none of, or no message at all.
            let is_answer = message.get("result").is_some() || message.get("error").is_some();
            return (!is_answer).then(|| error(&Value::Null, INVALID_REQUEST, "not a request of JSON-RPC 2.0"));
        };
        let id = message.get("id").filter(|id| id.is_string() || id.is_number())?;
        let params = &message["params"];
        let version = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        if let Some(version) =
            version.filter(|version| !STATELESS.contains(version) && !WITH_HANDSHAKE.contains(version))
        {
            let supported: Vec<&str> = WITH_HANDSHAKE.iter().chain(&STATELESS).copied().collect();
            let mut refused = error(id, UNSUPPORTED_VERSION, "the revision of the protocol is not known");
            refused["error"]["data"] = json!({ "supported": supported, "requested": version });
            return Some(refused);
        }
        let answered = match method {
            "initialize" => Ok(initialized(params)),
            "server/discover" => Ok(discovered()),
            "ping" => Ok(json!({})),
            "tools/list" => Ok(kept(json!({ "tools": tools::list(self.local, self.handle.fetches()) }))),
            "tools/call" => {
                let token = params["_meta"].get("progressToken").cloned();
                self.call(params, token.map(|token| (token, progress))).await
            }
            _ => Err((METHOD_NOT_FOUND, format!("there is no method {method:?}"))),
        };
        Some(match answered {
            Ok(mut result) => {
                result["resultType"] = "complete".into();
                json!({ "jsonrpc": "2.0", "id": id, "result": result })
            }
            Err((code, why)) => error(id, code, &why),
        })
    }

    async fn call(&self, params: &Value, progress: Option<(Value, Progress)>) -> Result<Value, (i32, String)> {
        let name = params["name"].as_str().unwrap_or_default();
        let arguments = params.get("arguments").cloned().unwrap_or_else(|| json!({}));
        let Some(called) = self.tool(name, arguments, progress).await else {
            return Err((INVALID_PARAMS, format!("there is no tool {name:?}")));
        };
        // What went wrong is for the model to read, too.
        let (text, is_error) = called.map_or_else(|why| (why, true), |text| (text, false));
        Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": is_error }))
    }
}

fn server() -> Value {
    json!({ "name": "bindery", "title": "Bindery", "version": env!("CARGO_PKG_VERSION") })
}

const INSTRUCTIONS: &str = "Reads PDFs and pictures of pages. Begin with submit; its answer is a map of the document. \
    Then read only the pages that matter, or search for words. Pages that are doubtful or failed are marked: say so when \
    you use them.";

fn initialized(params: &Value) -> Value {
    let asked = params["protocolVersion"].as_str().unwrap_or_default();
    let version = WITH_HANDSHAKE.into_iter().find(|known| *known == asked).unwrap_or(WITH_HANDSHAKE[3]);
    json!({ "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": server(),
            "instructions": INSTRUCTIONS })
}

fn discovered() -> Value {
    kept(json!({
        "supportedVersions": STATELESS,
        "capabilities": { "tools": {} },
        "serverInfo": server(),
        "instructions": INSTRUCTIONS,
        "_meta": { "io.modelcontextprotocol/serverInfo": server() },
    }))
}

/// The same for everyone, for a while.
fn kept(mut result: Value) -> Value {
    result["ttlMs"] = KEEP.into();
    result["cacheScope"] = "public".into();
    result
}

fn error(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}
