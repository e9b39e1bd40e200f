use super::*;

#[test]
fn what_is_not_said_is_as_by_default() {
    let options = |pairs: &[(&str, &str)]| {
        let mut options = TaskOptions::default();
        pairs.iter().for_each(|(name, value)| options.set(name, value).unwrap());
        options
    };
    let defaults = options(&[("processor", "llm"), ("priority", "3"), ("page_separator", ""), ("tables", "html")]);
    let said = options(&[("processor", "text"), ("seams", "true"), ("page_separator", "-")]);
    let expected = options(&[
        ("processor", "text"),
        ("priority", "3"),
        ("page_separator", "-"),
        ("tables", "html"),
        ("seams", "1"),
    ]);
    assert_eq!(said.over(&defaults), expected);
    assert_eq!(defaults.clone().over(&TaskOptions::default()), defaults);
}

#[test]
fn every_name_takes_a_good_value_and_survives_the_record() {
    let mut options = TaskOptions::default();
    for (name, value) in [
        ("pages", "1-3,r1"),
        ("password", "geheim"),
        ("processor", "llm"),
        ("model", "m"),
        ("prompt", "read"),
        ("input", "image+text"),
        ("image_side", "1024"),
        ("fallback", "n, text"),
        ("max_cost", "2.50"),
        ("shard_pages", "4"),
        ("priority", "-3"),
        ("max_failed_pages", "5%"),
        ("timeout", "2m"),
        ("page_separator", "---{page}---"),
        ("keep_headers", "true"),
        ("tables", "html"),
        ("images", "extract"),
        ("seams", "true"),
        ("front_matter", "true"),
        ("hidden_text", "keep"),
        ("ocr_layer", "reread"),
        ("service_tier", "flex"),
        ("format", "html"),
        ("webhook_url", "https://example.org/hook"),
        ("webhook_secret", "whsec_geheim"),
        ("metadata", "{\"a\":1}"),
        ("ocr", "tesseract"),
        ("ocr_languages", "ru,chi_sim"),
        ("ttl", "7d"),
        ("reuse", "false"),
    ] {
        options.set(name, value).unwrap();
    }
    assert_eq!(options.timeout, Some(120));
    assert_eq!(options.ttl, Some(604_800));
    assert_eq!(options.separator(7).as_deref(), Some("---7---"));
    let json = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<TaskOptions>(&json).unwrap(), options);
    assert!(!format!("{options:?}").contains("geheim"));
}

#[test]
fn every_known_name_is_carried_out() {
    for name in TaskOptions::NAMES {
        let before = TaskOptions::default();
        let values = ["1", "300", "5%", "text", "{}", "html", "keep", "trust", "extract", "flex", "off"];
        let changed = values.into_iter().any(|value| {
            let mut options = TaskOptions::default();
            options.set(name, value).is_ok() && options != before
        });
        assert!(changed, "{name} changes nothing");
    }
}

#[test]
fn refuses_with_the_name_and_what_it_takes() {
    for (name, value) in [
        ("page", "1"),
        ("pages", "0"),
        ("input", "audio"),
        ("image_side", "16"),
        ("max_cost", "-1"),
        ("shard_pages", "0"),
        ("shard_pages", "257"),
        ("priority", "11"),
        ("max_failed_pages", "101%"),
        ("max_failed_pages", "-1"),
        ("timeout", "0"),
        ("timeout", "soon"),
        ("ttl", "99999999d"),
        ("metadata", "{"),
        ("reuse", "perhaps"),
        ("keep_headers", "some"),
        ("tables", "csv"),
        ("images", "all"),
        ("seams", "many"),
        ("front_matter", "toml"),
        ("hidden_text", "yes"),
        ("ocr_layer", "true"),
        ("service_tier", "cheap"),
        ("ocr", "paddle"),
        ("ocr_languages", "../ru"),
        ("ocr_languages", ","),
        ("format", "docx"),
        ("page_separator", "a\nb"),
    ] {
        let error = TaskOptions::default().set(name, value).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn an_empty_separator_turns_it_off_and_other_empty_values_mean_not_given() {
    let mut options = TaskOptions::default();
    assert_eq!(options.separator(3).as_deref(), Some("<!-- page 3 -->"));
    options.set("page_separator", "").unwrap();
    assert_eq!(options.separator(3), None);
    options.set("timeout", "").unwrap();
    assert_eq!(options.timeout, None);
}

#[test]
fn limits_of_failed_pages() {
    for (text, pages, allowed) in [("0", 10, 0), ("3", 10, 3), ("5%", 19, 0), ("5%", 20, 1), ("100%", 7, 7)] {
        assert_eq!(text.parse::<FailedPagesLimit>().unwrap().allowed(pages), allowed, "{text} of {pages}");
    }
}

#[test]
fn options_of_a_processor_are_kept_by_name_and_bounded() {
    let mut options = TaskOptions::default();
    options.set("extra.mark", "!").unwrap();
    options.set("extra.empty", "").unwrap();
    let json = serde_json::to_value(&options).unwrap();
    assert_eq!(json["extra"], serde_json::json!({ "mark": "!" }));
    assert_eq!(serde_json::from_value::<TaskOptions>(json).unwrap(), options);
    assert_eq!(serde_json::to_value(TaskOptions::default()).unwrap().get("extra"), None, "as before there were any");
    let mut under = TaskOptions::default();
    [("extra.mark", "?"), ("extra.other", "1")].iter().for_each(|(name, value)| under.set(name, value).unwrap());
    let merged = options.clone().over(&under).extra;
    assert_eq!(merged.into_iter().collect::<Vec<_>>(), [("mark".into(), "!".into()), ("other".into(), "1".into())]);
    assert!(under.without_reader().extra.is_empty());
    for (name, value) in
        [("extra.", "1"), ("extra.Mark", "1"), ("extra.a b", "1"), ("extra.long", &*"x".repeat(70_000))]
    {
        assert!(options.set(name, value).is_err(), "{name}");
    }
    for n in 1..TaskOptions::MAX_EXTRA {
        options.set(&format!("extra.n{n}"), "1").unwrap();
    }
    assert!(options.set("extra.one_more", "1").is_err());
}

#[test]
fn of_words_that_are_listed_all_are_taken_and_no_others() {
    let lists = TaskOptions::ALL.into_iter().filter_map(|option| match option.takes {
        OptionValue::OneOf(words) => Some((option.name, words)),
        _ => None,
    });
    let lists: Vec<(&str, &[&str])> = lists.collect();
    for (name, words) in &lists {
        for word in lists.iter().flat_map(|(_, words)| *words) {
            let is_taken = TaskOptions::default().set(name, word).is_ok();
            assert_eq!(is_taken, words.contains(word), "{name}={word}");
        }
    }
}
