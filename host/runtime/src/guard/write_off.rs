use countersign_kernel::{Answered, Cause, Code, Frame, Input, Judged, Manifest, Run, Status};
use countersign_store::Store;

use super::GuardError;
use crate::scenario::utc_now;

/// Most inputs by which a run that broke off comes to where it can be ended.
const MOST_LOST: u32 = 8;

/// Ends a run whose bundle is gone: nobody can take it up, and it is not to stay open for good. What it
/// would still be asked is `undecided(environment)`, and no other policy answers in its place. `code`
/// says from the folded run what it ends with.
///
/// # Errors
/// Frames that do not fold, or a store that takes nothing.
pub fn write_off(
    manifest: Manifest,
    frames: &[Frame],
    store: &mut dyn Store,
    code: impl FnOnce(&Run) -> Code,
) -> Result<Status, GuardError> {
    let started = manifest.started;
    let mut run = Run::open(manifest.into())?;
    for frame in frames {
        run.fold(frame).map_err(|error| GuardError::Fold(error.to_string()))?;
    }
    let at = utc_now().saturating_sub(started).max(run.at());
    for _ in 0..MOST_LOST {
        let Some(lost) = run.lost() else { break };
        step(&mut run, at, lost, store)?;
    }
    if !matches!(run.status(), Status::Ended(_)) {
        let code = code(&run);
        step(&mut run, at, Input::Closed { code }, store)?;
    }
    store.finish()?;
    Ok(run.status())
}

fn step(run: &mut Run, at: u64, input: Input, store: &mut dyn Store) -> Result<(), GuardError> {
    run.accept(at, input)?;
    while run.request().is_some() {
        let answer = Answered::Undecided(Cause::Environment);
        run.answer(Judged { answer, reads: Vec::new(), fuel: 0 })?;
    }
    store.append(&run.close()?.frame)?;
    Ok(())
}
