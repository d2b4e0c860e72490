//! Words that are looked for, and what each means where it is found. `the`, `of`, `my`, `our`,
//! `these` and `those` may stand anywhere between them.

/// What a phrase is; behind these are the phrases of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Tag {
    Override,
    /// Is one where a colon follows.
    NewInstructions,
    Hint,
    /// Is one between the right brackets.
    Marker,
    /// Sends, where a target follows.
    Send,
    Target,
    Run,
    Toxic,
    // Of a call.
    Rm,
    Mkfs,
    Dd,
    Shell,
    Download,
    /// A word in the path of a file that holds credentials; see `paths`.
    Store,
    /// The service's name begins so.
    Metadata,
}

pub const TAGS: [Tag; 15] = [
    Tag::Override,
    Tag::NewInstructions,
    Tag::Hint,
    Tag::Marker,
    Tag::Send,
    Tag::Target,
    Tag::Run,
    Tag::Toxic,
    Tag::Rm,
    Tag::Mkfs,
    Tag::Dd,
    Tag::Shell,
    Tag::Download,
    Tag::Store,
    Tag::Metadata,
];

/// For texts: what comes in and what goes out.
pub const TEXT: &[(&str, Tag)] = &[
    (
        "ignore|disregard|forget all|any|your| previous|prior|earlier|preceding|above \
         instructions|instruction|prompts|rules|directions|guidelines",
        Tag::Override,
    ),
    // Of style sheets and linters it is said that they override or ignore rules.
    ("override all|any|your| previous|prior|above instructions", Tag::Override),
    ("ignore|disregard|forget|override all|any|your instructions", Tag::Override),
    ("ignore|disregard|forget your rules|guidelines|programming", Tag::Override),
    ("ignore|disregard|forget everything above|before|you", Tag::Override),
    ("do not follow|obey your|any| previous|prior|system instructions|rules", Tag::Override),
    ("pay no attention to all| previous|prior|above instructions", Tag::Override),
    ("your new instructions|task|goal|objective is|are", Tag::Override),
    ("you are now dan|jailbroken|unrestricted|unfiltered", Tag::Override),
    ("you are now in developer|god|jailbreak|admin|debug mode", Tag::Override),
    ("you are no longer bound|restricted by", Tag::Override),
    ("reveal|print|output|repeat|show|leak your system|hidden|initial prompt|instructions|message", Tag::Override),
    ("reveal|leak system|hidden prompt|instructions", Tag::Override),
    ("do not tell|inform|alert|notify|warn user|human|operator|anyone", Tag::Override),
    ("never tell|inform|alert|notify|warn user|human|operator|anyone", Tag::Override),
    ("don t tell|inform|alert|notify|warn user|human|operator|anyone", Tag::Override),
    ("without telling|informing|alerting|notifying user|human|operator|anyone", Tag::Override),
    ("keep this secret|hidden from user|human|operator", Tag::Override),
    ("new instructions|orders", Tag::NewInstructions),
    ("you are now", Tag::Hint),
    ("system prompt", Tag::Hint),
    ("developer mode", Tag::Hint),
    ("do anything now", Tag::Hint),
    ("jailbreak", Tag::Hint),
    ("im start|end|sep", Tag::Marker),
    ("start|end header id", Tag::Marker),
    ("start|end turn", Tag::Marker),
    ("eot id", Tag::Marker),
    ("begin text", Tag::Marker),
    ("endoftext|inst|sys|system|assistant", Tag::Marker),
    ("send|post|upload|forward|email|mail|transmit|exfiltrate|leak|submit|curl|wget", Tag::Send),
    ("to|http|https", Tag::Target),
    ("run|execute following|this|that| command|commands|code|script", Tag::Run),
    ("i|we will|ll kill|murder|shoot|stab you", Tag::Toxic),
    ("i|we am|m|are|re going to kill|murder|shoot|stab you", Tag::Toxic),
    ("i|we will|ll find you and kill|hurt you", Tag::Toxic),
    ("kill|hang yourself", Tag::Toxic),
    ("kys", Tag::Toxic),
    ("slit your wrists|throat", Tag::Toxic),
    ("you should|must die", Tag::Toxic),
    ("you deserve to die", Tag::Toxic),
    ("i hope you die", Tag::Toxic),
    ("you should end your life", Tag::Toxic),
];

/// For calls.
pub const CALL: &[(&str, Tag)] = &[
    ("rm", Tag::Rm),
    ("mkfs", Tag::Mkfs),
    ("dd", Tag::Dd),
    ("sh|bash|zsh|dash|ksh|python|python3|perl|ruby|node|iex", Tag::Shell),
    ("curl|wget|iwr|irm", Tag::Download),
    ("ssh|gnupg|shadow|gshadow|credentials|netrc|pgpass|environ|kube|docker", Tag::Store),
    ("metadata", Tag::Metadata),
];

impl Tag {
    /// The tag of a number that the scanner told; none for a phrase of the configuration.
    pub fn of(number: u16) -> Option<Tag> {
        TAGS.get(usize::from(number)).copied()
    }
}
