//! What the names of columns and fields say, the same in CSV and in JSON.

/// The name of the column with the bookmarks.
pub const STATUS: &str = "status";

/// The name of that column where the file has a `status` column of the user's own.
pub const OWN_STATUS: &str = "dset_status";

/// Names of a question column, the best first. New ones go to the end: a file that was read by an
/// earlier name is read by that name still.
const QUESTION_NAMES: [&str; 51] = [
    "question",
    "questions",
    "prompt",
    "text",
    "instruction",
    "input",
    "problem",
    "query",
    "frage",
    "fragen",
    "pregunta",
    "pergunta",
    "domanda",
    "vraag",
    "问题",
    "質問",
    "prompts",
    "texts",
    "instructions",
    "inputs",
    "problems",
    "queries",
    "q",
    "preguntas",
    "perguntas",
    "domande",
    "vragen",
    "fråga",
    "frågor",
    "spørgsmål",
    "spørsmål",
    "kysymys",
    "pytanie",
    "pytania",
    "otázka",
    "otázky",
    "kérdés",
    "întrebare",
    "soru",
    "sorular",
    "вопрос",
    "вопросы",
    "питання",
    "ερώτηση",
    "سؤال",
    "שאלה",
    "คำถาม",
    "问",
    "提问",
    "問題",
    "질문",
];

/// Words that make a name of several words one of a question column.
const NOUNS: [&str; 10] = [
    "question",
    "questions",
    "prompt",
    "prompts",
    "query",
    "queries",
    "instruction",
    "instructions",
    "problem",
    "problems",
];
/// Words beside them that change nothing.
const BESIDE: [&str; 28] = [
    "user", "human", "text", "texts", "input", "full", "original", "main", "raw", "final", "my",
    "your", "the", "content", "body", "message", "string", "str", "column", "field", "list",
    "english", "en", "de", "fr", "es", "ja", "zh",
];
/// Words beside them that make the column another one, and the row a header all the same.
const OTHERWISE: [&str; 28] = [
    "id",
    "ids",
    "uuid",
    "type",
    "types",
    "number",
    "num",
    "no",
    "nr",
    "count",
    "tokens",
    "length",
    "len",
    "lang",
    "language",
    "category",
    "source",
    "index",
    "idx",
    "key",
    "hash",
    "system",
    "negative",
    "difficulty",
    "date",
    "topic",
    "title",
    "answer",
];
/// Names of several words without one of those nouns.
const PHRASES: [&str; 6] =
    ["user input", "user message", "user text", "user content", "input text", "text input"];
/// Words of a name, at most.
const WORDS_MAX: usize = 4;

/// Names of a column with the turns of a chat.
const CHATS: [&str; 6] =
    ["messages", "conversations", "conversation", "dialog", "dialogue", "chat_messages"];

/// What a name says of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameMeaning {
    /// Questions; a lower number is a better name.
    Questions(usize),
    /// Something, so that it is a name.
    Something,
    Nothing,
}

fn classify_name(name: &str) -> NameMeaning {
    let name = name.trim().trim_end_matches(':');
    let lower = name.to_lowercase();
    if let Some(rank) = QUESTION_NAMES.iter().position(|own| *own == lower) {
        return NameMeaning::Questions(rank);
    }
    if lower == STATUS || lower == OWN_STATUS || is_chat(name) {
        return NameMeaning::Something;
    }
    let words = words(name);
    if !(2..=WORDS_MAX).contains(&words.len()) {
        return NameMeaning::Nothing;
    }
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    // Between blanks only what cannot be the words of a question.
    let is_name = !name.contains(char::is_whitespace);
    let has_noun = words.iter().any(|word| is(&NOUNS, word));
    let is_plain = words.iter().all(|word| is(&NOUNS, word) || is(&BESIDE, word));
    let is_known =
        || words.iter().all(|word| is(&NOUNS, word) || is(&BESIDE, word) || is(&OTHERWISE, word));
    if has_noun && is_plain || is(&PHRASES, &words.join(" ")) {
        return NameMeaning::Questions(QUESTION_NAMES.len());
    }
    if has_noun && is_name && is_known() { NameMeaning::Something } else { NameMeaning::Nothing }
}

/// Takes a name apart at blanks, signs and the capitals of camel case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        let is_apart = matches!(c, '_' | '-' | '.' | ' ' | ':' | '(' | ')');
        if is_apart || was_lower && c.is_uppercase() {
            words.push(String::new());
        }
        if !is_apart && let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns true if a cell is a word that headers have: one of them, as a whole cell of the first
/// row, makes that a header.
#[must_use]
pub fn is_header_word(cell: &str) -> bool {
    classify_name(cell) != NameMeaning::Nothing
}

/// Returns the place of the name that says best that it is of questions.
#[must_use]
pub fn question_among<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<usize> {
    let ranked = names.into_iter().enumerate().filter_map(|(at, name)| match classify_name(name) {
        NameMeaning::Questions(rank) => Some((rank, at)),
        _ => None,
    });
    ranked.min().map(|(_, at)| at)
}

/// Names that belong to a question, which without what they hold is half of what is meant: the `input`
/// of an instruction, the `choices` of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondNames(&'static [&'static str]);

impl SecondNames {
    /// Returns those that belong to a question of this name.
    #[must_use]
    pub fn of(question: &str) -> SecondNames {
        SecondNames(match question.trim().to_lowercase().as_str() {
            "instruction" | "instructions" => &["input", "inputs", "context"],
            "prompt" | "prompts" => &["input", "inputs"],
            "question" | "questions" => &["context", "passage", "choices", "options"],
            _ => &[],
        })
    }

    /// Tells whether a name is one of them.
    #[must_use]
    pub fn contain(self, name: &str) -> bool {
        is_among(self.0, name)
    }
}

/// Returns true if a name is of the turns of a chat.
#[must_use]
pub fn is_chat(name: &str) -> bool {
    is_among(&CHATS, name)
}

fn is_among(names: &[&str], name: &str) -> bool {
    names.iter().any(|own| own.eq_ignore_ascii_case(name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_and_longer_names_are_words_of_headers() {
        for name in [
            "question",
            "Questions",
            " prompt ",
            "prompts",
            "queries",
            "question_text",
            "q",
            "Q",
            "user_prompt",
            "Prompt:",
            "userPrompt",
            "UserPrompt",
            "Question Text",
            "input_text",
            "User input",
            "question-en",
            "full_question",
            "问题",
            "Вопрос",
            "fråga",
            "status",
            "messages",
            "question_id",
            "system_prompt",
            "prompt_tokens",
        ] {
            assert!(is_header_word(name), "{name}");
        }
        for cell in [
            "What is a question?",
            "Question 1",
            "prompt_engineering",
            "query-optimization",
            "id",
            "Test question",
            "Is it a prompt",
            "Text",
            "problem child",
        ] {
            assert_eq!(is_header_word(cell), cell == "Text", "{cell}");
        }
    }

    #[test]
    fn the_best_name_is_that_of_the_questions() {
        for (names, best) in [
            (&["id", "prompt", "question"][..], Some(2)),
            (&["text", "prompts"], Some(0)),
            (&["question_id", "question_text"], Some(1)),
            (&["system_prompt", "user_prompt"], Some(1)),
            (&["instruction", "input"], Some(0)),
            (&["input", "output"], Some(0)),
            (&["id", "body"], None),
        ] {
            assert_eq!(question_among(names.iter().copied()), best, "{names:?}");
        }
    }

    #[test]
    fn an_instruction_has_an_input_beside_it() {
        for (question, name, belongs) in [
            ("Instruction", " Input", true),
            ("instruction", "context", true),
            ("question", "choices", true),
            ("instruction", "output", false),
            ("input", "output", false),
            ("question", "input", false),
        ] {
            assert_eq!(SecondNames::of(question).contain(name), belongs, "{question} {name}");
        }
    }
}
