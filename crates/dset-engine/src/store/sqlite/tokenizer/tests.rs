use super::*;

fn folded(text: &str) -> String {
    let mut to = Vec::new();
    Tokenizer::open().unwrap().fold(text, &mut to).unwrap();
    String::from_utf8(to).unwrap()
}

fn finds(terms: &[&str], text: &str) -> bool {
    let mut words = Tokenizer::open().unwrap();
    let terms: Vec<String> = terms.iter().map(|term| (*term).to_owned()).collect();
    let terms = SearchTerms::new(&terms, &mut words).unwrap();
    let mut to = Vec::new();
    words.fold(text, &mut to).unwrap();
    terms.find([&to]).is_some()
}

#[test]
fn case_and_marks_make_no_difference() {
    assert_eq!(folded("Über Größe, naïve U\u{308}BER!"), " uber große naive uber ");
    assert_eq!(folded("ΣΙΣΥΦΟΣ, Σίσυφος"), " σισυφοσ σίσυφοσ ");
    assert_eq!(folded("a\0b_c—d"), " a b c d ");
    assert_eq!(folded("漢字 42, GPT模型3とは"), " 漢 字 42 gpt 模 型 3 と は ");
    assert_eq!(folded("?!"), " ");
}

#[test]
fn words_are_whole_and_phrases_hold_together_across_lines() {
    assert!(finds(&["black hole"], "A Black\n hole."));
    assert!(!finds(&["black hole"], "black holes"));
    assert!(!finds(&["black hole"], "a hole that is black"));
    assert!(finds(&["hole", "black"], "a hole that is black"));
    assert!(!finds(&["hole", "white"], "a hole that is black"));
}

#[test]
fn in_scripts_without_blanks_every_part_of_a_sentence_is_found() {
    for (term, text) in [
        ("黑洞", "请解释一下黑洞是怎么形成的。"),
        ("引力", "万有引力定律"),
        ("ブラックホール", "宇宙のブラックホールとは何ですか？"),
        ("ﾌﾞﾗｯｸ", "ｱﾉﾌﾞﾗｯｸﾎｰﾙ"),
        ("หลุมดำ", "อธิบายหลุมดำให้ฟังหน่อย"),
        ("ຂຸມດຳ", "ອະທິບາຍຂຸມດຳ"),
        ("ខ្មៅ", "តើប្រហោងខ្មៅជាអ្វី"),
        ("တွင်းနက်", "တွင်းနက်ဆိုတာဘာလဲ။"),
        ("블랙홀", "블랙홀은 무엇인가요?"),
        ("模型", "GPT模型是什么"),
        ("gpt", "GPT模型是什么"),
        ("GPT模型", "什么是GPT模型？"),
        ("𠮷野", "これは𠮷野家です"),
    ] {
        assert!(finds(&[term], text), "{term} in {text}");
        let words = Tokenizer::open().unwrap();
        let terms = SearchTerms::new(&[term.to_owned()], &mut Tokenizer::open().unwrap()).unwrap();
        let [_, _, snippet] = words.snippets(["", "", text], [false, false, true], &terms).unwrap();
        let snippet = snippet.unwrap();
        let shown: String = snippet.iter().map(|part| &*part.0).collect();
        assert_eq!(shown, text);
        // What FTS5 takes for no part of a word, at the end, it does not mark.
        let hit = snippet.iter().find(|part| part.1).map_or("", |part| &part.0);
        let is_marked = !hit.is_empty() && term.to_lowercase().starts_with(&hit.to_lowercase());
        assert!(is_marked, "{snippet:?}");
    }
    for (term, text) in [("洞黑", "黑洞"), ("กิน", "กัน"), ("黑 白", "黑洞，白色")]
    {
        assert!(!finds(&[term], text), "{term} in {text}");
    }
}

#[test]
fn a_star_stands_for_any_end_of_a_word() {
    assert!(finds(&["hol*"], "Black holes."));
    assert!(finds(&["hole*"], "a hole"));
    assert!(finds(&["black ho*"], "Black holes."));
    assert!(finds(&["引力*"], "万有引力定律"));
    assert!(!finds(&["ole*"], "Black holes."));
    let mut words = Tokenizer::open().unwrap();
    let terms = SearchTerms::new(&["hol*".to_owned()], &mut words).unwrap();
    let texts = words.snippets(["", "", "Black holes."], [false, false, true], &terms).unwrap();
    assert_eq!(texts[2].as_ref().unwrap()[1], ("holes".to_owned(), true));
}

/// What FTS5 finds in the same text.
fn fts_finds(words: &Tokenizer, term: &str, text: &str) -> bool {
    words.fts.execute("DELETE FROM page", []).unwrap();
    words.fts.execute("INSERT INTO page VALUES ('', '', ?1)", [text]).unwrap();
    let term = format!("\"{}\"", term.replace('"', "\"\""));
    let sql = "SELECT count(*) FROM page WHERE page MATCH ?1";
    words.fts.query_row(sql, [term], |row| row.get::<_, i64>(0)).unwrap() > 0
}

proptest::proptest! {
    #[test]
    fn what_is_found_is_what_fts5_finds(
        text in "[aAbBäÄ\u{308}éßẞſKıİøœ²½–’ \n_０ａͅ]{0,12}",
        term in "[aAbBäÄ\u{308}éßẞſKıİøœ²½–’ _０ａͅ]{1,4}",
    ) {
        let mut words = Tokenizer::open().unwrap();
        let terms = SearchTerms::new(std::slice::from_ref(&term), &mut words).unwrap();
        if !terms.is_empty() {
            let mut to = Vec::new();
            words.fold(&text, &mut to).unwrap();
            let ours = terms.find([&to]).is_some();
            proptest::prop_assert_eq!(ours, fts_finds(&words, &term, &text));
        }
    }
}
