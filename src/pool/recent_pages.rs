//! Pages between their reader and their result: what was put into the ledger a moment ago need not be read from it again.
//!
//! They are the same as the ledger has them. There is room for some of all jobs together; the others are read again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::execute::Executor;
use super::spec::JobContext;
use crate::content::{Block, BlockKind, PageContent};
use crate::ledger::PageKey;
use crate::task::{PageOutput, PageView};

/// So many parts of pages are held at once, of some hundred bytes each: memory must not grow with a document's pages.
pub(super) const MOST_PARTS: usize = 20_000;

/// How many parts a page has that take memory.
pub(super) fn parts(content: &PageContent) -> usize {
    let of_block = |block: &Block| match &block.kind {
        BlockKind::Table(table) => table.rows.iter().map(Vec::len).sum(),
        BlockKind::List { items } => items.len(),
        _ => 0,
    };
    // A model's Markdown is held twice.
    let markdown = content.markdown.as_ref().map_or(0, |markdown| markdown.len() / 100);
    markdown + content.blocks.iter().map(|block| 1 + of_block(block)).sum::<usize>()
}

/// How many parts there is room for, in the pages of all jobs.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(MOST_PARTS)))
    }

    fn take(&self, parts: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(parts)).is_ok()
    }

    fn give_back(&self, parts: usize) {
        self.0.fetch_add(parts, Ordering::Relaxed);
    }
}

/// The pages of one job, on their way from those who read them to the one who joins them.
#[derive(Debug)]
pub struct RecentPages {
    read: Sender<(u32, Held)>,
    held: Receiver<(u32, Held)>,
}

/// A page, and the room that it takes.
#[derive(Debug)]
pub(super) struct Held {
    output: PageOutput,
    parts: usize,
    room: Room,
}

impl Held {
    /// The page, whose room is there for others then.
    pub(super) fn into_output(mut self) -> PageOutput {
        std::mem::take(&mut self.output)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.give_back(self.parts);
    }
}

impl Default for RecentPages {
    fn default() -> Self {
        let (read, held) = unbounded();
        Self { read, held }
    }
}

impl RecentPages {
    /// Holds a page that the ledger has, where there is `room` for it.
    pub(super) fn hold(&self, page: u32, output: PageOutput, room: &Room) {
        let parts = parts(&output.content);
        if room.take(parts) {
            let _ = self.read.send((page, Held { output, parts, room: room.clone() }));
        }
    }

    /// Takes out all that are held. Of a page that was read twice it is the later one.
    pub(super) fn take_all(&self) -> HashMap<u32, Held> {
        self.held.try_iter().collect()
    }
}

impl Executor {
    /// A page that is in the ledger as callers see it. What it says is held for the result where it comes from a reader process,
    /// and so is what the ledger has, bit by bit; one that came by another recipe than the first is looked up in their order.
    pub(super) fn done(&self, spec: &JobContext, (page, key): (u32, PageKey), output: PageOutput) -> Box<PageView> {
        let is_as_kept = !self.opens_here() && output.model.is_none() && output.content.markdown.is_none();
        let first = spec.recipes.first().and_then(|first| spec.hashes.page_key(page, *first).ok());
        if !is_as_kept || first != Some(key) {
            return Box::new(PageView::done(page, output));
        }
        let mut output = PageOutput { image_files: Vec::new(), ..output };
        let size = output.content.size;
        let content = std::mem::replace(&mut output.content, PageContent { size, ..PageContent::default() });
        let view = Box::new(PageView::done(page, output.clone()));
        spec.recent.hold(page, PageOutput { content: content.into_kept(), ..output }, &self.room);
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;

    fn output(blocks: usize) -> PageOutput {
        let mut content = from_markdown("x\n\n".repeat(blocks));
        content.markdown = None;
        PageOutput::new("text", content)
    }

    #[test]
    fn pages_are_held_while_there_is_room_and_leave_theirs_behind() {
        let (room, one, other) = (Room::new(), RecentPages::default(), RecentPages::default());
        let left = || room.0.load(Ordering::Relaxed);
        one.hold(1, output(MOST_PARTS - 10), &room);
        other.hold(1, output(11), &room);
        other.hold(2, output(7), &room);
        other.hold(2, output(3), &room);
        let mut held = other.take_all();
        assert_eq!((held.len(), left()), (1, 7), "there was no room for the first one, and the second was read again");
        assert_eq!(held.remove(&2).map(Held::into_output), Some(output(3)));
        assert!(left() == 10 && other.take_all().is_empty());
        drop(one);
        assert_eq!(left(), MOST_PARTS);
    }
}
