use super::*;

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.csv");
    fs_err::write(&path, bytes).unwrap();
    (folder, path)
}

fn error(bytes: &[u8]) -> SourceError {
    let (_folder, path) = written(bytes);
    open(&path, &SourceOptions::default()).unwrap_err()
}

fn suspicion(error: SourceError) -> Suspicion {
    match error {
        SourceError::Suspicious { suspicion, .. } => suspicion,
        other => panic!("{other}"),
    }
}

#[test]
fn columns_of_one_name_are_numbered() {
    let mut columns = ["x", "question", "x", "x_2", "x", ""].map(str::to_owned);
    tell_apart(&mut columns);
    assert_eq!(columns, ["x", "question", "x_3", "x_2", "x_4", ""]);
}

#[test]
fn what_is_no_file_of_questions_is_refused_by_name() {
    let (folder, path) = written(b"");
    let open = |path: &Path| open(path, &SourceOptions::default()).unwrap_err();
    assert!(matches!(open(folder.path()), SourceError::NotAFile { is_folder: true, .. }));
    assert!(matches!(open(&path.with_extension("tsv")), SourceError::Missing { .. }));
    assert!(matches!(open(&path), SourceError::Empty { .. }));
    assert!(matches!(error(b"\xef\xbb\xbf\n\n"), SourceError::Empty { .. }));
    assert!(matches!(error(b"caf\xe9\n"), SourceError::Records { .. }));
}

#[test]
fn a_question_is_not_cut_at_a_comma() {
    let all = |bytes: &[u8], column: Option<&str>| {
        let (_folder, path) = written(bytes);
        let column = column.map(str::to_owned);
        let options = SourceOptions { column, ..SourceOptions::default() };
        let mut source = open(&path, &options).unwrap();
        while source.next()?.is_some() {}
        Ok::<_, SourceError>(())
    };
    for bytes in [
        &b"question\na\nb, then?\n"[..],
        b"question,status\na,\nb, and then?\n",
        b"question,status\na,\nb,x,y\n",
        b"a\n\nb, then?\n",
        b"a\nc\nb,then\n",
    ] {
        let found = suspicion(all(bytes, None).unwrap_err());
        assert!(matches!(found, Suspicion::UnquotedComma { row_number: 3, .. }), "{found:?}");
    }
    for (bytes, column) in [
        (&b"question\na\nb, then?\n"[..], Some("question")),
        (b"question\n\"b, then?\"\nc,\nd,ERROR\n", None),
        (b"question,status\nb,\nc,todo later\n", None),
        (b"question,status\nb,\nc,x,y\n", Some("question")),
    ] {
        all(bytes, column).unwrap();
    }
}

#[test]
fn turns_in_a_column_of_questions_are_a_chat() {
    let turns = r#"[{""role"": ""system"", ""content"": ""Be brief.""}, {""role"": ""user"", ""content"": ""Why?""}]"#;
    let records = r#"[{""content"": ""Why?""}]"#;
    for column in ["prompt", "question"] {
        let (_folder, path) = written(format!("{column}\n\"{turns}\"\n").as_bytes());
        let mut source = open(&path, &SourceOptions::default()).unwrap();
        let item = source.next().unwrap().unwrap();
        assert_eq!((item.text, item.turns.map(|turns| turns.len())), ("Why?", Some(1)));
        assert_eq!(item.system.map(|system| &**system), Some("Be brief."));
        let (_folder, path) = written(format!("{column}\n\"{records}\"\n").as_bytes());
        let mut source = open(&path, &SourceOptions::default()).unwrap();
        assert!(source.next().unwrap().unwrap().turns.is_none());
    }
}

#[test]
fn a_first_line_for_spreadsheets_is_no_question() {
    for (bytes, sign) in [
        (&b"sep=;\r\nFrage;Thema\r\n"[..], b';'),
        (b"\xef\xbb\xbfsep=,\nquestion,status\n", b','),
        (b"\"sep=\t\"\nquestion\tstatus\n", b'\t'),
    ] {
        assert_eq!(suspicion(error(bytes)), Suspicion::SeparatorLine { by: sign });
    }
}

#[test]
fn rows_are_read_without_the_header_and_again_after_a_rewind() {
    let (_folder, path) = written(b"question,status\na,\n\nb,ERROR\n");
    let mut source = open(&path, &SourceOptions::default()).unwrap();
    for _ in 0..2 {
        let mut rows = Vec::new();
        while let Some(item) = source.next().unwrap() {
            rows.push((item.place, item.text.to_owned(), item.status));
        }
        let expected = [
            (Place::Row(2), "a".to_owned(), Status::Empty),
            (Place::Row(4), "b".to_owned(), Status::Error),
        ];
        assert_eq!(rows, expected);
        assert_eq!(source.position(), Place::Row(4));
        source.rewind().unwrap();
    }
}
