use rmcp::model::Tool;

/// What a server offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Its name in the file.
    pub server: String,
    /// The name that it gives itself.
    pub title: String,
    /// The version that it gives itself.
    pub version: String,
    /// Its tools, as it lists them.
    pub tools: Vec<Tool>,
}
