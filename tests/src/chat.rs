//! A server that speaks chat completions, and misbehaves when it is told to.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign::kernel::contract::{Digest, sha256};
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its number, from 0.
    pub number: usize,
    /// Its path.
    pub path: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// Its body; null where that is no JSON.
    pub body: Value,
    /// Digest of the body as it arrived.
    pub digest: Digest,
}

impl Request {
    /// The model that is asked.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// What the model is told, the system message apart.
    pub fn told(&self) -> &str {
        let messages = self.body["messages"].as_array();
        let user = messages.into_iter().flatten().find(|message| message["role"] == "user");
        user.and_then(|message| message["content"].as_str()).unwrap_or_default()
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Does {
    /// Answers with this text.
    Says(String),
    /// Answers 200 with this body.
    Answers(Value),
    /// Answers with a status, further headers and a body.
    Refuses(u16, Vec<(&'static str, String)>, Value),
    /// Waits so long before it does the other thing.
    Late(Duration, Box<Does>),
    /// Says nothing, until the caller hangs up.
    Silent,
    /// Answers 200 with a body that is no JSON.
    Malformed,
    /// Promises a longer body than it sends, and closes the connection.
    Truncated,
    /// Answers 200 with a body that has no end.
    Endless,
    /// Closes the connection without an answer.
    HangsUp,
    /// The same, and is gone: later connections are refused.
    Dies,
}

impl Does {
    /// One step as the loop asks for it.
    pub fn step(step: &str, action: Value, confidence: f64) -> Self {
        Does::Says(step_text(step, action, confidence))
    }
}

/// The text of one step.
pub fn step_text(step: &str, action: Value, confidence: f64) -> String {
    let text = json!({
        "step": step, "action": action, "reasoning": "because", "status": "ok", "confidence": confidence,
    });
    text.to_string()
}

/// A completion with these answers, as the interface documents it.
pub fn completion(texts: &[&str]) -> Value {
    let choice = |(index, text): (usize, &&str)| {
        json!({
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        })
    };
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": texts.iter().enumerate().map(choice).collect::<Vec<_>>(),
        "usage": {"prompt_tokens": 120, "completion_tokens": 40, "total_tokens": 160},
    })
}

/// The server. It is gone when this is dropped.
pub struct ChatServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ChatServer {
    /// Starts one on a free port of this machine. `script` says what it does with each request.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start(script: impl Fn(&Request) -> Does + Send + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut last = None;
            for mut stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                // A caller that has gone is no failure of the server.
                if let Ok(false) = serve(&mut stream, &script, &seen, &stopped) {
                    last = Some(stream);
                    break;
                }
            }
            // In this order: whoever is hung up on must find nobody to call again.
            drop(listener);
            drop(last);
        });
        Ok(ChatServer { address, requests, stop, thread: Some(thread) })
    }

    /// Its base address, as `endpoint` wants it.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ChatServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes it where it waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves one connection; false when the server is to be gone.
fn serve(
    stream: &mut TcpStream,
    script: &impl Fn(&Request) -> Does,
    seen: &Mutex<Vec<Request>>,
    stop: &AtomicBool,
) -> std::io::Result<bool> {
    let Some(mut request) = read(stream)? else { return Ok(true) };
    {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        request.number = seen.len();
        seen.push(request.clone());
    }
    let mut does = script(&request);
    while let Does::Late(time, next) = does {
        let mut left = time;
        while !left.is_zero() && !stop.load(Ordering::Relaxed) {
            let slice = left.min(Duration::from_millis(20));
            std::thread::sleep(slice);
            left -= slice;
        }
        does = *next;
    }
    match does {
        Does::Says(text) => answer(stream, 200, &[], completion(&[&text]).to_string().as_bytes())?,
        Does::Answers(body) => answer(stream, 200, &[], body.to_string().as_bytes())?,
        Does::Refuses(status, headers, body) => answer(stream, status, &headers, body.to_string().as_bytes())?,
        Does::Malformed => answer(stream, 200, &[], b"{\"choices\": [{\"message\"")?,
        Does::Truncated => {
            let body = completion(&["cut"]).to_string();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + 100)?;
            stream.write_all(body.as_bytes())?;
        }
        Does::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            let block = [b' '; 1 << 16];
            while !stop.load(Ordering::Relaxed) && stream.write_all(&block).is_ok() {}
        }
        Does::Silent => {
            stream.set_read_timeout(Some(Duration::from_millis(20)))?;
            let waits = |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            while !stop.load(Ordering::Relaxed) && stream.read(&mut [0]).is_err_and(|error| waits(&error)) {}
        }
        Does::HangsUp | Does::Late(..) => {}
        Does::Dies => return Ok(false),
    }
    Ok(true)
}

fn answer(stream: &mut TcpStream, status: u16, headers: &[(&'static str, String)], body: &[u8]) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\nconnection: close\r\n")?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "content-length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    stream.flush()
}

/// Reads a request; none where the connection was closed.
fn read(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some(path) = line.split(' ').nth(1).map(str::to_owned) else { return Ok(None) };
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let digest = sha256(&body);
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some(Request { number: 0, path, authorization, body, digest }))
}
