//! `dset._dset`: what the Python package `dset` is made on. Texts of JSON go in and out; the package makes
//! Python of them.
//!
//! The interpreter is not held while files are read or services asked. Every run has a runtime of its own,
//! nothing is kept between calls, no signal handler is installed and nothing is printed, but by `main`.

mod watched;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use dset_cli::embed::{self, Failure};
use dset_engine::run::lanes::Lanes;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;

create_exception!(_dset, Error, PyException, "What happened, why, what to do, and an exit code.");

fn raised(failure: Failure) -> PyErr {
    let Failure { message, cause, hints, exit } = failure;
    Error::new_err((message, cause, hints, exit))
}

fn died() -> PyErr {
    PyRuntimeError::new_err("a part of dset has died; this is a fault of dset")
}

/// Does what may take long without the interpreter. A panic becomes an exception: a fault of dset must not end
/// the process of somebody else.
fn apart<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).map_err(|_| died())?.map_err(raised)
}

/// Runs `dset run` with these words, and returns its report as JSON. `progress` is called with how many are
/// answered, have failed, and are wanted; `warn` with each text that a terminal would be warned of. Ctrl-C lets
/// the asks on their way come home, and raises KeyboardInterrupt then; pressed again it drops them. `turns` is a
/// folder in which so many runs, in folders of their own, keep limits a minute by turns.
#[pyfunction]
#[pyo3(signature = (words, key, progress, warn, turns=None))]
fn run(
    py: Python<'_>,
    words: Vec<String>,
    key: Option<String>,
    progress: Option<Py<PyAny>>,
    warn: Py<PyAny>,
    turns: Option<(PathBuf, u32)>,
) -> PyResult<String> {
    let lanes = turns.map(|(folder, most)| Lanes { folder, most: Some(most) });
    let prepared = apart(py, || embed::prepare_run(&words, key.map(Into::into), lanes))?;
    for text in prepared.warnings() {
        warn.call1(py, (text,))?;
    }
    Ok(watched::run(py, prepared, progress.as_ref())?.to_string())
}

/// Works out what a run with these words would ask: questions, answers wanted, answered, to be asked, rows
/// that are empty.
#[pyfunction]
fn plan(py: Python<'_>, words: Vec<String>) -> PyResult<(u64, u64, u64, u64, u64)> {
    let plan = apart(py, || embed::prepare_run(&words, None, None)?.plan())?;
    Ok((plan.questions, plan.answers, plan.answered, plan.pending, plan.empty))
}

/// Runs `dset export` with these words, and returns what was written as JSON. `of_run` is the `as_asked` of a
/// report, whose rows are written whatever the folder was asked with since.
#[pyfunction]
#[pyo3(signature = (words, of_run=None))]
fn export(py: Python<'_>, words: Vec<String>, of_run: Option<String>) -> PyResult<String> {
    Ok(apart(py, || embed::export(&words, of_run.as_deref()))?.to_string())
}

/// Tells where the run of a folder stands, as JSON; without questions, of those that it was asked from.
#[pyfunction]
#[pyo3(signature = (folder, questions=None))]
fn status(py: Python<'_>, folder: String, questions: Option<String>) -> PyResult<String> {
    Ok(apart(py, || embed::status(&folder, questions.as_deref()))?.to_string())
}

/// Runs `dset job split` with these words; returns how many shards there are, and what a terminal would be
/// warned of.
#[pyfunction]
fn split(py: Python<'_>, words: Vec<String>) -> PyResult<(u32, Vec<String>)> {
    apart(py, || embed::split(&words))
}

/// Runs the command `dset` with these arguments, its name first, and returns its exit code. It prints.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
    apart(py, || Ok(dset_cli::main_with(arguments)))
}

#[pymodule]
fn _dset(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("Error", module.py().get_type::<Error>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(plan, module)?)?;
    module.add_function(wrap_pyfunction!(export, module)?)?;
    module.add_function(wrap_pyfunction!(status, module)?)?;
    module.add_function(wrap_pyfunction!(split, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    Ok(())
}
