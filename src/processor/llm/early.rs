//! OCR that looks at a page while a model still reads it: seconds for which the caller of a few pages need not wait.
//!
//! Only a reader process that would do nothing else is used, and one stays free: pictures for other calls are never behind
//! it. In a long document all are busy, and OCR begins when the answer is there.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::LlmProcessor;
use super::witness::with_time_for_ocr;
use crate::document::Recognised;
use crate::processor::ShardInput;
use crate::task::Failure;

/// What is refused is mostly refused at once, and what was paid before is there at once: OCR waits so long.
const LIKELY: Duration = Duration::from_millis(250);

impl LlmProcessor {
    /// What `ask` answers, and what OCR recognised on `page` meanwhile, if it began. Where no answer comes, it is given up.
    pub(super) fn while_ocr_looks<T, E>(
        &self,
        input: &ShardInput<'_>,
        page: Option<u32>,
        ask: impl FnOnce() -> Result<T, E>,
    ) -> (Result<T, E>, Option<Result<Recognised, Failure>>) {
        let Some(page) = page.filter(|_| input.document.has_idle_process()) else { return (ask(), None) };
        let given_up = input.cancel.child_token();
        let (asking, is_over) = channel::<()>();
        std::thread::scope(|scope| {
            let cancel = &given_up;
            let look = move || {
                if is_over.recv_timeout(LIKELY) != Err(RecvTimeoutError::Timeout) {
                    return None;
                }
                let input = with_time_for_ocr(&ShardInput { cancel, ..*input });
                let mut reader = input.reader();
                reader.takes_idle_process().then(|| self.recognised_for_witness(&input, reader, page))
            };
            let looking = std::thread::Builder::new().name("bindery-witness".to_owned()).spawn_scoped(scope, look);
            let answer = ask();
            drop(asking);
            if answer.is_err() {
                given_up.cancel();
            }
            // Without a thread, or when it panics, OCR looks at the page when it is asked.
            (answer, looking.ok().and_then(|looking| looking.join().ok().flatten()))
        })
    }
}
