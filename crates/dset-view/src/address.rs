//! Filters as they stand in an address.

use dset_engine::view::browse::{FACETS, Filter};
use dset_engine::view::search::terms;

/// What a query says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) filter: Filter,
    pub(crate) offset: u64,
    pub(crate) limit: usize,
}

/// What an address says of the page that is shown, and not of records.
pub(crate) const OF_PAGES: [&str; 8] = ["n", "view", "at", "raw", "a", "b", "diff", "token"];

/// Records of a page where a query does not say.
const LIMIT: usize = 100;

impl Query {
    /// Reads `state=answered&min_seconds=3&q=black+holes&sort=-cost&offset=100&limit=50`. A facet that is
    /// named several times lets any of its values through; what is no part of a filter is left to others.
    pub(crate) fn read(query: &str) -> Query {
        let mut read = Query { limit: LIMIT, ..Query::default() };
        let filter = &mut read.filter;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
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
                "offset" => read.offset = value.parse().unwrap_or(0),
                "limit" => read.limit = value.parse().unwrap_or(LIMIT),
                facet if FACETS.contains(&facet) => {
                    filter.values.entry(facet.to_owned()).or_default().push(value);
                }
                name => {
                    if let Some(number) = name.strip_prefix("min_") {
                        filter.bounds.entry(number.to_owned()).or_default().0 = Some(value);
                    } else if let Some(number) = name.strip_prefix("max_") {
                        filter.bounds.entry(number.to_owned()).or_default().1 = Some(value);
                    }
                }
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_as_it_stands_in_an_address() {
        let read = Query::read(
            "state=rejected&state=gave_up&min_seconds=3&q=%22black+holes%22+wait&sort=-cost&offset=7&view=x",
        );
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
        assert_eq!(Query::read("q=black+holes").filter.terms, ["black", "holes"]);
        assert_eq!(Query::read("q=").filter, Filter::default());
        assert!(Query::read("sort=-question").filter.descending);
    }
}
