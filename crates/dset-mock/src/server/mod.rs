//! Takes calls, lets them in or not, and answers them.

pub(crate) mod account_routes;
pub(crate) mod ask;
pub(crate) mod call_guard;
pub(crate) mod faulty_stream;
pub(crate) mod service;
