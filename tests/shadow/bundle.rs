//! `mode = "shadow"` in a bundle: in the lock and its digest, in no run's manifest.

use countersign::bundle::{Bundle, EntryMode, Lock};
use countersign::engine::Engine;
use countersign::kernel::Slot;

use super::{CAUTIOUS, bundle_with, misbehaving, options};

#[test]
fn an_entry_in_shadow_is_locked_and_no_run_is_pinned_to_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = bundle_with(folder.path(), &format!("{CAUTIOUS}{}", misbehaving("doom-loop", "behave", "monitor")))?;
    let bundle = Bundle::load(&Engine::new(options())?, &path)?;
    let modes: Vec<_> = bundle.lock().entry.iter().map(|entry| (&*entry.name, entry.slot[0].mode)).collect();
    assert!(modes.contains(&("risk-next", EntryMode::Shadow)) && modes.contains(&("behave", EntryMode::Monitor)));
    let pinned: Vec<_> = bundle.pins().iter().map(|pin| pin.name.to_string()).collect();
    assert!(pinned.contains(&"behave".to_owned()) && !pinned.contains(&"risk-next".to_owned()), "{pinned:?}");
    assert_eq!(bundle.shadows().map(|(entry, _)| entry.name.as_str()).collect::<Vec<_>>(), ["risk-next"]);
    // Another mode is another lock.
    let text = std::fs::read_to_string(path.join("bundle.lock"))?;
    let other = text.replacen("mode = \"shadow\"", "mode = \"enforce\"", 1);
    assert_ne!(Lock::digest_of(&text), Lock::digest_of(&other));
    Ok(())
}

#[test]
fn an_entry_is_in_shadow_in_every_slot_or_in_none() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let more = misbehaving("risk", "behave", "shadow").replace("[\"risk\"]", "[\"risk\", \"doom-loop\"]");
    let path = bundle_with(folder.path(), &more)?;
    let text = std::fs::read_to_string(path.join("bundle.lock"))?;
    let lock = Lock::parse("bundle.lock", &text)?;
    let slots: Vec<Slot> =
        lock.entry.iter().filter(|entry| entry.is_shadow()).flat_map(|e| &e.slot).map(|s| s.slot).collect();
    assert_eq!(slots, [Slot::Risk, Slot::DoomLoop]);
    let mixed = text.replacen("mode = \"shadow\"", "mode = \"enforce\"", 1);
    let error = Lock::parse("bundle.lock", &mixed).err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(error, "`bundle.lock`: entry `behave`: key `mode`: expected `shadow` in every slot or in none");
    Ok(())
}

#[test]
fn an_entry_in_shadow_that_does_not_load_takes_only_itself_away() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = bundle_with(folder.path(), &misbehaving("risk", "behave", "shadow"))?;
    let engine = Engine::new(options())?;
    let whole = Bundle::load(&engine, &path)?;
    std::fs::write(path.join("misbehaving.wasm"), "no component")?;
    let bundle = Bundle::load(&engine, &path)?;
    assert_eq!(bundle.shadows().count(), 0);
    let [out] = bundle.left_out() else { anyhow::bail!("{:?}", bundle.left_out()) };
    assert!(out.entry == "behave" && out.why.to_string().contains("the lock says"), "{}", out.why);
    // Runs are judged and pinned as before, by the same lock.
    assert_eq!((bundle.digest(), bundle.pins()), (whole.digest(), whole.pins()));
    // One that counts takes the bundle with it.
    std::fs::write(path.join("risk.wasm"), "no component")?;
    assert!(Bundle::load(&engine, &path).is_err());
    Ok(())
}

#[test]
fn a_mode_that_nobody_knows_is_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let error = bundle_with(folder.path(), &CAUTIOUS.replace("\"shadow\"", "\"shade\""));
    let message = error.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("bundle.toml") && message.contains("unknown variant `shade`"), "{message}");
    Ok(())
}
