//! One attempt at one question.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::item::question::Question;

/// Numbers the attempts of this session, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AskId(pub u64);

/// One attempt at one question: what the engine turns into one HTTP call.
#[derive(Debug, Clone)]
pub struct Ask {
    /// This attempt.
    pub id: AskId,
    /// The question, with its rendered prompt.
    pub question: Arc<Question>,
    /// Which attempt at this question in this session, from 1.
    pub attempt: u32,
    /// Which of the model's endpoints is asked, from 0.
    pub endpoint: u16,
    /// Which model is asked: its place among those of the settings.
    pub model: u16,
    /// Which sample of the model's, from 0.
    pub sample: u32,
}
