//! Places along the write order where tests make things go wrong: `tests/failpoints`.
//!
//! Built with the feature `failpoints`, `FAILPOINTS="bind.half=1*return(kill)"` in the environment makes the process
//! kill itself there once; `return(error)`, `panic` and `delay(100)` are the other actions of the `fail` crate in use.
//! Without the feature there is nothing here.

use std::io;

/// Passes the place `name`.
///
/// # Errors
/// Only when a test asked for one.
#[cfg(feature = "failpoints")]
pub(crate) fn pass(name: &str) -> io::Result<()> {
    fail::fail_point!(name, |action| {
        if action.as_deref() == Some("kill") {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        Err(io::Error::other("a test asked for this error"))
    });
    Ok(())
}

/// Passes the place `name`.
///
/// # Errors
/// Only when a test asked for one.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[allow(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
pub(crate) const fn pass(_: &str) -> io::Result<()> {
    Ok(())
}

/// Passes the place `page-N` for each page that is about to be read.
///
/// # Errors
/// Only when a test asked for one.
#[cfg(feature = "failpoints")]
pub(crate) fn pass_pages(mut pages: impl Iterator<Item = u32>) -> io::Result<()> {
    pages.try_for_each(|page| pass(&format!("page-{page}")))
}

/// Passes the place `page-N` for each page that is about to be read.
///
/// # Errors
/// Only when a test asked for one.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[allow(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
pub(crate) fn pass_pages(_: impl Iterator<Item = u32>) -> io::Result<()> {
    Ok(())
}

/// Reads what the environment asks for; once, at the start of the process.
#[cfg(feature = "failpoints")]
pub fn set_up() {
    // It lives as long as the process: dropping it would turn everything off.
    std::mem::forget(fail::FailScenario::setup());
}
