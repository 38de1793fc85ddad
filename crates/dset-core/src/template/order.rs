//! Whether prompts would begin alike for longer with the fields of their template in another order.

use std::collections::BTreeSet;

use crate::item::Item;
use crate::item::fields::Field;
use crate::template::Rendered;

/// What services cache is no shorter, in bytes.
const SHORTEST: usize = 1_024;
/// Fields with shorter texts are not worth moving, in bytes.
const FIELD_LEAST: usize = 256;
/// Another order is worth a word if it lets so much more of all prompts be found in a cache.
const WORTH_A_WORD: f64 = 0.2;
/// So many rows are looked at, and so many bytes of their prompts.
const ROWS_MAX: usize = 4_096;
const BYTES_MAX: usize = 32 << 20;

/// Prompts of an input, with their long fields.
#[derive(Debug, Default)]
pub struct PromptOrder {
    rows: Vec<Row>,
    bytes: usize,
}

#[derive(Debug)]
struct Row {
    prompt: String,
    /// Where the user message begins in it.
    user_at: usize,
    /// Fields that stand in the user message: name, place, length.
    fields: Vec<(String, usize, usize)>,
}

/// A field that would better stand first.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderAdvice {
    /// Its name.
    pub field: String,
    /// How much of all prompts a cache can hold as they are, from 0 to 1.
    pub share_now: f64,
    /// How much it could with this field at the beginning of the user message.
    pub share_then: f64,
    /// So many bytes the beginning of a prompt is that another has as well, at most.
    pub longest_now: usize,
}

impl PromptOrder {
    /// Takes a row; false where enough are known.
    pub fn add(&mut self, item: &Item<'_>, rendered: &Rendered<'_>) -> bool {
        let mut prompt = rendered.system.as_deref().unwrap_or_default().to_owned();
        let user_at = prompt.len();
        prompt.push_str(&rendered.user);
        let mut fields = Vec::new();
        item.fields.for_each(|name, field| {
            let Field::Text(text) = field else { return };
            if text.len() < FIELD_LEAST {
                return;
            }
            if let Some(at) = rendered.user.find(text) {
                fields.push((name.to_owned(), user_at + at, text.len()));
            }
        });
        self.bytes += prompt.len();
        self.rows.push(Row { prompt, user_at, fields });
        self.rows.len() < ROWS_MAX && self.bytes < BYTES_MAX
    }

    /// Names the field that should stand first, where that is worth a word.
    #[must_use]
    pub fn advice(&self) -> Option<OrderAdvice> {
        if self.bytes == 0 {
            return None;
        }
        let share = |shared: usize| shared as f64 / self.bytes as f64;
        let (now, longest_now) =
            shared(self.rows.iter().map(|row| row.prompt.clone()).collect::<Vec<_>>());
        let names: BTreeSet<&str> = self
            .rows
            .iter()
            .flat_map(|row| row.fields.iter().map(|(name, ..)| name.as_str()))
            .collect();
        let then =
            |name: &str| shared(self.rows.iter().map(|row| row.with_first(name)).collect()).0;
        let all = names.into_iter().map(|name| (then(name), name));
        let (best, field) = all.max_by_key(|(bytes, _)| *bytes)?;
        let is_worth_it = share(best) - share(now) >= WORTH_A_WORD;
        is_worth_it.then(|| OrderAdvice {
            field: field.to_owned(),
            share_now: share(now),
            share_then: share(best),
            longest_now,
        })
    }
}

impl Row {
    /// The prompt with this field at the beginning of its user message.
    fn with_first(&self, name: &str) -> String {
        let Some((_, at, length)) = self.fields.iter().find(|(field, ..)| field == name) else {
            return self.prompt.clone();
        };
        let (system, user) = self.prompt.split_at(self.user_at);
        let (before, rest) = user.split_at(at - self.user_at);
        let (field, after) = rest.split_at(*length);
        [system, field, before, after].concat()
    }
}

/// Adds up what each prompt begins with that another began with before, where they are asked in the best
/// order; and returns the longest of these beginnings.
fn shared(mut prompts: Vec<String>) -> (usize, usize) {
    prompts.sort_unstable();
    let common = prompts.windows(2).map(|pair| {
        let bytes = pair[0].bytes().zip(pair[1].bytes());
        bytes.take_while(|(one, other)| one == other).count()
    });
    common.fold((0, 0), |(sum, longest), bytes| {
        (sum + if bytes >= SHORTEST { bytes } else { 0 }, longest.max(bytes))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The advice for a template, of twenty questions about each of ten documents.
    fn advice(render: impl Fn(&str, &str) -> String) -> Option<OrderAdvice> {
        let mut order = PromptOrder::default();
        for at in 0..200 {
            let document = format!("{:07} ", at % 10).repeat(500);
            let question = format!("{at} is asked: why?");
            let fields = json!({ "question": question, "document": document });
            let item = Item::of_fields(fields.as_object().unwrap());
            let user = render(&document, &question).into();
            order.add(&item, &Rendered { user, keyed_user: None, system: None });
        }
        order.advice()
    }

    #[test]
    fn a_document_behind_the_question_would_better_stand_first() {
        let found = advice(|document, question| format!("{question}\n\n{document}")).unwrap();
        assert_eq!(found.field, "document");
        assert!(found.longest_now < 10 && found.share_now == 0.0, "{found:?}");
        assert!((0.9..0.96).contains(&found.share_then), "{found:?}");
    }

    #[test]
    fn a_template_that_is_in_order_gets_no_word() {
        assert_eq!(advice(|document, question| format!("{document}\n\n{question}")), None);
        assert_eq!(advice(|_, question| question.to_owned()), None);
    }
}
