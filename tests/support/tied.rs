//! Ties processes to the life of the test that starts them: a test that is killed leaves nothing running.

use std::io;

/// A command whose process the kernel kills when the thread that starts it is gone. A test starts its processes on its
/// own thread, or on one of a runtime that ends with it, and a test that is killed has no thread left.
pub trait Tied {
    fn tied(&mut self) -> &mut Self;
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> io::Result<()> {
    Ok(())
}

impl Tied for std::process::Command {
    fn tied(&mut self) -> &mut Self {
        use std::os::unix::process::CommandExt;
        #[allow(unsafe_code, reason = "between fork and exec one system call is made, prctl(2)")]
        // SAFETY: nothing is allocated or locked.
        unsafe {
            self.pre_exec(die_with_parent)
        }
    }
}

impl Tied for tokio::process::Command {
    fn tied(&mut self) -> &mut Self {
        self.as_std_mut().tied();
        self
    }
}
