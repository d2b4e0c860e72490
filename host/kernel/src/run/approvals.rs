//! The ledger of approvals, whoever drives the run: what a person was asked, what became of it, and what an
//! approval still allows. A call that waits here is made once, by a repeat of that very call.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_spec::host_rules::mix;
use sha2::{Digest, Sha256};

use super::bounded::push_bounded;
use crate::contract::Key;
use crate::record::input::Decision;
use crate::record::packet::Approval;
use crate::record::standing::{Covers, StandingApproval};

/// Most approvals that may wait or be unused at once: people are asked, not flooded. More are refused.
pub(super) const WAITING: usize = 32;
/// Most that are remembered, what people refused included; the oldest of those is asked about anew.
const REMEMBERED: usize = 256;
/// Most rules that may hold at once.
pub(super) const STANDING: usize = 64;
/// Entries of the inbox that are known as taken. A run takes no more decisions than that.
const DECIDED: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Approvals {
    entries: Vec<Entry>,
    /// Numbers used once so far.
    asks: u64,
    decided: VecDeque<Arc<str>>,
    /// Rules that people gave, with the digest of the arguments' secrets where a rule is for the very call that had some.
    standing: Vec<(StandingApproval, Option<Arc<str>>)>,
    /// What was spent last, until the call is known to be on its way.
    spent: Option<Entry>,
    /// Notices sent to reviewers.
    notices: u32,
}

#[derive(Debug)]
struct Entry {
    approval: Approval,
    payload: Option<Arc<str>>,
    state: State,
}

/// What became of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Granted,
    /// With what the person says instead.
    Rejected(Option<Arc<str>>),
    /// Asked for as often as it may be; nobody decided.
    Expired,
}

/// The very call that an approval is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub tool: &'a str,
    pub arguments: &'a str,
    /// Of the tool's definition.
    pub definition: Option<&'a Arc<str>>,
    /// Of the arguments as the model gave them, where a secret was replaced.
    pub payload: Option<&'a Arc<str>>,
}

/// An approval, and who asks by now that did not when its packet was made.
#[derive(Debug)]
pub(super) struct Joined {
    pub approval: Approval,
    pub by: Vec<Arc<str>>,
}

fn joining(approval: &Approval, by: &[Arc<str>]) -> Vec<Arc<str>> {
    by.iter().filter(|name| !approval.asked_by.contains(name)).cloned().collect()
}

/// An approval that nobody decided on in time.
#[derive(Debug)]
pub(super) struct Lapsed {
    pub fingerprint: Arc<str>,
    /// It is asked for again, by this.
    pub again: Option<Approval>,
}

impl Entry {
    fn is_of(&self, call: Call<'_>) -> bool {
        *self.approval.tool == *call.tool
            && *self.approval.arguments == *call.arguments
            && Some(&self.approval.definition) == call.definition
            && self.payload.as_ref() == call.payload
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Granted)
    }
}

impl Approvals {
    /// Gives an approval its fingerprint: a digest over run, tool, definition, arguments and a number used
    /// once, that follows from the run's seed.
    pub fn seal(&mut self, mut approval: Approval, payload: Option<&Arc<str>>, run: &Arc<str>, seed: u64) -> Approval {
        let once = mix(seed ^ mix(self.asks));
        self.asks += 1;
        let mut hasher = Sha256::new();
        hasher.update(b"countersign approval 1\0");
        let payload = payload.map_or("", |payload| payload);
        for part in [&**run, &*approval.tool, &*approval.definition, &*approval.arguments, payload] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(once.to_le_bytes());
        let (high, low) =
            hasher.finalize().iter().take(16).enumerate().fold((0_u64, 0_u64), |(high, low), (at, byte)| {
                if at < 8 { (high << 8 | u64::from(*byte), low) } else { (high, low << 8 | u64::from(*byte)) }
            });
        approval.fingerprint = format!("{}{}", Key(high), Key(low)).into();
        approval
    }

    /// A person is asked.
    pub fn ask(&mut self, approval: Approval, payload: Option<Arc<str>>) {
        if self.entries.len() >= REMEMBERED
            && let Some(oldest) = self.entries.iter().position(|entry| !entry.is_open())
        {
            self.entries.remove(oldest);
        }
        self.entries.push(Entry { approval, payload, state: State::Waiting });
    }

    /// Whether one more person may be asked while others wait.
    pub fn has_room(&self) -> bool {
        self.entries.iter().filter(|entry| entry.is_open()).count() < WAITING
    }

    /// What became of the approval of this very call; none where nobody was asked.
    pub fn of(&self, call: Call<'_>) -> Option<&State> {
        self.entries.iter().find(|entry| entry.is_of(call)).map(|entry| &entry.state)
    }

    /// Approvals that wait for a person now.
    pub fn waiting(&self, at: u64) -> impl Iterator<Item = &Approval> {
        let waits = move |entry: &&Entry| entry.state == State::Waiting && at <= entry.approval.expires;
        self.entries.iter().filter(waits).map(|entry| &entry.approval)
    }

    /// The tool of a call that may be made and was not yet.
    pub fn granted(&self) -> Option<&Arc<str>> {
        self.entries.iter().find(|entry| entry.state == State::Granted).map(|entry| &entry.approval.tool)
    }

    /// Others ask about a call that a person was asked about already: whoever decides is shown them too. None where
    /// nobody joins, or nobody waits for a decision on this very call.
    pub fn join(&mut self, call: Call<'_>, by: &[Arc<str>], reason: &str) -> Option<Joined> {
        let waits = |entry: &&mut Entry| entry.state == State::Waiting && entry.is_of(call);
        let approval = &mut self.entries.iter_mut().find(waits)?.approval;
        let joined = joining(approval, by);
        if joined.is_empty() {
            return None;
        }
        approval.asked_by.extend(joined.iter().cloned());
        approval.reason = match reason.contains(&*approval.reason) {
            true => reason.to_owned(),
            false => format!("{}; {reason}", approval.reason),
        };
        Some(Joined { approval: approval.clone(), by: joined })
    }

    /// Uses the approval of this very call, whoever asks by now: a person has approved the call, and not an answer to
    /// one policy.
    pub fn spend(&mut self, call: Call<'_>, by: &[Arc<str>], at: u64) -> Option<Joined> {
        let fits = |entry: &Entry| entry.state == State::Granted && entry.is_of(call) && at <= entry.approval.expires;
        let found = self.entries.iter().position(fits)?;
        let entry = self.entries.remove(found);
        let approval = entry.approval.clone();
        self.spent = Some(entry);
        Some(Joined { by: joining(&approval, by), approval })
    }

    /// The call that an approval was spent on was not made after all: it is worth as much as before. Its fingerprint.
    pub fn unspend(&mut self, call: Call<'_>) -> Option<Arc<str>> {
        let entry = self.spent.take_if(|entry| entry.is_of(call))?;
        let fingerprint = Arc::clone(&entry.approval.fingerprint);
        self.entries.push(entry);
        Some(fingerprint)
    }

    /// Whether a decision on this fingerprint is waited for. A person may think better of an approval.
    pub fn expects(&self, decision: &Decision) -> bool {
        let (fingerprint, rejects) = match decision {
            Decision::Approved { fingerprint } => (fingerprint, false),
            Decision::ApprovedFor { fingerprint, standing } => {
                let of = |entry: &Entry| entry.approval.fingerprint == *fingerprint && standing.is_of(&entry.approval);
                if !self.entries.iter().any(of) || !self.has_room_for(standing) {
                    return false;
                }
                (fingerprint, false)
            }
            Decision::Rejected { fingerprint: Some(fingerprint), .. } => (fingerprint, true),
            _ => return false,
        };
        let fits = |entry: &Entry| match entry.state {
            State::Waiting => true,
            State::Granted => rejects,
            State::Rejected(_) | State::Expired => false,
        };
        self.entries.iter().any(|entry| entry.approval.fingerprint == *fingerprint && fits(entry))
    }

    /// A person has decided; false where it came too late, which counts as not come. What was granted is worth something
    /// until then, and at least as long as the person was shown.
    pub fn decide(&mut self, fingerprint: &str, state: State, until: u64) -> bool {
        let found = self.entries.iter_mut().find(|entry| *entry.approval.fingerprint == *fingerprint);
        let Some(entry) = found.filter(|entry| entry.state != State::Expired) else { return false };
        if state == State::Granted {
            entry.approval.expires = entry.approval.expires.max(until);
        }
        entry.state = state;
        true
    }

    /// A person has approved a call together with a rule: it is worth as much as any other approval, but no longer than
    /// the rule.
    pub fn grant_with_rule(&mut self, fingerprint: &str, until: u64, rule: Option<u64>) {
        self.decide(fingerprint, State::Granted, until);
        let granted = |entry: &&mut Entry| *entry.approval.fingerprint == *fingerprint && entry.state == State::Granted;
        if let (Some(rule), Some(entry)) = (rule, self.entries.iter_mut().find(granted)) {
            entry.approval.expires = entry.approval.expires.min(rule);
        }
    }

    /// Whether one more rule may hold.
    pub fn has_room_for(&self, standing: &StandingApproval) -> bool {
        self.standing.len() < STANDING && !self.standing.iter().any(|(other, _)| other.id == standing.id)
    }

    /// A rule holds from now on. With a fingerprint it is what was answered to that approval, which needs no other answer
    /// then; one that was granted with it is worth that very call once, whatever the rule covers.
    pub fn stand(&mut self, standing: StandingApproval, fingerprint: Option<&str>) {
        let answered = |entry: &Entry| fingerprint == Some(&*entry.approval.fingerprint);
        let found = self.entries.iter().position(answered);
        let payload = found.and_then(|found| self.entries[found].payload.clone());
        if let Some(found) = found.filter(|found| self.entries[*found].state != State::Granted) {
            self.entries.remove(found);
        }
        self.standing.push((standing, payload));
    }

    /// Rules that hold at a moment, in UTC milliseconds.
    pub fn standing(&self, now: u64) -> impl Iterator<Item = &StandingApproval> {
        self.standing.iter().map(|(standing, _)| standing).filter(move |standing| !standing.is_over(now))
    }

    /// The rule that covers a call. One that has run out is forgotten when another is given.
    pub fn covering(&self, call: Call<'_>, now: u64) -> Option<&StandingApproval> {
        let definition = call.definition?;
        let covers = |(standing, payload): &&(StandingApproval, Option<Arc<str>>)| {
            // Of a call with a secret the very same is the one with that secret.
            let same_secret = match standing.covers {
                Covers::Same { .. } => payload.as_ref() == call.payload,
                Covers::Below { .. } => call.payload.is_none(),
            };
            same_secret && !standing.is_over(now) && standing.covers(call.tool, definition, call.arguments)
        };
        self.standing.iter().find(covers).map(|(standing, _)| standing)
    }

    /// A rule holds no more, nor what was granted with it and not used yet; false where there is none of this name.
    pub fn end_standing(&mut self, id: &str) -> bool {
        let before = self.standing.len();
        self.standing.retain(|(standing, _)| *standing.id != *id);
        if self.standing.len() < before {
            let given_with = |entry: &Entry| entry.approval.fingerprint.starts_with(id);
            self.entries.retain(|entry| entry.state != State::Granted || !given_with(entry));
        }
        self.standing.len() < before
    }

    /// Whether there is a rule of this name.
    pub fn knows_standing(&self, id: &str) -> bool {
        self.standing.iter().any(|(standing, _)| *standing.id == *id)
    }

    /// Forgets rules that have run out.
    pub fn forget_over(&mut self, now: u64) {
        self.standing.retain(|(standing, _)| !standing.is_over(now));
    }

    /// Nobody is asked any more by this fingerprint.
    pub fn withdraw(&mut self, fingerprint: &str) {
        self.entries.retain(|entry| *entry.approval.fingerprint != *fingerprint);
    }

    /// A person has thought better of what was approved and not used yet.
    pub fn revoke(&mut self) {
        self.entries.retain(|entry| entry.state != State::Granted);
    }

    /// What nobody decided on or used in time. What waited is asked for again as often as it may be
    /// (specification D20), then it stays blocked; what was granted is worth nothing any more.
    pub fn expire(&mut self, at: u64, reasks: u32) -> Vec<(Lapsed, Option<Arc<str>>)> {
        let mut lapsed = Vec::new();
        self.entries.retain_mut(|entry| {
            if at <= entry.approval.expires || !entry.is_open() {
                return true;
            }
            let waited = entry.state == State::Waiting;
            let again = (waited && entry.approval.expired < reasks).then(|| entry.approval.clone());
            let stays = waited && again.is_none();
            let fingerprint = Arc::clone(&entry.approval.fingerprint);
            lapsed.push((Lapsed { fingerprint, again }, entry.payload.clone()));
            entry.state = State::Expired;
            stays
        });
        lapsed
    }

    /// Reviewers are to be told something; whether they have room for it.
    pub fn tell_reviewers(&mut self, capacity: Option<u32>) -> bool {
        let room = capacity.is_none_or(|most| self.notices < most);
        self.notices = self.notices.saturating_add(u32::from(room));
        room
    }

    /// Whether an entry of the inbox was taken before.
    pub fn was_taken(&self, id: &Arc<str>) -> bool {
        self.decided.contains(id)
    }

    /// Whether the run takes any more decisions.
    pub fn takes_more(&self) -> bool {
        self.decided.len() < DECIDED
    }

    /// An entry of the inbox is taken.
    pub fn take(&mut self, id: Arc<str>) {
        push_bounded(&mut self.decided, DECIDED, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::input::Touched;

    fn approval(ledger: &mut Approvals, tool: &str) -> Approval {
        let approval = Approval {
            call: 0,
            tool: tool.into(),
            arguments: "{}".into(),
            key: Key(1),
            definition: "d".into(),
            asked_by: vec!["risk".into()],
            reason: "risky".into(),
            confidence: None,
            touches: Touched::default(),
            fingerprint: "".into(),
            expires: 100,
            expired: 0,
        };
        ledger.seal(approval, None, &"run".into(), 7)
    }

    fn ask(ledger: &mut Approvals, tool: &str) -> Arc<str> {
        let approval = approval(ledger, tool);
        let fingerprint = Arc::clone(&approval.fingerprint);
        ledger.ask(approval, None);
        fingerprint
    }

    #[test]
    fn an_approval_is_of_one_call_whoever_asks_and_is_spent_once() {
        let mut ledger = Approvals::default();
        let fingerprint = ask(&mut ledger, "write");
        let definition: Arc<str> = "d".into();
        let call = Call { tool: "write", arguments: "{}", definition: Some(&definition), payload: None };
        let by: [Arc<str>; 1] = ["risk".into()];
        let spend = |ledger: &mut Approvals, call: Call<'_>, by: &[Arc<str>], at: u64| {
            ledger.spend(call, by, at).map(|spent| (spent.approval.fingerprint, spent.by))
        };
        assert_eq!(spend(&mut ledger, call, &by, 1), None, "nobody has decided");
        assert!(ledger.decide(&fingerprint, State::Granted, 0));
        let payload: Arc<str> = "secret".into();
        for other in
            [Call { arguments: "{1}", ..call }, Call { tool: "read", ..call }, Call { definition: None, ..call }]
        {
            assert_eq!(spend(&mut ledger, other, &by, 1), None);
        }
        let other: [Arc<str>; 2] = ["other".into(), "risk".into()];
        assert_eq!(spend(&mut ledger, Call { payload: Some(&payload), ..call }, &by, 1), None);
        assert_eq!(spend(&mut ledger, call, &by, 101), None);
        assert_eq!(spend(&mut ledger, call, &other, 100), Some((fingerprint, vec!["other".into()])));
        assert_eq!(spend(&mut ledger, call, &by, 1), None);
    }

    #[test]
    fn whoever_decides_is_shown_who_came_to_ask_meanwhile() {
        let mut ledger = Approvals::default();
        let fingerprint = ask(&mut ledger, "write");
        let definition: Arc<str> = "d".into();
        let call = Call { tool: "write", arguments: "{}", definition: Some(&definition), payload: None };
        assert!(ledger.join(call, &["risk".into()], "again").is_none(), "nobody new");
        let joined = ledger.join(call, &["risk".into(), "threshold".into()], "not worth it");
        assert_eq!(joined.map(|joined| joined.by), Some(vec!["threshold".into()]));
        let shown: Vec<_> = ledger.waiting(0).map(|approval| (approval.asked_by.len(), &*approval.reason)).collect();
        assert_eq!(shown, [(2, "risky; not worth it")]);
        assert!(ledger.decide(&fingerprint, State::Granted, 0));
        assert!(ledger.join(call, &["guard".into()], "late").is_none(), "it is decided");
        assert_eq!(ledger.spend(call, &["threshold".into()], 1).map(|spent| spent.by), Some(vec![]));
    }

    #[test]
    fn what_waits_too_long_is_asked_again_as_often_as_it_may_be() {
        let mut ledger = Approvals::default();
        let first = ask(&mut ledger, "write");
        let lapsed = ledger.expire(101, 1);
        let again = lapsed[0].0.again.clone().unwrap_or_else(|| panic!("asked again"));
        assert_eq!(lapsed[0].0.fingerprint, first);
        let again = ledger.seal(Approval { expired: 1, ..again }, None, &"run".into(), 7);
        assert_ne!(again.fingerprint, first);
        let second = Arc::clone(&again.fingerprint);
        ledger.ask(again, None);
        assert!(ledger.expire(101, 1)[0].0.again.is_none());
        assert!(!ledger.decide(&second, State::Granted, 0), "too late is not come");
        assert_eq!(ledger.waiting(0).count(), 0);
    }

    #[test]
    fn the_ledger_has_a_bound() {
        let mut ledger = Approvals::default();
        for number in 0..WAITING {
            assert!(ledger.has_room());
            ask(&mut ledger, &format!("tool {number}"));
        }
        assert!(!ledger.has_room());
        ledger.expire(101, 0);
        for number in 0..2 * REMEMBERED {
            let fingerprint = ask(&mut ledger, &format!("other {number}"));
            ledger.decide(&fingerprint, State::Rejected(None), 0);
        }
        assert_eq!(ledger.entries.len(), REMEMBERED);
        for number in 0..DECIDED {
            assert!(ledger.takes_more());
            ledger.take(format!("{number}").into());
        }
        assert!(!ledger.takes_more() && ledger.was_taken(&"0".into()));
    }
}
