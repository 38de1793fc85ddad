//! How memory is given back.

/// Has large blocks given back to the system as soon as they are free. The GNU C library keeps them otherwise, more the
/// larger the blocks that were freed, and for each thread: a process that works through lists of all records would hold
/// several times what it uses.
pub fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(
        unsafe_code,
        reason = "the C library's setting has no other form; it takes two numbers"
    )]
    // A block of this size is mapped by itself; said once, the size stays what it is.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}
