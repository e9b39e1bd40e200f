//! Whose a task is. What becomes of it is [decided](decide) without store, files and actor, which carry it out.

pub(super) mod decide;
