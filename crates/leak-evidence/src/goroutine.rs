//! What goroutines wait for.

use serde::Serialize;

use crate::profile::{Frame, Profile};

/// What a goroutine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Sends to a channel.
    Send,
    /// Receives from a channel.
    Receive,
    /// Waits in a `select`.
    Select,
    /// Waits in `select {}`, or for a nil channel.
    Forever,
    /// Waits for a `sync.Mutex`.
    Mutex,
    /// Waits for a `sync.RWMutex`.
    RwMutex,
    /// Waits for a `sync.WaitGroup`.
    WaitGroup,
    /// Waits for a `sync.Cond`.
    Cond,
    /// Waits for a file or connection.
    Io,
    /// Sleeps.
    Sleep,
    /// Is in a system call.
    Syscall,
    /// Runs or could run.
    Running,
    /// Belongs to the runtime.
    Runtime,
    /// Something else, or not known.
    Unknown,
}

impl Operation {
    /// In a sentence: "12 goroutines …".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Send => "blocked sending to a channel",
            Self::Receive => "blocked receiving from a channel",
            Self::Select => "blocked in select",
            Self::Forever => "blocked for ever",
            Self::Mutex => "waiting for a mutex",
            Self::RwMutex => "waiting for a read-write mutex",
            Self::WaitGroup => "waiting for a wait group",
            Self::Cond => "waiting for a condition variable",
            Self::Io => "waiting for input or output",
            Self::Sleep => "sleeping",
            Self::Syscall => "in a system call",
            Self::Running => "running",
            Self::Runtime => "of the runtime",
            Self::Unknown => "waiting",
        }
    }

    /// It ends by itself or by what happens outside the program, so that many of them prove nothing.
    pub fn is_innocent(self) -> bool {
        matches!(
            self,
            Self::Io | Self::Sleep | Self::Syscall | Self::Running | Self::Runtime
        )
    }

    /// From the status in a dump.
    pub fn of_status(status: &str) -> Self {
        match status.strip_suffix(" (durable)").unwrap_or(status) {
            "chan send" => Self::Send,
            "chan receive" => Self::Receive,
            "select" => Self::Select,
            "select (no cases)" | "chan send (nil chan)" | "chan receive (nil chan)" => {
                Self::Forever
            }
            "sync.Mutex.Lock" => Self::Mutex,
            "sync.RWMutex.RLock" | "sync.RWMutex.Lock" => Self::RwMutex,
            "sync.WaitGroup.Wait" => Self::WaitGroup,
            "sync.Cond.Wait" => Self::Cond,
            "IO wait" => Self::Io,
            "sleep" => Self::Sleep,
            "syscall" => Self::Syscall,
            "running" | "runnable" | "copystack" | "preempted" => Self::Running,
            "finalizer wait" | "force gc (idle)" | "cleanup wait" | "trace reader (blocked)" => {
                Self::Runtime
            }
            status if status.starts_with("GC ") || status.starts_with("GOMAXPROCS") => {
                Self::Runtime
            }
            _ => Self::Unknown,
        }
    }

    /// From a frame near the leaf; `None` if it does not tell.
    pub(crate) fn of_frame(profile: &Profile, frame: Frame) -> Option<Self> {
        let function = profile.text(frame.function);
        let name = function
            .strip_prefix("runtime.")
            .or_else(|| function.strip_prefix("sync.runtime_"))
            .or_else(|| function.strip_prefix("internal/poll.runtime_"))
            .or_else(|| function.strip_prefix("internal/sync.runtime_"))
            .or_else(|| {
                function
                    .strip_prefix("time.")
                    .filter(|name| *name == "Sleep")
            })?;
        Some(match name {
            "chansend" | "chansend1" => Self::Send,
            "chanrecv" | "chanrecv1" | "chanrecv2" => Self::Receive,
            "selectgo" => Self::Select,
            "block" => Self::Forever,
            "netpollblock" | "pollWait" => Self::Io,
            "SemacquireMutex" => Self::Mutex,
            "SemacquireRWMutex" | "SemacquireRWMutexR" => Self::RwMutex,
            "SemacquireWaitGroup" => Self::WaitGroup,
            "notifyListWait" => Self::Cond,
            "timeSleep" | "Sleep" => Self::Sleep,
            _ => return None,
        })
    }
}
