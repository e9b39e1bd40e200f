//! The description of the API for programs (OpenAPI 3.1), made from the routes, and the routes that serve it.

use std::sync::LazyLock;

use actix_web::{HttpResponse, Resource, web};
use serde::Deserialize;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, OpenApi as Description, PathItem, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{IntoParams, Modify, OpenApi, ToSchema};

use super::view::Problem;
use super::wires::Wire;
use super::{at, convert, events, mcp, ops, page, processors, reference, result, single_page, submit, tasks, usage};

/// The options of a submit, for the description alone: they are read by
/// [`TaskOptions::set`](crate::task::TaskOptions::set), from a form and from a query alike.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "described, not read")]
pub(super) struct SubmitOptions {
    /// Which pages, such as `1-5,8,r3-r1` (`r1` is the last; `1-5?` ends with the document); all when absent.
    pages: Option<String>,
    /// The PDF's password.
    password: Option<String>,
    /// `text`, `llm`, `ocr` or `auto`.
    processor: Option<String>,
    /// The model that the endpoint shall use.
    model: Option<String>,
    /// Instructions for the model; `{page}` and `{file_name}` stand for what they say.
    prompt: Option<String>,
    /// What the model is given of a page: `image`, `text` or `image+text`.
    input: Option<String>,
    /// The most pixels of the longer side of a picture, 256 to 8192.
    #[param(minimum = 256, maximum = 8192)]
    #[schema(minimum = 256, maximum = 8192)]
    image_side: Option<u32>,
    /// Models that read a page when the first has failed, between commas; `text` is the text layer, `ocr` text recognised on the server, `none` turns it off.
    fallback: Option<String>,
    /// How fast and how dear the endpoint shall answer, where it has a choice: `auto` (default), `flex` or `priority`.
    service_tier: Option<String>,
    /// The most that the task may cost.
    #[param(minimum = 0)]
    #[schema(minimum = 0)]
    max_cost: Option<f64>,
    /// Pages read in one attempt, 1 to 256.
    #[param(minimum = 1, maximum = 256)]
    #[schema(minimum = 1, maximum = 256)]
    shard_pages: Option<u32>,
    /// −10 (last) to 10 (first).
    #[param(minimum = -10, maximum = 10)]
    #[schema(minimum = -10, maximum = 10)]
    priority: Option<i8>,
    /// The most failed pages before the task fails: a number, or a share such as `5%`. Without it a task fails only when every page fails.
    max_failed_pages: Option<String>,
    /// The longest one attempt may take, such as `90s`.
    timeout: Option<String>,
    /// The line before each page, with `{page}` for its number; empty for none.
    page_separator: Option<String>,
    /// `true`: headers, footers and page numbers that the pages repeat stay in the result.
    keep_headers: Option<bool>,
    /// How tables stand in the Markdown: `auto` (HTML where cells span others), `markdown` or `html`.
    tables: Option<String>,
    /// What stands for figures: `placeholder` (default; the comment `<!-- image -->`), `extract` (links to their files, below
    /// `images/` of the task) or `none`.
    images: Option<String>,
    /// `true`: paragraphs and tables that go on over a page break are joined, on the page where they begin.
    seams: Option<bool>,
    /// `true`: the Markdown begins with title, author, dates and the number of pages, as YAML.
    front_matter: Option<bool>,
    /// `drop` (default): text that cannot be seen is left out; `keep`: it stands in the result.
    hidden_text: Option<String>,
    /// Text that another program has recognised on a scan: `trust` takes it, `reread` does not, `auto` (default) where it is good.
    ocr_layer: Option<String>,
    /// What recognises text on pictures of pages: `pp`, `tesseract`, `off`, or `auto` (default).
    ocr: Option<String>,
    /// Languages of such pages, between commas, such as `ru,deu`.
    ocr_languages: Option<String>,
    /// The result's format for requests that name none: `markdown` (default), `json`, `html`, `text` or `chunks`.
    format: Option<String>,
    /// Who is told when the task has ended.
    webhook_url: Option<String>,
    /// What that message is signed with.
    webhook_secret: Option<String>,
    /// Any JSON; comes back with the task.
    metadata: Option<String>,
    /// How long the task stays after its end, such as `12h`.
    ttl: Option<String>,
    /// `false`: make a new task although an equal one is there.
    reuse: Option<bool>,
    /// The file's name.
    file_name: Option<String>,
}

/// Where a document is fetched from, for the description alone.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "described, not read")]
pub(super) struct SourceOption {
    /// Where the document is fetched from, when the request does not hold it: an address whose host the operator allows.
    source_url: Option<String>,
}

/// How long a submit waits, for the description alone.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "described, not read")]
pub(super) struct WaitOption {
    /// Seconds that the answer may take for the task to end, 600 at most.
    #[param(minimum = 0)]
    wait: Option<f64>,
}

/// The size of chunks, for the description alone.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "described, not read")]
pub(super) struct ChunkOption {
    /// About how many tokens a chunk has at most.
    #[param(minimum = 32, maximum = 32_768)]
    chunk_tokens: Option<u32>,
}

/// A form with a document whose result is waited for.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described, not read")]
pub(super) struct ConvertForm {
    #[schema(inline)]
    #[serde(flatten)]
    form: SubmitForm,
    #[schema(inline)]
    #[serde(flatten)]
    chunks: ChunkOption,
}

/// A form with a document.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described, not read")]
pub(super) struct DocumentForm {
    /// A PDF, or a picture in PNG, JPEG, TIFF or WebP; absent beside `source_url`.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Option<Vec<u8>>,
    #[schema(inline)]
    #[serde(flatten)]
    source: SourceOption,
    #[schema(inline)]
    #[serde(flatten)]
    options: SubmitOptions,
}

/// A form with a document of which a task is made.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described, not read")]
pub(super) struct SubmitForm {
    #[schema(inline)]
    #[serde(flatten)]
    document: DocumentForm,
    #[schema(inline)]
    #[serde(flatten)]
    wait: WaitOption,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Bindery", description = "PDFs to Markdown, page by page, durably."),
    paths(
        submit::submit,
        convert::convert,
        tasks::list,
        tasks::get,
        tasks::delete,
        result::result,
        result::pages,
        single_page::image,
        single_page::html,
        single_page::text_layer,
        single_page::figure,
        events::events,
        tasks::cancel,
        tasks::retry,
        tasks::webhook,
        submit::resubmit,
        submit::estimate,
        processors::processors,
        usage::usage,
        mcp::mcp,
        ops::healthz,
        ops::readyz,
        ops::metrics,
    ),
    components(schemas(Problem, DocumentForm, SubmitForm, ConvertForm)),
    modifiers(&Common)
)]
struct Api;

/// What holds for all routes.
struct Common;

/// Answers that most operations can give, with what they mean.
const COMMON: [(&str, &str); 5] = [
    ("401", "The server has keys, and none of them was sent"),
    ("403", "Asked by a page of another site, or for operators only"),
    ("422", "An option, the query or the PDF cannot be accepted; `code` says which"),
    ("500", "Something stored cannot be read"),
    ("503", "The service cannot do it now; `Retry-After` says when to come back"),
];

impl Modify for Common {
    fn modify(&self, api: &mut Description) {
        env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKey::Header(ApiKeyValue::new("X-Api-Key"));
        components.add_security_scheme("key", SecurityScheme::ApiKey(header));
        for (path, item) in &mut api.paths.paths {
            let operations = [&mut item.get, &mut item.post, &mut item.delete, &mut item.head];
            for operation in operations.into_iter().flatten() {
                let responses = &mut operation.responses.responses;
                let open = ["/healthz", "/readyz"].contains(&path.as_str());
                for (status, meaning) in
                    COMMON.into_iter().filter(|(status, _)| !open || !["401", "403"].contains(status))
                {
                    responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(meaning)));
                }
                for (status, response) in responses.iter_mut() {
                    let RefOr::T(response) = response else { continue };
                    if status.starts_with(['4', '5']) && response.content.is_empty() {
                        *response = problem(&response.description);
                    }
                }
            }
        }
        // Their errors are not ours.
        Wire::ALL.into_iter().for_each(|wire| describe(wire, api));
    }
}

/// Adds the operations of another service's interface, whose own documentation says what they take and answer.
fn describe(wire: Wire, api: &mut Description) {
    for (method, path, takes, summary) in wire.operations() {
        let parameters = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        });
        let answer = ResponseBuilder::new().description("As that service answers");
        let body = ContentBuilder::new().schema(Some(Schema::default())).build();
        let operation = OperationBuilder::new()
            .tag(wire.as_str())
            .summary(Some(*summary))
            .parameters(Some(parameters.map(ParameterBuilder::build).collect::<Vec<_>>()))
            .request_body((!takes.is_empty()).then(|| RequestBodyBuilder::new().content(*takes, body).build()))
            .response("default", answer)
            .build();
        let method = match *method {
            "post" => HttpMethod::Post,
            "put" => HttpMethod::Put,
            "delete" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        let item = PathItem::new(method, operation);
        match api.paths.paths.get_mut(*path) {
            Some(there) => there.merge_operations(item),
            None => drop(api.paths.paths.insert((*path).to_owned(), item)),
        }
    }
}

fn problem(meaning: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(meaning).content("application/problem+json", content).build()
}

/// The description as JSON, the same for all.
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| Api::openapi().to_pretty_json().unwrap_or_default());
/// The same for people.
static REFERENCE: LazyLock<String> = LazyLock::new(|| reference::page(&DESCRIPTION));

/// Adds `/openapi.json` and `/docs`.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    app.service(at("/openapi.json", |description: Resource| {
        description
            .route(web::get().to(async || HttpResponse::Ok().content_type("application/json").body(&**DESCRIPTION)))
    }));
    app.service(at("/docs", |docs: Resource| docs.route(web::get().to(async || page::document(&REFERENCE)))));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::task::TaskOptions;

    #[test]
    fn every_option_is_described_and_no_other() {
        let description: Value = serde_json::from_str(&DESCRIPTION).unwrap();
        let parameters = description["paths"]["/v1/tasks"]["post"]["parameters"].as_array().unwrap();
        let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let described: BTreeSet<&str> = query.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let known: BTreeSet<&str> = TaskOptions::NAMES.into_iter().chain(["file_name", "source_url", "wait"]).collect();
        assert_eq!(described, known);
    }

    /// What a program makes of the description is what the server takes, and no more.
    #[test]
    fn types_and_bounds_are_those_that_are_read() {
        let description: Value = serde_json::from_str(&DESCRIPTION).unwrap();
        let takes = |name: &str, value: &str| TaskOptions::default().set(name, value).is_ok();
        let (mut bounded, mut truths) = (0, 0);
        for parameter in description["paths"]["/v1/tasks"]["post"]["parameters"].as_array().unwrap() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            // Any JSON is any metadata.
            if !TaskOptions::NAMES.contains(&name) || name == "metadata" {
                continue;
            }
            let kinds = schema["type"].to_string();
            assert_eq!(kinds.contains("boolean"), takes(name, "true") && !takes(name, "yes"), "{name}: {schema}");
            truths += u32::from(kinds.contains("boolean"));
            for (bound, beyond) in [("minimum", -1), ("maximum", 1)] {
                let Some(value) = schema[bound].as_f64() else { continue };
                assert!(takes(name, &value.to_string()), "{name}: {value}");
                assert!(!takes(name, &(value + f64::from(beyond)).to_string()), "{name}: beyond {value}");
                bounded += 1;
            }
            // Of those that take a number and no word, the description says so.
            let is_number = ["2", "300"].iter().any(|number| takes(name, number)) && !takes(name, "x");
            let others = ["pages", "max_failed_pages", "timeout", "ttl"];
            let described = kinds.contains("integer") || kinds.contains("number");
            assert_eq!(described, is_number && !others.contains(&name), "{name}: {schema}");
        }
        assert_eq!((bounded, truths), (7, 4));
    }

    /// A change of the API is seen as one. To agree on it: `curl http://127.0.0.1:8080/openapi.json`, into that file.
    #[test]
    fn is_what_was_agreed_on() {
        let agreed: Value = serde_json::from_str(include_str!("../../tests/data/openapi.json")).unwrap();
        let description: Value = serde_json::from_str(&DESCRIPTION).unwrap();
        for (path, item) in description["paths"].as_object().unwrap() {
            assert_eq!(item, &agreed["paths"][path], "{path}");
        }
        assert!(description == agreed, "the description has changed");
    }
}
