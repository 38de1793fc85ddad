//! How many files the process may have open, connections among them.
//!
//! Every ask under way has a connection of its own, so the width of a run cannot pass this limit.
//! Many systems start programs with a soft limit of 256 or 1,024 and a much higher hard one, which
//! a program may take without any rights.

/// The most that macOS grants where the hard limit says that there is none (`OPEN_MAX`).
#[cfg(unix)]
const GRANTED_WITHOUT_LIMIT: u64 = 10_240;

/// Raises the soft limit of open files to the hard one, and returns the limit that holds then.
///
/// `None` where the system has no such limit, as on Windows. Never fails: what cannot be raised
/// stays, and is returned.
pub fn raise_open_files_max() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // Without a soft limit there is nothing to raise.
        current?;
        let wanted = [maximum, Some(GRANTED_WITHOUT_LIMIT)];
        for soft in wanted.into_iter().filter(|&soft| soft.is_none() || soft > current) {
            if setrlimit(Resource::Nofile, Rlimit { current: soft, maximum }).is_ok() {
                break;
            }
        }
        getrlimit(Resource::Nofile).current
    }
    #[cfg(not(unix))]
    None
}

/// Returns the soft limit of open files as it is; `None` where the system has no such limit.
#[must_use]
pub fn open_files_max() -> Option<u64> {
    #[cfg(unix)]
    {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    }
    #[cfg(not(unix))]
    None
}

/// What a command has open at most beside its connections and what it was started with: the store
/// with its log, the outputs, locks, copies that take a file's place, the runtime's own.
#[cfg(unix)]
const FILES_NEEDED: usize = 24;

/// Opens as many files as a command needs, and closes them again; fails where they are too many.
pub fn try_files_needed() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        raise_open_files_max();
        let opened = std::iter::repeat_with(|| std::fs::File::open("/dev/null"));
        opened.take(FILES_NEEDED).collect::<std::io::Result<Vec<_>>>()?;
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        let maximum = before.maximum.map_or(4096, |hard| hard.min(4096));
        let low = Rlimit { current: Some(maximum - 1), maximum: before.maximum };
        setrlimit(Resource::Nofile, low).unwrap();
        let raised = raise_open_files_max();
        assert_eq!(raised, getrlimit(Resource::Nofile).current);
        assert!(raised.is_none_or(|raised| raised >= maximum), "{raised:?}");
        // A second time there is nothing to raise.
        assert_eq!(raise_open_files_max(), raised);
    }
}
