//! What is asked: a question of the input, and the marks in its file.

pub mod error_marks;
pub mod question;
