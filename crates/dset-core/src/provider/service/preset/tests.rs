use super::*;

#[test]
fn the_table_is_read_and_every_fact_in_it_has_a_date_and_a_source() {
    assert_eq!(presets().len(), 24);
    for preset in presets() {
        let id = &preset.id;
        assert!(!preset.source.is_empty() && preset.as_of.len() == 10, "{id}");
        assert!(preset.default_model.is_empty() || preset.serves(&preset.default_model));
        assert!(preset.retired_models.values().all(|retired| preset.serves(&retired.used)));
        assert!(preset.keyless || !preset.key_env.is_empty() || id == "openai-compatible");
        assert!(preset.dialect == Dialect::Chat || preset.max_tokens_default.is_some(), "{id}");
        let names = presets().iter().flat_map(|other| other.aliases.iter().chain([&other.id]));
        for name in preset.aliases.iter().chain([id]) {
            assert_eq!(names.clone().filter(|other| *other == name).count(), 1, "{name}");
        }
        for host in &preset.hosts {
            let is_theirs = |other: &Arc<Preset>| other.id != *id && other.hosts.contains(host);
            assert!(!presets().iter().any(is_theirs), "{host} belongs to one service");
        }
        for model in preset.concurrency_max.keys() {
            assert!(preset.serves(model), "{id}: {model}");
        }
    }
}

#[test]
fn a_base_url_is_joined_without_doubling() {
    for (id, base, joined) in [
        ("deepseek", "https://api.deepseek.com", "https://api.deepseek.com/chat/completions"),
        ("deepseek", "http://localhost:8000/v1/", "http://localhost:8000/v1/chat/completions"),
        ("deepseek", "http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("deepseek", "http://h/v1/chat/completions/", "http://h/v1/chat/completions"),
        ("deepseek", "http://h//v1//", "http://h/v1/chat/completions"),
        ("deepseek", "http://h/v1?api-version=1", "http://h/v1/chat/completions?api-version=1"),
        ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "http://h/v1", "http://h/v1/messages"),
        ("anthropic", "http://h/x/v1/messages", "http://h/x/v1/messages"),
    ] {
        assert_eq!(preset(id).unwrap().url(&Url::parse(base).unwrap()).as_str(), joined);
    }
}

#[test]
fn what_a_service_tells_for_free_is_beside_what_it_is_asked() {
    for (id, base, models, balance) in [
        (
            "deepseek",
            "https://api.deepseek.com",
            "https://api.deepseek.com/models",
            Some("https://api.deepseek.com/user/balance"),
        ),
        (
            "deepseek",
            "https://api.deepseek.com/v1/",
            "https://api.deepseek.com/v1/models",
            Some("https://api.deepseek.com/user/balance"),
        ),
        (
            "deepseek",
            "http://h/x/chat/completions",
            "http://h/x/models",
            Some("http://h/x/user/balance"),
        ),
        ("openai", "https://api.openai.com/v1", "https://api.openai.com/v1/models", None),
        (
            "openrouter",
            "https://openrouter.ai/api/v1",
            "https://openrouter.ai/api/v1/models",
            Some("https://openrouter.ai/api/v1/key"),
        ),
        (
            "anthropic",
            "https://api.anthropic.com",
            "https://api.anthropic.com/v1/models?limit=1000",
            None,
        ),
        ("anthropic", "http://h/v1", "http://h/v1/models?limit=1000", None),
        ("anthropic", "http://h/v1/messages", "http://h/v1/models?limit=1000", None),
    ] {
        let (preset, base) = (preset(id).unwrap(), Url::parse(base).unwrap());
        assert_eq!(preset.models_url(&base).as_str(), models);
        assert_eq!(preset.balance_url(&base).as_ref().map(Url::as_str), balance);
    }
}

#[test]
fn a_host_is_its_own_by_the_protocol_and_the_port_of_its_base_url() {
    for (id, url, is_own) in [
        ("deepseek", "https://api.deepseek.com/beta", true),
        ("deepseek", "https://api.deepseek.com:443/", true),
        ("deepseek", "http://api.deepseek.com", false),
        ("deepseek", "https://api.deepseek.com:8443", false),
        ("together", "https://api.together.xyz/v1", true),
        ("azure", "https://mine.openai.azure.com/openai/v1", true),
        ("azure", "http://mine.openai.azure.com/openai/v1", false),
    ] {
        let url = Url::parse(url).unwrap();
        assert_eq!(preset(id).unwrap().is_official_origin(&url), is_own, "{url}");
    }
}

#[test]
fn a_host_from_a_dot_on_is_any_below_it_and_no_other() {
    let azure = preset("azure").unwrap();
    for (url, is_at) in [
        ("https://mine.openai.azure.com/openai/v1", true),
        ("https://openai.azure.com.evil.example/", false),
        ("https://evilopenai.azure.com.example/", false),
    ] {
        assert_eq!(azure.is_official_host(&Url::parse(url).unwrap()), is_at, "{url}");
    }
}
