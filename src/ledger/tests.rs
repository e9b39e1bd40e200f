//! Pages kept, found, used and let go of.

use super::*;
use crate::blob::servers;
use crate::content::{FigureFile, from_markdown};
use crate::task::{ImageBytes, ImageKind, ImageName};

#[test]
fn a_page_is_found_under_its_content_and_recipe_only() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(LocalBlob::open(dir.path()).unwrap());
    let (text, llm) = (RecipeHash::of(&"text"), RecipeHash::of(&"llm"));
    let page = PageOutput { content: from_markdown("# ü"), attempts: 1, ..PageOutput::default() };
    ledger.put(PageKey::of_place(&LedgerScope::SHARED, "aa", 1, text), &page, Durability::Cached).unwrap();

    assert_eq!(ledger.get(PageKey::of_place(&LedgerScope::SHARED, "aa", 1, text)).unwrap(), Some(page));
    for other in [
        PageKey::of_place(&LedgerScope::SHARED, "aa", 2, text),
        PageKey::of_place(&LedgerScope::SHARED, "ab", 1, text),
        PageKey::of_place(&LedgerScope::SHARED, "aa", 1, llm),
    ] {
        assert_eq!(ledger.get(other).unwrap(), None);
    }
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_what_is_needed_stays() {
    let dir = tempfile::tempdir().unwrap();
    let blob = LocalBlob::open(dir.path()).unwrap();
    let ledger = Ledger::new(blob.clone());
    let now = Timestamp::now();
    let before = |days: u64| Timestamp::from_millis(now.as_millis() - days * 86_400_000);
    let key = |page| PageKey::of_place(&LedgerScope::SHARED, "aa", page, RecipeHash::of(&"text"));
    let fill = || {
        for page in 1..=10 {
            ledger.put(key(page), &PageOutput::default(), Durability::Cached).unwrap();
            let file = std::fs::File::options().write(true).open(blob.path(&key(page).blob_key()).unwrap()).unwrap();
            // Page 1 was used a day ago, page 10 ten days ago.
            file.set_modified(before(u64::from(page)).into()).unwrap();
        }
    };
    fill();
    let size = blob.modified_and_size(&key(1).blob_key()).unwrap().unwrap().1;
    let left = || -> Vec<u32> {
        (1..=10).filter(|page| blob.modified_and_size(&key(*page).blob_key()).unwrap().is_some()).collect()
    };
    let none = LedgerLimits { bytes: None, age: None };
    for (limits, needed, expected) in [
        (none, now, 10),
        (LedgerLimits { age: Some(Duration::from_hours(24 * 7 + 1)), ..none }, now, 7),
        (LedgerLimits { age: Some(Duration::from_hours(24 * 7)), ..none }, now, 7),
        (LedgerLimits { bytes: Some(4 * size), ..none }, now, 4),
        (LedgerLimits { bytes: Some(4 * size), ..none }, before(6), 6),
        (LedgerLimits { bytes: Some(4 * size), ..none }, before(6).after(USE_GRAIN), 6),
        (LedgerLimits { bytes: Some(0), age: Some(Duration::ZERO) }, now, 0),
    ] {
        fill();
        let trimmed = ledger.trim(limits, now, needed).unwrap();
        assert_eq!(left(), (1..=expected).collect::<Vec<_>>(), "{limits:?}");
        assert_eq!((trimmed.pages, trimmed.bytes), (10 - u64::from(expected), (10 - u64::from(expected)) * size));
    }
    fill();
    for theirs in ["ledger/2024/book.json", "ledger/aa/notes.txt", "ledger/readme"] {
        blob.put(theirs, b"theirs", Durability::Cached).unwrap();
    }
    let all = LedgerLimits { bytes: Some(0), age: Some(Duration::ZERO) };
    ledger.trim(all, now.after(Duration::from_hours(3)), now.after(Duration::from_hours(3))).unwrap();
    assert_eq!(left(), Vec::<u32>::new());
    assert_eq!(blob.names("ledger/aa").unwrap(), ["notes.txt"], "what others have in it stays");
    assert!(blob.get("ledger/2024/book.json").unwrap().is_some() && blob.get("ledger/readme").unwrap().is_some());
    fill();
    ledger.get(key(10)).unwrap();
    ledger
        .trim(
            LedgerLimits { bytes: Some(size), ..none },
            now.after(Duration::from_secs(1)),
            now.after(Duration::from_hours(2)),
        )
        .unwrap();
    assert_eq!(left(), [10], "reading is using");
}

#[test]
fn pages_in_use_are_kept_in_shared_storage() {
    let (dir, [a, b]) = servers();
    let (here, there) = (Ledger::new(a.clone()), Ledger::new(b.clone()));
    let key = |page| PageKey::of_place(&LedgerScope::SHARED, "aa", page, RecipeHash::of(&"llm"));
    let paid = PageOutput { model: Some("m".into()), ..PageOutput::default() };
    let (now, days) = (Timestamp::now(), |days: u64| Duration::from_hours(24 * days));
    let set = |path: std::path::PathBuf, ago| {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(now.before(days(ago)).into()).unwrap();
    };
    let in_shared = |page| b.head_shared(&key(page).blob_key()).unwrap().map(|meta| now.since(meta.modified));
    for page in 1..=3 {
        here.put(key(page), &paid, Durability::Synced).unwrap();
        set(dir.path().join("shared").join(key(page).blob_key()), 30);
        set(a.path(&key(page).blob_key()).unwrap(), 20);
    }
    // Found in the directory, it is used for all servers.
    here.get(key(1)).unwrap().unwrap();
    assert!(in_shared(1).unwrap() < days(1));
    // As if it had been used often, and only the directory knew.
    set(a.path(&key(2).blob_key()).unwrap(), 0);
    here.get(key(2)).unwrap().unwrap();
    assert!(in_shared(2).unwrap() > days(1), "a use is not noted each time");
    let all = LedgerLimits { bytes: Some(0), age: Some(Duration::ZERO) };
    here.trim_shared(all, now, now.before(days(1)), Duration::ZERO).unwrap();
    assert_eq!([1, 2, 3].map(|page| in_shared(page).is_some()), [true, true, false]);
    assert!(there.get_anywhere(key(2)).unwrap().is_some() && in_shared(2).unwrap() < days(1));
    // One server measures for all.
    let again = |every| here.trim_shared(all, now, now.after(days(30)), every).unwrap().pages;
    set(dir.path().join("shared").join(MEASURED), 1);
    assert_eq!((again(days(2)), again(days(1)).min(1)), (0, 1));
    here.put(key(1), &paid, Durability::Synced).unwrap();
    // What costs only CPU stays in its directory, and what others removed stays removed.
    here.put(key(4), &PageOutput::default(), Durability::Cached).unwrap();
    b.remove_everywhere(&key(1).blob_key()).unwrap();
    for page in [1, 4] {
        set(a.path(&key(page).blob_key()).unwrap(), 20);
        here.get(key(page)).unwrap().unwrap();
        assert_eq!(in_shared(page), None);
    }
}

#[test]
fn a_use_is_noted_once_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let blob = LocalBlob::open(dir.path()).unwrap();
    let ledger = Ledger::new(blob.clone());
    let key = PageKey::of_place(&LedgerScope::SHARED, "aa", 1, RecipeHash::of(&"text"));
    ledger.put(key, &PageOutput::default(), Durability::Cached).unwrap();
    let now = Timestamp::now();
    for minutes in [10, 61, 120, 60 * 24 * 10] {
        let used = now.before(Duration::from_mins(minutes));
        let file = File::options().write(true).open(blob.path(&key.blob_key()).unwrap()).unwrap();
        file.set_modified(used.into()).unwrap();
        ledger.get(key).unwrap().unwrap();
        let (noted, _) = blob.modified_and_size(&key.blob_key()).unwrap().unwrap();
        assert_eq!(noted != used, minutes > 60 || span(used) != span(now), "{minutes} minutes");
    }
    // Nor is anything done to pages in storage that there is none of.
    let all = LedgerLimits { bytes: Some(0), age: Some(Duration::ZERO) };
    let later = now.after(Duration::from_hours(1));
    assert_eq!(ledger.trim_shared(all, later, later, Duration::ZERO).unwrap().pages, 0);
    assert_eq!(blob.names("ledger").unwrap().len(), 1);
    assert!(ledger.has(key));
}

#[test]
fn a_page_that_is_used_at_this_moment_is_the_last_to_go() {
    let dir = tempfile::tempdir().unwrap();
    let blob = LocalBlob::open(dir.path()).unwrap();
    let ledger = Ledger::new(blob.clone());
    let now = Timestamp::from_millis(Timestamp::now().as_millis());
    let [old, new] = [1, 2].map(|page| PageKey::of_place(&LedgerScope::SHARED, "a", page, RecipeHash::of(&"text")));
    for (key, used) in [(old, now.before(Duration::from_millis(10_000_001))), (new, now)] {
        ledger.put(key, &PageOutput::default(), Durability::Cached).unwrap();
        let file = File::options().write(true).open(blob.path(&key.blob_key()).unwrap()).unwrap();
        file.set_modified(used.into()).unwrap();
    }
    let size = blob.modified_and_size(&new.blob_key()).unwrap().unwrap().1;
    let limits = LedgerLimits { bytes: Some(size), age: None };
    ledger.trim(limits, now, now.after(Duration::from_secs(1))).unwrap();
    assert_eq!([old, new].map(|key| ledger.has(key)), [false, true]);
}

#[test]
fn either_limit_is_a_limit() {
    for (bytes, hours, none) in [(None, None, true), (Some(0), None, false), (None, Some(0), false)] {
        let age = hours.map(Duration::from_hours);
        assert_eq!(LedgerLimits { bytes, age }.are_none(), none, "{bytes:?} {age:?}");
    }
    assert!(!LedgerLimits::default().are_none());
}

#[test]
fn a_torn_entry_is_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let blob = LocalBlob::open(dir.path()).unwrap();
    let key = PageKey::of_place(&LedgerScope::SHARED, "aa", 1, RecipeHash::of(&"text"));
    for torn in [&b""[..], b"{\"markdown\":\"# h"] {
        blob.put(&key.blob_key(), torn, Durability::Cached).unwrap();
        assert_eq!(Ledger::new(blob.clone()).get(key).unwrap(), None);
    }
}

/// A figure that was lost from a task, is torn there, or stands under another of the page's keys.
#[test]
fn figures_get_their_files_or_their_page_counts_as_not_read() {
    let (_dir, [here, there]) = servers();
    let ledger = Ledger::new(here.clone());
    let [first, second] = ["aa", "bb"].map(|source| {
        let recipe = RecipeHash::of(&"llm");
        PageKey::of_place(&LedgerScope::SHARED, source, 1, recipe)
    });
    let [png, jpeg] = [(&b"pixels"[..], ImageKind::Png), (b"of a figure", ImageKind::Jpeg)]
        .map(|(bytes, kind)| ImageBytes { name: ImageName::of(bytes, kind), bytes: bytes.into() });
    let figure =
        |of: &ImageBytes| FigureFile { name: of.name.clone(), width: 1, height: 1, bytes: of.bytes.len() as u64 };
    let mut page = PageOutput { image_files: vec![png.clone(), jpeg.clone()], ..PageOutput::default() };
    page.content.images = vec![figure(&png), figure(&jpeg)];
    Ledger::new(there.clone()).put(second, &page, Durability::Synced).unwrap();
    let give = |again| ledger.give_images(&[first, second], &page, (&here, "tasks/x"), again).unwrap();
    let place = |of: &ImageBytes| format!("tasks/x/{}", names::task_image(&of.name));
    let whole = || [&png, &jpeg].map(|of| here.get(&place(of)).unwrap().as_deref() == Some(&*of.bytes));

    here.put("tasks/x/source.pdf", b"pdf", Durability::Cached).unwrap();
    assert_eq!((give(false), whole()), (Some(17), [true, true]), "both come from what another server keeps");
    assert_eq!((give(false), give(true)), (Some(0), Some(0)), "they are there");
    here.put(&place(&png), b"cut", Durability::Cached).unwrap();
    assert_eq!((give(false), whole()), (Some(6), [true, true]), "its length says that it is not whole");
    here.put(&place(&png), b"slexip", Durability::Cached).unwrap();
    assert_eq!((give(false), whole()), (Some(0), [false, true]), "at a glance it is");
    assert_eq!((give(true), whole()), (Some(6), [true, true]));
    for blob in [&here, &there] {
        blob.remove_everywhere(&second.image_key(&jpeg.name)).unwrap();
    }
    assert_eq!(give(true), Some(0), "the task has its own");
    here.put(&place(&jpeg), b"cut", Durability::Cached).unwrap();
    assert_eq!(give(false), None);
    assert_eq!(here.get(&place(&jpeg)).unwrap(), None, "half a figure is worse than none");
}
