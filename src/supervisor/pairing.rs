//! Which task store the files of a directory belong to. Two stores over one directory would each take the other's tasks
//! for lost and run them, so a directory belongs to one store, which its marker names, and a server with another one
//! does not start.
//!
//! | the directory belongs to | the store | what happens |
//! |---|---|---|
//! | none yet | has a name | the directory is given to it |
//! | none yet | has none | the store gets a name, and the directory is given to it |
//! | a store | has its name | they go together |
//! | a store | has another name | refused |
//! | a store | has none, and is where that store was | it was emptied: it gets its name back, and its records from the folders |
//! | a store | has none, and is elsewhere or of another kind | refused; with `--rebuild` it takes that store's place |
//!
//! Nor does a server start whose store has other servers that live and have their files elsewhere.
//!
//! A store that ends with its process, as that of a single command, has no name and goes with any directory.

use uuid::Uuid;

use crate::blob::{LocalBlob, StoreMark};
use crate::store::{StoreError, StoreIdentity, TaskStore};
use crate::supervisor::nodes;

/// How often the marker is looked at again when another process changes it.
const RACES: usize = 8;

/// Why a store and a directory do not go together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// They belong to others.
    #[error("{0}")]
    Refused(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory's marker cannot be read or written.
    #[error("the marker of the blob directory: {0}")]
    Blob(#[from] std::io::Error),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Pairing {
    /// The directory is given to the store of this name.
    Give(Uuid),
    /// The store gets this name, or a new one, and the directory is given to it.
    Name(Option<Uuid>),
    Refuse,
}

/// The table above. Pure.
fn decide(mark: Option<&StoreMark>, store: &StoreIdentity, rebuild: bool) -> Pairing {
    match (mark, store.id) {
        (None, Some(id)) => Pairing::Give(id),
        (None, None) => Pairing::Name(None),
        (Some(mark), Some(id)) if mark.id == id => Pairing::Give(id),
        (Some(_), Some(_)) => Pairing::Refuse,
        (Some(mark), None) if mark.kind == store.kind && mark.places.contains(&store.place) => {
            Pairing::Name(Some(mark.id))
        }
        // A new name, so that the store whose place is taken is not mistaken for this one.
        (Some(_), None) if rebuild => Pairing::Name(None),
        (Some(_), None) => Pairing::Refuse,
    }
}

/// Makes sure that `store` is the one that the files in `blob` belong to. With `rebuild`, an empty store may take the
/// place of another one.
///
/// # Errors
/// [`PairingError`]; its message says what to do.
pub async fn pair(store: &dyn TaskStore, blob: &LocalBlob, rebuild: bool) -> Result<(), PairingError> {
    for _ in 0..RACES {
        let Some(identity) = store.identity().await? else { return Ok(()) };
        let mark = blob.store()?;
        let pairing = decide(mark.as_ref(), &identity, rebuild);
        // Before anything belongs to what it may not stay with.
        if pairing != Pairing::Refuse && store.lease().is_some() {
            refuse_apart(store, blob).await?;
        }
        // The store first: a directory must not belong to a store that does not know its own name.
        let id = match pairing {
            Pairing::Give(id) => id,
            Pairing::Name(id) => store.name(id.unwrap_or_else(Uuid::now_v7)).await?,
            Pairing::Refuse => return Err(PairingError::Refused(refusal(mark.as_ref(), &identity))),
        };
        let places = mark.as_ref().filter(|mark| mark.id == id).map_or_else(Vec::new, |mark| mark.places.clone());
        let next = StoreMark { kind: identity.kind.into(), id, places }.seen_at(&identity.place);
        if blob.give_to_store(mark.as_ref(), next.clone())? == Some(next) {
            return Ok(());
        }
    }
    Err(PairingError::Refused("other servers are changing the marker of the blob directory: try again".into()))
}

/// Refuses a store whose living servers have their files elsewhere: each would take the others' tasks without having them.
async fn refuse_apart(store: &dyn TaskStore, blob: &LocalBlob) -> Result<(), PairingError> {
    let said = store.nodes().await?;
    let apart = nodes::apart(&said, &blob.storage()?);
    if apart.is_empty() {
        return Ok(());
    }
    Err(PairingError::Refused(format!(
        "{} has its files elsewhere and uses this task store: servers of one store share their files, so give all of them one \
         --data-dir that they can all reach, or one --blob; one that was killed counts until its lease has ended",
        apart.join(", ")
    )))
}

fn refusal(mark: Option<&StoreMark>, store: &StoreIdentity) -> String {
    let theirs = mark.map_or_else(String::new, |mark| {
        let place = mark.places.last().map(|place| format!(" at {place}")).unwrap_or_default();
        format!("{}{place}", mark.kind)
    });
    let advice = if store.id.is_none() {
        "use that store, or another directory; if that store is lost or given up, start once with --rebuild, which brings \
         the tasks into this one"
    } else {
        "use that store, or another directory"
    };
    format!(
        "the tasks in the blob directory belong to another task store ({theirs}), not to {} at {}: {advice}",
        store.kind, store.place
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::EmbeddedStore;

    #[test]
    fn what_goes_together() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mark = |kind: &str| Some(StoreMark { kind: kind.into(), id: one, places: vec!["a".into(), "b".into()] });
        for (mark, place, id, rebuild, expected) in [
            (None, "a", Some(two), false, Pairing::Give(two)),
            (None, "a", None, false, Pairing::Name(None)),
            (mark("redis"), "x", Some(one), false, Pairing::Give(one)),
            (mark("redis"), "a", Some(two), false, Pairing::Refuse),
            (mark("redis"), "a", Some(two), true, Pairing::Refuse),
            (mark("redis"), "a", None, false, Pairing::Name(Some(one))),
            (mark("redis"), "b", None, true, Pairing::Name(Some(one))),
            (mark("redis"), "x", None, false, Pairing::Refuse),
            (mark("redis"), "x", None, true, Pairing::Name(None)),
            (mark("embedded"), "a", None, false, Pairing::Refuse),
            (mark("embedded"), "a", None, true, Pairing::Name(None)),
        ] {
            let store = StoreIdentity { kind: "redis", place: place.into(), id };
            assert_eq!(decide(mark.as_ref(), &store, rebuild), expected, "{mark:?} {store:?} {rebuild}");
        }
    }

    #[tokio::test]
    async fn a_directory_belongs_to_the_first_store_that_uses_it() {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let blob = LocalBlob::open(dirs[0].path()).unwrap();
        let [own, other] = [&dirs[1], &dirs[2]].map(|dir| EmbeddedStore::open(dir.path()).unwrap());
        let memory = EmbeddedStore::in_memory().unwrap();
        pair(&memory, &blob, false).await.unwrap();
        assert_eq!(blob.store().unwrap(), None, "a store without a name leaves no trace");
        for _ in 0..2 {
            pair(&own, &blob, false).await.unwrap();
        }
        let places = |blob: &LocalBlob| blob.store().unwrap().unwrap().places;
        assert_eq!(places(&blob).len(), 1);
        let moved = StoreMark { places: vec!["elsewhere".into()], ..blob.store().unwrap().unwrap() };
        blob.give_to_store(blob.store().unwrap().as_ref(), moved).unwrap();
        pair(&own, &blob, false).await.unwrap();
        assert_eq!(places(&blob).len(), 2, "where it was before stays known");
        pair(&memory, &blob, false).await.unwrap();
        let refused = pair(&other, &blob, false).await.unwrap_err().to_string();
        assert!(refused.contains("another task store") && refused.contains("--rebuild"), "{refused}");
        assert_eq!(blob.store().unwrap().unwrap().id, own.identity().await.unwrap().unwrap().id.unwrap());
        pair(&other, &blob, true).await.unwrap();
        assert_eq!(places(&blob).len(), 1, "the places of another store are not its own");
        let refused = pair(&own, &blob, true).await.unwrap_err().to_string();
        assert!(!refused.contains("--rebuild"), "what has tasks of its own takes no other's place: {refused}");
    }
}
