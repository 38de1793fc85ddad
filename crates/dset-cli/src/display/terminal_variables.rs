//! What the environment says of the terminal and of the people before it: the one place outside
//! `layers` that reads variables. None of them is a setting.

use std::path::PathBuf;

/// Tells whether the terminal cannot redraw a line.
pub(crate) fn is_dumb() -> bool {
    is("TERM", "dumb")
}

/// Tells whether the locale can show more than ASCII.
pub(crate) fn is_utf8() -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Returns how many columns a line may have, where the shell hands that on.
pub(crate) fn columns() -> Option<usize> {
    variable("COLUMNS")?.parse().ok()
}

/// Returns the pager that is wanted; set and empty, there is none.
pub(crate) fn pager() -> Option<String> {
    variable("PAGER")
}

/// Tells whether the user has options for `less`.
pub(crate) fn has_less_options() -> bool {
    std::env::var_os("LESS").is_some()
}

/// Tells whether the terminal has a title; the Linux console has none.
pub(crate) fn has_title() -> bool {
    !is("TERM", "linux")
}

/// Tells whether the terminal shows progress in the taskbar or the tab; others would show it as a
/// message.
pub(crate) fn has_progress() -> bool {
    let is_iterm = is("TERM_PROGRAM", "iTerm.app")
        && variable("TERM_FEATURES").is_some_and(|features| features.contains('P'));
    std::env::var_os("WT_SESSION").is_some_and(|found| !found.is_empty())
        || is("ConEmuANSI", "ON")
        || is("TERM_PROGRAM", "WezTerm")
        || is("TERM_PROGRAM", "ghostty")
        || is_iterm
}

fn is(name: &str, value: &str) -> bool {
    variable(name).is_some_and(|found| found == value)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the program that shows pages, where somebody names one.
#[cfg(feature = "view")]
pub(crate) fn browser() -> Option<String> {
    variable("BROWSER").filter(|name| !name.is_empty())
}

/// Returns the folder for files that can be made again.
pub(crate) fn cache_folder() -> PathBuf {
    let of = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || of("HOME").map(|home| home.join(".cache"));
    of("XDG_CACHE_HOME").or_else(home).unwrap_or_else(std::env::temp_dir).join("dset")
}
