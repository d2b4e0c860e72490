//! One server from its first start to its last: it is started again when it has ended, after a pause that grows, and given
//! up after so many times in a row as its file says. What it does concerns no other server.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign::mcp::{Connection, McpError, Offer, ServerSpec};
use rmcp::model::ClientCapabilities;

use crate::relay::{Relay, Shared, locked};

/// One that was there for so long begins a new row of restarts.
const SOUND: Duration = Duration::from_secs(60);

/// How a server stands.
#[derive(Debug)]
enum State {
    Starting,
    Up {
        connection: Arc<Connection<Relay>>,
        offer: Offer,
        since: Instant,
        /// It is being asked for them.
        listing: bool,
    },
    Down {
        why: String,
        /// When it is started again; none where it is not.
        again: Option<Instant>,
    },
    /// The gateway ends.
    Closed,
}

#[derive(Debug)]
struct Life {
    state: State,
    /// How often in a row it has ended, or did not start.
    row: u32,
    /// What is known of it is not heeded yet.
    news: bool,
}

/// A server that is started again when it ends.
#[derive(Debug)]
pub struct Server {
    pub name: String,
    spec: ServerSpec,
    folder: PathBuf,
    capabilities: ClientCapabilities,
    shared: Arc<Shared>,
    life: Mutex<Life>,
}

impl Server {
    /// Begins to start it; whoever waits is told by `shared`.
    pub fn begin(
        name: &str,
        spec: &ServerSpec,
        folder: PathBuf,
        capabilities: ClientCapabilities,
        shared: &Arc<Shared>,
    ) -> Arc<Self> {
        let life = Mutex::new(Life { state: State::Starting, row: 0, news: false });
        let (name, spec, shared) = (name.to_owned(), spec.clone(), Arc::clone(shared));
        let server = Arc::new(Server { name, spec, folder, capabilities, shared, life });
        server.start();
        server
    }

    fn start(self: &Arc<Self>) {
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let started = server.started().await;
            let closed = {
                let mut life = locked(&server.life);
                match (started, &life.state) {
                    (Ok((connection, _)), State::Closed) => Some(connection),
                    (Err(_), State::Closed) => None,
                    (Ok((connection, offer)), _) => {
                        let since = Instant::now();
                        life.state = State::Up { connection, offer, since, listing: false };
                        life.news = true;
                        None
                    }
                    (Err(error), _) => {
                        server.falls(&mut life, error.to_string());
                        None
                    }
                }
            };
            if let Some(connection) = closed {
                connection.close().await;
            }
            server.shared.news.notify_one();
        });
    }

    async fn started(&self) -> Result<(Arc<Connection<Relay>>, Offer), McpError> {
        let relay = Relay {
            stale: AtomicBool::new(false),
            shared: Arc::clone(&self.shared),
            capabilities: self.capabilities.clone(),
        };
        let connection = Connection::start(&self.name, &self.spec, &self.folder, relay).await?;
        let offer = connection.offer().await?;
        Ok((Arc::new(connection), offer))
    }

    /// It is not there, for this reason.
    fn falls(&self, life: &mut Life, why: String) {
        life.row = life.row.saturating_add(1);
        life.news = true;
        let pause = self.spec.pause(life.row);
        let (server, most) = (&self.name, self.spec.restarts);
        match pause {
            Some(pause) => tracing::warn!(
                server,
                "{why}; its tools are taken out of the list, and it is started again in {} ms, for the {}. of at most {most} times in a row",
                pause.as_millis(),
                life.row
            ),
            None => tracing::error!(
                server,
                "{why}; its tools are taken out of the list, and it is not started again before the gateway is"
            ),
        }
        life.state = State::Down { why, again: pause.map(|pause| Instant::now() + pause) };
    }

    /// Notices whether it has ended, starts it where that is due, and has it asked for its tools where they are others.
    /// Whether something is known of it that was not known before.
    pub fn heed(self: &Arc<Self>) -> bool {
        let mut life = locked(&self.life);
        match &mut life.state {
            State::Up { connection, since, .. } if connection.is_closed() => {
                if since.elapsed() >= SOUND {
                    life.row = 0;
                }
                self.falls(&mut life, "the server has ended".to_owned());
            }
            State::Up { connection, listing, .. }
                if !*listing && connection.handler().stale.swap(false, Ordering::AcqRel) =>
            {
                *listing = true;
                self.list_again(Arc::clone(connection));
            }
            State::Down { again: Some(again), .. } if *again <= Instant::now() => {
                life.state = State::Starting;
                self.start();
            }
            _ => {}
        }
        std::mem::take(&mut life.news)
    }

    fn list_again(self: &Arc<Self>, connection: Arc<Connection<Relay>>) {
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let listed = connection.offer().await;
            if let Err(error) = &listed {
                tracing::warn!(server = server.name, %error, "its tools stay as they were");
            }
            let mut life = locked(&server.life);
            if let State::Up { connection: now, offer, listing, .. } = &mut life.state
                && Arc::ptr_eq(now, &connection)
            {
                *listing = false;
                if let Ok(listed) = listed {
                    *offer = listed;
                    life.news = true;
                }
            }
            server.shared.news.notify_one();
        });
    }

    /// It is being started, or asked for its tools: soon more is known of it.
    pub fn is_busy(&self) -> bool {
        match &locked(&self.life).state {
            State::Starting => true,
            State::Up { connection, listing, .. } => {
                (*listing || connection.handler().stale.load(Ordering::Acquire)) && !connection.is_closed()
            }
            State::Down { .. } | State::Closed => false,
        }
    }

    /// What talks to it, where it is there.
    pub fn connection(&self) -> Option<Arc<Connection<Relay>>> {
        match &locked(&self.life).state {
            State::Up { connection, .. } if !connection.is_closed() => Some(Arc::clone(connection)),
            _ => None,
        }
    }

    /// What it offers, where it is there.
    pub fn offer(&self) -> Option<Offer> {
        match &locked(&self.life).state {
            State::Up { connection, offer, .. } if !connection.is_closed() => Some(offer.clone()),
            _ => None,
        }
    }

    /// Why it is not there, as it said or as was noticed; none where it is, or may be soon.
    pub fn problem(&self) -> Option<String> {
        match &locked(&self.life).state {
            State::Down { why, .. } => Some(why.clone()),
            _ => None,
        }
    }

    /// Why none of its tools can be called now; none where it is there.
    pub fn away(&self) -> Option<String> {
        let name = &self.name;
        match &locked(&self.life).state {
            State::Starting => {
                Some(format!("its server `{name}` is being started, and has no tools before it is there"))
            }
            State::Up { connection, .. } if connection.is_closed() => {
                Some(format!("its server `{name}` has ended, and has no tools before it is back"))
            }
            State::Up { .. } => None,
            State::Down { again: Some(_), .. } => Some(format!(
                "its server `{name}` has ended or did not start, and has no tools before it is back; it is being started \
                 again"
            )),
            State::Down { again: None, .. } => Some(format!(
                "its server `{name}` has ended or did not start, and is not started again; its operator finds why in the \
                 gateway's log"
            )),
            State::Closed => Some("the gateway ends".to_owned()),
        }
    }

    /// Ends it for good.
    pub async fn close(&self) {
        let state = std::mem::replace(&mut locked(&self.life).state, State::Closed);
        if let State::Up { connection, .. } = state {
            connection.close().await;
        }
    }
}
