//! Rules as they are given: from what a person was asked to approve, and no further than such a rule may go.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::packet::Approval;
use super::standing::{CEILING, Covers, StandingApproval, are_below, is_content, is_executed, is_itself, parts};

/// Longest folder of a rule, in bytes.
const LONGEST_FOLDER: usize = 1024;

/// Why a rule cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StandingError {
    /// What is approved is no call of a tool.
    #[error("what waits is no call of a tool, so that no rule can cover others like it")]
    NoCall,
    /// A ceiling always asks.
    #[error("it is asked about because of what it is ({reason}): such calls are approved one by one")]
    Ceiling {
        /// Why it is asked about.
        reason: String,
    },
    /// The folder cannot be one.
    #[error(
        "`{folder}` is no folder that paths can lie below: expected one without `..`, `\\`, `%`, `:`, `,` and the like"
    )]
    Folder {
        /// As given.
        folder: String,
    },
    /// Nothing in the call lies there.
    #[error("no argument of this call is a path below `{folder}`")]
    NotBelow {
        /// As given.
        folder: String,
    },
}

impl StandingApproval {
    /// A rule for the very call that waits.
    ///
    /// # Errors
    /// An approval that no rule can go beyond.
    pub fn same(approval: &Approval, until: Option<u64>) -> Result<Self, StandingError> {
        StandingApproval::of(approval, Covers::Same { arguments: Arc::clone(&approval.arguments) }, until)
    }

    /// A rule for calls like the one that waits whose paths lie below a folder.
    ///
    /// # Errors
    /// An approval that no rule can go beyond, or that has no path there.
    pub fn below(approval: &Approval, folder: &str, until: Option<u64>) -> Result<Self, StandingError> {
        let wrong = || StandingError::Folder { folder: folder.to_owned() };
        if folder.is_empty() || folder.len() > LONGEST_FOLDER || parts(folder).is_none() {
            return Err(wrong());
        }
        let nowhere = || StandingError::NotBelow { folder: folder.to_owned() };
        let Ok(Value::Object(arguments)) = serde_json::from_str::<Value>(&approval.arguments) else {
            return Err(nowhere());
        };
        let (mut paths, mut itself, mut fixed, mut free) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        for (name, value) in arguments {
            let named: Arc<str> = name.as_str().into();
            if !is_executed(&name) && are_below(folder, &value, true) {
                itself.extend(is_itself(folder, &value).then(|| Arc::clone(&named)));
                paths.push(named);
            } else if is_content(&name, &value) {
                free.push(named);
            } else {
                fixed.insert(named, value);
            }
        }
        if paths.is_empty() {
            return Err(nowhere());
        }
        StandingApproval::of(approval, Covers::Below { folder: folder.into(), paths, itself, fixed, free }, until)
    }

    fn of(approval: &Approval, covers: Covers, until: Option<u64>) -> Result<Self, StandingError> {
        if approval.definition.is_empty() {
            return Err(StandingError::NoCall);
        }
        if approval.asked_by.iter().any(|by| **by == *CEILING) {
            return Err(StandingError::Ceiling { reason: approval.reason.clone() });
        }
        let id = approval.fingerprint.get(..16).unwrap_or(&approval.fingerprint).into();
        let (tool, definition) = (Arc::clone(&approval.tool), Arc::clone(&approval.definition));
        Ok(StandingApproval { id, tool, definition, covers, until })
    }

    /// Whether it goes beyond this very approval, and no further than such a rule may.
    pub fn is_of(&self, approval: &Approval) -> bool {
        let made = match &self.covers {
            Covers::Same { .. } => StandingApproval::same(approval, self.until),
            Covers::Below { folder, .. } => StandingApproval::below(approval, folder, self.until),
        };
        made.is_ok_and(|made| made == *self)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::Key;
    use crate::record::input::Touched;

    fn approval(arguments: &Value) -> Approval {
        Approval {
            call: 0,
            tool: "write".into(),
            arguments: arguments.to_string().as_str().into(),
            key: Key(1),
            definition: "d".into(),
            asked_by: vec!["risk".into()],
            reason: "risky".into(),
            confidence: None,
            touches: Touched::default(),
            fingerprint: "0123456789abcdef0123456789abcdef".into(),
            expires: 100,
            expired: 0,
        }
    }

    #[test]
    fn the_same_is_the_very_call_of_the_very_definition() {
        let rule = StandingApproval::same(&approval(&json!({"a": 1})), None).unwrap();
        assert!(rule.is_of(&approval(&json!({"a": 1}))) && !rule.is_of(&approval(&json!({"a": 2}))));
        for (tool, definition, arguments, covered) in [
            ("write", "d", "{\"a\":1}", true),
            ("write", "d", "{\"a\":2}", false),
            ("write", "e", "{\"a\":1}", false),
            ("write", "", "{\"a\":1}", false),
            ("read", "d", "{\"a\":1}", false),
        ] {
            assert_eq!(rule.covers(tool, definition, arguments), covered, "{tool} {definition} {arguments}");
        }
        assert!(!rule.is_over(u64::MAX));
        let hour = StandingApproval { until: Some(10), ..rule };
        assert!(!hour.is_over(10) && hour.is_over(11));
    }

    #[test]
    fn below_a_folder_is_below_it_as_it_is_written() {
        let first = json!({"path": "/srv/notes/a.md", "content": "one"});
        let rule = StandingApproval::below(&approval(&first), "/srv/notes/", None).unwrap();
        for (path, covered) in [
            ("/srv/notes/b.md", true),
            ("/srv/notes/deep/er/b.md", true),
            ("/srv//notes/./b.md", true),
            ("/srv/notes/../b.md", false),
            ("/srv/notes/x/../../../etc/passwd", false),
            ("/srv/notes-of-others/b.md", false),
            ("/srv/b.md", false),
            ("srv/notes/b.md", false),
            ("/SRV/notes/b.md", false),
            ("/srv/notes/%2e%2e/b.md", false),
            ("/srv/notes/..\\..\\b.md", false),
            ("/srv/notes/$HOME/b.md", false),
            ("/srv/notes/\u{0}b.md", false),
            ("/srv/notes", false),
            ("/srv/notes/", false),
            ("/srv/notes/b.md:/etc/passwd", false),
            ("/srv/notes/b.md,/etc/passwd", false),
            ("/srv/notes/b.md /etc/passwd", false),
            ("/srv/notes/b.md -> /etc/passwd", false),
            ("/srv/notes/a; rm -rf /", false),
            ("/srv/notes/{a,../../b}", false),
            ("/srv/notes/\u{2025}/b.md", false),
            ("/srv/notes/\u{ff0e}\u{ff0e}/b.md", false),
            ("/srv/notes/..\u{ff0f}b.md", false),
            ("/srv/notes/~root/b.md", false),
            ("/srv/notes/two words.md", true),
            ("/srv/notes/\u{e4}rger.md", true),
            ("~/b.md", false),
            ("", false),
        ] {
            let call = json!({"path": path, "content": "whatever it says, also / or ../ in a sentence"});
            assert_eq!(rule.covers("write", "d", &call.to_string()), covered, "{path}");
        }
        // A path elsewhere hidden in what may vary, an argument that nobody approved, one that is missing.
        for call in [
            json!({"path": "/srv/notes/b.md", "content": "/etc/passwd"}),
            json!({"path": "/srv/notes/b.md", "content": "x", "then": "rm"}),
            json!({"content": "x"}),
            json!(["/srv/notes/b.md"]),
        ] {
            assert!(!rule.covers("write", "d", &call.to_string()), "{call}");
        }
    }

    #[test]
    fn what_is_run_and_how_stays_what_was_approved() {
        let first = json!({
            "cwd": "/srv/notes", "command": "ls", "recursive": false, "message": "n", "to": "olga", "mode": "append",
            "opts": {"user": "olga", "deep": {"count": 1}}, "amount": "3", "dest": "left", "flags": ["-v"],
        });
        let rule = StandingApproval::below(&approval(&first), "/srv/notes", None).unwrap();
        let with = |name: &str, value: Value| {
            let mut call = first.clone();
            call[name] = value;
            rule.covers("write", "d", &call.to_string())
        };
        assert!(with("cwd", json!("/srv/notes/deep")) && with("cwd", json!("/srv/notes/")), "it was the folder itself");
        assert!(with("message", json!("other")));
        for (name, value) in [
            ("command", json!("rm -rf .")),
            ("recursive", json!(true)),
            ("to", json!("mallory")),
            ("mode", json!("truncate")),
            ("opts", json!({"user": "root", "deep": {"count": 1}})),
            ("opts", json!({"user": "olga", "deep": {"count": 2}})),
            ("opts", json!({"user": "olga", "deep": {"count": 1}, "force": true})),
            ("amount", json!("3000")),
            ("dest", json!("right")),
            ("flags", json!(["-v", "--force"])),
            ("message", json!({"text": "no text"})),
            ("message", json!(["n"])),
        ] {
            assert!(!with(name, value.clone()), "{name} {value}");
        }
        // A second path that lies elsewhere is that very path.
        let moves = json!({"source": "/srv/notes/a", "destination": "/tmp/a"});
        let rule = StandingApproval::below(&approval(&moves), "/srv/notes", None).unwrap();
        let moved =
            |from: &str, to: &str| rule.covers("write", "d", &json!({"source": from, "destination": to}).to_string());
        assert!(moved("/srv/notes/b", "/tmp/a") && !moved("/srv/notes/b", "/tmp/b"));
        // Lists of paths; edits lie in a list, and stay.
        let edits = json!({"paths": ["x/a", "x/b"], "edits": [{"old": "1", "new": "2"}], "newText": "a"});
        let rule = StandingApproval::below(&approval(&edits), "x", None).unwrap();
        let edited = |paths: Value, edits: Value| {
            rule.covers("write", "d", &json!({"paths": paths, "edits": edits, "newText": "b"}).to_string())
        };
        let same = json!([{"old": "1", "new": "2"}]);
        assert!(edited(json!(["x/c"]), same.clone()));
        assert!(!edited(json!(["x/c", "y/c"]), same.clone()) && !edited(json!(["x/c", "x"]), same));
        assert!(!edited(json!(["x/c"]), json!([{"old": "3", "new": "4"}])));
    }

    #[test]
    fn below_here_lies_neither_a_home_folder_nor_a_drive() {
        let rule = StandingApproval::below(&approval(&json!({"path": "./a/b"})), ".", None).unwrap();
        for (path, covered) in
            [("a/c", true), ("./c", true), ("/a/c", false), ("~/c", false), ("C:/c", false), ("../c", false)]
        {
            assert_eq!(rule.covers("write", "d", &json!({"path": path}).to_string()), covered, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_a_rule_says_why() {
        let call = approval(&json!({"path": "/srv/notes/a"}));
        let below = |folder: &str| StandingApproval::below(&call, folder, None).unwrap_err().to_string();
        assert!(below("/srv/other").contains("no argument of this call"));
        assert!(below("/srv/notes/../x").contains("is no folder") && below("").contains("is no folder"));
        let ceiling = Approval { asked_by: vec!["risk".into(), "ceiling".into()], ..call.clone() };
        let refused = StandingApproval::same(&ceiling, None).unwrap_err();
        assert!(matches!(refused, StandingError::Ceiling { .. }));
        let plan = Approval { definition: "".into(), ..call };
        assert_eq!(StandingApproval::same(&plan, None), Err(StandingError::NoCall));
    }
}
