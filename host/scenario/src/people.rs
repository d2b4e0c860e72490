//! The scripted people of a scenario, in the order in which they act.

use countersign_kernel::{Code, Decision, Report};

use super::spec::{Does, PersonSpec, Spec, SwitchSpec};

pub struct People<'a> {
    persons: &'a [PersonSpec],
    used: Vec<u32>,
    switches: &'a [SwitchSpec],
    /// Switches already thrown.
    thrown: usize,
    acts: u32,
}

/// What a person does now.
pub struct Act {
    pub id: String,
    pub by: String,
    pub after: u64,
    does: PersonSpec,
}

impl<'a> People<'a> {
    pub fn new(spec: &'a Spec) -> Self {
        People { persons: &spec.people, used: vec![0; spec.people.len()], switches: &spec.switches, thrown: 0, acts: 0 }
    }

    /// Who acts on a run suspended with this code; none leaves it suspended.
    pub fn next(&mut self, code: Code) -> Option<Act> {
        let fits = |(person, used): &(&PersonSpec, &mut u32)| {
            **used < person.times && person.when.is_none_or(|when| when == code)
        };
        let (person, used) = self.persons.iter().zip(self.used.iter_mut()).find(fits)?;
        *used += 1;
        self.acts += 1;
        Some(Act {
            id: format!("person-{}", self.acts),
            by: person.by.clone(),
            after: person.after,
            does: person.clone(),
        })
    }

    /// Somebody acted before the run was taken up again.
    pub fn skip(&mut self, code: Code) {
        let _ = self.next(code);
    }

    /// What the operator does after so many calls.
    pub fn switches(&mut self, calls: u32) -> Vec<SwitchSpec> {
        let due: Vec<SwitchSpec> =
            self.switches.iter().skip(self.thrown).take_while(|act| act.after_calls <= calls).cloned().collect();
        self.thrown += due.len();
        due
    }
}

impl Act {
    /// The decision; none when the run is cancelled.
    pub fn decision(&self, report: &Report) -> Option<Decision> {
        let words = || self.does.text.as_deref().map(Into::into);
        let fingerprint = || report.approval.as_ref().map(|approval| approval.fingerprint.clone());
        Some(match self.does.does {
            Does::Approve => Decision::Approved { fingerprint: fingerprint().unwrap_or_default() },
            Does::Reject => Decision::Rejected { fingerprint: fingerprint(), instead: words() },
            Does::Answer => Decision::Answered { text: words().unwrap_or_default() },
            Does::Accept => Decision::Accepted,
            Does::Release => Decision::Released { extra: self.does.extra.clone() },
            Does::Resume => Decision::Resumed,
            Does::Nothing => Decision::Expired,
            Does::Unavailable => Decision::Unavailable,
            Does::Cancel => return None,
        })
    }
}
