//! Acceptance criteria: met by what was verified, lost by what failed or changed since.

use std::sync::Arc;

use super::Run;
use crate::event::Event;

impl Run {
    pub(super) fn meet_criteria(&mut self, tool: &Arc<str>) {
        self.change_criteria(tool, true);
    }

    pub(super) fn lose_criteria(&mut self, tool: &Arc<str>) {
        self.change_criteria(tool, false);
    }

    pub(super) fn change_criteria(&mut self, tool: &Arc<str>, met: bool) {
        for index in 0..self.criteria.len() {
            if self.manifest.goal.criteria[index].tool == *tool {
                self.set_criterion(index, met);
            }
        }
    }

    /// What was read before a change says nothing about after it.
    pub(super) fn lose_readings(&mut self) {
        for index in 0..self.criteria.len() {
            if self.criteria[index].reading {
                self.set_criterion(index, false);
            }
        }
    }

    pub(super) fn set_criterion(&mut self, index: usize, met: bool) {
        if self.criteria[index].met != met {
            self.criteria[index].met = met;
            if met {
                self.note_advance();
            }
            let id = Arc::clone(&self.manifest.goal.criteria[index].id);
            self.event(if met { Event::CriterionMet { id } } else { Event::CriterionLost { id } });
        }
    }
}
