//! The integration tests: real servers, real processes, real PDFs.
//!
//! No test sleeps. Tests wait for lines, answers and events, and poll where there are none (`support::until`); a
//! wait that lasts too long fails with what it waited for. Chaos alone lets time pass: how long a fault lasts is part of
//! its schedule.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod api;
mod architecture;
mod bad_input;
mod chaos;
mod chaos_apart;
mod client;
mod cluster_limits;
mod command_line;
mod compression;
mod configuration;
mod content_hash;
mod convert;
mod cross_origin;
mod data_dir;
mod docs;
mod drain;
mod embed;
mod embedded;
mod endpoints;
mod equal_pages;
mod events;
mod feed;
mod findings;
mod formats;
mod generated;
mod golden;
mod hardening;
mod helm;
mod hostile;
mod image;
mod images;
mod injections;
mod inspect;
mod intake;
mod layouts;
mod ledger;
mod letters;
mod llm;
mod metrics;
mod mutants;
mod nodes;
mod object_storage;
mod ocr;
mod one_request;
mod operations;
mod output;
mod packages;
mod page;
mod page_api;
mod page_inputs;
mod page_task;
mod pictures;
mod poor_scans;
mod public_api;
mod purge;
mod recovery;
mod redis;
mod redis_ways;
mod roles;
mod schema;
mod secrets;
mod service_manager;
mod sight;
mod source_url;
mod split;
mod storage;
mod stores;
mod suspended;
mod tenants;
mod ties;
mod upgrade;
mod webhooks;
mod wire;
mod wires;
