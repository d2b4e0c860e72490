//! The section `models` of a file: what is refused, and what a run is pinned to.

use std::path::PathBuf;

use countersign_kernel::contract::{ModelKind, Tier};
use countersign_models::Registry;
use countersign_spec::Retention;

use super::Deployment;
use crate::settings::SettingsError;

const GOOD: &str = "version = 1\n[models.cheap]\nname = \"small\"\nendpoint = \"http://127.0.0.1:8080/v1\"\n\
                    input-price = 0\noutput-price = 0\n";

fn load(text: &str) -> Result<Registry, SettingsError> {
    let folder = tempfile::tempdir().map_err(|source| SettingsError::Io { path: PathBuf::new(), source })?;
    let path = folder.path().join("countersign.toml");
    std::fs::write(&path, text).map_err(|source| SettingsError::Io { path: path.clone(), source })?;
    Deployment::load(&path)?
        .models()
        .cloned()
        .ok_or_else(|| SettingsError::invalid("countersign.toml", "models", "expected at least one of the tables"))
}

#[test]
fn bad_values_are_refused_by_file_and_key() {
    let keyed = "key-env = \"KEY\"";
    let remote = |scheme: &str| GOOD.replace("http://127.0.0.1:8080", &format!("{scheme}://example.com"));
    let table = [
        (GOOD.replace("= 1", "= 2"), "key `version`: expected 1, found 2"),
        ("version = 1".to_owned(), "expected at least one of the tables"),
        (GOOD.replace("[models.cheap]", "[models.chaep]"), "unknown field `chaep`"),
        (GOOD.replace("input-price = 0\n", ""), "missing field `input-price`"),
        (GOOD.replace("small", " "), "key `models.cheap.name`: is empty"),
        (format!("{GOOD}colour = 1"), "unknown field `colour`"),
        (GOOD.replace("http:", "ftp:"), "key `models.cheap.endpoint`: starts neither with"),
        (GOOD.replace("127.0.0.1", "me:pw@127.0.0.1"), "key `models.cheap.endpoint`: contains a name or password"),
        (GOOD.replace("/v1", "/v1?key=1"), "key `models.cheap.endpoint`: contains `?`"),
        (GOOD.replace("/v1", "/v1/chat/completions/"), "leave that out"),
        (format!("{GOOD}{keyed}\nkey-file = \"key\""), "key `models.cheap.key-env`: stands beside `key-file`"),
        (format!("{}{keyed}", remote("http")), "key `models.cheap.endpoint`: would send the key in clear text"),
        (format!("{}{keyed}", remote("HTTP")), "key `models.cheap.endpoint`: would send the key in clear text"),
        (format!("{GOOD}max-output-tokens = 0"), "key `models.cheap.max-output-tokens`: expected 1 to"),
        (format!("{GOOD}context = 1024"), "key `models.cheap.context`: leaves no room"),
        (format!("{GOOD}jurisdiction = \"\""), "key `models.cheap.jurisdiction`"),
        (format!("{GOOD}retention = \"for ever\""), "unknown variant `for ever`"),
        (format!("{GOOD}samples = 0"), "key `models.cheap.samples`: expected 1 to 10, found 0"),
        (format!("{GOOD}samples = 11"), "key `models.cheap.samples`: expected 1 to 10, found 11"),
        (format!("{GOOD}temperature = 2.5"), "key `models.cheap.temperature`: expected 0 to 2"),
        (format!("{GOOD}temperature = nan"), "key `models.cheap.temperature`: expected 0 to 2"),
        (format!("{GOOD}temperature = 0\nsamples = 3"), "key `models.cheap.temperature`: at 0 all"),
        (format!("{GOOD}time-out = 0"), "key `models.cheap.time-out`: expected 1 to"),
        (format!("{GOOD}structured-output = \"xml\""), "unknown variant `xml`"),
        (format!("{GOOD}output-limit-key = \"length\""), "unknown variant `length`"),
    ];
    for (text, part) in table {
        let error = load(&text).map_or_else(|error| error.to_string(), |_| "loaded".to_owned());
        assert!(error.contains(part) && error.contains("countersign.toml"), "expected `{part}` in: {error}");
    }
}

#[test]
fn what_a_run_is_pinned_to() -> Result<(), SettingsError> {
    let more = "samples = 3\nreasoning-tuned = true\ncontext = 8192\nretention = { days = 30 }\n\
                jurisdiction = \"EU\"\nkey-file = \"key\"\n[models.strong]\nname = \"large\"\nendpoint = \"https://example.com/v1\"\n\
                input-price = 3000\noutput-price = 15000\nkey-env = \"KEY\"\nretention = \"none\"\n";
    let registry = load(&format!("{GOOD}{more}"))?;
    let pinned = registry.pinned();
    assert_eq!(pinned.iter().map(|model| model.tier).collect::<Vec<_>>(), [Tier::Cheap, Tier::Strong]);
    assert_eq!((pinned[0].max_output_tokens, pinned[1].max_output_tokens), (3072, 1024));
    assert_eq!((pinned[0].kind, pinned[1].kind), (ModelKind::Reasoning, ModelKind::General));
    assert_eq!((pinned[0].retention, pinned[1].retention), (Some(Retention::Days(30)), Some(Retention::None)));
    assert_eq!(registry.narrowest(), Some(8192 - 1024));
    // Its key is found from anywhere; nothing else changes.
    let portable = load(&registry.portable())?;
    assert_eq!(portable.pinned(), pinned);
    let key = portable.models().next().and_then(|(_, model)| model.key_file.clone());
    assert_eq!(key, Some(registry.folder().join("key")));
    Ok(())
}
