//! Filters as they stand in an address.

use dset_engine::view::browse::{FACETS, Filter, State};
use dset_engine::view::search::terms;

/// What a query says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) filter: Filter,
    pub(crate) offset: u64,
    pub(crate) limit: usize,
}

/// What an address says of the page that is shown, and not of records.
const OF_PAGES: [&str; 9] = ["n", "view", "at", "raw", "a", "b", "diff", "columns", "token"];

/// Records of a page where a query does not say.
const LIMIT: usize = 100;

/// What in a query cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is no such part of one.
    #[error("there is no `{0}`")]
    Unknown(String),
    /// It cannot be this.
    #[error("`{name}` cannot be `{value}`")]
    Value {
        /// Which part.
        name: String,
        /// What was said.
        value: String,
    },
}

impl Query {
    /// Reads `state=answered&min_seconds=3&q=black+holes&sort=-cost&offset=100&limit=50`. A facet that is
    /// named several times lets any of its values through.
    pub(crate) fn read(query: &str) -> Result<Query, QueryError> {
        let mut read = Query { limit: LIMIT, ..Query::default() };
        let filter = &mut read.filter;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            let wrong = || QueryError::Value { name: name.to_string(), value: value.clone() };
            match &*name {
                // With a quote in it, what else is there is words and no phrase.
                "q" => {
                    filter.terms = terms(&[format!("{value}\"\"")]);
                    filter.terms.retain(|term| !term.is_empty());
                }
                "sort" => {
                    filter.descending = value.starts_with('-');
                    let by = value.trim_start_matches('-');
                    filter.sort = (!by.is_empty() && by != "question").then(|| by.to_owned());
                }
                "offset" => read.offset = value.parse().map_err(|_| wrong())?,
                "limit" => read.limit = value.parse().map_err(|_| wrong())?,
                "state" if State::ALL.iter().all(|state| state.name() != value) => {
                    return Err(wrong());
                }
                "only" if value != "different" => return Err(wrong()),
                facet if FACETS.contains(&facet) => {
                    filter.values.entry(facet.to_owned()).or_default().push(value);
                }
                name if name == "only" || OF_PAGES.contains(&name) => {}
                name => {
                    let least = name.strip_prefix("min_").map(|number| (number, true));
                    let bound = least.or(name.strip_prefix("max_").map(|number| (number, false)));
                    let Some((number, is_least)) = bound else {
                        return Err(QueryError::Unknown(name.to_owned()));
                    };
                    let (least, most) = filter.bounds.entry(number.to_owned()).or_default();
                    *(if is_least { least } else { most }) = Some(value);
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_as_it_stands_in_an_address() {
        let read = Query::read(
            "state=rejected&state=gave_up&min_seconds=3&q=%22black+holes%22+wait&sort=-cost&offset=7&view=x&columns=cost,model",
        )
        .unwrap();
        let values = &read.filter.values;
        assert_eq!(values.len(), 1);
        assert_eq!(values["state"], ["rejected", "gave_up"]);
        assert_eq!(read.filter.bounds["seconds"], (Some("3".to_owned()), None));
        assert_eq!(read.filter.terms, ["black holes", "wait"]);
        assert_eq!((read.filter.sort.as_deref(), read.filter.descending), (Some("cost"), true));
        assert_eq!((read.offset, read.limit), (7, LIMIT));
    }

    #[test]
    fn words_of_a_search_box_are_words_and_not_one_phrase() {
        let filter = |query: &str| Query::read(query).unwrap().filter;
        assert_eq!(filter("q=black+holes").terms, ["black", "holes"]);
        assert_eq!(filter("q="), Filter::default());
        assert!(filter("sort=-question").descending);
    }

    #[test]
    fn what_is_no_part_of_a_query_is_refused() {
        for wrong in
            ["modle=m", "offset=abc", "limit=-1", "only=nope", "state=nope", "min=3", "limit="]
        {
            assert!(Query::read(wrong).is_err(), "{wrong}");
        }
        assert!(Query::read("").is_ok());
    }
}
