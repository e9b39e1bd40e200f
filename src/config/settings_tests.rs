//! The fields of [`Settings`] are the one place where a setting is told; whatever else names one is held to them.

use std::collections::BTreeSet;

use clap::{Arg, Args, Command};

use super::*;
use crate::config::{Config, bytes};
use crate::task::seconds;

/// Settings that are not printed: those that are read from files, whose contents are secret.
const UNPRINTED: [&str; 5] =
    ["api_key_file", "llm_api_key_file", "store_password", "store_password_file", "webhook_signing_secret_file"];

fn settings() -> Vec<Arg> {
    Settings::augment_args(Command::new("bindery")).get_arguments().cloned().collect()
}

fn help(setting: &Arg) -> String {
    setting.get_help().map(ToString::to_string).unwrap_or_default()
}

/// The default that the help names.
fn told_default(setting: &Arg) -> Option<String> {
    let help = help(setting);
    let (_, rest) = help.split_once("[default: ")?;
    Some(rest.split([']', ';']).next()?.to_owned())
}

#[test]
fn flag_variable_and_key_have_one_name() {
    for setting in settings() {
        let name = setting.get_id().as_str().to_owned();
        assert_eq!(setting.get_long().map(|flag| flag.replace('-', "_")), Some(name.clone()));
        // They take several, which the others do not.
        let several = ["api_key", "cors_origin"].contains(&name.as_str());
        let variable = if several { format!("{}S", variable_of(&name)) } else { variable_of(&name) };
        assert_eq!(setting.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        let key = toml::from_str::<Settings>(&format!("{name} = [[0]]")).err().map(|why| why.message().to_owned());
        assert!(key.as_ref().is_some_and(|why| !why.contains("unknown field")), "{name}: {key:?}");
        assert!(!help(&setting).is_empty() && !help(&setting).ends_with('.'), "{name}: {}", help(&setting));
    }
}

fn variable_of(name: &str) -> String {
    format!("BINDERY_{}", name.to_uppercase())
}

#[test]
fn every_setting_is_printed() {
    let printed: BTreeSet<&str> = Config::shown(&defaults()).into_iter().map(|(name, _)| name).collect();
    let names: Vec<String> = settings().iter().map(|setting| setting.get_id().to_string()).collect();
    let optional = |name: &str| UNPRINTED.contains(&name) || told_to_be_optional(name);
    let missing: Vec<_> = names.iter().filter(|name| !printed.contains(name.as_str()) && !optional(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let unknown: Vec<_> = printed.iter().filter(|name| !names.iter().any(|known| known == *name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Those without a default: nothing is printed of what was not given.
fn told_to_be_optional(name: &str) -> bool {
    settings()
        .iter()
        .any(|setting| setting.get_id() == name && told_default(setting).is_none_or(|told| told.contains("AWS_")))
}

fn defaults() -> Config {
    Settings::default().resolve(|name| (name == "HOME").then(|| "/home/x".to_owned())).unwrap()
}

#[test]
fn the_default_that_is_told_is_the_one_that_holds() {
    let printed = Config::shown(&defaults());
    let mut compared = 0;
    for setting in settings() {
        let name = setting.get_id().as_str();
        let Some(told) = told_default(&setting).filter(|told| !told.contains([' ', '`', '<'])) else { continue };
        let Some((_, holds)) = printed.iter().find(|(printed, _)| *printed == name) else {
            panic!("{name} has a default and is not printed");
        };
        let holds = holds.trim_matches('"');
        let length = |text: &str| seconds(text, 0, u32::MAX).ok();
        let size = |text: &str| bytes("size", text, 0).ok();
        let same = told == holds
            || (length(&told).is_some() && length(&told) == length(holds))
            || (size(&told).is_some() && size(&told) == size(holds));
        // All of them, by their names.
        assert!(same || (name == "wires" && told == "all"), "{name}: told {told}, holds {holds}");
        compared += 1;
    }
    assert!(compared > 25, "{compared}");
}
