//! The client's side of the wire: one message a line, each line answered or taken.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;

use crate::incoming::{Incoming, MOST_LINE, read, too_long};

type Writing = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Messages of a client over two streams.
///
/// Reading is given up and taken up again at any moment: what was read of a line, and what is to be said of one, waits here.
pub struct ClientLines<R, W> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// The line is too long; what comes of it is dropped up to its end.
    dropping: bool,
    output: Arc<Mutex<Option<W>>>,
    answering: Option<Writing>,
}

impl<R, W> ClientLines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub fn new(input: R, output: W) -> Self {
        let output = Arc::new(Mutex::new(Some(output)));
        ClientLines { input: BufReader::new(input), line: Vec::new(), dropping: false, output, answering: None }
    }

    /// The next line as a message, or what is to be said of it; none at the end.
    async fn next(&mut self) -> io::Result<Option<Incoming>> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                // A last line without an end is half a message.
                return Ok(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(available.len(), |end| end + 1);
            if !self.dropping {
                self.line.extend_from_slice(&available[..count]);
            }
            self.input.consume(count);
            if self.dropping {
                self.dropping = end.is_none();
            } else if self.line.len() > MOST_LINE {
                let line = std::mem::take(&mut self.line);
                self.dropping = end.is_none();
                return Ok(Some(too_long(&line)));
            } else if end.is_some() {
                let line = std::mem::take(&mut self.line);
                return Ok(Some(read(&line)));
            }
        }
    }
}

impl<R, W> Transport<RoleServer> for ClientLines<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(&mut self, message: TxJsonRpcMessage<RoleServer>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        write(Arc::clone(&self.output), encoded(&message))
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(answering) = &mut self.answering {
                let answered = answering.await;
                self.answering = None;
                answered.ok()?;
            }
            match self.next().await {
                Ok(Some(Incoming::Message(message))) => return Some(*message),
                Ok(Some(Incoming::Refused(id, error))) => {
                    tracing::warn!(code = error.code.0, problem = %error.message, "a message of the client is refused");
                    self.answering = Some(Box::pin(write(Arc::clone(&self.output), Ok(refusal(id.as_ref(), &error)))));
                }
                Ok(Some(Incoming::Nothing)) => {}
                Ok(None) => return None,
                Err(error) => {
                    tracing::error!(%error, "the client cannot be read");
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        drop(self.output.lock().await.take());
        Ok(())
    }
}

/// A message as a line. An error that answers no request that anybody knows says so: its `id` is null, as JSON-RPC has it.
fn encoded(message: &TxJsonRpcMessage<RoleServer>) -> io::Result<Vec<u8>> {
    match message {
        JsonRpcMessage::Error(error) => Ok(refusal(error.id.as_ref(), &error.error)),
        message => {
            let mut line = serde_json::to_vec(message)?;
            line.push(b'\n');
            Ok(line)
        }
    }
}

fn refusal(id: Option<&RequestId>, error: &ErrorData) -> Vec<u8> {
    let mut line = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string().into_bytes();
    line.push(b'\n');
    line
}

async fn write<W>(output: Arc<Mutex<Option<W>>>, line: io::Result<Vec<u8>>) -> io::Result<()>
where
    W: AsyncWrite + Send + Unpin + 'static,
{
    let line = line?;
    let mut output = output.lock().await;
    let Some(output) = output.as_mut() else {
        return Err(io::Error::new(io::ErrorKind::NotConnected, "the client has hung up"));
    };
    output.write_all(&line).await?;
    output.flush().await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use serde_json::Value;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn each_line_is_answered_or_taken() {
        let (client, gateway) = tokio::io::duplex(1 << 10);
        let (input, output) = tokio::io::split(gateway);
        let mut lines = ClientLines::new(input, output);
        let taken = tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Some(message) = lines.receive().await {
                taken.push(serde_json::to_value(&message).unwrap()["id"].clone());
            }
            lines.close().await.unwrap();
            taken
        });
        let (mut heard, mut say) = tokio::io::split(client);
        let saying = tokio::spawn(async move {
            for line in [
                r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
                "no JSON at all",
                r#"{"jsonrpc":"2.0","id":2,"method":"ping","params":{"a":"\ud800"}}"#,
                &format!(r#"{{"jsonrpc":"2.0","id":3,"method":"ping","params":{{"a":"{}"}}}}"#, "x".repeat(MOST_LINE)),
                r#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#,
                r#"{"jsonrpc":"2.0","id":5,"meth"#,
            ] {
                let end = if line.ends_with("meth") { "" } else { "\n" };
                say.write_all(format!("{line}{end}").as_bytes()).await.unwrap();
            }
            say.shutdown().await.unwrap();
        });
        let mut text = String::new();
        heard.read_to_string(&mut text).await.unwrap();
        saying.await.unwrap();
        assert_eq!(taken.await.unwrap(), [json!(1), json!(4)]);
        let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let said: Vec<_> = answers.iter().map(|answer| (answer.get("id"), answer["error"]["code"].as_i64())).collect();
        assert_eq!(
            said,
            [(Some(&Value::Null), Some(-32700)), (Some(&json!(2)), Some(-32700)), (Some(&json!(3)), Some(-32600)),]
        );
    }

    #[test]
    fn an_error_without_a_request_has_a_null_for_it() {
        let error = ErrorData::invalid_request("x", None);
        for (id, expected) in [(None, Value::Null), (Some(RequestId::Number(7)), json!(7))] {
            let line = encoded(&JsonRpcMessage::error(error.clone(), id)).unwrap();
            let value: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(value.get("id"), Some(&expected));
        }
    }
}
