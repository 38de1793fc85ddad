use super::*;

pub(super) fn environment(real: &[(&str, &str)], file: &[(&str, &str)]) -> Environment {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    Environment { real: map(real), file: map(file), ..Environment::default() }
}

#[test]
fn a_dot_env_that_cannot_be_opened_is_an_error_and_a_folder_of_that_name_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    assert!(Environment::without_files(folder.path()).is_ok());
    fs_err::create_dir(&path).unwrap();
    assert!(Environment::without_files(folder.path()).unwrap().file.is_empty());
    #[cfg(unix)]
    {
        fs_err::remove_dir(&path).unwrap();
        fs_err::os::unix::fs::symlink(".env", &path).unwrap();
        let error = Environment::without_files(folder.path()).map(drop).unwrap_err();
        assert_eq!((&*error.message, error.exit), ("cannot read `.env`", Exit::Usage));
    }
}

#[test]
fn flags_outrank_the_environment_which_outranks_the_file() {
    let environment = environment(
        &[("DSET_MODEL", "real"), ("DSET_MAX_TOKENS", "5")],
        &[("DSET_MODEL", "file"), ("DSET_MAX_TOKENS", "6"), ("DSET_RETRIES", "7")],
    );
    let flags = Layer { model: Some(vec!["flag".into()]), ..Layer::default() };
    let layer = environment.under(flags).unwrap().layer;
    assert_eq!(layer.model, Some(vec!["flag".to_owned()]));
    assert_eq!((layer.max_tokens, layer.retries), (Some(5), Some(7)));
}

#[test]
fn every_setting_has_a_variable() {
    for (variable, value) in [
        ("DSET_INPUT", "x.csv"),
        ("DSET_OUTPUT", "out"),
        ("DSET_FORMATS", "csv,txt"),
        ("DSET_CSV_BOM", "1"),
        ("DSET_CSV_ID", "true"),
        ("DSET_MODEL", "m"),
        ("DSET_SAMPLES", "2"),
        ("DSET_BASE_URL", "http://localhost:1"),
        ("DSET_KEY", "NAME"),
        ("DSET_SYSTEM", "s"),
        ("DSET_SYSTEM_FILE", "f"),
        ("DSET_TEMPLATE", "-t {{ question }}"),
        ("DSET_COLUMN", "c"),
        ("DSET_HEADER", "yes"),
        ("DSET_ID", "uuid"),
        ("DSET_WHERE", "level > 2"),
        ("DSET_OFFSET", "5"),
        ("DSET_SAMPLE", "5%"),
        ("DSET_ON_BAD_ROW", "skip"),
        ("DSET_LAST", "drop"),
        ("DSET_SPLIT_ON", "---"),
        ("DSET_CONFIG", "default"),
        ("DSET_SPLIT", "test"),
        ("DSET_CONCURRENCY", "3"),
        ("DSET_RPM", "60"),
        ("DSET_TPM", "60000"),
        ("DSET_SHARE_PACE", "off"),
        ("DSET_MAX_TOKENS", "9"),
        ("DSET_TEMPERATURE", "0.5"),
        ("DSET_REASONING", "off"),
        ("DSET_REASONING_EFFORT", "low"),
        ("DSET_PARAM", "top_p=0.5"),
        ("DSET_SCHEMA", "answer.json"),
        ("DSET_CHECK", "no-refusal"),
        ("DSET_GOLD", "answer"),
        ("DSET_ON_FAIL", "retry"),
        ("DSET_TRIES", "2"),
        ("DSET_ENOUGH", "1"),
        ("DSET_RETRY", "fresh"),
        ("DSET_RETRIES", "1"),
        ("DSET_BACKOFF", "1s,2s"),
        ("DSET_TIMEOUT", "1m"),
        ("DSET_IDLE_TIMEOUT", "1m"),
        ("DSET_STREAM", "on"),
        ("DSET_STOP_LOOPS", "true"),
        ("DSET_MAX_COST", "20"),
        ("DSET_MAX_COST_RUN", "0.5"),
        ("DSET_MAX_OUTPUT_BOUND", "4000"),
        ("DSET_OFF_PEAK", "true"),
        ("DSET_ON_ERROR", "pause"),
        ("DSET_LOG_FORMAT", "lines"),
        ("DSET_JSON", "true"),
        ("DSET_QUIET", "true"),
        ("DSET_VERBOSE", "true"),
    ] {
        let said = environment(&[(variable, value)], &[]).under(Layer::default()).unwrap();
        assert_ne!((said.layer, said.terminal), Default::default(), "{variable}");
    }
    let count = Setting::all().len();
    assert_eq!(count, 54, "the list above names every setting");
}

#[test]
fn a_variable_that_is_no_setting_is_told_with_what_was_meant() {
    let environment = environment(
        &[("DSET_MODLE", "sk-secret"), ("DSET_MODEL", "m"), ("OTHER", "x")],
        &[("DSET_CONCURENCY", "3"), ("DSET_XYZ", "")],
    );
    let told = environment.unknown_variables();
    let told: Vec<(&str, &str)> =
        told.iter().map(|(text, hint)| (text.as_str(), hint.as_deref().unwrap())).collect();
    assert_eq!(
        told,
        [
            (
                "DSET_CONCURENCY in .env is no setting, and does nothing",
                "Did you mean `DSET_CONCURRENCY`?"
            ),
            ("DSET_MODLE is no setting, and does nothing", "Did you mean `DSET_MODEL`?"),
            ("DSET_XYZ in .env is no setting, and does nothing", SEE_REFERENCE),
        ]
    );
}

#[test]
fn one_place_says_the_system_prompt_in_one_way() {
    let both = [("DSET_SYSTEM", "Be brief."), ("DSET_SYSTEM_FILE", "system.txt")];
    for (real, file, message) in [
        (&both[..], &[][..], "DSET_SYSTEM and DSET_SYSTEM_FILE say the same thing twice"),
        (&[], &both, "DSET_SYSTEM and DSET_SYSTEM_FILE in .env say the same thing twice"),
    ] {
        let error = environment(real, file).under(Layer::default()).unwrap_err();
        assert_eq!((&*error.message, error.exit), (message, Exit::Usage));
    }
    for (real, file) in [(&both[..1], &both[1..]), (&both[1..], &both[..1])] {
        let layer = environment(real, file).under(Layer::default()).unwrap().layer;
        assert!(layer.system.is_some() != layer.system_file.is_some());
    }
    let text = "retries = 2\nsystem = 'Be brief.'\nsystem-file = 'system.txt'\n";
    let error = ConfigFile::parse(Path::new("dset.toml"), text).map(drop).unwrap_err();
    let message = "dset.toml, line 3: `system` and `system-file` say the same thing twice";
    assert_eq!((&*error.message, error.exit), (message, Exit::Usage));
}

#[test]
fn a_variable_that_cannot_be_read_is_named() {
    let environment = environment(&[("DSET_CONCURRENCY", "many")], &[]);
    let error = environment.under(Layer::default()).unwrap_err();
    assert!(error.message.contains("DSET_CONCURRENCY"), "{}", error.message);
}
