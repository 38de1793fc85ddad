use super::*;

/// All records as (row number, line, cells).
fn read(bytes: &[u8]) -> Result<Vec<(u64, u64, Vec<String>)>, RecordsError> {
    let (mut records, mut record, mut all) = (Records::new(bytes), Record::default(), vec![]);
    let mut copied = Vec::new();
    while records.next(&mut record)? {
        copied.extend_from_slice(record.raw());
        all.push((record.row_number, record.line, record.cells().map(String::from).collect()));
    }
    copied.extend_from_slice(record.raw());
    assert_eq!(copied, bytes, "every byte belongs to a record or to the end");
    Ok(all)
}

#[test]
fn blank_lines_count_in_row_numbers_and_quoted_newlines_do_not() {
    for newline in ["\n", "\r\n"] {
        let text = "a\n\n\"b\nb\"\nc".replace('\n', newline);
        let rows: Vec<_> = read(text.as_bytes()).unwrap();
        let places: Vec<_> = rows.iter().map(|(row, line, _)| (*row, *line)).collect();
        assert_eq!(places, [(1, 1), (3, 3), (4, 5)], "{newline:?}");
    }
    let rows = read(b"a\r\rb\r").unwrap();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn the_raw_bytes_of_a_field_are_where_it_stands_with_its_quotes() {
    let (mut records, mut record) = (Records::new(&b"\n\"a,b\", c ,\r\n"[..]), Record::default());
    assert!(records.next(&mut record).unwrap());
    let raw: Vec<_> = (0..3).map(|at| &record.raw()[record.raw_field(at).unwrap()]).collect();
    assert_eq!(raw, [&b"\"a,b\""[..], b" c ", b""]);
}

#[test]
fn a_quote_that_nothing_closes_is_an_error_with_its_line() {
    let closed = |bytes: &[u8]| {
        let (mut records, mut record) = (Records::new(bytes), Record::default());
        while records.next_strict(&mut record)? {}
        Ok::<(), RecordsError>(())
    };
    for (text, line) in [
        ("q\na\n\"b\nc\n", 3),
        ("\"", 1),
        ("\n\na,\"b \"\" c\r\nd", 3),
        ("\"a\nb\",\"c", 2),
        ("q\n\"\"\"", 2),
        ("\u{feff}\n\n\"abc", 3),
    ] {
        let error = closed(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, RecordsError::Unclosed { line: at } if at == line),
            "{text:?}: {error}"
        );
    }
    for text in ["\"a\"", "\"a\"\"\"", "a\"b", "\"a\" ", "\"\"", "q\n\"a\nb\"\n", ""] {
        assert!(closed(text.as_bytes()).is_ok(), "{text:?}");
    }
}

#[test]
fn the_mark_that_dos_ends_a_text_with_is_no_row_and_stays_where_it_is() {
    for (text, cells) in [
        ("q\r\nWhy?\r\n\x1a", "Why?"),
        ("q\nWhy?\x1a", "Why?"),
        ("q\n\"Why?\"\x1a", "Why?"),
        ("q\nWhy?\n\x1a\r\n\r\n", "Why?"),
        ("q\nWhy?\n\x1a\x1a", "Why?"),
        ("q\nWhy?\x1a\n", "Why?"),
        ("q\nWhy\x1athen?\n", "Why\x1athen?"),
    ] {
        let rows = read(text.as_bytes()).unwrap();
        assert_eq!(rows.len(), 2, "{text:?}");
        assert_eq!(rows[1].2, [cells], "{text:?}");
    }
    assert_eq!(read(b"q\n\x1a\nb\n").unwrap().len(), 3, "in the middle it is a text");
}

/// The last row, where quotes within quotes are written so.
fn last(text: &str, quotes: Quotes) -> Result<Vec<String>, RecordsError> {
    let mut records = Records::new(text.as_bytes()).with_quotes(quotes);
    let (mut record, mut cells) = (Record::default(), Vec::new());
    while records.next_strict(&mut record)? {
        cells = record.cells().map(String::from).collect();
    }
    Ok(cells)
}

#[test]
fn quotes_with_backslashes_are_refused_where_two_are_meant_and_read_where_they_are() {
    for (text, cells) in [
        (r#"1,"He said \"stop\" and left""#, &["1", r#"He said "stop" and left"#][..]),
        (r#"1,"Say: \"good\"""#, &["1", r#"Say: "good""#]),
        (r#"1,"\"a\", \"b\"",2"#, &["1", r#""a", "b""#, "2"]),
        (r#""a \", b""#, &[r#"a ", b"#]),
        (r#""\"x\" and \frac{1}{2} \\ y""#, &[r#""x" and \frac{1}{2} \ y"#]),
        (r#""\"x\" ""y""""#, &[r#""x" "y""#]),
        (r#""\"x\" ends with \\""#, &[r#""x" ends with \"#]),
    ] {
        let error = last(text, Quotes::Twice).unwrap_err();
        assert!(matches!(error, RecordsError::Backslash { row: 1, line: 1 }), "{text}: {error}");
        assert_eq!(last(text, Quotes::Backslash).unwrap(), cells, "{text}");
    }
    for text in [r#""C:\dir\",b"#, r#""a \""b\"" c""#, r#"a\"b,c"d"#, r#""a" ,b"#] {
        assert!(last(text, Quotes::Twice).is_ok(), "{text}");
    }
    for (text, quotes) in
        [(r#""He said "stop" and left""#, Quotes::Twice), (r#""a \"b" c""#, Quotes::Backslash)]
    {
        let error = last(text, quotes).unwrap_err();
        assert!(matches!(error, RecordsError::StrayQuote { row: 1, .. }), "{text}: {error}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let error = read(b"question\ncaf\xe9,x\n").unwrap_err();
    let RecordsError::NotUtf8 { row, offset, line, column, byte, near, guess } = error else {
        panic!()
    };
    assert_eq!((row, line, column, byte, near.as_str()), (2, 2, 4, 0xe9, "caf?,x"));
    assert_eq!((offset, guess), (12, None));
    assert!(matches!(read(b"q\n\x1b$B$=$&\x1b(B\n"), Err(RecordsError::Shifted { line: 2 })));
    assert!(read(b"q\n\x1b[31mred\x1b(B\n").is_ok());
    assert!(matches!(read(b"a\nb\0"), Err(RecordsError::Nul { line: 2, column: 2, guess: None })));
    let utf16 = read(b"\xff\xfeq\0\n\0").unwrap_err();
    assert!(matches!(utf16, RecordsError::NotUtf8 { guess: Some(DetectedEncoding::Utf16Le), .. }));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_cell() {
    assert_eq!(read(b"\xef\xbb\xbfquestion\n").unwrap()[0].2, ["question"]);
}

proptest::proptest! {
    #[test]
    fn fields_are_those_of_the_csv_crate(text in "[a\"',\n\r é]{0,40}") {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let expected: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(String::from).collect())
            .collect();
        let found: Vec<_> = read(text.as_bytes()).unwrap().into_iter().map(|row| row.2).collect();
        proptest::prop_assert_eq!(found, expected);
    }
}
