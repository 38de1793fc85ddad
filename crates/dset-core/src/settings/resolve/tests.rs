use std::path::PathBuf;

use super::*;
use crate::provider::preset;
use crate::settings::LastTurn;

fn holds(layer: Layer) -> (JobSpec, Vec<Warning>) {
    let Resolved { spec, warnings, .. } = resolve(layer, None).unwrap();
    (spec, warnings)
}

#[test]
fn without_a_word_a_folder_of_the_script_is_asked_of_deepseek() {
    let (settings, warnings) = holds(Layer::default());
    assert!(warnings.is_empty());
    assert_eq!(settings.input, PathBuf::from("q.csv"));
    assert_eq!(settings.output, PathBuf::from("dset_generator"));
    assert_eq!(settings.model().request.model, "deepseek-flash");
    assert_eq!(settings.model().base_url().as_str(), "https://api.deepseek.com/");
    assert_eq!(settings.model().key_variable.as_deref(), Some("DEEPSEEK_API_KEY"));
    let options = resolve(Layer::default(), None).unwrap().options;
    assert_eq!(options.backoff.waits, [60, 120, 240].map(Duration::from_secs));
}

#[test]
fn a_retired_name_is_mapped_with_one_warning_at_deepseek_and_nowhere_else() {
    for (name, thinks) in [("deepseek-reasoner", true), ("deepseek-chat", false)] {
        let model = Some(vec![name.to_owned()]);
        let (settings, warnings) = holds(Layer { model: model.clone(), ..Layer::default() });
        assert_eq!(settings.model().request.model, "deepseek-flash");
        assert_eq!(settings.model().request.reasoning, Some(thinks));
        assert_eq!(warnings.len(), 1);
        let base_url = Some(vec!["http://localhost:8000/v1".to_owned()]);
        let (settings, warnings) = holds(Layer { model, base_url, ..Layer::default() });
        assert_eq!((settings.model().request.model.as_str(), warnings.len()), (name, 0));
    }
}

#[test]
fn the_models_name_tells_the_service_and_a_base_url_leaves_the_name_whole() {
    let home = |id: &str| preset(id).unwrap().base_url.as_str();
    let own = Some("http://localhost:8000/v1");
    let azure = Some("https://mine.openai.azure.com/openai/v1");
    for (model, url, id, name, key) in [
        ("gpt-6-luna", None, "openai", "gpt-6-luna", Some("OPENAI_API_KEY")),
        (
            "together/meta-llama/Llama-3.3",
            None,
            "together",
            "meta-llama/Llama-3.3",
            Some("TOGETHER_API_KEY"),
        ),
        ("ollama/qwen3:8b", None, "ollama", "qwen3:8b", None),
        ("deepseek/", None, "deepseek", "deepseek-flash", Some("DEEPSEEK_API_KEY")),
        ("a-model-of-tomorrow", None, "deepseek", "a-model-of-tomorrow", Some("DEEPSEEK_API_KEY")),
        (
            "meta-llama/Llama-3.3",
            own,
            "openai-compatible",
            "meta-llama/Llama-3.3",
            Some("DEEPSEEK_API_KEY"),
        ),
        (
            "openai/gpt-oss-120b",
            own,
            "openai-compatible",
            "openai/gpt-oss-120b",
            Some("DEEPSEEK_API_KEY"),
        ),
        ("deepseek-v4-pro", own, "deepseek", "deepseek-v4-pro", Some("DEEPSEEK_API_KEY")),
        (
            "deepseek-v4-pro",
            Some("http://localhost:4000/v1/messages/"),
            "anthropic-compatible",
            "deepseek-v4-pro",
            Some("ANTHROPIC_API_KEY"),
        ),
        (
            "openrouter/auto",
            Some(home("openrouter")),
            "openrouter",
            "openrouter/auto",
            Some("OPENROUTER_API_KEY"),
        ),
        ("luna", azure, "azure", "luna", Some("AZURE_OPENAI_API_KEY")),
        ("azure/luna", azure, "azure", "luna", Some("AZURE_OPENAI_API_KEY")),
    ] {
        let base_url = url.map(|url| vec![url.to_owned()]);
        let layer = Layer { model: Some(vec![model.into()]), base_url, ..Layer::default() };
        let (settings, warnings) = holds(layer);
        assert_eq!(
            (&*settings.model().preset.id, &*settings.model().request.model),
            (id, name),
            "{model}"
        );
        assert_eq!(settings.model().key_variable.as_deref(), key, "{model}");
        if url.is_none() {
            assert_eq!(settings.model().base_url().as_str().trim_end_matches('/'), home(id));
        }
        assert!(warnings.is_empty(), "{warnings:?}");
    }
    for (model, said) in [
        ("azure/luna", "Azure OpenAI is asked at a URL of your own, and none is named"),
        ("openai-compatible/m", "the service is asked at a URL of your own, and none is named"),
        ("groq/", "--model names groq and no model of it"),
    ] {
        let layer = Layer { model: Some(vec![model.into()]), ..Layer::default() };
        assert_eq!(resolve(layer, None).unwrap_err().to_string(), said);
    }
}

#[test]
fn several_models_and_several_places_are_asked_each_once() {
    let list = |list: &[&str]| Some(list.iter().map(|one| (*one).to_owned()).collect());
    let model = list(&["deepseek-flash", "openai/gpt-6-luna", "deepseek-flash"]);
    let (settings, _) = holds(Layer { model, samples: Some(3), ..Layer::default() });
    let models = settings.models.iter().map(|model| (&*model.preset.id, &*model.request.model));
    let models: Vec<_> = models.collect();
    assert_eq!(models, [("deepseek", "deepseek-flash"), ("openai", "gpt-6-luna")]);
    assert_eq!(settings.samples, 3);
    let base_url = list(&["http://localhost:1", "http://localhost:2", "http://localhost:1/"]);
    let (settings, _) = holds(Layer { base_url, ..Layer::default() });
    assert_eq!(settings.model().base_urls.len(), 2);
    assert!(!settings.model().stream, "whether a stranger streams is not known");
    assert!(holds(Layer::default()).0.model().stream);
}

#[test]
fn a_temperature_that_is_not_sent_is_said() {
    let warns = |reasoning: Option<Switch>, base_url: Option<&str>| {
        let base_url = base_url.map(|url| vec![url.to_owned()]);
        let layer = Layer { temperature: Some(1.5), reasoning, base_url, ..Layer::default() };
        let (settings, warnings) = holds(layer);
        assert_eq!(settings.model().request.temperature, Some(1.5), "it stays part of the key");
        warnings.iter().any(|warning| matches!(warning, Warning::TemperatureLeftOut { .. }))
    };
    assert!(warns(None, None));
    assert!(!warns(Some(Switch::Off), None));
    assert!(!warns(None, Some("http://localhost:8000/v1")));
}

#[test]
fn a_key_in_place_of_a_name_is_refused_and_not_repeated() {
    // The second is made of letters and digits alone, as those of some services are.
    for key in ["sk-0123456789abcdef", "aB3dE5f7H9jK1m3N5p7Q9r1S3t5U7v9X"] {
        let error = resolve(Layer { key: Some(key.into()), ..Layer::default() }, None);
        let error = error.unwrap_err();
        assert_eq!(error, SettingsError::KeyItself);
        assert!(!error.to_string().contains(key));
    }
    for name in ["DEEPSEEK_API_KEY", "MY_SECOND_KEY_FOR_2027", "KEY2", "_x"] {
        let (settings, _) = holds(Layer { key: Some(name.into()), ..Layer::default() });
        assert_eq!(settings.model().key_variable.as_deref(), Some(name));
    }
}

#[test]
fn an_endpoint_is_written_down_without_what_may_be_secret_in_it() {
    let base_url = Some(vec!["https://api.example/v1?key=sk-0123456789#x".into()]);
    let (settings, _) = holds(Layer { base_url, ..Layer::default() });
    assert_eq!(settings.model().endpoint(), "https://api.example/v1");
}

#[test]
fn a_key_over_plain_http_beyond_this_machine_is_warned_of() {
    for (url, warned) in [
        ("http://127.0.0.1:1/v1", false),
        ("http://localhost:1", false),
        ("http://[::1]:1", false),
        ("https://example.com", false),
        ("http://example.com", true),
    ] {
        let layer = Layer { base_url: Some(vec![url.into()]), ..Layer::default() };
        assert_eq!(!holds(layer).1.is_empty(), warned, "{url}");
    }
}

#[test]
fn an_answer_is_gone_on_with_where_it_is_known_how() {
    let with = |model: &str| {
        let layer = Layer {
            model: Some(vec![model.to_owned()]),
            last: Some(LastTurn::Continue),
            ..Layer::default()
        };
        resolve(layer, None)
    };
    let at = |model: &str| with(model).unwrap().spec.model().base_url().to_string();
    assert_eq!(at("deepseek-flash"), "https://api.deepseek.com/beta");
    assert_eq!(at("mistral/x"), "https://api.mistral.ai/v1");
    let provider = "OpenAI".to_owned();
    assert_eq!(with("gpt-5").unwrap_err(), SettingsError::CannotContinue { provider });
}

#[test]
fn a_base_url_is_a_url_without_a_password() {
    let with_password = [
        "https://me:secret@host/v1",
        "me:secret@host/v1",
        "http:me:secret@host/v1",
        "https:/me:secret@host/v1",
        "//me:secret@host/v1",
        "htp://host/?api_key=secret",
        "host/v1?key=secret",
        "htp://me:not?secret@host",
        "htp://me:secret@host/?key=secret@",
    ];
    for given in ["localhost:8000", "ftp://x", "not a url"].into_iter().chain(with_password) {
        let layer = Layer { base_url: Some(vec![given.into()]), ..Layer::default() };
        let error = resolve(layer, None).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn a_temperature_that_no_service_takes_is_refused() {
    for temperature in [-0.1, 2.1, f64::NAN] {
        let layer = Layer { temperature: Some(temperature), ..Layer::default() };
        assert!(resolve(layer, None).is_err());
    }
}

#[test]
fn a_model_without_a_name_is_none() {
    for name in ["", "  "] {
        let model = Some(vec!["deepseek-flash".to_owned(), name.to_owned()]);
        let error = resolve(Layer { model, ..Layer::default() }, None).unwrap_err();
        assert_eq!(error, SettingsError::EmptyModel);
    }
}

#[test]
fn a_model_is_asked_at_one_service() {
    let asked = |names: [&str; 2]| {
        let model = Some(names.map(str::to_owned).to_vec());
        resolve(Layer { model, ..Layer::default() }, None)
    };
    let error = asked(["groq/openai/gpt-oss-120b", "together/openai/gpt-oss-120b"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "groq and together are asked for `openai/gpt-oss-120b`: a run asks a model at one service"
    );
    let same = asked(["deepseek-flash", "deepseek/deepseek-flash"]).unwrap();
    assert_eq!(same.spec.models.len(), 1);
}
