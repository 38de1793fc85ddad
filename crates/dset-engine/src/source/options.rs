//! How an input is to be read.

use std::path::PathBuf;

use dset_core::csv::HeaderMode;
use dset_core::item::error_marks::MarksColumn;
use dset_core::item::params::SERVICE_TIER;
use dset_core::key::RequestSettings;
use dset_core::settings::{JobSpec, Reading};
use dset_core::template::DEFAULT_TEMPLATE;
use serde_json::{Map, Value};

/// How the input is to be read.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// Whether the first row is a header.
    pub header: HeaderMode,
    /// The field with the questions, where the user names it.
    pub column: Option<String>,
    /// The column that marks are known to have been written to.
    pub marks: MarksColumn,
    /// The user says in a template which fields are sent.
    pub has_template: bool,
    /// The user gives a system prompt, which may name a field.
    pub has_system: bool,
    /// The fields of requests that flags say for all rows, by the names that rows have for them.
    pub said: Map<String, Value>,
    /// How rows are read, as the user says.
    pub reading: Reading,
    /// The folder that the run writes to: what it has written there is no input of several files.
    pub outputs: Option<PathBuf>,
    /// Fields that every row of the file has, because folders that it lies in say so.
    pub(crate) partition: Vec<(String, Value)>,
}

impl SourceOptions {
    /// Returns how these settings read the input; `marks` is the column that the store knows to
    /// have marks.
    #[must_use]
    pub fn new(settings: &JobSpec, marks: MarksColumn) -> SourceOptions {
        let has_template = settings.model().request.template != DEFAULT_TEMPLATE;
        let (column, reading) = (settings.column.clone(), settings.reading.clone());
        let (header, has_system) = (settings.header, settings.model().request.system.is_some());
        let said = said_for_all(&settings.model().request);
        let outputs = Some(settings.output.clone());
        let partition = Vec::new();
        SourceOptions {
            header,
            column,
            marks,
            has_template,
            has_system,
            said,
            reading,
            outputs,
            partition,
        }
    }

    /// Reads it as it was asked under these settings.
    pub(crate) fn asked_with(self, request: &RequestSettings) -> SourceOptions {
        let has_template = request.template != DEFAULT_TEMPLATE;
        SourceOptions { has_template, said: said_for_all(request), ..self }
    }
}

/// Returns what settings say of requests that rows may say too.
fn said_for_all(request: &RequestSettings) -> Map<String, Value> {
    let names = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    let limits = names.iter().map(|name| (*name, request.max_tokens.map(Value::from)));
    let others = [
        (SERVICE_TIER, request.params.get(SERVICE_TIER).cloned()),
        ("n", Some(Value::from(1))),
        ("temperature", request.temperature.map(Value::from)),
        ("reasoning_effort", request.reasoning_effort.clone().map(Value::from)),
    ];
    let said = limits.chain(others);
    said.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
