//! Whether a folder is in a git repository, and whether that leaves `.env` out.
//!
//! Git itself is not asked: in a downloaded folder it may run programs that the folder names.

use std::path::Path;

/// Lines of `.gitignore` that leave out `.env`; the last of all that name it decides.
const RULES: [&str; 7] = [".env", "/.env", "**/.env", ".env*", "*.env", "/.env*", "**/.env*"];

/// Tells whether a folder is in a git repository.
pub(crate) fn is_within(folder: &Path) -> bool {
    let Ok(folder) = std::path::absolute(folder) else { return false };
    folder.ancestors().any(is_root)
}

/// Tells whether the `.gitignore` of a folder, or of one above it in the same repository, leaves
/// `.env` out. Patterns of other shapes are not understood, and leave nothing out.
pub(crate) fn ignores_dot_env(folder: &Path) -> bool {
    let Ok(folder) = std::path::absolute(folder) else { return false };
    for (depth, above) in folder.ancestors().enumerate() {
        // Git does not follow a link there.
        let rules = above.join(".gitignore");
        let is_file = std::fs::symlink_metadata(&rules).is_ok_and(|about| about.is_file());
        let text = if is_file { fs_err::read_to_string(rules) } else { Ok(String::new()) };
        let text = text.unwrap_or_default();
        let names = |line: &&str| {
            let rule = line.trim_start_matches('!');
            RULES.contains(&rule) && (depth == 0 || !rule.starts_with('/'))
        };
        if let Some(rule) = text.lines().map(str::trim).rfind(names) {
            return !rule.starts_with('!');
        }
        if is_root(above) {
            return false;
        }
    }
    false
}

fn is_root(folder: &Path) -> bool {
    folder.join(".git").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_that_names_it_decides_up_to_the_root_of_the_repository() {
        let top = tempfile::tempdir().unwrap();
        let (root, inner) = (top.path().join("repository"), top.path().join("repository/a/b"));
        fs_err::create_dir_all(&inner).unwrap();
        let write = |folder: &Path, text: &str| fs_err::write(folder.join(".gitignore"), text);
        write(top.path(), ".env\n").unwrap();
        fs_err::create_dir(root.join(".git")).unwrap();
        assert!(is_within(&inner) && !ignores_dot_env(&inner), "beyond the root nothing counts");
        write(&root, "/.env\n*.env\r\n").unwrap();
        assert!(ignores_dot_env(&inner));
        write(&root, "/.env\n").unwrap();
        assert!(ignores_dot_env(&root) && !ignores_dot_env(&inner));
        write(&root, "*.env\n").unwrap();
        write(&inner, ".env\n!.env\n").unwrap();
        assert!(!ignores_dot_env(&inner));
    }
}
