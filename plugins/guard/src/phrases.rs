//! Words that are looked for, and what each means where it is found. `the`, `of`, `my`, `our`,
//! `these` and `those` may stand anywhere between them.

/// What a phrase is; behind these are the phrases of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Tag {
    Override,
    /// The same, and that people are not to hear of something.
    Conceal,
    /// Claims to be of the model's user.
    Claim,
    /// Is one between the brackets of a tag, where the model is spoken to behind it.
    Role,
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
    /// Is one where it decodes.
    Decode,
    Find,
    /// Changes who may read or write.
    Change,
    Shred,
    /// A folder with all in it, in a program.
    RemoveTree,
    /// A disk, or a connection as a file.
    Device,
    /// Goes to a folder.
    Cd,
    /// Makes one folder like another.
    Mirror,
    /// Takes words that it does not run, such as the message of a commit.
    Tells,
    /// Shows private keys.
    Export,
    /// A word in the path of a file that holds credentials; see `paths`.
    Store,
    /// The service's name begins so.
    Metadata,
}

pub const TAGS: [Tag; 28] = [
    Tag::Override,
    Tag::Conceal,
    Tag::Claim,
    Tag::Role,
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
    Tag::Decode,
    Tag::Find,
    Tag::Change,
    Tag::Shred,
    Tag::RemoveTree,
    Tag::Device,
    Tag::Cd,
    Tag::Mirror,
    Tag::Tells,
    Tag::Export,
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
    ("ignore|disregard|forget your previous|prior|earlier", Tag::Override),
    ("ignore|disregard|forget everything above|before|you", Tag::Override),
    ("do not follow|obey your|any| previous|prior|system instructions|rules", Tag::Override),
    ("pay no attention to all| previous|prior|above instructions", Tag::Override),
    ("your new instructions|task|goal|objective is|are", Tag::Override),
    ("you are now dan|jailbroken|unrestricted|unfiltered", Tag::Override),
    ("you are now in developer|god|jailbreak|admin|debug mode", Tag::Override),
    ("you are no longer bound|restricted by", Tag::Override),
    ("reveal|print|output|repeat|show|leak your system|hidden|initial prompt|instructions|message", Tag::Override),
    ("reveal|leak system|hidden prompt|instructions", Tag::Override),
    (
        "supersede|supersedes|override|overrides|replace|replaces|cancel|cancels|void|voids all|any|your| \
         previous|prior|earlier|above|other instructions|orders|directions",
        Tag::Override,
    ),
    ("do not tell|inform|alert|notify|warn user|human|operator|anyone|anybody", Tag::Conceal),
    ("never tell|inform|alert|notify|warn user|human|operator|anyone|anybody", Tag::Conceal),
    ("don t tell|inform|alert|notify|warn user|human|operator|anyone|anybody", Tag::Conceal),
    ("without telling|informing|alerting|notifying user|human|operator|anyone|anybody", Tag::Conceal),
    ("keep|hide this|it secret|hidden| from user|human|operator", Tag::Conceal),
    ("do not mention this|it|that to| user|human|operator|anyone", Tag::Conceal),
    (
        "user|owner|operator|admin|administrator|customer|principal has|have already|now|also| \
         authorised|authorized|approved|instructed|permitted|allowed|cleared you to",
        Tag::Claim,
    ),
    ("your user|owner|operator|developer|principal|creator wants|expects|orders|commands you to", Tag::Claim),
    (
        "do|run|send|transfer|delete it|this|so|them now|immediately| without asking|confirming|confirmation|telling",
        Tag::Claim,
    ),
    ("before you can|may solve|complete|finish|continue task|request", Tag::Claim),
    ("important message from|for me|us|admin|administrator|you|user|assistant", Tag::Claim),
    ("information|important|instructions|instruction|admin|developer|user|command", Tag::Role),
    ("ssh|gnupg|shadow|gshadow|credentials|netrc|pgpass|environ|kube|docker", Tag::Store),
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
    ("send|post|upload|forward|email|mail|transmit|transfer|wire|pay|exfiltrate|leak|submit|copy|curl|wget", Tag::Send),
    ("to|http|https", Tag::Target),
    ("run|execute|invoke|call following|this|that| command|commands|code|script|tool|function", Tag::Run),
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
    ("base64|xxd", Tag::Decode),
    ("find", Tag::Find),
    ("chmod|chown|chgrp", Tag::Change),
    ("shred|wipefs|blkdiscard", Tag::Shred),
    ("rmtree|rmdirsync|rmsync", Tag::RemoveTree),
    ("dev", Tag::Device),
    ("cd|pushd", Tag::Cd),
    ("rsync", Tag::Mirror),
    ("git|gh|glab|echo|grep|egrep|rg", Tag::Tells),
    ("export secret keys|subkeys|key", Tag::Export),
    ("ssh|gnupg|shadow|gshadow|credentials|netrc|pgpass|environ|kube|docker|hosts", Tag::Store),
    ("metadata", Tag::Metadata),
];

impl Tag {
    /// The tag of a number that the scanner told; none for a phrase of the configuration.
    pub fn of(number: u16) -> Option<Tag> {
        TAGS.get(usize::from(number)).copied()
    }
}
