//! `wit/v0.1/log.wit`.

cases! {
    /// How much a line of a policy's log matters.
    pub enum Level {
        /// For the author alone.
        Debug = "debug",
        /// Worth knowing.
        Info = "info",
        /// Worth looking at.
        Warn = "warn",
        /// Why a call fails.
        Error = "error",
    }
}
