//! Writes what pages say: one writer a format.

pub mod markdown;
