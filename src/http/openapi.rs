//! The description of the API for programs (OpenAPI 3.1), made from the routes, and the routes that serve it.

use std::sync::LazyLock;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, Resource, web};
use serde::Deserialize;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, OpenApi as Description, PathItem, Ref, RefOr, Required, Response, ResponseBuilder, Server,
};
use utoipa::{IntoParams, Modify, OpenApi, PartialSchema, ToSchema};

use super::view::Problem;
use super::wires::Wire;
use super::{at, convert, events, mcp, ops, page, processors, reference, result, single_page, submit, tasks, usage};
use crate::task::{OptionValue, TaskOption, TaskOptions};

/// The options of a submit, as [`TaskOptions::ALL`] has them, and the file's name: fields of a form and parameters of a query
/// alike.
pub(super) struct SubmitOptions;

/// The options, each with its description and its schema.
fn options() -> impl Iterator<Item = (&'static str, String, Schema)> {
    let described = |option: TaskOption| {
        let default = if option.default.is_empty() { String::new() } else { format!(" [default: {}]", option.default) };
        (option.name, format!("{}{default}.", option.description), schema(option.takes))
    };
    let file_name = ("file_name", "The file's name.".to_owned(), schema(OptionValue::Text));
    TaskOptions::ALL.into_iter().map(described).chain([file_name])
}

fn schema(takes: OptionValue) -> Schema {
    let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
    let object = match takes {
        OptionValue::Truth => of(Type::Boolean),
        OptionValue::Integer(least, most) => {
            let format = Some(SchemaFormat::KnownFormat(KnownFormat::Int32));
            of(Type::Integer).format(format).minimum(Some(least)).maximum(Some(most))
        }
        OptionValue::Amount => {
            of(Type::Number).format(Some(SchemaFormat::KnownFormat(KnownFormat::Double))).minimum(Some(0))
        }
        OptionValue::OneOf(words) => of(Type::String).enum_values(Some(words.iter().copied())),
        _ => of(Type::String),
    };
    object.into()
}

impl IntoParams for SubmitOptions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |(name, description, schema): (&str, String, Schema)| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .description(Some(description))
                .required(Required::False)
                .schema(Some(schema))
                .build()
        };
        options().map(parameter).collect()
    }
}

impl PartialSchema for SubmitOptions {
    fn schema() -> RefOr<Schema> {
        let field = |form: ObjectBuilder, (name, description, schema): (&str, String, Schema)| {
            let schema = match schema {
                Schema::Object(object) => ObjectBuilder::from(object).description(Some(description)).into(),
                other => other,
            };
            form.property(name, RefOr::T(schema))
        };
        RefOr::T(options().fold(ObjectBuilder::new().schema_type(Type::Object), field).into())
    }
}

impl ToSchema for SubmitOptions {}

/// A file as it is, for the description alone: said as programs that make clients of descriptions understand it. Most of them do
/// not know `contentMediaType`, which OpenAPI 3.1 has for it.
pub(super) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let binary = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
        RefOr::T(ObjectBuilder::new().schema_type(Type::String).format(binary).into())
    }
}

impl ToSchema for Binary {}

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
        for schema in components.schemas.values_mut() {
            flatten(schema);
        }
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

/// Makes one object of a form that is put together from others: of parts that are parts themselves, programs that make clients
/// leave out fields.
fn flatten(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::AllOf(all)) = schema else { return };
    let mut whole = ObjectBuilder::new().schema_type(Type::Object).description(all.description.take());
    for part in &mut all.items {
        flatten(part);
        let RefOr::T(Schema::Object(part)) = part else { return };
        for (name, field) in std::mem::take(&mut part.properties) {
            whole = whole.property(name, field);
        }
    }
    *schema = RefOr::T(whole.into());
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

/// The description of a server that is reached below a path; an empty one is none.
fn described(base_path: &str) -> Bytes {
    if base_path.is_empty() {
        return Bytes::from_static(DESCRIPTION.as_bytes());
    }
    let mut api = Api::openapi();
    api.servers = Some(vec![Server::new(base_path)]);
    Bytes::from(api.to_pretty_json().unwrap_or_default())
}

/// Adds `/openapi.json` and `/docs`.
pub(super) fn configure(app: &mut web::ServiceConfig, base_path: &str) {
    let description = described(base_path);
    let tell = move || {
        let description = description.clone();
        async move { HttpResponse::Ok().content_type("application/json").body(description) }
    };
    app.service(at("/openapi.json", |description: Resource| description.route(web::get().to(tell))));
    app.service(at("/docs", |docs: Resource| docs.route(web::get().to(async || page::document(&REFERENCE)))));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

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
