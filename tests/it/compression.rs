//! Answers that are compressed on their way, and those that must not be.

use std::io::Read;

use futures::StreamExt;
use reqwest::header::HeaderMap;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::Server;
use crate::support::soon;

const ALL: &str = "gzip, deflate, br, zstd";

/// Status, headers and body as they came.
async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let asked = headers.iter().fold(server.request("GET", path), |asked, (name, value)| asked.header(*name, *value));
    let answer = soon("an answer", asked.send()).await.unwrap();
    (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn read(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut plain).map(|_| ()),
        "br" => brotli::Decompressor::new(body, 4_096).read_to_end(&mut plain).map(|_| ()),
        "zstd" => zstd::stream::copy_decode(body, &mut plain),
        other => panic!("{other:?}"),
    }
    .unwrap();
    plain
}

/// A server with a task of many pages that is completed.
async fn completed(pages: u32) -> (Server, String) {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Many pages", pages), "").await;
    server.finished(&id).await;
    (server, format!("/v1/tasks/{id}"))
}

#[tokio::test]
async fn long_answers_are_compressed_as_the_client_likes_it() {
    let (server, task) = completed(120).await;
    let (json, html) = (format!("{task}/result?format=json"), format!("{task}/result?format=html"));
    let chunks = format!("{task}/result?format=chunks");
    let pages = format!("{task}/pages?limit=120");
    for path in [&format!("{task}/result"), &json, &html, &chunks, &pages, "/openapi.json", "/docs", "/", "/ui/main.js"]
    {
        let (status, headers, plain) = get(&server, path, &[]).await;
        assert_eq!((status, text(&headers, "content-encoding")), (200, ""), "{path}");
        assert!(text(&headers, "vary").contains("accept-encoding"), "{path}: {headers:?}");
        assert!(plain.len() > 2_000, "{path}");
        for (accepted, expected) in [
            ("gzip", "gzip"),
            ("br", "br"),
            ("zstd", "zstd"),
            (ALL, "zstd"),
            ("br, zstd;q=0.9", "br"),
            ("br;q=0.5, gzip, zstd;q=0", "gzip"),
        ] {
            let (status, headers, body) = get(&server, path, &[("accept-encoding", accepted)]).await;
            assert_eq!((status, text(&headers, "content-encoding")), (200, expected), "{path}: {accepted}");
            assert!(text(&headers, "vary").contains("accept-encoding") && headers.get_all("vary").iter().count() == 1);
            assert!(body.len() * 10 < plain.len() * 7, "{path}: {} of {}", body.len(), plain.len());
            assert!(read(expected, &body) == plain, "{path}: {accepted}");
        }
        for refused in ["identity", "gzip;q=0, br;q=0", "*;q=0", "compress"] {
            let (status, headers, body) = get(&server, path, &[("accept-encoding", refused)]).await;
            assert_eq!((status, text(&headers, "content-encoding")), (200, ""), "{path}: {refused}");
            assert!(body == plain);
        }
    }
    // What another format would be to a cache.
    let (_, headers, _) = get(&server, &json, &[("accept-encoding", "gzip")]).await;
    assert_eq!(text(&headers, "vary"), "accept-encoding, accept");
}

#[tokio::test]
async fn a_tag_is_of_the_bytes_that_were_sent_and_known_again_either_way() {
    let (server, task) = completed(60).await;
    for path in [format!("{task}/result"), "/ui/main.js".to_owned()] {
        let (_, plain, whole) = get(&server, &path, &[]).await;
        let strong = text(&plain, "etag").to_owned();
        assert!(strong.starts_with('"'), "{strong}");
        let (_, compressed, _) = get(&server, &path, &[("accept-encoding", "gzip")]).await;
        let weak = text(&compressed, "etag").to_owned();
        assert_eq!(weak, format!("W/{strong}"), "{path}");
        assert!(!compressed.contains_key("accept-ranges"));
        for known in [&strong, &weak] {
            let (status, headers, body) =
                get(&server, &path, &[("accept-encoding", "gzip"), ("if-none-match", known)]).await;
            assert_eq!((status, text(&headers, "etag"), body.len()), (304, known.as_str(), 0), "{path}");
        }
        let head = server.request("HEAD", &path).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(text(head.headers(), "content-length"), whole.len().to_string(), "{path}");
        assert!(!head.headers().contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn a_part_of_a_result_is_of_its_plain_bytes() {
    let (server, task) = completed(60).await;
    let path = format!("{task}/result");
    let (_, headers, whole) = get(&server, &path, &[]).await;
    let weak = format!("W/{}", text(&headers, "etag"));
    let ranged = [("accept-encoding", ALL), ("range", "bytes=100-1999")];
    let (status, headers, part) = get(&server, &path, &ranged).await;
    assert_eq!((status, text(&headers, "content-encoding"), text(&headers, "accept-ranges")), (206, "", "bytes"));
    assert_eq!(text(&headers, "content-range"), format!("bytes 100-1999/{}", whole.len()));
    assert!(part == whole[100..2_000]);
    // The rest of compressed bytes cannot be had: they come from the beginning.
    let (status, headers, body) = get(&server, &path, &[&ranged[..], &[("if-range", &weak)]].concat()).await;
    assert_eq!((status, text(&headers, "content-encoding")), (200, "zstd"));
    assert!(read("zstd", &body) == whole);
}

#[tokio::test]
async fn what_is_small_or_compressed_or_told_at_once_stays_as_it_is() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold).page(1, [Answer::Ok]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Events", 2), "processor=llm").await;
    let asked = server.request("GET", &format!("/v1/tasks/{id}/events?text=true")).header("accept-encoding", ALL);
    let events = soon("the stream to begin", asked.send()).await.unwrap();
    assert!(!events.headers().contains_key("content-encoding") && !events.headers().contains_key("vary"));
    // The second page is held: the first one is told all the same.
    let (mut body, mut told) = (events.bytes_stream(), String::new());
    while !told.contains("event: page") {
        told.push_str(std::str::from_utf8(&soon("the first page", body.next()).await.unwrap().unwrap()).unwrap());
    }
    llm.open();
    server.finished(&id).await;
    for path in
        [&format!("/v1/tasks/{id}/pages/1/image?side=400"), &format!("/v1/tasks/{id}"), "/ui/sample.pdf", "/healthz"]
    {
        let (status, headers, _) = get(&server, path, &[("accept-encoding", ALL)]).await;
        assert_eq!((status, text(&headers, "content-encoding")), (200, ""), "{path}");
        assert_ne!(text(&headers, "content-length"), "", "{path}");
    }
}
