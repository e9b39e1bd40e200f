//! What is logged, and in which form.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use bindery::clock::Timestamp;
use clap::ValueEnum;
use env_logger::fmt::Formatter;
use log::Record;
use log::kv::{Error, Key, Value, VisitSource};
use serde_json::{Map, json};

/// How lines are written.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Whether lines on stderr are for programs.
pub fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// What the command itself has to say, as a line of the log.
pub fn error_line(message: &str, code: Option<&str>) -> String {
    let mut line = json!({ "time": Timestamp::now(), "level": "ERROR", "target": "bindery", "message": message });
    if let Some(code) = code {
        line["code"] = json!(code);
    }
    line.to_string()
}

/// `RUST_LOG` decides what is logged. Without it a server tells what it does, and a conversion only warnings, so that
/// its progress bar stays whole.
pub fn start(serves: bool, format: LogFormat) {
    let _ = FORMAT.set(format);
    let level = if serves {
        "info"
    } else if io::stderr().is_terminal() {
        "error"
    } else {
        "warn"
    };
    // What it has against a certificate is said once, as why the endpoint cannot be reached, and not at every try.
    let filter = format!("{level},rustls_platform_verifier=off");
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(filter));
    match format {
        LogFormat::Human => builder.format_timestamp_millis(),
        LogFormat::Json => builder.format(write_json),
    };
    builder.init();
}

/// Fields keep their names; those of the line itself win over one of the same name.
fn write_json(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let mut fields = Fields(Map::new());
    let _ = record.key_values().visit(&mut fields);
    let Fields(mut line) = fields;
    line.insert("time".into(), json!(Timestamp::now()));
    line.insert("level".into(), json!(record.level().as_str()));
    line.insert("target".into(), json!(record.target()));
    line.insert("message".into(), json!(record.args().to_string()));
    writeln!(out, "{}", serde_json::Value::Object(line))
}

struct Fields(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let json = match (value.to_u64(), value.to_i64(), value.to_f64(), value.to_bool()) {
            (Some(number), ..) => json!(number),
            (_, Some(number), ..) => json!(number),
            (_, _, _, Some(word)) => json!(word),
            (_, _, Some(number), _) => json!(number),
            _ => json!(value.to_string()),
        };
        self.0.insert(key.to_string(), json);
        Ok(())
    }
}
