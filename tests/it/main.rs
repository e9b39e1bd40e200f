//! The integration tests: real servers, real processes, real PDFs.
//!
//! Nobody sleeps here. Tests wait for lines, answers and events; a wait that lasts too long fails with what it waited
//! for. Chaos alone lets time pass: how long a fault lasts is part of its schedule.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

mod answers;
mod api;
mod architecture;
mod bad_input;
mod chaos;
mod client;
mod configuration;
mod content_hash;
mod convert;
mod data_dir;
mod drain;
mod embed;
mod embedded;
mod endpoints;
mod equal_pages;
mod events;
mod findings;
mod formats;
mod golden;
mod hardening;
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
mod ocr;
mod one_request;
mod output;
mod page;
mod page_inputs;
mod pictures;
mod purge;
mod recovery;
mod redis;
mod schema;
mod secrets;
mod sight;
mod split;
mod storage;
mod stores;
mod tenants;
mod ties;
mod webhooks;
mod wire;
mod wires;
