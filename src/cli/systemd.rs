//! What the service manager is told: systemd's notification protocol, a datagram of lines (`sd_notify(3)`).

use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::MissedTickBehavior;

/// The longest that the manager may take to read a message.
const UNREAD: Duration = Duration::from_secs(1);

/// The service manager that has started this process; none where it was started by hand.
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that the process lives.
    watchdog: Option<Duration>,
}

impl Manager {
    /// What the variables say that a manager sets: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`. `own` is this process.
    /// A manager that cannot be reached is one line of the log: the server serves all the same.
    pub fn of(env: impl Fn(&str) -> Option<String>, own: u32) -> Self {
        let Some(path) = env("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Self { socket: None, watchdog: None };
        };
        let socket = connect(&path).map_err(|why| log::warn!("NOTIFY_SOCKET cannot be used: {why:#}")).ok();
        Self { socket, watchdog: watchdog(env, own) }
    }

    /// Requests are accepted from now on.
    pub fn ready(&self, addresses: &str) {
        self.tell(&format!("READY=1\nSTATUS=listens on {addresses}"));
    }

    /// The files with keys are being read again, until the next [`Self::reloaded`].
    pub fn reloading(&self) {
        // The time tells the manager which reload this one is.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
    }

    /// They are read.
    pub fn reloaded(&self) {
        self.tell("READY=1");
    }

    /// The process ends within `limit`, however soon the manager would else kill it.
    pub fn stopping(&self, limit: Duration) {
        self.tell(&format!("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC={}", limit.as_micros()));
    }

    /// Says again and again that the process lives, where that is asked for: as long as `lives` says so. One that answers
    /// nothing any more is killed and started again.
    pub async fn keep_alive(&self, lives: impl AsyncFn() -> bool) {
        let Some(limit) = self.watchdog.filter(|_| self.socket.is_some()) else { return };
        // Twice as often as it must be heard (`sd_watchdog_enabled(3)`).
        let mut tick = tokio::time::interval(limit / 2);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if lives().await {
                self.tell("WATCHDOG=1");
            }
        }
    }

    fn tell(&self, message: &str) {
        let Some((socket, address)) = &self.socket else { return };
        if let Err(why) = socket.send_to_addr(message.as_bytes(), address) {
            log::warn!("the service manager is not told {}: {why}", message.lines().next().unwrap_or_default());
        }
    }
}

fn connect(path: &str) -> anyhow::Result<(UnixDatagram, SocketAddr)> {
    let address = match path.split_at_checked(1) {
        Some(("/", _)) => SocketAddr::from_pathname(path).with_context(|| path.to_owned())?,
        Some(("@", name)) => abstract_address(name).with_context(|| path.to_owned())?,
        _ => bail!("{path} is neither a path nor an abstract socket"),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(UNREAD))?;
    Ok((socket, address))
}

/// A name that is no file, as it is written in the variable behind an `@` (unix(7)).
#[cfg(target_os = "linux")]
fn abstract_address(name: &str) -> std::io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &str) -> std::io::Result<SocketAddr> {
    Err(std::io::Error::other("only Linux has abstract sockets"))
}

fn watchdog(env: impl Fn(&str) -> Option<String>, own: u32) -> Option<Duration> {
    // It may have been asked of a process that has started this one.
    let is_meant = env("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(own));
    let limit = env("WATCHDOG_USEC").and_then(|limit| limit.parse().ok()).filter(|limit: &u64| *limit > 1);
    limit.filter(|_| is_meant).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn manager(pid: &str) -> (Manager, UnixDatagram) {
        let name = format!("bindery-watchdog-{pid}-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&abstract_address(&name).unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let env = |variable: &str| match variable {
            "NOTIFY_SOCKET" => Some(format!("@{name}")),
            "WATCHDOG_USEC" => Some("2000000".to_owned()),
            "WATCHDOG_PID" => Some(pid.to_owned()),
            _ => None,
        };
        (Manager::of(env, 7), socket)
    }

    fn heard(socket: &UnixDatagram) -> usize {
        std::iter::from_fn(|| socket.recv(&mut [0; 64]).ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_no_longer_lives_is_silent() {
        let (manager, socket) = manager("7");
        let lives = Cell::new(true);
        let telling = manager.keep_alive(async || lives.get());
        let told = async {
            tokio::time::sleep(Duration::from_millis(5_500)).await;
            assert_eq!(heard(&socket), 6);
            lives.set(false);
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(heard(&socket), 0);
        };
        tokio::select! {
            () = telling => panic!("it goes on"),
            () = told => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_process_is_asked_for_is_not_told() {
        let (manager, socket) = manager("8");
        manager.keep_alive(async || true).await;
        assert_eq!(heard(&socket), 0);
    }
}
