//! The viewer as a folder of plain files, for a part of the records: to be put on any web server, where
//! the page works out for itself (`files.js`) what the program answers otherwise.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dset_engine::os::files::folder_of;
use dset_engine::os::folders::{put_folder, temporary_folder_in};
use dset_engine::view::browse::{BrowseError, Browser, Filter, ListedRecord};
use serde_json::{Value, json};

use crate::address::{Query, QueryError};
use crate::assets::ASSETS;

/// Records of a folder, at most: a page reads the list of all of them before it shows the first.
pub const RECORDS_MAX: u64 = 20_000;
/// Bytes of questions in one file, about.
const PART_BYTES: usize = 1 << 20;

/// What tells a folder of ours from one of somebody else's.
const MARK: &str = "dset-view.json";
/// The folder of what is shown.
const DATA: &str = "data";

/// A folder to be written.
#[derive(Debug)]
pub struct Folder<'a> {
    /// The records.
    pub browser: &'a Browser,
    /// `dset status --json`.
    pub status: &'a Value,
    /// `dset stats --json`.
    pub stats: &'a Value,
    /// Which of them.
    pub filter: &'a Filter,
}

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The records cannot be read, or the filter is none.
    #[error(transparent)]
    Browse(#[from] BrowseError),
    /// There are more records than a page reads.
    #[error("there are {0} records, and a folder has {RECORDS_MAX} at most")]
    TooMany(u64),
    /// The filter lets nothing through.
    #[error("there are no such records")]
    Nothing,
    /// Something is there that dset did not write.
    #[error("`{}` holds what dset did not write: `{name}`", .folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// The first of what is foreign in it.
        name: String,
    },
    /// It cannot be written.
    #[error("cannot write `{}`: {error}", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Reads a filter as it stands in the address of a page, of which the whole may be given.
pub fn read_filter(query: &str) -> Result<Filter, QueryError> {
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    Ok(Query::read(query)?.filter)
}

/// Fails unless a folder may be replaced: there is none, it is empty, or all of it is ours.
fn check(to: &Path) -> Result<(), FolderError> {
    let entries = match fs::read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| FolderError::Io { path: to.to_owned(), error })?,
    };
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let foreign = |name: &str| FolderError::Foreign { folder: to.to_owned(), name: name.into() };
    let Some(first) = names.first() else { return Ok(()) };
    if !names.iter().any(|name| name == MARK) {
        return Err(foreign(first));
    }
    let is_ours = |name: &String| {
        let mut own = ASSETS.iter().map(|asset| asset.path.split('/').next().unwrap_or_default());
        name == MARK || name == DATA || own.any(|own| own == name)
    };
    names.iter().find(|name| !is_ours(name)).map_or(Ok(()), |name| Err(foreign(name)))
}

impl Folder<'_> {
    /// Writes it whole or not at all, in the place of an earlier one, and returns how many records it
    /// has.
    pub fn write(&self, to: &Path) -> Result<u64, FolderError> {
        check(to)?;
        // The page puts them in order itself, and what is wrong with the order is said here.
        self.browser.list(self.filter, 0, 0)?;
        let filter = Filter { sort: None, descending: false, ..self.filter.clone() };
        let count = self.browser.list(&filter, 0, 0)?.count;
        match count {
            0 => return Err(FolderError::Nothing),
            count if count > RECORDS_MAX => return Err(FolderError::TooMany(count)),
            _ => {}
        }
        let failed = |error| FolderError::Io { path: to.to_owned(), error };
        fs::create_dir_all(folder_of(to)).map_err(failed)?;
        let made = temporary_folder_in(folder_of(to)).map_err(failed)?;
        write_assets(made.path()).map_err(failed)?;
        let requests = self.browser.requests();
        let for_all = requests.first().filter(|request| !request.system_is_template);
        let system = for_all.and_then(|request| request.system.as_deref());
        let (folder, browser) = (made.path(), self.browser);
        let writer = Writer { folder, browser, filter: &filter, system };
        let records = self.browser.list_all(&filter)?;
        let parts = writer.questions(&records).map_err(|error| error.of(to))?;
        let mut overview = json!(self.browser.overview()?);
        overview["input"] = self.status["input"].clone();
        overview["output"] = self.status["output"].clone();
        let run = json!({ "overview": overview, "status": self.status, "stats": self.stats, "system": system, "parts": parts });
        writer.put("run.json", run.to_string().as_bytes()).map_err(failed)?;
        writer.put("records.json", json!(records).to_string().as_bytes()).map_err(failed)?;
        let mark = json!({ "made_by": "dset view --static", "version": env!("CARGO_PKG_VERSION") });
        put(&made.path().join(MARK), mark.to_string().as_bytes()).map_err(failed)?;
        put_folder(made, to).map_err(failed)?;
        Ok(records.len() as u64)
    }
}

/// Writes a new file, durably.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    let mut file = fs::File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_assets(folder: &Path) -> io::Result<()> {
    for asset in ASSETS {
        let path = folder.join(asset.path);
        match asset.path {
            "index.html" => put(&path, page(asset.bytes).as_bytes())?,
            _ => put(&path, asset.bytes)?,
        }
    }
    Ok(())
}

/// Stands in a page until its script runs, which browsers let no file do that is opened from the disk.
const FROM_DISK: &str = "<p class=\"quiet late\">Nothing appears here while the page is opened from the disk: browsers \
                         show this folder through a web server alone. In the folder, <code>python3 -m http.server</code> is one.</p>";

/// The page that reads files. A web server that is not ours says no policy, so that the page says it.
fn page(html: &[u8]) -> String {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'";
    let html = String::from_utf8_lossy(html);
    let said = format!(
        "<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">"
    );
    html.replace("<html lang=\"en\">", "<html lang=\"en\" data-files>")
        .replace("<meta charset=\"utf-8\">", &said)
        .replace("</main>", &format!("{FROM_DISK}</main>"))
}

/// Why a part of a folder is not written.
enum PartError {
    Browse(BrowseError),
    Io(io::Error),
}

impl PartError {
    fn of(self, path: &Path) -> FolderError {
        match self {
            PartError::Browse(error) => error.into(),
            PartError::Io(error) => FolderError::Io { path: path.to_owned(), error },
        }
    }
}

struct Writer<'a> {
    folder: &'a Path,
    browser: &'a Browser,
    filter: &'a Filter,
    /// The system prompt of all.
    system: Option<&'a str>,
}

impl Writer<'_> {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        put(&self.folder.join(DATA).join(name), bytes)
    }

    /// Writes the questions of these records, several in a file, and returns the number of the first
    /// in each.
    fn questions(&self, records: &[ListedRecord]) -> Result<Vec<u64>, PartError> {
        let (mut firsts, mut part, mut last) = (Vec::new(), String::new(), None);
        for record in records {
            if last == Some(record.question) {
                continue;
            }
            last = Some(record.question);
            if part.is_empty() {
                firsts.push(record.question);
            }
            let question = self.question(record.question)?;
            part.push(if part.is_empty() { '[' } else { ',' });
            part += &question.to_string();
            if part.len() > PART_BYTES {
                self.close(firsts.len() - 1, &mut part).map_err(PartError::Io)?;
            }
        }
        if !part.is_empty() {
            self.close(firsts.len() - 1, &mut part).map_err(PartError::Io)?;
        }
        Ok(firsts)
    }

    fn close(&self, number: usize, part: &mut String) -> io::Result<()> {
        part.push(']');
        self.put(&format!("questions/{number}.json"), part.as_bytes())?;
        part.clear();
        Ok(())
    }

    /// Returns a question; texts that are too long to be part of it are files of their own.
    fn question(&self, number: u64) -> Result<Value, PartError> {
        let detail = self.browser.detail(number, self.filter).map_err(PartError::Browse)?;
        let mut attempts = detail.attempts;
        for attempt in &mut attempts {
            attempt["has_reply"] = json!(false);
        }
        for answer in detail.question["answers"].as_array().into_iter().flatten() {
            let Some(id) = answer["id"].as_i64() else { continue };
            let is_cut = |text: &str| !answer[format!("{text}_length")].is_null();
            if is_cut("answer") || is_cut("reasoning") {
                let (whole, reasoning) = self.browser.texts(id).map_err(PartError::Browse)?;
                for (name, text) in [("answer", whole), ("reasoning", reasoning)] {
                    let path = format!("answers/{id}-{name}.txt");
                    self.put(&path, text.as_bytes()).map_err(PartError::Io)?;
                }
            }
        }
        let mut request = detail.request.unwrap_or_default();
        // What is sent for all is in the folder once.
        if self.system.is_some() && request["system"].as_str() == self.system {
            request["system"] = json!(true);
        }
        Ok(json!({ "question": detail.question, "request": request, "attempts": attempts }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_taken_from_an_address_and_what_is_none_is_named() {
        let read = read_filter("http://127.0.0.1:7/?state=rejected&view=export&at=3&token=x");
        assert_eq!(read.unwrap().values["state"], ["rejected"]);
        assert_eq!(read_filter("min_seconds=3&q=a").unwrap().terms, ["a"]);
        assert_eq!(read_filter("stat=rejected"), Err(QueryError::Unknown("stat".to_owned())));
    }

    #[test]
    fn only_a_folder_of_ours_is_replaced() {
        let folder = std::env::temp_dir().join(format!("dset-view-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        assert!(check(&folder).is_ok());
        fs::create_dir_all(&folder).unwrap();
        assert!(check(&folder).is_ok());
        fs::write(folder.join("index.html"), "mine").unwrap();
        assert!(
            matches!(check(&folder), Err(FolderError::Foreign { name, .. }) if name == "index.html")
        );
        fs::write(folder.join(MARK), "{}").unwrap();
        assert!(check(&folder).is_ok());
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        assert!(
            matches!(check(&folder), Err(FolderError::Foreign { name, .. }) if name == "notes.txt")
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_page_of_a_folder_says_its_own_policy_and_that_it_reads_files() {
        let asset = ASSETS.iter().find(|asset| asset.path == "index.html").unwrap();
        let page = page(asset.bytes);
        assert!(page.contains("<html lang=\"en\" data-files>"));
        assert!(page.contains("python3 -m http.server</code> is one.</p></main>"));
        assert!(
            page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'")
        );
    }
}
