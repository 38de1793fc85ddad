//! What becomes of a run when one of its threads dies of a fault of ours.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does some work of a thread; a panic in it becomes an error, so that a caller that waits for the
/// thread gets it instead of waiting for ever.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    // Whatever the work was on is not used again: the run ends.
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| io::Error::other("a part of dset has died; this is a fault of dset"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_whose_fault_it_is() {
        assert_eq!(catch_panic(|| 7).unwrap(), 7);
        let died = catch_panic(|| panic!("on purpose")).unwrap_err();
        assert!(died.to_string().contains("a fault of dset"), "{died}");
    }
}
