//! The folder of installed bundles: what is in it, which one is current, and what is broken.

use countersign::bundle::{Installed, Standing};
use countersign::kernel::Code;
use countersign::{LiveHost, Refreshed};
use countersign_tests::bundles::lenient;

use super::{Place, audit, engine, read_allowed};

#[test]
fn rolling_back_goes_one_bundle_back_for_new_runs() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = place.live()?;
    let standing = || -> Vec<_> {
        let listed = place.installed.list().unwrap();
        listed.into_iter().map(|bundle| (bundle.digest, bundle.standing)).collect()
    };
    let (lenient, cautious) = (place.lenient.clone(), place.cautious.clone());
    assert_eq!(standing(), [(lenient.clone(), Standing::Current), (cautious.clone(), Standing::Installed)]);
    assert!(matches!(live.refresh(), Refreshed::Same));
    assert_eq!(place.installed.make_current(&cautious)?, Some(lenient.clone()));
    assert_eq!(standing(), [(cautious.clone(), Standing::Current), (lenient.clone(), Standing::Previous(1))]);
    assert!(matches!(live.refresh(), Refreshed::Swapped { from, to } if from == lenient && to == cautious));
    let mut open = place.begin(&live.host(), "open")?;

    let engine = engine()?;
    assert_eq!(place.installed.rollback(&engine)?, (cautious.clone(), lenient.clone()));
    assert!(matches!(live.refresh(), Refreshed::Swapped { from, to } if from == cautious && to == lenient));
    let mut new = place.begin(&live.host(), "new")?;
    read_allowed(&mut open, 1)?;
    read_allowed(&mut new, 1)?;
    open.close(Code::Success)?;
    new.close(Code::Success)?;
    assert_eq!((audit(&live, &place, "open")?, audit(&live, &place, "new")?), (cautious.clone(), lenient));
    // What was left is not gone back to, and not gone either.
    let error = place.installed.rollback(&engine).unwrap_err().to_string();
    assert!(error.contains("there is no bundle before") && error.contains("countersign bundle use"), "{error}");
    assert_eq!(place.installed.find(&cautious.hex()[..16])?, cautious);
    Ok(())
}

#[test]
fn a_bundle_that_does_not_load_is_not_installed() -> anyhow::Result<()> {
    let place = Place::new()?;
    let engine = engine()?;
    let source = place.folder.path().join("broken");
    lenient(&source)?;
    std::fs::write(source.join("risk.wasm"), "no component")?;
    let error = place.installed.install(&engine, &source).unwrap_err().to_string();
    assert!(error.contains("entry `risk`") && error.contains("countersign bundle lock"), "{error}");
    let missing = place.installed.install(&engine, &place.folder.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("none/bundle.lock") && missing.contains("countersign bundle lock"), "{missing}");
    assert_eq!(place.installed.list()?.len(), 2);
    assert_eq!(place.installed.current()?, place.lenient);
    // Twice is once.
    let again = place.installed.install(&engine, &place.folder.path().join("lenient"))?;
    assert_eq!((again.digest(), place.installed.list()?.len()), (&place.lenient, 2));
    Ok(())
}

#[test]
fn a_bundle_that_was_damaged_is_refused_and_the_old_one_stays() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = place.live()?;
    let component = place.installed.path(&place.cautious).join("risk.wasm");
    let whole = std::fs::read(&component)?;
    std::fs::write(&component, &whole[..whole.len() / 2])?;
    place.installed.make_current(&place.cautious)?;
    for _ in 0..2 {
        let Refreshed::Kept(error) = live.refresh() else { panic!("it was taken") };
        assert!(error.to_string().contains("risk.wasm"), "{error}");
        assert_eq!(*live.host().bundle().digest(), place.lenient);
    }
    assert!(live.host_for(place.cautious.as_str()).is_err());
    let mut run = place.begin(&live.host(), "on")?;
    read_allowed(&mut run, 1)?;
    run.close(Code::Success)?;
    assert_eq!(audit(&live, &place, "on")?, place.lenient);
    // Nor does a host begin with it, or an installation take it for whole.
    assert!(place.live().is_err());
    let source = place.folder.path().join("cautious");
    let error = place.installed.install(&engine()?, &source).unwrap_err().to_string();
    assert!(error.contains("is no longer what was installed; remove this folder"), "{error}");
    // Mended, it is taken.
    std::fs::write(&component, whole)?;
    assert!(matches!(live.refresh(), Refreshed::Swapped { .. }));
    Ok(())
}

#[test]
fn nobody_goes_back_to_a_bundle_that_does_not_load_and_the_list_says_which_those_are() -> anyhow::Result<()> {
    let place = Place::new()?;
    let engine = engine()?;
    place.installed.make_current(&place.cautious)?;
    let before = place.installed.pointer()?;
    let component = place.installed.path(&place.lenient).join("risk.wasm");
    let whole = std::fs::read(&component)?;
    let problem = || -> anyhow::Result<Option<String>> {
        let listed = place.installed.list()?.into_iter().find(|bundle| bundle.digest == place.lenient);
        Ok(listed.and_then(|bundle| bundle.lock.err()).map(|error| error.to_string()))
    };
    assert_eq!(problem()?, None);
    for what in ["`risk.wasm` has changed since it was installed", "`risk.wasm` has gone since it was installed"] {
        match what.contains("changed") {
            true => std::fs::write(&component, &whole[..whole.len() / 2])?,
            false => std::fs::remove_file(&component)?,
        }
        let error = place.installed.rollback(&engine).unwrap_err().to_string();
        assert!(error.contains("nothing has changed") && error.contains(what), "{error}");
        assert!(!error.contains("bundle lock"), "{error}");
        assert!(problem()?.is_some_and(|problem| problem.contains(what)));
        assert_eq!(place.installed.pointer()?, before);
    }
    std::fs::write(&component, whole)?;
    place.installed.rollback(&engine)?;
    // The current one is listed although it is gone.
    std::fs::remove_dir_all(place.installed.path(&place.lenient))?;
    assert!(problem()?.is_some_and(|problem| problem.contains("is not installed")));
    Ok(())
}

#[test]
fn a_pointer_that_cannot_be_read_changes_nothing() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = place.live()?;
    let path = place.installed.folder().join("current.json");
    for (text, expected) in [
        ("", "remove it"),
        ("{\"version\": 2, \"current\": \"\", \"previous\": []}", "key `version`: expected 1, found 2"),
        ("{\"version\": 1, \"current\": \"../x\", \"previous\": []}", "key `current`: `../x` is no digest"),
    ] {
        std::fs::write(&path, text)?;
        let Refreshed::Kept(error) = live.refresh() else { panic!("{text}") };
        assert!(error.to_string().contains(expected), "{error}");
        assert!(place.installed.rollback(live.engine()).is_err());
        assert_eq!(std::fs::read_to_string(&path)?, text);
    }
    std::fs::remove_file(&path)?;
    let Refreshed::Kept(error) = live.refresh() else { panic!("it was taken") };
    assert!(error.to_string().contains("no bundle is current here; `countersign bundle use FOLDER"), "{error}");
    assert_eq!(*live.host().bundle().digest(), place.lenient);
    Ok(())
}

#[test]
fn processes_that_swap_at_once_leave_a_whole_pointer() -> anyhow::Result<()> {
    let place = Place::new()?;
    let engine = engine()?;
    std::thread::scope(|scope| {
        for turn in 0..4 {
            let engine = &engine;
            let installed = Installed::new(place.installed.folder());
            let both = [place.lenient.clone(), place.cautious.clone()];
            scope.spawn(move || {
                for swap in 0..25 {
                    installed.make_current(&both[(turn + swap) % 2]).unwrap();
                    // There may be none to go back to at this moment.
                    if swap % 5 == 4
                        && let Err(error) = installed.rollback(engine)
                    {
                        assert!(error.to_string().contains("no bundle before"), "{error}");
                    }
                    assert!(both.contains(&installed.current().unwrap()));
                }
            });
        }
    });
    let pointer = place.installed.pointer()?.unwrap();
    assert!(pointer.previous.len() <= 32);
    // Each step was a change: nobody's was lost on the way.
    let all = [vec![pointer.current], pointer.previous].concat();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    Ok(())
}

#[test]
fn a_host_without_a_folder_is_swapped_by_hand() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = LiveHost::fixed(place.live()?.host());
    let next = place.installed.load(live.engine(), &place.cautious)?;
    assert_eq!(*live.swap(next).bundle().digest(), place.lenient);
    assert!(matches!(live.refresh(), Refreshed::Same));
    assert_eq!(*live.host().bundle().digest(), place.cautious);
    // What it took before it still knows: a run may come back.
    assert!(live.host_for(place.lenient.as_str())?.is_some());
    assert!(live.host_for("sha256:0").unwrap().is_none());
    Ok(())
}
