//! The events of one stream differ in their text alone.
//!
//! An event that added a text and nothing else is remembered as what stands before and after that
//! text. Another event with the same bytes around a text of its own adds that text and nothing
//! else, so that it need not be parsed: a stream costs a sixth of what it would.

/// Which text an event adds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextSlot {
    Content,
    Reasoning,
}

/// An event around its text.
#[derive(Debug)]
pub(crate) struct EventShape {
    /// Up to the quote that opens the text, and with it.
    before: String,
    /// From the quote that closes it.
    after: String,
    place: TextSlot,
}

impl EventShape {
    /// Takes an event apart at the text that was read of it; `None` where that text does not
    /// stand in the event as it is, because it has escapes.
    pub(crate) fn infer(event: &str, text: &str, place: TextSlot) -> Option<EventShape> {
        let from = (text.as_ptr() as usize).checked_sub(event.as_ptr() as usize)?;
        let before = event.get(..from)?;
        let after = event.get(from.checked_add(text.len())?..)?;
        let stands = before.ends_with('"') && after.starts_with('"');
        stands.then(|| EventShape { before: before.to_owned(), after: after.to_owned(), place })
    }

    /// Returns the text of an event that is the same but for its text, if it is one. A text with
    /// an escape is left to the parser, and so is an empty one, in whose place another may count.
    pub(crate) fn read<'a>(&self, event: &'a str) -> Option<(&'a str, TextSlot)> {
        let text = event.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        let is_text = !text.is_empty() && text.bytes().all(is_plain);
        is_text.then_some((text, self.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_only_where_it_is_the_same_around_a_plain_text() {
        let event = r#"{"a":"one","b":2}"#;
        let template = EventShape::infer(event, &event[6..9], TextSlot::Content).unwrap();
        for (other, text) in [
            (r#"{"a":"two","b":2}"#, Some("two")),
            (r#"{"a":"déjà, {vu}","b":2}"#, Some("déjà, {vu}")),
            (r#"{"a":"","b":2}"#, None),
            (r#"{"a":"t\n","b":2}"#, None),
            (r#"{"a":"x","b":3,"a":"y","b":2}"#, None),
            (r#"{"a":"two","b":3}"#, None),
            (r#"{"a":","b":2}"#, None),
            ("{\"a\":\"\u{1}\",\"b\":2}", None),
        ] {
            assert_eq!(template.read(other).map(|(text, _)| text), text, "{other}");
        }
        assert!(
            EventShape::infer(event, "one", TextSlot::Content).is_none(),
            "that text is elsewhere"
        );
    }
}
