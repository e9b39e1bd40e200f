//! Bindery
pub mod aggregate;
mod app;
pub mod blob;
pub mod clock;
pub mod config;
pub mod document;
pub mod http;
pub mod job;
pub mod ledger;
pub mod pool;
pub mod processor;
pub mod store;
pub mod supervisor;
pub mod task;

pub use app::{Bindery, Builder};
pub use supervisor::{Handle, NewTask};
