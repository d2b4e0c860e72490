//! What goes over the wire to a server, with each call's own progress token.
//!
//! The protocol's library gives each request a token of its own, under which a server says how far it has come. Whoever
//! makes a call for somebody else wants that told under the other's token, also where several calls are under way.

use std::future::Future;

use rmcp::RoleClient;
use rmcp::model::{
    ClientNotification, ClientRequest, JsonRpcMessage, ProgressToken, RequestId, RequestMetaObject, ServerNotification,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;

/// A call that is under way, and whose progress somebody wants to hear of.
#[derive(Debug)]
struct Told {
    request: RequestId,
    /// On the wire.
    own: ProgressToken,
    /// The caller's.
    callers: ProgressToken,
}

/// A transport whose progress notifications carry the callers' tokens.
pub(super) struct Wire<T> {
    inner: T,
    told: Vec<Told>,
}

impl<T> Wire<T> {
    pub fn new(inner: T) -> Self {
        Wire { inner, told: Vec::new() }
    }

    fn sent(&mut self, message: &TxJsonRpcMessage<RoleClient>) {
        match message {
            JsonRpcMessage::Request(sent) => {
                let ClientRequest::CallToolRequest(call) = &sent.request else { return };
                let own = call.extensions.get::<RequestMetaObject>().and_then(RequestMetaObject::get_progress_token);
                let callers = call.params.meta.as_ref().and_then(RequestMetaObject::get_progress_token);
                if let (Some(own), Some(callers)) = (own, callers) {
                    self.told.push(Told { request: sent.id.clone(), own, callers });
                }
            }
            JsonRpcMessage::Notification(sent) => {
                if let ClientNotification::CancelledNotification(cancelled) = &sent.notification {
                    self.is_over(cancelled.params.request_id.as_ref());
                }
            }
            _ => {}
        }
    }

    fn is_over(&mut self, request: Option<&RequestId>) {
        self.told.retain(|told| Some(&told.request) != request);
    }

    /// The message as the caller is to hear it; none where nobody wants to.
    fn received(&mut self, mut message: RxJsonRpcMessage<RoleClient>) -> Option<RxJsonRpcMessage<RoleClient>> {
        match &mut message {
            JsonRpcMessage::Response(answer) => self.is_over(Some(&answer.id)),
            JsonRpcMessage::Error(error) => self.is_over(error.id.as_ref()),
            JsonRpcMessage::Notification(said) => {
                if let ServerNotification::ProgressNotification(progress) = &mut said.notification {
                    let token = &mut progress.params.progress_token;
                    *token = self.told.iter().find(|told| told.own == *token)?.callers.clone();
                }
            }
            JsonRpcMessage::Request(_) => {}
        }
        Some(message)
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Wire<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.sent(&message);
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let message = self.inner.receive().await?;
            if let Some(message) = self.received(message) {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
