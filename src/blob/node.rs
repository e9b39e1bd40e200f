//! A name for a process that no other living process on the same blob store has.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::LocalBlob;
use crate::private_fs;

/// The name of a living process. It is free again when the process ends, however that comes: it is a locked file
/// (`flock(2)`), and the file says who had it.
///
/// So the process that gets a name knows that every process that had it before is dead, and may take over what they left at once.
#[derive(Debug)]
pub struct NodeName {
    owner: String,
    predecessor: Option<String>,
    _alive: File,
}

/// How many processes of one wished name find one of their own by counting up.
const MOST: u32 = 1_000;

impl NodeName {
    /// `<node>#<unique>`: a name for this process that no process ever had or will have.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The process that had this name last, where there was one. It is dead.
    #[must_use]
    pub fn predecessor(&self) -> Option<&str> {
        self.predecessor.as_deref()
    }
}

impl LocalBlob {
    /// Takes the name `wanted`, or when it is taken `wanted-2`, `wanted-3` and so on. Characters that a file name
    /// cannot have everywhere become `_`. Where servers share storage but no directory, the locks of one say nothing of
    /// the others, and the name gets eight hex digits more that no other machine has.
    ///
    /// # Errors
    /// When the lock files cannot be made.
    pub(crate) fn take_name(&self, wanted: &str) -> io::Result<NodeName> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let mut wanted: String = wanted.chars().map(plain).take(100).collect();
        if self.is_shared() {
            // A directory that was copied with its machine, as from an image, is told apart by the machine's name.
            let host = rustix::system::uname();
            let of_machine = Sha256::new().chain_update(self.machine()?).chain_update(host.nodename().to_bytes());
            wanted = format!("{wanted}-{}", &super::hex(&of_machine.finalize())[..8]);
        }
        private_fs::make_folder(&self.path("nodes")?)?;
        for number in 1..=MOST {
            let node = if number == 1 { wanted.clone() } else { format!("{wanted}-{number}") };
            let path = self.path(&format!("nodes/{node}.lock"))?;
            let options = &mut File::options();
            let mut file = private_fs::open(&path, options.create(true).truncate(false).read(true).write(true))?;
            match file.try_lock() {
                Ok(()) => {
                    let mut said = Vec::new();
                    (&mut file).take(1_000).read_to_end(&mut said)?;
                    let said = String::from_utf8_lossy(&said);
                    // A file of others is no name of ours.
                    if !said.is_empty() && !said.strip_prefix(&node).is_some_and(|rest| rest.starts_with('#')) {
                        continue;
                    }
                    let predecessor = (!said.is_empty()).then(|| said.into_owned());
                    file.rewind()?;
                    let owner = format!("{node}#{}", Uuid::now_v7().simple());
                    file.set_len(0)?;
                    file.write_all(owner.as_bytes())?;
                    return Ok(NodeName { owner, predecessor, _alive: file });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other("too many processes have this name"))
    }

    /// What tells where the files of tasks are from where those of other servers are, that may be on other machines: equal for
    /// servers of one directory, and for those that have none of their own.
    ///
    /// # Errors
    /// When the directory's mark cannot be read or made.
    pub(crate) fn storage(&self) -> io::Result<String> {
        if self.is_shared() { Ok("shared".into()) } else { self.machine() }
    }

    /// Whether a process other than `owner` may live on this blob store. With shared storage one may at any time, on
    /// another machine.
    ///
    /// # Errors
    /// When the lock files cannot be asked.
    pub(crate) fn has_others(&self, owner: &str) -> io::Result<bool> {
        if self.is_shared() {
            return Ok(true);
        }
        let own = owner.split_once('#').map_or(owner, |(node, _)| node);
        for name in self.names("nodes")? {
            let Some(node) = name.strip_suffix(".lock").filter(|node| *node != own) else { continue };
            if let Some(file) = self.reader(&format!("nodes/{node}.lock"))? {
                match file.try_lock_shared() {
                    Ok(()) => {}
                    Err(TryLockError::WouldBlock) => return Ok(true),
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
        }
        Ok(false)
    }

    /// Whether the process that is, or was, `owner` still has its name.
    ///
    /// # Errors
    /// When the lock file is there and cannot be asked.
    pub(crate) fn is_alive(&self, owner: &str) -> io::Result<bool> {
        let Some((node, _)) = owner.split_once('#') else { return Ok(false) };
        let Some(mut file) = self.reader(&format!("nodes/{node}.lock"))? else { return Ok(false) };
        match file.try_lock_shared() {
            Ok(()) => return Ok(false),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut current = String::new();
        file.rewind()?;
        file.read_to_string(&mut current)?;
        Ok(current == owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &NodeName) -> &str {
        name.owner().split('#').next().unwrap()
    }

    #[test]
    fn a_name_has_one_living_bearer() {
        let dir = tempfile::tempdir().unwrap();
        let blob = LocalBlob::open(dir.path()).unwrap();
        let first = blob.take_name("a/b").unwrap();
        let second = blob.take_name("a/b").unwrap();
        assert_eq!((node(&first), node(&second)), ("a_b", "a_b-2"));
        let was = first.owner().to_owned();
        assert!(blob.has_others(&was).unwrap() && blob.has_others(second.owner()).unwrap());
        assert!(blob.is_alive(&was).unwrap() && blob.is_alive(second.owner()).unwrap());
        assert!(!blob.is_alive("a_b#other").unwrap() && !blob.is_alive("none#1").unwrap());
        drop(first);
        assert!(!blob.is_alive(&was).unwrap() && !blob.has_others(second.owner()).unwrap());
        let successor = blob.take_name("a/b").unwrap();
        assert_eq!(node(&successor), "a_b", "the first free one");
        assert_eq!((successor.predecessor(), second.predecessor()), (Some(&*was), None));
        assert!(!blob.is_alive(&was).unwrap(), "the same node, another process");
        std::fs::write(blob.path("nodes/theirs.lock").unwrap(), b"4711").unwrap();
        assert_eq!(node(&blob.take_name("theirs").unwrap()), "theirs-2");
        assert_eq!(std::fs::read(blob.path("nodes/theirs.lock").unwrap()).unwrap(), b"4711");
    }
}
