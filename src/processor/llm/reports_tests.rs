//! What others reported of models and endpoints, row by row: the facts of each report as an answer, and what is right then.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::capabilities::Lesson;
use super::fidelity;
use super::prompt;
use super::refused::{Concerns, refused};
use super::reply::{self, Asked, Fault, decode};
use super::witness::passage;
use crate::task::code;

const PAGE: &str = "# Lease\n\nThe shed is let from 1 May.";

/// What comes of a body about one page that shows so many letters: its Markdown, or the fault.
fn read(body: &Value) -> Result<String, Fault> {
    let reply = decode(body.to_string().as_bytes()).unwrap();
    let asked = Asked { page: 1, letters: Some(1_200), ..Asked::default() };
    reply::pages(&reply, &[asked], prompt::DEFAULT, true).map(|pages| pages[0].markdown.clone())
}

fn completion(message: &Value, reason: &str) -> Value {
    json!({ "choices": [{ "message": message, "finish_reason": reason }], "model": "m" })
}

fn said(text: &str) -> Value {
    completion(&json!({ "content": text }), "stop")
}

#[test]
fn answers_as_they_were_reported() {
    let folded = "<details type=\"reasoning\" done=\"true\" duration=\"0\">\n<summary>Thought for 2 seconds</summary>\n\
                  > The page is a lease.\n</details>\n";
    let front = "---\nprimary_language: en\nis_rotation_valid: True\nrotation_correction: 0\nis_table: False\n\
                 is_diagram: False\n---\n";
    let filler = format!("]]{}<]|content_end|>", "<|txtMask fill:#>\n".repeat(17));
    let encoded = "It appears that you've provided a base64-encoded image. I'll decode it for you.\n\nHere is the decoded \
                   image:\n\n![image](https://example.org/a.png)\n\nPlease note that this is a PNG image, and you can save it.";
    let thoughts = json!({ "content": "", "reasoning": "The page begins with a title." });
    let cut_thoughts = json!({ "content": null, "reasoning": "The page begins" });
    let blank = Err(Fault::NoPage("the answer has marks and no text"));
    for (report, body, expected) in [
        // Thoughts folded by a gateway, once or twice.
        ("open-webui/open-webui#24635", said(&format!("{folded}{PAGE}")), Ok(PAGE)),
        ("open-webui/open-webui#24635", said(&format!("{folded}{folded}\n{PAGE}")), Ok(PAGE)),
        // The mark that begins the thoughts is in the template of the prompt.
        ("open-webui/open-webui#11259", said(&format!("It is a lease.\n</think>\n\n{PAGE}")), Ok(PAGE)),
        ("open-webui/open-webui#24537", said(&format!("<think>A lease.</think>\n{PAGE}")), Ok(PAGE)),
        // All of it is in the field of thoughts, with and without room for more.
        ("ollama/ollama#14716", completion(&thoughts, "stop"), Err(Fault::OnlyThoughts)),
        ("vllm-project/vllm#52640", completion(&cut_thoughts, "length"), Err(Fault::CutOff)),
        (
            "ollama/ollama#16184",
            json!({ "message": { "content": "", "thinking": "A lease" }, "done": true, "done_reason": "length" }),
            Err(Fault::CutOff),
        ),
        (
            "BerriAI/litellm#8953",
            completion(&json!({ "content": null, "refusal": null }), "content_filter"),
            Err(Fault::Withheld("content_filter".into())),
        ),
        (
            "google/generative-ai-docs#566",
            completion(&json!({ "content": "# Le" }), "recitation"),
            Err(Fault::Withheld("recitation".into())),
        ),
        // A model of documents speaks of the page first.
        ("allenai/olmocr#293", said(&format!("{front}{PAGE}")), Ok(PAGE)),
        // Models of layouts say what each piece is and where it stands, or what the page is.
        (
            "deepseek-ai/DeepSeek-OCR#114",
            said(&format!("<|ref|>text<|/ref|><|det|>[[10, 20, 300, 60]]<|/det|>\n{PAGE}")),
            Ok(PAGE),
        ),
        (
            "foldl/chatllm.cpp#100",
            said(&json!([{ "bbox": [10, 20, 300, 60], "category": "Text", "text": PAGE }]).to_string()),
            Ok(PAGE),
        ),
        (
            "Embassy-of-the-Free-Mind/sourcelibrary-v2#4195",
            said(&format!("<page-type>text</page-type>\n<columns>2</columns>\n{PAGE}")),
            Ok(PAGE),
        ),
        // Places without text, and a model that has lost its way.
        (
            "docling-project/docling#2398",
            said("<section_header_level_1><loc_0><loc_0><loc_499><loc_500>"),
            blank.clone(),
        ),
        ("opendatalab/MinerU#5263", said(&filler), blank),
        ("getomni-ai/zerox#106", said(encoded), Err(Fault::SeesNothing(reply::quoted(encoded)))),
    ] {
        assert_eq!(read(&body), expected.map(str::to_owned), "{report}");
    }
}

#[test]
fn answers_with_little_or_too_much_as_they_were_reported() {
    for (report, body, expected) in [
        ("Ucas-HaoranWei/GOT-OCR2.0#210", said("<|im_end|>};"), Err(Fault::NoPage("the answer has marks and no text"))),
        // Thoughts behind the page, or before it, of which one mark is missing.
        ("icereed/paperless-gpt#914", said(&format!("{PAGE}\n\n<think>Is that all? The second")), Ok(PAGE)),
        ("icereed/paperless-gpt#914", said(&format!("It is a lease. </think> {PAGE}")), Ok(PAGE)),
        // A candidate without any part.
        (
            "icereed/paperless-gpt#1011",
            completion(&json!({ "role": "assistant" }), "stop"),
            Err(Fault::NoPage("the answer is empty")),
        ),
    ] {
        assert_eq!(read(&body), expected.map(str::to_owned), "{report}");
    }
}

#[test]
fn answers_that_are_doubted_as_they_were_reported() {
    let summary = "The image shows a computer screen displaying multiple windows with text in a foreign language.\n\nHere are \
                   the details of the image:\n\n* A window with a table of dates.\n* A window with a form.";
    let described = "The image contains a page from a document with text in Dutch. The text is structured in paragraphs and lists, \
                     with some bolded words. The text discusses the conditions of a delivery.";
    let denied = "The provided image appears to contain no visible text or layout that can be transcribed. It seems to be an empty \
                  document with only blank space.\n\nIf you have another image containing text, please provide it again.";
    let cut = format!("{PAGE}\n\n<table border=\"1\"><tr><td>6月</td><td>40</td></tr><tr><td>7月</td><td>8");
    for (report, text, unsure) in [
        // A summary of a scan in place of its text.
        ("imanoop7/Ollama-OCR#14", summary, true),
        ("imanoop7/Ollama-OCR#14", PAGE, false),
        ("ngafar/llama-scan#8", described, true),
        // A page full of text is called empty, or said to be one that cannot be read.
        ("icereed/paperless-gpt#616", denied, true),
        ("vectorize-io/hindsight#3897", "No visible text.", true),
        ("vectorize-io/hindsight#3897", "[unclear] [unclear]\n\n[unclear] Lease [unclear]", true),
        ("vectorize-io/hindsight#3897", "The shed is let from 1 May to [unclear] at a rent of 2,400.", false),
        // A long table that ends within a row, as if the model were done.
        ("zai-org/GLM-OCR#182", &cut, true),
        ("zai-org/GLM-OCR#182", &format!("{cut}0</td></tr></table>"), false),
    ] {
        let reply = decode(said(text).to_string().as_bytes()).unwrap();
        let asked = Asked { page: 1, letters: Some(1_200), ..Asked::default() };
        let pages = reply::pages(&reply, &[asked], prompt::DEFAULT, true).unwrap();
        assert_eq!(pages[0].reads_like.is_some(), unsure, "{report}: {:?}", pages[0].reads_like);
    }
    let cells = format!("<table><tr>{}</tr></table>", "<td>phytopathosis</td>".repeat(90));
    assert!(fidelity::loops(cells.trim_end_matches("</tr></table>")), "opendatalab/MinerU#3487");
    let line = |at: u32| format!("Line {at} of the register names {} and {}.\n\n", at * 37 + 11, at * 91 + 7);
    let page: String = (0..20).map(line).collect();
    let invented = "The graph is then used to construct a pipeline, which extracts the nodes from the document and turns them \
                    into a graph of its own, which is written to the file.\n\n";
    let last: String = (15..20).map(line).collect();
    for (report, answer) in [
        ("docling-project/docling#2444: a paragraph made up", format!("{page}## 4 Generation\n\n{invented}")),
        ("opendatalab/MinerU#3312: the last passage once more", format!("{page}**{}**", last.replace("\n\n", " "))),
    ] {
        assert!(passage(&page, &answer).is_some(), "{report}");
    }
    assert_eq!(passage(&page, &page), None);
}

/// What vLLM says of a page whose picture takes more tokens than the model has.
const TOO_LONG: &str = "The decoder prompt (length 15983) is longer than the maximum model length of 8192. Make sure that \
    `max_model_len` is no smaller than the number of text tokens plus multimodal tokens. For image inputs, the number of image \
    tokens depends on the number of images, and possibly their aspect ratios as well.";

#[test]
fn what_takes_too_many_tokens_is_shown_smaller() {
    for (report, message) in [
        ("QwenLM/Qwen3-VL#946", "Prompt length of 16601 is longer than the maximum model length 10000."),
        (
            // Its numbers are tokens, and no pixels.
            "vllm-project/vllm#6301",
            "This model's maximum context length is 3744 tokens. However, you requested 254457 tokens (254201 in the \
             messages, 256 in the completion). Please reduce the length of the messages or completion.",
        ),
    ] {
        let body = json!({ "object": "error", "message": message, "type": "BadRequestError", "code": 400 });
        let expected =
            (code::ENDPOINT_REFUSED, Concerns::Page, Some(Lesson::SmallerPicture { side: true, most: None }));
        assert_refused(report, (400, body), &expected);
    }
}

#[test]
fn refusals_as_they_were_reported() {
    let vllm = |message: &str| json!({ "object": "error", "message": message, "type": "BadRequestError", "code": 400 });
    let credits = |tokens: u32| {
        let message = format!(
            "This request requires more credits, or fewer max_tokens. You requested up to 225702 tokens, but can only afford \
             {tokens}. To increase, visit https://openrouter.ai/settings/credits"
        );
        json!({ "error": { "message": message, "code": 402 } })
    };
    let filtered = json!({ "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": null, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": { "code": "ResponsibleAIPolicyViolation" },
    } });
    let smaller = Some(Lesson::SmallerPicture { side: true, most: None });
    for (report, status, body, code, concerns, lesson) in [
        ("linagora/openrag#128", 400, vllm(TOO_LONG), code::ENDPOINT_REFUSED, Concerns::Page, smaller.clone()),
        (
            "xorbitsai/inference#3785",
            500,
            json!({ "detail": format!("[address=0.0.0.0:37591, pid=1] {TOO_LONG}") }),
            code::ENDPOINT_REFUSED,
            Concerns::Page,
            smaller,
        ),
        (
            "QwenLM/qwen-code#73",
            402,
            credits(92_985),
            code::ENDPOINT_UNAUTHORIZED,
            Concerns::Task,
            Some(Lesson::Affords(92_985)),
        ),
        ("anomalyco/opencode#12219", 402, credits(0), code::ENDPOINT_UNAUTHORIZED, Concerns::Task, None),
        (
            "vllm-project/vllm#13513",
            400,
            vllm("At most 1 image(s) may be provided in one request."),
            code::ENDPOINT_REFUSED,
            Concerns::Page,
            Some(Lesson::OnePicture),
        ),
        ("openai/openai-dotnet#55", 400, filtered, code::ENDPOINT_REFUSED, Concerns::Page, None),
        (
            "cartertemm/AI-content-describer#61",
            400,
            json!({ "error": { "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                'max_completion_tokens' instead.", "code": "unsupported_parameter" } }),
            code::ENDPOINT_REFUSED,
            Concerns::PerhapsAll,
            Some(Lesson::NewerLimitName),
        ),
    ] {
        assert_refused(report, (status, body), &(code, concerns, lesson));
    }
}

#[test]
fn what_gateways_could_not_do_as_it_was_reported() {
    for (report, status, body, code, concerns, lesson) in [
        // The same page again: too large, and then a gateway that does not say so.
        (
            "MayDay-wpf/snow-app#113",
            413,
            json!({ "error": { "message": "Request payload is too large", "type": "invalidrequesterror" } }),
            code::ENDPOINT_REFUSED,
            Concerns::Page,
            Some(Lesson::SmallerPicture { side: false, most: None }),
        ),
        (
            "MayDay-wpf/snow-app#113",
            400,
            json!({ "error": { "message": "upstream request failed", "type": "upstream_error" } }),
            code::ENDPOINT_UNAVAILABLE,
            Concerns::Page,
            None,
        ),
        (
            "anomalyco/opencode#12060",
            413,
            json!({ "error": { "type": "request_too_large", "message": "Request exceeds the maximum size" } }),
            code::ENDPOINT_REFUSED,
            Concerns::Page,
            Some(Lesson::SmallerPicture { side: false, most: None }),
        ),
    ] {
        assert_refused(report, (status, body), &(code, concerns, lesson));
    }
}

#[test]
fn what_a_local_server_could_not_do_as_it_was_reported() {
    let error = |message: &str| json!({ "error": { "message": message } });
    for (report, body, code, concerns) in [
        (
            "ollama/ollama#18374",
            json!({ "error": "prediction aborted, token repeat limit reached" }),
            code::ANSWER_REPETITIVE,
            Concerns::Page,
        ),
        (
            "ollama/ollama#13099",
            error("Failed to create new sequence: this model does not support images"),
            code::MODEL_CANNOT_SEE,
            Concerns::Model,
        ),
    ] {
        assert_refused(report, (500, body), &(code, concerns, None));
    }
}

/// What becomes of a refusal: its code, what it concerns, and what is learnt of it.
fn assert_refused(report: &str, (status, body): (u16, Value), expected: &(&str, Concerns, Option<Lesson>)) {
    let error = refused(StatusCode::from_u16(status).unwrap(), None, body.to_string().as_bytes());
    assert_eq!(&(&*error.why.code, error.concerns, error.lesson), expected, "{report}: {}", error.why);
}
