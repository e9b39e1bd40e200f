//! What the providers document that they answer, by shape: where calls go, what a good answer holds, and whom refusals
//! concern.

use super::super::capabilities::Lesson;
use super::super::reply::Reply;
use super::*;

struct Provider {
    base_url: &'static str,
    /// Where calls go.
    url: &'static str,
    /// A good answer.
    good: &'static str,
    /// Its tokens, cached ones among them, and its tier.
    tokens: (Option<u64>, u64, Option<&'static str>),
    /// Refusals: their status and body, the code, whom they concern, and words that must be shown.
    refusals: &'static [(u16, &'static str, &'static str, Concerns, &'static str)],
}

use Concerns::{Model, Page, PerhapsAll, Task};

const OPENAI: Provider = Provider {
    base_url: "https://api.openai.com/v1",
    url: "https://api.openai.com/v1/chat/completions",
    good: r##"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":
        {"role":"assistant","content":"# Page","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],
        "usage":{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":
        {"cached_tokens":1920,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},
        "service_tier":"default","system_fingerprint":"fp_1"}"##,
    tokens: (Some(2_006), 1_920, Some("default")),
    refusals: &[
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "Incorrect API key",
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            code::MODEL_NOT_FOUND,
            Model,
            "does not exist",
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "check your plan",
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit reached for m on tokens per min (TPM): Limit 1, Used 1. Please try again in 6ms.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            code::RATE_LIMITED,
            Page,
            "Rate limit reached",
        ),
    ],
};

const AZURE: Provider = Provider {
    base_url: "https://contoso.openai.azure.com",
    url: "https://contoso.openai.azure.com/openai/v1/chat/completions",
    good: r##"{"choices":[{"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"finish_reason":"stop",
        "index":0,"logprobs":null,"message":{"content":"# Page","role":"assistant"}}],"created":1,"id":"c","model":"m",
        "object":"chat.completion","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}],
        "usage":{"completion_tokens":30,"prompt_tokens":90,"total_tokens":120}}"##,
    tokens: (Some(90), 0, None),
    refusals: &[
        (
            401,
            r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "invalid subscription key",
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            code::MODEL_NOT_FOUND,
            Model,
            "deployment",
        ),
        (
            400,
            r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            code::ENDPOINT_REFUSED,
            Page,
            "content management policy",
        ),
    ],
};

const VLLM: Provider = Provider {
    base_url: "http://localhost:8000",
    url: "http://localhost:8000/v1/chat/completions",
    good: r##"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":
        {"role":"assistant","reasoning_content":null,"content":"# Page","tool_calls":[]},"logprobs":null,
        "finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":55,"total_tokens":65,"completion_tokens":10,
        "prompt_tokens_details":null},"prompt_logprobs":null}"##,
    tokens: (Some(55), 0, None),
    refusals: &[
        (
            404,
            r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
            code::MODEL_NOT_FOUND,
            Model,
            "does not exist",
        ),
        (
            400,
            r#"{"object":"error","message":"At most 0 image(s) may be provided in one request.","type":"BadRequestError","param":null,"code":400}"#,
            code::MODEL_CANNOT_SEE,
            Model,
            "At most 0 image",
        ),
    ],
};

const OLLAMA: Provider = Provider {
    base_url: "http://localhost:11434/api",
    url: "http://localhost:11434/v1/chat/completions",
    good: r##"{"id":"chatcmpl-954","object":"chat.completion","created":1,"model":"m","system_fingerprint":"fp_ollama",
        "choices":[{"index":0,"message":{"role":"assistant","content":"# Page"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":33,"completion_tokens":9,"total_tokens":42}}"##,
    tokens: (Some(33), 0, None),
    refusals: &[
        (
            404,
            r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
            code::MODEL_NOT_FOUND,
            Model,
            "try pulling it first",
        ),
        (
            500,
            r#"{"error":{"message":"model requires more system memory (6.1 GiB) than is available (3.2 GiB)","type":"api_error","param":null,"code":null}}"#,
            code::ENDPOINT_UNAVAILABLE,
            Page,
            "more system memory",
        ),
    ],
};

const LITELLM: Provider = Provider {
    base_url: "http://gateway:4000",
    url: "http://gateway:4000/v1/chat/completions",
    good: r##"{"id":"chatcmpl-1","created":1,"model":"m","object":"chat.completion","system_fingerprint":null,"choices":
        [{"finish_reason":"stop","index":0,"message":{"content":"# Page","role":"assistant","tool_calls":null,
        "function_call":null,"provider_specific_fields":{"refusal":null}}}],"usage":{"completion_tokens":9,
        "prompt_tokens":70,"total_tokens":79,"prompt_tokens_details":{"audio_tokens":null,"cached_tokens":64}},
        "service_tier":"flex"}"##,
    tokens: (Some(70), 64, Some("flex")),
    refusals: &[
        (
            429,
            r#"{"error":{"message":"No deployments available for selected model, Try again in 60 seconds.","type":"throttling_error","param":null,"code":"429"}}"#,
            code::RATE_LIMITED,
            Page,
            "No deployments available",
        ),
        (
            400,
            r#"{"error":{"message":"Budget has been exceeded! Current cost: 2.0, Max budget: 1.0","type":"budget_exceeded","param":null,"code":"400"}}"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "Max budget",
        ),
        (
            401,
            r#"{"error":{"message":"Authentication Error, Invalid proxy server token passed.","type":"auth_error","param":"None","code":"401"}}"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "Invalid proxy server token",
        ),
    ],
};

const OPENROUTER: Provider = Provider {
    base_url: "https://openrouter.ai",
    url: "https://openrouter.ai/api/v1/chat/completions",
    good: r##"{"id":"gen-1","provider":"P","model":"a/m","object":"chat.completion","created":1,"choices":[{"logprobs":null,
        "finish_reason":"stop","native_finish_reason":"STOP","index":0,"message":{"role":"assistant","content":"# Page",
        "refusal":null,"reasoning":null}}],"usage":{"prompt_tokens":44,"completion_tokens":8,"total_tokens":52,
        "cost":0.0001,"prompt_tokens_details":{"cached_tokens":0}}}"##,
    tokens: (Some(44), 0, None),
    refusals: &[
        (
            402,
            r#"{"error":{"message":"Insufficient credits. Add more using the account page","code":402}}"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "Insufficient credits",
        ),
        (
            404,
            r#"{"error":{"message":"No endpoints found that support image input","code":404}}"#,
            code::MODEL_NOT_FOUND,
            Model,
            "support image input",
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"The input was flagged","metadata":{"reasons":["violence"],"flagged_input":"x","provider_name":"P"}}}"#,
            code::ENDPOINT_REFUSED,
            Page,
            "flagged",
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits","code":429,"metadata":{"headers":{"X-RateLimit-Remaining":"0"}}}}"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "free-models-per-day",
        ),
        (
            429,
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"m is temporarily rate-limited upstream","provider_name":"P"}}}"#,
            code::RATE_LIMITED,
            Page,
            "rate-limited upstream",
        ),
    ],
};

const GEMINI: Provider = Provider {
    base_url: "https://generativelanguage.googleapis.com/v1beta/openai/",
    url: "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    good: r##"{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"# Page","role":"assistant"}}],"created":1,
        "id":"x","model":"gemini-m","object":"chat.completion","usage":{"completion_tokens":7,"prompt_tokens":1100,
        "total_tokens":1107}}"##,
    tokens: (Some(1_100), 0, None),
    refusals: &[
        (
            400,
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "API key not valid",
        ),
        (
            429,
            r#"[{"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"retryDelay":"37s"}]}}]"#,
            code::ENDPOINT_UNAUTHORIZED,
            Task,
            "exceeded your current quota",
        ),
        (
            503,
            r#"[{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}]"#,
            code::ENDPOINT_UNAVAILABLE,
            Page,
            "overloaded",
        ),
    ],
};

const MISTRAL: Provider = Provider {
    base_url: "https://api.mistral.ai/v1/",
    url: "https://api.mistral.ai/v1/chat/completions",
    good: r##"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",
        "message":{"role":"assistant","tool_calls":null,"content":[{"type":"thinking","thinking":[{"type":"text",
        "text":"hm"}]},{"type":"text","text":"# Page"}]}}],"usage":{"prompt_tokens":21,"total_tokens":30,
        "completion_tokens":9}}"##,
    tokens: (Some(21), 0, None),
    refusals: &[
        (401, r#"{"detail":"Unauthorized"}"#, code::ENDPOINT_UNAUTHORIZED, Task, "Unauthorized"),
        (
            429,
            r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}"#,
            code::RATE_LIMITED,
            Page,
            "capacity exceeded",
        ),
        (
            422,
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","code":null}"#,
            code::ENDPOINT_REFUSED,
            PerhapsAll,
            "Extra inputs are not permitted",
        ),
    ],
};

#[test]
fn providers_are_understood_as_they_document_themselves() {
    for provider in [OPENAI, AZURE, VLLM, OLLAMA, LITELLM, OPENROUTER, GEMINI, MISTRAL] {
        let url = calls_url(provider.base_url).unwrap();
        assert_eq!(url.as_str(), provider.url);
        // Their examples have the whole address at times.
        assert_eq!(calls_url(provider.url).unwrap().as_str(), provider.url);
        let headers = HeaderMap::new();
        let reply = answered(&url, StatusCode::OK, &headers, provider.good.as_bytes()).unwrap();
        let Reply { prompt_tokens, cached_tokens, service_tier, text, .. } = &reply;
        assert_eq!(text.trim(), "# Page", "{}", provider.url);
        assert_eq!((*prompt_tokens, *cached_tokens, service_tier.as_deref()), provider.tokens, "{}", provider.url);
        for (status, body, code, concerns, words) in provider.refusals {
            let status = StatusCode::from_u16(*status).unwrap();
            let error = answered(&url, status, &headers, body.as_bytes()).unwrap_err();
            assert_eq!((error.why.code.as_ref(), error.concerns), (*code, *concerns), "{body}");
            assert!(error.why.message.contains(words), "{body}: {}", error.why.message);
            assert!(!error.paid && error.lesson.is_none(), "{body}");
        }
    }
}

/// A parameter that one of them does not take is left out from then on.
#[test]
fn a_parameter_that_a_provider_forbids_is_learnt() {
    let url = calls_url(MISTRAL.base_url).unwrap();
    let body = r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","service_tier"],"msg":"Extra inputs are not permitted"}]}}"#;
    let error = answered(&url, StatusCode::UNPROCESSABLE_ENTITY, &HeaderMap::new(), body.as_bytes()).unwrap_err();
    assert_eq!(error.lesson, Some(Lesson::NoServiceTier));
}
